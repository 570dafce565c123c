#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "wire/drbd_config/detail/lexer.h"
#include "wire/drbd_config/document.h"
#include "wire/drbd_config/option_table.h"

namespace bascule::drbd_config::detail {

/// What all files of one configuration share. Only the first mistake is kept; after it every reader sees the end of its
/// file, so that no caller has to stop by itself.
struct Reading {
  explicit Reading(const Include& include_in) : include(include_in) {}
  const Include& include;
  Document document;
  std::optional<Error> error;
  std::set<std::string> files;           ///< read or being read
  std::map<std::string, Position> used;  ///< what may be there once, and where it is
};

/// The tokens of one file, one ahead.
class Reader {
 public:
  Reader(std::string file, std::string_view text, Reading& reading);

  [[nodiscard]] const Token& peek() const { return next_; }
  Token take();
  bool take_if(char symbol);
  void expect(char symbol);
  /// A word or a quoted string; `what` names it in the message.
  std::string text(const std::string& what);
  std::uint32_t number(std::uint32_t low, std::uint32_t high, const std::string& what);

  /// Calls `statement` until the closing brace (whose opening brace is expected first).
  template <typename Statement>
  void block(Statement statement) {
    expect('{');
    while (!at_end() && !peek().is('}')) statement();
    expect('}');
  }

  [[nodiscard]] bool at_end() const { return next_.kind == TokenKind::end; }
  [[nodiscard]] Position position() const { return position_of(next_); }
  [[nodiscard]] Position position_of(const Token& token) const { return {file_, token.line, token.column}; }
  void fail_at(const Position& at, std::string why, std::string hint = {});
  /// "'X' is wanted, but Y stands here" about the next token.
  void fail_expected(const std::string& wanted);
  /// Remembers that `key` is used; reports its second use.
  void use_once(const std::string& key, const Position& at);

  [[nodiscard]] Reading& reading() { return reading_; }
  [[nodiscard]] const std::string& file() const { return file_; }

 private:
  std::string file_;
  Reading& reading_;
  Lexer lexer_;
  Token next_;
};

/// The blocks of options.
void read_options(Reader& reader, Section section, Settings& into);
void read_startup(Reader& reader, Settings& into);
void read_proxy(Reader& reader, Sections& into);
void read_syncer(Reader& reader, Sections& into);
/// `net`, `disk`, `options`, `startup`, `handlers`, `syncer`, `proxy` and `protocol`; false: the next word is none of
/// them. `owner` makes each of them unique.
bool read_section(Reader& reader, const std::string& owner, Sections& into);

void read_resource(Reader& reader);

[[nodiscard]] Address read_address(Reader& reader);

}  // namespace bascule::drbd_config::detail
