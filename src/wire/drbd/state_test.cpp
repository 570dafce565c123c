#include "wire/drbd/state.h"

#include <gtest/gtest.h>

namespace bascule::drbd {
namespace {

// Words of a captured session between two Linux 6.1 nodes.
TEST(StateWord, CapturedWordsSayWhatTheNodesLogged) {
  const auto waiting = decode_state(0x0000c882);
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->text(), "ro:Secondary/Unknown cs:WFConnection ds:Inconsistent/DUnknown");
  const auto connected = decode_state(0x000088aa);
  ASSERT_TRUE(connected);
  EXPECT_EQ(connected->text(), "ro:Secondary/Secondary cs:Connected ds:Inconsistent/Inconsistent");
  const auto finished = decode_state(0x110a6);
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->text(), "ro:Secondary/Primary cs:Connected ds:UpToDate/UpToDate");
}

TEST(StateWord, EveryUnderstandableWordEncodesBack) {
  std::size_t understood = 0;
  for (std::uint32_t word = 0; word < (1U << 24); word += 7) {
    const auto state = decode_state(word);
    if (!state) continue;
    ++understood;
    ASSERT_EQ(encode_state(*state), word);
  }
  EXPECT_GT(understood, 100000U);
}

TEST(StateWord, UnknownNumbersAreErrorsThatNameTheField) {
  EXPECT_EQ(decode_state(0x3).error().why, "unknown role 3");
  EXPECT_EQ(decode_state(0xc).error().why, "unknown peer role 3");
  EXPECT_EQ(decode_state(24U << 4).error().why, "unknown connection state 24");
  EXPECT_EQ(decode_state(9U << 9).error().why, "unknown disk state 9");
  EXPECT_EQ(decode_state(15U << 13).error().why, "unknown peer disk state 15");
}

TEST(StateChange, CapturedPromotionSelectsRoleAndDisk) {
  const auto before = decode_state(0x000088aa);
  const auto after = apply_change(*before, 0x1e03, 0x1001);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->role, Role::Primary);
  EXPECT_EQ(after->disk, DiskState::UpToDate);
  EXPECT_EQ(after->peer_disk, DiskState::Inconsistent);
}

TEST(StateChange, MirrorSwapsTheSides) {
  const StateChange promotion{.mask = 0x1e03, .value = 0x1001};
  const auto after = apply_change(*decode_state(0x000088aa), mirror(promotion).mask, mirror(promotion).value);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->peer, Role::Primary);
  EXPECT_EQ(after->peer_disk, DiskState::UpToDate);
  EXPECT_EQ(after->role, Role::Secondary);
  EXPECT_EQ(mirror(mirror(promotion)), promotion);
}

std::uint32_t connection_value(ConnectionState state) { return static_cast<std::uint32_t>(state) << 4; }

TEST(StateChange, MirrorTurnsDirectedConnectionStates) {
  const auto turned = [](ConnectionState state) {
    return mirror({.mask = kConnectionField.mask, .value = connection_value(state)}).value;
  };
  EXPECT_EQ(turned(ConnectionState::StartingSyncS), connection_value(ConnectionState::StartingSyncT));
  EXPECT_EQ(turned(ConnectionState::StartingSyncT), connection_value(ConnectionState::StartingSyncS));
  EXPECT_EQ(turned(ConnectionState::Disconnecting), connection_value(ConnectionState::TearDown));
  EXPECT_EQ(turned(ConnectionState::VerifyS), connection_value(ConnectionState::VerifyT));
  EXPECT_EQ(turned(ConnectionState::Connected), connection_value(ConnectionState::Connected));
}

TEST(StateChange, AMaskWithoutConnectionLeavesItAlone) {
  EXPECT_EQ(mirror({.mask = 0x3, .value = 0x1}), (StateChange{.mask = 0xc, .value = 0x4}));
}

}  // namespace
}  // namespace bascule::drbd
