// What drbdsetup-84 really printed (testdata/drbdsetup), and what is printed here for the same state.

#include "edge/cli/drbd_view.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

namespace bascule::cli {
namespace {

/// The sections of one file: command -> output.
std::map<std::string, std::string> recorded(const std::string& name) {
  std::ifstream file(BASCULE_TESTDATA "/drbdsetup/" + name + ".txt");
  EXPECT_TRUE(file.is_open()) << name;
  std::map<std::string, std::string> sections;
  std::string line, section;
  while (std::getline(file, line)) {
    if (line.starts_with("### "))
      section = line.substr(4);
    else
      sections[section] += line + "\n";
  }
  return sections;
}

std::map<std::string, std::string> words_of(const std::string& text) {
  std::map<std::string, std::string> words;
  std::istringstream in(text);
  for (std::string word; in >> word;)
    if (const auto colon = word.find(':'); colon != std::string::npos)
      words.emplace(word.substr(0, colon), word.substr(colon + 1));
  return words;
}

std::int64_t counter(const std::map<std::string, std::string>& words, const char* key, std::int64_t unit = 1024) {
  const auto found = words.find(key);
  return found == words.end() ? 0 : std::stoll(found->second) * unit;
}

json statistics_of(const std::map<std::string, std::string>& words) {
  const auto is_yes = [&](const char* key) { return words.contains(key) && words.at(key) == "yes"; };
  return {{"read_bytes", counter(words, "read")},
          {"written_bytes", counter(words, "written")},
          {"received_bytes", counter(words, "received")},
          {"sent_bytes", counter(words, "sent")},
          {"activity_log_writes", counter(words, "al-writes", 1)},
          {"bitmap_writes", counter(words, "bm-writes", 1)},
          {"upper_pending", counter(words, "upper-pending", 1)},
          {"lower_pending", counter(words, "lower-pending", 1)},
          {"pending", counter(words, "pending", 1)},
          {"unacknowledged", counter(words, "unacked", 1)},
          {"al_suspended", is_yes("al-suspended")}};
}

/// The report that our blockd would make in the state whose counters stand in `text`.
json report(std::map<std::string, std::string>& sections, const std::string& text) {
  const auto words = words_of(text);
  const auto both = [&](const char* command) {
    const std::string& shown = sections[command];
    const auto slash = shown.find('/');
    return std::pair(shown.substr(0, slash), shown.substr(slash + 1, shown.size() - slash - 2));
  };
  const auto [role, peer_role] = both("drbdsetup role r0");
  const auto [disk, peer_disk] = both("drbdsetup dstate r0");
  std::string connection = sections["drbdsetup cstate r0"];
  connection.pop_back();
  json state{{"name", "r0"},           {"role", role},
             {"peer_role", peer_role}, {"disk", disk},
             {"peer_disk", peer_disk}, {"connection", connection},
             {"congested", false},     {"minor", 0}};
  state["size_bytes"] = counter(words, "size");
  state["out_of_sync_bytes"] = counter(words, "out-of-sync");
  state["statistics"] = statistics_of(words);
  // Of a verify DRBD's tool shows how much is in sync, not how far it is: the same number is put in here.
  state["verify"] = {{"total_bytes", counter(words, "size")},
                     {"done_bytes", counter(words, "size") - counter(words, "out-of-sync")}};
  return state;
}

json with_generation(json state, const std::string& generation) {
  std::vector<std::string> parts;
  std::istringstream in(generation);
  for (std::string part; std::getline(in, part, ':');) parts.push_back(part);
  state["uuids"] = {{"current", parts[0]}, {"bitmap", parts[1]}, {"history", {parts[2], parts[3]}}};
  const int flags[] = {1, 16, 2, 4, 8, 32, 64};
  int sum = 0;
  for (std::size_t i = 0; i < 7; ++i) sum += parts[4 + i][0] == '1' ? flags[i] : 0;
  state["metadata_flags"] = sum;
  return state;
}

struct DrbdView : testing::TestWithParam<const char*> {};

TEST_P(DrbdView, StatusIsWhatDrbdsetupPrinted) {
  auto sections = recorded(GetParam());
  const std::string verbose = sections["drbdsetup status r0 --verbose --statistics"];
  const json state = report(sections, verbose);
  EXPECT_EQ(drbd_status_text(state, {true, true}), verbose + "\n");
  std::string brief = sections["drbdsetup status"];
  // The counters went on between the two commands.
  const auto percent = [](const std::string& text) {
    const auto at = text.find(" done:");
    return at == std::string::npos ? std::string() : text.substr(at, text.find('\n', at) - at);
  };
  if (!percent(brief).empty()) brief.replace(brief.find(percent(brief)), percent(brief).size(), percent(verbose));
  EXPECT_EQ(drbd_status_text(state, {}), brief + "\n");
}

TEST_P(DrbdView, Events2IsWhatDrbdsetupPrinted) {
  auto sections = recorded(GetParam());
  const std::string events = sections["drbdsetup events2 --now --statistics"];
  std::string made;
  for (const auto& object : drbd_objects(report(sections, events))) made += drbd_event("exists", object, true) + "\n";
  EXPECT_EQ(made + "exists -\n", events);
}

TEST_P(DrbdView, RolesAndStatesAreWhatDrbdsetupPrinted) {
  auto sections = recorded(GetParam());
  const json state = report(sections, "");
  EXPECT_EQ(drbd_role(state) + "\n", sections["drbdsetup role r0"]);
  EXPECT_EQ(drbd_connection_state(state) + "\n", sections["drbdsetup cstate r0"]);
  EXPECT_EQ(drbd_disk_state(state) + "\n", sections["drbdsetup dstate r0"]);
}

TEST_P(DrbdView, GenerationIsWhatDrbdsetupPrinted) {
  auto sections = recorded(GetParam());
  std::string generation = sections["drbdsetup get-gi 0"];
  if (generation == "Device has no disk\n") GTEST_SKIP() << "no disk, no generation";
  generation.pop_back();
  EXPECT_EQ(drbd_generation(with_generation(report(sections, ""), generation)), generation);
}

INSTANTIATE_TEST_SUITE_P(States, DrbdView,
                         testing::Values("connected_primary", "diskless", "diskless_peer", "split_brain", "stand_alone",
                                         "sync_target", "verify", "wf_connection_primary", "wf_connection_virgin"),
                         [](const auto& test) { return std::string(test.param); });

TEST(DrbdChanges, OnlyWhatChangedIsToldAndTheCounters) {
  auto sections = recorded("connected_primary");
  const json before = report(sections, sections["drbdsetup events2 --now --statistics"]);
  EXPECT_TRUE(drbd_changes(before, before, true).empty());
  json after = before;
  after["connection"] = "TearDown";
  after["peer_role"] = "Unknown";
  after["peer_disk"] = "DUnknown";
  EXPECT_EQ(drbd_changes(before, after, true),
            (std::vector<std::string>{
                "change connection name:r0 peer-node-id:0 conn-name:peer connection:TearDown role:Unknown",
                "change peer-device name:r0 peer-node-id:0 conn-name:peer volume:0 replication:Off peer-disk:DUnknown "
                "received:0 sent:65496 out-of-sync:0 pending:0 unacked:0"}));
}

TEST(DrbdChanges, SuspensionsAreNamed) {
  auto sections = recorded("connected_primary");
  json state = report(sections, "");
  state["suspended"] = {{"user", true}, {"no_data", false}, {"fencing", true}};
  state["resync_paused"] = {{"user", true}, {"peer", true}, {"dependency", false}};
  EXPECT_TRUE(drbd_status_text(state, {}).starts_with("r0 role:Primary suspended:user,fencing\n"));
  EXPECT_NE(drbd_status_text(state, {}).find(" resync-suspended:user,peer\n"), std::string::npos);
}

TEST(DrbdJson, HasTheKeysThatMonitoringReads) {
  auto sections = recorded("sync_target");
  const json shown = drbd_status_json(report(sections, sections["drbdsetup status r0 --verbose --statistics"]));
  EXPECT_EQ(shown["devices"][0]["disk-state"], "Inconsistent");
  EXPECT_EQ(shown["devices"][0]["size"], 65496);
  const json& peer = shown["connections"][0]["peer_devices"][0];
  EXPECT_EQ(peer["replication-state"], "SyncTarget");
  EXPECT_EQ(peer["out-of-sync"], 51900);
  EXPECT_DOUBLE_EQ(peer["percent-in-sync"], 20.76);
  EXPECT_TRUE(peer["has-sync-details"]);
  EXPECT_TRUE(drbd_status_json(json::object())["connections"].is_array());
}

TEST(DrbdView, NothingThatAnotherProgramSendsBreaksIt) {
  for (const json& odd :
       {json(), json(7), json{{"statistics", 3}, {"uuids", {{"history", "x"}}}}, json{{"size_bytes", "x"}}}) {
    EXPECT_FALSE(drbd_status_text(odd, {true, true}).empty());
    EXPECT_FALSE(drbd_generation(odd).empty());
    EXPECT_EQ(drbd_objects(odd).size(), 4U);
    EXPECT_TRUE(drbd_status_json(odd).is_object());
  }
}

}  // namespace
}  // namespace bascule::cli
