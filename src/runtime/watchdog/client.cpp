#include "runtime/watchdog/client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

namespace bascule::watchdog {

namespace {

/// Nothing: the name of the slot is too long.
std::optional<LeaseUpdate> update_of(LeaseUpdate::Kind kind, std::string_view slot, std::uint64_t epoch,
                                     std::int64_t end_ns) {
  LeaseUpdate update{};
  update.magic = lease_page_magic;
  update.kind = kind;
  update.epoch = epoch;
  update.lease_end_ns = end_ns;
  if (slot.size() > slot_name_max) return std::nullopt;
  std::memcpy(update.name, slot.data(), slot.size());
  return update;
}

}  // namespace

Client::~Client() {
  if (fd_ >= 0) close(fd_);
}

bool Client::grant(std::string_view slot, std::uint64_t epoch, Instant end) {
  const Grant one{std::string(slot), epoch, end};
  return grant(std::span(&one, 1));
}

bool Client::grant(std::span<const Grant> grants) {
  std::vector<LeaseUpdate> updates;
  for (const Grant& one : grants) {
    const auto update = update_of(LeaseUpdate::Kind::grant, one.slot, one.epoch, to_ns(one.end));
    if (!update) return errno = ENAMETOOLONG, false;
    updates.push_back(*update);
  }
  return send(updates);
}

bool Client::configure() {
  const auto update = update_of(LeaseUpdate::Kind::configure, "", 0, 0);
  return update && send(std::span(&*update, 1));
}

bool Client::release(std::string_view slot, std::uint64_t epoch) {
  const auto update = update_of(LeaseUpdate::Kind::release, slot, epoch, 0);
  if (!update) return errno = ENAMETOOLONG, false;
  return send(std::span(&*update, 1));
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

bool Client::send(std::span<const LeaseUpdate> updates) {
  const auto size = static_cast<ssize_t>(updates.size_bytes());
  for (int attempt = 0; attempt < 2; ++attempt) {  // the second on a new connection: watchdogd may have been restarted
    if (fd_ < 0 && !connect()) return false;
    if (::send(fd_, updates.data(), updates.size_bytes(), MSG_NOSIGNAL | MSG_DONTWAIT) == size) return true;
    if (errno == EAGAIN) return false;
    close(fd_);
    fd_ = -1;
  }
  return false;
}

}  // namespace bascule::watchdog
