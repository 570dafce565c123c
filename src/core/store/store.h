#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "core/store/state.h"
#include "wire/cluster_config/config.h"
#include "wire/cluster_message/command.h"

namespace bascule::store {

/// One line of the story that an applied command tells. Every node derives the same ones; the caller adds node, time
/// and sequence. Kinds are those of docs/architecture.md.
struct StoryEvent {
  std::string kind;
  std::string subject;
  std::string text;
  std::map<std::string, std::string> fields;

  bool operator==(const StoryEvent&) const = default;
};

/// What became of one proposal.
struct Applied {
  bool changed = false;   ///< the state (beside applied_index) is another one now
  bool accepted = false;  ///< false: a rule refused it, nothing changed
  std::string why;        ///< the refusal as a sentence; empty when accepted
  std::vector<StoryEvent> events;

  bool operator==(const Applied&) const = default;
};

/// The replicated state machine: same log, same state, same answers, on every node.
class Store {
 public:
  /// How many proposal ids are remembered, so that a proposal that was forwarded twice is applied once.
  static constexpr std::size_t remembered_proposals = 4096;

  /// Applies the log entry `index` (greater than any before). A proposal id that was applied already changes nothing
  /// and gets the same `accepted` and `why` as the first time, without events.
  Applied apply(std::uint64_t index, const message::Proposal& proposal);
  /// Entries that carry no proposal (consensus' no-ops and configurations) move applied_index as well.
  void skip(std::uint64_t index);

  [[nodiscard]] const ClusterState& state() const { return state_; }

  /// Everything, remembered proposals included, as versioned JSON (FORMAT.md). Same state, same bytes.
  [[nodiscard]] Bytes snapshot() const;
  /// The same of what decisions are taken on only: no proposals, no tokens, no texts of configurations, of their
  /// versions the one in force, no fencing that has ended and no trials.
  [[nodiscard]] std::string brief() const;
  /// Refuses what is damaged or of a later version; never throws.
  [[nodiscard]] static Result<Store> restore(ByteView bytes);

 private:
  struct Answer {
    bool accepted = false;
    std::string why;
  };
  void remember(std::uint64_t id, const Applied& applied);

  ClusterState state_;
  std::map<std::uint64_t, Answer> answers_;  ///< by proposal id
  std::deque<std::uint64_t> order_;          ///< oldest first
};

/// Checks the names in a command against the configuration, before it is proposed: unknown nodes, services and volumes
/// are refused with the names that are known. The log itself knows no configuration, so that it never depends on a
/// file.
[[nodiscard]] Result<void> validate(const message::Command& command, const config::ClusterConfig& config);

}  // namespace bascule::store
