// Resources of the CIB on the board: templates, groups, instances of clones, meta attributes.
#include "core/policy/detail/resources.h"

#include <algorithm>
#include <charconv>

#include "core/policy/detail/bundle.h"
#include "core/policy/detail/remote_nodes.h"
#include "core/policy/detail/steps.h"
#include "core/policy/detail/words.h"
#include "wire/cib/times.h"

namespace bascule::policy::detail {
namespace {

// ---- templates --------------------------------------------------------------------------------------------------

Role special_role(const cib::Operation& operation) {
  const Role role = role_of(cib::value_of(operation.attributes, "role"));
  return role == Role::Started || role == Role::Unpromoted ? Role::Unknown : role;
}

/// The template's parts come first: of sets with one score the last counts. An operation of the template gives way to
/// one of the primitive's with the same name for the same role.
cib::Resource merged_with(const cib::Resource& own, const cib::Resource& base) {
  cib::Resource merged = own;
  merged.resource_class = base.resource_class;
  merged.provider = base.provider;
  merged.type = base.type;
  const auto append = [](cib::NameValueSets& to, const cib::NameValueSets& from) {
    to.insert(to.begin(), from.begin(), from.end());
  };
  append(merged.meta, base.meta);
  append(merged.parameters, base.parameters);
  append(merged.utilization, base.utilization);
  for (const cib::Operation& operation : base.operations) {
    const bool known = std::any_of(own.operations.begin(), own.operations.end(), [&](const cib::Operation& mine) {
      return mine.name == operation.name && special_role(mine) == special_role(operation);
    });
    if (!known) merged.operations.push_back(operation);
  }
  return merged;
}

const cib::Resource* definition_of(Board& board, const cib::Resource& written) {
  if (written.resource_template.empty()) return &written;
  for (const cib::Resource& each : board.snapshot.cib->resources)
    if (each.kind == cib::Resource::Kind::resource_template && each.id == written.resource_template) {
      // Once for a clone, whose instances are all made from it.
      std::vector<std::string>& made = board.templates[each.id];
      if (made.empty() || made.back() != written.id) made.push_back(written.id);
      return &board.merged.emplace_back(merged_with(written, each));
    }
  board.notices.push_back("resource " + written.id + " is made from template " + written.resource_template +
                          ", which does not exist");
  return nullptr;
}

// ---- what the meta-attributes mean --------------------------------------------------------------------------------

Meta meta_of(const Board& board, const Resource& resource, const Meta* parent) {
  Meta meta = resolve(board, resource.definition->meta);
  if (parent != nullptr) meta.insert(parent->begin(), parent->end());
  for (auto& [name, value] : resolve_for(board, board.snapshot.cib->resource_defaults, resource, "", 0))
    meta.try_emplace(name, value);
  return meta;
}

Requires requirement(const Board& board, const Resource& resource) {
  const Properties& properties = board.properties;
  const std::string* word = find(resource.meta, "requires");
  if (word != nullptr && *word == "nothing") return Requires::nothing;
  if (word != nullptr && *word == "quorum") return Requires::quorum;
  if (word != nullptr && *word == "fencing") return Requires::fencing;
  if (word != nullptr && *word == "unfencing")
    return resource.fence_device || !properties.fencing ? Requires::quorum : Requires::unfencing;
  if (resource.fence_device || is_connection_agent(resource)) return Requires::quorum;
  if (resource.primitive() && properties.unfencing) return Requires::unfencing;
  if (properties.fencing) return Requires::fencing;
  return properties.no_quorum == NoQuorumPolicy::ignore ? Requires::nothing : Requires::quorum;
}

MultipleActive multiple_active(const Meta& meta) {
  const std::string* word = find(meta, "multiple-active");
  if (word == nullptr) return MultipleActive::stop_start;
  if (*word == "stop_only") return MultipleActive::stop_only;
  if (*word == "block") return MultipleActive::block;
  if (*word == "stop_unexpected") return MultipleActive::stop_unexpected;
  return MultipleActive::stop_start;
}

bool in_clone(const Board& board, const Resource& resource) {
  for (ResourceId id = resource.parent; id != kNone; id = board.resource(id).parent)
    if (board.resource(id).variant == Variant::clone) return true;
  return false;
}

Score stickiness(const Board& board, const Resource& resource) {
  const std::string* word = find(resource.meta, "resource-stickiness");
  if (word != nullptr && *word != "default") return parse_score(*word).value_or(0);
  return in_clone(board, resource) ? 1 : 0;
}

void read_management(const Board& board, Resource& resource) {
  resource.managed = flag(resource.meta, "is-managed", true);
  resource.maintenance = flag(resource.meta, "maintenance", false) || board.properties.maintenance;
  if (resource.maintenance) resource.managed = false;
}

std::optional<Role> target_role(Board& board, const Resource& resource) {
  const std::string* word = find(resource.meta, "target-role");
  if (word == nullptr || *word == "default") return std::nullopt;
  const Role role = role_of(*word);
  if (role == Role::Unknown) {
    board.notices.push_back("resource " + resource.id + ": target-role \"" + *word + "\" means nothing");
    return std::nullopt;
  }
  // Promoted is what happens anyway, as far as it may.
  if (role == Role::Started || role == Role::Promoted) return std::nullopt;
  return role;
}

/// A connection to a remote node moves without what runs there noticing; one that failed may be left alone for a while.
void interpret_connection(const Board& board, Resource& resource) {
  if (!is_connection_agent(resource) || resource.meta.contains("container")) return;
  if (!resource.meta.contains("allow-migrate")) resource.allow_migrate = true;
  const Meta parameters = resolve(board, resource.definition->parameters);
  const std::string* word = find(parameters, "reconnect_interval");
  if (word == nullptr) return;
  resource.reconnect_ms = static_cast<std::int64_t>(cib::parse_interval_ms(*word).value_or(0));
  resource.failure_timeout_s = resource.reconnect_ms / 1000;
}

void interpret(Board& board, Resource& resource) {
  const Meta& meta = resource.meta;
  resource.fence_device = resource.resource_class == "stonith";
  resource.priority = parse_score(find(meta, "priority") != nullptr ? *find(meta, "priority") : "0").value_or(0);
  resource.stickiness = stickiness(board, resource);
  read_management(board, resource);
  resource.critical = flag(meta, "critical", true);
  resource.notify = flag(meta, "notify", false);
  resource.allow_migrate = flag(meta, "allow-migrate", false);
  resource.allow_unhealthy = flag(meta, "allow-unhealthy-nodes", false);
  resource.multiple_active = multiple_active(meta);
  if (const std::string* word = find(meta, "migration-threshold")) {
    resource.migration_threshold = parse_score(*word).value_or(kInfinity);
    if (resource.migration_threshold < 0) resource.migration_threshold = kInfinity;
  }
  if (const std::string* word = find(meta, "failure-timeout"))
    resource.failure_timeout_s = static_cast<std::int64_t>(cib::parse_interval_ms(*word).value_or(0) / 1000);
  interpret_connection(board, resource);
  if (resource.fence_device) {
    board.properties.have_fencing_device = true;
    const std::string* provides = find(meta, "provides");
    if (provides != nullptr && *provides == "unfencing") board.properties.unfencing = true;
  }
  resource.needs = requirement(board, resource);
  resource.target_role = target_role(board, resource);
  resource.role = Role::Stopped;
  resource.next_role = resource.target_role.value_or(Role::Unknown);
  for (auto& [name, value] : resource.definition != nullptr ? resolve(board, resource.definition->utilization) : Meta{})
    resource.utilization[name] = number({{name, value}}, name, 0);
}

// ---- the tree ---------------------------------------------------------------------------------------------------

/// As a node of its own; else only its bundle knows it.
bool is_configured(const Board& board, const Node& node) {
  const auto& nodes = board.snapshot.cib->nodes;
  return std::any_of(nodes.begin(), nodes.end(), [&](const cib::Node& each) { return each.name == node.name; });
}

ResourceId add(Board& board, Resource resource) {
  const auto id = static_cast<ResourceId>(board.resources.size());
  resource.order = id;
  // Where the connection to a guest node may be is the container's business.
  const bool anywhere =
      board.properties.symmetric || (is_connection_agent(resource) && resource.meta.contains("container"));
  resource.scores.assign(board.nodes.size(), anywhere ? 0 : kNotAllowed);
  for (NodeId node = 0; node < board.nodes.size(); ++node) {
    if (!board.node(node).for_bundle) continue;
    resource.scores[node] = is_configured(board, board.node(node)) ? -kInfinity : kNotAllowed;
    if (resource.discovery.empty()) resource.discovery.assign(board.nodes.size(), Discovery::always);
    resource.discovery[node] = Discovery::never;
  }
  board.resource_by_id[resource.id] = id;
  if (resource.parent != kNone) board.resource(resource.parent).children.push_back(id);
  board.resources.push_back(std::move(resource));
  return id;
}

ResourceId take_in(Board& board, const cib::Resource& written, ResourceId parent, const std::string& suffix);

CloneParts clone_parts(const Board& board, const Meta& meta, bool promotable) {
  CloneParts parts;
  const auto old = [&meta](std::string_view name, std::string_view older, int otherwise) {
    return number(meta, name, number(meta, older, otherwise));
  };
  parts.promotable = promotable;
  parts.unique = flag(meta, "globally-unique", false);
  parts.max = number(meta, "clone-max", std::max<int>(1, static_cast<int>(board.nodes.size())));
  parts.node_max = number(meta, "clone-node-max", 1);
  if (!parts.unique && parts.node_max > 1) parts.node_max = 1;
  parts.minimum = number(meta, "clone-min", 0);
  parts.promoted_max = promotable ? old("promoted-max", "master-max", 1) : 0;
  parts.promoted_node_max = promotable ? old("promoted-node-max", "master-node-max", 1) : 0;
  parts.ordered = flag(meta, "ordered", false);
  parts.interleave = flag(meta, "interleave", false);
  parts.notify = flag(meta, "notify", false);
  return parts;
}

void take_in_clone(Board& board, ResourceId id, const cib::Resource& written) {
  const bool promotable =
      written.kind == cib::Resource::Kind::master || flag(board.resource(id).meta, "promotable", false);
  board.resource(id).clone = clone_parts(board, board.resource(id).meta, promotable);
  board.resource(id).unique = board.resource(id).clone->unique;
  // One instance also if there are to be none: it takes in what the history knows.
  const int asked = board.resource(id).clone->max;
  const int most = instances_most(board, board.resource(id).clone->node_max);
  if (asked > most) {
    board.resource(id).clone->max = most;
    board.notices.push_back("resource " + written.id + ": only " + std::to_string(most) + " instances are planned");
  }
  for (int number = 0; number < std::clamp(asked, 1, most); ++number) add_instance(board, id, number);
}

/// Agents that are not told which instance they are cannot be told apart.
bool knows_its_instance(const Resource& resource) {
  return resource.resource_class == "ocf" || resource.resource_class == "stonith";
}

void forget_below(Board& board, ResourceId id) {
  board.resource(id).unique = false;
  for (const ResourceId child : board.resource(id).children) forget_below(board, child);
}

/// What crm_simulate calls unique in a clone that was asked to be: all of the newest instance but the one that cannot
/// be, until the next instance comes.
void forget_identity(Board& board, ResourceId id) {
  board.resource(id).unique = false;
  ResourceId newest = id;
  ResourceId clone = board.resource(id).parent;
  for (; clone != kNone && !board.resource(clone).clone; clone = board.resource(clone).parent) newest = clone;
  if (clone == kNone) return;
  Resource& whole = board.resource(clone);
  whole.unique = whole.clone->unique = false;
  whole.clone->node_max = 1;
  whole.clone->max = std::min(whole.clone->max, static_cast<int>(board.nodes.size()));
  for (const ResourceId child : whole.children)
    if (child != newest) forget_below(board, child);
}

/// Instances are told apart if the clone was asked to, also if some that they are made of cannot be.
bool asked_to_be_unique(const Board& board, ResourceId parent) {
  for (ResourceId each = parent; each != kNone; each = board.resource(each).parent)
    if (board.resource(each).clone) return flag(board.resource(each).meta, "globally-unique", false);
  return parent != kNone && board.resource(parent).unique;
}

ResourceId take_in(Board& board, const cib::Resource& written, ResourceId parent, const std::string& suffix) {
  const cib::Resource* definition = definition_of(board, written);
  if (definition == nullptr) return kNone;
  using Kind = cib::Resource::Kind;
  Resource resource;
  resource.id = written.id + suffix;
  resource.history_id = resource.id;
  resource.parent = parent;
  resource.definition = definition;
  resource.resource_class = definition->resource_class;
  resource.provider = definition->provider;
  resource.type = definition->type;
  resource.variant = written.kind == Kind::group                                   ? Variant::group
                     : written.kind == Kind::clone || written.kind == Kind::master ? Variant::clone
                     : written.kind == Kind::bundle                                ? Variant::bundle
                                                                                   : Variant::primitive;
  resource.meta = meta_of(board, resource, parent == kNone ? nullptr : &board.resource(parent).meta);
  if (asked_to_be_unique(board, parent)) {
    resource.unique = true;
    resource.history_id = resource.id;
  }
  const ResourceId id = add(board, std::move(resource));
  interpret(board, board.resource(id));
  const Resource& made = board.resource(id);
  if (made.primitive() && made.unique && !knows_its_instance(made)) forget_identity(board, id);
  if (written.kind == Kind::group)
    for (const cib::Resource& child : definition->children) take_in(board, child, id, suffix);
  if (board.resource(id).variant == Variant::clone) take_in_clone(board, id, written);
  if (board.resource(id).variant == Variant::bundle && definition->bundle) make_replicas(board, id);
  return id;
}

}  // namespace

int instances_most(const Board& board, int each_node_most) {
  // Not board.nodes: each replica of a bundle is one, so that each bundle would let the next have twice as many.
  const int nodes = static_cast<int>(board.snapshot.cib->nodes.size());
  return std::max(64, 2 * nodes * std::clamp(each_node_most, 1, 8));
}

ResourceId add_instance(Board& board, ResourceId clone, int number) {
  const cib::Resource& definition = *board.resource(clone).definition;
  if (definition.children.empty()) return kNone;
  const ResourceId id = take_in(board, definition.children.back(), clone, ":" + std::to_string(number));
  if (id != kNone) board.resource(id).instance = number;
  return id;
}

ResourceId add_child(Board& board, ResourceId parent, const cib::Resource& definition) {
  return take_in(board, definition, parent, "");
}

ResourceId add_resource(Board& board, const cib::Resource& definition) {
  const ResourceId id = take_in(board, definition, kNone, "");
  board.top.push_back(id);
  return id;
}

void read_tags_and_tickets(Board& board) {
  for (const cib::Tag& tag : board.snapshot.cib->tags) board.tags[tag.id] = tag.references;
  for (const cib::TicketState& state : board.snapshot.cib->tickets) {
    Ticket& ticket = board.tickets[state.id];
    ticket.granted = truth(cib::value_of(state.attributes, "granted"));
    ticket.standby = truth(cib::value_of(state.attributes, "standby"));
    for (const auto& [name, value] : state.attributes) ticket.attributes[name] = value;
  }
}

void read_resources(Board& board) {
  for (const cib::Resource& written : board.snapshot.cib->resources) {
    if (written.kind == cib::Resource::Kind::resource_template) continue;
    const ResourceId id = take_in(board, written, kNone, "");
    if (id != kNone) board.top.push_back(id);
  }
  for (const cib::Resource& connection : board.implied) add_resource(board, connection);
  link_remote_nodes(board);
  std::stable_sort(board.top.begin(), board.top.end(), [&board](ResourceId left, ResourceId right) {
    return board.resource(left).priority > board.resource(right).priority;
  });
}

}  // namespace bascule::policy::detail
