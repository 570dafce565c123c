#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/assert.h"
#include "core/consensus/outbox.h"
#include "core/consensus/raft.h"
#include "core/consensus/story.h"

namespace bascule::consensus {

/// A few servers on a table: nothing moves unless the test moves it. Disks are perfect, and instant unless held.
class Bench {
 public:
  struct Server {
    Config config;
    std::unique_ptr<Raft> raft;
    raft::Restored disk;
    std::deque<Persist> writing;
    bool hold_disk = false;
    Outbox outbox;
    std::vector<Index> applied;
    std::vector<ProposalDone> done;
    std::vector<std::uint64_t> reads_ready, reads_failed;
    std::string restored;
    bool stopped = false;
  };
  struct Envelope {
    ServerId from, to;
    raft::Message message;
  };

  explicit Bench(std::size_t voters, std::size_t spares = 0) {
    for (ServerId id = 1; id <= voters; ++id) members_.voters.push_back(id);
    for (ServerId id = 1; id <= voters + spares; ++id) {
      servers_[id].config.id = id;
      servers_[id].config.seed = id;
      if (id <= voters) servers_[id].config.bootstrap = members_;
    }
  }

  void start_all() {
    for (auto& [id, server] : servers_) start(id);
  }
  void start(ServerId id) {
    Server& server = servers_.at(id);
    server.outbox.clear();
    server.writing.clear();
    server.raft = std::make_unique<Raft>(server.config, server.disk);
    step(id, Tick{});
  }
  /// Loses what the disk has not finished.
  void crash(ServerId id) { servers_.at(id).raft.reset(); }

  [[nodiscard]] Server& at(ServerId id) { return servers_.at(id); }
  [[nodiscard]] Status status(ServerId id) { return servers_.at(id).raft->status(); }
  [[nodiscard]] Role role(ServerId id) { return servers_.at(id).raft->leadership().role; }
  [[nodiscard]] Instant now() const { return now_; }

  void step(ServerId id, const Input& input) {
    Server& server = servers_.at(id);
    if (!server.raft) return;
    Effects effects;
    tell(id, story_of(input));
    server.raft->step(input, now_, effects);
    for (const auto& effect : effects) {
      tell(id, "    " + story_of(effect));
      std::visit([&](const auto& each) { carry_out(id, server, each); }, effect);
    }
    if (!server.hold_disk) finish_writes(id);
  }

  /// The disk completes what it was given.
  void finish_writes(ServerId id) {
    Server& server = servers_.at(id);
    while (!server.writing.empty()) {
      const Persist persist = server.writing.front();
      server.writing.pop_front();
      store(server.disk, persist.change);
      server.outbox.durable(persist.sequence, [&](const Send& send) { post(id, send); });
      step(id, Persisted{persist.sequence});
    }
  }

  /// Lets every timer that is due fire, until `duration` has passed; messages are delivered as they come.
  void run(Duration duration) {
    const Instant end = now_ + duration;
    for (;;) {
      deliver_all();
      Instant next = end;
      for (auto& [id, server] : servers_)
        if (server.raft) next = std::min(next, server.raft->next_deadline());
      now_ = std::max(now_, next);
      if (next >= end) break;
      for (auto& [id, server] : servers_)
        if (server.raft && server.raft->next_deadline() <= now_) step(id, Tick{});
    }
    now_ = end;
  }
  /// Time passes on all clocks; only `id` notices.
  void wait(Duration duration) { now_ += duration; }
  /// `id` runs alone until it asks for votes.
  void make_stand(ServerId id) {
    now_ = std::max(now_, servers_.at(id).raft->next_deadline());
    step(id, Tick{});
  }
  /// Elects `id` and lets its first entry be committed.
  void elect(ServerId id) {
    wait(seconds(1));
    make_stand(id);
    deliver_all();
    BASCULE_ASSERT(role(id) == Role::Leader);
  }

  void deliver_all() {
    for (int count = 0; !mail_.empty(); ++count) {
      BASCULE_ASSERT(count < 100000);
      deliver_next();
    }
  }
  void deliver_next() {
    const Envelope envelope = mail_.front();
    mail_.pop_front();
    step(envelope.to, MessageReceived{envelope.from, envelope.message});
  }
  [[nodiscard]] std::deque<Envelope>& mail() { return mail_; }
  void lose_mail() { mail_.clear(); }
  void isolate(ServerId id) { isolated_.insert(id); }
  void heal() { isolated_.clear(); }

  [[nodiscard]] const Configuration& members() const { return members_; }
  std::vector<std::string> story;  ///< everything that happened
  bool telling = false;

 private:
  void tell(ServerId id, const std::string& line) {
    if (telling) story.push_back(std::to_string(id) + " " + line);
  }
  void post(ServerId from, const Send& send) {
    if (!isolated_.contains(from) && !isolated_.contains(send.to) && servers_.contains(send.to))
      mail_.push_back({from, send.to, send.message});
  }
  void carry_out(ServerId id, Server& server, const Send& effect) {
    server.outbox.add(effect, [&](const Send& send) { post(id, send); });
  }
  void carry_out(ServerId, Server& server, const Persist& effect) { server.writing.push_back(effect); }
  void carry_out(ServerId, Server& server, const Apply& effect) { server.applied.push_back(effect.index); }
  void carry_out(ServerId, Server& server, const RestoreSnapshot& effect) {
    server.restored.assign(effect.bytes->begin(), effect.bytes->end());
  }
  void carry_out(ServerId, Server& server, const ProposalDone& effect) { server.done.push_back(effect); }
  void carry_out(ServerId, Server& server, const ReadReady& effect) { server.reads_ready.push_back(effect.id); }
  void carry_out(ServerId, Server& server, const ReadFailed& effect) { server.reads_failed.push_back(effect.id); }
  void carry_out(ServerId, Server&, const LeaderChanged&) {}
  void carry_out(ServerId, Server&, const ConfigurationChanged&) {}
  void carry_out(ServerId, Server& server, const Stop&) { server.stopped = true; }

  static void store(raft::Restored& disk, const raft::LogChange& change) {
    if (change.snapshot) {
      disk.snapshot = change.snapshot->snapshot;
      disk.base_index = change.snapshot->base_index;
      disk.base_term = change.snapshot->base_term;
      disk.entries.clear();
    }
    if (change.hard_state) disk.hard_state = *change.hard_state;
    if (change.truncate_from) disk.entries.resize(*change.truncate_from - disk.base_index - 1);
    disk.entries.insert(disk.entries.end(), change.entries.begin(), change.entries.end());
  }

  Configuration members_;
  std::map<ServerId, Server> servers_;
  std::deque<Envelope> mail_;
  std::set<ServerId> isolated_;
  Instant now_{seconds(100)};
};

}  // namespace bascule::consensus
