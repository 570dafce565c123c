#include "runtime/process/detail/scanned_processes.h"

#include <dirent.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "runtime/process/detail/files.h"

namespace bascule::process {
namespace {

namespace asio = boost::asio;

constexpr auto rescan_poll = std::chrono::milliseconds(20);
constexpr auto watch_poll = std::chrono::milliseconds(500);

struct Entry {
  pid_t pid = 0, parent = 0, session = 0;
  bool marked = false;
};

std::vector<pid_t> all_pids() {
  std::vector<pid_t> pids;
  DIR* directory = ::opendir("/proc");
  if (directory == nullptr) return pids;
  while (const dirent* entry = ::readdir(directory)) {
    const int pid = std::atoi(entry->d_name);
    if (pid > 0 && pid != ::getpid()) pids.push_back(pid);
  }
  ::closedir(directory);
  return pids;
}

/// False for zombies and for what is gone.
bool read_entry(pid_t pid, const std::string& marker, Entry& entry) {
  const std::string root = "/proc/" + std::to_string(pid);
  const std::string stat = read_file(root + "/stat");
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return false;
  std::istringstream words(stat.substr(name_end + 1));
  std::string state;
  pid_t group = 0;
  if (!(words >> state >> entry.parent >> group >> entry.session) || state == "Z" || state == "X") return false;
  entry.pid = pid;
  const std::string environment = '\0' + read_file(root + "/environ");
  entry.marked = environment.find('\0' + marker + '\0') != std::string::npos;
  return true;
}

struct Scan : std::enable_shared_from_this<Scan> {
  Scan(asio::io_context& io, std::string text) : marker(std::move(text)), kill_timer(io), watch_timer(io) {}

  const std::string marker;
  std::set<pid_t> sessions;  ///< of the actions of this manager
  asio::steady_timer kill_timer, watch_timer;
  std::function<void()> on_exit;
  std::vector<std::function<void()>> killed;
  int actions = 0;
  bool daemons = false;
  bool closed = false;

  [[nodiscard]] std::vector<pid_t> find() const;
  void poll_killed(int empty_before);
  void look();
  void poll_watch();
};

std::vector<pid_t> Scan::find() const {
  std::map<pid_t, Entry> entries;
  for (const pid_t pid : all_pids()) {
    Entry entry;
    if (read_entry(pid, marker, entry)) entries[pid] = entry;
  }
  std::set<pid_t> ours;
  for (const auto& [pid, entry] : entries) {
    if (entry.marked || sessions.contains(entry.session)) ours.insert(pid);
  }
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& [pid, entry] : entries) {
      if (ours.contains(entry.parent)) grown |= ours.insert(pid).second;
    }
  }
  return {ours.begin(), ours.end()};
}

/// Two empty rounds: what forked during a scan may have been missed by it.
void Scan::poll_killed(int empty_before) {
  const auto pids = find();
  for (const pid_t pid : pids) ::kill(pid, SIGKILL);
  const int empty = pids.empty() ? empty_before + 1 : 0;
  if (empty >= 2) {
    daemons = false;
    sessions.clear();
    for (auto& done : std::exchange(killed, {})) done();
    return;
  }
  kill_timer.expires_after(rescan_poll);
  kill_timer.async_wait([self = shared_from_this(), empty](const boost::system::error_code& error) {
    if (!error && !self->closed) self->poll_killed(empty);
  });
}

void Scan::look() {
  if (actions > 0) return;
  const bool before = std::exchange(daemons, !find().empty());
  if (!before || daemons) return;
  asio::post(kill_timer.get_executor(), [self = shared_from_this()] {  // never overtakes the result of an action
    if (!self->closed && self->on_exit) self->on_exit();
  });
}

void Scan::poll_watch() {
  look();
  watch_timer.expires_after(watch_poll);
  watch_timer.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error && !self->closed) self->poll_watch();
  });
}

class ScannedProcesses : public ServiceProcesses {
 public:
  ScannedProcesses(asio::io_context& io, const std::string& marker)
      : io_(io), scan_(std::make_shared<Scan>(io, marker)) {}

  ~ScannedProcesses() override {
    scan_->closed = true;
    scan_->kill_timer.cancel();
    scan_->watch_timer.cancel();
  }

  [[nodiscard]] bool is_cgroup() const override { return false; }
  [[nodiscard]] bool populated() const override { return !scan_->find().empty(); }
  [[nodiscard]] std::vector<pid_t> processes() const override { return scan_->find(); }
  [[nodiscard]] int cgroup_of_step(const std::string&) override { return -1; }
  [[nodiscard]] std::string marker() const override { return scan_->marker; }

  void kill_all(std::function<void()> done) override {
    scan_->killed.push_back(std::move(done));
    if (scan_->killed.size() > 1) return;
    asio::post(io_, [scan = scan_] {
      if (!scan->closed) scan->poll_killed(0);
    });
  }

  void kill_step(const std::string&, Duration, std::function<void(bool)> done) override {
    asio::post(io_, [scan = scan_, done = std::move(done)] {
      if (!scan->closed) done(true);
    });
  }

  void watch(std::function<void()> on_exit) override {
    scan_->on_exit = std::move(on_exit);
    scan_->poll_watch();
  }

  Result<void> remove() override { return {}; }

  void action_started(const std::string&, pid_t group) override {
    ++scan_->actions;
    scan_->sessions.insert(group);
  }
  /// The session is kept while something lives in it: its number cannot be given to another process before.
  void action_ended(const std::string&, pid_t group) override {
    --scan_->actions;
    if (scan_->find().empty()) scan_->sessions.erase(group);
    scan_->look();
  }

 private:
  asio::io_context& io_;
  std::shared_ptr<Scan> scan_;
};

}  // namespace

std::unique_ptr<ServiceProcesses> make_scanned_processes(asio::io_context& io, const std::string& directory,
                                                         const std::string& service) {
  return std::make_unique<ScannedProcesses>(io, "BASCULE_PROCESSES=" + directory + "/" + directory_name(service));
}

}  // namespace bascule::process
