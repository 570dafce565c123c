#include "wire/fuse/fuse.h"

#include <algorithm>

namespace bascule::fuse {
namespace {

enum class Opcode : std::uint32_t {
  Lookup = 1,
  Forget = 2,
  GetAttributes = 3,
  Open = 14,
  Read = 15,
  Write = 16,
  StatFileSystem = 17,
  Release = 18,
  Fsync = 20,
  Flush = 25,
  Init = 26,
  OpenDirectory = 27,
  ReadDirectory = 28,
  ReleaseDirectory = 29,
  Access = 34,
  Interrupt = 36,
  Destroy = 38,
  BatchForget = 42,
  Allocate = 43,
};

constexpr std::uint32_t kDataSyncOnly = 1;  // FUSE_FSYNC_FDATASYNC
constexpr std::uint32_t kBlockBytes = 4096;

Body decode_lookup(ByteReader& reader) {
  const std::string_view name = text_of(reader.rest());
  return request::Lookup{std::string(name.substr(0, name.find('\0')))};
}

Body decode_init(ByteReader& reader) {
  request::Init init{};
  init.major = reader.little<std::uint32_t>();
  init.minor = reader.little<std::uint32_t>();
  init.max_readahead = reader.little<std::uint32_t>();
  init.flags = reader.little<std::uint32_t>();
  return init;
}

// fuse_read_in: fh, offset, size, then 20 bytes we do not use.
template <typename Kind>
Body decode_read(ByteReader& reader) {
  Kind read{};
  read.handle = reader.little<std::uint64_t>();
  read.offset = reader.little<std::uint64_t>();
  read.size = reader.little<std::uint32_t>();
  reader.skip(20);
  return read;
}

// fuse_fallocate_in
Body decode_allocate(ByteReader& reader) {
  request::Allocate allocate{};
  allocate.handle = reader.little<std::uint64_t>();
  allocate.offset = reader.little<std::uint64_t>();
  allocate.length = reader.little<std::uint64_t>();
  allocate.mode = reader.little<std::uint32_t>();
  reader.skip(4);
  return allocate;
}

Body decode_fsync(ByteReader& reader) {
  request::Fsync sync{};
  sync.handle = reader.little<std::uint64_t>();
  sync.data_only = (reader.little<std::uint32_t>() & kDataSyncOnly) != 0;
  return sync;
}

Body decode_body(std::uint32_t opcode, ByteReader& reader) {
  switch (static_cast<Opcode>(opcode)) {
    case Opcode::Lookup:
      return decode_lookup(reader);
    case Opcode::Forget:
    case Opcode::BatchForget:
      return request::Forget{};
    case Opcode::GetAttributes:
      return request::GetAttributes{};
    case Opcode::Open:
      return request::Open{reader.little<std::uint32_t>(), false};
    case Opcode::OpenDirectory:
      return request::Open{reader.little<std::uint32_t>(), true};
    case Opcode::Read:
      return decode_read<request::Read>(reader);
    case Opcode::Write:
      return decode_read<request::Write>(reader);
    case Opcode::StatFileSystem:
      return request::StatFileSystem{};
    case Opcode::Release:
      return request::Release{reader.little<std::uint64_t>(), false};
    case Opcode::ReleaseDirectory:
      return request::Release{reader.little<std::uint64_t>(), true};
    case Opcode::Allocate:
      return decode_allocate(reader);
    case Opcode::Fsync:
      return decode_fsync(reader);
    case Opcode::Flush:
      return request::Flush{reader.little<std::uint64_t>()};
    case Opcode::Init:
      return decode_init(reader);
    case Opcode::ReadDirectory:
      return decode_read<request::ReadDirectory>(reader);
    case Opcode::Access:
      return request::Access{};
    case Opcode::Interrupt:
      return request::Interrupt{reader.little<std::uint64_t>()};
    case Opcode::Destroy:
      return request::Destroy{};
  }
  return request::Unsupported{opcode};
}

Bytes begin(std::uint64_t unique, int error_number, std::size_t payload_bytes) {
  Bytes out;
  out.reserve(kOutHeaderBytes + payload_bytes);
  ByteWriter(out)
      .little(static_cast<std::uint32_t>(kOutHeaderBytes + payload_bytes))
      .little(static_cast<std::uint32_t>(-error_number))
      .little(unique);
  return out;
}

// struct fuse_attr, 88 bytes. Times are zero: nobody asks when a block device was changed.
void append_attributes(Bytes& out, const Attributes& attributes) {
  ByteWriter(out)
      .little(attributes.inode)
      .little(attributes.size_bytes)
      .little((attributes.size_bytes + 511) / 512)
      .zeros(3 * 8 + 3 * 4)
      .little(attributes.mode)
      .little(attributes.links)
      .zeros(3 * 4)
      .little(kBlockBytes)
      .zeros(4);
}

// struct fuse_dirent: 24 bytes and the name, padded to 8.
std::size_t entry_bytes(const DirectoryEntry& entry) { return (24 + entry.name.size() + 7) / 8 * 8; }

}  // namespace

Result<Request> decode_request(ByteView head, std::size_t total) {
  constexpr const char* what = "a FUSE request cannot be read";
  ByteReader reader(head);
  const auto length = reader.little<std::uint32_t>();
  const auto opcode = reader.little<std::uint32_t>();
  Request request;
  request.unique = reader.little<std::uint64_t>();
  request.inode = reader.little<std::uint64_t>();
  reader.skip(16);  // uid, gid, pid, total_extlen
  if (!reader.ok()) return fail(what, "header", "only " + std::to_string(head.size()) + " bytes");
  if (length != total) return fail(what, "length", std::to_string(length) + " instead of " + std::to_string(total));
  request.body = decode_body(opcode, reader);
  if (!reader.ok()) return fail(what, "opcode " + std::to_string(opcode), "its arguments are cut off");
  const auto* const write = std::get_if<request::Write>(&request.body);
  if (write != nullptr && (total < kWriteHeadBytes || write->size != total - kWriteHeadBytes))
    return fail(what, "WRITE", "its size is not that of the data");
  return request;
}

Bytes encode_answer(std::uint64_t unique, int error_number, std::size_t payload_bytes) {
  return begin(unique, error_number, payload_bytes);
}

Bytes encode_init(std::uint64_t unique, const request::Init& asked) {
  constexpr std::uint16_t background = 128, congested = 96;
  const std::uint32_t wanted =
      init_flag::kAsyncRead | init_flag::kBigWrites | init_flag::kMaxPages | init_flag::kParallelDirectoryOperations;
  Bytes out = begin(unique, 0, 64);
  ByteWriter(out)
      .little(kMajor)
      .little(kMinor)
      .little(asked.max_readahead)
      .little(wanted & asked.flags)
      .little(background)
      .little(congested)
      .little(kMaxWriteBytes)
      .little(std::uint32_t{1})  // time granularity, ns
      .little(kMaxPages)
      .zeros(2 + 4 + 28);
  return out;
}

Bytes encode_entry(std::uint64_t unique, const Attributes& attributes) {
  constexpr std::uint64_t name_valid_s = 3600;
  constexpr std::uint64_t attributes_valid_s = 0;  // the size is known only when the peers have agreed
  Bytes out = begin(unique, 0, 128);
  ByteWriter(out)
      .little(attributes.inode)
      .little(std::uint64_t{0})
      .little(name_valid_s)
      .little(attributes_valid_s)
      .zeros(8);
  append_attributes(out, attributes);
  return out;
}

Bytes encode_attributes(std::uint64_t unique, const Attributes& attributes) {
  constexpr std::uint64_t attributes_valid_s = 0;
  Bytes out = begin(unique, 0, 104);
  ByteWriter(out).little(attributes_valid_s).zeros(8);
  append_attributes(out, attributes);
  return out;
}

Bytes encode_open(std::uint64_t unique, std::uint64_t handle, std::uint32_t open_flags) {
  Bytes out = begin(unique, 0, 16);
  ByteWriter(out).little(handle).little(open_flags).zeros(4);
  return out;
}

Bytes encode_written(std::uint64_t unique, std::uint32_t bytes) {
  Bytes out = begin(unique, 0, 8);
  ByteWriter(out).little(bytes).zeros(4);
  return out;
}

Bytes encode_stat(std::uint64_t unique, std::uint64_t size_bytes) {
  constexpr std::uint32_t name_max = 255;
  Bytes out = begin(unique, 0, 80);
  ByteWriter(out)
      .little(size_bytes / kBlockBytes)
      .zeros(2 * 8)
      .little(std::uint64_t{2})  // files
      .zeros(8)
      .little(kBlockBytes)
      .little(name_max)
      .little(kBlockBytes)
      .zeros(4 + 24);
  return out;
}

Bytes encode_directory(std::uint64_t unique, const std::vector<DirectoryEntry>& entries, std::uint64_t offset,
                       std::uint32_t size) {
  Bytes list;
  for (std::uint64_t i = offset; i < entries.size() && list.size() + entry_bytes(entries[i]) <= size; ++i) {
    const DirectoryEntry& entry = entries[i];
    ByteWriter(list)
        .little(entry.inode)
        .little(i + 1)
        .little(static_cast<std::uint32_t>(entry.name.size()))
        .little(entry.type)
        .bytes(view_of(entry.name))
        .zeros(entry_bytes(entry) - 24 - entry.name.size());
  }
  Bytes out = begin(unique, 0, list.size());
  ByteWriter(out).bytes(list);
  return out;
}

}  // namespace bascule::fuse
