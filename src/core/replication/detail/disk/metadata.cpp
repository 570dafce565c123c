#include "core/replication/detail/disk/metadata.h"

#include <algorithm>

#include "base/assert.h"
#include "core/replication/detail/data/disk_errors.h"
#include "core/replication/detail/disk/generation.h"
#include "wire/drbd_metadata/layout.h"

namespace bascule::replication::detail {
namespace {

using drbd_metadata::kBlockBytes;
constexpr std::size_t bits_per_page = kBlockBytes * 8;
constexpr std::size_t words_per_page = kBlockBytes / 8;
constexpr std::size_t max_run_pages = 64;
constexpr std::size_t max_runs_in_flight = 8;

}  // namespace

Metadata::Metadata(Core& core) : core_(core) { set_size(core.superblock.effective_sectors); }

void Metadata::set_size(std::uint64_t sectors) {
  growth_.reset();
  core_.growing_on_disk = false;
  if (core_.bitmap.size() != drbd_metadata::bits_for(sectors)) core_.bitmap = Bitmap(drbd_metadata::bits_for(sectors));
  core_.superblock.effective_sectors = sectors;
  pages_.assign((core_.bitmap.size() + bits_per_page - 1) / bits_per_page, Page{});
}

void Metadata::take_disk() {
  BASCULE_ASSERT(idle());
  core_.bitmap = Bitmap();
  growth_.reset();
  pages_wanted_ = false;
  durable_version_ = version_;
  set_size(core_.superblock.effective_sectors);
}

void Metadata::resize(std::uint64_t sectors, bool mark_new) {
  const std::size_t old_bits = core_.bitmap.size();
  Bitmap resized(drbd_metadata::bits_for(sectors));
  const std::size_t words = std::min(resized.words().size(), core_.bitmap.words().size());
  for (std::size_t word = 0; word < words; ++word) resized.or_word(word, core_.bitmap.words()[word]);
  if (mark_new && resized.size() > old_bits) resized.set(old_bits, resized.size());
  if (sectors > core_.superblock.effective_sectors) {
    if (!growth_) growth_ = Growth{core_.superblock.effective_sectors, old_bits};
    core_.growing_on_disk = true;
  }
  core_.bitmap = std::move(resized);
  core_.superblock.effective_sectors = sectors;
  // Pages of a part that is cut off may be in flight, so none is forgotten.
  pages_.resize(std::max(pages_.size(), (core_.bitmap.size() + bits_per_page - 1) / bits_per_page));
  if (core_.bitmap.size() > old_bits) {
    touch(old_bits, core_.bitmap.size(), true);
    write_bits(old_bits, core_.bitmap.size());
  }
}

// ---- superblock -------------------------------------------------------------------------------------------------

std::uint64_t Metadata::superblock_changed() {
  refresh_flags(core_);
  core_.changed();
  return ++version_;
}

drbd_metadata::Superblock Metadata::content() const {
  drbd_metadata::Superblock content = core_.superblock;
  if (growth_) content.effective_sectors = growth_->sectors_on_disk;
  return content;
}

void Metadata::note_durable(std::uint64_t version) {
  durable_version_ = version;
  if (!growth_ && version >= grown_version_) core_.growing_on_disk = false;
}

void Metadata::start_superblock() {
  if (in_flight_version_ != 0 || durable_version_ == version_ || !core_.metadata_writable()) return;
  if (core_.superblock_held) return;
  in_flight_version_ = version_;
  core_.emit(effect::MetadataWrite{operation_of(Owner::Superblock, version_), core_.superblock_offset(),
                                   drbd_metadata::encode_superblock(content()), core_.flushes_metadata()});
}

// ---- bitmap -----------------------------------------------------------------------------------------------------

void Metadata::touch(std::size_t first_bit, std::size_t last_bit, bool set) {
  for (std::size_t page = first_bit / bits_per_page; page * bits_per_page < last_bit; ++page) {
    pages_[page].changed = true;
    if (set) ++pages_[page].set_changes;
  }
  core_.changed();
}

bool Metadata::mark_out_of_sync(const Range& range) {
  const std::size_t first = range.offset / kBlockBytes;
  const std::size_t last = std::min(core_.bitmap.size(), (range.end() + kBlockBytes - 1) / kBlockBytes);
  if (first >= last || core_.bitmap.set(first, last) == 0) return false;
  touch(first, last, true);
  return true;
}

void Metadata::mark_in_sync(const Range& range) {
  const std::size_t first = (range.offset + kBlockBytes - 1) / kBlockBytes;
  const bool to_the_end = range.end() >= core_.size_bytes();
  const std::size_t last = to_the_end ? core_.bitmap.size() : range.end() / kBlockBytes;
  if (first < last && core_.bitmap.clear(first, last) != 0) touch(first, last, false);
}

bool Metadata::in_sync(const Range& range) const {
  const std::size_t last = std::min(core_.bitmap.size(), (range.end() + kBlockBytes - 1) / kBlockBytes);
  const auto dirty = core_.bitmap.find_set(range.offset / kBlockBytes);
  return !dirty || *dirty >= last;
}

void Metadata::mark_all_out_of_sync() {
  core_.bitmap.set_all();
  all_bits_changed();
}

void Metadata::all_bits_changed() { touch(0, core_.bitmap.size(), true); }

void Metadata::write_bits(std::size_t first_bit, std::size_t last_bit) {
  last_bit = std::min(last_bit, core_.bitmap.size());
  for (std::size_t page = first_bit / bits_per_page; page * bits_per_page < last_bit; ++page)
    if (pages_[page].set_changes != pages_[page].set_changes_disk) pages_[page].wanted = pages_wanted_ = true;
}

void Metadata::write_all_bits() {
  for (Page& page : pages_)
    if (page.changed) page.wanted = pages_wanted_ = true;
}

bool Metadata::bits_durable(std::size_t first_bit, std::size_t last_bit) const {
  last_bit = std::min(last_bit, core_.bitmap.size());
  for (std::size_t page = first_bit / bits_per_page; page * bits_per_page < last_bit; ++page)
    if (pages_[page].set_changes != pages_[page].set_changes_disk) return false;
  return true;
}

bool Metadata::all_bits_durable() const {
  return std::none_of(pages_.begin(), pages_.end(), [](const Page& page) { return page.changed || page.in_flight; });
}

Bytes Metadata::page_bytes(std::size_t first, std::size_t count) const {
  Bytes bytes;
  bytes.reserve(count * kBlockBytes);
  ByteWriter writer(bytes);
  const auto& words = core_.bitmap.words();
  const std::size_t last = std::min(words.size(), (first + count) * words_per_page);
  for (std::size_t word = first * words_per_page; word < last; ++word) writer.little(words[word]);
  writer.zeros(count * kBlockBytes - bytes.size());
  return bytes;
}

bool Metadata::start_run(std::size_t first) {
  std::size_t last = first;
  Run run{next_run_++, first, {}};
  while (last < pages_.size() && last - first < max_run_pages && pages_[last].wanted && !pages_[last].in_flight) {
    pages_[last].wanted = pages_[last].changed = false;
    pages_[last].in_flight = true;
    run.set_changes.push_back(pages_[last++].set_changes);
  }
  const std::uint64_t bitmap_offset =
      core_.superblock_offset() +
      static_cast<std::uint64_t>(std::int64_t{core_.superblock.bitmap_offset_sectors} * 512);
  ++core_.statistics.bitmap_writes;
  core_.emit(effect::MetadataWrite{operation_of(Owner::BitmapPages, run.number), bitmap_offset + first * kBlockBytes,
                                   page_bytes(first, last - first), core_.flushes_metadata()});
  runs_.push_back(std::move(run));
  return runs_.size() < max_runs_in_flight;
}

// ---- another place ----------------------------------------------------------------------------------------------

drbd_metadata::Superblock Metadata::begin_move() {
  moving_version_ = version_;
  for (Page& page : pages_) {
    page.changed = page.wanted = false;
    page.set_changes_moving = page.set_changes;
  }
  pages_wanted_ = false;
  return content();
}

void Metadata::moved(const drbd_metadata::Superblock& placed, std::uint64_t backing_bytes) {
  core_.config.backing_bytes = backing_bytes;
  core_.superblock.metadata_sectors = placed.metadata_sectors;
  core_.superblock.activity_log_offset_sectors = placed.activity_log_offset_sectors;
  core_.superblock.bitmap_offset_sectors = placed.bitmap_offset_sectors;
  core_.superblock.activity_log = placed.activity_log;
  note_durable(moving_version_);
  for (Page& page : pages_) page.set_changes_disk = page.set_changes_moving;
  core_.changed();
}

// ---- both -------------------------------------------------------------------------------------------------------

void Metadata::advance() {
  if (core_.metadata_held) return;
  if (!core_.metadata_writable()) core_.growing_on_disk = false;
  if (growth_ && bits_durable(growth_->first_bit, core_.bitmap.size())) {
    growth_.reset();
    grown_version_ = superblock_changed();
  }
  start_superblock();
  if (!pages_wanted_ || runs_.size() >= max_runs_in_flight || !core_.metadata_writable()) return;
  pages_wanted_ = false;
  for (std::size_t page = 0; page < pages_.size(); ++page) {
    if (!pages_[page].wanted) continue;
    pages_wanted_ = true;  // looked at again when a run is done
    if (!pages_[page].in_flight && !start_run(page)) return;
  }
}

void Metadata::done(OperationId operation, int error_number) {
  if (owner_of(operation) == Owner::Superblock) {
    if (error_number == 0) note_durable(in_flight_version_);
    in_flight_version_ = 0;
    core_.changed();
  } else {
    const auto run =
        std::find_if(runs_.begin(), runs_.end(), [&](const Run& each) { return each.number == rest_of(operation); });
    if (run == runs_.end()) return;
    for (std::size_t i = 0; i < run->set_changes.size(); ++i) {
      Page& page = pages_[run->first + i];
      page.in_flight = false;
      if (error_number == 0) page.set_changes_disk = run->set_changes[i];
    }
    runs_.erase(run);
  }
  if (error_number != 0) disk_refused(core_, FailedIo::Metadata, error_number);
}

}  // namespace bascule::replication::detail
