#pragma once

#include <string>

#include "runtime/watchdog/lease_page.h"

namespace bascule::block_host {

/// Reads one slot of the lease page RUN_DIR/lease. No page, no slot, a page of another make: no lease.
class LeaseReader {
 public:
  /// `slot`: "volume:NAME".
  LeaseReader(std::string path, std::string slot) : path_(std::move(path)), slot_name_(std::move(slot)) {}
  ~LeaseReader() { unmap(); }
  LeaseReader(const LeaseReader&) = delete;
  LeaseReader& operator=(const LeaseReader&) = delete;

  /// What the page says now. Looks at most every 50 ms whether the file was replaced.
  [[nodiscard]] watchdog::Lease read(Instant now);

 private:
  void look_for_page();
  void map(int descriptor);
  void unmap();

  std::string path_, slot_name_;
  const watchdog::LeasePage* page_ = nullptr;
  const watchdog::LeaseSlot* slot_ = nullptr;
  std::uint64_t device_ = 0, inode_ = 0;
  Instant next_look_{};
};

}  // namespace bascule::block_host
