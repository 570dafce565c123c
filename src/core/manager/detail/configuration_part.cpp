// The agreed configuration: judged before it is proposed, followed when it is applied.

#include <algorithm>

#include "core/manager/detail/state.h"
#include "core/reconfiguration/definition.h"

namespace bascule::manager {

namespace {

constexpr Duration adopt_again_after = seconds(1);
constexpr const char* agreed_file = "the agreed configuration";

std::uint64_t highest_id(const config::ClusterConfig& config) {
  std::uint64_t highest = 0;
  for (const auto& node : config.nodes) highest = std::max<std::uint64_t>(highest, node.id);
  return highest;
}

}  // namespace

const config::Node* Manager::State::linked_node(std::uint32_t id) const {
  if (const auto* node = config.node(id)) return node;
  const auto found = std::find_if(leaving.begin(), leaving.end(), [id](const auto& one) { return one.id == id; });
  return found == leaving.end() ? nullptr : &*found;
}

/// Called whenever the agreed state is another one.
void Manager::State::follow_configuration() {
  // What is replayed after a start was followed before it: nothing goes back to an earlier configuration on the way.
  if (store.state().applied_index < told_index) return;
  const auto& versions = store.state().configurations;
  if (versions.empty() || followed == versions.back().version) return;
  const auto& agreed = versions.back();
  const auto is_file = [&](const store::ConfigurationVersion& one) { return one.text == file_text; };
  const bool knows_file = std::any_of(versions.begin(), versions.end(), is_file);
  if (is_newcomer && !knows_file) return;
  is_newcomer = false;
  const bool edited = !followed && !file_text.empty() && !knows_file;
  followed = agreed.version;
  if (edited) {
    file_differs = true;
    story("configuration-differs", self->name,
          "the file of " + self->name + " is not the agreed configuration " + std::to_string(agreed.version) +
              ", which is followed");
  }
  const auto read = config::parse(agreed.text, agreed_file);
  // Only a version of this program that knows fewer keys than the one that judged it comes here.
  if (!read) return story("configuration-unusable", std::to_string(agreed.version), read.error().text());
  reconfigure(agreed.version, agreed.text, *read);
  for (auto& effect : *out)
    if (auto* configured = std::get_if<effect::Configured>(&effect); configured != nullptr && edited)
      configured->edited = true;
}

/// Who joined reads the whole log, and is in none of the configurations before the one that its file came from. It goes
/// by its file until it has come to that; should somebody have edited the file, until it knows all that the leader
/// does.
void Manager::State::look_whether_caught_up() {
  if (!is_newcomer) return;
  const auto* leader = config.node(raft.leadership().leader);
  const auto* report = leader == nullptr ? nullptr : liveness.newest_report(leader->name);
  if (report == nullptr || report->applied_index == 0 || store.state().applied_index < report->applied_index) return;
  is_newcomer = false;
  applied_state_changed();
}

void Manager::State::reconfigure(std::uint64_t version, const std::string& next_text,
                                 const config::ClusterConfig& whole_config) {
  const auto before = std::move(config);
  const auto reason = reconfiguration::reason_not_to_follow(whole, whole_config);
  whole = whole_config;
  config = whole.of_managers();
  agreed_text = next_text;
  const auto& members = raft.status().configuration;
  for (const auto& node : before.nodes)
    if (node.id != self->id && config.node(node.id) == nullptr && members.is_member(node.id)) leaving.push_back(node);
  std::erase_if(leaving, [&](const auto& one) { return config.node(one.id) != nullptr; });
  const auto* mine = config.node(self->name);
  is_configured = mine != nullptr;
  if (mine != nullptr) own_node = *mine;
  if (!is_configured)
    story("node-removed", self->name, self->name + " is not configured any more: what runs here is stopped");
  for (const auto& volume : config.volumes)
    if (before.volume(volume.name) == nullptr && volume.disk.count(self->name) != 0)
      story("blockd-awaited", volume.name, "bascule-blockd --volume " + volume.name + " is awaited here");
  tell_links();
  follow_fence_devices(before);
  std::vector<raft::ServerId> preferred;
  for (const auto& node : config.nodes)
    if (node.role == config::NodeRole::witness) preferred.push_back(node.id);
  raft.prefer(std::move(preferred));
  out->push_back(effect::Configured{version, agreed_text, std::make_shared<const config::ClusterConfig>(config), {}});
  auto& linked = std::get<effect::Configured>(out->back()).linked;
  linked = config.nodes;
  if (!is_configured) linked.push_back(own_node);
  linked.insert(linked.end(), leaving.begin(), leaving.end());
  next_member_look = now;
  plan_dirty = true;
  // Times, name or port as they stood in this node's own file: it has to start anew by the agreed ones.
  if (!reason.empty()) out->push_back(effect::Stop{"the file of this node differed from what is agreed: " + reason});
}

/// Who is there, and over which links.
void Manager::State::tell_links() {
  config::ClusterConfig everybody = config;
  everybody.nodes.insert(everybody.nodes.end(), leaving.begin(), leaving.end());
  if (!is_configured) everybody.nodes.push_back(own_node);
  liveness.configure(everybody, now);
  links.configure(everybody, self->name, now);
}

const config::ClusterConfig* Manager::State::configuration_at(std::uint64_t version) {
  if (version == followed.value_or(0)) return &config;
  const auto known = earlier.find(version);
  if (known != earlier.end()) return known->second ? &*known->second : nullptr;
  std::optional<config::ClusterConfig> found;
  for (const auto& one : store.state().configurations) {
    if (one.version != version) continue;
    if (auto read = config::parse(one.text, agreed_file)) found = read->of_managers();
  }
  const auto& kept = earlier.emplace(version, std::move(found)).first->second;
  return kept ? &*kept : nullptr;
}

Result<reconfiguration::ChangePlan> Manager::State::plan_configuration(const std::string& wanted) const {
  const auto online = [this](const std::string& node) {
    return liveness.presence(node, now) == membership::Presence::online;
  };
  return reconfiguration::plan_change({whole, agreed_text, store.state(), online, raft.status().configuration.voters},
                                      wanted, "the configuration");
}

/// The first change first makes version 0 of what the files say, so that there is something to go back to.
void Manager::State::judge_configuration(const input::Change& change) {
  if (store.state().configurations.empty()) return after_adoption.push_back(change);
  auto command = std::get<message::SetConfig>(change.command);
  const auto refuse = [&](std::string why) {
    out->push_back(effect::ChangeDone{change.request, false, std::move(why)});
  };
  const auto plan = plan_configuration(command.text);
  if (!plan) return refuse(plan.error().text());
  if (!plan->refusals.empty()) return refuse(plan->refusals.front());
  command.text = plan->text;
  command.highest_node_id = plan->highest_node_id;
  command.adopts = false;
  Pending entry;
  entry.proposal = {prng.next(), self->name, std::move(command)};
  entry.request = change.request;
  entry.give_up = now + seconds(10);
  if (message::encode(entry.proposal).size() > raft::payload_bytes_max)
    return refuse("the configuration is too long for one entry of the log");
  submit(std::move(entry));
}

void Manager::State::judge_after_adoption() {
  if (after_adoption.empty()) return;
  if (!store.state().configurations.empty()) {
    std::vector<input::Change> changes;
    changes.swap(after_adoption);
    for (const auto& change : changes) judge_configuration(change);
    return;
  }
  if (now < adopt_again) return;
  adopt_again = now + adopt_again_after;
  message::SetConfig adoption;
  adoption.adopts = true;
  adoption.text = file_text;
  adoption.reason = "as it stood in the file of " + self->name;
  adoption.at_ms = std::get<message::SetConfig>(after_adoption.front().command).at_ms;
  adoption.highest_node_id = highest_id(whole);
  propose(std::move(adoption));
}

}  // namespace bascule::manager
