#include "core/policy/summary.h"

#include <algorithm>

#include "core/policy/detail/assign.h"
#include "core/policy/operations.h"

namespace bascule::policy::detail {
namespace {

// ---- nodes ----------------------------------------------------------------------------------------------------------

void append_node_changes(const Board& board, std::vector<Change>& changes) {
  for (const Action& action : board.actions) {
    const bool fencing = action.task == "stonith";
    if (action.optional || action.node == kNone || (!fencing && action.task != "do_shutdown")) continue;
    Change change;
    change.verb = fencing ? Verb::Fence : Verb::Shutdown;
    change.from = action.node;
    change.action = action.id;
    if (fencing) change.how = action.key.substr(action.key.rfind('-') + 1);
    change.reason = reason_of(board, action);
    changes.push_back(std::move(change));
  }
}

// ---- resources ------------------------------------------------------------------------------------------------------

/// One resource's actions of one plan, and what they come to.
class ResourceChanges {
 public:
  ResourceChanges(const Board& board, ResourceId id, std::vector<Change>& changes)
      : board_(board), id_(id), resource_(board.resource(id)), changes_(changes) {
    next_ = resource_.node;
    current_ = resource_.running_on.empty() ? kNone : current_node(board, id);
    role_ = resource_.role == Role::Unknown ? Role::Stopped : resource_.role;
    if (current_ != kNone && role_ == Role::Stopped) role_ = Role::Started;
  }

  void append() {
    if (current_ == kNone && (resource_.orphan || next_ == kNone)) return;
    if (!resource_.managed) return;
    start_ = find("start", next_);
    stop_ = find("stop", start_ != nullptr && start_->runnable ? current_ : kNone);
    if (stop_ == nullptr && resource_.stop_unexpected) stop_ = find("stop", kNone);
    promote_ = find("promote", next_);
    demote_ = find("demote", next_);
    if (role_ == resource_.next_role)
      same_role();
    else
      other_role();
  }

 private:
  [[nodiscard]] const Action* find(std::string_view task, NodeId node) const {
    const std::string key = operation_key(resource_.id, task, 0);
    for (const ActionId each : resource_.actions) {
      const Action& action = board_.action(each);
      if (action.key != key || action.task != task) continue;
      if (node == kNone || action.node == kNone || action.node == node) return &action;
    }
    return nullptr;
  }

  /// `about`: what happens; `why`: what has the reason (null: the same).
  void add(Verb verb, NodeId from, NodeId to, const Action* about, const Action* why = nullptr) {
    if (about == nullptr || (from == kNone && to == kNone)) return;
    if (why == nullptr) why = about;
    changes_.push_back(
        {verb, id_, from, to, role_, resource_.next_role, about->id, "", reason_of(board_, *why), !about->runnable});
  }

  [[nodiscard]] bool moving() const { return current_ != kNone && next_ != kNone && current_ != next_; }

  void same_role() {
    if (next_ == kNone) return;
    const Action* migrate = find("migrate_from", next_);
    const bool promoted_anew = demote_ != nullptr && promote_ != nullptr && demote_->required() && promote_->required();
    if (migrate != nullptr && migrate->required() && current_ != kNone && migrate->runnable) {
      add(Verb::Migrate, current_, next_, start_);
      if (!changes_.empty()) changes_.back().reason.clear();
    } else if (resource_.reload_needed && (start_ == nullptr || start_->optional)) {
      add(Verb::Reload, current_, next_, start_);
    } else if (start_ == nullptr || start_->optional) {
      if (promoted_anew) add(Verb::RePromote, current_, next_, promote_, demote_);
    } else if (!start_->runnable) {
      add(Verb::Stop, current_, kNone, stop_, stop_ == nullptr || reason_of(board_, *stop_).empty() ? start_ : stop_);
    } else if (moving()) {
      add(resource_.failed ? Verb::Recover : Verb::Move, current_, next_, stop_);
    } else if (resource_.failed) {
      add(Verb::Recover, current_, kNone, stop_);
    } else {
      add(Verb::Restart, current_, next_, start_);
    }
  }

  void other_role() {
    if (stop_ != nullptr && (resource_.next_role == Role::Stopped || (start_ != nullptr && !start_->runnable)))
      return stops();
    if (stop_ != nullptr && resource_.failed && resource_.must_stop)
      add(Verb::Recover, current_, next_, stop_, start_);
    else if (moving())
      add(Verb::Move, current_, next_, stop_);
    else if (resource_.reload_needed)
      add(Verb::Reload, current_, next_, start_);
    else if (stop_ != nullptr && stop_->required())
      add(Verb::Restart, current_, next_, start_);
    else if (role_ == Role::Promoted)
      add(Verb::Demote, current_, next_, demote_);
    else if (resource_.next_role == Role::Promoted)
      add(Verb::Promote, current_, next_, promote_);
    else if (role_ == Role::Stopped && resource_.next_role > Role::Stopped)
      add(Verb::Start, current_, next_, start_);
  }

  void stops() {
    for (const NodeId place : resource_.running_on) {
      const Action* stop = find("stop", place);
      add(Verb::Stop, place, kNone, stop, stop != nullptr && !reason_of(board_, *stop).empty() ? stop : start_);
    }
  }

  const Board& board_;
  ResourceId id_;
  const Resource& resource_;
  std::vector<Change>& changes_;
  NodeId current_ = kNone;
  NodeId next_ = kNone;
  Role role_ = Role::Unknown;
  const Action* start_ = nullptr;
  const Action* stop_ = nullptr;
  const Action* promote_ = nullptr;
  const Action* demote_ = nullptr;
};

void append_changes(const Board& board, ResourceId id, std::vector<Change>& changes) {
  const Resource& resource = board.resource(id);
  if (resource.variant == Variant::bundle) {
    for (const BundleReplica& replica : resource.bundle->replicas)
      for (const ResourceId each : {replica.ip, replica.container, replica.remote, replica.child})
        if (each != kNone) append_changes(board, each, changes);
    return;
  }
  for (const ResourceId child : resource.children) append_changes(board, child, changes);
  if (resource.primitive()) ResourceChanges(board, id, changes).append();
}

}  // namespace

std::string reason_of(const Board& board, const Action& action) {
  static constexpr const char* words[] = {"", "required ", "unrunnable ", "unrunnable "};
  if (action.because.what == Because::What::none) return action.reason;
  const Action& other = board.action(action.because.other);
  const std::string whose = other.resource == kNone ? "" : board.resource(other.resource).id + " ";
  return words[static_cast<std::size_t>(action.because.what)] + whose + other.task;
}

const char* name_of(Verb verb) {
  static constexpr const char* names[] = {"Start",  "Stop",    "Restart", "Recover",    "Move",  "Migrate",
                                          "Reload", "Promote", "Demote",  "Re-promote", "Fence", "Shutdown"};
  return names[static_cast<std::size_t>(verb)];
}

std::vector<Change> summarize(const Board& board) {
  std::vector<Change> changes;
  append_node_changes(board, changes);
  for (const ResourceId id : board.top) append_changes(board, id, changes);
  return changes;
}

}  // namespace bascule::policy::detail
