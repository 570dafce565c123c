// What the manager and the operator ask of a volume, and what listeners are told.

#include <algorithm>

#include "runtime/block_host/adjust.h"
#include "runtime/block_host/detail/volume_host.h"
#include "runtime/block_host/operator_command.h"

namespace bascule::block_host {
namespace {

using nlohmann::json;

constexpr Duration kCounterInterval = milliseconds(50);

json id_of(const json& request) { return request.value("id", json()); }

std::optional<std::uint64_t> number(const json& request, const char* key) {
  const auto found = request.find(key);
  if (found == request.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

bool flag(const json& request, const char* key) {
  const auto found = request.find(key);
  return found != request.end() && found->is_boolean() && found->get<bool>();
}

std::string text(const json& request, const char* key) {
  const auto found = request.find(key);
  return found != request.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Error bad_request(const char* key, const char* why) { return {"the request cannot be carried out", key, why, ""}; }

}  // namespace

void VolumeHost::requested(Control::ClientId client, const json& request) {
  const std::string operation = text(request, "op");
  const json id = id_of(request);
  if (operation == "state") return control_->answer(client, id, {{"state", report()}});
  if (operation == "promote") return promote(client, request);
  if (operation == "demote") return demote(client, id, flag(request, "force"));
  if (operation == "in_sync") return in_sync(client, request);
  if (operation == "peer_lost") {
    post(replication::input::PeerLostHint{text(request, "reason")});
  } else if (operation == "fail_io") {
    post(replication::input::FailHeldIo{});
    fail_withheld();
  } else if (operation == "set_options") {
    return set_options(client, request);
  } else if (operation == "adjust") {
    return adjust(client, request);
  } else if (operation == "stop") {
    control_->answer(client, id, json::object());
    return stop("asked to stop on the control socket");
  } else if (operation == "attach") {
    return attach_disk(client, request);
  } else {
    if (!command(client, request)) control_->refuse(client, id, bad_request("op", "there is no such operation"));
    return;
  }
  control_->answer(client, id, json::object());
}

void VolumeHost::in_sync(Control::ClientId client, const json& request) {
  const auto version = number(request, "version");
  const auto members = request.find("members");
  if (!version || members == request.end() || !members->is_array())
    return control_->refuse(client, id_of(request), bad_request("version, members", "a number and a list are needed"));
  const auto has = [&](const std::string& name) {
    return std::find(members->begin(), members->end(), name) != members->end();
  };
  facts_.in_sync_version = std::max(facts_.in_sync_version, *version);
  state_changed_ = true;
  post(replication::input::InSyncCommitted{*version, has(facts_.self), has(facts_.peer)});
  control_->answer(client, id_of(request), json::object());
}

// ---- the operator -----------------------------------------------------------------------------------------------

replication::CommandId VolumeHost::expect(Control::ClientId client, const json& request) {
  commands_[next_command_] = {client, id_of(request), text(request, "op")};
  return next_command_++;
}

// False: it is no command of the operator.
bool VolumeHost::command(Control::ClientId client, const json& request) {
  auto made = operator_command(request, next_command_);
  if (!made) return false;
  if (!*made) return control_->refuse(client, id_of(request), made->error()), true;
  if (auto* const resize = std::get_if<replication::input::Resize>(&**made)) {
    if (const auto measured = measure_disk(); !measured)
      return control_->refuse(client, id_of(request), measured.error()), true;
    resize->backing_bytes = replica_.data().bytes();
    resize->metadata_bytes = replica_.metadata_bytes();
  }
  expect(client, request);
  post(std::move(**made));
  return true;
}

void VolumeHost::attach_disk(Control::ClientId client, const json& request) {
  const Error refusal{"the disk cannot be attached", facts_.volume, "", ""};
  if (plan_.disk.empty())
    return control_->refuse(client, id_of(request),
                            {refusal.what, refusal.where, "the configuration gives this node no disk", ""});
  if (replica_.open())
    return control_->refuse(client, id_of(request), {refusal.what, refusal.where, "it has a disk already", ""});
  auto found = open_disk({});
  if (!found) return control_->refuse(client, id_of(request), found.error());
  post(replication::input::Attach{expect(client, request), std::move((*found)->restored), (*found)->backing_bytes,
                                  (*found)->metadata_bytes});
  tell_disk_size();
}

// Handlers are ours; all else is the engine's, which may refuse what needs a new connection.
void VolumeHost::set_options(Control::ClientId client, const json& request) {
  config::Volume volume = wanted_volume_.value_or(plan_.volume);
  auto options = changed_options(volume.options, request);
  if (!options) return control_->refuse(client, id_of(request), options.error());
  volume.options = std::move(*options);
  wanted_volume_ = std::move(volume);
  post_options(expect(client, request));
}

void VolumeHost::post_options(replication::CommandId command) {
  VolumePlan wanted = plan_;
  wanted.volume = *wanted_volume_;
  post(new_options(wanted, facts_.self, command));
}

// The configuration comes with the request: this program must not wait for a file that may lie on its own device.
void VolumeHost::adjust(Control::ClientId client, const json& request) {
  const json id = id_of(request);
  if (wanted_volume_) return control_->refuse(client, id, bad_request("op", "new options are being taken: ask again"));
  auto cluster = config::parse(text(request, "config"), text(request, "file"));
  if (!cluster) return control_->refuse(client, id, cluster.error());
  const auto wanted = plan_of({std::move(*cluster), facts_.self, facts_.volume, "", ""});
  if (!wanted) return control_->refuse(client, id, wanted.error());
  const bool dry_run = flag(request, "dry_run");
  const Adjustment found = adjustment(plan_, *wanted, status());
  json told{{"changes", changes_as_json(found, dry_run)}, {"dry_run", dry_run}};
  const auto possible = [](const OptionChange& change) { return change.when == OptionChange::When::Now; };
  if (dry_run || std::none_of(found.changes.begin(), found.changes.end(), possible))
    return control_->answer(client, id, std::move(told));
  wanted_volume_ = found.plan.volume;
  const replication::CommandId command = expect(client, request);
  commands_[command].told = std::move(told);
  post_options(command);
}

// A detached disk is let go, so that others may use it; not before the kernel has finished with it.
void VolumeHost::close_unused_disk() {
  if (!look_at_disk_ || disk_->in_flight() != 0) return;
  look_at_disk_ = false;
  if (replica_.open() && status().disk == drbd::DiskState::Diskless) replica_.close();
}

void VolumeHost::options_answered(bool taken) {
  if (taken && wanted_volume_) plan_.volume = *wanted_volume_;
  wanted_volume_.reset();
  handlers_->configure(plan_.volume.options.handlers);
}

void VolumeHost::perform(replication::effect::CommandDone& done) {
  state_changed_ = status_stale_ = look_at_disk_ = true;
  if (transition_answered(done)) return;
  const auto found = commands_.find(done.command);
  if (found == commands_.end()) return;
  Command command = std::move(found->second);
  commands_.erase(found);
  const std::string why = done.why.empty() ? sentence_of(done.result) : done.why;
  if (command.operation == "set_options" || command.operation == "adjust") options_answered(is_success(done.result));
  if (is_success(done.result)) {
    command.told.update({{"result", static_cast<int>(done.result)}, {"text", why}, {"name", name_of(done.result)}});
    return control_->answer(command.client, command.id, std::move(command.told));
  }
  control_->refuse(command.client, command.id, {command.operation + " was refused", facts_.volume, why, ""},
                   done.result);
}

// ---- listeners --------------------------------------------------------------------------------------------------

json VolumeHost::report() {
  status_stale_ = true;
  facts_.nbd_clients = nbd_->attached();
  return state_report(status(), facts_);
}

// What people act on is told at once, counters at most every 50 ms.
void VolumeHost::tell_state() {
  if (!control_->heard()) state_changed_ = counters_changed_ = false;
  if (state_changed_) {
    state_changed_ = false;
    counters_changed_ = true;
    json current = report();
    if (without_counters(current) != told_) return tell_state_now(std::move(current));
  }
  if (!counters_changed_ || state_timer_ != 0) return;
  if (uring::Ring::now() >= next_counters_) return tell_state_now(report());
  state_timer_ = ring_->timer(next_counters_, [this](int) { state_timer_ = 0; });
}

void VolumeHost::tell_state_now(json current) {
  counters_changed_ = false;
  next_counters_ = uring::Ring::now() + kCounterInterval;
  told_ = without_counters(current);
  control_->tell_all({{"event", "state"}, {"state", std::move(current)}});
}

}  // namespace bascule::block_host
