#include <gtest/gtest.h>
#include <stdlib.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/test_directory.h"
#include "runtime/join/join_client.h"
#include "runtime/join/join_server.h"

namespace bascule::join {
namespace {

constexpr std::uint16_t port = 27788;
const sealed::Salt salt{9};

/// A member's door, on a thread of its own.
class JoinTest : public testing::Test {
 protected:
  JoinTest() {
    token_ = {"boutique", "dave", port, {"127.0.0.1"}, {}};
    token_.secret.fill(5);
    places_ = {directory_ + "/etc/cluster.toml", directory_ + "/state", false};
  }
  ~JoinTest() override {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }
  void open_door() {
    server_ = std::make_unique<JoinServer>(
        io_, std::vector<std::string>{"127.0.0.1", "203.0.113.1"}, port,
        [this](const Bytes& request, const std::string& from, const JoinServer::Answer& answer) {
          from_ = from;
          const auto secret = open_request("boutique", hash_of(token_.secret), request);
          answer(secret && !used_ ? reply("boutique", *secret, Secrets{keys_, config_}, salt) : Bytes{});
          used_ = used_ || secret;
        });
    ASSERT_EQ(server_->listening(), 1u) << "the other is no address of this machine";
    thread_ = std::thread([this] { io_.run(); });
  }
  [[nodiscard]] std::string text_in(const std::string& path) const {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  TestDirectory made_;
  std::string directory_ = made_.path(), from_;
  Token token_;
  Places places_;
  bool used_ = false;
  std::string keys_ = "key 1 " + std::string(64, 'a') + "\nsend 1\n";
  std::string config_;
  boost::asio::io_context io_;
  std::unique_ptr<JoinServer> server_;
  std::thread thread_;
};

TEST_F(JoinTest, AMachineWithATokenGetsKeysAndConfiguration) {
  const std::string key_file = directory_ + "/etc/cluster.key";
  config_ = "[cluster]\nname = \"boutique\"\nkey_file = \"" + key_file + "\"\n[node.dave]\naddress = \"10.0.0.4\"\n";
  open_door();
  ASSERT_TRUE(check_places(places_));
  const auto secrets = ask_members(token_, seconds(5));
  ASSERT_TRUE(secrets) << secrets.error().text();
  const auto kept = keep(*secrets, token_, places_);
  ASSERT_TRUE(kept) << kept.error().text();
  EXPECT_EQ(*kept, key_file);
  EXPECT_EQ(text_in(places_.config_file), config_);
  EXPECT_NE(text_in(key_file).find(std::string(64, 'a')), std::string::npos);
  EXPECT_EQ(std::filesystem::status(key_file).permissions(), std::filesystem::perms(0600));
  EXPECT_TRUE(std::filesystem::exists(places_.state_dir + "/joined"));
  EXPECT_EQ(from_, "127.0.0.1");
  EXPECT_FALSE(ask_members(token_, seconds(5))) << "once";
}

TEST_F(JoinTest, ATokenOfAnotherClusterIsNotAnswered) {
  open_door();
  Token other = token_;
  other.secret.fill(6);
  EXPECT_FALSE(ask_members(other, seconds(5)));
  EXPECT_FALSE(used_);
}

TEST_F(JoinTest, AMemberDoesNotJoin) {
  std::filesystem::create_directories(places_.state_dir);
  std::ofstream(places_.state_dir + "/raft.log") << "x";
  const auto refused = check_places(places_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("member of a cluster already"), std::string::npos);
}

TEST_F(JoinTest, AConfigurationIsNotReplacedUnlessToldTo) {
  std::filesystem::create_directories(directory_ + "/etc");
  std::ofstream(places_.config_file) << "mine";
  EXPECT_FALSE(check_places(places_));
  places_.replace = true;
  EXPECT_TRUE(check_places(places_));
}

}  // namespace
}  // namespace bascule::join
