#include "runtime/raft_storage/raft_storage.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "base/prng.h"
#include "base/test_directory.h"

namespace bascule::raft_storage {
namespace {

constexpr raft::FileOwner owner{77, 2};

/// A directory of its own, gone at the end.
class RaftStorageTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return directory_ + "/" + name; }
  [[nodiscard]] Bytes contents(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void replace(const std::string& name, const Bytes& bytes) const {
    std::ofstream(path(name), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  [[nodiscard]] Result<RaftStorage::Opened> open(raft::FileOwner as = owner) {
    return RaftStorage::open(directory_, as, [this](const consensus::Input& input) { note(input); });
  }
  void note(const consensus::Input& input) {
    const std::lock_guard guard(mutex_);
    if (const auto* persisted = std::get_if<consensus::Persisted>(&input)) durable_ = persisted->sequence;
    if (const auto* failed = std::get_if<consensus::PersistFailed>(&input)) failure_ = failed->why;
    noted_.notify_all();
  }
  void wait_durable(std::uint64_t sequence) {
    std::unique_lock guard(mutex_);
    noted_.wait(guard, [&] { return durable_ >= sequence || !failure_.empty(); });
  }

  TestDirectory made_;
  std::string directory_ = made_.path();
  std::mutex mutex_;
  std::condition_variable noted_;
  std::uint64_t durable_ = 0;
  std::string failure_;
};

raft::Entry entry(raft::Index index, raft::Term term) {
  return {index, term, raft::EntryKind::Command, Bytes(index % 40, static_cast<Byte>(index))};
}

consensus::Persist appended(std::uint64_t sequence, raft::Index index, raft::Term term = 1) {
  raft::LogChange change;
  change.hard_state = raft::HardState{term, 1};
  change.entries = {entry(index, term)};
  return {sequence, change};
}

consensus::Persist with_snapshot(std::uint64_t sequence, raft::Index index, raft::Index last) {
  raft::LogChange change;
  change.snapshot = raft::SnapshotChange{
      {index, 1, {{1, 2, 3}, {}}, std::make_shared<const Bytes>(Bytes(5000, static_cast<Byte>(index)))}, index, 1};
  change.hard_state = raft::HardState{1, 1};
  for (raft::Index i = index + 1; i <= last; ++i) change.entries.push_back(entry(i, 1));
  return {sequence, change};
}

TEST_F(RaftStorageTest, AnEmptyDirectoryRestoresNothing) {
  const auto opened = open();
  ASSERT_TRUE(opened) << opened.error().text();
  EXPECT_EQ(opened->restored.hard_state.term, 0u);
  EXPECT_TRUE(opened->restored.entries.empty());
}

TEST_F(RaftStorageTest, WhatWasPersistedComesBack) {
  {
    auto opened = open();
    ASSERT_TRUE(opened) << opened.error().text();
    for (raft::Index i = 1; i <= 20; ++i) opened->storage->persist(appended(i, i));
    raft::LogChange cut;
    cut.hard_state = raft::HardState{4, 3};
    cut.truncate_from = 15;
    cut.entries = {entry(15, 4)};
    opened->storage->persist({21, cut});
    wait_durable(21);
  }
  const auto opened = open();
  ASSERT_TRUE(opened) << opened.error().text();
  EXPECT_EQ(opened->restored.hard_state, (raft::HardState{4, 3}));
  ASSERT_EQ(opened->restored.entries.size(), 15u);
  EXPECT_EQ(opened->restored.entries[13], entry(14, 1));
  EXPECT_EQ(opened->restored.entries[14], entry(15, 4));
}

TEST_F(RaftStorageTest, ASnapshotShortensTheLog) {
  {
    auto opened = open();
    ASSERT_TRUE(opened);
    for (raft::Index i = 1; i <= 50; ++i) opened->storage->persist(appended(i, i));
    wait_durable(50);
    const std::size_t before = contents("raft.log").size();
    opened->storage->persist(with_snapshot(51, 48, 50));
    opened->storage->persist(appended(52, 51));
    wait_durable(52);
    EXPECT_LT(contents("raft.log").size(), before / 4);
  }
  const auto opened = open();
  ASSERT_TRUE(opened) << opened.error().text();
  EXPECT_EQ(opened->restored.snapshot.index, 48u);
  EXPECT_EQ(opened->restored.snapshot.bytes->size(), 5000u);
  EXPECT_EQ(opened->restored.base_index, 48u);
  EXPECT_EQ(opened->restored.entries.size(), 3u);
}

TEST_F(RaftStorageTest, ACrashBetweenTheTwoReplacementsLeavesAUsableLog) {
  {
    auto opened = open();
    ASSERT_TRUE(opened);
    for (raft::Index i = 1; i <= 5; ++i) opened->storage->persist(appended(i, i));
    wait_durable(5);
  }
  const Bytes old_log = contents("raft.log");
  {
    auto opened = open();
    opened->storage->persist(with_snapshot(6, 40, 40));  // sent by a leader, far ahead of our log
    wait_durable(6);
  }
  replace("raft.log", old_log);
  {
    auto opened = open();
    ASSERT_TRUE(opened) << opened.error().text();
    EXPECT_EQ(opened->restored.base_index, 40u);
    EXPECT_TRUE(opened->restored.entries.empty());
    opened->storage->persist(appended(7, 41));
    wait_durable(7);
  }
  const auto opened = open();
  ASSERT_TRUE(opened) << opened.error().text();
  ASSERT_EQ(opened->restored.entries.size(), 1u);
  EXPECT_EQ(opened->restored.entries[0], entry(41, 1));
}

TEST_F(RaftStorageTest, OneProcessAtATime) {
  const auto first = open();
  ASSERT_TRUE(first);
  const auto second = open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().what, "the consensus files are in use");
}

TEST_F(RaftStorageTest, RefusesTheFilesOfAnotherServer) {
  ASSERT_TRUE(open());
  const auto other = open({77, 3});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().what, "the consensus log is not ours");
}

TEST_F(RaftStorageTest, RefusesAFileThatIsNoLog) {
  replace("raft.log", Bytes(100, 'x'));
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().what, "not a consensus file");
  EXPECT_EQ(contents("raft.log"), Bytes(100, 'x')) << "it is left alone";
}

