#include "runtime/agent_metadata/kept_metadata.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace bascule::agent_metadata {

std::string stamp_of(const std::string& program) {
  struct stat file {};
  if (::stat(program.c_str(), &file) != 0) return {};
  return std::to_string(file.st_size) + " " + std::to_string(file.st_mtim.tv_sec) + "." +
         std::to_string(file.st_mtim.tv_nsec) + " " + std::to_string(file.st_ino);
}

/// Between two stamps of the file that said it. What a crash has torn is no metadata: without its `status` a fence
/// agent would be believed when it says that a node is off.
std::string kept(const std::string& path, const std::string& stamp) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::string begin = stamp + "\n", end = "\n" + stamp + "\n";
  if (stamp.empty() || !text.starts_with(begin) || !text.ends_with(end)) return {};
  return text.substr(begin.size(), text.size() - std::min(text.size(), begin.size() + end.size()));
}

void keep(const std::string& path, const std::string& stamp, const std::string& printed) {
  if (stamp.empty()) return;
  std::error_code ignored;
  std::filesystem::create_directory(std::filesystem::path(path).parent_path(), ignored);
  std::ofstream(path + ".new") << stamp << "\n" << printed << "\n" << stamp << "\n";
  std::filesystem::rename(path + ".new", path, ignored);
}

}  // namespace bascule::agent_metadata
