// Fencing: who is being switched off, what came of it, and when a device was last seen to work.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/store/detail/fence_json.h"
#include "core/store/detail/rules.h"
#include "core/store/fence_history.h"

namespace bascule::store::detail {

namespace {

Applied refuse_fencing(std::string why) {
  return {.changed = false, .accepted = false, .why = std::move(why), .events = {}};
}

Applied told(StoryEvent event) { return {.changed = true, .accepted = true, .why = {}, .events = {std::move(event)}}; }

/// What `on_fail = "fence"` asked for is done.
void forget_fenced_failures(ClusterState& state, const std::string& node) {
  for (auto& [name, service] : state.services) {
    const auto failure = service.failures.find(node);
    if (failure != service.failures.end() && failure->second.reaction == "fence") service.failures.erase(failure);
  }
}

}  // namespace

Applied request_fencing(ClusterState& state, const message::RequestFencing& c) {
  if (c.node.empty() || c.by.empty() || c.order == 0) return refuse_fencing("no node is named");
  if (const auto open = state.fencing.orders.find(c.node); open != state.fencing.orders.end())
    return refuse_fencing(fmt::format("{} is being fenced by {} already", c.node, open->second.by));
  state.fencing.orders[c.node] = {c.order, c.by, c.reason};
  return told({"fencing", c.node, fmt::format("{} is to fence {}: {}", c.by, c.node, c.reason), {{"by", c.by}}});
}

Applied record_fencing(ClusterState& state, const message::RecordFencing& c) {
  if (c.node.empty()) return refuse_fencing("no node is named");
  auto& fencing = state.fencing;
  const auto open = fencing.orders.find(c.node);
  const bool closes = open != fencing.orders.end() && open->second.order == c.order;
  if (c.order != 0 && !closes) return refuse_fencing("that fencing of " + c.node + " is over already");
  if (closes) fencing.orders.erase(open);
  if (c.proven) forget_fenced_failures(state, c.node);
  fencing.history.push_back({c.node, c.by, c.how, c.text, c.reason, c.proven, c.took_ms, c.at_ms});
  if (fencing.history.size() > FencingState::kept) fencing.history.pop_front();
  return told({c.proven ? "node-fenced" : "fencing-failed",
               c.node,
               c.text,
               {{"by", c.by}, {"how", c.how}, {"ms", std::to_string(c.took_ms)}}});
}

Applied record_fence_test(ClusterState& state, const message::RecordFenceTest& c) {
  if (c.device.empty()) return refuse_fencing("no device is named");
  auto& test = state.fencing.tests[c.device];
  test.passed = c.passed;
  test.tried_at_ms = c.at_ms;
  if (c.passed) test.passed_at_ms = c.at_ms;
  test.definition = c.definition;
  test.node = c.node, test.by = c.by, test.text = c.text;
  return told({"fence-test", c.device, c.text, {{"passed", c.passed ? "true" : "false"}, {"by", c.by}}});
}

nlohmann::ordered_json json_of(const FencingState& fencing) {
  using Json = nlohmann::ordered_json;
  Json json{{"orders", Json::object()}, {"history", fence_history_json(fencing)}, {"tests", Json::object()}};
  for (const auto& [node, order] : fencing.orders)
    json["orders"][node] = {{"order", order.order}, {"by", order.by}, {"reason", order.reason}};
  for (const auto& [device, test] : fencing.tests)
    json["tests"][device] = {{"passed_at_ms", test.passed_at_ms},
                             {"tried_at_ms", test.tried_at_ms},
                             {"passed", test.passed},
                             {"definition", test.definition},
                             {"node", test.node},
                             {"by", test.by},
                             {"text", test.text}};
  return json;
}

FencingState fencing_of(const nlohmann::ordered_json& json) {
  FencingState fencing;
  const auto text = [](const auto& object, const char* key) { return object.at(key).template get<std::string>(); };
  const auto number = [](const auto& object, const char* key) { return object.at(key).template get<std::uint64_t>(); };
  for (const auto& [node, order] : json.at("orders").items())
    fencing.orders[node] = {number(order, "order"), text(order, "by"), text(order, "reason")};
  for (const auto& one : json.at("history"))
    fencing.history.push_back({text(one, "node"), text(one, "by"), text(one, "how"), text(one, "text"),
                               text(one, "reason"), one.at("proven").template get<bool>(), number(one, "took_ms"),
                               number(one, "at_ms")});
  for (const auto& [device, test] : json.at("tests").items())
    fencing.tests[device] = {number(test, "passed_at_ms"),
                             number(test, "tried_at_ms"),
                             test.at("passed").template get<bool>(),
                             number(test, "definition"),
                             text(test, "node"),
                             text(test, "by"),
                             text(test, "text")};
  return fencing;
}

}  // namespace bascule::store::detail

namespace bascule::store {

nlohmann::ordered_json fence_history_json(const FencingState& fencing) {
  auto history = nlohmann::ordered_json::array();
  for (const auto& one : fencing.history)
    history.push_back({{"node", one.node},
                       {"by", one.by},
                       {"how", one.how},
                       {"proven", one.proven},
                       {"text", one.text},
                       {"reason", one.reason},
                       {"took_ms", one.took_ms},
                       {"at_ms", one.at_ms}});
  return history;
}

}  // namespace bascule::store
