#include "runtime/watchdog/config_file.h"

#include <sys/utsname.h>

#include <cerrno>
#include <fstream>
#include <iterator>

namespace bascule::config {

std::string host_name() {
  utsname names{};
  return uname(&names) == 0 ? names.nodename : "";
}

Result<ClusterConfig> load(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) return fail_errno("the configuration cannot be read", path, errno == 0 ? EIO : errno);
  return parse(text, path);
}

}  // namespace bascule::config
