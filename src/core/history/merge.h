#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/cluster_message/message.h"

/// The history of a cluster out of what its nodes told, in an order that respects causes.
namespace bascule::history {

/// What one node told, in its own order.
struct Journal {
  std::string node;
  std::int64_t clock_offset_ms = 0;  ///< how far its wall clock is ahead of that of who reads
  std::vector<message::Event> events;
};

struct Entry {
  message::Event event;
  std::set<std::string> tellers;     ///< more than one: an entry of the consensus log, told by each alike
  std::uint64_t index = 0;           ///< of that entry; 0: what one node did or saw
  std::int64_t wall_ms = 0;          ///< by the clock of who reads
  std::int64_t clock_offset_ms = 0;  ///< of the node that told it
};

[[nodiscard]] std::vector<Entry> merge(const std::vector<Journal>& journals);

struct Filter {
  std::int64_t since_ms = 0;       ///< wall clock of who reads
  std::set<std::string> subjects;  ///< empty: any
  std::string node, kind;          ///< empty: any
  std::size_t limit = SIZE_MAX;    ///< the newest so many
};
[[nodiscard]] std::vector<Entry> filtered(std::vector<Entry> entries, const Filter& filter);

/// How far somebody has read: the number of the last event of each node, and the highest index of the log.
struct Cursor {
  std::uint64_t index = 0;
  std::map<std::string, std::uint64_t> sequences;
  bool operator==(const Cursor&) const = default;
};
/// "57,alice:12,bob:7"
[[nodiscard]] std::string cursor_text(const Cursor& cursor);
[[nodiscard]] Result<Cursor> parse_cursor(const std::string& text);

/// The index of the consensus log that an event was derived from; 0: of none.
[[nodiscard]] std::uint64_t index_of(const message::Event& event);

}  // namespace bascule::history
