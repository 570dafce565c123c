#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/cib/model.h"

namespace bascule::cli {

/// Which cluster a command is about, and what happens to it first.
struct CibInput {
  std::string file;      ///< a CIB as XML
  std::string config;    ///< or a cluster.toml, in which all is well
  bool started = false;  ///< with `config`: all services run where the first plan started them; else nothing runs yet
  std::string snapshot;  ///< or a snapshot (see save_snapshot), or the decisions that a manager kept
  std::size_t decision = 0;   ///< of these the one of that number, from 1; 0: the newest
  std::string at;             ///< ISO 8601; empty: the snapshot's time, the CIB's execution-date, else now
  std::string inject;         ///< "node-fail=alice,quorum-lost"; empty: nothing
  std::string save;           ///< a file for the snapshot of this input; empty: none
  bool own_defaults = false;  ///< core/sources/defaults.h; what they change stands in the notices
};

struct LoadedCib {
  cib::Cib cib;
  std::int64_t now_s = 0;
  std::vector<std::string> notices;
};

/// Reads the input, saves its snapshot if that is wanted, and lets happen what is injected (after the snapshot).
///
/// A snapshot is a JSON object: format "bascule-snapshot", version 1, now_s (seconds since the epoch), time (the same
/// for people), cib_version (admin_epoch.epoch.num_updates), cib (the XML, to the byte).
[[nodiscard]] Result<LoadedCib> load_cib(const CibInput& input);

}  // namespace bascule::cli
