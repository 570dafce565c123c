#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/prng.h"
#include "core/consensus/raft.h"
#include "core/manager/detail/fence_state.h"
#include "core/manager/detail/notify_state.h"
#include "core/manager/manager.h"
#include "core/membership/lease_granter.h"
#include "core/membership/lease_holder.h"
#include "core/membership/links.h"
#include "core/membership/liveness.h"
#include "core/ownership/plan.h"
#include "core/reconfiguration/change_plan.h"
#include "core/store/store.h"
#include "core/transition/service_runner.h"

namespace bascule::manager {

/// Everything a manager knows, and the step under way. The parts (the .cpp files beside this one) are the member
/// functions by subject; each says what it is responsible for.
struct Manager::State {
  State(const config::ClusterConfig& config_in, const std::string& self, raft::Restored restored, std::uint64_t seed,
        std::uint64_t told_index_in, Instant now, Startup startup);

  // ---- consensus_part: the log, and what is applied from it --------------------------------------------------------
  void step_consensus(const consensus::Input& input);
  void carry_out(consensus::Effect& effect);
  void send_to(std::uint32_t to, message::Message message);
  void send_when_durable(consensus::Send& send);
  void persisted(std::uint64_t sequence);
  void apply(const consensus::Apply& entry);
  void restore(const consensus::RestoreSnapshot& snapshot);
  void leader_changed(const consensus::LeaderChanged& change);
  void applied_state_changed();
  void compact_when_long();
  [[nodiscard]] bool is_leader() const;
  /// Leader, and certainly no other one: it may answer leases and decide.
  [[nodiscard]] bool may_decide() const;

  // ---- proposals: commands on their way into the log ---------------------------------------------------------------
  struct Pending {
    message::Proposal proposal;
    std::optional<RequestId> request;  ///< a person waits for it
    bool decision = false;             ///< of this leader's policy: proposed once, never sent again
    std::string lost;                  ///< a takeover from this node is under way
    Instant next_send{};
    Instant give_up{};
  };
  struct Asked {
    input::Change change;
    Instant ask_again{};
    Instant give_up{};
  };
  void change(const input::Change& change);
  void ask_for_currentness(std::uint64_t id, Asked& asked);
  void current_for(std::uint64_t id);
  void judge(const input::Change& change);
  void resend_questions();
  void propose(message::Command command);
  void propose(std::uint64_t id, message::Command command);
  void submit(Pending pending);
  void send_proposal(Pending& pending);
  void resend_proposals();
  void forwarded(std::uint32_t from, const message::Forward& forward);
  void proposal_refused(const message::ForwardReply& reply);
  void proposal_done(const consensus::ProposalDone& done);
  void proposal_applied(const message::Proposal& proposal, const store::Applied& applied);
  void forget(std::map<std::uint64_t, Pending>::iterator pending);

  // ---- lease_part: leases, reports, who is there -------------------------------------------------------------------
  void heartbeat_when_due();
  void ask_for_lease_when_due();
  void speak_with_the_leader();
  void report_soon();
  void send_report();
  bool report_is_for_all();
  void note_standstill();
  void judge_hearing(std::uint32_t node);
  void ask_for_lease(const message::LeaseRequest& request);
  void lease_requested(const message::LeaseRequest& request);
  void answer_lease_requests();
  void answer_lease_request(const message::LeaseRequest& request, Instant received_at);
  void lease_granted(const message::LeaseGrant& grant);
  void release_idle_leases();
  void release_lease(const std::string& slot, std::uint64_t epoch);
  void heard(std::uint32_t from, std::size_t link);
  void watch_presence();
  void tell(const std::vector<membership::LivenessEvent>& events);

  // ---- restart_part: this manager is restarted on purpose
  // --------------------------------------------------------------
  struct Restart {
    std::uint64_t proposal = 0;  ///< the last one
    Instant ask_again{};
    bool agreed = false;              ///< it was applied: longer leases may be taken
    Instant give_up_leading = never;  ///< no longer than that for another leader
    bool ready = false;
  };
  void prepare_restart();
  void restart_proposal_applied(const message::Proposal& proposal, bool accepted);
  void restart_when_ready();
  void end_restart_leases();
  [[nodiscard]] const store::NodeState& own_state() const;
  [[nodiscard]] bool leases_outlast_a_restart() const;
  [[nodiscard]] bool another_leads();

