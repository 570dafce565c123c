#include "base/assert.h"
#include "wire/raft/log_file.h"
#include "wire/raft/messages.h"

// Whatever is decoded is encoded to the same bytes again; nothing else may happen, least of all a crash.

namespace {

using namespace bascule;

void fuzz_message(ByteView input) {
  const auto message = raft::decode(input);
  if (!message) return;
  const Bytes again = raft::encode(*message);
  BASCULE_ASSERT(Bytes(input.begin(), input.end()) == again);
}

/// Known first bytes, so that the body is reached.
void fuzz_message_of_kind(ByteView input) {
  if (input.empty()) return;
  Bytes bytes(input.begin(), input.end());
  const Byte kind = static_cast<Byte>(bytes[0] % std::variant_size_v<raft::Message>);
  bytes.insert(bytes.begin(), {1, kind});
  fuzz_message(bytes);
}

void fuzz_log(ByteView input) {
  raft::LogWriter writer;
  Bytes file = raft::LogWriter::begin({1, 1}, writer);
  const std::size_t header = file.size();
  raft::LogChange change;
  change.hard_state = raft::HardState{1, 1};
  change.entries = {{1, 1, raft::EntryKind::NoOp, {}}};
  const Bytes records = writer.encode(change);
  file.insert(file.end(), records.begin(), records.end());
  file.insert(file.end(), input.begin(), input.end());
  const auto log = raft::read_log(file);
  BASCULE_ASSERT(!log || (log->valid_bytes >= header + records.size() && log->valid_bytes <= file.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  fuzz_message(input);
  fuzz_message_of_kind(input);
  fuzz_log(input);
  (void)raft::read_log(input);
  (void)raft::read_snapshot_file(input, {1, 1});
  (void)raft::decode_configuration(input);
  return 0;
}
