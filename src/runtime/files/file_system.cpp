#include "runtime/files/file_system.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace bascule::files {
namespace {

template <typename Call>
auto repeated(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class ThisMachine final : public FileSystem {
 public:
  int open(const std::string& path, int flags, mode_t mode) override {
    return repeated([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); });
  }
  void close(int descriptor) override { ::close(descriptor); }
  ssize_t read(int descriptor, std::span<Byte> into) override {
    return repeated([&] { return ::read(descriptor, into.data(), into.size()); });
  }
  ssize_t read_at(int descriptor, std::span<Byte> into, std::uint64_t offset) override {
    return repeated([&] { return ::pread(descriptor, into.data(), into.size(), static_cast<off_t>(offset)); });
  }
  ssize_t write_at(int descriptor, ByteView bytes, std::uint64_t offset) override {
    return repeated([&] { return ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
  }
  int cut(int descriptor, std::uint64_t size) override {
    return repeated([&] { return ::ftruncate(descriptor, static_cast<off_t>(size)); });
  }
  int sync(int descriptor) override {
    return repeated([&] { return ::fsync(descriptor); });
  }
  int sync_data(int descriptor) override {
    return repeated([&] { return ::fdatasync(descriptor); });
  }
  int rename(const std::string& from, const std::string& to) override { return ::rename(from.c_str(), to.c_str()); }
  int link(const std::string& existing, const std::string& name) override {
    return ::link(existing.c_str(), name.c_str());
  }
  int remove(const std::string& path) override { return ::unlink(path.c_str()); }
  int make_directory(const std::string& path, mode_t mode) override { return ::mkdir(path.c_str(), mode); }
  int status(const std::string& path, struct stat& about) override { return ::stat(path.c_str(), &about); }
  int status(int descriptor, struct stat& about) override { return ::fstat(descriptor, &about); }
  int change_mode(int descriptor, mode_t mode) override { return ::fchmod(descriptor, mode); }
  int change_owner(int descriptor, uid_t user, gid_t group) override { return ::fchown(descriptor, user, group); }
  int lock(int descriptor) override {
    return repeated([&] { return ::flock(descriptor, LOCK_EX | LOCK_NB); });
  }
};

}  // namespace

FileSystem& this_machine() {
  static ThisMachine files;
  return files;
}

bool write_all(const Descriptor& file, std::uint64_t offset, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t written = file.files().write_at(file.number(), bytes, offset);
    if (written < 0) return false;
    if (written == 0) return errno = EIO, false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return true;
}

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

bool sync_directory(FileSystem& files, const std::string& directory) {
  const Descriptor opened(files, files.open(directory, O_RDONLY | O_DIRECTORY, 0));
  return opened.is_open() && files.sync(opened.number()) == 0;
}

bool make_directories(FileSystem& files, const std::string& directory, mode_t mode) {
  if (files.make_directory(directory, mode) == 0) return sync_directory(files, directory_of(directory));
  if (errno == EEXIST) return true;
  if (errno != ENOENT || directory_of(directory) == directory) return false;
  return make_directories(files, directory_of(directory), mode) && make_directories(files, directory, mode);
}

}  // namespace bascule::files
