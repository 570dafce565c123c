#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/ownership/plan.h"

namespace bascule::ownership::detail {

/// A snapshot with the questions that the rules ask. Unknown names get empty answers.
class View {
 public:
  explicit View(const Snapshot& snapshot) : snapshot_(snapshot) {}

  [[nodiscard]] const Snapshot& snapshot() const { return snapshot_; }
  [[nodiscard]] const NodeView& node(const std::string& name) const;
  [[nodiscard]] bool online(const std::string& name) const { return node(name).online && !node(name).lost; }
  /// By hand, or because of a failure with `on_fail = "standby"` there.
  [[nodiscard]] bool standby(const std::string& name) const;
  /// "alice is in standby", with the failure that put it there.
  [[nodiscard]] std::string standby_reason(const std::string& name) const;
  [[nodiscard]] std::string standby_hint(const std::string& name) const;
  [[nodiscard]] const store::VolumeState& volume(const std::string& name) const;
  [[nodiscard]] const store::ServiceState& service(const std::string& name) const;
  /// What the node last reported about it, or null.
  [[nodiscard]] const message::VolumeReport* replica(const std::string& node, const std::string& volume) const;
  [[nodiscard]] const message::ServiceReport* report(const std::string& node, const std::string& service) const;

  [[nodiscard]] bool wants_started(const config::Service& service) const;
  /// Who has it or, should the two ever differ, who has its volume: that node must be gone before anybody else begins.
  [[nodiscard]] std::optional<std::string> holder(const config::Service& service) const;
  /// The owner is here and says that everything runs, in the present epoch.
  [[nodiscard]] bool runs(const config::Service& service) const;

  /// Where a service will be when what is decided was carried out; set in the order of the relations.
  void settle(const std::string& service, std::optional<std::string> node, std::string why) {
    futures_[service] = {std::move(node), std::move(why)};
  }
  [[nodiscard]] std::optional<std::string> future(const std::string& service) const;
  /// Why it is nowhere.
  [[nodiscard]] std::string future_why(const std::string& service) const;

 private:
  struct Future {
    std::optional<std::string> node;
    std::string why;
  };
  const Snapshot& snapshot_;
  std::map<std::string, Future> futures_;
};

/// "alice", "alice and bob", "alice, bob and carol"
[[nodiscard]] std::string listed(const std::vector<std::string>& names, const char* last = "and");
[[nodiscard]] std::vector<std::string> to_vector(const std::set<std::string>& names);

}  // namespace bascule::ownership::detail
