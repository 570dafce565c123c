#include "wire/cluster_message/command.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "wire/cluster_message/detail/fields.h"
#include "wire/cluster_message/message.h"

namespace bascule::message {
namespace {

using Json = nlohmann::ordered_json;

/// In the order of the variant.
constexpr std::array<const char*, std::variant_size_v<Command>> operation_names = {
    "set_standby",       "set_target",        "move_service",      "hold_volume",       "clear_failures",
    "initialise_volume", "grant_ownership",   "request_stop",      "release_ownership", "shrink_in_sync",
    "grow_in_sync",      "record_failure",    "set_restart_lease", "set_maintenance",   "age_maintenance",
    "restart_service",   "restart_done",      "set_halt",          "set_config",        "issue_token",
    "use_token",         "update_attributes", "note_boot",         "request_fencing",   "record_fencing",
    "record_fence_test", "fence_by_hand",     "say_goodbye"};

struct JsonWriter {
  Json& object;
  template <typename F>
  void operator()(const char* name, const F& value) {
    object[name] = value;
  }
};

/// Remembers the first field that is missing or of another type; later ones are left alone.
struct JsonReader {
  const Json& object;
  std::string problem = {};

  template <typename F>
  void operator()(const char* name, F& value) {
    if (!problem.empty()) return;
    const auto found = object.find(name);
    if (found == object.end())
      problem = fmt::format("\"{}\" is missing", name);
    else if (!take(*found, value))
      problem = fmt::format("\"{}\" has the wrong type", name);
  }

