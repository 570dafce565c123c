#pragma once

#include <concepts>
#include <type_traits>

#include "wire/cluster_message/command.h"
#include "wire/cluster_message/message.h"

/// The one list of every struct's fields, in wire order. The codecs (JSON and binary, both directions) are visitors, so
/// that no field can be written and forgotten when reading.
namespace bascule::message::detail {

template <typename T, typename U>
concept Is = std::same_as<std::remove_const_t<T>, U>;

template <typename V, Is<SetStandby> T>
void fields(V& visit, T& c) {
  visit("node", c.node), visit("standby", c.standby), visit("wait", c.wait);
}
template <typename V, Is<SetTarget> T>
void fields(V& visit, T& c) {
  visit("service", c.service), visit("started", c.started);
}
template <typename V, Is<MoveService> T>
void fields(V& visit, T& c) {
  visit("service", c.service), visit("to", c.to);
}
template <typename V, Is<HoldVolume> T>
void fields(V& visit, T& c) {
  visit("volume", c.volume), visit("node", c.node);
}
template <typename V, Is<ClearFailures> T>
void fields(V& visit, T& c) {
  visit("service", c.service), visit("node", c.node), visit("version", c.version);
}
template <typename V, Is<InitialiseVolume> T>
void fields(V& visit, T& c) {
  visit("volume", c.volume), visit("node", c.node);
}
template <typename V, Is<GrantOwnership> T>
void fields(V& visit, T& c) {
  visit("service", c.service), visit("volume", c.volume), visit("node", c.node), visit("lost", c.lost);
  visit("service_epoch", c.service_epoch), visit("volume_epoch", c.volume_epoch);
  visit("reason", c.reason), visit("configuration", c.configuration);
}
template <typename V, Is<RequestStop> T>
void fields(V& visit, T& c) {
  visit("service", c.service), visit("epoch", c.epoch), visit("reason", c.reason);
}
template <typename V, Is<ReleaseOwnership> T>
void fields(V& visit, T& c) {
  visit("service", c.service), visit("volume", c.volume);
  visit("service_epoch", c.service_epoch), visit("volume_epoch", c.volume_epoch);
}
template <typename V, Is<ShrinkInSync> T>
void fields(V& visit, T& c) {
  visit("volume", c.volume), visit("epoch", c.epoch), visit("version", c.version), visit("remove", c.remove);
}
template <typename V, Is<GrowInSync> T>
void fields(V& visit, T& c) {
  visit("volume", c.volume), visit("epoch", c.epoch), visit("version", c.version), visit("add", c.add);
}
template <typename V, Is<SetRestartLease> T>
void fields(V& visit, T& c) {
  visit("node", c.node), visit("version", c.version), visit("lease_ms", c.lease_ms);
}
template <typename V, Is<SayGoodbye> T>
void fields(V& visit, T& c) {
  visit("node", c.node), visit("back", c.back);
}
template <typename V, Is<FenceByHand> T>
void fields(V& visit, T& c) {
  visit("node", c.node), visit("act", c.act), visit("device", c.device);
}
template <typename V, Is<RequestFencing> T>
void fields(V& visit, T& c) {
  visit("node", c.node), visit("by", c.by), visit("order", c.order), visit("reason", c.reason);
}
template <typename V, Is<RecordFencing> T>
void fields(V& visit, T& c) {
  visit("node", c.node), visit("by", c.by), visit("order", c.order), visit("how", c.how), visit("proven", c.proven);
  visit("text", c.text), visit("reason", c.reason), visit("took_ms", c.took_ms), visit("at_ms", c.at_ms);
}
template <typename V, Is<RecordFenceTest> T>
void fields(V& visit, T& c) {
  visit("device", c.device), visit("node", c.node), visit("by", c.by), visit("passed", c.passed);
  visit("text", c.text), visit("at_ms", c.at_ms), visit("definition", c.definition);
}
template <typename V, Is<RecordFailure> T>
void fields(V& visit, T& c) {
  visit("service", c.service), visit("node", c.node), visit("epoch", c.epoch);
  visit("start_failed", c.start_failed), visit("text", c.text), visit("step", c.step);
  visit("reaction", c.reaction), visit("output", c.output), visit("at_ms", c.at_ms);
}
template <typename V, Is<UpdateAttributes> T>
void fields(V& visit, T& c) {
  visit("node", c.node), visit("transient", c.transient), visit("set", c.set), visit("remove", c.remove);
}
template <typename V, Is<NoteBoot> T>
void fields(V& visit, T& c) {
  visit("node", c.node), visit("boot", c.boot);
}

template <typename V, Is<SetMaintenance> T>
void fields(V& visit, T& c) {
  visit("scope", c.scope), visit("on", c.on), visit("by", c.by), visit("reason", c.reason);
  visit("at_ms", c.at_ms), visit("duration_ms", c.duration_ms);
}
template <typename V, Is<AgeMaintenance> T>
void fields(V& visit, T& c) {
  visit("scope", c.scope), visit("version", c.version), visit("left_ms", c.left_ms);
}
template <typename V, Is<RestartService> T>
void fields(V& visit, T& c) {
  visit("service", c.service), visit("step", c.step);
}
template <typename V, Is<RestartDone> T>
void fields(V& visit, T& c) {
  visit("service", c.service), visit("epoch", c.epoch), visit("number", c.number);
}
template <typename V, Is<SetHalt> T>
void fields(V& visit, T& c) {
  visit("halted", c.halted), visit("by", c.by);
}
template <typename V, Is<SetConfig> T>
void fields(V& visit, T& c) {
  visit("base_version", c.base_version), visit("adopts", c.adopts), visit("text", c.text);
  visit("reason", c.reason), visit("who", c.who), visit("at_ms", c.at_ms);
  visit("highest_node_id", c.highest_node_id);
}
template <typename V, Is<IssueToken> T>
void fields(V& visit, T& c) {
  visit("node", c.node), visit("secret_hash", c.secret_hash), visit("at_ms", c.at_ms);
  visit("expires_at_ms", c.expires_at_ms), visit("who", c.who);
}
template <typename V, Is<UseToken> T>
void fields(V& visit, T& c) {
  visit("secret_hash", c.secret_hash), visit("at_ms", c.at_ms), visit("from", c.from);
}

template <typename V, Is<StepReport> T>
void fields(V& visit, T& r) {
  visit("name", r.name), visit("state", r.state), visit("start_ms", r.start_ms), visit("stop_ms", r.stop_ms);
  visit("warning", r.warning);
}
template <typename V, Is<ServiceReport> T>
void fields(V& visit, T& r) {
  visit("name", r.name), visit("epoch", r.epoch), visit("state", r.state), visit("why", r.why), visit("steps", r.steps);
}
template <typename V, Is<VolumeReport> T>
void fields(V& visit, T& r) {
  visit("name", r.name), visit("epoch", r.epoch), visit("attached", r.attached), visit("role", r.role);
  visit("connection", r.connection), visit("disk", r.disk), visit("peer_disk", r.peer_disk);
  visit("just_created", r.just_created), visit("size_bytes", r.size_bytes);
  visit("out_of_sync_bytes", r.out_of_sync_bytes), visit("resync_done_bytes", r.resync_done_bytes);
  visit("resync_total_bytes", r.resync_total_bytes), visit("writes_acknowledged", r.writes_acknowledged);
  visit("writes_held", r.writes_held), visit("device", r.device), visit("why", r.why);
}
template <typename V, Is<NodeReport> T>
void fields(V& visit, T& r) {
  visit("node", r.node), visit("incarnation", r.incarnation), visit("sent_at_ns", r.sent_at_ns);
  visit("applied_index", r.applied_index), visit("services", r.services), visit("volumes", r.volumes);
}
template <typename V, Is<LeaseRequest> T>
void fields(V& visit, T& r) {
  visit("node", r.node), visit("incarnation", r.incarnation), visit("asked_at_ns", r.asked_at_ns);
}
template <typename V, Is<GrantedLease> T>
void fields(V& visit, T& lease) {
  visit("name", lease.name), visit("epoch", lease.epoch);
}
template <typename V, Is<LeaseGrant> T>
void fields(V& visit, T& grant) {
  visit("term", grant.term), visit("incarnation", grant.incarnation), visit("asked_at_ns", grant.asked_at_ns);
  visit("duration_ms", grant.duration_ms), visit("applied_index", grant.applied_index), visit("leases", grant.leases);
}
template <typename V, Is<ForwardReply> T>
void fields(V& visit, T& reply) {
  visit("id", reply.id), visit("accepted", reply.accepted), visit("why", reply.why);
}
template <typename V, Is<Event> T>
void fields(V& visit, T& event) {
  visit("sequence", event.sequence), visit("node", event.node), visit("at_ns", event.at_ns);
  visit("wall_ms", event.wall_ms), visit("kind", event.kind), visit("subject", event.subject);
  visit("text", event.text), visit("fields", event.fields);
}
template <typename V, Is<HistoryRequest> T>
void fields(V& visit, T& request) {
  visit("after", request.after), visit("asked_at_ms", request.asked_at_ms);
}
template <typename V, Is<HistoryReply> T>
void fields(V& visit, T& reply) {
  visit("asked_at_ms", reply.asked_at_ms), visit("wall_ms", reply.wall_ms), visit("after", reply.after);
  visit("last", reply.last), visit("events", reply.events);
}

template <typename V, Is<NoticedCopy> T>
void fields(V& visit, T& copy) {
  visit("node", copy.node), visit("number", copy.number), visit("active", copy.active);
  visit("promoted", copy.promoted), visit("acts", copy.acts);
}
template <typename V, Is<NoticedNode> T>
void fields(V& visit, T& node) {
  visit("name", node.name), visit("available", node.available);
}
template <typename V, Is<Notice> T>
void fields(V& visit, T& notice) {
  visit("round", notice.round), visit("service", notice.service), visit("step", notice.step);
  visit("type", notice.type), visit("operation", notice.operation), visit("promotable", notice.promotable);
  visit("copies", notice.copies), visit("nodes", notice.nodes);
}
template <typename V, Is<NoticeDone> T>
void fields(V& visit, T& done) {
  visit("round", done.round);
}

/// True for structs that have a field list above.
struct NoVisitor {
  template <typename F>
  void operator()(const char*, F&) {}
};
template <typename T>
concept HasFields = requires(NoVisitor& visitor, T& value) {
  fields(visitor, value);
};

}  // namespace bascule::message::detail
