#include "core/replication/detail/state/fencing.h"

#include <utility>

namespace bascule::replication::detail {
namespace {

/// The exit codes of fence-peer.
enum class FencePeerExit : int {
  PeerInconsistent = 3,
  PeerOutdated = 4,
  PeerUnreachable = 5,
  PeerPrimary = 6,
  PeerStonithed = 7
};

/// Numbers of handlers that this machine starts have this bit.
constexpr std::uint64_t fence_peer_numbers = 1ULL << 48;

}  // namespace

bool Fencing::policy_holds() const {
  return core_.operator_rules() && core_.config.options.disk.fencing != drbd_config::Fencing::dont_care;
}

void Fencing::fence(const std::string& reason) {
  if (running()) return;
  outcome_.reset();
  number_ = fence_peer_numbers | next_number_++;
  core_.event("fence-peer", reason);
  core_.emit(effect::RunHandler{"fence-peer", number_});
}

std::optional<bool> Fencing::take() { return std::exchange(outcome_, std::nullopt); }

void Fencing::peer_is(DiskState disk, const char* reason) {
  core_.peer.disk = disk;
  core_.event("peer-fenced", reason);
  core_.changed();
  if (core_.disk_usable()) metadata_.superblock_changed();
}

/// Whether the peer is out of the way.
bool Fencing::apply(int exit_code) {
  if (is_connected(core_.connection)) return false;  // it came back while the handler ran
  switch (static_cast<FencePeerExit>(exit_code)) {
    case FencePeerExit::PeerInconsistent:
      return peer_is(DiskState::Inconsistent, "fence-peer: the peer's disk is Inconsistent or worse"), true;
    case FencePeerExit::PeerOutdated:
      return peer_is(DiskState::Outdated, "fence-peer: the peer's disk is Outdated"), true;
    case FencePeerExit::PeerStonithed:
      return peer_is(DiskState::Outdated, "fence-peer: the peer was switched off"), true;
    case FencePeerExit::PeerUnreachable:
      if (core_.disk != DiskState::UpToDate) return false;
      return peer_is(DiskState::Outdated, "fence-peer: the peer is unreachable, taken for dead"), true;
    case FencePeerExit::PeerPrimary:
      core_.event("fence-peer-failed", "the peer is Primary: this node is the outdated one");
      if (core_.disk > DiskState::Outdated && !core_.primary()) {
        core_.become(DiskState::Outdated, "the peer is Primary");
        metadata_.superblock_changed();
      }
      return false;
  }
  core_.event("fence-peer-failed", "fence-peer ended with " + std::to_string(exit_code));
  return false;
}

bool Fencing::handler_done(const input::HandlerDone& done) {
  if (number_ == 0 || done.number != number_) return false;
  number_ = 0;
  outcome_ = apply(done.exit_code);
  // The generation that tells the writes from now on is made before any of them is answered (new_generation_due).
  if (*outcome_) core_.suspended_fencing = false;
  core_.changed();
  return true;
}

void Fencing::session_lost(DiskState peer_disk) {
  const bool may_have_data = peer_disk > DiskState::Outdated;
  if (!policy_holds() || !core_.primary() || !may_have_data) return;
  if (core_.config.options.disk.fencing == drbd_config::Fencing::resource_and_stonith) {
    core_.suspended_fencing = true;
    core_.event("io-suspended", "until the peer is fenced");
  }
  fence("the connection to the peer is lost");
}

/// on-no-data-accessible suspend-io: I/O waits for data to come back instead of failing.
void Fencing::watch_data() {
  const bool has_data = core_.may_write();
  const bool suspends =
      core_.config.options.resource.on_no_data_accessible == drbd_config::OnNoDataAccessible::suspend_io;
  const bool lost = core_.operator_rules() && suspends && core_.serving && had_data_ && !has_data;
  if (lost && !core_.suspended_no_data) {
    core_.suspended_no_data = true;
    core_.event("io-suspended", "no up-to-date data is accessible");
    core_.changed();
  }
  if (core_.suspended_no_data && (has_data || !core_.primary())) {
    core_.suspended_no_data = false;
    core_.event("io-resumed", "up-to-date data is accessible");
    core_.changed();
  }
  had_data_ = has_data;
}

void Fencing::watch_connection() {
  const ConnectionState before = std::exchange(seen_, core_.connection);
  if (core_.suspended_fencing && (is_connected(core_.connection) || !core_.primary())) {
    core_.suspended_fencing = false;
    core_.event("io-resumed", "the peer is back");
    core_.changed();
  }
  const bool was_source = before == ConnectionState::SyncSource || before == ConnectionState::PausedSyncS;
  if (policy_holds() && was_source && core_.peer_in_step()) core_.emit(effect::RunHandler{"unfence-peer", 0});
}

void Fencing::advance() {
  watch_connection();
  watch_data();
}

}  // namespace bascule::replication::detail
