#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "edge/cli/json_view.h"
#include "edge/cli/operation_commands.h"

/// What a long operation waits for, from the answers to `status`.
namespace bascule::cli {

/// What still runs on the node, and why, each a sentence. `before` is an earlier answer (or null): resyncs that are
/// waited for then show their rate and the time that is left.
[[nodiscard]] std::vector<std::string> still_on(const json& status, const json& before, const std::string& node);
/// Services that have an owner and volumes that are somebody's, each a sentence.
[[nodiscard]] std::vector<std::string> still_running(const json& status);
/// The names of the services that the node owns.
[[nodiscard]] std::set<std::string> owned_by(const json& status, const std::string& node);
/// Services that are to run and do not, each a sentence; of these only, where they are named.
[[nodiscard]] std::vector<std::string> not_started(const json& status,
                                                   const std::optional<std::set<std::string>>& of = {});
/// Why the node had better not be powered off, each a sentence; empty: it is safe.
[[nodiscard]] std::vector<std::string> reasons_not_to_power_off(const json& status, const std::string& node);

enum class Waited { Done, Failed, TimedOut };
/// Looks at the status every 50 ms until `look` gives nothing to wait for. What is waited for is told whenever it
/// changes, and every five seconds. Goes on over a restart of managerd.
class StatusWatch {
 public:
  StatusWatch(const OperateRequest& request, const Surroundings& surroundings);
  /// `look` may set its second argument: then it has failed.
  using Look = std::function<std::vector<std::string>(const json& status, const json& before, bool& failed)>;
  Waited wait(const Look& look);
  [[nodiscard]] const json& status() const { return status_; }  ///< the last one
  [[nodiscard]] std::int64_t elapsed_ms() const;

 private:
  void tell(const std::vector<std::string>& waiting);

  const OperateRequest& request_;
  const Surroundings& around_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now(), told_at_{};
  std::string told_;
  json status_, before_;
};

[[nodiscard]] Result<json> ask_manager(const std::string& socket, const json& request);

}  // namespace bascule::cli
