// Notifications of clones: before and after each start, stop, promotion and demotion.
#include "core/policy/detail/notifications.h"

#include <string>

#include "core/policy/detail/make_action.h"
#include "core/policy/detail/steps.h"
#include "core/policy/operations.h"
#include "core/policy/running.h"

namespace bascule::policy::detail {
namespace {

std::string notice_key(const Board& board, ResourceId id, std::string_view when, std::string_view task) {
  return operation_key(board.resource(id).id, std::string(when) + "_notify_" + std::string(task), 0);
}

ActionId find_notice(const Board& board, ResourceId clone, std::string_view when, std::string_view task) {
  const auto found = find_by_key(board, clone, notice_key(board, clone, when, task), kNone);
  return found.empty() ? kNone : found.front();
}

/// The notifications around one kind of action of a clone.
struct Round {
  std::string_view task;
  ActionId before, before_done, after, after_done;
};

bool any_does(const Board& board, ResourceId clone, std::string_view task) {
  bool any = false;
  each_in(board, clone, [&](ResourceId each) {
    for (const ActionId id : board.resource(each).actions) {
      const Action& action = board.action(id);
      any = any || (action.task == task && action.required() && action.runnable && action.node != kNone);
    }
  });
  return any;
}

bool happens(const Board& board, ActionId id) { return id != kNone && board.action(id).required(); }

/// The connection to the node goes down and does not come back: nobody there hears of anything.
bool goes_away(const Board& board, NodeId node) {
  const ResourceId connection = board.node(node).connection;
  if (connection == kNone) return false;
  const ActionId stop = find_action(board, connection, "stop", kNone);
  const ActionId start = find_action(board, connection, "start", kNone);
  return happens(board, stop) && (!happens(board, start) || !board.action(start).runnable);
}

void notify(Board& board, ResourceId id, NodeId node, ActionId round, ActionId done, std::string_view when,
            std::string_view task) {
  if (round == kNone || done == kNone || !board.node(node).online || !board.action(round).runnable) return;
  const ActionId made =
      make_action(board, id, notice_key(board, id, when, task), "notify", node, board.action(round).optional);
  order(board, round, made, order_optional);
  order(board, made, done, order_optional);
}

void notify_after(Board& board, ResourceId id, NodeId node, const Round& round) {
  notify(board, id, node, round.after, round.after_done, "post", round.task);
  if (round.after_done == kNone) return;
  for (const ActionId each : std::vector<ActionId>(board.resource(id).actions))
    if (board.action(each).interval_ms != 0 && board.action(each).task != "cancel")
      order(board, round.after_done, each, order_optional);
}

/// Those that are there hear of what leaves or is demoted, before and, if they stay, after.
void notify_leaving(Board& board, ResourceId id, const Round& round) {
  const ActionId stop = find_action(board, id, "stop", kNone);
  const std::vector<NodeId> places = board.resource(id).running_on;
  for (const NodeId node : places) {
    if (stop != kNone && board.action(stop).pseudo &&
        (board.node(node).unclean || board.node(node).remote_requires_reset))
      continue;
    notify(board, id, node, round.before, round.before_done, "pre", round.task);
    if (round.task == "demote" || !happens(board, stop)) notify_after(board, id, node, round);
  }
}

/// Those that will be there hear of what comes or is promoted; who only starts now hears of it afterwards.
void notify_coming(Board& board, ResourceId id, const Round& round) {
  const NodeId node = board.resource(id).node;
  if (node == kNone || goes_away(board, node)) return;
  const ActionId start = find_action(board, id, "start", kNone);
  // It does not come: the connection to its node is not made.
  if (board.node(node).is_remote() && happens(board, start) && !board.action(start).runnable) return;
  if (round.task != "start" || !happens(board, start))
    notify(board, id, node, round.before, round.before_done, "pre", round.task);
  notify_after(board, id, node, round);
}

void notify_instances(Board& board, ResourceId clone, const Round& round) {
  const bool up = round.task == "start" || round.task == "promote";
  if (round.task != "stop" && !any_does(board, clone, round.task)) return;
  std::vector<ResourceId> instances;
  each_in(board, clone, [&](ResourceId each) {
    if (board.resource(each).primitive()) instances.push_back(each);
  });
  for (const ResourceId each : instances) {
    if (!up && board.resource(each).role != Role::Stopped) notify_leaving(board, each, round);
    if (up && board.resource(each).next_role != Role::Stopped) notify_coming(board, each, round);
  }
}

}  // namespace

Notices make_notices(Board& board, ResourceId clone, std::string_view task, ActionId begin, ActionId end) {
  Notices notices;
  if (!board.resource(clone).notify) return notices;
  const auto point = [&](std::string_view when, const Action& about, std::string_view kind) {
    return make_pseudo(board, clone, notice_key(board, clone, when, about.task), kind, about.optional, true);
  };
  static_cast<void>(task);
  notices.before = point("pre", Action(board.action(begin)), "notify");
  const ActionId before_done = point("confirmed-pre", Action(board.action(begin)), "notified");
  order(board, notices.before, before_done, order_optional);
  order(board, before_done, begin, order_optional);
  const Action about = board.action(end);
  const ActionId after = point("post", about, "notify");
  notices.after_done = point("confirmed-post", about, "notified");
  board.action(after).runnable = board.action(notices.after_done).runnable = about.runnable;
  order(board, end, after, order_implies_then);
  order(board, after, notices.after_done, order_implies_then);
  order(board, before_done, after, order_optional);
  return notices;
}

void notify_after_fencing(Board& board, ResourceId id, ActionId fencing) {
  if (!board.resource(id).notify) return;
  const auto point = [&](std::string_view when, std::string_view kind) {
    return make_pseudo(board, id, notice_key(board, id, when, "stonith"), kind, board.action(fencing).optional,
                       board.action(fencing).runnable);
  };
  const Round round{"stop", kNone, kNone, point("post", "notify"), point("confirmed-post", "notified")};
  order(board, fencing, round.after, order_implies_then);
  order(board, round.after, round.after_done, order_implies_then);
  notify_instances(board, board.top_of(id), round);
}

void make_notifications(Board& board) {
  for (ResourceId clone = 0; clone < board.resources.size(); ++clone) {
    const Resource& resource = board.resource(clone);
    if (resource.variant != Variant::clone || !resource.notify) continue;
    for (const auto& [task, end] : {std::pair<std::string_view, std::string_view>{"start", "running"},
                                    {"stop", "stopped"},
                                    {"promote", "promoted"},
                                    {"demote", "demoted"}}) {
      const Round round{task, find_notice(board, clone, "pre", task), find_notice(board, clone, "confirmed-pre", task),
                        find_notice(board, clone, "post", end), find_notice(board, clone, "confirmed-post", end)};
      if (round.before != kNone) notify_instances(board, clone, round);
    }
  }
}

}  // namespace bascule::policy::detail
