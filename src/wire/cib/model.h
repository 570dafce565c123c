#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// A Pacemaker cluster information base (one XML document: configuration and status) as values. References (id-ref,
/// templates' names) are kept as written unless a field says otherwise; words are kept as words where their meaning
/// depends on defaults or rules. `line` is the 1-based line of the element, 0 if it was not read from a file.
namespace bascule::cib {

/// Attributes of an element, in document order.
using Attributes = std::vector<std::pair<std::string, std::string>>;
/// The value of the last attribute called `name`, or null.
[[nodiscard]] const std::string* find(const Attributes& attributes, std::string_view name);
/// The value, or `otherwise`.
[[nodiscard]] std::string value_of(const Attributes& attributes, std::string_view name,
                                   std::string_view otherwise = "");

// ---- rules ------------------------------------------------------------------------------------------------------

struct Rule;

/// `expression`: compares a node attribute.
struct AttributeExpression {
  std::string attribute;
  std::string operation;  ///< lt gt lte gte eq ne defined not_defined
  std::string value;
  bool has_value = false;    ///< an absent value is less than any, and equal to an absent attribute
  std::string type;          ///< string, integer, number, version; empty: by the values
  std::string value_source;  ///< literal, param, meta; empty: literal
};

/// `date_expression`.
struct DateExpression {
  std::string operation;  ///< gt, lt, in_range, date_spec; empty: in_range
  std::string start;
  std::string end;
  bool has_duration = false;
  Attributes duration;   ///< child `duration`, without id
  Attributes date_spec;  ///< child `date_spec`, without id
};

struct ResourceExpression {
  std::string resource_class;
  std::string provider;
  std::string type;
};

struct OperationExpression {
  std::string name;
  std::string interval;
};

/// One condition of a rule; a nested rule is kept in `Rule::nested` and named by its index.
struct NestedRule {
  std::size_t index = 0;
};
using Condition =
    std::variant<AttributeExpression, DateExpression, ResourceExpression, OperationExpression, NestedRule>;

struct Rule {
  std::string id;
  bool any = false;  ///< boolean-op "or"; without conditions such a rule fails, and an "and" passes
  std::optional<std::string> score;
  std::string score_attribute;
  std::string role;
  std::vector<Condition> conditions;
  std::vector<Rule> nested;
  int line = 0;
};

// ---- name-value pairs -------------------------------------------------------------------------------------------

struct NameValue {
  std::string name;
  std::string value;
};

/// meta_attributes, instance_attributes, utilization, cluster_property_set. An id-ref has been followed. Several rules
/// in one set have become one `rule` with boolean-op "or" around them. Pairs without a value are left out.
struct NameValueSet {
  std::string id;
  std::string score;  ///< rank among its sisters; empty: 0
  std::optional<Rule> rule;
  std::vector<NameValue> pairs;
  int line = 0;
};
using NameValueSets = std::vector<NameValueSet>;

// ---- resources --------------------------------------------------------------------------------------------------

struct Operation {
  std::string id;
  std::string name;
  std::string interval;   ///< as written ("10s", "P1D"); empty: 0
  Attributes attributes;  ///< all attributes, name and interval too
  NameValueSets meta;
  NameValueSets parameters;
  int line = 0;
};

struct PortMapping {
  std::string id;
  std::string port;
  std::string internal_port;
  std::string range;
};

struct StorageMapping {
  std::string id;
  std::string source_dir;
  std::string source_dir_root;
  std::string target_dir;
  std::string options;
};

/// What `bundle` has beside its primitive.
struct BundleParts {
  std::string runtime;   ///< docker, rkt, podman
  Attributes container;  ///< image, replicas, replicas-per-host, promoted-max, masters, run-command, network, options
  bool has_network = false;
  Attributes network;  ///< ip-range-start, host-netmask, host-interface, control-port, add-host
  std::vector<PortMapping> ports;
  std::vector<StorageMapping> storage;
};

struct Resource {
  enum class Kind : std::uint8_t { primitive, group, clone, master, bundle, resource_template };
  Kind kind = Kind::primitive;
  std::string id;
  std::string resource_class;
  std::string provider;
  std::string type;
  std::string resource_template;  ///< `template`, the id of one
  NameValueSets meta;
  NameValueSets parameters;
  NameValueSets utilization;
  std::vector<Operation> operations;  ///< an id-ref of `operations` has been followed
  std::vector<Resource> children;     ///< of a group, clone, master or bundle
  std::optional<BundleParts> bundle;
  int line = 0;
};

// ---- constraints ------------------------------------------------------------------------------------------------

struct ResourceSet {
  std::string id;
  std::vector<std::string> resources;
  std::optional<bool> sequential;
  std::optional<bool> require_all;
  std::string ordering;
  std::string action;
  std::string role;
  std::string score;
  int line = 0;
};

/// The deprecated child `lifetime` of a constraint: it holds while one of these rules passes; empty: always.
using Lifetime = std::vector<Rule>;

struct LocationConstraint {
  std::string id;
  std::string resource;
  std::string resource_pattern;  ///< a regular expression, "!" in front inverts it
  std::vector<ResourceSet> sets;
  std::string node;
  std::string score;
  std::string role;
  std::string discovery;  ///< always, never, exclusive
  std::vector<Rule> rules;
  Lifetime lifetime;
  int line = 0;
};

struct ColocationConstraint {
  std::string id;
  std::string resource;
  std::string with;
  std::string score;
  std::string resource_role;
  std::string with_role;
  std::string resource_instance;
  std::string with_instance;
  std::string node_attribute;
  std::string score_attribute;  ///< accepted by old schemas, without meaning
  std::optional<bool> influence;
  std::vector<ResourceSet> sets;
  Lifetime lifetime;
  int line = 0;
};

struct OrderConstraint {
  std::string id;
  std::string first;
  std::string then;
  std::string first_action;
  std::string then_action;
  std::string kind;
  std::string score;
  std::optional<std::string> symmetrical;
  std::optional<bool> require_all;
  std::string first_instance;
  std::string then_instance;
  std::vector<ResourceSet> sets;
  Lifetime lifetime;
  int line = 0;
};

struct TicketConstraint {
  std::string id;
  std::string resource;
  std::string resource_role;
  std::string ticket;
  std::string loss_policy;
  std::vector<ResourceSet> sets;
  Lifetime lifetime;  ///< accepted by none of the schemas
  int line = 0;
};

using Constraint = std::variant<LocationConstraint, ColocationConstraint, OrderConstraint, TicketConstraint>;

struct Tag {
  std::string id;
  std::vector<std::string> references;
  int line = 0;
};

struct FencingLevel {
  std::string id;
  std::string target;
  std::string target_pattern;
  std::string target_attribute;
  std::string target_value;
  int index = 0;                     ///< 1..9; anything else is of no use
  std::vector<std::string> devices;  ///< in the order written
  int line = 0;
};

// ---- alerts and access control ----------------------------------------------------------------------------------

struct AlertRecipient {
  std::string id;
  std::string value;
  NameValueSets meta;
  NameValueSets parameters;
};

struct Alert {
  std::string id;
  std::string path;
  NameValueSets meta;
  NameValueSets parameters;
  std::vector<std::string> kinds;       ///< children of `select`: select_nodes, select_attributes, ...; empty: all
  std::vector<std::string> attributes;  ///< of select_attributes, by name; empty: all
  std::vector<AlertRecipient> recipients;
  int line = 0;
};

struct AclPermission {
  std::string id;
  std::string kind;  ///< read, write, deny
  std::string xpath;
  std::string reference;
  std::string object_type;
  std::string attribute;
};

struct AclRole {
  std::string id;
  std::vector<AclPermission> permissions;
};

/// `acl_target` (a user) or `acl_group`.
struct AclSubject {
  std::string id;
  std::string name;  ///< empty: the id
  bool group = false;
  std::vector<std::string> roles;
};

// ---- nodes and status -------------------------------------------------------------------------------------------

struct Node {
  std::string id;
  std::string name;  ///< uname
  std::string type;  ///< member, remote, ping; empty: member
  std::string score;
  NameValueSets attributes;
  NameValueSets utilization;
  int line = 0;
};

/// `lrm_rsc_op`: the newest result of one operation of a resource on a node.
struct OperationResult {
  std::string id;
  std::string operation;      ///< start, monitor, ...
  std::string operation_key;  ///< RSC_TASK_INTERVAL
  std::string feature_set;    ///< crm_feature_set of the recorder
  std::string transition_key;
  std::string transition_magic;
  std::string exit_reason;
  std::string op_digest;
  std::string op_restart_digest;
  std::string op_force_restart;
  std::string op_secure_digest;
  std::string op_secure_params;
  std::string migrate_source;
  std::string migrate_target;
  std::string on_node;
  std::uint32_t interval_ms = 0;
  int call_id = -1;
  int rc = 0;
  int status = 0;
  std::int64_t last_change_s = 0;  ///< last-rc-change; 0: none
  std::int64_t last_run_s = 0;
  std::int64_t exec_time_ms = 0;
  std::int64_t queue_time_ms = 0;
  bool has_last_change = false;
  int line = 0;
};

struct ResourceHistory {
  std::string id;
  std::string resource_class;
  std::string provider;
  std::string type;
  std::string container;
  std::int64_t shutdown_lock_s = 0;  ///< since when; 0: not locked
  std::vector<OperationResult> operations;
  int line = 0;
};

struct NodeState {
  std::string id;
  std::string name;      ///< uname
  std::string in_ccm;    ///< boolean or time; empty: absent
  std::string crmd;      ///< online, offline, or time
  std::string join;      ///< down, pending, member, nack
  std::string expected;  ///< member, down
  std::string shutdown;
  std::string node_fenced;
  std::string remote_node;
  std::string maintenance;  ///< node_in_maintenance
  NameValueSets transient_attributes;
  NameValueSets utilization;
  std::vector<ResourceHistory> resources;
  bool has_lrm = false;
  int line = 0;
};

struct TicketState {
  std::string id;
  Attributes attributes;  ///< granted, standby, last-granted, others
};

struct Cib {
  Attributes attributes;  ///< of the root element
  NameValueSets properties;
  std::vector<Node> nodes;
  std::vector<Resource> resources;  ///< templates among them
  std::vector<Constraint> constraints;
  NameValueSets resource_defaults;
  NameValueSets operation_defaults;
  std::vector<Tag> tags;
  std::vector<FencingLevel> fencing_levels;
  std::vector<Alert> alerts;
  std::vector<AclRole> acl_roles;
  std::vector<AclSubject> acl_subjects;
  std::vector<NodeState> node_states;
  std::vector<TicketState> tickets;
  bool has_status = false;
};

}  // namespace bascule::cib
