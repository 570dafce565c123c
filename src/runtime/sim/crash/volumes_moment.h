#pragma once

#include <functional>
#include <string>
#include <vector>

#include "runtime/sim/crash/explorer.h"
#include "runtime/sim/crash/volume.h"

namespace bascule::sim {

/// The moment when some disks lose their power together.
class VolumesMoment final : public CrashMoment {
 public:
  /// Gets the disks as they are found, in their order.
  using Check = std::function<std::string(const std::vector<CrashVolume>& found)>;
  struct Named {
    const CrashVolume* volume;
    std::string name;
  };

  VolumesMoment(const std::vector<Named>& volumes, std::uint64_t cell_bytes, const Check& check)
      : volumes_(volumes), check_(check) {
    for (std::size_t index = 0; index < volumes.size(); ++index)
      for (auto& cell : volumes[index].volume->cells(cell_bytes)) {
        units_.push_back({static_cast<std::uint32_t>(cell.versions.size()),
                          volumes[index].name + " from byte " + std::to_string(cell.offset)});
        Part part{index, std::move(cell), {}};
        for (std::size_t i = 0; i < part.cell.versions.size(); ++i) part.hashes.push_back(part.cell.hash(i));
        parts_.push_back(std::move(part));
      }
  }
  [[nodiscard]] const std::vector<CrashUnit>& units() const override { return units_; }
  [[nodiscard]] std::uint64_t hash(const CrashForms& forms) const override {
    std::uint64_t sum = 0;
    for (std::size_t unit = 0; unit < parts_.size(); ++unit)
      if (forms[unit] != 0) sum += mixed_hash(parts_[unit].volume, parts_[unit].hashes[forms[unit] - 1]);
    return sum;
  }
  [[nodiscard]] std::string check(const CrashForms& forms) const override {
    std::vector<CrashVolume> found;
    for (const Named& named : volumes_) found.push_back(named.volume->durable());
    for (std::size_t unit = 0; unit < parts_.size(); ++unit)
      if (forms[unit] != 0)
        found[parts_[unit].volume].place(parts_[unit].cell.offset, parts_[unit].cell.versions[forms[unit] - 1]);
    return check_(found);
  }

 private:
  struct Part {
    std::size_t volume;
    CrashVolume::Cell cell;
    std::vector<std::uint64_t> hashes;
  };

  std::vector<Named> volumes_;
  const Check& check_;
  std::vector<CrashUnit> units_;
  std::vector<Part> parts_;
};

}  // namespace bascule::sim
