#include "core/agents/unit_action.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/assert.h"
#include "core/agents/ocf.h"

namespace bascule::agents {
namespace {

constexpr std::size_t removed_jobs_max = 256;

bool is_running(const std::string& active_state) { return active_state == "active" || active_state == "reloading"; }
bool is_over(const std::string& active_state) { return active_state == "inactive" || active_state == "failed"; }
bool is_on_its_way(const std::string& active_state) {
  return active_state == "activating" || active_state == "deactivating";
}

}  // namespace

std::string unit_of(const std::string& type) {
  static constexpr std::array<std::string_view, 10> suffixes = {
      ".service", ".socket", ".device", ".mount", ".automount", ".swap", ".target", ".path", ".timer", ".slice"};
  const bool whole = std::any_of(suffixes.begin(), suffixes.end(), [&](auto suffix) { return type.ends_with(suffix); });
  return whole ? type : type + ".service";
}

bool fell_from_active(const std::string& active_state) {
  return is_over(active_state) || active_state == "deactivating";
}

UnitAction::UnitAction(std::string operation, std::string unit)
    : operation_(std::move(operation)), unit_(std::move(unit)) {}

void UnitAction::become(State next) {
  using enum State;
  static constexpr std::array allowed = {
      std::pair{New, Loading},      std::pair{Loading, Reading},    std::pair{Reading, Queueing},
      std::pair{Queueing, Waiting}, std::pair{Queueing, Verifying}, std::pair{Waiting, Verifying},
      std::pair{Reading, Settling}, std::pair{Verifying, Settling}, std::pair{Reading, Loading},
      std::pair{Queueing, Loading}, std::pair{Waiting, Loading},    std::pair{Verifying, Loading},
      std::pair{Settling, Loading}, std::pair{Loading, Loading},    std::pair{New, Done},
      std::pair{Loading, Done},     std::pair{Reading, Done},       std::pair{Queueing, Done},
      std::pair{Waiting, Done},     std::pair{Verifying, Done},     std::pair{Settling, Done},
  };
  BASCULE_ASSERT(std::find(allowed.begin(), allowed.end(), std::pair{state_, next}) != allowed.end());
  state_ = next;
}

void UnitAction::begin(unit::Effects& effects) {
  become(State::Loading);
  effects.emplace_back(unit::Load{});
}

void UnitAction::step(const unit::Input& input, unit::Effects& effects) {
  if (state_ == State::Done || state_ == State::New) return;
  effects_ = &effects;
  std::visit([this](const auto& one) { on(one); }, input);
  effects_ = nullptr;
}

void UnitAction::done(int code, const std::string& reason) {
  become(State::Done);
  effects_->emplace_back(unit::Done{code, reason});
}

std::string UnitAction::description() const {
  if (properties_.active_state.empty()) return "the state of " + unit_ + " is not known";
  if (properties_.load_state != "loaded") return unit_ + " is " + properties_.load_state;
  return unit_ + " is " + properties_.active_state +
         (properties_.sub_state.empty() ? "" : " (" + properties_.sub_state + ")");
}

void UnitAction::on(const unit::Loaded&) {
  if (state_ != State::Loading) return;
  become(State::Reading);
  effects_->emplace_back(unit::Read{});
}

void UnitAction::on(const unit::Properties& properties) {
  properties_ = properties;
  if (state_ == State::Reading) return decide();
  if (state_ == State::Verifying || state_ == State::Settling) judge();
}

/// Of a unit that systemd could not load, and that does not run: what that means; 0: it can be used.
int UnitAction::unusable() const {
  if (properties_.load_state == "loaded" || !is_over(properties_.active_state)) return ocf::success;
  if (properties_.load_state == "bad-setting" || properties_.load_state == "error") return ocf::error_configured;
  return ocf::error_installed;  // not-found, masked
}

void UnitAction::decide() {
  if (operation_ == "monitor") return judge();
  const int problem = unusable();
  if (operation_ == "stop" && problem != ocf::success) return done(ocf::success, "");
  if (problem != ocf::success) return done(problem, description());
  become(State::Queueing);
  if (operation_ == "start")
    effects_->emplace_back(unit::Start{});
  else
    effects_->emplace_back(unit::Stop{});
}

/// What is on its way is waited for, until the action's time is over, as Pacemaker does.
void UnitAction::judge() {
  if (is_on_its_way(properties_.active_state)) {
    if (state_ != State::Settling) become(State::Settling);
    return;
  }
  if (operation_ == "monitor") return judge_monitor();
  if (operation_ == "start") return judge_start();
  judge_stop();
}

void UnitAction::judge_monitor() {
  if (is_running(properties_.active_state)) return done(ocf::success, "");
  if (const int problem = unusable(); problem != ocf::success) return done(problem, description());
  done(ocf::not_running, description());
}

/// A unit that ends at once is no service that could be kept running; a oneshot needs RemainAfterExit.
void UnitAction::judge_start() {
  if (is_running(properties_.active_state)) return done(ocf::success, "");
  done(properties_.active_state == "inactive" ? ocf::not_running : ocf::error_generic, description());
}

void UnitAction::judge_stop() {
  if (is_over(properties_.active_state)) return done(ocf::success, "");
  done(ocf::error_generic, description());
}

void UnitAction::on(const unit::JobQueued& queued) {
  if (state_ != State::Queueing) return;
  job_ = queued.job;
  if (const auto removed = removed_.find(job_); removed != removed_.end()) return job_ended(removed->second);
  become(State::Waiting);
}

/// The signal may come before the answer that says which job is ours.
void UnitAction::on(const unit::JobRemoved& removed) {
  if (state_ == State::Waiting && removed.job == job_) return job_ended(removed.result);
  if (state_ == State::Queueing && removed_.size() < removed_jobs_max) removed_[removed.job] = removed.result;
}

void UnitAction::job_ended(const std::string& result) {
  if (result != "done" && result != "skipped")
    return done(ocf::error_generic, "systemd's job to " + operation_ + " " + unit_ + " ended with: " + result);
  become(State::Verifying);
  effects_->emplace_back(unit::Read{});
}

void UnitAction::on(const unit::Refused& refused) {
  const bool unknown = refused.error.ends_with(".NoSuchUnit") || refused.error.ends_with(".UnknownObject");
  if (unknown && operation_ == "stop") return done(ocf::success, "");
  if (unknown || refused.error.ends_with(".LoadFailed") || refused.error.ends_with(".UnitMasked"))
    return done(ocf::error_installed, refused.message);
  if (refused.error.ends_with(".AccessDenied") || refused.error.ends_with(".InteractiveAuthorizationRequired"))
    return done(ocf::error_permission, refused.message);
  done(ocf::error_generic, refused.error + ": " + refused.message);
}

/// Both calls are idempotent, so it all begins again.
void UnitAction::on(const unit::BusBack&) {
  removed_.clear();
  become(State::Loading);
  effects_->emplace_back(unit::Load{});
}

void UnitAction::on(const unit::TimedOut&) { done(ocf::timed_out, "timed out: " + description()); }

void UnitAction::on(const unit::Cancelled&) { done(ocf::timed_out, "cancelled"); }

}  // namespace bascule::agents
