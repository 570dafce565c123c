#include "runtime/sim/liar/liar.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "runtime/sim/liar/lies.h"

namespace bascule::sim {
namespace {

using drbd::ConnectionState;
using drbd::Socket;

constexpr Duration patience = milliseconds(100);

/// What the peer pretends to be in this session.
enum class Part : std::uint8_t { Equal, Source, Target };

/// The truthful side of the peer: everything up to the moment of the lie.
class Peer {
 public:
  Peer(Victim& victim, Prng& prng) : victim_(victim), prng_(prng) {}

  /// From StandAlone or nothing to a session in which both sides know everything. False: it ended, or never began.
  bool converse() {
    part_ = victim_.status().role == drbd::Role::Primary ? (prng_.chance(1, 3) ? Part::Target : Part::Equal)
                                                         : static_cast<Part>(prng_.below(3));
    heard_ = {};
    if (victim_.status().connection == ConnectionState::StandAlone)
      victim_.step(replication::input::ConnectPeer{next_command_++});
    for (int round = 0; round < 200 && !victim_.meet(); ++round) victim_.wait(seconds(30));
    listen();
    return victim_.in_session() && victim_.status().connection >= ConnectionState::Connected;
  }

  /// Hears everything that was said, and answers what keeps the session alive.
  void listen() {
    victim_.settle();
    while (!victim_.outgoing.empty()) {
      const Victim::Outgoing next = std::move(victim_.outgoing.front());
      victim_.outgoing.pop_front();
      std::visit([this](const auto& packet) { on(packet); }, next.packet);
      victim_.settle();
    }
  }

  [[nodiscard]] const Heard& heard() const { return heard_; }

 private:
  void say(Socket kind, const drbd::Packet& packet) {
    if (!victim_.in_session()) return;
    Bytes bytes = drbd::encode(packet, 0, victim_.wire(kind));
    bytes.resize(bytes.size() + drbd::payload_bytes_of(packet), 0x21);
    victim_.receive(kind, bytes);
  }

  template <typename Other>
  void on(const Other&) {}
  void on(const drbd::Ping&) { say(Socket::Meta, drbd::PingAck{}); }
  void on(const drbd::Data& data) { heard_.writes.push_back(data); }
  void on(const drbd::Barrier& barrier) { heard_.barriers.push_back(barrier); }
  void on(const drbd::ResyncRequest& request) { heard_.requests.push_back(request); }
  void on(const drbd::StateChangeRequest&) {
    say(Socket::Meta, drbd::StateChangeReply{drbd::StateChangeResult::Success});
  }
  void on(const drbd::ConnectionStateChangeRequest&) {
    say(Socket::Meta, drbd::ConnectionStateChangeReply{drbd::StateChangeResult::Success});
  }

  void on(const drbd::Features& theirs) {
    drbd::Features features;
    features.protocol_min = 86;
    features.feature_flags = theirs.feature_flags;
    const Bytes bytes = drbd::encode(features, 0, drbd::WireOptions{});
    victim_.receive(Socket::Data, bytes);
  }

  void on(const drbd::Protocol& theirs) { say(Socket::Data, theirs); }
  void on(const drbd::SyncParam& theirs) { say(Socket::Data, theirs); }
  void on(const drbd::Sizes&) {
    if (told_sizes_) return;
    drbd::Sizes sizes;
    sizes.disk_sectors = sizes.user_sectors = sizes.current_sectors = Victim::data_sectors;
    if ((victim_.wire(Socket::Data).feature_flags & drbd::feature::kWriteSame) != 0)
      sizes.queue_limits = drbd::QueueLimits{};
    say(Socket::Data, sizes);
  }

  void on(const drbd::Uuids& theirs) {
    if (victim_.status().connection >= ConnectionState::Connected) return;
    drbd::Uuids uuids{theirs.current, theirs.bitmap, theirs.history, 0, 0};
    if (part_ == Part::Source) uuids.current = prng_.next() | 2, uuids.bitmap = theirs.current;
    if (part_ == Part::Target) uuids = drbd::Uuids{drbd::kUuidJustCreated, 0, {}, 0, drbd::uuid_flag::kInconsistent};
    say(Socket::Data, uuids);
    drbd::State state;
    state.state.connection = ConnectionState::WFConnection;
    state.state.disk = part_ == Part::Target ? drbd::DiskState::Inconsistent : drbd::DiskState::UpToDate;
    say(Socket::Data, state);
  }

