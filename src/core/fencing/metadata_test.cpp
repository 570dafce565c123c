#include "core/fencing/metadata.h"

#include <gtest/gtest.h>

namespace bascule::fencing {
namespace {

TEST(FenceMetadata, TellsTheActionsAndWhoMustBeSwitchedOn) {
  const auto plain = parse_metadata(R"(<?xml version="1.0"?><resource-agent name="fence_x"><actions>
    <action name="on" automatic="0"/><action name="off" /><action name='status'/></actions></resource-agent>)");
  ASSERT_TRUE(plain) << plain.error().text();
  EXPECT_EQ(plain->actions, (std::set<std::string>{"on", "off", "status"}));
  EXPECT_FALSE(plain->unfences);
  EXPECT_FALSE(plain->knows("reboot"));
  const auto fabric = parse_metadata(R"(<action name="on" on_target="1" automatic="1"/><action name="off" />)");
  ASSERT_TRUE(fabric);
  EXPECT_TRUE(fabric->unfences);
  EXPECT_TRUE(fabric->on_target);
}

TEST(FenceMetadata, RefusesWhatIsNone) {
  for (const char* text : {"", "<action", "<action >", "<action name=>", "<action name=\"", "Traceback (most recent"})
    EXPECT_FALSE(parse_metadata(text)) << text;
}

}  // namespace
}  // namespace bascule::fencing
