// The real drbdmeta works on what we write, and we read what it writes.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "wire/drbd_metadata/activity_log.h"
#include "wire/drbd_metadata/detail/test_files.h"
#include "wire/drbd_metadata/dump.h"

namespace bascule::drbd_metadata {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kCapacity = 256 << 20;

class Drbdmeta : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("command -v drbdmeta >/dev/null 2>&1 || test -x /usr/sbin/drbdmeta") != 0)
      GTEST_SKIP() << "drbdmeta (package drbd-utils) is not installed";
    std::string directory = (fs::temp_directory_path() / "drbdmeta-XXXXXX").string();
    ASSERT_NE(mkdtemp(directory.data()), nullptr);
    directory_ = directory;
    device_ = directory_ / "device";
    std::ofstream(device_).put(0);
    fs::resize_file(device_, kCapacity);
  }
  void TearDown() override {
    if (!directory_.empty()) fs::remove_all(directory_);
  }

  /// What the command printed; the test fails unless it ended with 0.
  std::string run(const std::string& arguments) {
    const std::string command =
        "PATH=$PATH:/usr/sbin:/sbin drbdmeta --force 0 v08 '" + device_.string() + "' internal " + arguments + " 2>&1";
    FILE* pipe = popen(command.c_str(), "r");
    std::string output;
    std::array<char, 4096> buffer{};
    while (std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), count);
    const int status = pclose(pipe);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << command << "\n" << output;
    return output;
  }
  /// dump-md without the lines that hold date and command.
  std::string dump_md() {
    const std::string text = run("dump-md");
    const std::size_t at = text.find("version");
    return at == std::string::npos ? text : text.substr(at);
  }
  Bytes read_at(std::uint64_t offset, std::uint64_t count) const {
    std::ifstream file(device_, std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    Bytes bytes(count);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(count));
    return bytes;
  }
  void write_at(std::uint64_t offset, ByteView bytes) const {
    std::fstream file(device_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(offset));
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  void write_superblock(const Superblock& superblock) const {
    write_at(layout_.superblock_offset, encode_superblock(superblock));
  }
  std::string ours(const Superblock& superblock, const Bitmap& bitmap, DumpOptions options = {}) const {
    return dump_text(from_superblock(superblock), layout_, encode_bitmap(bitmap), options);
  }
  Superblock read_superblock() const {
    const auto superblock = decode_superblock(read_at(layout_.superblock_offset, kBlockBytes));
    if (!superblock) {
      ADD_FAILURE() << superblock.error().text();
      return {};
    }
    return *superblock;
  }
  Bitmap read_bitmap() const {
    Bitmap bitmap(bits_for(layout_.usable_sectors));
    EXPECT_TRUE(decode_bitmap(read_at(layout_.bitmap_offset, layout_.bitmap_bytes), bitmap));
    return bitmap;
  }
  /// Writes our create-md.
  Superblock create() const {
    const auto initial = create_v08(kCapacity);
    write_at(layout_.bitmap_offset, Bytes(layout_.bitmap_bytes, 0));
    write_at(layout_.activity_log_offset, initial->image);
    return initial->superblock;
  }
  /// A used device: our create-md with UUIDs and a size.
  Superblock in_use() const {
    Superblock superblock = create();
    superblock.current_uuid = 0x1234567890abcdee;
    superblock.device_uuid = 0x99aabbccddeeff00;
    superblock.history_uuids = {0x11, 0x22};
    superblock.effective_sectors = layout_.usable_sectors;
    superblock.activity_log_extents = 1237;
    superblock.flags |= flag::kConsistent | flag::kWasUpToDate;
    return superblock;
  }

  fs::path directory_;
  fs::path device_;
  Layout layout_ = *internal_layout(kCapacity);
};

TEST_F(Drbdmeta, CreatesByteForByteWhatWeCreate) {
  run("create-md");
  const Bytes theirs = read_at(layout_.bitmap_offset, kCapacity - layout_.bitmap_offset);
  create();
  EXPECT_EQ(read_at(layout_.bitmap_offset, kCapacity - layout_.bitmap_offset), theirs);
}

