#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "base/bytes.h"
#include "wire/sealed/keyring.h"
#include "wire/sealed/replay_window.h"

namespace bascule::sealed {

/// Random, fresh at each start of a program: together with the sender and the key it names a session, in which no
/// number is used twice.
using Salt = std::array<Byte, 16>;

/// How much longer a sealed datagram is than what is in it.
inline constexpr std::size_t overhead_bytes = 56;

namespace detail {
class Cipher;
}

/// Seals what one node sends, each datagram with a number of its own.
class Sealer {
 public:
  /// `salt` must never have been used by this sender before: 16 bytes from the system's random source.
  Sealer(std::string cluster, std::uint32_t sender, const Salt& salt);
  ~Sealer();
  Sealer(Sealer&&) noexcept;
  Sealer& operator=(Sealer&&) noexcept;

  [[nodiscard]] Bytes seal(const Key& key, ByteView plain);

 private:
  std::string cluster_;
  std::uint32_t sender_;
  Salt salt_;
  std::uint64_t number_ = 0;
  std::uint32_t key_id_ = 0;  ///< of cipher_; 0: none yet
  std::unique_ptr<detail::Cipher> cipher_;
};

/// What came, proven to be from a node that has the key.
struct Opened {
  std::uint32_t sender = 0;
  Salt salt{};
  std::uint64_t number = 0;
  Freshness freshness = Freshness::Fresh;
  Bytes plain;  ///< empty unless fresh
};

/// Why a datagram is not believed.
enum class Refusal {
  NotSealed,   ///< too short, another magic, or another version
  UnknownKey,  ///< sealed with a key that this node does not have
  Forged,      ///< not sealed with the key that it names, or changed on the way, or of another cluster
};
[[nodiscard]] const char* name_of(Refusal refusal);

/// Opens what the other nodes sealed. Remembers, for each of a node's latest sessions, which numbers it has seen. A
/// datagram that proves nothing changes nothing. Bounded: `sessions_per_sender` for each node.
class Opener {
 public:
  static constexpr std::size_t sessions_per_sender = 4;
  static constexpr std::size_t sessions_max = 1024;

  explicit Opener(std::string cluster);
  ~Opener();
  Opener(Opener&&) noexcept;
  Opener& operator=(Opener&&) noexcept;

  [[nodiscard]] tl::expected<Opened, Refusal> open(const Keyring& keyring, ByteView datagram);
  [[nodiscard]] std::size_t sessions() const { return sessions_.size(); }

 private:
  struct Session;
  using Sessions = std::list<Session>;  ///< the one used last comes first

  Sessions::iterator known(std::uint32_t sender, std::uint32_t key_id, const Salt& salt);
  void admit(Session&& session);

  std::string cluster_;
  Sessions sessions_;
};

}  // namespace bascule::sealed
