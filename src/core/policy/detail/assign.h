#pragma once

#include <cstdint>
#include <vector>

#include "core/policy/board.h"

/// Choosing nodes. A resource assigns whatever it depends on first (facts, section 5, "Primitive assignment").
namespace bascule::policy::detail {

using Scores = std::vector<Score>;

/// Places the resource, and returns where (kNone: nowhere). `preferred` wins if it is not worse than the best.
NodeId assign(Board& board, ResourceId resource, NodeId preferred = kNone);
NodeId assign_primitive(Board& board, ResourceId resource, NodeId preferred);
NodeId assign_group(Board& board, ResourceId resource, NodeId preferred);
NodeId assign_clone(Board& board, ResourceId resource);

/// Makes a choice final; `force`: also a node that could not be chosen. Returns whether it is placed.
bool finalize(Board& board, ResourceId resource, NodeId chosen, bool force);
/// Takes a choice back, for another try.
void unassign(Board& board, ResourceId resource);

/// Nodes with a score, best first: by score, strategy, load, current node, name.
[[nodiscard]] std::vector<NodeId> by_preference(const Board& board, const Scores& scores, NodeId current);
/// Whether the resource could be there: allowed, and the node up and willing. `negative_too` ignores the score.
[[nodiscard]] bool available(const Board& board, const Scores& scores, NodeId node, bool negative_too = false);
[[nodiscard]] bool any_available(const Board& board, const Scores& scores);
/// Where it runs now, if it does: the first place.
[[nodiscard]] NodeId current_node(const Board& board, ResourceId resource);

// ---- colocations --------------------------------------------------------------------------------------------------

/// A fraction of a billion.
using Factor = std::int64_t;
inline constexpr Factor kWhole = 1'000'000'000;
[[nodiscard]] constexpr Factor factor_of(Score score) { return static_cast<Factor>(score) * (kWhole / kInfinity); }

struct Preferences {
  bool this_with = false;    ///< follow what the resource is with; else what is with it
  bool nonnegative = false;  ///< nothing may become negative by it
  bool active = false;       ///< take nothing of it if no node would be left
};

/// Adds `factor` times the resource's scores, and those of what is colocated with it, to `scores`.
void add_colocated(Board& board, ResourceId resource, Scores& scores, const std::string& attribute, Factor factor,
                   Preferences which);
/// The effect of one colocation whose primary is placed on its dependent.
void apply_colocation(Board& board, ResourceId dependent, ResourceId primary, const Colocation& colocation);
/// Whether what the dependent prefers counts for the primary, or for an instance of it.
[[nodiscard]] bool has_influence(const Board& board, const Colocation& colocation, ResourceId instance = kNone);
/// Takes a colocation into the list of those in which the resource is the dependent (the primary): those with the more
/// important primary (dependent) first, and of several with the same one the last taken in.
void bind(Board& board, ResourceId resource, std::uint32_t colocation);
void bind_other(Board& board, ResourceId resource, std::uint32_t colocation);
[[nodiscard]] std::string attribute_value(const Board& board, NodeId node, const std::string& attribute);

}  // namespace bascule::policy::detail
