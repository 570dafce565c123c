#include "edge/cli/volume_actions.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

namespace bascule::cli {
namespace {

json uuids(const char* current, const char* bitmap) {
  return {{"current", current}, {"bitmap", bitmap}, {"history", {"0000000000000004", "0000000000000000"}}};
}

json stand_alone() {
  json state{{"name", "data"}, {"peer", "bob"}, {"connection", "StandAlone"}, {"role", "Secondary"}};
  state["uuids"] = uuids("B301FD5F2C6AD5C3", "A1693512D5E207D6");
  state["peer_uuids"] = uuids("77000000000000AA", "A1693512D5E207D6");
  state["out_of_sync_bytes"] = 16 * 1024;
  state["peer_uuids"]["out_of_sync_bytes"] = 8 * 1024;
  return state;
}

TEST(SplitBrainText, TellsBothSetsWhoWroteAndWhatEachWayCosts) {
  const std::string text = split_brain_text(stand_alone());
  for (const char* part : {"B301FD5F2C6AD5C3", "77000000000000AA", "Both nodes wrote alone", "at most 16.0 KiB",
                           "at most 8.0 KiB", "bascule volume split-brain data --discard-my-data"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(SplitBrainText, OneSideOrNeitherOrNobodyKnows) {
  json state = stand_alone();
  state["peer_uuids"]["bitmap"] = "0000000000000000";
  EXPECT_NE(split_brain_text(state).find("Only this node wrote alone"), std::string::npos);
  state["uuids"]["bitmap"] = "0000000000000000";
  EXPECT_NE(split_brain_text(state).find("nothing in common"), std::string::npos);
  state["peer_uuids"]["current"] = "B301FD5F2C6AD5C2";  // without the bit that says Primary
  EXPECT_NE(split_brain_text(state).find("no split brain"), std::string::npos);
  state["peer_uuids"] = nullptr;
  EXPECT_NE(split_brain_text(state).find("not known"), std::string::npos);
  EXPECT_FALSE(split_brain_text(json()).empty());
}

TEST(ProgressText, HasPercentRateAndTimeLeft) {
  json state{{"connection", "SyncTarget"}, {"resync_done_bytes", 24 << 20}, {"resync_total_bytes", 64 << 20}};
  EXPECT_EQ(progress_text(state, 0), "resync 37.5 % (24.0 MiB of 64.0 MiB)");
  EXPECT_EQ(progress_text(state, 1 << 20), "resync 37.5 % (24.0 MiB of 64.0 MiB), 1.0 MiB/s, 0:40 left");
  state["connection"] = "PausedSyncT";
  EXPECT_TRUE(progress_text(state, 0).starts_with("paused resync"));
  state["connection"] = "VerifyS";
  state["verify"] = {{"total_bytes", 0}, {"done_bytes", 0}};
  EXPECT_TRUE(progress_text(state, 0).starts_with("verify 0.0 %"));
  state["connection"] = "Connected";
  EXPECT_EQ(progress_text(state, 0), "");
}

TEST(AdjustText, TellsWhatHasChangedAndHowTheRestCan) {
  const VolumeRequest request{"/run", "data", "alice", "/etc/cluster.toml"};
  EXPECT_EQ(adjust_text({{"changes", json::array()}}, request), "Volume data is as /etc/cluster.toml has it.\n");
  const json now{{"option", "net.timeout"}, {"from", "60"}, {"to", "30"}, {"done", true}, {"how", ""}};
  const json later{
      {"option", "net.protocol"}, {"from", "C"}, {"to", "A"}, {"done", false}, {"how", "disconnect first"}};
  EXPECT_EQ(adjust_text({{"changes", {now, later}}, {"dry_run", false}}, request),
            "Volume data, by /etc/cluster.toml:\n  net.timeout: 60 -> 30, changed\n"
            "  net.protocol: C -> A, not changed: disconnect first\n");
  EXPECT_EQ(adjust_text({{"changes", {now}}, {"dry_run", true}}, request),
            "Volume data, by /etc/cluster.toml:\n  net.timeout: 60 -> 30, would change now\n");
}

TEST(VolumeActions, EachHasItsOwnNameHelpAndExample) {
  std::set<std::string> seen;
  for (const VolumeAction& action : volume_actions()) {
    EXPECT_TRUE(seen.insert(action.command).second) << action.command;
    EXPECT_TRUE(std::string(action.example).starts_with(action.command)) << action.example;
    EXPECT_TRUE(usage_of(action).starts_with("NAME")) << action.command;
  }
  EXPECT_EQ(seen.size(), 17U);
}

TEST(VolumeActions, WithoutABlockdTheExitCodeIsThree) {
  std::ostringstream out, err;
  const Surroundings around{out, err, {}, "alice", {}};
  for (const VolumeAction& action : volume_actions()) {
    if (std::string(action.command) == "volume up") continue;
    EXPECT_EQ(volume_action(action, {"/nonexistent", "data", "alice", "/nonexistent"}, around), no_contact)
        << action.command;
  }
}

TEST(VolumeActions, AFailureIsToldAlsoWhenAPathIsNotUtf8) {
  std::ostringstream out, err;
  const Surroundings around{out, err, {}, "alice", {}};
  VolumeRequest request{"/nonexistent/\xff", "data", "alice", "/nonexistent"};
  request.as_json = true;
  EXPECT_EQ(volume_operation({{"op", "connect"}}, request, around), no_contact);
  const json told = json::parse(out.str(), nullptr, false);
  EXPECT_EQ(text(told["error"], "where"), "/nonexistent/\xef\xbf\xbd/blockd.data.sock") << out.str();
}

}  // namespace
}  // namespace bascule::cli
