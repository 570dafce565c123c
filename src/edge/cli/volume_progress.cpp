// How far a resync or a verify is.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ostream>
#include <thread>

#include "edge/cli/blockd_client.h"
#include "edge/cli/failure.h"
#include "edge/cli/volume_actions.h"

namespace bascule::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kProgressPause = std::chrono::milliseconds(500);

struct WorkDone {
  const char* what = nullptr;  ///< null: nothing runs
  std::int64_t done = 0, total = 0;
};

WorkDone progress_of(const json& state) {
  const std::string connection = text(state, "connection");
  if (connection.starts_with("Verify"))
    return {"verify", number(member(state, "verify"), "done_bytes"), number(member(state, "verify"), "total_bytes")};
  const bool paused = connection.starts_with("PausedSync");
  const bool exchange = connection.starts_with("WF") && connection != "WFConnection";
  if (connection.starts_with("Sync") || connection.starts_with("StartingSync") || paused || exchange)
    return {paused ? "paused resync" : "resync", number(state, "resync_done_bytes"),
            number(state, "resync_total_bytes")};
  return {};
}

std::string time_text(std::int64_t seconds_left) {
  if (seconds_left >= 3600)
    return fmt::format("{}:{:02}:{:02}", seconds_left / 3600, seconds_left / 60 % 60, seconds_left % 60);
  return fmt::format("{}:{:02}", seconds_left / 60, seconds_left % 60);
}

// A verify that found differences has done its work and has a bad answer.
int finished(const json& state, bool verified, const VolumeRequest& request, const Surroundings& around) {
  const std::int64_t found = number(member(state, "verify"), "found_bytes");
  if (request.as_json) {
    around.out << json{{"ok", true}, {"connection", text(state, "connection")}, {"found_bytes", verified ? found : 0}}
               << "\n";
  } else if (verified && found > 0) {
    around.out << "Verified: " << size_text(found) << " differ; disconnect and connect brings them into step.\n";
  } else if (verified) {
    around.out << "Verified: both copies are the same.\n";
  } else {
    around.out << "Volume " << request.volume << " is " << text(state, "connection") << ", its disk "
               << text(state, "disk") << ", the peer's " << text(state, "peer_disk") << ".\n";
  }
  return verified && found > 0 ? refused : ok;
}

}  // namespace

std::string progress_text(const json& state, std::int64_t rate) {
  const WorkDone now = progress_of(state);
  if (now.what == nullptr) return "";
  const std::int64_t thousandths = now.total > 0 ? std::clamp<std::int64_t>(now.done * 1000 / now.total, 0, 1000) : 0;
  std::string out = fmt::format("{} {}.{} % ({} of {})", now.what, thousandths / 10, thousandths % 10,
                                size_text(now.done), size_text(now.total));
  if (rate > 0)
    out += fmt::format(", {}/s, {} left", size_text(rate), time_text((now.total - now.done + rate - 1) / rate));
  return out;
}

int follow_sync(const VolumeRequest& request, const Surroundings& around) {
  const auto limit = Clock::now() + request.timeout;
  std::int64_t before = -1, rate = 0;
  bool verified = false;
  for (;; std::this_thread::sleep_for(kProgressPause)) {
    const auto state = blockd_state(request.run_dir, request.volume);
    if (!state) return tell_failure(state.error(), no_contact, request.as_json, around);
    const WorkDone now = progress_of(*state);
    const bool looking = text(*state, "connection") == "WFConnection" || text(*state, "connection") == "Unconnected";
    verified = verified || text(*state, "connection").starts_with("Verify") || text(*state, "why").starts_with("verif");
    if (now.what == nullptr && !looking) return finished(*state, verified, request, around);
    if (now.what != nullptr) {
      if (before >= 0 && now.done >= before) rate = (rate + (now.done - before) * 2) / (rate == 0 ? 1 : 2);
      before = now.done;
      if (request.as_json)
        around.out << json{{"event", "progress"},
                           {"what", now.what},
                           {"done_bytes", now.done},
                           {"total_bytes", now.total},
                           {"rate", rate}}
                   << std::endl;
      else
        around.out << progress_text(*state, rate) << std::endl;
    }
    if (Clock::now() > limit)
      return tell_failure({"not done in time", request.volume, "it goes on", "bascule volume status"}, timed_out,
                          request.as_json, around);
  }
}

}  // namespace bascule::cli
