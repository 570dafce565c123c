#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/agents/unit_action.h"
#include "runtime/units/detail/bus.h"
#include "runtime/units/units.h"

namespace bascule::units {

/// The side of Units that speaks with the bus, in a thread of its own: the library waits for the bus when it connects
/// and when it subscribes, for up to 25 s. Callbacks of the bus find it through weak pointers.
class UnitsOnBus : public std::enable_shared_from_this<UnitsOnBus> {
 public:
  using Action = Units::Action;
  using Done = Units::Done;
  UnitsOnBus(boost::asio::io_context& context, process::Log sink, const std::string& address)
      : io(context), log(std::move(sink)), bus(context, address), retry(context) {}

  /// After the object is in its shared_ptr.
  void open();
  void run(Action id, const std::string& unit, const std::string& operation, Done done);
  void tell(Action id, const agents::unit::Input& input) { step(id, input); }
  void kill(const std::string& unit, const std::function<void()>& done);
  void watch(const std::string& unit, std::function<void()> fell);
  void close();

 private:
  struct Running {
    std::string unit;
    agents::UnitAction machine;
    Done done;
  };
  struct Unit {
    std::unique_ptr<sdbus::IProxy> proxy;  ///< null: not loaded on this connection
    agents::unit::Properties properties;
    bool was_active = false;
    std::vector<std::function<void()>> watchers;
  };
  using Loaded = std::function<void(const sdbus::Error*)>;

  bool connect();
  void listen_to_jobs();
  void lost(const std::string& why);
  void reconnect();
  void begin(Action id);
  void refused(Action id, const sdbus::Error& error);
  void step(Action id, const agents::unit::Input& input);
  void carry_out(Action id, const agents::unit::Effect& effect);
  void end(Action id, const agents::unit::Done& done);
  void load(const std::string& unit, const Loaded& then);
  void loaded(const std::string& unit, const std::string& path);
  void read(const std::string& unit, Action id);
  void queue_job(const char* method, Action id);
  void properties_changed(const std::string& unit, const std::map<std::string, sdbus::Variant>& values);
  void watch_units();
  [[nodiscard]] std::vector<Action> actions() const;

  boost::asio::io_context& io;
  process::Log log;
  Bus bus;
  std::unique_ptr<sdbus::IProxy> manager;
  boost::asio::steady_timer retry;
  std::map<std::string, Unit> units;
  std::map<Action, Running> running;
  Action last_action = 0;
  bool told_missing = false;
  bool closed = false;
};

}  // namespace bascule::units
