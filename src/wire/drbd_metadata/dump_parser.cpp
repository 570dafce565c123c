#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "wire/drbd_metadata/dump.h"

namespace bascule::drbd_metadata {
namespace {

constexpr std::string_view kUncleanWord = "This_is_an_unclean_meta_data_dump._Don't_trust_the_bitmap.";
constexpr std::string_view kSigns = "{}[];";

struct Token {
  std::string_view text;  ///< empty at the end of the file
  std::size_t line = 1;
  std::size_t column = 1;
};

/// Splits the text into words, quoted words and signs; comments go from # to the end of the line.
class Tokens {
 public:
  explicit Tokens(std::string_view text) : text_(text) { advance(); }
  [[nodiscard]] const Token& current() const { return token_; }
  void advance();

 private:
  void skip_blanks();
  void step();
  std::string_view text_;
  std::size_t at_ = 0, line_ = 1, column_ = 1;
  Token token_;
};

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

void Tokens::step() {
  ++column_;
  if (text_[at_++] == '\n') ++line_, column_ = 1;
}

void Tokens::skip_blanks() {
  while (at_ < text_.size() && (is_blank(text_[at_]) || text_[at_] == '#')) {
    if (text_[at_] == '#')
      while (at_ < text_.size() && text_[at_] != '\n') step();
    else
      step();
  }
}

void Tokens::advance() {
  skip_blanks();
  token_ = {{}, line_, column_};
  const std::size_t begin = at_;
  if (at_ >= text_.size()) return;
  const bool sign = kSigns.find(text_[at_]) != std::string_view::npos;
  do step();
  while (!sign && at_ < text_.size() && !is_blank(text_[at_]) && text_[at_] != '#' &&
         kSigns.find(text_[at_]) == std::string_view::npos);
  token_.text = text_.substr(begin, at_ - begin);
}

std::string shown(std::string_view text) {
  if (text.empty()) return "the end of the file";
  std::string out = "\"";
  for (const char c : text.substr(0, 40)) out += c >= ' ' && c <= '~' ? c : '?';
  return out + "\"";
}

/// Reads statements in the order drbdmeta writes them. After the first error everything else is left alone.
class DumpReader {
 public:
  explicit DumpReader(std::string_view text) : tokens_(text) {}
  Result<ParsedDump> read();

 private:
  void wrong(const Token& token, std::string why, std::string hint = {});
  void expect(std::string_view word);
  [[nodiscard]] bool next_is(std::string_view word) const { return !error_ && tokens_.current().text == word; }
  std::uint64_t number(std::string_view what, std::uint64_t most, int base);
  std::uint64_t decimal(std::string_view what, std::uint64_t most = ~0ULL) { return number(what, most, 10); }
  std::uint64_t hex(std::string_view what, std::uint64_t most = ~0ULL) { return number(what, most, 16); }
  std::int32_t number_or_none(std::string_view what, std::int32_t most);
  std::uint64_t decimal_statement(std::string_view keyword, std::uint64_t most = ~0ULL);
  std::uint64_t hex_statement(std::string_view keyword, std::uint64_t most = ~0ULL);
  void format();
  void uuids();
  void nodes();
  void peer();
  void sizes();
  void bitmap(std::uint32_t slot);
  void words(std::vector<WordRun>& runs);

