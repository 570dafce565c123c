#include "core/membership/liveness.h"

#include <fmt/format.h>

#include <algorithm>

namespace bascule::membership {
namespace {

/// Enough that no datagram of an incarnation that left the list can still be under way.
constexpr std::size_t replaced_incarnations_max = 16;

/// How far a node has applied the log is shown, and decides nothing: so a change of it is no news, or each entry would
/// be news from every node.
bool same_for_a_plan(const message::NodeReport& one, const message::NodeReport& other) {
  return one.services == other.services && one.volumes == other.volumes;
}

}  // namespace

const char* text(Presence presence) {
  switch (presence) {
    case Presence::online:
      return "online";
    case Presence::suspect:
      return "suspect";
    case Presence::lost:
      return "lost";
  }
  return "?";
}

Liveness::Liveness(const config::ClusterConfig& config, std::string self, Instant started_at)
    : self_(std::move(self)),
      pause_(config.timing.leases_are_ample() ? (report_heartbeats - 1) * config.timing.heartbeat : Duration{}),
      suspect_after_(5 * config.timing.heartbeat),
      lost_after_(config.timing.lost_after()),
      look_at_(started_at) {
  for (const auto& node : config.nodes) nodes_[node.name].heard_at = started_at;
}

void Liveness::configure(const config::ClusterConfig& config, Instant now) {
  std::erase_if(nodes_, [&](const auto& each) { return config.node(each.first) == nullptr; });
  for (const auto& node : config.nodes)
    if (const auto [known, fresh] = nodes_.try_emplace(node.name); fresh) known->second.heard_at = now;
  look_at_ = now;
}

void Liveness::follow(const std::string& leader, Instant now) {
  leader_ = leader;
  for (auto& [name, known] : nodes_) known.excused = std::max(known.excused, pause_of(name));
  look_at_ = now;
}

Duration Liveness::pause_of(const std::string& node) const {
  return leader_.empty() || leader_ == self_ || leader_ == node ? Duration{} : pause_;
}

void Liveness::heard(const std::string& node, Instant now, std::vector<LivenessEvent>& events) {
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) return;
  auto& known = found->second;
  if (node != self_ && (known.told_lost || !known.ever_heard))
    events.push_back({LivenessEvent::Kind::back, node, node + (known.ever_heard ? " is back" : " is here")});
  const Duration silence = now - known.heard_at - known.excused;
  if (known.ever_heard && !known.told_lost && silence > Duration{}) known.silences.add(silence, now);
  known.told_lost = false;
  known.ever_heard = true;
  known.heard_at = std::max(known.heard_at, now);
  known.excused = pause_of(node);
  look_at_ = std::min(look_at_, known.heard_at + known.excused + lost_after_);
}

News Liveness::report(message::NodeReport report, Instant now, std::vector<LivenessEvent>& events) {
  const auto found = nodes_.find(report.node);
  if (found == nodes_.end()) return News::old;
  auto& known = found->second;
  const auto& old = known.replaced;
  if (std::find(old.begin(), old.end(), report.incarnation) != old.end()) return News::old;
  const bool restarted = known.report && known.report->incarnation != report.incarnation;
  if (known.report && !restarted && report.sent_at_ns <= known.report->sent_at_ns) return News::old;
  heard(report.node, now, events);
  if (restarted) {
    known.replaced.push_back(known.report->incarnation);
    if (known.replaced.size() > replaced_incarnations_max) known.replaced.pop_front();
    events.push_back({LivenessEvent::Kind::restarted, report.node, "the manager of " + report.node + " was restarted"});
  }
  const bool same = known.report && !restarted && same_for_a_plan(*known.report, report);
  known.report = std::move(report);
  known.report_at = now;
  return same ? News::nothing : News::changed;
}

/// Words only put the loss of a node off. So all nodes are looked at not with each word but some heartbeats before the
/// earliest loss that was possible at the last look; whoever is awake then needs not to be woken for it.
void Liveness::tick(Instant now, std::vector<LivenessEvent>& events) {
  if (now + suspect_after_ < look_at_) return;
  look_at_ = never;
  for (auto& [name, known] : nodes_) {
    if (name == self_ || known.told_lost) continue;
    Instant lost_at = known.heard_at + pause_of(name) + lost_after_;
    if (now >= lost_at) lost_at = known.heard_at + lost_after(name, known, now);
    if (now < lost_at) {
      look_at_ = std::min(look_at_, lost_at);
      continue;
    }
    known.told_lost = true;
    const auto silence = fmt::format("nothing was heard from {} for {} ms", name, to_ms(now - known.heard_at));
    events.push_back({LivenessEvent::Kind::lost, name, silence});
  }
}

Duration Liveness::lost_after(const std::string& node, const Known& known, Instant now) const {
  return pause_of(node) + std::clamp(3 * known.silences.at(now), lost_after_, 3 * lost_after_);
}

Presence Liveness::presence(const std::string& node, Instant now) const {
  if (node == self_) return Presence::online;
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) return Presence::lost;
  const Duration silence = now - found->second.heard_at;
  if (silence >= lost_after(node, found->second, now)) return Presence::lost;
  return silence >= pause_of(node) + suspect_after_ || !found->second.ever_heard ? Presence::suspect : Presence::online;
}

Duration Liveness::age(const std::string& node, Instant now) const {
  if (node == self_) return Duration{0};
  const auto found = nodes_.find(node);
  return found == nodes_.end() ? Duration::max() : std::max(Duration{0}, now - found->second.heard_at);
}

const message::NodeReport* Liveness::newest_report(const std::string& node) const {
  const auto found = nodes_.find(node);
  return found == nodes_.end() || !found->second.report ? nullptr : &*found->second.report;
}

Duration Liveness::report_age(const std::string& node, Instant now) const {
  const auto found = nodes_.find(node);
  if (found == nodes_.end() || !found->second.report) return Duration::max();
  return std::max(Duration{0}, now - found->second.report_at);
}

}  // namespace bascule::membership
