#include "edge/cli/blockd_client.h"

#include <algorithm>
#include <filesystem>

namespace bascule::cli {
namespace {

constexpr std::string_view kPrefix = "blockd.", kSuffix = ".sock";

}  // namespace

std::string blockd_socket(const std::string& run_dir, const std::string& volume) {
  return run_dir + "/" + std::string(kPrefix) + volume + std::string(kSuffix);
}

std::vector<std::string> local_volumes(const std::string& run_dir) {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator(run_dir, ignored)) {
    const std::string name = file.path().filename();
    if (name.size() > kPrefix.size() + kSuffix.size() && name.starts_with(kPrefix) && name.ends_with(kSuffix))
      found.push_back(name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size()));
  }
  std::sort(found.begin(), found.end());
  return found;
}

Result<json> ask_blockd(const std::string& run_dir, const std::string& volume, const json& request, Duration timeout) {
  auto connection = Connection::open(blockd_socket(run_dir, volume));
  if (!connection)
    return fail("no contact with the volume's bascule-blockd", connection.error().where, connection.error().why,
                "start it with: bascule volume up " + volume);
  return connection->ask(request, timeout);
}

Result<json> blockd_state(const std::string& run_dir, const std::string& volume) {
  auto answer = ask_blockd(run_dir, volume, {{"op", "state"}, {"id", 1}});
  if (!answer) return answer;
  if (!flag(*answer, "ok")) return tl::unexpected(error_in(*answer));
  return member(*answer, "state");
}

}  // namespace bascule::cli
