// What this machine and the daemons on it say, judged.
#include "edge/cli/doctor_command.h"

#include <algorithm>
#include <chrono>
#include <ostream>

#include "edge/cli/blockd_client.h"
#include "edge/cli/connection.h"
#include "edge/cli/failure.h"
#include "edge/cli/json_view.h"
#include "edge/doctor/judge.h"
#include "runtime/files/read_file.h"

namespace bascule::cli {
namespace {

constexpr Duration patience = seconds(2);
constexpr Duration history_patience = seconds(5);  ///< the manager asks the others first

void ask_daemons(const DoctorRequest& request, doctor::Facts& facts) {
  if (auto manager = Connection::open(request.look.run_dir + "/manager.sock"); manager) {
    if (const auto status = manager->ask({{"op", "status"}}, patience)) add_status(*status, facts);
    if (const auto told = manager->ask({{"op", "history"}, {"limit", 1}}, history_patience)) add_clocks(*told, facts);
  }
  for (auto& disk : facts.disks)
    if (disk.daemon_runs)
      if (const auto state = blockd_state(request.look.run_dir, disk.volume)) add_volume_state(*state, disk);
}

json fingerprints(const doctor::Facts& facts) {
  json keys = json::array();
  if (facts.key)
    for (const auto& [id, fingerprint] : facts.key->fingerprints)
      keys.push_back({{"id", id}, {"fingerprint", fingerprint}});
  return {{"config", facts.config_fingerprint}, {"keys", keys}};
}

void show_json(const doctor::Facts& facts, const std::vector<doctor::Finding>& findings, std::ostream& out) {
  json list = json::array();
  for (const auto& one : findings)
    list.push_back({{"check", one.check},
                    {"subject", one.subject},
                    {"verdict", doctor::name_of(one.verdict)},
                    {"text", one.text},
                    {"why", one.why},
                    {"mend", one.mend}});
  const auto worst = doctor::worst(findings);
  out << one_line({{"ok", worst != doctor::Verdict::Bad},
                   {"node", facts.node},
                   {"verdict", doctor::name_of(worst)},
                   {"findings", list},
                   {"fingerprints", fingerprints(facts)}})
      << "\n";
}

void add_peer(const json& link, const std::string& node, doctor::Facts& facts) {
  for (auto& peer : facts.peers) {
    if (peer.node != node || peer.address != text(link, "address")) continue;
    peer.heard = flag(link, "up");
    peer.age_ms = number(link, "age_ms", -1);
  }
}

/// Of each node the device that was seen to work least lately.
void add_fencing(const json& devices, std::int64_t now_s, doctor::Facts& facts) {
  for (const auto& device : devices) {
    const auto passed_at_s = number(device, "passed_at_ms") / 1000;
    const auto age_s = passed_at_s == 0 ? -1 : std::max<std::int64_t>(now_s - passed_at_s, 0);
    for (const auto& node : member(device, "nodes")) {
      const auto [known, is_new] = facts.fencing_test_age_s.emplace(node.get<std::string>(), age_s);
      if (!is_new && known->second >= 0 && (age_s < 0 || age_s > known->second)) known->second = age_s;
    }
  }
}

}  // namespace

void add_status(const json& status, doctor::Facts& facts) {
  facts.manager_runs = true;
  facts.quorum = flag(member(status, "quorum"), "have");
  for (const auto& node : member(status, "nodes"))
    for (const auto& link : member(node, "links")) add_peer(link, text(node, "name"), facts);
  for (const auto& service : member(status, "services"))
    for (auto& address : facts.addresses)
      if (address.service == text(service, "name")) address.served = !text(service, "owner").empty();
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  add_fencing(member(member(status, "fencing"), "devices"),
              std::chrono::duration_cast<std::chrono::seconds>(now).count(), facts);
}

void add_clocks(const json& history, doctor::Facts& facts) {
  for (const auto& node : member(history, "nodes"))
    if (const auto name = text(node, "name"); name != facts.node && flag(node, "answered"))
      facts.clock_ahead_ms[name] = number(node, "clock_offset_ms");
}

void add_volume_state(const json& state, doctor::DiskFacts& disk) {
  disk.connection = text(state, "connection");
  disk.usable_bytes = static_cast<std::uint64_t>(number(state, "capacity_bytes"));
  disk.peer_bytes = static_cast<std::uint64_t>(number(state, "peer_capacity_bytes"));
}

Result<doctor::OtherNode> other_node(const std::string& raw, const std::string& file) {
  const json said = json::parse(raw, nullptr, false);
  const json& prints = member(said, "fingerprints");
  if (text(prints, "config").empty())
    return fail("nothing to compare with", file, "it is not what `bascule doctor --json` prints");
  doctor::OtherNode other{text(said, "node"), text(prints, "config"), {}};
  for (const auto& key : member(prints, "keys"))
    other.keys.emplace_back(static_cast<std::uint32_t>(number(key, "id")), text(key, "fingerprint"));
  return other;
}

int run_doctor(const DoctorRequest& request, const Surroundings& around) {
  doctor::Facts facts = doctor::probe(request.look);
  ask_daemons(request, facts);
  for (const auto& file : request.compared) {
    const auto raw = files::read_file(file, "nothing to compare with");
    auto other = raw ? other_node(*raw, file) : Result<doctor::OtherNode>(tl::unexpected(raw.error()));
    if (!other) return tell_failure(other.error(), unusable, request.as_json, around);
    facts.compared.push_back(std::move(*other));
  }
  const auto findings = doctor::judge(facts);
  if (request.as_json)
    show_json(facts, findings, around.out);
  else
    around.out << doctor::text_of(findings);
  return static_cast<int>(doctor::worst(findings));
}

}  // namespace bascule::cli
