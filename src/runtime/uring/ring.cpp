#include "runtime/uring/ring.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace bascule::uring {
namespace {

// Generations have 31 bits, so the highest bit tells the ring's own operations from the users'.
constexpr std::uint64_t kOwn = std::uint64_t{1} << 63;   // with a number below: a timeout
constexpr std::uint64_t kUnnoticed = ~std::uint64_t{0};  // cancellations: nobody waits for their result
constexpr std::size_t kBatch = 256;

std::uint64_t user_data_of(std::uint32_t index, std::uint32_t generation) {
  return (std::uint64_t{generation} << 32) | index;
}

/// A flush is carried out by a thread that the kernel makes of this process when it needs one. If no process is to be
/// had at that moment, it cancels the flush instead, which would be a failed disk. It keeps the thread it has: so the
/// first one is made here, by a flush of nothing.
Result<void> have_a_worker(io_uring& ring) {
  const int nothing = ::memfd_create("bascule-nothing", MFD_CLOEXEC);
  if (nothing < 0) return fail_errno("io_uring cannot be set up", "memfd_create", errno);
  io_uring_prep_fsync(io_uring_get_sqe(&ring), nothing, IORING_FSYNC_DATASYNC);
  io_uring_submit(&ring);
  io_uring_cqe* done = nullptr;
  int status = io_uring_wait_cqe(&ring, &done);
  if (status == 0) {
    status = done->res;
    io_uring_cqe_seen(&ring, done);
  }
  ::close(nothing);
  if (status == -ECANCELED)
    return fail("io_uring cannot be set up", "", "no process is to be had that would flush a disk",
                "see what takes all processes of this machine (pid_max, cgroup limits)");
  if (status < 0) return fail_errno("io_uring cannot be set up", "a first flush", -status);
  return {};
}

}  // namespace

Result<std::unique_ptr<Ring>> Ring::create(unsigned entries) {
  std::unique_ptr<Ring> ring(new Ring);
  io_uring_params parameters{};
  parameters.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  parameters.cq_entries = entries * 4;
  int status = io_uring_queue_init_params(entries, &ring->ring_, &parameters);
  if (status == -EINVAL) {  // before Linux 6.1
    parameters = {};
    parameters.flags = IORING_SETUP_CQSIZE;
    parameters.cq_entries = entries * 4;
    status = io_uring_queue_init_params(entries, &ring->ring_, &parameters);
  }
  if (status < 0) return fail_errno("io_uring cannot be set up", "io_uring_setup", -status);
  ring->open_ = true;
  if (auto worker = have_a_worker(ring->ring_); !worker) return tl::unexpected(worker.error());
  ring->slots_.reserve(entries);
  ring->free_.reserve(entries);
  return ring;
}

Ring::~Ring() {
  if (open_) io_uring_queue_exit(&ring_);
}

Instant Ring::now() {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return instant_from_ns(std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec);
}

Result<void> Ring::register_arena(std::span<Byte> arena) {
  const iovec area{arena.data(), arena.size()};
  const int status = io_uring_register_buffers(&ring_, &area, 1);
  if (status < 0) return fail_errno("memory cannot be registered with io_uring", "", -status);
  arena_ = arena;
  return {};
}

bool Ring::in_arena(const Byte* at, std::size_t size) const {
  return !arena_.empty() && at >= arena_.data() && at + size <= arena_.data() + arena_.size();
}

io_uring_sqe* Ring::entry() {
  io_uring_sqe* free = io_uring_get_sqe(&ring_);
  while (free == nullptr) {
    io_uring_submit(&ring_);
    free = io_uring_get_sqe(&ring_);
  }
  return free;
}

