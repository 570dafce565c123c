#include "runtime/manager_host/history.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "runtime/process/worker.h"

namespace bascule::manager_host {

namespace asio = boost::asio;

namespace {

constexpr auto poll_every = std::chrono::seconds(5);
constexpr auto news_after = std::chrono::milliseconds(20);  ///< events come in groups
constexpr auto query_patience = std::chrono::milliseconds(500);
constexpr std::size_t reply_bytes_max = 32 * 1024;
constexpr std::size_t reply_events_max = 200;
constexpr std::int64_t clock_noise_ms = 20;

std::int64_t wall_now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::size_t size_of(const message::Event& event) {
  std::size_t size = 64 + event.node.size() + event.kind.size() + event.subject.size() + event.text.size();
  for (const auto& [name, value] : event.fields) size += name.size() + value.size() + 4;
  return size;
}

/// A copy from its two files, oldest first.
std::vector<message::Event> read_copy(const std::string& path) {
  std::vector<message::Event> events;
  for (const auto& one : {path + ".old", path})
    read_events(one, [&](message::Event event) { events.push_back(std::move(event)); });
  return events;
}

std::string entry_json(const history::Entry& entry) {
  auto json = nlohmann::ordered_json::parse(event_json(entry.event));
  json["wall_ms"] = entry.wall_ms;
  if (entry.clock_offset_ms != 0) json["clock_offset_ms"] = entry.clock_offset_ms;
  if (entry.index != 0) json["index"] = entry.index;
  if (entry.tellers.size() > 1) json["node"] = "cluster";
  json["nodes"] = entry.tellers;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::vector<std::string> entries_json(const std::vector<history::Journal>& journals, const history::Filter& filter,
                                      std::uint64_t after_index) {
  auto entries = history::filtered(history::merge(journals), filter);
  std::vector<std::string> lines;
  for (const auto& entry : entries)
    if (entry.index == 0 || entry.index > after_index) lines.push_back(entry_json(entry));
  return lines;
}

}  // namespace

// ---- a copy -------------------------------------------------------------------------------------------------------

Result<void> JournalCopy::open() {
  for (const auto& path : {path_ + ".old", path_})
    read_events(path, [&](message::Event event) {
      last_ = event.sequence;
      recent_.push_back(std::move(event));
      if (recent_.size() > recent_events) recent_.pop_front();
    });
  return file_.open(path_);
}

/// Its numbers begin again: that node lost its state. What it told before stays as long as there is room.
void JournalCopy::begin_anew() { last_ = 0; }

void JournalCopy::append(const message::Event& event) {
  file_.add(event_json(event));
  last_ = event.sequence;
  recent_.push_back(event);
  if (recent_.size() > recent_events) recent_.pop_front();
  if (file_.bytes() >= copy_bytes_max) file_.begin_anew();
}

bool JournalCopy::add(const message::HistoryReply& reply, bool accept_gap) {
  if (reply.last < last_) begin_anew();
  if (reply.after > last_ && !accept_gap) return false;
  for (const auto& event : reply.events)
    if (event.sequence > last_) append(event);
  if (accept_gap && reply.events.empty()) last_ = std::max(last_, reply.last);  // numbers that nothing has
  return true;
}

// ---- all of them --------------------------------------------------------------------------------------------------

struct History::Query {
  history::Filter filter;
  std::string cursor;
  Done done;
};

History::History(asio::io_context& io, const config::ClusterConfig& config, std::string self, Journal& journal,
                 Send send)
    : io_(io),
      config_(config),
      self_(std::move(self)),
      journal_(journal),
      send_(std::move(send)),
      poll_timer_(io),
      news_timer_(io),
      query_timer_(io) {}

History::~History() { journal_.unlisten(listener_); }

Result<void> History::open(const std::string& state_dir) {
  std::error_code error;
  std::filesystem::create_directory(state_dir + "/history", error);
  for (const auto& node : config_.nodes) {
    if (node.name == self_) continue;
    auto& other = others_.try_emplace(node.name, state_dir + "/history/" + node.name + ".jsonl").first->second;
    other.id = node.id;
    if (auto opened = other.copy.open(); !opened) return opened;
    if (!other.copy.recent().empty()) other.newest = other.copy.recent().back().wall_ms;
  }
  told_ = journal_.last_sequence();
  listener_ = journal_.listen([this](const message::Event&) {
    if (news_pending_) return;
    news_pending_ = true;
    news_timer_.expires_after(news_after);
    news_timer_.async_wait([this](const boost::system::error_code& failed) {
      if (!failed) tell_news();
    });
  });
  poll();
  return {};
}

void History::poll() {
  ask_all();
  poll_timer_.expires_after(poll_every);
  poll_timer_.async_wait([this](const boost::system::error_code& failed) {
    if (!failed) poll();
  });
}

void History::ask(Other& other) { send_(other.id, message::HistoryRequest{other.copy.last(), wall_now_ms()}); }

void History::ask_all() {
  for (auto& [name, other] : others_) ask(other);
}

message::HistoryReply History::reply_after(std::uint64_t after, std::int64_t asked_at_ms) const {
  message::HistoryReply reply{asked_at_ms, wall_now_ms(), after, journal_.last_sequence(), {}};
  const auto& events = journal_.events();
  auto next = std::partition_point(events.begin(), events.end(),
                                   [&](const message::Event& event) { return event.sequence <= after; });
  if (next != events.end()) reply.after = next->sequence - 1;
  for (std::size_t bytes = 0; next != events.end() && reply.events.size() < reply_events_max; ++next) {
    bytes += size_of(*next);
    if (bytes > reply_bytes_max) break;
    reply.events.push_back(*next);
  }
  return reply;
}

void History::tell_news() {
  news_pending_ = false;
  if (told_ == journal_.last_sequence()) return;
  const auto reply = reply_after(told_, 0);
  for (const auto& [name, other] : others_) send_(other.id, reply);
  told_ = reply.last;  // what did not fit is asked for
}

void History::received(std::uint32_t from, const message::HistoryRequest& request) {
  // Whose journal was longer than ours is has it from before this node lost its state: from the beginning, then.
  const auto after = request.after > journal_.last_sequence() ? 0 : request.after;
  send_(from, reply_after(after, request.asked_at_ms));
}

void History::received(std::uint32_t from, const message::HistoryReply& reply) {
  const auto* node = config_.node(from);
  const auto found = node == nullptr ? others_.end() : others_.find(node->name);
  if (found == others_.end()) return;
  auto& other = found->second;
  const bool asked = reply.asked_at_ms != 0;
  other.told_last = reply.last;
  const bool taken = other.copy.add(reply, asked);
  if (!reply.events.empty() && taken) other.newest = reply.events.back().wall_ms;
  if (asked) {
    const auto way_ms = std::max<std::int64_t>(0, wall_now_ms() - reply.asked_at_ms) / 2;
    const auto offset = reply.wall_ms - reply.asked_at_ms - way_ms;
    other.clock_offset_ms = std::abs(offset) <= clock_noise_ms ? 0 : offset;
  }
  const bool behind = other.copy.last() < reply.last;
  if (behind && (!taken || !reply.events.empty())) ask(other);
  other.answered = other.answered || (asked && !behind);
  answer_when_complete();
}

// ---- questions ----------------------------------------------------------------------------------------------------

void History::query(history::Filter filter, const std::string& cursor, Done done) {
  if (!cursor.empty()) return answer({std::move(filter), cursor, std::move(done)});  // who follows has the news already
  if (queries_.empty()) {
    for (auto& [name, other] : others_) other.answered = false;
    query_timer_.expires_after(query_patience);
    query_timer_.async_wait([this](const boost::system::error_code& failed) {
      if (failed) return;
      auto waiting = std::move(queries_);
      queries_.clear();
      for (auto& one : waiting) answer(std::move(one));
    });
  }
  queries_.push_back({std::move(filter), cursor, std::move(done)});
  ask_all();
  answer_when_complete();
}

void History::answer_when_complete() {
  if (queries_.empty()) return;
  if (!std::all_of(others_.begin(), others_.end(), [](const auto& other) { return other.second.answered; })) return;
  query_timer_.cancel();
  auto waiting = std::move(queries_);
  queries_.clear();
  for (auto& one : waiting) answer(std::move(one));
}

history::Cursor History::here() const {
  history::Cursor cursor;
  cursor.sequences[self_] = journal_.last_sequence();
  cursor.index = journal_.told_index();
  for (const auto& [name, other] : others_) {
    cursor.sequences[name] = other.copy.last();
    for (const auto& event : other.copy.recent()) cursor.index = std::max(cursor.index, history::index_of(event));
  }
  return cursor;
}

std::string History::about(const history::Cursor& cursor, bool complete) const {
  nlohmann::ordered_json json;
  json["cursor"] = history::cursor_text(cursor);
  json["nodes"] = nlohmann::ordered_json::array();
  json["nodes"].push_back({{"name", self_}, {"answered", true}, {"events", journal_.last_sequence()}, {"note", ""}});
  for (const auto& [name, other] : others_) {
    std::string note;
    if (complete && !other.answered)
      note = name + " could not be asked: what it told up to number " + std::to_string(other.copy.last()) + " is here";
    else if (other.clock_offset_ms != 0)
      note = "the clock of " + name + " is " + std::to_string(std::abs(other.clock_offset_ms)) + " ms " +
             (other.clock_offset_ms > 0 ? "ahead of" : "behind") + " that of " + self_ + "; its times are corrected";
    json["nodes"].push_back({{"name", name},
                             {"answered", other.answered},
                             {"events", other.copy.last()},
                             {"newest_ms", other.newest},
                             {"clock_offset_ms", other.clock_offset_ms},
                             {"note", note}});
  }
  return json.dump();
}

std::vector<history::Journal> History::recent_since(const history::Cursor& cursor) const {
  const auto news = [&](const std::string& node, const std::deque<message::Event>& events, std::uint64_t last,
                        std::int64_t offset) {
    const auto read = cursor.sequences.find(node);
    const auto after = read == cursor.sequences.end() ? 0 : read->second;
    history::Journal journal{node, offset, {}};
    for (const auto& event : events)
      if (event.sequence > after || last < after) journal.events.push_back(event);
    return journal;
  };
  std::vector<history::Journal> journals{news(self_, journal_.events(), journal_.last_sequence(), 0)};
  for (const auto& [name, other] : others_)
    journals.push_back(news(name, other.copy.recent(), other.copy.last(), other.clock_offset_ms));
  return journals;
}

void History::answer(Query query) {
  if (!query.cursor.empty()) {
    const auto cursor = history::parse_cursor(query.cursor).value_or(here());
    auto next = here();
    next.index = std::max(next.index, cursor.index);
    return query.done({entries_json(recent_since(cursor), query.filter, cursor.index), about(next, false)});
  }
  struct Work {
    std::vector<history::Journal> journals;
    std::vector<std::string> paths;  ///< of the copies, behind our own journal
    Query query;
    Answer answer;
  };
  auto work = std::make_shared<Work>();
  work->journals.push_back({self_, 0, {journal_.events().begin(), journal_.events().end()}});
  for (const auto& [name, other] : others_) {
    work->journals.push_back({name, other.clock_offset_ms, {}});
    work->paths.push_back(other.copy.path());
  }
  work->answer.about = about(here(), true);
  work->query = std::move(query);
  const auto read = [work, &io = io_, guard = std::weak_ptr<int>(alive_)] {
    for (std::size_t i = 0; i < work->paths.size(); ++i) work->journals[i + 1].events = read_copy(work->paths[i]);
    work->answer.events = entries_json(work->journals, work->query.filter, 0);
    asio::post(io, [work, guard] {
      if (!guard.expired()) work->query.done(std::move(work->answer));
    });
  };
  // Reading and ordering thousands of events must not keep heartbeats waiting.
  if (!process::start_worker(read)) read();
}

}  // namespace bascule::manager_host
