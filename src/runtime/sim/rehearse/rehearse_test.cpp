#include <gtest/gtest.h>

#include <numeric>

#include "runtime/sim/rehearse/kinds.h"
#include "runtime/sim/rehearse/rehearsal.h"
#include "wire/cluster_config/test_cluster.h"

namespace bascule::sim::rehearse {
namespace {

const std::string shop = R"([volume.data]
disk = { alice = "/dev/a", bob = "/dev/b" }
size = "64MiB"
[service.shop]
volume = "data"
prefer = "alice"
mount = "/srv/shop"
address = "10.0.0.9/24"
run = "ocf:heartbeat:apache"
)";
const std::string boutique = std::string(config::test::three_nodes) + shop;

Result<cluster::Scenario> scenario(const std::string& text, const std::string& kind = "node") {
  return cluster::given_cluster(text, "cluster.toml", 1, weights_of({kind}), {});
}

std::string refusal(const std::string& text, const std::string& kind = "node") {
  const auto made = scenario(text, kind);
  return made ? "" : made.error().text();
}

Request request_for(const std::string& kind, std::uint64_t runs) {
  Request request;
  request.text = boutique, request.file = "cluster.toml", request.kinds = {kind}, request.runs = runs;
  return request;
}

// ---- the scenario of a configuration ----------------------------------------------------------------------------

TEST(GivenCluster, HasTheNodesServicesAndTimingOfTheConfiguration) {
  const auto made = scenario(config::test::replaced(boutique, "name = \"test\"", "name = \"test\"\nlease_ms = 900"));
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_EQ(made->config.nodes.size(), 3U);
  EXPECT_EQ(made->config.timing.lease, milliseconds(900));
  ASSERT_NE(made->config.service("shop"), nullptr);
  EXPECT_EQ(made->config.service("shop")->preferred_node, "alice");
  EXPECT_EQ(made->config.volume("data")->size_bytes, cluster::Volume::data_bytes) << "as large as the simulated disks";
}

TEST(GivenCluster, LeavesOutVolumesThatNoServiceUses) {
  const auto made = scenario(boutique + "[volume.spare]\ndisk = { alice = \"/dev/c\", bob = \"/dev/d\" }\n");
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_EQ(made->config.volumes.size(), 1U);
}

TEST(GivenCluster, SaysWhatCannotBeRehearsed) {
  EXPECT_NE(refusal("[cluster]\nname = 3\n"), "");
  EXPECT_NE(refusal(config::test::three_nodes).find("no services"), std::string::npos);
  const std::string promotable = "[service.db]\npromotable = true\nrun = \"ocf:heartbeat:pgsql\"\n";
  EXPECT_NE(refusal(boutique + promotable).find("promote"), std::string::npos) << refusal(boutique + promotable);
}

TEST(GivenCluster, TakesNoFaultThatCannotHappen) {
  EXPECT_NE(refusal(boutique, "fencing").find("none of these faults"), std::string::npos);
  const std::string fenced = boutique + "[fence.pdu]\nagent = \"fence_sim\"\nnodes = [\"alice\", \"bob\"]\n";
  EXPECT_EQ(refusal(fenced, "fencing"), "");
}

TEST(Kinds, FallEquallyOften) {
  std::uint32_t once = 0;
  for (const Kind& kind : kinds()) {
    const auto weights = weights_of({kind.name});
    const auto sum = std::accumulate(weights.begin(), weights.end(), 0U);
    if (once == 0) once = sum;
    EXPECT_EQ(sum, once) << kind.name;
  }
  EXPECT_TRUE(parse_kinds(usual_kinds()));
  EXPECT_EQ(parse_kinds("link,node,link").value(), (std::vector<std::string>{"link", "node"}));
  for (const char* wrong : {"", "node,", "earthquake"}) EXPECT_FALSE(parse_kinds(wrong)) << wrong;
}

// ---- figures ----------------------------------------------------------------------------------------------------

RunResult run_with(std::uint64_t seed, std::int64_t gone_ms, bool back = true) {
  RunResult result;
  result.seed = seed;
  result.services["shop"] = {milliseconds(gone_ms), back};
  return result;
}

TEST(Figures, AreOverTheRunsThatInterrupted) {
  std::vector<RunResult> results;
  for (std::int64_t i = 0; i <= 10; ++i) results.push_back(run_with(static_cast<std::uint64_t>(11 - i), 100 * i));
  const auto figures = figures_of(results);
  const auto& gone = figures.services.at("shop");
  EXPECT_EQ(figures.runs, 11U);
  EXPECT_EQ(figures.undisturbed, 1U);
  EXPECT_EQ(gone.runs, 10U);
  EXPECT_EQ(gone.median, milliseconds(500));
  EXPECT_EQ(gone.p90, milliseconds(900));
  EXPECT_EQ(gone.worst, milliseconds(1000));
  EXPECT_EQ(gone.worst_seed, 1U);
  EXPECT_EQ(figures.worst_seed, 1U);
  EXPECT_TRUE(figures.good());
}

TEST(Figures, TellTheGravestRun) {
  std::vector<RunResult> results{run_with(1, 9000), run_with(2, 10, false), run_with(3, 20)};
  EXPECT_EQ(figures_of(results).worst_seed, 2U) << "what does not come back is worse than what takes long";
  EXPECT_FALSE(figures_of(results).good());
  results[2].promise = "B1", results[2].violation = "a write is gone", results[2].data_lost = true;
  EXPECT_EQ(figures_of(results).worst_seed, 3U);
  EXPECT_EQ(figures_of(results).lost_data, std::vector<std::uint64_t>{3});
  EXPECT_FALSE(figures_of({run_with(7, 0)}).worst_seed);
}

// ---- runs -------------------------------------------------------------------------------------------------------

TEST(Rehearsal, ADeadMachineCostsWhatTheAgentsTakeAndIsTold) {
  auto request = request_for("node", 4);
  request.given.agent_start = seconds(3);
  const auto report = rehearse(request);
  ASSERT_TRUE(report) << report.error().text();
  const auto& gone = report->figures.services.at("shop");
  ASSERT_GT(gone.runs, 0U) << "no seed hit who has the shop: take others";
  EXPECT_LT(gone.runs, 4U) << "none hit anybody else";
  EXPECT_GT(gone.worst, seconds(3));
  EXPECT_LT(gone.worst, seconds(8));
  EXPECT_TRUE(report->figures.good());
  EXPECT_GT(report->figures.copies.at("data").runs, 0U);
  std::string story;
  for (const auto& line : report->worst) story += line.who + " " + line.text + "\n";
  EXPECT_NE(story.find("loses power"), std::string::npos) << story;
  EXPECT_NE(story.find("THERE AGAIN: service shop"), std::string::npos) << story;
}

TEST(Rehearsal, TheSameSeedIsTheSameRunOnAnyNumberOfThreads) {
  auto request = request_for("process", 2);
  const auto one = rehearse(request);
  request.jobs = 2;
  const auto other = rehearse(request);
  ASSERT_TRUE(one && other);
  EXPECT_EQ(one->figures.services.at("shop").worst, other->figures.services.at("shop").worst);
  EXPECT_EQ(one->figures.copies.at("data").worst, other->figures.copies.at("data").worst);
  EXPECT_EQ(one->worst.size(), other->worst.size());
}

TEST(Rehearsal, BeginsWhereTheServicesRun) {
  auto request = request_for("service", 1);
  request.given.owners["shop"] = "bob";
  const auto report = rehearse(request);
  ASSERT_TRUE(report) << report.error().text();
  for (const auto& line : report->worst) {
    const bool acts = line.text.starts_with("shop: apache");
    EXPECT_TRUE(!acts || line.who == "bob") << line.who << " " << line.text;
  }
}

TEST(Rehearsal, TwoNodesThatCannotTakeOverAreInterruptedUntilTheOtherIsBack) {
  auto request = request_for("node", 2);
  request.text = config::test::replaced(boutique, "[node.carol]\naddress = \"10.0.0.3\"\nrole = \"witness\"\n", "");
  const auto report = rehearse(request);
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->figures.services.at("shop").runs, 2U);
  EXPECT_TRUE(report->figures.good());
}

}  // namespace
}  // namespace bascule::sim::rehearse
