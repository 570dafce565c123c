// What a configured operation means: which on-fail counts.
#include "core/policy/operations.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "core/policy/detail/steps.h"
#include "core/policy/plan.h"
#include "core/policy/test_cluster.h"

namespace bascule::policy {
namespace {

using detail::OnFail;

/// on-fail of a task of the promotable resource r with these operations.
OnFail on_fail(const std::string& operations, const std::string& task, bool fencing) {
  testing::Cluster cluster;
  cluster.properties = testing::pair("stonith-enabled", fencing ? "true" : "false");
  cluster.resources = "<clone id=\"c\">" + testing::meta("c", testing::pair("promotable", "true")) +
                      testing::primitive("r", "<operations>" + operations + "</operations>") + "</clone>";
  auto document = cib::parse(cluster.xml(), "test");
  EXPECT_TRUE(document) << document.error().text();
  if (!document) return OnFail::none;
  const Plan seen = observe({std::make_shared<const cib::Cib>(std::move(document->cib)), 1'000'000});
  const detail::Board& board = seen.board();
  const detail::Resource& resource = board.resource(board.find_resource("r:0"));
  return detail::on_fail_of(board, resource, task, 0, detail::find_operation(resource, task, 0, true));
}

TEST(OnFail, AStopCannotLeadToStandbyOrToAnotherStop) {
  for (const char* word : {"standby", "stop"}) {
    const std::string stop = R"(<op id="o" name="stop" interval="0" on-fail=")" + std::string(word) + "\"/>";
    EXPECT_EQ(on_fail(stop, "stop", true), OnFail::fence) << word;
    EXPECT_EQ(on_fail(stop, "stop", false), OnFail::block) << word;
  }
  EXPECT_EQ(on_fail(R"(<op id="o" name="start" interval="0" on-fail="standby"/>)", "start", true), OnFail::standby);
}

TEST(OnFail, ADemotionTakesItFromThePromotedMonitorItself) {
  EXPECT_EQ(on_fail(R"(<op id="o" name="monitor" interval="5s" role="Promoted" on-fail="block"/>)", "demote", true),
            OnFail::block);
  const std::string in_meta = R"(<op id="o" name="monitor" interval="5s" role="Promoted">)" +
                              testing::meta("o", testing::pair("on-fail", "block")) + "</op>";
  EXPECT_EQ(on_fail(in_meta, "demote", true), OnFail::recover);
}

}  // namespace
}  // namespace bascule::policy
