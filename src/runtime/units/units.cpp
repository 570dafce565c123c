#include "runtime/units/units.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <utility>
#include <vector>

#include "core/agents/ocf.h"
#include "core/agents/unit_action.h"
#include "runtime/units/detail/bus.h"

namespace bascule::units {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using Values = std::map<std::string, sdbus::Variant>;

constexpr const char* systemd = "org.freedesktop.systemd1";
constexpr const char* manager_path = "/org/freedesktop/systemd1";
constexpr const char* manager_interface = "org.freedesktop.systemd1.Manager";
constexpr const char* unit_interface = "org.freedesktop.systemd1.Unit";
constexpr const char* properties_interface = "org.freedesktop.DBus.Properties";
constexpr Duration reconnect_after = milliseconds(300);
constexpr Duration kill_patience = seconds(1);
constexpr int kill_signal = 9;

std::string text_in(const Values& values, const char* name, const std::string& before) {
  const auto found = values.find(name);
  return found != values.end() && found->second.containsValueOfType<std::string>() ? found->second.get<std::string>()
                                                                                   : before;
}

}  // namespace

/// Callbacks of the bus find it through weak pointers: it may be gone before they come.
struct Units::State : std::enable_shared_from_this<Units::State> {
  State(asio::io_context& context, process::Log sink, const std::string& address)
      : io(context), log(std::move(sink)), bus(context, address), retry(context) {}

  struct Running {
    std::string unit;
    agents::UnitAction machine;
    Done done;
    Clock::time_point began;
    std::unique_ptr<asio::steady_timer> timeout;
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
  void step(Action id, const agents::unit::Input& input);
  void carry_out(Action id, const agents::unit::Effect& effect);
  void end(Action id, const agents::unit::Done& done);
  void load(const std::string& unit, const Loaded& then);
  void loaded(const std::string& unit, const std::string& path);
  void read(const std::string& unit, Action id);
  void queue_job(const char* method, Action id);
  void properties_changed(const std::string& unit, const Values& values);
  void watch_units();
  [[nodiscard]] std::vector<Action> actions() const;

  asio::io_context& io;
  process::Log log;
  Bus bus;
  std::unique_ptr<sdbus::IProxy> manager;
  asio::steady_timer retry;
  std::map<std::string, Unit> units;
  std::map<Action, Running> running;
  Action last_action = 0;
  bool told_missing = false;
  bool closed = false;
};

std::vector<Units::Action> Units::State::actions() const {
  std::vector<Action> ids;
  for (const auto& [id, one] : running) ids.push_back(id);
  return ids;
}

bool Units::State::connect() {
  if (bus.is_open() || closed) return bus.is_open();
  if (const auto why = bus.open(); !why.empty()) return lost(why), false;
  manager = bus.proxy(systemd, manager_path);
  if (!manager) return false;
  listen_to_jobs();
  if (bus.is_open()) told_missing = false, watch_units();
  return bus.is_open();
}

void Units::State::listen_to_jobs() {
  bus.guarded([this] {
    const std::weak_ptr<State> weak = weak_from_this();
    manager->uponSignal("JobRemoved")
        .onInterface(manager_interface)
        .call([weak](std::uint32_t, const sdbus::ObjectPath& job, const std::string&, const std::string& result) {
          if (const auto self = weak.lock())
            for (const Action id : self->actions()) self->step(id, agents::unit::JobRemoved{job, result});
        });
    manager->finishRegistration();
    manager->callMethodAsync("Subscribe").onInterface(manager_interface).uponReplyInvoke([](const sdbus::Error*) {});
  });
}

/// Tells it once, and tries again while anybody waits for a unit or watches one.
void Units::State::lost(const std::string& why) {
  if (!told_missing && log) log("no D-Bus: " + why);
  told_missing = true;
  // Proxies may be in a callback of theirs.
  auto held = std::make_shared<std::vector<std::unique_ptr<sdbus::IProxy>>>();
  held->push_back(std::move(manager));
  for (auto& [name, unit] : units) held->push_back(std::move(unit.proxy));
  bus.close();
  asio::post(io, [held] { held->clear(); });
  if (closed || units.empty()) return;
  retry.expires_after(reconnect_after);
  retry.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    if (const auto self = weak.lock(); self && !error) self->reconnect();
  });
}

