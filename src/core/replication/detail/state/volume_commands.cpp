#include "core/replication/detail/state/volume_commands.h"

#include <tuple>

namespace bascule::replication::detail {
namespace {

using Result = drbd::StateChangeResult;

}  // namespace

void VolumeCommands::pause_resync(const input::PauseResync& command) {
  if (core_.resync_paused_user == command.paused) return core_.answer(command.command, Result::NothingToDo);
  core_.resync_paused_user = command.paused;
  core_.changed();
  core_.answer(command.command, Result::Success);
}

void VolumeCommands::pause_by_dependency(const input::PauseByDependency& wanted) {
  if (core_.resync_paused_dependency == wanted.paused) return;
  core_.resync_paused_dependency = wanted.paused;
  core_.changed();
}

void VolumeCommands::suspend_io(const input::SuspendIo& command) {
  const bool changes = command.suspended ? !core_.suspended_user : core_.suspended();
  core_.suspended_user = command.suspended;
  // Resuming by hand also ends what waits for data or for the fencing of the peer.
  if (!command.suspended) core_.suspended_no_data = core_.suspended_fencing = false;
  if (changes) core_.event(command.suspended ? "io-suspended" : "io-resumed", "the operator says so");
  core_.changed();
  core_.answer(command.command, changes ? Result::Success : Result::NothingToDo);
}

/// What both sides have agreed on in the handshake stays until the next one.
Refusal VolumeCommands::refusal(const drbd_config::Options& options) const {
  const drbd_config::Net& now = core_.config.options.net;
  const drbd_config::Net& net = options.net;
  // The superblock says whether the log counts after a crash, and it was written at the attach.
  if (core_.metadata_writable() && options.disk.al_updates != core_.config.options.disk.al_updates)
    return {Result::InTransientState, "al-updates can only change while this node has no disk"};
  if (!core_.session.open) return {};
  if (net.protocol != now.protocol)
    return {Result::InTransientState, "the replication protocol can only change while not connected"};
  if (net.allow_two_primaries != now.allow_two_primaries)
    return {Result::InTransientState, "allow-two-primaries can only change while not connected"};
  if (net.cram_hmac_alg != now.cram_hmac_alg || net.shared_secret != now.shared_secret)
    return {Result::InTransientState, "the shared secret can only change while not connected"};
  const bool algorithms_differ = net.csums_alg != now.csums_alg || net.verify_alg != now.verify_alg;
  if (algorithms_differ && is_resyncing(core_.connection))
    return {Result::ResyncRunning, "csums-alg and verify-alg cannot change while a resync or a verify runs"};
  return {};
}

/// True: something is new.
bool VolumeCommands::take(const std::optional<input::Settings>& settings) {
  if (!settings) return false;
  Config& config = core_.config;
  const auto all = [&config] {
    return std::tie(config.resync_rate_max, config.ping_interval, config.ping_timeout, config.connect_interval,
                    config.request_timeout, config.flush_waits_for_peer, config.accept_loss);
  };
  const auto wanted =
      std::tie(settings->resync_rate_max, settings->ping_interval, settings->ping_timeout, settings->connect_interval,
               settings->request_timeout, settings->flush_waits_for_peer, settings->accept_loss);
  const bool news = all() != wanted;
  all() = wanted;
  return news;
}

void VolumeCommands::set_options(const input::SetOptions& command) {
  if (const Refusal refused = refusal(command.options); refused.refused())
    return core_.answer(command.command, refused.result, refused.why);
  const bool new_settings = take(command.settings);
  const bool same = core_.config.options == command.options && !new_settings;
  core_.config.options = command.options;
  if (!same) parts_.handshake.send_options();
  core_.changed();
  core_.answer(command.command, same ? Result::NothingToDo : Result::Success);
}

}  // namespace bascule::replication::detail
