#include "core/replication/detail/session/parameters.h"

namespace bascule::replication::detail {
namespace {

using drbd::AfterSplitBrain;
using drbd_config::AfterSplitBrain0;
using drbd_config::AfterSplitBrain1;
using drbd_config::AfterSplitBrain2;

AfterSplitBrain on_wire(AfterSplitBrain0 policy) {
  switch (policy) {
    case AfterSplitBrain0::disconnect:
      return AfterSplitBrain::Disconnect;
    case AfterSplitBrain0::discard_younger_primary:
      return AfterSplitBrain::DiscardYoungerPrimary;
    case AfterSplitBrain0::discard_older_primary:
      return AfterSplitBrain::DiscardOlderPrimary;
    case AfterSplitBrain0::discard_zero_changes:
      return AfterSplitBrain::DiscardZeroChanges;
    case AfterSplitBrain0::discard_least_changes:
      return AfterSplitBrain::DiscardLeastChanges;
    case AfterSplitBrain0::discard_local:
      return AfterSplitBrain::DiscardLocal;
    case AfterSplitBrain0::discard_remote:
      return AfterSplitBrain::DiscardRemote;
  }
  return AfterSplitBrain::Disconnect;
}

AfterSplitBrain on_wire(AfterSplitBrain1 policy) {
  switch (policy) {
    case AfterSplitBrain1::disconnect:
      return AfterSplitBrain::Disconnect;
    case AfterSplitBrain1::consensus:
      return AfterSplitBrain::Consensus;
    case AfterSplitBrain1::discard_secondary:
      return AfterSplitBrain::DiscardSecondary;
    case AfterSplitBrain1::call_pri_lost_after_sb:
      return AfterSplitBrain::CallPriLostAfterSb;
    case AfterSplitBrain1::violently_as0p:
      return AfterSplitBrain::Violently;
  }
  return AfterSplitBrain::Disconnect;
}

AfterSplitBrain on_wire(AfterSplitBrain2 policy) {
  switch (policy) {
    case AfterSplitBrain2::disconnect:
      return AfterSplitBrain::Disconnect;
    case AfterSplitBrain2::call_pri_lost_after_sb:
      return AfterSplitBrain::CallPriLostAfterSb;
    case AfterSplitBrain2::violently_as0p:
      return AfterSplitBrain::Violently;
  }
  return AfterSplitBrain::Disconnect;
}

/// As drbd.conf spells it.
std::string text_of(AfterSplitBrain policy) {
  switch (policy) {
    case AfterSplitBrain::Disconnect:
      return "disconnect";
    case AfterSplitBrain::DiscardYoungerPrimary:
      return "discard-younger-primary";
    case AfterSplitBrain::DiscardOlderPrimary:
      return "discard-older-primary";
    case AfterSplitBrain::DiscardZeroChanges:
      return "discard-zero-changes";
    case AfterSplitBrain::DiscardLeastChanges:
      return "discard-least-changes";
    case AfterSplitBrain::DiscardLocal:
      return "discard-local";
    case AfterSplitBrain::DiscardRemote:
      return "discard-remote";
    case AfterSplitBrain::Consensus:
      return "consensus";
    case AfterSplitBrain::DiscardSecondary:
      return "discard-secondary";
    case AfterSplitBrain::CallPriLostAfterSb:
      return "call-pri-lost-after-sb";
    case AfterSplitBrain::Violently:
      return "violently-as0p";
  }
  return "number " + std::to_string(static_cast<std::uint32_t>(policy));
}

std::string text_of(drbd::ReplicationProtocol protocol) {
  const auto number = static_cast<std::uint32_t>(protocol);
  return number >= 1 && number <= 3 ? std::string(1, static_cast<char>('A' + number - 1)) : std::to_string(number);
}

std::string quoted(const std::string& text) { return text.empty() ? "none" : text; }

std::string differs(const std::string& option, const std::string& own, const std::string& peer) {
  return option + " differs: this node has " + own + ", the peer " + peer;
}

/// What is local for one is remote for the other.
AfterSplitBrain mirrored(AfterSplitBrain policy) {
  if (policy == AfterSplitBrain::DiscardLocal) return AfterSplitBrain::DiscardRemote;
  if (policy == AfterSplitBrain::DiscardRemote) return AfterSplitBrain::DiscardLocal;
  return policy;
}

std::string policy_mismatch(const drbd::Protocol& own, const drbd::Protocol& peer) {
  if (mirrored(own.after_split_brain_0_primaries) != peer.after_split_brain_0_primaries)
    return differs("after-sb-0pri", text_of(own.after_split_brain_0_primaries),
                   text_of(peer.after_split_brain_0_primaries));
  if (own.after_split_brain_1_primary != peer.after_split_brain_1_primary)
    return differs("after-sb-1pri", text_of(own.after_split_brain_1_primary),
                   text_of(peer.after_split_brain_1_primary));
  if (own.after_split_brain_2_primaries != peer.after_split_brain_2_primaries)
    return differs("after-sb-2pri", text_of(own.after_split_brain_2_primaries),
                   text_of(peer.after_split_brain_2_primaries));
  return "";
}

}  // namespace

drbd::Protocol protocol_of(const drbd_config::Net& net, bool discard_my_data, bool tentative) {
  drbd::Protocol packet;
  packet.protocol = static_cast<drbd::ReplicationProtocol>(net.protocol);
  packet.after_split_brain_0_primaries = on_wire(net.after_sb_0pri);
  packet.after_split_brain_1_primary = on_wire(net.after_sb_1pri);
  packet.after_split_brain_2_primaries = on_wire(net.after_sb_2pri);
  if (discard_my_data) packet.connection_flags |= drbd::connection_flag::kDiscardMyData;
  if (tentative) packet.connection_flags |= drbd::connection_flag::kDryRun;
  packet.two_primaries = net.allow_two_primaries ? 1 : 0;
  packet.integrity_algorithm = net.data_integrity_alg;
  return packet;
}

std::string protocol_mismatch(const drbd::Protocol& own, const drbd::Protocol& peer) {
  if (own.protocol != peer.protocol) return differs("protocol", text_of(own.protocol), text_of(peer.protocol));
  if (std::string wrong = policy_mismatch(own, peer); !wrong.empty()) return wrong;
  if ((own.connection_flags & peer.connection_flags & drbd::connection_flag::kDiscardMyData) != 0)
    return "discard-my-data is asked for on both nodes: this node has yes, the peer yes";
  if ((own.two_primaries != 0) != (peer.two_primaries != 0))
    return differs("allow-two-primaries", own.two_primaries != 0 ? "yes" : "no",
                   peer.two_primaries != 0 ? "yes" : "no");
  if (own.integrity_algorithm != peer.integrity_algorithm)
    return differs("data-integrity-alg", quoted(own.integrity_algorithm), quoted(peer.integrity_algorithm));
  return "";
}

drbd::SyncParam sync_param_of(const drbd_config::Options& options) {
  drbd::SyncParam packet;
  packet.resync_rate_kib_per_s = options.disk.resync_rate_kib_per_s;
  packet.verify_algorithm = options.net.verify_alg;
  packet.checksum_algorithm = options.net.csums_alg;
  packet.plan_ahead_ds = options.disk.c_plan_ahead_ds;
  packet.delay_target_ds = options.disk.c_delay_target_ds;
  packet.fill_target_sectors = options.disk.c_fill_target_sectors;
  packet.max_rate_kib_per_s = options.disk.c_max_rate_kib_per_s;
  return packet;
}

std::string sync_param_mismatch(const drbd::SyncParam& own, const drbd::SyncParam& peer) {
  if (own.verify_algorithm != peer.verify_algorithm)
    return differs("verify-alg", quoted(own.verify_algorithm), quoted(peer.verify_algorithm));
  if (own.checksum_algorithm != peer.checksum_algorithm)
    return differs("csums-alg", quoted(own.checksum_algorithm), quoted(peer.checksum_algorithm));
  return "";
}

void take_sync_param(drbd_config::Options& options, const drbd::SyncParam& peer) {
  options.net.verify_alg = peer.verify_algorithm;
  options.net.csums_alg = peer.checksum_algorithm;
  options.disk.resync_rate_kib_per_s = peer.resync_rate_kib_per_s;
  options.disk.c_plan_ahead_ds = peer.plan_ahead_ds;
  options.disk.c_delay_target_ds = peer.delay_target_ds;
  options.disk.c_fill_target_sectors = peer.fill_target_sectors;
  options.disk.c_max_rate_kib_per_s = peer.max_rate_kib_per_s;
}

}  // namespace bascule::replication::detail
