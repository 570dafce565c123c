#include "runtime/block_host/detail/volume_host.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "runtime/keys/key_file.h"
#include "runtime/supervisor/notify.h"

namespace bascule::block_host {
namespace {

/// After a blockd was killed, the kernel keeps its disk until the requests in its ring are done: a moment, but longer
/// than its supervisor takes to start the next one.
constexpr Duration release_patience = seconds(10);

constexpr uring::BufferPool::Shape kBuffers{256, 16};
constexpr Duration kCalm = seconds(10);

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  while (::getrandom(&seed, sizeof seed, 0) != sizeof seed) {
  }
  return seed;
}

/// The key file is read for each connection, so that a new key needs no word to this program.
Result<PeerLink::MakeChannel> channels_to_peer(const Options& options, const VolumePlan& plan) {
  const auto& cluster = options.cluster;
  if (!plan.volume.encrypted || !cluster.key_file) return PeerLink::MakeChannel();
  if (const auto keys = keys::read(*cluster.key_file); !keys) return tl::unexpected(keys.error());
  const tls::Names names{cluster.name, "replication of " + options.volume, options.node, plan.peer};
  return PeerLink::MakeChannel(
      [file = *cluster.key_file, names](tls::Side side) -> Result<std::unique_ptr<tls::Channel>> {
        const auto keys = keys::read(file);
        if (!keys) return tl::unexpected(keys.error());
        return tls::Channel::create(side, *keys, names);
      });
}

}  // namespace

Result<std::unique_ptr<VolumeHost>> VolumeHost::create(const Options& options) {
  std::unique_ptr<VolumeHost> host(new VolumeHost);
  if (const auto opened = host->open(options); !opened) return tl::unexpected(opened.error());
  return host;
}

Result<void> VolumeHost::open(const Options& options) {
  auto plan = plan_of(options);
  if (!plan) return tl::unexpected(plan.error());
  plan_ = std::move(*plan);
  auto make_channel = channels_to_peer(options, plan_);
  if (!make_channel) return tl::unexpected(make_channel.error());
  facts_.volume = options.volume;
  facts_.self = options.node;
  facts_.peer = plan_.peer;
  facts_.operator_decides = operator_decides();
  facts_.minor = plan_.volume.minor;
  facts_.encrypted = plan_.volume.encrypted;
  facts_.disk = plan_.disk;
  facts_.meta_disk = plan_.disk.empty() ? "" : plan_.metadata.text();
  replica_ = Replica(plan_.metadata);
  known_sizes_ = KnownSizes(options.state_dir + "/disk-sizes." + options.volume + "." + options.node);
  auto found = plan_.disk.empty() ? Result<std::optional<FoundVolume>>(std::nullopt) : open_disk(release_patience);
  if (!found) return tl::unexpected(found.error());

  if (const auto opened = open_devices(options); !opened) return opened;
  auto link = PeerLink::listen(*ring_, *pool_, {plan_.own_address, plan_.peer_address, plan_.volume.port},
                               std::move(*make_channel), *this);
  if (!link) return tl::unexpected(link.error());
  link_ = std::move(*link);

  replication::Config config = engine_config(plan_, options.node);
  config.backing_bytes = *found ? (*found)->backing_bytes : 0;
  config.metadata_bytes = *found ? (*found)->metadata_bytes : 0;
  config.seed = random_seed();
  auto restored = *found ? std::optional(std::move((*found)->restored)) : std::nullopt;
  engine_.emplace(config, std::move(restored), uring::Ring::now());
  post(replication::input::Tick{});
  tell_disk_size();
  return {};
}

Result<std::optional<FoundVolume>> VolumeHost::open_disk(Duration patience) {
  if (const auto opened = replica_.open(plan_.disk, patience); !opened) return tl::unexpected(opened.error());
  auto found = restore(replica_, facts_.volume, known_sizes_.read());
  if (!found) {
    replica_.close();
    return tl::unexpected(found.error());
  }
  if (!plan_.metadata.internal()) return std::optional(std::move(*found));
  if (const auto noted = known_sizes_.keep_only(found->backing_bytes); !noted) log(noted.error().text());
  return std::optional(std::move(*found));
}

/// A size that is not noted is not used: after a crash in the move nobody would find the metadata.
Result<void> VolumeHost::measure_disk() {
  if (!replica_.open()) return {};
  if (const auto measured = replica_.measure(); !measured || !plan_.metadata.internal()) return measured;
  return known_sizes_.add(replica_.data().bytes());
}

void VolumeHost::tell_disk_size() {
  if (!replica_.open()) return;
  if (const auto measured = measure_disk(); !measured)
    log(measured.error().text());
  else
    post(replication::input::BackingSize{replica_.data().bytes(), replica_.metadata_bytes()});
}

void VolumeHost::perform(replication::effect::MetadataMoved& moved) {
  auto noted = known_sizes_.keep_only(moved.backing_bytes);
  if (noted) noted = measure_disk();
  if (!noted) log(noted.error().text());
}

