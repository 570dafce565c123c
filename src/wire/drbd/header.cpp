#include "wire/drbd/header.h"

#include <fmt/format.h>

#include "base/assert.h"

namespace bascule::drbd {
namespace {

constexpr std::uint32_t kH80LimitOf95 = 32768;

tl::unexpected<Error> wrong_magic(std::uint32_t magic, std::uint32_t agreed_version) {
  return fail("DRBD packet header is wrong", "magic",
              fmt::format("0x{:08x} does not start a packet of version {}", magic, agreed_version));
}

bool version_allows(HeaderKind kind, std::uint32_t agreed_version) {
  if (agreed_version >= 100) return kind == HeaderKind::H100;
  if (agreed_version >= 95) return kind != HeaderKind::H100;
  return kind == HeaderKind::H80;
}

std::optional<HeaderKind> kind_of(std::uint32_t first_word) {
  if (first_word == kMagicH80) return HeaderKind::H80;
  if (first_word == kMagicH100) return HeaderKind::H100;
  if ((first_word >> 16) == kMagicH95) return HeaderKind::H95;
  return std::nullopt;
}

Header read_fields(ByteReader& reader, HeaderKind kind) {
  Header header{.kind = kind};
  reader.skip(kind == HeaderKind::H95 ? 2 : 4);
  if (kind == HeaderKind::H100) header.volume = reader.big<std::uint16_t>();
  header.command = reader.big<std::uint16_t>();
  header.length = kind == HeaderKind::H80 ? reader.big<std::uint16_t>() : reader.big<std::uint32_t>();
  return header;
}

}  // namespace

HeaderKind header_kind(std::uint32_t agreed_version, std::uint32_t length) {
  if (agreed_version >= 100) return HeaderKind::H100;
  return agreed_version >= 95 && length > kH80LimitOf95 ? HeaderKind::H95 : HeaderKind::H80;
}

Result<std::optional<Header>> decode_header(ByteView bytes, std::uint32_t agreed_version) {
  if (bytes.size() < 4) return std::nullopt;
  const auto magic = get_big<std::uint32_t>(bytes, 0);
  const std::optional<HeaderKind> kind = kind_of(magic);
  if (!kind || !version_allows(*kind, agreed_version)) return wrong_magic(magic, agreed_version);
  if (bytes.size() < header_bytes(*kind)) return std::nullopt;
  ByteReader reader(bytes);
  const Header header = read_fields(reader, *kind);
  if (*kind == HeaderKind::H100) {
    const auto pad = reader.big<std::uint32_t>();
    if (pad != 0) return fail("DRBD packet header is wrong", "pad", fmt::format("0x{:08x} instead of 0", pad));
  }
  return header;
}

void encode_header(Bytes& out, const Header& header) {
  ByteWriter writer(out);
  switch (header.kind) {
    case HeaderKind::H80:
      BASCULE_ASSERT(header.length <= 0xffff);
      writer.big(kMagicH80).big(header.command).big(static_cast<std::uint16_t>(header.length));
      return;
    case HeaderKind::H95:
      writer.big(kMagicH95).big(header.command).big(header.length);
      return;
    case HeaderKind::H100:
      writer.big(kMagicH100).big(header.volume).big(header.command).big(header.length).big(std::uint32_t{0});
      return;
  }
}

}  // namespace bascule::drbd
