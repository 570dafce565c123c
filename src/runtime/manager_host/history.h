#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/history/merge.h"
#include "runtime/manager_host/journal.h"
#include "wire/cluster_config/config.h"
#include "wire/cluster_message/message.h"

namespace bascule::manager_host {

/// What another node told, kept here too: STATE_DIR/history/NODE.jsonl, at most two files of copy_bytes_max.
class JournalCopy {
 public:
  static constexpr std::uint64_t copy_bytes_max = 4u << 20;
  static constexpr std::size_t recent_events = 500;  ///< also in memory, for who follows

  explicit JournalCopy(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] Result<void> open();
  /// What follows on what is there; the rest is left out. False: there is a gap before it, nothing was taken.
  bool add(const message::HistoryReply& reply, bool accept_gap);
  [[nodiscard]] std::uint64_t last() const { return last_; }
  [[nodiscard]] const std::deque<message::Event>& recent() const { return recent_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  void append(const message::Event& event);
  void begin_anew();

  std::string path_;
  LineFile file_;
  std::uint64_t last_ = 0;
  std::deque<message::Event> recent_;
};

/// The cluster's history on this node: its own journal, and copies of those of all others, fetched as they grow. A node
/// tells what is new at once; what got lost on the way is asked for. So the story of a dead node is on the survivors.
class History {
 public:
  using Send = std::function<void(std::uint32_t to, message::Message message)>;
  struct Answer {
    std::vector<std::string> events;  ///< JSON, in order
    std::string about;                ///< JSON: `nodes` (each with what is known of it) and `cursor`
  };
  using Done = std::function<void(Answer)>;

  History(boost::asio::io_context& io, const config::ClusterConfig& config, std::string self, Journal& journal,
          Send send);
  ~History();
  [[nodiscard]] Result<void> open(const std::string& state_dir);
  void received(std::uint32_t from, const message::HistoryRequest& request);
  void received(std::uint32_t from, const message::HistoryReply& reply);
  /// Asks all others for what is new, waits a moment for them, and answers. `cursor` not empty: only what is new since.
  void query(history::Filter filter, const std::string& cursor, Done done);

 private:
  struct Other {
    explicit Other(std::string path) : copy(std::move(path)) {}
    std::uint32_t id = 0;
    JournalCopy copy;
    std::int64_t clock_offset_ms = 0;
    std::int64_t newest = 0;      ///< wall clock of its last event that is here
    std::uint64_t told_last = 0;  ///< the newest number that it spoke of
    bool answered = false;        ///< since the query under way began
  };
  struct Query;

  void ask(Other& other);
  void ask_all();
  void tell_news();
  void poll();
  [[nodiscard]] message::HistoryReply reply_after(std::uint64_t after, std::int64_t asked_at_ms) const;
  void answer_when_complete();
  void answer(Query query);
  [[nodiscard]] std::vector<history::Journal> recent_since(const history::Cursor& cursor) const;
  [[nodiscard]] std::string about(const history::Cursor& cursor, bool complete) const;
  [[nodiscard]] history::Cursor here() const;

  boost::asio::io_context& io_;
  const config::ClusterConfig& config_;
  std::string self_;
  Journal& journal_;
  Send send_;
  std::map<std::string, Other> others_;
  boost::asio::steady_timer poll_timer_, news_timer_, query_timer_;
  bool news_pending_ = false;
  std::uint64_t told_ = 0;
  std::uint64_t listener_ = 0;
  std::vector<Query> queries_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace bascule::manager_host
