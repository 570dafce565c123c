#pragma once

#include <string>
#include <string_view>

#include "core/policy/board.h"

namespace bascule::policy::detail {

/// The action with that key on that node (kNone: anywhere): the one there is, or a new one. An action that is wanted
/// once stays wanted. Its node, quorum and fencing say whether it can run.
ActionId make_action(Board& board, ResourceId resource, const std::string& key, std::string_view task, NodeId node,
                     bool optional);
/// A point in time.
ActionId make_pseudo(Board& board, ResourceId resource, const std::string& key, std::string_view task, bool optional,
                     bool runnable);
/// TASK with interval 0 on a node.
ActionId make_simple(Board& board, ResourceId resource, std::string_view task, NodeId node, bool optional);
void require_stop(Board& board, ResourceId resource, NodeId node);
void require_demote(Board& board, ResourceId resource, NodeId node);
[[nodiscard]] ActionId find_action(const Board& board, ResourceId resource, std::string_view task, NodeId node);
[[nodiscard]] std::vector<ActionId> find_by_key(const Board& board, ResourceId resource, std::string_view key,
                                                NodeId node);

/// An edge between two actions; doubled ones are merged. Returns whether it is new.
bool order(Board& board, ActionId first, ActionId then, OrderFlags flags);
/// The same for actions that need not exist: by resource and key.
void order_later(Board& board, ResourceId first, std::string first_key, ActionId first_action, ResourceId then,
                 std::string then_key, ActionId then_action, OrderFlags flags);
void order_tasks(Board& board, ResourceId first, std::string_view first_task, ResourceId then,
                 std::string_view then_task, OrderFlags flags);

}  // namespace bascule::policy::detail
