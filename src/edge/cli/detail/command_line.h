#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "edge/api/operations.h"
#include "edge/cli/command_line.h"
#include "edge/cli/config_commands.h"
#include "edge/cli/doctor_command.h"
#include "edge/cli/drbd_commands.h"
#include "edge/cli/explain_commands.h"
#include "edge/cli/failure.h"
#include "edge/cli/follow_through.h"
#include "edge/cli/import_command.h"
#include "edge/cli/key_commands.h"
#include "edge/cli/member_commands.h"
#include "edge/cli/operation_commands.h"
#include "edge/cli/rehearse_command.h"
#include "edge/cli/simulate_command.h"
#include "edge/cli/volume_actions.h"
#include "runtime/watchdog/config_file.h"

namespace bascule::cli::detail {

inline constexpr Duration answer_timeout = seconds(10);

/// Everything that may stand on the command line.
struct Options {
  std::string run_dir = "/run/bascule", state_dir = "/var/lib/bascule", config_file = config::default_file, node, shell;
  bool as_json = false, watch = false, check = false, no_wait = false, force = false;
  std::int64_t timeout_s = 120;
  std::map<std::string, std::string> values;  ///< parameters of the operation that are text
  std::uint64_t since = 0;
  bool follow = false;
  std::map<std::string, bool> flags;  ///< other flags of the operation
  bool yes = false;
  ImportRequest drbd_import;
  KeyRequest key;
  ConfigRequest config_change;
  MemberRequest member;
  std::vector<std::string> compared;
  SimulateRequest simulation;
  WhyRequest why;
  WhatIfRequest what_if;
  [[nodiscard]] std::string socket() const { return run_dir + "/manager.sock"; }
};

/// One command line: command_line.cpp says what may stand there, manager_commands.cpp asks bascule-managerd,
/// local_commands.cpp does what needs no manager.
class CommandLine {
 public:
  explicit CommandLine(const Surroundings& surroundings) : around_(surroundings) { options_.node = surroundings.node; }
  int run(const std::vector<std::string>& arguments);

 private:
  CLI::App* command(const std::string& words, const std::string& help, const std::string& example);
  void add_operation(const api::Operation& operation);
  void add_parameter(CLI::App& app, const api::Parameter& parameter, bool first);
  void add_local_commands();
  void add_node_options(CLI::App& app, const std::string& words);
  void add_cib_options(CLI::App& app, const std::string& words);
  static void add_cib(CLI::App& app, CibInput& input);
  void add_operate(CLI::App& app, const std::string& words);
  int operate(const std::string& words);
  void add_member_options(CLI::App& app, const std::string& words);
  void add_config_options(CLI::App& app, const std::string& words);
  void add_volume_actions();
  void add_drbdsetup();
  void add_rehearse();
  [[nodiscard]] VolumeRequest volume() const;
  bool operators(const api::Operation& operation);
  int change_by_operator(const api::Operation& operation);
  int failed(const Error& error, int code) const { return tell_failure(error, code, options_.as_json, around_); }
  int status();
  int watch();
  int events();
  int attributes(const api::Operation& operation);
  int change(const api::Operation& operation);
  void add_fence_options(CLI::App& app, const api::Operation& operation);
  int fence(const api::Operation& operation);
  int fence_history();
  [[nodiscard]] bool confirmed(const std::string& warning, const std::string& word) const;
  int volume_status();
  int volume_state_without_manager(const Error& why);
  int volume_create();
  int config_check();
  int config_change();
  int membership();
  int config_node();
  int doctor();
  int node_down();
  int node_up();
  int say_goodbye(const json& status) const;
  [[nodiscard]] int also(std::vector<std::string> arguments) const;
  int import_drbd();
  int agent();
  int key();
  int simulate();
  int why();
  int what_if();
  int rehearse();
  int print_answer(const Result<json>& answer) const;
  int print_completion();
  int drbdmeta_help();
  [[nodiscard]] Goal goal_of(const api::Operation& operation, const json& before) const;
  [[nodiscard]] json request_of(const api::Operation& operation) const;
  [[nodiscard]] Result<json> ask(const json& request, Duration timeout = answer_timeout) const;

  const Surroundings& around_;
  Options options_;
  VolumeRequest volume_;
  DrbdRequest drbd_;
  RehearseRequest rehearse_;
  OperateRequest operate_;
  CLI::App app_{"Looks at and steers a Bascule cluster.", "bascule"};
  std::map<std::string, CLI::App*> groups_;
  std::function<int()> chosen_;
};

}  // namespace bascule::cli::detail