void Units::State::reconnect() {
  if (bus.is_open() || !connect()) return;
  for (const Action id : actions()) step(id, agents::unit::BusBack{});
}

void Units::State::begin(Action id) {
  const auto found = running.find(id);
  if (found == running.end()) return;
  agents::unit::Effects effects;
  found->second.machine.begin(effects);
  if (!connect()) return;  // begun when it is there
  for (const auto& effect : effects) carry_out(id, effect);
}

void Units::State::step(Action id, const agents::unit::Input& input) {
  const auto found = running.find(id);
  if (found == running.end()) return;
  agents::unit::Effects effects;
  found->second.machine.step(input, effects);
  for (const auto& effect : effects) carry_out(id, effect);
}

void Units::State::carry_out(Action id, const agents::unit::Effect& effect) {
  const auto found = running.find(id);
  if (found == running.end()) return;
  if (const auto* done = std::get_if<agents::unit::Done>(&effect)) return end(id, *done);
  const std::string unit = found->second.unit;
  if (std::holds_alternative<agents::unit::Load>(effect)) {
    load(unit, [this, id](const sdbus::Error* error) {
      if (error == nullptr) return step(id, agents::unit::Loaded{});
      step(id, agents::unit::Refused{error->getName(), error->getMessage()});
    });
  } else if (std::holds_alternative<agents::unit::Read>(effect)) {
    read(unit, id);
  } else {
    queue_job(std::holds_alternative<agents::unit::Start>(effect) ? "StartUnit" : "StopUnit", id);
  }
}

void Units::State::end(Action id, const agents::unit::Done& done) {
  auto node = running.extract(id);
  node.mapped().timeout->cancel();
  node.mapped().done({done.return_code, done.reason, Clock::now() - node.mapped().began});
}

/// LoadUnit answers with the unit's object also when there is no such file; its LoadState tells.
void Units::State::load(const std::string& unit, const Loaded& then) {
  bus.guarded([&] {
    manager->callMethodAsync("LoadUnit")
        .onInterface(manager_interface)
        .withArguments(unit)
        .uponReplyInvoke(
            [weak = weak_from_this(), unit, then](const sdbus::Error* error, const sdbus::ObjectPath& path) {
              const auto self = weak.lock();
              if (!self) return;
              if (error == nullptr) self->loaded(unit, path);
              then(error);
            });
  });
}

void Units::State::loaded(const std::string& unit, const std::string& path) {
  auto& known = units[unit];
  if (known.proxy) return;
  auto proxy = bus.proxy(systemd, path);
  if (!proxy) return;
  bus.guarded([&] {
    proxy->uponSignal("PropertiesChanged")
        .onInterface(properties_interface)
        .call([weak = weak_from_this(), unit](const std::string& interface, const Values& values,
                                              const std::vector<std::string>&) {
          if (const auto self = weak.lock(); self && interface == unit_interface)
            self->properties_changed(unit, values);
        });
    proxy->finishRegistration();
  });
  if (bus.is_open()) units[unit].proxy = std::move(proxy);
}

void Units::State::read(const std::string& unit, Action id) {
  const auto found = units.find(unit);
  if (found == units.end() || !found->second.proxy) return;
  bus.guarded([&] {
    found->second.proxy->callMethodAsync("GetAll")
        .onInterface(properties_interface)
        .withArguments(std::string(unit_interface))
        .uponReplyInvoke([weak = weak_from_this(), unit, id](const sdbus::Error* error, const Values& values) {
          const auto self = weak.lock();
          if (!self) return;
          if (error != nullptr) return self->step(id, agents::unit::Refused{error->getName(), error->getMessage()});
          self->properties_changed(unit, values);
        });
  });
}

