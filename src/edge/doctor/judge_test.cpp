#include "edge/doctor/judge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace bascule::doctor {
namespace {

constexpr const char* cluster =
    "[cluster]\nname = \"c\"\n[node.alice]\naddress = \"10.0.0.1\"\n[node.bob]\naddress = \"10.0.0.2\"\n"
    "[node.carol]\naddress = \"10.0.0.3\"\nrole = \"witness\"\n[volume.data]\ndisk = \"/dev/sdb\"\n";

/// A data node with which nothing is wrong.
Facts healthy() {
  Facts facts;
  facts.node = "alice";
  facts.config_file = "/etc/bascule/cluster.toml";
  facts.config = config::parse(cluster, "t").value();
  facts.config_fingerprint = "aa";
  facts.manager_runs = true;
  facts.quorum = true;
  facts.watchdog = {{"/dev/watchdog"}, "bascule-watchdo", "iTCO_wdt"};
  facts.clock_synchronised = true;
  facts.key = KeyFacts{"/etc/bascule/cluster.key", "", {{1, "bb"}}, 1};
  facts.links = {{"10.0.0.1", "eth0", true, 1500}};
  facts.peers = {{"bob", "10.0.0.2", true, 5, {}, 1500}, {"carol", "10.0.0.3", true, 5, {}, 1500}};
  facts.ports = {{"UDP 7788", "10.0.0.1", true, ""}, {"TCP 7789", "10.0.0.1", true, ""}};
  facts.disks = {{"data", "/dev/sdb", "", 1 << 30, 1 << 20, {}, {}, true, false, 1 << 30, "Connected"}};
  facts.disks[0].usable_bytes = 1 << 30;
  facts.state = {"/var/lib/bascule", "", 8ULL << 30, milliseconds(2), milliseconds(9)};
  facts.addresses = {{"shop", "10.0.0.10", {"02:00"}, false, true}};
  facts.agents = {{"shop", "mysql", "/usr/lib/ocf/resource.d/heartbeat/mysql", true, {}}};
  facts.fencing_test_age_s = {{"bob", 3600}};
  return facts;
}

std::string all(const std::vector<Finding>& findings) { return text_of(findings); }

TEST(Doctor, AHealthyNodeHasNothingWrong) {
  const auto findings = judge(healthy());
  EXPECT_EQ(worst(findings), Verdict::Fine) << all(findings);
  for (const auto& finding : findings) {
    EXPECT_FALSE(finding.text.empty()) << finding.check;
    EXPECT_TRUE(finding.why.empty() && finding.mend.empty()) << finding.check;
  }
}

struct Case {
  const char* name;
  std::function<void(Facts&)> spoil;
  const char* check;
  Verdict verdict;
  const char* says;
  const char* mend;
};

const std::vector<Case> cases{
    {"NoConfig", [](Facts& f) { f.config.reset(), f.config_error = "it cannot be read"; }, "config", Verdict::Bad,
     "it cannot be read", "bascule config check"},
    {"NotInConfig", [](Facts& f) { f.node = "dave"; }, "config", Verdict::Bad, "no node dave", "--node"},
    {"NoKey", [](Facts& f) { f.key->unusable = "No such file or directory"; }, "key", Verdict::Bad, "No such file",
     "bascule key create"},
    {"KeyIsReadable", [](Facts& f) { f.key->unusable = "others than its owner may read or write it"; }, "key",
     Verdict::Bad, "others than its owner", "chmod 600 /etc/bascule/cluster.key"},
    {"WithoutKeys", [](Facts& f) { f.config->key_file.reset(); }, "key", Verdict::Warning, "none",
     "bascule key create"},
    {"OtherConfig",
     [](Facts& f) {
       f.compared = {{"bob", "zz", {{1, "bb"}}}};
     },
     "equal", Verdict::Bad, "its cluster.toml is another", "scp /etc/bascule/cluster.toml bob:"},
    {"OtherKeys",
     [](Facts& f) {
       f.compared = {{"bob", "aa", {{1, "zz"}}}};
     },
     "equal", Verdict::Bad, "its keys", "scp /etc/bascule/cluster.key bob:"},
    {"NoUring", [](Facts& f) { f.kernel.io_uring = "Operation not permitted"; }, "kernel", Verdict::Bad,
     "not permitted", "io_uring_disabled"},
    {"NoFuse", [](Facts& f) { f.kernel.fuse = "/dev/fuse: missing"; }, "kernel", Verdict::Bad, "/dev/fuse",
     "modprobe fuse"},
    {"NoLoop", [](Facts& f) { f.kernel.loop = "missing"; }, "kernel", Verdict::Bad, "missing", "modprobe loop"},
    {"NoNftables", [](Facts& f) { f.kernel.nftables = "missing"; }, "kernel", Verdict::Bad, "missing", "nf_tables"},
    {"NoCgroup", [](Facts& f) { f.kernel.cgroup2 = "missing"; }, "kernel", Verdict::Bad, "missing",
     "unified_cgroup_hierarchy"},
    {"NoWatchdog", [](Facts& f) { f.watchdog.devices.clear(); }, "watchdog", Verdict::Warning, "no watchdog device",
     "modprobe softdog"},
    {"WatchdogOfSystemd", [](Facts& f) { f.watchdog.holder = "systemd"; }, "watchdog", Verdict::Bad, "systemd has it",
     "RuntimeWatchdogSec=off"},
    {"WatchdogOfAnother", [](Facts& f) { f.watchdog.holder = "watchdog"; }, "watchdog", Verdict::Bad, "watchdog has it",
     "systemctl disable --now watchdog"},
    {"ClockIsWrong", [](Facts& f) { f.clock_synchronised = false; }, "clock", Verdict::Warning, "not synchronised",
     "chrony"},
    {"ClockOfAnotherIsWrong",
     [](Facts& f) {
       f.clock_ahead_ms = {{"bob", -7'200'000}, {"carol", 20}};
     },
     "clock", Verdict::Warning, "7200 s behind", "chrony"},
    {"Pacemaker", [](Facts& f) { f.other_managers = {"pacemakerd"}; }, "others", Verdict::Bad, "it runs",
     "systemctl disable --now pacemaker"},
    {"AddressMissing",
     [](Facts& f) {
       f.links = {{"10.0.0.1", "", false, 0}};
     },
     "link", Verdict::Bad, "no interface", "ip address add 10.0.0.1"},
    {"LinkDown", [](Facts& f) { f.links[0].up = false; }, "link", Verdict::Bad, "eth0 is down", "ip link set eth0 up"},
    {"SmallMtu", [](Facts& f) { f.links[0].mtu = 576; }, "link", Verdict::Warning, "576", "mtu 1500"},
    {"SmallerWay", [](Facts& f) { f.peers[0].path_mtu = 1400; }, "mtu", Verdict::Warning, "1400",
     "ip link set eth0 mtu 1400"},
    {"PeerNotHeard", [](Facts& f) { f.peers[0].heard = false; }, "peer", Verdict::Bad, "does not hear",
     "bascule doctor on bob"},
    {"PeerWithoutManager",
     [](Facts& f) { f.peers[0].heard.reset(), f.peers[0].manager_port = PeerLink::Port::Refused; }, "peer",
     Verdict::Warning, "nobody has the managers' port", "on bob"},
    {"NoWayToPeer", [](Facts& f) { f.peers[0].heard.reset(), f.peers[0].manager_port = PeerLink::Port::Unreachable; },
     "peer", Verdict::Bad, "no way", "ip route get 10.0.0.2"},
    {"PortTaken",
     [](Facts& f) {
       f.ports[1] = {"TCP 7789", "10.0.0.1", false, "another program has it"};
     },
     "port", Verdict::Bad, "another program", "ss -lnp"},
    {"FirewallDropsAll",
     [](Facts& f) {
       f.firewall = {"", {"inet filter input"}, {"tcp 7789"}, {}};
     },
     "firewall", Verdict::Bad, "inet filter input drops", "nft insert rule inet filter input udp dport 7788 accept"},
    {"FirewallDropsOurs",
     [](Facts& f) {
       f.firewall = {"", {}, {}, {"tcp 7789"}};
     },
     "firewall", Verdict::Bad, "a rule drops it", "tcp dport 7789 accept"},
    {"AddressIsUsed", [](Facts& f) { f.addresses[0].served = false; }, "address", Verdict::Bad, "answers at it already",
     "arping"},
    {"AddressIsUsedTwice",
     [](Facts& f) {
       f.addresses[0].answered_by = {"02:00", "02:01"};
     },
     "address", Verdict::Bad, "2 machines", "arping"},
    {"NoDisk", [](Facts& f) { f.disks[0].missing = "No such file or directory"; }, "disk", Verdict::Bad, "No such file",
     "bascule volume create data"},
    {"DiskTooSmall", [](Facts& f) { f.disks[0].wanted_bytes = 2ULL << 30; }, "disk", Verdict::Bad, "wants", "lvextend"},
    {"DisksDiffer", [](Facts& f) { f.disks[0].peer_bytes = 2ULL << 30; }, "disk", Verdict::Warning, "the peer's",
     "resize"},
    {"DiskMounted", [](Facts& f) { f.disks[0].mounted_on = {"/mnt"}; }, "disk", Verdict::Bad, "mounted on /mnt",
     "umount /mnt"},
    {"DiskOfDrbd", [](Facts& f) { f.disks[0].holders = {"drbd0"}; }, "disk", Verdict::Bad, "drbd0", "drbdadm down"},
    {"DiskOfLvm", [](Facts& f) { f.disks[0].holders = {"dm-0"}; }, "disk", Verdict::Bad, "dm-0 is made of it", "lsblk"},
    {"DiskInUse", [](Facts& f) { f.disks[0].in_use = true; }, "disk", Verdict::Bad, "another program",
     "fuser -v /dev/sdb"},
    {"NoVolumeYet",
     [](Facts& f) {
       f.disks[0].daemon_runs = false;
       f.disks[0].has_metadata = false;
     },
     "disk", Verdict::Bad, "no volume yet", "bascule volume create data"},
    {"DiskHasAFileSystem",
     [](Facts& f) {
       f.disks[0].daemon_runs = false;
       f.disks[0].has_metadata = false;
       f.disks[0].foreign = "XFS filesystem";
     },
     "disk", Verdict::Bad, "XFS filesystem", "--force, when nothing of it is wanted"},
    {"NoBlockd", [](Facts& f) { f.disks[0].daemon_runs = false; }, "disk", Verdict::Warning, "nothing uses it",
     "bascule-blockd@data"},
    {"DrbdLoaded", [](Facts& f) { f.drbd_module = true; }, "drbd", Verdict::Warning, "is loaded", "modprobe -r drbd"},
    {"StateReadOnly", [](Facts& f) { f.state.missing = "Read-only file system"; }, "state", Verdict::Bad, "Read-only",
     "/var/lib/bascule"},
    {"StateFull", [](Facts& f) { f.state.free_bytes = 1 << 20; }, "state", Verdict::Bad, "1 MiB are free", "df"},
    {"StateNearlyFull", [](Facts& f) { f.state.free_bytes = 100 << 20; }, "state", Verdict::Warning, "100 MiB", "df"},
    {"SlowDisk", [](Facts& f) { f.state.sync_median = milliseconds(90); }, "state", Verdict::Warning, "90.0 ms",
     "another disk"},
    {"DiskStalls", [](Facts& f) { f.state.sync_worst = milliseconds(400); }, "state", Verdict::Warning, "400.0 ms",
     "another disk"},
    {"HopelessDisk", [](Facts& f) { f.state.sync_median = milliseconds(200); }, "state", Verdict::Bad, "200.0 ms",
     "election_min_ms"},
    {"NoAgent", [](Facts& f) { f.agents[0].executable = false; }, "agent", Verdict::Bad, "heartbeat/mysql",
     "apt install resource-agents"},
    {"AgentKnowsNoSuchParameter", [](Facts& f) { f.agents[0].findings = {"knows no parameter 'x'"}; }, "agent",
     Verdict::Warning, "knows no parameter", "bascule config check"},
    {"SystemdStartsItToo", [](Facts& f) { f.agents[0].started_by_systemd = {"mariadb"}; }, "agent", Verdict::Bad,
     "systemd starts mariadb", "systemctl disable --now mariadb"},
    {"FencingNeverTested", [](Facts& f) { f.fencing_test_age_s["bob"] = -1; }, "fencing", Verdict::Warning, "never",
     "bascule fence test bob"},
    {"FencingTestOld", [](Facts& f) { f.fencing_test_age_s["bob"] = 100LL * 86400; }, "fencing", Verdict::Warning,
     "100 days", "bascule fence test bob"},
    {"NoQuorum", [](Facts& f) { f.quorum = false; }, "quorum", Verdict::Bad, "no majority", "bascule status"},
    {"NoManager", [](Facts& f) { f.manager_runs = false; }, "manager", Verdict::Warning, "does not run",
     "systemctl start bascule.target"},
};

class DoctorCase : public testing::TestWithParam<Case> {};

TEST_P(DoctorCase, IsSeenAndNothingElseIs) {
  Facts facts = healthy();
  GetParam().spoil(facts);
  const auto findings = judge(facts);
  std::vector<Finding> wrong;
  std::copy_if(findings.begin(), findings.end(), std::back_inserter(wrong),
               [](const Finding& finding) { return finding.verdict != Verdict::Fine; });
  ASSERT_EQ(wrong.size(), 1u) << all(findings);
  EXPECT_EQ(wrong[0].check, GetParam().check);
  EXPECT_EQ(wrong[0].verdict, GetParam().verdict);
  EXPECT_NE(wrong[0].text.find(GetParam().says), std::string::npos) << wrong[0].text;
  EXPECT_NE(wrong[0].mend.find(GetParam().mend), std::string::npos) << wrong[0].mend;
  EXPECT_FALSE(wrong[0].why.empty());
}

INSTANTIATE_TEST_SUITE_P(Each, DoctorCase, testing::ValuesIn(cases),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(Doctor, AWitnessNeedsNeitherKernelFeaturesNorAWatchdog) {
  Facts facts = healthy();
  facts.node = "carol";
  facts.kernel = {"no", "no", "no", "no", "no"};
  facts.watchdog = {};
  facts.disks.clear();
  EXPECT_EQ(worst(judge(facts)), Verdict::Fine) << all(judge(facts));
}

TEST(Doctor, TheTextHasALineForEachAndCounts) {
  Facts facts = healthy();
  facts.drbd_module = true;
  facts.state.free_bytes = 0;
  const std::string text = text_of(judge(facts));
  EXPECT_NE(text.find("warning  drbd         the kernel's DRBD is loaded"), std::string::npos) << text;
  EXPECT_NE(text.find("\n                      do: df /var/lib/bascule\n"), std::string::npos) << text;
  EXPECT_NE(text.find(": 1 bad, 1 warnings.\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace bascule::doctor
