#include "runtime/block_host/control.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "runtime/block_host/operator_command.h"
#include "runtime/uring/inbox.h"
#include "runtime/uring/stream.h"
#include "runtime/uring/unix_socket.h"

namespace bascule::block_host {
namespace {

using nlohmann::json;

constexpr std::size_t kLineBytesMax = 64 * 1024;
constexpr std::size_t kUnsentMax = std::size_t{4} << 20;  // a client that does not read is dropped

std::string text_line(const json& line) { return line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"; }

json error_of(const Error& error) {
  return {{"what", error.what}, {"where", error.where}, {"why", error.why}, {"hint", error.hint}};
}

}  // namespace

/// One connection.
class ControlClient final : public uring::Closing {
 public:
  ControlClient(Control& control, Control::ClientId id, uring::Ring& ring, int descriptor)
      : control_(control), id_(id), stream_(ring, descriptor), inbox_(kLineBytesMax) {
    stream_.on_send_error([this](int) { stream_.close(); });
    stream_.on_sent([this](int) {
      if (leaving_ && stream_.unsent() == 0) stream_.close();
    });
    receive();
  }
  [[nodiscard]] bool idle() const override { return stream_.idle(); }
  [[nodiscard]] Control::ClientId id() const { return id_; }
  uring::Stream& stream() { return stream_; }

 private:
  void receive() {
    stream_.receive(inbox_.space(), false, [this](int result) { received(result); });
  }
  void received(int result) {
    if (result <= 0) return stream_.close();
    inbox_.filled(static_cast<std::size_t>(result));
    while (!stream_.closed() && take_line()) {
    }
    if (inbox_.space().empty()) return too_long();
    receive();
  }
  bool take_line() {
    const std::string_view view = text_of(inbox_.view());
    const std::size_t end = view.find('\n');
    if (end == std::string_view::npos) return false;
    const std::string text(view.substr(0, end));
    inbox_.consume(end + 1);
    control_.line(*this, text);
    return true;
  }
  void too_long() {
    const Error error{"the request cannot be read", "", "the line is longer than 64 KiB", ""};
    stream_.send(view_of(text_line({{"ok", false}, {"error", error_of(error)}})));
    leaving_ = true;
  }

  Control& control_;
  Control::ClientId id_;
  uring::Stream stream_;
  uring::Inbox inbox_;
  bool leaving_ = false;  ///< closed once the last answer is sent
};

Result<std::unique_ptr<Control>> Control::listen(uring::Ring& ring, const std::string& path, Events& events) {
  const auto listener = uring::listen_unix(path);
  if (!listener) return tl::unexpected(listener.error());
  std::unique_ptr<Control> control(new Control(ring, path, *listener, events));
  control->accept();
  return control;
}

Control::Control(uring::Ring& ring, std::string path, int listener, Events& events)
    : ring_(ring), path_(std::move(path)), listener_(listener), events_(events) {}

Control::~Control() {
  ring_.abandon(accepting_);
  ring_.cancel_timer(accept_again_);
  ::unlink(path_.c_str());
  ::close(listener_);
  for (auto& client : clients_) {
    client->stream().close();
    ring_.bury(std::move(client));
  }
}

void Control::accept() {
  accepting_ = ring_.accept(listener_, [this](int result) { accepted(result); });
}

void Control::accepted(int result) {
  if (result == -ECANCELED) return;
  if (result >= 0 && clients_.size() < kClients)
    clients_.push_back(std::make_unique<ControlClient>(*this, next_client_++, ring_, result));
  else if (result >= 0)
    ::close(result);
  if (result < 0) {
    accept_again_ = ring_.timer(uring::Ring::now() + milliseconds(200), [this](int) { accept(); });
    return;
  }
  accept();
}

void Control::line(ControlClient& client, std::string_view text) {
  if (text.find_first_not_of(" \t\r") == std::string_view::npos) return;
  const json request = json::parse(text, nullptr, false);
  if (!request.is_object())
    return refuse(client.id(), nullptr, {"the request cannot be read", "", "it is no JSON object", ""});
  const auto operation = request.find("op");
  if (operation == request.end() || !operation->is_string())
    return refuse(client.id(), request.value("id", json()), {"the request cannot be read", "op", "it is missing", ""});
  events_.requested(client.id(), request);
}

void Control::answer(ClientId client, const json& id, json reply) {
  reply["ok"] = true;
  if (!id.is_null()) reply["id"] = id;
  send(client, reply);
}

void Control::refuse(ClientId client, const json& id, const Error& error,
                     std::optional<drbd::StateChangeResult> result) {
  json reply = {{"ok", false}, {"error", error_of(error)}};
  if (result) reply["error"]["code"] = static_cast<int>(*result), reply["error"]["name"] = name_of(*result);
  if (!id.is_null()) reply["id"] = id;
  send(client, reply);
}

void Control::send(ClientId client, const json& line) {
  const auto found =
      std::find_if(clients_.begin(), clients_.end(), [&](const auto& each) { return each->id() == client; });
  if (found != clients_.end()) (*found)->stream().send(view_of(text_line(line)));
}

void Control::tell_all(const json& line) {
  const std::string text = text_line(line);
  for (auto& client : clients_) client->stream().send(view_of(text));
}

void Control::flush() {
  for (auto& client : clients_) {
    client->stream().flush();
    if (client->stream().unsent() > kUnsentMax) client->stream().close();
    if (client->stream().closed()) ring_.bury(std::move(client));
  }
  std::erase(clients_, nullptr);
}

}  // namespace bascule::block_host
