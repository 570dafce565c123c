#include "wire/drbd_config/detail/reader.h"

#include <fmt/format.h>

#include <charconv>

namespace bascule::drbd_config {

std::string Position::text() const { return fmt::format("{}:{}:{}", file, line, column); }

namespace detail {
namespace {

std::string words_for(const Token& token) {
  switch (token.kind) {
    case TokenKind::end:
      return "the file ends";
    case TokenKind::broken:
      return token.text;
    case TokenKind::ipv6:
      return fmt::format("'[{}]' stands here", token.text);
    default:
      return fmt::format("'{}' stands here", token.text);
  }
}

}  // namespace

Reader::Reader(std::string file, std::string_view text, Reading& reading)
    : file_(std::move(file)), reading_(reading), lexer_(text), next_(lexer_.next()) {}

Token Reader::take() {
  Token token = std::move(next_);
  next_ = reading_.error ? Token{} : lexer_.next();
  return token;
}

bool Reader::take_if(char symbol) {
  if (!next_.is(symbol)) return false;
  take();
  return true;
}

void Reader::expect(char symbol) {
  if (!take_if(symbol)) fail_expected(fmt::format("'{}'", symbol));
}

std::string Reader::text(const std::string& what) {
  if (next_.is_text()) return take().text;
  fail_expected(what);
  return {};
}

std::uint32_t Reader::number(std::uint32_t low, std::uint32_t high, const std::string& what) {
  const Token token = next_;
  const std::string written = text(what);
  if (!token.is_text()) return low;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), value);
  if (error == std::errc{} && end == written.data() + written.size() && value >= low && value <= high) return value;
  fail_at(position_of(token), fmt::format("'{}' is not {}", written, what),
          fmt::format("allowed: {} to {}", low, high));
  return low;
}

void Reader::fail_at(const Position& at, std::string why, std::string hint) {
  if (!reading_.error)
    reading_.error = Error{"the configuration of DRBD cannot be used", at.text(), std::move(why), std::move(hint)};
  next_ = Token{};
}

void Reader::fail_expected(const std::string& wanted) {
  fail_at(position(), words_for(next_), fmt::format("wanted here: {}", wanted));
}

void Reader::use_once(const std::string& key, const Position& at) {
  const auto [first, fresh] = reading_.used.emplace(key, at);
  if (!fresh) fail_at(at, fmt::format("{} is used twice", key), "first used at " + first->second.text());
}

}  // namespace detail
}  // namespace bascule::drbd_config
