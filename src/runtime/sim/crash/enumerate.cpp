#include "runtime/sim/crash/enumerate.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

namespace bascule::sim {
namespace {

constexpr std::uint64_t first_most_per_point = 12, last_most_per_point = 1 << 14;
constexpr std::size_t batch = 24;

/// All words of `length` operations.
void add_sequences(std::vector<std::string>& all, std::size_t operations, std::size_t length,
                   const std::string& begin = "") {
  if (begin.size() == length) return all.push_back(begin);
  for (std::size_t operation = 0; operation < operations; ++operation)
    add_sequences(all, operations, length, begin + static_cast<char>('a' + operation));
}

/// Short ones first; those of one length in an order of the seed, as there may not be time for all.
std::vector<std::string> sequences_of(const CrashWriter& writer, std::uint64_t seed) {
  std::vector<std::string> all;
  Prng prng(seed);
  for (std::size_t length = 1; length <= writer.longest; ++length) {
    const std::size_t first = all.size();
    add_sequences(all, writer.operations.size(), length);
    for (std::size_t i = all.size(); i > first + 1; --i) std::swap(all[i - 1], all[first + prng.below(i - first)]);
  }
  return all;
}

/// What the recoveries would tell a person, thousands of times.
class Silence {
 public:
  Silence() : before_(spdlog::get_level()) { spdlog::set_level(spdlog::level::off); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  ~Silence() { spdlog::set_level(before_); }

 private:
  spdlog::level::level_enum before_;
};

/// One sequence of one writer: "ab" is its first operation, then its second.
struct Sequence {
  std::size_t writer;
  std::string operations;
};

void add_sequences(std::vector<Sequence>& all, std::size_t index, const CrashWriter& writer, const std::string& begin) {
  for (std::size_t operation = 0; operation < writer.operations.size(); ++operation) {
    const std::string operations = begin + static_cast<char>('a' + operation);
    all.push_back({index, operations});
    if (operations.size() < writer.longest) add_sequences(all, index, writer, operations);
  }
}

/// False: these operations do not follow on each other.
bool run(const CrashWriter& writer, const std::string& operations, const std::string& canary, Explorer& explorer) {
  const auto subject = writer.make(explorer, canary);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const auto operation = static_cast<std::size_t>(operations[i] - 'a');
    explorer.note(std::string("--- ") + writer.operations[operation]);
    if (i + 1 == operations.size()) explorer.begin_last_operation();
    if (!subject->perform(operation)) return false;
  }
  return true;
}

/// How far one writer has come.
struct Progress {
  CrashWriterReport report;
  std::vector<std::string> sequences;
  std::size_t next = 0;  ///< of them
  std::uint64_t most_per_point = first_most_per_point;
  bool exhausted = false;
};

/// The next few sequences; when there are none, all of them anew with more states for each point.
void advance(Progress& progress, const CrashEnumeration& wanted) {
  if (progress.next == progress.sequences.size()) {
    progress.exhausted = progress.report.figures.sampled_points == 0 || progress.most_per_point >= last_most_per_point;
    if (progress.exhausted) return;
    progress.most_per_point *= 4;
    progress.next = 0;
    progress.report = {progress.report.writer};
  }
  const std::size_t count = std::min(batch, progress.sequences.size() - progress.next);
  std::vector<std::optional<Explorer::Figures>> figures(count);
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      const std::string& operations = progress.sequences[progress.next + i];
      Explorer explorer(operations, {.most_per_point = progress.most_per_point, .seed = wanted.seed});
      if (run(*progress.report.writer, operations, wanted.canary, explorer)) figures[i] = explorer.figures();
    }
  };
  std::vector<std::thread> threads;
  for (unsigned job = 1; job < wanted.jobs; ++job) threads.emplace_back(work);
  work();
  for (auto& thread : threads) thread.join();
  for (const auto& each : figures) {
    progress.report.sequences += each ? 1 : 0;
    if (each) progress.report.figures.add(*each);
  }
  progress.next += count;
}

}  // namespace

std::vector<CrashWriterReport> enumerate_crashes(const CrashEnumeration& wanted) {
  const Silence silence;
  std::vector<Progress> all;
  for (const CrashWriter& writer : crash_writers())
    if (wanted.writer.empty() || wanted.writer == writer.name)
      all.push_back({{&writer}, sequences_of(writer, wanted.seed)});
  for (;;) {
    std::uint64_t states = 0;
    bool violated = false;
    Progress* least = nullptr;
    for (Progress& progress : all) {
      const auto& figures = progress.report.figures;
      states += figures.states;
      violated = violated || !figures.violations.empty();
      const bool is_less = least == nullptr || figures.states < least->report.figures.states;
      if (!progress.exhausted && is_less) least = &progress;
    }
    if (least == nullptr || states >= wanted.states || (violated && !wanted.canary.empty())) break;
    advance(*least, wanted);
  }
  std::vector<CrashWriterReport> reports;
  for (Progress& progress : all) reports.push_back(std::move(progress.report));
  return reports;
}

CrashReplay replay_crash(const CrashWriter& writer, const CrashStateId& id, const std::string& canary) {
  const Silence silence;
  CrashReplay replay;
  for (const char letter : id.operations)
    if (letter < 'a' || static_cast<std::size_t>(letter - 'a') >= writer.operations.size()) return replay;
  if (id.operations.empty()) return replay;
  Explorer explorer(id.operations, {.only = id});
  replay.known = run(writer, id.operations, canary, explorer) && explorer.figures().states == 1;
  replay.story = explorer.story();
  if (!explorer.figures().violations.empty()) replay.violation = explorer.figures().violations.front().text;
  return replay;
}

}  // namespace bascule::sim
