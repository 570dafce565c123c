#include "runtime/block_host/operator_command.h"

#include <gtest/gtest.h>

namespace bascule::block_host {
namespace {

namespace input = replication::input;
using nlohmann::json;

template <typename Kind>
Kind made(const json& request) {
  const auto answer = operator_command(request, 7);
  return std::get<Kind>(answer.value().value());
}

TEST(OperatorCommand, CarriesItsNumberAndItsArguments) {
  EXPECT_EQ(made<input::ConnectPeer>({{"op", "connect"}}).command, 7U);
  EXPECT_FALSE(made<input::ConnectPeer>({{"op", "connect"}}).discard_my_data);
  EXPECT_TRUE(made<input::ConnectPeer>({{"op", "connect"}, {"discard_my_data", true}}).discard_my_data);
  EXPECT_TRUE(made<input::Invalidate>({{"op", "invalidate"}, {"remote", true}}).remote);
  EXPECT_EQ(made<input::Verify>({{"op", "verify"}, {"start_sector", 8}}).start_sector, 8U);
  EXPECT_EQ(made<input::Verify>({{"op", "verify"}}).stop_sector, ~std::uint64_t{0});
  EXPECT_EQ(made<input::Resize>({{"op", "resize"}, {"size_sectors", 2048}}).size_sectors, 2048U);
  EXPECT_TRUE(made<input::PauseResync>({{"op", "pause_sync"}}).paused);
  EXPECT_FALSE(made<input::PauseResync>({{"op", "resume_sync"}}).paused);
  EXPECT_TRUE(made<input::SuspendIo>({{"op", "suspend_io"}}).suspended);
  EXPECT_FALSE(made<input::SuspendIo>({{"op", "resume_io"}}).suspended);
}

TEST(OperatorCommand, ToldOfAWrongTypeAndOfAnUnknownOperation) {
  const auto wrong = operator_command({{"op", "connect"}, {"tentative", "yes"}}, 1);
  ASSERT_TRUE(wrong.has_value());
  ASSERT_FALSE(*wrong);
  EXPECT_EQ(wrong->error().where, "tentative");
  EXPECT_FALSE(operator_command({{"op", "verify"}, {"start_sector", -1}}, 1).value());
  EXPECT_FALSE(operator_command({{"op", "promote"}}, 1).has_value());
}

TEST(ChangedOptions, WhatIsNamedChangesAndTheRestStays) {
  drbd_config::Options now;
  now.net.ping_int_s = 7;
  const json request{{"op", "set_options"}, {"net", {{"timeout", "30"}}}, {"disk", {{"c-max-rate", "4M"}}}};
  const auto changed = changed_options(now, request);
  ASSERT_TRUE(changed) << changed.error().text();
  EXPECT_EQ(changed->net.timeout_ds, 30U);
  EXPECT_EQ(changed->net.ping_int_s, 7U);
  EXPECT_EQ(changed->disk.c_max_rate_kib_per_s, 4096U);
  EXPECT_FALSE(changed_options(now, {{"net", {{"no-such-option", "1"}}}}));
  EXPECT_FALSE(changed_options(now, {{"net", 3}}));
  EXPECT_FALSE(changed_options(now, {{"net", {{"on-congestion", "pull-ahead"}}}})) << "needs protocol A";
}

TEST(ResultText, EveryResultOfDrbdHasWords) {
  for (int code = -21; code <= 4; ++code) {
    if (code == -3) continue;  // not used by DRBD
    EXPECT_STRNE(name_of(static_cast<drbd::StateChangeResult>(code)), "?") << code;
  }
  EXPECT_STREQ(name_of(static_cast<drbd::StateChangeResult>(-99)), "?");
}

}  // namespace
}  // namespace bascule::block_host
