#include "wire/drbd_config/resolve.h"

#include <algorithm>

#include "wire/drbd_config/option_table.h"

namespace bascule::drbd_config {
namespace {

bool is_in(Section section, const std::string& name) {
  const auto names = names_in(section);
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string why_left_over(const std::string& section, const std::string& name) {
  if (section == "startup" && name == "become-primary-on") return "the cluster, or a person, decides who is primary";
  if (section == "startup") return "a volume starts without waiting for its peer";
  if (section == "proxy") return "there is no proxy";
  return "only DRBD 9 has it";
}

class Merging {
 public:
  void take(const Sections& sections) {
    take(Section::options, sections.options);
    take(Section::net, sections.net);
    take(Section::disk, sections.disk);
    take(Section::handlers, sections.handlers);
    leave("startup", sections.startup);
    leave("proxy", sections.proxy);
  }

  void take(Section section, const Settings& settings) {
    for (const auto& setting : settings) take(section, setting);
  }

  Result<Resolved> result(const Position& at) && {
    if (error_) return tl::unexpected<Error>(*error_);
    if (const auto together = check(resolved_.options); !together) {
      Error error = together.error();
      error.where = at.text() + ", " + error.where;
      return tl::unexpected<Error>(error);
    }
    return std::move(resolved_);
  }

 private:
  void take(Section section, const Setting& setting) {
    if (setting.name == "resync-after") {
      resolved_.resync_after = setting.values.front();
      return;
    }
    // DRBD 9 keeps the fencing policy with the connection.
    const bool moved = section == Section::net && setting.name == "fencing";
    if (!moved && !is_in(section, setting.name)) return leave(name_of(section), {setting});
    if (section == Section::handlers && setting.values.front().empty()) return;
    const auto done = set(resolved_.options, moved ? Section::disk : section, setting.name, setting.values.front());
    if (done || error_) return;
    error_ = done.error();
    error_->where = setting.at.text();
  }

  void leave(const std::string& section, const Settings& settings) {
    for (const auto& setting : settings)
      resolved_.left_over.push_back({section, setting, why_left_over(section, setting.name)});
  }

  Resolved resolved_;
  std::optional<Error> error_;
};

}  // namespace

Result<Resolved> resolve(const Document& document, const Resource& resource) {
  Merging merging;
  if (document.common) merging.take(*document.common);
  merging.take(resource.sections);
  for (const auto& volume : resource.volumes) merging.take(Section::disk, volume.options);
  if (!resource.hosts.empty())
    for (const auto& volume : resource.hosts.front().volumes) merging.take(Section::disk, volume.options);
  return std::move(merging).result(resource.at);
}

}  // namespace bascule::drbd_config
