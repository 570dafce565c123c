#pragma once

#include <string_view>
#include <vector>

#include "core/policy/board.h"

/// What two ordered actions ask of each other. Nothing here follows a change further: whatever changed is noted in
/// `touched`, and resolve.cpp looks at it and at what comes after it again.
namespace bascule::policy::detail {

/// How an action looks from outside: of a group or clone it is what its members' actions add up to.
struct Standing {
  bool optional = true;
  bool runnable = true;
};

/// One rule of an edge, for the pair itself and for what `then` consists of.
struct Relation {
  ActionId first = kNone;
  ActionId then = kNone;
  NodeId node = kNone;          ///< limits members' actions to one node
  Standing standing;            ///< of `first`
  bool about_optional = false;  ///< the rule speaks about what is required,
  bool about_runnable = false;  ///< about what can run
  OrderFlags type = 0;
};

class Propagation {
 public:
  explicit Propagation(Board& board) : board_(board) {}

  /// Applies all rules of an edge.
  void apply(ActionId first, ActionId then, OrderFlags flags);
  /// Seen from a node, if one is given: of a clone only its instances there.
  Standing standing(ActionId id, NodeId node);
  /// `because`: the action that it follows from.
  void set_required(ActionId id, ActionId because = kNone);
  void set_unrunnable(ActionId id, ActionId because = kNone);
  /// The same for what a whole's action adds up to from its members', which blocks nobody by itself.
  void summarize_unrunnable(ActionId id);
  /// With Pacemaker's faults nobody who has been there before looks at it again.
  void summarize_required(ActionId id);
  /// What must be with a resource that can not start, or be promoted, cannot either.
  void block_dependents(ActionId id);
  void set_runnable(ActionId id);

  std::vector<ActionId> touched;

 private:
  void block(ResourceId id, std::string_view task, ActionId because);
  void apply_rules(const Relation& base, OrderFlags flags);
  void apply_alone(const Relation& base, OrderFlags flags);
  void printed(const Relation& base, OrderFlags flags, Standing then);
  void update(ResourceId method, const Relation& relation);
  void update_pair(const Relation& relation);
  void update_members(const Relation& relation);
  void update_instances(const Relation& relation);
  void update_interleaved(const Relation& relation);
  void update_counterparts(ResourceId first_instance, ResourceId then_instance, const Relation& relation);
  void give_up(ResourceId id);
  void implied(const Relation& relation);
  void restart(const Relation& relation);
  void asymmetric(const Relation& relation);
  Standing plain(ActionId id) const;
  Standing of_group(ActionId id, NodeId node);
  Standing of_clone(ActionId id, NodeId node);
  Standing members_standing(ActionId id, NodeId node);
  void set_not_migratable(ActionId id, ActionId because);
  void give_reason(Action& action, Because::What what, ActionId because);

  Board& board_;
};

/// "start" for "running", and so on; of a notification the task that it is about.
[[nodiscard]] std::string_view begun_by(std::string_view task);
/// "running" for "start", and so on; empty if the task has no such end.
[[nodiscard]] std::string_view end_of(std::string_view task);
/// The task by which a member's action stands for the action of the whole.
[[nodiscard]] std::string member_task(const Board& board, const Action& action, ResourceId member);
[[nodiscard]] bool is_inside(const Board& board, ResourceId inner, ResourceId outer);
/// The most active role in it, now or as planned.
[[nodiscard]] Role role_of_whole(const Board& board, ResourceId id);
/// Where the whole or the first of its members is, now or as planned; kNone: nowhere.
[[nodiscard]] NodeId place_of_whole(const Board& board, ResourceId id, bool now);
/// What a clone or bundle consists of: its instances, its containers.
[[nodiscard]] std::vector<ResourceId> instances_of(const Board& board, ResourceId id);
/// Whether instances wait only for their counterparts of the other clone.
[[nodiscard]] bool interleaves(const Board& board, const Action& first, const Action& then);
/// The instance of `clone` that shares a node with `instance`; kNone: there is none.
[[nodiscard]] ResourceId counterpart(const Board& board, ResourceId instance, ResourceId clone, Role role, bool now);

}  // namespace bascule::policy::detail
