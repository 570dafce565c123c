#include "runtime/units/units.h"

#include <gtest/gtest.h>
#include <sdbus-c++/sdbus-c++.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>

#include "core/agents/ocf.h"

extern char** environ;

/// Against a pretended systemd on a bus of its own: the real library, the real wire.
namespace bascule::units {
namespace {

constexpr const char* unit_interface = "org.freedesktop.systemd1.Unit";
constexpr const char* manager_interface = "org.freedesktop.systemd1.Manager";

/// dbus-daemon with a socket of its own.
class PrivateBus {
 public:
  PrivateBus() {
    char name[] = "/tmp/bascule-bus-XXXXXX";
    directory_ = ::mkdtemp(name);
    std::ofstream(directory_ / "bus.conf")
        << "<busconfig><type>session</type><listen>" << address() << "</listen><auth>EXTERNAL</auth>"
        << "<policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>"
        << "<allow own=\"*\"/></policy></busconfig>";
    start();
  }
  ~PrivateBus() {
    stop();
    std::filesystem::remove_all(directory_);
  }
  static bool installed() { return std::filesystem::exists("/usr/bin/dbus-daemon"); }
  [[nodiscard]] std::string address() const { return "unix:path=" + (directory_ / "socket").string(); }

  /// Returns when it listens: it prints its address then.
  void start() {
    int out[2];
    ASSERT_EQ(::pipe(out), 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, out[1], 3);
    std::string config = "--config-file=" + (directory_ / "bus.conf").string();
    std::string program = "dbus-daemon", nofork = "--nofork", print = "--print-address=3";
    char* arguments[] = {program.data(), config.data(), nofork.data(), print.data(), nullptr};
    ASSERT_EQ(::posix_spawn(&pid_, "/usr/bin/dbus-daemon", &actions, nullptr, arguments, environ), 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(out[1]);
    char byte = 0;
    EXPECT_EQ(::read(out[0], &byte, 1), 1);
    ::close(out[0]);
  }
  void freeze() const { ::kill(pid_, SIGSTOP); }
  void thaw() const { ::kill(pid_, SIGCONT); }
  void stop() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
    std::filesystem::remove(directory_ / "socket");
  }

 private:
  std::filesystem::path directory_;
  pid_t pid_ = 0;
};

/// As much of systemd as is asked for, in a thread of the library's.
class PretendedSystemd {
 public:
  struct Behaviour {
    std::string load_state = "loaded";
    std::string active_state = "inactive";
    std::string job_result = "done";
    std::string after_start = "active";
    std::string after_stop = "inactive";
    bool answers_jobs = true;    ///< false: the job stays queued for ever
    bool answers_starts = true;  ///< false: who asks for a start is never answered
  };

  explicit PretendedSystemd(const std::string& address)
      : connection_(sdbus::createSessionBusConnectionWithAddress(address)) {
    connection_->requestName("org.freedesktop.systemd1");
    manager_ = sdbus::createObject(*connection_, "/org/freedesktop/systemd1");
    manager_->registerMethod("Subscribe").onInterface(manager_interface).implementedAs([] {});
    manager_->registerMethod("LoadUnit").onInterface(manager_interface).implementedAs([this](const std::string& name) {
      return load(name);
    });
    manager_->registerMethod("StartUnit")
        .onInterface(manager_interface)
        .implementedAs([this](sdbus::Result<sdbus::ObjectPath>&& result, const std::string& name, const std::string&) {
          ++starts;
          if (answers_starts(name)) result.returnResults(job(name, true));
        });
    manager_->registerMethod("StopUnit")
        .onInterface(manager_interface)
        .implementedAs([this](const std::string& name, const std::string&) { return job(name, false); });
    manager_->registerMethod("KillUnit")
        .onInterface(manager_interface)
        .implementedAs([this](const std::string& name, const std::string&, std::int32_t signal) {
          if (signal == SIGKILL) become(name, "failed");
        });
    manager_->registerSignal("JobRemoved")
        .onInterface(manager_interface)
        .withParameters<std::uint32_t, sdbus::ObjectPath, std::string, std::string>();
    manager_->finishRegistration();
    connection_->enterEventLoopAsync();
  }
  ~PretendedSystemd() {
    connection_->leaveEventLoop();
    units_.clear();
    manager_.reset();
  }

