#include "wire/cib/detail/reader.h"

namespace bascule::cib::detail {
namespace {

/// meta_attributes and instance_attributes, of an alert as of a recipient.
template <typename Holder>
bool read_sets(Reader& reader, pugi::xml_node node, std::string_view name, Holder& holder) {
  if (name == "meta_attributes")
    holder.meta.push_back(read_set(reader, node));
  else if (name == "instance_attributes")
    holder.parameters.push_back(read_set(reader, node));
  else
    return false;
  return true;
}

AlertRecipient read_recipient(Reader& reader, pugi::xml_node node) {
  AlertRecipient result;
  reader.attributes(node,
                    {{"id", &result.id, Need::required}, {"value", &result.value, Need::required}, {"description"}});
  reader.children(node,
                  [&](pugi::xml_node child, std::string_view name) { return read_sets(reader, child, name, result); });
  return result;
}

void read_selected_attributes(Reader& reader, pugi::xml_node node, Alert& alert) {
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name != "attribute") return false;
    std::string selected;
    reader.attributes(child, {{"id"}, {"name", &selected, Need::required}});
    alert.attributes.push_back(std::move(selected));
    return true;
  });
}

void read_select(Reader& reader, pugi::xml_node node, Alert& alert) {
  reader.attributes(node, {{"id"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name == "select_attributes")
      read_selected_attributes(reader, child, alert);
    else if (name != "select_fencing" && name != "select_nodes" && name != "select_resources")
      return false;
    alert.kinds.emplace_back(name);
    return true;
  });
}

Alert read_alert(Reader& reader, pugi::xml_node node) {
  Alert result;
  result.line = reader.line_of(node);
  reader.attributes(node,
                    {{"id", &result.id, Need::required}, {"path", &result.path, Need::required}, {"description"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name == "recipient")
      result.recipients.push_back(read_recipient(reader, child));
    else if (name == "select")
      read_select(reader, child, result);
    else
      return read_sets(reader, child, name, result);
    return true;
  });
  return result;
}

AclPermission read_permission(Reader& reader, pugi::xml_node node) {
  AclPermission result;
  reader.attributes(node, {{"id", &result.id, Need::required},
                           {"kind", &result.kind, Need::required},
                           {"xpath", &result.xpath},
                           {"reference", &result.reference},
                           {"object-type", &result.object_type},
                           {"attribute", &result.attribute},
                           {"description"}});
  reader.no_children(node);
  return result;
}

AclRole read_role(Reader& reader, pugi::xml_node node) {
  AclRole result;
  reader.attributes(node, {{"id", &result.id, Need::required}, {"description"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name != "acl_permission") return false;
    result.permissions.push_back(read_permission(reader, child));
    return true;
  });
  return result;
}

AclSubject read_subject(Reader& reader, pugi::xml_node node) {
  AclSubject result;
  reader.attributes(node, {{"id", &result.id, Need::required}, {"name", &result.name}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name != "role") return false;
    std::string id;
    reader.attributes(child, {{"id", &id, Need::required}});
    reader.check_reference(child, id, "id");
    result.roles.push_back(std::move(id));
    return true;
  });
  return result;
}

}  // namespace

void read_alerts(Reader& reader, pugi::xml_node node) {
  reader.attributes(node, {{"id"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name != "alert") return false;
    reader.document.cib.alerts.push_back(read_alert(reader, child));
    return true;
  });
}

void read_acls(Reader& reader, pugi::xml_node node) {
  reader.attributes(node, {{"id"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name == "acl_role") {
      reader.document.cib.acl_roles.push_back(read_role(reader, child));
    } else if (name == "acl_target" || name == "acl_group") {
      reader.document.cib.acl_subjects.push_back(read_subject(reader, child));
      reader.document.cib.acl_subjects.back().group = name == "acl_group";
    } else {
      return false;
    }
    return true;
  });
}

}  // namespace bascule::cib::detail
