#include "runtime/watchdog/config_file.h"

#include <sys/utsname.h>

#include "runtime/files/read_file.h"

namespace bascule::config {

std::string host_name() {
  utsname names{};
  return uname(&names) == 0 ? names.nodename : "";
}

std::string text_of_file(const std::string& path) {
  return files::read_file(path, "the configuration cannot be read").value_or("");
}

Result<ClusterConfig> load(const std::string& path) {
  const auto text = files::read_file(path, "the configuration cannot be read");
  if (!text) return tl::unexpected(text.error());
  return parse(*text, path);
}

}  // namespace bascule::config
