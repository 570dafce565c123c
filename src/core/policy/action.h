#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/policy/role.h"
#include "core/policy/score.h"
#include "wire/cib/model.h"

namespace bascule::policy::detail {

using ActionId = std::uint32_t;

/// How two actions depend on each other; several may hold at once. What each asks of `first` (F) and `then` (T):
enum Order : std::uint32_t {
  order_none = 0,
  order_optional = 1u << 0,                 ///< only if both happen
  order_implies_first = 1u << 1,            ///< T required -> F required
  order_implies_then = 1u << 2,             ///< F required -> T required
  order_implies_first_promoted = 1u << 3,   ///< like implies_first, if F's resource is Promoted
  order_runnable_left = 1u << 4,            ///< F not runnable -> T not runnable
  order_pseudo_left = 1u << 5,              ///< F may only be a pseudo action if T's happens
  order_implies_then_on_node = 1u << 6,     ///< implies_then, if both are on the same node
  order_one_or_more = 1u << 7,              ///< one of several F is enough
  order_same_node = 1u << 8,                ///< only if both are on the same node
  order_restart = 1u << 9,                  ///< F restarts -> T restarts
  order_probe = 1u << 10,                   ///< F is a probe
  order_serialize_only = 1u << 11,          ///< never at the same time
  order_then_cancels_first = 1u << 12,      ///< T required -> F not
  order_promoted_implies_first = 1u << 13,  ///< `implies_first` for a stop of a promoted resource
  order_anti_colocation = 1u << 14,
  order_load = 1u << 15,      ///< utilization
  order_preserve = 1u << 16,  ///< also for an action that is not runnable any more
  order_apply_first_non_migratable = 1u << 17,
  order_asymmetrical = 1u << 18,
  order_stonith_stop = 1u << 19,
  order_implies_then_printed = 1u << 20,
  order_implies_first_printed = 1u << 21,
  order_migratable_implies_first = 1u << 23,  ///< T required -> F required; T cannot migrate -> F not runnable
  order_notify = 1u << 22,                    ///< only orders notifications of actions that happen
};
using OrderFlags = std::uint32_t;

struct Edge {
  ActionId action = 0xffffffff;
  OrderFlags flags = 0;
};

enum class OnFail : std::uint8_t {
  ignore,
  demote,
  recover,
  restart_container,
  reset_remote,
  migrate,
  block,
  standby,
  fence,
  stop,
  none
};

/// Which other action made this one needed or impossible.
struct Because {
  enum class What : std::uint8_t { none, required, unrunnable, unmigratable } what = What::none;
  ActionId other = 0xffffffff;
};

/// Something to do, or a point in time that others wait for (pseudo).
struct Action {
  ActionId id = 0;
  std::uint32_t resource = 0xffffffff;
  std::uint32_t node = 0xffffffff;
  std::string task;  ///< start, stop, monitor, ..., stonith, do_shutdown, or a pseudo one's
  std::string key;   ///< RESOURCE_TASK_INTERVAL, or what stands for it
  std::uint32_t interval_ms = 0;
  std::int64_t timeout_ms = 20'000;
  std::int64_t start_delay_ms = 0;
  bool pseudo = false;
  bool runnable = true;
  bool optional = false;
  bool print_always = false;
  bool implied_by_fencing = false;
  bool migrate_runnable = false;
  bool requires_any = false;  ///< one or more of those before it must be runnable
  bool duplicate = false;     ///< a copy that is not to be sent
  bool dangling = false;      ///< stops what an interrupted migration may have left behind
  bool processed = false;
  bool reschedule = false;  ///< resolve its orderings again
  bool in_graph = false;
  bool should_dump = false;
  bool needs_quorum = false;
  bool needs_fencing = false;
  int required_runnable_before = 0;
  int runnable_before = 0;
  int priority = 0;
  OnFail on_fail = OnFail::recover;
  Role fail_role = Role::Started;
  Score weight = 0;
  std::string cancel_task;
  std::string reason;  ///< why, in Pacemaker's words; empty: `because` tells
  Because because;
  cib::Attributes meta;
  const cib::Operation* definition = nullptr;
  std::vector<Edge> before;
  std::vector<Edge> after;
  std::uint32_t graph_id = 0;

  [[nodiscard]] bool required() const { return !optional; }
};

/// What is to be an edge between actions that need not exist yet: by resource and key, or by action.
struct Ordering {
  OrderFlags flags = 0;
  std::uint32_t first_resource = 0xffffffff;
  std::string first_key;
  ActionId first_action = 0xffffffff;
  std::uint32_t then_resource = 0xffffffff;
  std::string then_key;
  ActionId then_action = 0xffffffff;
};

}  // namespace bascule::policy::detail
