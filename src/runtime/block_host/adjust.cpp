#include "runtime/block_host/adjust.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "wire/drbd_config/option_table.h"

namespace bascule::block_host {
namespace {

using drbd_config::Section;
using When = OptionChange::When;

struct Rule {
  Section section;
  std::string_view option;
  When when;
};

/// What both nodes have agreed on, or what stands on the disk. All else may change at any time.
constexpr std::array<Rule, 7> kRules{{
    {Section::net, "protocol", When::Disconnected},
    {Section::net, "allow-two-primaries", When::Disconnected},
    {Section::net, "cram-hmac-alg", When::Disconnected},
    {Section::net, "shared-secret", When::Disconnected},
    {Section::net, "csums-alg", When::AfterResync},
    {Section::net, "verify-alg", When::AfterResync},
    {Section::disk, "al-updates", When::Detached},
}};

When rule_for(Section section, std::string_view option) {
  const auto* const found = std::find_if(
      kRules.begin(), kRules.end(), [&](const Rule& rule) { return rule.section == section && rule.option == option; });
  return found == kRules.end() ? When::Now : found->when;
}

bool connected(const replication::Status& status) {
  return status.agreed_version != 0 || status.connection >= drbd::ConnectionState::WFReportParams;
}

/// What stands in the way at this moment; Now: nothing.
When when_possible(When rule, const replication::Status& status) {
  if (rule == When::Disconnected && !connected(status)) return When::Now;
  if (rule == When::AfterResync && status.connection <= drbd::ConnectionState::Connected) return When::Now;
  if (rule == When::Detached && status.disk == drbd::DiskState::Diskless) return When::Now;
  return rule;
}

std::string shown(const std::string& text) { return text.empty() ? "none" : text; }

/// cluster.toml has DRBD's section `disk` as `disk_options`.
std::string name_in_file(Section section, const std::string& option) {
  return std::string(section == Section::disk ? "disk_options" : drbd_config::name_of(section)) + "." + option;
}

/// The size and al-extents have two names in cluster.toml: they are compared as the engine takes them.
bool compared_apart(Section section, std::string_view option) {
  return section == Section::disk && (option == "size" || option == "al-extents");
}

class Comparison {
 public:
  Comparison(const VolumePlan& running, const VolumePlan& wanted, const replication::Status& status)
      : wanted_(wanted), status_(status) {
    found_.plan = running;
  }

  Adjustment run() {
    for (const Section section : {Section::net, Section::disk, Section::options, Section::handlers})
      for (const std::string& option : drbd_config::names_in(section)) compare_option(section, option);
    compare_own_keys();
    compare_size();
    compare_fixed_keys();
    return std::move(found_);
  }

 private:
  void note(std::string option, std::string from, std::string to, When when) {
    found_.changes.push_back({std::move(option), std::move(from), std::move(to), when});
  }

  void compare_option(Section section, const std::string& option) {
    config::Volume& volume = found_.plan.volume;
    const std::string from = drbd_config::text_of(volume.options, section, option);
    const std::string to = drbd_config::text_of(wanted_.volume.options, section, option);
    if (from == to || compared_apart(section, option)) return;
    const When when = when_possible(rule_for(section, option), status_);
    const bool secret = option == "shared-secret";
    note(name_in_file(section, option), secret ? "(a secret)" : shown(from), secret ? "(a secret)" : shown(to), when);
    if (when == When::Now) take(section, option, to);
  }

  void take(Section section, const std::string& option, const std::string& value) {
    drbd_config::Options& options = found_.plan.volume.options;
    if (section == Section::handlers && value.empty())
      options.handlers.erase(option);
    else if (value.empty())
      unset(option);
    else
      (void)drbd_config::set(options, section, option, value);  // it was taken from there
  }

  /// Texts only: all else has a value.
  void unset(const std::string& option) {
    drbd_config::Options& options = found_.plan.volume.options;
    const drbd_config::Options& wanted = wanted_.volume.options;
    if (option == "cram-hmac-alg") options.net.cram_hmac_alg = wanted.net.cram_hmac_alg;
    if (option == "shared-secret") options.net.shared_secret = wanted.net.shared_secret;
    if (option == "data-integrity-alg") options.net.data_integrity_alg = wanted.net.data_integrity_alg;
    if (option == "verify-alg") options.net.verify_alg = wanted.net.verify_alg;
    if (option == "csums-alg") options.net.csums_alg = wanted.net.csums_alg;
    if (option == "cpu-mask") options.resource.cpu_mask = wanted.resource.cpu_mask;
  }

