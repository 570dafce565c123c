#include "wire/drbd_config/detail/lexer.h"

#include <algorithm>

namespace bascule::drbd_config::detail {
namespace {

constexpr std::size_t word_characters_max = 1024;
constexpr std::size_t string_characters_max = 1024;

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

}  // namespace

bool is_word_character(char c) { return is_letter_or_digit(c) || c == '/' || c == '.' || c == '_' || c == '-'; }

void Lexer::advance(std::size_t count) {
  for (const char c : text_.substr(0, count)) {
    if (c == '\n')
      ++line_, column_ = 1;
    else
      ++column_;
  }
  text_.remove_prefix(count);
}

void Lexer::skip_blanks() {
  while (!text_.empty()) {
    if (text_.front() == '#')
      advance(std::min(text_.find('\n'), text_.size()));
    else if (std::string_view(" \t\r\n").find(text_.front()) != std::string_view::npos)
      advance(1);
    else
      return;
  }
}

Token Lexer::word(Token token) {
  const auto stop = std::find_if_not(text_.begin(), text_.end(), is_word_character);
  token.text = text_.substr(0, static_cast<std::size_t>(stop - text_.begin()));
  advance(token.text.size());
  token.kind = TokenKind::word;
  if (token.text.size() > word_characters_max) token.kind = TokenKind::broken, token.text = "a word is too long";
  return token;
}

Token Lexer::quoted(Token token) {
  std::size_t at = 1;
  while (at < text_.size() && text_[at] != '"' && text_[at] != '\n') {
    if (text_[at] == '\\' && at + 1 < text_.size()) ++at;
    if (text_[at] == '\n') break;
    token.text += text_[at++];
  }
  token.kind = TokenKind::quoted;
  if (at >= text_.size() || text_[at] != '"') {
    token.kind = TokenKind::broken;
    token.text = "the string does not end on its line";
  } else if (token.text.size() > string_characters_max || token.text.find('\0') != std::string::npos) {
    token.kind = TokenKind::broken;
    token.text = "the string is too long or has a NUL character";
  }
  advance(std::min(at + 1, text_.size()));
  return token;
}

/// "[fd00::1]": brackets around an index have no colon inside.
bool Lexer::take_ipv6(Token& token) {
  const auto close = text_.find(']');
  if (close == std::string_view::npos || close > 64) return false;
  const std::string_view inside = text_.substr(1, close - 1);
  const auto allowed = [](char c) { return is_letter_or_digit(c) || c == ':' || c == '.' || c == '%'; };
  if (inside.find(':') == std::string_view::npos || !std::all_of(inside.begin(), inside.end(), allowed)) return false;
  token.kind = TokenKind::ipv6;
  token.text = inside;
  advance(close + 1);
  return true;
}

Token Lexer::next() {
  skip_blanks();
  Token token;
  token.line = line_;
  token.column = column_;
  if (text_.empty()) return token;
  if (is_word_character(text_.front())) return word(std::move(token));
  if (text_.front() == '"') return quoted(std::move(token));
  if (text_.front() == '[' && take_ipv6(token)) return token;
  token.kind = TokenKind::symbol;
  token.text = text_.substr(0, 1);
  advance(1);
  return token;
}

}  // namespace bascule::drbd_config::detail
