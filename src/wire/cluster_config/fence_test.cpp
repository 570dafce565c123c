#include <gtest/gtest.h>

#include "wire/cluster_config/config.h"

namespace bascule::config {
namespace {

const std::string two =
    "[cluster]\nname = \"c\"\n[node.alice]\naddress = \"10.0.0.1\"\n[node.bob]\naddress = \"10.0.0.2\"\n";

TEST(FenceConfig, ADeviceHasItsAgentItsTargetsAndItsPatience) {
  const auto config = parse(two + R"(
[fence.pdu]
agent = "fence_apc"
plug = { alice = "1", bob = "7" }
parameters = { ip = "10.0.1.9", login_timeout = 5, ssh = true }
level = 2
action = "off"
verify = false
timeout = "20s"
retries = 1
delay = "1s"
delay_max = "3s"
[fence.ipmi-alice]
agent = "fence_ipmilan"
node = "alice"
)",
                            "f");
  ASSERT_TRUE(config) << config.error().text();
  const auto* pdu = config->fence("pdu");
  ASSERT_NE(pdu, nullptr);
  EXPECT_EQ(pdu->parameters,
            (std::map<std::string, std::string>{{"ip", "10.0.1.9"}, {"login_timeout", "5"}, {"ssh", "1"}}));
  EXPECT_EQ(pdu->plugs.at("bob"), "7");
  EXPECT_EQ(pdu->action, FenceAction::off);
  EXPECT_FALSE(pdu->verify);
  EXPECT_EQ(pdu->timeout, seconds(20));
  EXPECT_EQ(pdu->retries, 1u);
  EXPECT_EQ(pdu->delay_max, seconds(3));
  const auto of_alice = config->fences_of("alice");
  ASSERT_EQ(of_alice.size(), 2u);
  EXPECT_EQ(of_alice[0]->name, "ipmi-alice") << "the lower level first";
  EXPECT_EQ(of_alice[0]->plugs.at("alice"), "alice");
  EXPECT_EQ(config->fences_of("bob").size(), 1u);
}

TEST(FenceConfig, AReactionWithoutADeviceIsNamedOnceAlsoForCopies) {
  const auto config = parse(two + R"([service.web]
copies = "all"
run = { agent = "ocf:heartbeat:apache", on_fail = "fence" }
[fence.pdu]
agent = "fence_apc"
node = "bob"
)",
                            "f");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->fence_reactions_without_device(),
            std::vector<std::string>{"service web has on_fail = \"fence\", but no [fence.NAME] can switch off alice: "
                                     "there it is only stopped"});
}

TEST(FenceConfig, TwoNodesAreAllowedAndSaidToBeWithoutTakeoverUnlessBothCanBeFenced) {
  const auto bare = parse(two, "f");
  ASSERT_TRUE(bare) << bare.error().text();
  EXPECT_TRUE(bare->two_nodes());
  EXPECT_EQ(bare->no_takeover(), "No automatic takeover: two nodes with neither witness nor fencing");
  const auto half = parse(two + "[fence.a]\nagent = \"fence_ipmilan\"\nnode = \"alice\"\n", "f");
  EXPECT_NE(half->no_takeover().find("from bob"), std::string::npos) << half->no_takeover();
  const auto whole = parse(two + "[fence.a]\nagent = \"fence_virt\"\nnodes = [\"alice\", \"bob\"]\n", "f");
  EXPECT_EQ(whole->no_takeover(), "");
}

struct FenceMistake {
  const char* text;
  const char* where;
  const char* why;
};

class FenceMistakes : public testing::TestWithParam<FenceMistake> {};

TEST_P(FenceMistakes, AreNamedWithTheirPlace) {
  const auto& [text, where, why] = GetParam();
  const auto config = parse(two + "[fence.x]\n" + text, "f");
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().where.find(where), std::string::npos) << config.error().text();
  EXPECT_NE(config.error().why.find(why), std::string::npos) << config.error().text();
}

INSTANTIATE_TEST_SUITE_P(
    All, FenceMistakes,
    testing::Values(
        FenceMistake{"node = \"alice\"\n", "fence.x", "'agent' is missing"},
        FenceMistake{"agent = \"/bin/true\"\nnode = \"alice\"\n", "line 8", "is not the name of a fence agent"},
        FenceMistake{"agent = \"fence_x\"\n", "line 7", "names no node"},
        FenceMistake{"agent = \"fence_x\"\nnode = \"alise\"\n", "line 7", "'alise', which is not a node"},
        FenceMistake{"agent = \"fence_x\"\nnodes = [\"alice\"]\nplug = \"3\"\n", "line 10", "one plug for several"},
        FenceMistake{"agent = \"fence_x\"\nnode = \"alice\"\nplug = { bob = \"1\" }\n", "line 7", "named twice"},
        FenceMistake{"agent = \"fence_x\"\nnode = \"alice\"\nparameters = { port = \"3\" }\n", "parameters.port",
                     "the manager itself"},
        FenceMistake{"agent = \"fence_x\"\nnode = \"alice\"\nparameters = { a = \"1\\naction=on\" }\n", "parameters.a",
                     "line break"},
        FenceMistake{"agent = \"fence_x\"\nnode = \"alice\"\nparameters = { a = 1.5 }\n", "parameters.a",
                     "a number with"},
        FenceMistake{"agent = \"fence_x\"\nnode = \"alice\"\naction = \"status\"\n", "line 10", "does not switch"},
        FenceMistake{"agent = \"fence_x\"\nnode = \"alice\"\ntimeout = \"500ms\"\n", "line 10", "between 1s"},
        FenceMistake{"agent = \"fence_x\"\nnode = \"alice\"\nlevel = 10\n", "line 10", "not between"},
        FenceMistake{"agent = \"fence_x\"\nnode = \"alice\"\ndelay = \"20m\"\n", "line 10", "ten minutes"},
        FenceMistake{"agent = \"fence_x\"\nnode = \"alice\"\nretrys = 3\n", "retrys", "not known"}));

}  // namespace
}  // namespace bascule::config
