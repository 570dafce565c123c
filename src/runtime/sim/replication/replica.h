#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/replication/engine.h"
#include "runtime/sim/clock.h"
#include "runtime/sim/disk.h"
#include "runtime/sim/replication/stamp_disk.h"
#include "runtime/sim/scheduler.h"

namespace bascule::sim {

struct Replica;
class PairLink;

/// What a replica lives in: it answers for what is outside of the engine's driver.
class ReplicaWorld {
 public:
  virtual ~ReplicaWorld() = default;

  /// What the lease page says, if the engine has to be told before the next input.
  virtual std::optional<replication::input::LeaseRead> lease(Replica& replica) = 0;
  virtual void complete(Replica& replica, const replication::effect::Complete& effect) = 0;
  virtual void request_shrink(Replica& replica, const replication::effect::RequestShrink& effect) = 0;
  virtual void request_grow(Replica& replica, const replication::effect::RequestGrow& effect) = 0;
  virtual void command_done(Replica& replica, const replication::effect::CommandDone& effect) = 0;
  virtual void run_handler(Replica& replica, const replication::effect::RunHandler& effect) = 0;
  virtual void event(Replica& replica, const replication::effect::Event& effect) = 0;
  virtual void status_changed(Replica&) {}
  /// Nothing more is to be done at this moment.
  virtual void turn_ended(Replica&) {}
  virtual void metadata_moved(Replica&, const replication::effect::MetadataMoved&) {}

  /// A write leaves for the disk, or is done there.
  enum class DiskMoment : std::uint8_t { Begins, Done, Failed };
  virtual void disk_write(Replica& replica, DiskMoment moment, std::uint64_t sector,
                          const StampDisk::Stamps& stamps) = 0;
  /// A packet that says something of sizes is about to be given to the engine, which wants to know the disk's before.
  virtual void sizes_come(Replica&) {}

  enum class Reach : std::uint8_t {
    Up,
    Refused,  ///< the machine answers that nobody listens
    Silent,   ///< no answer at all
  };
  [[nodiscard]] virtual Reach reach(const Replica& from, const Replica& to) = 0;
  virtual void violation(std::string text) = 0;
};

/// An engine under its simulated driver: a disk of stamps, metadata in bytes, buffers, sockets, one timer. What
/// happens to the process (it stands still, it ends, the power fails) happens to all of it. Fields are for the world
/// and its checkers to look at.
struct Replica {
  using SocketId = replication::input::SocketId;
  using Stamps = StampDisk::Stamps;
  /// `index`: which one of the pair. All references outlive the replica; the clock is the machine's.
  Replica(ReplicaWorld& world_in, Scheduler& scheduler_in, const Clock& clock_in, std::size_t index_in,
          std::uint64_t data_sectors, std::uint64_t metadata_bytes)
      : world(world_in),
        scheduler(scheduler_in),
        clock(clock_in),
        index(index_in),
        data(data_sectors),
        metadata(metadata_bytes) {}
  virtual ~Replica() = default;
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  /// A new process, with this engine.
  void start(const replication::Config& config, replication::Restored restored);
  /// The process ends: what was under way at the disk may or may not have happened.
  void stop();
  /// After stop(): what was not flushed is lost, kept or torn.
  void power_loss();
  /// The process stands still; its disk and its connections do not.
  void pause() { paused = true; }
  void resume();

  /// Gives the engine one input, or keeps it for when the process goes on.
  void step(replication::Input input);
  /// Does it unless this process has ended by then; while it stands still, when it goes on.
  template <typename Action>
  void later(Duration delay, Action action) {
    scheduler.after(delay, [this, life_then = life, action = std::move(action)]() mutable {
      if (alive && life == life_then) action();
    });
  }
  [[nodiscard]] Instant local() const { return clock.local(scheduler.now()); }
  [[nodiscard]] Duration between(Duration low, Duration high) {
    return Duration{scheduler.prng().between(low.count(), high.count())};
  }
  [[nodiscard]] replication::BufferId new_buffer(Stamps stamps);

  ReplicaWorld& world;
  Scheduler& scheduler;
  const Clock& clock;
  PairLink* link = nullptr;  ///< to the other one of the pair
  std::size_t index;
  std::uint32_t life = 0;  ///< counts starts; effects of an earlier one are void
  bool alive = false;
  bool paused = false;
  std::unique_ptr<replication::Engine> engine;
  StampDisk data;
  Disk metadata;
  std::unordered_map<replication::BufferId, Stamps> buffers;
  replication::BufferId next_buffer = 1;
  SocketId next_accepted = replication::input::kAcceptedSocketBit;
  struct InFlight {
    std::uint64_t sector;
    Stamps stamps;
  };
  std::map<replication::OperationId, InFlight> in_flight;  ///< at the disk
  std::uint32_t failing_io = 0;                            ///< so many of the next disk requests fail

 private:
  friend class PairLink;
  void run(const replication::Input& input);
  void rearm();
  void tick();
  Duration disk_delay();
  void check_overlap(std::uint64_t sector, std::uint64_t sectors);
  void put(replication::OperationId operation, std::uint64_t sector, Stamps stamps, bool durable);
  void written(replication::OperationId operation, bool durable);

  void carry_out(const replication::effect::DiskWrite& effect);
  void carry_out(const replication::effect::DiskZero& effect);
  void carry_out(const replication::effect::DiskRead& effect);
  void carry_out(const replication::effect::DiskFlush& effect);
  void carry_out(const replication::effect::MetadataWrite& effect);
  void carry_out(const replication::effect::MetadataMoved& effect) { world.metadata_moved(*this, effect); }
  void carry_out(const replication::effect::Connect& effect);
  void carry_out(const replication::effect::CloseSocket& effect);
  void carry_out(const replication::effect::UseWire& effect);
  void carry_out(const replication::effect::Send& effect);
  void carry_out(const replication::effect::TakeBuffer& effect);
  void carry_out(const replication::effect::ReleaseBuffer& effect);
  void carry_out(const replication::effect::CopyBuffer& effect);
  void carry_out(const replication::effect::Complete& effect) { world.complete(*this, effect); }
  void carry_out(const replication::effect::RequestShrink& effect) { world.request_shrink(*this, effect); }
  void carry_out(const replication::effect::RequestGrow& effect) { world.request_grow(*this, effect); }
  void carry_out(const replication::effect::CommandDone& effect) { world.command_done(*this, effect); }
  void carry_out(const replication::effect::RunHandler& effect) { world.run_handler(*this, effect); }
  void carry_out(const replication::effect::Event& effect) { world.event(*this, effect); }
  void carry_out(const replication::effect::StatusChanged&) { world.status_changed(*this); }

  Scheduler::EventId timer_{};
  Instant timer_at_ = never;
  Instant last_tick_{};
  std::uint32_t ticks_at_once_ = 0;  ///< an engine whose deadline does not move spins
  bool stepping_ = false;
  std::deque<replication::Input> inputs_;  ///< of a step under way, or while it stands still
  replication::Effects effects_;
};

}  // namespace bascule::sim
