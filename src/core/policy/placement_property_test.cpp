// What holds for the placement in every small cluster, against all places there are.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>

#include "core/policy/test_cluster.h"

namespace bascule::policy {
namespace {

using namespace testing;  // NOLINT: words of small clusters

struct Web {
  std::array<int, 2> score{};  ///< of its locations
  int stickiness = 0;
  bool runs_on_b = false;
  int with = -1;  ///< the web it must be with (tied) or apart from
  bool tied = true;

  [[nodiscard]] int worth(int node) const { return score.at(node) + (runs_on_b && node == 1 ? stickiness : 0); }
};

std::vector<Web> some_webs() {
  std::vector<Web> webs(*rc::gen::inRange<std::size_t>(1, 7));
  for (std::size_t i = 0; i < webs.size(); ++i) {
    for (int& score : webs[i].score) score = *rc::gen::inRange(-3, 4) * 50;
    webs[i].stickiness = *rc::gen::element(0, 60);
    webs[i].runs_on_b = *rc::gen::arbitrary<bool>();
    if (i > 0 && *rc::gen::arbitrary<bool>()) webs[i].with = *rc::gen::inRange(0, static_cast<int>(i));
    webs[i].tied = *rc::gen::arbitrary<bool>();
  }
  return webs;
}

Cluster cluster_of(const std::vector<Web>& webs) {
  Cluster cluster;
  for (std::size_t i = 0; i < webs.size(); ++i) {
    const std::string id = "web" + std::to_string(i);
    cluster.resources += primitive(id, "<meta_attributes id=\"" + id + "-m\"><nvpair id=\"" + id +
                                           "-s\" name=\"resource-stickiness\" value=\"" +
                                           std::to_string(webs[i].stickiness) + "\"/></meta_attributes>");
    for (int node = 0; node < 2; ++node)
      cluster.constraints += "<rsc_location id=\"l" + id + "-" + std::to_string(node) + "\" rsc=\"" + id +
                             "\" node=\"" + (node == 0 ? "a" : "b") + "\" score=\"" +
                             std::to_string(webs[i].score.at(node)) + "\"/>";
    cluster.on_a += stopped(id);
    cluster.on_b += webs[i].runs_on_b ? started(id) : stopped(id);
    if (webs[i].with >= 0)
      cluster.constraints += "<rsc_colocation id=\"k" + id + "\" rsc=\"" + id + "\" with-rsc=\"web" +
                             std::to_string(webs[i].with) + "\" score=\"" + (webs[i].tied ? "" : "-") + "INFINITY\"/>";
  }
  return cluster;
}

/// 0: a, 1: b, -1: nowhere.
std::vector<int> places_of(const std::vector<Web>& webs) {
  auto document = cib::parse(cluster_of(webs).xml(), "test");
  RC_ASSERT(static_cast<bool>(document));
  const Plan made = plan({std::make_shared<const cib::Cib>(std::move(document->cib)), 1'000'000});
  std::vector<int> places;
  for (std::size_t i = 0; i < webs.size(); ++i) {
    const detail::Resource& web = made.board().resource(made.board().find_resource("web" + std::to_string(i)));
    places.push_back(web.node == detail::kNone ? -1 : made.board().node(web.node).name == "a" ? 0 : 1);
  }
  return places;
}

RC_GTEST_PROP(Placement, NoOtherPlaceWouldHaveBeenBetter, ()) {
  const std::vector<Web> webs = some_webs();
  const std::vector<int> places = places_of(webs);
  for (std::size_t i = 0; i < webs.size(); ++i) {
    const Web& web = webs[i];
    // Others that want to be with it have a say.
    const bool asked =
        std::any_of(webs.begin(), webs.end(), [&](const Web& other) { return other.with == static_cast<int>(i); });
    const int partner = web.with < 0 ? -1 : places[web.with];
    const auto allowed = [&](int node) {
      if (!asked && web.worth(node) < 0) return false;
      if (web.with < 0) return true;
      return web.tied ? partner == node : partner != node;
    };
    if (places[i] >= 0) RC_ASSERT(allowed(places[i]));
    if (asked) continue;
    int best = -1;
    for (int node = 0; node < 2; ++node)
      if (allowed(node)) best = std::max(best, web.worth(node));
    const bool as_good = places[i] >= 0 ? web.worth(places[i]) == best : best < 0;
    RC_ASSERT(as_good);
  }
}

RC_GTEST_PROP(Placement, TheSameSnapshotGivesTheSamePlan, ()) {
  const Cluster cluster = cluster_of(some_webs());
  RC_ASSERT(Graph(cluster).sent() == Graph(cluster).sent());
}

}  // namespace
}  // namespace bascule::policy
