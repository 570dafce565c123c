#pragma once

#include <cstdint>
#include <string>

#include "runtime/uring/buffer_pool.h"

namespace bascule::device {

/// What an application asks of a volume. Offsets and lengths are multiples of 512 inside the volume; reads and writes
/// are at most 1 MiB, what has no buffer may be as long as the volume.
struct Request {
  enum class Kind : std::uint8_t {
    read,
    write,
    flush,
    discard,      ///< the contents do not matter any more
    zeroes,       ///< reads as zeroes from now on, stays allocated
    zeroes_unmap  ///< reads as zeroes from now on, may be deallocated
  };
  Kind kind = Kind::flush;
  bool fua = false;
  std::uint64_t length = 0;
  std::uint64_t offset = 0;
  uring::BufferPool::Id buffer = 0;  ///< held by the front end until completed() was called
};

/// A front end, or one client of it.
class Requester {
 public:
  virtual ~Requester() = default;
  /// Answers Volume::submit; `error_number` 0 or a positive errno.
  virtual void completed(std::uint64_t tag, int error_number) = 0;
};

/// The volume as its front ends see it.
class Volume {
 public:
  virtual ~Volume() = default;
  [[nodiscard]] virtual const std::string& name() const = 0;
  [[nodiscard]] virtual std::uint64_t size_bytes() const = 0;
  /// Why nobody may open the volume here and now; empty: it may be opened.
  [[nodiscard]] virtual std::string refusal() const = 0;
  /// `requester` lives until its completed(tag) was called, which is never done from inside submit().
  virtual void submit(Requester& requester, std::uint64_t tag, const Request& request) = 0;
};

}  // namespace bascule::device
