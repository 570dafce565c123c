#include "core/replication/engine.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/replication/detail/machines.h"

namespace bascule::replication {

using namespace detail;  // NOLINT: the engine is made of nothing else

/// The machines, and the order in which they are asked to go on.
struct Engine::State : Machines {
  using Machines::Machines;
};

Engine::Engine(const Config& config, std::optional<Restored> restored, Instant now)
    : state_(new State(config, restored, now)) {}
Engine::~Engine() { delete state_; }
Engine::Engine(Engine&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
Engine& Engine::operator=(Engine&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

void Engine::step(const Input& input, Instant now, Effects& effects) { state_->step(input, now, effects); }
Instant Engine::next_deadline() const { return state_->next_deadline(); }
Status Engine::status() const { return state_->status(); }
const Bitmap& Engine::bitmap() const { return state_->bitmap(); }

}  // namespace bascule::replication
