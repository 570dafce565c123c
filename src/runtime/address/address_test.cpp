#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "base/bytes.h"
#include "runtime/address/address_step.h"
#include "runtime/address/address_watch.h"

namespace bascule::address {
namespace {

/// Runs in a network namespace of its own with two ends of a wire; skipped without the right to make one.
class AddressTest : public testing::Test {
 protected:
  void SetUp() override {
    before_ = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "no right to make a network namespace";
    shell(
        "ip link add one type veth peer name two && ip link set one up && ip link set two up && "
        "ip address add 10.9.0.1/24 dev one && ip address add 10.0.0.1/8 dev two && ip -6 address add fd09::1/64 dev "
        "one nodad");
  }
  void TearDown() override {
    if (before_ >= 0) ::setns(before_, CLONE_NEWNET);
    ::close(before_);
  }
  static void shell(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }
  static bool has(const std::string& device, const std::string& address) {
    return std::system(("ip address show dev " + device + " | grep -q 'inet6\\? " + address + "/'").c_str()) == 0;
  }

  int before_ = -1;
  boost::asio::io_context io_;
};

TEST_F(AddressTest, GoesToTheDeviceWithTheSmallestNetworkAndMayBeRepeated) {
  const ServiceAddress address{"10.9.0.10", 24, ""};
  for (int time = 0; time < 2; ++time) {
    const auto device = bring_up(address);
    ASSERT_TRUE(device) << device.error().text();
    EXPECT_EQ(*device, "one");
    EXPECT_TRUE(has("one", "10.9.0.10"));
  }
  EXPECT_TRUE(*is_present(address));
  for (int time = 0; time < 2; ++time) {
    ASSERT_TRUE(take_down(address));
    EXPECT_FALSE(has("one", "10.9.0.10"));
  }
  EXPECT_FALSE(*is_present(address));
  EXPECT_TRUE(has("one", "10.9.0.1"));
}

TEST_F(AddressTest, GoesToTheDeviceThatIsNamed) {
  ASSERT_TRUE(bring_up({"10.9.0.10", 24, "two"}));
  EXPECT_TRUE(has("two", "10.9.0.10"));
}

TEST_F(AddressTest, OfVersionSixIsUsableAtOnce) {
  const auto device = bring_up({"fd09::10", 64, ""});
  ASSERT_TRUE(device) << device.error().text();
  EXPECT_EQ(std::system("ip -6 address show dev one | grep -q 'fd09::10/64.*tentative'"), 256);
  EXPECT_TRUE(announce({"fd09::10", 64, ""}, *device));
  ASSERT_TRUE(take_down({"fd09::10", 64, ""}));
  EXPECT_FALSE(has("one", "fd09::10"));
}

TEST_F(AddressTest, SaysWhatIsWrong) {
  EXPECT_NE(bring_up({"192.0.2.10", 24, ""}).error().text().find("nic = \"eth0\""), std::string::npos);
  EXPECT_EQ(bring_up({"10.9.0.10", 24, "three"}).error().why, "there is no device three");
  EXPECT_FALSE(bring_up({"shop", 24, ""}));
}

TEST_F(AddressTest, IsAnnouncedAsRequestAndAsReply) {
  const int wire = ::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ARP));
  sockaddr_ll end{};
  end.sll_family = AF_PACKET;
  end.sll_protocol = htons(ETH_P_ARP);
  end.sll_ifindex = static_cast<int>(::if_nametoindex("two"));
  ASSERT_EQ(::bind(wire, reinterpret_cast<const sockaddr*>(&end), sizeof end), 0);
  AddressStep step(io_, {{"ip", "10.9.0.10"}, {"cidr_netmask", "24"}});
  ASSERT_EQ(step.run("start").code, 0);
  for (const std::uint16_t operation : {ARPOP_REQUEST, ARPOP_REPLY}) {
    Bytes packet(100);
    const auto size = ::recv(wire, packet.data(), packet.size(), 0);
    ASSERT_EQ(size, 28);
    EXPECT_EQ(get_big<std::uint16_t>(packet, 6), operation);
    EXPECT_EQ(get_big<std::uint32_t>(packet, 14), 0x0a09000au) << "sender";
    EXPECT_EQ(get_big<std::uint32_t>(packet, 24), 0x0a09000au) << "target";
  }
  ::close(wire);
}

TEST_F(AddressTest, AnswersLikeAnAgent) {
  AddressStep step(io_, {{"ip", "10.9.0.10"}, {"cidr_netmask", "24"}});
  EXPECT_EQ(step.run("monitor").code, 7);
  EXPECT_EQ(step.run("start").code, 0);
  EXPECT_EQ(step.run("monitor").code, 0);
  EXPECT_EQ(step.run("promote").code, 3);
  EXPECT_EQ(step.run("stop").code, 0);
  EXPECT_EQ(step.run("stop").code, 0);
  EXPECT_EQ(step.run("monitor").code, 7);
  AddressStep nowhere(io_, {{"ip", "192.0.2.10"}, {"cidr_netmask", "24"}});
  EXPECT_EQ(nowhere.run("start").code, 1);
}

TEST_F(AddressTest, ARemovalIsToldAtOnce) {
  int told = 0;
  AddressWatch watch(io_, [&] { ++told; });
  ASSERT_TRUE(watch.open());
  ASSERT_TRUE(bring_up({"10.9.0.10", 24, ""}));
  shell("ip address del 10.9.0.10/24 dev one");
  while (told == 0) ASSERT_GT(io_.run_one_for(std::chrono::seconds(5)), 0u);
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace bascule::address
