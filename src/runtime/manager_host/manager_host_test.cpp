#include <gtest/gtest.h>
#include <stdlib.h>

#include <boost/asio/buffer.hpp>
#include <filesystem>
#include <fstream>

#include "base/prng.h"
#include "runtime/manager_host/block_client.h"
#include "runtime/manager_host/journal.h"
#include "runtime/manager_host/udp_links.h"

namespace bascule::manager_host {
namespace {

namespace asio = boost::asio;
using asio::ip::udp;

config::ClusterConfig two_nodes() {
  config::ClusterConfig config;
  config.name = "test";
  config.nodes = {{"alice", config::NodeRole::data, "127.0.0.51", 1}, {"bob", config::NodeRole::data, "127.0.0.52", 2}};
  config.port = 17788;
  return config;
}

class UdpLinksTest : public testing::Test {
 protected:
  UdpLinksTest() : config(two_nodes()), alice(io, config, config.nodes[0]), bob(io, config, config.nodes[1]) {}
  void SetUp() override {
    ASSERT_TRUE(alice.open([&](std::uint32_t from, message::Message) { heard.push_back(from); }));
  }
  /// From an address and port that is no node's, or is bob's.
  void send_raw(const Bytes& bytes, const char* address, std::uint16_t port) {
    udp::socket socket(io, udp::endpoint(asio::ip::make_address(address), port));
    socket.send_to(asio::buffer(bytes), udp::endpoint(asio::ip::make_address("127.0.0.51"), config.port));
  }
  /// Until alice has taken or dropped `datagrams`.
  void receive(std::size_t datagrams) {
    while (heard.size() + alice.dropped() < datagrams) ASSERT_GT(io.run_one_for(std::chrono::seconds(5)), 0u);
  }

  asio::io_context io;
  config::ClusterConfig config;
  UdpLinks alice, bob;
  std::vector<std::uint32_t> heard;
};

TEST_F(UdpLinksTest, HearsWhatANodeOfTheClusterSays) {
  ASSERT_TRUE(bob.open([](std::uint32_t, message::Message) {}));
  bob.send(1, message::LeaseRequest{"bob", 7, 42});
  receive(1);
  EXPECT_EQ(heard, std::vector<std::uint32_t>{2});
}

TEST_F(UdpLinksTest, DropsGarbageAndEveryTruncationAndGoesOn) {
  const Bytes whole = message::encode({2, message::LeaseRequest{"bob", 7, 42}}, "test");
  Prng prng(3);
  std::size_t sent = 0;
  for (std::size_t size = 0; size < whole.size(); ++size, ++sent)
    send_raw(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)), "127.0.0.52", config.port);
  for (int i = 0; i < 50; ++i, ++sent) {
    Bytes garbage(prng.below(1400));
    for (auto& byte : garbage) byte = static_cast<Byte>(prng.next());
    send_raw(garbage, "127.0.0.52", config.port);
  }
  receive(sent);
  EXPECT_EQ(alice.dropped(), sent);
  send_raw(whole, "127.0.0.52", config.port);
  receive(sent + 1);
  EXPECT_EQ(heard.size(), 1u);
}

TEST_F(UdpLinksTest, DropsAWholeMessageFromAnAddressThatIsNotItsSenders) {
  const Bytes whole = message::encode({2, message::LeaseRequest{"bob", 7, 42}}, "test");
  send_raw(whole, "127.0.0.53", config.port);
  send_raw(whole, "127.0.0.52", 17789);
  receive(2);
  EXPECT_TRUE(heard.empty());
}

TEST_F(UdpLinksTest, SaysWhichAddressCannotBeOpened) {
  UdpLinks second(io, config, config.nodes[0]);
  const auto opened = second.open([](std::uint32_t, message::Message) {});
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().text().find("127.0.0.51:17788"), std::string::npos) << opened.error().text();
}

class JournalTest : public testing::Test {
 protected:
  JournalTest() {
    char name[] = "/tmp/bascule-journal-XXXXXX";
    directory = ::mkdtemp(name);
  }
  ~JournalTest() override { std::filesystem::remove_all(directory); }
  static message::Event event(const std::string& kind, const std::string& index = "") {
    message::Event event;
    event.kind = kind;
    if (!index.empty()) event.fields["index"] = index;
    return event;
  }
  std::string directory;
};

TEST_F(JournalTest, GoesOnWhereAnEarlierStartEnded) {
  {
    Journal journal;
    ASSERT_TRUE(journal.open(directory));
    journal.add(event("standby", "12"));
    journal.add(event("node-lost"));
  }
  std::ofstream(directory + "/events.jsonl", std::ios::app) << "{\"seq\":3,\"kind\":\"to";  // the machine died here
  Journal journal;
  ASSERT_TRUE(journal.open(directory));
  ASSERT_EQ(journal.events().size(), 2u);
  EXPECT_EQ(journal.events().back().kind, "node-lost");
  EXPECT_EQ(journal.told_index(), 12u);
  journal.add(event("online"));
  EXPECT_EQ(journal.events().back().sequence, 3u);
  Journal third;
  ASSERT_TRUE(third.open(directory));
  EXPECT_EQ(third.events().size(), 3u);
}

TEST_F(JournalTest, TellsItsListenersUntilTheyLeave) {
  Journal journal;
  ASSERT_TRUE(journal.open(directory));
  int told = 0;
  const auto id = journal.listen([&](const message::Event&) { ++told; });
  journal.add(event("online"));
  journal.unlisten(id);
  journal.add(event("online"));
  EXPECT_EQ(told, 1);
}

TEST_F(JournalTest, SaysWhichDirectoryCannotBeWritten) {
  Journal journal;
  const auto opened = journal.open(directory + "/missing");
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().text().find("missing"), std::string::npos);
}

TEST(VolumeState, ReadsWhatBlockdSaysAndForgivesWhatItDoesNot) {
  const auto state = parse_volume_state(
      R"({"attached":true,"role":"Primary","disk":"UpToDate","promoted_epoch":4,"peer":"bob","wants_shrink":true,
          "writes_held":"many"})",
      "data");
  ASSERT_TRUE(state);
  EXPECT_EQ(state->report.name, "data");
  EXPECT_EQ(state->promoted_epoch, 4u);
  EXPECT_TRUE(state->wants_shrink);
  EXPECT_FALSE(state->wants_grow);
  EXPECT_EQ(state->report.writes_held, 0u);
  EXPECT_FALSE(parse_volume_state("[1,2]", "data"));
  EXPECT_FALSE(parse_volume_state("{", "data"));
}

}  // namespace
}  // namespace bascule::manager_host
