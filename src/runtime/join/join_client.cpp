#include "runtime/join/join_client.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "runtime/files/replace_file.h"
#include "runtime/keys/key_file.h"
#include "runtime/keys/random.h"
#include "wire/cluster_config/config.h"

namespace bascule::join {
namespace {

constexpr const char* cannot = "the machine cannot join";

class Line {
 public:
  explicit Line(int fd) : fd_(fd) {}
  ~Line() {
    if (fd_ >= 0) close(fd_);
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  [[nodiscard]] bool reach(const addrinfo& to, std::chrono::steady_clock::time_point until) const {
    if (fd_ < 0) return false;
    if (connect(fd_, to.ai_addr, to.ai_addrlen) == 0) return true;
    if (errno != EINPROGRESS || !ready(POLLOUT, until)) return false;
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  }
  [[nodiscard]] bool send_all(ByteView bytes, std::chrono::steady_clock::time_point until) const {
    while (!bytes.empty()) {
      if (!ready(POLLOUT, until)) return false;
      const auto sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
    return true;
  }
  [[nodiscard]] bool receive_all(std::span<Byte> bytes, std::chrono::steady_clock::time_point until) const {
    while (!bytes.empty()) {
      if (!ready(POLLIN, until)) return false;
      const auto got = recv(fd_, bytes.data(), bytes.size(), 0);
      if (got <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(got));
    }
    return true;
  }

 private:
  [[nodiscard]] bool ready(short what, std::chrono::steady_clock::time_point until) const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd one{fd_, what, 0};
    return left.count() > 0 && poll(&one, 1, static_cast<int>(left.count())) == 1;
  }
  int fd_;
};

/// The frame that came back, or nothing.
Bytes exchange(const addrinfo& to, ByteView request, Duration patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  const Line line(socket(to.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  Bytes frame;
  ByteWriter(frame).big(static_cast<std::uint32_t>(request.size())).bytes(request);
  std::array<Byte, 4> length{};
  if (!line.reach(to, until) || !line.send_all(frame, until) || !line.receive_all(length, until)) return {};
  const auto size = get_big<std::uint32_t>(ByteView(length), 0);
  Bytes reply(size <= frame_bytes_max ? size : 0);
  return line.receive_all(reply, until) ? reply : Bytes{};
}

Bytes ask_one(const Token& token, const std::string& address, ByteView request, Duration patience) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.c_str(), std::to_string(token.port).c_str(), &hints, &found) != 0) return {};
  Bytes reply = exchange(*found, request, patience);
  freeaddrinfo(found);
  return reply;
}

bool is_there(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

std::string directory_of_file(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

/// Durable: the token is spent, and nobody gives this again.
Result<void> write_text(const std::string& path, const std::string& text) {
  (void)mkdir(directory_of_file(path).c_str(), 0755);
  return files::replace_file(path, text, cannot);
}

}  // namespace

Result<Secrets> ask_members(const Token& token, Duration patience) {
  sealed::Salt salt{};
  if (auto filled = keys::fill_at_random(salt); !filled) return tl::unexpected(filled.error());
  const Bytes question = request(token, salt);
  for (const auto& address : token.addresses) {
    const Bytes answer = ask_one(token, address, question, patience);
    if (!answer.empty()) return open_reply(token, answer);
  }
  return fail(cannot, token.cluster, "no member answered",
              "is a manager reachable at TCP port " + std::to_string(token.port) +
                  "? A token that was used, has expired or was replaced by a newer one is not answered either");
}

Result<void> check_places(const Places& places) {
  if (is_there(places.state_dir + "/raft.log"))
    return fail(cannot, places.state_dir, "it is a member of a cluster already: there is a consensus log",
                "a machine that left is emptied first: remove " + places.state_dir + "/raft.*");
  if (!places.replace && is_there(places.config_file))
    return fail(cannot, places.config_file, "there is a configuration already", "--force replaces it");
  return {};
}

Result<std::string> keep(const Secrets& secrets, const Token& token, const Places& places) {
  const auto config = config::parse(secrets.config, "the cluster's configuration");
  if (!config) return tl::unexpected(config.error());
  if (config->node(token.node) == nullptr)
    return fail(cannot, token.node, "the configuration has no such node", "bascule node add " + token.node);
  if (config->key_file) {
    const auto keys = sealed::Keyring::parse(secrets.keys, "the keys that came");
    if (!keys) return tl::unexpected(keys.error());
    (void)mkdir(directory_of_file(*config->key_file).c_str(), 0755);
    if (auto written = keys::write(*config->key_file, *keys, keys::Existing::Replace); !written)
      return tl::unexpected(written.error());
  }
  (void)mkdir(places.state_dir.c_str(), 0755);
  if (auto written = write_text(places.config_file, secrets.config); !written) return tl::unexpected(written.error());
  if (auto written = write_text(places.state_dir + "/joined", token.cluster + "\n"); !written)
    return tl::unexpected(written.error());
  return config->key_file.value_or("");
}

}  // namespace bascule::join
