#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>

#include "runtime/process/cgroup.h"
#include "runtime/process/executor.h"

/// For the tests of this room only.
namespace bascule::process::testing_support {

inline std::string text_of_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Waits for the end of a process that need not be our child; false after ten seconds.
inline bool wait_for_end(pid_t pid) {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) return true;
  pollfd one{pidfd, POLLIN, 0};
  const bool ended = ::poll(&one, 1, 10'000) == 1;
  ::close(pidfd);
  return ended;
}

/// A service with its processes, an executor and scripts for agents; everything is gone at the end. The parameter tells
/// whether it runs on a cgroup or on the fallback.
class ServiceTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "bascule-process-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    scratch_ = name;
    open();
    if (GetParam() && !processes_->is_cgroup()) GTEST_SKIP() << "no writable cgroup2 tree here";
  }

  void TearDown() override {
    if (processes_) {
      kill_all();
      executor_.reset();
      EXPECT_TRUE(processes_->remove());
    }
    std::filesystem::remove_all(scratch_);
  }

  /// As a manager that starts (again).
  void open() {
    executor_.reset();
    processes_ = open_service_processes(
        io_, scratch_.filename().string(), "shop", [this](const std::string& line) { log_ += line + "\n"; },
        GetParam() ? "" : "none");
    executor_.emplace(io_, *processes_, "shop", [this](const std::string& line) { log_ += line + "\n"; });
  }

  std::string script(const std::string& name, const std::string& body) {
    const std::filesystem::path path = scratch_ / name;
    std::ofstream(path) << "#!/bin/sh\n" << body;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }

  static Launch launch_of(const std::string& path, Duration timeout = seconds(20),
                          const std::string& operation = "start") {
    Launch launch;
    launch.step = "apache";
    launch.operation = operation;
    launch.path = path;
    launch.arguments = {operation};
    launch.environment = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}};
    launch.timeout = timeout;
    return launch;
  }

  /// Runs the loop until `condition` holds; false after twenty seconds.
  bool run_until(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    io_.restart();
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      io_.run_one_for(std::chrono::milliseconds(100));
    }
    return true;
  }

  Completion run(const Launch& launch) {
    std::optional<Completion> completion;
    executor_->run(launch, [&](const Completion& one) { completion = one; });
    EXPECT_TRUE(run_until([&] { return completion.has_value(); }));
    return completion.value_or(Completion{});
  }

  void kill_all() {
    bool killed = false;
    processes_->kill_all([&] { killed = true; });
    EXPECT_FALSE(killed) << "answered from within the call";
    EXPECT_TRUE(run_until([&] { return killed; }));
    EXPECT_FALSE(processes_->populated());
  }

  std::filesystem::path scratch_;
  std::string log_;
  boost::asio::io_context io_;
  std::unique_ptr<ServiceProcesses> processes_;
  std::optional<Executor> executor_;
};

inline std::string kind_name(const ::testing::TestParamInfo<bool>& one) { return one.param ? "Cgroup" : "Fallback"; }

}  // namespace bascule::process::testing_support
