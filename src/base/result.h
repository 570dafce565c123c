#pragma once

#include <string>
#include <tl/expected.hpp>

namespace bascule {

/// An operating error as a person reads it. Programmer errors are assertions (assert.h), never this.
struct Error {
  std::string what;   ///< what failed: "cluster.toml cannot be used"
  std::string where;  ///< the place: "line 12, node.bob.address"; may be empty
  std::string why;    ///< the cause: "10.0.0.1 is already the address of alice"; may be empty
  std::string hint;   ///< what to do about it; may be empty

  /// One line: "what: where: why (hint)".
  [[nodiscard]] std::string text() const;
};

template <typename T>
using Result = tl::expected<T, Error>;

/// The error side of a Result.
[[nodiscard]] tl::unexpected<Error> fail(std::string what, std::string where = {}, std::string why = {},
                                         std::string hint = {});

/// The same for a system call: `why` is strerror(error_number).
[[nodiscard]] tl::unexpected<Error> fail_errno(std::string what, std::string where, int error_number);

}  // namespace bascule