/// The device that applications have follows the volume's size.
void VolumeHost::size_changed() {
  look_at_size_ = false;
  status_stale_ = true;
  (void)status();
  attachment_->refresh_size([this](const Result<void>& refreshed) {
    if (!refreshed) tell_story("device-size", "the block device keeps its old size: " + refreshed.error().text(), {});
  });
  if (const std::size_t clients = nbd_->attached(); clients != 0)
    tell_story("device-size", "NBD clients see the new size when they connect again", {{"clients", clients}});
}

Result<void> VolumeHost::open_devices(const Options& options) {
  auto attachment = Attachment::prepare(options.run_dir, options.volume);
  if (!attachment) return tl::unexpected(attachment.error());
  attachment_ = std::move(*attachment);
  auto ring = uring::Ring::create();
  if (!ring) return tl::unexpected(ring.error());
  ring_ = std::move(*ring);
  auto pool = uring::BufferPool::create(kBuffers);
  if (!pool) return tl::unexpected(pool.error());
  pool_ = std::move(*pool);
  if (const auto registered = ring_->register_arena(pool_->kept()); !registered) log(registered.error().text());
  auto activity = ActivityWriter::open(options.run_dir + "/activity." + options.volume);
  if (!activity) return tl::unexpected(activity.error());
  activity_.emplace(std::move(*activity));
  lease_reader_.emplace(options.run_dir + "/lease", "volume:" + options.volume);
  disk_ =
      std::make_unique<Disk>(*ring_, *pool_, replica_.data(), replica_.metadata(), static_cast<Disk::Events&>(*this));
  handlers_ = std::make_unique<Handlers>(*ring_, plan_.volume.options.handlers, handler_environment(plan_));

  auto control = Control::listen(*ring_, options.run_dir + "/blockd." + options.volume + ".sock", *this);
  if (!control) return tl::unexpected(control.error());
  control_ = std::move(*control);
  facts_.nbd = options.run_dir + "/nbd." + options.volume + ".sock";
  auto nbd = device::NbdExport::listen(*ring_, *pool_, *this, facts_.nbd);
  if (!nbd) return tl::unexpected(nbd.error());
  nbd_ = std::move(*nbd);
  if (const auto mounted = attachment_->mount(*ring_, *pool_, *this); !mounted) {
    facts_.attach_failure = "no block device: " + mounted.error().text();
    log(facts_.attach_failure);
  }
  return watch_signals();
}

Result<void> VolumeHost::watch_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals_ < 0) return fail_errno("signals cannot be watched", "signalfd", errno);
  signal_watch_ = ring_->watch(signals_, POLLIN, [this](int) { signalled(); });
  return {};
}

// Operations of the parts may still be in the kernel: the ring turns until it has let go of all of them.
VolumeHost::~VolumeHost() {
  if (!ring_) return;
  // What is still to come concerns parts that are going.
  ring_->cancel_timer(deadline_timer_);
  ring_->cancel_timer(state_timer_);
  ring_->cancel_timer(calm_timer_);
  engine_.reset();
  handlers_.reset();
  nbd_.reset();
  attachment_.reset();
  control_.reset();
  link_.reset();
  ring_->abandon(signal_watch_);
  if (signals_ >= 0) ::close(signals_);
  const Instant until = uring::Ring::now() + seconds(1);
  ring_->timer(until, [](int) {});
  while (ring_->buried() > 0 && uring::Ring::now() < until) ring_->turn();
  ring_.reset();
}

void VolumeHost::log(const std::string& text) const {
  std::fputs(fmt::format("blockd {}@{}: {}\n", facts_.volume, facts_.self, text).c_str(), stderr);
}

// ---- turns ------------------------------------------------------------------------------------------------------

void VolumeHost::run() {
  log(fmt::format("{}, the peer is {}", plan_.disk.empty() ? "diskless" : plan_.disk + " is attached", facts_.peer));
  for (;;) {
    end_turn();
    if (stopping_ && demoted_for_stop_ && disk_->in_flight() == 0) return;
    if (stopping_ && uring::Ring::now() >= stop_at_) return log("gave up waiting, stopping now");
    ring_->wait();
    begin_turn();
    ring_->dispatch();
  }
}

void VolumeHost::begin_turn() { read_lease(); }

void VolumeHost::end_turn() {
  settle();
  if (look_at_size_) size_changed();
  close_unused_disk();
  link_->flush();
  nbd_->flush(false);
  tell_state();
  control_->flush();
  arm_deadline();
  give_back_when_calm();
}

// Answers free buffers, buffers let packets and requests in, and those make new answers: until nothing moves.
void VolumeHost::settle() {
  for (bool moved = true; moved;) {
    moved = link_->resume();
    if (!answers_.empty() || !withheld_.empty()) {
      read_lease();
      moved |= !answers_.empty();
      deliver_answers();
    }
    if (pool_->frees() != frees_seen_) {
      frees_seen_ = pool_->frees();
      attachment_->resume();
      nbd_->flush(true);
      moved = true;
    }
  }
}

