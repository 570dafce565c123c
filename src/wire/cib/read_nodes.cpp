// <nodes>, <tags> and <fencing-topology>.
#include "wire/cib/detail/reader.h"

namespace bascule::cib::detail {
namespace {

Node read_node(Reader& reader, pugi::xml_node node) {
  Node result;
  result.line = reader.line_of(node);
  reader.attributes(node, {{"id", &result.id, Need::required},
                           {"uname", &result.name, Need::required},
                           {"type", &result.type},
                           {"score", &result.score},
                           {"description"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name == "instance_attributes")
      result.attributes.push_back(read_set(reader, child));
    else if (name == "utilization")
      result.utilization.push_back(read_set(reader, child));
    else
      return false;
    return true;
  });
  return result;
}

std::vector<std::string> comma_list(std::string_view text) {
  std::vector<std::string> result;
  while (!text.empty()) {
    const auto comma = text.find(',');
    if (comma != 0) result.emplace_back(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return result;
}

FencingLevel read_level(Reader& reader, pugi::xml_node node) {
  FencingLevel result;
  std::string devices;
  result.line = reader.line_of(node);
  reader.attributes(node, {{"id", &result.id, Need::required},
                           {"target", &result.target},
                           {"index", &result.index, Need::required},
                           {"devices", &devices, Need::required},
                           {"target-pattern", &result.target_pattern},
                           {"target-attribute", &result.target_attribute},
                           {"target-value", &result.target_value}});
  reader.no_children(node);
  result.devices = comma_list(devices);
  if (result.index < 1 || result.index > 9) reader.notice(node, "it is not in 1..9", "index");
  if (result.target.empty() && result.target_pattern.empty() && result.target_attribute.empty())
    reader.refuse(node, "it has no target");
  return result;
}

}  // namespace

void read_nodes(Reader& reader, pugi::xml_node node) {
  reader.attributes(node, {{"id"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name != "node") return false;
    reader.document.cib.nodes.push_back(read_node(reader, child));
    return true;
  });
}

void read_tags(Reader& reader, pugi::xml_node node) {
  reader.attributes(node, {{"id"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name != "tag") return false;
    Tag tag;
    tag.line = reader.line_of(child);
    reader.attributes(child, {{"id", &tag.id, Need::required}, {"description"}});
    reader.children(child, [&](pugi::xml_node reference, std::string_view kind) {
      if (kind != "obj_ref") return false;
      std::string id;
      reader.attributes(reference, {{"id", &id, Need::required}});
      tag.references.push_back(std::move(id));
      return true;
    });
    reader.document.cib.tags.push_back(std::move(tag));
    return true;
  });
}

void read_fencing_topology(Reader& reader, pugi::xml_node node) {
  reader.attributes(node, {{"id"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name != "fencing-level") return false;
    reader.document.cib.fencing_levels.push_back(read_level(reader, child));
    return true;
  });
}

}  // namespace bascule::cib::detail