  // ---- policy_part: the leader's decisions -------------------------------------------------------------------------
  void plan_when_due();
  [[nodiscard]] ownership::Snapshot observed() const;
  [[nodiscard]] ownership::Plan make_plan() const;
  [[nodiscard]] std::map<std::string, ownership::NodeView> node_views() const;
  void decide(const ownership::Snapshot& snapshot, const ownership::Plan& plan);
  void keep_decision(const ownership::Snapshot& snapshot, const ownership::Plan& plan);
  void tell_lease_ends();

  // ---- maintenance_part: its time -----------------------------------------------------------------------------------
  struct SeenMaintenance {
    std::uint64_t version = 0;
    Instant since{};  ///< since when that version is known here
    Instant ask_again{};
  };
  void note_maintenance();
  void age_maintenance();
  [[nodiscard]] Instant maintenance_due(const std::string& scope, const store::Maintenance& agreed) const;
  /// How much of it is left; nothing: it has no end.
  [[nodiscard]] std::optional<Duration> maintenance_left(const std::string& scope) const;

  // ---- runner_part: the services' machines -------------------------------------------------------------------------
  struct Runner {
    std::string name;  ///< of the service, or runner_of_volume()
    config::Service definition;
    bool retiring = false;  ///< to be stopped as it was defined: its definition is another one by now, or gone
    std::optional<std::string> volume;
    bool by_hand = false;   ///< of a volume held by hand
    config::Timing timing;  ///< that the machine goes by
    std::unique_ptr<transition::ServiceRunner> machine;
    transition::input::Ownership told;
    bool ever_told = false;                  ///< of its ownership; before that it only probes
    transition::input::Lease lease;          ///< the last one that it was told of
    [[nodiscard]] std::string slot() const;  ///< the lease it runs under
  };
  void reconcile_runners();
  void reconcile_service(const std::string& name);
  void reconcile_volume_runners();
  void define(Runner& runner, const config::Service& definition);
  [[nodiscard]] Runner& add_runner(const config::Service& definition, bool by_hand);
  void close_runner(const std::string& name);
  [[nodiscard]] Runner* find_runner(const std::string& name);
  [[nodiscard]] bool is_idle(const Runner& runner) const;
  [[nodiscard]] const config::Service* definition_that_runs(const std::string& service);
  void keep_volumes_of_runners();
  void step_runner(Runner& runner, const transition::Input& input);
  void carry_out(Runner& runner, transition::Effect& effect);
  void tell_ownership();
  void note_currentness(std::uint64_t leader_applied_index);
  [[nodiscard]] transition::input::Ownership ownership_of(const Runner& runner) const;
  void tell_volume(const std::string& volume, const std::string& refusal);
  void tick_runners();

  // ---- relations_part: services that come after others --------------------------------------------------------------
  void with_present_view(const std::function<void(const ownership::Snapshot&)>& look) const;
  [[nodiscard]] bool has_relations() const;
  void add_relations(const Runner& runner, transition::input::Ownership& ownership) const;
  void relations_may_have_changed();
  void tell_what_went_on();
  [[nodiscard]] bool keeps_without_quorum(const std::string& lease) const;

  // ---- role_part: a promotable copy and its Promoted role
  // ------------------------------------------------------------
  struct Deferred {
    std::string runner;
    transition::effect::RunAction action;
  };
  [[nodiscard]] Runner* partner_of(const Runner& runner);
  [[nodiscard]] bool action_has_to_wait(const Runner& runner, const std::string& operation);
  void begin_action(Runner& runner, const transition::effect::RunAction& action);
  void action_ended(const std::string& name, const transition::input::ActionDone& done);
  void cancel_deferred(const std::string& runner);
  void forget_actions(const std::string& runner);
  void begin_deferred();
  void kill_cgroup(Runner& runner);
  void run_action(const Runner& runner, const transition::effect::RunAction& action);
  [[nodiscard]] bool is_busy(const Runner& runner);

