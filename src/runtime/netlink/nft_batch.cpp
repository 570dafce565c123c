#include "runtime/netlink/nft_batch.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace bascule::netlink {
namespace {

constexpr std::size_t aligned(std::size_t bytes) { return (bytes + 3) & ~std::size_t{3}; }
constexpr std::uint16_t nft_type(int message) {
  return static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8) | message);
}

}  // namespace

void NftBatch::put(const void* bytes, std::size_t count) {
  if (used_ + aligned(count) > buffer_.size()) {
    overflowed_ = true;
    return;
  }
  if (count > 0) std::memcpy(buffer_.data() + used_, bytes, count);
  std::memset(buffer_.data() + used_ + count, 0, aligned(count) - count);
  used_ += aligned(count);
}

void NftBatch::patch(std::size_t at, const void* bytes, std::size_t count) {
  if (!overflowed_) std::memcpy(buffer_.data() + at, bytes, count);
}

std::size_t NftBatch::open_message(std::uint16_t type, std::uint16_t flags, std::uint8_t family,
                                   std::uint16_t resource) {
  const std::size_t at = used_;
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  header.nlmsg_seq = ++sequence_;
  put(&header, sizeof(header));
  const nfgenmsg general{family, NFNETLINK_V0, htons(resource)};
  put(&general, sizeof(general));
  return at;
}

void NftBatch::close_message(std::size_t at) {
  const auto length = static_cast<std::uint32_t>(used_ - at);
  patch(at + offsetof(nlmsghdr, nlmsg_len), &length, sizeof(length));
}

void NftBatch::attribute(std::uint16_t type, ByteView value) {
  const nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), type};
  put(&header, sizeof(header));
  put(value.data(), value.size());
}

void NftBatch::text_attribute(std::uint16_t type, std::string_view text) {
  std::array<Byte, 64> with_nul{};
  BASCULE_ASSERT(text.size() < with_nul.size());
  std::memcpy(with_nul.data(), text.data(), text.size());
  attribute(type, ByteView(with_nul).first(text.size() + 1));
}

std::size_t NftBatch::open_nest(std::uint16_t type) {
  const std::size_t at = used_;
  const nlattr header{0, static_cast<std::uint16_t>(type | NLA_F_NESTED)};
  put(&header, sizeof(header));
  return at;
}

void NftBatch::close_nest(std::size_t at) {
  const auto length = static_cast<std::uint16_t>(used_ - at);
  patch(at + offsetof(nlattr, nla_len), &length, sizeof(length));
}

void NftBatch::clear() {
  used_ = 0;
  overflowed_ = false;
  close_message(open_message(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  last_message_ = 0;
}

void NftBatch::flush_set(std::uint8_t family, std::string_view table, std::string_view set) {
  last_message_ = open_message(nft_type(NFT_MSG_DELSETELEM), 0, family, 0);
  text_attribute(NFTA_SET_ELEM_LIST_TABLE, table);
  text_attribute(NFTA_SET_ELEM_LIST_SET, set);
  close_message(last_message_);
}

void NftBatch::add_element(std::uint8_t family, std::string_view table, std::string_view set, ByteView key,
                           std::uint64_t timeout_ms) {
  last_message_ = open_message(nft_type(NFT_MSG_NEWSETELEM), NLM_F_CREATE, family, 0);
  text_attribute(NFTA_SET_ELEM_LIST_TABLE, table);
  text_attribute(NFTA_SET_ELEM_LIST_SET, set);
  const auto elements = open_nest(NFTA_SET_ELEM_LIST_ELEMENTS);
  const auto element = open_nest(NFTA_LIST_ELEM);
  const auto data = open_nest(NFTA_SET_ELEM_KEY);
  attribute(NFTA_DATA_VALUE, key);
  close_nest(data);
  const std::uint64_t timeout = htobe64(timeout_ms);
  attribute(NFTA_SET_ELEM_TIMEOUT, ByteView(reinterpret_cast<const Byte*>(&timeout), sizeof(timeout)));
  close_nest(element);
  close_nest(elements);
  close_message(last_message_);
}

ByteView NftBatch::finish() {
  BASCULE_ASSERT(last_message_ != 0);
  const std::uint16_t flags = NLM_F_REQUEST | NLM_F_ACK;
  std::uint16_t present = 0;
  std::memcpy(&present, buffer_.data() + last_message_ + offsetof(nlmsghdr, nlmsg_flags), sizeof(present));
  present |= flags;
  patch(last_message_ + offsetof(nlmsghdr, nlmsg_flags), &present, sizeof(present));
  close_message(open_message(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  return ByteView(buffer_).first(used_);
}

Result<NftSocket> NftSocket::open() {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
  if (fd < 0) return fail_errno("nftables cannot be reached", "netlink socket", errno);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    const int error = errno;
    close(fd);
    return fail_errno("nftables cannot be reached", "netlink socket", error);
  }
  return NftSocket(fd);
}

NftSocket::~NftSocket() {
  if (fd_ >= 0) close(fd_);
}

int NftSocket::read_answers() {
  int first_error = 0;
  bool acknowledged = false;
  alignas(8) std::array<Byte, 8192> answer;
  for (;;) {
    auto left = recv(fd_, answer.data(), answer.size(), MSG_DONTWAIT);
    if (left <= 0) break;
    auto size = static_cast<unsigned>(left);
    for (auto* message = reinterpret_cast<nlmsghdr*>(answer.data()); NLMSG_OK(message, size);
         message = NLMSG_NEXT(message, size)) {
      if (message->nlmsg_type != NLMSG_ERROR || message->nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr))) continue;
      const int error = -static_cast<nlmsgerr*>(NLMSG_DATA(message))->error;
      acknowledged = true;
      if (first_error == 0) first_error = error;
    }
  }
  return acknowledged ? first_error : EPROTO;
}

int NftSocket::commit(NftBatch& batch) {
  const ByteView bytes = batch.finish();
  if (batch.overflowed()) return EMSGSIZE;
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (sendto(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&kernel), sizeof(kernel)) < 0)
    return errno;
  return read_answers();  // the kernel works while sendto() runs, so the answer is there already
}

}  // namespace bascule::netlink
