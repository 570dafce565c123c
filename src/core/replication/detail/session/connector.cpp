#include "core/replication/detail/session/connector.h"

#include <algorithm>

namespace bascule::replication::detail {
namespace {

constexpr std::size_t max_newcomers = 8;

}  // namespace

Connector::Connector(Core& core) : core_(core) {}

Duration Connector::jittered(Duration duration) {
  const std::int64_t seventh = std::max<std::int64_t>(duration.count() / 7, 1);
  return duration + Duration{core_.prng.between(-seventh, seventh)};
}

void Connector::use(SocketId socket, drbd::Socket kind) { core_.emit(effect::UseWire{socket, kind, {}}); }

void Connector::close(SocketId socket, const char* reason) { core_.emit(effect::CloseSocket{socket, reason}); }

void Connector::want(Instant first_attempt) {
  if (wanted_) return;
  wanted_ = true;
  next_attempt_ = first_attempt;
  std::vector<Newcomer> waiting;
  waiting.swap(newcomers_);
  for (const Newcomer& newcomer : waiting) {
    if (newcomer.kind)
      place(newcomer.socket, *newcomer.kind, false);
    else
      newcomers_.push_back(newcomer);
  }
}

void Connector::stop(const std::string& reason) {
  wanted_ = false;
  if (connecting_) close(*connecting_, reason.c_str());
  if (data_) close(data_->socket, reason.c_str());
  if (meta_) close(meta_->socket, reason.c_str());
  connecting_.reset();
  data_.reset();
  meta_.reset();
  next_attempt_ = half_until_ = connecting_until_ = never;
}

std::optional<Connector::Pair> Connector::take_pair() {
  if (!wanted_ || !data_ || !meta_) return std::nullopt;
  Pair pair{data_->socket, meta_->socket, !meta_->outgoing, std::move(data_->early)};
  outgoing_data_ = data_->outgoing;
  outgoing_meta_ = meta_->outgoing;
  data_.reset();
  meta_.reset();
  stop("the pair is complete");
  return pair;
}

// ---- outgoing ---------------------------------------------------------------------------------------------------

void Connector::attempt() {
  connecting_ = next_socket_++;
  connecting_until_ = core_.now + 2 * core_.config.connect_interval;
  next_attempt_ = never;
  core_.emit(effect::Connect{*connecting_});
}

void Connector::connected(SocketId socket) {
  if (connecting_ != socket) return close(socket, "nobody asked for it");
  connecting_.reset();
  connecting_until_ = never;
  const drbd::Socket preferred = greater() ? drbd::Socket::Data : drbd::Socket::Meta;
  const drbd::Socket other = greater() ? drbd::Socket::Meta : drbd::Socket::Data;
  if (half(preferred) && half(other)) return close(socket, "the pair is complete");
  const drbd::Socket kind = half(preferred) ? other : preferred;
  use(socket, kind);
  if (kind == drbd::Socket::Data)
    core_.emit(effect::Send{socket, 0, drbd::InitialData{}, 0});
  else
    core_.emit(effect::Send{socket, 0, drbd::InitialMeta{}, 0});
  place(socket, kind, true);
}

// ---- incoming ---------------------------------------------------------------------------------------------------

void Connector::accepted(SocketId socket) {
  if (newcomers_.size() >= max_newcomers) return close(socket, "too many connections at once");
  newcomers_.push_back({socket, core_.now + 4 * core_.config.ping_timeout});
}

bool Connector::keep_early(SocketId socket, const drbd::Packet& packet) {
  const bool is_data = data_ && data_->socket == socket;
  if (!is_data && !(meta_ && meta_->socket == socket)) return false;
  if (is_data && !data_->early && std::holds_alternative<drbd::Features>(packet)) {
    data_->early = packet;
    return true;
  }
  close(socket, "a packet before the pair of sockets was complete");
  (void)closed(socket);
  return true;
}

bool Connector::received(SocketId socket, const drbd::Packet& packet) {
  if (keep_early(socket, packet)) return true;
  const auto found =
      std::find_if(newcomers_.begin(), newcomers_.end(), [&](const Newcomer& each) { return each.socket == socket; });
  if (found == newcomers_.end()) return false;
  const bool is_data = std::holds_alternative<drbd::InitialData>(packet);
  if (found->kind || (!is_data && !std::holds_alternative<drbd::InitialMeta>(packet))) {
    newcomers_.erase(found);
    close(socket, "the first packet is not a DRBD greeting");
    return true;
  }
  const drbd::Socket kind = is_data ? drbd::Socket::Data : drbd::Socket::Meta;
  use(socket, kind);
  if (!wanted_ && core_.session.open && greater() && (is_data ? outgoing_data_ : outgoing_meta_)) {
    newcomers_.erase(found);
    close(socket, "crossed connection");  // the peer lets go of its own for ours
    return true;
  }
  if (!wanted_) {
    found->kind = kind;
    return true;
  }
  newcomers_.erase(found);
  place(socket, kind, false);
  return true;
}

void Connector::place(SocketId socket, drbd::Socket kind, bool outgoing) {
  std::optional<Half>& own = half(kind);
  if (own) {
    const bool ours_wins = own->outgoing && !outgoing && greater();
    close(ours_wins ? socket : own->socket, "crossed connection");
    if (ours_wins) return;
  }
  own = Half{socket, outgoing, {}};
  if (data_ && meta_) return;
  half_until_ = core_.now + 3 * core_.config.connect_interval;
  // The other half usually comes from the peer; the greater name helps out first.
  if (!connecting_) next_attempt_ = core_.now + jittered(core_.config.connect_interval / (greater() ? 6 : 2));
}

bool Connector::closed(SocketId socket) {
  const auto found =
      std::find_if(newcomers_.begin(), newcomers_.end(), [&](const Newcomer& each) { return each.socket == socket; });
  if (found != newcomers_.end()) {
    newcomers_.erase(found);
    return true;
  }
  if (connecting_ == socket) {
    connecting_.reset();
    connecting_until_ = never;
  } else if (data_ && data_->socket == socket) {
    data_.reset();
  } else if (meta_ && meta_->socket == socket) {
    meta_.reset();
  } else {
    return false;
  }
  if (wanted_ && !connecting_) next_attempt_ = core_.now + jittered(core_.config.connect_interval);
  return true;
}

bool Connector::newcomer_waits() const {
  return !wanted_ &&
         std::any_of(newcomers_.begin(), newcomers_.end(), [](const Newcomer& each) { return each.kind.has_value(); });
}

std::optional<SocketId> Connector::take_newer_meta() {
  const auto find = [this](drbd::Socket kind) {
    return std::find_if(newcomers_.begin(), newcomers_.end(), [&](const Newcomer& each) { return each.kind == kind; });
  };
  const auto found = find(drbd::Socket::Meta);
  if (wanted_ || !outgoing_meta_ || found == newcomers_.end()) return std::nullopt;
  if (find(drbd::Socket::Data) != newcomers_.end()) return std::nullopt;
  const SocketId socket = found->socket;
  newcomers_.erase(found);
  outgoing_meta_ = false;
  return socket;
}

void Connector::refuse_newcomers() {
  std::erase_if(newcomers_, [&](const Newcomer& each) {
    if (each.kind) close(each.socket, "the standing connection is alive");
    return each.kind.has_value();
  });
}

// ---- time -------------------------------------------------------------------------------------------------------

void Connector::give_up_on_newcomers() {
  std::erase_if(newcomers_, [&](const Newcomer& each) {
    if (each.give_up > core_.now) return false;
    close(each.socket, "no greeting in time");
    return true;
  });
}

void Connector::restart_if_stuck() {
  if (connecting_ && connecting_until_ <= core_.now) {
    close(*connecting_, "no answer");
    (void)closed(*connecting_);
  }
  if (half_until_ > core_.now) return;
  half_until_ = never;
  if (data_) close(data_->socket, "the other socket did not come");
  if (meta_) close(meta_->socket, "the other socket did not come");
  data_.reset();
  meta_.reset();
  if (!connecting_) next_attempt_ = core_.now + jittered(core_.config.connect_interval);
}

void Connector::tick() {
  give_up_on_newcomers();
  if (!wanted_) return;
  restart_if_stuck();
  if (next_attempt_ <= core_.now && !connecting_) attempt();
}

Instant Connector::deadline() const {
  Instant when = never;
  for (const Newcomer& newcomer : newcomers_) when = std::min(when, newcomer.give_up);
  if (!wanted_) return when;
  return std::min({when, next_attempt_, half_until_, connecting_until_});
}

}  // namespace bascule::replication::detail
