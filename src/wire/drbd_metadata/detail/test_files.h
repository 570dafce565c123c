#pragma once

#include <fstream>
#include <iterator>
#include <string>

#include "base/bytes.h"

namespace bascule::drbd_metadata::detail {

inline Bytes read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string read_text(const std::string& name) {
  const Bytes bytes = read_file(std::string(BASCULE_DRBD_METADATA_TESTDATA) + "/" + name);
  return {bytes.begin(), bytes.end()};
}

/// A dump without its first comment lines, which hold date and command.
inline std::string body_of(const std::string& dump) {
  const std::size_t at = dump.find("version \"");
  return at == std::string::npos ? dump : dump.substr(at);
}

/// The last 40 KiB of a 64 MiB device: bitmap 4 KiB, activity log 32 KiB, superblock 4 KiB.
struct Tail {
  explicit Tail(const std::string& name)
      : bytes(read_file(std::string(BASCULE_DRBD_METADATA_TESTDATA) + "/" + name + ".tail40k.bin")) {}
  [[nodiscard]] ByteView bitmap() const { return ByteView(bytes).first(4096); }
  [[nodiscard]] ByteView ring() const { return ByteView(bytes).subspan(4096, 32768); }
  [[nodiscard]] ByteView superblock() const { return ByteView(bytes).subspan(36864); }
  Bytes bytes;
};

}  // namespace bascule::drbd_metadata::detail
