#include "core/consensus/raft.h"

// A core that is fed any sequence of well-formed messages, from servers that break the protocol: it may be led astray,
// but it must not crash.

using namespace bascule;
using raft::Term;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  consensus::Config config;
  config.id = 1;
  config.seed = 7;
  config.bootstrap.voters = {1, 2, 3};
  consensus::Raft raft(config, {});
  Instant now{seconds(1)};
  consensus::Effects effects;
  ByteReader in({data, size});
  const auto small = [&in]() -> std::uint64_t { return in.big<std::uint8_t>() % 8; };
  while (in.remaining() > 0) {
    const auto from = static_cast<raft::ServerId>(2 + small() % 2);
    const Term term = small();
    raft::Message message;
    switch (small()) {
      case 0:
        message = raft::VoteRequest{term, small() < 4, small(), small(), small()};
        break;
      case 1:
        message = raft::VoteResponse{term, small() < 4, small() < 4};
        break;
      case 2:
      case 3: {
        raft::AppendRequest request{term, small(), small(), small(), small(), {}};
        for (auto count = small(); count > 0; --count)
          request.entries.push_back({request.previous_index + request.entries.size() + 1,
                                     small(),
                                     static_cast<raft::EntryKind>(small() % 2),
                                     {}});
        message = std::move(request);
        break;
      }
      case 4:
        message = raft::AppendResponse{term, small(), small() < 4, small(), small(), small()};
        break;
      case 5:
        message =
            raft::SnapshotChunk{term, small(), small(), small(), config.bootstrap, 4, small(), Bytes(small() % 5)};
        break;
      case 6:
        message = raft::SnapshotResponse{term, small(), small(), small()};
        break;
      default:
        message = raft::TimeoutNow{term, small()};
        break;
    }
    now += milliseconds(small() * 50);
    effects.clear();
    raft.step(consensus::MessageReceived{from, std::move(message)}, now, effects);
    consensus::Effects more;
    for (const auto& effect : effects)
      if (const auto* persist = std::get_if<consensus::Persist>(&effect))
        raft.step(consensus::Persisted{persist->sequence}, now, more);
  }
  return 0;
}
