#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <optional>
#include <sstream>
#include <string>

#include "core/replication/engine.h"
#include "core/replication/testing/packet_words.h"
#include "wire/drbd_metadata/metadata.h"

/// For the tests of this room: transcripts of one engine. pairs.h has the beginnings that many of them share.
namespace bascule::replication::testing {

inline constexpr std::uint64_t backing_bytes = (16ULL << 20) + 64 * 1024;
inline constexpr std::uint64_t data_sectors = 16ULL * 2048;

/// Plays a transcript: a line is an input, or "< " and one effect that it must have, in order and with none left out.
/// "= " checks the status. `disk` answers everything that is under way at the disk, until nothing is; `disk-one` and
/// `disk-fails` answer what began first.
class Transcript {
 public:
  struct Setup {
    bool created_anew = false;
    const char* self = "alice";
    /// Changes the configuration before the engine is made.
    std::function<void(Config&)> configure = nullptr;
    std::function<void(Restored&)> restore = nullptr;
    bool diskless = false;
    /// Puts the metadata elsewhere than behind the data, and says where they are.
    std::function<drbd_metadata::Layout(Config&, Restored&)> place = nullptr;
  };
  Transcript() : Transcript(Setup{}) {}
  explicit Transcript(bool created_anew, const char* self = "alice") : Transcript(Setup{created_anew, self}) {}
  explicit Transcript(const Setup& setup) {
    auto created = drbd_metadata::create_v08(backing_bytes).value();
    Restored restored;
    restored.superblock = created.superblock;
    if (!setup.created_anew) {
      restored.superblock.current_uuid = generation;
      restored.superblock.effective_sectors = data_sectors;
      restored.superblock.flags |= drbd_metadata::flag::kConsistent | drbd_metadata::flag::kWasUpToDate;
    }
    restored.bitmap.assign(created.layout.bitmap_bytes, 0);
    restored.activity_log.assign(restored.superblock.shape().blocks() * 4096, 0);
    Config config;
    config.self = setup.self;
    config.peer = std::string(setup.self) == "alice" ? "bob" : "alice";
    config.backing_bytes = backing_bytes;
    config.size_limit_bytes = data_sectors * 512;
    if (setup.configure) setup.configure(config);
    if (setup.restore) setup.restore(restored);
    layout_ = setup.place ? setup.place(config, restored) : created.layout;
    metadata_bytes_ = config.metadata_bytes;
    restored_ = restored;
    options_ = config.options;
    engine_.emplace(config, setup.diskless ? std::nullopt : std::optional(std::move(restored)), now_);
  }

  void play(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      line.erase(0, line.find_first_not_of(' '));
      if (!line.empty()) one(line);
      if (::testing::Test::HasFailure()) return;
    }
    EXPECT_TRUE(pending_.empty()) << "after the last line there is still: "
                                  << (pending_.empty() ? "" : pending_.front());
  }

 private:
  void one(const std::string& line) {
    if (line[0] == '<') {
      const std::string got = pending_.empty() ? "nothing" : pending_.front();
      if (!pending_.empty()) pending_.pop_front();
      EXPECT_EQ("< " + got, line) << "after: " << last_;
    } else if (line[0] == '=') {
      EXPECT_NE(status_text().find(line.substr(2)), std::string::npos) << status_text() << "\nis not: " << line;
    } else {
      EXPECT_TRUE(pending_.empty()) << "after: " << last_
                                    << "\nunexpected: " << (pending_.empty() ? "" : pending_.front());
      last_ = line;
      std::istringstream words(line);
      command(words);
    }
  }

  std::string status_text() const {
    const Status status = engine_->status();
    return std::string(drbd::name_of(status.role)) + " " + drbd::name_of(status.connection) + " " +
           drbd::name_of(status.disk) + "/" + drbd::name_of(status.peer_disk) + " oos " +
           std::to_string(status.out_of_sync_bytes) + " held " + std::to_string(status.writes_held) + " why " +
           status.why;
  }

  void step(const Input& input) {
    Effects effects;
    engine_->step(input, now_, effects);
    for (const Effect& effect : effects) std::visit([this](const auto& each) { note(each); }, effect);
  }

  /// What an application asks.
  bool application_command(const std::string& verb, std::istringstream& words) {
    const auto number = [&words] {
      std::uint64_t value = 0;
      words >> value;
      return value;
    };
    const auto word = [&words] {
      std::string text;
      words >> text;
      return text;
    };
    if (verb == "write") {
      const auto request = number();
      const auto offset = number();
      const auto length = number();
      step(input::Write{request, offset, static_cast<std::uint32_t>(length), 7, word() == "fua"});
    } else if (verb == "discard" || verb == "zeroes" || verb == "zeroes-unmap") {
      const auto request = number();
      const auto offset = number();
      const auto kind = verb == "discard"  ? WriteKind::discard
                        : verb == "zeroes" ? WriteKind::zeroes
                                           : WriteKind::zeroes_unmap;
      step(input::Write{request, offset, static_cast<std::uint32_t>(number()), 0, false, kind});
    } else if (verb == "read") {
      const auto request = number();
      const auto offset = number();
      step(input::Read{request, offset, static_cast<std::uint32_t>(number()), 9});
    } else if (verb == "flush")
      step(input::Flush{number()});
    else
      return false;
    return true;
  }

