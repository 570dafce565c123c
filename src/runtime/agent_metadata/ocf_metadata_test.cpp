#include "runtime/agent_metadata/ocf_metadata.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/test_directory.h"

namespace bascule::agent_metadata {
namespace {

const std::string small =
    "echo '<resource-agent name=\"small\"><actions><action name=\"notify\"/></actions></resource-agent>'\n";

class OcfMetadataTest : public testing::Test {
 protected:
  OcfMetadataTest() { std::filesystem::create_directories(directory_ + "/resource.d/test"); }
  ~OcfMetadataTest() override {
    asker_.reset();
    io_.poll();
  }
  void script(const std::string& name, const std::string& body) {
    const auto path = directory_ + "/resource.d/test/" + name;
    std::ofstream(path) << "#!/bin/sh\necho \"$1\" >> " << directory_ << "/asked\n" << body;
    ::chmod(path.c_str(), 0755);
  }
  void begin(Duration timeout = seconds(20)) {
    asker_ = std::make_unique<OcfMetadata>(
        io_,
        OcfMetadata::Where{{directory_, ""},
                           "bascule-metadata-test-" + std::to_string(::getpid()),
                           "",
                           directory_ + "/cache",
                           timeout},
        [](const std::string&) {}, [this](const OcfMetadata::Told& told) { told_.push_back(told); });
  }
  OcfMetadata::Told ask(const std::string& type) {
    told_.clear();
    asker_->ask(*agents::agent_named("test:" + type));
    while (asker_->busy() && io_.run_one_for(std::chrono::seconds(30)) > 0) {
    }
    if (told_.empty()) return {*agents::agent_named("none"), fail("nothing was told"), false};
    return told_.back();
  }
  [[nodiscard]] std::size_t times_asked() const {
    std::ifstream file(directory_ + "/asked");
    std::size_t count = 0;
    for (std::string line; std::getline(file, line);) {
      EXPECT_EQ(line, "meta-data");
      ++count;
    }
    return count;
  }
  static std::string why(const OcfMetadata::Told& told) {
    return told.metadata ? "it is taken" : told.metadata.error().text();
  }

  boost::asio::io_context io_;
  TestDirectory made_;
  std::string directory_ = made_.path();
  std::unique_ptr<OcfMetadata> asker_;
  std::vector<OcfMetadata::Told> told_;
};

TEST_F(OcfMetadataTest, AnAgentIsAskedAgainWhenItIsAnotherFile) {
  script("small", small);
  begin();
  EXPECT_TRUE(ask("small").metadata->offers("notify"));
  EXPECT_NE(why(ask("small")), "it is taken") << "nothing is told twice";
  begin();
  EXPECT_TRUE(ask("small").metadata->offers("notify")) << "from what was kept";
  EXPECT_EQ(times_asked(), 1U);
  script("small", "# longer\n" + small);
  EXPECT_TRUE(ask("small").metadata->offers("notify"));
  EXPECT_EQ(times_asked(), 2U);
}

TEST_F(OcfMetadataTest, WhatHangsOrPrintsRubbishOrTooMuchIsToldAndTheNextOneIsAsked) {
  script("hang", "sleep 1000\n");
  script("rubbish", "echo 'usage: rubbish {start|stop}'\n");
  script("flood", "yes '<resource-agent>' | head -c 3000000\n");
  script("refuse", "echo 'ocf-exit-reason:no database here' >&2; exit 5\n");
  script("small", small);
  begin(seconds(1));
  const auto began = std::chrono::steady_clock::now();
  EXPECT_NE(why(ask("hang")).find("timed out after 1000 ms"), std::string::npos) << why(told_.back());
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(20));
  EXPECT_NE(why(ask("rubbish")).find("not XML"), std::string::npos) << why(told_.back());
  EXPECT_NE(why(ask("flood")).find("more than 1 MiB"), std::string::npos) << why(told_.back());
  EXPECT_NE(why(ask("refuse")).find("no database here"), std::string::npos) << why(told_.back());
  EXPECT_TRUE(told_.back().installed);
  const auto absent = ask("absent");
  EXPECT_FALSE(absent.installed);
  EXPECT_NE(why(absent).find("ocf:test:absent is not on this machine: there is no " + directory_), std::string::npos)
      << why(absent);
  EXPECT_TRUE(ask("small").metadata) << why(told_.back());
}

TEST_F(OcfMetadataTest, AConfigurationIsSeenBesideWhatItsAgentsSay) {
  script("small", small);
  config::ClusterConfig config;
  for (const char* name : {"web@alice", "web@bob"}) {
    auto& service = config.services.emplace_back();
    service.name = name;
    service.steps = {*agents::agent_named("test:small"), *agents::agent_named("test:absent")};
    service.steps.front().parameters = {{"colour", "red"}};
  }
  const agents::Roots roots{directory_, ""};
  const auto findings = findings_of(config, ask_here(config, roots));
  ASSERT_EQ(findings.wrong.size(), 1U) << "copies say the same";
  EXPECT_NE(findings.wrong.front().find("web, step small: ocf:test:small knows no parameter 'colour'"),
            std::string::npos);
  ASSERT_EQ(findings.absent.size(), 1U);
  EXPECT_EQ(times_asked(), 1U);
}

TEST(OcfMetadataOfDebian, EveryInstalledAgentIsUnderstood) {
  const std::string root = agents::Roots{}.ocf + "/resource.d";
  if (!std::filesystem::exists(root + "/heartbeat/Dummy")) GTEST_SKIP() << "there are no OCF agents here";
  std::size_t understood = 0;
  for (const char* name : {"heartbeat:Dummy", "heartbeat:apache", "heartbeat:mysql", "heartbeat:pgsql",
                           "heartbeat:IPaddr2", "heartbeat:Filesystem", "pacemaker:Stateful", "linbit:drbd"}) {
    const auto step = *agents::agent_named(name);
    if (!std::filesystem::exists(root + "/" + step.provider + "/" + step.type)) continue;
    const auto told = ask_here(step);
    ASSERT_TRUE(told.metadata) << name << ": " << told.metadata.error().text();
    EXPECT_TRUE(told.metadata->offers("start") && told.metadata->offers("monitor")) << name;
    EXPECT_EQ(told.metadata->offers("promote"), told.metadata->offers("demote")) << name;
    ++understood;
  }
  EXPECT_GT(understood, 0U);
}

}  // namespace
}  // namespace bascule::agent_metadata