TEST_F(RaftStorageTest, RefusesADamagedLogAndADamagedSnapshot) {
  {
    auto opened = open();
    ASSERT_TRUE(opened);
    opened->storage->persist(with_snapshot(1, 5, 5));
    for (raft::Index i = 6; i <= 20; ++i) {
      opened->storage->persist(appended(i, i));
      wait_durable(i);  // each its own batch
    }
  }
  const Bytes log = contents("raft.log"), snapshot = contents("raft.snapshot");
  Bytes damaged = log;
  damaged[log.size() / 2] ^= 1;
  replace("raft.log", damaged);
  ASSERT_FALSE(open());
  EXPECT_EQ(open().error().what, "the consensus log is damaged");
  replace("raft.log", log);
  damaged = snapshot;
  damaged[2000] ^= 1;
  replace("raft.snapshot", damaged);
  ASSERT_FALSE(open());
  EXPECT_EQ(open().error().what, "the snapshot is damaged");
  std::filesystem::remove(path("raft.snapshot"));
  ASSERT_FALSE(open());
  EXPECT_EQ(open().error().what, "the snapshot is missing or old");
  replace("raft.snapshot", snapshot);
  std::filesystem::remove(path("raft.log"));
  ASSERT_FALSE(open());
  EXPECT_EQ(open().error().what, "the consensus log is missing");
}

TEST_F(RaftStorageTest, ATailTornAtAnyByteIsCutAndWrittenOver) {
  {
    auto opened = open();
    ASSERT_TRUE(opened);
    for (raft::Index i = 1; i <= 4; ++i) opened->storage->persist(appended(i, i));
    wait_durable(4);
  }
  const Bytes whole = contents("raft.log");
  constexpr std::size_t header_bytes = 28;
  for (std::size_t length = header_bytes; length < whole.size(); ++length) {
    replace("raft.log", Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
    durable_ = 0;
    std::size_t kept;
    {
      auto opened = open();
      ASSERT_TRUE(opened) << length << ": " << opened.error().text();
      kept = opened->restored.entries.size();
      ASSERT_LE(kept, 4u);
      opened->storage->persist(appended(1, kept + 1, 2));
      wait_durable(1);
    }
    const auto again = open();
    ASSERT_TRUE(again) << length << ": " << again.error().text();
    ASSERT_EQ(again->restored.entries.size(), kept + 1);
    ASSERT_EQ(again->restored.entries.back(), entry(kept + 1, 2));
  }
}

TEST_F(RaftStorageTest, AFailedWriteIsReportedOnceAndEndsTheWriting) {
  auto opened = open();
  ASSERT_TRUE(opened);
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 200;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  for (raft::Index i = 1; i <= 10; ++i) opened->storage->persist(appended(i, i));
  wait_durable(10);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_NE(failure_.find("cannot write the file"), std::string::npos) << failure_;
  const std::uint64_t durable = durable_;
  opened->storage->persist(appended(11, 11));
  opened->storage.reset();
  EXPECT_EQ(durable_, durable);
}

/// Writes until it is killed; says through the pipe what is durable.
[[noreturn]] void write_for_ever(const std::string& directory, int pipe) {
  auto opened = RaftStorage::open(directory, owner, [pipe](const consensus::Input& input) {
    const std::uint64_t sequence = std::get<consensus::Persisted>(input).sequence;
    if (::write(pipe, &sequence, sizeof(sequence)) != sizeof(sequence)) ::_exit(1);
  });
  if (!opened) ::_exit(2);
  raft::Index last = opened->restored.base_index + opened->restored.entries.size();
  raft::Index snapshot = opened->restored.snapshot.index;
  for (;;) {
    ++last;
    opened->storage->persist(appended(last, last));
    if (last - snapshot >= 100) {
      snapshot = last;
      opened->storage->persist(with_snapshot(last, last, last));
      ::usleep(2000);  // lets the queue drain: the sequence of a snapshot is that of its last entry here
    }
    if (last % 8 == 0) ::usleep(100);
  }
}

TEST_F(RaftStorageTest, NothingDurableIsLostWhenTheWriterIsKilled) {
  Prng prng(1);
  std::uint64_t durable = 0;
  for (int round = 0; round < 12; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) write_for_ever(directory_, ends[1]);
    ::close(ends[1]);
    std::uint64_t sequence = 0;
    const std::uint64_t reports = 5 + prng.below(60);
    for (std::uint64_t i = 0; i < reports; ++i) {
      ASSERT_EQ(::read(ends[0], &sequence, sizeof(sequence)), static_cast<ssize_t>(sizeof(sequence)));
      durable = std::max(durable, sequence);
    }
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    while (::read(ends[0], &sequence, sizeof(sequence)) == static_cast<ssize_t>(sizeof(sequence)))
      durable = std::max(durable, sequence);
    ::close(ends[0]);
    const auto opened = open();
    ASSERT_TRUE(opened) << opened.error().text();
    const auto& restored = opened->restored;
    EXPECT_GE(restored.base_index + restored.entries.size(), durable);
    for (const auto& each : restored.entries) EXPECT_EQ(each, entry(each.index, 1));
  }
  EXPECT_GT(durable, 100u);
}

}  // namespace
}  // namespace bascule::raft_storage
