#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/replication/engine.h"
#include "wire/drbd/frame.h"

namespace bascule::sim {

/// One real engine with a disk in memory, whose peer is somebody else. It does what runtime/block_host does, frame by
/// frame, and watches what the engine does: nothing outside the data area, no buffer kept after a session, no spinning.
class Victim {
 public:
  static constexpr std::uint64_t data_bytes = 4ULL << 20;
  static constexpr std::uint64_t data_sectors = data_bytes / 512;
  using SocketId = replication::input::SocketId;

  struct Options {
    std::uint64_t seed = 1;
    Digest integrity = Digest::none;
    bool primary = false;  ///< promoted at once
  };
  explicit Victim(const Options& options);

  /// A packet for the liar, as the engine sent it.
  struct Outgoing {
    drbd::Socket kind = drbd::Socket::Data;
    drbd::Packet packet;
  };

  // -- the network
  /// Answers what the engine wants of the network: it opens a socket, we open the other one. Both are there: true.
  bool meet();
  [[nodiscard]] bool in_session() const { return data_ != 0 && meta_ != 0; }
  /// Bytes of the liar on one of the sockets of the session, or of no session at all.
  void receive(drbd::Socket kind, ByteView bytes);
  /// The liar hangs up.
  void hang_up(const std::string& reason);
  std::deque<Outgoing> outgoing;
  /// Why the last session ended; empty while it stands.
  [[nodiscard]] const std::string& ended_because() const { return ended_because_; }
  [[nodiscard]] const drbd::WireOptions& wire(drbd::Socket kind) const;

  // -- time, disk, applications
  /// Everything under way at the disk is done, and what is due is told to the engine.
  void settle();
  /// Lets time pass until the next deadline; at most `most`.
  void wait(Duration most);
  void write(std::uint64_t offset, std::uint32_t length);
  void step(const replication::Input& input);
  [[nodiscard]] replication::Status status() const { return engine_->status(); }
  [[nodiscard]] Instant now() const { return now_; }

  /// Payload buffers that the engine has not given back.
  [[nodiscard]] std::size_t kept_buffers() const { return buffers_.size(); }
  /// What must never happen; empty: it did not.
  [[nodiscard]] const std::string& violation() const { return violation_; }

 private:
  struct Wire {
    drbd::Socket kind = drbd::Socket::Data;
    drbd::WireOptions options;
    Digest send_integrity = Digest::none, receive_integrity = Digest::none;
    Bytes inbox;
    bool ours = false;  ///< the engine opened it
  };

  void carry_out(const replication::Effects& effects);
  void carry_out(const replication::effect::DiskWrite& effect);
  void carry_out(const replication::effect::DiskZero& effect);
  void carry_out(const replication::effect::DiskRead& effect);
  void carry_out(const replication::effect::DiskFlush& effect);
  void carry_out(const replication::effect::MetadataWrite& effect);
  void carry_out(const replication::effect::Connect& effect);
  void carry_out(const replication::effect::CloseSocket& effect);
  void carry_out(const replication::effect::UseWire& effect);
  void carry_out(const replication::effect::Send& effect);
  void carry_out(const replication::effect::TakeBuffer& effect);
  void carry_out(const replication::effect::ReleaseBuffer& effect);
  void carry_out(const replication::effect::CopyBuffer& effect);
  void carry_out(const replication::effect::RunHandler& effect);
  // Nobody asks this world for anything else: its one write is not waited for, its events are for nobody.
  void carry_out(const replication::effect::Complete&) {}
  void carry_out(const replication::effect::CommandDone&) {}
  void carry_out(const replication::effect::Event&) {}
  void carry_out(const replication::effect::StatusChanged&) {}
  void carry_out(const replication::effect::MetadataMoved&) { violate("metadata move on a disk that has not grown"); }
  // Authority::Operator never asks a majority.
  void carry_out(const replication::effect::RequestShrink&) { violate("a majority is asked that does not exist"); }
  void carry_out(const replication::effect::RequestGrow&) { violate("a majority is asked that does not exist"); }

  void closed(SocketId socket, const std::string& reason);
  bool decode_one(SocketId socket);
  void deliver(SocketId socket, const drbd::Frame& frame, ByteView payload);
  void violate(std::string what);
  [[nodiscard]] bool inside(std::uint64_t offset, std::uint64_t length) const;

  Instant now_ = instant_from_ns(1'000'000'000);
  std::optional<replication::Engine> engine_;
  Bytes disk_;
  std::deque<replication::input::DiskDone> disk_done_;
  std::unordered_map<replication::BufferId, Bytes> buffers_;
  replication::BufferId next_buffer_ = 1;
  replication::RequestId next_request_ = 1;
  std::map<SocketId, Wire> sockets_;
  std::deque<SocketId> connecting_;
  SocketId next_accepted_ = replication::input::kAcceptedSocketBit;
  SocketId data_ = 0, meta_ = 0;
  std::string ended_because_ = "no session yet";
  std::string violation_;
};

}  // namespace bascule::sim
