#pragma once

#include <array>
#include <memory>
#include <string>

#include "runtime/netlink/address_guard.h"
#include "runtime/watchdog/lease_file.h"
#include "runtime/watchdog/ledger.h"
#include "runtime/watchdog/watchdog_device.h"
#include "wire/cluster_config/config.h"

namespace bascule::watchdog {

struct Options {
  std::string config_file;
  std::string node;
  std::string run_dir;
  std::string watchdog;
};

/// The event loop of bascule-watchdogd. Everything is taken in start(); run() allocates nothing unless somebody took
/// our nftables away.
class Server {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(const config::ClusterConfig& config,
                                                             const Options& options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();
  /// Until SIGTERM or SIGINT.
  void run();

 private:
  static constexpr std::size_t clients_max = 8;

  Server(const config::ClusterConfig& config, const Options& options, LeaseFile file, int lock);
  [[nodiscard]] Result<void> listen(const std::string& path);
  [[nodiscard]] Result<void> guard_addresses(const config::ClusterConfig& config);
  [[nodiscard]] bool wait();  ///< false: asked to end
  void accept_client();
  [[nodiscard]] bool read_client(int& fd);  ///< true: the page changed
  [[nodiscard]] bool apply(ByteView datagram);
  void read_configuration();
  void refresh_kernel();
  void mend_kernel(int error);
  void pet(Instant now);
  void finish();

  Options options_;
  std::vector<netlink::GuardedAddress> guarded_;
  bool configuration_changed_ = false;
  config::Timing timing_;
  LeaseFile file_;
  Ledger ledger_;
  std::unique_ptr<netlink::AddressGuard> guard_;
  WatchdogDevice device_;
  std::string socket_path_;
  int lock_, signals_ = -1, listener_ = -1;
  std::array<int, clients_max> clients_;
  Instant next_pet_{}, next_complaint_{}, next_mend_{};
  bool petting_ = true, device_missing_ = false, guard_broken_ = false;
};

/// One line on stderr, unless that would make us wait.
void log(const std::string& line);

}  // namespace bascule::watchdog
