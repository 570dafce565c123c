// The blockd of a volume: started, and ended.

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <thread>

#include "edge/cli/blockd_client.h"
#include "edge/cli/failure.h"
#include "edge/cli/volume_actions.h"

extern char** environ;

namespace bascule::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kStartPause = std::chrono::milliseconds(20);
constexpr const char* kWhat = "the volume cannot be started";

// Beside this program, where a build puts both, or where a package puts daemons; else wherever PATH says.
std::string blockd_program() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto place = self.parent_path();
  for (const auto& found : {place / "bascule-blockd", place.parent_path() / "sbin" / "bascule-blockd"})
    if (!error && std::filesystem::exists(found)) return found.string();
  return "bascule-blockd";
}

std::string last_line(const std::string& path) {
  std::ifstream file(path);
  std::string last;
  for (std::string line; std::getline(file, line);)
    if (!line.empty()) last = line;
  return last;
}

Result<pid_t> start(const VolumeRequest& request, const std::string& log) {
  std::vector<std::string> words{blockd_program(), "--volume",          request.volume, "--node",       request.node,
                                 "--config",       request.config_file, "--run-dir",    request.run_dir};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0640);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t process = -1;
  const int error = posix_spawnp(&process, words[0].c_str(), &files, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail_errno(kWhat, words[0] + ", log " + log, error);
  return process;
}

// Its end, not that of its socket: only then the disk and the port are free.
bool ended(int process, Duration timeout) {
  pollfd one{process, POLLIN, 0};
  return process >= 0 && ::poll(&one, 1, static_cast<int>(to_ms(timeout))) == 1;
}

// Demoted, then (under the operator's authority) disconnected as drbdadm down does it: a peer that fences is told that
// this copy is left behind and has nobody to fence. The answer that decides.
Result<json> let_go(Connection& connection, const VolumeRequest& request) {
  const bool force = flag(request.arguments, "force");
  const auto state = blockd_state(request.run_dir, request.volume);
  const bool disconnects =
      state && text(*state, "authority") == "operator" && text(*state, "connection") != "StandAlone";
  auto answer = connection.ask({{"op", "demote"}, {"id", 1}, {"force", force}}, request.timeout);
  if (!answer || !flag(*answer, "ok") || !disconnects) return answer;
  return connection.ask({{"op", "disconnect"}, {"id", 2}, {"force", force}}, request.timeout);
}

int started(const json& state, const std::string& log, const VolumeRequest& request, const Surroundings& around) {
  if (request.as_json)
    around.out << one_line({{"ok", true}, {"log", log}, {"state", state}}) << "\n";
  else
    around.out << "Volume " << request.volume << " is up: " << text(state, "role") << ", disk " << text(state, "disk")
               << ". Its log is " << log << ".\n";
  return ok;
}

}  // namespace

int volume_up(const VolumeRequest& request, const Surroundings& around) {
  if (blockd_state(request.run_dir, request.volume))
    return tell_failure({kWhat, request.volume, "it is up already", ""}, refused, request.as_json, around);
  std::error_code error;
  std::filesystem::create_directories(request.run_dir, error);
  const std::string log = request.run_dir + "/blockd." + request.volume + ".log";
  const auto process = start(request, log);
  if (!process) return tell_failure(process.error(), refused, request.as_json, around);
  for (const auto limit = Clock::now() + request.timeout; Clock::now() < limit;
       std::this_thread::sleep_for(kStartPause)) {
    if (const auto state = blockd_state(request.run_dir, request.volume)) return started(*state, log, request, around);
    int status = 0;
    if (::waitpid(*process, &status, WNOHANG) == *process)
      return tell_failure({kWhat, log, last_line(log), ""}, refused, request.as_json, around);
  }
  return tell_failure({kWhat, log, "bascule-blockd does not answer", ""}, timed_out, request.as_json, around);
}

int volume_down(const VolumeRequest& request, const Surroundings& around) {
  auto connection = Connection::open(blockd_socket(request.run_dir, request.volume));
  if (!connection)
    return tell_failure({"the volume is not up", request.volume, connection.error().why, ""}, no_contact,
                        request.as_json, around);
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, connection->peer_process(), 0));
  const auto answer = let_go(*connection, request);
  const bool gone =
      answer && flag(*answer, "ok") && connection->send({{"op", "stop"}}) && ended(process, request.timeout);
  if (process >= 0) ::close(process);
  if (!answer) return tell_failure(answer.error(), no_contact, request.as_json, around);
  if (!flag(*answer, "ok")) return tell_failure(error_in(*answer), refused, request.as_json, around);
  if (!gone)
    return tell_failure({"not done in time", request.volume, "bascule-blockd is still there", ""}, timed_out,
                        request.as_json, around);
  if (request.as_json)
    around.out << json{{"ok", true}} << "\n";
  else
    around.out << "Volume " << request.volume << " is down.\n";
  return ok;
}

}  // namespace bascule::cli
