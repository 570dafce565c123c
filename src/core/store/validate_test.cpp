#include <gtest/gtest.h>

#include "core/store/store.h"

namespace bascule::store {
namespace {

using namespace message;

config::ClusterConfig boutique() {
  config::ClusterConfig config;
  config.name = "boutique";
  config.nodes = {{"alice", config::NodeRole::data, "10.0.0.1", 1},
                  {"bob", config::NodeRole::data, "10.0.0.2", 2},
                  {"carol", config::NodeRole::witness, "10.0.0.3", 3},
                  {"dora", config::NodeRole::data, "10.0.0.4", 4}};
  config::Volume volume;
  volume.name = "data";
  volume.disk = {{"alice", "/a"}, {"bob", "/b"}};
  config.volumes = {volume};
  config::Service service;
  service.name = "shop";
  service.volume = "data";
  config.services = {service};
  return config;
}

TEST(Validate, NamesWhatIsKnown) {
  const auto service = validate(SetTarget{"shpo", true}, boutique());
  ASSERT_FALSE(service);
  EXPECT_EQ(service.error().text(), "there is no service \"shpo\" (known services: shop)");
  const auto node = validate(SetStandby{"eve", true}, boutique());
  ASSERT_FALSE(node);
  EXPECT_EQ(node.error().hint, "known nodes: alice, bob, carol, dora");
  EXPECT_EQ(validate(HoldVolume{"logs", ""}, boutique()).error().hint, "known volumes: data");
}

TEST(Validate, AWitnessRunsNothing) {
  EXPECT_EQ(validate(MoveService{"shop", "carol"}, boutique()).error().what, "carol is a witness");
  EXPECT_EQ(validate(SetStandby{"carol", true}, boutique()).error().what, "carol is a witness");
}

TEST(Validate, AServiceMovesOnlyToACopyOfItsVolume) {
  EXPECT_EQ(validate(MoveService{"shop", "dora"}, boutique()).error().what, "dora has no copy of volume data");
  EXPECT_EQ(validate(HoldVolume{"data", "dora"}, boutique()).error().what, "dora has no copy of volume data");
}

TEST(Validate, MaintenanceIsOfSomethingThatIsThere) {
  for (const char* scope : {"cluster", "service:shop", "node:bob"})
    EXPECT_TRUE(validate(SetMaintenance{scope, true, "", "", 0, 0}, boutique())) << scope;
  for (const char* scope : {"", "shop", "service:", "service:shpo", "node:carol", "node:eve"})
    EXPECT_FALSE(validate(SetMaintenance{scope, true, "", "", 0, 0}, boutique())) << scope;
}

TEST(Validate, ARestartNamesAStepOfTheService) {
  EXPECT_TRUE(validate(RestartService{"shop", ""}, boutique()));
  const auto wrong = validate(RestartService{"shop", "apahce"}, boutique());
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().what, "there is no step \"apahce\"");
}

TEST(Validate, AcceptsWhatIsKnown) {
  const Command good[] = {SetStandby{"bob", true},
                          SetTarget{"shop", false},
                          MoveService{"shop", "bob"},
                          MoveService{"shop", ""},
                          HoldVolume{"data", "bob"},
                          HoldVolume{"data", ""},
                          ClearFailures{"shop", ""},
                          ClearFailures{"shop", "bob"},
                          InitialiseVolume{"data", "alice"},
                          GrantOwnership{"shop", "data", "bob", "", 0, 0, ""},
                          RequestStop{"shop", 1, ""},
                          ReleaseOwnership{"shop", "data", 1, 1},
                          ShrinkInSync{"data", 1, 1, "bob"},
                          GrowInSync{"data", 1, 1, "bob"},
                          SetRestartLease{"bob", 0, 30'000},
                          RecordFailure{"shop", "bob", 1, true, ""},
                          NoteBoot{"carol", "b"},
                          UpdateAttributes{"carol", true, {{"a", "b"}}, {}}};
  EXPECT_EQ(validate(RequestFencing{"bob", "alice", 1, ""}, boutique()).error().what, "nothing can fence bob");
  EXPECT_EQ(validate(RecordFenceTest{"pdu", "bob", "alice", true, "", 1}, boutique()).error().what,
            "there is no fence device \"pdu\"");
  for (const auto& command : good) EXPECT_TRUE(validate(command, boutique())) << text(command);
}

TEST(Validate, CopiesAreKnownByTheirWrittenNameAndDoNotMove) {
  auto config = boutique();
  config::Service copy;
  copy.name = "web@alice";
  copy.copy = config::Copy{"web", "alice", 0, 1};
  config.services.push_back(copy);
  EXPECT_TRUE(validate(SetTarget{"web", true}, config));
  EXPECT_TRUE(validate(SetTarget{"web@alice", true}, config));
  EXPECT_TRUE(validate(SetMaintenance{"service:web", true, "", "", 0, 0}, config));
  EXPECT_FALSE(validate(SetTarget{"web@bob", true}, config));
  for (const char* name : {"web", "web@alice"})
    EXPECT_EQ(validate(MoveService{name, "dora"}, config).error().what, std::string(name) + " cannot be moved");
}

}  // namespace
}  // namespace bascule::store
