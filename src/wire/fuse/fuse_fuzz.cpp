#include "wire/fuse/fuse.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bascule;
  Bytes bytes(data, data + size);
  (void)fuse::decode_request(bytes, bytes.size());
  // Once more with a header that says the truth about the length, so that the bodies are reached.
  if (bytes.size() < 4) return 0;
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<Byte>(bytes.size() >> (8 * i));
  if (bytes.size() > 8) bytes[4] %= 48, bytes[5] = bytes[6] = bytes[7] = 0;
  const auto request = fuse::decode_request(bytes, bytes.size());
  if (!request) return 0;
  if (const auto* write = std::get_if<fuse::request::Write>(&request->body))
    BASCULE_ASSERT(write->size + fuse::kWriteHeadBytes == bytes.size());
  if (const auto* read = std::get_if<fuse::request::ReadDirectory>(&request->body))
    (void)fuse::encode_directory(request->unique, {{1, 4, "."}, {2, 8, "data"}}, read->offset, read->size);
  return 0;
}
