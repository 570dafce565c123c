#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/policy/board.h"
#include "core/policy/graph.h"
#include "core/policy/plan.h"
#include "wire/cib/parse.h"

/// Small clusters for tests of what waits for what.
namespace bascule::policy::testing {

using Lines = std::vector<std::string>;

/// Nodes a and b, both up; `on_a` and `on_b` are what stands in their lrm_resources.
struct Cluster {
  std::string properties = R"(<nvpair id="p1" name="stonith-enabled" value="false"/>)";
  std::string resources;
  std::string constraints;
  std::string on_a;
  std::string on_b;
  std::string attributes_of_a;  ///< nvpairs of its node attributes
  std::string transient_of_a;   ///< nvpairs of its transient attributes
  std::string other_states;     ///< node states of guest nodes
  bool b_is_up = true;
  bool b_is_joining = false;
  bool have_quorum = true;
  bool with_faults = false;

  [[nodiscard]] static std::string state(const std::string& name, const std::string& history, bool up) {
    const std::string status = up ? R"(in_ccm="true" crmd="online" join="member" expected="member")"
                                  : R"(in_ccm="false" crmd="offline" join="down" expected="member")";
    return "<node_state id=\"" + name + "\" uname=\"" + name + "\" " + status + "><lrm id=\"" + name +
           "\"><lrm_resources>" + history + "</lrm_resources></lrm></node_state>";
  }
  [[nodiscard]] std::string state_of_a() const {
    std::string text = state("a", on_a, true);
    if (transient_of_a.empty()) return text;
    return text.insert(text.rfind("</node_state>"), "<transient_attributes id=\"a\"><instance_attributes id=\"ta\">" +
                                                        transient_of_a +
                                                        "</instance_attributes></transient_attributes>");
  }
  [[nodiscard]] std::string state_of_b() const {
    std::string text = state("b", on_b, b_is_up);
    return b_is_joining ? text.replace(text.find("\"member\""), 8, "\"pending\"") : text;
  }
  [[nodiscard]] std::string xml() const {
    return std::string(have_quorum ? R"(<cib have-quorum="1")" : R"(<cib have-quorum="0")") +
           R"(><configuration><crm_config><cluster_property_set id="cib-bootstrap-options">)" + properties +
           R"(</cluster_property_set></crm_config><nodes><node id="a" uname="a">)" +
           (attributes_of_a.empty() ? ""
                                    : "<instance_attributes id=\"aa\">" + attributes_of_a + "</instance_attributes>") +
           R"(</node><node id="b" uname="b"/></nodes><resources>)" + resources + "</resources><constraints>" +
           constraints + "</constraints></configuration><status>" + state_of_a() + state_of_b() + other_states +
           "</status></cib>";
  }
};

inline std::string meta(const std::string& id, const std::string& pairs) {
  return "<meta_attributes id=\"" + id + "-meta\">" + pairs + "</meta_attributes>";
}
inline std::string pair(const std::string& name, const std::string& value) {
  return "<nvpair id=\"" + name + "-" + value + "\" name=\"" + name + "\" value=\"" + value + "\"/>";
}
inline std::string primitive(const std::string& id, const std::string& inside = "") {
  return "<primitive id=\"" + id + R"(" class="ocf" provider="pacemaker" type="Stateful">)" + inside + "</primitive>";
}

inline std::string recorded(const std::string& id, const std::string& task, int rc) {
  const std::string code = std::to_string(rc);
  return "<lrm_resource id=\"" + id + R"(" class="ocf" provider="pacemaker" type="Stateful"><lrm_rsc_op id=")" + id +
         "_last_0\" operation=\"" + task + "\" operation_key=\"" + id + "_" + task +
         R"(_0" interval="0" call-id="1" op-digest="f2317cad3d54cec5d7d7aa7d0bf35cf8" op-status="0" rc-code=")" + code +
         R"(" transition-key="1:1:)" + code + ":u\" transition-magic=\"0:" + code + ";1:1:" + code +
         ":u\"/></lrm_resource>";
}
inline std::string started(const std::string& id) { return recorded(id, "start", 0); }
inline std::string promoted(const std::string& id) { return recorded(id, "promote", 0); }
inline std::string stopped(const std::string& id) { return recorded(id, "monitor", 7); }

/// Where things are to run, and what they score.
class Placement {
 public:
  explicit Placement(const Cluster& cluster) : plan_(make(cluster)) {}

