#include "runtime/manager_host/kept_files.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "runtime/files/replace_file.h"

namespace bascule::manager_host {

namespace {

std::string text_in(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void replace(const std::string& path, const std::string& text) {
  if (const auto done = files::replace_file(path, text, "it cannot be written"); !done)
    spdlog::error("{}", done.error().text());
}

}  // namespace

void keep_configuration(const std::string& file, const std::string& known, const std::string& agreed) {
  if (file.empty()) return;
  const std::string found = text_in(file);
  if (found == agreed) return;
  if (found != known && !found.empty()) {
    spdlog::warn("{} was edited and not applied; what it said is in {}.not-applied", file, file);
    replace(file + ".not-applied", found);
  }
  replace(file, agreed);
}

std::string joined_file(const std::string& state_dir) { return state_dir + "/joined"; }

bool has_joined(const std::string& state_dir) { return access(joined_file(state_dir).c_str(), F_OK) == 0; }

}  // namespace bascule::manager_host
