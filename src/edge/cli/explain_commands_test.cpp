// Commands about a Pacemaker CIB: simulate, why, what-if.
#include "edge/cli/explain_commands.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <sstream>

#include "base/test_directory.h"
#include "core/decisions/sample.h"
#include "edge/cli/command_line.h"

namespace bascule::cli {
namespace {

/// Two nodes; web runs on alice, which it likes.
constexpr const char* kCib = R"(<cib admin_epoch="1" epoch="2" num_updates="3" have-quorum="1"><configuration>
<crm_config><cluster_property_set id="cib-bootstrap-options"><nvpair id="p" name="stonith-enabled" value="false"/>
</cluster_property_set></crm_config>
<nodes><node id="1" uname="alice"/><node id="2" uname="bob"/></nodes>
<resources><primitive id="web" class="ocf" provider="heartbeat" type="Dummy"/></resources>
<constraints><rsc_location id="likes" rsc="web" node="alice" score="50"/></constraints></configuration><status>
<node_state id="1" uname="alice" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="1"><lrm_resources>
<lrm_resource id="web" class="ocf" provider="heartbeat" type="Dummy">
<lrm_rsc_op id="web_last_0" operation="start" operation_key="web_start_0" interval="0" call-id="1" op-digest="f2317cad3d54cec5d7d7aa7d0bf35cf8" op-status="0"
 rc-code="0" exec-time="1500" transition-key="1:1:0:u" transition-magic="0:0;1:1:0:u"/></lrm_resource>
</lrm_resources></lrm></node_state>
<node_state id="2" uname="bob" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="2"><lrm_resources>
<lrm_resource id="web" class="ocf" provider="heartbeat" type="Dummy">
<lrm_rsc_op id="web_last_0" operation="monitor" operation_key="web_monitor_0" interval="0" call-id="1" op-digest="f2317cad3d54cec5d7d7aa7d0bf35cf8" op-status="0"
 rc-code="7" transition-key="1:1:7:u" transition-magic="0:7;1:1:7:u"/></lrm_resource>
</lrm_resources></lrm></node_state></status></cib>)";

struct ExplainCommands : testing::Test {
  ExplainCommands() {
    cib = directory + "/cib.xml";
    std::ofstream(cib) << kCib;
  }

  int bascule(const std::vector<std::string>& arguments) {
    out.str("");
    err.str("");
    return run(arguments, {out, err, {}, "alice", {}});
  }
  [[nodiscard]] json answer() const { return json::parse(out.str()); }

