#include "wire/fuse/fuse.h"

#include <gtest/gtest.h>
#include <linux/fuse.h>

#include <cerrno>
#include <cstring>

// The kernel's own structures are the reference for every layout.
namespace bascule::fuse {
namespace {

template <typename... Parts>
Bytes kernel_request(std::uint32_t opcode, const Parts&... parts) {
  Bytes body;
  (body.insert(body.end(), reinterpret_cast<const Byte*>(&parts), reinterpret_cast<const Byte*>(&parts) + sizeof parts),
   ...);
  fuse_in_header header{};
  header.len = static_cast<std::uint32_t>(sizeof header + body.size());
  header.opcode = opcode;
  header.unique = 0x1122334455667788;
  header.nodeid = 2;
  Bytes out(sizeof header);
  std::memcpy(out.data(), &header, sizeof header);
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

template <typename Kind>
Kind body_of(const Bytes& bytes) {
  const auto request = decode_request(bytes, bytes.size());
  EXPECT_TRUE(request.has_value()) << (request ? "" : request.error().text());
  EXPECT_EQ(request->unique, 0x1122334455667788u);
  EXPECT_EQ(request->inode, 2u);
  EXPECT_TRUE(std::holds_alternative<Kind>(request->body));
  return std::get<Kind>(request->body);
}

template <typename Kind>
Kind answer_of(const Bytes& bytes) {
  EXPECT_EQ(bytes.size(), sizeof(fuse_out_header) + sizeof(Kind));
  fuse_out_header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  EXPECT_EQ(header.len, bytes.size());
  EXPECT_EQ(header.error, 0);
  EXPECT_EQ(header.unique, 9u);
  Kind kind{};
  std::memcpy(&kind, bytes.data() + sizeof header, std::min(sizeof kind, bytes.size() - sizeof header));
  return kind;
}

TEST(FuseRequest, ReadsWhatTheKernelWrites) {
  fuse_init_in init{};
  init.major = 7, init.minor = 38, init.max_readahead = 5, init.flags = 77;
  EXPECT_EQ(body_of<request::Init>(kernel_request(FUSE_INIT, init)).flags, 77u);
  fuse_read_in read{};
  read.fh = 3, read.offset = 8192, read.size = 4096;
  const auto decoded = body_of<request::Read>(kernel_request(FUSE_READ, read));
  EXPECT_EQ(decoded.handle, 3u);
  EXPECT_EQ(decoded.offset, 8192u);
  EXPECT_EQ(decoded.size, 4096u);
  fuse_fsync_in sync{};
  sync.fsync_flags = FUSE_FSYNC_FDATASYNC;
  EXPECT_TRUE(body_of<request::Fsync>(kernel_request(FUSE_FSYNC, sync)).data_only);
  fuse_fallocate_in allocate{};
  allocate.fh = 7, allocate.offset = 4096, allocate.length = std::uint64_t{4} << 30, allocate.mode = 3;
  const auto hole = body_of<request::Allocate>(kernel_request(FUSE_FALLOCATE, allocate));
  EXPECT_EQ(hole.handle, 7u);
  EXPECT_EQ(hole.offset, 4096u);
  EXPECT_EQ(hole.length, std::uint64_t{4} << 30);
  EXPECT_EQ(hole.mode, 3u);
  const char name[5] = "data";
  EXPECT_EQ(body_of<request::Lookup>(kernel_request(FUSE_LOOKUP, name)).name, "data");
  EXPECT_EQ(body_of<request::Unsupported>(kernel_request(FUSE_MKDIR, name)).opcode, FUSE_MKDIR);
}

TEST(FuseRequest, AWriteIsReadFromItsHeadAlone) {
  fuse_write_in write{};
  write.offset = 512, write.size = 4096, write.fh = 1;
  const std::array<Byte, 4096> data{};
  const Bytes bytes = kernel_request(FUSE_WRITE, write, data);
  const auto request = decode_request(ByteView(bytes).first(kWriteHeadBytes), bytes.size());
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(std::get<request::Write>(request->body).offset, 512u);
}

TEST(FuseRequest, RefusesWhatDoesNotFit) {
  fuse_write_in write{};
  write.size = 4097;
  const std::array<Byte, 4096> data{};
  const Bytes wrong_size = kernel_request(FUSE_WRITE, write, data);
  EXPECT_FALSE(decode_request(wrong_size, wrong_size.size()).has_value());
  const Bytes whole = kernel_request(FUSE_READ, fuse_read_in{});
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(decode_request(ByteView(whole).first(length), whole.size()).has_value()) << length;
  EXPECT_FALSE(decode_request(whole, whole.size() + 1).has_value());
}

TEST(FuseAnswer, HasTheKernelsLayout) {
  const auto init = answer_of<fuse_init_out>(encode_init(9, {7, 38, 131072, ~0u}));
  EXPECT_EQ(init.max_write, kMaxWriteBytes);
  EXPECT_EQ(init.max_pages, 256);
  EXPECT_EQ(init.flags & FUSE_WRITEBACK_CACHE, 0u);
  EXPECT_NE(init.flags & FUSE_ASYNC_READ, 0u);
  const auto entry = answer_of<fuse_entry_out>(encode_entry(9, {2, 10000, 0100600, 1}));
  EXPECT_EQ(entry.nodeid, 2u);
  EXPECT_EQ(entry.attr.size, 10000u);
  EXPECT_EQ(entry.attr.mode, 0100600u);
  EXPECT_EQ(entry.attr.nlink, 1u);
  EXPECT_EQ(entry.attr.blksize, 4096u);
  EXPECT_EQ(answer_of<fuse_attr_out>(encode_attributes(9, {2, 10000, 0100600, 1})).attr.ino, 2u);
  const auto open = answer_of<fuse_open_out>(encode_open(9, 4, kOpenDirectIo));
  EXPECT_EQ(open.fh, 4u);
  EXPECT_EQ(open.open_flags, static_cast<std::uint32_t>(FOPEN_DIRECT_IO));
  EXPECT_EQ(answer_of<fuse_write_out>(encode_written(9, 512)).size, 512u);
  const auto stat = answer_of<fuse_statfs_out>(encode_stat(9, 1 << 20));
  EXPECT_EQ(stat.st.blocks, 256u);
  EXPECT_EQ(stat.st.namelen, 255u);
}

TEST(FuseAnswer, AnErrorIsNegativeOnTheWire) {
  const Bytes bytes = encode_answer(9, EIO);
  fuse_out_header header;
  ASSERT_EQ(bytes.size(), sizeof header);
  std::memcpy(&header, bytes.data(), sizeof header);
  EXPECT_EQ(header.error, -EIO);
}

TEST(FuseAnswer, DirectoryEntriesFollowEachOther) {
  const std::vector<DirectoryEntry> entries = {{1, 4, "."}, {1, 4, ".."}, {2, 8, "data"}};
  const Bytes bytes = encode_directory(9, entries, 2, 4096);
  const auto* dirent = reinterpret_cast<const fuse_dirent*>(bytes.data() + sizeof(fuse_out_header));
  EXPECT_EQ(dirent->ino, 2u);
  EXPECT_EQ(dirent->off, 3u);
  EXPECT_EQ(std::string(dirent->name, dirent->namelen), "data");
  EXPECT_EQ(bytes.size(), sizeof(fuse_out_header) + FUSE_DIRENT_SIZE(dirent));
  EXPECT_EQ(encode_directory(9, entries, 0, 10).size(), sizeof(fuse_out_header)) << "none fits";
}

}  // namespace
}  // namespace bascule::fuse
