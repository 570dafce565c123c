#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/cib/model.h"

namespace bascule::cib {

/// What was read but has no effect here, or is not as it should be: nothing is skipped without one of these.
struct Notice {
  int line = 0;      ///< 1-based
  std::string path;  ///< "cib/configuration/resources/primitive[web]/foo", an attribute as "...primitive[web]/@foo"
  std::string what;  ///< "the element is unknown and has no effect"

  /// "line 12, PATH: WHAT".
  [[nodiscard]] std::string text() const;
  friend bool operator==(const Notice&, const Notice&) = default;
};

struct Document {
  Cib cib;
  std::vector<Notice> notices;  ///< in document order of their finding
};

/// Reads one cluster information base (FORMAT.md says what is an error and what a notice). An error names `file_name`,
/// line and path of the first mistake. Where `validate-with` names a schema, what Pacemaker 2.1.5's schema refuses as
/// contradictory (an id twice, a reference to nothing, a missing required attribute) is an error; with "none" or
/// nothing there, a notice.
[[nodiscard]] Result<Document> parse(std::string_view xml, std::string_view file_name);

}  // namespace bascule::cib
