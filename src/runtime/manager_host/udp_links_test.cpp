#include "runtime/manager_host/udp_links.h"

#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <functional>
#include <utility>

#include "base/prng.h"
#include "wire/cluster_message/bundle.h"

namespace bascule::manager_host {
namespace {

namespace asio = boost::asio;
using asio::ip::udp;

config::Node node(const std::string& name, std::uint32_t id, const std::vector<std::string>& addresses) {
  config::Node made;
  made.name = name;
  made.id = id;
  made.address = addresses.front();
  made.addresses = addresses;
  return made;
}

config::ClusterConfig two_nodes() {
  config::ClusterConfig config;
  config.name = "test";
  config.nodes = {node("alice", 1, {"127.0.0.51", "127.0.1.51"}), node("bob", 2, {"127.0.0.52", "127.0.1.52"})};
  config.port = 17788;
  return config;
}

const message::Message request = message::LeaseRequest{"bob", 7, 42};
const sealed::Keyring keys(sealed::Key{1, {1, 2, 3}});

/// What alice takes, and what she drops.
class Listening : public testing::Test {
 protected:
  explicit Listening(std::optional<sealed::Keyring> keyring)
      : config(two_nodes()), alice(io, config, config.nodes[0], keyring), bob(io, config, config.nodes[1], keyring) {}
  void SetUp() override {
    ASSERT_TRUE(alice.open(
        [&](std::uint32_t from, std::size_t link, const message::Message& message) {
          heard.push_back({from, link});
          if (const auto* asked = std::get_if<message::LeaseRequest>(&message)) moments.push_back(asked->asked_at_ns);
          if (const auto now = std::exchange(change, nullptr)) now();
        },
        [&](std::uint32_t from, std::size_t link) {
          repeated.push_back({from, link});
        }));
    ASSERT_TRUE(
        bob.open([](std::uint32_t, std::size_t, const message::Message&) {}, [](std::uint32_t, std::size_t) {}));
  }
  void send_raw(const Bytes& bytes, const char* address) {
    udp::socket socket(io, udp::endpoint(asio::ip::make_address(address), 17789));
    socket.send_to(asio::buffer(bytes), udp::endpoint(asio::ip::make_address("127.0.0.51"), config.port));
  }
  /// Until alice has taken or dropped `datagrams`.
  void receive(std::size_t datagrams) {
    while (heard.size() + repeated.size() + alice.dropped() < datagrams)
      ASSERT_GT(io.run_one_for(std::chrono::seconds(5)), 0u);
  }

