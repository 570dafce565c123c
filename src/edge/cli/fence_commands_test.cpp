#include "edge/cli/fence_commands.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "edge/cli/command_line.h"

namespace bascule::cli {
namespace {

json fenced_status() {
  return json::parse(R"json({"fencing":{"devices":[
    {"name":"pdu","agent":"fence_apc","level":1,"nodes":["alice","bob"],"passed":true,"passed_at_ms":1000,"tried_at_ms":1000,"text":"pdu answers"},
    {"name":"ipmi","agent":"fence_ipmilan","level":2,"nodes":["bob"],"passed":false,"passed_at_ms":0,"tried_at_ms":5000,"text":"no route"},
    {"name":"new","agent":"fence_virt","level":1,"nodes":["bob"],"passed":false,"passed_at_ms":0,"tried_at_ms":0,"text":"never tested"}],
    "running":[{"node":"bob","state":"Verifying","why":"bob is not heard any more"}],
    "history":[{"node":"bob","by":"alice","how":"pdu off","proven":true,"text":"bob is fenced (pdu off)","reason":"lost","took_ms":2300,"at_ms":0}]
}
})json");
}

TEST(FenceText, TellsWhenEachDeviceWasLastSeenToWork) {
  constexpr std::int64_t ten_days_later = 864'000'000;
  EXPECT_EQ(fence_devices_text(fenced_status(), ten_days_later),
            "\nFencing\n"
            "  pdu          fence_apc of alice, bob, level 1: worked 9 days ago\n"
            "  ipmi         fence_ipmilan of bob, level 2: FAILED 9 days ago, never seen to work: no route\n"
            "  new          fence_virt of bob, level 1: never tested\n"
            "  bob is being fenced (Verifying): bob is not heard any more\n");
  EXPECT_EQ(fence_devices_text(json::object()), "");
}

TEST(FenceText, TheHistoryTellsWhoWhomHowWhy) {
  EXPECT_EQ(fence_history_text(fenced_status()),
            "-  bob        fenced  by alice      in 2.3 s    bob is fenced (pdu off) (lost)\n");
  EXPECT_EQ(fence_history_text(json::object()), "Nobody was ever fenced.\n");
}

TEST(FenceWords, ANodeBehindFenceIsThatNode) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(with_fence_node({"fence", "bob"}), (Words{"fence", "node", "bob"}));
  EXPECT_EQ(with_fence_node({"--json", "fence", "bob"}), (Words{"--json", "fence", "node", "bob"}));
  EXPECT_EQ(with_fence_node({"fence", "test", "bob"}), (Words{"fence", "test", "bob"}));
  EXPECT_EQ(with_fence_node({"fence", "--help"}), (Words{"fence", "--help"}));
  EXPECT_EQ(with_fence_node({"start", "fence", "--yes"}), (Words{"start", "fence", "--yes"}));
}

struct Typed {
  int code;
  std::string out, err;
};

Typed type(std::vector<std::string> arguments, const std::string& answer) {
  std::ostringstream out, err;
  std::istringstream in(answer);
  arguments.insert(arguments.begin(), {"--run-dir", "/nonexistent"});
  const int code = run(arguments, {out, err, Style{}, "alice", {}, &in});
  return {code, out.str(), err.str()};
}

class FenceCheck : public testing::Test {
 protected:
  ~FenceCheck() override { std::filesystem::remove(file_); }
  Typed check(const std::string& more) {
    std::ofstream(file_) << "[cluster]\nname = \"pair\"\nkey_file = \"none\"\n[node.alice]\naddress = \"10.0.0.1\"\n"
                         << "[node.bob]\naddress = \"10.0.0.2\"\n"
                         << "[service.web]\nrun = { agent = \"ocf:heartbeat:Dummy\", on_fail = \"fence\" }\n"
                         << more;
    return type({"config", "check", file_}, "");
  }
  std::string file_ = testing::TempDir() + "/fence-check-" + std::to_string(::getpid()) + ".toml";
};

TEST_F(FenceCheck, TwoNodesWithNeitherWitnessNorFencingAreToldInTheFirstLine) {
  const auto bare = check("");
  EXPECT_EQ(bare.code, ok) << bare.err;
  EXPECT_TRUE(bare.out.starts_with("No automatic takeover: two nodes with neither witness nor fencing")) << bare.out;
  EXPECT_NE(
      bare.out.find("Note: service web has on_fail = \"fence\", but no [fence.NAME] can switch off alice and bob"),
      std::string::npos)
      << bare.out;
  const auto half = check("[fence.pdu]\nagent = \"fence_apc\"\nnode = \"bob\"\n");
  EXPECT_TRUE(half.out.starts_with("No automatic takeover from alice")) << half.out;
  const auto both = check("[fence.pdu]\nagent = \"fence_apc\"\nnodes = [\"alice\", \"bob\"]\n");
  EXPECT_EQ(both.out.find("takeover"), std::string::npos) << both.out;
  EXPECT_EQ(both.out.find("Note"), std::string::npos) << both.out;
}

TEST(FenceQuestions, WhatCanLoseDataIsDoneOnlyWhenTheNodeWasTyped) {
  for (const auto& words : std::vector<std::vector<std::string>>{{"fence", "bob"},
                                                                 {"fence", "confirm", "bob"},
                                                                 {"fence", "test", "bob", "--really"},
                                                                 {"start-alone", "bob"}}) {
    const auto no = type(words, "yes\n");
    EXPECT_EQ(no.code, refused) << words[0];
    EXPECT_NE(no.out.find("Type bob to go on"), std::string::npos) << no.out;
    EXPECT_NE(no.err.find("not confirmed"), std::string::npos) << no.err;
    EXPECT_EQ(type(words, "bob\n").code, no_contact);
    auto sure = words;
    sure.push_back("--yes");
    EXPECT_EQ(type(sure, "").code, no_contact);
  }
  EXPECT_EQ(type({"fence", "test", "bob"}, "").code, no_contact) << "a look needs no question";
}

}  // namespace
}  // namespace bascule::cli
