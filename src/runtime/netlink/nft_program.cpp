#include "runtime/netlink/nft_program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace bascule::netlink {
namespace {

constexpr const char* what = "the address lease cannot be set up in the kernel";

std::string first_line_of(int fd) {
  std::array<char, 256> text{};
  const auto count = pread(fd, text.data(), text.size(), 0);
  const std::string all(text.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  return all.substr(0, all.find('\n'));
}

/// The exit status, or -1 with errno.
int run(int input, int output) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_adddup2(&actions, output, 2);
  std::string name = "nft", option = "-f", file = "-";
  std::array<char*, 4> arguments{name.data(), option.data(), file.data(), nullptr};
  std::string path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  std::array<char*, 2> environment{path.data(), nullptr};
  pid_t child = -1;
  int error = ENOENT;
  for (const char* program : {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"})
    if (error != 0) error = posix_spawn(&child, program, &actions, nullptr, arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return errno = error, -1;
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return status;
}

}  // namespace

Result<void> run_nft(const std::string& commands) {
  const int input = memfd_create("nft-commands", MFD_CLOEXEC);
  const int output = memfd_create("nft-output", MFD_CLOEXEC);
  const auto close_both = [&] { close(input), close(output); };
  if (input < 0 || output < 0 ||
      pwrite(input, commands.data(), commands.size(), 0) != static_cast<ssize_t>(commands.size())) {
    const int error = errno;
    close_both();
    return fail_errno(what, "memfd", error);
  }
  const int status = run(input, output);
  const int error = errno;
  const std::string said = first_line_of(output);
  close_both();
  if (status == 0) return {};
  if (status < 0) return fail(what, "nft", std::strerror(error), "install the package nftables");
  return fail(what, "nft", said.empty() ? "it failed without a word" : said,
              "is nf_tables in the kernel, and are we root?");
}

}  // namespace bascule::netlink
