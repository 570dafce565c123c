#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "runtime/netlink/nft_batch.h"

namespace bascule::netlink {

/// One service address and the slot whose lease opens it.
struct GuardedAddress {
  std::string text;  ///< "10.77.0.10" or "fd00::10"
  std::size_t slot = 0;
};

/// The address lease that the kernel keeps: a service address is answered for (ARP, neighbour discovery, IP in and out)
/// only while it is in a set that it leaves by itself, so that it falls silent although every process here is frozen.
///
/// There are two sets, and an address in either is open: each refresh writes the set that the last one left alone, so
/// that no packet in flight finds neither an old nor a new element. After open(), nothing here allocates except mend().
class AddressGuard {
 public:
  /// Sets up the tables, in one transaction: every address is closed, but for those of slots whose lease has not ended.
  [[nodiscard]] static Result<AddressGuard> open(const std::vector<GuardedAddress>& addresses,
                                                 const std::vector<Instant>& ends, Instant now);
  /// Opens the addresses of each slot until its end (indexed by slot; the past and zero: closed). Does nothing when no
  /// end moved by more than `tolerance` and none was drawn in. 0 or an errno value: then nothing changed.
  [[nodiscard]] int refresh(const std::vector<Instant>& ends, Instant now);
  /// Writes both sets whatever the kernel was told before.
  [[nodiscard]] int rewrite(const std::vector<Instant>& ends, Instant now);
  /// After refresh() failed: makes the tables again, open like `ends` say.
  [[nodiscard]] Result<void> mend(const std::vector<Instant>& ends, Instant now);
  /// Closes every address at once and keeps the tables.
  [[nodiscard]] int close();
  /// Takes the tables down: the addresses are no longer guarded. Only when nothing runs here.
  [[nodiscard]] Result<void> remove();

  /// How far an end must move until the kernel is told: a refresh costs about 0.1 ms.
  static constexpr Duration tolerance = milliseconds(40);
  static constexpr std::size_t addresses_max = 48;

 private:
  struct Entry {
    std::string text;
    std::array<Byte, 16> key;
    bool six;
    std::size_t slot;
    Instant told{};  ///< the end that the kernel knows
  };
  AddressGuard(NftSocket socket, std::vector<Entry> entries)
      : socket_(std::move(socket)), entries_(std::move(entries)) {}
  [[nodiscard]] std::string ruleset(const std::vector<Instant>& ends, Instant now, bool egress) const;
  [[nodiscard]] int commit(const std::vector<Instant>& ends, Instant now, bool both);
  void write_set(const char* set, const std::vector<Instant>& ends, Instant now);
  void flush(const char* set);
  [[nodiscard]] bool has_six() const;
  [[nodiscard]] bool has_four() const;

  NftSocket socket_;
  std::vector<Entry> entries_;
  NftBatch batch_;
  bool egress_ = false;  ///< the tables of the family netdev are there
  bool odd_ = false;     ///< which set the next refresh writes
};

}  // namespace bascule::netlink
