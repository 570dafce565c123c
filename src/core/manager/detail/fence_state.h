#pragma once

#include <deque>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/fencing/fencer.h"
#include "core/manager/manager.h"

namespace bascule::manager {

/// One fencing that this node carries out.
struct Fencing {
  std::optional<fencing::Fencer> fencer;  ///< nothing: its order is on its way into the log
  std::uint64_t order = 0;                ///< of the log; 0: nobody could agree on it (two nodes)
  std::string reason;
  std::vector<RequestId> requests;  ///< people who wait for it
  bool recorded = false;            ///< its proof is in the log, or on its way
  bool trial = false;               ///< in earnest, to see whether the devices work
  Instant give_up = never;          ///< of an order on its way
};

/// `bascule fence test`: the devices of one node, one after the other.
struct FenceTrial {
  RequestId request = 0;
  std::string node;
  std::deque<config::FenceDevice> left;
  std::uint64_t run = 0;
  std::string failures;
};

/// What this manager knows of fencing beside the agreed state.
struct FenceState {
  std::map<std::string, Fencing> running;  ///< by node
  std::map<std::string, fencing::Abilities> abilities;
  std::optional<FenceTrial> trial;
  std::deque<message::Command> unrecorded;                    ///< until there is a leader to propose it to
  std::map<std::uint64_t, message::RecordFencing> confirmed;  ///< by a person, until their order is in the log
  std::map<std::string, std::uint64_t> answered;              ///< a leader: orders that began in its term, by node
  std::map<std::string, Instant> not_before;                  ///< a failed fencing is not tried again at once
  std::uint64_t last_run = 0;

  std::set<std::string> to_unfence;                ///< devices that have to switch this node on before anything starts
  std::map<std::string, std::uint64_t> unfencing;  ///< their runs
  Instant unfence_again{};
  bool may_start = false;  ///< all of them did it once: one that is configured later does not hold up what runs
  Instant look_at_failures{};

  // Two nodes.
  std::uint64_t reform = 0;  ///< under way
  std::string alone_without, alone_because;
  std::vector<RequestId> reform_requests;
  Instant look_at_the_other{};
  Instant read_again{};
};

}  // namespace bascule::manager
