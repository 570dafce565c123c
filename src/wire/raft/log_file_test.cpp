#include "wire/raft/log_file.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/prng.h"

namespace bascule::raft {
namespace {

constexpr FileOwner owner{42, 3};

Entry entry(Index index, Term term) {
  return {index, term, EntryKind::Command, Bytes(index, static_cast<Byte>(index))};
}

LogChange appends(std::vector<Entry> entries) {
  LogChange change;
  change.entries = std::move(entries);
  return change;
}

/// A log file, with the places where its records end.
struct Written {
  Bytes bytes;
  LogWriter writer;
  std::vector<std::size_t> ends;

  Written() {
    bytes = LogWriter::begin(owner, writer);
    ends.push_back(bytes.size());
  }
  void add(const LogChange& change) {
    const Bytes records = writer.encode(change);
    bytes.insert(bytes.end(), records.begin(), records.end());
    ends.push_back(bytes.size());
  }
  void sync() { writer.set_synced(bytes.size()); }
};

Written ten_entries(bool synced) {
  Written log;
  for (Index i = 1; i <= 10; ++i) {
    log.add(appends({entry(i, 1)}));
    if (synced) log.sync();
  }
  return log;
}

TEST(RaftLog, ComesBack) {
  Written log;
  LogChange change;
  change.hard_state = HardState{5, 2};
  change.entries = {entry(1, 4), entry(2, 4), entry(3, 5)};
  log.add(change);
  change.hard_state = HardState{6, 0};
  change.truncate_from = 3;
  change.entries = {{3, 6, EntryKind::NoOp, {}}};
  log.add(change);
  const auto read = read_log(log.bytes);
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->owner, owner);
  EXPECT_EQ(read->hard_state, (HardState{6, 0}));
  EXPECT_EQ(read->entries, (std::vector<Entry>{entry(1, 4), entry(2, 4), {3, 6, EntryKind::NoOp, {}}}));
  EXPECT_EQ(read->valid_bytes, log.bytes.size());
}

TEST(RaftLog, GoesOnBehindRecoveredBytes) {
  Written log = ten_entries(true);
  const auto first = read_log(log.bytes);
  log.writer = LogWriter(first->valid_bytes, first->last_crc);
  log.add(appends({entry(11, 2)}));
  EXPECT_EQ(read_log(log.bytes)->entries.size(), 11u);
}

TEST(RaftLog, ATailTornAtAnyByteIsLeftOut) {
  const Written log = ten_entries(true);
  for (std::size_t length = log.ends.front(); length < log.bytes.size(); ++length) {
    const auto read = read_log(ByteView(log.bytes).first(length));
    ASSERT_TRUE(read) << length << read.error().text();
    const auto whole = std::upper_bound(log.ends.begin(), log.ends.end(), length) - log.ends.begin() - 1;
    EXPECT_EQ(read->entries.size(), static_cast<std::size_t>(whole)) << length;
    EXPECT_EQ(read->valid_bytes, log.ends[static_cast<std::size_t>(whole)]);
  }
}

TEST(RaftLog, GarbageBehindTheTornTailIsLeftOut) {
  Prng prng(5);
  const Written log = ten_entries(true);
  for (int round = 0; round < 200; ++round) {
    const std::size_t length = log.ends.front() + prng.below(log.bytes.size() - log.ends.front());
    Bytes torn(log.bytes.begin(), log.bytes.begin() + static_cast<std::ptrdiff_t>(length));
    for (std::uint64_t i = prng.below(100); i > 0; --i) torn.push_back(static_cast<Byte>(prng.next()));
    const auto read = read_log(torn);
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_LE(read->valid_bytes, length);
  }
}

TEST(RaftLog, DamageBeforeDurableRecordsIsAnError) {
  const Written log = ten_entries(true);
  for (std::size_t at = log.ends.front(); at < log.ends[9]; ++at) {
    Bytes damaged = log.bytes;
    damaged[at] ^= 0x10;
    const auto read = read_log(damaged);
    ASSERT_FALSE(read) << at;
    EXPECT_EQ(read.error().what, "the consensus log is damaged");
  }
}

TEST(RaftLog, ABatchThatReachedTheDiskInDisorderIsATornTail) {
  Written log = ten_entries(true);
  const std::size_t durable = log.bytes.size();
  for (Index i = 11; i <= 15; ++i) log.add(appends({entry(i, 1)}));  // none of them synced
  Bytes damaged = log.bytes;
  damaged[log.ends[11] + 3] ^= 1;  // the second of the batch did not arrive, the others did
  const auto read = read_log(damaged);
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->entries.size(), 11u);
  EXPECT_GT(read->valid_bytes, durable);
}

