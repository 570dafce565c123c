#include "runtime/block_host/handlers.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace bascule::block_host {
namespace {

/// The child's signals are as if this process had never touched its own.
class Attributes {
 public:
  Attributes() {
    posix_spawnattr_init(&attributes_);
    sigset_t none, pipe;
    sigemptyset(&none);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &pipe);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  [[nodiscard]] const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

int exit_code_of(const siginfo_t& information) {
  return information.si_code == CLD_EXITED ? information.si_status : 128 + information.si_status;
}

std::string family(const std::string& address) { return address.find(':') == std::string::npos ? "ipv4" : "ipv6"; }

}  // namespace

std::vector<std::string> handler_environment(const VolumePlan& plan) {
  const char* const path = std::getenv("PATH");
  return {"PATH=" + std::string(path != nullptr ? path : "/sbin:/usr/sbin:/bin:/usr/bin"),
          "HOME=/",
          "TERM=linux",
          "DRBD_RESOURCE=" + plan.volume.name,
          "DRBD_VOLUME=0",
          "DRBD_MINOR=" + std::to_string(plan.volume.minor),
          "DRBD_LL_DISK=" + plan.disk,
          "DRBD_PEER=" + plan.peer,
          "DRBD_PEERS=" + plan.peer,
          "DRBD_PEER_AF=" + family(plan.peer_address),
          "DRBD_PEER_ADDRESS=" + plan.peer_address,
          "DRBD_MY_AF=" + family(plan.own_address),
          "DRBD_MY_ADDRESS=" + plan.own_address};
}

Handlers::Handlers(uring::Ring& ring, std::map<std::string, std::string> commands, std::vector<std::string> environment,
                   Duration timeout)
    : ring_(ring), commands_(std::move(commands)), environment_(std::move(environment)), timeout_(timeout) {}

Handlers::~Handlers() {
  for (auto& [number, child] : running_) {
    ring_.cancel(child.watch);
    ring_.cancel_timer(child.deadline);
    ::close(child.descriptor);
  }
}

bool Handlers::run(const std::string& name, Done done) {
  const auto command = commands_.find(name);
  if (command == commands_.end() || command->second.empty()) return false;
  const std::uint64_t number = next_++;
  Child& child = running_[number];
  child.done = std::move(done);
  if (!start(child, name, command->second)) {
    ring_.timer(uring::Ring::now(), [this, number](int) { ended(number); });
    return true;
  }
  child.watch = ring_.watch(child.descriptor, POLLIN, [this, number](int) { ended(number); });
  child.deadline = ring_.timer(uring::Ring::now() + timeout_, [this, number](int) { overdue(number); });
  return true;
}

bool Handlers::start(Child& child, const std::string& name, const std::string& command) {
  const Attributes attributes;
  std::vector<std::string> words{"/bin/sh", "-c", command, name};
  std::vector<char*> arguments, variables;
  for (std::string& word : words) arguments.push_back(word.data());
  for (std::string& variable : environment_) variables.push_back(variable.data());
  arguments.push_back(nullptr);
  variables.push_back(nullptr);
  if (posix_spawn(&child.process, "/bin/sh", nullptr, attributes.get(), arguments.data(), variables.data()) != 0)
    return false;
  child.descriptor = static_cast<int>(syscall(SYS_pidfd_open, child.process, 0));
  return child.descriptor >= 0;
}

void Handlers::overdue(std::uint64_t number) {
  const auto found = running_.find(number);
  if (found == running_.end()) return;
  found->second.too_late = true;
  found->second.deadline = 0;
  ::kill(-found->second.process, SIGKILL);
}

void Handlers::ended(std::uint64_t number) {
  const auto found = running_.find(number);
  if (found == running_.end()) return;
  siginfo_t information{};
  int exit_code = -1;
  if (found->second.descriptor >= 0) {
    if (::waitid(P_PIDFD, static_cast<id_t>(found->second.descriptor), &information, WEXITED | WNOHANG) != 0) return;
    if (information.si_pid == 0) return;  // it has not ended yet
    exit_code = exit_code_of(information);
  }
  Child child = std::move(found->second);
  running_.erase(found);
  ring_.cancel(child.watch);
  ring_.cancel_timer(child.deadline);
  if (child.descriptor >= 0) ::close(child.descriptor);
  child.done(child.too_late ? -1 : exit_code);
}

}  // namespace bascule::block_host
