#include "runtime/watchdog/client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace bascule::watchdog {

Client::~Client() {
  if (fd_ >= 0) close(fd_);
}

bool Client::grant(std::string_view slot, std::uint64_t epoch, Instant end) {
  return send(LeaseUpdate::Kind::grant, slot, epoch, to_ns(end));
}

bool Client::configure() { return send(LeaseUpdate::Kind::configure, "", 0, 0); }

bool Client::release(std::string_view slot, std::uint64_t epoch) {
  return send(LeaseUpdate::Kind::release, slot, epoch, 0);
}

bool Client::connect() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof(address.sun_path)) return errno = ENAMETOOLONG, false;
  std::memcpy(address.sun_path, path_.c_str(), path_.size());
  fd_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) return false;
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return true;
  const int error = errno;
  close(fd_);
  fd_ = -1;
  return errno = error, false;
}

bool Client::send(LeaseUpdate::Kind kind, std::string_view slot, std::uint64_t epoch, std::int64_t end_ns) {
  LeaseUpdate update{};
  update.magic = lease_page_magic;
  update.kind = kind;
  update.epoch = epoch;
  update.lease_end_ns = end_ns;
  if (slot.size() > slot_name_max) return errno = ENAMETOOLONG, false;
  std::memcpy(update.name, slot.data(), slot.size());
  for (int attempt = 0; attempt < 2; ++attempt) {  // the second on a new connection: watchdogd may have been restarted
    if (fd_ < 0 && !connect()) return false;
    if (::send(fd_, &update, sizeof(update), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(update)) return true;
    if (errno == EAGAIN) return false;
    close(fd_);
    fd_ = -1;
  }
  return false;
}

}  // namespace bascule::watchdog
