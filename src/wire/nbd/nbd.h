#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

/// The server's side of the NBD protocol, fixed newstyle, from the protocol document of the NetworkBlockDevice project.
/// Pure: bytes in, bytes out. See FORMAT.md.
namespace bascule::nbd {

inline constexpr std::uint32_t kMaxRequestBytes = 1U << 20;     ///< what we announce as the largest with data
inline constexpr std::uint32_t kMaxDiscardedBytes = 64U << 20;  ///< a longer refused write ends the connection
inline constexpr std::uint32_t kMaxOptionBytes = 64U << 10;
inline constexpr std::size_t kRequestBytes = 28;

/// What is exported.
struct Export {
  std::string name;
  std::string description;
  std::uint64_t size_bytes = 0;
  bool read_only = false;
  std::string refusal;  ///< not empty: nobody may attach now, and this is why
};

/// The conversation until the first request. Owns no socket: feed() what was received, send what stands in output().
class Handshake {
 public:
  enum class Phase { ClientFlags, Options, Transmission, Ended };

  explicit Handshake(Export exported);
  /// Uses up whole messages at the front of `received`; returns how many bytes. After Ended nothing is used.
  std::size_t feed(ByteView received);
  [[nodiscard]] Phase phase() const { return phase_; }
  /// Bytes for the client; the caller takes them.
  [[nodiscard]] Bytes& output() { return output_; }
  [[nodiscard]] bool structured_replies() const { return structured_; }
  /// Why the conversation ended, for the log; empty when the client ended it.
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  std::size_t feed_flags(ByteView received);
  std::size_t feed_option(ByteView received);
  void option(std::uint32_t number, ByteView data);
  void option_export_name(ByteView data);
  void option_go(std::uint32_t number, ByteView data);
  void option_list(ByteView data);
  void option_structured(ByteView data);
  void send_information(std::uint32_t option, ByteView wanted);
  void reply(std::uint32_t option, std::uint32_t type, ByteView data = {});
  void end(std::string reason);
  [[nodiscard]] std::uint16_t transmission_flags() const;
  [[nodiscard]] bool is_ours(std::string_view name) const { return name.empty() || name == export_.name; }

  Export export_;
  Phase phase_ = Phase::ClientFlags;
  bool structured_ = false;
  bool no_zeroes_ = false;
  Bytes output_;
  std::string reason_;
};

enum class Command : std::uint16_t {
  Read = 0,
  Write = 1,
  Disconnect = 2,
  Flush = 3,
  Trim = 4,
  Cache = 5,
  WriteZeroes = 6
};

struct Request {
  std::uint16_t flags = 0;
  std::uint16_t command = 0;  ///< a raw number; see Command
  std::uint64_t cookie = 0;   ///< echoed in the reply
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
  [[nodiscard]] bool fua() const { return (flags & 1) != 0; }
  [[nodiscard]] bool no_hole() const { return (flags & 2) != 0; }  ///< of WriteZeroes
  [[nodiscard]] bool fast() const { return (flags & 16) != 0; }    ///< of WriteZeroes: only if that is fast
  /// Bytes of data that follow this request.
  [[nodiscard]] std::uint32_t payload_bytes() const {
    return command == static_cast<std::uint16_t>(Command::Write) ? length : 0;
  }
};

/// Error numbers of the protocol (they are Linux's where they exist).
enum class ReplyError : std::uint32_t {
  None = 0,
  NotPermitted = 1,
  InputOutput = 5,
  NoMemory = 12,
  Invalid = 22,
  NoSpace = 28,
  Overflow = 75,
  NotSupported = 95,
  Shutdown = 108,
};
/// The nearest protocol error to an errno.
[[nodiscard]] ReplyError reply_error(int error_number);

/// Reads kRequestBytes. Errors: wrong magic (the stream is out of step and must end).
[[nodiscard]] Result<Request> decode_request(ByteView bytes);
/// Is this request allowed on an export of that size? None: yes.
[[nodiscard]] ReplyError check(const Request& request, std::uint64_t size_bytes, bool read_only);

/// A reply without data.
void encode_reply(Bytes& out, std::uint64_t cookie, ReplyError error);
/// The head of a successful read; `length` bytes of data follow.
void encode_read_head(Bytes& out, std::uint64_t cookie, std::uint64_t offset, std::uint32_t length, bool structured);
/// A failed read.
void encode_read_error(Bytes& out, std::uint64_t cookie, ReplyError error, bool structured);

}  // namespace bascule::nbd