  void command(std::istringstream& words) {
    std::string verb;
    words >> verb;
    const auto number = [&words] {
      std::uint64_t value = 0;
      words >> value;
      return value;
    };
    const auto word = [&words] {
      std::string text;
      words >> text;
      return text;
    };
    if (verb == "tick")
      step(input::Tick{});
    else if (verb == "at")
      now_ = instant_from_ns(static_cast<std::int64_t>(number()) * 1'000'000), step(input::Tick{});
    else if (verb == "disk")
      while (!disk_.empty()) answer_disk(0);
    else if (verb == "disk-one")
      answer_disk(0);
    else if (verb == "disk-fails")
      answer_disk(5);
    else if (verb == "connected")
      step(input::SocketConnected{static_cast<std::uint32_t>(number())});
    else if (verb == "accepted")
      step(input::SocketAccepted{static_cast<std::uint32_t>(number()) | input::kAcceptedSocketBit});
    else if (verb == "closed")
      step(input::SocketClosed{static_cast<std::uint32_t>(number()), "reset"});
    else if (verb == "promote") {
      const auto epoch = number();
      step(input::Promote{epoch, word() == "initial"});
    } else if (verb == "demote")
      step(input::Demote{word() == "force"});
    else if (verb == "in-sync") {
      const auto version = number();
      const bool self = word() == "self";
      step(input::InSyncCommitted{version, self, word() == "peer"});
    } else if (verb == "lease") {
      const auto epoch = number();
      step(input::LeaseRead{epoch, instant_from_ns(static_cast<std::int64_t>(number()) * 1'000'000)});
    } else if (application_command(verb, words)) {
      return;
    } else if (operator_command(verb, words) || disk_command(verb, words) || volume_command(verb, words)) {
    } else if (verb == "handler") {
      int exit_code = 0;
      words >> exit_code;
      step(input::HandlerDone{handler_, exit_code});
    } else if (verb == "fail-io")
      step(input::FailHeldIo{});
    else if (verb == "packet") {
      const auto socket = static_cast<std::uint32_t>(number());
      const bool in = socket >= 100;
      auto what = packet_of(words);
      const bool data = std::holds_alternative<drbd::Data>(what) || std::holds_alternative<drbd::DataReply>(what);
      step(input::PacketReceived{in ? (socket - 100) | input::kAcceptedSocketBit : socket, 0, std::move(what),
                                 data ? 5U : 0U});
    } else
      ADD_FAILURE() << "no such command: " << verb;
  }

  bool operator_command(const std::string& verb, std::istringstream& words) {
    if (verb != "primary" && verb != "secondary" && verb != "connect-peer" && verb != "disconnect") return false;
    CommandId id = 0;
    std::string option;
    words >> id >> option;
    if (verb == "primary") step(input::Promote{1, false, option == "force", id});
    if (verb == "secondary") step(input::Demote{false, id});
    if (verb == "connect-peer") step(input::ConnectPeer{id, option == "discard", false});
    if (verb == "disconnect") step(input::DisconnectPeer{id, option == "force"});
    return true;
  }

  bool volume_command(const std::string& verb, std::istringstream& words) {
    if (verb != "pause" && verb != "suspend" && verb != "options") return false;
    CommandId id = 0;
    std::string option;
    words >> id >> option;
    if (verb == "pause") step(input::PauseResync{id, option != "off"});
    if (verb == "suspend") step(input::SuspendIo{id, option != "off"});
    if (option == "protocol-a") options_.net.protocol = drbd_config::Protocol::A;
    if (option == "protocol-c") options_.net.protocol = drbd_config::Protocol::C;
    if (option == "secret") options_.net.shared_secret = "open sesame";
    if (option == "two-primaries") options_.net.allow_two_primaries = true;
    if (option == "max-rate") options_.disk.c_max_rate_kib_per_s = 4000;
    if (option == "no-log") options_.disk.al_updates = false;
    if (option == "as-before") options_ = {};
    std::optional<input::Settings> settings;
    if (option == "slow-pings")
      settings = input::Settings{0, seconds(100), milliseconds(500), milliseconds(300), seconds(10)};
    if (verb == "options") step(input::SetOptions{id, options_, settings});
    return true;
  }

