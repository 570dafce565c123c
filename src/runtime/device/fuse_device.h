#pragma once

#include <sys/uio.h>

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/device/volume.h"
#include "runtime/uring/ring.h"
#include "wire/fuse/fuse.h"

namespace bascule::device {

/// The volume as one file under FUSE: MOUNT_POINT/data. Raw protocol on /dev/fuse, answered on the event thread; so the
/// event thread itself must never touch a path below the mount point.
///
/// The file can be opened only in a generation (one promotion). A handle of an earlier generation gets EIO for ever:
/// a file system that stayed mounted over a forced demotion can never write again.
class FuseDevice final : public Requester {
 public:
  /// Mounts; a dead mount of a killed predecessor is taken away first. `source` is what mount(8) shows.
  /// Errors: not root, no /dev/fuse, not mountable.
  [[nodiscard]] static Result<std::unique_ptr<FuseDevice>> mount(uring::Ring& ring, uring::BufferPool& pool,
                                                                 Volume& volume, const std::string& mount_point,
                                                                 const std::string& source);
  /// Ends the connection at once: whoever waits for an answer, or has the file open, gets errors. Then unmounts lazily.
  ~FuseDevice() override;

  [[nodiscard]] std::string file() const { return mount_point_ + "/data"; }
  void begin_generation() { generation_open_ = true, ++generation_; }
  void end_generation() { generation_open_ = false; }

  /// Tries again after buffers became free.
  void resume();
  /// Requests that the volume has not answered.
  [[nodiscard]] std::size_t in_flight() const { return pending_.size() - free_.size(); }

  void completed(std::uint64_t tag, int error_number) override;

 private:
  enum class Kind : std::uint8_t { read, write, other };
  struct Pending {
    std::uint64_t unique = 0;
    std::uint32_t size = 0;
    Kind kind{};
    uring::BufferPool::Id buffer = 0;
  };
  struct WaitingRead {
    std::uint64_t unique;
    fuse::request::Read read;
  };

  FuseDevice(uring::Ring& ring, uring::BufferPool& pool, Volume& volume, std::string mount_point, int descriptor);
  void read_requests();
  bool read_one();
  void handle(std::size_t total);
  void handle(const fuse::Request& request);
  void lookup(const fuse::Request& request, const fuse::request::Lookup& lookup);
  void open(const fuse::Request& request, const fuse::request::Open& open);
  bool start_read(std::uint64_t unique, const fuse::request::Read& read);
  void start_write(std::uint64_t unique, const fuse::request::Write& write);
  void start_sync(std::uint64_t unique, std::uint64_t handle);
  void start_allocate(std::uint64_t unique, const fuse::request::Allocate& allocate);
  void list(std::uint64_t unique, const fuse::request::ReadDirectory& read);
  uring::BufferPool::Id keep_written(std::uint32_t size);
  void submit(const Pending& pending, const Request& request);
  [[nodiscard]] fuse::Attributes attributes(std::uint64_t inode) const;
  [[nodiscard]] int refuse(std::uint64_t handle, std::uint64_t offset, std::uint32_t size) const;
  void answer(const Bytes& bytes, ByteView data = {});
  void answer_error(std::uint64_t unique, int error_number) { answer(fuse::encode_answer(unique, error_number)); }

  uring::Ring& ring_;
  uring::BufferPool& pool_;
  Volume& volume_;
  std::string mount_point_;
  int descriptor_;
  uring::OperationHandle watch_ = 0;
  uring::BufferPool::Id scratch_ = 0;  ///< where the data of the next WRITE goes
  std::array<Byte, 4096> head_{};
  std::vector<Pending> pending_;
  std::vector<std::uint32_t> free_;
  std::deque<WaitingRead> waiting_;
  std::uint64_t generation_ = 0;
  bool generation_open_ = false;
  bool stalled_ = false;
};

}  // namespace bascule::device
