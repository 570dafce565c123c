#include "edge/cli/drbd_commands.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <map>
#include <optional>
#include <ostream>
#include <thread>

#include "edge/cli/blockd_client.h"
#include "edge/cli/drbd_view.h"

namespace bascule::cli {
namespace {

enum DrbdExit : int { done = 0, no_disk = 1, no_resource = 10, failed = 20 };

constexpr Duration kFollowPause = milliseconds(100);

std::string stamp(bool wanted) {
  if (!wanted) return "";
  const auto now = std::chrono::system_clock::now();
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count() % 1000000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}+00:00 ", fmt::gmtime(std::chrono::system_clock::to_time_t(now)),
                     micros);
}

bool means(const std::string& asked, const json& state) {
  const std::string minor = std::to_string(number(state, "minor"));
  return asked.empty() || asked == "all" || asked == text(state, "name") || asked == minor ||
         asked == "minor-" + minor || asked == "/dev/drbd" + minor;
}

/// The states of what was asked for; what does not answer is told and left out.
std::vector<json> states_of(const DrbdRequest& request, const Surroundings& around, bool& silent) {
  std::vector<json> found;
  for (const std::string& volume : local_volumes(request.run_dir)) {
    auto state = blockd_state(request.run_dir, volume);
    if (state && means(request.resource, *state)) found.push_back(std::move(*state));
    if (state || request.resource != volume) continue;
    around.err << printable(state.error().text()) << "\n";
    silent = true;
  }
  return found;
}

int not_found(const DrbdRequest& request, const Surroundings& around) {
  if (request.resource.empty() || request.resource == "all") {
    around.err << "# No currently configured DRBD found.\n";
    return done;
  }
  around.err << printable(request.resource) << ": No such resource\n";
  return no_resource;
}

int status(const DrbdRequest& request, const std::vector<json>& states, const Surroundings& around) {
  json all = json::array();
  for (const json& state : states) {
    if (request.as_json)
      all.push_back(drbd_status_json(state));
    else
      around.out << drbd_status_text(state, {request.verbose, request.statistics});
  }
  if (request.as_json) around.out << all.dump(4, ' ', false, json::error_handler_t::replace) << "\n";
  return done;
}

int generation(const std::vector<json>& states, const Surroundings& around) {
  for (const json& state : states) {
    if (text(state, "disk") == "Diskless") {
      around.err << "Device has no disk\n";
      return no_disk;
    }
    around.out << drbd_generation(state) << "\n";
  }
  return done;
}

std::string flags_text(const json& state) {
  const std::string connection = text(state, "connection");
  const bool connected = (number(state, "metadata_flags") & 4) != 0;
  return "flags: " + text(state, "role") + ", " + (connected ? "Connected" : "StandAlone") + ", " + text(state, "disk");
}

// The same as get-gi with a legend in columns: which field is what.
int show_generation(const std::vector<json>& states, const Surroundings& around) {
  for (const json& state : states)
    if (text(state, "disk") != "Diskless")
      around.out << "\ncurrent UUID : bitmap UUID : younger history : older history : consistent : was up to date : "
                    "primary : connected : full sync : peer outdated : crashed primary\n";
  const int code = generation(states, around);
  if (code == done)
    for (const json& state : states) around.out << "\n" << flags_text(state) << "\n";
  return code;
}

/// One blockd that is listened to.
struct Followed {
  Connection connection;
  json state;
};

class Events {
 public:
  Events(const DrbdRequest& request, const Surroundings& around) : request_(request), around_(around) {}

  int run() {
    look();
    tell("exists -");
    while (!request_.now && around_.out) {
      look();
      for (auto one = followed_.begin(); one != followed_.end();)
        one = listen(one) ? std::next(one) : followed_.erase(one);
      if (followed_.empty()) std::this_thread::sleep_for(kFollowPause);
    }
    return done;
  }

 private:
  void tell(const std::string& line) { around_.out << stamp(request_.timestamps) << line << std::endl; }

  // Volumes that came up since the last look; those of the first look exist.
  void look() {
    for (const std::string& volume : local_volumes(request_.run_dir)) {
      if (followed_.contains(volume)) continue;
      auto connection = Connection::open(blockd_socket(request_.run_dir, volume));
      if (!connection) continue;
      auto answer = connection->ask({{"op", "state"}, {"id", 1}}, seconds(10));
      if (!answer || !flag(*answer, "ok") || !means(request_.resource, member(*answer, "state"))) continue;
      const json& state = member(*answer, "state");
      for (const auto& object : drbd_objects(state))
        tell(drbd_event(first_ ? "exists" : "create", object, request_.statistics));
      followed_.emplace(volume, Followed{std::move(*connection), state});
    }
    first_ = false;
  }

  // False: its blockd is gone.
  bool listen(std::map<std::string, Followed>::iterator one) {
    for (;;) {
      const auto line = one->second.connection.receive(kFollowPause / static_cast<int>(followed_.size()));
      if (line) {
        heard(one->second, *line);
      } else if (line.error().what == "no answer") {
        return true;
      } else {
        for (const auto& object : drbd_objects(one->second.state))
          tell("destroy " + object.kind + " " + object.identity);
        return false;
      }
    }
  }

  void heard(Followed& one, const json& line) {
    if (text(line, "event") == "state") {
      for (const auto& change : drbd_changes(one.state, member(line, "state"), request_.statistics)) tell(change);
      one.state = member(line, "state");
    }
    const json& fields = member(line, "fields");
    const std::string name =
        "helper name:" + text(one.state, "name") +
        " peer-node-id:0 conn-name:peer volume:0 minor:" + std::to_string(number(one.state, "minor")) +
        " helper:" + text(fields, "handler");
    if (text(line, "kind") == "handler-called") tell("call " + name);
    if (text(line, "kind") == "handler-ended")
      tell("response " + name + " status:" + std::to_string(number(fields, "status")));
  }

  const DrbdRequest& request_;
  const Surroundings& around_;
  std::map<std::string, Followed> followed_;
  bool first_ = true;
};

}  // namespace

int drbd_command(const std::string& verb, const DrbdRequest& request, const Surroundings& around) {
  if (verb == "events2") return Events(request, around).run();
  bool silent = false;
  const auto states = states_of(request, around, silent);
  if (silent) return failed;
  if (states.empty() && !(request.as_json && request.resource.empty())) return not_found(request, around);
  if (verb == "status") return status(request, states, around);
  if (verb == "get-gi") return generation(states, around);
  if (verb == "show-gi") return show_generation(states, around);
  for (const json& state : states)
    around.out << (verb == "role"     ? drbd_role(state)
                   : verb == "cstate" ? drbd_connection_state(state)
                                      : drbd_disk_state(state))
               << "\n";
  return done;
}

}  // namespace bascule::cli
