#include "core/replication/detail/state/decisions.h"

namespace bascule::replication::detail {

RuleFacts facts_of(const Core& core) {
  using drbd_config::Fencing;
  const drbd_config::Options& options = core.config.options;
  RuleFacts facts;
  facts.two_primaries = core.operator_rules() && options.net.allow_two_primaries;
  facts.fencing = core.operator_rules() && options.disk.fencing != Fencing::dont_care;
  facts.fencing_suspends = core.operator_rules() && options.disk.fencing == Fencing::resource_and_stonith;
  facts.suspends_without_data = options.resource.on_no_data_accessible == drbd_config::OnNoDataAccessible::suspend_io;
  facts.verify_algorithm = !options.net.verify_alg.empty();
  facts.agreed_version = core.session.agreed_version;
  facts.handshaking = core.handshaking();
  facts.exposed_is_own = core.was_exposed(core.superblock.current_uuid);
  return facts;
}

ChangeVerdict judge(const Core& core, const drbd::StateChange& change, bool hard) {
  const drbd::StateWord from = core.state_word();
  const auto to = drbd::apply_change(from, change.mask, change.value);
  if (!to) return {drbd::StateChangeResult::NotSupported, "unknown_state", from};
  return request_change(from, *to, facts_of(core), hard);
}

Refusal refusal_of(const ChangeVerdict& verdict) {
  return {verdict.result, verdict.granted() ? "" : words_of(verdict.result)};
}

}  // namespace bascule::replication::detail
