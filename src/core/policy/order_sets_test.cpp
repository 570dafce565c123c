// Order constraints: kinds, sets, and how few of several are enough.
#include "core/policy/test_cluster.h"

namespace bascule::policy {
namespace {

using namespace testing;  // NOLINT: words of small clusters

Cluster three(const std::string& constraints) {
  Cluster cluster;
  cluster.resources = primitive("disk") + primitive("web") + primitive("mail");
  for (const char* id : {"disk", "web", "mail"}) cluster.on_a += stopped(id), cluster.on_b += stopped(id);
  cluster.constraints = constraints + R"(<rsc_location id="l1" rsc="disk" node="a" score="5"/>)" +
                        R"(<rsc_location id="l2" rsc="web" node="a" score="5"/>)" +
                        R"(<rsc_location id="l3" rsc="mail" node="b" score="5"/>)";
  return cluster;
}

std::string set(const std::string& id, const std::string& attributes, const std::string& members) {
  return "<resource_set id=\"" + id + "\" " + attributes + ">" + members + "</resource_set>";
}
std::string reference(const std::string& id) { return "<resource_ref id=\"" + id + "\"/>"; }

TEST(OrderSets, OneResourceStartsAfterTheOther) {
  const Graph graph(three(R"(<rsc_order id="o" first="mail" then="disk"/>)"));
  EXPECT_TRUE(graph.before("mail_start_0@b", "disk_start_0@a"));
  EXPECT_FALSE(graph.before("disk_start_0@a", "mail_start_0@b"));
  EXPECT_FALSE(graph.before("mail_start_0@b", "web_start_0@a"));
}

TEST(OrderSets, AMandatoryOrderNeedsItsFirst) {
  Cluster cluster = three(R"(<rsc_order id="o" first="mail" then="disk"/>)");
  cluster.resources =
      primitive("disk") + primitive("web") + primitive("mail", meta("m", pair("target-role", "Stopped")));
  EXPECT_FALSE(Graph(cluster).has("disk_start_0@a"));
  EXPECT_TRUE(Graph(cluster).has("web_start_0@a"));
}

TEST(OrderSets, AnOptionalOrderDoesNot) {
  Cluster cluster = three(R"(<rsc_order id="o" first="mail" then="disk" kind="Optional"/>)");
  EXPECT_TRUE(Graph(cluster).before("mail_start_0@b", "disk_start_0@a"));
  cluster.resources =
      primitive("disk") + primitive("web") + primitive("mail", meta("m", pair("target-role", "Stopped")));
  EXPECT_TRUE(Graph(cluster).has("disk_start_0@a"));
}

TEST(OrderSets, ADeviceIsOrderedLikeAnythingElse) {
  Cluster cluster = three(R"(<rsc_order id="o" first="disk" then="fence"/>)");
  cluster.resources += R"(<primitive id="fence" class="stonith" type="fence_x"/>)";
  const Graph graph(cluster);
  EXPECT_TRUE(graph.before("disk_start_0@a", "fence_start_0@a") || graph.before("disk_start_0@a", "fence_start_0@b"));
}

TEST(OrderSets, ASequentialSetIsAChain) {
  const Graph graph(three("<rsc_order id=\"o\">" +
                          set("s", "sequential=\"true\"", reference("mail") + reference("web") + reference("disk")) +
                          "</rsc_order>"));
  EXPECT_TRUE(graph.before("mail_start_0@b", "web_start_0@a"));
  EXPECT_TRUE(graph.before("web_start_0@a", "disk_start_0@a"));
}

TEST(OrderSets, ASetWithoutSequenceWaitsAsAWhole) {
  const Graph graph(three("<rsc_order id=\"o\">" +
                          set("s", "sequential=\"false\"", reference("mail") + reference("web")) +
                          set("t", "", reference("disk")) + "</rsc_order>"));
  EXPECT_TRUE(graph.before("mail_start_0@b", "disk_start_0@a"));
  EXPECT_TRUE(graph.before("web_start_0@a", "disk_start_0@a"));
  EXPECT_FALSE(graph.before("mail_start_0@b", "web_start_0@a"));
  EXPECT_FALSE(graph.before("web_start_0@a", "mail_start_0@b"));
}

TEST(OrderSets, WithoutRequireAllOneOfThemIsEnough) {
  Cluster cluster = three("<rsc_order id=\"o\">" +
                          set("s", R"(sequential="false" require-all="false")", reference("mail") + reference("web")) +
                          set("t", "", reference("disk")) + "</rsc_order>");
  cluster.resources =
      primitive("disk") + primitive("web") + primitive("mail", meta("m", pair("target-role", "Stopped")));
  EXPECT_TRUE(Graph(cluster).before("web_start_0@a", "disk_start_0@a"));
}

TEST(OrderSets, RestartTypeMakesAnOptionalOrderRestart) {
  Cluster cluster = three(R"(<rsc_order id="o" first="disk" then="web" kind="Optional"/>)");
  cluster.resources =
      primitive("disk") + primitive("mail") + primitive("web", meta("w", pair("restart-type", "restart")));
  cluster.on_a = started("web") + stopped("disk") + stopped("mail");
  EXPECT_TRUE(Graph(cluster).before("web_stop_0@a", "disk_start_0@a") ||
              Graph(cluster).before("disk_start_0@a", "web_start_0@a"));
}

TEST(OrderSets, WhereANameMeansNothingTheOrderEndsThereAndTagsStandForNobody) {
  const std::string unused = R"(<template id="unused" class="ocf" provider="pacemaker" type="Stateful"/>)";
  const std::string first = set("s", "", reference("disk") + reference("web"));
  const std::string missing = set("t", "", reference("unused"));
  Cluster cluster = three("<rsc_order id=\"o\">" + first + missing + "</rsc_order>");
  cluster.resources += unused;
  EXPECT_TRUE(Graph(cluster).before("disk_start_0@a", "web_start_0@a"));
  cluster = three("<rsc_order id=\"o\">" + missing + first + "</rsc_order>");
  cluster.resources += unused;
  EXPECT_FALSE(Graph(cluster).before("disk_start_0@a", "web_start_0@a"));

  const std::string made = R"(<template id="made" class="ocf" provider="pacemaker" type="Stateful"/>)"
                           R"(<primitive id="one" template="made"/>)";
  const std::string by_template = set("s", "", reference("made") + reference("web"));
  cluster = three("<rsc_order id=\"o\">" + by_template + "</rsc_order>");
  cluster.resources += made + unused;
  cluster.on_a += stopped("one"), cluster.on_b += stopped("one");
  EXPECT_TRUE(Graph(cluster).before("one_start_0@b", "web_start_0@a"));
  cluster.constraints = three("<rsc_order id=\"o\">" + by_template + missing + "</rsc_order>").constraints;
  EXPECT_FALSE(Graph(cluster).before("one_start_0@b", "web_start_0@a"));
}

TEST(OrderSets, WhetherTheEarlierActionMustBePossibleIsAQuestionOfTheLaterOne) {
  const auto sets = [](const std::string& then_action) {
    return "<rsc_order id=\"o\" symmetrical=\"true\">" + set("s", "action=\"stop\"", reference("c")) +
           set("t", then_action, reference("web")) + "</rsc_order>";
  };
  Cluster cluster;
  cluster.resources = "<clone id=\"c\">" + primitive("x") + "</clone>" + primitive("web");
  cluster.on_a = cluster.on_b = stopped("x") + stopped("web");
  // No instance is there to be stopped.
  cluster.constraints = sets("");
  EXPECT_FALSE(Graph(cluster).has("web_start_0@a"));
  cluster.constraints = sets("action=\"stop\"");
  EXPECT_TRUE(Graph(cluster).has("web_start_0@a"));
}

TEST(OrderSets, EachMemberFollowsTheSetBeforeUnlessSequentialIsWritten) {
  const auto sets = [](const std::string& attributes) {
    return "<rsc_order id=\"o\">" + set("s1", "action=\"stop\"", reference("mail")) +
           set("s2", attributes, reference("disk") + reference("web")) + "</rsc_order>";
  };
  Cluster cluster = three(sets(""));
  cluster.on_a = started("disk") + started("web") + stopped("mail");
  cluster.on_b = stopped("disk") + stopped("web") + recorded("mail", "start", 0);
  cluster.resources = primitive("disk") + primitive("web", meta("w", pair("target-role", "Stopped"))) +
                      primitive("mail", meta("m", pair("target-role", "Stopped")));
  EXPECT_TRUE(Graph(cluster).has("mail_stop_0@b"));
  cluster = three(sets(""));
  const auto follows = [](const Cluster& made) {
    auto document = cib::parse(made.xml(), "test");
    const Plan planned = plan({std::make_shared<const cib::Cib>(std::move(document->cib)), 1'000'000});
    const auto& orderings = planned.board().orderings;
    return std::any_of(orderings.begin(), orderings.end(), [](const detail::Ordering& each) {
      return each.first_key == "mail_stop_0" && each.then_key == "web_start_0";
    });
  };
  EXPECT_TRUE(follows(cluster));
  EXPECT_FALSE(follows(three(sets("sequential=\"true\""))));
}

}  // namespace
}  // namespace bascule::policy
