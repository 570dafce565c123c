#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/sealed/sealed.h"

/// How a machine that has a one-time token gets the secrets of a cluster. See FORMAT.md.
namespace bascule::join {

struct Token {
  std::string cluster;
  std::string node;  ///< what the machine is going to be called
  std::uint16_t port = 0;
  std::vector<std::string> addresses;  ///< of members
  sealed::Secret secret{};
};

[[nodiscard]] std::string text_of(const Token& token);
[[nodiscard]] Result<Token> parse_token(std::string_view text);

/// How long a token may be good for.
inline constexpr std::uint64_t valid_s_max = 30ULL * 86400;
/// By a clock that says `now_ms`, a token that is good until `expires_at_ms` has not been given yet: the clock is far
/// behind. Such a clock must not let anybody in, since for it no token would ever end.
[[nodiscard]] bool is_of_the_future(std::uint64_t expires_at_ms, std::uint64_t now_ms);
/// What the log knows of the token: SHA-256 of the secret, in hexadecimal digits.
[[nodiscard]] std::string hash_of(const sealed::Secret& secret);

/// What a member hands out.
struct Secrets {
  std::string keys;    ///< of the key file; empty where the cluster has none
  std::string config;  ///< cluster.toml
};

inline constexpr std::size_t frame_bytes_max = 64 * 1024;

/// The joining machine's side. `salt`: fresh from the system's random source, for each call.
[[nodiscard]] Bytes request(const Token& token, const sealed::Salt& salt);
[[nodiscard]] Result<Secrets> open_reply(const Token& token, ByteView reply);

/// A member's side: the secret, if the request was made by somebody who has the token of this hash; else nothing.
[[nodiscard]] std::optional<sealed::Secret> open_request(const std::string& cluster, const std::string& hash,
                                                         ByteView request);
[[nodiscard]] Bytes reply(const std::string& cluster, const sealed::Secret& secret, const Result<Secrets>& answer,
                          const sealed::Salt& salt);

}  // namespace bascule::join
