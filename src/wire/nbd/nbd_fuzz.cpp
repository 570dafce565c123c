#include "wire/nbd/nbd.h"

namespace {

using bascule::Byte;
using bascule::Bytes;
using bascule::ByteView;

// The same bytes in two pieces must lead to the same place: nothing depends on how the network cut them.
void compare_whole_and_split(const Bytes& bytes, std::size_t cut) {
  bascule::nbd::Handshake whole({"data", "a volume", 1 << 20, false, ""});
  bascule::nbd::Handshake split({"data", "a volume", 1 << 20, false, ""});
  const std::size_t used = whole.feed(bytes);
  Bytes pending(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut));
  std::size_t used_split = split.feed(pending);
  used_split += split.feed(ByteView(bytes).subspan(used_split));
  BASCULE_ASSERT(used == used_split);
  BASCULE_ASSERT(whole.phase() == split.phase());
  BASCULE_ASSERT(whole.output() == split.output());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, data + size);
  compare_whole_and_split(bytes, size / 2);
  // With a true beginning, so that the options are reached.
  Bytes framed = {0, 0, 0, 3, 'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T', 0, 0, 0};
  framed.insert(framed.end(), bytes.begin(), bytes.end());
  if (framed.size() > 19) framed[15] %= 10, framed[16] = framed[17] = framed[18] = 0;
  compare_whole_and_split(framed, framed.size() / 2);
  if (const auto request = bascule::nbd::decode_request(bytes)) (void)bascule::nbd::check(*request, 1 << 20, false);
  return 0;
}
