#include "runtime/sim/replication/replica.h"

#include <algorithm>
#include <cerrno>

#include "base/digest.h"
#include "runtime/sim/replication/pair_link.h"

namespace bascule::sim {

using namespace replication;  // NOLINT: this file drives that room

namespace {

constexpr std::uint64_t garbage = ~std::uint64_t{0};  ///< what a buffer holds before anybody fills it
constexpr std::uint32_t ticks_at_once_max = 1000;

}  // namespace

// ---- life -------------------------------------------------------------------------------------------------------

void Replica::start(const Config& config, Restored restored) {
  alive = true;
  paused = false;
  ++life;
  engine = std::make_unique<Engine>(config, std::move(restored), local());
  timer_at_ = never;
  step(input::Tick{});
}

void Replica::stop() {
  alive = paused = false;
  engine.reset();
  for (auto& [operation, write] : in_flight)
    if (scheduler.prng().chance(1, 2)) data.write(write.sector, write.stamps);
  in_flight.clear();
  buffers.clear();
  inputs_.clear();
  failing_io = 0;
  scheduler.cancel(timer_);
  timer_at_ = never;
}

void Replica::power_loss() {
  data.power_loss(scheduler.prng());
  metadata.power_loss(scheduler.prng());
}

void Replica::resume() {
  if (!std::exchange(paused, false) || !alive) return;
  step(input::Tick{});
}

void Replica::step(Input input) {
  inputs_.push_back(std::move(input));
  if (stepping_ || paused) return;
  stepping_ = true;
  while (!inputs_.empty() && alive) {
    const Input next = std::move(inputs_.front());
    inputs_.pop_front();
    run(next);
  }
  stepping_ = false;
  if (!alive) return;
  rearm();
  world.turn_ended(*this);
}

void Replica::run(const Input& input) {
  if (const auto lease = world.lease(*this)) engine->step(*lease, local(), effects_);
  engine->step(input, local(), effects_);
  for (const Effect& effect : effects_) std::visit([&](const auto& each) { carry_out(each); }, effect);
  effects_.clear();
}

void Replica::rearm() {
  const Instant due = engine->next_deadline();
  if (due == timer_at_) return;
  scheduler.cancel(timer_);
  timer_at_ = due;
  if (due == never) return;
  timer_ = scheduler.at(clock.world(due), [this] { tick(); });
}

void Replica::tick() {
  if (!alive) return;
  timer_at_ = never;
  if (paused) return;
  ticks_at_once_ = last_tick_ == local() ? ticks_at_once_ + 1 : 0;
  last_tick_ = local();
  if (ticks_at_once_ > ticks_at_once_max) return world.violation("the engine asks for ticks without end");
  step(input::Tick{});
}

// ---- disk -------------------------------------------------------------------------------------------------------

Duration Replica::disk_delay() {
  return scheduler.prng().chance(1, 50) ? between(milliseconds(1), milliseconds(20))
                                        : between(microseconds(30), microseconds(600));
}

void Replica::check_overlap(std::uint64_t sector, std::uint64_t sectors) {
  for (const auto& [other, write] : in_flight)
    if (sector < write.sector + write.stamps.size() && write.sector < sector + sectors)
      world.violation("overlapping disk writes are in flight on node " + std::to_string(index));
}

/// The disk takes it some time from now, unless it is broken.
void Replica::put(OperationId operation, std::uint64_t sector, Stamps stamps, bool durable) {
  check_overlap(sector, stamps.size());
  world.disk_write(*this, ReplicaWorld::DiskMoment::Begins, sector, stamps);
  in_flight[operation] = {sector, std::move(stamps)};
  later(disk_delay(), [this, operation, durable] { written(operation, durable); });
}

void Replica::written(OperationId operation, bool durable) {
  using Moment = ReplicaWorld::DiskMoment;
  const auto done = in_flight.extract(operation);
  const InFlight& write = done.mapped();
  const bool fails = failing_io != 0;
  if (fails) --failing_io;
  world.disk_write(*this, fails ? Moment::Failed : Moment::Done, write.sector, write.stamps);
  if (!fails || scheduler.prng().chance(1, 2)) data.write(write.sector, write.stamps);
  if (durable && !fails) data.end_flush(data.begin_flush());
  step(input::DiskDone{operation, fails ? EIO : 0});
}

void Replica::carry_out(const effect::DiskWrite& effect) {
  const auto buffer = buffers.find(effect.buffer);
  if (buffer == buffers.end() || buffer->second.size() * sector_bytes != effect.length)
    return world.violation("a disk write from a buffer that is not there");
  put(effect.operation, effect.offset / sector_bytes, buffer->second, effect.durable);
}

void Replica::carry_out(const effect::DiskZero& effect) {
  put(effect.operation, effect.offset / sector_bytes, Stamps(effect.length / sector_bytes, 0), effect.durable);
}

void Replica::carry_out(const effect::DiskRead& effect) {
  later(disk_delay(), [this, effect] {
    const auto buffer = buffers.find(effect.buffer);
    if (buffer == buffers.end()) return world.violation("a disk read into a buffer that is not there");
    if (failing_io != 0) {
      --failing_io;
      return step(input::DiskDone{effect.operation, EIO});
    }
    Stamps stamps = data.read(effect.offset / sector_bytes, effect.length / sector_bytes);
    input::DiskDone done{effect.operation, 0};
    if (effect.digest != Digest::none) {
      Bytes bytes;
      ByteWriter writer(bytes);
      for (const std::uint64_t stamp : stamps) writer.big(stamp);
      done.digest = digest_of(effect.digest, bytes);
    }
    done.all_zero =
        effect.detect_zeroes && std::all_of(stamps.begin(), stamps.end(), [](auto each) { return each == 0; });
    buffer->second = std::move(stamps);
    step(std::move(done));
  });
}

void Replica::carry_out(const effect::DiskFlush& effect) {
  const StampDisk::FlushToken token = data.begin_flush();
  later(disk_delay(), [this, operation = effect.operation, token] {
    data.end_flush(token);
    step(input::DiskDone{operation, 0});
  });
}

void Replica::carry_out(const effect::MetadataWrite& effect) {
  const StampDisk::FlushToken token = data.begin_flush();
  const Duration flush_time = disk_delay();
  later(flush_time, [this, effect, token] {
    data.end_flush(token);
    // In the cache: a power loss may tear it, or keep it although nobody was told.
    (void)metadata.write(effect.offset, effect.content);
  });
  later(flush_time + disk_delay(), [this, operation = effect.operation] {
    (void)metadata.flush();
    step(input::DiskDone{operation, 0});
  });
}

// ---- buffers ----------------------------------------------------------------------------------------------------

BufferId Replica::new_buffer(Stamps stamps) {
  const BufferId buffer = next_buffer++;
  buffers[buffer] = std::move(stamps);
  return buffer;
}

void Replica::carry_out(const effect::TakeBuffer& effect) {
  const std::uint64_t content = effect.zeroed ? 0 : garbage;
  if (!buffers.emplace(effect.buffer, Stamps(effect.length / sector_bytes, content)).second)
    world.violation("a buffer is taken twice");
}

void Replica::carry_out(const effect::CopyBuffer& effect) {
  const auto from = buffers.find(effect.from);
  const auto to = buffers.find(effect.to);
  const std::size_t sectors = effect.length / sector_bytes;
  if (from == buffers.end() || to == buffers.end() || from->second.size() < sectors)
    return world.violation("a copy between buffers that are not there");
  to->second.assign(from->second.begin(), from->second.begin() + static_cast<std::ptrdiff_t>(sectors));
}

void Replica::carry_out(const effect::ReleaseBuffer& effect) {
  if (buffers.erase(effect.buffer) != 1) world.violation("a buffer is released that is not there");
}

// ---- network ----------------------------------------------------------------------------------------------------

void Replica::carry_out(const effect::Connect& effect) { link->connect(*this, effect.socket); }
void Replica::carry_out(const effect::CloseSocket& effect) { link->close(*this, effect.socket); }
void Replica::carry_out(const effect::UseWire& effect) { link->use_wire(*this, effect); }

void Replica::carry_out(const effect::Send& effect) {
  Stamps payload;
  if (effect.buffer != 0) {
    const auto buffer = buffers.find(effect.buffer);
    if (buffer == buffers.end()) return world.violation("a send from a buffer that is not there");
    payload = buffer->second;
  }
  link->send(*this, effect, std::move(payload));
}

}  // namespace bascule::sim
