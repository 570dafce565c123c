#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/files/file_system.h"
#include "runtime/sim/crash/explorer.h"
#include "runtime/sim/crash/volume.h"

namespace bascule::sim {

/// A file system on a disk that may lose its power. What a crash leaves:
/// * of each file: any of the lengths that it had since it was synced, and between them at multiples of a piece; each
///   piece of 512 or 4096 bytes as it was or as one of the writes since made it; what was never written reads as zeros
/// * of each directory: what was done to its names happened up to some point, in its order, and not behind it. Names
///   and contents know nothing of each other: a file may have its new name before it has its bytes
/// Syncing a file says nothing of its name, syncing a directory nothing of the one above it.
/// Modes and owners are durable at once. A lock is always free: who held it is dead.
class CrashFiles final : public files::FileSystem {
 public:
  /// The root directory and nothing else.
  CrashFiles();
  CrashFiles(const CrashFiles&) = delete;
  CrashFiles& operator=(const CrashFiles&) = delete;

  /// Called after each call that changed something, with the call in words.
  std::function<void(const std::string& what)> changed;
  /// A canary: a sync, named by its path, that says it is done and was not.
  std::function<bool(const std::string& path)> forgets_sync;

  int open(const std::string& path, int flags, mode_t mode) override;
  void close(int descriptor) override;
  ssize_t read(int descriptor, std::span<Byte> into) override;
  ssize_t read_at(int descriptor, std::span<Byte> into, std::uint64_t offset) override;
  ssize_t write_at(int descriptor, ByteView bytes, std::uint64_t offset) override;
  int cut(int descriptor, std::uint64_t size) override;
  int sync(int descriptor) override;
  int sync_data(int descriptor) override { return sync(descriptor); }
  int rename(const std::string& from, const std::string& to) override;
  int link(const std::string& existing, const std::string& name) override;
  int remove(const std::string& path) override;
  int make_directory(const std::string& path, mode_t mode) override;
  int status(const std::string& path, struct stat& about) override;
  int status(int descriptor, struct stat& about) override;
  int change_mode(int descriptor, mode_t mode) override;
  int change_owner(int descriptor, uid_t user, gid_t group) override;
  int lock(int) override { return 0; }

  /// Grows when something becomes durable.
  [[nodiscard]] std::uint64_t flushes() const { return flushes_; }
  /// While it is, whoever writes gets EIO: a process that is killed says no good-bye.
  void freeze(bool frozen) { frozen_ = frozen; }
  /// Everything is durable: where a story begins.
  void flush_all();
  /// The disk when the power is back: nothing that was not flushed is left.
  [[nodiscard]] std::unique_ptr<CrashFiles> durable() const;

  /// Explores with `explorer` after each call; `check` gets the disk as it is found.
  using Check = std::function<std::string(CrashFiles& found)>;
  void watch(Explorer& explorer, Check check);
  /// To whom watches: something is promised from here on, also if the power fails now.
  void promise(const std::string& what);

 private:
  using Number = std::size_t;  ///< of a node; 0: the root
  struct Node {
    bool is_directory = false;
    mode_t mode = 0;
    // -- of a file
    CrashVolume bytes;
    std::uint64_t size = 0, durable_size = 0;
    std::vector<std::uint64_t> sizes;  ///< since it was synced
    // -- of a directory
    struct Change {
      std::string removed;  ///< this name goes
      std::string name;     ///< and this one stands for `number`; empty: none does
      Number number = 0;
    };
    std::map<std::string, Number> names, durable_names;
    std::vector<Change> changes;  ///< since it was synced
  };
  struct Opened {
    Number number = 0;
    std::uint64_t position = 0;
    std::string path;
    bool in_use = false;
  };
  struct Place {
    Number directory;
    std::string name;
  };
  class Moment;

  void power_may_fail(const std::string& what);

  [[nodiscard]] std::vector<bool> reachable() const;
  static void apply(std::map<std::string, Number>& names, const Node::Change& change);
  [[nodiscard]] bool find(const std::string& path, Place& place) const;
  [[nodiscard]] bool find(const std::string& path, Number& number) const;
  void change_names(Number directory, const Node::Change& change);
  void set_size(Node& node, std::uint64_t size);
  int opened(Number number, const std::string& path);
  int done(const std::string& what);

  std::vector<Node> nodes_;
  std::vector<Opened> opened_;
  std::uint64_t flushes_ = 0;
  bool frozen_ = false;
  Explorer* explorer_ = nullptr;
  Check check_;
};

}  // namespace bascule::sim
