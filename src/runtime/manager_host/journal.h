#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>

#include "base/result.h"
#include "runtime/files/file_system.h"
#include "runtime/manager_host/line_file.h"
#include "wire/cluster_message/message.h"

namespace bascule::manager_host {

/// The node's story: the newest events in memory, all of them in STATE_DIR/events.jsonl (of 16 MB: what is older is in
/// events.jsonl.old, and then gone),
/// and what decisions were taken on in STATE_DIR/decisions.jsonl. A full disk takes none of it away from memory. What
/// is there when it is opened outlives every later loss of power; what comes after that may be lost with the machine.
class Journal {
 public:
  using Listener = std::function<void(const message::Event&)>;
  static constexpr std::size_t kept_events = 10000;
  static constexpr std::uint64_t usual_file_bytes = 16u << 20;
  /// So many numbers belong to one start, and the next start begins behind them: the others may know of events that
  /// were lost here with the machine, and a number is not given twice. STATE_DIR/events.number has the last of them.
  static constexpr std::uint64_t numbers_reserved = 1'000'000;

  /// `files` outlives it; `file_bytes_max`: when a file becomes FILE.old.
  explicit Journal(files::FileSystem& files = files::this_machine(), std::uint64_t file_bytes_max = usual_file_bytes)
      : files_(files), file_bytes_max_(file_bytes_max), events_file_(files), decisions_file_(files) {}
  [[nodiscard]] Result<void> open(const std::string& state_dir);
  /// Sets the wall clock and the sequence (which grows over restarts), keeps it and tells the listeners.
  void add(message::Event event);
  void keep_decision(const std::string& json);
  [[nodiscard]] const std::deque<message::Event>& events() const { return events_; }
  /// The highest index of the consensus log whose events are in the journal ("index" of an event's fields).
  [[nodiscard]] std::uint64_t told_index() const { return told_index_; }
  /// The number of the newest event, or after a start one that is greater.
  [[nodiscard]] std::uint64_t last_sequence() const { return sequence_; }
  std::uint64_t listen(Listener listener);
  void unlisten(std::uint64_t id) { listeners_.erase(id); }

 private:
  void load(const std::string& path);
  void reserve_numbers(const std::string& path);
  void write(LineFile& file, const std::string& line) const;

  files::FileSystem& files_;
  std::uint64_t file_bytes_max_;
  std::deque<message::Event> events_;
  LineFile events_file_, decisions_file_;
  std::uint64_t sequence_ = 0;
  std::uint64_t told_index_ = 0;
  std::uint64_t next_listener_ = 1;
  std::map<std::uint64_t, Listener> listeners_;
};

/// The events of a file of such lines; lines that are torn or damaged are left out.
void read_events(const std::string& path, const std::function<void(message::Event)>& take,
                 files::FileSystem& files = files::this_machine());
/// One event as the JSON line of `bascule events --json`.
[[nodiscard]] std::string event_json(const message::Event& event);

}  // namespace bascule::manager_host