  TestDirectory made;
  std::string directory = made.path(), cib;
  std::ostringstream out, err;
};

TEST_F(ExplainCommands, WhyAnswersInWordsAndAsJson) {
  EXPECT_EQ(bascule({"why", "web", "--cib", cib}), ok);
  EXPECT_EQ(out.str(),
            "web runs on alice and stays there: its score 50 is the highest (bob has 0).\n\n"
            "  alice  it runs there and stays: its score 50 is the highest (bob has 0).\n"
            "  bob    not chosen, its score 0 is lower than 50 for alice.\n\n"
            "Scores\n  alice: 50\n    +50        location likes\n  bob: 0\n\n"
            "The smallest change that alters this\n"
            "  lower the score of location likes (it counts for alice) from 50 to -1: then web runs on bob.\n");
  EXPECT_EQ(bascule({"why", "web", "--not-on", "bob", "--cib", cib, "--json"}), ok);
  EXPECT_EQ(answer()["nodes"][0]["node"], "bob");
  EXPECT_EQ(answer()["nodes"][1]["contributions"][0], (json{{"score", 50}, {"cause", "location likes"}}));
}

TEST_F(ExplainCommands, WhatIfTellsThePlanAndWhatItCosts) {
  EXPECT_EQ(bascule({"what-if", "node alice goes to standby", "--cib", cib, "--json"}), ok);
  EXPECT_EQ(answer()["changes"][0]["verb"], "Move");
  EXPECT_EQ(answer()["changes"][0]["reason"], "alice is in standby");
  EXPECT_EQ(answer()["interrupted"][0]["resource"], "web");
  EXPECT_EQ(answer()["interrupted"][0]["length_ms"], nullptr);
  EXPECT_EQ(answer()["interrupted"][0]["not_measured"], json::array({"the stop of web"}));
  EXPECT_EQ(bascule({"what-if", "node bob goes to standby and node alice is stopped", "--cib", cib}), ok);
  EXPECT_NE(out.str().find("Has nowhere to go\n  web: no node can run it"), std::string::npos) << out.str();
}

TEST_F(ExplainCommands, ASnapshotGivesTheSameBytesAgain) {
  const std::string snapshot = directory + "/snapshot.json";
  EXPECT_EQ(bascule({"simulate", "--cib", cib, "--at", "2026-11-23 05:00:00Z", "--save-snapshot", snapshot}), ok);
  const std::string first = out.str();
  EXPECT_EQ(bascule({"simulate", "--snapshot", snapshot}), ok);
  EXPECT_EQ(out.str(), first);
  std::ifstream file(snapshot);
  const json saved = json::parse(file);
  EXPECT_EQ(saved["cib"], kCib);
  EXPECT_EQ(saved["cib_version"], "1.2.3");
  EXPECT_EQ(saved["time"], "2026-11-23 05:00:00Z");
}

TEST_F(ExplainCommands, SimulateAsJsonIsComplete) {
  EXPECT_EQ(bascule({"simulate", "--cib", cib, "--inject", "node-standby=alice", "--json"}), ok);
  const json found = answer();
  EXPECT_EQ(found["status"]["resources"][0]["nodes"], json::array({"alice"}));
  EXPECT_EQ(found["revised_status"]["resources"][0]["nodes"], json::array({"bob"}));
  ASSERT_EQ(found["transition"].size(), 2U);
  EXPECT_EQ(found["transition"][1]["after"], json::array({found["transition"][0]["id"]}));
  for (const json& action : found["transition"]) EXPECT_NE(action["reason"], "");
}

TEST_F(ExplainCommands, ScoresAreShownAsPacemakerShowsThem) {
  EXPECT_EQ(bascule({"simulate", "--cib", cib, "--format", "pacemaker", "-s"}), ok);
  EXPECT_NE(out.str().find("pcmk__primitive_assign: web allocation score on alice: 50\n"), std::string::npos);
}

TEST_F(ExplainCommands, WhatIsUnknownIsRefused) {
  EXPECT_EQ(bascule({"why", "wep", "--cib", cib}), refused);
  EXPECT_NE(err.str().find("did you mean web?"), std::string::npos);
  EXPECT_EQ(bascule({"what-if", "node alcie fails", "--cib", cib}), refused);
  EXPECT_NE(err.str().find("did you mean alice?"), std::string::npos);
  EXPECT_EQ(bascule({"simulate", "--inject", "node-fail=alcie", "--cib", cib}), refused);
  EXPECT_EQ(bascule({"why", "web"}), refused);
  EXPECT_EQ(bascule({"simulate", "--snapshot", cib}), refused);
  EXPECT_NE(err.str().find("it is no snapshot"), std::string::npos);
}

/// cluster.toml in the place of a CIB.
TEST_F(ExplainCommands, AConfigurationOfOursIsPlannedAndExplained) {
  const std::string config = directory + "/cluster.toml";
  std::ofstream(config) << R"([cluster]
name = "boutique"
[node.alice]
address = "10.77.0.1"
[service.web]
run = "ocf:heartbeat:apache"
)";
  EXPECT_EQ(bascule({"--json", "simulate", "--config", config}), ok);
  EXPECT_NE(answer().dump().find("web-apache_start_0"), std::string::npos) << "nothing runs yet";
  EXPECT_EQ(bascule({"why", "web", "--config", config}), ok);
  EXPECT_EQ(out.str().rfind("web runs on alice", 0), 0U) << "it has been started: " << out.str();
  EXPECT_NE(bascule({"why", "web", "--config", config, "--cib", cib}), ok) << "which of the two?";
  EXPECT_NE(err.str().find("one of --cib, --snapshot and --config is needed"), std::string::npos) << err.str();
}

