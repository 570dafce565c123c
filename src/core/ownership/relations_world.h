#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <string>

#include "core/ownership/plan.h"
#include "core/ownership/relations.h"
#include "core/store/store.h"

/// Services with copies and relations, for the policy tests: nodes that obey at once, and never lie.
namespace bascule::ownership::relations_world {

using namespace bascule::message;

inline const std::string three_nodes =
    "[cluster]\nname = \"c\"\n[node.alice]\naddress = \"10.0.0.1\"\n[node.bob]\naddress = \"10.0.0.2\"\n"
    "[node.carol]\naddress = \"10.0.0.3\"\n";

struct RelationsWorld {
  config::ClusterConfig config;
  store::Store store;
  std::map<std::string, NodeView> nodes;
  std::map<std::string, NodeReport> reports;
  /// What runs: service -> nodes; the truth, which outlives the reports of a node that is lost for the others.
  std::map<std::string, std::set<std::string>> running;
  std::map<std::string, int> scores;  ///< of the node as the promotable agent gives them
  std::vector<std::string> story;

  explicit RelationsWorld(const std::string& services) {
    auto read = config::parse(three_nodes + services, "cluster.toml");
    EXPECT_TRUE(read.has_value()) << (read ? "" : read.error().text());
    if (read) config = *read;
    for (const char* name : {"alice", "bob", "carol"}) comes(name);
  }

  void comes(const std::string& node) { nodes[node] = {.online = true, .lost = false, .age = {}}; }
  /// The machine is off.
  void dies(const std::string& node) {
    nodes[node] = {
        .online = false, .lost = true, .age = {}, .lease_certainly_over = true, .lease_over_at = Instant(seconds(9))};
    for (auto& [service, where] : running) where.erase(node);
  }
  void is_lost_with_a_running_lease(const std::string& node) {
    nodes[node] = {
        .online = false, .lost = true, .age = {}, .lease_certainly_over = false, .lease_over_at = Instant(seconds(11))};
  }

  store::ServiceState state(const std::string& name) const {
    const auto found = store.state().services.find(name);
    return found == store.state().services.end() ? store::ServiceState{} : found->second;
  }
  std::string owner(const std::string& name) const { return state(name).owner.value_or(""); }
  bool runs_on(const std::string& service, const std::string& node) { return running[service].contains(node); }

  store::Applied apply(Command command) {
    const auto index = store.state().applied_index + 1;
    return store.apply(index, {index, "carol", std::move(command)});
  }

  [[nodiscard]] Snapshot snapshot() {
    for (auto& [name, node] : nodes) {
      auto& report = reports[name];
      report.node = name;
      report.services.clear();
      for (const auto& service : config.services) {
        const auto agreed = state(service.name);
        const bool mine = agreed.owner == name;
        if (!mine && !runs_on(service.name, name)) continue;
        report.services.push_back(
            {service.name, agreed.epoch, runs_on(service.name, name) ? "Started" : "Stopped", {}, {}});
      }
      node.report = &report;
    }
    return {config, store.state(), "carol", true, true, Instant(seconds(10)), nodes};
  }
  Plan plan() { return ownership::plan(snapshot()); }
  std::string why(const std::string& service) { return plan().services.at(service).why; }

  /// What the nodes do with what is agreed: one step of one service; false: nothing is left to do.
  bool nodes_obey() {
    for (const auto& service : config.services) {
      const auto agreed = state(service.name);
      if (!agreed.owner || !nodes.at(*agreed.owner).online) continue;
      const auto& owner = *agreed.owner;
      if (agreed.stop_requested) {
        running[service.name].erase(owner);
        story.push_back("stop " + service.name + " " + owner);
        apply(ReleaseOwnership{service.name, "", agreed.epoch, 0});
        return true;
      }
      const auto gate = ownership::gate(snapshot(), service, owner);
      if (gate.pause && runs_on(service.name, owner)) {
        running[service.name].erase(owner);
        story.push_back("pause " + service.name + " " + owner);
        return true;
      }
      if (!runs_on(service.name, owner) && gate.waits_for.empty()) {
        running[service.name].insert(owner);
        story.push_back("start " + service.name + " " + owner);
        if (service.promotable) give_score(service, owner);
        return true;
      }
    }
    return false;
  }
  void give_score(const config::Service& copy, const std::string& node) {
    UpdateAttributes command{node, true, {}, {}};
    command.set["master-" + copy.copy->of + "_" + copy.steps.front().name] = std::to_string(scores[node]);
    apply(command);
  }

  /// Plans and carries out until nothing is left; the number of decisions.
  std::size_t settle(const std::function<void(const Decision&)>& check = {}) {
    std::size_t decisions = 0;
    for (int round = 0; round < 400; ++round) {
      const auto plan = this->plan();
      for (const auto& decision : plan.decisions) {
        if (check) check(decision);
        const auto applied = apply(decision.command);
        EXPECT_TRUE(applied.accepted && applied.changed) << text(decision.command) << ": " << applied.why;
        ++decisions;
      }
      if (!nodes_obey() && plan.decisions.empty()) return decisions;
    }
    ADD_FAILURE() << "it does not come to rest";
    return decisions;
  }
};

}  // namespace bascule::ownership::relations_world
