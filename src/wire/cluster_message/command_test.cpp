#include "wire/cluster_message/command.h"

#include <gtest/gtest.h>

#include "wire/cluster_message/message.h"
#include "wire/cluster_message/test_samples.h"

namespace bascule::message {
namespace {

Result<Proposal> decode_text(std::string_view json) { return decode_proposal(view_of(json)); }

TEST(Command, EveryCommandSurvivesTheRoundTrip) {
  Prng prng(1);
  for (int round = 0; round < 3000; ++round) {
    const Proposal proposal = samples::proposal(prng, round % samples::command_kinds);
    const Bytes bytes = encode(proposal);
    const auto decoded = decode_proposal(bytes);
    ASSERT_TRUE(decoded) << text_of(bytes) << decoded.error().text();
    EXPECT_EQ(decoded->id, proposal.id);
    EXPECT_EQ(decoded->proposer, proposal.proposer);
    EXPECT_EQ(decoded->command.index(), proposal.command.index());
    EXPECT_EQ(encode(*decoded), bytes);
  }
}

TEST(Command, IsReadableAndCompact) {
  const Proposal proposal{7, "alice", ShrinkInSync{"data", 4, 9, "bob"}};
  EXPECT_EQ(text_of(encode(proposal)), R"({"op":"shrink_in_sync","id":7,"proposer":"alice","volume":"data","epoch":4,)"
                                       R"("version":9,"remove":"bob"})");
}

TEST(Command, KeepsTheWholeRangeOfIds) {
  const auto decoded = decode_proposal(encode(Proposal{~std::uint64_t{0}, "a", RequestStop{"s", 1ull << 63, ""}}));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->id, ~std::uint64_t{0});
  EXPECT_EQ(std::get<RequestStop>(decoded->command).epoch, 1ull << 63);
}

TEST(Command, IgnoresUnknownFields) {
  const auto decoded = decode_text(
      R"({"op":"set_standby","id":1,"proposer":"a","node":"bob","standby":true,"wait":false,"later":[1,{"x":2}]})");
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(std::get<SetStandby>(decoded->command).standby);
}

TEST(Command, NamesTheMissingOrMistypedField) {
  const auto missing = decode_text(R"({"op":"set_standby","id":1,"proposer":"a","node":"bob"})");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().why, "\"standby\" is missing");
  const auto mistyped = decode_text(R"({"op":"set_standby","id":1,"proposer":"a","node":5,"standby":true})");
  ASSERT_FALSE(mistyped);
  EXPECT_EQ(mistyped.error().why, "\"node\" has the wrong type");
  const auto negative = decode_text(R"({"op":"set_standby","id":-1,"proposer":"a","node":"b","standby":true})");
  ASSERT_FALSE(negative);
  EXPECT_EQ(negative.error().why, "\"id\" has the wrong type");
}

TEST(Command, RefusesWhatIsNoCommand) {
  for (const char* json : {"", "{", "[]", "null", "7", "\xff\xfe", R"({"op":"explode","id":1,"proposer":"a"})",
                           R"({"op":7,"id":1,"proposer":"a"})"})
    EXPECT_FALSE(decode_text(json)) << json;
  EXPECT_FALSE(decode_text(std::string(datagram_bytes_max + 1, ' ')));
  EXPECT_FALSE(decode_text(std::string(50000, '[')));
}

TEST(Command, SurvivesTextThatIsNotUtf8) {
  const auto decoded = decode_proposal(encode(Proposal{1, "a", RecordFailure{"s", "n", 1, true, "bad \xff byte"}}));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(std::get<RecordFailure>(decoded->command).text, "bad \xef\xbf\xbd byte");
}

TEST(Command, SpeaksInSentences) {
  EXPECT_EQ(text(GrantOwnership{"shop", "data", "bob", "alice", 3, 5, "alice's lease has ended"}),
            "grant shop to bob (epoch 4): alice's lease has ended");
  EXPECT_EQ(text(GrantOwnership{"", "data", "bob", "", 0, 5, ""}), "grant data to bob (epoch 6)");
  EXPECT_EQ(text(MoveService{"shop", ""}), "move shop away from its node");
  Prng prng(2);
  for (int kind = 0; kind < samples::command_kinds; ++kind)
    EXPECT_GT(text(samples::proposal(prng, kind).command).size(), 5u);
}

}  // namespace
}  // namespace bascule::message
