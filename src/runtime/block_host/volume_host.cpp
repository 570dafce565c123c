#include "runtime/block_host/detail/volume_host.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace bascule::block_host {
namespace {

constexpr uring::BufferPool::Shape kBuffers{256, 16};

Result<std::string> peer_of(const config::Volume& volume, const std::string& node) {
  for (const auto& [other, disk] : volume.disk)
    if (other != node) return other;
  return fail("the volume cannot be run", "volume." + volume.name, "it has a disk on one node only");
}

Result<const config::Volume*> find_volume(const Options& options) {
  const config::Volume* const volume = options.cluster.volume(options.volume);
  if (volume == nullptr)
    return fail("the volume cannot be run", "volume." + options.volume, "the configuration has no volume of this name");
  if (!volume->disk.contains(options.node))
    return fail("the volume cannot be run", "volume." + options.volume, "it has no disk on node " + options.node,
                "name this node with --node");
  return volume;
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  while (::getrandom(&seed, sizeof seed, 0) != sizeof seed) {
  }
  return seed;
}

}  // namespace

Result<std::unique_ptr<VolumeHost>> VolumeHost::create(const Options& options) {
  std::unique_ptr<VolumeHost> host(new VolumeHost);
  if (const auto opened = host->open(options); !opened) return tl::unexpected(opened.error());
  return host;
}

