#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/policy/score.h"

/// Where scores come from, kept while a plan is made if the snapshot asks for it (Snapshot::explain).
namespace bascule::policy::detail {

struct Board;

/// Why a score changes. `text` need not outlive the call that it is given to.
struct Cause {
  enum class Kind : std::uint8_t {
    other,        ///< `text` says it all
    start,        ///< what it had before anything was considered
    location,     ///< `text`: the constraint's id
    stickiness,   ///< it runs there
    failures,     ///< migration-threshold was reached
    colocation,   ///< `text`: the constraint's id; the resource is with `other`
    attraction,   ///< `text`: the constraint's id; `other` is with the resource, and prefers nodes by `factor`
    health,       ///< of the node
    discovery,    ///< exclusive discovery elsewhere
    lock,         ///< shutdown lock
    target_role,  ///< it is to be stopped
    ticket,       ///< `text` says which
    utilization,  ///< no room
    promotion,    ///< what its agent says about the promoted role
    clone,        ///< limits of its clone or bundle
    container,    ///< where its container or connection is
    taken_back    ///< what was tried is taken back
  };
  std::string_view text;
  Kind kind = Kind::other;
  std::uint32_t other = 0xffffffff;
  std::int64_t factor = 0;  ///< billionths

  Cause(const char* words) : text(words) {}         // NOLINT: a text is a cause
  Cause(std::string_view words) : text(words) {}    // NOLINT
  Cause(const std::string& words) : text(words) {}  // NOLINT
  Cause(Kind what, std::string_view words = {}, std::uint32_t whom = 0xffffffff, std::int64_t part = 0)  // NOLINT
      : text(words), kind(what), other(whom), factor(part) {}
};

/// One summand of a score.
struct Contribution {
  Score score = 0;
  Cause::Kind kind = Cause::Kind::other;
  std::string text;
  std::uint32_t other = 0xffffffff;
  std::int64_t factor = 0;
};

/// The scores of a resource at one step.
struct ScoreTable {
  std::string step;
  std::uint32_t resource = 0xffffffff;
  std::vector<Score> scores;
};

class Ledger {
 public:
  /// Whatever changed in the resource's scores since the last call is due to `cause`.
  void note(const Board& board, std::uint32_t resource, const Cause& cause);
  /// `score` has been added on one node.
  void add(const Board& board, std::uint32_t resource, std::uint32_t node, Score score, const Cause& cause);
  /// Keeps the scores of a resource and all that is in it, as they are now.
  void keep(const Board& board, std::uint32_t resource, const char* step);
  /// Keeps how much each node has to run, just before a node is chosen for the resource.
  void keep_loads(const Board& board, std::uint32_t resource);
  /// By node; empty: no choice was made.
  [[nodiscard]] const std::vector<int>& loads(std::uint32_t resource) const;
  /// The summands of a score, in the order in which they came; added up in that order they are the score.
  [[nodiscard]] const std::vector<Contribution>& of(std::uint32_t resource, std::uint32_t node) const;
  [[nodiscard]] const std::vector<ScoreTable>& tables() const { return tables_; }

 private:
  struct Entry {
    std::vector<Score> last;                          ///< by node
    std::vector<std::vector<Contribution>> summands;  ///< by node
    std::vector<int> loads;
  };
  Entry& entry(const Board& board, std::uint32_t resource);
  /// Whether the snapshot asks about the resource.
  bool concerns(const Board& board, std::uint32_t resource);

  std::vector<Entry> entries_;
  std::vector<std::int8_t> concerned_;  ///< by resource: -1 not known yet
  std::vector<ScoreTable> tables_;
};

/// Notes a change, if anybody wants to know.
void note(Board& board, std::uint32_t resource, const Cause& cause);
void note_loads(Board& board, std::uint32_t resource);
/// Notes the scores themselves, if anybody wants to know.
void note_scores(Board& board, std::uint32_t resource, const char* step);

}  // namespace bascule::policy::detail
