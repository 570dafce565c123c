// The sentences of an answer.
#include "core/explain/sentences.h"

#include <algorithm>

#include "core/explain/causes.h"
#include "core/explain/words.h"

namespace bascule::explain {
namespace {

using namespace policy::detail;  // NOLINT: this file reads what is there
using policy::Role;
using policy::Score;

bool runs_on(const Resource& resource, NodeId node) {
  return std::find(resource.running_on.begin(), resource.running_on.end(), node) != resource.running_on.end();
}

std::string score_text(Score score) { return score == kNotAllowed ? "none" : policy::text_of(score); }

/// The best of the other nodes that could run it; kNone: there is none.
NodeId runner_up(const Board& board, ResourceId leaf) {
  NodeId best = kNone;
  const Resource& resource = board.resource(leaf);
  for (NodeId node = 0; node < board.nodes.size(); ++node) {
    if (node == resource.node || !could_run(board, leaf, node)) continue;
    if (best == kNone || resource.scores[node] > resource.scores[best]) best = node;
  }
  return best;
}

/// What decided between two nodes with the same score.
std::string tie_text(const Board& board, ResourceId leaf, NodeId chosen, NodeId other) {
  if (runs_on(board.resource(leaf), chosen) && board.resource(leaf).scores[chosen] > 0) return "it runs there already";
  const std::vector<int>& loads = board.ledger->loads(leaf);
  if (!loads.empty() && loads[chosen] < loads[other]) return "less had been placed there by then";
  if (runs_on(board.resource(leaf), chosen)) return "it runs there already";
  return board.node(chosen).name < board.node(other).name ? "it comes first by name" : "the strategy prefers it";
}

std::string why_best(const Board& board, ResourceId leaf) {
  const Resource& resource = board.resource(leaf);
  const NodeId other = runner_up(board, leaf);
  const Score score = resource.scores[resource.node];
  if (other == kNone) return "no other node can run it";
  const std::string theirs = board.node(other).name + " has " + score_text(resource.scores[other]);
  if (score > resource.scores[other]) return "its score " + score_text(score) + " is the highest (" + theirs + ")";
  if (score < resource.scores[other]) return "it is kept there (score " + score_text(score) + ", " + theirs + ")";
  return board.node(other).name + " is as good (score " + score_text(score) + "), but " +
         tie_text(board, leaf, resource.node, other);
}

std::string left_alone(const Board& board, const Resource& resource) {
  if (resource.blocked) return "it is blocked: a failure or an unclear state forbids touching it";
  if (board.properties.maintenance) return "the cluster is in maintenance";
  if (resource.maintenance) return "it is in maintenance";
  if (board.properties.fencing && !board.properties.have_fencing_device)
    return "fencing is enabled, but no fencing device is configured";
  return "it is not managed";
}

std::string role_text(const Board& board, ResourceId leaf) {
  const Resource& resource = board.resource(leaf);
  if (resource.next_role == Role::Promoted) return " as Promoted";
  return resource.next_role == Role::Unpromoted ? " as Unpromoted" : "";
}

bool restarts(const Board& board, ResourceId leaf) {
  const auto required = [&](std::string_view task) {
    for (const ActionId each : board.resource(leaf).actions)
      if (board.action(each).task == task && !board.action(each).optional) return true;
    return false;
  };
  return required("stop") && required("start");
}

std::string chosen_text(const Board& board, const Subject& subject, ResourceId leaf, NodeId node) {
  const Resource& resource = board.resource(leaf);
  if (!resource.managed) return "left where it is: " + left_alone(board, resource);
  const std::string role = role_text(board, leaf);
  if (const Action* start = blocked_start(board, leaf))
    return "chosen, but it cannot start there: " + why_action(board, *start);
  const std::string reason =
      subject.several() ? "one of its " + std::to_string(subject.leaves.size()) + " instances" : why_best(board, leaf);
  if (!runs_on(resource, node)) return "chosen, it will start there" + role + ": " + reason;
  if (restarts(board, leaf)) return "it is restarted there" + role + ": " + why_changed(board, leaf);
  return "it runs there and stays" + role + ": " + reason;
}

std::string refused_text(const Board& board, const Subject& subject, ResourceId leaf, NodeId node) {
  const Resource& resource = board.resource(leaf);
  if (!resource.managed) return "not considered: " + left_alone(board, resource);
  if (resource.orphan) return "no: it is not configured any more";
  if (const std::string trouble = node_trouble(board, node); !trouble.empty()) return "no: the node " + trouble;
  const Score score = resource.scores[node];
  if (score == kNotAllowed) return "no: symmetric-cluster is false, and no constraint allows it there";
  if (score < 0) return "no: " + what_forbids(board, leaf, node);
  if (subject.several()) return "no: its instances have their places elsewhere";
  if (resource.node == kNone) return "no: " + why_nowhere(board, leaf);
  const Score chosen = resource.scores[resource.node];
  const std::string there = board.node(resource.node).name;
  if (score < chosen)
    return "not chosen, its score " + score_text(score) + " is lower than " + score_text(chosen) + " for " + there;
  if (score > chosen) return "not chosen, though its score " + score_text(score) + " is higher: it is kept on " + there;
  return "not chosen: " + there + " is as good (score " + score_text(score) + "), and " +
         tie_text(board, leaf, resource.node, node);
}

// ---- the whole ------------------------------------------------------------------------------------------------------

std::string sentence_of_one(const Board& board, const std::string& name, ResourceId leaf) {
  const Resource& resource = board.resource(leaf);
  const NodeId from = resource.running_on.empty() ? kNone : resource.running_on.front();
  const auto node = [&board](NodeId id) { return board.node(id).name; };
  if (!resource.managed)
    return name + (from == kNone ? " is stopped and left so: " : " stays on " + node(from) + ": ") +
           left_alone(board, resource);
  if (const Action* start = blocked_start(board, leaf)) return name + " cannot start: " + why_action(board, *start);
  if (resource.node == kNone && from == kNone) return name + " is stopped and stays so: " + why_nowhere(board, leaf);
  if (resource.node == kNone) return name + " stops on " + node(from) + ": " + why_changed(board, leaf);
  if (from == kNone) return name + " starts on " + node(resource.node) + ": " + why_best(board, leaf);
  if (from != resource.node)
    return name + " moves from " + node(from) + " to " + node(resource.node) + ": " + why_changed(board, leaf);
  if (restarts(board, leaf)) return name + " is restarted on " + node(from) + ": " + why_changed(board, leaf);
  return name + " runs on " + node(from) + " and stays there: " + why_best(board, leaf);
}

std::string sentence_of_many(const Board& board, const Subject& subject) {
  std::vector<std::string> promoted;
  std::size_t count = 0;
  ResourceId stopped = kNone;
  for (const ResourceId leaf : subject.leaves) {
    if (!placed(board, leaf)) stopped = leaf;
    if (!placed(board, leaf)) continue;
    ++count;
    if (board.resource(leaf).next_role == Role::Promoted)
      promoted.push_back(board.node(board.resource(leaf).node).name);
  }
  std::string text =
      subject.name + " has " + std::to_string(count) + " of " + std::to_string(subject.leaves.size()) + " instances";
  if (count > 0) text += " on " + list_text(places(board, subject), 8);
  if (!promoted.empty()) text += ", promoted on " + list_text(promoted);
  if (stopped == kNone) return text;
  const Action* start = blocked_start(board, stopped);
  return text + "; of another: " + (start != nullptr ? why_action(board, *start) : why_nowhere(board, stopped));
}

/// Members that are not where the first one is.
std::string members_apart(const Board& board, const Subject& subject) {
  const Resource& whole = board.resource(subject.whole);
  if (whole.variant != Variant::group) return "";
  std::string text;
  for (const ResourceId member : whole.children) {
    const bool same = board.resource(member).node == board.resource(subject.leaves.front()).node;
    if (same && blocked_start(board, member) == nullptr) continue;
    if (text.size() > 400) return text + " And so on.";
    text += " " + sentence_of_one(board, board.resource(member).id, member) + ".";
  }
  return text;
}

}  // namespace

std::string sentence_of(const Board& board, const Subject& subject) {
  if (subject.several()) return sentence_of_many(board, subject) + ".";
  return sentence_of_one(board, subject.name, subject.leaves.front()) + "." + members_apart(board, subject);
}

std::string sentence_for(const Board& board, const Subject& subject, ResourceId leaf, NodeId node) {
  const bool chosen = board.resource(leaf).node == node;
  return chosen ? chosen_text(board, subject, leaf, node) : refused_text(board, subject, leaf, node);
}

}  // namespace bascule::explain
