#include "core/fencing/fencer.h"

#include <algorithm>

#include "base/assert.h"

namespace bascule::fencing {
namespace {

constexpr Duration retry_after = seconds(1);
constexpr int agent_ok = 0;
constexpr int status_off = 2;

/// Which state may follow which. Row: from.
constexpr bool allowed[7][7] = {
    // Waiting, SwitchingOff, Verifying, SwitchingOn, Proven, Failed, Cancelled
    {false, true, false, false, false, false, true},    // Waiting
    {false, true, true, true, true, true, false},       // SwitchingOff: again, the next device, the next level
    {false, true, true, true, true, true, false},       // Verifying
    {false, false, false, true, true, false, false},    // SwitchingOn: nothing takes the proof away
    {false, false, false, false, false, false, false},  // Proven
    {false, false, false, false, false, false, false},  // Failed
    {false, false, false, false, false, false, false},  // Cancelled
};

std::string joined(const std::string& first, const std::string& then) {
  return first.empty() ? then : first + ", " + then;
}

}  // namespace

const char* text(State state) {
  constexpr const char* names[] = {"Waiting", "SwitchingOff", "Verifying", "SwitchingOn",
                                   "Proven",  "Failed",       "Cancelled"};
  return names[static_cast<int>(state)];
}

std::string agent_input(const config::FenceDevice& device, const std::string& node, const std::string& action) {
  std::string lines;
  for (const auto& [name, value] : device.parameters) lines += name + "=" + value + "\n";
  const auto plug = device.plugs.find(node);
  const std::string& called = plug == device.plugs.end() ? node : plug->second;
  lines += "nodename=" + node + "\nport=" + called + "\nplug=" + called + "\naction=" + action + "\n";
  return lines;
}

Fencer::Fencer(Order order, Instant now) : order_(std::move(order)), began_(now), now_(now) {
  BASCULE_ASSERT(!order_.devices.empty());
  const auto& first = order_.devices.front();
  Prng prng(order_.seed);
  const Duration extra{prng.between(0, first.delay_max.count())};
  begin_at_ = now + order_.head_start + first.delay + extra;
}

void Fencer::become(State next) {
  BASCULE_ASSERT(allowed[static_cast<int>(state_)][static_cast<int>(next)]);
  state_ = next;
}

Instant Fencer::next_deadline() const {
  if (state_ == State::Waiting) return begin_at_;
  return retry_at_.value_or(never);
}

void Fencer::step(const Input& input, Instant now, Effects& effects) {
  now_ = std::max(now, now_);
  std::visit([&](const auto& each) { on(each, effects); }, input);
}

void Fencer::on(const input::Tick&, Effects& effects) {
  if (state_ == State::Waiting && now_ >= begin_at_) return next_level(effects);
  if (!retry_at_ || now_ < *retry_at_) return;
  retry_at_.reset();
  run(state_, action_, effects);
}

void Fencer::on(const input::Cancel& cancel, Effects& effects) {
  if (state_ == State::Waiting) end(State::Cancelled, "not fenced: " + cancel.why, effects);
}

void Fencer::on(const input::AgentDone& done, Effects& effects) {
  if (run_ == 0 || done.run != run_) return;  // of an attempt that was given up
  run_ = 0;
  if (state_ == State::SwitchingOff) return switched_off(done, effects);
  if (state_ == State::Verifying) return verified(done, effects);
  if (done.code != agent_ok) last_trouble_ = device().name + " did not switch it on again: " + done.output;
  how_ = joined(how_, device().name + (done.code == agent_ok ? " on" : " not on"));
  ++device_;
  switch_on_next(effects);
}

void Fencer::run(State state, const std::string& action, Effects& effects) {
  become(state);
  action_ = action;
  run_at_ = now_;
  run_ = ++attempt_ + (static_cast<std::uint64_t>(level_number_) << 48) + (device_ << 32) +
         (static_cast<std::uint64_t>(state) << 24);
  effects.push_back(effect::RunAgent{run_, device().name, device().agent, action,
                                     agent_input(device(), order_.node, action), device().timeout});
}

bool Fencer::knows(const config::FenceDevice& device, const char* action) const {
  const auto found = order_.abilities.find(device.agent);
  return found == order_.abilities.end() || found->second.knows(action);
}

/// Of several devices none may switch the node on before all have switched it off.
bool Fencer::reboots_by_itself(const config::FenceDevice& device) const {
  if (!knows(device, "off")) return knows(device, "reboot");
  return level_.size() == 1 && !device.verify && device.action == config::FenceAction::reboot &&
         knows(device, "reboot");
}

void Fencer::begin_level(Effects& effects) {
  device_ = 0;
  next_device(effects);
}

void Fencer::next_device(Effects& effects) {
  attempt_ = 0;
  if (level_.size() > 1 && !knows(device(), "off")) {
    last_trouble_ = device().name + " knows no off: with a second device the node would never be without power";
    return next_level(effects);
  }
  run(State::SwitchingOff, reboots_by_itself(device()) ? "reboot" : "off", effects);
}

void Fencer::switched_off(const input::AgentDone& done, Effects& effects) {
  if (done.code != agent_ok) return failed_attempt(done.output, effects);
  how_ = joined(how_, device().name + " " + action_);
  if (action_ == "reboot" || !device().verify || !knows(device(), "status")) return device_is_off(effects);
  attempt_ = 0;
  run(State::Verifying, "status", effects);
}

void Fencer::verified(const input::AgentDone& done, Effects& effects) {
  if (done.code == status_off) return device_is_off(effects);
  failed_attempt(done.code == agent_ok ? "it says that the node is still on" : done.output, effects);
}

void Fencer::failed_attempt(const std::string& why, Effects& effects) {
  last_trouble_ = device().name + " " + action_ + ": " + why;
  if (attempt_ > device().retries) return next_level(effects);
  retry_at_ = now_ + retry_after;
}

void Fencer::device_is_off(Effects& effects) {
  if (++device_ < level_.size()) return next_device(effects);
  effects.push_back(effect::ProvenOff{run_at_, how_, now_ - began_});
  last_trouble_.clear();
  device_ = 0;
  switch_on_next(effects);
}

/// Reboot is off and on: what was switched off by `off`, and is not to stay off.
void Fencer::switch_on_next(Effects& effects) {
  while (device_ < level_.size() &&
         (device().action == config::FenceAction::off || reboots_by_itself(device()) || !knows(device(), "on")))
    ++device_;
  if (device_ < level_.size()) return run(State::SwitchingOn, "on", effects);
  end(State::Proven, order_.node + " is fenced (" + how_ + ")" + (last_trouble_.empty() ? "" : "; " + last_trouble_),
      effects);
}

void Fencer::next_level(Effects& effects) {
  const auto higher = std::find_if(order_.devices.begin(), order_.devices.end(),
                                   [&](const config::FenceDevice& one) { return one.level > level_number_; });
  if (higher == order_.devices.end())
    return end(State::Failed, order_.node + " could not be fenced: " + last_trouble_, effects);
  level_number_ = higher->level;
  level_.clear();
  for (const auto& one : order_.devices)
    if (one.level == level_number_) level_.push_back(one);
  how_.clear();
  begin_level(effects);
}

void Fencer::end(State state, std::string sentence, Effects& effects) {
  become(state);
  effects.push_back(effect::Ended{state, how_, std::move(sentence), now_ - began_});
}

}  // namespace bascule::fencing
