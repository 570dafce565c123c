#pragma once

#include <vector>

#include "runtime/device/volume.h"
#include "runtime/uring/inbox.h"
#include "runtime/uring/stream.h"
#include "wire/nbd/nbd.h"

namespace bascule::device {

/// One connection of the NBD export.
class NbdClient final : public uring::Closing, public Requester {
 public:
  NbdClient(uring::Ring& ring, uring::BufferPool& pool, Volume& volume, int descriptor);
  ~NbdClient() override;

  void start() { receive(); }
  void end(const std::string& reason);
  [[nodiscard]] bool ended() const { return stream_.closed(); }
  [[nodiscard]] bool attached() const { return !ended() && handshake_.phase() == nbd::Handshake::Phase::Transmission; }
  void flush();
  void resume();

  [[nodiscard]] bool idle() const override { return stream_.idle() && in_flight_ == 0; }
  void completed(std::uint64_t tag, int error_number) override;

 private:
  struct Pending {
    nbd::Request request;
    uring::BufferPool::Id buffer = 0;
  };
  /// A write whose data is still coming.
  struct Incoming {
    nbd::Request request;
    uring::BufferPool::Id buffer = 0;
    std::uint32_t filled = 0;
  };

  void receive();
  void received(int result);
  void received_data(int result);
  void parse();
  bool parse_handshake();
  bool parse_request();
  bool start(const nbd::Request& request);
  bool start_write(const nbd::Request& request);
  void refuse(const nbd::Request& request, nbd::ReplyError error);
  void submit(const Pending& pending);
  void discard();

  uring::Ring& ring_;
  uring::BufferPool& pool_;
  Volume& volume_;
  uring::Stream stream_;
  uring::Inbox inbox_;
  nbd::Handshake handshake_;
  std::uint64_t size_bytes_;
  Incoming incoming_;
  std::uint64_t discard_bytes_ = 0;  ///< data of a refused write
  bool stalled_ = false;             ///< no buffer for the request at the front
  bool leaving_ = false;             ///< asked to disconnect, or ended by us once all is sent
  std::vector<Pending> pending_;
  std::vector<std::uint32_t> free_;
  std::size_t in_flight_ = 0;
};

}  // namespace bascule::device
