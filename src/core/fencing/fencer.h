#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/prng.h"
#include "base/time.h"
#include "core/fencing/metadata.h"
#include "wire/cluster_config/config.h"

/// One fencing of one node, as a pure machine. README.md has the drawing.
namespace bascule::fencing {

enum class State {
  Waiting,       ///< the delay before the first action
  SwitchingOff,  ///< `off` (or the agent's own `reboot`) of the devices of a level, one after the other
  Verifying,     ///< `status` has to say off
  SwitchingOn,   ///< the node is proven to be off; what happens to it now changes nothing about that
  Proven,
  Failed,
  Cancelled,
};
[[nodiscard]] const char* text(State state);

namespace input {
struct Tick {};
/// How a RunAgent ended. `code`: the agent's, or less than 0 when it was killed or could not be run.
struct AgentDone {
  std::uint64_t run = 0;
  int code = 0;
  std::string output;  ///< its last line of errors, for people
};
/// Nobody wants it any more. Only heeded before the first action: a node is never left half switched off.
struct Cancel {
  std::string why;
};
}  // namespace input
using Input = std::variant<input::Tick, input::AgentDone, input::Cancel>;

namespace effect {
/// Answered by exactly one AgentDone, also when the time is over and it was killed.
struct RunAgent {
  std::uint64_t run = 0;
  std::string device, agent, action;
  std::string input;  ///< for its stdin
  Duration timeout{};
};
/// The node was off at some moment after `since`, the start of the agent that told so. Told once; Ended follows.
struct ProvenOff {
  Instant since{};
  std::string how;  ///< "pdu-a off, pdu-b off"
  Duration took{};
};
struct Ended {
  State state = State::Failed;  ///< Proven, Failed or Cancelled
  std::string how;              ///< "pdu-a off, pdu-b off"
  std::string text;             ///< a sentence
  Duration took{};
};
}  // namespace effect
using Effect = std::variant<effect::RunAgent, effect::ProvenOff, effect::Ended>;
using Effects = std::vector<Effect>;

struct Order {
  std::string node;
  /// Devices of that node by level (ClusterConfig::fences_of).
  std::vector<config::FenceDevice> devices;
  std::map<std::string, Abilities> abilities;  ///< by agent; who is missing is taken to know all
  Duration head_start{};                       ///< of the other side, if both may be shooting
  std::uint64_t seed = 0;
};

/// The lines that an agent reads. Our own come last: the last one of a name counts.
[[nodiscard]] std::string agent_input(const config::FenceDevice& device, const std::string& node,
                                      const std::string& action);

class Fencer {
 public:
  /// `order.devices` is not empty. Step it with Tick at once.
  Fencer(Order order, Instant now);

  /// Total: every input in every state.
  void step(const Input& input, Instant now, Effects& effects);
  [[nodiscard]] Instant next_deadline() const;
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool ended() const { return state_ >= State::Proven; }
  /// An agent ran, or runs: it can no longer be cancelled.
  [[nodiscard]] bool shooting() const { return state_ != State::Waiting && !ended(); }

 private:
  void become(State next);
  void on(const input::Tick&, Effects& effects);
  void on(const input::AgentDone& done, Effects& effects);
  void on(const input::Cancel& cancel, Effects& effects);
  void begin_level(Effects& effects);
  void next_device(Effects& effects);
  void run(State state, const std::string& action, Effects& effects);
  void switched_off(const input::AgentDone& done, Effects& effects);
  void verified(const input::AgentDone& done, Effects& effects);
  void failed_attempt(const std::string& why, Effects& effects);
  void device_is_off(Effects& effects);
  void next_level(Effects& effects);
  void switch_on_next(Effects& effects);
  void end(State state, std::string text, Effects& effects);
  [[nodiscard]] bool reboots_by_itself(const config::FenceDevice& device) const;
  [[nodiscard]] bool knows(const config::FenceDevice& device, const char* action) const;
  [[nodiscard]] const config::FenceDevice& device() const { return level_[device_]; }

  Order order_;
  State state_ = State::Waiting;
  Instant began_{};
  Instant begin_at_{};  ///< of the first action
  Instant run_at_{};    ///< when the agent under way was started
  Instant now_{};
  std::uint32_t level_number_ = 0;
  std::vector<config::FenceDevice> level_;  ///< the devices of the level under way
  std::size_t device_ = 0;
  std::uint32_t attempt_ = 0;
  std::string action_;
  std::uint64_t run_ = 0;  ///< the agent that runs; 0: none
  std::optional<Instant> retry_at_;
  std::string how_, last_trouble_;
};

}  // namespace bascule::fencing
