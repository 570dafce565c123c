#include "wire/raft/log_file.h"

#include "base/crc32c.h"
#include "wire/raft/detail/fields.h"

namespace bascule::raft {
namespace {

constexpr std::string_view log_magic = "BASCRLOG";
constexpr std::string_view snapshot_magic = "BASCSNAP";
constexpr std::uint32_t log_version = 1;
constexpr std::size_t header_bytes = 28;  // magic, version, cluster hash, server, CRC
constexpr std::uint16_t record_magic = 0xB5C7;
constexpr std::size_t record_header_bytes = 24;
constexpr std::size_t record_payload_bytes_max = payload_bytes_max + 64;

enum RecordType : std::uint8_t { EntryRecord = 1, HardStateRecord = 2, TruncateRecord = 3, BaseRecord = 4 };

struct Record {
  std::uint8_t type = 0;
  std::uint64_t synced_bytes = 0;
  std::uint32_t previous_crc = 0;
  std::uint32_t crc = 0;
  ByteView payload;
  std::size_t total_bytes = 0;
};

std::uint32_t record_crc(ByteView header_fields, ByteView payload) {
  return ~crc32c_raw(crc32c_raw(~0u, header_fields), payload);
}

Bytes file_header(std::string_view magic, const FileOwner& owner) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.bytes(view_of(magic)).big(log_version).big(owner.cluster_hash).big(owner.server);
  const std::uint32_t crc = crc32c(bytes);
  out.big(crc);
  return bytes;
}

Result<FileOwner> read_file_header(ByteView file, std::string_view magic) {
  ByteReader in(file);
  const ByteView found_magic = in.take(magic.size());
  const auto found_version = in.big<std::uint32_t>();
  FileOwner owner;
  owner.cluster_hash = in.big<std::uint64_t>();
  owner.server = in.big<ServerId>();
  const auto crc = in.big<std::uint32_t>();
  if (!in.ok() || text_of(found_magic) != magic) return fail("not a consensus file", {}, "it does not begin as one");
  if (crc != crc32c(file.first(header_bytes - 4))) return fail("the file is damaged", "its header", "wrong checksum");
  if (found_version != log_version)
    return fail("the file is of another version", {}, "version " + std::to_string(found_version));
  return owner;
}

/// The record at the start of `bytes`, when one is there whole.
std::optional<Record> read_record(ByteView bytes) {
  ByteReader in(bytes);
  if (in.big<std::uint16_t>() != record_magic) return std::nullopt;
  Record record;
  record.type = in.big<std::uint8_t>();
  in.skip(1);
  const auto length = in.big<std::uint32_t>();
  record.synced_bytes = in.big<std::uint64_t>();
  record.previous_crc = in.big<std::uint32_t>();
  record.crc = in.big<std::uint32_t>();
  if (!in.ok() || length > record_payload_bytes_max) return std::nullopt;
  record.payload = in.take(length);
  if (!in.ok()) return std::nullopt;
  record.total_bytes = record_header_bytes + length;
  if (record.crc != record_crc(bytes.first(record_header_bytes - 4), record.payload)) return std::nullopt;
  return record;
}

/// A whole record behind `offset` that was written when more than `offset` was durable: then what lies at `offset` was
/// durable too, and its damage is not a torn tail.
bool proves_damage(ByteView file, std::uint64_t offset) {
  for (std::uint64_t at = offset + 1; at + record_header_bytes <= file.size(); ++at) {
    if (file[at] != record_magic >> 8 || file[at + 1] != (record_magic & 0xff)) continue;
    const auto record = read_record(file.subspan(at));
    if (record && record->synced_bytes > offset && record->synced_bytes <= at) return true;
  }
  return false;
}

bool add_entry(LogContents& log, ByteReader in) {
  Entry entry;
  entry.index = in.big<Index>();
  entry.term = in.big<Term>();
  if (!detail::read_kind_and_payload(in, entry) || !in.ok_and_done()) return false;
  const Term last_term = log.entries.empty() ? log.base_term : log.entries.back().term;
  if (entry.index != log.base_index + log.entries.size() + 1 || entry.term < last_term) return false;
  log.entries.push_back(std::move(entry));
  return true;
}

bool set_hard_state(LogContents& log, ByteReader in) {
  const HardState state{in.big<Term>(), in.big<ServerId>()};
  if (!in.ok_and_done() || state.term < log.hard_state.term) return false;
  log.hard_state = state;
  return true;
}

bool truncate(LogContents& log, ByteReader in) {
  const auto from = in.big<Index>();
  if (!in.ok_and_done() || from <= log.base_index || from > log.base_index + log.entries.size() + 1) return false;
  log.entries.resize(from - log.base_index - 1);
  return true;
}

bool set_base(LogContents& log, ByteReader in) {
  if (log.valid_bytes != header_bytes) return false;
  log.base_index = in.big<Index>();
  log.base_term = in.big<Term>();
  log.snapshot_index = in.big<Index>();
  return in.ok_and_done() && log.base_index <= log.snapshot_index;
}

bool replay(LogContents& log, const Record& record) {
  const ByteReader in(record.payload);
  switch (record.type) {
    case EntryRecord:
      return add_entry(log, in);
    case HardStateRecord:
      return set_hard_state(log, in);
    case TruncateRecord:
      return truncate(log, in);
    case BaseRecord:
      return set_base(log, in);
    default:
      return false;
  }
}

std::string at_byte(std::uint64_t offset) { return "byte " + std::to_string(offset); }

Bytes entry_payload(const Entry& entry) {
  Bytes payload;
  ByteWriter(payload)
      .big(entry.index)
      .big(entry.term)
      .big(static_cast<std::uint8_t>(entry.kind))
      .big(static_cast<std::uint32_t>(entry.payload.size()))
      .bytes(entry.payload);
  return payload;
}

}  // namespace