  // ---- notify_part: operations of copies here, which the copies everywhere hear of ---------------------------------
  [[nodiscard]] bool is_notified(const Runner& runner, const transition::effect::RunAction& action) const;
  [[nodiscard]] bool has_lease(const Runner& runner) const;
  [[nodiscard]] bool is_in_a_hurry(const Runner& runner, const std::string& operation) const;
  [[nodiscard]] message::Notice notice_about(const Runner& runner, const transition::effect::RunAction& action) const;
  void begin_round(const Runner& runner, const transition::effect::RunAction& action);
  void announce(std::size_t index, const std::string& type);
  [[nodiscard]] bool is_away(const std::string& node) const;
  void notice_answered(std::uint32_t from, std::uint64_t number);
  bool is_told_later(const std::string& name, const transition::input::ActionDone& done);
  void look_after(NotifyRound& round);
  bool go_on(std::size_t index);
  bool begin_when_all_have_heard(Runner& runner, std::size_t index);
  void drive_rounds();
  void cut_rounds_short(const std::string& runner);
  void tell_gone(const config::Service& service, const std::string& node);
  void tell_copies_of_lost(const std::string& node);
  [[nodiscard]] Instant notify_deadline() const;

  // ---- notice_part: what copies here hear, and what is told of one ------------------------------------------------
  [[nodiscard]] const config::Step* step_of(const message::Notice& notice) const;
  [[nodiscard]] bool can_hear(const Runner& runner, const std::string& step_name) const;
  [[nodiscard]] bool is_there_on(const std::string& node, const std::string& service, const std::string& step) const;
  [[nodiscard]] message::Notice notice_of(const std::string& written, const std::string& step,
                                          const std::string& operation, const std::string& node,
                                          const std::string& acting) const;
  void hear(std::uint32_t from, const message::Notice& notice);
  void answer(std::uint32_t from, std::uint64_t round);
  void begin_notices();
  void begin_notice(Runner& runner, HeardNotice& heard);
  bool notice_ended(const transition::input::ActionDone& done);
  void forget_notices(const std::string& runner);

  // ---- failure_part: failures that fade, and what goes with a boot -------------------------------------------------
  struct SeenFailure {
    std::uint64_t version = 0;
    Instant since{};  ///< when this manager learnt of it: on its own clock
    Instant ask_again{};
  };
  void machine_says(const input::Machine& machine);
  void note_boot_when_due();
  void watch_failures();
  void propose_fading(const config::Service& service, const std::string& node, SeenFailure& seen);
  /// When the failures of the service on the node fade, as far as this manager can tell; never: they do not.
  [[nodiscard]] Instant fades_at(const config::Service& service, const std::string& node) const;
  [[nodiscard]] std::uint64_t wall_now_ms() const;

  // ---- attribute_part: what agents set -----------------------------------------------------------------------------
  struct AttributeUpdate {
    std::optional<std::string> value;
    Instant due{};               ///< never: it is on its way
    std::uint64_t proposal = 0;  ///< 0: not proposed
  };
  void agent_attribute(const input::AgentAttribute& set);
  void propose_attributes();
  void propose_attributes_of(const std::string& node);
  void retry_lost_attributes();
  void attributes_applied(std::uint64_t proposal);
  [[nodiscard]] Instant attributes_due() const;
  [[nodiscard]] std::string attributes_json() const;

  // ---- volume_part: what blockd is told and asks for ---------------------------------------------------------------
  struct Volume {
    bool connected = false;
    VolumeState state;
    std::string promoted_by;         ///< the runner that the promotion belongs to
    std::uint64_t told_version = 0;  ///< of the in-sync set
    bool told = false;
    std::uint64_t asked_version = 0;  ///< a change of the set was proposed against this version
    Instant ask_again{};
  };
  void volume_changed(const input::VolumeChanged& changed);
  void tell_in_sync();
  void ask_in_sync_change(const std::string& name, Volume& volume);
  void vouch_when_possible();
  [[nodiscard]] bool may_vouch(const Volume& volume, const store::VolumeState& agreed) const;
  [[nodiscard]] bool nobody_has_data(const std::string& volume) const;
  void promote(Runner& runner, const transition::effect::PromoteVolume& promote);
  [[nodiscard]] std::string promoted_by(const std::string& volume) const;
  void peer_lost(const std::string& node);

