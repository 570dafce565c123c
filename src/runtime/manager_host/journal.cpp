#include "runtime/manager_host/journal.h"

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace bascule::manager_host {

namespace {

constexpr std::uintmax_t file_bytes_max = 16u << 20;

std::int64_t wall_clock_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

/// A file that has grown too long becomes FILE.old, replacing the one before.
void rotate(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::file_size(path, ignored) >= file_bytes_max && !ignored)
    std::filesystem::rename(path, path + ".old", ignored);
}

/// The machine died in the middle of a line: what comes next must not be written behind it.
bool ends_torn(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file || file.tellg() == 0) return false;
  file.seekg(-1, std::ios::end);
  return file.get() != '\n';
}

message::Event parse(const nlohmann::json& json) {
  message::Event event;
  event.sequence = json.value("seq", std::uint64_t{0});
  event.node = json.value("node", "");
  event.at_ns = json.value("at_ns", std::int64_t{0});
  event.wall_ms = json.value("wall_ms", std::int64_t{0});
  event.kind = json.value("kind", "");
  event.subject = json.value("subject", "");
  event.text = json.value("text", "");
  event.fields = json.value("fields", std::map<std::string, std::string>{});
  return event;
}

std::uint64_t index_of(const message::Event& event) {
  const auto found = event.fields.find("index");
  return found == event.fields.end() ? 0 : std::strtoull(found->second.c_str(), nullptr, 10);
}

}  // namespace

std::string event_json(const message::Event& event) {
  nlohmann::ordered_json json;
  json["seq"] = event.sequence;
  json["node"] = event.node;
  json["at_ns"] = event.at_ns;
  json["wall_ms"] = event.wall_ms;
  json["kind"] = event.kind;
  json["subject"] = event.subject;
  json["text"] = event.text;
  json["fields"] = event.fields;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<void> Journal::open(const std::string& state_dir) {
  events_path_ = state_dir + "/events.jsonl";
  decisions_path_ = state_dir + "/decisions.jsonl";
  rotate(events_path_);
  rotate(decisions_path_);
  load(events_path_ + ".old");
  load(events_path_);
  const bool torn = ends_torn(events_path_);
  events_file_.open(events_path_, std::ios::app);
  if (torn) events_file_ << '\n';
  decisions_file_.open(decisions_path_, std::ios::app);
  if (!events_file_ || !decisions_file_) return fail_errno("the journal cannot be written", state_dir, errno);
  return {};
}

void read_events(const std::string& path, const std::function<void(message::Event)>& take) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) continue;  // the torn last line of a machine that died
    message::Event event;
    try {
      event = parse(json);
    } catch (const nlohmann::json::exception&) {
      continue;
    }
    take(std::move(event));
  }
}

void Journal::load(const std::string& path) {
  read_events(path, [this](message::Event event) {
    sequence_ = std::max(sequence_, event.sequence);
    told_index_ = std::max(told_index_, index_of(event));
    events_.push_back(std::move(event));
    if (events_.size() > kept_events) events_.pop_front();
  });
}

/// A node that runs for years must not fill its disk either.
void Journal::write(std::ofstream& file, const std::string& path, const std::string& line) {
  file << line << '\n' << std::flush;
  if (file.tellp() < static_cast<std::streamoff>(file_bytes_max)) return;
  file.close();
  rotate(path);
  file.open(path, std::ios::app);
}

void Journal::add(message::Event event) {
  event.sequence = ++sequence_;
  event.wall_ms = wall_clock_ms();
  told_index_ = std::max(told_index_, index_of(event));
  write(events_file_, events_path_, event_json(event));
  events_.push_back(event);
  if (events_.size() > kept_events) events_.pop_front();
  for (const auto& [id, listener] : listeners_) listener(event);
}

void Journal::keep_decision(const std::string& json) { write(decisions_file_, decisions_path_, json); }

std::uint64_t Journal::listen(Listener listener) {
  listeners_.emplace(next_listener_, std::move(listener));
  return next_listener_++;
}

}  // namespace bascule::manager_host
