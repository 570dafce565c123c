#include "wire/nbd/nbd.h"

#include <cerrno>

namespace bascule::nbd {
namespace {

constexpr std::uint64_t kMagic = 0x4e42444d41474943;        // "NBDMAGIC"
constexpr std::uint64_t kOptionMagic = 0x49484156454f5054;  // "IHAVEOPT"
constexpr std::uint64_t kReplyMagic = 0x0003e889045565a9;
constexpr std::uint32_t kRequestMagic = 0x25609513;
constexpr std::uint32_t kSimpleReplyMagic = 0x67446698;
constexpr std::uint32_t kStructuredReplyMagic = 0x668e33ef;

constexpr std::uint32_t kFixedNewstyle = 1, kNoZeroes = 2;  // handshake flags of both sides

enum Option : std::uint32_t { ExportName = 1, Abort = 2, List = 3, Info = 6, Go = 7, StructuredReply = 8 };

constexpr std::uint32_t kAck = 1, kServer = 2, kInfo = 3;
constexpr std::uint32_t kErrorUnsupported = 0x80000001, kErrorPolicy = 0x80000002, kErrorInvalid = 0x80000003,
                        kErrorUnknown = 0x80000006, kErrorTooBig = 0x80000009;
constexpr std::uint16_t kInfoExport = 0, kInfoName = 1, kInfoDescription = 2, kInfoBlockSize = 3;

constexpr std::uint16_t kHasFlags = 1, kReadOnly = 2, kSendFlush = 4, kSendFua = 8;
constexpr std::uint16_t kSendTrim = 32, kSendWriteZeroes = 64, kCanMultiConnection = 256;
constexpr std::uint16_t kChunkDone = 1, kChunkOffsetData = 1, kChunkError = 0x8001;
constexpr std::uint32_t kSector = 512, kPreferred = 4096;

}  // namespace

Handshake::Handshake(Export exported) : export_(std::move(exported)) {
  ByteWriter(output_).big(kMagic).big(kOptionMagic).big(static_cast<std::uint16_t>(kFixedNewstyle | kNoZeroes));
}

void Handshake::end(std::string reason) {
  phase_ = Phase::Ended;
  reason_ = std::move(reason);
}

std::size_t Handshake::feed(ByteView received) {
  std::size_t used = 0;
  while (phase_ == Phase::ClientFlags || phase_ == Phase::Options) {
    const ByteView rest = received.subspan(used);
    const std::size_t step = phase_ == Phase::ClientFlags ? feed_flags(rest) : feed_option(rest);
    if (step == 0) break;
    used += step;
  }
  return used;
}

std::size_t Handshake::feed_flags(ByteView received) {
  if (received.size() < 4) return 0;
  const auto flags = get_big<std::uint32_t>(received, 0);
  if ((flags & ~(kFixedNewstyle | kNoZeroes)) != 0) {
    end("unknown client flags");
    return 4;
  }
  no_zeroes_ = (flags & kNoZeroes) != 0;
  phase_ = Phase::Options;
  return 4;
}

std::size_t Handshake::feed_option(ByteView received) {
  constexpr std::size_t head = 16;
  if (received.size() >= 8 && get_big<std::uint64_t>(received, 0) != kOptionMagic) {
    end("not an option");
    return 8;
  }
  if (received.size() < head) return 0;
  const auto number = get_big<std::uint32_t>(received, 8);
  const auto length = get_big<std::uint32_t>(received, 12);
  if (length > kMaxOptionBytes) {
    reply(number, kErrorTooBig);
    end("an option of " + std::to_string(length) + " bytes");
    return head;
  }
  if (received.size() < head + length) return 0;
  option(number, received.subspan(head, length));
  return head + length;
}

void Handshake::option(std::uint32_t number, ByteView data) {
  switch (number) {
    case ExportName:
      return option_export_name(data);
    case Abort:
      reply(number, kAck);
      return end("");
    case List:
      return option_list(data);
    case Info:
    case Go:
      return option_go(number, data);
    case StructuredReply:
      return option_structured(data);
    default:
      return reply(number, kErrorUnsupported);
  }
}

std::uint16_t Handshake::transmission_flags() const {
  constexpr std::uint16_t always =
      kHasFlags | kSendFlush | kSendFua | kSendTrim | kSendWriteZeroes | kCanMultiConnection;
  return static_cast<std::uint16_t>(always | (export_.read_only ? kReadOnly : 0));
}

// The old way to attach: it knows no answer but the connection's end.
void Handshake::option_export_name(ByteView data) {
  if (!is_ours(text_of(data))) return end("there is no export of that name");
  if (!export_.refusal.empty()) return end(export_.refusal);
  ByteWriter writer(output_);
  writer.big(export_.size_bytes).big(transmission_flags());
  if (!no_zeroes_) writer.zeros(124);
  phase_ = Phase::Transmission;
}

void Handshake::option_go(std::uint32_t number, ByteView data) {
  ByteReader reader(data);
  const ByteView name = reader.take(reader.big<std::uint32_t>());
  const auto count = reader.big<std::uint16_t>();
  const ByteView wanted = reader.take(std::size_t{count} * 2);
  if (!reader.ok_and_done()) return reply(number, kErrorInvalid, view_of("malformed option"));
  if (!is_ours(text_of(name))) return reply(number, kErrorUnknown, view_of("there is no export of that name"));
  if (!export_.refusal.empty()) return reply(number, kErrorPolicy, view_of(export_.refusal));
  send_information(number, wanted);
  reply(number, kAck);
  if (number == Go) phase_ = Phase::Transmission;
}

void Handshake::send_information(std::uint32_t option, ByteView wanted) {
  Bytes data;
  ByteWriter(data).big(kInfoExport).big(export_.size_bytes).big(transmission_flags());
  reply(option, kInfo, data);
  data.clear();
  ByteWriter(data).big(kInfoBlockSize).big(kSector).big(kPreferred).big(kMaxRequestBytes);
  reply(option, kInfo, data);
  ByteReader reader(wanted);
  while (reader.remaining() >= 2) {
    const auto kind = reader.big<std::uint16_t>();
    if (kind != kInfoName && kind != kInfoDescription) continue;
    data.clear();
    ByteWriter(data).big(kind).bytes(view_of(kind == kInfoName ? export_.name : export_.description));
    reply(option, kInfo, data);
  }
}

void Handshake::option_list(ByteView data) {
  if (!data.empty()) return reply(List, kErrorInvalid, view_of("malformed option"));
  Bytes entry;
  ByteWriter(entry).big(static_cast<std::uint32_t>(export_.name.size())).bytes(view_of(export_.name));
  entry.insert(entry.end(), export_.description.begin(), export_.description.end());
  reply(List, kServer, entry);
  reply(List, kAck);
}

void Handshake::option_structured(ByteView data) {
  if (!data.empty()) return reply(StructuredReply, kErrorInvalid, view_of("malformed option"));
  structured_ = true;
  reply(StructuredReply, kAck);
}

void Handshake::reply(std::uint32_t option, std::uint32_t type, ByteView data) {
  ByteWriter(output_).big(kReplyMagic).big(option).big(type).big(static_cast<std::uint32_t>(data.size())).bytes(data);
}

ReplyError reply_error(int error_number) {
  switch (error_number) {
    case 0:
      return ReplyError::None;
    case EPERM:
    case EROFS:
    case EACCES:
      return ReplyError::NotPermitted;
    case ENOMEM:
      return ReplyError::NoMemory;
    case EINVAL:
      return ReplyError::Invalid;
    case ENOSPC:
      return ReplyError::NoSpace;
    case ESHUTDOWN:
      return ReplyError::Shutdown;
    case EOPNOTSUPP:
      return ReplyError::NotSupported;
    default:
      return ReplyError::InputOutput;
  }
}

Result<Request> decode_request(ByteView bytes) {
  ByteReader reader(bytes);
  const auto magic = reader.big<std::uint32_t>();
  Request request;
  request.flags = reader.big<std::uint16_t>();
  request.command = reader.big<std::uint16_t>();
  request.cookie = reader.big<std::uint64_t>();
  request.offset = reader.big<std::uint64_t>();
  request.length = reader.big<std::uint32_t>();
  if (!reader.ok()) return fail("an NBD request cannot be read", "header", "it is cut off");
  if (magic != kRequestMagic) return fail("an NBD request cannot be read", "magic", "not that of a request");
  return request;
}

ReplyError check(const Request& request, std::uint64_t size_bytes, bool read_only) {
  const auto command = static_cast<Command>(request.command);
  if (command == Command::Flush) return ReplyError::None;
  const bool without_data = command == Command::Trim || command == Command::WriteZeroes;
  const bool write = command == Command::Write || without_data;
  if (command != Command::Read && !write) return ReplyError::Invalid;
  if (write && read_only) return ReplyError::NotPermitted;
  if (request.fast()) return ReplyError::NotSupported;  // not announced: we never know
  if (!without_data && request.length > kMaxRequestBytes) return ReplyError::Overflow;
  if (request.length == 0 || request.length % kSector != 0 || request.offset % kSector != 0) return ReplyError::Invalid;
  if (request.offset > size_bytes || request.length > size_bytes - request.offset)
    return write ? ReplyError::NoSpace : ReplyError::Invalid;
  return ReplyError::None;
}

void encode_reply(Bytes& out, std::uint64_t cookie, ReplyError error) {
  ByteWriter(out).big(kSimpleReplyMagic).big(static_cast<std::uint32_t>(error)).big(cookie);
}

void encode_read_head(Bytes& out, std::uint64_t cookie, std::uint64_t offset, std::uint32_t length, bool structured) {
  if (!structured) return encode_reply(out, cookie, ReplyError::None);
  ByteWriter(out)
      .big(kStructuredReplyMagic)
      .big(kChunkDone)
      .big(kChunkOffsetData)
      .big(cookie)
      .big(length + 8)
      .big(offset);
}

void encode_read_error(Bytes& out, std::uint64_t cookie, ReplyError error, bool structured) {
  if (!structured) return encode_reply(out, cookie, error);
  ByteWriter(out)
      .big(kStructuredReplyMagic)
      .big(kChunkDone)
      .big(kChunkError)
      .big(cookie)
      .big(std::uint32_t{6})
      .big(static_cast<std::uint32_t>(error))
      .big(std::uint16_t{0});
}

}  // namespace bascule::nbd
