// When a plan has been carried out and all of it worked, there is nothing left to do.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/prng.h"
#include "core/policy/board.h"
#include "core/policy/graph.h"
#include "core/policy/plan.h"
#include "edge/simulate/execute.h"
#include "wire/cib/parse.h"

namespace bascule::simulate {
namespace {

/// A cluster of nodes that are up and know nothing yet, with a bit of each construct.
class RandomCluster {
 public:
  explicit RandomCluster(std::uint64_t seed) : prng_(seed), nodes_(2 + prng_.between(0, 3)) {
    for (std::uint64_t number = prng_.between(1, 8); number > 0; --number) add_resource();
    for (std::uint64_t number = prng_.between(0, 6); number > 0; --number) add_constraint();
  }

  [[nodiscard]] std::string xml() const {
    std::string nodes, states;
    for (std::uint64_t number = 1; number <= nodes_; ++number) {
      const std::string id = std::to_string(number);
      nodes += "<node id=\"" + id + "\" uname=\"n" + id + "\"/>";
      states += "<node_state id=\"" + id + "\" uname=\"n" + id +
                R"(" in_ccm="true" crmd="online" join="member" expected="member"><transient_attributes id=")" + id +
                "\"><instance_attributes id=\"t" + id + "\">" + promotion(number) +
                "</instance_attributes></transient_attributes></node_state>";
    }
    return R"(<cib have-quorum="1" dc-uuid="1"><configuration><crm_config><cluster_property_set id="o"><nvpair id="p")"
           R"( name="stonith-enabled" value="false"/></cluster_property_set></crm_config><nodes>)" +
           nodes + "</nodes><resources>" + resources_ + "</resources><constraints>" + constraints_ +
           "</constraints></configuration><status>" + states + "</status></cib>";
  }

 private:
  static std::string dummy(const std::string& id) {
    return "<primitive id=\"" + id + R"(" class="ocf" provider="pacemaker" type="Stateful"><operations><op id="m-)" +
           id + R"(" name="monitor" interval="10s"/></operations></primitive>)";
  }
  static std::string meta(const std::string& id, const std::string& name, std::uint64_t value) {
    return "<meta_attributes id=\"m" + name + id + "\"><nvpair id=\"n" + name + id + "\" name=\"" + name +
           "\" value=\"" + std::to_string(value) + "\"/></meta_attributes>";
  }

  void add_resource() {
    const std::string number = std::to_string(names_.size());
    const std::uint64_t kind = prng_.between(0, 3);
    const std::string stickiness = meta(number, "resource-stickiness", prng_.between(0, 2) * 100);
    if (kind == 0) {
      std::string primitive = dummy("r" + number);
      primitive.insert(primitive.find('>') + 1, stickiness);
      resources_ += primitive;
      names_.push_back("r" + number);
    } else if (kind == 1) {
      resources_ += "<group id=\"g" + number + "\">" + stickiness + dummy("g" + number + "a") +
                    dummy("g" + number + "b") + "</group>";
      names_.push_back("g" + number);
    } else {
      const std::string promotable = kind == 3 ? meta(number, "promotable", 1) : "";
      resources_ += "<clone id=\"c" + number + "\">" + promotable + meta(number, "interleave", prng_.between(0, 1)) +
                    dummy("i" + number) + "</clone>";
      names_.push_back("c" + number);
      if (kind == 3) promotable_.push_back("i" + number);
    }
  }

  void add_constraint() {
    const std::string id = "k" + std::to_string(++constraint_);
    const std::string one = names_[prng_.between(0, names_.size() - 1)];
    const std::size_t other = prng_.between(0, names_.size() - 1);
    const std::uint64_t kind = prng_.between(0, 2);
    if (kind == 0) {
      constraints_ += "<rsc_location id=\"" + id + "\" rsc=\"" + one + "\" node=\"n" +
                      std::to_string(prng_.between(1, nodes_)) + "\" score=\"" + score() + "\"/>";
    } else if (names_[other] > one) {  // no loops
      constraints_ += kind == 1 ? "<rsc_colocation id=\"" + id + "\" rsc=\"" + one + "\" with-rsc=\"" + names_[other] +
                                      "\" score=\"" + score() + "\"/>"
                                : "<rsc_order id=\"" + id + "\" first=\"" + names_[other] + "\" then=\"" + one + "\"/>";
    }
  }
  std::string score() {
    constexpr std::array<const char*, 6> scores{"INFINITY", "-INFINITY", "100", "-100", "1", "50"};
    return scores[prng_.between(0, scores.size() - 1)];
  }
  [[nodiscard]] std::string promotion(std::uint64_t node) const {
    std::string pairs;
    for (const std::string& id : promotable_)
      pairs += "<nvpair id=\"a" + id + std::to_string(node) + "\" name=\"master-" + id + "\" value=\"" +
               std::to_string(10 * node) + "\"/>";
    return pairs;
  }

  Prng prng_;
  std::uint64_t nodes_;
  std::string resources_, constraints_;
  std::vector<std::string> names_, promotable_;
  int constraint_ = 0;
};

/// What a plan really does.
std::string real_actions(const policy::Plan& plan) {
  std::string keys;
  const policy::detail::Board& board = plan.board();
  for (const policy::detail::Action& action : board.actions)
    if (!action.pseudo && policy::detail::is_in_graph(board, action))
      keys += action.key + " on " + (action.node < board.nodes.size() ? board.nodes[action.node].name : "-") + "\n";
  return keys;
}

/// Only instances of clones change places: Pacemaker 2.1.5 numbers them anew when locations or colocations pull at some
/// of them, and does so here too (checked with crm_simulate on these very clusters).
bool only_instances(const std::string& keys) {
  std::istringstream lines(keys);
  for (std::string line; std::getline(lines, line);)
    if (line.find(':') == std::string::npos) return false;
  return true;
}

TEST(Settles, NothingIsLeftToDoWhenAPlanHasBeenCarriedOut) {
  std::size_t busy = 0, renumbered = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const std::string xml = RandomCluster(seed).xml();
    const auto cib = std::make_shared<const cib::Cib>(cib::parse(xml, "test").value().cib);
    const policy::Plan plan = policy::plan({cib, 1'700'000'000, false});
    busy += real_actions(plan).empty() ? 0 : 1;
    const auto after = std::make_shared<const cib::Cib>(execute(plan, *cib).after);
    const std::string left = real_actions(policy::plan({after, 1'700'000'000, false}));
    renumbered += left.empty() ? 0 : 1;
    EXPECT_TRUE(only_instances(left)) << "seed " << seed << "\n" << left << xml;
  }
  EXPECT_GT(busy, 290U);
  EXPECT_LE(renumbered, 10U);
}

}  // namespace
}  // namespace bascule::simulate
