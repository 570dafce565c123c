#include "runtime/sim/rehearse/figures.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace bascule::sim::rehearse {
namespace {

struct Gone {
  Duration length;
  std::uint64_t seed;
  bool back;
};

/// The smallest value that so many percent of the values do not exceed.
Duration percentile(const std::vector<Gone>& sorted, std::size_t percent) {
  const std::size_t rank = (sorted.size() * percent + 99) / 100;
  return sorted[std::max<std::size_t>(rank, 1) - 1].length;
}

Distribution distribution_of(std::vector<Gone> gone) {
  std::erase_if(gone, [](const Gone& one) { return one.length == Duration{0} && one.back; });
  Distribution made;
  if (gone.empty()) return made;
  std::sort(gone.begin(), gone.end(), [](const Gone& one, const Gone& other) {
    return std::pair(one.length, other.seed) < std::pair(other.length, one.seed);
  });
  made.runs = gone.size();
  made.median = percentile(gone, 50);
  made.p90 = percentile(gone, 90);
  made.worst = gone.back().length;
  made.worst_seed = gone.back().seed;
  made.not_back =
      static_cast<std::uint64_t>(std::count_if(gone.begin(), gone.end(), [](const Gone& one) { return !one.back; }));
  return made;
}

std::map<std::string, Distribution> distributions(const std::vector<RunResult>& results,
                                                  std::map<std::string, Span> RunResult::*which) {
  std::map<std::string, std::vector<Gone>> gone;
  for (const RunResult& result : results)
    for (const auto& [name, span] : result.*which) gone[name].push_back({span.gone, result.seed, span.back});
  std::map<std::string, Distribution> made;
  for (auto& [name, all] : gone) made[name] = distribution_of(std::move(all));
  return made;
}

/// What makes one run worse than another, the gravest first.
auto gravity(const RunResult& result) {
  Duration longest{};
  std::size_t not_back = 0;
  for (const auto& [name, span] : result.services) {
    longest = std::max(longest, span.gone);
    not_back += span.back ? 0 : 1;
  }
  return std::tuple(result.data_lost, !result.violation.empty(), not_back, longest);
}

}  // namespace

bool Figures::good() const {
  return broken.empty() && std::all_of(services.begin(), services.end(),
                                       [](const auto& service) { return service.second.not_back == 0; });
}

Figures figures_of(std::vector<RunResult> results) {
  std::sort(results.begin(), results.end(), [](const auto& one, const auto& other) { return one.seed < other.seed; });
  Figures figures;
  figures.runs = results.size();
  figures.services = distributions(results, &RunResult::services);
  figures.copies = distributions(results, &RunResult::copies);
  const RunResult* worst = nullptr;
  for (const RunResult& result : results) {
    const bool calm = gravity(result) == gravity(RunResult{});
    figures.undisturbed += calm ? 1 : 0;
    if (result.data_lost) figures.lost_data.push_back(result.seed);
    if (!result.violation.empty()) figures.broken.push_back(result);
    if (!calm && (worst == nullptr || gravity(result) > gravity(*worst))) worst = &result;
  }
  if (worst != nullptr) figures.worst_seed = worst->seed;
  return figures;
}

}  // namespace bascule::sim::rehearse
