// What each score is made of, kept only when somebody will ask.
#include "core/policy/ledger.h"

#include "core/policy/board.h"

namespace bascule::policy::detail {
namespace {

Score sum(const std::vector<Contribution>& summands, Score start) {
  Score total = start;
  for (const Contribution& each : summands) total = total == kNotAllowed ? each.score : add(total, each.score);
  return total;
}

/// What must be added to get from one score to the other. False: nothing does, the score was set anew.
bool difference(Score before, Score now, Score& change) {
  if (before == kNotAllowed)
    change = now;
  else if (now >= kInfinity)
    change = kInfinity;
  else if (now <= -kInfinity)
    change = -kInfinity;
  else
    change = now - before;
  return (before == kNotAllowed ? change : add(before, change)) == now;
}

}  // namespace

Ledger::Entry& Ledger::entry(const Board& board, std::uint32_t resource) {
  if (entries_.size() <= resource) entries_.resize(board.resources.size());
  Entry& found = entries_[resource];
  if (found.last.size() < board.nodes.size()) {
    found.last.resize(board.nodes.size(), board.properties.symmetric ? 0 : kNotAllowed);
    found.summands.resize(board.nodes.size());
  }
  return found;
}

bool Ledger::concerns(const Board& board, std::uint32_t resource) {
  const std::string& only = board.snapshot.explain_only;
  if (only.empty()) return true;
  if (concerned_.size() <= resource) concerned_.resize(board.resources.size(), -1);
  if (concerned_[resource] < 0) {
    const ResourceId asked = board.find_resource(only);
    const Resource& it = board.resource(resource);
    const bool named = it.definition != nullptr && it.definition->id == only;
    concerned_[resource] = named || (asked != kNone && board.top_of(asked) == board.top_of(resource)) ? 1 : 0;
  }
  return concerned_[resource] != 0;
}

void Ledger::note(const Board& board, std::uint32_t resource, const Cause& cause) {
  if (!concerns(board, resource)) return;
  Entry& found = entry(board, resource);
  const Score start = board.properties.symmetric ? 0 : kNotAllowed;
  for (NodeId node = 0; node < found.last.size(); ++node) {
    const Score now = board.resource(resource).scores[node];
    if (now == found.last[node]) continue;
    std::vector<Contribution>& summands = found.summands[node];
    if (cause.kind == Cause::Kind::taken_back)
      while (!summands.empty() && sum(summands, start) != now) summands.pop_back();
    Score change = 0;
    const Score before = cause.kind == Cause::Kind::taken_back ? sum(summands, start) : found.last[node];
    found.last[node] = now;
    if (now == kNotAllowed) summands.clear();
    if (before == now || now == kNotAllowed) continue;
    if (!difference(before, now, change)) {
      summands.clear();
      change = now;
    }
    summands.push_back({change, cause.kind, std::string(cause.text), cause.other, cause.factor});
  }
}

void Ledger::add(const Board& board, std::uint32_t resource, std::uint32_t node, Score score, const Cause& cause) {
  if (!concerns(board, resource)) return;
  Entry& found = entry(board, resource);
  // A node that was not allowed starts from this score.
  if (found.last[node] == kNotAllowed) found.summands[node].clear();
  found.last[node] = board.resource(resource).scores[node];
  if (score == 0 && !found.summands[node].empty()) return;
  found.summands[node].push_back({score, cause.kind, std::string(cause.text), cause.other, cause.factor});
}

void Ledger::keep(const Board& board, std::uint32_t resource, const char* step) {
  tables_.push_back({step, resource, board.resource(resource).scores});
  for (const ResourceId child : board.resource(resource).children) keep(board, child, step);
}

void Ledger::keep_loads(const Board& board, std::uint32_t resource) {
  if (!concerns(board, resource)) return;
  std::vector<int>& loads = entry(board, resource).loads;
  loads.clear();
  for (const Node& node : board.nodes) loads.push_back(node.assigned_count);
}

const std::vector<int>& Ledger::loads(std::uint32_t resource) const {
  static const std::vector<int> none;
  return resource < entries_.size() ? entries_[resource].loads : none;
}

const std::vector<Contribution>& Ledger::of(std::uint32_t resource, std::uint32_t node) const {
  static const std::vector<Contribution> none;
  if (resource >= entries_.size() || node >= entries_[resource].summands.size()) return none;
  return entries_[resource].summands[node];
}

void note(Board& board, std::uint32_t resource, const Cause& cause) {
  if (board.ledger) board.ledger->note(board, resource, cause);
}

void note_loads(Board& board, std::uint32_t resource) {
  if (board.ledger) board.ledger->keep_loads(board, resource);
}

void note_scores(Board& board, std::uint32_t resource, const char* step) {
  if (board.ledger) board.ledger->keep(board, resource, step);
}

}  // namespace bascule::policy::detail
