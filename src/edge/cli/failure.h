#pragma once

#include "edge/cli/command_line.h"

/// How every command tells that it did not do what it was asked.
namespace bascule::cli {

/// Tells `error` (to `out` as {"ok":false,"error":{..}} where JSON is wanted, else to `err` as a sentence without
/// control characters), and returns `code`. The error may hold any bytes: JSON gets a sign in place of what is not
/// UTF-8.
int tell_failure(const Error& error, int code, bool as_json, const Surroundings& around);

/// For a request that had no answer: `timed_out` when it may still be carried out, else `no_contact`.
[[nodiscard]] int code_without_answer(const Error& error);

}  // namespace bascule::cli
