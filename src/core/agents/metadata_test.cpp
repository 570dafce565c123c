#include "core/agents/metadata.h"

#include <gtest/gtest.h>

namespace bascule::agents {
namespace {

using testing::Test;

const std::string database = R"(<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="db" version="2.3">
<version>1.0</version>
<shortdesc lang="en">A  data
base</shortdesc>
<parameters>
<parameter name="datadir" unique="1" required="1">
<shortdesc lang="en">Where it lies</shortdesc><content type="string" default="/var/lib/db" /></parameter>
<parameter name="port" unique-group="address"><content type="integer" /></parameter>
<parameter name="user"><deprecated><replaced-with name="owner"/></deprecated><content type="string"/></parameter>
</parameters>
<actions>
<action name="start" timeout="120s" />
<action name="stop" timeout="90" />
<action name="monitor" depth="0" timeout="20s" interval="10s" role="Master"/>
<action name="monitor" depth="0" timeout="1min" interval="11s" role="Slave"/>
<action name="notify" timeout="nonsense"/>
</actions>
</resource-agent>
)";

config::Service service_of(std::map<std::string, std::string> parameters) {
  config::Service service;
  service.name = "shop@alice";
  config::Step step;
  step.standard = "ocf";
  step.provider = "heartbeat";
  step.name = step.type = "db";
  step.parameters = std::move(parameters);
  service.steps = {step};
  return service;
}

std::string findings(const config::Service& service) {
  std::string all;
  const auto metadata = parse_metadata(database);
  for (const auto& one : metadata_findings(service, service.steps.front(), metadata.value())) all += one + "\n";
  return all;
}

TEST(Metadata, TellsParametersAndActions) {
  const auto read = parse_metadata(database);
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->name, "db");
  EXPECT_EQ(read->version, "2.3");
  EXPECT_EQ(read->ocf_version, "1.0");
  EXPECT_EQ(read->about, "A data base");
  ASSERT_EQ(read->parameters.size(), 3U);
  const auto& datadir = read->parameters[0];
  EXPECT_TRUE(datadir.required && datadir.unique && !datadir.deprecated);
  EXPECT_EQ(datadir.about, "Where it lies");
  EXPECT_EQ(datadir.default_value, "/var/lib/db");
  EXPECT_TRUE(read->parameter("port")->unique && !read->parameter("port")->required);
  EXPECT_EQ(read->parameter("port")->default_value, std::nullopt);
  EXPECT_EQ(read->parameter("user")->replaced_with, "owner");
  EXPECT_EQ(read->parameter("nobody"), nullptr);
  EXPECT_TRUE(read->offers("notify"));
  EXPECT_FALSE(read->offers("promote"));
  EXPECT_EQ(read->actions[2].role, "Promoted") << "the word of OCF 1.0";
  EXPECT_EQ(read->actions[3].role, "Unpromoted");
  EXPECT_EQ(read->actions[2].interval, seconds(10));
  EXPECT_EQ(read->advised_timeout("stop"), seconds(90)) << "a number alone is seconds";
  EXPECT_EQ(read->advised_timeout("monitor"), seconds(60)) << "the longer one";
  EXPECT_EQ(read->advised_timeout("notify"), Duration{});
}

TEST(Metadata, RefusesWhatIsNoneAndSaysWhere) {
  const auto why = [](const std::string& text) {
    const auto read = parse_metadata(text);
    return read ? "it is taken" : read.error().where + ": " + read.error().why;
  };
  EXPECT_NE(why("").find("not XML"), std::string::npos) << why("");
  EXPECT_NE(why("Traceback (most recent call last):\n").find("not XML"), std::string::npos);
  EXPECT_NE(why("<resource-agent>\n<actions>\n<action name=\"start\"").find("line 3: this is not XML"),
            std::string::npos)
      << why("<resource-agent>\n<actions>\n<action name=\"start\"");
  EXPECT_EQ(why("<cib/>"), "line 1: there is no <resource-agent>");
  EXPECT_EQ(why("<resource-agent/>"), "line 1: it names no action");
  EXPECT_NE(why(std::string("<resource-agent>\0", 17)).find("zero byte"), std::string::npos);
  EXPECT_NE(why(std::string(metadata_bytes_max + 1, ' ')).find("longer"), std::string::npos);
  EXPECT_EQ(why(database.substr(0, database.size() / 2)).find("it is taken"), std::string::npos);
}

TEST(Metadata, WhatAnAgentPrintsBeforeItIsPassedOver) {
  EXPECT_TRUE(
      parse_metadata("some warning\n<resource-agent><actions><action name=\"start\"/></actions></resource-agent>"));
}

TEST(MetadataFindings, NameUnknownMissingAndDeprecatedParameters) {
  const auto told = findings(service_of({{"datadri", "/srv"}, {"user", "me"}, {"OCF_CHECK_LEVEL", "10"}}));
  EXPECT_NE(told.find("shop, step db: ocf:heartbeat:db knows no parameter 'datadri'"), std::string::npos) << told;
  EXPECT_NE(told.find("needs the parameter 'datadir'"), std::string::npos) << told;
  EXPECT_NE(told.find("'user' deprecated; 'owner' takes its place"), std::string::npos) << told;
  EXPECT_EQ(told.find("OCF_CHECK_LEVEL"), std::string::npos) << told;
  EXPECT_EQ(findings(service_of({{"datadir", "/srv"}, {"port", "1"}})), "");
}

TEST(MetadataFindings, NameActionsThatAreNotOffered) {
  auto service = service_of({{"datadir", "/srv"}});
  service.promotable = true;
  EXPECT_NE(findings(service).find("does not offer promote"), std::string::npos) << findings(service);
}

TEST(MetadataFindings, TheDeviceOfAVolumeIsFilledIn) {
  auto service = service_of({});
  service.steps.front().type = "Filesystem";
  const auto metadata = parse_metadata(
      R"(<resource-agent><parameters><parameter name="device" required="1"/></parameters>
         <actions><action name="start"/></actions></resource-agent>)");
  EXPECT_TRUE(metadata_findings(service, service.steps.front(), metadata.value()).empty());
}

TEST(TimeoutAdvice, NamesWhatIsShorterThanTheAgentAdvises) {
  auto service = service_of({});
  const auto metadata = parse_metadata(database);
  const auto advice = [&] { return timeout_advice(service, service.steps.front(), metadata.value()); };
  EXPECT_EQ(advice(),
            (std::vector<std::string>{
                "shop, step db: start_timeout is 60000 ms, and ocf:heartbeat:db advises at least 120000 ms for start",
                "shop, step db: stop_timeout is 60000 ms, and ocf:heartbeat:db advises at least 90000 ms for stop",
                "shop, step db: monitor_timeout is 30000 ms, and ocf:heartbeat:db advises at least 60000 ms for "
                "monitor"}));
  service.steps.front().start_timeout = service.steps.front().stop_timeout = seconds(120);
  service.steps.front().monitor_interval = {};
  EXPECT_TRUE(advice().empty());
}

TEST(AgentNames, AreReadAsTheyAreConfigured) {
  EXPECT_EQ(agent_name(*agent_named("ocf:pacemaker:Stateful")), "ocf:pacemaker:Stateful");
  EXPECT_EQ(agent_name(*agent_named("ocf:apache")), "ocf:heartbeat:apache");
  for (const char* bad : {"", "ocf:", "ocf:a:b:c", "ocf:../x", "a/b", ".."}) EXPECT_FALSE(agent_named(bad)) << bad;
}

}  // namespace
}  // namespace bascule::agents
