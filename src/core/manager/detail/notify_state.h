#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/manager/manager.h"

namespace bascule::manager {

/// One operation of a copy on this node that the copies on all nodes hear of.
struct NotifyRound {
  enum class Phase {
    before,  ///< the operation waits until all have heard that it will be done
    acting,  ///< it is under way
    after,   ///< it was done; its result is told when all have heard of it
  };
  std::string runner;  ///< whose operation it is; empty: it is done, and nothing waits for this round
  transition::effect::RunAction action;
  message::Notice notice;
  Phase phase = Phase::before;
  std::optional<transition::input::ActionDone> result;  ///< after
  std::set<std::uint32_t> waiting;                      ///< nodes that have not answered, perhaps this one
  Instant give_up{};
  Instant send_again{};
};

/// What a copy on this node is to hear, or hears.
struct HeardNotice {
  std::uint32_t from = 0;
  message::Notice notice;
  std::string runner;
  std::size_t step_index = 0;
  transition::ActionId action = 0;  ///< of its agent's `notify`; 0: not begun
};

struct NotifyState {
  std::vector<NotifyRound> rounds;
  std::deque<HeardNotice> heard;                                 ///< in the order in which they came
  std::deque<std::pair<std::uint32_t, std::uint64_t>> answered;  ///< node and round, the newest last
  std::set<std::string> without;                                 ///< agents that say that they do not offer `notify`
  std::map<std::string, Instant> taken_from;  ///< nodes that something was taken over from, and when that was known
  transition::ActionId last_action = 0;
};

/// Machines number their actions from 1; those of notifications have this bit.
inline constexpr transition::ActionId notify_action = transition::ActionId{1} << 63;

}  // namespace bascule::manager
