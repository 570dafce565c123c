#include <gtest/gtest.h>

#include "wire/cluster_config/config.h"
#include "wire/cluster_config/mistake.h"
#include "wire/cluster_config/test_cluster.h"

namespace bascule::config {
namespace {

const std::string copies_frame = test::three_nodes;  // lines 1-9
const std::string agent = "run = \"ocf:heartbeat:Dummy\"\n";

ClusterConfig of(const std::string& services) {
  auto config = parse(copies_frame + services, "cluster.toml");
  EXPECT_TRUE(config.has_value()) << config.error().text();
  return config ? *config : ClusterConfig{};
}

std::vector<std::string> names_of(const ClusterConfig& config) {
  std::vector<std::string> names;
  for (const auto& service : config.services) names.push_back(service.name);
  return names;
}

using Names = std::vector<std::string>;

TEST(ConfigCopies, OneOnEachDataNode) {
  const auto config = of("[service.web]\ncopies = \"all\"\nwithout_quorum = \"keep\"\n" + agent);
  EXPECT_EQ(names_of(config), (Names{"web@alice", "web@bob"}));
  const auto& copy = config.services[1];
  EXPECT_EQ(copy.copy, (Copy{"web", "bob", 1, 2}));
  EXPECT_TRUE(copy.keeps_without_quorum);
  EXPECT_EQ(config.services_of("web").size(), 2U);
  EXPECT_EQ(written_name(copy.name), "web");
}

TEST(ConfigCopies, ANumberOfThemIsKeptApart) {
  const auto config = of("[service.web]\ncopies = 2\n" + agent);
  EXPECT_EQ(names_of(config), (Names{"web@1", "web@2"}));
  EXPECT_EQ(config.services[0].apart, Names{});
  EXPECT_EQ(config.services[1].apart, Names{"web@1"});
  EXPECT_EQ(config.services[1].copy, (Copy{"web", "", 1, 2}));
}

TEST(ConfigCopies, APromotableServiceHasTheRoleBesideItsCopies) {
  const auto config =
      of("[service.db]\npromotable = true\nprefer = \"bob\"\nrun = \"ocf:pacemaker:Stateful\"\n"
         "[service.vip]\nwith = \"db\"\naddress = \"10.0.0.9/24\"\n");
  EXPECT_EQ(names_of(config), (Names{"db@alice", "db@bob", "db", "vip"}));
  const auto& role = config.services[2];
  EXPECT_TRUE(role.is_role && !role.copy);
  EXPECT_EQ(role.with, Names{"db@*"});
  EXPECT_EQ(role.after, Names{"db@*"});
  EXPECT_EQ(role.preferred_node, "bob");
  EXPECT_EQ(config.related("db@*").size(), 2U);
  EXPECT_EQ(config.services[3].with, Names{"db"});
  EXPECT_EQ(config.related("db"), std::vector<const Service*>{&role});
}

TEST(ConfigCopies, AndTheRoleMayWantNotifications) {
  const auto told =
      of("[service.db]\npromotable = true\nnotify = true\nrun = { agent = \"ocf:pacemaker:Stateful\", notify_timeout = "
         "\"90s\" }\n");
  for (const auto& service : told.services) EXPECT_TRUE(service.notify) << service.name;
  EXPECT_EQ(told.services.front().steps.front().notify_timeout, seconds(90));
  EXPECT_TRUE(told.services.front().steps.front().parameters.empty());
  const auto silent = of("[service.web]\ncopies = \"all\"\n" + agent);
  EXPECT_FALSE(silent.services.front().notify);
  EXPECT_EQ(silent.services.front().steps.front().notify_timeout, seconds(20)) << "Pacemaker's default";
}

TEST(ConfigCopies, ARelationWithCopiesIsOneWithAnyOfThem) {
  const auto config = of("[service.web]\ncopies = \"all\"\n" + agent +
                         "[service.vip]\nwith = \"web\"\nafter = [\"web\"]\naddress = \"10.0.0.9/24\"\n");
  EXPECT_EQ(config.services[2].with, Names{"web@*"});
  EXPECT_EQ(config.services[2].after, Names{"web@*"});
}

const std::string copied = "[service.web]\ncopies = \"all\"\n";

const std::vector<Mistake> copies_mistakes{
    {"CountAsWord", copies_frame + "[service.web]\ncopies = \"each\"\n" + agent, "line 11, service.web.copies",
     "'each' is no number", "\"all\""},
    {"NoCopy", copies_frame + "[service.web]\ncopies = 0\n" + agent, "line 11", "not between 1 and 64", ""},
    {"VolumeOfCopies", copies_frame + copied + "volume = \"v\"\n" + agent, "line 12, service.web.volume",
     "no volume of its own", "without copies"},
    {"AddressOfCopies", copies_frame + copied + "address = \"10.0.0.9/24\"\n" + agent, "line 12", "no address",
     "another service"},
    {"AddressByAgent", copies_frame + copied + "run = { agent = \"ocf:IPaddr2\", ip = \"10.0.0.9\" }\n", "line 12",
     "the same address", ""},
    {"KeptNumber", copies_frame + "[service.web]\ncopies = 2\nwithout_quorum = \"keep\"\n" + agent,
     "line 12, service.web.without_quorum", "nobody knows where else", "copies = \"all\""},
    {"KeptAsWhat", copies_frame + copied + "without_quorum = \"freeze\"\n" + agent, "line 12", "'freeze'", "keep"},
    {"KeptWithoutCopies", copies_frame + "[service.s]\nwithout_quorum = \"keep\"\n" + agent, "line 11", "nobody knows",
     ""},
    {"PromotableNumber", copies_frame + "[service.db]\npromotable = true\ncopies = 2\n" + agent, "line 11",
     "copy on each data node", ""},
    {"PromotableGroup",
     copies_frame + "[service.db]\npromotable = true\nrun = [\"ocf:Dummy\", \"ocf:pacemaker:Stateful\"]\n", "line 11",
     "one OCF agent", ""},
    {"NotifyOfOne", copies_frame + "[service.s]\nnotify = true\n" + agent, "line 11, service.s.notify", "no copies",
     "promotable = true"},
    {"NotifyOfUnits", copies_frame + copied + "notify = true\nrun = \"systemd:nginx\"\n", "line 12", "only OCF agents",
     ""},
    {"NotifyInNoTime",
     copies_frame + copied + "notify = true\nrun = { agent = \"ocf:Dummy\", notify_timeout = \"0s\" }\n", "line 13",
     "always expire", ""},
    {"LongName",
     copies_frame + "[node.x]\naddress = \"10.0.0.4\"\nvotes = false\n[node.alexandria]\naddress = \"10.0.0.5\"\n" +
         "votes = false\n[service." + std::string(40, 'a') + "]\ncopies = \"all\"\n" + agent,
     "line 16", "@alexandria is longer than 46", "shorter"},
    {"AfterNothing", copies_frame + "[service.s]\nafter = \"db\"\n" + agent, "line 10, service.s.after",
     "service 'db' is not configured", ""},
    {"AfterItself", copies_frame + "[service.s]\nafter = [\"s\"]\n" + agent, "line 10", "with itself", ""},
    {"AfterANumber", copies_frame + "[service.s]\nafter = [3]\n" + agent, "line 11", "name of a service is wanted", ""},
    {"WithAndApart", copies_frame + "[service.a]\n" + agent + "[service.b]\nwith = \"a\"\napart = \"a\"\n" + agent,
     "line 12", "with 'a' and apart", ""},
    {"Circle",
     copies_frame + "[service.a]\nafter = \"b\"\n" + agent + "[service.b]\nwith = \"c\"\n" + agent +
         "[service.c]\nafter = [\"a\"]\n" + agent,
     "line 10, service.a", "circle: a -> b -> c -> a", "in that one only"},
};

class CopiesMistakes : public testing::TestWithParam<Mistake> {};

TEST_P(CopiesMistakes, IsOneErrorThatSaysWhereAndWhy) {
  const auto& mistake = GetParam();
  const auto config = parse(mistake.file, "cluster.toml");
  ASSERT_FALSE(config.has_value());
  const Error& error = config.error();
  EXPECT_NE(error.where.find(mistake.where), std::string::npos) << error.text();
  EXPECT_NE(error.why.find(mistake.why), std::string::npos) << error.text();
  EXPECT_NE(error.hint.find(mistake.hint), std::string::npos) << error.text();
}

INSTANTIATE_TEST_SUITE_P(All, CopiesMistakes, testing::ValuesIn(copies_mistakes),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace bascule::config
