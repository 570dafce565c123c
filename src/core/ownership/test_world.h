#pragma once

#include <map>
#include <string>

#include "core/ownership/plan.h"
#include "core/store/store.h"

/// A cluster as the policy tests see it: alice and bob with copies of data, carol the witness, the service shop.
namespace bascule::ownership::testing_world {

using namespace bascule::message;

struct World {
  config::ClusterConfig config;
  store::Store store;
  std::map<std::string, NodeReport> reports;
  std::map<std::string, NodeView> nodes;
  bool may_decide = true;
  bool leader_known = true;

  World() {
    config.name = "boutique";
    config.nodes = {{"alice", config::NodeRole::data, "10.0.0.1", 1},
                    {"bob", config::NodeRole::data, "10.0.0.2", 2},
                    {"carol", config::NodeRole::witness, "10.0.0.3", 3}};
    config::Volume volume;
    volume.name = "data";
    volume.disk = {{"alice", "/a"}, {"bob", "/b"}};
    config.volumes = {volume};
    config::Service service;
    service.name = "shop";
    service.volume = "data";
    service.preferred_node = "alice";
    config.services = {service};
    for (const char* name : {"alice", "bob", "carol"}) comes(name);
    for (const char* name : {"alice", "bob"}) copy(name).attached = true, copy(name).disk = "UpToDate";
  }

  config::Service& shop() { return config.services[0]; }
  VolumeReport& copy(const std::string& node) {
    auto& volumes = reports[node].volumes;
    if (volumes.empty()) volumes.emplace_back().name = "data";
    return volumes[0];
  }
  ServiceReport& told(const std::string& node) {
    auto& services = reports[node].services;
    if (services.empty()) services.emplace_back().name = "shop";
    return services[0];
  }
  const store::ServiceState& service() { return store.state().services.at("shop"); }
  const store::VolumeState& volume() { return store.state().volumes.at("data"); }

  void comes(const std::string& node) { nodes[node] = {.online = true, .lost = false, .age = {}}; }
  void dies(const std::string& node) {
    nodes[node] = {.online = false,
                   .lost = true,
                   .age = seconds(1),
                   .lease_certainly_over = true,
                   .lease_over_at = Instant(seconds(9))};
  }
  void dies_with_running_lease(const std::string& node) {
    dies(node);
    nodes[node].lease_certainly_over = false;
    nodes[node].lease_over_at = Instant(seconds(11));
  }

  /// The owner of the volume or, without one, a member of its in-sync set.
  std::string who_may_vouch() {
    const auto known = store.state().volumes.find("data");
    if (known == store.state().volumes.end() || known->second.in_sync.empty()) return "carol";
    return known->second.owner.value_or(*known->second.in_sync.begin());
  }
  store::Applied apply(Command command) {
    const auto index = store.state().applied_index + 1;
    const auto proposer = std::holds_alternative<GrowInSync>(command) ? who_may_vouch() : "carol";
    return store.apply(index, {index, proposer, std::move(command)});
  }
  /// alice runs shop, epoch 1, both copies in sync.
  void alice_runs_shop() {
    apply(InitialiseVolume{"data", "alice"});
    apply(GrantOwnership{"shop", "data", "alice", "", 0, 0, "first start"});
    apply(GrowInSync{"data", 1, volume().in_sync_version, "bob"});
    reports_started("alice");
  }
  void reports_started(const std::string& node) {
    told(node).epoch = service().epoch, told(node).state = "Started", told(node).why.clear();
  }
  void bob_becomes_stale() { apply(ShrinkInSync{"data", volume().epoch, volume().in_sync_version, "bob"}); }
  void owner_releases() { apply(ReleaseOwnership{"shop", "data", service().epoch, volume().epoch}); }

  [[nodiscard]] Snapshot snapshot() {
    for (auto& [name, node] : nodes) {
      reports[name].node = name;
      node.report = &reports[name];
    }
    return {config, store.state(), "carol", may_decide, leader_known, Instant(seconds(10)), nodes};
  }
  Plan plan() { return ownership::plan(snapshot()); }
  Explanation about_shop() { return plan().services.at("shop"); }
  Explanation about_data() { return plan().volumes.at("data"); }

  /// The texts of what is decided now.
  std::vector<std::string> decided() {
    std::vector<std::string> texts;
    for (const auto& decision : plan().decisions) texts.push_back(text(decision.command));
    return texts;
  }
  /// Plans, applies what was decided, and says what it was.
  std::vector<std::string> decide() {
    std::vector<std::string> texts;
    for (const auto& decision : plan().decisions) {
      texts.push_back(text(decision.command));
      const auto applied = apply(decision.command);
      if (!applied.accepted) texts.push_back("REFUSED: " + applied.why);
    }
    return texts;
  }
};

using Texts = std::vector<std::string>;

}  // namespace bascule::ownership::testing_world
