#include "wire/drbd/detail/capture_reader.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>

namespace bascule::drbd::detail {
namespace {

constexpr std::size_t kPcapHeaderBytes = 24;
constexpr std::size_t kEthernetBytes = 14;
constexpr Byte kSynFlag = 2;

Bytes gunzip(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) throw std::runtime_error("cannot open " + path);
  Bytes content;
  std::array<Byte, 1 << 16> buffer{};
  int count = 0;
  while ((count = gzread(file, buffer.data(), static_cast<unsigned>(buffer.size()))) > 0)
    content.insert(content.end(), buffer.begin(), buffer.begin() + count);
  gzclose(file);
  if (count < 0) throw std::runtime_error("damaged gzip file " + path);
  return content;
}

struct Segment {
  Direction direction;
  std::uint32_t sequence = 0;
  bool syn = false;
  ByteView data;
};

/// nullopt: no IPv4 TCP segment.
std::optional<Segment> parse_segment(ByteView frame) {
  if (frame.size() < kEthernetBytes + 40) return std::nullopt;
  const ByteView ip = frame.subspan(kEthernetBytes);
  if (get_big<std::uint16_t>(frame, 12) != 0x0800 || ip[9] != 6) return std::nullopt;
  const std::size_t ip_header = (ip[0] & 15U) * 4U;
  const ByteView tcp = ip.first(get_big<std::uint16_t>(ip, 2)).subspan(ip_header);
  const std::size_t tcp_header = (tcp[12] >> 4U) * 4U;
  return Segment{.direction = {get_big<std::uint32_t>(ip, 12), get_big<std::uint16_t>(tcp, 0),
                               get_big<std::uint32_t>(ip, 16), get_big<std::uint16_t>(tcp, 2)},
                 .sequence = get_big<std::uint32_t>(tcp, 4),
                 .syn = (tcp[13] & kSynFlag) != 0,
                 .data = tcp.subspan(tcp_header)};
}

/// Appends what is new in a segment; a retransmission adds nothing, a hole ends the test.
class Assembler {
 public:
  void add(const Segment& segment) {
    auto& next = next_[segment.direction];
    if (segment.syn) {
      next = segment.sequence + 1;
      return;
    }
    if (segment.data.empty()) return;
    if (!next) next = segment.sequence;
    const auto already = static_cast<std::int32_t>(*next - segment.sequence);
    if (already < 0) throw std::runtime_error("the capture lacks a segment");
    if (static_cast<std::size_t>(already) >= segment.data.size()) return;
    const ByteView fresh = segment.data.subspan(static_cast<std::size_t>(already));
    Bytes& stream = streams[segment.direction];
    stream.insert(stream.end(), fresh.begin(), fresh.end());
    *next += static_cast<std::uint32_t>(fresh.size());
  }
  Streams streams;

 private:
  std::map<Direction, std::optional<std::uint32_t>> next_;
};

}  // namespace

Streams read_capture(const std::string& path) {
  const Bytes content = gunzip(path);
  ByteReader reader(content);
  reader.skip(kPcapHeaderBytes);
  Assembler assembler;
  while (reader.remaining() > 0) {
    reader.skip(8);
    const auto captured = reader.little<std::uint32_t>();
    reader.skip(4);
    if (const auto segment = parse_segment(reader.take(captured))) assembler.add(*segment);
  }
  return std::move(assembler.streams);
}

}  // namespace bascule::drbd::detail
