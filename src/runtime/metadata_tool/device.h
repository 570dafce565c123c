#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "runtime/files/file_system.h"
#include "wire/drbd_metadata/steps.h"

namespace bascule::metadata_tool {

/// A file or block device with metadata. Opened for writing it is held exclusively, so that no running volume is
/// touched.
class Device {
 public:
  enum class Access { Read, Write };

  /// Errors: missing, neither file nor block device, in use.
  [[nodiscard]] static Result<Device> open(const std::string& path, Access access,
                                           files::FileSystem& files = files::this_machine());

  [[nodiscard]] std::uint64_t bytes() const { return pretended_bytes_ != 0 ? pretended_bytes_ : bytes_; }
  /// Takes the device for a smaller one, to look where its end was or will be; 0: it is what it is. At most its size.
  void pretend(std::uint64_t bytes) { pretended_bytes_ = bytes < bytes_ ? bytes : 0; }
  [[nodiscard]] const std::string& path() const { return path_; }
  /// Errors: I/O, end of the device.
  [[nodiscard]] Result<Bytes> read(std::uint64_t offset, std::uint64_t length) const;
  /// As read, but what lies behind the end of the device counts as zero.
  [[nodiscard]] Result<Bytes> read_padded(std::uint64_t offset, std::uint64_t length) const;
  /// All steps in their order; a Flush is an fsync. Stops at the first error.
  [[nodiscard]] Result<void> run(const drbd_metadata::Steps& steps) const;

 private:
  [[nodiscard]] Result<void> write(std::uint64_t offset, ByteView bytes) const;
  [[nodiscard]] Result<void> zero(std::uint64_t offset, std::uint64_t length) const;
  files::Descriptor file_;
  std::uint64_t bytes_ = 0, pretended_bytes_ = 0;
  std::string path_;
};

}  // namespace bascule::metadata_tool
