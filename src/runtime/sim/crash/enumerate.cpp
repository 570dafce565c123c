#include "runtime/sim/crash/enumerate.h"

#include <spdlog/spdlog.h>

#include <atomic>
#include <mutex>
#include <thread>

namespace bascule::sim {
namespace {

constexpr std::uint64_t first_most_per_point = 12, last_most_per_point = 1 << 16;

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

std::vector<CrashWriterReport> run_all(const std::vector<CrashWriterReport>& empty, const CrashEnumeration& wanted,
                                       std::uint64_t most_per_point) {
  std::vector<Sequence> sequences;
  for (std::size_t index = 0; index < empty.size(); ++index) add_sequences(sequences, index, *empty[index].writer, "");
  std::vector<Explorer::Figures> figures(sequences.size());
  std::vector<char> possible(sequences.size(), 0);
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < sequences.size(); i = next++) {
      Explorer explorer(sequences[i].operations, {.most_per_point = most_per_point, .seed = wanted.seed});
      possible[i] = run(*empty[sequences[i].writer].writer, sequences[i].operations, wanted.canary, explorer) ? 1 : 0;
      if (possible[i] == 0) continue;
      figures[i] = explorer.figures();
      const bool canary_is_found = !wanted.canary.empty() && !figures[i].violations.empty();
      if (canary_is_found) next = sequences.size();
    }
  };
  std::vector<std::thread> threads;
  for (unsigned job = 1; job < wanted.jobs; ++job) threads.emplace_back(work);
  work();
  for (auto& thread : threads) thread.join();
  auto reports = empty;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    reports[sequences[i].writer].sequences += static_cast<std::uint64_t>(possible[i]);
    reports[sequences[i].writer].figures.add(figures[i]);
  }
  return reports;
}

}  // namespace

std::vector<CrashWriterReport> enumerate_crashes(const CrashEnumeration& wanted) {
  const Silence silence;
  std::vector<CrashWriterReport> reports;
  for (const CrashWriter& writer : crash_writers())
    if (wanted.writer.empty() || wanted.writer == writer.name) reports.push_back({&writer});
  const auto empty = reports;
  std::uint64_t before = 0;
  for (std::uint64_t most = first_most_per_point; most <= last_most_per_point; most *= 3) {
    reports = run_all(empty, wanted, most);
    std::uint64_t states = 0;
    bool violated = false;
    for (const auto& report : reports) {
      states += report.figures.states;
      violated = violated || !report.figures.violations.empty();
    }
    if (violated || states >= wanted.states || states == before) break;
    before = states;
  }
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
