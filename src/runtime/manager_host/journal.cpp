#include "runtime/manager_host/journal.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "runtime/files/read_file.h"
#include "runtime/files/replace_file.h"

namespace bascule::manager_host {

namespace {

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
    file->make_durable();
    if (file->bytes() >= file_bytes_max_) file->begin_anew();
  }
  reserve_numbers(state_dir + "/events.number");
  return {};
}

void Journal::reserve_numbers(const std::string& path) {
  constexpr std::size_t most_bytes = 64;
  const auto before = files::read_file(path, "the numbers of events cannot be read", most_bytes, files_);
  if (before) sequence_ = std::max<std::uint64_t>(sequence_, std::strtoull(before->c_str(), nullptr, 10));
  const auto kept = files::replace_file(path, std::to_string(sequence_ + numbers_reserved) + "\n",
                                        "the numbers of events cannot be reserved", files_);
  if (!kept) spdlog::error("{}", kept.error().text());
}

void read_events(const std::string& path, const std::function<void(message::Event)>& take, files::FileSystem& files) {
  const auto text = files::read_file(path, "the events cannot be read", std::size_t{1} << 30, files);
  std::string_view rest = text ? std::string_view(*text) : std::string_view();
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
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
  const auto take = [this](message::Event event) {
    sequence_ = std::max(sequence_, event.sequence);
    told_index_ = std::max(told_index_, index_of(event));
    events_.push_back(std::move(event));
    if (events_.size() > kept_events) events_.pop_front();
  };
  read_events(path, take, files_);
}

/// A node that runs for years must not fill its disk either.
void Journal::write(LineFile& file, const std::string& line) const {
  file.add(line);
  if (file.bytes() >= file_bytes_max_) file.begin_anew();
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
