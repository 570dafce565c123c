// Whatever decodes must encode to the same bytes, and no input may make the decoder ask beyond its limits.

#include "base/assert.h"
#include "wire/drbd/frame.h"

namespace {

using namespace bascule;
using namespace bascule::drbd;

/// Strings lose what stands behind their end, so their packets are compared after one round trip.
bool carries_strings(const Packet& packet) {
  return std::holds_alternative<SyncParam>(packet) || std::holds_alternative<Protocol>(packet);
}

void check(ByteView input, Socket socket, const WireOptions& options) {
  const auto step = decode_frame(input, socket, options);
  if (!step) return;
  if (const auto* more = std::get_if<NeedMore>(&*step)) {
    BASCULE_ASSERT(more->bytes > 0 && input.size() + more->bytes <= kMaxControlPacketBytes);
    return;
  }
  const auto& frame = std::get<Frame>(*step);
  BASCULE_ASSERT(frame.payload_bytes <= kMaxDataBytes && frame.consumed_bytes <= input.size());
  const Bytes again = encode(frame.packet, frame.volume, options);
  if (carries_strings(frame.packet)) return;
  BASCULE_ASSERT(std::equal(again.begin(), again.end(), input.begin()) && again.size() == frame.consumed_bytes);
}

/// Puts a right header before the input, so that the fixed parts are reached too.
Bytes with_header(ByteView input, std::uint32_t agreed_version) {
  Bytes out;
  const auto command = static_cast<std::uint16_t>(input.empty() ? 0 : input[0] % 0x38);
  const auto length = static_cast<std::uint32_t>(input.empty() ? 0 : input.size() - 1);
  encode_header(out, {.kind = header_kind(agreed_version, length), .command = command, .length = length});
  if (!input.empty()) out.insert(out.end(), input.begin() + 1, input.end());
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  for (const Socket socket : {Socket::Data, Socket::Meta}) {
    for (const std::uint32_t version : {0U, 101U}) {
      for (const std::uint32_t digest_bytes : {0U, 4U}) {
        const WireOptions options{
            .agreed_version = version, .feature_flags = 0xf, .integrity_digest_bytes = digest_bytes};
        check(input, socket, options);
        check(with_header(input, version), socket, options);
      }
    }
  }
  return 0;
}
