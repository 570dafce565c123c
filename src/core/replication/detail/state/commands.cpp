#include "core/replication/detail/state/commands.h"

namespace bascule::replication::detail {
namespace {

using Result = drbd::StateChangeResult;

constexpr drbd::StateChange disconnect_request{drbd::kConnectionField.mask,
                                               static_cast<std::uint32_t>(ConnectionState::Disconnecting)
                                                   << drbd::kConnectionField.shift};

}  // namespace

void Commands::connect_peer(const input::ConnectPeer& command) {
  if (disconnecting_) return core_.answer(command.command, Result::InTransientState, "a disconnect is under way");
  if (core_.connection != ConnectionState::StandAlone)
    return core_.answer(
        command.command, Result::NothingToDo,
        command.discard_my_data || command.tentative ? "the peer is connected, or looked for, already" : "");
  if (command.discard_my_data && core_.primary())
    return core_.answer(command.command, Result::RefusedByPeer, "a Primary cannot give up its data");
  core_.wish.discard_my_data = command.discard_my_data;
  core_.wish.tentative = command.tentative;
  connection_.look_for_peer();
  core_.answer(command.command, Result::Success);
}

void Commands::disconnect_peer(const input::DisconnectPeer& command) {
  if (disconnecting_) return core_.answer(command.command, Result::InTransientState, "a disconnect is under way");
  if (core_.connection == ConnectionState::StandAlone && !core_.wants_connection)
    return core_.answer(command.command, Result::AlreadyStandAlone);
  disconnecting_ = Disconnecting{command.command};
  if (command.force || !is_connected(core_.connection)) disconnect_now();
}

void Commands::disconnect_now() {
  core_.wants_connection = false;
  disconnecting_->dropping = true;
  if (core_.session.open)
    core_.drop(ConnectionState::Disconnecting, "the operator disconnects");
  else
    connection_.stand_alone("the operator disconnects");
}

void Commands::ask_to_disconnect() {
  disconnecting_->asked = true;
  drbd::StateChange change = disconnect_request;
  if (disconnecting_->outdating) {
    change.mask |= drbd::kDiskField.mask;
    change.value |= static_cast<std::uint32_t>(DiskState::Outdated) << drbd::kDiskField.shift;
  }
  parts_.state_changes.ask(change, true);
}

/// A peer that fences wants this node's disk to be Outdated before it goes on alone.
void Commands::disconnect_answered(Result result) {
  const bool may_outdate = !core_.primary() && core_.disk > DiskState::Outdated;
  if (result >= Result::Success || result == Result::Unknown || disconnecting_->outdating || !may_outdate) {
    if (result >= Result::Success && disconnecting_->outdating) {
      core_.become(DiskState::Outdated, "disconnected while the peer is Primary");
      parts_.metadata.superblock_changed();
    }
    if (result >= Result::Unknown) return disconnect_now();
    core_.answer(disconnecting_->command, Result::RefusedByPeer, std::string("the peer says: ") + words_of(result));
    disconnecting_.reset();
    return;
  }
  disconnecting_->outdating = true;
  disconnecting_->asked = false;
}

void Commands::advance() {
  if (!disconnecting_) return;
  if (disconnecting_->asked && !disconnecting_->dropping)
    if (const auto result = parts_.state_changes.take()) disconnect_answered(*result);
  if (!disconnecting_) return;
  if (!disconnecting_->dropping && !core_.dropping) {
    if (!is_connected(core_.connection)) disconnect_now();
    if (is_connected(core_.connection) && !disconnecting_->asked && !parts_.state_changes.busy()) ask_to_disconnect();
  }
  if (core_.connection != ConnectionState::StandAlone) return;
  core_.answer(disconnecting_->command, Result::Success);
  disconnecting_.reset();
}

}  // namespace bascule::replication::detail
