#include "core/decisions/record.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "core/decisions/detail/report_json.h"
#include "core/store/store.h"

namespace bascule::decisions {
namespace {

using Json = nlohmann::json;

constexpr const char* format = "bascule-decision";
constexpr std::uint64_t version = 1;

Json json_of(const ownership::NodeView& view) {
  return {{"online", view.online},
          {"lost", view.lost},
          {"age_ns", view.age.count()},
          {"lease_certainly_over", view.lease_certainly_over},
          {"lease_over_at_ns", to_ns(view.lease_over_at)},
          {"report", view.report == nullptr ? Json(nullptr) : Json(*view.report)}};
}

ownership::NodeView node_view_of(const Json& json) {
  ownership::NodeView view;
  view.online = json.at("online").get<bool>();
  view.lost = json.at("lost").get<bool>();
  view.age = Duration(json.at("age_ns").get<std::int64_t>());
  view.lease_certainly_over = json.at("lease_certainly_over").get<bool>();
  view.lease_over_at = instant_from_ns(json.at("lease_over_at_ns").get<std::int64_t>());
  return view;
}

std::vector<Decided> decided_by(const ownership::Plan& plan) {
  std::vector<Decided> decided;
  for (const auto& one : plan.decisions) decided.push_back({message::text(one.command), one.reason});
  return decided;
}

tl::unexpected<Error> refuse(std::string why) {
  return fail("the decision cannot be replayed", "", std::move(why),
              "a manager keeps its decisions in STATE_DIR/decisions.jsonl");
}

void read_nodes(const Json& json, Record& record) {
  for (const auto& [name, node] : json.items()) {
    record.nodes[name] = node_view_of(node);
    if (!node.at("report").is_null()) record.reports[name] = node.at("report").get<message::NodeReport>();
  }
}

Record record_of(const Json& json) {
  Record record;
  record.node = json.at("node").get<std::string>();
  record.term = json.at("term").get<std::uint64_t>();
  record.wall_ms = json.at("wall_ms").get<std::uint64_t>();
  record.configuration = json.at("configuration").get<std::string>();
  record.may_decide = json.at("may_decide").get<bool>();
  record.leader_known = json.at("leader_known").get<bool>();
  record.now = instant_from_ns(json.at("now_ns").get<std::int64_t>());
  read_nodes(json.at("nodes"), record);
  for (const auto& one : json.at("decided"))
    record.decided.push_back({one.at("command").get<std::string>(), one.at("reason").get<std::string>()});
  return record;
}

Result<Record> understood(const Json& json) {
  const bool is_one = json.is_object() && json.contains("format") && json["format"] == format;
  if (!is_one) return refuse("it is no record of a decision");
  const auto found = json.at("version").get<std::uint64_t>();
  if (found != version)
    return refuse("it has version " + std::to_string(found) + ", this program knows version " +
                  std::to_string(version));
  Record record = record_of(json);
  const std::string state_text = json.at("state").dump();
  const auto store = store::Store::restore(view_of(state_text));
  if (!store) return refuse(store.error().why);
  record.state = store->state();
  const auto config = config::parse(record.configuration, "the configuration it was taken on");
  if (!config) return tl::unexpected(config.error());
  record.config = config->of_managers();
  return record;
}

}  // namespace

ownership::Snapshot Record::snapshot() const {
  ownership::Snapshot made{config, state, node, may_decide, leader_known, now, nodes};
  for (auto& [name, view] : made.nodes)
    if (const auto found = reports.find(name); found != reports.end()) view.report = &found->second;
  return made;
}

std::string write(const ownership::Snapshot& snapshot, const ownership::Plan& plan,
                  const Circumstances& circumstances) {
  Json json{{"format", format},
            {"version", version},
            {"node", snapshot.self},
            {"term", circumstances.term},
            {"wall_ms", circumstances.wall_ms},
            {"configuration", circumstances.configuration},
            {"may_decide", snapshot.may_decide},
            {"leader_known", snapshot.leader_known},
            {"now_ns", to_ns(snapshot.now)},
            {"nodes", Json::object()},
            {"decided", Json::array()}};
  for (const auto& [name, view] : snapshot.nodes) json["nodes"][name] = json_of(view);
  for (const auto& one : decided_by(plan))
    json["decided"].push_back({{"command", one.command}, {"reason", one.reason}});
  json["state"] = Json::parse(circumstances.state, nullptr, false);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Record> read(std::string_view line) {
  try {
    return understood(Json::parse(line));
  } catch (const std::exception& exception) {
    return refuse(exception.what());
  }
}

Replay replay(const Record& record) {
  Replay made;
  made.plan = ownership::plan(record.snapshot());
  made.decided = decided_by(made.plan);
  made.same = made.decided == record.decided;
  return made;
}

}  // namespace bascule::decisions
