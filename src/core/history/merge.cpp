#include "core/history/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <tuple>

namespace bascule::history {
namespace {

/// What makes two nodes' events the same one. Empty: it is one node's own.
using Key = std::tuple<std::uint64_t, std::string, std::string, std::string>;

Key key_of(const message::Event& event) {
  const auto index = index_of(event);
  return index == 0 ? Key{} : Key{index, event.kind, event.subject, event.text};
}

/// A journal of which some was told already.
struct Reader {
  const Journal& journal;
  std::size_t next = 0;

  [[nodiscard]] bool at_end() const { return next == journal.events.size(); }
  [[nodiscard]] const message::Event& head() const { return journal.events[next]; }
  [[nodiscard]] std::int64_t wall_ms() const { return head().wall_ms - journal.clock_offset_ms; }
};

class Merger {
 public:
  explicit Merger(const std::vector<Journal>& journals) {
    for (const auto& journal : journals) {
      readers_.push_back({journal});
      for (const auto& event : journal.events)
        if (const auto key = key_of(event); key != Key{}) tellers_[key].insert(readers_.size() - 1);
    }
  }

  std::vector<Entry> run() {
    std::vector<Entry> told;
    while (const auto chosen = choose()) told.push_back(take(*chosen));
    return told;
  }

 private:
  /// All who tell it as well have come to it.
  [[nodiscard]] bool ready(const Key& key) const {
    if (key == Key{}) return true;
    if (std::get<0>(tellers_.begin()->first) < std::get<0>(key)) return false;  // the log's own order
    const auto& tellers = tellers_.at(key);
    return std::all_of(tellers.begin(), tellers.end(), [&](std::size_t teller) {
      return !readers_[teller].at_end() && key_of(readers_[teller].head()) == key;
    });
  }

  /// The earliest that is ready; where journals contradict each other, the earliest.
  [[nodiscard]] std::optional<std::size_t> choose() const {
    std::optional<std::size_t> best, any;
    for (std::size_t i = 0; i < readers_.size(); ++i) {
      if (readers_[i].at_end()) continue;
      if (!any || readers_[i].wall_ms() < readers_[*any].wall_ms()) any = i;
      if (best && readers_[i].wall_ms() >= readers_[*best].wall_ms()) continue;
      if (ready(key_of(readers_[i].head()))) best = i;
    }
    return best ? best : any;
  }

  Entry take(std::size_t chosen) {
    Reader& reader = readers_[chosen];
    const Key key = key_of(reader.head());
    Entry entry{
        reader.head(), {reader.journal.node}, std::get<0>(key), reader.wall_ms(), reader.journal.clock_offset_ms};
    ++reader.next;
    if (key == Key{}) return entry;
    auto& tellers = tellers_.at(key);
    tellers.erase(chosen);
    for (const auto other : std::set<std::size_t>(tellers)) {
      if (readers_[other].at_end() || key_of(readers_[other].head()) != key) continue;
      entry.tellers.insert(readers_[other].journal.node);
      ++readers_[other].next;
      tellers.erase(other);
    }
    if (tellers.empty()) tellers_.erase(key);
    return entry;
  }

  std::vector<Reader> readers_;
  std::map<Key, std::set<std::size_t>> tellers_;  ///< who will tell it yet
};

template <typename Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

std::uint64_t index_of(const message::Event& event) {
  const auto found = event.fields.find("index");
  std::uint64_t index = 0;
  return found != event.fields.end() && read_number(found->second, index) ? index : 0;
}

std::vector<Entry> merge(const std::vector<Journal>& journals) { return Merger(journals).run(); }

std::vector<Entry> filtered(std::vector<Entry> entries, const Filter& filter) {
  std::erase_if(entries, [&](const Entry& entry) {
    if (entry.wall_ms < filter.since_ms) return true;
    if (!filter.subjects.empty() && !filter.subjects.contains(entry.event.subject)) return true;
    if (!filter.node.empty() && !entry.tellers.contains(filter.node)) return true;
    return !filter.kind.empty() && entry.event.kind != filter.kind;
  });
  if (entries.size() > filter.limit)
    entries.erase(entries.begin(), entries.end() - static_cast<std::ptrdiff_t>(filter.limit));
  return entries;
}

std::string cursor_text(const Cursor& cursor) {
  std::string text = std::to_string(cursor.index);
  for (const auto& [node, sequence] : cursor.sequences) text += fmt::format(",{}:{}", node, sequence);
  return text;
}

Result<Cursor> parse_cursor(const std::string& text) {
  Cursor cursor;
  std::string_view rest(text);
  for (bool first = true; first || !rest.empty(); first = false) {
    const auto comma = std::min(rest.find(','), rest.size());
    const auto part = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const auto colon = part.rfind(':');
    const bool good =
        first ? read_number(part, cursor.index)
              : colon != std::string_view::npos &&
                    read_number(part.substr(colon + 1), cursor.sequences[std::string(part.substr(0, colon))]);
    if (!good) return fail("this is no cursor of a history", text);
  }
  return cursor;
}

}  // namespace bascule::history
