#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/ownership/detail/rules.h"

/// What services are to each other: `after`, `with`, `apart`, and the copies of one.
namespace bascule::ownership::detail {

/// Each service behind all that its relations name. The configuration has no circles.
[[nodiscard]] std::vector<const config::Service*> in_order_of_relations(const config::ClusterConfig& config);

/// Why the service cannot be on this node because of where the others will be; empty: it can.
[[nodiscard]] std::string reason_of_relations(const View& view, const config::Service& service,
                                              const std::string& node);

/// The copy of `others` that the service looks at on this node: with a copy of its own there, only that one counts.
[[nodiscard]] std::vector<const config::Service*> those_that_count(const View& view, const std::string& others,
                                                                   const std::string& node);

/// What comes after this service, counts on it, and has an owner that is here; null: nothing. It stops first.
[[nodiscard]] const config::Service* who_stops_before(const View& view, const config::Service& service);

/// Decides on every service, each knowing what was decided about those it looks at, and withholds stops until what
/// comes after has stopped. By name; the view knows all futures afterwards.
[[nodiscard]] std::map<std::string, Outcome> decide_services(View& view);

/// As if `node` failed now: everything that is there goes where it could.
[[nodiscard]] View without(const View& view, const std::string& node);

/// The promotion score that its agents gave the node (`crm_attribute --promotion`), or nothing.
[[nodiscard]] std::optional<int> promotion_score(const View& view, const config::Service& role,
                                                 const std::string& node);

}  // namespace bascule::ownership::detail
