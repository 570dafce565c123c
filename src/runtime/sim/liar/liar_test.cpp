#include "runtime/sim/liar/liar.h"

#include <gtest/gtest.h>

#include "runtime/sim/liar/lies.h"

namespace bascule::sim {
namespace {

TEST(LyingPeer, EveryLieEndsInACleanNamedDisconnect) {
  const LiarReport report = tell_lies({.messages = 3000, .seed = 1});
  EXPECT_EQ(report.failure, "");
  EXPECT_EQ(report.messages, 3000u);
  EXPECT_EQ(report.disconnects + report.harmless, report.messages);
  for (const LieKind& kind : lies()) EXPECT_GT(report.told.count(kind.name), 0u) << kind.name;
}

TEST(LyingPeer, TheSameSeedTellsTheSameLies) {
  EXPECT_EQ(tell_lies({.messages = 300, .seed = 5}).told, tell_lies({.messages = 300, .seed = 5}).told);
}

}  // namespace
}  // namespace bascule::sim
