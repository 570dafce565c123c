#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "base/test_directory.h"
#include "runtime/manager_host/block_client.h"
#include "runtime/manager_host/journal.h"

namespace bascule::manager_host {
namespace {

class JournalTest : public testing::Test {
 protected:
  static message::Event event(const std::string& kind, const std::string& index = "") {
    message::Event event;
    event.kind = kind;
    if (!index.empty()) event.fields["index"] = index;
    return event;
  }
  TestDirectory made;
  std::string directory = made.path();
};

TEST_F(JournalTest, GoesOnWhereAnEarlierStartEnded) {
  {
    Journal journal;
    ASSERT_TRUE(journal.open(directory));
    journal.add(event("standby", "12"));
    journal.add(event("node-lost"));
  }
  std::ofstream(directory + "/events.jsonl", std::ios::app) << "{\"seq\":3,\"kind\":\"to";  // the machine died here
  Journal journal;
  ASSERT_TRUE(journal.open(directory));
  ASSERT_EQ(journal.events().size(), 2u);
  EXPECT_EQ(journal.events().back().kind, "node-lost");
  EXPECT_EQ(journal.told_index(), 12u);
  journal.add(event("online"));
  EXPECT_EQ(journal.events().back().sequence, Journal::numbers_reserved + 1);
  Journal third;
  ASSERT_TRUE(third.open(directory));
  EXPECT_EQ(third.events().size(), 3u);
}

TEST_F(JournalTest, TellsItsListenersUntilTheyLeave) {
  Journal journal;
  ASSERT_TRUE(journal.open(directory));
  int told = 0;
  const auto id = journal.listen([&](const message::Event&) { ++told; });
  journal.add(event("online"));
  journal.unlisten(id);
  journal.add(event("online"));
  EXPECT_EQ(told, 1);
}

TEST_F(JournalTest, SaysWhichDirectoryCannotBeWritten) {
  Journal journal;
  const auto opened = journal.open(directory + "/missing");
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().text().find("missing"), std::string::npos);
}

TEST(VolumeState, ReadsWhatBlockdSaysAndForgivesWhatItDoesNot) {
  const auto state = parse_volume_state(
      R"({"attached":true,"role":"Primary","disk":"UpToDate","promoted_epoch":4,"peer":"bob","wants_shrink":true,
          "writes_held":"many"})",
      "data");
  ASSERT_TRUE(state);
  EXPECT_EQ(state->report.name, "data");
  EXPECT_EQ(state->promoted_epoch, 4u);
  EXPECT_TRUE(state->wants_shrink);
  EXPECT_FALSE(state->wants_grow);
  EXPECT_EQ(state->report.writes_held, 0u);
  EXPECT_FALSE(parse_volume_state("[1,2]", "data"));
  EXPECT_FALSE(parse_volume_state("{", "data"));
}

}  // namespace
}  // namespace bascule::manager_host
