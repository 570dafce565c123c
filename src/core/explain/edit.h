#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "wire/cib/model.h"

/// Single changes of a cluster: what an administrator could do, or what could happen. Each returns how to take it back
/// (to be called before the next change to the same part), and does nothing where it has no meaning.
namespace bascule::explain {

using Undo = std::function<void()>;
using Edit = std::function<Undo(cib::Cib&)>;

// ---- finding parts --------------------------------------------------------------------------------------------------

/// A primitive, group, clone or bundle, wherever it is; null: there is none.
[[nodiscard]] cib::Resource* find_resource(cib::Cib& cib, std::string_view id);
[[nodiscard]] cib::NodeState* find_state(cib::Cib& cib, std::string_view node);
/// The constraint with that id, or null.
[[nodiscard]] cib::Constraint* find_constraint(cib::Cib& cib, std::string_view id);

// ---- the cluster ----------------------------------------------------------------------------------------------------

[[nodiscard]] Undo set_property(cib::Cib& cib, const std::string& name, const std::string& value);
[[nodiscard]] Undo set_quorum(cib::Cib& cib, bool quorum);
[[nodiscard]] Undo grant_ticket(cib::Cib& cib, const std::string& ticket, bool granted);

// ---- nodes ----------------------------------------------------------------------------------------------------------

/// An attribute, permanent and transient.
[[nodiscard]] Undo set_attribute(cib::Cib& cib, const std::string& node, const std::string& name,
                                 const std::string& value);
/// How a node stands: up and a member; gone after a clean stop; or gone while it was expected.
enum class Presence : std::uint8_t { up, stopped, lost };
[[nodiscard]] Undo set_presence(cib::Cib& cib, const std::string& node, Presence presence);

// ---- resources ------------------------------------------------------------------------------------------------------

/// A meta-attribute where it is written (in the resource or what it is in), else in the resource itself.
[[nodiscard]] Undo set_meta(cib::Cib& cib, const std::string& resource, const std::string& name,
                            const std::string& value);
/// As `crm_resource --cleanup`: failures of a resource on a node are forgotten. `resource` without instance number.
[[nodiscard]] Undo forget_failures(cib::Cib& cib, const std::string& resource, const std::string& node);

// ---- constraints ----------------------------------------------------------------------------------------------------

/// Of a location or colocation without rules and sets, or of a location's only rule.
[[nodiscard]] Undo set_score(cib::Cib& cib, const std::string& constraint, const std::string& score);
[[nodiscard]] Undo drop_constraint(cib::Cib& cib, const std::string& constraint);
[[nodiscard]] Undo add_location(cib::Cib& cib, const std::string& resource, const std::string& node,
                                const std::string& score);

}  // namespace bascule::explain
