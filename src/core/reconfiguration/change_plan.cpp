#include "core/reconfiguration/change_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/reconfiguration/definition.h"
#include "core/reconfiguration/members.h"
#include "wire/cluster_config/edit.h"
#include "wire/cluster_message/command.h"

namespace bascule::reconfiguration {
namespace {

using config::ClusterConfig;

/// A plan in the making: each member function looks at one kind of thing.
struct Planning {
  const Situation& situation;
  ChangePlan& plan;

  const ClusterConfig& from = situation.config;
  const ClusterConfig& to = plan.config;

  void say(std::string sentence) const { plan.steps.push_back(std::move(sentence)); }
  void refuse(std::string sentence) const { plan.refusals.push_back(std::move(sentence)); }

  [[nodiscard]] std::string owner_of_service(const std::string& name) const {
    const auto found = situation.state.services.find(name);
    return found == situation.state.services.end() ? "" : found->second.owner.value_or("");
  }
  [[nodiscard]] const store::VolumeState* agreed_volume(const std::string& name) const {
    const auto found = situation.state.volumes.find(name);
    return found == situation.state.volumes.end() ? nullptr : &found->second;
  }

  void services() const {
    for (const auto& service : from.services)
      if (to.service(service.name) == nullptr) removed(service);
    for (const auto& service : to.services) {
      const auto* before = from.service(service.name);
      if (before == nullptr)
        say(fmt::format("service {} is new{}", service.name,
                        service.autostart ? " and starts" : "; it starts when somebody says so"));
      else if (*before != service)
        changed(*before, service);
    }
  }
  void removed(const config::Service& service) const {
    const auto owner = owner_of_service(service.name);
    if (owner.empty()) return say(fmt::format("service {} is forgotten; it runs nowhere", service.name));
    say(fmt::format("service {} is stopped on {} and forgotten", service.name, owner));
    plan.interrupts.push_back(service.name);
  }
  void changed(const config::Service& before, const config::Service& service) const {
    if (!needs_restart(before, service))
      return say(fmt::format("service {} goes on by its new settings, without an interruption", service.name));
    const auto owner = owner_of_service(service.name);
    if (owner.empty()) return say(fmt::format("service {} changes; it runs nowhere", service.name));
    say(fmt::format("service {} is stopped on {} as it was, and started as it is then: its steps change", service.name,
                    owner));
    plan.interrupts.push_back(service.name);
  }

  void volumes() const {
    for (const auto& volume : from.volumes) {
      if (to.volume(volume.name) != nullptr) continue;
      const auto* agreed = agreed_volume(volume.name);
      if (agreed != nullptr && agreed->held_by_hand)
        refuse(fmt::format("volume {} is primary on {} by hand: bascule volume secondary {}", volume.name,
                           agreed->owner.value_or("?"), volume.name));
      say(
          fmt::format("volume {} is no longer managed; its data stay on the disks, and bascule-blockd of it can be "
                      "stopped on {}",
                      volume.name, nodes_of(volume)));
    }
    for (const auto& volume : to.volumes) {
      const auto* before = from.volume(volume.name);
      if (before == nullptr)
        say(
            fmt::format("volume {} is new: its metadata are made with `bascule volume create {}`, and "
                        "bascule-blockd --volume {} is awaited on {}",
                        volume.name, volume.name, volume.name, nodes_of(volume)));
      else if (*before != volume)
        changed(*before, volume);
    }
  }
  void changed(const config::Volume& before, const config::Volume& volume) const {
    const auto* agreed = agreed_volume(volume.name);
    for (const auto& name : agreed == nullptr ? std::set<std::string>{} : agreed->in_sync)
      if (volume.disk.count(name) == 0)
        refuse(
            fmt::format("{} has a complete copy of volume {} and would lose it: take {} out of its in-sync set "
                        "first (stop its bascule-blockd)",
                        name, volume.name, name));
    const bool moved = before.disk != volume.disk || before.metadata != volume.metadata;
    say(fmt::format(
        "volume {} changes: {} on {}", volume.name,
        moved ? "bascule-blockd of it is to be started again" : "bascule volume adjust takes over what can change",
        nodes_of(volume)));
  }
  static std::string nodes_of(const config::Volume& volume) {
    std::string names;
    for (const auto& [node, disk] : volume.disk) names += (names.empty() ? "" : " and ") + node;
    return names;
  }

