// The answer to "why": a sentence for each node, and what its score is made of.
#include "core/explain/why.h"

#include <algorithm>

#include "core/explain/causes.h"
#include "core/explain/sentences.h"
#include "core/explain/smallest.h"
#include "core/explain/subject.h"
#include "core/explain/words.h"

namespace bascule::explain {
namespace {

using namespace policy::detail;  // NOLINT: this file reads what is there

NodeAnswer answer_for(const Board& board, const Subject& subject, NodeId node) {
  const ResourceId leaf = leaf_for(board, subject, node);
  NodeAnswer answer;
  answer.node = board.node(node).name;
  answer.chosen = board.resource(leaf).node == node && placed(board, leaf);
  answer.sentence = sentence_for(board, subject, leaf, node);
  const policy::Score score = board.resource(leaf).scores[node];
  if (score == kNotAllowed) return answer;
  answer.score = score;
  for (const Contribution& each : board.ledger->of(leaf, node))
    answer.summands.push_back({each.score, cause_text(board, leaf, node, each)});
  return answer;
}

/// The nodes of bundles' replicas are told of only where they have to do with it.
bool concerns(const Board& board, const Subject& subject, NodeId node) {
  if (!board.node(node).for_bundle) return true;
  return std::any_of(subject.leaves.begin(), subject.leaves.end(),
                     [&](ResourceId leaf) { return board.resource(leaf).scores[node] >= 0; });
}

std::vector<NodeAnswer> answers(const Board& board, const Subject& subject, NodeId asked) {
  std::vector<NodeAnswer> all;
  for (NodeId node = 0; node < board.nodes.size(); ++node)
    if (node == asked || concerns(board, subject, node)) all.push_back(answer_for(board, subject, node));
  const std::string first = asked == kNone ? std::string() : board.node(asked).name;
  const auto rank = [&first](const NodeAnswer& answer) { return answer.node == first ? 0 : answer.chosen ? 1 : 2; };
  std::stable_sort(all.begin(), all.end(), [&](const NodeAnswer& left, const NodeAnswer& right) {
    if (rank(left) != rank(right)) return rank(left) < rank(right);
    return left.score.value_or(kNotAllowed) > right.score.value_or(kNotAllowed);
  });
  if (asked == kNone) return all;
  std::erase_if(all, [&](const NodeAnswer& answer) { return rank(answer) == 2; });
  return all;
}

Goal goal_of(const Board& board, const Subject& subject, NodeId asked) {
  const std::vector<std::string> now = places(board, subject);
  if (asked == kNone) return {now.empty() ? Goal::What::run : Goal::What::change, kNone};
  const bool there = std::find(now.begin(), now.end(), board.node(asked).name) != now.end();
  return {there ? Goal::What::leave : Goal::What::come, asked};
}

}  // namespace

Result<Answer> why(const policy::Snapshot& snapshot, const Question& question) {
  policy::Snapshot asked = snapshot;
  asked.explain = true;
  if (!affords_ledger(*snapshot.cib)) asked.explain_only = question.resource;
  const policy::Plan plan = policy::plan(asked);
  const Board& board = plan.board();
  const auto subject = find_subject(board, question.resource);
  if (!subject) return tl::unexpected(subject.error());
  NodeId node = kNone;
  const std::string& name = question.on.empty() ? question.not_on : question.on;
  if (!name.empty()) {
    const auto found = find_node(board, name);
    if (!found) return tl::unexpected(found.error());
    node = *found;
  }
  Answer answer;
  answer.resource = question.resource;
  answer.sentence = sentence_of(board, *subject);
  answer.nodes = answers(board, *subject, node);
  if (question.smallest_change) find_smallest(snapshot, board, *subject, goal_of(board, *subject, node), answer);
  return answer;
}

}  // namespace bascule::explain