  void compare_own_keys() {
    config::Volume& now = found_.plan.volume;
    const config::Volume& wanted = wanted_.volume;
    const auto key = [&](const char* name, auto& own, const auto& other) {
      if (own == other) return;
      note(name, std::to_string(own), std::to_string(other), When::Now);
      own = other;
    };
    const auto yes_or_no = [&](const char* name, bool& own, bool other) {
      if (own == other) return;
      note(name, own ? "true" : "false", other ? "true" : "false", When::Now);
      own = other;
    };
    key("resync_rate_max", now.resync_rate_max, wanted.resync_rate_max);
    yes_or_no("accept_loss", now.accept_loss, wanted.accept_loss);
    yes_or_no("peer_flush", now.flush_waits_for_peer, wanted.flush_waits_for_peer);
  }

  /// A resize changes the running volume first, then somebody writes it down.
  void compare_size() {
    const std::uint64_t from = engine_config(found_.plan, "").size_limit_bytes;
    const std::uint64_t to = engine_config(wanted_, "").size_limit_bytes;
    if (from == to || to == status_.size_bytes) return;
    note("size", from == 0 ? "none" : std::to_string(from), to == 0 ? "none" : std::to_string(to), When::Resize);
  }

  void compare_fixed_keys() {
    const VolumePlan& now = found_.plan;
    const auto fixed = [&](const char* name, const std::string& own, const std::string& other) {
      if (own != other) note(name, shown(own), shown(other), When::Restart);
    };
    fixed("al_extents", std::to_string(engine_config(now, "").al_extents),
          std::to_string(engine_config(wanted_, "").al_extents));
    fixed("disk", now.disk, wanted_.disk);
    fixed("metadata", now.metadata.text(), wanted_.metadata.text());
    fixed("port", std::to_string(now.volume.port), std::to_string(wanted_.volume.port));
    fixed("minor", std::to_string(now.volume.minor), std::to_string(wanted_.volume.minor));
    fixed("authority", now.volume.operator_decides ? "operator" : "cluster",
          wanted_.volume.operator_decides ? "operator" : "cluster");
    fixed("encryption", now.volume.encrypted ? "tls" : "none", wanted_.volume.encrypted ? "tls" : "none");
    fixed("the address of this node", now.own_address, wanted_.own_address);
    fixed("the peer", now.peer, wanted_.peer);
    fixed("the address of the peer", now.peer_address, wanted_.peer_address);
  }

  const VolumePlan& wanted_;
  const replication::Status& status_;
  Adjustment found_;
};

struct Words {
  When when;
  const char* name;
  const char* how;
};
constexpr std::array<Words, 6> kWords{{
    {When::Now, "now", ""},
    {When::Disconnected, "disconnected",
     "both nodes have agreed on it: bascule volume disconnect, then adjust, on both nodes, then connect"},
    {When::AfterResync, "after-resync", "a resync or verify runs with it: adjust again when that is over"},
    {When::Detached, "detached",
     "what stands on the disk depends on it: bascule volume detach, then adjust, then attach"},
    {When::Resize, "resize", "the size has a command of its own: bascule volume resize"},
    {When::Restart, "restart", "it is looked at when the volume starts: bascule volume down, then up"},
}};

const Words& words_of(When when) {
  return *std::find_if(kWords.begin(), kWords.end(), [when](const Words& words) { return words.when == when; });
}

}  // namespace

Adjustment adjustment(const VolumePlan& running, const VolumePlan& wanted, const replication::Status& status) {
  return Comparison(running, wanted, status).run();
}

replication::input::SetOptions new_options(const VolumePlan& plan, const std::string& node,
                                           replication::CommandId command) {
  const replication::Config config = engine_config(plan, node);
  return {command, config.options,
          replication::input::Settings{config.resync_rate_max, config.ping_interval, config.ping_timeout,
                                       config.connect_interval, config.request_timeout, config.flush_waits_for_peer,
                                       config.accept_loss}};
}

nlohmann::json changes_as_json(const Adjustment& adjustment, bool dry_run) {
  nlohmann::json list = nlohmann::json::array();
  for (const OptionChange& change : adjustment.changes) {
    const Words& words = words_of(change.when);
    list.push_back({{"option", change.option},
                    {"from", change.from},
                    {"to", change.to},
                    {"when", words.name},
                    {"done", !dry_run && change.when == When::Now},
                    {"how", words.how}});
  }
  return list;
}

}  // namespace bascule::block_host
