#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/ownership/plan.h"
#include "core/store/state.h"
#include "wire/cluster_config/config.h"
#include "wire/cluster_message/message.h"

/// A decision of the manager together with everything it was taken on, so that it can be taken again.
namespace bascule::decisions {

/// What was, or would be, decided.
struct Decided {
  std::string command;  ///< as message::text() says it
  std::string reason;   ///< a sentence

  bool operator==(const Decided&) const = default;
};

struct Record {
  std::string node;           ///< who decided, and whose clock the times are of
  std::uint64_t term = 0;     ///< in which it led
  std::uint64_t wall_ms = 0;  ///< its wall clock, for people only; 0: not known
  std::string configuration;  ///< cluster.toml
  config::ClusterConfig config;
  store::ClusterState state;  ///< without what no decision looks at: secrets, earlier configurations, past fencings
  bool may_decide = true;
  bool leader_known = true;
  Instant now{};
  std::map<std::string, ownership::NodeView> nodes;    ///< their `report` is null: snapshot() finds it in `reports`
  std::map<std::string, message::NodeReport> reports;  ///< the newest of each node that was heard of
  std::vector<Decided> decided;

  /// What was planned on. It refers to this record, which must outlive it.
  [[nodiscard]] ownership::Snapshot snapshot() const;
};

/// What the planner does not know of itself.
struct Circumstances {
  std::uint64_t term = 0;
  std::uint64_t wall_ms = 0;
  std::string_view configuration;  ///< the text of the snapshot's configuration
  std::string_view state;          ///< store::Store::brief()
};

/// One line, without its end; FORMAT.md.
[[nodiscard]] std::string write(const ownership::Snapshot& snapshot, const ownership::Plan& plan,
                                const Circumstances& circumstances);
/// Refuses what is damaged or of a later version; never throws.
[[nodiscard]] Result<Record> read(std::string_view line);

struct Replay {
  ownership::Plan plan;
  std::vector<Decided> decided;
  bool same = false;  ///< as what was decided then, the reasons included
};

/// Takes the decision again, by this program.
[[nodiscard]] Replay replay(const Record& record);

}  // namespace bascule::decisions
