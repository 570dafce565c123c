#include "core/membership/links.h"

#include <gtest/gtest.h>

#include "core/membership/at_ms.h"

namespace bascule::membership {
namespace {

config::ClusterConfig two_networks() {
  const auto config = config::parse(R"([cluster]
name = "boutique"
heartbeat_ms = 50
[node.alice]
address = ["10.0.0.1", "fd00::1"]
[node.bob]
address = ["10.0.0.2", "fd00::2"]
[node.carol]
address = "10.0.0.3"
role = "witness"
)",
                                    "cluster.toml");
  EXPECT_TRUE(config) << config.error().text();
  return *config;
}

struct Heard {
  Links links{two_networks(), "alice", at(0)};
  std::vector<LinkEvent> events;
  void bob(std::size_t link, int ms) { links.heard("bob", link, at(ms), events); }
};

TEST(Links, AreAllThatBothNodesHave) {
  const Heard heard;
  EXPECT_EQ(heard.links.choose("bob", false), 0b11);
  EXPECT_EQ(heard.links.choose("carol", false), 0b1);
  EXPECT_EQ(heard.links.choose("dave", false), 0);
}

TEST(Links, TheLossOfOneIsToldOnceAndSoIsItsReturn) {
  Heard heard;
  for (int ms = 0; ms < 1000; ms += 50) {
    heard.bob(0, ms);
    if (ms < 200) heard.bob(1, ms);
  }
  ASSERT_EQ(heard.events.size(), 1u);
  EXPECT_EQ(heard.events[0].text, "bob is heard over 10.0.0.2, but for 500 ms not over fd00::2");
  EXPECT_FALSE(heard.links.status("bob", at(1000))[1].up);
  EXPECT_TRUE(heard.links.status("bob", at(1000))[0].up);
  heard.bob(1, 1000);
  ASSERT_EQ(heard.events.size(), 2u);
  EXPECT_EQ(heard.events[1].text, "bob is heard over fd00::2 again");
}

TEST(Links, ASilentNodeIsNoLinksFault) {
  Heard heard;
  heard.bob(0, 0);
  heard.bob(1, 0);
  heard.bob(0, 60'000);  // back after a minute: the other link's turn comes a moment later
  EXPECT_EQ(heard.events.size(), 1u);
  heard.bob(1, 60'001);
  EXPECT_EQ(heard.events.size(), 2u);
}

TEST(Links, BulkTakesTheFirstThatIsUp) {
  Heard heard;
  for (int ms = 0; ms <= 500; ms += 50) heard.bob(1, ms);
  EXPECT_EQ(heard.links.choose("bob", true), 0b10);
  heard.bob(0, 550);
  EXPECT_EQ(heard.links.choose("bob", true), 0b01);
}

TEST(Links, ALinkThatWasNeverHeardIsNotUp) {
  const Heard heard;
  EXPECT_FALSE(heard.links.status("bob", at(1))[0].up);
  EXPECT_TRUE(heard.links.status("alice", at(1)).empty());
}

}  // namespace
}  // namespace bascule::membership
