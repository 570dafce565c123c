#include <gtest/gtest.h>

#include "core/agents/invocation.h"
#include "core/agents/ocf.h"

namespace bascule::agents {
namespace {

config::Step step_of(const std::string& type, std::map<std::string, std::string> parameters) {
  config::Step step;
  step.name = type;
  step.standard = "ocf";
  step.provider = "heartbeat";
  step.type = type;
  step.parameters = std::move(parameters);
  return step;
}

TEST(Ocf, SaysWhatACodeMeans) {
  EXPECT_EQ(describe(7), "rc 7 (not running)");
  EXPECT_EQ(describe(42), "rc 42 (exit code 42)");
  EXPECT_EQ(describe(-1), "timed out");
  EXPECT_EQ(describe(-2), "could not be run");
}

TEST(Ocf, ClassesFailuresAsPacemakerDoes) {
  EXPECT_EQ(severity("start", 0), Severity::success);
  EXPECT_EQ(severity("start", 190), Severity::success);
  EXPECT_EQ(severity("stop", 190), Severity::soft);
  for (int code : {1, 7, 8, 9, 17, 255, -1}) EXPECT_EQ(severity("start", code), Severity::soft) << code;
  for (int code : {2, 3, 4, 5, -2}) EXPECT_EQ(severity("start", code), Severity::hard) << code;
  EXPECT_EQ(severity("start", 6), Severity::fatal);
}

TEST(Ocf, KnowsRunningFromStoppedFromUnknown) {
  for (int code : {0, 8, 190, 191}) EXPECT_EQ(found_by_monitor(code, false), Found::running) << code;
  EXPECT_EQ(found_by_monitor(7, true), Found::not_running);
  EXPECT_EQ(found_by_monitor(5, true), Found::not_running);
  EXPECT_EQ(found_by_monitor(5, false), Found::failed);
  for (int code : {1, 2, 3, 4, 6, 9, 99, -1, -2}) EXPECT_EQ(found_by_monitor(code, true), Found::failed) << code;
}

TEST(Ocf, FindsTheReasonInWhatAnAgentPrinted) {
  EXPECT_EQ(exit_reason("a\nocf-exit-reason:No config file\nb\n", exit_reason_prefix), "No config file");
  EXPECT_EQ(exit_reason("ocf-exit-reason:one\nocf-exit-reason:two", exit_reason_prefix), "two");
  EXPECT_EQ(exit_reason("first\nlast\n\n", exit_reason_prefix), "last");
  EXPECT_EQ(exit_reason("", exit_reason_prefix), "");
  EXPECT_EQ(exit_reason("bell\a and\ttab\x7f", exit_reason_prefix), "bell  and tab");
  EXPECT_EQ(exit_reason(std::string(5000, 'x'), exit_reason_prefix).size(), 400u);
}

TEST(Invocation, GivesAnAgentWhatOcfPromisesIt) {
  Request request{"shop", "alice", "monitor", seconds(30), seconds(2), ""};
  const Invocation run =
      invocation(step_of("apache", {{"configfile", "/etc/a b"}, {"OCF_CHECK_LEVEL", "10"}}), request);
  EXPECT_EQ(run.path, "/usr/lib/ocf/resource.d/heartbeat/apache");
  EXPECT_EQ(run.arguments, std::vector<std::string>{"monitor"});
  EXPECT_EQ(run.environment.at("OCF_RESOURCE_INSTANCE"), "shop_apache");
  EXPECT_EQ(run.environment.at("OCF_RESOURCE_TYPE"), "apache");
  EXPECT_EQ(run.environment.at("OCF_RESKEY_configfile"), "/etc/a b");
  EXPECT_EQ(run.environment.at("OCF_CHECK_LEVEL"), "10");
  EXPECT_EQ(run.environment.at("OCF_RESKEY_CRM_meta_timeout"), "30000");
  EXPECT_EQ(run.environment.at("OCF_RESKEY_CRM_meta_interval"), "2000");
  EXPECT_EQ(run.environment.at("OCF_RESKEY_CRM_meta_on_node"), "alice");
}

TEST(Invocation, GivesTheVolumesDeviceOnlyToAFilesystemWithoutItsOwn) {
  const Request request{"shop", "alice", "start", seconds(60), {}, "/dev/loop3"};
  const auto bare = step_of("Filesystem", {{"directory", "/srv"}});
  EXPECT_EQ(invocation(bare, request).environment.at("OCF_RESKEY_device"), "/dev/loop3");
  const auto own = step_of("Filesystem", {{"device", "/dev/sdb"}});
  EXPECT_EQ(invocation(own, request).environment.at("OCF_RESKEY_device"), "/dev/sdb");
  EXPECT_FALSE(mounts_the_volume(own));
  EXPECT_FALSE(invocation(step_of("apache", {}), request).environment.contains("OCF_RESKEY_device"));
}

TEST(Invocation, NoParameterCanTakeTheNameOfAVariableOfOurs) {
  const auto run = invocation(step_of("Dummy", {{"CRM_meta_interval", "7"}}), {"s", "n", "monitor", {}, {}, ""});
  EXPECT_EQ(run.environment.at("OCF_RESKEY_CRM_meta_interval"), "0");
}

TEST(Invocation, ACopyIsAnAnonymousClone) {
  config::Step step;
  step.name = step.type = "apache";
  step.standard = "ocf";
  step.provider = "heartbeat";
  Request request;
  request.service = "web@bob";
  request.operation = "start";
  request.copy = config::Copy{"web", "bob", 1, 3};
  auto environment = invocation(step, request).environment;
  EXPECT_EQ(environment["OCF_RESOURCE_INSTANCE"], "web_apache") << "the same for all copies";
  EXPECT_EQ(environment["OCF_RESKEY_CRM_meta_clone"], "1");
  EXPECT_EQ(environment["OCF_RESKEY_CRM_meta_clone_max"], "3");
  EXPECT_EQ(environment["OCF_RESKEY_CRM_meta_globally_unique"], "false");
  EXPECT_FALSE(environment.contains("OCF_RESKEY_CRM_meta_promoted_max"));
  request.promotable = true;
  environment = invocation(step, request).environment;
  EXPECT_EQ(environment["OCF_RESKEY_CRM_meta_promoted_max"], "1");
  EXPECT_EQ(environment["OCF_RESKEY_CRM_meta_master_max"], "1");
  request.copy.reset();
  EXPECT_FALSE(invocation(step, request).environment.contains("OCF_RESKEY_CRM_meta_clone"));
}

TEST(Ocf, WhatAMonitorSaysOfThePromotedRole) {
  for (const int code : {8, 191}) EXPECT_EQ(found_promoted(code), Found::running) << code;
  for (const int code : {0, 7, 190}) EXPECT_EQ(found_promoted(code), Found::not_running) << code;
  for (const int code : {1, 5, 9, -1}) EXPECT_EQ(found_promoted(code), Found::failed) << code;
}

}  // namespace
}  // namespace bascule::agents