  void on(const drbd::BitmapChunk&) { bitmap_heard(); }
  void on(const drbd::CompressedBitmap&) { bitmap_heard(); }
  void bitmap_heard() {
    if (victim_.status().connection == ConnectionState::WFBitMapS)
      say(Socket::Data, drbd::BitmapChunk{Bytes(Victim::data_sectors / 8 / 8, 0)});
    else if (part_ == Part::Source)
      say(Socket::Data, drbd::SyncUuid{prng_.next() | 2});
  }
  /// The source begins with its bitmap as soon as it has heard what the other thinks.
  void on(const drbd::State&) {
    if (part_ != Part::Source || victim_.status().connection != ConnectionState::WFBitMapT) return;
    if (sent_bitmap_in_ == victim_.now()) return;
    sent_bitmap_in_ = victim_.now();
    say(Socket::Data, drbd::BitmapChunk{Bytes(Victim::data_sectors / 8 / 8, 0xff)});
  }

  Victim& victim_;
  Prng& prng_;
  Part part_ = Part::Equal;
  bool told_sizes_ = false;
  Instant sent_bitmap_in_{};
  Heard heard_;
  replication::CommandId next_command_ = 1;
};

/// One engine and its lying peer, for a while.
class Interview {
 public:
  Interview(std::uint64_t seed, Prng& prng, LiarReport& report)
      : prng_(prng),
        report_(report),
        victim_({seed, prng.chance(1, 2) ? Digest::crc32c : Digest::none, prng.chance(1, 2)}),
        peer_(victim_, prng) {}

  /// One session that ends with a lie. False: something failed.
  bool session() {
    ++report_.sessions;
    if (!peer_.converse()) return fail("the handshake did not succeed: " + victim_.ended_because());
    if (victim_.status().role == drbd::Role::Primary) application_writes();
    if (prng_.chance(1, 5)) return garble();
    const auto& kinds = lies();
    for (;;) {
      const LieKind& kind = kinds[prng_.below(kinds.size())];
      const auto lie = kind.tell(victim_, peer_.heard(), prng_);
      if (!lie) continue;
      ++report_.told[kind.name];
      return tell(*lie, kind.name);
    }
  }

 private:
  void application_writes() {
    for (std::uint64_t count = prng_.below(4); count > 0; --count)
      victim_.write(prng_.below(Victim::data_bytes / 4096) * 4096, 4096);
    peer_.listen();
  }

  bool garble() {
    ++report_.told["garbled packet"];
    ++report_.messages;
    const Lie lie = garbled(victim_, prng_);
    victim_.receive(lie.kind, lie.bytes);
    wait_for_the_end();
    if (victim_.in_session()) {
      ++report_.harmless;
      victim_.hang_up("the peer went away");
      victim_.settle();
    } else {
      ++report_.disconnects;
    }
    return after("garbled packet");
  }

  bool tell(const Lie& lie, const std::string& name) {
    ++report_.messages;
    victim_.receive(lie.kind, lie.bytes);
    wait_for_the_end();
    if (victim_.in_session())
      return fail("was believed: " + name + ", while " + drbd::name_of(victim_.status().connection));
    ++report_.disconnects;
    return after(name);
  }

  /// A lie is found out at once, not when something else has run into a time limit.
  void wait_for_the_end() {
    const Instant until = victim_.now() + patience;
    peer_.listen();
    for (int round = 0; round < 20 && victim_.in_session() && victim_.now() < until; ++round) {
      victim_.wait(patience / 4);
      peer_.listen();
    }
    // One socket is closed by us, the other one by the engine.
    if (!victim_.in_session()) victim_.hang_up("the rest of the pair");
    victim_.settle();
  }

  bool after(const std::string& name) {
    if (!victim_.violation().empty()) return fail(victim_.violation() + " after: " + name);
    if (victim_.kept_buffers() != 0)
      return fail(std::to_string(victim_.kept_buffers()) + " buffers are kept after: " + name);
    if (victim_.ended_because().empty()) return fail("ended without a reason: " + name);
    return true;
  }

  bool fail(std::string what) {
    if (!victim_.violation().empty()) what += "; " + victim_.violation();
    report_.failure = std::move(what);
    return false;
  }

  Prng& prng_;
  LiarReport& report_;
  Victim victim_;
  Peer peer_;
};

}  // namespace

LiarReport tell_lies(const LiarScenario& scenario) {
  constexpr std::uint64_t per_engine = 200;
  LiarReport report;
  Prng prng(scenario.seed);
  std::unique_ptr<Interview> interview;
  while (report.messages < scenario.messages && report.failure.empty()) {
    if (report.messages % per_engine == 0) {
      interview = std::make_unique<Interview>(prng.next(), prng, report);
      if (scenario.progress) scenario.progress(report.messages);
    }
    (void)interview->session();
  }
  return report;
}

}  // namespace bascule::sim
