#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/time.h"
#include "runtime/watchdog/lease_page.h"

namespace bascule::watchdog {

/// bascule-managerd's end of RUN_DIR/watchdog.sock. Never waits; connects again by itself with the next send.
class Client {
 public:
  explicit Client(const std::string& run_dir) : path_(run_dir + "/watchdog.sock") {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  /// False: not delivered (bascule-watchdogd is away or its queue is full); errno says why. A grant is simply renewed
  /// with the next heartbeat; a release must be sent again until it is true.
  [[nodiscard]] bool grant(std::string_view slot, std::uint64_t epoch, Instant end);
  struct Grant {
    std::string slot;
    std::uint64_t epoch = 0;
    Instant end;
  };
  /// All of them at once, at most lease_updates_max, or none.
  [[nodiscard]] bool grant(std::span<const Grant> grants);
  [[nodiscard]] bool release(std::string_view slot, std::uint64_t epoch);
  /// The configuration file is another one: it reads it again.
  [[nodiscard]] bool configure();
  [[nodiscard]] bool connected() const { return fd_ >= 0; }

 private:
  [[nodiscard]] bool send(std::span<const LeaseUpdate> updates);
  [[nodiscard]] bool connect();
  std::string path_;
  int fd_ = -1;
};

}  // namespace bascule::watchdog
