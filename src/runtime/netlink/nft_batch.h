#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace bascule::netlink {

/// One nftables transaction in a buffer of fixed size: the kernel takes all of it in one moment, or nothing.
/// Allocates nothing. Message layout: linux/netfilter/nf_tables.h.
class NftBatch {
 public:
  NftBatch() { clear(); }
  void clear();
  /// Every element of the set goes. `family` is NFPROTO_IPV4, NFPROTO_IPV6 or NFPROTO_ARP.
  void flush_set(std::uint8_t family, std::string_view table, std::string_view set);
  /// `key` is the address in network order; it leaves the set by itself after `timeout_ms` (at least 1).
  void add_element(std::uint8_t family, std::string_view table, std::string_view set, ByteView key,
                   std::uint64_t timeout_ms);
  /// Ends the transaction and returns its bytes; asks the kernel for an answer to the last message.
  [[nodiscard]] ByteView finish();
  /// A message did not fit; finish() must not be sent.
  [[nodiscard]] bool overflowed() const { return overflowed_; }

 private:
  std::size_t open_message(std::uint16_t type, std::uint16_t flags, std::uint8_t family, std::uint16_t resource);
  void close_message(std::size_t at);
  void attribute(std::uint16_t type, ByteView value);
  void text_attribute(std::uint16_t type, std::string_view text);
  std::size_t open_nest(std::uint16_t type);
  void close_nest(std::size_t at);
  void put(const void* bytes, std::size_t count);
  void patch(std::size_t at, const void* bytes, std::size_t count);

  alignas(8) std::array<Byte, 32768> buffer_;
  std::size_t used_ = 0;
  std::size_t last_message_ = 0;
  std::uint32_t sequence_ = 0;
  bool overflowed_ = false;
};

/// A netlink socket to nftables.
class NftSocket {
 public:
  [[nodiscard]] static Result<NftSocket> open();
  NftSocket(NftSocket&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  NftSocket& operator=(NftSocket&&) = delete;
  ~NftSocket();
  /// Sends the transaction and reads the kernel's answer, both without waiting. 0, or an errno value: nothing was done.
  [[nodiscard]] int commit(NftBatch& batch);

 private:
  explicit NftSocket(int fd) : fd_(fd) {}
  [[nodiscard]] int read_answers();
  int fd_;
};

}  // namespace bascule::netlink
