#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

/// Reading what another program sent: a member that is missing or of another type is empty, never an exception.
namespace bascule::cli {

using nlohmann::json;

[[nodiscard]] const json& member(const json& object, const char* key);
/// Text without control characters, so that nothing of it is taken for commands by a terminal.
[[nodiscard]] std::string text(const json& object, const char* key);
[[nodiscard]] std::int64_t number(const json& object, const char* key, std::int64_t fallback = 0);
[[nodiscard]] bool flag(const json& object, const char* key);
[[nodiscard]] std::string printable(const std::string& raw);
/// On one line; a sign stands for what is not UTF-8 (a file or a path may hold any bytes).
[[nodiscard]] std::string one_line(const json& value);
/// The element of a list of objects whose "name" this is, or null.
[[nodiscard]] const json& named(const json& list, const std::string& name);

}  // namespace bascule::cli
