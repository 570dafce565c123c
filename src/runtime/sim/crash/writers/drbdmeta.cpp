// Metadata of DRBD 8.4 (v08) and 9 (v09), changed by `bascule drbdmeta`: superblock, bitmap, activity log, resize.

#include <fcntl.h>

#include <algorithm>
#include <sstream>

#include "runtime/metadata_tool/tool.h"
#include "runtime/sim/crash/files.h"
#include "runtime/sim/crash/writers/all.h"
#include "wire/drbd_metadata/activity_log.h"
#include "wire/drbd_metadata/metadata.h"
#include "wire/drbd_metadata/resize.h"

namespace bascule::sim {
namespace {

using namespace drbd_metadata;

constexpr const char* path = "/disk";

/// Runs a command of the tool on a disk. Its exit code.
int drbdmeta(CrashFiles& disk, Format format, const std::string& placement, std::vector<std::string> command) {
  std::ostringstream out, err;
  std::vector<std::string> arguments{"0", std::string(to_string(format)), path, placement};
  arguments.insert(arguments.end(), command.begin(), command.end());
  return metadata_tool::run(arguments, {out, err}, disk);
}

Bytes read(CrashFiles& disk, std::uint64_t offset, std::uint64_t length) {
  const files::Descriptor file(disk, disk.open(path, O_RDONLY, 0));
  Bytes bytes(length);
  (void)disk.read_at(file.number(), bytes, offset);
  return bytes;
}
void write(CrashFiles& disk, std::uint64_t offset, ByteView bytes) {
  const files::Descriptor file(disk, disk.open(path, O_CREAT | O_RDWR, 0600));
  (void)files::write_all(file, offset, bytes);
}
void set_size(CrashFiles& disk, std::uint64_t bytes) {
  const files::Descriptor file(disk, disk.open(path, O_CREAT | O_RDWR, 0600));
  (void)disk.cut(file.number(), bytes);
}

/// What lies on a disk.
struct OnDisk {
  Metadata metadata;
  Layout layout;
  [[nodiscard]] std::uint64_t area_bytes() const {
    return bitmap_bytes_for(metadata.effective_sectors, metadata.slots);
  }
};
std::optional<OnDisk> look(CrashFiles& disk, Placement placement, std::uint64_t device_bytes) {
  const auto offset = superblock_offset(placement, device_bytes);
  if (!offset) return std::nullopt;
  const auto metadata = decode_metadata(read(disk, *offset, kBlockBytes));
  if (!metadata) return std::nullopt;
  const auto place = layout(placement, kUnknownBytes, device_bytes, metadata->shape());
  if (!place || !check(*metadata, *place)) return std::nullopt;
  return OnDisk{*metadata, *place};
}

/// The bits of each slot that must be there, as long as the replica is what it was.
using Marks = std::vector<std::vector<std::uint64_t>>;

Marks marks_in(CrashFiles& disk, const OnDisk& found) {
  const Bytes area = read(disk, found.layout.bitmap_offset, found.area_bytes());
  Marks marks;
  for (std::uint32_t slot = 0; slot < found.metadata.slots; ++slot)
    marks.push_back(slot_words(area, found.metadata.slots, slot));
  return marks;
}

bool covers(const std::vector<std::uint64_t>& words, const std::vector<std::uint64_t>& wanted) {
  if (words.size() < wanted.size()) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if ((wanted[i] & ~words[i]) != 0) return false;
  return true;
}

/// A replica of `data_sectors` with bits here and there in each slot.
Metadata replica(Format format, std::uint32_t slots, const Layout& place, std::uint64_t data_sectors) {
  Metadata metadata = create({.format = format, .shape = {{}, slots}}, place).value();
  metadata.effective_sectors = data_sectors;
  metadata.current_uuid = 0xA000;
  metadata.node_id = 0;
  metadata.flags = flag::kConsistent | flag::kWasUpToDate | flag::kActivityLogClean;
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    PeerRecord& peer = metadata.peers[format == Format::V08 ? 0 : slot * 13 + 1];  // in different sectors
    peer.bitmap_uuid = 0xB000 + slot;
    if (format == Format::V09) peer.bitmap_slot = static_cast<std::int32_t>(slot);
    if (format == Format::V09) peer.flags = peer_flag::kDeviceSeen | peer_flag::kNodeExists;
  }
  return metadata;
}

Bytes some_bits(std::uint64_t bytes) {
  Prng prng(5);
  Bytes area(bytes, 0);
  for (Byte& byte : area)
    if (prng.chance(1, 16)) byte = static_cast<Byte>(prng.next());
  return area;
}

// ---- one place --------------------------------------------------------------------------------------------------

constexpr std::uint64_t device_bytes = 128 << 10, data_sectors = (64 << 20) / 512;
const Placement apart = Placement::flexible();

/// A crashed Primary's metadata on a device of their own, and what is done to them there.
class InPlace : public CrashSubject {
 public:
  enum Operation : std::size_t { apply, set_generation, outdate, invalidate, convert, create_anew, wipe };

