#pragma once

#include <string>
#include <vector>

#include "core/policy/board.h"

namespace bascule::policy::detail {

/// What a name in a constraint stands for: a resource, or all that carry a tag or are made from a template. An unknown
/// name is told in the notices.
[[nodiscard]] std::vector<ResourceId> resources_named(Board& board, const std::string& name,
                                                      const std::string& constraint);

void read_location(Board& board, const cib::LocationConstraint& written);
void read_colocation(Board& board, const cib::ColocationConstraint& written);
void read_order(Board& board, const cib::OrderConstraint& written);

/// Who is in a set, up to the first that does not exist.
struct SetMembers {
  std::vector<ResourceId> ids;
  std::vector<std::string> names;  ///< what each is called there: a clone perhaps by what it is made of
  bool complete = true;
  ResourceId last = kNone;  ///< the one that is named last, whoever before it does not exist
};
/// If any name in a constraint's sets, or in a tag or template in them, means nothing, no tag and no template does.
[[nodiscard]] std::vector<SetMembers> members_of_sets(Board& board, const std::vector<cib::ResourceSet>& sets,
                                                      const std::string& constraint);
/// Orders RESOURCE_TASK_0 of two resources, whether or not these actions come to exist.
void order_tasks_of(Board& board, ResourceId first, const std::string& first_task, ResourceId then,
                    const std::string& then_task, OrderFlags flags);
/// Whether a rule holds for a node now.
[[nodiscard]] bool rule_holds(const Board& board, ResourceId resource, const cib::Rule& rule, NodeId node,
                              const std::vector<std::string>& matches);
void add_colocation(Board& board, Colocation colocation);
/// In which order a promotable clone, or a bundle of one, changes as a whole.
void order_roles_of_whole(Board& board, ResourceId resource);
/// What a group is with its first member is with, and what is with the group is with its last; if its members may be
/// apart, each. Behind a member that is not managed, and may stay where it should not be, each is bound itself by what
/// the group must be with. This happens when the group is assigned: until then chains of colocations end at it.
void bind_members(Board& board, ResourceId group);
/// Orders and colocations between a resource and what is in it.
void constrain_inside(Board& board, ResourceId resource);

}  // namespace bascule::policy::detail
