// The digest of an operation's parameters, as the executor recorded it.
#include "wire/cib/digest.h"

#include <algorithm>

#include "base/digest.h"

namespace bascule::cib {
namespace {

void append_escaped(std::string& to, char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (c == '<')
    to += "&lt;";
  else if (c == '>')
    to += "&gt;";
  else if (c == '&')
    to += "&amp;";
  else if (c == '"')
    to += "&quot;";
  else if (c == '\'')
    to += "&apos;";
  else if (c == '\t')
    to += "    ";
  else if (c == '\n')
    to += "\\n";
  else if (c == '\r')
    to += "\\r";
  else if (byte < ' ' || byte == 0x7f)
    for (const int part : {-1, byte >> 6, byte >> 3 & 7, byte & 7})
      to += part < 0 ? '\\' : static_cast<char>('0' + part);
  else
    to += c;
}

}  // namespace

std::string escaped(std::string_view value) {
  std::string result;
  result.reserve(value.size());
  for (const char c : value) append_escaped(result, c);
  return result;
}

std::string digest_of_parameters(DigestPairs pairs) {
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& one, const auto& other) { return one.first < other.first; });
  std::string text = " <parameters";
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (i + 1 < pairs.size() && pairs[i + 1].first == pairs[i].first) continue;
    text.append(" ").append(pairs[i].first).append("=\"").append(escaped(pairs[i].second)).append("\"");
  }
  text += "/>\n";
  std::string result;
  for (const std::uint8_t byte :
       digest_of(Digest::md5, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}))
    for (const int half : {byte >> 4, byte & 15}) result += "0123456789abcdef"[half];
  return result;
}

}  // namespace bascule::cib
