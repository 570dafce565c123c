#include "runtime/process/detail/cgroup_processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <map>
#include <sstream>
#include <utility>

#include "runtime/process/detail/descriptor.h"
#include "runtime/process/detail/files.h"

namespace bascule::process {
namespace {

namespace asio = boost::asio;

constexpr auto kill_poll = std::chrono::milliseconds(5);
constexpr int polls_per_kill = 40;

bool is_populated(const std::string& path) {
  return read_file(path + "/cgroup.events").find("populated 1") != std::string::npos;
}

std::vector<std::string> children_of(const std::string& path) {
  std::vector<std::string> names;
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  ::closedir(directory);
  return names;
}

void collect(const std::string& path, std::vector<pid_t>& pids) {
  std::istringstream lines(read_file(path + "/cgroup.procs"));
  for (pid_t pid = 0; lines >> pid;) {
    if (pid > 0) pids.push_back(pid);  // 0: of another pid namespace
  }
  for (const std::string& child : children_of(path)) collect(path + "/" + child, pids);
}

/// Agents may make cgroups of their own below ours.
bool remove_tree(const std::string& path) {
  for (const std::string& child : children_of(path)) remove_tree(path + "/" + child);
  return ::rmdir(path.c_str()) == 0 || errno == ENOENT;
}

struct StepGroup {
  Descriptor directory;
  int watch = -1;
  int actions = 0;
  bool daemons = false;  ///< it was populated when no action ran
};

/// What is left of a step that has stopped, until it is gone.
struct DyingStep {
  explicit DyingStep(asio::io_context& io) : timer(io) {}
  asio::steady_timer timer;
  std::string name;
  std::chrono::steady_clock::time_point give_up;
  std::function<void(bool)> done;
  int polls = 0;
};

/// Lives as long as a callback may come.
struct Tree : std::enable_shared_from_this<Tree> {
  Tree(asio::io_context& io, std::string where) : path(std::move(where)), notified(io), timer(io) {}

  const std::string path;
  std::map<std::string, StepGroup> steps;  ///< by directory name
  asio::posix::stream_descriptor notified;
  asio::steady_timer timer;
  std::array<char, 4096> events{};
  std::function<void()> on_exit;
  std::vector<std::function<void()>> killed;
  int polls = 0;
  bool closed = false;

  StepGroup& step(const std::string& name);
  void look(StepGroup& group, const std::string& name);
  void wait_for_events();
  void kill_once(const std::string& where);
  void renew();
  void renew(const std::string& name, StepGroup& group);
  void poll_killed();
  void poll_step(const std::shared_ptr<DyingStep>& dying);
};

StepGroup& Tree::step(const std::string& name) {
  const auto found = steps.find(name);
  if (found != steps.end() && found->second.directory.valid()) return found->second;
  StepGroup& group = steps[name];
  const std::string where = path + "/" + name;
  ::rmdir(where.c_str());  // unless it is populated; see renew()
  for (const std::string& one : {path.substr(0, path.rfind('/')), path, where}) ::mkdir(one.c_str(), 0755);
  group.directory.reset(::open(where.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (notified.is_open()) {
    group.watch = ::inotify_add_watch(notified.native_handle(), (where + "/cgroup.events").c_str(), IN_MODIFY);
  }
  group.daemons = is_populated(where);
  return group;
}

/// Running agents populate the cgroup too, so only a look without them says anything about the daemons.
void Tree::look(StepGroup& group, const std::string& name) {
  if (group.actions > 0) return;
  const bool before = std::exchange(group.daemons, is_populated(path + "/" + name));
  if (!before || group.daemons) return;
  asio::post(timer.get_executor(), [self = shared_from_this()] {  // never overtakes the result of an action
    if (!self->closed && self->on_exit) self->on_exit();
  });
}

void Tree::wait_for_events() {
  notified.async_read_some(asio::buffer(events),
                           [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
                             if (error || self->closed) return;
                             for (auto& [name, group] : self->steps) self->look(group, name);
                             self->wait_for_events();
                           });
}

/// Without cgroup.kill (before Linux 5.14) forks can outrun one round; the rounds go on until nobody is left.
void Tree::kill_once(const std::string& where) {
  if (write_file(where + "/cgroup.kill", "1")) return;
  std::vector<pid_t> pids;
  collect(where, pids);
  for (const pid_t pid : pids) ::kill(pid, SIGKILL);
}

/// Some kernels (seen on 6.18) kill whatever is born by CLONE_INTO_CGROUP in a cgroup that cgroup.kill was ever used
/// on, so the steps' cgroups are made anew after a kill.
void Tree::renew() {
  for (auto& [name, group] : steps) renew(name, group);
}

void Tree::renew(const std::string& name, StepGroup& group) {
  group.daemons = false;  // we did it, so it is no news
  group.directory.reset();
  remove_tree(path + "/" + name);
}

void Tree::poll_killed() {
  if (!is_populated(path)) {
    renew();
    for (auto& done : std::exchange(killed, {})) done();
    return;
  }
  if (++polls % polls_per_kill == 0) kill_once(path);
  timer.expires_after(kill_poll);
  timer.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error && !self->closed) self->poll_killed();
  });
}

void Tree::poll_step(const std::shared_ptr<DyingStep>& dying) {
  const std::string where = path + "/" + dying->name;
  const bool populated = is_populated(where);
  if (!populated && dying->polls > 0) renew(dying->name, steps[dying->name]);
  if (!populated || std::chrono::steady_clock::now() >= dying->give_up) {
    --steps[dying->name].actions;
    return dying->done(!populated);
  }
  if (dying->polls++ % polls_per_kill == 0) kill_once(where);
  dying->timer.expires_after(kill_poll);
  dying->timer.async_wait([self = shared_from_this(), dying](const boost::system::error_code& error) {
    if (!error && !self->closed) self->poll_step(dying);
  });
}

class CgroupProcesses : public ServiceProcesses {
 public:
  explicit CgroupProcesses(asio::io_context& io, const std::string& path)
      : io_(io), tree_(std::make_shared<Tree>(io, path)) {
    const int notify = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (notify >= 0) tree_->notified.assign(notify);
    for (const std::string& name : children_of(path)) tree_->step(name);
    if (notify >= 0) tree_->wait_for_events();
  }

