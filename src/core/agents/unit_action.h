#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

/// One action on a systemd unit as a pure state machine: what is asked of systemd's manager over D-Bus, and what its
/// answers and signals mean. The driver (runtime/units) has the bus and the clock.
namespace bascule::agents {

/// "nginx" is nginx.service; a name with another suffix that systemd knows is kept.
[[nodiscard]] std::string unit_of(const std::string& type);

namespace unit {

// What the driver tells.
struct Loaded {};  ///< LoadUnit was answered
/// Properties of the unit, read or signalled (PropertiesChanged).
struct Properties {
  std::string load_state;    ///< loaded, not-found, masked, error, bad-setting
  std::string active_state;  ///< active, reloading, inactive, failed, activating, deactivating, maintenance
  std::string sub_state;     ///< running, exited, dead, auto-restart ...
};
struct JobQueued {
  std::string job;  ///< StartUnit or StopUnit was answered with this path
};
struct JobRemoved {
  std::string job;
  std::string result;  ///< done, canceled, timeout, failed, dependency, skipped
};
/// A call was answered with an error.
struct Refused {
  std::string error;  ///< org.freedesktop.systemd1.NoSuchUnit
  std::string message;
};
struct BusBack {};  ///< the connection was lost and is there again: nothing that was asked is answered any more
struct TimedOut {};
struct Cancelled {};
using Input = std::variant<Loaded, Properties, JobQueued, JobRemoved, Refused, BusBack, TimedOut, Cancelled>;

// What the driver does.
struct Load {};   ///< LoadUnit, which also loads what nobody asked for yet
struct Read {};   ///< the three properties
struct Start {};  ///< StartUnit, mode "replace"
struct Stop {};   ///< StopUnit, mode "replace"
struct Done {
  int return_code = 0;  ///< an OCF code; -1: timed out or cancelled
  std::string reason;   ///< empty where all is well
};
using Effect = std::variant<Load, Read, Start, Stop, Done>;
using Effects = std::vector<Effect>;

}  // namespace unit

class UnitAction {
 public:
  /// `operation`: start, stop, monitor. `unit` is only for the texts.
  UnitAction(std::string operation, std::string unit);
  void begin(unit::Effects& effects);
  /// Total; after Done nothing has an effect.
  void step(const unit::Input& input, unit::Effects& effects);

 private:
  enum class State { New, Loading, Reading, Queueing, Waiting, Verifying, Settling, Done };
  void become(State next);
  void done(int code, const std::string& reason);
  void on(const unit::Loaded&);
  void on(const unit::Properties& properties);
  void on(const unit::JobQueued& queued);
  void on(const unit::JobRemoved& removed);
  void on(const unit::Refused& refused);
  void on(const unit::BusBack&);
  void on(const unit::TimedOut&);
  void on(const unit::Cancelled&);
  void decide();
  void judge();
  void judge_monitor();
  void judge_start();
  void judge_stop();
  void job_ended(const std::string& result);
  [[nodiscard]] int unusable() const;
  [[nodiscard]] std::string description() const;

  std::string operation_;
  std::string unit_;
  State state_ = State::New;
  unit::Properties properties_;
  std::string job_;
  std::map<std::string, std::string> removed_;  ///< jobs that ended before we were told that they are ours
  unit::Effects* effects_ = nullptr;
};

/// Whether the unit, once active, is no longer: a reason to look at once.
[[nodiscard]] bool fell_from_active(const std::string& active_state);

}  // namespace bascule::agents
