#pragma once

#include <string>

#include "core/replication/detail/core.h"

namespace bascule::replication::detail {

/// CRAM-HMAC: each side sends 64 bytes and answers the other's with HMAC(secret, challenge). Nothing else is said
/// before both have proved that they know the secret.
///
///   Waiting --challenge--> answered, waits for the response to ours --right response--> Done
///
/// Every step tells what went wrong in words; empty: nothing. All of it is final: a wrong secret does not get right by
/// trying again.
class Authentication {
 public:
  explicit Authentication(Core& core) : core_(core) {}

  /// Is a cram-hmac-alg configured?
  [[nodiscard]] bool wanted() const { return !core_.config.options.net.cram_hmac_alg.empty(); }
  [[nodiscard]] std::string begin();
  [[nodiscard]] std::string challenged(const drbd::AuthChallenge& packet);
  [[nodiscard]] std::string answered(const drbd::AuthResponse& packet);
  [[nodiscard]] bool done() const { return answered_ && proved_; }

 private:
  [[nodiscard]] Bytes proof_of(ByteView challenge) const;

  Core& core_;
  Digest digest_ = Digest::none;
  Bytes challenge_;
  bool answered_ = false;  ///< we have answered the peer
  bool proved_ = false;    ///< the peer has answered us
};

}  // namespace bascule::replication::detail
