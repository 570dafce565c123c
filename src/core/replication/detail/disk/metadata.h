#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/replication/detail/core.h"

namespace bascule::replication::detail {

/// Keeps superblock and bitmap on disk in step with memory: at most one superblock write is in flight and it is always
/// followed by the newest; bitmap pages are written when somebody needs them on disk.
class Metadata {
 public:
  explicit Metadata(Core& core);

  // -- superblock
  /// Notes a change and returns the version that holds it. The flags that follow from states are recomputed.
  std::uint64_t superblock_changed();
  [[nodiscard]] bool superblock_durable(std::uint64_t version) const { return durable_version_ >= version; }
  [[nodiscard]] std::uint64_t superblock_version() const { return version_; }
  [[nodiscard]] bool superblock_durable() const { return durable_version_ == version_; }
  /// Another disk, whose superblock is in memory: nothing has to be written so far. Only while idle.
  void take_disk();
  /// The first agreed size: sizes the bitmap.
  void set_size(std::uint64_t sectors);
  /// Another size of a device that holds data: the bits stay, those of new blocks are set with `mark_new`. On disk it
  /// grows after them: a crash in between leaves the old size.
  void resize(std::uint64_t sectors, bool mark_new);

  // -- bitmap. Ranges in bytes: setting rounds outward, clearing inward (the last, partial block counts as whole).
  /// True: some of it was not marked yet.
  bool mark_out_of_sync(const Range& range);
  void mark_in_sync(const Range& range);
  [[nodiscard]] bool in_sync(const Range& range) const;
  void mark_all_out_of_sync();
  /// The bits were changed behind our back (bitmap exchange, activity log).
  void all_bits_changed();
  /// Asks for the pages of these bits, or all, to be written if they hold bits that the disk has not.
  void write_bits(std::size_t first_bit, std::size_t last_bit);
  void write_all_bits();
  /// Every set bit of the range is set on disk too.
  [[nodiscard]] bool bits_durable(std::size_t first_bit, std::size_t last_bit) const;
  /// Every page is on disk as it is in memory.
  [[nodiscard]] bool all_bits_durable() const;

  // -- moving to another place (MetadataMove)
  /// The size on disk follows when the bits of a new area are there.
  [[nodiscard]] bool growing() const { return growth_.has_value(); }
  /// Nothing of it is being written.
  [[nodiscard]] bool idle() const { return in_flight_version_ == 0 && runs_.empty(); }
  /// What is written at the new place: the superblock as it would be written now; the bitmap is that in memory.
  drbd_metadata::Superblock begin_move();
  /// It is durable there, and there is where everything is from now on.
  void moved(const drbd_metadata::Superblock& placed, std::uint64_t backing_bytes);

  void done(OperationId operation, int error_number);
  /// Starts what is wanted and not in flight.
  void advance();

 private:
  struct Page {
    std::uint32_t set_changes = 0;  ///< grows when a bit was set
    std::uint32_t set_changes_disk = 0;
    std::uint32_t set_changes_moving = 0;
    bool changed = false;  ///< differs from the disk in any way
    bool wanted = false;
    bool in_flight = false;
  };
  struct Run {
    std::uint64_t number;
    std::size_t first;
    std::vector<std::uint32_t> set_changes;
  };

  [[nodiscard]] drbd_metadata::Superblock content() const;
  void start_superblock();
  void note_durable(std::uint64_t version);
  bool start_run(std::size_t first);
  void touch(std::size_t first_bit, std::size_t last_bit, bool set);
  [[nodiscard]] Bytes page_bytes(std::size_t first, std::size_t count) const;

  Core& core_;
  std::uint64_t version_ = 0;
  std::uint64_t durable_version_ = 0;
  std::uint64_t in_flight_version_ = 0;  ///< 0: none
  std::uint64_t moving_version_ = 0;
  std::uint64_t grown_version_ = 0;  ///< the first one with the new size
  struct Growth {
    std::uint64_t sectors_on_disk;
    std::size_t first_bit;
  };
  std::optional<Growth> growth_;  ///< until the bits of the new area are on disk
  std::vector<Page> pages_;
  std::vector<Run> runs_;
  std::uint64_t next_run_ = 1;
  bool pages_wanted_ = false;
};

}  // namespace bascule::replication::detail
