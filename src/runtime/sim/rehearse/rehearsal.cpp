#include "runtime/sim/rehearse/rehearsal.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "runtime/sim/rehearse/kinds.h"

namespace bascule::sim::rehearse {
namespace {

/// Promises about data: docs/promises.md counts them with a B.
bool is_about_data(const std::string& promise) { return promise.starts_with("B"); }

RunResult run_one(cluster::Scenario scenario, std::uint64_t seed, bool tells, std::vector<StoryLine>* story) {
  scenario.seed = seed;
  Watch watch(tells);
  const cluster::Outcome outcome = cluster::run(scenario, &watch);
  RunResult result{
      seed, watch.services(), watch.copies(), outcome.promise, outcome.violation, is_about_data(outcome.promise)};
  // What never came to rest before the first fault is not there either.
  if (result.services.empty() && !result.violation.empty())
    for (const auto& service : scenario.config.services)
      if (service.autostart) result.services[service.name].back = false;
  if (story != nullptr) *story = watch.story();
  return result;
}

std::vector<RunResult> run_all(const cluster::Scenario& scenario, const Request& request) {
  std::vector<RunResult> results;
  std::mutex mutex;
  std::atomic<std::uint64_t> next{0};
  const auto work = [&] {
    for (std::uint64_t i = next++; i < request.runs; i = next++) {
      auto result = run_one(scenario, request.seed + i, false, nullptr);
      const std::lock_guard lock(mutex);
      results.push_back(std::move(result));
      if (request.progress) request.progress(results.size());
    }
  };
  std::vector<std::thread> threads;
  for (unsigned job = 1; job < request.jobs; ++job) threads.emplace_back(work);
  work();
  for (auto& thread : threads) thread.join();
  return results;
}

std::vector<std::string> left_out_of(const config::ClusterConfig& whole, const config::ClusterConfig& rehearsed) {
  std::vector<std::string> sentences;
  for (const auto& node : whole.nodes)
    if (rehearsed.node(node.name) == nullptr) sentences.push_back(node.name + " runs no manager: it is left out.");
  for (const auto& volume : whole.volumes) {
    if (rehearsed.volume(volume.name) == nullptr)
      sentences.push_back("Volume " + volume.name + " has no service of the cluster: it is left out.");
    else if (volume.accept_loss)
      sentences.push_back("Volume " + volume.name + " has protocol A: what a takeover loses counts as lost.");
  }
  for (const auto& service : whole.services)
    if (!service.autostart)
      sentences.push_back("Service " + service.name + " does not start by itself: it is left out.");
  return sentences;
}

}  // namespace

Result<Report> rehearse(const Request& request) {
  auto scenario =
      cluster::given_cluster(request.text, request.file, request.seed, weights_of(request.kinds), request.given);
  if (!scenario) return tl::unexpected(scenario.error());
  scenario->faults = request.faults;
  Report report;
  report.config = scenario->config;
  report.left_out = left_out_of(*config::parse(request.text, request.file), scenario->config);
  report.figures = figures_of(run_all(*scenario, request));
  if (report.figures.worst_seed) (void)run_one(*scenario, *report.figures.worst_seed, true, &report.worst);
  return report;
}

}  // namespace bascule::sim::rehearse
