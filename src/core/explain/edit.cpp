#include "core/explain/edit.h"

#include <algorithm>
#include <utility>

namespace bascule::explain {
namespace {

const Undo nothing = [] {};

/// Puts a part back as it is now.
template <typename Part>
Undo keep(Part& part) {
  return [&part, old = part]() mutable { part = std::move(old); };
}

Undo both(Undo first, Undo second) {
  return [first = std::move(first), second = std::move(second)] {
    second();
    first();
  };
}

void erase_name(cib::NameValueSets& sets, const std::string& name) {
  for (cib::NameValueSet& set : sets)
    std::erase_if(set.pairs, [&](const cib::NameValue& pair) { return pair.name == name; });
}

/// In a set of its own, in front of all others.
void write_name(cib::NameValueSets& sets, const std::string& name, const std::string& value) {
  erase_name(sets, name);
  cib::NameValueSet made;
  made.id = "cib-bootstrap-options";
  made.score = "INFINITY";
  made.pairs = {{name, value}};
  sets.insert(sets.begin(), std::move(made));
}

bool says(const cib::NameValueSets& sets, const std::string& name) {
  return std::any_of(sets.begin(), sets.end(), [&](const cib::NameValueSet& set) {
    return std::any_of(set.pairs.begin(), set.pairs.end(), [&](const auto& pair) { return pair.name == name; });
  });
}

cib::Resource* find_in(std::vector<cib::Resource>& resources, std::string_view id) {
  for (cib::Resource& resource : resources) {
    if (resource.id == id) return &resource;
    if (cib::Resource* inside = find_in(resource.children, id)) return inside;
  }
  return nullptr;
}

/// The innermost of a resource and what it is in that writes the meta-attribute; null: none does.
cib::Resource* writer_of(std::vector<cib::Resource>& resources, std::string_view id, const std::string& name,
                         bool& found) {
  for (cib::Resource& resource : resources) {
    cib::Resource* inside = writer_of(resource.children, id, name, found);
    found = found || resource.id == id;
    if (inside != nullptr) return inside;
    if (found) return says(resource.meta, name) ? &resource : nullptr;
  }
  return nullptr;
}

void write_attribute(cib::Attributes& attributes, const std::string& name, const std::string& value) {
  std::erase_if(attributes, [&](const auto& each) { return each.first == name; });
  attributes.emplace_back(name, value);
}

bool of_resource(std::string_view attribute, const std::string& resource) {
  for (const std::string_view prefix : {"fail-count-", "last-failure-"}) {
    if (attribute.rfind(prefix, 0) != 0) continue;
    std::string_view rest = attribute.substr(prefix.size());
    if (rest.rfind(resource, 0) != 0) continue;
    rest.remove_prefix(resource.size());
    if (rest.empty() || rest[0] == '#' || rest[0] == ':') return true;
  }
  return false;
}

bool to_forget(const cib::OperationResult& each) {
  if (each.id.find("_last_failure_0") != std::string::npos || each.status > 1) return true;
  const std::string wanted = ":" + std::to_string(each.rc) + ":";
  return each.rc != 0 && each.rc != 7 && each.rc != 8 && each.transition_key.find(wanted) == std::string::npos;
}

}  // namespace

// ---- finding parts --------------------------------------------------------------------------------------------------

cib::Resource* find_resource(cib::Cib& cib, std::string_view id) { return find_in(cib.resources, id); }

cib::NodeState* find_state(cib::Cib& cib, std::string_view node) {
  for (cib::NodeState& state : cib.node_states)
    if (state.name == node || (state.name.empty() && state.id == node)) return &state;
  return nullptr;
}

cib::Constraint* find_constraint(cib::Cib& cib, std::string_view id) {
  for (cib::Constraint& constraint : cib.constraints)
    if (std::visit([&](const auto& each) { return each.id == id; }, constraint)) return &constraint;
  return nullptr;
}

// ---- the cluster ----------------------------------------------------------------------------------------------------

Undo set_property(cib::Cib& cib, const std::string& name, const std::string& value) {
  Undo undo = keep(cib.properties);
  const auto main = std::find_if(cib.properties.begin(), cib.properties.end(),
                                 [](const cib::NameValueSet& set) { return set.id == "cib-bootstrap-options"; });
  if (main == cib.properties.end()) {
    write_name(cib.properties, name, value);
    return undo;
  }
  erase_name(cib.properties, name);
  main->pairs.push_back({name, value});
  return undo;
}

Undo set_quorum(cib::Cib& cib, bool quorum) {
  Undo undo = keep(cib.attributes);
  write_attribute(cib.attributes, "have-quorum", quorum ? "1" : "0");
  return undo;
}

Undo grant_ticket(cib::Cib& cib, const std::string& ticket, bool granted) {
  Undo undo = keep(cib.tickets);
  auto found = std::find_if(cib.tickets.begin(), cib.tickets.end(),
                            [&](const cib::TicketState& each) { return each.id == ticket; });
  if (found == cib.tickets.end()) found = cib.tickets.insert(found, cib::TicketState{ticket, {}});
  write_attribute(found->attributes, "granted", granted ? "true" : "false");
  if (granted) write_attribute(found->attributes, "standby", "false");
  return undo;
}

// ---- nodes ----------------------------------------------------------------------------------------------------------

Undo set_attribute(cib::Cib& cib, const std::string& node, const std::string& name, const std::string& value) {
  Undo undo = nothing;
  if (cib::NodeState* state = find_state(cib, node); state != nullptr && says(state->transient_attributes, name)) {
    undo = keep(state->transient_attributes);
    write_name(state->transient_attributes, name, value);
  }
  for (cib::Node& each : cib.nodes) {
    if (each.name != node) continue;
    undo = both(std::move(undo), keep(each.attributes));
    write_name(each.attributes, name, value);
  }
  return undo;
}

Undo set_presence(cib::Cib& cib, const std::string& node, Presence presence) {
  cib::NodeState* state = find_state(cib, node);
  if (state == nullptr) {
    const auto configured =
        std::find_if(cib.nodes.begin(), cib.nodes.end(), [&](const cib::Node& each) { return each.name == node; });
    if (configured == cib.nodes.end()) return nothing;
    cib::NodeState made;
    made.id = configured->id;
    made.name = configured->name;
    cib.node_states.push_back(std::move(made));
    const Undo inner = set_presence(cib, node, presence);
    return [&cib] { cib.node_states.pop_back(); };
  }
  Undo undo = keep(*state);
  const bool up = presence == Presence::up;
  state->in_ccm = up ? "true" : "false";
  state->crmd = up ? "online" : "offline";
  state->join = up ? "member" : "down";
  state->expected = presence == Presence::stopped ? "down" : "member";
  if (state->name.empty()) state->name = node;
  state->shutdown.clear();
  erase_name(state->transient_attributes, "shutdown");
  if (presence != Presence::stopped) return undo;
  // Whoever stops cleanly has stopped what it ran, and forgets its attributes.
  state->resources.clear();
  state->transient_attributes.clear();
  return undo;
}

// ---- resources ------------------------------------------------------------------------------------------------------

Undo set_meta(cib::Cib& cib, const std::string& resource, const std::string& name, const std::string& value) {
  bool found = false;
  cib::Resource* writer = writer_of(cib.resources, resource, name, found);
  if (writer == nullptr) writer = find_resource(cib, resource);
  if (writer == nullptr) return nothing;
  Undo undo = keep(writer->meta);
  write_name(writer->meta, name, value);
  return undo;
}

Undo forget_failures(cib::Cib& cib, const std::string& resource, const std::string& node) {
  cib::NodeState* state = find_state(cib, node);
  if (state == nullptr) return nothing;
  Undo undo = keep(*state);
  for (cib::NameValueSet& set : state->transient_attributes)
    std::erase_if(set.pairs, [&](const cib::NameValue& pair) { return of_resource(pair.name, resource); });
  for (cib::ResourceHistory& history : state->resources)
    if (history.id == resource || history.id.rfind(resource + ":", 0) == 0)
      std::erase_if(history.operations, to_forget);
  return undo;
}

// ---- constraints ----------------------------------------------------------------------------------------------------

Undo set_score(cib::Cib& cib, const std::string& constraint, const std::string& score) {
  cib::Constraint* found = find_constraint(cib, constraint);
  if (found == nullptr) return nothing;
  Undo undo = keep(*found);
  if (auto* location = std::get_if<cib::LocationConstraint>(found)) {
    if (location->rules.size() == 1)
      location->rules.front().score = score;
    else
      location->score = score;
  } else if (auto* colocation = std::get_if<cib::ColocationConstraint>(found)) {
    colocation->score = score;
  }
  return undo;
}

Undo drop_constraint(cib::Cib& cib, const std::string& constraint) {
  cib::Constraint* found = find_constraint(cib, constraint);
  if (found == nullptr) return nothing;
  const std::ptrdiff_t index = found - cib.constraints.data();
  Undo undo = [&cib, index, old = *found]() mutable {
    cib.constraints.insert(cib.constraints.begin() + index, std::move(old));
  };
  cib.constraints.erase(cib.constraints.begin() + index);
  return undo;
}

Undo add_location(cib::Cib& cib, const std::string& resource, const std::string& node, const std::string& score) {
  cib::LocationConstraint made;
  made.id = "#added";
  made.resource = resource;
  made.node = node;
  made.score = score;
  cib.constraints.emplace_back(std::move(made));
  return [&cib] { cib.constraints.pop_back(); };
}

}  // namespace bascule::explain
