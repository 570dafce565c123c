#pragma once

#include <cstdint>

namespace bascule::replication::detail {

/// Bits of Config.canaries: faults that tests switch on to see that the checkers find them. Never set in production.
namespace canary {
inline constexpr std::uint32_t kAcknowledgeBeforeShrink = 1;  ///< a lost member does not hold acknowledgements
inline constexpr std::uint32_t kForgetActivityLog = 2;        ///< a write into a cold extent is not logged first
inline constexpr std::uint32_t kPromoteNonMember = 4;         ///< promotion does not look at the in-sync set
inline constexpr std::uint32_t kIgnoreLease = 8;              ///< acknowledges without a lease
inline constexpr std::uint32_t kForgetUnacknowledged = 16;    ///< writes lost with the connection set no bits
inline constexpr std::uint32_t kFlushOnlyHere = 32;           ///< a flush does not wait for the peer's
inline constexpr std::uint32_t kAcknowledgeOnceSent = 64;     ///< protocols B and C acknowledge as A does
inline constexpr std::uint32_t kKeepGeneration = 128;         ///< Operator: goes on alone before a generation tells it
inline constexpr std::uint32_t kWrongSource = 256;            ///< of two generations the older one is the source
inline constexpr std::uint32_t kReadHere = 512;               ///< reads the own disk also where it has old blocks
inline constexpr std::uint32_t kForgetDiscards = 1024;        ///< a lost write without data sets no bits
inline constexpr std::uint32_t kMoveAtOnce = 2048;            ///< moved metadata are written in any order
inline constexpr std::uint32_t kMoveWithoutLog = 4096;        ///< moved metadata come without the hot extents
}  // namespace canary

}  // namespace bascule::replication::detail