 private:
  static bool take(const Json& json, std::string& value) {
    if (json.is_string()) value = json.get_ref<const std::string&>();
    return json.is_string();
  }
  static bool take(const Json& json, bool& value) {
    if (json.is_boolean()) value = json.get<bool>();
    return json.is_boolean();
  }
  static bool take(const Json& json, std::uint64_t& value) {
    if (json.is_number_unsigned()) value = json.get<std::uint64_t>();
    return json.is_number_unsigned();
  }
  static bool take(const Json& json, std::vector<std::string>& values) {
    if (!json.is_array()) return false;
    for (const auto& one : json)
      if (!take(one, values.emplace_back())) return false;
    return true;
  }
  static bool take(const Json& json, std::map<std::string, std::string>& values) {
    if (!json.is_object()) return false;
    for (const auto& [name, one] : json.items())
      if (!take(one, values[name])) return false;
    return true;
  }
};

tl::unexpected<Error> refuse(std::string where, std::string why) {
  return fail("this is no command of the cluster's log", std::move(where), std::move(why));
}

/// The empty command whose operation is called so.
template <std::size_t index = 0>
std::optional<Command> command_named(std::string_view name) {
  if constexpr (index < std::variant_size_v<Command>) {
    if (name == operation_names[index]) return Command(std::in_place_index<index>);
    return command_named<index + 1>(name);
  } else {
    return std::nullopt;
  }
}

Result<Proposal> proposal_of(const Json& json) {
  if (!json.is_object()) return refuse("", "it is not a JSON object");
  Proposal proposal;
  std::string operation;
  JsonReader reader{json};
  reader("id", proposal.id), reader("proposer", proposal.proposer), reader("op", operation);
  if (!reader.problem.empty()) return refuse("", reader.problem);
  auto command = command_named(operation);
  if (!command) return refuse("op", "unknown operation");
  std::visit([&reader](auto& c) { detail::fields(reader, c); }, *command);
  if (!reader.problem.empty()) return refuse(operation, reader.problem);
  proposal.command = std::move(*command);
  return proposal;
}

std::string because(const std::string& reason) { return reason.empty() ? "" : ": " + reason; }
const std::string& either(const std::string& first, const std::string& second) {
  return first.empty() ? second : first;
}

struct Sentence {
  std::string operator()(const SetStandby& c) const {
    if (c.standby && c.wait) return "drain " + c.node;
    return c.standby ? "put " + c.node + " into standby" : "put " + c.node + " online";
  }
  std::string operator()(const SetTarget& c) const { return (c.started ? "start " : "stop ") + c.service; }
  std::string operator()(const MoveService& c) const {
    return c.to.empty() ? "move " + c.service + " away from its node" : "move " + c.service + " to " + c.to;
  }
  std::string operator()(const HoldVolume& c) const {
    return c.node.empty() ? "let go of volume " + c.volume
                          : "make volume " + c.volume + " primary by hand on " + c.node;
  }
  std::string operator()(const ClearFailures& c) const {
    return "forget the failures of " + c.service + (c.node.empty() ? "" : " on " + c.node) +
           (c.version == 0 ? "" : ": there was none for its failure_timeout");
  }
  std::string operator()(const InitialiseVolume& c) const {
    return fmt::format("let volume {} begin with the copy of {}", c.volume, c.node);
  }
  std::string operator()(const GrantOwnership& c) const {
    const auto epoch = (c.service.empty() ? c.volume_epoch : c.service_epoch) + 1;
    return fmt::format("grant {} to {} (epoch {}){}", either(c.service, c.volume), c.node, epoch, because(c.reason));
  }
  std::string operator()(const RequestStop& c) const {
    return fmt::format("stop {} (epoch {}){}", c.service, c.epoch, because(c.reason));
  }
  std::string operator()(const ReleaseOwnership& c) const {
    return fmt::format("release {} (epoch {})", either(c.service, c.volume),
                       c.service.empty() ? c.volume_epoch : c.service_epoch);
  }
  std::string operator()(const ShrinkInSync& c) const {
    return fmt::format("take {} out of the in-sync set of {} (epoch {}, version {})", c.remove, c.volume, c.epoch,
                       c.version);
  }
  std::string operator()(const GrowInSync& c) const {
    return fmt::format("take {} into the in-sync set of {} (epoch {}, version {})", c.add, c.volume, c.epoch,
                       c.version);
  }
  std::string operator()(const RecordFailure& c) const {
    return fmt::format("{} failed{} on {} (epoch {}){}", c.service, c.start_failed ? " to start" : "", c.node, c.epoch,
                       because(c.text));
  }
  std::string operator()(const SetMaintenance& c) const {
    return fmt::format("{} maintenance of {}{}", c.on ? "begin the" : "end the", c.scope, because(c.reason));
  }
  std::string operator()(const AgeMaintenance& c) const {
    return c.left_ms == 0 ? "end the maintenance of " + c.scope + ": its time is over"
                          : fmt::format("{} s of the maintenance of {} are left", c.left_ms / 1000, c.scope);
  }
  std::string operator()(const RestartService& c) const {
    return "restart " + c.service + (c.step.empty() ? "" : " from its step " + c.step);
  }
  std::string operator()(const RestartDone& c) const {
    return fmt::format("{} was restarted (epoch {}, restart {})", c.service, c.epoch, c.number);
  }
  std::string operator()(const SetHalt& c) const { return c.halted ? "stop everything" : "start everything again"; }
  std::string operator()(const SayGoodbye& c) const {
    return c.back ? c.node + " is back" : c.node + " is switched off on purpose: it is to have no vote";
  }
  std::string operator()(const SetRestartLease& c) const {
    return c.lease_ms == 0 ? "end the longer leases of " + c.node
                           : fmt::format("lease to {} for {} ms while its manager is restarted", c.node, c.lease_ms);
  }
  std::string operator()(const SetConfig& c) const {
    return fmt::format("apply configuration {}{}", c.adopts ? 0 : c.base_version + 1, because(c.reason));
  }
  std::string operator()(const IssueToken& c) const { return "issue a token with which " + c.node + " may join"; }
  std::string operator()(const UseToken& c) const { return "use a token to join, from " + c.from; }
  std::string operator()(const UpdateAttributes& c) const {
    std::string changes;
    for (const auto& [name, value] : c.set) changes += (changes.empty() ? "" : ", ") + name + " = " + value;
    for (const auto& name : c.remove) changes += (changes.empty() ? "no " : ", no ") + name;
    return fmt::format("{}attributes of {}: {}", c.transient ? "transient " : "", c.node, changes);
  }
  std::string operator()(const NoteBoot& c) const { return c.node + " was booted"; }
  std::string operator()(const RequestFencing& c) const {
    return fmt::format("fence {} from {}{}", c.node, c.by, because(c.reason));
  }
  std::string operator()(const RecordFencing& c) const {
    return fmt::format("{} {} {}{}", c.by, c.proven ? "has fenced" : "could not fence", c.node, because(c.text));
  }
  std::string operator()(const FenceByHand& c) const {
    if (c.act == "confirm") return c.node + " is certainly off";
    if (c.act == "start-alone") return "start without " + c.node;
    return fmt::format("{} {}{}", c.act == "fence" ? "fence" : "try the fencing of", c.node,
                       c.device.empty() ? "" : " by " + c.device);
  }
  std::string operator()(const RecordFenceTest& c) const {
    return fmt::format("{} tried {} on {}: {}", c.by, c.device, c.node, c.passed ? "passed" : "failed");
  }
};

}  // namespace

Bytes encode(const Proposal& proposal) {
  Json json;
  json["op"] = operation_names[proposal.command.index()];
  json["id"] = proposal.id;
  json["proposer"] = proposal.proposer;
  JsonWriter writer{json};
  std::visit([&writer](const auto& c) { detail::fields(writer, c); }, proposal.command);
  const auto text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return {text.begin(), text.end()};
}

Result<Proposal> decode_proposal(ByteView bytes) {
  if (bytes.size() > datagram_bytes_max) return refuse("", "it is too long");
  const auto json = Json::parse(bytes.begin(), bytes.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return refuse("", "it is not JSON");
  return proposal_of(json);
}

std::string text(const Command& command) { return std::visit(Sentence{}, command); }

}  // namespace bascule::message
