// Promotion and demotion, and the end of the program, which is a demotion too.

#include <sys/signalfd.h>
#include <unistd.h>

#include <utility>

#include "runtime/block_host/detail/volume_host.h"
#include "runtime/block_host/operator_command.h"

namespace bascule::block_host {
namespace {

using nlohmann::json;

constexpr Duration kStopPatience = seconds(5);

}  // namespace

// ---- promotion --------------------------------------------------------------------------------------------------

// A manager's epoch grows with each owner; where a person decides, there is no such number.
void VolumeHost::promote(Control::ClientId client, const json& request) {
  const json id = request.value("id", json());
  const auto wanted = request.find("epoch");
  const bool given = wanted != request.end() && wanted->is_number_unsigned();
  if (!given && !operator_decides())
    return control_->refuse(client, id,
                            {"the request cannot be carried out", "epoch", "a number is needed",
                             "this volume is the manager's: bascule volume primary"});
  if (transition_ || stopping_)
    return control_->refuse(
        client, id, {"the volume cannot be promoted", facts_.volume, "another change is under way", "ask again"});
  const std::uint64_t epoch = given ? wanted->get<std::uint64_t>() : 1;
  const replication::CommandId command = operator_decides() ? next_command_++ : 0;
  const auto is = [&](const char* key) { return request.value(key, json()) == json(true); };
  transition_ = Transition{Transition::Kind::Promote, client, id, epoch, command};
  read_lease();
  post(replication::input::Promote{epoch, is("initial"), is("force"), command});
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
  transition_ = Transition{Transition::Kind::Demote, client, id, 0, operator_decides() ? next_command_++ : 0};
  if (!primary_ && !force) return finish_transition(std::nullopt);
  if (!force) return demote_gently();
  attachment_->abandon();
  nbd_->close_clients();
  fail_withheld();
  post(replication::input::Demote{true, transition_->command});
}

// The device goes first, while its last writes can still be served.
void VolumeHost::demote_gently() {
  if (nbd_->attached() > 0)
    return finish_transition(Error{"the volume cannot be demoted", facts_.nbd, "NBD clients are connected", "end them"},
                             drbd::StateChangeResult::DeviceInUse);
  attachment_->detach([this](device::LoopDevice::Detached detached) {
    state_changed_ = true;
    if (!transition_ || transition_->kind != Transition::Kind::Demote) return;
    if (detached == device::LoopDevice::Detached::in_use)
      return finish_transition(Error{"the volume cannot be demoted", attachment_->device(), "the device is open",
                                     "unmount it, or demote with force"},
                               drbd::StateChangeResult::DeviceInUse);
    facts_.device.clear();
    post(replication::input::Demote{false, transition_->command});
  });
}

void VolumeHost::demote_refused(const std::string& why) {
  finish_transition(Error{"the volume cannot be demoted", facts_.volume, why, ""});
  if (primary_ && attachment_->state() == Attachment::State::Detached) attach_device();
}

void VolumeHost::demoted() {
  primary_ = false;
  fail_withheld();
  state_changed_ = true;
  facts_.device.clear();
  activity_->became_secondary();
  if (attachment_->state() != Attachment::State::Detached) attachment_->abandon();
  nbd_->close_clients();
  if (transition_ && transition_->kind == Transition::Kind::Promote)
    return finish_transition(Error{"the volume cannot be promoted", facts_.volume, "it was demoted meanwhile", ""});
  finish_transition(std::nullopt);
}

// The engine's events answer a change that succeeded, since the device comes after them; its result says why one did
// not.
bool VolumeHost::transition_answered(const replication::effect::CommandDone& done) {
  if (!transition_ || transition_->command == 0 || transition_->command != done.command) return false;
  const bool promote = transition_->kind == Transition::Kind::Promote;
  if (!is_success(done.result)) {
    const Error error{promote ? "the volume cannot be promoted" : "the volume cannot be demoted", facts_.volume,
                      done.why.empty() ? sentence_of(done.result) : done.why, ""};
    finish_transition(error, done.result);
    if (!promote && primary_ && attachment_->state() == Attachment::State::Detached) attach_device();
    return true;
  }
  const bool primary = engine_->status().role == drbd::Role::Primary;
  if (promote && primary && !primary_) promoted();
  if (!promote && !primary && primary_) demoted();
  return true;
}

void VolumeHost::finish_transition(const std::optional<Error>& error, std::optional<drbd::StateChangeResult> code) {
  if (!transition_) return;
  const Transition finished = *std::exchange(transition_, std::nullopt);
  if (stopping_ && finished.kind == Transition::Kind::Demote) {
    demoted_for_stop_ = true;
    if (error) log(error->text());
  }
  if (finished.client == 0) return;
  if (error) return control_->refuse(finished.client, finished.id, *error, code);
  control_->answer(finished.client, finished.id, {{"device", facts_.device}});
}

void VolumeHost::signalled() {
  signalfd_siginfo information{};
  while (::read(signals_, &information, sizeof information) > 0) {
  }
  stop("asked to stop");
}

void VolumeHost::stop(const std::string& why) {
  if (stopping_) return;
  log(why);
  stopping_ = true;
  stop_at_ = uring::Ring::now() + kStopPatience;
  ring_->timer(stop_at_, [](int) {});
  nbd_->close_clients();
  if (transition_ && transition_->kind == Transition::Kind::Demote) return;
  finish_transition(Error{"the change was given up", facts_.volume, "blockd is stopping", ""});
  demote(0, nullptr, false);
}

}  // namespace bascule::block_host
