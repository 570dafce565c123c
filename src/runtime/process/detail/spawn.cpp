#include "runtime/process/detail/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace bascule::process {
namespace {

struct Pipe {
  Descriptor read, write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("an agent cannot be run", "pipe2", errno);
  Pipe pipe{Descriptor(ends[0]), Descriptor(ends[1])};
  ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

/// Everything that the child needs, made before it exists: between fork and exec nothing may allocate.
struct Prepared {
  const char* path = nullptr;
  std::vector<char*> arguments, environment;
  int input = -1, output = -1, errors = -1, failure = -1;
  int cgroup = -1;  ///< to be entered by the child itself; -1: it was born there
  pid_t parent = -1;
};

/// Async-signal-safe from here to exec.
void reset_signals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// The manager may run in real time and may never be killed for memory; what it starts is neither.
void reset_scheduling() {
  sched_param parameters{};
  ::sched_setscheduler(0, SCHED_OTHER, &parameters);
  ::setpriority(PRIO_PROCESS, 0, 0);
  const int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  [[maybe_unused]] const ssize_t written = ::write(file, "0", 1);
  ::close(file);
}

bool enter_cgroup(int directory) {
  if (directory < 0) return true;
  const int file = ::openat(directory, "cgroup.procs", O_WRONLY | O_CLOEXEC);
  return file >= 0 && ::write(file, "0", 1) == 1;
}

void reset_descriptors(const Prepared& prepared) {
  ::dup2(prepared.input, 0);
  ::dup2(prepared.output, 1);
  ::dup2(prepared.errors, 2);
  ::syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
}

[[noreturn]] void run_child(const Prepared& prepared) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != prepared.parent) ::_exit(127);  // the manager died before it could be our guard
  ::setsid();
  reset_signals();
  reset_scheduling();
  ::umask(022);
  int error = enter_cgroup(prepared.cgroup) ? 0 : errno;
  reset_descriptors(prepared);
  if (error == 0 && ::chdir("/") == 0) ::execve(prepared.path, prepared.arguments.data(), prepared.environment.data());
  if (error == 0) error = errno;
  [[maybe_unused]] const ssize_t written = ::write(prepared.failure, &error, sizeof error);
  ::_exit(127);
}

// A sanitizer keeps its books in the memory that such a child would share.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr std::uint64_t sharing = CLONE_VM | CLONE_VFORK;
#else
constexpr std::uint64_t sharing = 0;
#endif

/// clone3 without the return from a function that syscall(2) is: as with vfork(2) the child runs on this stack, below
/// this frame, while the caller waits.
[[gnu::always_inline]] inline long clone3_here(clone_args& arguments) {
#if defined(__x86_64__)
  long result = SYS_clone3;
  asm volatile("syscall" : "+a"(result) : "D"(&arguments), "S"(sizeof arguments) : "rcx", "r11", "memory");
  return result;
#else
  return ::syscall(SYS_clone3, &arguments, sizeof arguments);
#endif
}

/// A child with a pidfd and a birth place, which never returns from here. The tables of a manager's memory are not
/// copied for what is about to be another program: that takes longer than everything else here.
[[gnu::noinline]] pid_t clone_into(const Prepared& prepared, int cgroup, int& pidfd) {
  clone_args arguments{};
  arguments.flags = CLONE_PIDFD | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0) | sharing;
  arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = cgroup >= 0 ? static_cast<std::uint64_t>(cgroup) : 0;
  sigset_t all, before;  // no handler of this process may run in a child that shares its memory
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const long born = clone3_here(arguments);
  if (born == 0) run_child(prepared);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return static_cast<pid_t>(born);
}

/// Kernels and sandboxes without clone3, or without that flag: a plain fork, and the child enters the cgroup itself.
pid_t fork_child(Prepared& prepared, int cgroup, int& pidfd) {
  const pid_t born = clone_into(prepared, cgroup, pidfd);
  if (born > 0) return born;
  prepared.cgroup = cgroup;
  const pid_t child = ::fork();
  if (child == 0) run_child(prepared);
  if (child > 0) pidfd = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  return child;
}

/// A file in memory, so that nobody has to feed the agent while it runs.
Descriptor open_input(const std::string& text) {
  if (text.empty()) return Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  Descriptor file(::memfd_create("agent-input", MFD_CLOEXEC));
  if (!file.valid()) return file;
  const bool written = ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!written || ::lseek(file.get(), 0, SEEK_SET) != 0) return Descriptor(-1);
  return file;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& one : strings) result.push_back(one.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

Result<Spawned> spawn(const Launch& launch, const std::string& marker, int cgroup) {
  auto output = make_pipe(), errors = make_pipe(), failure = make_pipe();
  if (!output || !errors || !failure) return fail("an agent cannot be run", launch.path, "no pipe");
  const Descriptor input = open_input(launch.input);
  if (!input.valid()) return fail_errno("an agent cannot be run", "its stdin", errno);
  std::vector<std::string> arguments = {launch.path}, environment;
  arguments.insert(arguments.end(), launch.arguments.begin(), launch.arguments.end());
  for (const auto& [name, value] : launch.environment) environment.push_back(name + "=" + value);
  if (!marker.empty()) environment.push_back(marker);

  Prepared prepared{launch.path.c_str(), pointers(arguments), pointers(environment), input.get(),
                    output->write.get(), errors->write.get(), failure->write.get(),  -1,
                    ::getpid()};
  int pidfd = -1;
  const pid_t child = fork_child(prepared, cgroup, pidfd);
  if (child < 0 || pidfd < 0) return fail_errno("an agent cannot be run", launch.path, errno);
  return Spawned{child, Descriptor(pidfd), std::move(output->read), std::move(errors->read), std::move(failure->read)};
}

}  // namespace bascule::process
