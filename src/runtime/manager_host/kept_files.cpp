#include "runtime/manager_host/kept_files.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include "runtime/files/read_file.h"
#include "runtime/files/replace_file.h"

namespace bascule::manager_host {

namespace {

constexpr const char* unreadable = "it cannot be read";
constexpr const char* unwritable = "it cannot be written";

void replace(files::FileSystem& files, const std::string& path, const std::string& text) {
  if (const auto done = files::replace_file(path, text, unwritable, files); !done)
    spdlog::error("{}", done.error().text());
}

}  // namespace

void keep_configuration(const std::string& file, const std::string& known, const std::string& agreed,
                        files::FileSystem& files) {
  if (file.empty()) return;
  constexpr std::size_t most_bytes = 16 << 20;
  const std::string found = files::read_file(file, unreadable, most_bytes, files).value_or("");
  if (found == agreed) return;
  if (found != known && !found.empty()) {
    spdlog::warn("{} was edited and not applied; what it said is in {}.not-applied", file, file);
    replace(files, file + ".not-applied", found);
  }
  replace(files, file, agreed);
}

std::string joined_file(const std::string& state_dir) { return state_dir + "/joined"; }

bool has_joined(const std::string& state_dir) { return access(joined_file(state_dir).c_str(), F_OK) == 0; }

}  // namespace bascule::manager_host
