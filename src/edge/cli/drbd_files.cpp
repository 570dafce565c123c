#include "edge/cli/drbd_files.h"

#include <glob.h>

#include <filesystem>

#include "runtime/files/read_file.h"

namespace bascule::cli {
namespace {

constexpr std::uintmax_t file_bytes_max = 4 << 20;

Result<drbd_config::Source> read_source(const std::string& path) {
  auto text = files::read_file(path, "the file cannot be read", file_bytes_max);
  if (!text) return tl::unexpected(text.error());
  return drbd_config::Source{path, std::move(*text)};
}

std::vector<std::string> matching(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  return paths;
}

Result<std::vector<drbd_config::Source>> include(const std::string& pattern, const std::string& from) {
  const std::string whole = (std::filesystem::path(from).parent_path() / pattern).string();
  const auto paths = matching(whole);
  if (paths.empty() && pattern.find_first_of("*?[") == std::string::npos)
    return fail("the file cannot be read", whole, "there is none");
  std::vector<drbd_config::Source> sources;
  for (const auto& path : paths) {
    auto source = read_source(path);
    if (!source) return tl::unexpected(source.error());
    sources.push_back(std::move(*source));
  }
  return sources;
}

}  // namespace

std::string default_drbd_file(const std::string& directory) {
  for (const char* name : {"drbd-90.conf", "drbd-84.conf", "drbd-83.conf", "drbd-82.conf", "drbd-08.conf"})
    if (std::filesystem::exists(std::filesystem::path(directory) / name)) return directory + "/" + name;
  return directory + "/drbd.conf";
}

Result<drbd_config::Document> load_drbd(const std::string& file) {
  const auto main = read_source(file);
  if (!main) return tl::unexpected(main.error());
  return drbd_config::parse(*main, include);
}

}  // namespace bascule::cli
