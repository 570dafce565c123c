#include "core/agents/notification.h"

#include <gtest/gtest.h>

namespace bascule::agents {
namespace {

message::Notice promotion() {
  message::Notice notice{7, "db", "pgsql", "pre", "promote", true, {}, {}};
  notice.copies = {{"alice", 0, true, true, false}, {"bob", 1, true, false, true}, {"", 2, false, false, false}};
  notice.nodes = {{"alice", true}, {"bob", true}, {"dora", false}};
  return notice;
}

std::string value(const std::map<std::string, std::string>& environment, const std::string& name) {
  const auto found = environment.find("OCF_RESKEY_CRM_meta_notify_" + name);
  return found == environment.end() ? "(not there)" : found->second;
}

TEST(Notification, GivesAnAgentPacemakersLists) {
  const auto given = notification_environment(promotion());
  EXPECT_EQ(value(given, "type"), "pre");
  EXPECT_EQ(value(given, "operation"), "promote");
  EXPECT_EQ(value(given, "promote_resource"), "db_pgsql:1");
  EXPECT_EQ(value(given, "promote_uname"), "bob");
  EXPECT_EQ(value(given, "active_resource"), "db_pgsql:0 db_pgsql:1");
  EXPECT_EQ(value(given, "active_uname"), "alice bob");
  EXPECT_EQ(value(given, "inactive_resource"), "db_pgsql:2");
  EXPECT_EQ(value(given, "inactive_uname"), "(not there)");
  for (const char* name : {"promoted_uname", "master_uname"}) EXPECT_EQ(value(given, name), "alice") << name;
  for (const char* name : {"unpromoted_uname", "slave_uname"}) EXPECT_EQ(value(given, name), "bob") << name;
  EXPECT_EQ(value(given, "master_resource"), "db_pgsql:0");
  EXPECT_EQ(value(given, "slave_resource"), "db_pgsql:1");
  for (const char* name : {"start", "stop", "demote"}) {
    EXPECT_EQ(value(given, std::string(name) + "_resource"), " ") << "agents compare with one space: " << name;
    EXPECT_EQ(value(given, std::string(name) + "_uname"), " ") << name;
  }
  EXPECT_EQ(value(given, "available_uname"), "alice bob");
  EXPECT_EQ(value(given, "all_uname"), "alice bob dora");
}

TEST(Notification, TheOperationItselfGetsTheListsAlone) {
  const auto given = operation_environment(promotion());
  EXPECT_EQ(value(given, "type"), "(not there)");
  EXPECT_EQ(value(given, "promote_uname"), "bob");
}

TEST(Notification, OfAServiceThatIsNotPromotableNobodyIsUnpromoted) {
  auto notice = promotion();
  notice.operation = "start";
  notice.promotable = false;
  const auto given = notification_environment(notice);
  EXPECT_EQ(value(given, "unpromoted_uname"), " ");
  EXPECT_EQ(value(given, "start_uname"), "bob");
}

TEST(Notification, WhatNobodyWouldSayIsNotUsable) {
  auto notice = promotion();
  EXPECT_TRUE(is_usable(notice));
  notice.operation = "monitor";
  EXPECT_FALSE(is_usable(notice));
  notice = promotion();
  notice.type = "confirmed-pre";
  EXPECT_FALSE(is_usable(notice));
}

}  // namespace
}  // namespace bascule::agents
