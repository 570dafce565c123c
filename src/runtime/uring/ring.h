#pragma once

#include <liburing.h>
#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "runtime/uring/completion.h"

namespace bascule::uring {

/// Names an operation that may be cancelled; 0 names none.
using OperationHandle = std::uint64_t;
using TimerHandle = std::uint64_t;

/// Something that still has operations in the kernel when its owner is done with it. The ring keeps it until idle().
class Closing {
 public:
  virtual ~Closing() = default;
  [[nodiscard]] virtual bool idle() const = 0;
};

/// The event loop of one thread on io_uring. Operations are queued and go to the kernel together in wait(). Memory and
/// addresses given to an operation stay valid until its completion, which is called from dispatch(), never earlier.
class Ring {
 public:
  /// Errors: the kernel has no io_uring or refuses it, or no process is to be had for its first worker.
  [[nodiscard]] static Result<std::unique_ptr<Ring>> create(unsigned entries = 1024);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// CLOCK_BOOTTIME.
  [[nodiscard]] static Instant now();

  /// Makes one memory area known to the kernel: reads and writes inside it need no page pinning. May be refused (the
  /// limit of locked memory); everything works without it. Once per ring.
  Result<void> register_arena(std::span<Byte> arena);

  OperationHandle read(int descriptor, std::span<Byte> into, std::uint64_t offset, Completion done);
  /// `durable`: RWF_DSYNC, the data survives a power cut when the write is done.
  OperationHandle write(int descriptor, ByteView from, std::uint64_t offset, bool durable, Completion done);
  OperationHandle datasync(int descriptor, Completion done);
  /// fallocate(2) of a file or a block device; `mode` is FALLOC_FL_*.
  OperationHandle allocate(int descriptor, int mode, std::uint64_t offset, std::uint64_t length, Completion done);
  /// The result is the new descriptor (close-on-exec).
  OperationHandle accept(int descriptor, Completion done);
  OperationHandle connect(int descriptor, const sockaddr* address, socklen_t length, Completion done);
  /// `whole`: done only when all of `into` is filled, or the stream ended.
  OperationHandle receive(int descriptor, std::span<Byte> into, bool whole, Completion done);
  OperationHandle send(int descriptor, const msghdr* message, Completion done);
  /// Calls `ready` each time the descriptor becomes ready (edge-triggered: read until EAGAIN), until cancelled.
  OperationHandle watch(int descriptor, short events, Completion ready);
  /// The operation ends with -ECANCELED unless it is done already.
  void cancel(OperationHandle handle);
  /// As cancel(), for an owner that goes away: the completion is not called any more. A connection that was accepted
  /// meanwhile is closed. Not for operations with memory, which must be waited for.
  void abandon(OperationHandle handle);

  /// Calls `done` once at or after `when`. Cancelled timers are never called.
  TimerHandle timer(Instant when, Completion done);
  void cancel_timer(TimerHandle handle);

  /// Keeps `closing` until it is idle, then destroys it at the end of a dispatch().
  void bury(std::unique_ptr<Closing> closing);
  [[nodiscard]] std::size_t buried() const { return buried_.size(); }

  /// Submits what is queued and sleeps until there is a completion.
  void wait();
  /// Calls the completions that have come.
  void dispatch();
  void turn() { wait(), dispatch(); }

  [[nodiscard]] std::size_t operations_in_flight() const { return slots_.size() - free_.size(); }

 private:
  struct Slot {
    Completion done;
    std::uint32_t generation = 0;
    int descriptor = -1;  ///< of a watch()
    short events = 0;
    bool used = false;
    bool watch = false;
    bool cancelled = false;
    bool accepts = false;
    bool abandoned = false;
  };
  struct Timer {
    TimerHandle handle;
    Completion done;
  };

  Ring() = default;
  io_uring_sqe* entry();
  OperationHandle start(io_uring_sqe* entry, Completion done);
  void arm_watch(std::uint32_t index);
  void complete(std::uint64_t user_data, int result, std::uint32_t flags);
  void finish(std::uint32_t index);
  void arm_timer();
  void run_timers();
  void timeout_fired(std::uint32_t number);
  [[nodiscard]] bool in_arena(const Byte* at, std::size_t size) const;

  io_uring ring_{};
  bool open_ = false;
  std::span<Byte> arena_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::multimap<Instant, Timer> timers_;
  std::map<TimerHandle, Instant> timer_times_;
  TimerHandle next_timer_ = 1;
  Instant armed_ = never;           ///< when the kernel's newest timeout fires
  std::uint32_t armed_number_ = 0;  ///< tells the newest timeout from those it replaced
  __kernel_timespec armed_time_{};
  std::vector<std::unique_ptr<Closing>> buried_;
};

}  // namespace bascule::uring
