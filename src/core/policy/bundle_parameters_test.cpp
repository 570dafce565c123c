// What a bundle's containers and addresses are told: a change of it restarts them.
#include "core/policy/detail/bundle_parameters.h"

#include "core/policy/test_cluster.h"
#include "wire/cib/digest.h"

namespace bascule::policy {
namespace {

using namespace testing;  // NOLINT: words of small clusters

cib::Resource read_bundle(const std::string& written) {
  Cluster cluster;
  cluster.resources = written;
  const auto document = cib::parse(cluster.xml(), "test");
  EXPECT_TRUE(document) << document.error().text();
  return document ? document->cib.resources.front() : cib::Resource{};
}

std::string digest(const cib::NameValueSet& set) {
  cib::DigestPairs pairs;
  for (const auto& each : set.pairs) pairs.emplace_back(each.name, each.value);
  return cib::digest_of_parameters(pairs);
}

std::string container_digest(const std::string& written, const std::string& address) {
  return digest(detail::container_parameters(read_bundle(written), 0, {address}));
}

const std::string kInside = "<primitive id=\"r\" class=\"ocf\" provider=\"pacemaker\" type=\"Dummy\"/>";
const std::string kAddress =
    "<bundle id=\"x5\"><docker image=\"img\" replicas=\"1\"/><network ip-range-start=\"10.0.0.9\"/>" + kInside +
    "</bundle>";

// The digests are those that crm_simulate 2.1.5 tells.
TEST(BundleParameters, DigestsAreTakenOfAllThatAContainerIsTold) {
  EXPECT_EQ(container_digest(
                R"(<bundle id="x1"><docker image="pcmk:http" replicas="1" run-command="/bin/run" network="host"
                   options="--log-driver=journald"/>
                   <network control-port="9999" host-interface="eth0" add-host="false"><port-mapping id="p" port="80"/>
                   <port-mapping id="p2" port="81" internal-port="82"/><port-mapping id="p3" range="100-200"/></network>
                   <storage><storage-mapping id="s1" source-dir-root="/var/l" target-dir="/etc/l" options="rw"/>
                   <storage-mapping id="s2" source-dir="/x" target-dir="/y"/></storage>)" +
                    kInside + "</bundle>",
                ""),
            "966ed2773667abf22a17aeb9200cd9c8");
  EXPECT_EQ(container_digest(
                R"(<bundle id="x2"><podman image="img" replicas="1" options="--foo"/>
                   <network ip-range-start="10.0.0.1" host-interface="eth0"><port-mapping id="p" port="80"/>
                   <port-mapping id="p2" port="81" internal-port="82"/><port-mapping id="p3" range="100-200"/></network>
                   <storage><storage-mapping id="t1" source-dir-root="/var/l" target-dir="/etc/l" options="rw"/>
                   </storage></bundle>)",
                "10.0.0.1"),
            "ed22fed5ed5855457a3357b06c1298a2");
  EXPECT_EQ(container_digest(R"(<bundle id="x3"><docker image="img" replicas="1"/></bundle>)", ""),
            "b71df3a2c79077d64bdada17efd0bcc9");
  EXPECT_EQ(container_digest(R"(<bundle id="x4"><rkt image="img" replicas="1"/><network ip-range-start="10.0.0.5"/>)" +
                                 kInside + "</bundle>",
                             "10.0.0.5"),
            "e08783095ee91d80e50c6d08010ff0d9");
  EXPECT_EQ(container_digest(kAddress, "10.0.0.9"), "ccb1e1595c576a8f87524175bc6805bc");
}

TEST(BundleParameters, AnAddressHasItsNetmaskAndInterface) {
  const cib::Resource bundle = read_bundle(
      R"(<bundle id="x2"><podman image="img"/><network ip-range-start="10.0.0.1" host-interface="eth0"/></bundle>)");
  EXPECT_EQ(digest(detail::address_parameters(bundle, "10.0.0.1")), "e9179c7d1826a23e03e15bf0dcba2329");
}

std::string ran(const std::string& id, const std::string& type, const std::string& digest) {
  std::string history = started(id);
  const std::string pacemaker = R"(provider="pacemaker" type="Stateful")";
  history.replace(history.find(pacemaker), pacemaker.size(), R"(provider="heartbeat" type=")" + type + "\"");
  const std::string none = "f2317cad3d54cec5d7d7aa7d0bf35cf8";
  return history.replace(history.find(none), none.size(), digest);
}

TEST(BundleParameters, AContainerThatWasToldOtherwiseIsRestarted) {
  Cluster cluster;
  cluster.resources = kAddress;
  cluster.on_a = ran("x5-docker-0", "docker", container_digest(kAddress, "10.0.0.9"));
  EXPECT_FALSE(Graph(cluster).has("x5-docker-0_stop_0@a"));
  cluster.on_a = ran("x5-docker-0", "docker", "f2317cad3d54cec5d7d7aa7d0bf35cf8");
  EXPECT_TRUE(Graph(cluster).before("x5-docker-0_stop_0@a", "x5-docker-0_start_0@a"));
}

}  // namespace
}  // namespace bascule::policy
