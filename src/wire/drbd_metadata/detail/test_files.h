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

/// A dump with its flags blanked: drbdmeta 9.22 prints zero whatever a v08 superblock holds.
inline std::string without_flags(std::string dump) {
  const std::size_t at = dump.find("    flags 0x");
  if (at != std::string::npos) dump.replace(at, 20, "    flags (any)");
  return dump;
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
