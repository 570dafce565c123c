// <constraints>: locations, colocations, orders and tickets, single and as sets.
#include "wire/cib/detail/reader.h"

namespace bascule::cib::detail {
namespace {

ResourceSet read_resource_set(Reader& reader, pugi::xml_node referring) {
  ResourceSet result;
  result.line = reader.line_of(referring);
  const pugi::xml_node node = reader.referenced(referring);
  if (!node) return result;
  if (node != referring) reader.attributes(referring, {{"id-ref"}, {"id"}});
  reader.attributes(node, {{"id", &result.id, Need::required},
                           {"sequential", &result.sequential},
                           {"require-all", &result.require_all},
                           {"ordering", &result.ordering},
                           {"action", &result.action},
                           {"role", &result.role},
                           {"score", &result.score},
                           {"kind"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name != "resource_ref") return false;
    std::string id;
    reader.attributes(child, {{"id", &id, Need::required}});
    reader.check_reference(child, id, "id");
    result.resources.push_back(std::move(id));
    return true;
  });
  if (result.resources.empty()) reader.refuse(node, "the set is empty");
  return result;
}

void read_rules(Reader& reader, pugi::xml_node node, std::vector<Rule>& to) {
  reader.attributes(node, {{"id"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name != "rule") return false;
    to.push_back(read_rule(reader, child));
    return true;
  });
}

/// Sets and lifetime; `rules` only in a location.
template <typename Constraint>
void read_parts(Reader& reader, pugi::xml_node node, Constraint& result, std::vector<Rule>* rules = nullptr) {
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name == "resource_set")
      result.sets.push_back(read_resource_set(reader, child));
    else if (name == "lifetime")
      read_rules(reader, child, result.lifetime);
    else if (name == "rule" && rules != nullptr)
      rules->push_back(read_rule(reader, child));
    else
      return false;
    return true;
  });
}

LocationConstraint read_location(Reader& reader, pugi::xml_node node) {
  LocationConstraint result;
  reader.attributes(node, {{"id", &result.id, Need::required},
                           {"rsc", &result.resource, Need::reference},
                           {"rsc-pattern", &result.resource_pattern},
                           {"node", &result.node},
                           {"score", &result.score},
                           {"role", &result.role},
                           {"resource-discovery", &result.discovery},
                           {"description"}});
  read_parts(reader, node, result, &result.rules);
  if (result.resource.empty() && result.resource_pattern.empty() && result.sets.empty())
    reader.refuse(node, "it names no resource");
  if (result.node.empty() && result.rules.empty() && result.sets.empty())
    reader.refuse(node, "it has neither a node nor a rule");
  if (!result.node.empty() && !node.attribute("score")) reader.refuse(node, "the attribute \"score\" is missing");
  return result;
}

ColocationConstraint read_colocation(Reader& reader, pugi::xml_node node) {
  ColocationConstraint result;
  reader.attributes(node, {{"id", &result.id, Need::required},
                           {"rsc", &result.resource, Need::reference},
                           {"with-rsc", &result.with, Need::reference},
                           {"score", &result.score},
                           {"rsc-role", &result.resource_role},
                           {"with-rsc-role", &result.with_role},
                           {"rsc-instance", &result.resource_instance},
                           {"with-rsc-instance", &result.with_instance},
                           {"node-attribute", &result.node_attribute},
                           {"influence", &result.influence},
                           {"score-attribute", &result.score_attribute},
                           {"score-attribute-mangle"},
                           {"description"}});
  read_parts(reader, node, result);
  if (result.sets.empty() && (result.resource.empty() || result.with.empty()))
    reader.refuse(node, "it does not name two resources");
  return result;
}

OrderConstraint read_order(Reader& reader, pugi::xml_node node) {
  OrderConstraint result;
  reader.attributes(node, {{"id", &result.id, Need::required},
                           {"first", &result.first, Need::reference},
                           {"then", &result.then, Need::reference},
                           {"first-action", &result.first_action},
                           {"then-action", &result.then_action},
                           {"kind", &result.kind},
                           {"score", &result.score},
                           {"symmetrical", &result.symmetrical},
                           {"require-all", &result.require_all},
                           {"first-instance", &result.first_instance},
                           {"then-instance", &result.then_instance},
                           {"description"}});
  read_parts(reader, node, result);
  if (result.sets.empty() && (result.first.empty() || result.then.empty()))
    reader.refuse(node, "it does not name two resources");
  return result;
}

TicketConstraint read_ticket(Reader& reader, pugi::xml_node node) {
  TicketConstraint result;
  reader.attributes(node, {{"id", &result.id, Need::required},
                           {"rsc", &result.resource, Need::reference},
                           {"rsc-role", &result.resource_role},
                           {"ticket", &result.ticket, Need::required},
                           {"loss-policy", &result.loss_policy},
                           {"description"}});
  read_parts(reader, node, result);
  if (result.sets.empty() && result.resource.empty()) reader.refuse(node, "it names no resource");
  return result;
}

template <typename Constraint>
void add(Reader& reader, pugi::xml_node node, Constraint constraint) {
  constraint.line = reader.line_of(node);
  reader.document.cib.constraints.emplace_back(std::move(constraint));
}

}  // namespace

void read_constraints(Reader& reader, pugi::xml_node node) {
  reader.attributes(node, {{"id"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name == "rsc_location")
      add(reader, child, read_location(reader, child));
    else if (name == "rsc_colocation")
      add(reader, child, read_colocation(reader, child));
    else if (name == "rsc_order")
      add(reader, child, read_order(reader, child));
    else if (name == "rsc_ticket")
      add(reader, child, read_ticket(reader, child));
    else
      return false;
    return true;
  });
}

}  // namespace bascule::cib::detail
