#include "core/replication/detail/state/state_changes.h"

#include "core/replication/detail/state/decisions.h"

namespace bascule::replication::detail {
namespace {

using drbd::StateChangeResult;

constexpr std::uint32_t max_tries = 4;
constexpr Duration concurrent_pause = milliseconds(100);

bool selects(const drbd::StateChange& change, const drbd::StateField& field) { return (change.mask & field.mask) != 0; }

/// The connection states that a peer may ask this node to take, in this node's view.
bool follows(ConnectionState wanted) {
  return wanted == ConnectionState::TearDown || wanted == ConnectionState::StartingSyncS ||
         wanted == ConnectionState::StartingSyncT || wanted == ConnectionState::VerifyT;
}

}  // namespace

// ---- our own ----------------------------------------------------------------------------------------------------

void StateChanges::ask(const drbd::StateChange& change, bool connection_wide) {
  change_ = change;
  connection_wide_ = connection_wide;
  tries_ = 0;
  forgotten_ = false;
  keepalive_.probe();
  send();
}

void StateChanges::send() {
  phase_ = Phase::Asked;
  ++tries_;
  until_ = core_.now + core_.config.request_timeout;
  if (connection_wide_)
    core_.send_data(drbd::ConnectionStateChangeRequest{change_});
  else
    core_.send_data(drbd::StateChangeRequest{change_});
}

bool StateChanges::replied(bool connection_wide, Result result) {
  if (phase_ != Phase::Asked || connection_wide != connection_wide_) return false;
  if (result == Result::ConcurrentStateChange && tries_ < max_tries) {
    phase_ = Phase::Waiting;
    until_ = core_.now + concurrent_pause;
    return true;
  }
  phase_ = forgotten_ ? Phase::Idle : Phase::Answered;
  result_ = result;
  until_ = never;
  core_.changed();
  return true;
}

void StateChanges::forget() {
  forgotten_ = true;
  if (phase_ == Phase::Answered) phase_ = Phase::Idle;
}

std::optional<StateChangeResult> StateChanges::take() {
  if (phase_ != Phase::Answered) return std::nullopt;
  phase_ = Phase::Idle;
  return result_;
}

void StateChanges::session_lost() {
  until_ = never;
  if (phase_ == Phase::Idle || phase_ == Phase::Answered) return;
  phase_ = forgotten_ ? Phase::Idle : Phase::Answered;
  result_ = Result::Unknown;
}

void StateChanges::tick() {
  if (until_ > core_.now) return;
  if (phase_ == Phase::Waiting) return send();
  core_.drop(ConnectionState::Timeout, "the peer does not answer a request to change the state");
}

// ---- the peer's -------------------------------------------------------------------------------------------------

void StateChanges::reply(bool connection_wide, Result result) {
  if (connection_wide)
    core_.send_meta(drbd::ConnectionStateChangeReply{result});
  else
    core_.send_meta(drbd::StateChangeReply{result});
}

StateChangeResult StateChanges::answer_to(const drbd::StateWord& wanted, const drbd::StateChange& own_view) const {
  if (phase_ == Phase::Asked && core_.session.resolve_conflicts) return Result::ConcurrentStateChange;
  if (wanted.peer == Role::Primary && core_.primary() && !facts_of(core_).two_primaries) return Result::TwoPrimaries;
  if (selects(own_view, drbd::kConnectionField) && !follows(wanted.connection)) return Result::NotSupported;
  // A Primary keeps the data it works with.
  if (wanted.connection == ConnectionState::StartingSyncT && core_.primary()) return Result::NoUpToDateDisk;
  return judge(core_, own_view).result;
}

void StateChanges::apply(const drbd::StateWord& wanted, const drbd::StateChange& own_view) {
  if (selects(own_view, drbd::kPeerField)) core_.peer.role = wanted.peer;
  // A disk that becomes better is believed when its generation comes with it, in the packets after this one.
  if (selects(own_view, drbd::kPeerDiskField) && wanted.peer_disk < core_.peer.disk) core_.peer.disk = wanted.peer_disk;
  core_.changed();
  if (!selects(own_view, drbd::kConnectionField)) return;
  if (wanted.connection == ConnectionState::TearDown) core_.drop(ConnectionState::TearDown, "the peer disconnects");
  if (wanted.connection == ConnectionState::VerifyT)
    core_.become(ConnectionState::VerifyT, "the peer asks for a verify");
  if (wanted.connection == ConnectionState::StartingSyncS) exchange_.begin_full(true);
  if (wanted.connection == ConnectionState::StartingSyncT) exchange_.begin_full(false);
}

void StateChanges::requested(const drbd::StateChange& change, bool connection_wide) {
  const drbd::StateChange own_view = drbd::mirror(change);
  const auto wanted = drbd::apply_change(core_.state_word(), own_view.mask, own_view.value);
  if (!wanted) return reply(connection_wide, Result::NotSupported);
  const Result result = answer_to(*wanted, own_view);
  reply(connection_wide, result);
  if (result >= Result::Success) apply(*wanted, own_view);
}

}  // namespace bascule::replication::detail
