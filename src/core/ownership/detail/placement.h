#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/ownership/detail/view.h"

/// Where a service may run, and why not elsewhere.
namespace bascule::ownership::detail {

/// Data nodes that could ever run it: those with a copy of its volume. In the order of their names.
[[nodiscard]] std::vector<std::string> places(const View& view, const config::Service& service);
[[nodiscard]] std::vector<std::string> places(const View& view, const config::Volume& volume);

/// Why the volume cannot be primary on this node now; empty if it can.
[[nodiscard]] std::string reason_against_copy(const View& view, const std::string& volume, const std::string& node);
/// It failed there: at its start, or as often as its migration threshold allows.
/// Of copies that may run anywhere the failures of all of them count.
[[nodiscard]] bool banned(const View& view, const config::Service& service, const std::string& node);
/// It is a copy that runs on this one node or not at all.
[[nodiscard]] inline bool is_pinned(const config::Service& service) {
  return service.copy && !service.copy->node.empty();
}
/// Why the service cannot start on this node now; empty if it can. `failures_count` false: whatever it failed there.
[[nodiscard]] std::string reason_against(const View& view, const config::Service& service, const std::string& node,
                                         bool failures_count = true);

/// Where it would start now: sent there by hand, preferred, there before, first by name. Never `except`.
[[nodiscard]] std::optional<std::string> best_place(const View& view, const config::Service& service,
                                                    const std::optional<std::string>& except = std::nullopt);
/// When there is no such place: where only its migration threshold speaks against it. Better there than nowhere.
[[nodiscard]] std::optional<std::string> last_resort(const View& view, const config::Service& service);
/// Why there is no place (beside `except`), and what to do.
[[nodiscard]] Explanation why_no_place(const View& view, const config::Service& service,
                                       const std::optional<std::string>& except = std::nullopt);

}  // namespace bascule::ownership::detail
