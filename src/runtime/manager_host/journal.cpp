#include "runtime/manager_host/journal.h"

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

namespace bascule::manager_host {

namespace {

constexpr std::uint64_t file_bytes_max = 16u << 20;

std::int64_t wall_clock_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
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
  const std::string events = state_dir + "/events.jsonl";
  load(events + ".old");
  load(events);
  for (auto [file, path] :
       {std::pair{&events_file_, events}, std::pair{&decisions_file_, state_dir + "/decisions.jsonl"}}) {
    if (auto opened = file->open(path); !opened) return opened;
    if (file->bytes() >= file_bytes_max) file->begin_anew();
  }
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
void Journal::write(LineFile& file, const std::string& line) {
  file.add(line);
  if (file.bytes() >= file_bytes_max) file.begin_anew();
}

void Journal::add(message::Event event) {
  event.sequence = ++sequence_;
  event.wall_ms = wall_clock_ms();
  told_index_ = std::max(told_index_, index_of(event));
  write(events_file_, event_json(event));
  events_.push_back(event);
  if (events_.size() > kept_events) events_.pop_front();
  for (const auto& [id, listener] : listeners_) listener(event);
}

void Journal::keep_decision(const std::string& json) { write(decisions_file_, json); }

std::uint64_t Journal::listen(Listener listener) {
  listeners_.emplace(next_listener_, std::move(listener));
  return next_listener_++;
}

}  // namespace bascule::manager_host
