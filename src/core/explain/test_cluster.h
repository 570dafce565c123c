#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "core/policy/plan.h"
#include "wire/cib/parse.h"

namespace bascule::explain {

/// Two nodes, a and b, as a CIB; for tests.
struct TestCluster {
  std::string properties, resources, constraints;
  std::string on_a, on_b;                  ///< what stands in lrm_resources
  std::string attributes_a, attributes_b;  ///< transient
  bool standby_a = false, fencing = false;

  static std::string dummy(const std::string& id, const std::string& meta = "", const std::string& value = "") {
    const std::string inside = meta.empty()
                                   ? ""
                                   : "<meta_attributes id=\"" + id + "-m\"><nvpair id=\"" + id + "-n\" name=\"" + meta +
                                         "\" value=\"" + value + "\"/></meta_attributes>";
    return "<primitive id=\"" + id + R"(" class="ocf" provider="heartbeat" type="Dummy">)" + inside + "</primitive>";
  }
  /// `exec_ms`: how long it took.
  static std::string operation(const std::string& id, const std::string& task, int rc, int call, int exec_ms = 0) {
    const std::string code = std::to_string(rc);
    return "<lrm_rsc_op id=\"" + id + "_" + task + "_last\" operation=\"" + task + "\" operation_key=\"" + id + "_" +
           task + R"(_0" interval="0" call-id=")" + std::to_string(call) +
           R"(" op-digest="f2317cad3d54cec5d7d7aa7d0bf35cf8" op-status="0" rc-code=")" + code + "\" exec-time=\"" +
           std::to_string(exec_ms) + "\" transition-key=\"1:1:" + code + ":u\" transition-magic=\"0:" + code +
           ";1:1:" + code + ":u\"/>";
  }
  static std::string history(const std::string& id, const std::string& operations) {
    return "<lrm_resource id=\"" + id + R"(" class="ocf" provider="heartbeat" type="Dummy">)" + operations +
           "</lrm_resource>";
  }
  static std::string running(const std::string& id) { return history(id, operation(id, "start", 0, 1)); }
  static std::string stopped(const std::string& id) { return history(id, operation(id, "monitor", 7, 1)); }

  [[nodiscard]] static std::string state(const std::string& name, const std::string& inside,
                                         const std::string& attributes) {
    return "<node_state id=\"" + name + "\" uname=\"" + name +
           R"(" in_ccm="true" crmd="online" join="member" expected="member"><transient_attributes id=")" + name +
           "\"><instance_attributes id=\"t-" + name + "\">" + attributes +
           "</instance_attributes></transient_attributes><lrm id=\"" + name + "\"><lrm_resources>" + inside +
           "</lrm_resources></lrm></node_state>";
  }
  [[nodiscard]] std::string xml() const {
    const std::string standby = standby_a ? R"(<instance_attributes id="i"><nvpair id="n" name="standby" value="on"/>)"
                                            "</instance_attributes>"
                                          : "";
    const std::string device = R"(<primitive id="shooter" class="stonith" type="fence_x"/>)";
    return R"(<cib have-quorum="1" dc-uuid="b"><configuration><crm_config>)"
           R"(<cluster_property_set id="cib-bootstrap-options"><nvpair id="p1" name="stonith-enabled" value=")" +
           std::string(fencing ? "true" : "false") + "\"/>" + properties +
           "</cluster_property_set></crm_config><nodes><node id=\"a\" uname=\"a\">" + standby +
           "</node><node id=\"b\" uname=\"b\"/></nodes><resources>" + resources + (fencing ? device : "") +
           "</resources><constraints>" + constraints + "</constraints></configuration><status>" +
           state("a", on_a, attributes_a) + state("b", on_b, attributes_b) + "</status></cib>";
  }
  [[nodiscard]] std::shared_ptr<const cib::Cib> cib() const {
    auto document = cib::parse(xml(), "test");
    EXPECT_TRUE(document) << document.error().text();
    return std::make_shared<const cib::Cib>(document ? std::move(document->cib) : cib::Cib{});
  }
  [[nodiscard]] policy::Snapshot snapshot() const { return {cib(), 1'000'000, false}; }
};

}  // namespace bascule::explain
