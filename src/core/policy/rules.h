#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/policy/role.h"
#include "wire/cib/model.h"

/// Rules of a CIB, as Pacemaker 2.1.5 evaluates them (Pacemaker Explained, "Rules").
namespace bascule::policy {

/// The value of a name, or null.
using Lookup = std::function<const std::string*(std::string_view name)>;

struct ResourceType {
  std::string_view resource_class;
  std::string_view provider;  ///< empty: none
  std::string_view type;
};

struct OperationType {
  std::string_view name;
  std::uint32_t interval_ms = 0;
};

/// What a rule may look at. Everything referred to must outlive the evaluation.
struct RuleInput {
  std::int64_t now_s = 0;           ///< seconds since the epoch
  std::int32_t local_offset_s = 0;  ///< east of Greenwich: of times without an offset, and of date_spec
  Lookup node_attribute = {};       ///< unset: there is no node, and expressions about attributes fail
  Role role = Role::Unknown;        ///< for #role; Unknown: such expressions fail
  std::optional<ResourceType> resource = {};
  std::optional<OperationType> operation = {};
  Lookup parameter = {};                          ///< for value-source "param"; unset: the value is literal
  Lookup meta = {};                               ///< for value-source "meta"; unset: the value is literal
  std::vector<std::string_view> submatches = {};  ///< of rsc-pattern: [0] the whole name; %1 in attribute names
};

/// Does `rule` hold? `next_change_s`, where given, is lowered to the earliest moment after now at which one of the date
/// expressions that were looked at changes (not those with date_spec; nothing is set if none will).
[[nodiscard]] bool passes(const cib::Rule& rule, const RuleInput& input,
                          std::optional<std::int64_t>* next_change_s = nullptr);

/// Names and their values.
using Values = std::map<std::string, std::string, std::less<>>;

/// Adds what `sets` say to `values`, where a name that is already there keeps its value. Sets whose rule fails are left
/// out; `first_id` (for the properties "cib-bootstrap-options") goes before all, then sets with higher score, and of
/// equals the one that is written last. The value "#default" takes a name out again.
void resolve_into(Values& values, const cib::NameValueSets& sets, const RuleInput& input,
                  std::string_view first_id = {}, std::optional<std::int64_t>* next_change_s = nullptr);
/// The same, from nothing.
[[nodiscard]] Values resolve(const cib::NameValueSets& sets, const RuleInput& input, std::string_view first_id = {},
                             std::optional<std::int64_t>* next_change_s = nullptr);

}  // namespace bascule::policy
