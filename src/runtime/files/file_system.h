#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace bascule::files {

/// What the writers of files that must survive a loss of power ask of the operating system. Each call is the system
/// call of that name, repeated while it is interrupted: -1 (or less than was asked for) and errno when it fails.
/// Production asks the kernel; the crash enumeration (runtime/sim/crash) puts a disk that forgets in its place.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  /// open(2), with O_CLOEXEC.
  virtual int open(const std::string& path, int flags, mode_t mode) = 0;
  virtual void close(int descriptor) = 0;
  virtual ssize_t read(int descriptor, std::span<Byte> into) = 0;
  virtual ssize_t read_at(int descriptor, std::span<Byte> into, std::uint64_t offset) = 0;
  virtual ssize_t write_at(int descriptor, ByteView bytes, std::uint64_t offset) = 0;
  /// ftruncate(2).
  virtual int cut(int descriptor, std::uint64_t size) = 0;
  /// fsync(2), of files and directories.
  virtual int sync(int descriptor) = 0;
  /// fdatasync(2): also the size, not the times.
  virtual int sync_data(int descriptor) = 0;
  virtual int rename(const std::string& from, const std::string& to) = 0;
  virtual int link(const std::string& existing, const std::string& name) = 0;
  /// unlink(2).
  virtual int remove(const std::string& path) = 0;
  virtual int make_directory(const std::string& path, mode_t mode) = 0;
  virtual int status(const std::string& path, struct stat& about) = 0;
  virtual int status(int descriptor, struct stat& about) = 0;
  virtual int change_mode(int descriptor, mode_t mode) = 0;
  virtual int change_owner(int descriptor, uid_t user, gid_t group) = 0;
  /// flock(2): alone, or EWOULDBLOCK.
  virtual int lock(int descriptor) = 0;
};

/// The one of this machine.
[[nodiscard]] FileSystem& this_machine();

/// Owns a descriptor of a file system, which must outlive it.
class Descriptor {
 public:
  Descriptor() = default;
  Descriptor(FileSystem& files, int number) : files_(&files), number_(number) {}
  Descriptor(Descriptor&& other) noexcept : files_(other.files_), number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(files_, other.files_);
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) files_->close(number_);
  }

  [[nodiscard]] bool is_open() const { return number_ >= 0; }
  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] FileSystem& files() const { return *files_; }

 private:
  FileSystem* files_ = nullptr;
  int number_ = -1;
};

/// All of `bytes`, also when a call takes only some of them. False, and errno.
[[nodiscard]] bool write_all(const Descriptor& file, std::uint64_t offset, ByteView bytes);

/// ".", "/" or what stands before the last slash.
[[nodiscard]] std::string directory_of(const std::string& path);
/// The names in it are durable. False, and errno.
[[nodiscard]] bool sync_directory(FileSystem& files, const std::string& directory);
/// Makes it and those above that are missing, durably: what is kept in a directory that a loss of power takes away is
/// lost with it. False, and errno.
[[nodiscard]] bool make_directories(FileSystem& files, const std::string& directory, mode_t mode);

}  // namespace bascule::files
