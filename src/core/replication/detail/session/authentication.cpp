#include "core/replication/detail/session/authentication.h"

#include <algorithm>

namespace bascule::replication::detail {
namespace {

constexpr std::size_t challenge_bytes = 64;

}  // namespace

Bytes Authentication::proof_of(ByteView challenge) const {
  return hmac(digest_, view_of(core_.config.options.net.shared_secret), challenge);
}

std::string Authentication::begin() {
  const auto& net = core_.config.options.net;
  answered_ = proved_ = false;
  const auto digest = digest_named(net.cram_hmac_alg);
  if (!digest || *digest < Digest::md5) return "cram-hmac-alg \"" + net.cram_hmac_alg + "\" is not known here";
  if (net.shared_secret.empty()) return "cram-hmac-alg is configured, but no shared-secret";
  digest_ = *digest;
  // The generator is not one for secrets: who sees some of its numbers knows the next ones. Under the secret's HMAC
  // nobody can tell the next challenge and have it answered beforehand.
  Bytes numbers;
  ByteWriter writer(numbers);
  for (int i = 0; i < 8; ++i) writer.big(core_.prng.next());
  challenge_ = hmac(Digest::sha512, view_of(net.shared_secret), numbers);
  challenge_.resize(challenge_bytes);
  core_.send_data(drbd::AuthChallenge{challenge_});
  return "";
}

std::string Authentication::challenged(const drbd::AuthChallenge& packet) {
  if (answered_) return "the peer sends a second challenge";
  if (packet.challenge.size() < challenge_bytes) return "the peer's challenge is too short";
  if (std::equal(challenge_.begin(), challenge_.end(), packet.challenge.begin()))
    return "the peer sends this node's own challenge back";
  core_.send_data(drbd::AuthResponse{proof_of(packet.challenge)});
  answered_ = true;
  return "";
}

std::string Authentication::answered(const drbd::AuthResponse& packet) {
  if (!answered_ || proved_) return "the peer answers out of turn";
  if (!equal_secrets(packet.digest, proof_of(challenge_)))
    return "the peer does not know the shared secret, or uses another cram-hmac-alg than " +
           core_.config.options.net.cram_hmac_alg;
  proved_ = true;
  return "";
}

}  // namespace bascule::replication::detail
