#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/drbd_config/options.h"

/// The one table of DRBD 8.4's options: names, ranges, units and defaults (drbd.conf(5), model facts section 10).
/// drbd.conf, cluster.toml and the command line all set options through it.
namespace bascule::drbd_config {

/// Where an option stands. In drbd.conf the sections have these names.
enum class Section : std::uint8_t { net, disk, options, handlers };

/// "net", "disk", "options", "handlers".
[[nodiscard]] const char* name_of(Section section);

/// Sets one option from its text as drbd.conf has it: "10M", "yes", "discard-zero-changes". A number may have one of
/// the suffixes K, M, G (powers of 1024) and s (sectors of 512 bytes); without one it is in the option's own unit.
/// Errors say the option, the value and what is allowed, and change nothing. Old names are taken as well.
[[nodiscard]] Result<void> set(Options& options, Section section, std::string_view name, std::string_view value);

/// The value as drbd.conf has it, with its unit ("102400k"). Empty for an unknown name and an unset text.
[[nodiscard]] std::string text_of(const Options& options, Section section, std::string_view name);

/// The names of all options of a section, in the order of DRBD's manual.
[[nodiscard]] std::vector<std::string> names_in(Section section);

/// Whether the option takes yes and no, so that its name alone means yes.
[[nodiscard]] bool is_yes_or_no(Section section, std::string_view name);
/// Whether the option is a number, with or without a unit.
[[nodiscard]] bool is_number(Section section, std::string_view name);

/// What one option alone cannot know: combinations that DRBD refuses. `where` of the error is "SECTION.OPTION".
[[nodiscard]] Result<void> check(const Options& options);

}  // namespace bascule::drbd_config