  bool disk_command(const std::string& verb, std::istringstream& words) {
    if (verb != "attach" && verb != "detach" && verb != "invalidate" && verb != "outdate") return false;
    CommandId id = 0;
    std::string option;
    words >> id >> option;
    if (verb == "attach") step(input::Attach{id, restored_, backing_bytes, metadata_bytes_});
    if (verb == "detach") step(input::Detach{id, option == "force"});
    if (verb == "invalidate") step(input::Invalidate{id, option == "remote"});
    if (verb == "outdate") step(input::Outdate{id});
    return true;
  }

  void answer_disk(int error_number) {
    ASSERT_FALSE(disk_.empty()) << "nothing is under way at the disk: " << last_;
    const OperationId operation = disk_.front();
    disk_.pop_front();
    step(input::DiskDone{operation, error_number});
  }

  static std::string socket_text(std::uint32_t socket) {
    return (socket & input::kAcceptedSocketBit) != 0 ? std::to_string((socket & ~input::kAcceptedSocketBit) + 100)
                                                     : std::to_string(socket);
  }
  void note(const effect::DiskWrite& effect) {
    disk_.push_back(effect.operation);
    pending_.push_back("disk-write " + std::to_string(effect.offset) + " " + std::to_string(effect.length) +
                       (effect.durable ? " durable" : ""));
  }
  void note(const effect::DiskZero& effect) {
    disk_.push_back(effect.operation);
    const char* kind = effect.kind == WriteKind::discard  ? "discard"
                       : effect.kind == WriteKind::zeroes ? "zeroes"
                                                          : "zeroes-unmap";
    pending_.push_back("disk-" + std::string(kind) + " " + std::to_string(effect.offset) + " " +
                       std::to_string(effect.length));
  }
  void note(const effect::CopyBuffer& effect) { pending_.push_back("copy " + std::to_string(effect.length)); }
  void note(const effect::DiskRead& effect) {
    disk_.push_back(effect.operation);
    pending_.push_back("disk-read " + std::to_string(effect.offset));
  }
  void note(const effect::DiskFlush& effect) {
    disk_.push_back(effect.operation);
    pending_.push_back("disk-flush");
  }
  void note(const effect::MetadataWrite& effect) {
    disk_.push_back(effect.operation);
    const auto within = [&](std::uint64_t start, std::uint64_t length) {
      return effect.offset >= start && effect.offset + effect.content.size() <= start + length;
    };
    const char* what = within(layout_.superblock_offset, 4096)               ? "superblock"
                       : within(layout_.activity_log_offset, 8 * 4096)       ? "activity-log"
                       : within(layout_.bitmap_offset, layout_.bitmap_bytes) ? "bitmap"
                                                                             : "nowhere";
    pending_.push_back(std::string("metadata ") + what);
  }
  void note(const effect::Connect& effect) { pending_.push_back("connect " + socket_text(effect.socket)); }
  void note(const effect::CloseSocket& effect) { pending_.push_back("close " + socket_text(effect.socket)); }
  void note(const effect::UseWire&) {}
  void note(const effect::Send& effect) {
    pending_.push_back("send " + socket_text(effect.socket) + " " + text_of_packet(effect.packet));
  }
  void note(const effect::CommandDone& effect) {
    pending_.push_back("done " + std::to_string(effect.command) + " " +
                       std::to_string(static_cast<int>(effect.result)) + (effect.why.empty() ? "" : " " + effect.why));
  }
  void note(const effect::RunHandler& effect) {
    if (effect.number != 0) handler_ = effect.number;
    pending_.push_back("run " + effect.name);
  }
  void note(const effect::TakeBuffer&) {}
  void note(const effect::ReleaseBuffer&) {}
  void note(const effect::Complete& effect) {
    pending_.push_back("complete " + std::to_string(effect.request) + " " + std::to_string(effect.error_number));
  }
  void note(const effect::RequestShrink& effect) {
    pending_.push_back("shrink " + std::to_string(effect.known_version));
  }
  void note(const effect::RequestGrow& effect) { pending_.push_back("grow " + std::to_string(effect.known_version)); }
  void note(const effect::Event& effect) {
    if (effect.kind == "takeover-refused" || effect.kind == "volume-promoted" || effect.kind == "volume-demoted" ||
        effect.kind == "io-suspended" || effect.kind == "io-resumed" || effect.kind == "takeover-may-lose")
      pending_.push_back(effect.kind);
  }
  void note(const effect::StatusChanged&) {}
  template <typename Other>
  void note(const Other&) {}

  Restored restored_;
  drbd_metadata::Layout layout_;
  std::uint64_t metadata_bytes_ = 0;
  drbd_config::Options options_;
  std::uint64_t handler_ = 0;
  std::optional<Engine> engine_;
  Instant now_ = instant_from_ns(1'000'000);
  std::deque<std::string> pending_;
  std::deque<OperationId> disk_;
  std::string last_;
};

}  // namespace bascule::replication::testing
