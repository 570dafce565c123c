// The keys of a cluster: their file, their order of life, and what is derived from them.
#include "wire/sealed/keyring.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "base/assert.h"
#include "base/digest.h"

namespace bascule::sealed {
namespace {

constexpr std::string_view hexadecimal = "0123456789abcdef";
constexpr std::size_t keys_max = 16;

tl::unexpected<Error> bad_line(const std::string& file, int line, std::string why) {
  return fail("the cluster's keys cannot be used", file + ", line " + std::to_string(line), std::move(why),
              "`bascule key create FILE` writes a good one; all nodes have the same file");
}

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == 0) return std::nullopt;
  return value;
}

std::optional<Secret> secret_of(std::string_view text) {
  Secret secret{};
  if (text.size() != 2 * secret.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = hexadecimal.find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    secret[i / 2] = static_cast<Byte>(secret[i / 2] << 4 | digit);
  }
  return secret;
}

std::string text_of_secret(const Secret& secret) {
  std::string text;
  for (const Byte byte : secret) text += {hexadecimal[byte >> 4], hexadecimal[byte & 15]};
  return text;
}

/// What a key file says, line by line.
struct Reading {
  const std::string& file;
  std::vector<Key> keys;
  std::optional<std::uint32_t> sending;
  int sending_line = 0;

  Result<void> line(int count, const std::string& text) {
    std::istringstream words(text);
    std::string word, id_text, secret_text, more;
    if (!(words >> word) || word[0] == '#') return {};
    words >> id_text;
    const auto id = number(id_text);
    if (!id) return bad_line(file, count, "\"" + word + "\" is not followed by the number of a key");
    if (word == "key") {
      words >> secret_text;
      if (words >> more) return bad_line(file, count, "something stands behind the key");
      return add(count, *id, secret_text);
    }
    if (word != "send" || words >> more)
      return bad_line(file, count, "neither \"key NUMBER SECRET\" nor \"send NUMBER\"");
    if (sending) return bad_line(file, count, "a second \"send\"");
    sending = id;
    sending_line = count;
    return {};
  }

  Result<void> add(int count, std::uint32_t id, std::string_view secret_text) {
    const auto secret = secret_of(secret_text);
    if (!secret) return bad_line(file, count, "a key is 64 digits of 0-9 and a-f");
    if (std::any_of(keys.begin(), keys.end(), [&](const Key& key) { return key.id == id; }))
      return bad_line(file, count, "a second key " + std::to_string(id));
    if (keys.size() == keys_max) return bad_line(file, count, "more than " + std::to_string(keys_max) + " keys");
    keys.push_back({id, *secret});
    return {};
  }
};

}  // namespace

Result<Keyring> Keyring::parse(std::string_view text, const std::string& file) {
  Reading reading{file, {}, {}, 0};
  std::istringstream lines{std::string(text)};
  int count = 0;
  for (std::string line; std::getline(lines, line);)
    if (auto read = reading.line(++count, line); !read) return tl::unexpected(read.error());
  if (reading.keys.empty()) return bad_line(file, count, "there is no key in it");
  Keyring keyring(reading.keys.front());
  keyring.keys_ = reading.keys;
  if (reading.sending && keyring.find(*reading.sending) == nullptr)
    return bad_line(file, reading.sending_line, "there is no key " + std::to_string(*reading.sending));
  keyring.sending_ = reading.sending.value_or(reading.keys.front().id);
  return keyring;
}

std::string Keyring::text() const {
  std::string text =
      "# The keys of this cluster, the same on every node. Whoever has them can speak for each node: mode 0600.\n"
      "send " +
      std::to_string(sending_) + "\n";
  for (const Key& key : keys_) text += "key " + std::to_string(key.id) + " " + text_of_secret(key.secret) + "\n";
  return text;
}

const Key* Keyring::find(std::uint32_t id) const {
  const auto found = std::find_if(keys_.begin(), keys_.end(), [&](const Key& key) { return key.id == id; });
  return found == keys_.end() ? nullptr : &*found;
}

const Key& Keyring::sending() const {
  const Key* key = find(sending_);
  BASCULE_ASSERT(key != nullptr);
  return *key;
}

std::uint32_t Keyring::next_id() const {
  std::uint32_t highest = 0;
  for (const Key& key : keys_) highest = std::max(highest, key.id);
  return highest + 1;
}

Result<void> Keyring::accept(const Key& key) {
  if (const Key* known = find(key.id); known != nullptr) {
    if (equal_secrets(known->secret, key.secret)) return {};
    return fail("the key is not accepted", "key " + std::to_string(key.id), "another key has this number");
  }
  if (key.id == 0 || keys_.size() == keys_max)
    return fail("the key is not accepted", "key " + std::to_string(key.id),
                key.id == 0 ? "keys are counted from 1" : "there are too many keys", "drop an old one first");
  keys_.push_back(key);
  return {};
}

Result<void> Keyring::send_with(std::uint32_t id) {
  if (find(id) == nullptr)
    return fail("the key is not used", "key " + std::to_string(id), "this node does not have it");
  sending_ = id;
  return {};
}

Result<void> Keyring::drop(std::uint32_t id) {
  if (id == sending_) return fail("the key is not dropped", "key " + std::to_string(id), "it is the one in use");
  std::erase_if(keys_, [&](const Key& key) { return key.id == id; });
  return {};
}

Secret derived(const Secret& secret, ByteView salt, std::string_view purpose) {
  const Bytes extracted = hmac(Digest::sha256, salt, secret);  // RFC 5869, 2.2
  Bytes info(purpose.begin(), purpose.end());
  info.push_back(1);  // 2.3: one block is all that is needed
  const Bytes block = hmac(Digest::sha256, extracted, info);
  Secret result{};
  std::copy(block.begin(), block.end(), result.begin());
  return result;
}

}  // namespace bascule::sealed