void LogWriter::record(Bytes& out, std::uint8_t type, ByteView payload) {
  const std::size_t start = out.size();
  ByteWriter writer(out);
  writer.big(record_magic).big(type).big(std::uint8_t{0}).big(static_cast<std::uint32_t>(payload.size()));
  writer.big(synced_bytes_).big(last_crc_);
  last_crc_ = record_crc(ByteView(out).subspan(start), payload);
  writer.big(last_crc_).bytes(payload);
  file_bytes_ += out.size() - start;
}

Bytes LogWriter::begin(const FileOwner& owner, LogWriter& writer) {
  Bytes header = file_header(log_magic, owner);
  writer = LogWriter(header.size(), 0);
  return header;
}

Bytes LogWriter::encode(const LogChange& change) {
  BASCULE_ASSERT(!change.snapshot);
  Bytes out;
  if (change.hard_state) {
    Bytes payload;
    ByteWriter(payload).big(change.hard_state->term).big(change.hard_state->vote);
    record(out, HardStateRecord, payload);
  }
  if (change.truncate_from) {
    Bytes payload;
    ByteWriter(payload).big(*change.truncate_from);
    record(out, TruncateRecord, payload);
  }
  for (const auto& entry : change.entries) record(out, EntryRecord, entry_payload(entry));
  return out;
}