  void behave(const std::string& name, Behaviour behaviour) {
    const std::lock_guard lock(mutex_);
    behaviours_[name] = std::move(behaviour);
  }
  [[nodiscard]] std::string state(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return behaviours_[name].active_state;
  }
  /// As systemd tells it: PropertiesChanged.
  void become(const std::string& name, const std::string& active_state) {
    sdbus::IObject* object = nullptr;
    {
      const std::lock_guard lock(mutex_);
      behaviours_[name].active_state = active_state;
      if (const auto found = units_.find(name); found != units_.end()) object = found->second.get();
    }
    if (object != nullptr) object->emitPropertiesChangedSignal(unit_interface, {"ActiveState", "SubState"});
  }
  std::atomic<int> loads = 0, starts = 0;

 private:
  sdbus::ObjectPath load(const std::string& name) {
    ++loads;
    const std::lock_guard lock(mutex_);
    const auto number = std::to_string(std::hash<std::string>{}(name));
    const sdbus::ObjectPath path = "/org/freedesktop/systemd1/unit/u" + number;
    if (units_.contains(name)) return path;
    auto object = sdbus::createObject(*connection_, path);
    const auto property = [&](const char* called, auto get) {
      object->registerProperty(called).onInterface(unit_interface).withGetter([this, name, get] {
        const std::lock_guard inner(mutex_);
        return get(behaviours_[name]);
      });
    };
    property("LoadState", [](const Behaviour& one) { return one.load_state; });
    property("ActiveState", [](const Behaviour& one) { return one.active_state; });
    property("SubState", [](const Behaviour& one) { return "of " + one.active_state; });
    object->finishRegistration();
    units_[name] = std::move(object);
    return path;
  }

  bool answers_starts(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return behaviours_[name].answers_starts;
  }
  sdbus::ObjectPath job(const std::string& name, bool start) {
    Behaviour behaviour;
    {
      const std::lock_guard lock(mutex_);
      behaviour = behaviours_[name];
    }
    const sdbus::ObjectPath path = "/org/freedesktop/systemd1/job/" + std::to_string(++jobs_);
    if (!behaviour.answers_jobs) return path;
    if (behaviour.job_result == "done") become(name, start ? behaviour.after_start : behaviour.after_stop);
    // Before the answer: the order that is hard.
    manager_->emitSignal("JobRemoved")
        .onInterface(manager_interface)
        .withArguments(std::uint32_t{1}, path, name, behaviour.job_result);
    return path;
  }

  std::unique_ptr<sdbus::IConnection> connection_;
  std::unique_ptr<sdbus::IObject> manager_;
  std::mutex mutex_;
  std::map<std::string, Behaviour> behaviours_;
  std::map<std::string, std::unique_ptr<sdbus::IObject>> units_;
  int jobs_ = 0;
};

class UnitsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!PrivateBus::installed()) GTEST_SKIP() << "needs dbus-daemon";
    bus.emplace();
    systemd.emplace(bus->address());
    units.emplace(
        io, [this](const std::string& line) { log += line + "\n"; }, bus->address());
  }
  void TearDown() override {
    units.reset();
    io.restart();
    io.poll();
  }
  /// Until `done`, at most ten seconds.
  bool wait_until(const std::function<bool()>& done) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done() && std::chrono::steady_clock::now() < give_up) {
      io.restart();
      io.run_one_for(std::chrono::milliseconds(50));
    }
    return done();
  }
  Outcome act(const std::string& operation, Duration timeout = seconds(5)) {
    std::optional<Outcome> outcome;
    units->run("web.service", operation, timeout, [&](const Outcome& one) { outcome = one; });
    EXPECT_TRUE(wait_until([&] { return outcome.has_value(); }));
    return outcome.value_or(Outcome{-99, "never ended", {}});
  }

  boost::asio::io_context io;
  std::string log;
  std::optional<PrivateBus> bus;
  std::optional<PretendedSystemd> systemd;
  std::optional<Units> units;
};

