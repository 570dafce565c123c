#include "runtime/sim/crash/explorer.h"

#include <algorithm>
#include <charconv>

#include "runtime/sim/crash/volume.h"

namespace bascule::sim {
namespace {

constexpr std::uint64_t too_many = 1ULL << 40;
constexpr std::size_t kept_violations = 20;
constexpr std::string_view digits = "0123456789abcdefghijklmnopqrstuvwxyz";

}  // namespace

// ---- which states -----------------------------------------------------------------------------------------------

FormWalk::FormWalk(const std::vector<CrashUnit>& units, std::uint64_t most, std::uint64_t seed)
    : units_(units), most_(most), prng_(seed) {
  for (const CrashUnit& unit : units) total_ = std::min(too_many, total_ * (unit.forms + 1));
}

bool FormWalk::next(CrashForms& forms) {
  if (given_ == std::min(most_, total_)) return false;
  forms.assign(units_.size(), 0);
  if (complete()) {
    std::uint64_t rest = given_;
    for (std::size_t unit = 0; unit < units_.size(); ++unit) {
      const std::uint64_t radix = units_[unit].forms + 1;
      forms[unit] = static_cast<std::uint32_t>(rest % radix);
      rest /= radix;
    }
  } else if (given_ < 2 + 2 * units_.size()) {
    choose_end(forms);
  } else {
    choose_at_random(forms);
  }
  ++given_;
  return true;
}

/// Nothing kept, everything kept; one lost of all; one kept of all.
void FormWalk::choose_end(CrashForms& forms) const {
  const auto newest = [this](std::size_t unit) { return units_[unit].forms; };
  const bool others_kept = given_ % 2 == 1;
  for (std::size_t unit = 0; unit < units_.size(); ++unit) forms[unit] = others_kept ? newest(unit) : 0;
  if (given_ < 2) return;
  const std::size_t one = (given_ - 2) / 2;
  forms[one] = others_kept ? 0 : newest(one);
}

void FormWalk::choose_at_random(CrashForms& forms) {
  const std::uint64_t kept_of_eight = 1 + prng_.below(7);
  for (std::size_t unit = 0; unit < units_.size(); ++unit)
    if (prng_.chance(kept_of_eight, 8)) forms[unit] = static_cast<std::uint32_t>(1 + prng_.below(units_[unit].forms));
}

// ---- their names ------------------------------------------------------------------------------------------------

std::string CrashStateId::text() const {
  std::string text = operations + "." + std::to_string(point) + "." + std::to_string(cell_bytes) + ".";
  for (const std::uint32_t form : forms) text += form < digits.size() ? digits[form] : '?';
  return text;
}

std::optional<CrashStateId> CrashStateId::parse(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char letter : text) letter == '.' ? (void)parts.emplace_back() : parts.back().push_back(letter);
  if (parts.size() != 4) return std::nullopt;
  CrashStateId id{parts[0], 0, 0, {}};
  const auto number = [](const std::string& part, std::uint64_t& value) {
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    return error == std::errc{} && end == part.data() + part.size();
  };
  if (!number(parts[1], id.point) || !number(parts[2], id.cell_bytes)) return std::nullopt;
  if (id.cell_bytes != CrashVolume::sector_bytes && id.cell_bytes != CrashVolume::page_bytes) return std::nullopt;
  for (const char letter : parts[3]) {
    const auto at = digits.find(letter);
    if (at == std::string_view::npos) return std::nullopt;
    id.forms.push_back(static_cast<std::uint32_t>(at));
  }
  return id;
}

// ---- trying them ------------------------------------------------------------------------------------------------

void Explorer::Figures::add(const Figures& other) {
  points += other.points;
  states += other.states;
  sampled_points += other.sampled_points;
  for (const Violation& violation : other.violations)
    if (violations.size() < kept_violations) violations.push_back(violation);
}

void Explorer::note(const std::string& what) {
  renew();
  if (options_.only) story_.push_back("      " + what);
}

void Explorer::point(const std::string& what, std::uint64_t flushes, const Moment& moment) {
  if (options_.only) story_.push_back((active_ ? std::to_string(point_ + 1) : std::string("-")) + "  " + what);
  if (!active_) return;
  ++point_;
  if (flushes != flushes_) seen_.clear();
  flushes_ = flushes;
  if (options_.only) return options_.only->point == point_ ? show(moment) : void();
  ++figures_.points;
  walk(CrashVolume::page_bytes, moment);
  walk(CrashVolume::sector_bytes, moment);
}

void Explorer::walk(std::uint64_t cell_bytes, const Moment& moment) {
  const auto crash = moment(cell_bytes);
  FormWalk walk(crash->units(), options_.most_per_point, mixed_hash(options_.seed, mixed_hash(point_, cell_bytes)));
  figures_.sampled_points += walk.complete() ? 0 : 1;
  for (CrashForms forms; walk.next(forms);) {
    if (!seen_.insert(crash->hash(forms)).second) continue;
    ++figures_.states;
    judge({operations_, point_, cell_bytes, forms}, crash->check(forms));
  }
}

void Explorer::judge(const CrashStateId& id, const std::string& fault) {
  if (fault.empty() || figures_.violations.size() >= kept_violations) return;
  figures_.violations.push_back({id.text(), fault});
}

void Explorer::show(const Moment& moment) {
  const CrashStateId& id = *options_.only;
  const auto crash = moment(id.cell_bytes);
  const auto& units = crash->units();
  bool fits = units.size() == id.forms.size();
  for (std::size_t unit = 0; fits && unit < units.size(); ++unit) fits = id.forms[unit] <= units[unit].forms;
  if (!fits) return judge(id, "there is no such state: " + std::to_string(units.size()) + " units at this point");
  story_.emplace_back("*** the power fails; what was not flushed:");
  for (std::size_t unit = 0; unit < units.size(); ++unit) {
    const std::string form = std::to_string(id.forms[unit]) + " of " + std::to_string(units[unit].forms);
    story_.push_back("      " + units[unit].name + ": " + (id.forms[unit] == 0 ? "as it was" : "new, " + form));
  }
  ++figures_.states;
  judge(id, crash->check(id.forms));
}

}  // namespace bascule::sim
