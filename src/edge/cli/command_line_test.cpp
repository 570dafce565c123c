#include "edge/cli/command_line.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/test_directory.h"
#include "edge/api/api_server.h"
#include "edge/api/operations.h"

namespace bascule::cli {
namespace {

/// Moves, stops and starts one service at once, or refuses.
struct FakeManager : api::ManagerDoor {
  json status() override {
    return {{"cluster", "c"},
            {"summary", "s"},
            {"healthy", state == "Started"},
            {"quorum", {{"votes", away ? 1 : 2}, {"settled", true}}},
            {"nodes",
             {{{"name", "alice"}, {"votes", true}, {"standby", standby}, {"away", away}},
              {{"name", "bob"}, {"votes", true}},
              {{"name", "carol"}, {"votes", has_witness}}}},
            {"services", {{{"name", "shop"}, {"target", "Started"}, {"state", state}, {"owner", owner}}}},
            {"volumes", {{{"name", "data"}, {"replicas", json::array()}}}}};
  }
  std::vector<message::Event> events(std::uint64_t since) override {
    message::Event event;
    event.sequence = 1;
    event.kind = "service-started";
    event.text = "it runs";
    return since < 1 ? std::vector<message::Event>{event} : std::vector<message::Event>{};
  }
  json attributes() override { return json::object(); }
  Result<void> set_attribute(const api::AgentAttributeRequest&) override { return {}; }
  void change(message::Command command, Done done) override {
    if (refuse) return done(fail("refused", "shop", "no quorum", "wait"));
    if (const auto* move = std::get_if<message::MoveService>(&command); move != nullptr && obey)
      owner = move->to.empty() ? "bob" : move->to;
    if (const auto* target = std::get_if<message::SetTarget>(&command))
      state = !target->started ? "Stopped" : breaks ? "Failed" : "Started";
    if (const auto* change = std::get_if<message::SetStandby>(&command)) {
      standby = change->standby;
      away = false;
      if (standby) owner = "bob";
    }
    if (const auto* goodbye = std::get_if<message::SayGoodbye>(&command)) away = !goodbye->back;
    done(json::object());
  }
  std::string state = "Started", owner = "alice";
  bool refuse = false, obey = true, breaks = false, standby = false, away = false, has_witness = false;
};

struct CommandLineTest : testing::Test {
  ~CommandLineTest() override { stop_server(); }
  void start_server() {
    server = std::move(api::ApiServer::start(context, directory + "/manager.sock", manager).value());
    thread = std::thread([this] { context.run(); });
  }
  void stop_server() {
    if (!server) return;
    boost::asio::post(context, [this] { server.reset(); });
    thread.join();
  }
  int bascule(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--run-dir", directory});
    out.str("");
    err.str("");
    return run(arguments, {out, err, Style{false, true}, "alice",
                           [this](const auto&, const auto& node, const auto& volume, bool force) -> Result<json> {
                             created = node + " " + volume + (force ? " forced" : "");
                             return json{{"ok", true}, {"text", "made"}};
                           }});
  }
  TestDirectory made;
  std::string directory = made.path(), created;
  FakeManager manager;
  boost::asio::io_context context;
  std::unique_ptr<api::ApiServer> server;
  std::thread thread;
  std::ostringstream out, err;
};

TEST_F(CommandLineTest, EveryCommandHasHelpWithAnExample) {
  for (const auto& operation : api::operations()) {
    if (operation.command.empty()) continue;  // part of a command of the cli's own
    std::istringstream words{std::string(operation.command)};
    std::vector<std::string> arguments{std::istream_iterator<std::string>(words), {}};
    arguments.push_back("--help");
    EXPECT_EQ(bascule(arguments), ok) << operation.name;
    EXPECT_NE(out.str().find("bascule " + std::string(operation.example)), std::string::npos) << out.str();
    EXPECT_NE(out.str().find("no contact with bascule-managerd"), std::string::npos);
  }
}

TEST_F(CommandLineTest, DrbdmetaHasItsOwnArgumentsAndExitCodes) {
  const Surroundings around{out, err, Style{false, true}, "alice", {}};
  EXPECT_EQ(run({"drbdmeta", "--help"}, around), 0);
  EXPECT_NE(out.str().find("bascule drbdmeta 0 v08 /dev/vg/data internal dump-md"), std::string::npos);
  EXPECT_EQ(run({"drbdmeta", "0", "v08", directory + "/missing", "internal", "dump-md"}, around), 20);
  const std::string device = directory + "/device";
  std::ofstream(device).put(0);
  std::filesystem::resize_file(device, 1 << 20);
  EXPECT_EQ(run({"drbdmeta", "0", "v08", device, "internal", "create-md"}, around), 0) << err.str();
  out.str("");
  EXPECT_EQ(run({"--json", "drbdmeta", "0", "v08", device, "internal", "dstate"}, around), 0);
  EXPECT_EQ(json::parse(out.str()).at("disk_state"), "Inconsistent");
}

TEST_F(CommandLineTest, WrongUsageIsTwo) {
  EXPECT_EQ(bascule({}), unusable);
  EXPECT_EQ(bascule({"dance"}), unusable);
  EXPECT_EQ(bascule({"move"}), unusable);
  EXPECT_EQ(bascule({"volume"}), unusable);
  EXPECT_EQ(bascule({"volume", "primary", "data"}), unusable);
  EXPECT_EQ(bascule({"completion", "fish"}), unusable);
}

TEST_F(CommandLineTest, NoManagerIsThree) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"status"},
                                                                     {"events"},
                                                                     {"move", "shop"},
                                                                     {"standby", "alice"},
                                                                     {"volume", "status"},
                                                                     {"volume", "primary", "data", "--on", "a"}}) {
    EXPECT_EQ(bascule(arguments), no_contact) << arguments[0];
    EXPECT_NE(err.str().find("no contact"), std::string::npos) << err.str();
  }
  EXPECT_EQ(bascule({"status", "--json"}), no_contact);
  EXPECT_EQ(json::parse(out.str()).at("ok"), false);
}

