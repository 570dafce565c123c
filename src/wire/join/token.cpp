#include "wire/join/token.h"

#include <nlohmann/json.hpp>

#include "base/digest.h"

namespace bascule::join {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view prefix = "bascule1.";
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::uint32_t requester = 1, member = 2;
constexpr std::size_t token_length_max = 4096;

std::string base64(std::string_view plain) {
  std::string out;
  std::uint32_t buffer = 0;
  int bits = 0;
  for (const char c : plain) {
    buffer = buffer << 8 | static_cast<Byte>(c);
    for (bits += 8; bits >= 6; bits -= 6) out += alphabet[buffer >> (bits - 6) & 63];
  }
  if (bits > 0) out += alphabet[buffer << (6 - bits) & 63];
  return out;
}

std::optional<std::string> plain_of_base64(std::string_view text) {
  std::string out;
  std::uint32_t buffer = 0;
  int bits = 0;
  for (const char c : text) {
    const auto value = alphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    buffer = buffer << 6 | static_cast<std::uint32_t>(value);
    if ((bits += 6) < 8) continue;
    bits -= 8;
    out += static_cast<char>(buffer >> bits & 255);
  }
  return out;
}

std::string hex(ByteView bytes) {
  std::string text;
  for (const Byte byte : bytes) text += {hex_digits[byte >> 4], hex_digits[byte & 15]};
  return text;
}

std::optional<sealed::Secret> secret_of_hex(std::string_view text) {
  sealed::Secret secret{};
  if (text.size() != 2 * secret.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = hex_digits.find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    secret[i / 2] = static_cast<Byte>(secret[i / 2] << 4 | digit);
  }
  return secret;
}

std::uint32_t key_number(const std::string& hash) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 8; ++i)
    number = number << 4 | static_cast<std::uint32_t>(hex_digits.find(hash.at(i)) & 15);
  return number | 1;
}

std::optional<sealed::Key> request_key(const std::string& hash) {
  const auto bytes = secret_of_hex(hash);
  if (!bytes) return std::nullopt;
  return sealed::Key{key_number(hash), sealed::derived(*bytes, {}, "bascule join request")};
}

sealed::Key reply_key(const sealed::Secret& secret) {
  return {key_number(hash_of(secret)), sealed::derived(secret, {}, "bascule join reply")};
}

Bytes sealed_text(const std::string& cluster, std::uint32_t sender, const sealed::Salt& salt, const sealed::Key& key,
                  const Json& json) {
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return sealed::Sealer(cluster, sender, salt).seal(key, view_of(text));
}

/// Nothing unless `sender` sealed it with this key.
std::optional<Json> opened(const std::string& cluster, std::uint32_t sender, const sealed::Key& key, ByteView bytes) {
  const auto found = sealed::Opener(cluster).open(sealed::Keyring(key), bytes);
  if (!found || found->sender != sender) return std::nullopt;
  auto json = Json::parse(found->plain.begin(), found->plain.end(), nullptr, false);
  return json.is_object() ? std::optional(std::move(json)) : std::nullopt;
}

std::string text_in(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

tl::unexpected<Error> not_a_token(std::string why) {
  return fail("this is no token", "", std::move(why), "`bascule node token NAME` on a member prints one");
}

}  // namespace

bool is_of_the_future(std::uint64_t expires_at_ms, std::uint64_t now_ms) {
  return expires_at_ms > now_ms && expires_at_ms - now_ms > valid_s_max * 1000;
}

std::string hash_of(const sealed::Secret& secret) { return hex(digest_of(Digest::sha256, secret)); }

std::string text_of(const Token& token) {
  const Json json{
      {"c", token.cluster}, {"n", token.node}, {"p", token.port}, {"a", token.addresses}, {"s", hex(token.secret)}};
  return std::string(prefix) + base64(json.dump());
}

Result<Token> parse_token(std::string_view text) {
  if (text.size() > token_length_max || !text.starts_with(prefix)) return not_a_token("it does not begin like one");
  const auto plain = plain_of_base64(text.substr(prefix.size()));
  const auto json = plain ? Json::parse(*plain, nullptr, false) : Json();
  if (!json.is_object()) return not_a_token("a part of it is missing");
  const auto secret = secret_of_hex(text_in(json, "s"));
  const auto port = json.find("p");
  Token token{text_in(json, "c"), text_in(json, "n"), 0, {}, secret.value_or(sealed::Secret{})};
  if (port != json.end() && port->is_number_unsigned() && *port > 0u && *port <= 65535u)
    token.port = port->get<std::uint16_t>();
  if (const auto addresses = json.find("a"); addresses != json.end() && addresses->is_array())
    for (const auto& address : *addresses)
      if (address.is_string()) token.addresses.push_back(address.get<std::string>());
  if (!secret || token.port == 0 || token.cluster.empty() || token.node.empty() || token.addresses.empty())
    return not_a_token("a part of it is missing");
  return token;
}

Bytes request(const Token& token, const sealed::Salt& salt) {
  const auto key = request_key(hash_of(token.secret));
  return sealed_text(token.cluster, requester, salt, *key, {{"secret", hex(token.secret)}});
}

std::optional<sealed::Secret> open_request(const std::string& cluster, const std::string& hash, ByteView bytes) {
  const auto key = request_key(hash);
  if (!key) return std::nullopt;
  const auto json = opened(cluster, requester, *key, bytes);
  const auto secret = json ? secret_of_hex(text_in(*json, "secret")) : std::nullopt;
  return secret && hash_of(*secret) == hash ? secret : std::nullopt;
}

Bytes reply(const std::string& cluster, const sealed::Secret& secret, const Result<Secrets>& answer,
            const sealed::Salt& salt) {
  const Json json =
      answer ? Json{{"keys", answer->keys}, {"config", answer->config}} : Json{{"error", answer.error().text()}};
  return sealed_text(cluster, member, salt, reply_key(secret), json);
}

Result<Secrets> open_reply(const Token& token, ByteView bytes) {
  const auto json = opened(token.cluster, member, reply_key(token.secret), bytes);
  if (!json) return fail("the machine cannot join", "", "what came back is not sealed with this token");
  if (const auto why = text_in(*json, "error"); !why.empty()) return fail("the machine cannot join", "", why);
  return Secrets{text_in(*json, "keys"), text_in(*json, "config")};
}

}  // namespace bascule::join
