#pragma once

#include <cstdint>
#include <vector>

#include "base/prng.h"

namespace bascule::sim {

inline constexpr std::uint64_t sector_bytes = 512;

/// A disk that keeps one number per 512-byte sector, the number of the write that wrote it, so that big devices are
/// cheap and every sector can be checked. Unflushed writes are lost, kept or torn by sectors when the power fails.
class StampDisk {
 public:
  using Stamps = std::vector<std::uint64_t>;
  using FlushToken = std::uint64_t;

  explicit StampDisk(std::uint64_t sectors) : current_(sectors, 0), durable_(sectors, 0) {}

  [[nodiscard]] const Stamps& current() const { return current_; }
  [[nodiscard]] Stamps read(std::uint64_t sector, std::uint64_t count) const;
  void write(std::uint64_t sector, const Stamps& stamps);
  [[nodiscard]] FlushToken begin_flush() const { return next_; }
  void end_flush(FlushToken token);
  void power_loss(Prng& prng);

 private:
  struct Pending {
    FlushToken number;
    std::uint64_t sector;
    Stamps stamps;
  };
  void settle(const Pending& write);

  Stamps current_;
  Stamps durable_;
  std::vector<Pending> pending_;
  FlushToken next_ = 0;
};

}  // namespace bascule::sim
