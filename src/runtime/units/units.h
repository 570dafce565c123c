#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/time.h"
#include "runtime/process/log.h"

namespace bascule::units {

struct Outcome {
  int return_code = 0;  ///< an OCF code; -1: timed out or cancelled
  std::string reason;
  Duration took{};
};

/// systemd's units over D-Bus (core/agents/unit_action.h says what is asked and what it means). It connects when it is
/// first needed, so a machine without a bus is no error until a unit is asked for, and again when the connection is
/// lost: what is under way then begins again. Called from, and answering in, the io_context's thread; the bus has its
/// own.
class Units {
 public:
  using Done = std::function<void(const Outcome&)>;
  using Action = std::uint64_t;

  /// `bus` empty: the system bus, as DBUS_SYSTEM_BUS_ADDRESS or the usual socket says.
  Units(boost::asio::io_context& io, process::Log log, std::string bus = {});
  ~Units();
  Units(const Units&) = delete;
  Units& operator=(const Units&) = delete;

  /// start, stop or monitor; `done` is called once, from the io_context, at the latest when the time is over.
  Action run(const std::string& unit, const std::string& operation, Duration timeout, Done done);
  /// Ends with -1; what systemd was asked for it goes on with.
  void cancel(Action action);
  /// SIGKILL to every process of the unit; `done` when systemd has answered, or after a second.
  void kill(const std::string& unit, std::function<void()> done);
  /// `fell` is called whenever the unit was active and is no more: a hint. Asked for once per unit and listener.
  void watch(const std::string& unit, std::function<void()> fell);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace bascule::units
