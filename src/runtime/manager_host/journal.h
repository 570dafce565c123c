#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>

#include "base/result.h"
#include "runtime/manager_host/line_file.h"
#include "wire/cluster_message/message.h"

namespace bascule::manager_host {

/// The node's story: the newest events in memory, all of them in STATE_DIR/events.jsonl (of 16 MB: what is older is in
/// events.jsonl.old, and then gone),
/// and what decisions were taken on in STATE_DIR/decisions.jsonl. A full disk takes none of it away from memory.
class Journal {
 public:
  using Listener = std::function<void(const message::Event&)>;
  static constexpr std::size_t kept_events = 10000;

  [[nodiscard]] Result<void> open(const std::string& state_dir);
  /// Sets the wall clock and the sequence (which goes on over restarts), keeps it and tells the listeners.
  void add(message::Event event);
  void keep_decision(const std::string& json);
  [[nodiscard]] const std::deque<message::Event>& events() const { return events_; }
  /// The highest index of the consensus log whose events are in the journal ("index" of an event's fields).
  [[nodiscard]] std::uint64_t told_index() const { return told_index_; }
  /// The number of the newest event.
  [[nodiscard]] std::uint64_t last_sequence() const { return sequence_; }
  std::uint64_t listen(Listener listener);
  void unlisten(std::uint64_t id) { listeners_.erase(id); }

 private:
  void load(const std::string& path);
  static void write(LineFile& file, const std::string& line);

  std::deque<message::Event> events_;
  LineFile events_file_, decisions_file_;
  std::uint64_t sequence_ = 0;
  std::uint64_t told_index_ = 0;
  std::uint64_t next_listener_ = 1;
  std::map<std::uint64_t, Listener> listeners_;
};

/// The events of a file of such lines; lines that are torn or damaged are left out.
void read_events(const std::string& path, const std::function<void(message::Event)>& take);
/// One event as the JSON line of `bascule events --json`.
[[nodiscard]] std::string event_json(const message::Event& event);

}  // namespace bascule::manager_host
