#include "runtime/uring/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace bascule::uring {
namespace {

bool somebody_listens(const sockaddr_un& address) {
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return false;
  const int status = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error_number = errno;
  ::close(probe);
  return status == 0 || error_number == EAGAIN;
}

}  // namespace

Result<int> listen_unix(const std::string& path) {
  constexpr const char* what = "the socket cannot be opened";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(what, path, "the path is longer than " + std::to_string(sizeof address.sun_path - 1) + " bytes");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  if (somebody_listens(address)) return fail(what, path, "another process listens there");
  ::unlink(path.c_str());
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return fail_errno(what, path, errno);
  constexpr int backlog = 64;
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(path.c_str(), 0600) != 0 || ::listen(descriptor, backlog) != 0) {
    const int error_number = errno;
    ::close(descriptor);
    return fail_errno(what, path, error_number);
  }
  return descriptor;
}

}  // namespace bascule::uring
