#include "core/agents/unit_action.h"

#include <gtest/gtest.h>

#include <array>

#include "base/prng.h"
#include "core/agents/lsb.h"
#include "core/agents/ocf.h"

namespace bascule::agents {
namespace {

using namespace unit;

/// A unit action with its effects as words.
class Acting {
 public:
  explicit Acting(const std::string& operation) : action_(operation, "web.service") {
    Effects effects;
    action_.begin(effects);
    note(effects);
  }
  Acting& tell(const Input& input) {
    Effects effects;
    action_.step(input, effects);
    note(effects);
    return *this;
  }
  Acting& reads(const std::string& active, const std::string& load = "loaded", const std::string& sub = "") {
    return tell(Properties{load, active, sub});
  }
  [[nodiscard]] std::string words() const { return words_; }
  [[nodiscard]] bool done() const { return done_ == 1; }

 private:
  void note(const Effects& effects) {
    for (const auto& effect : effects) {
      words_ += words_.empty() ? "" : " ";
      if (std::holds_alternative<Load>(effect)) words_ += "load";
      if (std::holds_alternative<Read>(effect)) words_ += "read";
      if (std::holds_alternative<Start>(effect)) words_ += "start";
      if (std::holds_alternative<Stop>(effect)) words_ += "stop";
      if (const auto* end = std::get_if<Done>(&effect)) {
        ++done_;
        EXPECT_EQ(done_, 1);
        words_ += "rc " + std::to_string(end->return_code) + (end->reason.empty() ? "" : ": " + end->reason);
      }
    }
  }
  UnitAction action_;
  std::string words_;
  int done_ = 0;
};

TEST(UnitAction, MonitorReadsTheState) {
  EXPECT_EQ(Acting("monitor").tell(Loaded{}).reads("active").words(), "load read rc 0");
  EXPECT_EQ(Acting("monitor").tell(Loaded{}).reads("reloading").words(), "load read rc 0");
  EXPECT_EQ(Acting("monitor").tell(Loaded{}).reads("inactive", "loaded", "dead").words(),
            "load read rc 7: web.service is inactive (dead)");
  EXPECT_EQ(Acting("monitor").tell(Loaded{}).reads("failed").words(), "load read rc 7: web.service is failed");
  EXPECT_EQ(Acting("monitor").tell(Loaded{}).reads("inactive", "not-found").words(),
            "load read rc 5: web.service is not-found");
  EXPECT_EQ(Acting("monitor").tell(Loaded{}).reads("inactive", "bad-setting").words(),
            "load read rc 6: web.service is bad-setting");
  EXPECT_EQ(Acting("monitor").tell(Loaded{}).reads("active", "not-found").words(), "load read rc 0")
      << "its file was removed, it runs all the same";
}

TEST(UnitAction, MonitorWaitsForWhatIsOnItsWay) {
  Acting acting("monitor");
  acting.tell(Loaded{}).reads("activating", "loaded", "auto-restart");
  EXPECT_FALSE(acting.done());
  EXPECT_EQ(acting.reads("deactivating").reads("activating").reads("active").words(), "load read rc 0");
  EXPECT_EQ(Acting("monitor").tell(Loaded{}).reads("activating").tell(TimedOut{}).words(),
            "load read rc -1: timed out: web.service is activating");
}

TEST(UnitAction, StartAwaitsItsJobAndLooks) {
  Acting acting("start");
  acting.tell(Loaded{}).reads("inactive").tell(JobQueued{"/job/7"}).tell(JobRemoved{"/job/6", "failed"});
  EXPECT_EQ(acting.words(), "load read start");
  EXPECT_EQ(acting.tell(JobRemoved{"/job/7", "done"}).reads("active").words(), "load read start read rc 0");
}

TEST(UnitAction, AJobMayEndBeforeItIsKnownToBeOurs) {
  Acting acting("start");
  acting.tell(Loaded{}).reads("inactive").tell(JobRemoved{"/job/7", "done"}).tell(JobQueued{"/job/7"});
  EXPECT_EQ(acting.reads("active").words(), "load read start read rc 0");
}

TEST(UnitAction, AFailedJobIsAFailedStart) {
  Acting acting("start");
  acting.tell(Loaded{}).reads("inactive").tell(JobQueued{"/job/7"}).tell(JobRemoved{"/job/7", "dependency"});
  EXPECT_EQ(acting.words(), "load read start rc 1: systemd's job to start web.service ended with: dependency");
}

TEST(UnitAction, WhatEndsAtOnceWasNotStarted) {
  Acting ended("start"), failed("start");
  ended.tell(Loaded{}).reads("inactive").tell(JobQueued{"j"}).tell(JobRemoved{"j", "done"}).reads("inactive");
  EXPECT_EQ(ended.words(), "load read start read rc 7: web.service is inactive");
  failed.tell(Loaded{}).reads("inactive").tell(JobQueued{"j"}).tell(JobRemoved{"j", "done"}).reads("failed");
  EXPECT_EQ(failed.words(), "load read start read rc 1: web.service is failed");
}

TEST(UnitAction, AUnitThatCannotBeLoadedIsNotInstalledAndIsStopped) {
  EXPECT_EQ(Acting("start").tell(Loaded{}).reads("inactive", "not-found").words(),
            "load read rc 5: web.service is not-found");
  EXPECT_EQ(Acting("start").tell(Loaded{}).reads("inactive", "masked").words(),
            "load read rc 5: web.service is masked");
  EXPECT_EQ(Acting("stop").tell(Loaded{}).reads("inactive", "not-found").words(), "load read rc 0");
  const Refused unknown{"org.freedesktop.systemd1.NoSuchUnit", "Unit web.service not found."};
  EXPECT_EQ(Acting("start").tell(unknown).words(), "load rc 5: Unit web.service not found.");
  EXPECT_EQ(Acting("stop").tell(unknown).words(), "load rc 0");
  EXPECT_EQ(Acting("start").tell(Refused{"org.freedesktop.DBus.Error.AccessDenied", "no"}).words(), "load rc 4: no");
}

TEST(UnitAction, StopWaitsUntilItIsOver) {
  Acting acting("stop");
  acting.tell(Loaded{}).reads("active").tell(JobQueued{"j"}).tell(JobRemoved{"j", "done"}).reads("deactivating");
  EXPECT_FALSE(acting.done());
  EXPECT_EQ(acting.reads("failed").words(), "load read stop read rc 0");
  Acting still("stop");
  still.tell(Loaded{}).reads("active").tell(JobQueued{"j"}).tell(JobRemoved{"j", "done"}).reads("active");
  EXPECT_EQ(still.words(), "load read stop read rc 1: web.service is active");
}

TEST(UnitAction, BeginsAgainWhenTheBusIsBack) {
  Acting acting("start");
  acting.tell(Loaded{}).reads("inactive").tell(BusBack{}).tell(JobRemoved{"/job/7", "done"});
  EXPECT_EQ(acting.words(), "load read start load");
  EXPECT_EQ(acting.tell(Cancelled{}).words(), "load read start load rc -1: cancelled");
}

/// Whatever is told in whatever order: one end at most, and after it nothing.
TEST(UnitAction, TellsOneEndWhateverItHears) {
  const std::string actives[] = {"active",       "inactive",  "failed",     "activating",
                                 "deactivating", "reloading", "maintenance"};
  const std::string loads[] = {"loaded", "not-found", "masked", "error"}, results[] = {"done", "failed", "canceled"};
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    Prng prng(seed);
    Acting acting(std::array{"start", "stop", "monitor"}[prng.below(3)]);
    for (int round = 0; round < 20; ++round) {
      switch (prng.below(7)) {
        case 0:
          acting.tell(Loaded{});
          break;
        case 1:
          acting.tell(JobQueued{std::to_string(prng.below(3))});
          break;
        case 2:
          acting.tell(JobRemoved{std::to_string(prng.below(3)), results[prng.below(3)]});
          break;
        case 3:
          if (prng.chance(1, 6)) acting.tell(BusBack{});
          break;
        case 4:
          if (prng.chance(1, 6)) acting.tell(Refused{"x.y", "z"});
          break;
        default:
          acting.reads(actives[prng.below(7)], loads[prng.below(4)]);
      }
    }
    acting.tell(TimedOut{});
    EXPECT_TRUE(acting.done()) << seed << ": " << acting.words();
  }
}

TEST(UnitAction, ANameWithoutASuffixIsAService) {
  EXPECT_EQ(unit_of("nginx"), "nginx.service");
  EXPECT_EQ(unit_of("getty@tty1"), "getty@tty1.service");
  EXPECT_EQ(unit_of("a.b"), "a.b.service");
  EXPECT_EQ(unit_of("srv-data.mount"), "srv-data.mount");
}

TEST(Lsb, CodesMeanWhatPacemakerReadsInThem) {
  const std::pair<int, int> status[] = {{0, 0}, {1, 7}, {2, 7}, {3, 7}, {4, 1}, {150, 5}, {152, 4}, {99, 1}, {-1, -1}};
  for (const auto& [exit_code, meant] : status) EXPECT_EQ(ocf_code_of_lsb("monitor", exit_code), meant) << exit_code;
  const std::pair<int, int> start[] = {{0, 0}, {1, 1}, {5, 5}, {6, 6}, {7, 7}, {8, 1}, {190, 1}, {-2, -2}};
  for (const auto& [exit_code, meant] : start) EXPECT_EQ(ocf_code_of_lsb("start", exit_code), meant) << exit_code;
}

}  // namespace
}  // namespace bascule::agents
