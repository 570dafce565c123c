#include "runtime/sim/crash/writers/replica_pair.h"

#include <algorithm>

#include "wire/drbd_metadata/metadata.h"

namespace bascule::sim {

using namespace replication;  // NOLINT: this file drives that room

namespace {

constexpr std::uint64_t generation = 0x1111222233334440ULL;
constexpr std::uint64_t metadata_bytes = 128 << 10;

drbd_metadata::Layout layout() {
  return drbd_metadata::layout(drbd_metadata::Placement::flexible(), ReplicaPair::data_bytes, metadata_bytes).value();
}

const char* part_of(std::uint64_t offset) {
  const auto place = layout();
  if (offset >= place.bitmap_offset) return "bitmap";
  return offset >= place.activity_log_offset ? "activity log" : "superblock";
}

}  // namespace

ReplicaPair::ReplicaPair(const Faults& faults) : faults_(faults) {
  alice.name = "alice";
  bob.name = "bob";
  for (Node* node : {&alice, &bob}) {
    format(*node);
    start(*node);
  }
  run(seconds(2));
}

Config ReplicaPair::config_of(const std::string& self, std::uint32_t canaries) {
  Config config;
  config.self = self;
  config.peer = self == "alice" ? "bob" : "alice";
  config.seed = self == "alice" ? 1 : 2;
  config.authority = Authority::Operator;
  config.placement = drbd_metadata::Placement::flexible();
  config.backing_bytes = data_bytes;
  config.metadata_bytes = metadata_bytes;
  config.size_limit_bytes = data_bytes;
  config.al_extents = 2;
  config.canaries = canaries;
  return config;
}

void ReplicaPair::format(Node& node) {
  const auto place = layout();
  auto superblock = drbd_metadata::to_superblock(drbd_metadata::create({}, place).value());
  superblock.effective_sectors = data_bytes / 512;
  superblock.current_uuid = generation;
  superblock.flags |= drbd_metadata::flag::kConsistent | drbd_metadata::flag::kWasUpToDate;
  node.metadata.place(place.activity_log_offset, drbd_metadata::initial_ring({}));
  node.metadata.place(place.superblock_offset, drbd_metadata::encode_superblock(superblock));
}

Restored ReplicaPair::restored_from(const CrashVolume& metadata) {
  const auto place = layout();
  const auto read = [&](std::uint64_t offset, std::uint64_t length) {
    Bytes bytes(length);
    metadata.read(offset, bytes);
    return bytes;
  };
  Restored restored;
  restored.superblock =
      drbd_metadata::decode_superblock(read(place.superblock_offset, block_bytes)).value();  // one sector: never torn
  restored.bitmap = read(place.bitmap_offset, drbd_metadata::bitmap_bytes_for(data_bytes / 512));
  restored.activity_log = read(place.activity_log_offset, restored.superblock.shape().blocks() * block_bytes);
  return restored;
}

void ReplicaPair::start(Node& node) {
  ++node.life;
  node.buffers.clear();
  node.in_flight.clear();
  // What a process before this one wrote may be in the disk's cache.
  node.written = faults_.start_without_flush ? 0 : 1;
  node.flushed = 0;
  node.engine.emplace(config_of(node.name, faults_.canaries), restored_from(node.metadata), now_);
  give(node, input::Tick{});
}

void ReplicaPair::restart(Node& node) {
  node.metadata.flush();  // what was on its way arrives; data stay in the cache
  for (auto end = ends_.begin(); end != ends_.end();) {
    if (end->first.first != &node) {
      ++end;
      continue;
    }
    const SocketId there = end->second;
    end = ends_.erase(end);
    close(other(node), there, "the peer died");
    end = ends_.begin();
  }
  start(node);
}

// ---- what is asked of alice -------------------------------------------------------------------------------------

void ReplicaPair::write(std::uint64_t block) {
  const BufferId buffer = next_buffer_++;
  const RequestId request = next_request_++;
  alice.buffers[buffer] = {request};
  open_writes_[request] = {block, request};
  give(alice, input::Write{request, block * block_bytes, block_bytes, buffer, false});
}
void ReplicaPair::flush() { give(alice, input::Flush{next_request_++}); }
void ReplicaPair::promote() { give(alice, input::Promote{0, false, false, 1}); }
void ReplicaPair::demote() { give(alice, input::Demote{false, 1}); }

void ReplicaPair::close(Node& node, SocketId socket, const char* why) {
  if (ends_.erase({&node, socket}) != 0) give(node, input::SocketClosed{socket, why});
}

void ReplicaPair::cut() {
  is_cut_ = true;
  std::erase_if(queue_, [](const Pending& pending) {
    return pending.input && std::holds_alternative<input::PacketReceived>(*pending.input);
  });
  while (!ends_.empty()) {
    const auto [node, socket] = ends_.begin()->first;
    close(node == &alice ? alice : bob, socket, "cut");
  }
}

// ---- one thing after the other ----------------------------------------------------------------------------------

void ReplicaPair::give(Node& node, Input input, std::function<void()> before, std::string what) {
  queue_.push_back({&node, node.life, std::move(before), std::move(input), std::move(what)});
}

bool ReplicaPair::deliver_one() {
  if (queue_.empty()) return false;
  Pending next = std::move(queue_.front());
  queue_.pop_front();
  if (next.life != next.node->life) return true;
  happened_ = next.what;
  if (next.before) next.before();
  Effects effects;
  now_ += microseconds(1);
  next.node->engine->step(*next.input, now_, effects);
  for (const Effect& effect : effects) std::visit([&](const auto& each) { carry_out(*next.node, each); }, effect);
  if (changed && !happened_.empty()) changed(next.node->name + ": " + happened_);
  return true;
}

void ReplicaPair::run(Duration for_so_long, const std::function<bool()>& enough) {
  const Instant until = now_ + for_so_long;
  for (;;) {
    while (deliver_one())
      if (enough && enough()) return;
    const Instant next = std::min(alice.engine->next_deadline(), bob.engine->next_deadline());
    if (next > until) break;
    now_ = std::max(now_ + microseconds(1), next);
    give(alice, input::Tick{});
    give(bob, input::Tick{});
  }
  now_ = until;
}

// ---- disks ------------------------------------------------------------------------------------------------------

void ReplicaPair::flush_data(Node& node) {
  node.flushed = node.written;
  for (auto& [block, versions] : node.blocks)
    if (!node.in_flight.contains(block)) versions = {versions.back()};
}

void ReplicaPair::put(Node& node, const effect::DiskWrite& write) {
  const auto& stamps = node.buffers.at(write.buffer);
  for (std::uint64_t i = 0; i < write.length / block_bytes; ++i) {
    auto& versions = node.blocks.try_emplace(write.offset / block_bytes + i, std::vector<Stamp>{0}).first->second;
    if (write.durable) versions.clear();
    if (versions.empty() || versions.back() != stamps[i]) versions.push_back(stamps[i]);
  }
}

/// It may be on the platter from now on.
void ReplicaPair::carry_out(Node& node, const effect::DiskWrite& effect) {
  auto as_cached = effect;
  as_cached.durable = false;
  put(node, as_cached);
  const std::uint64_t first = effect.offset / block_bytes, last = (effect.offset + effect.length) / block_bytes;
  for (std::uint64_t block = first; block < last; ++block) ++node.in_flight[block];
  happened_ += " block " + std::to_string(first) + " is written;";
  const auto done = [this, &node, effect, first, last] {
    for (std::uint64_t block = first; block < last; ++block)
      if (--node.in_flight[block] == 0) node.in_flight.erase(block);
    if (effect.durable)
      put(node, effect);
    else
      ++node.written;
  };
  give(node, input::DiskDone{effect.operation, 0}, done, " the data are written;");
}

void ReplicaPair::carry_out(Node& node, const effect::DiskRead& effect) {
  auto& stamps = node.buffers[effect.buffer];
  stamps.resize(std::max<std::size_t>(stamps.size(), effect.length / block_bytes));
  for (std::uint64_t i = 0; i < effect.length / block_bytes; ++i)
    stamps[i] = node.newest(effect.offset / block_bytes + i);
  give(node, input::DiskDone{effect.operation, 0});
}

void ReplicaPair::carry_out(Node& node, const effect::DiskFlush& effect) {
  give(
      node, input::DiskDone{effect.operation, 0}, [this, &node] { flush_data(node); }, " the data are flushed;");
}

/// Data that were written since the last flush are flushed first, as the engine's promises demand.
void ReplicaPair::carry_out(Node& node, const effect::MetadataWrite& effect) {
  if (node.written != node.flushed) flush_data(node);
  write_metadata(node, effect);
}

void ReplicaPair::write_metadata(Node& node, const effect::MetadataWrite& write) {
  const std::string part = part_of(write.offset);
  happened_ += " " + part + " is written;";
  const bool lost = faults_.lose_bitmap_writes && part == "bitmap";
  const std::uint64_t number = lost ? 0 : node.metadata.write(write.offset, write.content);
  give(
      node, input::DiskDone{write.operation, 0}, [&node, number] { node.metadata.flush(number); },
      " " + part + " is durable;");
}

// ---- the wire ---------------------------------------------------------------------------------------------------

void ReplicaPair::carry_out(Node& node, const effect::Connect& effect) {
  if (is_cut_) return give(node, input::SocketClosed{effect.socket, "cut"});
  const SocketId accepted = next_accepted_++ | input::kAcceptedSocketBit;
  ends_[{&node, effect.socket}] = accepted;
  ends_[{&other(node), accepted}] = effect.socket;
  give(other(node), input::SocketAccepted{accepted});
  give(node, input::SocketConnected{effect.socket});
}

void ReplicaPair::carry_out(Node& node, const effect::CloseSocket& effect) {
  const auto end = ends_.find({&node, effect.socket});
  if (end == ends_.end()) return;
  const SocketId there = end->second;
  ends_.erase(end);
  close(other(node), there, "closed by the peer");
}

void ReplicaPair::carry_out(Node& node, const effect::Send& effect) {
  const auto end = ends_.find({&node, effect.socket});
  if (end == ends_.end() || is_cut_) return;
  BufferId buffer = 0;
  if (drbd::payload_bytes_of(effect.packet) != 0) {
    buffer = next_buffer_++;
    other(node).buffers[buffer] = node.buffers.at(effect.buffer);
  }
  give(other(node), input::PacketReceived{end->second, effect.volume, effect.packet, buffer});
}

void ReplicaPair::carry_out(Node& node, const effect::TakeBuffer& effect) {
  node.buffers[effect.buffer].assign((effect.length + block_bytes - 1) / block_bytes, 0);
}
void ReplicaPair::carry_out(Node& node, const effect::ReleaseBuffer& effect) { node.buffers.erase(effect.buffer); }
void ReplicaPair::carry_out(Node& node, const effect::RunHandler& effect) {
  if (effect.number != 0) give(node, input::HandlerDone{effect.number, -1});
}

void ReplicaPair::carry_out(Node&, const effect::Complete& effect) {
  const auto open = open_writes_.find(effect.request);
  if (open == open_writes_.end()) return;
  if (effect.error_number == 0) acknowledged[open->second.first] = open->second.second;
  open_writes_.erase(open);
  happened_ += " a write is acknowledged;";
}

}  // namespace bascule::sim
