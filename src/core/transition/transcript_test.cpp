#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "core/transition/service_runner.h"

/// Stories as text: lines of `at INPUT` go in, and what came out is written behind each. The whole text must come out
/// again. See README.md for the words. BASCULE_WRITE_TRANSCRIPTS=1 writes the files anew, to be read by a person.
namespace bascule::transition {
namespace {

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::string name_of(const effect::RunAction& run, const config::Service& service) {
  std::string text = "run " + service.steps[run.step_index].name + " " + run.operation;
  if (run.interval > Duration::zero()) text += " every " + std::to_string(to_ms(run.interval));
  if (run.check_level != 0) text += " level " + std::to_string(run.check_level);
  text += " timeout " + std::to_string(to_ms(run.timeout));
  return run.device.empty() ? text : text + " device " + run.device;
}

struct Words {
  const config::Service& service;
  std::string operator()(const effect::RunAction& run) const { return name_of(run, service); }
  std::string operator()(const effect::CancelActions&) const { return "cancel actions"; }
  std::string operator()(const effect::PromoteVolume& one) const {
    return "promote epoch " + std::to_string(one.epoch);
  }
  std::string operator()(const effect::DemoteVolume& one) const { return one.force ? "demote by force" : "demote"; }
  std::string operator()(const effect::FailHeldIo&) const { return "fail held I/O"; }
  std::string operator()(const effect::KillCgroup&) const { return "kill cgroup"; }
  std::string operator()(const effect::Unmount&) const { return "unmount"; }
  std::string operator()(const effect::ReleaseLease& one) const {
    return "release lease of epochs " + std::to_string(one.service_epoch) + " " + std::to_string(one.volume_epoch);
  }
  std::string operator()(const effect::Event& event) const { return "event " + event.kind + ": " + event.text; }
  std::string operator()(const effect::Propose& one) const { return std::visit(*this, one.command); }
  std::string operator()(const message::ReleaseOwnership& one) const {
    return "propose release of '" + one.service + "' " + std::to_string(one.service_epoch) + " and '" + one.volume +
           "' " + std::to_string(one.volume_epoch);
  }
  std::string operator()(const message::RecordFailure& one) const {
    return std::string("propose failure") + (one.start_failed ? " of start" : "") + " in epoch " +
           std::to_string(one.epoch) + (one.reaction == "restart" ? "" : " (" + one.reaction + ")") + ": " + one.text;
  }
  std::string operator()(const message::RestartDone& one) const {
    return "propose that restart " + std::to_string(one.number) + " is done in epoch " + std::to_string(one.epoch);
  }
  template <typename Other>
  std::string operator()(const Other&) const {
    return "propose something else";
  }
};

class Story {
 public:
  std::string play(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line.empty() || line[0] == '#') {
        out_ << line << '\n';
      } else if (line[0] != ' ') {
        play_line(line);
      }
    }
    return out_.str();
  }

 private:
  void play_line(const std::string& line) {
    const auto words = words_of(line);
    if (words[0] == "service") return define(line, words);
    if (!runner_) runner_.emplace(service_, "alice", config::Timing{});
    const Instant at = instant_from_ns(0) + milliseconds(std::stoll(words[0]));
    while (runner_->next_deadline() < at && last_ != Instant{}) give(input::Tick{}, runner_->next_deadline(), true);
    out_ << line << '\n';
    give(input_of(words), at, false);
  }

  void define(const std::string& line, const std::vector<std::string>& words) {
    out_ << line << '\n';
    service_.name = words[1];
    service_.start_failure_is_fatal = words[2] != "retry";
    service_.keeps_without_quorum = words[2] == "keep";
    service_.is_role = words[2] == "role";
    static const std::set<std::string> without_volume{"-", "retry", "keep", "role"};
    if (!without_volume.contains(words[2])) service_.volume = words[2];
    for (std::size_t index = 3; index < words.size(); ++index) {
      config::Step step;
      const auto slash = words[index].find('/');
      step.name = step.type = words[index].substr(0, slash);
      if (slash != std::string::npos) mark(step, words[index].substr(slash + 1));
      step.standard = step.type == "mount" ? config::built_in : "ocf";
      step.provider = "heartbeat";
      service_.steps.push_back(step);
    }
  }

  /// `STEP/deep` has a second monitor every 5 s; any other mark is the step's on_fail.
  static void mark(config::Step& step, const std::string& word) {
    if (word == "deep")
      step.more_monitors = {{seconds(5), seconds(60), 20, config::OnFail::stop}};
    else
      step.on_fail = config::on_fail_of(word).value();
  }

