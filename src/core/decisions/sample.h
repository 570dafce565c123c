#pragma once

#include <string>

#include "core/decisions/record.h"
#include "core/store/store.h"
#include "wire/cluster_config/test_cluster.h"

/// For tests: bob was lost, and alice takes over the shop.
namespace bascule::decisions {

inline const std::string sample_configuration = std::string(config::test::three_nodes) + config::test::shop_on_data;

inline void agree(store::Store& store, message::Command command) {
  const auto index = store.state().applied_index + 1;
  (void)store.apply(index, {index, "bob", std::move(command)});  // the owner, who alone may say who has all of it
}

/// As carol, who leads, writes it.
inline std::string sample() {
  const auto config = config::parse(sample_configuration, "sample");
  store::Store store;
  agree(store, message::InitialiseVolume{"data", "bob"});
  agree(store, message::GrantOwnership{"shop", "data", "bob", "", 0, 0, "first start"});
  agree(store, message::GrowInSync{"data", 1, store.state().volumes.at("data").in_sync_version, "alice"});
  message::NodeReport report;
  report.node = "alice";
  report.volumes.emplace_back();
  report.volumes[0].name = "data", report.volumes[0].attached = true, report.volumes[0].disk = "UpToDate";
  ownership::Snapshot snapshot{*config, store.state(), "carol", true, true, Instant(seconds(10)), {}};
  auto& alice = snapshot.nodes["alice"];
  alice.online = true, alice.age = milliseconds(12), alice.report = &report;
  auto& bob = snapshot.nodes["bob"];
  bob.lost = true, bob.age = milliseconds(461);
  bob.lease_certainly_over = true, bob.lease_over_at = Instant(seconds(9));
  snapshot.nodes["carol"].online = true;
  return write(snapshot, ownership::plan(snapshot), {7, 1'795'000'000'000, sample_configuration, store.brief()});
}

}  // namespace bascule::decisions
