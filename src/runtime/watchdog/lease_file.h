#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/watchdog/lease_page.h"
#include "wire/cluster_config/config.h"

namespace bascule::watchdog {

/// CLOCK_BOOTTIME.
[[nodiscard]] Instant boot_now();

/// "volume:NAME" for each volume, then "service:NAME" for each service, in the order of the file.
[[nodiscard]] std::vector<std::string> slot_names(const config::ClusterConfig& config);

/// RUN_DIR/lease, mapped. Movable; the mapping ends with the object.
class LeaseFile {
 public:
  /// For readers: read-only. Fails while bascule-watchdogd has not made the page yet.
  [[nodiscard]] static Result<LeaseFile> open(const std::string& run_dir);
  /// For bascule-watchdogd: reads on the page that is there, with its leases, and adds the slots that it lacks; or
  /// makes a new one, complete before it has its name. A page of an earlier boot is replaced.
  [[nodiscard]] static Result<LeaseFile> create(const std::string& run_dir, const std::vector<std::string>& names);

  LeaseFile(LeaseFile&& other) noexcept : page_(other.page_) { other.page_ = nullptr; }
  LeaseFile& operator=(LeaseFile&& other) noexcept;
  ~LeaseFile();

  /// Only of a file from create(): has slots for these too. False when there is no room for all of them. What is there
  /// stays where it is.
  [[nodiscard]] bool add_slots(const std::vector<std::string>& names);
  [[nodiscard]] const LeasePage& page() const { return *page_; }
  /// Only of a file from create().
  [[nodiscard]] LeasePage& writable_page() { return *page_; }
  /// The slot called like this, or null. It stays where it is as long as the file is mapped.
  [[nodiscard]] const LeaseSlot* find(std::string_view name) const;

 private:
  explicit LeaseFile(LeasePage* page) : page_(page) {}
  [[nodiscard]] static std::optional<LeaseFile> map(const std::string& path, bool writable);
  LeasePage* page_;
};

}  // namespace bascule::watchdog