TEST_F(UnitsTest, StartsMonitorsAndStops) {
  EXPECT_EQ(act("monitor").return_code, agents::ocf::not_running);
  EXPECT_EQ(act("start").return_code, 0);
  EXPECT_EQ(systemd->state("web.service"), "active");
  EXPECT_EQ(act("monitor").return_code, 0);
  EXPECT_EQ(act("stop").return_code, 0);
  EXPECT_EQ(systemd->state("web.service"), "inactive");
  EXPECT_EQ(act("stop").return_code, 0);
}

TEST_F(UnitsTest, AUnitThatIsNotThereIsNotInstalled) {
  systemd->behave("web.service", {.load_state = "not-found"});
  const auto outcome = act("start");
  EXPECT_EQ(outcome.return_code, agents::ocf::error_installed);
  EXPECT_EQ(outcome.reason, "web.service is not-found");
  EXPECT_EQ(act("stop").return_code, 0);
}

TEST_F(UnitsTest, AJobThatFailsOrNeverEndsIsAFailure) {
  systemd->behave("web.service", {.job_result = "failed"});
  EXPECT_EQ(act("start").return_code, agents::ocf::error_generic);
  systemd->behave("web.service", {.answers_jobs = false});
  const auto outcome = act("start", milliseconds(300));
  EXPECT_EQ(outcome.return_code, agents::ocf::timed_out);
  EXPECT_GE(outcome.took, milliseconds(300));
  EXPECT_LT(outcome.took, seconds(3));
}

TEST_F(UnitsTest, WaitsForAUnitThatIsOnItsWay) {
  systemd->behave("web.service", {.active_state = "activating"});
  std::optional<Outcome> outcome;
  units->run("web.service", "monitor", seconds(5), [&](const Outcome& one) { outcome = one; });
  ASSERT_TRUE(wait_until([&] { return systemd->loads > 0; }));
  systemd->become("web.service", "active");
  ASSERT_TRUE(wait_until([&] { return outcome.has_value(); }));
  EXPECT_EQ(outcome->return_code, 0);
}

TEST_F(UnitsTest, AUnitThatFallsIsToldAtOnce) {
  int fell = 0;
  units->watch("web.service", [&] { ++fell; });
  ASSERT_EQ(act("start").return_code, 0);
  EXPECT_EQ(fell, 0);
  systemd->become("web.service", "failed");
  ASSERT_TRUE(wait_until([&] { return fell == 1; }));
  EXPECT_EQ(act("monitor").return_code, agents::ocf::not_running);
  EXPECT_EQ(fell, 1) << "told once";
}

TEST_F(UnitsTest, KillsEveryProcessOfTheUnit) {
  ASSERT_EQ(act("start").return_code, 0);
  bool killed = false;
  units->kill("web.service", [&] { killed = true; });
  ASSERT_TRUE(wait_until([&] { return killed; }));
  EXPECT_EQ(systemd->state("web.service"), "failed");
}

TEST_F(UnitsTest, ACancelledActionEnds) {
  systemd->behave("web.service", {.answers_jobs = false});
  std::optional<Outcome> outcome;
  const auto action = units->run("web.service", "start", seconds(60), [&](const Outcome& one) { outcome = one; });
  ASSERT_TRUE(wait_until([&] { return systemd->loads > 0; }));
  units->cancel(action);
  ASSERT_TRUE(wait_until([&] { return outcome.has_value(); }));
  EXPECT_EQ(outcome->return_code, agents::ocf::timed_out);
}

