#include "edge/cli/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace bascule::cli {
namespace {

constexpr std::size_t line_bytes_max = 16 * 1024 * 1024;

int left_ms(std::chrono::steady_clock::time_point limit) {
  const auto left = std::chrono::ceil<milliseconds>(limit - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::max<std::int64_t>(0, left));
}

}  // namespace

Connection::Connection(Connection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)), input_(std::move(other.input_)) {}

Connection::~Connection() {
  if (fd_ >= 0) close(fd_);
}

Result<Connection> Connection::open(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return fail("no contact", path, "the path is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  Connection connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), path);
  if (connection.fd_ < 0 || connect(connection.fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    return fail_errno("no contact", path, errno);
  return connection;
}

Result<void> Connection::send(const json& request) {
  const std::string line = one_line(request) + "\n";
  for (std::size_t sent = 0; sent < line.size();) {
    const auto count = ::send(fd_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno != EINTR) return fail_errno("no contact", path_, errno);
    if (count > 0) sent += static_cast<std::size_t>(count);
  }
  return {};
}

Result<json> Connection::receive(Duration timeout) {
  const auto limit = std::chrono::steady_clock::now() + timeout;
  std::array<char, 65536> piece;
  std::size_t end;
  while ((end = input_.find('\n')) == std::string::npos) {
    pollfd one{fd_, POLLIN, 0};
    if (input_.size() > line_bytes_max) return fail("no contact", path_, "an endless line");
    if (poll(&one, 1, left_ms(limit)) <= 0) return fail("no answer", path_, "nothing came in time");
    const auto count = recv(fd_, piece.data(), piece.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return fail("no contact", path_, "the other side closed the connection");
    input_.append(piece.data(), static_cast<std::size_t>(count));
  }
  json line = json::parse(input_.substr(0, end), nullptr, false);
  input_.erase(0, end + 1);
  if (!line.is_object()) return fail("no contact", path_, "what came is not a JSON object");
  return line;
}

int Connection::peer_process() const {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd_, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

Result<json> Connection::ask(const json& request, Duration timeout) {
  if (auto sent = send(request); !sent) return tl::unexpected(sent.error());
  for (;;) {
    auto line = receive(timeout);
    if (!line || line->contains("ok")) return line;
  }
}

Error error_in(const json& answer) {
  const json& error = member(answer, "error");
  Error found{text(error, "what"), text(error, "where"), text(error, "why"), text(error, "hint")};
  if (found.what.empty()) found.what = "refused without a reason";
  return found;
}

}  // namespace bascule::cli