  void nodes() const {
    for (const auto& node : from.nodes)
      if (to.node(node.name) == nullptr) removed(node);
    for (const auto& node : to.nodes) {
      const auto* before = from.node(node.name);
      if (before == nullptr)
        say(fmt::format("{} becomes a member{}; it joins with a token: bascule node token {}", node.name,
                        node.votes() ? ", and votes when it has caught up" : " without a vote", node.name));
      else
        changed(*before, node);
    }
    const auto why =
        reason_not_to_change_members(from.of_managers(), to.of_managers(), situation.online, situation.voters);
    if (!why.empty()) refuse(why);
  }
  void removed(const config::Node& node) const {
    say(fmt::format("{} is no member any more", node.name));
    const auto agreed = situation.state.nodes.find(node.name);
    const bool standby = agreed != situation.state.nodes.end() && agreed->second.standby;
    if (node.role == config::NodeRole::data && !standby)
      refuse(fmt::format("{} is to run nothing before it goes: bascule standby {}", node.name, node.name));
    for (const auto& [name, service] : situation.state.services)
      if (service.owner == node.name) refuse(fmt::format("{} still has service {}", node.name, name));
    for (const auto& [name, volume] : situation.state.volumes)
      if (volume.owner == node.name) refuse(fmt::format("{} still has volume {}", node.name, name));
  }
  void changed(const config::Node& before, const config::Node& node) const {
    if (before.role != node.role)
      refuse(fmt::format("{} cannot become a {} while it is a member: remove it, and add it again", node.name,
                         node.role == config::NodeRole::witness ? "witness" : "data node or a peer"));
    if (before.votes() != node.votes() && node.role == config::NodeRole::data)
      say(fmt::format("{} {}", node.name, node.votes() ? "votes when it has caught up" : "does not vote any more"));
    if (before.addresses != node.addresses) say(fmt::format("{} is reached at other addresses", node.name));
    if (before.address != node.address) replicas_move(node);
  }
  void replicas_move(const config::Node& node) const {
    for (const auto& volume : to.volumes)
      if (volume.disk.count(node.name) != 0)
        say(fmt::format("bascule-blockd of volume {} is to be started again on {}, for the new address", volume.name,
                        nodes_of(volume)));
  }

  void fences() const {
    for (const auto& device : from.fences)
      if (to.fence(device.name) == nullptr)
        say(fmt::format("fence device {} is forgotten: it switches off {} no more", device.name, targets_of(device)));
    for (const auto& device : to.fences) {
      const auto* before = from.fence(device.name);
      if (before == nullptr)
        say(fmt::format("fence device {} is new and can switch off {}; {}", device.name, targets_of(device),
                        test_of(device)));
      else if (config::definition_of(*before) != config::definition_of(device))
        say(fmt::format("fence device {} changes, and its last test says nothing any more; {}", device.name,
                        test_of(device)));
      else if (*before != device)
        say(fmt::format("fence device {} goes on by its new settings", device.name));
    }
    if (from.fence_lost_nodes != to.fence_lost_nodes)
      say(to.fence_lost_nodes ? "a node that is lost and taken over from is fenced as well from then on"
                              : "a node that is lost is not fenced any more when it is taken over from");
    const auto known = from.fence_reactions_without_device();
    for (auto& sentence : to.fence_reactions_without_device())
      if (std::find(known.begin(), known.end(), sentence) == known.end()) say(std::move(sentence));
    const auto before = from.no_takeover(), after = to.no_takeover();
    if (before != after) say(after.empty() ? "the loss of a node is taken care of from then on" : after);
  }
  static std::string targets_of(const config::FenceDevice& device) {
    std::string names;
    for (const auto& [node, plug] : device.plugs) names += (names.empty() ? "" : " and ") + node;
    return names;
  }
  static std::string test_of(const config::FenceDevice& device) {
    return fmt::format("test it: bascule fence test {} --device {}", device.plugs.begin()->first, device.name);
  }

