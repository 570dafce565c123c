#include <gtest/gtest.h>

#include "base/prng.h"
#include "core/store/store.h"

namespace bascule::store {
namespace {

using message::GrantOwnership;
using message::IssueToken;
using message::SetConfig;
using message::UseToken;

/// What the log does with configurations and tokens.
class ConfigurationRules : public testing::Test {
 protected:
  Applied apply(message::Command command) {
    ++index_;
    return store_.apply(index_, {7000 + index_, "alice", std::move(command)});
  }
  static SetConfig version_after(std::uint64_t base, std::string text = "text") {
    return {base, false, std::move(text), "why", "ann", 5, 3};
  }
  static SetConfig adoption() { return {0, true, "file", "", "", 5, 3}; }
  [[nodiscard]] const ClusterState& state() const { return store_.state(); }

  Store store_;
  std::uint64_t index_ = 0;
};

TEST_F(ConfigurationRules, TheFilesAreAdoptedOnceAndTheFirstChangeIsVersionOne) {
  EXPECT_EQ(apply(version_after(0)).why, "what the files say was not agreed on yet");
  EXPECT_TRUE(apply(adoption()).accepted);
  EXPECT_FALSE(apply(adoption()).accepted);
  EXPECT_EQ(state().configuration(), 0u);
  EXPECT_TRUE(apply(version_after(0)).accepted);
  EXPECT_EQ(state().configuration(), 1u);
  EXPECT_EQ(state().configurations.back().who, "ann");
}

TEST_F(ConfigurationRules, WhoeverLookedAtAnOlderVersionIsRefused) {
  (void)apply(adoption());
  (void)apply(version_after(0, "one"));
  EXPECT_EQ(apply(version_after(0, "two")).why,
            "the configuration is at version 1 by now, not 0: look at the difference again");
  EXPECT_EQ(state().configurations.back().text, "one");
  EXPECT_FALSE(apply(version_after(1, std::string(message::config_text_bytes_max + 1, 'x'))).accepted);
  EXPECT_FALSE(apply(version_after(1, "")).accepted);
}

TEST_F(ConfigurationRules, AGrantThatWasDecidedOnAnOlderConfigurationIsRefused) {
  (void)apply(adoption());
  (void)apply(version_after(0));
  EXPECT_EQ(apply(GrantOwnership{"web", "", "bob", "", 0, 0, ""}).why,
            "the configuration is at version 1 by now, not 0");
  EXPECT_TRUE(apply(GrantOwnership{"web", "", "bob", "", 0, 0, "", 1}).accepted);
  EXPECT_EQ(state().services.at("web").configuration, 1u);
}

TEST_F(ConfigurationRules, OldVersionsGoButNotTheOneByWhichSomethingRuns) {
  (void)apply(adoption());
  (void)apply(GrantOwnership{"web", "", "bob", "", 0, 0, "", 0});
  for (std::uint64_t version = 0; version < 40; ++version) ASSERT_TRUE(apply(version_after(version)).accepted);
  EXPECT_EQ(state().configurations.size(), configurations_kept + 1);
  EXPECT_EQ(state().configurations.front().text, "file");
  const auto restored = Store::restore(store_.snapshot());
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->state(), state());
}

TEST_F(ConfigurationRules, ABriefSnapshotHasWhatDecisionsAreTakenOn) {
  (void)apply(adoption());
  (void)apply(IssueToken{"dave", "aa", 1000, 2000, "ann"});
  (void)apply(GrantOwnership{"web", "", "bob", "", 0, 0, "", 0});
  ASSERT_TRUE(apply(version_after(0)).accepted);
  const auto brief = store_.brief();
  const auto restored = Store::restore(view_of(brief));
  ASSERT_TRUE(restored) << brief;
  EXPECT_EQ(restored->state().services, state().services);
  EXPECT_EQ(restored->state().configuration(), state().configuration());
  EXPECT_EQ(restored->state().configurations.size(), 1u);
  EXPECT_TRUE(restored->state().configurations.front().text.empty());
  EXPECT_TRUE(restored->state().tokens.empty());
}

TEST_F(ConfigurationRules, ATokenWorksOnce) {
  EXPECT_TRUE(apply(IssueToken{"dave", "aa", 1000, 2000, "ann"}).accepted);
  EXPECT_EQ(apply(UseToken{"bb", 1500, "10.0.0.4"}).why, "there is no such token");
  EXPECT_EQ(apply(UseToken{"aa", 2000, "10.0.0.4"}).why, "the token has expired");
  EXPECT_TRUE(apply(UseToken{"aa", 1500, "10.0.0.4"}).accepted);
  EXPECT_EQ(apply(UseToken{"aa", 1500, "10.0.0.4"}).why, "the token was used before; a token works once");
  EXPECT_TRUE(apply(IssueToken{"dave", "cc", 1600, 2600, "ann"}).accepted) << "after a crash in between: a new one";
  EXPECT_EQ(state().tokens.size(), 1u) << "and the one before counts no more";
  const auto restored = Store::restore(store_.snapshot());
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->state(), state());
}

/// Whatever is proposed, doubled and late: versions follow one another, and each accepted proposal made exactly one.
TEST_F(ConfigurationRules, PropertyEachAcceptedChangeIsOneVersion) {
  Prng prng(42);
  (void)apply(adoption());
  std::vector<message::Proposal> sent;
  std::map<std::uint64_t, bool> accepted;
  for (int i = 0; i < 20'000; ++i) {
    const bool again = !sent.empty() && prng.chance(1, 4);
    const auto base = state().configuration() - std::min<std::uint64_t>(state().configuration(), prng.below(3));
    const auto proposal =
        again ? sent[sent.size() - 1 - prng.below(std::min<std::size_t>(sent.size(), 100))]
              : message::Proposal{100'000u + static_cast<std::uint64_t>(i), "alice", version_after(base)};
    const auto before = state().configuration();
    const auto applied = store_.apply(++index_, proposal);
    const bool fresh = accepted.emplace(proposal.id, applied.accepted).second;
    ASSERT_EQ(accepted.at(proposal.id), applied.accepted) << "the same answer as the first time";
    ASSERT_EQ(state().configuration(), before + (fresh && applied.accepted ? 1 : 0));
    sent.push_back(proposal);
  }
  const auto count = std::count_if(accepted.begin(), accepted.end(), [](const auto& one) { return one.second; });
  EXPECT_EQ(static_cast<std::uint64_t>(count), state().configuration());
}

}  // namespace
}  // namespace bascule::store
