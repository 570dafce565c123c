#include "core/manager/manager.h"

#include <algorithm>

#include "base/assert.h"
#include "core/manager/detail/state.h"

namespace bascule::manager {

namespace {

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

consensus::Config consensus_config(const config::ClusterConfig& config, const config::Node& self, std::uint64_t seed,
                                   bool joined) {
  consensus::Config result;
  result.id = self.id;
  for (const auto& node : config.nodes) {
    if (!joined) (node.votes() ? result.bootstrap.voters : result.bootstrap.learners).push_back(node.id);
    if (node.role == config::NodeRole::witness) result.leader_preference.push_back(node.id);
  }
  std::sort(result.bootstrap.voters.begin(), result.bootstrap.voters.end());
  std::sort(result.bootstrap.learners.begin(), result.bootstrap.learners.end());
  result.seed = seed;
  result.heartbeat = config.timing.heartbeat;
  result.election_min = config.timing.election_min;
  result.election_max = config.timing.election_max;
  return result;
}

}  // namespace

std::string runner_of_volume(const std::string& volume) { return "volume:" + volume; }

Manager::State::State(const config::ClusterConfig& config_in, const std::string& self_name, raft::Restored restored,
                      std::uint64_t seed, std::uint64_t told_index_in, Instant start, Startup startup)
    : config(config_in.of_managers()),
      whole(config_in),
      agreed_text(startup.file_text),
      file_text(std::move(startup.file_text)),
      own_node(*config.node(self_name)),
      is_newcomer(startup.joined && told_index_in == 0),
      prng(seed),
      incarnation(prng.next()),
      raft(consensus_config(config, *self, prng.next(), startup.joined), std::move(restored)),
      liveness(config, self_name, start),
      links(config, self_name, start),
      holder(self_name, incarnation, config.timing),
      granter(config.timing),
      told_index(told_index_in),
      next_heartbeat(start),
      plan_at(start),
      started_at(start),
      now(start) {
  begin_unfencing();
}

void Manager::State::dispatch(const Input& input) {
  std::visit(Overloaded{
                 [](const input::Tick&) {},
                 [&](const input::Received& in) {
                   if (!std::holds_alternative<message::Consensus>(in.message)) judge_hearing(in.from);
                   heard(in.from, in.link);
                   std::visit(Overloaded{
                                  [&](const message::Consensus& body) {
                                    if (auto decoded = raft::decode(body.body))
                                      step_consensus(consensus::MessageReceived{in.from, std::move(*decoded)});
                                    judge_hearing(in.from);
                                    if (in.from == raft.leadership().leader) speak_with_the_leader();
                                  },
                                  [&](const message::NodeReport& report) {
                                    if (deaf.contains(in.from)) return;
                                    std::vector<membership::LivenessEvent> events;
                                    if (liveness.report(report, now, events) == membership::News::changed)
                                      plan_dirty = true;
                                    tell(events);
                                    relations_may_have_changed();
                                  },
                                  [&](const message::LeaseRequest& request) {
                                    if (!deaf.contains(in.from)) lease_requested(request);
                                  },
                                  [&](const message::LeaseGrant& grant) { lease_granted(grant); },
                                  [&](const message::Forward& forward) { forwarded(in.from, forward); },
                                  [&](const message::ForwardReply& reply) { proposal_refused(reply); },
                                  [&](const message::Notice& notice) { hear(in.from, notice); },
                                  [&](const message::NoticeDone& done) { notice_answered(in.from, done.round); },
                                  [](const message::HistoryRequest&) {},  // the driver's: it keeps the story
                                  [](const message::HistoryReply&) {},
                              },
                              in.message);
                 },
                 [&](const input::LinkHeard& in) { heard(in.from, in.link); },
                 [&](const input::Persisted& in) { persisted(in.sequence); },
                 [&](const input::PersistFailed& in) { step_consensus(consensus::PersistFailed{in.reason}); },
                 [&](const input::VolumeChanged& in) { volume_changed(in); },
                 [&](const input::VolumeRefused& in) { tell_volume(in.volume, in.operation + ": " + in.why); },
                 [&](const input::VolumeStory& in) { story(in.kind, in.volume, in.text, in.fields); },
                 [&](const input::ForRunner& in) {
                   if (const auto* done = std::get_if<transition::input::ActionDone>(&in.input)) {
                     if (notice_ended(*done)) return;
                     action_ended(in.runner, *done);
                     if (is_told_later(in.runner, *done)) return;
                   }
                   for (auto& runner : runners)
                     if (runner.name == in.runner) step_runner(runner, in.input);
                 },
                 [&](const input::Machine& in) { machine_says(in); },
                 [&](const input::AgentAttribute& in) { agent_attribute(in); },
                 [&](const input::PrepareRestart&) { prepare_restart(); },
                 [&](const input::Change& in) { change(in); },
                 [&](const input::FenceAgentDone& in) { fence_agent_done(in); },
                 [&](const input::FenceAbilities& in) { fence_abilities(in); },
                 [&](const input::AgentSays& in) {
                   if (in.offers_notify)
                     notify.without.erase(in.agent);
                   else
                     notify.without.insert(in.agent);
                 },
             },
             input);
}

void Manager::State::run_due() {
  if (now >= raft.next_deadline()) {
    answer_lease_requests();
    step_consensus(consensus::Tick{});
    if (raft.leadership().leader == self->id) speak_with_the_leader();
  }
  if (!running || std::any_of(runners.begin(), runners.end(), [](const Runner& one) { return one.retiring; })) {
    running = true;
    reconcile_runners();
  }
  look_whether_caught_up();
  judge_after_adoption();
  follow_members();
  heartbeat_when_due();
  restart_when_ready();
  watch_presence();
  drive_fencing();
  tick_runners();
  begin_deferred();
  begin_notices();
  drive_rounds();
  tell_what_went_on();
  begin_notices();
  drive_rounds();
  age_maintenance();
  note_boot_when_due();
  watch_failures();
  propose_attributes();
  resend_questions();
  resend_proposals();
  plan_when_due();
}

Instant Manager::State::next_deadline() const {
  Instant deadline = std::min({raft.next_deadline(), next_heartbeat, liveness.next_deadline()});
  for (const auto& runner : runners) deadline = std::min(deadline, runner.machine->next_deadline());
  deadline = std::min(deadline, attributes_due());
  deadline = std::min(deadline, fencing_deadline());
  deadline = std::min(deadline, notify_deadline());
  if (!may_decide()) return deadline;
  deadline = std::min(deadline, plan_at);
  for (const auto& [scope, agreed] : store.state().maintenance)
    deadline = std::min(deadline, maintenance_due(scope, agreed));
  return deadline;
}

void Manager::State::story(const std::string& kind, const std::string& subject, const std::string& text,
                           std::map<std::string, std::string> fields) {
  message::Event event;
  event.sequence = ++story_sequence;
  event.node = self->name;
  event.at_ns = to_ns(now);
  event.kind = kind;
  event.subject = subject;
  event.text = text;
  event.fields = std::move(fields);
  out->push_back(effect::Story{std::move(event)});
}

Manager::Manager(const config::ClusterConfig& config, const std::string& self, raft::Restored restored,
                 std::uint64_t seed, std::uint64_t told_index, Instant now, Startup startup) {
  BASCULE_ASSERT(config.of_managers().node(self) != nullptr);
  state_ = std::make_unique<State>(config, self, std::move(restored), seed, told_index, now, std::move(startup));
}

Manager::~Manager() = default;

void Manager::step(const Input& input, Instant now, Effects& effects) {
  state_->now = std::max(now, state_->now);
  state_->note_standstill();
  state_->out = &effects;
  state_->dispatch(input);
  state_->run_due();
  state_->out = nullptr;
}

Instant Manager::next_deadline() const { return state_->next_deadline(); }

std::string Manager::status_json(Instant now) const {
  state_->now = std::max(now, state_->now);
  return state_->status_json();
}

std::string Manager::attributes_json() const { return state_->attributes_json(); }

const store::ClusterState& Manager::agreed() const { return state_->store.state(); }

}  // namespace bascule::manager