void Units::State::queue_job(const char* method, Action id) {
  const std::string unit = running.at(id).unit;
  bus.guarded([&] {
    manager->callMethodAsync(method)
        .onInterface(manager_interface)
        .withArguments(unit, std::string("replace"))
        .uponReplyInvoke([weak = weak_from_this(), id](const sdbus::Error* error, const sdbus::ObjectPath& job) {
          const auto self = weak.lock();
          if (!self) return;
          if (error != nullptr) return self->step(id, agents::unit::Refused{error->getName(), error->getMessage()});
          self->step(id, agents::unit::JobQueued{job});
        });
  });
}

void Units::State::properties_changed(const std::string& unit, const Values& values) {
  auto& known = units[unit];
  auto& properties = known.properties;
  properties.load_state = text_in(values, "LoadState", properties.load_state);
  properties.active_state = text_in(values, "ActiveState", properties.active_state);
  properties.sub_state = text_in(values, "SubState", properties.sub_state);
  const agents::unit::Properties now = properties;
  const bool fell = known.was_active && agents::fell_from_active(now.active_state);
  known.was_active = !agents::fell_from_active(now.active_state);
  const auto watchers = fell ? known.watchers : std::vector<std::function<void()>>{};
  for (const Action id : actions())
    if (const auto one = running.find(id); one != running.end() && one->second.unit == unit) step(id, now);
  for (const auto& watcher : watchers) watcher();
}

void Units::State::watch_units() {
  std::vector<std::string> names;
  for (const auto& [name, unit] : units)
    if (!unit.proxy && !unit.watchers.empty()) names.push_back(name);
  for (const auto& name : names) load(name, [](const sdbus::Error*) {});
}

Units::Units(asio::io_context& io, process::Log log, std::string bus)
    : state_(std::make_shared<State>(io, std::move(log), bus)) {
  state_->bus.on_lost = [weak = std::weak_ptr<State>(state_)](const std::string& why) {
    if (const auto self = weak.lock()) self->lost(why);
  };
}

Units::~Units() {
  state_->closed = state_->told_missing = true;
  state_->retry.cancel();
  for (auto& [id, one] : state_->running) one.timeout->cancel();
  state_->running.clear();
  state_->lost("");
}

Units::Action Units::run(const std::string& unit, const std::string& operation, Duration timeout, Done done) {
  const Action id = ++state_->last_action;
  auto timer = std::make_unique<asio::steady_timer>(state_->io, timeout);
  timer->async_wait([weak = std::weak_ptr<State>(state_), id](const boost::system::error_code& error) {
    if (const auto self = weak.lock(); self && !error) self->step(id, agents::unit::TimedOut{});
  });
  (void)state_->units[unit];
  state_->running.emplace(
      id, State::Running{unit, agents::UnitAction(operation, unit), std::move(done), Clock::now(), std::move(timer)});
  asio::post(state_->io, [weak = std::weak_ptr<State>(state_), id] {
    if (const auto self = weak.lock()) self->begin(id);
  });
  return id;
}

void Units::cancel(Action action) {
  asio::post(state_->io, [weak = std::weak_ptr<State>(state_), action] {
    if (const auto self = weak.lock()) self->step(action, agents::unit::Cancelled{});
  });
}

void Units::kill(const std::string& unit, std::function<void()> done) {
  auto timer = std::make_shared<asio::steady_timer>(state_->io, kill_patience);
  auto once = std::make_shared<std::function<void()>>(std::move(done));
  const auto finish = [timer, once] {
    timer->cancel();
    if (const auto tell = std::exchange(*once, nullptr)) tell();
  };
  timer->async_wait([finish](const boost::system::error_code& error) {
    if (!error) finish();
  });
  if (!state_->connect()) return;
  state_->bus.guarded([&] {
    state_->manager->callMethodAsync("KillUnit")
        .onInterface(manager_interface)
        .withArguments(unit, std::string("all"), std::int32_t{kill_signal})
        .uponReplyInvoke([finish](const sdbus::Error*) { finish(); });
  });
}

void Units::watch(const std::string& unit, std::function<void()> fell) {
  state_->units[unit].watchers.push_back(std::move(fell));
  if (state_->bus.is_open()) state_->watch_units();
}

}  // namespace bascule::units