  [[nodiscard]] Score score(const std::string& resource, const std::string& node) const {
    return at(resource).scores[plan_.board().find_node(node)];
  }
  /// Empty: nowhere.
  [[nodiscard]] std::string node_of(const std::string& resource) const {
    const detail::NodeId node = at(resource).node;
    return node == detail::kNone ? "" : plan_.board().node(node).name;
  }

 private:
  static Plan make(const Cluster& cluster) {
    auto document = cib::parse(cluster.xml(), "test");
    EXPECT_TRUE(document) << document.error().text();
    return plan({std::make_shared<const cib::Cib>(std::move(document->cib)), 1'000'000});
  }
  [[nodiscard]] const detail::Resource& at(const std::string& id) const {
    return plan_.board().resource(plan_.board().find_resource(id));
  }

  Plan plan_;
};

/// What is sent, and which of it must have happened before which.
class Graph {
 public:
  explicit Graph(const Cluster& cluster) {
    auto document = cib::parse(cluster.xml(), "test");
    EXPECT_TRUE(document) << document.error().text();
    if (!document) return;
    const Plan made =
        plan({std::make_shared<const cib::Cib>(std::move(document->cib)), 1'000'000, false, "", cluster.with_faults});
    const detail::Board& board = made.board();
    names_.resize(board.actions.size());
    tasks_.resize(board.actions.size());
    inputs_.resize(board.actions.size());
    for (const detail::Action& action : board.actions) {
      names_[action.id] = action.key + (action.node == detail::kNone ? "" : "@" + board.node(action.node).name);
      if (!detail::is_in_graph(board, action)) continue;
      tasks_[action.id] = action.pseudo ? "" : action.task;
      inputs_[action.id] = detail::inputs_of(board, action);
      sent_.push_back(action.id);
    }
  }

  /// Names are KEY@NODE, of points in time KEY.
  [[nodiscard]] bool has(const std::string& name) const { return find(name) != detail::kNone; }

  /// Whether that is done, and not only a point in time; a cancellation has the name of what it ends.
  [[nodiscard]] bool has(const std::string& name, const std::string& task) const {
    const detail::ActionId id = find(name);
    return id != detail::kNone && tasks_[id] == task;
  }

  /// Whether `then` waits for `first`, by way of others too; false if one of them is not sent.
  [[nodiscard]] bool before(const std::string& first, const std::string& then) const {
    const detail::ActionId from = find(first);
    const detail::ActionId to = find(then);
    if (from == detail::kNone || to == detail::kNone) return false;
    std::vector<detail::ActionId> open{to};
    std::vector<std::uint8_t> seen(inputs_.size(), 0);
    while (!open.empty()) {
      const detail::ActionId id = open.back();
      open.pop_back();
      for (const detail::ActionId each : inputs_[id]) {
        if (each == from) return true;
        if (seen[each]++ == 0) open.push_back(each);
      }
    }
    return false;
  }

  /// Whether all that it waits for, by way of others too, is sent and does not wait for it in turn.
  [[nodiscard]] bool comes_about(const std::string& name) const {
    std::vector<std::uint8_t> done(inputs_.size(), 0);
    const auto ready = [&](detail::ActionId id) {
      return done[id] == 0 && std::all_of(inputs_[id].begin(), inputs_[id].end(),
                                          [&](detail::ActionId each) { return done[each] != 0; });
    };
    for (bool more = true; more;) {
      const auto next = std::find_if(sent_.begin(), sent_.end(), ready);
      more = next != sent_.end();
      if (more) done[*next] = 1;
    }
    const detail::ActionId id = find(name);
    return id != detail::kNone && done[id] != 0;
  }

  /// Names of all that is sent, sorted.
  [[nodiscard]] Lines sent() const {
    Lines lines;
    for (const detail::ActionId id : sent_) lines.push_back(names_[id]);
    std::sort(lines.begin(), lines.end());
    return lines;
  }

 private:
  [[nodiscard]] detail::ActionId find(const std::string& name) const {
    for (const detail::ActionId id : sent_)
      if (names_[id] == name) return id;
    return detail::kNone;
  }

  std::vector<std::string> names_;
  std::vector<std::string> tasks_;
  std::vector<std::vector<detail::ActionId>> inputs_;
  std::vector<detail::ActionId> sent_;
};

}  // namespace bascule::policy::testing
