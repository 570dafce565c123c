#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/device/volume.h"
#include "runtime/uring/ring.h"

namespace bascule::device {

class NbdClient;

/// The volume as an NBD export (fixed newstyle, name = volume) on a unix socket. Any number of connections up to
/// kClients; what one of them does wrong ends that one only.
class NbdExport {
 public:
  static constexpr std::size_t kClients = 64;

  /// A socket file that nobody listens on is replaced. Errors: the path cannot be bound.
  [[nodiscard]] static Result<std::unique_ptr<NbdExport>> listen(uring::Ring& ring, uring::BufferPool& pool,
                                                                 Volume& volume, const std::string& path);
  ~NbdExport();
  NbdExport(const NbdExport&) = delete;
  NbdExport& operator=(const NbdExport&) = delete;

  /// Connections that have attached and may do I/O.
  [[nodiscard]] std::size_t attached() const;
  void close_clients();
  /// At the end of a turn: gives replies to the kernel, buries ended clients, and with `buffers` tries stalled ones
  /// again.
  void flush(bool buffers);

 private:
  NbdExport(uring::Ring& ring, uring::BufferPool& pool, Volume& volume, std::string path, int listener);
  void accept();
  void accepted(int result);

  uring::Ring& ring_;
  uring::BufferPool& pool_;
  Volume& volume_;
  std::string path_;
  int listener_;
  uring::OperationHandle accepting_ = 0;
  uring::TimerHandle accept_again_ = 0;
  std::vector<std::unique_ptr<NbdClient>> clients_;
};

}  // namespace bascule::device
