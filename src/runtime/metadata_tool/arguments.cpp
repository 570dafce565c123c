#include "runtime/metadata_tool/arguments.h"

#include <fmt/format.h>

#include <charconv>
#include <functional>
#include <map>

namespace bascule::metadata_tool {
namespace {

constexpr const char* kNotUnderstood = "the command cannot be understood";
constexpr const char* kHint = "bascule drbdmeta --help shows the order of the arguments";

Error wrong(std::string where, std::string why) { return {kNotUnderstood, std::move(where), std::move(why), kHint}; }

template <typename Number>
std::optional<Number> number_in(std::string_view text, Number most) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > most) return std::nullopt;
  return value;
}

/// A number with an optional unit k, M, G or T (powers of 1024).
std::optional<std::uint64_t> bytes_in(std::string_view text) {
  constexpr std::string_view kUnits = "kMGT";
  unsigned shift = 0;
  if (!text.empty())
    if (const auto unit = kUnits.find(text.back()); unit != std::string_view::npos) {
      shift = 10 * (static_cast<unsigned>(unit) + 1);
      text.remove_suffix(1);
    }
  const auto value = number_in<std::uint64_t>(text, (1ULL << 62) >> shift);
  if (!value) return std::nullopt;
  return *value << shift;
}

template <typename Number>
bool take_number(std::string_view text, std::optional<Number>& into, Number most, Number divisor = 1) {
  const auto value = number_in<Number>(text, most);
  if (value && *value % divisor == 0) into = *value / divisor;
  return value && *value % divisor == 0;
}

/// Options with a value: how each is taken.
using Taker = std::function<bool(Request&, std::string_view)>;
const std::map<std::string, Taker>& takers() {
  static const std::map<std::string, Taker> all{
      {"--node-id", [](Request& to, std::string_view text) { return take_number(text, to.node_id, 31U); }},
      {"--al-stripes", [](Request& to, std::string_view text) { return take_number(text, to.al_stripes, 1024U); }},
      {"--al-stripe-size-kB",
       [](Request& to, std::string_view text) { return take_number(text, to.al_stripe_blocks, 1U << 24, 4U); }},
      {"--peer-max-bio-size",
       [](Request& to, std::string_view text) { return take_number(text, to.peer_max_bio_bytes, 1U << 20); }},
      {"--size", [](Request& to, std::string_view text) { return (to.size_bytes = bytes_in(text)).has_value(); }},
      {"--old-size",
       [](Request& to, std::string_view text) { return (to.old_size_bytes = bytes_in(text)).has_value(); }}};
  return all;
}

bool take_flag(Request& request, const std::string& word) {
  if (word == "--force" || word == "-f") return request.force = true;
  if (word == "--json") return request.as_json = true;
  if (word == "--real-flags") return request.real_flags = true;
  return false;
}

/// Splits options from words. Like drbdmeta, options may stand anywhere, as --name value or --name=value.
Answer<std::vector<std::string>> take_options(Request& request, const std::vector<std::string>& arguments) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word.size() < 2 || word[0] != '-' || word.find_first_not_of("0123456789", 1) == std::string::npos) {
      words.push_back(word);
      continue;
    }
    if (take_flag(request, word)) continue;
    const std::size_t equals = word.find('=');
    const auto taker = takers().find(word.substr(0, equals));
    if (taker == takers().end()) return failure(unusable, wrong(word, "there is no such option"));
    if (equals == std::string::npos && ++i == arguments.size())
      return failure(wrong_usage, wrong(word, "a value is missing"));
    const std::string value = equals == std::string::npos ? arguments[i] : word.substr(equals + 1);
    if (!taker->second(request, value)) return failure(wrong_usage, wrong(word, fmt::format("not \"{}\"", value)));
  }
  return words;
}

Answer<void> take_places(Request& request, const std::vector<std::string>& words) {
  const auto minor = number_in<std::uint32_t>(words[0], (1U << 20) - 1);
  if (!minor) return failure(unusable, wrong(words[0], "it is no minor number"));
  request.minor = *minor;
  if (words[1] != "v08" && words[1] != "v09")
    return failure(unusable, wrong(words[1], "there is no such format; v08 and v09 are known here"));
  request.format = words[1] == "v08" ? drbd_metadata::Format::V08 : drbd_metadata::Format::V09;
  request.path = words[2];
  const auto placement = drbd_metadata::Placement::parse(words[3]);
  if (!placement) return failure(unusable, placement.error());
  request.placement = *placement;
  request.command = words[4];
  request.words.assign(words.begin() + 5, words.end());
  return {};
}

}  // namespace

Answer<Request> parse_arguments(const std::vector<std::string>& arguments) {
  Request request;
  request.as_typed = "bascule drbdmeta";
  for (const std::string& word : arguments) request.as_typed += " " + word;
  const auto words = take_options(request, arguments);
  if (!words) return tl::unexpected(words.error());
  if (words->size() < 5) return failure(unusable, wrong("", "MINOR FORMAT DEVICE PLACEMENT COMMAND are all needed"));
  if (auto taken = take_places(request, *words); !taken) return tl::unexpected(taken.error());
  return request;
}

}  // namespace bascule::metadata_tool