  using Heard = std::vector<std::pair<std::uint32_t, std::size_t>>;
  asio::io_context io;
  config::ClusterConfig config;
  UdpLinks alice, bob;
  Heard heard, repeated;
  std::vector<std::int64_t> moments;  ///< of the lease requests that were heard
  std::function<void()> change;       ///< what the next message that alice takes does to her
};

class SealedLinks : public Listening {
 protected:
  SealedLinks() : Listening(keys) {}
};
class OpenLinks : public Listening {
 protected:
  OpenLinks() : Listening(std::nullopt) {}
};

TEST_F(SealedLinks, HearAMessageOnceAndEachLinkOfIt) {
  bob.send(1, 0b11, request);
  bob.flush();
  receive(2);
  EXPECT_EQ(heard.size(), 1u);
  EXPECT_EQ(repeated.size(), 1u);
  EXPECT_NE(heard[0].second, repeated[0].second);
  bob.send(1, 0b10, request);
  bob.flush();
  receive(3);
  EXPECT_EQ(heard.back(), Heard::value_type(2, 1));
}

TEST_F(SealedLinks, SayInOneDatagramWhatIsSaidAtOnce) {
  bob.send(1, 0b11, request);
  bob.send(1, 0b11, request);
  bob.flush();
  receive(3);
  EXPECT_EQ(heard.size(), 2u);
  EXPECT_EQ(repeated.size(), 1u) << "over the other link";
}

TEST_F(SealedLinks, BelieveNothingThatIsNotSealedWithTheirKey) {
  Prng prng(3);
  std::size_t sent = 0;
  const Bytes plain = message::encode({2, request}, "test");
  Bytes sealed_by_another = sealed::Sealer("test", 2, {}).seal(sealed::Key{1, {9}}, plain);
  Bytes of_a_stranger = sealed::Sealer("test", 3, {}).seal(keys.sending(), plain);
  for (const Bytes& bytes : {plain, sealed_by_another, of_a_stranger}) send_raw(bytes, "127.0.0.52"), ++sent;
  for (int i = 0; i < 50; ++i, ++sent) {
    Bytes garbage(prng.below(1400));
    for (auto& byte : garbage) byte = static_cast<Byte>(prng.next());
    send_raw(garbage, "127.0.0.52");
  }
  receive(sent);
  EXPECT_EQ(alice.dropped(), sent);
  EXPECT_TRUE(heard.empty());
  bob.send(1, 0b1, request);
  bob.flush();
  receive(sent + 1);
  EXPECT_EQ(heard.size(), 1u);
}

TEST_F(SealedLinks, ANodeSpeaksOnlyForItself) {
  // Sealed by bob, but the message inside says that it is alice's.
  send_raw(sealed::Sealer("test", 2, {}).seal(keys.sending(), message::encode({1, request}, "test")), "127.0.0.52");
  receive(1);
  EXPECT_EQ(alice.dropped(), 1u);
}

TEST_F(SealedLinks, TakeNewKeysWhileTheyRun) {
  sealed::Keyring both = keys;
  ASSERT_TRUE(both.accept(sealed::Key{2, {4, 5, 6}}));
  alice.replace_keys(both);
  ASSERT_TRUE(both.send_with(2));
  bob.replace_keys(both);
  bob.send(1, 0b1, request);
  bob.flush();
  receive(1);
  EXPECT_EQ(heard.size(), 1u);
}

TEST_F(SealedLinks, AChangeOfTheirAddressThatTheyHearOfLeavesOneReceiver) {
  change = [&] {
    config.nodes[0] = node("alice", 1, {"127.0.0.54", "127.0.1.51"});
    alice.configure(config.nodes, config.nodes[0]);
  };
  bob.send(1, 0b1, request);
  bob.flush();
  receive(1);
  bob.configure(config.nodes, config.nodes[1]);
  for (int i = 0; i < 2; ++i) {
    bob.send(1, 0b1, request);
    bob.flush();
  }
  receive(3);
  EXPECT_EQ(heard.size(), 3u) << "two receivers would share a buffer";
}

TEST_F(SealedLinks, ALinkMayGoWithWhatWasHeardOverIt) {
  change = [&] {
    config.nodes[0] = node("alice", 1, {"127.0.0.51"});
    alice.configure(config.nodes, config.nodes[0]);
  };
  bob.send(1, 0b10, request);
  bob.flush();
  receive(1);
  bob.send(1, 0b11, request);
  bob.flush();
  receive(2);
  EXPECT_EQ(heard.back(), Heard::value_type(2, 0));
}

TEST_F(SealedLinks, WhatIsTooMuchForOnePacketGoesInSeveralInItsOrder) {
  const std::size_t in_one = message::bundle_bytes_max / message::bundled_bytes(message::encode({2, request}, "test"));
  std::vector<std::int64_t> said;
  for (std::int64_t moment = 0; moment < static_cast<std::int64_t>(3 * in_one); ++moment) {
    said.push_back(moment);
    bob.send(1, 0b11, message::LeaseRequest{"bob", 7, moment});
  }
  bob.flush();
  receive(said.size() + 3);
  EXPECT_EQ(moments, said);
  EXPECT_EQ(repeated.size(), 3u) << "each packet over the other link too";
}

TEST_F(OpenLinks, BelieveANodeByItsAddress) {
  bob.send(1, 0b1, request);
  bob.flush();
  receive(1);
  EXPECT_EQ(heard.size(), 1u);
  const Bytes whole = message::encode({2, request}, "test");
  send_raw(whole, "127.0.0.53");
  send_raw(whole, "127.0.0.52");  // another port
  receive(3);
  EXPECT_EQ(heard.size(), 1u);
}

TEST_F(OpenLinks, DropEveryTruncationAndGoOn) {
  const Bytes whole = message::encode({2, request}, "test");
  for (std::size_t size = 0; size < whole.size(); ++size)
    send_raw(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)), "127.0.0.52");
  receive(whole.size());
  EXPECT_EQ(alice.dropped(), whole.size());
}

TEST_F(OpenLinks, SayWhichAddressCannotBeOpened) {
  UdpLinks second(io, config, config.nodes[0], std::nullopt);
  const auto opened = second.open([](std::uint32_t, std::size_t, const message::Message&) {}, {});
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().text().find("127.0.0.51:17788"), std::string::npos) << opened.error().text();
}

TEST(Links, AnAddressThatIsNotThereYetIsNoReasonToFail) {
  asio::io_context io;
  auto config = two_nodes();
  config.nodes[0] = node("alice", 1, {"127.0.0.53", "192.0.2.1"});  // TEST-NET-1: nobody has it
  UdpLinks alice(io, config, config.nodes[0], keys);
  const auto opened = alice.open([](std::uint32_t, std::size_t, const message::Message&) {}, {});
  EXPECT_TRUE(opened) << opened.error().text();
}

}  // namespace
}  // namespace bascule::manager_host
