#include "runtime/block_host/engine_config.h"

namespace bascule::block_host {
namespace {

constexpr const char* kCannotRun = "the volume cannot be run";
constexpr Duration kForEver = seconds(std::int64_t{10} * 365 * 86400);  // ko-count 0: a slow peer is never dropped

Duration tenths(std::uint32_t count) { return milliseconds(std::int64_t{count} * 100); }

// The other disk; else the other node of an operator's volume, which may be diskless.
Result<std::string> peer_of(const config::ClusterConfig& cluster, const config::Volume& volume,
                            const std::string& node) {
  for (const auto& [other, disk] : volume.disk)
    if (other != node) return other;
  for (const config::Node& other : cluster.nodes)
    if (volume.operator_decides && other.name != node && other.role != config::NodeRole::witness) return other.name;
  return fail(kCannotRun, "volume." + volume.name, "it has a disk on one node only");
}

replication::Authority authority_of(const config::Volume& volume) {
  return volume.operator_decides ? replication::Authority::Operator : replication::Authority::Cluster;
}

void take_options(replication::Config& config, const config::Volume& volume) {
  config.options = volume.options;
  const std::uint32_t extents = volume.options.disk.al_extents;
  config.al_extents = extents != drbd_config::Disk{}.al_extents ? extents : volume.al_extents;
  config.options.disk.al_extents = config.al_extents;
  const std::uint64_t limit = volume.options.disk.size_sectors * 512;
  config.size_limit_bytes = limit != 0 ? limit : volume.size_bytes;
}

void take_durations(replication::Config& config) {
  const drbd_config::Net& net = config.options.net;
  const drbd_config::Net usual;
  const bool timeouts = net.timeout_ds != usual.timeout_ds || net.ko_count != usual.ko_count;
  if (timeouts || config.authority == replication::Authority::Operator)
    config.request_timeout = net.ko_count == 0 ? kForEver : tenths(net.timeout_ds * net.ko_count);
  if (net.ping_int_s != usual.ping_int_s) config.ping_interval = seconds(net.ping_int_s);
  if (net.ping_timeout_ds != usual.ping_timeout_ds) config.ping_timeout = tenths(net.ping_timeout_ds);
  if (net.connect_int_s != usual.connect_int_s) config.connect_interval = seconds(net.connect_int_s);
}

}  // namespace

Result<VolumePlan> plan_of(const Options& options) {
  const config::Volume* const volume = options.cluster.volume(options.volume);
  const std::string where = "volume." + options.volume;
  if (volume == nullptr) return fail(kCannotRun, where, "the configuration has no volume of this name");
  const auto disk = volume->disk.find(options.node);
  if (disk == volume->disk.end() && !volume->operator_decides)
    return fail(kCannotRun, where, "it has no disk on node " + options.node, "name this node with --node");
  const auto peer = peer_of(options.cluster, *volume, options.node);
  if (!peer) return tl::unexpected(peer.error());
  const config::Node* const self = options.cluster.node(options.node);
  if (self == nullptr) return fail(kCannotRun, where, "there is no node " + options.node, "name this node with --node");
  const auto metadata = volume->metadata.find(options.node);
  auto place = MetadataPlace::parse(metadata == volume->metadata.end() ? "internal" : metadata->second);
  if (!place) return tl::unexpected(place.error());
  return VolumePlan{*volume,
                    *peer,
                    self->address,
                    options.cluster.node(*peer)->address,
                    disk == volume->disk.end() ? "" : disk->second,
                    std::move(*place)};
}

replication::Config engine_config(const VolumePlan& plan, const std::string& node) {
  replication::Config config;
  config.volume = plan.volume.name;
  config.self = node;
  config.peer = plan.peer;
  config.authority = authority_of(plan.volume);
  config.placement = plan.metadata.placement;
  config.resync_rate_max = plan.volume.resync_rate_max;
  config.flush_waits_for_peer = plan.volume.flush_waits_for_peer;
  config.accept_loss = plan.volume.accept_loss;
  take_options(config, plan.volume);
  take_durations(config);
  return config;
}

}  // namespace bascule::block_host
