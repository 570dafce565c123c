#pragma once

#include <string>

#include "edge/cli/json_view.h"

namespace bascule::cli {

struct Style {
  bool colour = false;
  bool ascii = false;  ///< no character beyond ASCII
};

/// The answer to `attributes`: a line for each, the transient ones marked.
[[nodiscard]] std::string attributes_text(const json& answer);

/// `bascule status` for people, from the answer of the API: the answer first, then problems with what to do, then
/// tables. `before` is an earlier answer of the same manager (or null): resyncs then show their rate and the time that
/// is left.
[[nodiscard]] std::string status_text(const json& status, const json& before, Style style);
/// The volumes alone; of one volume when `only` is not empty.
[[nodiscard]] std::string volumes_text(const json& status, const json& before, const std::string& only, Style style);
/// One event on one line.
[[nodiscard]] std::string event_text(const json& event, Style style);

[[nodiscard]] std::string size_text(std::int64_t bytes);  ///< "1.5 GiB"
[[nodiscard]] std::string age_text(std::int64_t ms);      ///< "12 ms", "3.4 s", "5 min"

}  // namespace bascule::cli
