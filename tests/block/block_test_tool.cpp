// Stands in for `bascule volume create` in the tests of blockd: block-test-tool create CONFIG NODE VOLUME [--force]

#include <cstdio>
#include <cstring>

#include "runtime/block_host/create_volume.h"
#include "runtime/watchdog/config_file.h"

int main(int argc, char** argv) {
  using namespace bascule;
  if (argc < 5 || std::strcmp(argv[1], "create") != 0) return 2;
  const auto config = config::load(argv[2]);
  if (!config) return std::fprintf(stderr, "%s\n", config.error().text().c_str()), 2;
  const bool force = argc > 5 && std::strcmp(argv[5], "--force") == 0;
  const auto report = block_host::create_volume(*config, argv[3], argv[4], force);
  if (!report) return std::fprintf(stderr, "%s\n", report.error().text().c_str()), 2;
  std::printf("%s %llu %llu %d %s\n", report->path.c_str(), static_cast<unsigned long long>(report->backing_bytes),
              static_cast<unsigned long long>(report->usable_bytes), report->file_made ? 1 : 0,
              report->overwritten.c_str());
  return 0;
}