  InPlace(Explorer& explorer, const std::string& fault, Format format) : format_(format) {
    const std::uint32_t slots = format == Format::V08 ? 1 : 3;
    const auto place = layout(apart, kUnknownBytes, device_bytes, {{}, slots}).value();
    metadata_ = replica(format, slots, place, data_sectors);
    metadata_.flags = (metadata_.flags | flag::kPrimaryIndicator) & ~flag::kActivityLogClean;
    metadata_.unclean = format == Format::V08;
    set_size(disk_, device_bytes);
    sim::write(disk_, place.superblock_offset, encode_metadata(metadata_));
    sim::write(disk_, place.activity_log_offset, initial_ring({}));
    const Transaction hot{.number = 3, .updates = {{0, 2}, {1, 7}}, .slots = 2, .context = {2, 7}};
    sim::write(disk_, place.activity_log_offset + ring_block(3, {}) * kBlockBytes, encode_transaction(hot));
    sim::write(disk_, place.bitmap_offset, some_bits(bitmap_bytes_for(data_sectors, slots)));
    disk_.flush_all();
    marks_ = marks_in(disk_, {metadata_, place});
    for (auto& words : marks_)
      for (const std::uint64_t extent : {2, 7})
        std::fill_n(words.begin() + static_cast<std::ptrdiff_t>(extent * 16), 16, ~0ULL);
    allowed_ = {metadata_};
    if (fault == "drbdmeta-without-flush") disk_.forgets_sync = [](const std::string&) { return true; };
    disk_.watch(explorer, [this](CrashFiles& found) { return fault_of(found); });
  }

  bool perform(std::size_t operation) override {
    if (allowed_.empty()) return false;  // there is nothing any more
    const std::vector<std::vector<std::string>> commands{{"apply-al"},
                                                         set_generation_words(),
                                                         {"outdate"},
                                                         {"invalidate"},
                                                         {"convert", format_ == Format::V08 ? "v09" : "v08"},
                                                         {"create-md", "--force"},
                                                         {"wipe-md", "--force"}};
    auto command = commands[operation];
    if (operation == create_anew && format_ == Format::V09) command.emplace_back("3");
    may_be_absent_ = operation == convert || operation == create_anew || operation == wipe;
    any_ = operation != apply;
    is_anew_ = is_anew_ || operation == create_anew;
    if (drbdmeta(disk_, format_, apart.text(), command) != metadata_tool::done) return false;
    const auto now = look(disk_, apart, device_bytes);
    allowed_.clear();
    if (now) allowed_.push_back(now->metadata);
    if (now) format_ = now->metadata.format;
    may_be_absent_ = operation == wipe;
    any_ = false;
    if (operation == create_anew) {
      sectors_ = 0;
      marks_.clear();
    }
    disk_.promise(operation == wipe ? "nothing is there" : "the metadata as they are now");
    return true;
  }

