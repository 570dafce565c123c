#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/sim/crash/explorer.h"

namespace bascule::sim {

/// One run of a writer of metadata: the real code on a disk that an Explorer cuts off.
class CrashSubject {
 public:
  virtual ~CrashSubject() = default;
  /// False: it makes no sense now, and this sequence is none. `operation` counts from 0.
  [[nodiscard]] virtual bool perform(std::size_t operation) = 0;
};

/// Something that writes metadata: what it can be asked to do, and what it promises.
struct CrashWriter {
  const char* name;
  const char* promise;
  std::vector<const char*> operations;
  std::size_t longest;  ///< so many operations in one sequence at most
  /// `canary`: the fault to plant; empty: none.
  std::unique_ptr<CrashSubject> (*make)(Explorer& explorer, const std::string& canary);
};
[[nodiscard]] const std::vector<CrashWriter>& crash_writers();

/// A fault that can be planted, and must be found.
struct CrashCanary {
  const char* name;
  const char* writer;
  const char* what;
};
[[nodiscard]] const std::vector<CrashCanary>& crash_canaries();

}  // namespace bascule::sim