TEST_F(CommandLineTest, StatusForPeopleAndForPrograms) {
  start_server();
  EXPECT_EQ(bascule({"status", "--check"}), ok);
  EXPECT_EQ(out.str().substr(0, 6), "+ c: s");
  EXPECT_EQ(bascule({"status", "--json"}), ok);
  EXPECT_EQ(json::parse(out.str()).at("cluster"), "c");
  manager.state = "Failed";
  EXPECT_EQ(bascule({"status", "--check"}), refused);
}

TEST_F(CommandLineTest, ARefusalIsOneAndSaysWhy) {
  manager.refuse = true;
  start_server();
  EXPECT_EQ(bascule({"move", "shop", "--to", "bob"}), refused);
  EXPECT_EQ(err.str(), "bascule: refused: shop: no quorum (wait)\n");
  EXPECT_EQ(bascule({"stop", "shop", "--json"}), refused);
  EXPECT_EQ(json::parse(out.str()).at("error").at("why"), "no quorum");
}

TEST_F(CommandLineTest, ChangesAreFollowedUntilDone) {
  start_server();
  EXPECT_EQ(bascule({"move", "shop", "--to", "bob"}), ok) << err.str();
  EXPECT_EQ(manager.owner, "bob");
  EXPECT_EQ(bascule({"stop", "shop"}), ok);
  EXPECT_EQ(bascule({"start", "shop", "--json"}), ok);
  EXPECT_EQ(json::parse(out.str()).at("done"), true);
  manager.owner = "alice";
  EXPECT_EQ(bascule({"standby", "alice"}), ok);
}

TEST_F(CommandLineTest, AFailureIsOneAndAnEndlessWaitIsFour) {
  manager.obey = false;
  manager.breaks = true;
  start_server();
  EXPECT_EQ(bascule({"move", "shop", "--to", "bob", "--timeout", "1"}), timed_out);
  EXPECT_EQ(bascule({"move", "shop", "--to", "bob", "--no-wait"}), ok);
  EXPECT_EQ(bascule({"start", "shop"}), refused);
}

