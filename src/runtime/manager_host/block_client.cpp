#include "runtime/manager_host/block_client.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <nlohmann/json.hpp>

namespace bascule::manager_host {

namespace asio = boost::asio;
using Json = nlohmann::json;

namespace {

constexpr auto retry_after = std::chrono::milliseconds(100);
constexpr std::size_t line_bytes_max = 256 * 1024;

template <typename T>
T field(const Json& object, const char* name, T otherwise) {
  const auto it = object.find(name);
  if (it == object.end() || it->is_null()) return otherwise;
  try {
    return it->get<T>();
  } catch (const Json::exception&) {
    return otherwise;  // a field of another type is as good as missing: blockd of another version
  }
}

manager::VolumeState state_of(const Json& json, const std::string& volume) {
  manager::VolumeState state;
  auto& report = state.report;
  report.name = volume;
  report.epoch = field<std::uint64_t>(json, "epoch", 0);
  report.attached = field(json, "attached", false);
  report.role = field<std::string>(json, "role", "Unknown");
  report.connection = field<std::string>(json, "connection", "Unknown");
  report.disk = field<std::string>(json, "disk", "DUnknown");
  report.peer_disk = field<std::string>(json, "peer_disk", "DUnknown");
  report.just_created = field(json, "just_created", false);
  report.size_bytes = field<std::uint64_t>(json, "size_bytes", 0);
  report.out_of_sync_bytes = field<std::uint64_t>(json, "out_of_sync_bytes", 0);
  report.resync_done_bytes = field<std::uint64_t>(json, "resync_done_bytes", 0);
  report.resync_total_bytes = field<std::uint64_t>(json, "resync_total_bytes", 0);
  report.writes_acknowledged = field<std::uint64_t>(json, "writes_acknowledged", 0);
  report.writes_held = field<std::uint32_t>(json, "writes_held", 0);
  report.device = field<std::string>(json, "device", "");
  report.why = field<std::string>(json, "why", "");
  const auto promoted = json.find("promoted_epoch");
  if (promoted != json.end() && promoted->is_number_unsigned()) state.promoted_epoch = promoted->get<std::uint64_t>();
  state.peer = field<std::string>(json, "peer", "");
  state.in_sync_version = field<std::uint64_t>(json, "in_sync_version", 0);
  state.wants_shrink = field(json, "wants_shrink", false);
  state.wants_grow = field(json, "wants_grow", false);
  state.failed_io = field(json, "failed_io", false);
  return state;
}

}  // namespace

Result<manager::VolumeState> parse_volume_state(const std::string& text, const std::string& volume) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return fail("blockd's state cannot be read", volume, "it is not a JSON object");
  return state_of(json, volume);
}

BlockClient::BlockClient(asio::io_context& io, std::string volume, std::string path, Sink sink)
    : socket_(io), retry_(io), volume_(std::move(volume)), path_(std::move(path)), sink_(std::move(sink)) {}

void BlockClient::start() { connect(); }

void BlockClient::connect() {
  socket_ = asio::local::stream_protocol::socket(retry_.get_executor());
  socket_.async_connect(asio::local::stream_protocol::endpoint(path_), [this](const boost::system::error_code& error) {
    if (error) return lost();
    connected();
  });
}

void BlockClient::connected() {
  up_ = true;
  incoming_.clear();
  outgoing_.clear();
  asked_.clear();
  request("state", "");
  read();
}

void BlockClient::lost() {
  if (up_) sink_(manager::input::VolumeChanged{volume_, false, {}});
  up_ = false;
  boost::system::error_code ignored;
  socket_.close(ignored);
  retry_.expires_after(retry_after);
  retry_.async_wait([this](const boost::system::error_code& error) {
    if (!error) connect();
  });
}

void BlockClient::read() {
  asio::async_read_until(socket_, asio::dynamic_buffer(incoming_, line_bytes_max), '\n',
                         [this](const boost::system::error_code& error, std::size_t size) {
                           if (error) return error == asio::error::operation_aborted ? void() : lost();
                           const std::string text = incoming_.substr(0, size - 1);
                           incoming_.erase(0, size);
                           line(text);
                           read();
                         });
}

void BlockClient::line(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return;
  if (const auto state = json.find("state"); state != json.end() && state->is_object())
    sink_(manager::input::VolumeChanged{volume_, true, state_of(*state, volume_)});
  if (field<std::string>(json, "event", "") == "story") {
    std::map<std::string, std::string> fields;
    if (const auto given = json.find("fields"); given != json.end() && given->is_object())
      for (const auto& [key, value] : given->items())
        fields[key] = value.is_string() ? value.get<std::string>() : value.dump();
    sink_(manager::input::VolumeStory{volume_, field<std::string>(json, "kind", ""),
                                      field<std::string>(json, "text", ""), fields});
  }
  const auto asked = asked_.find(field<std::uint64_t>(json, "id", 0));
  if (asked == asked_.end()) return;
  const std::string operation = asked->second;
  asked_.erase(asked);
  if (field(json, "ok", true)) return;
  const Json error = json.value("error", Json::object());
  const Error refusal{field<std::string>(error, "what", "refused"), field<std::string>(error, "where", ""),
                      field<std::string>(error, "why", ""), field<std::string>(error, "hint", "")};
  sink_(manager::input::VolumeRefused{volume_, operation, refusal.text()});
}

void BlockClient::request(const std::string& operation, const std::string& json_fields) {
  if (!up_) return;  // the manager asks again when blockd is back
  const auto id = next_id_++;
  asked_[id] = operation;
  outgoing_.push_back("{\"id\":" + std::to_string(id) + ",\"op\":\"" + operation + "\"" + json_fields + "}\n");
  if (outgoing_.size() == 1) write();
}

void BlockClient::write() {
  asio::async_write(socket_, asio::buffer(outgoing_.front()),
                    [this](const boost::system::error_code& error, std::size_t) {
                      if (error || outgoing_.empty()) return;  // the reader notices the loss
                      outgoing_.pop_front();
                      if (!outgoing_.empty()) write();
                    });
}

void BlockClient::promote(std::uint64_t epoch, bool initial) {
  request("promote", ",\"epoch\":" + std::to_string(epoch) + ",\"initial\":" + (initial ? "true" : "false"));
}
void BlockClient::demote(bool force) { request("demote", std::string(",\"force\":") + (force ? "true" : "false")); }
void BlockClient::fail_io() { request("fail_io", ""); }
void BlockClient::in_sync(std::uint64_t version, const std::vector<std::string>& members) {
  request("in_sync", ",\"version\":" + std::to_string(version) + ",\"members\":" + Json(members).dump());
}
void BlockClient::peer_lost(const std::string& reason) { request("peer_lost", ",\"reason\":" + Json(reason).dump()); }

}  // namespace bascule::manager_host
