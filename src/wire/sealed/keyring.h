#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

/// What the managers of a cluster say to each other, authenticated and encrypted. See FORMAT.md.
namespace bascule::sealed {

using Secret = std::array<Byte, 32>;

/// One key of the cluster. Whoever has it can speak for every node.
struct Key {
  std::uint32_t id = 0;  ///< at least 1; a key keeps its number for ever
  Secret secret{};
};

/// The keys of a cluster: one to send with, all of them to receive with, so that a key is replaced without a moment in
/// which two nodes do not understand each other: first everybody accepts the new one, then everybody sends with it,
/// then the old one goes.
class Keyring {
 public:
  /// `first` is sent with.
  explicit Keyring(const Key& first) : keys_{first}, sending_(first.id) {}

  /// Reads a key file (FORMAT.md). `file` is only used in messages, and no message holds a part of a secret.
  [[nodiscard]] static Result<Keyring> parse(std::string_view text, const std::string& file);
  [[nodiscard]] std::string text() const;

  [[nodiscard]] const Key& sending() const;
  /// Null: not a key of this cluster.
  [[nodiscard]] const Key* find(std::uint32_t id) const;
  [[nodiscard]] const std::vector<Key>& keys() const { return keys_; }
  /// The number for the next new key: above all that are here.
  [[nodiscard]] std::uint32_t next_id() const;

  /// Accepted from now on; refused when another key has its number. The same key again changes nothing.
  [[nodiscard]] Result<void> accept(const Key& key);
  /// Sent with from now on; it must be accepted already.
  [[nodiscard]] Result<void> send_with(std::uint32_t id);
  /// No longer accepted; the one that is sent with is not dropped.
  [[nodiscard]] Result<void> drop(std::uint32_t id);

 private:
  std::vector<Key> keys_;  ///< never empty, in the order in which they were accepted
  std::uint32_t sending_;
};

/// A key for one purpose, from a key of the cluster (HKDF, RFC 5869, with SHA-256). Two purposes, or two salts, give
/// keys that say nothing about each other.
[[nodiscard]] Secret derived(const Secret& secret, ByteView salt, std::string_view purpose);

}  // namespace bascule::sealed