/// A message bus that is restarted says nothing about the units.
TEST_F(UnitsTest, WhatIsUnderWayBeginsAgainWhenTheBusIsBack) {
  ASSERT_EQ(act("start").return_code, 0);
  systemd.reset();
  bus->stop();
  std::optional<Outcome> outcome;
  units->run("web.service", "monitor", seconds(10), [&](const Outcome& one) { outcome = one; });
  ASSERT_TRUE(wait_until([&] { return log.find("no D-Bus") != std::string::npos; }));
  EXPECT_FALSE(outcome.has_value());
  bus->start();
  systemd.emplace(bus->address());
  systemd->behave("web.service", {.active_state = "active"});
  ASSERT_TRUE(wait_until([&] { return outcome.has_value(); }));
  EXPECT_EQ(outcome->return_code, 0) << outcome->reason;
}

/// The bus answers what was asked of it with an error then.
TEST_F(UnitsTest, ASystemdThatGoesWithAQuestionIsAskedAgain) {
  systemd->behave("web.service", {.answers_starts = false});
  std::optional<Outcome> outcome;
  units->run("web.service", "start", seconds(10), [&](const Outcome& one) { outcome = one; });
  ASSERT_TRUE(wait_until([&] { return systemd->starts > 0; }));
  systemd.reset();
  ASSERT_TRUE(wait_until([&] { return log.find("no D-Bus") != std::string::npos || outcome.has_value(); }));
  EXPECT_FALSE(outcome.has_value()) << outcome->reason;
  systemd.emplace(bus->address());
  ASSERT_TRUE(wait_until([&] { return outcome.has_value(); }));
  EXPECT_EQ(outcome->return_code, 0) << outcome->reason;
}

TEST_F(UnitsTest, WaitsForASystemdThatIsNotOnTheBusYet) {
  systemd.reset();
  std::optional<Outcome> outcome;
  units->run("web.service", "start", seconds(10), [&](const Outcome& one) { outcome = one; });
  ASSERT_TRUE(wait_until([&] { return log.find("no D-Bus") != std::string::npos || outcome.has_value(); }));
  EXPECT_FALSE(outcome.has_value()) << outcome->reason;
  systemd.emplace(bus->address());
  ASSERT_TRUE(wait_until([&] { return outcome.has_value(); }));
  EXPECT_EQ(outcome->return_code, 0) << outcome->reason;
}

/// Another action may find the bus before the next try of who lost it.
TEST_F(UnitsTest, WhoConnectsFirstLetsAllBeginAgain) {
  systemd->behave("web.service", {.answers_jobs = false});
  std::optional<Outcome> first, second;
  units->run("web.service", "start", seconds(10), [&](const Outcome& one) { first = one; });
  ASSERT_TRUE(wait_until([&] { return systemd->starts > 0; }));
  systemd.reset();
  bus->stop();
  bus->start();
  systemd.emplace(bus->address());
  ASSERT_TRUE(wait_until([&] { return log.find("no D-Bus") != std::string::npos; }));
  units->run("db.service", "monitor", seconds(10), [&](const Outcome& one) { second = one; });
  ASSERT_TRUE(wait_until([&] { return first.has_value() && second.has_value(); }));
  EXPECT_EQ(first->return_code, 0) << first->reason;
}

/// The manager's thread must not wait with it: its leases would end.
TEST_F(UnitsTest, ABusThatHangsHoldsNobodyUp) {
  bus->freeze();
  const auto began = std::chrono::steady_clock::now();
  const auto outcome = act("monitor", milliseconds(300));
  EXPECT_EQ(outcome.return_code, agents::ocf::timed_out);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
  bus->thaw();
}

TEST(UnitsWithoutABus, AreAnErrorOnlyWhenAUnitIsAskedFor) {
  boost::asio::io_context io;
  std::string log;
  Units units(
      io, [&](const std::string& line) { log += line + "\n"; }, "unix:path=/nonexistent/socket");
  io.poll();
  EXPECT_EQ(log, "");
  std::optional<Outcome> outcome;
  units.run("web.service", "monitor", milliseconds(500), [&](const Outcome& one) { outcome = one; });
  io.restart();
  io.run_for(std::chrono::seconds(2));
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->return_code, agents::ocf::timed_out);
  io.restart();
  io.poll();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
}

}  // namespace
}  // namespace bascule::units
