#include "core/replication/detail/state/disk_commands.h"

#include <cerrno>
#include <utility>

namespace bascule::replication::detail {
namespace {

using Result = drbd::StateChangeResult;

}  // namespace

bool DiskCommands::refuse(CommandId command, const Refusal& refusal) {
  if (refusal.refused()) core_.answer(command, refusal.result, refusal.why);
  return refusal.refused();
}

bool DiskCommands::busy(CommandId command) {
  if (phase_ == Phase::Idle) return false;
  core_.answer(command, Result::InTransientState, "another command about the disk is under way");
  return true;
}

void DiskCommands::finish(Result result, std::string why) {
  phase_ = Phase::Idle;
  core_.detaching = false;
  core_.answer(command_, result, std::move(why));
}

void DiskCommands::ask(CommandId command, Kind kind, const drbd::StateChange& change) {
  phase_ = Phase::Asking;
  command_ = command;
  kind_ = kind;
  change_ = change;
  asked_ = false;
}

// ---- attach and detach ------------------------------------------------------------------------------------------

void DiskCommands::attach(const input::Attach& command) {
  if (busy(command.command)) return;
  if (core_.disk != DiskState::Diskless)
    return core_.answer(command.command, Result::InTransientState,
                        std::string("this node has a disk already: it is ") + drbd::name_of(core_.disk));
  if (std::string why = parts_.attach.refusal(command); !why.empty())
    return core_.answer(command.command, Result::NoLocalDisk, std::move(why));
  if (core_.connection > ConnectionState::Connected)
    return core_.answer(command.command, Result::InTransientState,
                        std::string("no disk is taken while this node is ") + drbd::name_of(core_.connection));
  // Here a handshake has told the peer that there is no disk; while Connected it is told anew.
  if (core_.handshaking()) core_.drop(ConnectionState::NetworkFailure, "a disk is attached: the two compare anew");
  phase_ = Phase::Attaching;
  kind_ = Kind::Attach;
  command_ = command.command;
  parts_.attach.attach(command);
}

void DiskCommands::detach(const input::Detach& command) {
  if (busy(command.command)) return;
  if (core_.disk == DiskState::Diskless) return core_.answer(command.command, Result::NothingToDo);
  if (core_.disk == DiskState::Attaching)
    return core_.answer(command.command, Result::InTransientState, "the disk is still being attached");
  const auto failed = change_of(DiskState::Failed);
  if (!command.force && refuse(command.command, refusal_of(judge(core_, failed)))) return;
  ask(command.command, Kind::Detach, failed);
  force_ = command.force;
  if (force_) leave_disk();
}

/// From here on nothing touches the disk but what has begun already.
void DiskCommands::leave_disk() {
  phase_ = Phase::Leaving;
  if (core_.disk > DiskState::Failed) core_.become(DiskState::Failed, "the operator detaches it");
}

void DiskCommands::advance_detach() {
  if (phase_ == Phase::Draining) {
    if (core_.disk <= DiskState::Failed) return leave_disk();
    const bool quiet = parts_.writes.quiet() && parts_.writes.local_idle() && parts_.peer_writes.idle();
    if (!quiet) return;
    // A superblock that is written last makes everything before it durable, so that the disk may go.
    if (!std::exchange(sealed_, true)) parts_.metadata.superblock_changed();
    parts_.metadata.write_all_bits();
    if (parts_.metadata.all_bits_durable() && parts_.metadata.superblock_durable()) leave_disk();
  }
  if (phase_ == Phase::Leaving && core_.disk == DiskState::Diskless) finish(Result::Success);
}

// ---- invalidate, outdate ----------------------------------------------------------------------------------------

/// StandAlone: nobody has to be asked, and the next handshake finds every block marked.
void DiskCommands::invalidate_alone(const input::Invalidate& command) {
  if (!command.remote) core_.become(DiskState::Inconsistent, "the operator invalidates it");
  parts_.metadata.mark_all_out_of_sync();
  parts_.metadata.write_all_bits();
  parts_.metadata.superblock_changed();
  core_.answer(command.command, Result::Success);
}

void DiskCommands::invalidate(const input::Invalidate& command) {
  if (busy(command.command)) return;
  if (!core_.disk_usable()) return core_.answer(command.command, Result::NoLocalDisk, "this node has no disk");
  const bool fits = command.remote ? core_.primary() : !core_.primary();
  if (core_.connection == ConnectionState::StandAlone && fits) return invalidate_alone(command);
  const auto change = change_of(command.remote ? ConnectionState::StartingSyncS : ConnectionState::StartingSyncT);
  if (refuse(command.command, refusal_of(judge(core_, change)))) return;
  ask(command.command, command.remote ? Kind::InvalidateRemote : Kind::InvalidateLocal, change);
}

void DiskCommands::outdate(const input::Outdate& command) {
  const ChangeVerdict verdict = judge(core_, change_of(DiskState::Outdated));
  if (refuse(command.command, refusal_of(verdict))) return;
  if (verdict.result != Result::NothingToDo) {
    core_.become(DiskState::Outdated, "the operator says so");
    parts_.metadata.superblock_changed();
  }
  core_.answer(command.command, verdict.result);
}

void DiskCommands::verify(const input::Verify& command) {
  if (busy(command.command)) return;
  const auto change = change_of(ConnectionState::VerifyS);
  if (refuse(command.command, refusal_of(judge(core_, change)))) return;
  if (command.start_sector * 512 >= core_.size_bytes() || command.start_sector >= command.stop_sector)
    return core_.answer(command.command, Result::NotSupported, "there is nothing of the device between start and stop");
  parts_.verify.plan(command.start_sector, command.stop_sector);
  ask(command.command, Kind::Verify, change);
}

// ---- going on ---------------------------------------------------------------------------------------------------

/// The peer has agreed.
void DiskCommands::begin_run() {
  if (kind_ == Kind::Verify)
    core_.become(ConnectionState::VerifyS, "the operator asks for a verify");
  else
    parts_.exchange.begin_full(kind_ == Kind::InvalidateRemote);
}

void DiskCommands::answered(Result result) {
  const bool alone = result == Result::Unknown;
  if (result < Result::Success) parts_.exchange.expect_full_resync(false);
  if (kind_ != Kind::Detach) {
    if (alone) return finish(Result::NeedConnection, words_of(result));
    if (result < Result::Success)
      return finish(Result::RefusedByPeer, std::string("the peer says: ") + words_of(result));
    begin_run();
    return finish(Result::Success);
  }
  if (!alone && result < Result::Success)
    return finish(Result::RefusedByPeer, std::string("the peer says: ") + words_of(result));
  // Without the peer this disk may be the last one.
  if (const Refusal refused = refusal_of(judge(core_, change_)); refused.refused())
    return finish(refused.result, refused.why);
  phase_ = Phase::Draining;
  core_.detaching = true;
  sealed_ = false;
}

void DiskCommands::advance() {
  const bool drained = parts_.writes.local_idle() && parts_.peer_writes.idle() && parts_.metadata.idle();
  const bool asked = phase_ == Phase::Leaving || phase_ == Phase::Attaching;
  if ((core_.operator_rules() || asked) && core_.disk == DiskState::Failed && drained)
    core_.become(DiskState::Diskless, phase_ == Phase::Leaving ? "it is detached" : "nothing uses it any more");
  if (phase_ == Phase::Asking && !core_.dropping) {
    if (asked_) {
      if (const auto result = parts_.state_changes.take()) answered(*result);
    } else if (!is_connected(core_.connection)) {
      answered(Result::Unknown);
    } else if (!parts_.state_changes.busy()) {
      asked_ = true;
      parts_.exchange.expect_full_resync(kind_ == Kind::InvalidateLocal);
      parts_.state_changes.ask(change_, false);
    }
  }
  advance_detach();
  if (phase_ != Phase::Attaching) return;
  if (core_.disk == DiskState::Diskless) return finish(Result::NoLocalDisk, core_.disk_failure);
  if (parts_.attach.done() && core_.disk_usable()) finish(Result::Success);
}

}  // namespace bascule::replication::detail
