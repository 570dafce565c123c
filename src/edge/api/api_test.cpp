#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include "base/test_directory.h"
#include "edge/api/api_server.h"
#include "edge/api/operations.h"

namespace bascule::api {
namespace {

namespace asio = boost::asio;
using nlohmann::json;

TEST(Request, EveryOperationOfTheTableIsParsed) {
  for (const auto& operation : operations()) {
    json line{{"op", operation.name}, {"id", 7}};
    for (const auto& parameter : operation.parameters) {
      if (parameter.kind == Parameter::Kind::number)
        line[std::string(parameter.name)] = 3;
      else if (parameter.kind == Parameter::Kind::flag)
        line[std::string(parameter.name)] = true;
      else
        line[std::string(parameter.name)] = parameter.kind == Parameter::Kind::lifetime ? "transient" : "x";
    }
    const auto request = parse_request(line.dump());
    ASSERT_TRUE(request) << operation.name << ": " << request.error().text();
    EXPECT_EQ(request->id, 7);
    EXPECT_EQ(operation.level == Level::read, !std::holds_alternative<message::Command>(request->body))
        << operation.name;
  }
}

template <typename Wanted>
Wanted command_of(const char* line) {
  const auto request = parse_request(line);
  return std::get<Wanted>(std::get<message::Command>(request.value().body));
}

TEST(Request, Meanings) {
  EXPECT_EQ(command_of<message::MoveService>(R"({"op":"move","service":"shop","to":"bob"})").to, "bob");
  EXPECT_EQ(command_of<message::MoveService>(R"({"op":"move","service":"shop","to":null})").to, "");
  EXPECT_TRUE(command_of<message::SetStandby>(R"({"op":"standby","node":"a"})").standby);
  EXPECT_FALSE(command_of<message::SetStandby>(R"({"op":"online","node":"a"})").standby);
  EXPECT_TRUE(command_of<message::SetTarget>(R"({"op":"start","service":"s"})").started);
  EXPECT_FALSE(command_of<message::SetTarget>(R"({"op":"stop","service":"s"})").started);
  EXPECT_EQ(command_of<message::HoldVolume>(R"({"op":"volume_primary","volume":"v","node":"a"})").node, "a");
  EXPECT_EQ(command_of<message::HoldVolume>(R"({"op":"volume_secondary","volume":"v"})").node, "");
  const auto maintenance = command_of<message::SetMaintenance>(
      R"({"op":"maintenance","node":"a","duration_ms":5000,"by":"erik","reason":"disk","at_ms":7})");
  EXPECT_EQ(maintenance.scope, "node:a");
  EXPECT_TRUE(maintenance.on && maintenance.by == "erik" && maintenance.reason == "disk");
  EXPECT_EQ(maintenance.duration_ms, 5000u);
  EXPECT_FALSE(command_of<message::SetMaintenance>(R"({"op":"maintenance","off":true})").on);
  EXPECT_TRUE(command_of<message::SetStandby>(R"({"op":"drain","node":"a"})").wait);
  EXPECT_EQ(command_of<message::RestartService>(R"({"op":"restart","service":"s","step":"x"})").step, "x");
  EXPECT_TRUE(command_of<message::SetHalt>(R"({"op":"halt"})").halted);
  EXPECT_FALSE(command_of<message::SetHalt>(R"({"op":"resume"})").halted);
  EXPECT_EQ(command_of<message::ClearFailures>(R"({"op":"clear_failures","service":"s"})").service, "s");
}

TEST(Request, Attributes) {
  const auto set = command_of<message::UpdateAttributes>(R"({"op":"attribute_set","name":"n","value":"","node":"a"})");
  EXPECT_EQ(set.set, (std::map<std::string, std::string>{{"n", ""}}));
  EXPECT_FALSE(set.transient);
  const auto gone =
      command_of<message::UpdateAttributes>(R"({"op":"attribute_delete","name":"n","lifetime":"transient"})");
  EXPECT_EQ(gone.remove, std::vector<std::string>{"n"});
  EXPECT_TRUE(gone.transient);
  const auto agents = parse_request(R"({"op":"agent_attribute","name":"n","value":"v","delay_ms":5000})");
  EXPECT_EQ(std::get<AgentAttributeRequest>(agents.value().body).delay_ms, 5000u);
  const auto deletes = parse_request(R"({"op":"agent_attribute","name":"n"})");
  EXPECT_FALSE(std::get<AgentAttributeRequest>(deletes.value().body).value.has_value());
  for (const char* line :
       {R"({"op":"agent_attribute"})", R"({"op":"agent_attribute","name":""})",
        R"({"op":"agent_attribute","name":"n","value":3})", R"({"op":"agent_attribute","name":"n","delay_ms":-1})",
        R"({"op":"attribute_set","name":"n","value":"v","lifetime":"for ever"})"})
    EXPECT_FALSE(parse_request(line)) << line;
}

TEST(Request, MistakesAreErrors) {
  for (const char* line :
       {"", "x", "[]", "{}", R"({"op":3})", R"({"op":"reboot"})", R"({"op":"move"})", R"({"op":"move","service":3})",
        R"({"op":"move","service":""})", R"({"op":"status","colour":"red"})", R"({"op":"events","since":-1})",
        R"({"op":"events","since":1.5})", R"({"op":"events","follow":"yes"})", R"({"op":"stop","service":null})"})
    EXPECT_FALSE(parse_request(line)) << line;
}

struct FakeManager : ManagerDoor {
  json status() override { return {{"cluster", "boutique"}}; }
  std::vector<message::Event> events(std::uint64_t since) override {
    std::vector<message::Event> found;
    for (const auto& event : kept)
      if (event.sequence > since) found.push_back(event);
    return found;
  }
  json attributes() override {
    return {{"alice", {{"permanent", {{"site", "north"}}}, {"transient", json::object()}}}};
  }
  Result<void> set_attribute(const AgentAttributeRequest& request) override {
    if (request.node == "zoe") return fail("there is no node \"zoe\"");
    set.push_back(request);
    return {};
  }
  std::vector<AgentAttributeRequest> set;
  void change(message::Command command, Done done) override {
    commands.push_back(std::move(command));
    pending.push_back(std::move(done));
  }
  std::vector<message::Event> kept;
  std::vector<message::Command> commands;
  std::vector<Done> pending;
};

message::Event event(std::uint64_t sequence) {
  message::Event one;
  one.sequence = sequence;
  one.kind = "node-lost";
  return one;
}

/// The server and its clients in one thread: each wait runs the server until what is waited for is there.
struct ApiServerTest : testing::Test {
  ApiServerTest() {
    auto started = ApiServer::start(context, directory + "/manager.sock", manager);
    server = std::move(started.value());
  }
  ~ApiServerTest() override {
    server.reset();
    context.poll();
  }

