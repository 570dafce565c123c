#include "edge/cli/agent_command.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/test_directory.h"

namespace bascule::cli {
namespace {

TEST(AgentCommand, ShowsWhatAnAgentSaysOfItself) {
  const TestDirectory made;
  std::filesystem::create_directories(made.path() + "/resource.d/test");
  const auto program = made.path() + "/resource.d/test/lamp";
  std::ofstream(program) << "#!/bin/sh\ncat <<END\n<resource-agent name='lamp' version='3'><version>1.1</version>"
                            "<shortdesc>A lamp</shortdesc><parameters><parameter name='colour' required='1'>"
                            "<shortdesc>Of its light</shortdesc><content type='string' default='red'/></parameter>"
                            "</parameters><actions><action name='start' timeout='20s'/>"
                            "<action name='monitor' timeout='5s' interval='10s' role='Master'/></actions>"
                            "</resource-agent>\nEND\n";
  ::chmod(program.c_str(), 0755);
  const auto shown = run_agent("ocf:test:lamp", {made.path(), ""});
  ASSERT_TRUE(shown) << shown.error().text();
  EXPECT_EQ(shown->at("text").get<std::string>(),
            "ocf:test:lamp 3 (OCF 1.1): A lamp\n\nParameters:\n  colour (string, required, default red)\n"
            "      Of its light\n\nActions, with the time that the agent advises at least:\n"
            "  start              20 s  \n  monitor             5 s  Promoted\n");
  EXPECT_EQ(shown->at("actions")[1].at("interval_ms"), 10000);
  EXPECT_EQ(shown->at("parameters")[0].at("default"), "red");
}

TEST(AgentCommand, SaysWhyThereIsNothingToShow) {
  EXPECT_EQ(run_agent("../sh").error().what, "this is no OCF agent");
  EXPECT_NE(run_agent("ocf:test:none", {"/nowhere", ""}).error().text().find("/nowhere/resource.d/test/none"),
            std::string::npos);
}

TEST(AgentFindings, AreLinesAndLists) {
  const agent_metadata::Findings findings{{"a"}, {"b"}, {"c"}};
  EXPECT_EQ(findings_text(findings), "Warning: a.\nWarning: b.\nAdvice: c.\n");
  EXPECT_EQ(findings_json(findings).at("absent")[0], "b");
}

}  // namespace
}  // namespace bascule::cli