 private:
  [[nodiscard]] std::vector<std::string> set_generation_words() const {
    if (format_ == Format::V08) return {"set-gi", "C000:D000:E000:F000:1:1"};
    return {"set-gi", "--node-id", "14", "C000:D000:E000:F000:1:1"};
  }

  std::string fault_of(CrashFiles& found) const {
    const auto first = look(found, apart, device_bytes);
    if (!first) return may_be_absent_ ? "" : "there are no metadata any more";
    if (first->metadata.current_uuid == kUuidJustCreated) return is_anew_ ? "" : "it is a new replica all at once";
    if (allowed_.empty()) return "wiped metadata are there again";
    if (drbdmeta(found, first->metadata.format, apart.text(), {"apply-al"}) != metadata_tool::done)
      return "apply-al refuses them";
    const auto left = found.durable();
    const auto now = look(*left, apart, device_bytes);
    if (!now || !now->metadata.clean()) return "they are not clean after apply-al";
    if (!any_ && now->metadata.current_uuid != allowed_[0].current_uuid) return "they have another generation";
    if (now->metadata.effective_sectors != sectors_) return "they have another size";
    return unmarked(*left, *now);
  }
  [[nodiscard]] std::string unmarked(CrashFiles& left, const OnDisk& now) const {
    if (everything_out_of_sync(now.metadata) || (now.metadata.flags & flag::kConsistent) == 0) return "";
    const Marks marks = marks_in(left, now);
    for (std::size_t slot = 0; slot < std::min(marks.size(), marks_.size()); ++slot)
      if (!covers(marks[slot], marks_[slot])) return "bits of slot " + std::to_string(slot) + " are lost";
    return "";
  }

  CrashFiles disk_;
  Format format_;
  Metadata metadata_;
  Marks marks_;
  std::uint64_t sectors_ = data_sectors;
  std::vector<Metadata> allowed_;  ///< as they are promised; none: wiped
  bool may_be_absent_ = false, any_ = false, is_anew_ = false;
};

// ---- on the way to another place --------------------------------------------------------------------------------

/// Internal metadata, clean, that move on a device that grows, shrinks, or gets another log.
class Moving : public CrashSubject {
 public:
  enum Operation : std::size_t { grow_little, grow_clear, more_stripes, less_stripes, prepare_to_shrink, again };
  static constexpr std::uint64_t small = 1 << 20, data = (512 << 10) / 512;

  Moving(Explorer& explorer, const std::string& fault, Format format) : format_(format) {
    const std::uint32_t slots = format == Format::V08 ? 1 : 3;
    const auto place = layout(Placement::internal(), kUnknownBytes, small, {{}, slots}).value();
    uuid_ = replica(format, slots, place, data).current_uuid;
    set_size(disk_, small);
    sim::write(disk_, place.superblock_offset, encode_metadata(replica(format, slots, place, data)));
    sim::write(disk_, place.activity_log_offset, initial_ring({}));
    sim::write(disk_, place.bitmap_offset, some_bits(bitmap_bytes_for(data, slots)));
    sim::write(disk_, 0, Bytes(data * 512, 0xda));
    disk_.flush_all();
    marks_ = marks_in(disk_, *look(disk_, Placement::internal(), small));
    if (fault == "resize-without-flush") disk_.forgets_sync = [](const std::string&) { return true; };
    disk_.watch(explorer, [this](CrashFiles& found) { return fault_of(found); });
  }

  bool perform(std::size_t operation) override {
    if (operation == grow_little) return grow(8192);
    if (operation == grow_clear) return grow(64 << 10);
    if (operation == more_stripes) return resize({"resize", "--al-stripes", "2"});
    if (operation == less_stripes) return resize({"resize", "--al-stripes", "1"});
    if (operation == again) return resize({"resize"});
    before_ = bytes_;  // the device will shrink
    to_ = bytes_ - 8192;
    const bool done = resize({"resize", "--size", std::to_string(to_)});
    bytes_ = to_;
    return done;
  }

