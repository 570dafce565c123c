#include "edge/api/operations.h"

namespace bascule::api {
namespace {

using Kind = Parameter::Kind;

const Parameter service{"service", Kind::service, true, "the service"};
const Parameter node{"node", Kind::node, true, "the node"};
const Parameter attribute{"name", Kind::text, true, "the attribute"};
const Parameter of_node{"node", Kind::node, false, "of which node; this one if not given, \"#cluster\" for all"};
const Parameter lifetime{"lifetime", Kind::lifetime, false, "permanent, or transient: until the node boots"};
const Parameter volume{"volume", Kind::volume, true, "the volume"};

/// What a person types.
std::vector<Operation> commands() {
  return {
      {"status",
       "status",
       Level::read,
       "How the cluster is: the answer first, then what is wrong, then each part.",
       "status --watch",
       {}},
      {"events",
       "events",
       Level::read,
       "What happened, oldest first.",
       "events --follow",
       {{"since", Kind::number, false, "only events after this number"},
        {"follow", Kind::flag, false, "go on with new events"}}},
      {"move",
       "move",
       Level::disrupt,
       "Stops a service here and starts it elsewhere.",
       "move shop --to bob",
       {service, {"to", Kind::node, false, "where to; without it, away from where it is"}}},
      {"standby",
       "standby",
       Level::disrupt,
       "Moves everything off a node and keeps it off, until `online`.",
       "standby alice",
       {node}},
      {"online", "online", Level::change, "Lets a node run services again.", "online alice", {node}},
      {"start", "start", Level::change, "Wants a service started.", "start shop", {service}},
      {"stop", "stop", Level::disrupt, "Wants a service stopped.", "stop shop", {service}},
      {"clear_failures",
       "clear",
       Level::change,
       "Forgets a service's failures, so that it may start again where it failed.",
       "clear shop",
       {service, {"node", Kind::node, false, "only those on this node"}}},
      {"attributes",
       "attribute list",
       Level::read,
       "The attributes of nodes: permanent ones, and transient ones that a boot takes away.",
       "attribute list --node alice",
       {{"node", Kind::node, false, "only those of this node"}}},
      {"attribute_set",
       "attribute set",
       Level::change,
       "Sets an attribute of a node; \"value++\" and \"value+=5\" count on from what it is.",
       "attribute set site north --node alice",
       {attribute, {"value", Kind::text, true, "its value"}, of_node, lifetime}},
      {"attribute_delete",
       "attribute delete",
       Level::change,
       "Deletes an attribute of a node.",
       "attribute delete site --node alice",
       {attribute, of_node, lifetime}},
      {"volume_primary",
       "volume primary",
       Level::change,
       "Makes a volume without a service primary by hand.",
       "volume primary data --on alice",
       {volume, node}},
      {"volume_secondary",
       "volume secondary",
       Level::disrupt,
       "Lets go of a volume that is primary by hand.",
       "volume secondary data",
       {volume}},
  };
}

/// What the cli's own commands ask for (edge/cli/operation_commands.cpp).
std::vector<Operation> parts_of_commands() {
  return {
      {"maintenance",
       "",
       Level::change,
       "Begins or ends the maintenance of the cluster, a service or a node.",
       "",
       {{"service", Kind::service, false, "only this service"},
        {"node", Kind::node, false, "only this node"},
        {"off", Kind::flag, false, "ends it"},
        {"duration_ms", Kind::number, false, "how long"},
        {"at_ms", Kind::number, false, "wall clock, for people"},
        {"by", Kind::text, false, "who asks"},
        {"reason", Kind::text, false, "why"}}},
      {"drain", "", Level::disrupt, "As standby, also when something has to wait.", "", {node}},
      {"goodbye",
       "",
       Level::disrupt,
       "One of two nodes without a witness is about to be switched off: the other one decides alone.",
       "",
       {node, {"back", Kind::flag, false, "it is there again"}}},
      {"restart",
       "",
       Level::disrupt,
       "Stops and starts a service in place.",
       "",
       {service, {"step", Kind::text, false, "this step and those after it"}}},
      {"halt", "", Level::disrupt, "Stops everything.", "", {{"by", Kind::text, false, "who asks"}}},
      {"resume", "", Level::change, "Starts everything again.", "", {{"by", Kind::text, false, "who asks"}}},
      {"history",
       "",
       Level::read,
       "What happened on all nodes.",
       "",
       {{"since_ms", Kind::number, false, "wall clock"},
        {"service", Kind::service, false, "only of this service"},
        {"node", Kind::node, false, "only of this node"},
        {"kind", Kind::text, false, "only of this kind"},
        {"limit", Kind::number, false, "at most so many, the newest"},
        {"cursor", Kind::text, false, "only what is new since the answer that gave it"}}},
  };
}

std::vector<Operation> fence_operations() {
  return {
      {"fence",
       "fence node",
       Level::disrupt,
       "Switches another node off by its fence devices; `bascule fence NODE` is the same.",
       "fence node bob",
       {node}},
      {"fence_test",
       "fence test",
       Level::disrupt,
       "Asks the fence devices of a node whether they answer; with --really they switch it off and on.",
       "fence test bob --device pdu",
       {node,
        {"device", Kind::text, false, "only this device"},
        {"really", Kind::flag, false, "switch the node off and on"}}},
      {"fence_confirm",
       "fence confirm",
       Level::disrupt,
       "A person has made sure that a node is off: what it had may run elsewhere. Of two nodes, this one goes on "
       "alone.",
       "fence confirm bob",
       {node}},
      {"start_alone",
       "start-alone",
       Level::disrupt,
       "Of two nodes, starts this one without the other although it may have missed what the other did alone: that is "
       "lost.",
       "start-alone bob",
       {node}},
  };
}

}  // namespace

const std::vector<Operation>& operations() {
  static const std::vector<Operation> table = [] {
    auto all = commands();
    for (auto& operation : parts_of_commands()) all.push_back(std::move(operation));
    for (auto& operation : fence_operations()) all.push_back(std::move(operation));
    return all;
  }();
  return table;
}

const Operation* find_operation(std::string_view name) {
  for (const auto& operation : operations())
    if (operation.name == name) return &operation;
  return nullptr;
}

std::string_view text(Level level) {
  switch (level) {
    case Level::read:
      return "read";
    case Level::change:
      return "change";
    case Level::disrupt:
      return "disrupt";
  }
  return "";
}

}  // namespace bascule::api
