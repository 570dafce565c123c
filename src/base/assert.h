#pragma once

namespace bascule::detail {
/// Prints the broken assertion and aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
}  // namespace bascule::detail

/// An assertion about our own code. It stays on in every build; never used on what a peer or a person sent.
#define BASCULE_ASSERT(condition) \
  (static_cast<bool>(condition) ? void(0) : ::bascule::detail::assertion_failed(#condition, __FILE__, __LINE__))
