#include "edge/cli/cib_input.h"

#include <cerrno>
#include <charconv>
#include <ctime>
#include <fstream>
#include <sstream>

#include "wire/cib/parse.h"
#include "wire/cib/times.h"

namespace bascule::cli {
namespace {

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) return fail_errno("the CIB cannot be read", path, errno != 0 ? errno : EIO);
  return text.str();
}

Result<std::int64_t> moment(const std::string& at, const cib::Cib& cib) {
  const std::int64_t clock_s = std::time(nullptr);
  if (!at.empty()) {
    const auto parsed = cib::parse_time(at, {clock_s, 0});
    if (!parsed) return fail("the time is not understood", at, "it is no ISO 8601 time", "2026-11-23 04:00:00Z");
    return *parsed;
  }
  const std::string* date = cib::find(cib.attributes, "execution-date");
  std::int64_t found_s = clock_s;
  if (date != nullptr) std::from_chars(date->data(), date->data() + date->size(), found_s);
  return found_s;
}

}  // namespace

Result<LoadedCib> load_cib(const CibInput& input) {
  const auto xml = read_file(input.file);
  if (!xml) return tl::unexpected(xml.error());
  auto document = cib::parse(*xml, input.file);
  if (!document) return tl::unexpected(document.error());
  const auto now_s = moment(input.at, document->cib);
  if (!now_s) return tl::unexpected(now_s.error());
  LoadedCib loaded{std::move(document->cib), *now_s, {}};
  for (const cib::Notice& notice : document->notices) loaded.notices.push_back(notice.text());
  return loaded;
}

}  // namespace bascule::cli