TEST_F(Drbdmeta, DumpsOurFreshMetadataAsWeDo) {
  const Superblock superblock = create();
  EXPECT_EQ(dump_md(), ours(superblock, Bitmap(0)));
}

TEST_F(Drbdmeta, DumpsOurBitmapAsWeDo) {
  const Superblock superblock = in_use();
  Bitmap bitmap(bits_for(superblock.effective_sectors));
  bitmap.set(4, 9);
  bitmap.set(1000, 9000);
  bitmap.set(20480, 20480 + 256);
  bitmap.set(30001, 30002);
  bitmap.set(bitmap.size() - 1, bitmap.size());
  write_superblock(superblock);
  write_at(layout_.bitmap_offset, encode_bitmap(bitmap));
  EXPECT_EQ(dump_md(), ours(superblock, bitmap));
}

TEST_F(Drbdmeta, RestoresADumpOfOursIntoTheSameBitmap) {
  Superblock superblock = in_use();
  Bitmap bitmap(bits_for(superblock.effective_sectors));
  bitmap.set(77, 7777);
  std::ofstream(directory_ / "dump") << ours(superblock, bitmap, {.real_flags = true});
  run("restore-md '" + (directory_ / "dump").string() + "'");
  EXPECT_EQ(read_bitmap().words(), bitmap.words());
  EXPECT_EQ(read_superblock().current_uuid, superblock.current_uuid);
  EXPECT_EQ(read_superblock().flags & flag::kWasUpToDate, flag::kWasUpToDate);
  EXPECT_EQ(read_superblock().history_uuids, superblock.history_uuids);
}

TEST_F(Drbdmeta, AppliesOurActivityLogToExactlyTheHotExtents) {
  Superblock superblock = in_use();
  superblock.unclean = true;
  superblock.flags = (superblock.flags & ~flag::kActivityLogClean) | flag::kPrimaryIndicator;
  write_superblock(superblock);
  const std::vector<std::uint32_t> hot{3, 0, 41, 17, 62, 63};
  for (std::uint32_t number = 0; number < 8; ++number) {
    Transaction transaction{.number = number, .slots = 1237};
    transaction.context_first_slot = static_cast<std::uint16_t>(number % 2 * kContextPerTransaction);
    transaction.context.assign(number % 2 == 0 ? 919 : 318, kFreeExtent);
    for (std::uint16_t i = 0; number % 2 == 0 && i < hot.size() && i < number; ++i) transaction.context[i] = hot[i];
    if (number < hot.size()) transaction.updates = {{static_cast<std::uint16_t>(number), hot[number]}};
    write_at(layout_.activity_log_offset + ring_block(number, {}) * kBlockBytes, encode_transaction(transaction));
  }
  const auto ours = replay(read_at(layout_.activity_log_offset, 8 * kBlockBytes), {});
  ASSERT_TRUE(ours);
  Bitmap expected(bits_for(layout_.usable_sectors));
  EXPECT_GT(mark_out_of_sync(expected, ours->extents), 5U * kBitsPerExtent);
  run("apply-al");
  EXPECT_EQ(read_bitmap().words(), expected.words());
  EXPECT_TRUE(read_superblock().clean());
  EXPECT_NE(read_superblock().flags & flag::kPrimaryIndicator, 0U);
}

TEST_F(Drbdmeta, ReadsOurFlagsAndUuids) {
  Superblock superblock = in_use();
  superblock.bitmap_uuid = 0xabc;
  superblock.flags |= flag::kPrimaryIndicator | flag::kConnectedIndicator | flag::kPeerOutdated;
  write_superblock(superblock);
  EXPECT_NE(run("get-gi").find("1234567890ABCDEE:0000000000000ABC:0000000000000011:0000000000000022:1:1:1:1:0:1:0"),
            std::string::npos);
}

TEST_F(Drbdmeta, ItsChangesAreReadByUs) {
  write_superblock(in_use());
  run("outdate");
  EXPECT_EQ(read_superblock().flags & (flag::kConsistent | flag::kWasUpToDate), flag::kConsistent);
  run("invalidate");
  EXPECT_EQ(read_superblock().flags & flag::kConsistent, 0U);
  EXPECT_NE(read_superblock().flags & flag::kFullSync, 0U);
}

}  // namespace
}  // namespace bascule::drbd_metadata
