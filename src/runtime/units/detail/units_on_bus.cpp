#include "runtime/units/detail/units_on_bus.h"

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <utility>

namespace bascule::units {
namespace {

namespace asio = boost::asio;
using Values = std::map<std::string, sdbus::Variant>;

constexpr const char* systemd = "org.freedesktop.systemd1";
constexpr const char* manager_path = "/org/freedesktop/systemd1";
constexpr const char* manager_interface = "org.freedesktop.systemd1.Manager";
constexpr const char* unit_interface = "org.freedesktop.systemd1.Unit";
constexpr const char* properties_interface = "org.freedesktop.DBus.Properties";
constexpr Duration reconnect_after = milliseconds(300);
constexpr int kill_signal = 9;

/// Nobody was asked, because the bus or systemd is away or does not answer: that says nothing about a unit.
bool is_unanswered(const sdbus::Error& error) {
  static constexpr std::array names = {"org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Disconnected",
                                       "org.freedesktop.DBus.Error.ServiceUnknown",
                                       "org.freedesktop.DBus.Error.NameHasNoOwner"};
  return std::find(names.begin(), names.end(), error.getName()) != names.end();
}

std::string text_in(const Values& values, const char* name, const std::string& before) {
  const auto found = values.find(name);
  return found != values.end() && found->second.containsValueOfType<std::string>() ? found->second.get<std::string>()
                                                                                   : before;
}

}  // namespace

std::vector<Units::Action> UnitsOnBus::actions() const {
  std::vector<Action> ids;
  for (const auto& [id, one] : running) ids.push_back(id);
  return ids;
}

bool UnitsOnBus::connect() {
  if (bus.is_open() || closed) return bus.is_open();
  if (const auto why = bus.open(); !why.empty()) return lost(why), false;
  manager = bus.proxy(systemd, manager_path);
  if (!manager) return false;
  listen_to_jobs();
  if (bus.is_open()) told_missing = false, watch_units();
  return bus.is_open();
}

void UnitsOnBus::listen_to_jobs() {
  bus.guarded([this] {
    const std::weak_ptr<UnitsOnBus> weak = weak_from_this();
    manager->uponSignal("JobRemoved")
        .onInterface(manager_interface)
        .call([weak](std::uint32_t, const sdbus::ObjectPath& job, const std::string&, const std::string& result) {
          if (const auto self = weak.lock())
            for (const Action id : self->actions()) self->step(id, agents::unit::JobRemoved{job, result});
        });
    manager->finishRegistration();
    manager->callMethodAsync("Subscribe")
        .onInterface(manager_interface)
        .uponReplyInvoke([weak](const sdbus::Error* error) {
          if (const auto self = weak.lock(); self && error != nullptr && is_unanswered(*error))
            self->lost(error->getMessage());
        });
  });
}

/// Tells it once, and tries again while anybody waits for a unit or watches one.
void UnitsOnBus::lost(const std::string& why) {
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

/// Whoever connects lets all begin again: what was asked on the connection before is not answered any more.
void UnitsOnBus::reconnect() {
  if (bus.is_open() || !connect()) return;
  for (const Action id : actions()) step(id, agents::unit::BusBack{});
}

void UnitsOnBus::begin(Action id) {
  const auto found = running.find(id);
  if (found == running.end()) return;
  agents::unit::Effects effects;
  found->second.machine.begin(effects);
  if (!bus.is_open()) return reconnect();  // it begins with all others, now or when the bus is there
  for (const auto& effect : effects) carry_out(id, effect);
}

void UnitsOnBus::step(Action id, const agents::unit::Input& input) {
  const auto found = running.find(id);
  if (found == running.end()) return;
  agents::unit::Effects effects;
  found->second.machine.step(input, effects);
  for (const auto& effect : effects) carry_out(id, effect);
}

void UnitsOnBus::refused(Action id, const sdbus::Error& error) {
  if (is_unanswered(error)) return lost(error.getMessage());
  step(id, agents::unit::Refused{error.getName(), error.getMessage()});
}

void UnitsOnBus::carry_out(Action id, const agents::unit::Effect& effect) {
  const auto found = running.find(id);
  if (found == running.end()) return;
  if (const auto* done = std::get_if<agents::unit::Done>(&effect)) return end(id, *done);
  const std::string unit = found->second.unit;
  if (std::holds_alternative<agents::unit::Load>(effect)) {
    load(unit, [this, id](const sdbus::Error* error) {
      if (error == nullptr) return step(id, agents::unit::Loaded{});
      refused(id, *error);
    });
  } else if (std::holds_alternative<agents::unit::Read>(effect)) {
    read(unit, id);
  } else {
    queue_job(std::holds_alternative<agents::unit::Start>(effect) ? "StartUnit" : "StopUnit", id);
  }
}

void UnitsOnBus::end(Action id, const agents::unit::Done& done) {
  auto node = running.extract(id);
  node.mapped().done({done.return_code, done.reason, {}});
}

/// LoadUnit answers with the unit's object also when there is no such file; its LoadState tells.
void UnitsOnBus::load(const std::string& unit, const Loaded& then) {
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

void UnitsOnBus::loaded(const std::string& unit, const std::string& path) {
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

void UnitsOnBus::read(const std::string& unit, Action id) {
  const auto found = units.find(unit);
  if (found == units.end() || !found->second.proxy) return;
  bus.guarded([&] {
    found->second.proxy->callMethodAsync("GetAll")
        .onInterface(properties_interface)
        .withArguments(std::string(unit_interface))
        .uponReplyInvoke([weak = weak_from_this(), unit, id](const sdbus::Error* error, const Values& values) {
          const auto self = weak.lock();
          if (!self) return;
          if (error != nullptr) return self->refused(id, *error);
          self->properties_changed(unit, values);
        });
  });
}

void UnitsOnBus::queue_job(const char* method, Action id) {
  const std::string unit = running.at(id).unit;
  bus.guarded([&] {
    manager->callMethodAsync(method)
        .onInterface(manager_interface)
        .withArguments(unit, std::string("replace"))
        .uponReplyInvoke([weak = weak_from_this(), id](const sdbus::Error* error, const sdbus::ObjectPath& job) {
          const auto self = weak.lock();
          if (!self) return;
          if (error != nullptr) return self->refused(id, *error);
          self->step(id, agents::unit::JobQueued{job});
        });
  });
}

void UnitsOnBus::properties_changed(const std::string& unit, const Values& values) {
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

void UnitsOnBus::watch_units() {
  std::vector<std::string> names;
  for (const auto& [name, unit] : units)
    if (!unit.proxy && !unit.watchers.empty()) names.push_back(name);
  for (const auto& name : names)
    load(name, [this](const sdbus::Error* error) {
      if (error != nullptr && is_unanswered(*error)) lost(error->getMessage());
    });
}

void UnitsOnBus::open() {
  bus.on_lost = [weak = weak_from_this()](const std::string& why) {
    if (const auto self = weak.lock()) self->lost(why);
  };
}

void UnitsOnBus::close() {
  closed = told_missing = true;
  retry.cancel();
  running.clear();
  lost("");
}

void UnitsOnBus::run(Action id, const std::string& unit, const std::string& operation, Done done) {
  (void)units[unit];
  running.emplace(id, Running{unit, agents::UnitAction(operation, unit), std::move(done)});
  begin(id);
}

void UnitsOnBus::kill(const std::string& unit, const std::function<void()>& done) {
  reconnect();
  bus.guarded([&] {
    manager->callMethodAsync("KillUnit")
        .onInterface(manager_interface)
        .withArguments(unit, std::string("all"), std::int32_t{kill_signal})
        .uponReplyInvoke([done](const sdbus::Error*) { done(); });
  });
}

void UnitsOnBus::watch(const std::string& unit, std::function<void()> fell) {
  units[unit].watchers.push_back(std::move(fell));
  if (bus.is_open()) watch_units();
}

}  // namespace bascule::units