  void cluster() const {
    if (auto why = reason_not_to_follow(from, to); !why.empty()) refuse(std::move(why));
    if (plan.text.size() > message::config_text_bytes_max)
      refuse(fmt::format("the configuration has {} bytes, and {} are the most", plan.text.size(),
                         message::config_text_bytes_max));
  }
};

/// Every node has its id in the text: those that are there keep theirs, new ones get ids that nobody ever had.
Result<ChangePlan> with_all_ids(const Situation& situation, const std::string& text, const ClusterConfig& read,
                                const std::string& file) {
  ChangePlan plan;
  plan.highest_node_id = situation.state.highest_node_id;
  for (const auto& node : situation.config.nodes)
    plan.highest_node_id = std::max<std::uint64_t>(plan.highest_node_id, node.id);
  const auto said = config::meaning_of(text);
  std::map<std::string, std::uint32_t> ids;
  for (const auto& node : read.nodes) {
    const auto* before = situation.config.node(node.name);
    const bool written = said.contains("node." + node.name + ".id");
    const auto id = before != nullptr ? before->id : static_cast<std::uint32_t>(plan.highest_node_id + 1);
    if (before == nullptr) ++plan.highest_node_id;
    if (written && node.id != id && (before != nullptr || node.id < id))
      return fail(file + " cannot be applied", "node." + node.name + ".id",
                  before != nullptr ? fmt::format("{} has the id {} and keeps it", node.name, id)
                                    : fmt::format("{} was given before, and no id is given twice", node.id),
                  fmt::format("leave the id out, or write id = {}", id));
    if (written && before == nullptr) plan.highest_node_id = std::max<std::uint64_t>(plan.highest_node_id, node.id);
    if (!written) ids[node.name] = id;
  }
  auto whole = config::with_ids(text, ids);
  if (!whole) return tl::unexpected(whole.error());
  plan.text = std::move(*whole);
  return plan;
}

/// The ids that stand in no line yet are not known to the parser: it counts, and may find one taken.
Result<ClusterConfig> read_leniently(const std::string& text, const Situation& situation, const std::string& file) {
  std::map<std::string, std::uint32_t> known;
  const auto said = config::meaning_of(text);
  std::uint32_t fresh = 1'000'000'000;
  for (const auto& [path, value] : said) {
    if (path.rfind("node.", 0) != 0) continue;
    const auto dot = path.rfind('.');
    const std::string name = path.substr(5, dot - 5);
    if (!path.ends_with(".address") || said.contains("node." + name + ".id")) continue;
    const auto* before = situation.config.node(name);
    known[name] = before != nullptr ? before->id : fresh++;
  }
  const auto whole = config::with_ids(text, known);
  return config::parse(whole ? *whole : text, file);
}

}  // namespace

std::vector<Difference> differences(const std::string& from, const std::string& to) {
  std::map<std::string, Difference> found;
  const auto before = config::meaning_of(from), after = config::meaning_of(to);
  for (const auto& [path, value] : before) found[path] = {path, value, ""};
  for (const auto& [path, value] : after) {
    auto& difference = found[path];
    difference.path = path;
    difference.to = value;
  }
  std::vector<Difference> result;
  for (const auto& [path, difference] : found)
    if (!before.contains(path) || !after.contains(path) || difference.from != difference.to)
      result.push_back(difference);
  return result;
}

Result<ChangePlan> plan_change(const Situation& situation, const std::string& text, const std::string& file) {
  // First as it stands: what is wrong is told with the lines of the person's file.
  const auto read = read_leniently(text, situation, file);
  if (!read) {
    auto plain = config::parse(text, file);
    return tl::unexpected(plain ? read.error() : plain.error());
  }
  auto plan = with_all_ids(situation, text, *read, file);
  if (!plan) return plan;
  auto config = config::parse(plan->text, file);
  if (!config) return tl::unexpected(config.error());
  plan->config = std::move(*config);
  plan->base_version = situation.state.configuration();
  plan->differences = differences(situation.text, plan->text);
  const Planning planning{situation, *plan};
  planning.cluster();
  planning.nodes();
  planning.fences();
  planning.volumes();
  planning.services();
  return plan;
}

}  // namespace bascule::reconfiguration
