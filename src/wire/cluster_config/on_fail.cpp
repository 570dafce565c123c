#include <algorithm>
#include <array>
#include <utility>

#include "wire/cluster_config/config.h"

namespace bascule::config {
namespace {

constexpr std::array<std::pair<OnFail, const char*>, 6> reactions = {{{OnFail::restart, "restart"},
                                                                      {OnFail::ignore, "ignore"},
                                                                      {OnFail::stop, "stop"},
                                                                      {OnFail::block, "block"},
                                                                      {OnFail::standby, "standby"},
                                                                      {OnFail::fence, "fence"}}};

}  // namespace

const char* text(OnFail on_fail) {
  const auto found =
      std::find_if(reactions.begin(), reactions.end(), [on_fail](const auto& one) { return one.first == on_fail; });
  return found == reactions.end() ? "restart" : found->second;
}

std::optional<OnFail> on_fail_of(std::string_view word) {
  const auto found =
      std::find_if(reactions.begin(), reactions.end(), [word](const auto& one) { return one.second == word; });
  if (found == reactions.end()) return std::nullopt;
  return found->first;
}

}  // namespace bascule::config
