#include "edge/cli/follow_through.h"

#include <algorithm>
#include <chrono>
#include <ostream>
#include <thread>
#include <vector>

#include "edge/cli/connection.h"

namespace bascule::cli {
namespace {

constexpr Duration follow_timeout = seconds(5);
constexpr auto poll_interval = std::chrono::milliseconds(200);

bool owns_anything(const json& status, const std::string& node) {
  const json& services = member(status, "services");
  if (services.is_array())
    for (const auto& service : services)
      if (text(service, "owner") == node) return true;
  return false;
}

/// Asks for the events above `since`, tells them and moves `since` on.
Result<void> tell_events(Connection& connection, std::uint64_t& since, bool quiet, const Surroundings& surroundings) {
  if (auto sent = connection.send({{"op", "events"}, {"since", since}}); !sent) return sent;
  for (;;) {
    const auto line = connection.receive(follow_timeout);
    if (!line) return tl::unexpected(line.error());
    if (line->contains("ok")) return {};
    since = std::max<std::uint64_t>(since, static_cast<std::uint64_t>(number(*line, "sequence")));
    if (!quiet) surroundings.out << event_text(*line, surroundings.style) << std::endl;
  }
}

Result<Progress> look(const std::string& socket, const Goal& goal, std::uint64_t& since, bool quiet,
                      const Surroundings& surroundings) {
  auto connection = Connection::open(socket);
  if (!connection) return tl::unexpected(connection.error());
  if (auto told = tell_events(*connection, since, quiet, surroundings); !told) return tl::unexpected(told.error());
  const auto status = connection->ask({{"op", "status"}}, follow_timeout);
  if (!status) return tl::unexpected(status.error());
  return progress(goal, *status);
}

Progress progress_of(const Goal& goal, const json& service) {
  const std::string state = text(service, "state"), owner = text(service, "owner");
  if (state == "Failed") return Progress::failed;
  if (goal.kind == Goal::Kind::stopped)
    return owner.empty() || state == "Stopped" ? Progress::reached : Progress::on_the_way;
  if (state != "Started" || owner.empty()) return Progress::on_the_way;
  if (goal.kind == Goal::Kind::started) return Progress::reached;
  const bool there = goal.to.empty() ? owner != goal.from : owner == goal.to;
  return there ? Progress::reached : Progress::on_the_way;
}

/// A copy on a node that is away, or for which there is no room, is not waited for.
Progress progress_of_copies(const Goal& goal, const std::vector<json>& copies) {
  std::size_t reached = 0, owned = 0;
  for (const auto& copy : copies) {
    owned += text(copy, "owner").empty() ? 0 : 1;
    const auto one = progress_of(goal, copy);
    if (one == Progress::failed) return one;
    reached += one == Progress::reached ? 1 : 0;
  }
  const auto wanted = goal.kind == Goal::Kind::started ? std::max<std::size_t>(owned, 1) : copies.size();
  return reached >= wanted ? Progress::reached : Progress::on_the_way;
}

}  // namespace

Progress progress(const Goal& goal, const json& status) {
  if (goal.kind == Goal::Kind::none) return Progress::reached;
  if (goal.kind == Goal::Kind::emptied)
    return owns_anything(status, goal.subject) ? Progress::on_the_way : Progress::reached;
  const json& services = member(status, "services");
  std::vector<json> copies;
  if (services.is_array() && goal.kind != Goal::Kind::moved)
    for (const auto& service : services)
      if (text(service, "copy_of") == goal.subject) copies.push_back(service);
  if (copies.empty()) return progress_of(goal, named(services, goal.subject));
  if (const auto& role = named(services, goal.subject); !role.is_null()) copies.push_back(role);
  return progress_of_copies(goal, copies);
}

int follow_through(const std::string& socket, const Goal& goal, std::uint64_t since, Duration timeout, bool quiet,
                   const Surroundings& surroundings) {
  const auto limit = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto seen = look(socket, goal, since, quiet, surroundings);
    if (seen && *seen == Progress::reached) return ok;
    if (seen && *seen == Progress::failed) {
      surroundings.err << "bascule: " << goal.subject << " failed; `bascule status` says why\n";
      return refused;
    }
    if (std::chrono::steady_clock::now() + poll_interval > limit) {
      surroundings.err << "bascule: not done after " << to_ms(timeout) / 1000
                       << " s; it goes on, `bascule status` shows how far it is\n";
      return timed_out;
    }
    std::this_thread::sleep_for(poll_interval);
  }
}

}  // namespace bascule::cli