TEST_F(ExplainCommands, ADecisionOfAManagerIsTakenAgain) {
  const std::string kept = directory + "/decisions.jsonl";
  json other = json::parse(decisions::sample());
  other["decided"][0]["reason"] = "because";
  std::ofstream(kept) << other.dump() << "\n" << decisions::sample() << "\n{\"format\":\"bascule-deci";  // torn
  EXPECT_EQ(bascule({"simulate", "--snapshot", kept}), ok) << err.str();
  EXPECT_EQ(out.str().rfind("Decision 2 of 2, taken by carol in term 7, 2026-11-18", 0), 0U) << out.str();
  EXPECT_NE(out.str().find("bob    lost, last word 461 ms before; its leases have certainly ended\n"),
            std::string::npos)
      << out.str();
  EXPECT_NE(out.str().find("Taken again by this program: the same\n"), std::string::npos) << out.str();
  EXPECT_EQ(bascule({"simulate", "--snapshot", kept, "--decision", "1", "--json"}), ok);
  EXPECT_EQ(answer()["same"], false);
  EXPECT_EQ(answer()["decided"][0]["reason"], "because");
  EXPECT_EQ(bascule({"simulate", "--snapshot", kept, "--all-decisions", "--json"}), ok);
  EXPECT_EQ(answer()["others"], json::array({1}));
  EXPECT_EQ(bascule({"simulate", "--snapshot", kept, "--inject", "node-fail=alice"}), ok);
  EXPECT_NE(out.str().find("Supposed: node alice fails\n\nThen decided\n  nothing\n"), std::string::npos) << out.str();
}

TEST_F(ExplainCommands, ADecisionOfAManagerIsExplainedByThePolicy) {
  const std::string kept = directory + "/decisions.jsonl";
  std::ofstream(kept) << decisions::sample() << "\n";
  EXPECT_EQ(bascule({"why", "shop", "--snapshot", kept}), ok) << err.str();
  EXPECT_EQ(out.str().rfind("shop starts on alice", 0), 0U) << out.str();
  EXPECT_NE(err.str().find("decision 1 of 1"), std::string::npos);
  EXPECT_EQ(bascule({"what-if", "node alice fails", "--snapshot", kept}), ok) << err.str();
  EXPECT_NE(out.str().find("nowhere to go"), std::string::npos) << out.str();
}

TEST_F(ExplainCommands, WhatADecisionCannotAnswerIsRefused) {
  const std::string kept = directory + "/decisions.jsonl";
  std::ofstream(kept) << decisions::sample() << "\n";
  EXPECT_EQ(bascule({"simulate", "--snapshot", kept, "--decision", "2"}), refused);
  EXPECT_NE(err.str().find("it holds 1, and number 2 is asked for"), std::string::npos) << err.str();
  EXPECT_EQ(bascule({"simulate", "--snapshot", kept, "--format", "pacemaker"}), refused);
  EXPECT_EQ(bascule({"simulate", "--cib", cib, "--decision", "2"}), refused);
  std::ofstream(directory + "/none.jsonl").flush();
  EXPECT_EQ(bascule({"simulate", "--snapshot", directory + "/none.jsonl"}), refused);
  EXPECT_NE(err.str().find("has taken no decision"), std::string::npos) << err.str();
  std::ofstream(kept) << "{\"format\":\"bascule-decision\"}\n";
  EXPECT_EQ(bascule({"simulate", "--snapshot", kept}), refused);
  EXPECT_NE(err.str().find("decisions.jsonl, line 1"), std::string::npos) << err.str();
}

TEST_F(ExplainCommands, OurDefaultsAreSaidAndOnlyWhenAskedFor) {
  EXPECT_EQ(bascule({"--json", "simulate", "--cib", cib}), ok);
  EXPECT_EQ(answer()["notices"].dump().find("default of ours"), std::string::npos);
  EXPECT_EQ(bascule({"--json", "simulate", "--cib", cib, "--own-defaults"}), ok);
  EXPECT_NE(answer()["notices"].dump().find("default of ours: web has no monitor"), std::string::npos);
  EXPECT_NE(answer().dump().find("web_monitor_10000"), std::string::npos);
}

}  // namespace
}  // namespace bascule::cli