  // ---- configuration_part: the agreed configuration
  // ------------------------------------------------------------------
  void follow_configuration();
  void look_whether_caught_up();
  void reconfigure(std::uint64_t version, const std::string& text, const config::ClusterConfig& whole_config);
  void tell_links();
  [[nodiscard]] const config::ClusterConfig* configuration_at(std::uint64_t version);
  void judge_configuration(const input::Change& change);
  void judge_after_adoption();
  [[nodiscard]] Result<reconfiguration::ChangePlan> plan_configuration(const std::string& text) const;
  /// A node that is configured, or still on its way out; null for others.
  [[nodiscard]] const config::Node* linked_node(std::uint32_t id) const;

  // ---- members_part: who takes part in the decisions
  // -----------------------------------------------------------------
  std::set<raft::ServerId> nodes_away() const;
  void follow_members();
  void members_changed(const consensus::ConfigurationChanged& change);

  // ---- fence_part: fencing, in any cluster --------------------------------------------------------------------------
  void drive_fencing();
  [[nodiscard]] Instant fencing_deadline() const;
  void begin_fencing(const std::string& node, Fencing fencing, Duration head_start);
  void step_fencer(const std::string& node, const fencing::Input& input);
  void proven_off(const std::string& node, const fencing::effect::ProvenOff& proof);
  void fencing_ended(const std::string& node, const fencing::effect::Ended& ended);
  void fence_agent_done(const input::FenceAgentDone& in);
  void fence_abilities(const input::FenceAbilities& in);
  void fencing_command_applied(const message::Command& command, bool accepted);
  void follow_fencing_orders();
  void close_abandoned(const std::string& node, const store::FencingOrder& order);
  void fence_after_takeover(const std::string& node);
  void fence_for_failures();
  [[nodiscard]] bool may_order_fencing(const std::string& node) const;
  [[nodiscard]] bool fencing_is_suspended(const std::string& service, const std::string& node) const;
  void follow_fence_devices(const config::ClusterConfig& before);
  void record(message::Command command);
  void record_when_possible();
  [[nodiscard]] bool has_unrecorded(std::uint64_t order) const;
  [[nodiscard]] std::string executor_for(const std::string& node) const;
  void begin_unfencing();
  void run_unfencing();
  void unfenced_by_all();
  void unfencing_done(const std::string& device, const fencing::input::AgentDone& done);
  [[nodiscard]] bool unfenced() const { return fence.may_start; }

  // ---- fence_by_hand: what people ask of it ------------------------------------------------------------------------
  void fence_by_hand(const input::Change& change);
  void fence_asked(const input::Change& change, const message::FenceByHand& order);
  void answer_fence(RequestId request, const std::string& refusal);
  void begin_trial(const input::Change& change, const message::FenceByHand& order);
  void next_trial();
  void trial_done(const fencing::input::AgentDone& done);
  void off_by_hand(const input::Change& change, const message::FenceByHand& order);
  void confirm_with_majority(const std::string& node, const std::string& how);
  void fencing_json(nlohmann::ordered_json& status) const;

  // ---- two_nodes_part: two nodes without a witness -----------------------------------------------------------------
  /// Of exactly two voters in force, of which this node is one; null otherwise.
  [[nodiscard]] const config::Node* the_other() const;
  void drive_two_nodes();
  void become_current();
  void fence_the_other(const config::Node& other);
  [[nodiscard]] bool may_be_fenced(const config::Node& other);
  void go_on_without(const std::string& node, Instant since, bool told, const std::string& how);
  void reform_done(const consensus::ProposalDone& done);
  void lead_alone();
  [[nodiscard]] std::size_t holdings(const std::string& node) const;

  // ---- the story ---------------------------------------------------------------------------------------------------
  void story(const std::string& kind, const std::string& subject, const std::string& text,
             std::map<std::string, std::string> fields = {});

