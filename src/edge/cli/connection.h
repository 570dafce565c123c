#pragma once

#include <string>

#include "base/result.h"
#include "base/time.h"
#include "edge/cli/json_view.h"

namespace bascule::cli {

/// A client of a JSON-lines socket that waits.
class Connection {
 public:
  [[nodiscard]] static Result<Connection> open(const std::string& path);
  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&&) = delete;
  ~Connection();
  [[nodiscard]] Result<void> send(const json& request);
  /// The next line. Errors: closed, nothing within `timeout`, not a JSON object.
  [[nodiscard]] Result<json> receive(Duration timeout);
  /// The process at the other end, as the kernel knows it; 0: unknown.
  [[nodiscard]] int peer_process() const;
  /// send(), then lines until one has "ok".
  [[nodiscard]] Result<json> ask(const json& request, Duration timeout);

 private:
  Connection(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  int fd_;
  std::string path_;
  std::string input_;
};

/// The Error in an answer that has "ok": false.
[[nodiscard]] Error error_in(const json& answer);

}  // namespace bascule::cli
