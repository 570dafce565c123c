#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "wire/drbd_metadata/superblock.h"

namespace bascule::block_host {

/// What O_DIRECT asks of addresses, offsets and lengths.
inline constexpr std::size_t kAlignment = 4096;

/// An open backing file or block device, held exclusively.
class Backing {
 public:
  Backing() = default;
  Backing(Backing&& other) noexcept;
  Backing& operator=(Backing&& other) noexcept;
  ~Backing();

  /// What is ours of a device that several volumes share, in bytes.
  struct Piece {
    std::uint64_t offset, length;
  };
  /// The whole of it, or one piece. While another process uses it: waits, blocking, for `patience`. Errors: missing,
  /// neither file nor block device, used by another process.
  [[nodiscard]] static Result<Backing> open(const std::string& path, std::optional<Piece> piece = std::nullopt,
                                            Duration patience = {});

  /// A detached volume has none: then there is no descriptor and the size is 0.
  [[nodiscard]] bool open() const { return descriptor_ >= 0; }
  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool is_file() const { return is_file_; }

  /// Blocking and aligned; for attach and creation, never while the engine runs. Errors: I/O, end of the device.
  [[nodiscard]] Result<Bytes> read(std::uint64_t offset, std::uint64_t length) const;
  [[nodiscard]] Result<void> write_durably(std::uint64_t offset, ByteView bytes) const;
  /// Takes the size anew, after the file was extended.
  [[nodiscard]] Result<void> measure();

 private:
  [[nodiscard]] bool claim(const std::optional<Piece>& piece);

  int descriptor_ = -1;
  std::uint64_t bytes_ = 0;
  std::string path_;
  bool is_file_ = false;
};

/// Metadata as found at the end of a device, or where its end was when it had only so many bytes.
[[nodiscard]] Result<drbd_metadata::Superblock> read_superblock(const Backing& backing, std::uint64_t bytes);

/// What is on the device that is no volume of ours ("ext2/3/4 filesystem"); empty: nothing known.
[[nodiscard]] Result<std::string> foreign_signature(const Backing& backing);

}  // namespace bascule::block_host
