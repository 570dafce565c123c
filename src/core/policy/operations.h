#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/policy/board.h"

/// The operations that are configured for a resource (facts, section 3), with operation defaults applied.
namespace bascule::policy::detail {

/// RESOURCE_TASK_INTERVAL.
[[nodiscard]] std::string operation_key(std::string_view resource, std::string_view task, std::uint32_t interval_ms);

struct KeyParts {
  std::string resource;
  std::string task;
  std::uint32_t interval_ms = 0;
  bool valid = false;
};
[[nodiscard]] KeyParts parse_key(std::string_view key);

/// The enabled definition of an operation with that interval, or null. Of start and the like the interval is 0.
[[nodiscard]] const cib::Operation* find_operation(const Resource& resource, std::string_view task,
                                                   std::uint32_t interval_ms, bool disabled_too = false);
/// All attributes that count for one operation: its own, its meta-attributes, operation defaults.
[[nodiscard]] Meta operation_meta(const Board& board, const Resource& resource, const cib::Operation* definition,
                                  std::string_view task, std::uint32_t interval_ms);
[[nodiscard]] OnFail on_fail_of(const Board& board, const Resource& resource, std::string_view task,
                                std::uint32_t interval_ms, const cib::Operation* definition);
[[nodiscard]] Role fail_role_of(OnFail on_fail, std::string_view task);
/// Some recorded failure of the resource has an operation with on-fail=block.
[[nodiscard]] bool blocking_failure(const Board& board, const Resource& resource);

/// A recurring operation as configured.
struct Recurring {
  const cib::Operation* definition = nullptr;
  std::string task;
  std::string key;
  std::uint32_t interval_ms = 0;
  Role role = Role::Unknown;  ///< Unknown: no role given
};
/// Enabled, with an interval, one for each name and interval, in the order of the configuration.
[[nodiscard]] std::vector<Recurring> recurring_operations(const Board& board, const Resource& resource);
/// What `op-digest` of this operation would be if it ran now on that node.
[[nodiscard]] std::string digest_now(const Board& board, ResourceId resource, NodeId node,
                                     const cib::OperationResult& result);

}  // namespace bascule::policy::detail
