#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/prng.h"

namespace bascule::sim {

/// Something that a loss of power leaves as it was (form 0), or in one of `forms` newer forms.
struct CrashUnit {
  std::uint32_t forms;
  std::string name;  ///< for people
};
/// A form for each unit.
using CrashForms = std::vector<std::uint32_t>;

/// A disk at the moment when its power fails.
class CrashMoment {
 public:
  virtual ~CrashMoment() = default;
  [[nodiscard]] virtual const std::vector<CrashUnit>& units() const = 0;
  /// The same for forms that nobody can tell from each other when the power is back.
  [[nodiscard]] virtual std::uint64_t hash(const CrashForms& forms) const = 0;
  /// Recovers from that state. What is wrong with it; empty: the promise was kept.
  [[nodiscard]] virtual std::string check(const CrashForms& forms) const = 0;
};

/// Goes through the states that a loss of power may leave at one moment: all of them when there are at most `most`,
/// else the ends (nothing kept, all kept, one lost, one kept) and then random ones.
class FormWalk {
 public:
  FormWalk(const std::vector<CrashUnit>& units, std::uint64_t most, std::uint64_t seed);
  /// False: there are no more.
  [[nodiscard]] bool next(CrashForms& forms);
  [[nodiscard]] bool complete() const { return total_ <= most_; }

 private:
  void choose_end(CrashForms& forms) const;
  void choose_at_random(CrashForms& forms);

  const std::vector<CrashUnit>& units_;
  std::uint64_t most_, total_ = 1, given_ = 0;
  Prng prng_;
};

/// Names one crash state of a writer: which operations were made ("ab"), at which call the power failed, in pieces of
/// which size, and what was left of each unit.
struct CrashStateId {
  std::string operations;
  std::uint64_t point = 0;
  std::uint64_t cell_bytes = 512;
  CrashForms forms;

  [[nodiscard]] std::string text() const;
  [[nodiscard]] static std::optional<CrashStateId> parse(const std::string& text);
};

/// Stands beside one run of a writer and, after each of its calls, tries the states in which a loss of power may leave
/// the disk then.
class Explorer {
 public:
  struct Options {
    std::uint64_t most_per_point = 64;  ///< states per point and size of a piece
    std::uint64_t seed = 1;
    std::optional<CrashStateId> only{};  ///< this state alone, told step by step
  };
  struct Violation {
    std::string id, text;
  };
  struct Figures {
    std::uint64_t points = 0, states = 0, sampled_points = 0;
    std::vector<Violation> violations;
    void add(const Figures& other);
  };
  /// The moment, if what is not flushed is torn into pieces of that size.
  using Moment = std::function<std::unique_ptr<CrashMoment>(std::uint64_t cell_bytes)>;

  Explorer(std::string operations, const Options& options) : operations_(std::move(operations)), options_(options) {}

  /// Only the last operation of a sequence is cut off: the earlier ones are sequences of their own.
  void begin_last_operation() { active_ = true; }
  /// The power may fail now. `flushes`: a number that changes when something becomes durable.
  void point(const std::string& what, std::uint64_t flushes, const Moment& moment);
  /// For the story, and renew().
  void note(const std::string& what);
  /// From here on the promise is another one: states that were tried are tried again.
  void renew() { seen_.clear(); }

  [[nodiscard]] const Figures& figures() const { return figures_; }
  /// What was told of the one state that was asked for.
  [[nodiscard]] const std::vector<std::string>& story() const { return story_; }

 private:
  void walk(std::uint64_t cell_bytes, const Moment& moment);
  void show(const Moment& moment);
  void judge(const CrashStateId& id, const std::string& fault);

  std::string operations_;
  Options options_;
  bool active_ = false;
  std::uint64_t point_ = 0, flushes_ = 0;
  std::unordered_set<std::uint64_t> seen_;  ///< since something was flushed or noted
  Figures figures_;
  std::vector<std::string> story_;
};

}  // namespace bascule::sim
