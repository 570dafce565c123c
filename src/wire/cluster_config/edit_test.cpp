#include "wire/cluster_config/edit.h"

#include <gtest/gtest.h>

namespace bascule::config {
namespace {

const std::string three_nodes = R"([cluster]
name = "test"  # the shop

[node.alice]  # left
address = "10.0.0.1"

# the one on the right
[node.bob]
id = 2
address = "10.0.0.2"
[node.carol]
address = "10.0.0.3"
role = "witness"

[volume.data]
disk = { alice = "/dev/sdb", bob = "/dev/sdc" }
[service.shop]
volume = "data"
prefer = "bob"
run = "ocf:heartbeat:apache"
)";

TEST(ConfigEdit, WritesIdsAndLeavesTheRestAsItIs) {
  const auto edited = with_ids(three_nodes, {{"alice", 1}, {"bob", 2}, {"carol", 7}});
  ASSERT_TRUE(edited) << edited.error().text();
  EXPECT_NE(edited->find("[node.alice]  # left\nid = 1\naddress"), std::string::npos) << *edited;
  EXPECT_NE(edited->find("# the one on the right\n[node.bob]\nid = 2\naddress"), std::string::npos) << *edited;
  const auto config = parse(*edited, "test");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->node("carol")->id, 7u);
  EXPECT_EQ(*with_ids(*edited, {{"alice", 1}}), *edited) << "twice is once";
}

TEST(ConfigEdit, RefusesANodeThatIsNotATableOfItsOwn) {
  EXPECT_FALSE(with_ids("node.alice.address = \"10.0.0.1\"\n", {{"alice", 1}}));
}

TEST(ConfigEdit, MeaningIgnoresHowItIsWritten) {
  const auto before = meaning_of(three_nodes);
  EXPECT_EQ(before.at("service.shop.prefer"), "bob");
  EXPECT_EQ(before.at("volume.data.disk.alice"), "/dev/sdb");
  const auto after = meaning_of("cluster = { name = 'test' }\n" + three_nodes.substr(three_nodes.find("[node.alice]")));
  EXPECT_EQ(before, after);
  EXPECT_TRUE(meaning_of("not toml").empty());
}

TEST(ConfigEdit, AddsAndRemovesANode) {
  Node dave{"dave", NodeRole::data, "10.0.0.4", 4, {"10.0.0.4", "fd00::4"}, false};
  const auto added = with_node(three_nodes, dave);
  ASSERT_TRUE(added);
  const auto config = parse(*added, "test");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(*config->node("dave"), dave);
  EXPECT_FALSE(with_node(three_nodes, *config->node("bob")));
  const auto removed = without_node(*added, "dave");
  ASSERT_TRUE(removed);
  EXPECT_EQ(meaning_of(*removed), meaning_of(three_nodes));
  EXPECT_FALSE(without_node(three_nodes, "dave"));
}

TEST(ConfigEdit, AVolumeKeepsItsTwoReplicasWhenThereIsAThirdDataNode) {
  std::string text = three_nodes;
  const std::string named = "disk = { alice = \"/dev/sdb\", bob = \"/dev/sdc\" }";
  text.replace(text.find(named), named.size(), "disk = '/srv/data.img'  # a file\nsize = \"1G\"");
  Node dave{"dave", NodeRole::data, "10.0.0.4", 4, {"10.0.0.4"}, false};
  const auto added = with_node(text, dave);
  ASSERT_TRUE(added);
  EXPECT_NE(added->find("disk = { alice = '/srv/data.img', bob = '/srv/data.img' }  # a file\n"), std::string::npos)
      << *added;
  const auto config = parse(*added, "test");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->volumes, parse(text, "test")->volumes) << "nothing runs otherwise because of it";
  dave.role = NodeRole::witness;
  EXPECT_NE(with_node(text, dave)->find("disk = '/srv/data.img'  # a file\n"), std::string::npos);
}

TEST(ConfigEdit, ReplacesANodeWhereverItIsNamed) {
  const auto replaced = with_node_replaced(three_nodes, "bob", {"dave", NodeRole::data, "10.0.0.4", 4, {"10.0.0.4"}});
  ASSERT_TRUE(replaced);
  const auto config = parse(*replaced, "test");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->node("dave")->id, 4u);
  EXPECT_EQ(config->service("shop")->preferred_node, "dave");
  EXPECT_EQ(config->volume("data")->disk.at("dave"), "/dev/sdc");
  EXPECT_EQ(config->node("bob"), nullptr);
}

TEST(ConfigEdit, AnIdThatIsGivenTwiceIsRefused) {
  const auto wrong = parse(
      "[cluster]\nname=\"t\"\n[node.a]\nid = 2\naddress=\"10.0.0.1\"\n"
      "[node.b]\naddress=\"10.0.0.2\"\n[node.c]\naddress=\"10.0.0.3\"\n",
      "t");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().text().find("the id 2 is already that of a"), std::string::npos) << wrong.error().text();
}

TEST(ConfigEdit, ANodeWithoutAVoteDoesNotCount) {
  const auto config = parse(three_nodes + "[node.dave]\naddress = \"10.0.0.4\"\nvotes = false\n", "t");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_FALSE(config->node("dave")->votes());
  EXPECT_EQ(config->of_managers().nodes.size(), 4u);
  EXPECT_FALSE(parse(three_nodes + "[node.dave]\naddress = \"10.0.0.4\"\nrole = \"witness\"\nvotes = false\n", "t"));
}

}  // namespace
}  // namespace bascule::config