 private:
  bool grow(std::uint64_t by) {
    const auto watched = std::exchange(disk_.changed, nullptr);
    before_ = bytes_;
    bytes_ = to_ = bytes_ + by;
    set_size(disk_, bytes_);
    disk_.flush_all();
    disk_.changed = watched;
    return resize({"resize", "--old-size", std::to_string(before_)});
  }
  bool resize(const std::vector<std::string>& command) {
    command_ = command;
    if (drbdmeta(disk_, format_, "internal", command) != metadata_tool::done) return false;
    before_ = to_;
    disk_.promise("they are at the end of " + std::to_string(to_));
    return true;
  }

  /// Attachable as it is found, and where a second run brings it.
  std::string fault_of(CrashFiles& found) const {
    const std::uint64_t now = std::max(before_, to_), otherwise = std::min(before_, to_);
    auto there = look(found, Placement::internal(), now);
    if (!there) there = look(found, Placement::internal(), otherwise);
    if (!there) return "there are no metadata to attach";
    if (std::string fault = fault_in(found, *there); !fault.empty()) return fault;
    if (command_.empty()) return "";
    if (drbdmeta(found, format_, "internal", command_) != metadata_tool::done) return "a second run is refused";
    const auto left = found.durable();
    there = look(*left, Placement::internal(), to_);
    return there ? fault_in(*left, *there) : "they are not at the new end after a second run";
  }
  std::string fault_in(CrashFiles& disk, const OnDisk& found) const {
    if (!found.metadata.clean()) return "they are not clean";
    if (found.metadata.current_uuid != uuid_) return "they have another generation";
    if (found.metadata.effective_sectors != data) return "they have another size";
    if (sim::read(disk, 0, data * 512) != Bytes(data * 512, 0xda)) return "data are changed";
    if (everything_out_of_sync(found.metadata)) return "";
    const Marks marks = marks_in(disk, found);
    for (std::size_t slot = 0; slot < marks_.size(); ++slot)
      if (!covers(marks[slot], marks_[slot])) return "bits of slot " + std::to_string(slot) + " are lost";
    return "";
  }

  CrashFiles disk_;
  Format format_;
  Marks marks_;
  std::uint64_t uuid_ = 0, bytes_ = small, before_ = small, to_ = small;
  std::vector<std::string> command_;
};

template <typename Subject, Format format>
std::unique_ptr<CrashSubject> make_one(Explorer& explorer, const std::string& fault) {
  return std::make_unique<Subject>(explorer, fault, format);
}

constexpr const char* in_place_promise =
    "metadata stay attachable, apply-al marks what was hot, and no bit is lost; what is converted, made anew or wiped "
    "is the old, the new, or none";
constexpr const char* moving_promise =
    "an interrupted resize leaves metadata at the old or the new end, with every bit or with all of them, and a second "
    "run completes it";
const std::vector<const char*> in_place_operations{"apply-al", "set-gi",         "outdate", "invalidate",
                                                   "convert",  "create-md anew", "wipe-md"};
const std::vector<const char*> moving_operations{"the device grows a little",
                                                 "it grows clear of the metadata",
                                                 "two stripes",
                                                 "one stripe",
                                                 "prepare to shrink",
                                                 "once more"};

}  // namespace

std::vector<CrashWriter> drbdmeta_writers() {
  return {{"drbdmeta-v08", in_place_promise, in_place_operations, 3, make_one<InPlace, Format::V08>},
          {"drbdmeta-v09", in_place_promise, in_place_operations, 3, make_one<InPlace, Format::V09>},
          {"resize-v08", moving_promise, moving_operations, 3, make_one<Moving, Format::V08>},
          {"resize-v09", moving_promise, moving_operations, 3, make_one<Moving, Format::V09>}};
}

}  // namespace bascule::sim