  ~CgroupProcesses() override {
    tree_->closed = true;
    tree_->timer.cancel();
    boost::system::error_code ignored;
    tree_->notified.close(ignored);
  }

  [[nodiscard]] bool is_cgroup() const override { return true; }
  [[nodiscard]] bool populated() const override { return is_populated(tree_->path); }
  [[nodiscard]] std::string marker() const override { return {}; }

  [[nodiscard]] std::vector<pid_t> processes() const override {
    std::vector<pid_t> pids;
    collect(tree_->path, pids);
    return pids;
  }

  void kill_all(std::function<void()> done) override {
    tree_->killed.push_back(std::move(done));
    tree_->kill_once(tree_->path);
    if (tree_->killed.size() > 1) return;
    tree_->polls = 0;
    tree_->timer.expires_after(std::chrono::milliseconds(0));  // never from within this call
    tree_->timer.async_wait([tree = tree_](const boost::system::error_code& error) {
      if (!error && !tree->closed) tree->poll_killed();
    });
  }

  void kill_step(const std::string& step, Duration patience, std::function<void(bool)> done) override {
    auto dying = std::make_shared<DyingStep>(io_);
    dying->name = directory_name(step);
    dying->give_up = std::chrono::steady_clock::now() + patience;
    dying->done = std::move(done);
    ++tree_->steps[dying->name].actions;     // we do it, so it is no news
    asio::post(io_, [tree = tree_, dying] {  // never from within this call
      if (!tree->closed) tree->poll_step(dying);
    });
  }

  void watch(std::function<void()> on_exit) override { tree_->on_exit = std::move(on_exit); }

  Result<void> remove() override {
    tree_->steps.clear();
    if (!remove_tree(tree_->path)) return fail_errno("a cgroup cannot be removed", tree_->path, errno);
    ::rmdir(tree_->path.substr(0, tree_->path.rfind('/')).c_str());  // the node's, if this was its last service
    return {};
  }

  [[nodiscard]] int cgroup_of_step(const std::string& step) override {
    return tree_->step(directory_name(step)).directory.get();
  }

  void action_started(const std::string& step, pid_t) override { ++tree_->step(directory_name(step)).actions; }

  void action_ended(const std::string& step, pid_t) override {
    const std::string name = directory_name(step);
    StepGroup& group = tree_->step(name);
    --group.actions;
    tree_->look(group, name);
  }

 private:
  asio::io_context& io_;
  std::shared_ptr<Tree> tree_;
};

}  // namespace

Result<std::unique_ptr<ServiceProcesses>> open_cgroup_processes(asio::io_context& io, const std::string& mount,
                                                                const std::string& directory,
                                                                const std::string& service) {
  const std::string node = mount + "/" + directory;
  const std::string path = node + "/" + directory_name(service);
  for (const std::string& one : {node, path}) {
    if (::mkdir(one.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("no cgroup can be made", one, errno);
  }
  if (read_file(path + "/cgroup.events").empty()) return fail("no cgroup can be made", path, "it has no cgroup.events");
  return std::make_unique<CgroupProcesses>(io, path);
}

}  // namespace bascule::process