  struct Client {
    explicit Client(ApiServerTest& owner) : test(owner), socket(owner.context) {
      socket.connect(asio::local::stream_protocol::endpoint(owner.directory + "/manager.sock"));
    }
    void send(const std::string& text) { asio::write(socket, asio::buffer(text)); }
    json receive() {
      bool done = false;
      asio::async_read_until(socket, asio::dynamic_buffer(input), '\n',
                             [&](auto error, std::size_t) { done = true, failure = error; });
      test.run_until([&] { return done; });
      const auto end = input.find('\n');
      if (failure || end == std::string::npos) return {};
      const json line = json::parse(input.substr(0, end));
      input.erase(0, end + 1);
      return line;
    }
    ApiServerTest& test;
    asio::local::stream_protocol::socket socket;
    std::string input;
    boost::system::error_code failure;
  };

  template <typename Condition>
  void run_until(Condition condition) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition() && std::chrono::steady_clock::now() < limit) {
      context.restart();
      context.run_one_for(std::chrono::milliseconds(100));
    }
    EXPECT_TRUE(condition());
  }

  asio::io_context context;
  TestDirectory made;
  std::string directory = made.path();
  FakeManager manager;
  std::unique_ptr<ApiServer> server;
};

TEST_F(ApiServerTest, TheSocketIsForOwnerAndGroup) {
  struct stat about {};
  ASSERT_EQ(stat((directory + "/manager.sock").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0660u);
}

TEST_F(ApiServerTest, AnswersStatusWithTheId) {
  Client client(*this);
  client.send("{\"op\":\"status\",\"id\":\"a\"}\n");
  EXPECT_EQ(client.receive(), (json{{"ok", true}, {"id", "a"}, {"cluster", "boutique"}}));
}

TEST_F(ApiServerTest, GarbageIsAnsweredAndTheNextRequestServed) {
  Client client(*this);
  client.send("\x80\xff garbage\n\n{\"op\":\"status\"}\n");
  EXPECT_EQ(client.receive().at("ok"), false);
  EXPECT_EQ(client.receive().at("error").at("what"), "the request cannot be understood");
  EXPECT_EQ(client.receive().at("ok"), true);
}

TEST_F(ApiServerTest, ALineTooLongEndsTheConnection) {
  Client client(*this);
  client.send(std::string(ApiServer::line_bytes_max + 1, 'x'));
  EXPECT_EQ(client.receive().at("ok"), false);
  EXPECT_TRUE(client.receive().is_null());
  EXPECT_EQ(server->client_count(), 0u);
}

TEST_F(ApiServerTest, AChangeIsAnsweredWhenItIsDone) {
  Client client(*this);
  client.send("{\"op\":\"stop\",\"service\":\"shop\"}\n{\"op\":\"status\"}\n");
  run_until([&] { return manager.pending.size() == 1; });
  manager.pending[0](fail("refused", "shop", "no quorum"));
  EXPECT_EQ(client.receive().at("error").at("why"), "no quorum");
  EXPECT_EQ(client.receive().at("ok"), true);
}

TEST_F(ApiServerTest, AClientMayLeaveBeforeItsAnswer) {
  {
    Client client(*this);
    client.send("{\"op\":\"stop\",\"service\":\"shop\"}\n");
    run_until([&] { return manager.pending.size() == 1; });
  }
  manager.pending[0](json::object());
  run_until([&] { return server->client_count() == 0; });
}

TEST_F(ApiServerTest, EventsAreSentOnceAndFollowed) {
  manager.kept = {event(1), event(2), event(3)};
  Client client(*this), other(*this);
  client.send("{\"op\":\"events\",\"since\":1,\"follow\":true}\n");
  EXPECT_EQ(client.receive().at("sequence"), 2);
  EXPECT_EQ(client.receive().at("sequence"), 3);
  EXPECT_EQ(client.receive().at("last"), 3);
  other.send("{\"op\":\"events\",\"since\":9}\n");
  EXPECT_EQ(other.receive().at("last"), 9);
  server->publish(event(3));
  server->publish(event(4));
  EXPECT_EQ(client.receive().at("sequence"), 4);
}

TEST_F(ApiServerTest, AFollowerThatDoesNotReadIsDropped) {
  Client client(*this);
  client.send("{\"op\":\"events\",\"follow\":true}\n");
  EXPECT_EQ(client.receive().at("ok"), true);
  auto large = event(1);
  large.text = std::string(1024 * 1024, 'x');
  for (std::uint64_t i = 1; i <= 6; ++i) large.sequence = i, server->publish(large);
  run_until([&] { return server->client_count() == 0; });
}

TEST_F(ApiServerTest, ClientsAreBounded) {
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < ApiServer::clients_max; ++i) clients.push_back(std::make_unique<Client>(*this));
  run_until([&] { return server->client_count() == ApiServer::clients_max; });
  Client more(*this);
  EXPECT_TRUE(more.receive().is_null());
}

}  // namespace
}  // namespace bascule::api
