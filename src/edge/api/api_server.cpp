#include "edge/api/api_server.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <set>

namespace bascule::api {

namespace asio = boost::asio;
using asio::local::stream_protocol;
using nlohmann::json;
using Failure = boost::system::error_code;

struct ApiServer::State {
  State(asio::io_context& context, std::string at, ManagerDoor& manager)
      : acceptor(context), retry(context), path(std::move(at)), door(manager) {}
  stream_protocol::acceptor acceptor;
  asio::steady_timer retry;
  std::string path;
  ManagerDoor& door;
  std::set<std::shared_ptr<Session>> sessions;
  bool closed = false;
};

/// One client. A request is read when the one before is answered; while it follows, nothing more is answered.
class ApiServer::Session : public std::enable_shared_from_this<ApiServer::Session> {
 public:
  Session(stream_protocol::socket socket, std::weak_ptr<State> state)
      : socket_(std::move(socket)), state_(std::move(state)) {}

  void read() {
    auto self = shared_from_this();
    asio::async_read_until(socket_, asio::dynamic_buffer(input_, line_bytes_max), '\n',
                           [self](Failure failure, std::size_t bytes) { self->on_line(failure, bytes); });
  }

  void send(const json& line) {
    if (closed_) return;
    output_.push_back(line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
    unsent_bytes_ += output_.back().size();
    if (unsent_bytes_ > unsent_bytes_max) return close();
    if (output_.size() == 1) write();
  }

  void close() {
    if (closed_) return;
    closed_ = true;
    Failure ignored;
    socket_.close(ignored);
    if (const auto state = state_.lock()) state->sessions.erase(shared_from_this());
  }

  /// What was published before the backlog was sent is in the backlog.
  [[nodiscard]] bool follows(std::uint64_t sequence) const { return following_ && sequence > last_sequence_; }

 private:
  void write() {
    auto self = shared_from_this();
    asio::async_write(socket_, asio::buffer(output_.front()), [self](Failure failure, std::size_t bytes) {
      if (failure || self->closed_) return self->close();
      self->unsent_bytes_ -= bytes;
      self->output_.pop_front();
      if (!self->output_.empty()) return self->write();
      if (self->ending_) self->close();
    });
  }

  void on_line(Failure failure, std::size_t bytes) {
    if (closed_) return;
    if (failure == asio::error::not_found) {  // the line is too long
      ending_ = true;
      return answer(json{}, fail("the request cannot be understood", {}, "the line is longer than 64 KiB"));
    }
    if (failure) return close();
    const std::string line = input_.substr(0, bytes);
    input_.erase(0, bytes);
    const auto request = parse_request(line);
    if (!request) {
      answer(json{}, tl::unexpected(request.error()));
      return read();
    }
    serve(*request);
  }

  void serve(const Request& request) {
    const auto state = state_.lock();
    if (!state) return close();
    if (const auto* events = std::get_if<EventsRequest>(&request.body)) {
      send_events(*state, *events, request.id);
      read();
    } else if (const auto* wanted = std::get_if<AttributesRequest>(&request.body)) {
      answer(request.id, attributes_of(state->door.attributes(), wanted->node));
      read();
    } else if (const auto* set = std::get_if<AgentAttributeRequest>(&request.body)) {
      const auto done = state->door.set_attribute(*set);
      answer(request.id, done ? Result<json>(json::object()) : tl::unexpected(done.error()));
      read();
    } else if (const auto* command = std::get_if<message::Command>(&request.body)) {
      state->door.change(*command, answer_later(request.id));
    } else if (const auto* query = std::get_if<HistoryQuery>(&request.body)) {
      const std::weak_ptr<Session> weak = weak_from_this();
      state->door.history(*query, [weak, id = request.id](ManagerDoor::History history) {
        const auto self = weak.lock();
        if (!self || self->closed_) return;
        for (const auto& event : history.events) self->send(event);
        self->answer(id, std::move(history.answer));
        self->read();
      });
    } else if (const auto* token = std::get_if<TokenRequest>(&request.body)) {
      state->door.token(*token, answer_later(request.id));
    } else if (const auto* configuration = std::get_if<ConfigurationQuery>(&request.body)) {
      json line = state->door.configuration(*configuration);
      if (!request.id.is_null()) line["id"] = request.id;
      send(line);
      read();
    } else {
      answer(request.id, state->door.status());
      read();
    }
  }

  ManagerDoor::Done answer_later(const json& id) {
    return [weak = weak_from_this(), id](Result<json> result) {
      const auto self = weak.lock();
      if (!self || self->closed_) return;
      self->answer(id, std::move(result));
      self->read();
    };
  }

  static Result<json> attributes_of(json all, const std::string& node) {
    if (node.empty()) return json{{"attributes", std::move(all)}};
    if (!all.contains(node)) return fail("there is no node \"" + node + "\"");
    return json{{"attributes", {{node, all.at(node)}}}};
  }

  void send_events(State& state, const EventsRequest& request, const json& id) {
    last_sequence_ = request.since;
    for (const auto& event : state.door.events(request.since)) {
      send(to_json(event));
      last_sequence_ = std::max(last_sequence_, event.sequence);
    }
    following_ = request.follow;
    answer(id, json{{"last", last_sequence_}});
  }

  void answer(const json& id, Result<json> result) {
    json line =
        result ? (result->is_object() ? std::move(*result) : json::object()) : json{{"error", to_json(result.error())}};
    line["ok"] = result.has_value();
    if (!id.is_null()) line["id"] = id;
    send(line);
  }

  stream_protocol::socket socket_;
  std::weak_ptr<State> state_;
  std::string input_;
  std::deque<std::string> output_;
  std::size_t unsent_bytes_ = 0;
  std::uint64_t last_sequence_ = 0;
  bool following_ = false, closed_ = false, ending_ = false;
};

Result<std::unique_ptr<ApiServer>> ApiServer::start(asio::io_context& context, const std::string& path,
                                                    ManagerDoor& door) {
  auto state = std::make_shared<State>(context, path, door);
  try {
    unlink(path.c_str());
    const mode_t mask = umask(0117);
    state->acceptor.open(stream_protocol{});
    Failure failure;
    state->acceptor.bind(stream_protocol::endpoint(path), failure);
    umask(mask);
    if (failure) return fail("the API socket cannot be made", path, failure.message());
    state->acceptor.listen();
  } catch (const std::exception& error) {
    return fail("the API socket cannot be made", path, error.what());
  }
  accept(state);
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(state)));
}

void ApiServer::accept(const std::shared_ptr<State>& state) {
  state->acceptor.async_accept([state](Failure failure, stream_protocol::socket socket) {
    if (state->closed) return;
    if (failure) {  // out of descriptors: a pause, not a spin
      state->retry.expires_after(std::chrono::milliseconds(100));
      return state->retry.async_wait([state](Failure) {
        if (!state->closed) accept(state);
      });
    }
    if (state->sessions.size() < clients_max) {
      auto session = std::make_shared<Session>(std::move(socket), state);
      state->sessions.insert(session);
      session->read();
    }
    accept(state);
  });
}

void ApiServer::publish(const message::Event& event) {
  const auto sessions = state_->sessions;  // send() may drop a session
  for (const auto& session : sessions)
    if (session->follows(event.sequence)) session->send(to_json(event));
}

std::size_t ApiServer::client_count() const { return state_->sessions.size(); }

ApiServer::~ApiServer() {
  state_->closed = true;
  Failure ignored;
  state_->acceptor.close(ignored);
  state_->retry.cancel();
  const auto sessions = state_->sessions;
  for (const auto& session : sessions) session->close();
  unlink(state_->path.c_str());
}

}  // namespace bascule::api
