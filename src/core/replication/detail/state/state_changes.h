#pragma once

#include <optional>

#include "core/replication/detail/resync/bitmap_exchange.h"
#include "core/replication/detail/session/keepalive.h"

namespace bascule::replication::detail {

/// Changes of state that the peer has to agree to (DRBD 8.4: role Primary, the beginning of a resync or a verify,
/// detach, disconnect). One at a time is under way; both sides may ask at once, then the one that accepted the meta
/// socket refuses the other's and the other one asks again.
///
///   Idle --ask--> Asked --reply--> Answered --take--> Idle
///                   |  ^
///      concurrent   v  | pause
///                 Waiting                       the end of the session answers with Unknown
class StateChanges {
 public:
  using Result = drbd::StateChangeResult;
  StateChanges(Core& core, Keepalive& keepalive, BitmapExchange& exchange)
      : core_(core), keepalive_(keepalive), exchange_(exchange) {}

  // -- our own changes
  [[nodiscard]] bool busy() const { return phase_ != Phase::Idle; }
  /// In this node's view. A PING goes first, so that a dead peer is found out soon. Only when not busy.
  void ask(const drbd::StateChange& change, bool connection_wide);
  /// The peer's answer, once; Unknown: the connection ended before.
  [[nodiscard]] std::optional<Result> take();
  /// False: nobody asked, a protocol error.
  bool replied(bool connection_wide, Result result);
  /// Nobody wants the answer any more.
  void forget();
  void session_lost();
  void tick();
  [[nodiscard]] Instant deadline() const { return until_; }

  // -- the peer's
  void requested(const drbd::StateChange& change, bool connection_wide);

 private:
  enum class Phase : std::uint8_t { Idle, Asked, Waiting, Answered };

  void send();
  void reply(bool connection_wide, Result result);
  [[nodiscard]] Result answer_to(const drbd::StateWord& wanted, const drbd::StateChange& own_view) const;
  void apply(const drbd::StateWord& wanted, const drbd::StateChange& own_view);

  Core& core_;
  Keepalive& keepalive_;
  BitmapExchange& exchange_;
  Phase phase_ = Phase::Idle;
  drbd::StateChange change_;
  bool connection_wide_ = false;
  bool forgotten_ = false;
  std::uint32_t tries_ = 0;
  Result result_ = Result::Unknown;
  Instant until_ = never;
};

}  // namespace bascule::replication::detail
