// <resources>: primitives, groups, clones, bundles and templates.
#include "wire/cib/detail/reader.h"

namespace bascule::cib::detail {
namespace {

Operation read_operation(Reader& reader, pugi::xml_node node) {
  Operation result;
  result.line = reader.line_of(node);
  result.attributes =
      reader.all_attributes(node, {"id", "name", "interval", "description", "start-delay", "interval-origin", "timeout",
                                   "enabled", "record-pending", "role", "on-fail", "requires", "OCF_CHECK_LEVEL"});
  result.id = value_of(result.attributes, "id");
  result.name = value_of(result.attributes, "name");
  result.interval = value_of(result.attributes, "interval");
  for (const char* name : {"id", "name", "interval"})
    if (find(result.attributes, name) == nullptr)
      reader.refuse(node, "the attribute \"" + std::string(name) + "\" is missing");
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name == "meta_attributes")
      result.meta.push_back(read_set(reader, child));
    else if (name == "instance_attributes")
      result.parameters.push_back(read_set(reader, child));
    else
      return false;
    return true;
  });
  return result;
}

void read_operations(Reader& reader, pugi::xml_node referring, Resource& resource) {
  reader.attributes(referring, {{"id"}, {"id-ref"}});
  const pugi::xml_node node = reader.referenced(referring);
  if (!node) return;
  if (node != referring) reader.no_children(referring);
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name != "op") return false;
    resource.operations.push_back(read_operation(reader, child));
    return true;
  });
}

PortMapping read_port(Reader& reader, pugi::xml_node node) {
  PortMapping result;
  reader.attributes(node, {{"id", &result.id, Need::required},
                           {"port", &result.port},
                           {"internal-port", &result.internal_port},
                           {"range", &result.range}});
  reader.no_children(node);
  return result;
}

StorageMapping read_storage_mapping(Reader& reader, pugi::xml_node node) {
  StorageMapping result;
  reader.attributes(node, {{"id", &result.id, Need::required},
                           {"source-dir", &result.source_dir},
                           {"source-dir-root", &result.source_dir_root},
                           {"target-dir", &result.target_dir, Need::required},
                           {"options", &result.options}});
  reader.no_children(node);
  if (result.source_dir.empty() == result.source_dir_root.empty())
    reader.refuse(node, "it needs either source-dir or source-dir-root");
  return result;
}

void read_network(Reader& reader, pugi::xml_node node, BundleParts& parts) {
  parts.network = reader.all_attributes(
      node, {"id", "ip-range-start", "control-port", "host-interface", "host-netmask", "add-host"});
  parts.has_network = true;
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name != "port-mapping") return false;
    parts.ports.push_back(read_port(reader, child));
    return true;
  });
}

void read_storage(Reader& reader, pugi::xml_node node, BundleParts& parts) {
  reader.attributes(node, {{"id"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name != "storage-mapping") return false;
    parts.storage.push_back(read_storage_mapping(reader, child));
    return true;
  });
}

bool read_bundle_part(Reader& reader, pugi::xml_node node, std::string_view name, BundleParts& parts) {
  if (name == "network") {
    read_network(reader, node, parts);
  } else if (name == "storage") {
    read_storage(reader, node, parts);
  } else if (name == "docker" || name == "podman" || name == "rkt") {
    if (!parts.runtime.empty()) reader.refuse(node, "the bundle already has " + parts.runtime);
    parts.runtime = name;
    parts.container = reader.all_attributes(node, {"id", "image", "replicas", "replicas-per-host", "masters",
                                                   "promoted-max", "run-command", "network", "options"});
    if (find(parts.container, "image") == nullptr) reader.refuse(node, "the attribute \"image\" is missing");
    reader.no_children(node);
  } else {
    return false;
  }
  return true;
}

std::optional<Resource::Kind> kind_of(std::string_view name) {
  if (name == "primitive") return Resource::Kind::primitive;
  if (name == "group") return Resource::Kind::group;
  if (name == "clone") return Resource::Kind::clone;
  if (name == "master") return Resource::Kind::master;
  if (name == "bundle") return Resource::Kind::bundle;
  if (name == "template") return Resource::Kind::resource_template;
  return std::nullopt;
}

/// May `child` stand in `parent`?
bool holds(Resource::Kind parent, Resource::Kind child) {
  using Kind = Resource::Kind;
  if (parent == Kind::clone || parent == Kind::master) return child == Kind::primitive || child == Kind::group;
  return (parent == Kind::group || parent == Kind::bundle) && child == Kind::primitive;
}

bool has_operations(Resource::Kind kind) {
  return kind == Resource::Kind::primitive || kind == Resource::Kind::resource_template;
}

Resource read_resource(Reader& reader, pugi::xml_node node, Resource::Kind kind);

bool read_part(Reader& reader, pugi::xml_node node, std::string_view name, Resource& resource) {
  const auto child = kind_of(name);
  if (child && holds(resource.kind, *child))
    resource.children.push_back(read_resource(reader, node, *child));
  else if (name == "meta_attributes")
    resource.meta.push_back(read_set(reader, node));
  else if (name == "instance_attributes")
    resource.parameters.push_back(read_set(reader, node));
  else if (name == "utilization" && has_operations(resource.kind))
    resource.utilization.push_back(read_set(reader, node));
  else if (name == "operations" && has_operations(resource.kind))
    read_operations(reader, node, resource);
  else
    return resource.bundle && read_bundle_part(reader, node, name, *resource.bundle);
  return true;
}

void read_names(Reader& reader, pugi::xml_node node, Resource& resource) {
  if (!has_operations(resource.kind))
    return reader.attributes(node, {{"id", &resource.id, Need::required}, {"description"}});
  const bool made = resource.kind == Resource::Kind::primitive && node.attribute("template");
  const Need need = made ? Need::optional : Need::required;
  reader.attributes(node, {{"id", &resource.id, Need::required},
                           {"class", &resource.resource_class, need},
                           {"provider", &resource.provider},
                           {"type", &resource.type, need},
                           {"template", &resource.resource_template, Need::reference},
                           {"description"}});
}

void check_children(Reader& reader, pugi::xml_node node, const Resource& resource) {
  using Kind = Resource::Kind;
  const auto count = resource.children.size();
  if (resource.kind == Kind::group && count == 0) reader.refuse(node, "the group is empty");
  const bool clone = resource.kind == Kind::clone || resource.kind == Kind::master;
  if (clone && count == 0) reader.refuse(node, "nothing is cloned");
  if ((clone && resource.children.size() > 1 && resource.children.front().kind == Kind::group) ||
      (resource.kind != Kind::group && count > 1))
    reader.refuse(node, "more than one resource is inside");
  if (resource.bundle && resource.bundle->runtime.empty()) reader.refuse(node, "the bundle has no container");
}

Resource read_resource(Reader& reader, pugi::xml_node node, Resource::Kind kind) {
  Resource result;
  result.kind = kind;
  result.line = reader.line_of(node);
  if (kind == Resource::Kind::bundle) result.bundle.emplace();
  read_names(reader, node, result);
  reader.children(node,
                  [&](pugi::xml_node child, std::string_view name) { return read_part(reader, child, name, result); });
  check_children(reader, node, result);
  return result;
}

}  // namespace

void read_resources(Reader& reader, pugi::xml_node node) {
  reader.attributes(node, {{"id"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    const auto kind = kind_of(name);
    if (kind) reader.document.cib.resources.push_back(read_resource(reader, child, *kind));
    return kind.has_value();
  });
}

}  // namespace bascule::cib::detail
