#include "app/watchdogd/server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "runtime/watchdog/config_file.h"

namespace bascule::watchdog {
namespace {

Result<int> lock_run_dir(const std::string& run_dir) {
  if (mkdir(run_dir.c_str(), 0755) != 0 && errno != EEXIST)
    return fail_errno("the run directory cannot be made", run_dir, errno);
  const std::string path = run_dir + "/watchdogd.lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return fail_errno("the run directory cannot be used", path, errno);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  close(fd);
  return fail("bascule-watchdogd runs here already", path, {}, "there is one per node");
}

int signal_descriptor() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

}  // namespace

void log(const std::string& line) {
  pollfd out{STDERR_FILENO, POLLOUT, 0};
  const std::string whole = "bascule-watchdogd: " + line + "\n";
  if (poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0) (void)!write(STDERR_FILENO, whole.data(), whole.size());
}

Server::Server(const config::ClusterConfig& config, const Options& options, LeaseFile file, int lock)
    : options_(options),
      timing_(config.timing),
      file_(std::move(file)),
      ledger_(file_.writable_page(), std::max(config.timing.lease, config.timing.restart_lease)),
      device_(options.watchdog),
      socket_path_(options.run_dir + "/watchdog.sock"),
      lock_(lock) {
  clients_.fill(-1);
}

Server::~Server() {
  for (int fd : clients_)
    if (fd >= 0) close(fd);
  for (int fd : {listener_, signals_, lock_})
    if (fd >= 0) close(fd);
}

Result<std::unique_ptr<Server>> Server::start(const config::ClusterConfig& config, const Options& options) {
  const auto lock = lock_run_dir(options.run_dir);
  if (!lock) return tl::unexpected(lock.error());
  auto file = LeaseFile::create(options.run_dir, slot_names(config));
  if (!file) {
    close(*lock);
    return tl::unexpected(file.error());
  }
  std::unique_ptr<Server> server(new Server(config, options, std::move(*file), *lock));
  server->signals_ = signal_descriptor();
  if (auto guarded = server->guard_addresses(config); !guarded) return tl::unexpected(guarded.error());
  if (auto listening = server->listen(server->socket_path_); !listening) return tl::unexpected(listening.error());
  return server;
}

/// The addresses of the configuration; and those that were guarded before for a lease that is armed still, until the
/// service that it is for has gone.
Result<void> Server::guard_addresses(const config::ClusterConfig& config) {
  std::vector<netlink::GuardedAddress> addresses;
  for (const auto& service : config.services)
    if (const auto* slot = file_.find("service:" + service.name); slot != nullptr)
      for (const auto& address : service.addresses)
        addresses.push_back({address, static_cast<std::size_t>(slot - file_.page().slots)});
  for (const auto& before : guarded_) {
    const auto same = [&](const netlink::GuardedAddress& one) { return one.text == before.text; };
    if (ledger_.ends()[before.slot] != Instant{} && std::none_of(addresses.begin(), addresses.end(), same))
      addresses.push_back(before);
  }
  guarded_ = addresses;
  if (addresses.empty()) return {};
  auto guard = netlink::AddressGuard::open(addresses, ledger_.ends(), boot_now());
  if (!guard) return tl::unexpected(guard.error());
  guard_ = std::make_unique<netlink::AddressGuard>(std::move(*guard));
  return {};
}

/// bascule-managerd wrote another configuration: new leases get their slots, new addresses are guarded. What is there
/// stays where it is; a file that cannot be used changes nothing.
void Server::read_configuration() {
  configuration_changed_ = false;
  const auto config = config::load(options_.config_file);
  if (!config) return log(config.error().text());
  if (!file_.add_slots(slot_names(*config)))
    log("the lease page has no room for all leases of the configuration: restart bascule-watchdogd");
  timing_ = config->timing;
  ledger_.set_lease_max(std::max(timing_.lease, timing_.restart_lease));
  if (const auto guarded = guard_addresses(*config); !guarded) {
    log(guarded.error().text());
    guard_broken_ = guard_ != nullptr;
  }
  log("read the configuration again");
}

Result<void> Server::listen(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return fail("the socket cannot be made", path, "the path is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  unlink(path.c_str());
  listener_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const mode_t mask = umask(0177);
  const int bound = bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  umask(mask);
  if (bound != 0 || ::listen(listener_, clients_max) != 0) return fail_errno("the socket cannot be made", path, errno);
  return {};
}

void Server::accept_client() {
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  const auto free = std::find(clients_.begin(), clients_.end(), -1);
  if (free == clients_.end())
    close(fd);
  else
    *free = fd;
}

bool Server::read_client(int& fd) {
  constexpr int datagrams_at_once = 4 * lease_slots_max;  // others wait too, and the watchdog
  std::array<Byte, lease_updates_max * sizeof(LeaseUpdate) + 1> datagram;
  bool changed = false;
  for (int i = 0; i < datagrams_at_once; ++i) {
    const auto size = recv(fd, datagram.data(), datagram.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return changed;
    if (size <= 0) {
      close(fd);
      fd = -1;
      return changed;
    }
    changed = apply(ByteView(datagram).first(static_cast<std::size_t>(size))) || changed;
  }
  return changed;
}

/// One or more updates, each judged for itself. Whether a lease is another one now.
bool Server::apply(ByteView datagram) {
  bool changed = false;
  const Instant now = boot_now();
  while (!datagram.empty()) {
    const auto update = datagram.first(std::min(datagram.size(), sizeof(LeaseUpdate)));
    datagram = datagram.subspan(update.size());
    const auto applied = ledger_.apply(update, now);
    configuration_changed_ = configuration_changed_ || applied == Ledger::Applied::configure;
    changed = changed || applied == Ledger::Applied::granted || applied == Ledger::Applied::released;
    if (applied == Ledger::Applied::malformed && now >= next_complaint_) {
      log("ignored a datagram that is no lease update of this configuration");
      next_complaint_ = now + seconds(1);
    }
  }
  return changed;
}

void Server::refresh_kernel() {
  if (!guard_ || guard_broken_) return;
  Instant now = boot_now();
  int error = guard_->refresh(ledger_.ends(), now);
  // Timeouts count from when the kernel takes them. If we were stopped on the way they are too long: tell it again.
  for (Instant after = boot_now(); error == 0 && after - now > milliseconds(5); after = boot_now()) {
    now = after;
    error = guard_->rewrite(ledger_.ends(), now);
  }
  if (error != 0) mend_kernel(error);
}

void Server::mend_kernel(int error) {
  const Instant now = boot_now();
  guard_broken_ = true;
  if (now < next_mend_) return;
  next_mend_ = now + seconds(1);
  log(fmt::format("the kernel refused the address lease ({}); setting it up again", std::strerror(error)));
  const auto mended = guard_->mend(ledger_.ends(), now);
  guard_broken_ = !mended;
  if (!mended) return log(mended.error().text());
  if (const int again = guard_->rewrite(ledger_.ends(), boot_now()); again != 0) guard_broken_ = true;
}

void Server::pet(Instant now) {
  if (now < next_pet_) return;
  next_pet_ = now + pet_interval;
  const auto overdue = overdue_slot(ledger_.ends(), timing_.watchdog_deadline, now);
  if (overdue && petting_)
    log(fmt::format("no longer petting the watchdog: the lease of {} ended more than {} ms ago and was not released",
                    file_.page().slots[*overdue].name, to_ms(timing_.watchdog_deadline)));
  if (!overdue && !petting_) log("petting the watchdog again: every lease that ended was released or renewed");
  petting_ = !overdue;
  if (!petting_) return;
  const int error = device_.pet();
  if (error != 0 && !device_missing_) log(fmt::format("no watchdog: {}: {}", device_.path(), std::strerror(error)));
  if (error == 0 && device_missing_) log(fmt::format("watchdog {} is there", device_.path()));
  device_missing_ = error != 0;
}

bool Server::wait() {
  std::array<pollfd, clients_max + 2> fds;
  fds[0] = {signals_, POLLIN, 0};
  fds[1] = {listener_, POLLIN, 0};
  for (std::size_t i = 0; i < clients_max; ++i) fds[i + 2] = {clients_[i], POLLIN, 0};
  const auto left = std::max<std::int64_t>(0, to_ms(next_pet_ - boot_now()) + 1);
  (void)poll(fds.data(), fds.size(), static_cast<int>(left));
  bool changed = false;
  for (std::size_t i = 0; i < clients_max; ++i)
    if (clients_[i] >= 0 && fds[i + 2].revents != 0) changed = read_client(clients_[i]) || changed;
  if (configuration_changed_) read_configuration();
  if (changed) refresh_kernel();
  if ((fds[1].revents & POLLIN) != 0) accept_client();
  return fds[0].revents == 0;
}

void Server::run() {
  do {
    pet(boot_now());
    if (guard_broken_) mend_kernel(ENOENT);
  } while (wait());
  finish();
}

void Server::finish() {
  unlink(socket_path_.c_str());
  if (guard_ && guard_->close() != 0) log("the address lease could not be closed; it ends by itself");
  if (ledger_.anything_armed()) return log("ended with leases that were not released: the watchdog goes on counting");
  if (guard_)
    if (const auto removed = guard_->remove(); !removed) log(removed.error().text());
  device_.disarm();
  log("ended");
}

}  // namespace bascule::watchdog
