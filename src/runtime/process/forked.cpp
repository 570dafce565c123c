#include "runtime/process/forked.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <cerrno>
#include <csignal>
#include <memory>
#include <utility>

namespace bascule::process {
namespace {

constexpr int answer_descriptor = 3;

/// The copy's whole life. Nothing of this process may be held in here, above all not its locks.
[[noreturn]] void live(int answer_to, pid_t parent, const char* name, const std::function<std::string()>& work) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);  // it ended before that was asked for
  ::prctl(PR_SET_NAME, name);
  if (answer_to != answer_descriptor) ::dup2(answer_to, answer_descriptor);
  ::close_range(answer_descriptor + 1, ~0U, 0);
  const std::string text = work();
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t written = ::write(answer_descriptor, text.data() + sent, text.size() - sent);
    if (written < 0 && errno != EINTR) break;
    if (written > 0) sent += static_cast<std::size_t>(written);
  }
  ::_exit(0);
}

struct Copy {
  Copy(boost::asio::io_context& io, int read_end, pid_t pid_in) : answer(io, read_end), pid(pid_in) {}
  boost::asio::posix::stream_descriptor answer;
  pid_t pid;
  std::string text;

  /// Called when it has closed its end: it is about to be gone.
  void bury() const {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
};

}  // namespace

bool run_forked(boost::asio::io_context& io, const char* name, const std::function<std::string()>& work,
                std::function<void(std::string)> done) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) live(ends[1], parent, name, work);
  ::close(ends[1]);
  if (pid < 0) {
    ::close(ends[0]);
    return false;
  }
  const auto copy = std::make_shared<Copy>(io, ends[0], pid);
  boost::asio::async_read(copy->answer, boost::asio::dynamic_buffer(copy->text),
                          [copy, done = std::move(done)](const boost::system::error_code&, std::size_t) {
                            copy->bury();
                            done(std::move(copy->text));
                          });
  return true;
}

}  // namespace bascule::process
