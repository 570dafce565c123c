#include "runtime/block_host/adjust.h"

#include <gtest/gtest.h>

#include <functional>

namespace bascule::block_host {
namespace {

using When = OptionChange::When;

VolumePlan running() {
  VolumePlan plan;
  plan.volume.name = "data";
  plan.volume.operator_decides = true;
  plan.volume.size_bytes = 64 << 20;
  plan.peer = "bob";
  plan.disk = "/a";
  plan.metadata = {};
  return plan;
}

replication::Status status_of(drbd::ConnectionState connection, drbd::DiskState disk = drbd::DiskState::UpToDate) {
  replication::Status status;
  status.connection = connection;
  status.disk = disk;
  status.size_bytes = 64 << 20;
  status.agreed_version = connection >= drbd::ConnectionState::WFReportParams ? 101 : 0;
  return status;
}

Adjustment of(const std::function<void(VolumePlan&)>& change,
              const replication::Status& status = status_of(drbd::ConnectionState::Connected)) {
  VolumePlan wanted = running();
  change(wanted);
  return adjustment(running(), wanted, status);
}

TEST(Adjustment, OfWhatIsAsItWasIsNothing) {
  const Adjustment found = of([](VolumePlan&) {});
  EXPECT_TRUE(found.changes.empty());
}

TEST(Adjustment, WhatCanChangeNowIsTakenAndTheRestIsNamed) {
  const Adjustment found = of([](VolumePlan& plan) {
    plan.volume.options.net.timeout_ds = 30;
    plan.volume.options.net.protocol = drbd_config::Protocol::A;
    plan.volume.options.net.shared_secret = "open sesame";
    plan.volume.options.handlers["split-brain"] = "/bin/mail";
    plan.volume.resync_rate_max = 1000;
    plan.volume.port = 7790;
  });
  const auto when_of = [&](const std::string& option) {
    for (const OptionChange& change : found.changes)
      if (change.option == option) return change.when;
    ADD_FAILURE() << option << " is not named";
    return When::Now;
  };
  EXPECT_EQ(found.changes.size(), 6U);
  EXPECT_EQ(when_of("net.timeout"), When::Now);
  EXPECT_EQ(when_of("net.protocol"), When::Disconnected);
  EXPECT_EQ(when_of("net.shared-secret"), When::Disconnected);
  EXPECT_EQ(when_of("handlers.split-brain"), When::Now);
  EXPECT_EQ(when_of("resync_rate_max"), When::Now);
  EXPECT_EQ(when_of("port"), When::Restart);
  const config::Volume& volume = found.plan.volume;
  EXPECT_EQ(volume.options.net.timeout_ds, 30U);
  EXPECT_EQ(volume.options.net.protocol, drbd_config::Protocol::C);
  EXPECT_EQ(volume.options.net.shared_secret, "");
  EXPECT_EQ(volume.options.handlers.at("split-brain"), "/bin/mail");
  EXPECT_EQ(volume.resync_rate_max, 1000U);
  EXPECT_NE(volume.port, 7790);
  const std::string told = changes_as_json(found, false).dump();
  EXPECT_EQ(told.find("sesame"), std::string::npos) << "a secret is not told";
  EXPECT_NE(told.find("bascule volume disconnect"), std::string::npos);
  for (const auto& change : changes_as_json(found, true)) EXPECT_EQ(change["done"], false);
}

TEST(Adjustment, WhatIsUnsetAgainIsTakenToo) {
  VolumePlan now = running();
  now.volume.options.net.verify_alg = "crc32c";
  now.volume.options.net.data_integrity_alg = "crc32c";
  now.volume.options.resource.cpu_mask = "3";
  now.volume.options.handlers["split-brain"] = "/bin/mail";
  const Adjustment found = adjustment(now, running(), status_of(drbd::ConnectionState::Connected));
  EXPECT_EQ(found.changes.size(), 4U);
  EXPECT_EQ(found.plan.volume.options, running().volume.options);
}

TEST(Adjustment, WhatStandsInTheWayMayBeGone) {
  const auto protocol = [](VolumePlan& plan) { plan.volume.options.net.protocol = drbd_config::Protocol::A; };
  EXPECT_EQ(of(protocol, status_of(drbd::ConnectionState::StandAlone)).changes.at(0).when, When::Now);
  const auto verify = [](VolumePlan& plan) { plan.volume.options.net.verify_alg = "md5"; };
  EXPECT_EQ(of(verify).changes.at(0).when, When::Now);
  EXPECT_EQ(of(verify, status_of(drbd::ConnectionState::VerifyS)).changes.at(0).when, When::AfterResync);
  const auto no_log = [](VolumePlan& plan) { plan.volume.options.disk.al_updates = false; };
  EXPECT_EQ(of(no_log).changes.at(0).when, When::Detached);
  EXPECT_EQ(of(no_log, status_of(drbd::ConnectionState::Connected, drbd::DiskState::Diskless)).changes.at(0).when,
            When::Now);
}

TEST(Adjustment, ASizeThatTheVolumeHasAlreadyIsNoChange) {
  const auto larger = [](VolumePlan& plan) { plan.volume.size_bytes = 128 << 20; };
  EXPECT_EQ(of(larger).changes.at(0).when, When::Resize);
  replication::Status resized = status_of(drbd::ConnectionState::Connected);
  resized.size_bytes = 128 << 20;
  EXPECT_TRUE(of(larger, resized).changes.empty());
}

TEST(NewOptions, TellTheEngineTheDurationsToo) {
  VolumePlan plan = running();
  plan.volume.options.net.ping_timeout_ds = 20;
  plan.volume.flush_waits_for_peer = false;
  const auto input = new_options(plan, "alice", 7);
  EXPECT_EQ(input.command, 7U);
  ASSERT_TRUE(input.settings.has_value());
  EXPECT_EQ(input.settings->ping_timeout, seconds(2));
  EXPECT_FALSE(input.settings->flush_waits_for_peer);
  EXPECT_EQ(input.options, engine_config(plan, "alice").options);
}

}  // namespace
}  // namespace bascule::block_host
