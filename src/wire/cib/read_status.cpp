// <status>: what nodes, histories, transient attributes and tickets say of themselves.
#include "wire/cib/detail/reader.h"

namespace bascule::cib::detail {
namespace {

void read_result(Reader& reader, pugi::xml_node node, OperationResult& result) {
  result.line = reader.line_of(node);
  reader.attributes(node, {{"id", &result.id},
                           {"operation_key", &result.operation_key},
                           {"operation", &result.operation},
                           {"crm-debug-origin"},
                           {"crm_feature_set", &result.feature_set},
                           {"transition-key", &result.transition_key},
                           {"transition-magic", &result.transition_magic},
                           {"exit-reason", &result.exit_reason},
                           {"on_node", &result.on_node},
                           {"call-id", &result.call_id},
                           {"rc-code", &result.rc},
                           {"op-status", &result.status},
                           {"interval", &result.interval_ms},
                           {"last-run", &result.last_run_s},
                           {"last-rc-change", &result.last_change_s},
                           {"exec-time", &result.exec_time_ms},
                           {"queue-time", &result.queue_time_ms},
                           {"migrate_source", &result.migrate_source},
                           {"migrate_target", &result.migrate_target},
                           {"op-digest", &result.op_digest},
                           {"op-force-restart", &result.op_force_restart},
                           {"op-restart-digest", &result.op_restart_digest},
                           {"op-secure-params", &result.op_secure_params},
                           {"op-secure-digest", &result.op_secure_digest}});
  result.has_last_change = static_cast<bool>(node.attribute("last-rc-change"));
  reader.no_children(node);
}

void read_history(Reader& reader, pugi::xml_node node, ResourceHistory& result) {
  result.line = reader.line_of(node);
  reader.attributes(node, {{"id", &result.id},
                           {"type", &result.type},
                           {"class", &result.resource_class},
                           {"provider", &result.provider},
                           {"container", &result.container},
                           {"shutdown-lock", &result.shutdown_lock_s}});
  if (result.id.empty()) reader.notice(node, "the history names no resource and has no effect");
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name != "lrm_rsc_op") return false;
    read_result(reader, child, result.operations.emplace_back());
    return true;
  });
}

void read_lrm(Reader& reader, pugi::xml_node node, NodeState& state) {
  state.has_lrm = true;
  reader.attributes(node, {{"id"}});
  reader.children(node, [&](pugi::xml_node list, std::string_view name) {
    if (name != "lrm_resources") return false;
    reader.attributes(list, {{"id"}});
    reader.children(list, [&](pugi::xml_node child, std::string_view kind) {
      if (kind != "lrm_resource") return false;
      read_history(reader, child, state.resources.emplace_back());
      return true;
    });
    return true;
  });
}

void read_transient(Reader& reader, pugi::xml_node node, NodeState& state) {
  reader.attributes(node, {{"id"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name == "instance_attributes")
      state.transient_attributes.push_back(read_set(reader, child));
    else if (name == "utilization")
      state.utilization.push_back(read_set(reader, child));
    else
      return false;
    return true;
  });
}

NodeState read_node_state(Reader& reader, pugi::xml_node node) {
  NodeState result;
  result.line = reader.line_of(node);
  reader.attributes(node, {{"id", &result.id},
                           {"uname", &result.name},
                           {"in_ccm", &result.in_ccm},
                           {"crmd", &result.crmd},
                           {"crm-debug-origin"},
                           {"join", &result.join},
                           {"expected", &result.expected},
                           {"shutdown", &result.shutdown},
                           {"ha"},
                           {"remote_node", &result.remote_node},
                           {"node_fenced", &result.node_fenced},
                           {"node_in_maintenance", &result.maintenance},
                           {"clear_shutdown"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name == "lrm")
      read_lrm(reader, child, result);
    else if (name == "transient_attributes")
      read_transient(reader, child, result);
    else
      return false;
    return true;
  });
  return result;
}

void read_tickets(Reader& reader, pugi::xml_node node) {
  reader.attributes(node, {{"id"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name != "ticket_state") return false;
    TicketState ticket;
    for (const pugi::xml_attribute& attribute : child.attributes())
      ticket.attributes.emplace_back(attribute.name(), attribute.value());  // a ticket may have attributes of its own
    ticket.id = value_of(ticket.attributes, "id");
    reader.no_children(child);
    reader.document.cib.tickets.push_back(std::move(ticket));
    return true;
  });
}

}  // namespace

void read_status(Reader& reader, pugi::xml_node node) {
  reader.attributes(node, {{"id"}, {"crm-debug-origin"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name == "node_state")
      reader.document.cib.node_states.push_back(read_node_state(reader, child));
    else if (name == "tickets")
      read_tickets(reader, child);
    else
      return false;
    return true;
  });
}

}  // namespace bascule::cib::detail
