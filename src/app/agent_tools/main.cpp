#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "edge/agent_tools/agent_tools.h"
#include "edge/cli/connection.h"

/// The program behind the names of Pacemaker's tools: installed beside links of those names, in a directory that only
/// agents have in their PATH.
namespace {

using namespace bascule;

constexpr Duration answer_timeout = seconds(10);

std::string variable(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : value;
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv, argv + argc);
  std::string name = std::filesystem::path(words.empty() ? "" : words[0]).filename();
  if (!words.empty()) words.erase(words.begin());
  if (name == "bascule-agent-tools") {  // bascule-agent-tools crm_node -n
    if (words.empty() || words[0] == "--help") {
      std::cout << "Answers what OCF agents call of Pacemaker's tools:";
      for (const auto& one : agent_tools::names()) std::cout << " " << one;
      std::cout << "\nExample:\n  bascule-agent-tools crm_node -n\n";
      return words.empty() ? agent_tools::usage : agent_tools::ok;
    }
    name = words[0];
    words.erase(words.begin());
  }
  const std::string socket = variable("BASCULE_SOCKET", "/run/bascule/manager.sock");
  const auto ask = [&socket](const nlohmann::json& request) -> Result<nlohmann::json> {
    auto connection = cli::Connection::open(socket);
    if (!connection) return tl::unexpected(connection.error());
    return connection->ask(request, answer_timeout);
  };
  const std::string node = variable("BASCULE_NODE", variable("OCF_RESKEY_CRM_meta_on_node", host_name()));
  return agent_tools::run(name, words, {std::cout, std::cerr, node, variable("OCF_RESOURCE_INSTANCE", ""), ask});
}