  Tokens tokens_;
  ParsedDump dump_;
  std::optional<Error> error_;
};

void DumpReader::wrong(const Token& token, std::string why, std::string hint) {
  if (error_) return;
  error_ = Error{"the dump cannot be read", fmt::format("line {}, column {}", token.line, token.column), std::move(why),
                 std::move(hint)};
}

void DumpReader::expect(std::string_view word) {
  if (error_) return;
  if (tokens_.current().text != word)
    return wrong(tokens_.current(), fmt::format("{} instead of {}", shown(tokens_.current().text), shown(word)));
  tokens_.advance();
}

std::uint64_t DumpReader::number(std::string_view what, std::uint64_t most, int base) {
  if (error_) return 0;
  const Token token = tokens_.current();
  std::string_view digits = token.text;
  const bool prefixed = digits.starts_with("0x") || digits.starts_with("0X");
  if (base == 16 && prefixed) digits.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if ((base == 16 && !prefixed) || failure != std::errc{} || end != digits.data() + digits.size()) {
    wrong(token, fmt::format("{} instead of {} ({})", shown(token.text), what,
                             base == 16 ? "0x and hexadecimal digits" : "a number"));
    return 0;
  }
  if (value > most) wrong(token, fmt::format("{} is {}, the most is {}", what, value, most));
  tokens_.advance();
  return value;
}

std::int32_t DumpReader::number_or_none(std::string_view what, std::int32_t most) {
  if (!next_is("-1")) return static_cast<std::int32_t>(decimal(what, static_cast<std::uint64_t>(most)));
  tokens_.advance();
  return -1;
}

std::uint64_t DumpReader::decimal_statement(std::string_view keyword, std::uint64_t most) {
  expect(keyword);
  const std::uint64_t value = decimal(keyword, most);
  expect(";");
  return value;
}

std::uint64_t DumpReader::hex_statement(std::string_view keyword, std::uint64_t most) {
  expect(keyword);
  const std::uint64_t value = hex(keyword, most);
  expect(";");
  return value;
}

void DumpReader::format() {
  expect("version");
  const Token token = tokens_.current();
  if (token.text == "\"v09\"")
    dump_.metadata.format = Format::V09;
  else if (token.text != "\"v08\"")
    return wrong(token, shown(token.text) + " is no format that is known here", "v08 and v09 are");
  tokens_.advance();
  expect(";");
  if (next_is(kUncleanWord))
    wrong(tokens_.current(), "this is a dump of unclean metadata: its bitmap is not to be trusted",
          "apply-al on the original, then dump it again");
}

void DumpReader::uuids() {
  Metadata& metadata = dump_.metadata;
  expect("uuid");
  expect("{");
  for (std::uint64_t* uuid : {&metadata.current_uuid, &metadata.peers[0].bitmap_uuid, metadata.history_uuids.data(),
                              metadata.history_uuids.data() + 1}) {
    *uuid = hex("a UUID");
    expect(";");
  }
  Superblock superblock = to_superblock(metadata);
  superblock.flags = static_cast<std::uint32_t>(hex_statement("flags", 0xffffffff));
  metadata = from_superblock(superblock);
  expect("}");
}

void DumpReader::peer() {
  expect("peer");
  expect("[");
  const Token at = tokens_.current();
  const std::uint64_t id = decimal("a node id", kPeerRecords - 1);
  expect("]");
  expect("{");
  if (error_) return;
  PeerRecord& record = dump_.metadata.peers[id];
  if (record != PeerRecord{}) return wrong(at, fmt::format("peer {} is there twice", id));
  expect("bitmap-index");
  record.bitmap_slot = number_or_none("bitmap-index", static_cast<std::int32_t>(dump_.metadata.slots) - 1);
  expect(";");
  record.bitmap_uuid = hex_statement("bitmap-uuid");
  record.bitmap_dagtag = hex_statement("bitmap-dagtag");
  record.flags = static_cast<std::uint32_t>(hex_statement("flags", 0xffffffff));
  expect("}");
}

void DumpReader::nodes() {
  Metadata& metadata = dump_.metadata;
  expect("node-id");
  metadata.node_id = number_or_none("node-id", static_cast<std::int32_t>(kPeerRecords) - 1);
  expect(";");
  metadata.current_uuid = hex_statement("current-uuid");
  metadata.flags = static_cast<std::uint32_t>(hex_statement("flags", 0xffffffff));
  while (next_is("peer")) peer();
  expect("history-uuids");
  expect("{");
  for (std::size_t i = 0; !error_ && !next_is("}"); ++i) {
    if (i == kHistoryUuids) return wrong(tokens_.current(), fmt::format("more than {} history UUIDs", kHistoryUuids));
    metadata.history_uuids[i] = hex("a UUID");
    expect(";");
  }
  expect("}");
}

void DumpReader::sizes() {
  Metadata& metadata = dump_.metadata;
  metadata.effective_sectors = decimal_statement("la-size-sect");
  const Token granularity = tokens_.current();
  if (next_is("bm-byte-per-bit"))
    metadata.bytes_per_bit = static_cast<std::uint32_t>(decimal_statement("bm-byte-per-bit", 1U << 20));
  if (metadata.bytes_per_bit != kBlockBytes)
    wrong(granularity, fmt::format("{} bytes per bit; only {} are known here", metadata.bytes_per_bit, kBlockBytes));
  metadata.device_uuid = hex_statement("device-uuid");
  if (next_is("la-peer-max-bio-size"))
    metadata.peer_max_bio_bytes = static_cast<std::uint32_t>(decimal_statement("la-peer-max-bio-size", 0xffffffff));
  if (!next_is("al-stripes")) return;
  const Token ring = tokens_.current();
  metadata.activity_log.stripes = static_cast<std::uint32_t>(decimal_statement("al-stripes", 0xffffffff));
  metadata.activity_log.stripe_blocks = static_cast<std::uint32_t>(decimal_statement("al-stripe-size-4k", 0xffffffff));
  const std::uint64_t blocks = metadata.shape().activity_log.blocks();
  if (blocks < 8 || blocks > (16ULL << 30) / kBlockBytes)
    wrong(ring, fmt::format("a ring of {} blocks is not within 32 KiB..16 GiB", blocks));
}

void DumpReader::words(std::vector<WordRun>& runs) {
  while (!error_ && !next_is("}")) {
    WordRun run{.count = 1, .word = 0};
    if (!tokens_.current().text.starts_with("0x")) {
      run.count = decimal("a word of the bitmap, or how often it comes");
      expect("times");
    }
    run.word = hex("a word of the bitmap");
    expect(";");
    if (!runs.empty() && runs.back().word == run.word && runs.back().count <= ~0ULL - run.count)
      runs.back().count += run.count;
    else
      runs.push_back(run);
  }
}

void DumpReader::bitmap(std::uint32_t slot) {
  if (dump_.metadata.format == Format::V08) {
    expect("bm");
  } else {
    expect("bitmap");
    expect("[");
    const Token token = tokens_.current();
    if (const std::uint64_t found = decimal("a slot"); found != slot)
      wrong(token, fmt::format("slot {} instead of {}", found, slot));
    expect("]");
  }
  expect("{");
  words(dump_.bitmaps.emplace_back());
  expect("}");
}

Result<ParsedDump> DumpReader::read() {
  format();
  if (dump_.metadata.format == Format::V09) {
    const Token token = tokens_.current();
    dump_.metadata.slots = static_cast<std::uint32_t>(decimal_statement("max-peers", kMaxPeerSlots));
    if (dump_.metadata.slots == 0) wrong(token, "a dump without any peer");
    nodes();
  } else {
    uuids();
  }
  sizes();
  for (std::uint32_t slot = 0; !error_ && slot < dump_.metadata.slots; ++slot) bitmap(slot);
  expect("");
  if (error_) return tl::unexpected(*error_);
  return std::move(dump_);
}

}  // namespace

Result<ParsedDump> parse_dump(std::string_view text) { return DumpReader(text).read(); }

}  // namespace bascule::drbd_metadata