OperationHandle Ring::start(io_uring_sqe* entry, Completion done) {
  if (free_.empty()) {
    slots_.emplace_back();
    free_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  slot.done = done;
  slot.used = true;
  slot.watch = slot.cancelled = slot.accepts = slot.abandoned = false;
  slot.generation = (slot.generation + 1) & 0x7fffffffU;
  entry->user_data = user_data_of(index, slot.generation);
  return entry->user_data;
}

OperationHandle Ring::read(int descriptor, std::span<Byte> into, std::uint64_t offset, Completion done) {
  io_uring_sqe* const sqe = entry();
  const auto size = static_cast<unsigned>(into.size());
  if (in_arena(into.data(), into.size()))
    io_uring_prep_read_fixed(sqe, descriptor, into.data(), size, offset, 0);
  else
    io_uring_prep_read(sqe, descriptor, into.data(), size, offset);
  return start(sqe, done);
}

OperationHandle Ring::write(int descriptor, ByteView from, std::uint64_t offset, bool durable, Completion done) {
  io_uring_sqe* const sqe = entry();
  const auto size = static_cast<unsigned>(from.size());
  if (in_arena(from.data(), from.size()))
    io_uring_prep_write_fixed(sqe, descriptor, from.data(), size, offset, 0);
  else
    io_uring_prep_write(sqe, descriptor, from.data(), size, offset);
  if (durable) sqe->rw_flags |= RWF_DSYNC;
  return start(sqe, done);
}

OperationHandle Ring::datasync(int descriptor, Completion done) {
  io_uring_sqe* const sqe = entry();
  io_uring_prep_fsync(sqe, descriptor, IORING_FSYNC_DATASYNC);
  return start(sqe, done);
}

OperationHandle Ring::allocate(int descriptor, int mode, std::uint64_t offset, std::uint64_t length, Completion done) {
  io_uring_sqe* const sqe = entry();
  io_uring_prep_fallocate(sqe, descriptor, mode, static_cast<off_t>(offset), static_cast<off_t>(length));
  return start(sqe, done);
}

OperationHandle Ring::accept(int descriptor, Completion done) {
  io_uring_sqe* const sqe = entry();
  io_uring_prep_accept(sqe, descriptor, nullptr, nullptr, SOCK_CLOEXEC);
  const OperationHandle handle = start(sqe, done);
  slots_[static_cast<std::uint32_t>(handle)].accepts = true;
  return handle;
}

OperationHandle Ring::connect(int descriptor, const sockaddr* address, socklen_t length, Completion done) {
  io_uring_sqe* const sqe = entry();
  io_uring_prep_connect(sqe, descriptor, address, length);
  return start(sqe, done);
}

OperationHandle Ring::receive(int descriptor, std::span<Byte> into, bool whole, Completion done) {
  io_uring_sqe* const sqe = entry();
  io_uring_prep_recv(sqe, descriptor, into.data(), into.size(), whole ? MSG_WAITALL : 0);
  return start(sqe, done);
}

OperationHandle Ring::send(int descriptor, const msghdr* message, Completion done) {
  io_uring_sqe* const sqe = entry();
  io_uring_prep_sendmsg(sqe, descriptor, message, MSG_NOSIGNAL);
  return start(sqe, done);
}

OperationHandle Ring::watch(int descriptor, short events, Completion ready) {
  io_uring_sqe* const sqe = entry();
  io_uring_prep_poll_multishot(sqe, descriptor, static_cast<unsigned>(events));
  const OperationHandle handle = start(sqe, ready);
  Slot& slot = slots_[static_cast<std::uint32_t>(handle)];
  slot.watch = true;
  slot.descriptor = descriptor;
  slot.events = events;
  return handle;
}

void Ring::arm_watch(std::uint32_t index) {
  const Slot& slot = slots_[index];
  io_uring_sqe* const sqe = entry();
  io_uring_prep_poll_multishot(sqe, slot.descriptor, static_cast<unsigned>(slot.events));
  sqe->user_data = user_data_of(index, slot.generation);
}

void Ring::cancel(OperationHandle handle) {
  const auto index = static_cast<std::uint32_t>(handle);
  if (handle == 0 || index >= slots_.size()) return;
  if (!slots_[index].used || slots_[index].generation != handle >> 32) return;
  slots_[index].cancelled = true;
  io_uring_sqe* const sqe = entry();
  io_uring_prep_cancel64(sqe, handle, 0);
  sqe->user_data = kUnnoticed;
}

void Ring::abandon(OperationHandle handle) {
  cancel(handle);
  const auto index = static_cast<std::uint32_t>(handle);
  if (handle != 0 && index < slots_.size() && slots_[index].generation == handle >> 32)
    slots_[index].abandoned = slots_[index].used;
}

TimerHandle Ring::timer(Instant when, Completion done) {
  const TimerHandle handle = next_timer_++;
  timers_.emplace(when, Timer{handle, done});
  timer_times_.emplace(handle, when);
  return handle;
}

void Ring::cancel_timer(TimerHandle handle) {
  const auto known = timer_times_.find(handle);
  if (known == timer_times_.end()) return;
  const auto [first, last] = timers_.equal_range(known->second);
  const auto timer = std::find_if(first, last, [&](const auto& entry) { return entry.second.handle == handle; });
  timers_.erase(timer);
  timer_times_.erase(known);
}

// One timeout stands in the kernel, for the earliest timer. It is not moved when that timer is cancelled: it fires,
// finds nothing to do, and the next one is set.
void Ring::arm_timer() {
  if (timers_.empty() || timers_.begin()->first >= armed_) return;
  armed_ = timers_.begin()->first;
  const std::int64_t ns = std::max<std::int64_t>(to_ns(armed_), 1);
  armed_time_ = {ns / 1'000'000'000, ns % 1'000'000'000};
  io_uring_sqe* const sqe = entry();
  io_uring_prep_timeout(sqe, &armed_time_, 0, IORING_TIMEOUT_ABS | IORING_TIMEOUT_BOOTTIME);
  sqe->user_data = kOwn | ++armed_number_;
}

void Ring::timeout_fired(std::uint32_t number) {
  if (number == armed_number_) armed_ = never;
}

void Ring::run_timers() {
  if (timers_.empty()) return;
  const Instant time = now();
  while (!timers_.empty() && timers_.begin()->first <= time) {
    Timer timer = timers_.begin()->second;
    timers_.erase(timers_.begin());
    timer_times_.erase(timer.handle);
    timer.done(0);
  }
}

void Ring::bury(std::unique_ptr<Closing> closing) { buried_.push_back(std::move(closing)); }

void Ring::wait() {
  arm_timer();
  io_uring_submit_and_wait(&ring_, 1);
}

void Ring::complete(std::uint64_t user_data, int result, std::uint32_t flags) {
  if (user_data == kUnnoticed) return;
  if ((user_data & kOwn) != 0) return timeout_fired(static_cast<std::uint32_t>(user_data));
  const auto index = static_cast<std::uint32_t>(user_data);
  if (index >= slots_.size() || slots_[index].generation != user_data >> 32) return;
  Completion done = slots_[index].done;  // a copy: the call may start operations and so move the slots
  const bool lost = slots_[index].abandoned;
  if (lost && slots_[index].accepts && result >= 0) ::close(result);
  const bool watching = slots_[index].watch && !slots_[index].cancelled;
  const bool silent = slots_[index].watch && !watching;
  if ((flags & IORING_CQE_F_MORE) == 0) {
    if (watching && result >= 0)
      arm_watch(index);
    else
      finish(index);
  }
  if (!silent && !lost) done(result);
}

void Ring::finish(std::uint32_t index) {
  slots_[index].used = false;
  free_.push_back(index);
}

void Ring::dispatch() {
  struct Event {
    std::uint64_t user_data;
    int result;
    std::uint32_t flags;
  };
  std::array<Event, kBatch> events;
  std::array<io_uring_cqe*, kBatch> entries;
  const unsigned count = io_uring_peek_batch_cqe(&ring_, entries.data(), kBatch);
  for (unsigned i = 0; i < count; ++i) events[i] = {entries[i]->user_data, entries[i]->res, entries[i]->flags};
  io_uring_cq_advance(&ring_, count);
  for (unsigned i = 0; i < count; ++i) complete(events[i].user_data, events[i].result, events[i].flags);
  run_timers();
  std::erase_if(buried_, [](const auto& closing) { return closing->idle(); });
}

}  // namespace bascule::uring