TEST(RaftLog, RecordsThatContradictEachOtherAreAnError) {
  const auto contradicts = [](const LogChange& second) {
    Written log;
    LogChange first = appends({entry(1, 3), entry(2, 3)});
    first.hard_state = HardState{3, 1};
    log.add(first);
    log.add(second);
    const auto read = read_log(log.bytes);
    return !read && read.error().why == "a record contradicts those before it";
  };
  EXPECT_FALSE(contradicts(appends({entry(3, 3)})));
  EXPECT_TRUE(contradicts(appends({entry(4, 3)}))) << "a hole";
  EXPECT_TRUE(contradicts(appends({entry(3, 2)}))) << "an older term behind a newer one";
  LogChange change;
  change.hard_state = HardState{2, 1};
  EXPECT_TRUE(contradicts(change)) << "the term goes back";
  change = {};
  change.truncate_from = 4;
  EXPECT_TRUE(contradicts(change)) << "truncates what is not there";
}

TEST(RaftLog, ADamagedHeaderIsAnError) {
  const Written log = ten_entries(true);
  for (std::size_t at = 0; at < log.ends.front(); ++at) {
    Bytes damaged = log.bytes;
    damaged[at] ^= 1;
    EXPECT_FALSE(read_log(damaged)) << at;
    EXPECT_FALSE(read_log(ByteView(log.bytes).first(at))) << at;
  }
}

Snapshot snapshot_at(Index index, Term term) {
  return {index, term, {{1, 2, 3}, {4}}, std::make_shared<const Bytes>(Bytes(100, static_cast<Byte>(index)))};
}

TEST(RaftSnapshotFile, ComesBackOrIsRefused) {
  const Bytes file = encode_snapshot_file(owner, snapshot_at(9, 4));
  const auto read = read_snapshot_file(file, owner);
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->index, 9u);
  EXPECT_EQ(read->term, 4u);
  EXPECT_EQ(read->configuration, snapshot_at(9, 4).configuration);
  EXPECT_EQ(*read->bytes, Bytes(100, 9));
  EXPECT_EQ(read_snapshot_file(file, {42, 4}).error().what, "the snapshot is not ours");
  for (std::size_t at = 0; at < file.size(); ++at) {
    Bytes damaged = file;
    damaged[at] ^= 1;
    EXPECT_FALSE(read_snapshot_file(damaged, owner)) << at;
    EXPECT_FALSE(read_snapshot_file(ByteView(file).first(at), owner)) << at;
  }
}

/// The contents of a log that was written behind `base`.
LogContents log_behind(Index base, Term base_term, std::vector<Entry> entries) {
  LogChange change;
  change.snapshot = SnapshotChange{snapshot_at(base, base_term), base, base_term};
  change.hard_state = HardState{9, 0};
  change.entries = std::move(entries);
  LogWriter writer;
  const auto read = read_log(LogWriter::encode_new(owner, change, writer));
  EXPECT_TRUE(read);
  return *read;
}

TEST(RaftFiles, LogAndSnapshotOfOneMoment) {
  const auto combined = combine(log_behind(5, 2, {entry(6, 2), entry(7, 3)}), snapshot_at(5, 2));
  ASSERT_TRUE(combined);
  EXPECT_FALSE(combined->log_is_stale);
  EXPECT_EQ(combined->restored.base_index, 5u);
  EXPECT_EQ(combined->restored.entries.size(), 2u);
}

TEST(RaftFiles, ASnapshotThatIsNewerThanTheLog) {
  // Ours, taken from entries that the log still holds: they stay.
  auto combined = combine(log_behind(5, 2, {entry(6, 2), entry(7, 3)}), snapshot_at(6, 2));
  ASSERT_TRUE(combined);
  EXPECT_FALSE(combined->log_is_stale);
  EXPECT_EQ(combined->restored.entries.size(), 2u);
  // A leader's, past our end, or where our log says something else: the log is void.
  for (const Snapshot& sent : {snapshot_at(40, 3), snapshot_at(6, 3)}) {
    combined = combine(log_behind(5, 2, {entry(6, 2), entry(7, 3)}), sent);
    ASSERT_TRUE(combined);
    EXPECT_TRUE(combined->log_is_stale);
    EXPECT_TRUE(combined->restored.entries.empty());
    EXPECT_EQ(combined->restored.base_index, sent.index);
  }
}

TEST(RaftFiles, ATermThatCameOnlyWithTheSnapshot) {
  const auto combined = combine(log_behind(5, 2, {}), snapshot_at(40, 12));
  ASSERT_TRUE(combined);
  EXPECT_EQ(combined->restored.hard_state, (HardState{12, 0}));
}

TEST(RaftFiles, AMissingSnapshotIsAnError) {
  EXPECT_FALSE(combine(log_behind(5, 2, {}), {}));
  EXPECT_FALSE(combine(log_behind(5, 2, {}), snapshot_at(4, 2)));
}

TEST(RaftFiles, RewrittenSaysTheSame) {
  const auto combined = combine(log_behind(5, 2, {entry(6, 2)}), snapshot_at(5, 2));
  LogWriter writer;
  const auto again = read_log(LogWriter::encode_new(owner, rewritten(combined->restored), writer));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->entries, combined->restored.entries);
  EXPECT_EQ(again->hard_state, combined->restored.hard_state);
  EXPECT_EQ(again->base_index, 5u);
}

}  // namespace
}  // namespace bascule::raft