Bytes LogWriter::encode_new(const FileOwner& owner, const LogChange& change, LogWriter& writer) {
  BASCULE_ASSERT(change.snapshot && change.hard_state && !change.truncate_from);
  Bytes out = begin(owner, writer);
  Bytes base;
  ByteWriter(base)
      .big(change.snapshot->base_index)
      .big(change.snapshot->base_term)
      .big(change.snapshot->snapshot.index);
  writer.record(out, BaseRecord, base);
  const Bytes rest = writer.encode({{}, change.hard_state, {}, change.entries});
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

Result<LogContents> read_log(ByteView file) {
  auto owner = read_file_header(file, log_magic);
  if (!owner) return tl::unexpected(owner.error());
  LogContents log;
  log.owner = *owner;
  log.valid_bytes = header_bytes;
  while (log.valid_bytes < file.size()) {
    const auto record = read_record(file.subspan(log.valid_bytes));
    if (!record || record->previous_crc != log.last_crc) break;
    if (!replay(log, *record))
      return fail("the consensus log is damaged", at_byte(log.valid_bytes), "a record contradicts those before it");
    log.valid_bytes += record->total_bytes;
    log.last_crc = record->crc;
  }
  if (log.valid_bytes < file.size() && proves_damage(file, log.valid_bytes))
    return fail("the consensus log is damaged", at_byte(log.valid_bytes), "valid records follow the damage",
                "remove this server's state directory and let it join again as a new server");
  return log;
}

Bytes encode_snapshot_file(const FileOwner& owner, const Snapshot& snapshot) {
  BASCULE_ASSERT(snapshot.bytes != nullptr);
  Bytes out = file_header(snapshot_magic, owner);
  ByteWriter writer(out);
  const Bytes configuration = encode(snapshot.configuration);
  writer.big(snapshot.index).big(snapshot.term);
  writer.big(static_cast<std::uint32_t>(configuration.size())).bytes(configuration);
  writer.big(std::uint64_t{snapshot.bytes->size()}).bytes(*snapshot.bytes);
  const std::uint32_t crc = crc32c(out);
  writer.big(crc);
  return out;
}

Result<Snapshot> read_snapshot_file(ByteView file, const FileOwner& owner) {
  auto found = read_file_header(file, snapshot_magic);
  if (!found) return tl::unexpected(found.error());
  if (!(*found == owner)) return fail("the snapshot is not ours", {}, "it belongs to another cluster or server");
  if (file.size() < header_bytes + 4 ||
      crc32c(file.first(file.size() - 4)) != get_big<std::uint32_t>(file, file.size() - 4))
    return fail("the snapshot is damaged", {}, "wrong checksum");
  ByteReader in(file.subspan(header_bytes, file.size() - header_bytes - 4));
  Snapshot snapshot;
  snapshot.index = in.big<Index>();
  snapshot.term = in.big<Term>();
  const auto configuration = decode_configuration(in.take(in.big<std::uint32_t>()));
  const ByteView bytes = in.take(in.big<std::uint64_t>());
  if (!in.ok_and_done() || !configuration || snapshot.index == 0)
    return fail("the snapshot is damaged", {}, "its fields contradict each other");
  snapshot.configuration = *configuration;
  snapshot.bytes = std::make_shared<const Bytes>(bytes.begin(), bytes.end());
  return snapshot;
}

Result<Combined> combine(LogContents log, Snapshot snapshot) {
  if (log.snapshot_index > snapshot.index)
    return fail("the snapshot is missing or old", {}, "the log begins after a newer one");
  Restored restored{log.hard_state, std::move(snapshot), log.base_index, log.base_term, std::move(log.entries)};
  const Snapshot& newest = restored.snapshot;
  // A term that came with the snapshot was going to be in the new log; no vote can have been given in it before.
  if (restored.hard_state.term < newest.term) restored.hard_state = {newest.term, 0};
  const Term last_term = restored.entries.empty() ? log.base_term : restored.entries.back().term;
  if (restored.hard_state.term < last_term)
    return fail("the consensus log is damaged", {}, "an entry has a term that never was");
  if (newest.index == 0 || newest.index == log.snapshot_index) return Combined{std::move(restored)};
  // The snapshot was replaced and the log not yet. The log goes on only if it holds the snapshot's last entry.
  const bool reaches = newest.index > log.base_index && newest.index <= log.base_index + restored.entries.size();
  if (reaches && restored.entries[newest.index - log.base_index - 1].term == newest.term)
    return Combined{std::move(restored)};
  restored.base_index = newest.index;
  restored.base_term = newest.term;
  restored.entries.clear();
  return Combined{std::move(restored), true};
}

LogChange rewritten(const Restored& restored) {
  LogChange change;
  change.snapshot = SnapshotChange{restored.snapshot, restored.base_index, restored.base_term};
  change.hard_state = restored.hard_state;
  change.entries = restored.entries;
  return change;
}

}  // namespace bascule::raft
