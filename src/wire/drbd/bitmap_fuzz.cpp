// Chunks from a peer, whatever they hold, never pass the end of the bitmap; a bitmap that was sent arrives.

#include "base/assert.h"
#include "wire/drbd/bitmap_code.h"

namespace {

using namespace bascule;
using namespace bascule::drbd;

void receive_anything(ByteView input) {
  Bitmap bitmap(input.size() < 2 ? 1 : input[0] * 256U + input[1]);
  BitmapReceiver receiver(bitmap, 16);
  const Bytes code(input.begin() + (input.empty() ? 0 : 1), input.end());
  (void)receiver.add(CompressedBitmap{.encoding = input.empty() ? Byte{2} : input[0], .code = code});
  (void)receiver.add(CompressedBitmap{.encoding = 0x82, .code = code});
  (void)receiver.add(BitmapChunk{.words = code});
  BASCULE_ASSERT(bitmap.count() == receiver.newly_set());
}

void send_and_receive(ByteView input, bool compress) {
  Bitmap sent(input.size() * 8);
  for (std::size_t bit = 0; bit < sent.size(); ++bit)
    if ((input[bit / 8] >> (bit % 8) & 1) != 0) sent.set(bit, bit + 1);
  Bitmap received(sent.size());
  BitmapSender sender(sent, 16, compress);
  BitmapReceiver receiver(received, 16);
  while (!sender.done()) {
    const auto chunk = sender.next();
    const auto added = std::visit([&](const auto& one) { return receiver.add(one); }, chunk);
    BASCULE_ASSERT(added);
  }
  BASCULE_ASSERT(receiver.done() && received.words() == sent.words());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  receive_anything(input);
  send_and_receive(input, true);
  send_and_receive(input, false);
  return 0;
}
