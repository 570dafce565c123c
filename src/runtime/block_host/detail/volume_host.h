#pragma once

#include <deque>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/replication/engine.h"
#include "runtime/block_host/activity_page.h"
#include "runtime/block_host/attachment.h"
#include "runtime/block_host/control.h"
#include "runtime/block_host/disk.h"
#include "runtime/block_host/engine_config.h"
#include "runtime/block_host/handlers.h"
#include "runtime/block_host/host.h"
#include "runtime/block_host/known_sizes.h"
#include "runtime/block_host/lease_reader.h"
#include "runtime/block_host/peer_link.h"
#include "runtime/block_host/replica.h"
#include "runtime/block_host/state_report.h"
#include "runtime/device/nbd_export.h"

namespace bascule::block_host {

/// Binds the engine to the world. Everything runs on one thread, in turns:
///
///   wait -> lease -> completions, each stepping the engine -> lease -> answers -> buffers -> sockets -> listeners
class VolumeHost final : public device::Volume,
                         private PeerLink::Events,
                         private Disk::Events,
                         private Control::Events {
 public:
  [[nodiscard]] static Result<std::unique_ptr<VolumeHost>> create(const Options& options);
  ~VolumeHost() override;

  /// Until somebody asked to stop and everything is done.
  void run();

  // device::Volume
  [[nodiscard]] const std::string& name() const override { return facts_.volume; }
  [[nodiscard]] std::uint64_t size_bytes() const override { return size_bytes_; }
  [[nodiscard]] std::string refusal() const override;
  void submit(device::Requester& requester, std::uint64_t tag, const device::Request& request) override;

 private:
  struct Pending {  ///< a request of an application that the engine has
    device::Requester* requester = nullptr;
    std::uint64_t tag = 0;
    device::Request::Kind kind{};
    std::uint32_t generation = 0;
    std::uint32_t parts = 1;  ///< not answered yet, of a long one without data
    std::int32_t whole = -1;  ///< the request that this one is a part of
    int error_number = 0;     ///< the first of a part
  };
  struct Answer {
    replication::RequestId request;
    int error_number;
  };
  /// A promotion or demotion that somebody waits for. Client 0: ourselves.
  struct Transition {
    enum class Kind { Promote, Demote } kind;
    Control::ClientId client;
    nlohmann::json id;
    std::uint64_t epoch;
    replication::CommandId command = 0;  ///< told to the engine; 0: its events answer
  };
  /// A command of the operator that the engine has not answered.
  struct Command {
    Control::ClientId client;
    nlohmann::json id;
    std::string operation;
    nlohmann::json told = nlohmann::json::object();  ///< what the answer has beside the result
  };

  VolumeHost() = default;
  Result<void> open(const Options& options);
  Result<std::optional<FoundVolume>> open_disk(Duration patience);
  Result<void> measure_disk();
  void tell_disk_size();
  void size_changed();
  Result<void> open_devices(const Options& options);
  Result<void> watch_signals();

  // turns
  void begin_turn();
  void end_turn();
  void settle();
  void arm_deadline();
  void give_back_when_calm();

  // the engine
  void post(replication::Input input);
  void carry_out();
  void perform(replication::effect::DiskWrite& write) { disk_->start(write); }
  void perform(replication::effect::DiskZero& zero) { disk_->start(zero); }
  void perform(replication::effect::DiskRead& read) { disk_->start(read); }
  void perform(replication::effect::DiskFlush& flush) { disk_->start(flush); }
  void perform(replication::effect::MetadataWrite& write) { disk_->start(std::move(write)); }
  void perform(replication::effect::Connect& connect) { link_->start(connect); }
  void perform(replication::effect::CloseSocket& close) { link_->start(close); }
  void perform(replication::effect::UseWire& use) { link_->start(use); }
  void perform(replication::effect::Send& send) { link_->start(std::move(send)); }
  void perform(replication::effect::TakeBuffer& take) { pool_->adopt(take.buffer, take.length); }
  void perform(replication::effect::ReleaseBuffer& release) { pool_->release(release.buffer); }
  void perform(replication::effect::Complete& complete) {
    answers_.push_back({complete.request, complete.error_number});
  }
  void perform(replication::effect::CopyBuffer& copy);
  void perform(replication::effect::RunHandler& handler);
  void perform(replication::effect::RequestShrink&) { state_changed_ = true; }
  void perform(replication::effect::RequestGrow&) { state_changed_ = true; }
  void perform(replication::effect::MetadataMoved& moved);
  void perform(replication::effect::CommandDone& done);
  void perform(replication::effect::Event& event);
  void perform(replication::effect::StatusChanged&) { status_stale_ = state_changed_ = true; }
  const replication::Status& status();

  // applications
  void read_lease();
  [[nodiscard]] bool may_acknowledge() const;
  std::uint32_t new_pending(const Pending& pending);
  [[nodiscard]] replication::RequestId id_of_pending(std::uint32_t index) const;
  void submit_without_data(std::uint32_t index, const device::Request& request);
  Pending part_answered(const Answer& answer);
  void deliver_answers();
  void deliver(const Answer& answer);
  void fail_withheld();

  // commands
  void requested(Control::ClientId client, const nlohmann::json& request) override;
  bool command(Control::ClientId client, const nlohmann::json& request);
  void attach_disk(Control::ClientId client, const nlohmann::json& request);
  void set_options(Control::ClientId client, const nlohmann::json& request);
  void adjust(Control::ClientId client, const nlohmann::json& request);
  void post_options(replication::CommandId command);
  void options_answered(bool taken);
  replication::CommandId expect(Control::ClientId client, const nlohmann::json& request);
  void close_unused_disk();
  void promote(Control::ClientId client, const nlohmann::json& request);
  bool transition_answered(const replication::effect::CommandDone& done);
  void demote(Control::ClientId client, const nlohmann::json& id, bool force);
  void demote_gently();
  void in_sync(Control::ClientId client, const nlohmann::json& request);
  void promoted();
  void demoted();
  void promote_failed(const std::string& why);
  void demote_refused(const std::string& why);
  void attach_device();
  void finish_transition(const std::optional<Error>& error, std::optional<drbd::StateChangeResult> code = {});
  void signalled();
  void stop(const std::string& why);

  // listeners
  void tell_story(const std::string& kind, const std::string& text, const nlohmann::json& fields);
  void tell_state();
  void tell_state_now(nlohmann::json report);
  [[nodiscard]] nlohmann::json report();
  void log(const std::string& text) const;

  // events of the parts
  void disk_done(replication::input::DiskDone done, bool data_write) override;
  void socket_connected(replication::input::SocketId socket) override;
  void socket_accepted(replication::input::SocketId socket) override;
  void socket_closed(replication::input::SocketId socket, const std::string& reason) override;
  void packet_received(replication::input::PacketReceived packet) override;
  void note(const std::string& text) override { log(text); }

  // What is destroyed last stands first.
  std::unique_ptr<uring::BufferPool> pool_;
  std::unique_ptr<uring::Ring> ring_;
  Replica replica_;
  KnownSizes known_sizes_;
  std::optional<ActivityWriter> activity_;
  std::optional<LeaseReader> lease_reader_;
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<PeerLink> link_;
  std::unique_ptr<Handlers> handlers_;
  std::unique_ptr<Control> control_;
  std::unique_ptr<Attachment> attachment_;
  std::unique_ptr<device::NbdExport> nbd_;
  std::optional<replication::Engine> engine_;
  int signals_ = -1;
  uring::OperationHandle signal_watch_ = 0;

  [[nodiscard]] bool operator_decides() const { return plan_.volume.operator_decides; }

  VolumePlan plan_;
  HostFacts facts_;
  std::deque<replication::Input> inputs_;
  replication::Effects effects_;
  bool stepping_ = false;
  replication::Status status_;
  bool status_stale_ = true;
  bool look_at_size_ = false;  ///< the device may have another size now
  bool look_at_disk_ = false;  ///< something was told that may have been a detach
  std::uint64_t size_bytes_ = 0;
  bool primary_ = false;     ///< between volume-promoted and volume-demoted
  std::uint64_t epoch_ = 0;  ///< of the promotion
  watchdog::Lease lease_;

  std::vector<Pending> pending_;
  std::vector<std::uint32_t> pending_free_;
  std::vector<Answer> answers_, withheld_;
  std::uint64_t frees_seen_ = 0;

  std::optional<Transition> transition_;
  std::map<replication::CommandId, Command> commands_;
  replication::CommandId next_command_ = 1;
  std::optional<config::Volume> wanted_volume_;  ///< told to the engine, not answered yet
  bool stopping_ = false, demoted_for_stop_ = false;
  Instant stop_at_ = never;

  uring::TimerHandle calm_timer_ = 0;
  std::uint64_t given_back_at_ = 0;  ///< what beyond_kept() was then
  uring::TimerHandle deadline_timer_ = 0;
  Instant deadline_ = never;
  bool state_changed_ = true;  ///< something people act on may have changed
  bool counters_changed_ = true;
  uring::TimerHandle state_timer_ = 0;
  Instant next_counters_{};
  nlohmann::json told_;  ///< the last state without counters
};

}  // namespace bascule::block_host
