#include "edge/cli/json_view.h"

namespace bascule::cli {
namespace {

const json nothing;

}  // namespace

const json& member(const json& object, const char* key) {
  if (!object.is_object()) return nothing;
  const auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

std::string printable(const std::string& raw) {
  std::string clean;
  for (const char c : raw) clean += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  return clean;
}

std::string text(const json& object, const char* key) {
  const json& value = member(object, key);
  return value.is_string() ? printable(value.get_ref<const std::string&>()) : std::string{};
}

std::int64_t number(const json& object, const char* key, std::int64_t fallback) {
  const json& value = member(object, key);
  return value.is_number_integer() ? value.get<std::int64_t>() : fallback;
}

bool flag(const json& object, const char* key) {
  const json& value = member(object, key);
  return value.is_boolean() && value.get<bool>();
}

std::string one_line(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

const json& named(const json& list, const std::string& name) {
  if (list.is_array())
    for (const auto& one : list)
      if (text(one, "name") == name) return one;
  return nothing;
}

}  // namespace bascule::cli