// The timer is only moved to an earlier time; one that comes too early is set again then.
void VolumeHost::arm_deadline() {
  const Instant wanted = engine_->next_deadline();
  if (wanted == never || (deadline_timer_ != 0 && wanted >= deadline_)) return;
  ring_->cancel_timer(deadline_timer_);
  deadline_ = wanted;
  deadline_timer_ = ring_->timer(wanted, [this](int) {
    deadline_timer_ = 0;
    if (engine_->next_deadline() <= uring::Ring::now()) post(replication::input::Tick{});
  });
}

// After a burst its memory is kept for a while, for the next one.
void VolumeHost::give_back_when_calm() {
  if (calm_timer_ != 0 || pool_->beyond_kept() == given_back_at_) return;
  const std::uint64_t taken = pool_->beyond_kept();
  calm_timer_ = ring_->timer(uring::Ring::now() + kCalm, [this, taken](int) {
    calm_timer_ = 0;
    if (pool_->beyond_kept() != taken) return;
    pool_->give_back();
    given_back_at_ = taken;
  });
}

// ---- the engine -------------------------------------------------------------------------------------------------

void VolumeHost::post(replication::Input input) {
  inputs_.push_back(std::move(input));
  if (stepping_) return;
  stepping_ = true;
  while (!inputs_.empty()) {
    const replication::Input next = std::move(inputs_.front());
    inputs_.pop_front();
    engine_->step(next, uring::Ring::now(), effects_);
    carry_out();
  }
  stepping_ = false;
}

void VolumeHost::carry_out() {
  for (replication::Effect& effect : effects_) std::visit([this](auto& each) { perform(each); }, effect);
  effects_.clear();
}

void VolumeHost::perform(replication::effect::CopyBuffer& copy) {
  const auto from = pool_->bytes(copy.from).first(copy.length);
  std::copy(from.begin(), from.end(), pool_->bytes(copy.to).begin());
}

// Told also when none is configured, as the kernel does: who watches may act on it.
void VolumeHost::perform(replication::effect::RunHandler& handler) {
  const nlohmann::json named{{"handler", handler.name}};
  tell_story("handler-called", handler.name, named);
  const auto ended = [this, handler](int exit_code) {
    tell_story("handler-ended", handler.name + " with " + std::to_string(exit_code),
               {{"handler", handler.name}, {"status", exit_code}});
    if (handler.number != 0) post(replication::input::HandlerDone{handler.number, exit_code});
  };
  if (!handlers_->run(handler.name, ended)) ended(-1);
}

const replication::Status& VolumeHost::status() {
  if (status_stale_) {
    status_ = engine_->status();
    size_bytes_ = status_.size_bytes;
  }
  status_stale_ = false;
  return status_;
}

void VolumeHost::tell_story(const std::string& kind, const std::string& text, const nlohmann::json& fields) {
  log(kind + ": " + text);
  if (!control_->heard()) return;
  control_->tell_all(
      {{"event", "story"}, {"kind", kind}, {"text", text}, {"at_ns", to_ns(uring::Ring::now())}, {"fields", fields}});
}

void VolumeHost::perform(replication::effect::Event& event) {
  status_stale_ = look_at_disk_ = true;
  nlohmann::json fields = nlohmann::json::object();
  if (event.kind.starts_with("resync-")) fields["bytes"] = std::to_string(status().resync_total_bytes);
  tell_story(event.kind, event.text, fields);
  if (event.kind == "resize") look_at_size_ = true;
  if (event.kind == "volume-promoted") promoted();
  if (event.kind == "volume-demoted") demoted();
  // A command's own answer, right behind its event, has DRBD's result as well.
  const bool answered = std::any_of(effects_.begin(), effects_.end(), [this](const replication::Effect& effect) {
    const auto* const done = std::get_if<replication::effect::CommandDone>(&effect);
    return done != nullptr && transition_ && done->command != 0 && done->command == transition_->command;
  });
  if (!answered && event.kind == "takeover-refused") promote_failed(event.text);
  if (!answered && event.kind == "demote-refused") demote_refused(event.text);
}

void VolumeHost::disk_done(replication::input::DiskDone done, bool data_write) {
  if (data_write && primary_) activity_->written(uring::Ring::now());
  post(std::move(done));
}

void VolumeHost::socket_connected(replication::input::SocketId socket) {
  post(replication::input::SocketConnected{socket});
}
void VolumeHost::socket_accepted(replication::input::SocketId socket) {
  post(replication::input::SocketAccepted{socket});
}
void VolumeHost::socket_closed(replication::input::SocketId socket, const std::string& reason) {
  post(replication::input::SocketClosed{socket, reason});
}
void VolumeHost::packet_received(replication::input::PacketReceived packet) {
  if (const auto* const uuids = std::get_if<drbd::Uuids>(&packet.packet)) facts_.peer_uuids = *uuids;
  const bool about_sizes =
      std::holds_alternative<drbd::Sizes>(packet.packet) || std::holds_alternative<drbd::Features>(packet.packet);
  if (about_sizes) tell_disk_size();
  post(std::move(packet));
}

Result<void> run(const Options& options) {
  auto host = VolumeHost::create(options);
  if (!host) return tl::unexpected(host.error());
  supervisor::notify("READY=1");
  (*host)->run();
  return {};
}

}  // namespace bascule::block_host
