// What the manager asks of a volume, and what listeners are told.

#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/block_host/detail/volume_host.h"

namespace bascule::block_host {
namespace {

using nlohmann::json;

constexpr Duration kCounterInterval = milliseconds(50);
constexpr Duration kStopPatience = seconds(5);

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
  } else {
    return control_->refuse(client, id, bad_request("op", "there is no such operation"));
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

// ---- promotion --------------------------------------------------------------------------------------------------

void VolumeHost::promote(Control::ClientId client, const json& request) {
  const auto epoch = number(request, "epoch");
  if (!epoch) return control_->refuse(client, id_of(request), bad_request("epoch", "a number is needed"));
  if (transition_ || stopping_)
    return control_->refuse(
        client, id_of(request),
        {"the volume cannot be promoted", facts_.volume, "another change is under way", "ask again"});
  transition_ = Transition{Transition::Kind::Promote, client, id_of(request), *epoch};
  read_lease();
  post(replication::input::Promote{*epoch, flag(request, "initial")});
}

void VolumeHost::promoted() {
  primary_ = true;
  epoch_ = transition_ && transition_->kind == Transition::Kind::Promote ? transition_->epoch : status().epoch;
  activity_->became_primary(epoch_, uring::Ring::now());
  state_changed_ = true;
  (void)status();  // the size
  if (attachment_->state() == Attachment::State::Attached) return finish_transition(std::nullopt);
  attach_device();
}

void VolumeHost::attach_device() {
  attachment_->attach([this](const Result<void>& result) {
    state_changed_ = true;
    facts_.device = attachment_->device();
    if (result) return finish_transition(std::nullopt);
    facts_.attach_failure = result.error().text();
    log(facts_.attach_failure);
    finish_transition(result.error());
  });
}

void VolumeHost::promote_failed(const std::string& why) {
  finish_transition(Error{"the volume cannot be promoted", facts_.volume, why, ""});
}

// ---- demotion ---------------------------------------------------------------------------------------------------

void VolumeHost::demote(Control::ClientId client, const json& id, bool force) {
  const Error busy{"the volume cannot be demoted", facts_.volume, "another change is under way", "ask again"};
  if (force && transition_) finish_transition(busy);  // nothing waits for the one before
  if (transition_) return control_->refuse(client, id, busy);
  transition_ = Transition{Transition::Kind::Demote, client, id, 0};
  if (!primary_ && !force) return finish_transition(std::nullopt);
  if (!force) return demote_gently();
  attachment_->abandon();
  nbd_->close_clients();
  fail_withheld();
  post(replication::input::Demote{true});
}

// The device goes first, while its last writes can still be served.
void VolumeHost::demote_gently() {
  if (nbd_->attached() > 0)
    return finish_transition(
        Error{"the volume cannot be demoted", facts_.nbd, "NBD clients are connected", "end them"});
  attachment_->detach([this](device::LoopDevice::Detached detached) {
    state_changed_ = true;
    if (!transition_ || transition_->kind != Transition::Kind::Demote) return;
    if (detached == device::LoopDevice::Detached::in_use)
      return finish_transition(Error{"the volume cannot be demoted", attachment_->device(), "the device is open",
                                     "unmount it, or demote with force"});
    facts_.device.clear();
    post(replication::input::Demote{false});
  });
}

void VolumeHost::demote_refused(const std::string& why) {
  finish_transition(Error{"the volume cannot be demoted", facts_.volume, why, ""});
  if (primary_ && attachment_->state() == Attachment::State::Detached) attach_device();
}

void VolumeHost::demoted() {
  primary_ = false;
  state_changed_ = true;
  facts_.device.clear();
  activity_->became_secondary();
  if (attachment_->state() != Attachment::State::Detached) attachment_->abandon();
  nbd_->close_clients();
  if (transition_ && transition_->kind == Transition::Kind::Promote)
    return finish_transition(Error{"the volume cannot be promoted", facts_.volume, "it was demoted meanwhile", ""});
  finish_transition(std::nullopt);
}

void VolumeHost::finish_transition(const std::optional<Error>& error) {
  if (!transition_) return;
  const Transition finished = *std::exchange(transition_, std::nullopt);
  if (stopping_ && finished.kind == Transition::Kind::Demote) {
    demoted_for_stop_ = true;
    if (error) log(error->text());
  }
  if (finished.client == 0) return;
  if (error) return control_->refuse(finished.client, finished.id, *error);
  control_->answer(finished.client, finished.id, {{"device", facts_.device}});
}

void VolumeHost::signalled() {
  signalfd_siginfo information{};
  while (::read(signals_, &information, sizeof information) > 0) {
  }
  if (stopping_) return;
  log("asked to stop");
  stopping_ = true;
  stop_at_ = uring::Ring::now() + kStopPatience;
  ring_->timer(stop_at_, [](int) {});
  nbd_->close_clients();
  if (transition_ && transition_->kind == Transition::Kind::Demote) return;
  finish_transition(Error{"the change was given up", facts_.volume, "blockd is stopping", ""});
  demote(0, nullptr, false);
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
