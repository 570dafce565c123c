// What rules are judged on: the time, a node's attributes, a resource and its operation.
#include <optional>

#include "core/policy/detail/constraints.h"
#include "core/policy/detail/steps.h"
#include "core/policy/rules.h"

namespace bascule::policy::detail {
namespace {

Lookup looks_up(const Meta& values) {
  return [&values](std::string_view name) -> const std::string* {
    const auto found = values.find(name);
    return found == values.end() ? nullptr : &found->second;
  };
}

RuleInput input_for(const Board& board, NodeId node) {
  RuleInput input;
  input.now_s = board.snapshot.now_s;
  if (node != kNone) input.node_attribute = looks_up(board.node(node).attributes);
  return input;
}

}  // namespace

bool rule_holds(const Board& board, ResourceId id, const cib::Rule& rule, NodeId node,
                const std::vector<std::string>& matches) {
  RuleInput input = input_for(board, node);
  const Resource& resource = board.resource(id);
  input.meta = looks_up(resource.meta);
  std::optional<Meta> parameters;  // few rules ask for them
  input.parameter = [&](std::string_view name) -> const std::string* {
    if (!parameters)
      parameters = resource.definition == nullptr ? Meta{} : resolve(board, resource.definition->parameters, node);
    const auto found = parameters->find(name);
    return found == parameters->end() ? nullptr : &found->second;
  };
  for (const std::string& each : matches) input.submatches.emplace_back(each);
  return passes(rule, input);
}

Meta resolve(const Board& board, const cib::NameValueSets& sets, NodeId node) {
  return policy::resolve(sets, input_for(board, node));
}

Meta resolve_properties(const Board& board) {
  return policy::resolve(board.snapshot.cib->properties, input_for(board, kNone), "cib-bootstrap-options");
}

Meta resolve_for(const Board& board, const cib::NameValueSets& sets, const Resource& resource, std::string_view task,
                 std::uint32_t interval_ms) {
  RuleInput input = input_for(board, kNone);
  input.resource = ResourceType{resource.resource_class, resource.provider, resource.type};
  if (!task.empty()) input.operation = OperationType{task, interval_ms};
  return policy::resolve(sets, input);
}

}  // namespace bascule::policy::detail
