#include "runtime/supervisor/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

namespace bascule::supervisor {
namespace {

/// A service manager's socket; `path` as in $NOTIFY_SOCKET.
struct NotifySocket {
  explicit NotifySocket(const std::string& path) : fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    if (path[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), size), 0) << path;
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~NotifySocket() {
    ::unsetenv("NOTIFY_SOCKET");
    ::close(fd);
  }
  std::string heard() const {
    std::array<char, 64> buffer{};
    const auto size = ::recv(fd, buffer.data(), buffer.size(), 0);
    return size < 0 ? "" : std::string(buffer.data(), static_cast<std::size_t>(size));
  }
  int fd;
};

TEST(Notify, ArrivesAtAPath) {
  std::string directory = "/tmp/bascule-notify-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/socket";
  {
    const NotifySocket socket(path);
    EXPECT_TRUE(notify("READY=1"));
    EXPECT_EQ(socket.heard(), "READY=1");
  }
  EXPECT_FALSE(notify("READY=1")) << "nobody asked for it";
  ::setenv("NOTIFY_SOCKET", (directory + "/nobody").c_str(), 1);
  EXPECT_FALSE(notify("READY=1")) << "nobody listens";
  ::unsetenv("NOTIFY_SOCKET");
  ::unlink(path.c_str());
  ::rmdir(directory.c_str());
}

TEST(Notify, ArrivesAtAnAbstractName) {
  const NotifySocket socket("@bascule-notify-" + std::to_string(::getpid()));
  EXPECT_TRUE(notify("STOPPING=1"));
  EXPECT_EQ(socket.heard(), "STOPPING=1");
}

TEST(Notify, RefusesWhatIsNoSocket) {
  for (const std::string& path : {std::string("relative"), "/" + std::string(200, 'x')}) {
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    EXPECT_FALSE(notify("READY=1")) << path;
  }
  ::unsetenv("NOTIFY_SOCKET");
}

}  // namespace
}  // namespace bascule::supervisor
