#include "runtime/units/units.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <mutex>
#include <utility>

#include "core/agents/ocf.h"
#include "core/agents/unit_action.h"
#include "runtime/process/worker.h"
#include "runtime/units/detail/units_on_bus.h"

namespace bascule::units {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr Duration bus_patience = milliseconds(500);  // for the reason of a timeout, when the bus may hang
constexpr Duration kill_patience = seconds(1);

}  // namespace

/// The thread that speaks with the bus. It may hang there for a while after everybody has left.
struct UnitsWorker {
  explicit UnitsWorker(asio::io_context& main_context) : main(&main_context) {}

  /// Speaks with the bus until leave().
  void run() {
    io.run();
    bus.reset();
  }
  /// Runs in the manager's thread, unless that has left.
  void post_back(std::function<void()> call) {
    const std::lock_guard lock(mutex);
    if (main != nullptr) asio::post(*main, std::move(call));
  }
  void leave() {
    {
      const std::lock_guard lock(mutex);
      main = nullptr;
    }
    asio::post(io, [this] {
      bus->close();
      work.reset();  // it ends when everything was let go of, in its order
    });
  }

  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(io);
  std::shared_ptr<UnitsOnBus> bus;
  std::mutex mutex;
  asio::io_context* main;
};

struct Units::State : std::enable_shared_from_this<Units::State> {
  State(asio::io_context& context, process::Log sink, std::string address)
      : io(context), log(std::move(sink)), bus(std::move(address)) {}

  struct Waiting {
    Done done;
    Clock::time_point began;
    asio::steady_timer timer;
  };

  /// Null when there is no thread to be had.
  UnitsWorker* use_worker();
  void expire(Action id);
  void end_soon(Action id, const agents::unit::Input& input, const std::string& otherwise);
  void finish(Action id, const Outcome& outcome);

  asio::io_context& io;
  process::Log log;
  std::string bus;
  std::shared_ptr<UnitsWorker> worker;
  std::map<Action, Waiting> waiting;
  Action last_action = 0;
};

UnitsWorker* Units::State::use_worker() {
  if (worker) return worker.get();
  auto made = std::make_shared<UnitsWorker>(io);
  const auto tell = [back = std::weak_ptr<UnitsWorker>(made), weak = weak_from_this()](const std::string& line) {
    if (const auto lives = back.lock())
      lives->post_back([weak, line] {
        if (const auto self = weak.lock(); self && self->log) self->log(line);
      });
  };
  made->bus = std::make_shared<UnitsOnBus>(made->io, tell, bus);
  made->bus->open();
  if (process::start_worker([made] { made->run(); })) worker = std::move(made);
  return worker.get();
}

void Units::State::finish(Action id, const Outcome& outcome) {
  auto node = waiting.extract(id);
  if (node.empty()) return;
  node.mapped().timer.cancel();
  node.mapped().done({outcome.return_code, outcome.reason, Clock::now() - node.mapped().began});
}

/// The machine knows the reason, if the bus lets it speak.
void Units::State::end_soon(Action id, const agents::unit::Input& input, const std::string& otherwise) {
  const auto found = waiting.find(id);
  if (found == waiting.end()) return;
  if (worker) asio::post(worker->io, [bus_side = worker->bus, id, input] { bus_side->tell(id, input); });
  found->second.timer.expires_after(bus_patience);
  found->second.timer.async_wait([weak = weak_from_this(), id, otherwise](const boost::system::error_code& error) {
    if (const auto self = weak.lock(); self && !error)
      self->finish(id, {agents::ocf::timed_out, otherwise + ": D-Bus does not answer", {}});
  });
}

void Units::State::expire(Action id) { end_soon(id, agents::unit::TimedOut{}, "timed out"); }

Units::Units(asio::io_context& io, process::Log log, std::string bus)
    : state_(std::make_shared<State>(io, std::move(log), std::move(bus))) {}

Units::~Units() {
  state_->waiting.clear();
  if (state_->worker) state_->worker->leave();
}

Units::Action Units::run(const std::string& unit, const std::string& operation, Duration timeout, Done done) {
  const Action id = ++state_->last_action;
  auto& one = state_->waiting.emplace(id, State::Waiting{std::move(done), Clock::now(), asio::steady_timer(state_->io)})
                  .first->second;
  const std::weak_ptr<State> weak = state_;
  one.timer.expires_after(timeout);
  one.timer.async_wait([weak, id](const boost::system::error_code& error) {
    if (const auto self = weak.lock(); self && !error) self->expire(id);
  });
  UnitsWorker* worker = state_->use_worker();
  if (worker == nullptr) return id;
  const auto back = [weak, id, lives = std::weak_ptr<UnitsWorker>(state_->worker)](const Outcome& outcome) {
    if (const auto thread = lives.lock())
      thread->post_back([weak, id, outcome] {
        if (const auto self = weak.lock()) self->finish(id, outcome);
      });
  };
  asio::post(worker->io, [bus = worker->bus, id, unit, operation, back] { bus->run(id, unit, operation, back); });
  return id;
}

void Units::cancel(Action action) { state_->end_soon(action, agents::unit::Cancelled{}, "cancelled"); }

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
  UnitsWorker* worker = state_->use_worker();
  if (worker == nullptr) return;
  const auto back = [finish, lives = std::weak_ptr<UnitsWorker>(state_->worker)] {
    if (const auto thread = lives.lock()) thread->post_back(finish);
  };
  asio::post(worker->io, [bus = worker->bus, unit, back] { bus->kill(unit, back); });
}

void Units::watch(const std::string& unit, std::function<void()> fell) {
  UnitsWorker* worker = state_->use_worker();
  if (worker == nullptr) return;
  const auto back = [fell = std::move(fell), lives = std::weak_ptr<UnitsWorker>(state_->worker)] {
    if (const auto thread = lives.lock()) thread->post_back(fell);
  };
  asio::post(worker->io, [bus = worker->bus, unit, back] { bus->watch(unit, back); });
}

}  // namespace bascule::units
