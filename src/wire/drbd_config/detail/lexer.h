#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bascule::drbd_config::detail {

enum class TokenKind : std::uint8_t {
  word,    ///< letters, digits and / . _ -
  quoted,  ///< "..." without its quotes and escapes
  ipv6,    ///< [...] with a colon inside, without the brackets
  symbol,  ///< one of { } ; : [ ] or a character that fits nowhere
  broken,  ///< an unfinished string: `text` says what is wrong
  end,
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;
  std::uint32_t line = 1;
  std::uint32_t column = 1;

  [[nodiscard]] bool is_text() const { return kind == TokenKind::word || kind == TokenKind::quoted; }
  [[nodiscard]] bool is(char symbol) const {
    return kind == TokenKind::symbol && text.size() == 1 && text[0] == symbol;
  }
  [[nodiscard]] bool is(std::string_view keyword) const { return kind == TokenKind::word && text == keyword; }
};

/// Whether a character needs no quotes.
[[nodiscard]] bool is_word_character(char c);

/// Cuts the text of one file into tokens. After the end it gives `end` for ever.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  [[nodiscard]] Token next();

 private:
  void skip_blanks();
  void advance(std::size_t count);
  Token word(Token token);
  Token quoted(Token token);
  bool take_ipv6(Token& token);

  std::string_view text_;
  std::uint32_t line_ = 1;
  std::uint32_t column_ = 1;
};

}  // namespace bascule::drbd_config::detail
