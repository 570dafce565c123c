// The story of a node: events.jsonl, and decisions.jsonl with what decisions were taken on.

#include <algorithm>
#include <optional>

#include "core/decisions/record.h"
#include "core/store/store.h"
#include "runtime/files/read_file.h"
#include "runtime/manager_host/journal.h"
#include "runtime/sim/crash/files.h"
#include "runtime/sim/crash/writers/all.h"

namespace bascule::sim {
namespace {

using manager_host::Journal;
using Lines = std::vector<std::string>;

constexpr const char* state_directory = "/var/lib/bascule";
constexpr std::uint64_t file_bytes_max = 6000;  ///< so that a few lines fill a file
constexpr std::size_t most_bytes = 1 << 20;

message::Event event_of_length(std::size_t length) {
  message::Event event;
  event.node = "alice", event.kind = "service-started", event.subject = "shop";
  while (event.text.size() < length) event.text += static_cast<char>('a' + event.text.size() % 23);
  return event;
}

Lines events_in(const Journal& journal) {
  Lines lines;
  for (const auto& event : journal.events()) lines.push_back(manager_host::event_json(event));
  return lines;
}

Lines events_in(CrashFiles& disk) {
  Lines lines;
  const auto take = [&](const message::Event& event) { lines.push_back(manager_host::event_json(event)); };
  for (const char* name : {"/events.jsonl.old", "/events.jsonl"})
    manager_host::read_events(state_directory + std::string(name), take, disk);
  return lines;
}

/// A decision that was taken on little, which fills more than one sector.
std::string decision() {
  static const std::string line = [] {
    std::string configuration =
        "[cluster]\nname = \"boutique\"\nkey_file = \"none\"\n[node.alice]\naddress = \"10.9.0.1\"\n";
    while (configuration.size() < 900) configuration += "# nothing\n";
    const auto config = config::parse(configuration, "cluster.toml");
    const store::Store store;
    const ownership::Snapshot snapshot{*config, store.state(), "alice", true, true, Instant(seconds(10)), {}};
    return decisions::write(snapshot, {}, {1, 1'795'000'000'000, configuration, store.brief()});
  }();
  return line;
}

/// What a reader takes for decisions.
Lines decisions_in(CrashFiles& disk) {
  Lines found;
  for (const char* name : {"/decisions.jsonl.old", "/decisions.jsonl"}) {
    std::string text = files::read_file(state_directory + std::string(name), "", most_bytes, disk).value_or("");
    for (std::size_t end = 0; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1))
      if (decisions::read(text.substr(0, end))) found.push_back(text.substr(0, end));
  }
  return found;
}

bool has_all(const Lines& found, const Lines& wanted) {
  return std::all_of(wanted.begin(), wanted.end(),
                     [&](const auto& line) { return std::find(found.begin(), found.end(), line) != found.end(); });
}

class Story final : public CrashSubject {
 public:
  Story(Explorer& explorer, const std::string& canary) {
    (void)files::make_directories(disk_, state_directory, 0755);
    disk_.flush_all();
    if (canary == "history-not-synced")
      disk_.forgets_sync = [](const std::string& path) { return path.ends_with(".jsonl"); };
    disk_.watch(explorer, [this](CrashFiles& found) { return fault_of(found); });
    disk_.changed = [this, watched = disk_.changed](const std::string& what) {
      if (what.starts_with("rename") && what.ends_with(".jsonl.old")) note_full_file(what);
      watched(what);
    };
    start();
  }
  bool perform(std::size_t operation) override {
    if (operation < 2) tell(operation == 0 ? 20 : 900);
    if (operation == 2) {
      ++decided_;
      journal_->keep_decision(decision());
    }
    if (operation == 3) start();
    if (operation == 4)
      for (int count = 0; count < 6; ++count) tell(1000);
    return true;
  }

 private:
  /// As after a kill: what was told is readable, and from here on it stays.
  void start() {
    journal_.emplace(disk_, file_bytes_max);
    full_event_files_ = full_decision_files_ = 0;
    if (!journal_->open(state_directory)) return;
    kept_ = events_in(disk_);
    kept_decisions_ = decisions_in(disk_).size();
    disk_.promise(std::to_string(kept_.size()) + " events and " + std::to_string(kept_decisions_) + " decisions");
  }
  /// What is in the file before the one before goes by intention.
  void note_full_file(const std::string& what) {
    const bool of_events = what.find("events") != std::string::npos;
    if (of_events && ++full_event_files_ == 2) kept_.clear();
    if (!of_events && ++full_decision_files_ == 2) kept_decisions_ = 0;
  }
  void tell(std::size_t length) {
    telling_ = true;
    journal_->add(event_of_length(length));
    telling_ = false;
    told_.push_back(manager_host::event_json(journal_->events().back()));
    last_number_ = journal_->last_sequence();
  }
  /// The event that is being written has no number here yet.
  [[nodiscard]] bool all_were_told(const Lines& events) const {
    const auto strange = std::count_if(events.begin(), events.end(), [&](const auto& line) {
      return std::find(told_.begin(), told_.end(), line) == told_.end();
    });
    return strange <= (telling_ ? 1 : 0);
  }
  [[nodiscard]] std::string fault_of(CrashFiles& found) const {
    const Lines decided = decisions_in(found);
    if (decided.size() < kept_decisions_) return "a decision that was there at the last start is lost";
    if (decided.size() > decided_) return "more decisions are read than were taken";
    if (!has_all({decision()}, decided)) return "a decision is read that was never taken";
    std::optional<Journal> after(std::in_place, found, file_bytes_max);
    if (!after->open(state_directory)) return "the story cannot be opened any more";
    const Lines events = events_in(*after);
    if (!has_all(events, kept_)) return "an event that was there at the last start is lost";
    if (!all_were_told(events)) return "an event is read that was never told";
    if (after->last_sequence() < last_number_) return "numbers of events are given again";
    after->add(event_of_length(10));
    const std::string next = manager_host::event_json(after->events().back());
    after.emplace(found, file_bytes_max);
    if (!after->open(state_directory) || !has_all(events_in(*after), {next})) return "the next event is not read";
    return "";
  }

  CrashFiles disk_;
  std::optional<Journal> journal_;
  Lines told_, kept_;
  std::size_t decided_ = 0, kept_decisions_ = 0;
  std::uint64_t last_number_ = 0;                       ///< of what was told
  int full_event_files_ = 0, full_decision_files_ = 0;  ///< since the start
  bool telling_ = false;
};

}  // namespace

CrashWriter history_writer() {
  return {"history",
          "what was readable at a start stays readable; no torn line is read as another; numbers are not given again",
          {"tell a short event", "tell one longer than a sector", "keep a decision", "start again", "fill a file"},
          3,
          [](Explorer& explorer, const std::string& canary) -> std::unique_ptr<CrashSubject> {
            return std::make_unique<Story>(explorer, canary);
          }};
}

}  // namespace bascule::sim