Result<void> VolumeHost::open(const Options& options) {
  const auto volume = find_volume(options);
  if (!volume) return tl::unexpected(volume.error());
  const auto peer = peer_of(**volume, options.node);
  if (!peer) return tl::unexpected(peer.error());
  facts_.volume = options.volume;
  facts_.self = options.node;
  facts_.peer = *peer;
  auto backing = Backing::open((*volume)->disk.at(options.node));
  if (!backing) return tl::unexpected(backing.error());
  backing_ = std::move(*backing);
  auto restored = restore(backing_, options.volume);
  if (!restored) return tl::unexpected(restored.error());

  if (const auto opened = open_devices(options); !opened) return opened;
  auto link = PeerLink::listen(
      *ring_, *pool_,
      {options.cluster.node(options.node)->address, options.cluster.node(*peer)->address, (*volume)->port}, *this);
  if (!link) return tl::unexpected(link.error());
  link_ = std::move(*link);

  replication::Config config;
  config.volume = options.volume;
  config.self = options.node;
  config.peer = *peer;
  config.backing_bytes = backing_.bytes();
  config.size_limit_bytes = (*volume)->size_bytes;
  config.al_extents = (*volume)->al_extents;
  config.resync_rate_max = (*volume)->resync_rate_max;
  config.seed = random_seed();
  engine_.emplace(config, std::move(*restored), uring::Ring::now());
  post(replication::input::Tick{});
  return {};
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
  if (const auto registered = ring_->register_arena(pool_->arena()); !registered) log(registered.error().text());
  auto activity = ActivityWriter::open(options.run_dir + "/activity." + options.volume);
  if (!activity) return tl::unexpected(activity.error());
  activity_.emplace(std::move(*activity));
  lease_reader_.emplace(options.run_dir + "/lease", "volume:" + options.volume);
  disk_ = std::make_unique<Disk>(*ring_, *pool_, backing_, static_cast<Disk::Events&>(*this));

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
  engine_.reset();
  nbd_.reset();
  attachment_.reset();
  control_.reset();
  link_.reset();
  ring_->cancel(signal_watch_);
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
  log(fmt::format("{} is attached, the peer is {}", backing_.path(), facts_.peer));
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
  link_->flush();
  nbd_->flush(false);
  tell_state();
  control_->flush();
  arm_deadline();
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

const replication::Status& VolumeHost::status() {
  if (status_stale_) {
    status_ = engine_->status();
    size_bytes_ = status_.size_bytes;
  }
  status_stale_ = false;
  return status_;
}

void VolumeHost::perform(replication::effect::Event& event) {
  status_stale_ = true;
  log(event.kind + ": " + event.text);
  nlohmann::json fields = nlohmann::json::object();
  if (event.kind.starts_with("resync-")) fields["bytes"] = std::to_string(status().resync_total_bytes);
  if (control_->heard())
    control_->tell_all({{"event", "story"},
                        {"kind", event.kind},
                        {"text", event.text},
                        {"at_ns", to_ns(uring::Ring::now())},
                        {"fields", fields}});
  if (event.kind == "volume-promoted") promoted();
  if (event.kind == "volume-demoted") demoted();
  if (event.kind == "takeover-refused") promote_failed(event.text);
  if (event.kind == "demote-refused") demote_refused(event.text);
}

void VolumeHost::disk_done(replication::OperationId operation, int error_number, bool data_write) {
  if (data_write && primary_) activity_->written(uring::Ring::now());
  post(replication::input::DiskDone{operation, error_number});
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
void VolumeHost::packet_received(replication::input::PacketReceived packet) { post(std::move(packet)); }

// ---- applications -----------------------------------------------------------------------------------------------

std::string VolumeHost::refusal() const {
  if (!primary_) return "volume " + facts_.volume + " is not Primary on " + facts_.self;
  return size_bytes_ == 0 ? "the size of volume " + facts_.volume + " is not known yet" : "";
}

void VolumeHost::submit(device::Requester& requester, std::uint64_t tag, const device::Request& request) {
  if (pending_free_.empty()) {
    pending_free_.push_back(static_cast<std::uint32_t>(pending_.size()));
    pending_.emplace_back();
  }
  const std::uint32_t index = pending_free_.back();
  pending_free_.pop_back();
  pending_[index] = {&requester, tag, request.kind, pending_[index].generation + 1};
  const replication::RequestId id = (std::uint64_t{pending_[index].generation} << 32) | index;
  switch (request.kind) {
    case device::Request::Kind::read:
      return post(replication::input::Read{id, request.offset, request.length, request.buffer});
    case device::Request::Kind::write:
      pool_->retain(request.buffer);  // the engine's own reference, until ReleaseBuffer
      return post(replication::input::Write{id, request.offset, request.length, request.buffer, request.fua});
    case device::Request::Kind::flush:
      return post(replication::input::Flush{id});
  }
}

void VolumeHost::read_lease() {
  const watchdog::Lease lease = lease_reader_->read(uring::Ring::now());
  if (lease.epoch == lease_.epoch && lease.end == lease_.end) return;
  lease_ = lease;
  post(replication::input::LeaseRead{lease.epoch, lease.end});
}

bool VolumeHost::may_acknowledge() const { return lease_.epoch == epoch_ && uring::Ring::now() < lease_.end; }

// The engine allowed these answers some microseconds ago; the last look at the lease is here. A write whose lease ended
// in between is kept back until the lease is back or the held I/O fails.
void VolumeHost::deliver_answers() {
  std::vector<Answer> answers = std::exchange(withheld_, {});
  answers.insert(answers.end(), answers_.begin(), answers_.end());
  answers_.clear();
  const bool allowed = may_acknowledge();
  for (const Answer& answer : answers) {
    const bool read = pending_[static_cast<std::uint32_t>(answer.request)].kind == device::Request::Kind::read;
    if (allowed || read || answer.error_number != 0)
      deliver(answer);
    else
      withheld_.push_back(answer);
  }
  if (facts_.writes_withheld != withheld_.size()) state_changed_ = true;
  facts_.writes_withheld = withheld_.size();
}

void VolumeHost::deliver(const Answer& answer) {
  const auto index = static_cast<std::uint32_t>(answer.request);
  const Pending done = pending_[index];
  BASCULE_ASSERT(done.requester != nullptr && done.generation == answer.request >> 32);
  pending_[index].requester = nullptr;
  pending_free_.push_back(index);
  if (answer.error_number != 0) {
    ++facts_.failed_io;
  } else if (done.kind == device::Request::Kind::write) {
    activity_->acknowledged(uring::Ring::now());
  }
  counters_changed_ = true;
  done.requester->completed(done.tag, answer.error_number);
}

void VolumeHost::fail_withheld() {
  for (const Answer& answer : std::exchange(withheld_, {})) deliver({answer.request, EIO});
  facts_.writes_withheld = 0;
}

Result<void> run(const Options& options) {
  auto host = VolumeHost::create(options);
  if (!host) return tl::unexpected(host.error());
  (*host)->run();
  return {};
}

}  // namespace bascule::block_host
