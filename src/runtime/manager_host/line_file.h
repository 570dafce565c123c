#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "runtime/files/file_system.h"

namespace bascule::manager_host {

/// A file of lines to which is only appended, on a disk that may be full for a while: what it does not take waits in
/// memory and is written, in its order and whole, with the first line that comes when there is room again. Errors are
/// told once, in the log. Not synced, unless that is asked for: a line may be lost with the machine.
class LineFile {
 public:
  static constexpr std::size_t waiting_bytes_max =
      256 * 1024;  ///< what comes beyond that while nothing can be written is lost

  /// `files` outlives it.
  explicit LineFile(files::FileSystem& files = files::this_machine()) : files_(files) {}
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  /// Opens or makes the file; if its last line is torn (the machine died), a new line begins behind it.
  [[nodiscard]] Result<void> open(const std::string& path);
  /// `line` has no newline at its end.
  void add(const std::string& line);
  /// Of the file, without what waits; 0 while it is not open.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  /// What is in the file and in PATH.old outlives a loss of power from here on, and so do their names. Blocking.
  void make_durable();
  /// The file becomes PATH.old, replacing the one before, and a new one begins.
  void begin_anew();

 private:
  void close();
  [[nodiscard]] bool ends_torn() const;
  void write_waiting();
  void tell(int error_number);

  files::FileSystem& files_;
  std::string path_;
  files::Descriptor file_;
  std::uint64_t bytes_ = 0;
  std::string waiting_;
  bool told_ = false;
};

}  // namespace bascule::manager_host
