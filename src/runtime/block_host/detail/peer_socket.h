#pragma once

#include <string>

#include "runtime/block_host/peer_link.h"
#include "runtime/tls/secured_stream.h"
#include "runtime/uring/inbox.h"
#include "wire/drbd/frame.h"

namespace bascule::block_host {

/// One TCP connection with the peer.
class PeerSocket final : public uring::Closing {
 public:
  using Id = replication::input::SocketId;
  /// `channel` may be null: nothing is encrypted.
  PeerSocket(PeerLink& link, Id id, int descriptor, std::unique_ptr<tls::Channel> channel);
  ~PeerSocket() override;

  [[nodiscard]] Id id() const { return id_; }
  [[nodiscard]] bool established() const { return established_; }
  /// Once connected: `done` gets 0 when the peer has proved itself, else why() says why not. It has 3 s for it.
  void shake(uring::Completion done);
  [[nodiscard]] const std::string& why() const { return why_.empty() ? stream_.why() : why_; }
  /// Packets are exchanged from now on.
  void begin();
  void use_wire(const replication::effect::UseWire& use);
  void send(replication::effect::Send send);
  void flush() { stream_.flush(); }
  /// Decodes what waits; true: packets were delivered.
  bool resume();
  void close();
  [[nodiscard]] bool closed() const { return stream_.closed(); }
  [[nodiscard]] int descriptor() const { return stream_.descriptor(); }

  uring::OperationHandle connecting = 0;  ///< not 0 while connect() is in the kernel
  [[nodiscard]] bool idle() const override { return stream_.idle() && connecting == 0; }

 private:
  struct Incoming {
    drbd::Frame frame;
    replication::BufferId buffer = 0;
    std::uint32_t filled = 0;
  };

  void receive();
  void received(int result);
  void received_payload(int result);
  bool parse();
  bool parse_one();
  bool begin_payload(drbd::Frame frame);
  void deliver(drbd::Frame frame, replication::BufferId buffer);
  void sign(drbd::Packet& packet, replication::BufferId buffer, std::uint32_t payload);
  [[nodiscard]] bool digest_valid(const drbd::Packet& packet, replication::BufferId buffer,
                                  std::uint32_t payload) const;
  void fail(const std::string& reason);
  [[nodiscard]] std::string reason_of(int result) const;
  [[nodiscard]] bool may_decode() const;

  PeerLink& link_;  ///< not to be used any more when closed
  uring::BufferPool& pool_;
  Id id_;
  bool established_ = false;
  tls::SecuredStream stream_;
  uring::TimerHandle patience_ = 0;  ///< for the handshake
  std::string why_;                  ///< it failed
  uring::Inbox inbox_;
  drbd::Socket kind_ = drbd::Socket::Data;
  drbd::WireOptions options_;
  Digest send_integrity_ = Digest::none, receive_integrity_ = Digest::none;
  bool greeted_;          ///< the first packet has passed (only accepted sockets receive one)
  bool stalled_ = false;  ///< no buffer for the payload of the packet at the front
  bool wire_changed_ = false;
  bool parsing_ = false;
  Incoming incoming_;
};

}  // namespace bascule::block_host
