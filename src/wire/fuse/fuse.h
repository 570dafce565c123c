#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "base/bytes.h"
#include "base/result.h"

/// The part of the kernel's FUSE protocol (version 7.31 and above) that a file system of one file needs. Little-endian
/// hosts only. See FORMAT.md.
namespace bascule::fuse {

inline constexpr std::uint32_t kMajor = 7;
inline constexpr std::uint32_t kMinor = 31;  ///< what we speak; 7.28 brought max_pages
inline constexpr std::uint32_t kMinorOldest = 28;
inline constexpr std::size_t kInHeaderBytes = 40;
inline constexpr std::size_t kOutHeaderBytes = 16;
inline constexpr std::size_t kWriteHeadBytes = 80;  ///< a WRITE's header and arguments: its data begins here
inline constexpr std::uint32_t kMaxWriteBytes = 1U << 20;
inline constexpr std::uint16_t kMaxPages = 256;
inline constexpr std::uint64_t kRootInode = 1;

/// Bits of Init.flags.
namespace init_flag {
inline constexpr std::uint32_t kAsyncRead = 1U << 0;
inline constexpr std::uint32_t kBigWrites = 1U << 5;
inline constexpr std::uint32_t kParallelDirectoryOperations = 1U << 18;
inline constexpr std::uint32_t kMaxPages = 1U << 22;
}  // namespace init_flag

inline constexpr std::uint32_t kOpenDirectIo = 1U << 0;  ///< FOPEN_DIRECT_IO

namespace request {
struct Init {
  std::uint32_t major, minor, max_readahead, flags;
};
struct Lookup {
  std::string name;
};
struct GetAttributes {};
struct Open {
  std::uint32_t flags;
  bool directory;
};
struct Read {
  std::uint64_t handle, offset;
  std::uint32_t size;
};
/// The data is not in the struct: it lies `data_offset` bytes after the beginning of the request.
struct Write {
  std::uint64_t handle, offset;
  std::uint32_t size;
};
struct Fsync {
  std::uint64_t handle;
  bool data_only;
};
/// fallocate(2): how a loop device hands on discards and write-zeroes.
struct Allocate {
  std::uint64_t handle, offset, length;
  std::uint32_t mode;
};
struct Flush {
  std::uint64_t handle;
};
struct Release {
  std::uint64_t handle;
  bool directory;
};
struct ReadDirectory {
  std::uint64_t handle, offset;
  std::uint32_t size;
};
struct StatFileSystem {};
struct Access {};
struct Forget {};  ///< FORGET and BATCH_FORGET: no answer
struct Interrupt {
  std::uint64_t unique;
};  ///< no answer
struct Destroy {};
struct Unsupported {
  std::uint32_t opcode;
};  ///< answer ENOSYS
}  // namespace request

using Body = std::variant<request::Init, request::Lookup, request::GetAttributes, request::Open, request::Read,
                          request::Write, request::Fsync, request::Allocate, request::Flush, request::Release,
                          request::ReadDirectory, request::StatFileSystem, request::Access, request::Forget,
                          request::Interrupt, request::Destroy, request::Unsupported>;

struct Request {
  std::uint64_t unique = 0;  ///< echoed in the answer
  std::uint64_t inode = 0;
  Body body;
};

/// Decodes one request as read from /dev/fuse. `head` is its beginning: all of it, except that the data of a WRITE may
/// be missing; `total` is the length of the whole. Errors: shorter than it says, or a length that does not fit.
[[nodiscard]] Result<Request> decode_request(ByteView head, std::size_t total);

struct Attributes {
  std::uint64_t inode = 0;
  std::uint64_t size_bytes = 0;
  std::uint32_t mode = 0;  ///< file type and permissions as in stat
  std::uint32_t links = 1;
};

/// The header of an answer that carries `payload_bytes` more. `error_number` 0 or a positive errno.
[[nodiscard]] Bytes encode_answer(std::uint64_t unique, int error_number, std::size_t payload_bytes = 0);
[[nodiscard]] Bytes encode_init(std::uint64_t unique, const request::Init& asked);
[[nodiscard]] Bytes encode_entry(std::uint64_t unique, const Attributes& attributes);
[[nodiscard]] Bytes encode_attributes(std::uint64_t unique, const Attributes& attributes);
[[nodiscard]] Bytes encode_open(std::uint64_t unique, std::uint64_t handle, std::uint32_t open_flags);
[[nodiscard]] Bytes encode_written(std::uint64_t unique, std::uint32_t bytes);
[[nodiscard]] Bytes encode_stat(std::uint64_t unique, std::uint64_t size_bytes);

struct DirectoryEntry {
  std::uint64_t inode;
  std::uint32_t type;  ///< DT_DIR 4, DT_REG 8
  std::string name;
};
/// As many of `entries` from number `offset` on as fit into `size` bytes.
[[nodiscard]] Bytes encode_directory(std::uint64_t unique, const std::vector<DirectoryEntry>& entries,
                                     std::uint64_t offset, std::uint32_t size);

}  // namespace bascule::fuse
