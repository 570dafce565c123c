// Sessions of two real Linux 6.1 nodes: every packet must decode, and encode again to the same bytes.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

#include "base/crc32c.h"
#include "wire/drbd/detail/capture_reader.h"
#include "wire/drbd/frame.h"

namespace bascule::drbd {
namespace {

const std::string kDirectory = BASCULE_DRBD_TESTDATA;
constexpr std::uint32_t kAllFeatures = 0xf;

using Counts = std::map<std::string, int>;

/// The packet counts of each capture, as an independent decoder counted them.
std::map<std::string, Counts> expected_counts() {
  std::map<std::string, Counts> expected;
  std::ifstream file(kDirectory + "/expected-counts.txt");
  const std::regex entry("'([A-Z_0-9]+)': ([0-9]+)");
  for (std::string line; std::getline(file, line);) {
    Counts& counts = expected[line.substr(0, line.find(' '))];
    for (std::sregex_iterator at(line.begin(), line.end(), entry), end; at != end; ++at)
      counts[(*at)[1]] = std::stoi((*at)[2]);
  }
  return expected;
}

/// The socket a stream belongs to: the one that allows its first unambiguous command.
Socket socket_of(ByteView stream) {
  WireOptions options{.agreed_version = get_big<std::uint32_t>(stream, 0) == kMagicH80 ? 0U : 101U};
  const auto header = decode_header(stream, options.agreed_version);
  if (!header || !*header) throw std::runtime_error("no header at the start of the stream");
  const auto command = static_cast<Command>((*header)->command);
  if (command == Command::InitialMeta) return Socket::Meta;
  return allowed_on(command, Socket::Data) ? Socket::Data : Socket::Meta;
}

/// Decodes one direction, checks every packet, counts commands.
class StreamChecker {
 public:
  StreamChecker(Socket socket, Counts& counts)
      : socket_(socket), options_{.feature_flags = kAllFeatures}, counts_(counts) {}

  void check(ByteView stream) {
    while (!stream.empty() && !HasFailureNow()) {
      options_.agreed_version = get_big<std::uint32_t>(stream, 0) == kMagicH80 ? 0 : 101;
      const auto step = decode_frame(stream, socket_, options_);
      ASSERT_TRUE(step) << step.error().text();
      const Frame* frame = std::get_if<Frame>(&*step);
      ASSERT_NE(frame, nullptr) << "the capture ends inside a packet";
      check_frame(*frame, stream);
      stream = stream.subspan(frame->consumed_bytes + frame->payload_bytes);
    }
  }

 private:
  static bool HasFailureNow() { return ::testing::Test::HasFatalFailure(); }

  void check_frame(const Frame& frame, ByteView stream) {
    const ByteView raw = stream.first(frame.consumed_bytes);
    EXPECT_EQ(encode(frame.packet, frame.volume, options_), Bytes(raw.begin(), raw.end()));
    EXPECT_EQ(payload_bytes_of(frame.packet), frame.payload_bytes);
    ++counts_[std::string(name_of(command_of(frame.packet))).substr(2)];
    const ByteView payload = stream.subspan(frame.consumed_bytes, frame.payload_bytes);
    if (const auto* data = std::get_if<Data>(&frame.packet)) check_digest(data->digest, payload);
    if (const auto* reply = std::get_if<ResyncReply>(&frame.packet)) check_digest(reply->digest, payload);
    if (const auto* protocol = std::get_if<Protocol>(&frame.packet)) use_digests_of(*protocol);
    needs_every_byte(raw);
  }
  void use_digests_of(const Protocol& protocol) {
    if (protocol.integrity_algorithm == "crc32c") options_.integrity_digest_bytes = 4;
  }
  static void check_digest(const Bytes& digest, ByteView data) {
    if (digest.empty()) return;
    ByteReader reader(digest);
    EXPECT_EQ(reader.little<std::uint32_t>(), crc32c(data));
  }
  /// Cut anywhere, the packet is not complete, and what is asked for never passes its end.
  void needs_every_byte(ByteView raw) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{3}, std::size_t{7}, raw.size() / 2, raw.size() - 1}) {
      const auto step = decode_frame(raw.first(size), socket_, options_);
      ASSERT_TRUE(step) << step.error().text();
      const NeedMore* more = std::get_if<NeedMore>(&*step);
      ASSERT_NE(more, nullptr);
      EXPECT_GT(more->bytes, 0U);
      EXPECT_LE(size + more->bytes, raw.size());
    }
  }

  Socket socket_;
  WireOptions options_;
  Counts& counts_;
};

class Capture : public ::testing::TestWithParam<std::string> {};

TEST_P(Capture, EveryPacketDecodesAndEncodesToTheSameBytes) {
  const detail::Streams streams = detail::read_capture(kDirectory + "/" + GetParam());
  ASSERT_FALSE(streams.empty());
  Counts counts;
  for (const auto& [direction, stream] : streams)
    ASSERT_NO_FATAL_FAILURE(StreamChecker(socket_of(stream), counts).check(stream));
  const auto expected = expected_counts();
  ASSERT_TRUE(expected.contains(GetParam()));
  EXPECT_EQ(counts, expected.at(GetParam()));
}

std::vector<std::string> capture_names() {
  std::vector<std::string> names;
  for (const auto& [name, counts] : expected_counts())
    if (name.ends_with(".pcap.gz") && std::ifstream(kDirectory + "/" + name)) names.push_back(name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(RealSessions, Capture, ::testing::ValuesIn(capture_names()), [](const auto& parameter) {
  std::string name = parameter.param.substr(0, parameter.param.find('.'));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(CaptureFiles, AllFifteenAreThere) { EXPECT_EQ(capture_names().size(), 15U); }

}  // namespace
}  // namespace bascule::drbd