  Input input_of(const std::vector<std::string>& words) {
    const std::string& kind = words[1];
    if (kind == "ownership") return ownership(words);
    if (kind == "lease") {
      return input::Lease{std::stoull(words[2]), instant_from_ns(0) + milliseconds(std::stoll(words[4]))};
    }
    if (kind == "volume") return volume(words);
    if (kind == "done") return done(words);
    if (kind == "killed") return input::CgroupKilled{};
    if (kind == "unmounted") return input::Unmounted{true};
    if (kind == "exited") return input::ProcessesExited{};
    EXPECT_EQ(kind, "tick");
    return input::Tick{};
  }

  static Input ownership(const std::vector<std::string>& words) {
    input::Ownership one;
    if (words[2] != "-") one.service_epoch = std::stoull(words[2]);
    if (words[3] != "-") one.volume_epoch = std::stoull(words[3]);
    for (std::size_t index = 4; index < words.size(); ++index) {
      if (words[index] == "stop") one.stop_requested = true;
      if (words[index] == "blocked") one.blocked = true;
      if (words[index] == "maintenance") one.maintenance = true;
      if (words[index] == "waits" || words[index] == "pause") one.waits_for = "waiting for db, which it comes after";
      if (words[index] == "pause") one.pause = true;
      if (words[index] != "restart") continue;
      one.restart = std::stoull(words.at(index + 1));
      one.restart_step = index + 2 < words.size() ? words[index + 2] : "";
    }
    return one;
  }

  static Input volume(const std::vector<std::string>& words) {
    input::VolumeChanged one;
    one.attached = words[2] != "detached";
    if (words[2] == "primary") {
      one.promoted_epoch = std::stoull(words[3]);
      one.device = "/dev/loop0";
    }
    if (words[2] == "refused") {
      for (std::size_t index = 3; index < words.size(); ++index) one.refusal += (index > 3 ? " " : "") + words[index];
    }
    return one;
  }

  /// `done STEP OPERATION RC`: the answer to the oldest such action that is under way; each takes as long as it took.
  Input done(const std::vector<std::string>& words) {
    for (auto action = running_.begin(); action != running_.end(); ++action) {
      const auto& run = action->second.first;
      if (service_.steps[run.step_index].name != words[2] || run.operation != words[3]) continue;
      input::ActionDone one{run.action, std::stoi(words[4]), "",
                            instant_from_ns(0) + milliseconds(std::stoll(words[0])) - action->second.second};
      running_.erase(action);
      return one;
    }
    ADD_FAILURE() << "no such action is under way: " << words[2] << " " << words[3];
    return input::Tick{};
  }

  void give(const Input& input, Instant at, bool ticked) {
    Effects effects;
    runner_->step(input, at, effects);
    last_ = at;
    if (ticked) {
      EXPECT_GT(runner_->next_deadline(), at) << "a deadline that does not go away";
      if (!effects.empty() || runner_->report().state != state_) out_ << "  (" << to_ms(at.time_since_epoch()) << ")\n";
    }
    for (const Effect& effect : effects) {
      out_ << "  " << std::visit(Words{service_}, effect) << '\n';
      if (const auto* run = std::get_if<effect::RunAction>(&effect)) running_[run->action] = {*run, at};
    }
    const auto report = runner_->report();
    for (const auto& step : report.steps) {
      std::string& before = warnings_[step.name];
      if (before != step.warning) out_ << "  ~ " << step.name << ": " << step.warning << '\n';
      before = step.warning;
    }
    if (report.state == state_) return;
    state_ = report.state;
    out_ << "  = " << state_ << (report.why.empty() ? "" : ": " + report.why) << '\n';
  }

  config::Service service_;
  std::optional<ServiceRunner> runner_;
  std::map<ActionId, std::pair<effect::RunAction, Instant>> running_;
  std::string state_ = "Unknown";
  std::map<std::string, std::string> warnings_;  ///< by step
  Instant last_{};
  std::ostringstream out_;
};

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class Transcript : public testing::TestWithParam<std::string> {};

TEST_P(Transcript, ComesOutAsWritten) {
  const std::filesystem::path path = std::filesystem::path(BASCULE_TRANSCRIPTS) / (GetParam() + ".txt");
  const std::string text = read(path);
  ASSERT_FALSE(text.empty()) << path;
  const std::string played = Story().play(text);
  if (std::getenv("BASCULE_WRITE_TRANSCRIPTS") != nullptr) std::ofstream(path) << played;
  EXPECT_EQ(played, text);
}

std::vector<std::string> stories() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(BASCULE_TRANSCRIPTS)) {
    if (entry.path().extension() == ".txt") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Stories, Transcript, testing::ValuesIn(stories()), [](const auto& one) { return one.param; });

}  // namespace
}  // namespace bascule::transition