  void dispatch(const Input& input);
  void run_due();
  [[nodiscard]] Instant next_deadline() const;
  [[nodiscard]] std::string status_json() const;

  config::ClusterConfig config;           ///< of the managers
  config::ClusterConfig whole;            ///< with the peers and the operator's volumes
  std::string agreed_text;                ///< of both
  std::string file_text;                  ///< what the file said at the start
  bool file_differs = false;              ///< then, from what is agreed
  std::optional<std::uint64_t> followed;  ///< the version that `config` is; nothing: the file's
  std::map<std::uint64_t, std::optional<config::ClusterConfig>> earlier;  ///< read from the history when asked for
  std::vector<config::Node> leaving;  ///< not configured any more, but a member until the others have agreed to it
  config::Node own_node;
  const config::Node* self = &own_node;
  bool is_configured = true;  ///< this node is in `config`
  bool running = false;       ///< the first step is done
  /// It joined and was never told anything yet: what was agreed before it was thought of is not followed.
  bool is_newcomer = false;
  std::vector<input::Change> after_adoption;  ///< until what the files say is agreed on as version 0
  Instant adopt_again{};
  Instant next_member_look{};
  std::string members_wait;  ///< why a change of the members does not go on
  Prng prng;
  std::uint64_t incarnation = 0;

  consensus::Raft raft;
  store::Store store;
  membership::Liveness liveness;
  membership::Links links;
  membership::LeaseHolder holder;
  membership::LeaseGranter granter;
  std::vector<Runner> runners;
  std::map<std::pair<std::string, transition::ActionId>, std::string> under_way;  ///< operations of promotable services
  std::vector<Deferred> deferred;                                                 ///< in the order they were asked for
  std::vector<Deferred> never_begun;                                              ///< cancelled before they began
  NotifyState notify;
  std::map<std::string, Volume> volumes;

  std::uint64_t persisted_sequence = 0;
  struct Waiting {
    std::uint64_t sequence = 0;
    std::uint32_t to = 0;
    Bytes body;
  };
  std::deque<Waiting> waiting;               ///< consensus messages that wait for the disk
  std::map<std::uint64_t, Pending> pending;  ///< by proposal id
  std::map<std::uint64_t, Instant> recently_forwarded;
  std::map<std::uint64_t, Asked> asked;  ///< changes that wait until this node's state is current, by read id
  std::uint64_t last_compaction = 0;
  std::uint64_t told_index = 0;

  /// What was restored from disk may be old: a machine that found its service running must not kill it because of that.
  /// True once everything was applied that a leader had applied when it first spoke to us.
  bool state_is_current = false;
  Instant next_heartbeat{}, reported_at{}, report_to_all_at{};
  Instant stepped_at{}, awake_since{};  ///< it took no step for more than two heartbeats before the latter
  std::set<std::uint32_t> deaf;         ///< of a leader: who says something and answers nothing
  struct LeaseAsked {
    message::LeaseRequest request;
    Instant received_at{};
  };
  std::map<std::string, LeaseAsked> lease_requests;  ///< by node: the newest that may wait for the next heartbeat
  Instant plan_at{};
  bool plan_dirty = true;
  bool runner_went_on = false;                              ///< a machine here is in another state than before
  std::map<std::string, SeenMaintenance> seen_maintenance;  ///< by scope
  std::set<std::string> told_lease_over;                    ///< nodes whose lease end was told in this leadership

  FenceState fence;
  Instant started_at{};
  std::optional<Restart> restart;
  Instant end_restart_leases_at{};                                                   ///< not asked for again before
  std::map<std::pair<std::string, std::string>, AttributeUpdate> attribute_updates;  ///< by node and name
  std::string boot;
  Instant note_boot_at{};
  std::int64_t wall_offset_ms = 0;                                           ///< wall clock minus `now`; 0: not known
  std::map<std::pair<std::string, std::string>, SeenFailure> failures_seen;  ///< by service and node
  std::uint64_t story_sequence = 0;
  Instant now{};
  Effects* out = nullptr;  ///< of the step under way
};

}  // namespace bascule::manager