TEST_F(CommandLineTest, Events) {
  start_server();
  EXPECT_EQ(bascule({"events"}), ok);
  EXPECT_NE(out.str().find("it runs"), std::string::npos);
  EXPECT_EQ(bascule({"events", "--since", "1"}), ok);
  EXPECT_EQ(out.str(), "");
  EXPECT_EQ(bascule({"events", "--json"}), ok);
  EXPECT_EQ(json::parse(out.str()).at("kind"), "service-started");
}

TEST_F(CommandLineTest, VolumeStatus) {
  start_server();
  EXPECT_EQ(bascule({"volume", "status"}), ok);
  EXPECT_NE(out.str().find("data"), std::string::npos);
  EXPECT_EQ(bascule({"volume", "status", "other"}), refused);
}

/// Accepts one connection, answers its first bytes with `answer` and closes.
struct OneAnswer {
  OneAnswer(const std::string& path, std::string answer) : fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd, 1), 0);
    thread = std::thread([this, text = std::move(answer)] {
      const int client = accept(fd, nullptr, nullptr);
      char bytes[256];
      EXPECT_GT(recv(client, bytes, sizeof(bytes), 0), 0);
      EXPECT_EQ(send(client, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
      close(client);
    });
  }
  ~OneAnswer() {
    thread.join();
    close(fd);
  }
  int fd;
  std::thread thread;
};

TEST_F(CommandLineTest, WithoutManagerTheVolumesDaemonIsAsked) {
  OneAnswer blockd(
      directory + "/blockd.data.sock",
      R"({"id":1,"ok":true,"state":{"name":"data","role":"Secondary","disk":"UpToDate","connection":"Connected"}})"
      "\n");
  EXPECT_EQ(bascule({"volume", "status"}), ok);
  EXPECT_NE(out.str().find("Secondary"), std::string::npos) << out.str();
  EXPECT_NE(err.str().find("no contact with bascule-managerd"), std::string::npos);
}

TEST_F(CommandLineTest, AnAnswerThatIsNoJsonIsNoContact) {
  OneAnswer liar(directory + "/manager.sock", "HTTP/1.1 200 OK\n");
  EXPECT_EQ(bascule({"status"}), no_contact);
}

TEST_F(CommandLineTest, AConnectionThatClosesIsNoContact) {
  OneAnswer liar(directory + "/manager.sock", "{\"ok\":");
  EXPECT_EQ(bascule({"status"}), no_contact);
}

TEST_F(CommandLineTest, ConfigurationIsCheckedAndVolumesAreMade) {
  const std::string file = directory + "/cluster.toml";
  EXPECT_EQ(bascule({"config", "check", file}), refused);
  std::ofstream(file) << "[cluster]\nname = \"c\"\n[node.a]\naddress = \"10.0.0.1\"\n";
  EXPECT_EQ(bascule({"config", "check", file}), ok) << err.str();
  EXPECT_EQ(bascule({"volume", "create", "data", "--force", "--config", file}), ok) << err.str();
  EXPECT_EQ(created, "alice data forced");
  std::ofstream(file) << "[cluster]\nnam = \"c\"\n";
  EXPECT_EQ(bascule({"config", "check", file}), refused);
  EXPECT_NE(err.str().find("did you mean 'name'"), std::string::npos);
  EXPECT_EQ(bascule({"volume", "create", "data", "--config", file}), unusable);
}

TEST_F(CommandLineTest, ANodeIsToldWhatItRuns) {
  const std::string file = directory + "/cluster.toml";
  std::ofstream(file) << "[cluster]\nname = \"c\"\n[node.alice]\naddress = \"10.0.0.1\"\n[node.bob]\naddress = "
                         "\"10.0.0.2\"\n[node.carol]\naddress = \"10.0.0.3\"\nrole = \"witness\"\n"
                         "[volume.data]\ndisk = \"/d\"\n[volume.my-logs]\ndisk = \"/l\"\n";
  EXPECT_EQ(bascule({"config", "node", file}), ok) << err.str();
  EXPECT_EQ(out.str(), "role data\nvolume data\nvolume my-logs\n");
  EXPECT_EQ(bascule({"config", "node", file, "--node", "carol", "--json"}), ok);
  EXPECT_EQ(json::parse(out.str()),
            (json{{"ok", true}, {"node", "carol"}, {"role", "witness"}, {"volumes", json::array()}}));
  EXPECT_EQ(bascule({"config", "node", file, "--node", "dave"}), refused);
  EXPECT_NE(err.str().find("--node NAME"), std::string::npos) << err.str();
}

