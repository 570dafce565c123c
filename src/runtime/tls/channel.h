#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/sealed/keyring.h"

/// TLS 1.3 under the keys of a cluster. See README.md.
namespace bascule::tls {

enum class Side { client, server };

/// What both ends have to agree on before either is believed.
struct Names {
  std::string cluster;
  std::string purpose;  ///< "replication of data"
  std::string self, peer;
};

/// One connection's handshake and records. Bytes go in and come out; who carries them is the caller's matter. An error
/// is the end of the connection: what then still lies in `out` is the alert that tells the peer why.
class Channel {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Channel>> create(Side side, const sealed::Keyring& keys,
                                                               const Names& names);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// What came from the peer; kept until it is understood.
  void received(ByteView bytes);
  /// True when both ends have proved themselves; until then it needs more from the peer. The client calls it once
  /// before anything came. Appends to `out` what the peer has to get.
  [[nodiscard]] Result<bool> handshake(Bytes& out);
  /// Appends the records of `plain` to `out`. Only after the handshake.
  [[nodiscard]] Result<void> seal(ByteView plain, Bytes& out);
  /// Opens into `into` (not empty) and returns how much; 0: more has to come from the peer first. An error with the
  /// word "closed" when the peer said that nothing more comes. Only after the handshake.
  [[nodiscard]] Result<std::size_t> open(std::span<Byte> into, Bytes& out);

  /// After so many calls of seal() that fill a record the keys are changed; 2^22 records of 16 KiB are 64 GiB.
  static constexpr std::uint64_t records_per_key = 1 << 22;
  void change_keys_after(std::uint64_t records) { records_per_key_ = records; }
  /// How often the keys of what this end sends were changed.
  [[nodiscard]] std::uint64_t key_changes() const { return key_changes_; }

 private:
  struct Library;
  Channel();
  [[nodiscard]] Result<void> change_keys_when_due(std::size_t bytes);

  std::unique_ptr<Library> library_;
  std::uint64_t records_per_key_ = records_per_key;
  std::uint64_t records_ = 0;
  std::uint64_t key_changes_ = 0;
};

}  // namespace bascule::tls