TEST_F(CommandLineTest, ANodeGoesDownAndComesBack) {
  EXPECT_EQ(bascule({"node", "down", "--state-dir", directory}), no_contact);
  start_server();
  EXPECT_EQ(bascule({"node", "down", "--state-dir", directory}), ok) << err.str();
  EXPECT_TRUE(manager.standby);
  EXPECT_EQ(bascule({"node", "up", "--state-dir", directory}), ok) << err.str();
  EXPECT_FALSE(manager.standby);
}

TEST_F(CommandLineTest, OneOfTwoNodesSaysGoodbyeBeforeItGoesDown) {
  start_server();
  EXPECT_EQ(bascule({"node", "down", "--state-dir", directory}), ok) << err.str();
  EXPECT_TRUE(manager.away);
  EXPECT_NE(out.str().find("The other node decides alone until alice is back."), std::string::npos) << out.str();
  EXPECT_EQ(bascule({"node", "up", "--state-dir", directory}), ok) << err.str();
  EXPECT_FALSE(manager.away);
}

TEST_F(CommandLineTest, WhereAWitnessIsNobodyNeedsToSayGoodbye) {
  manager.has_witness = true;
  start_server();
  EXPECT_EQ(bascule({"node", "down", "--state-dir", directory}), ok) << err.str();
  EXPECT_FALSE(manager.away);
}

TEST_F(CommandLineTest, ANodeThatAPersonPutInStandbyStaysThere) {
  manager.standby = true;
  start_server();
  EXPECT_EQ(bascule({"node", "down", "--state-dir", directory}), ok);
  EXPECT_TRUE(manager.away);
  EXPECT_EQ(bascule({"node", "up", "--state-dir", directory}), ok);
  EXPECT_TRUE(manager.standby);
  EXPECT_FALSE(manager.away) << "it decides again, and stays in standby";
}

TEST_F(CommandLineTest, ANodeComesBackAsSoonAsThereIsAMajority) {
  start_server();
  EXPECT_EQ(bascule({"node", "down", "--state-dir", directory}), ok);
  manager.refuse = true;
  EXPECT_EQ(bascule({"node", "up", "--state-dir", directory, "--timeout", "1"}), refused);
  EXPECT_TRUE(manager.standby);
  manager.refuse = false;
  EXPECT_EQ(bascule({"node", "up", "--state-dir", directory}), ok) << err.str();
  EXPECT_FALSE(manager.standby);
}

TEST_F(CommandLineTest, CompletionsAndManualNameEveryCommand) {
  std::ostringstream texts;
  EXPECT_EQ(run({"manual"}, {texts, err, {}, "", {}}), ok);
  for (const auto& operation : api::operations())
    EXPECT_NE(texts.str().find(std::string(operation.command)), std::string::npos);
  for (const char* shell : {"bash", "zsh"}) {
    EXPECT_EQ(bascule({"completion", shell}), ok);
    EXPECT_NE(out.str().find("standby"), std::string::npos);
  }
}

std::string repository_file(const std::string& name) {
  std::ifstream file(std::string(BASCULE_TESTDATA) + "/../../../../" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What is packaged is what the program prints: `bascule manual > docs/man/bascule.1`, `bascule completion bash > ...`.
TEST_F(CommandLineTest, PackagedManualAndCompletionsAreUpToDate) {
  EXPECT_EQ(bascule({"completion", "bash"}), ok);
  EXPECT_EQ(out.str(), repository_file("completions/bascule.bash"));
  EXPECT_EQ(bascule({"completion", "zsh"}), ok);
  EXPECT_EQ(out.str(), repository_file("completions/_bascule"));
  std::ostringstream texts;
  EXPECT_EQ(run({"manual"}, {texts, err, {}, "", {}}), ok);
  EXPECT_EQ(texts.str(), repository_file("docs/man/bascule.1"));
}

}  // namespace
}  // namespace bascule::cli
