// A whole CIB: the document, its root, and the notices for what is not understood.
#include "wire/cib/parse.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <pugixml.hpp>

#include "wire/cib/detail/reader.h"

namespace bascule::cib {
namespace {

using detail::Reader;

std::vector<std::uint32_t> newlines_of(std::string_view text) {
  std::vector<std::uint32_t> result;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end && (at = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at))))) {
    result.push_back(static_cast<std::uint32_t>(at - text.data()));
    ++at;
  }
  return result;
}

Error not_xml(std::string_view xml, std::string_view file_name, std::string why, std::size_t offset) {
  const auto upto = xml.substr(0, std::min(offset, xml.size()));
  const auto line = 1 + std::count(upto.begin(), upto.end(), '\n');
  return {std::string(file_name) + " cannot be used", "line " + std::to_string(line), std::move(why), {}};
}

void read_defaults(Reader& reader, pugi::xml_node node, std::string_view set_name, NameValueSets& to) {
  reader.attributes(node, {{"id"}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name != set_name) return false;
    to.push_back(read_set(reader, child));
    return true;
  });
}

bool read_section(Reader& reader, pugi::xml_node node, std::string_view name) {
  Cib& cib = reader.document.cib;
  if (name == "crm_config")
    read_defaults(reader, node, "cluster_property_set", cib.properties);
  else if (name == "rsc_defaults")
    read_defaults(reader, node, "meta_attributes", cib.resource_defaults);
  else if (name == "op_defaults")
    read_defaults(reader, node, "meta_attributes", cib.operation_defaults);
  else if (name == "nodes")
    read_nodes(reader, node);
  else if (name == "resources")
    read_resources(reader, node);
  else if (name == "constraints")
    read_constraints(reader, node);
  else if (name == "tags")
    read_tags(reader, node);
  else if (name == "fencing-topology")
    read_fencing_topology(reader, node);
  else if (name == "alerts")
    read_alerts(reader, node);
  else if (name == "acls")
    read_acls(reader, node);
  else
    return false;
  return true;
}

void read_configuration(Reader& reader, pugi::xml_node node) {
  reader.attributes(node, {{"id"}, {"crm-debug-origin"}});
  std::vector<std::string_view> seen;
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) reader.refuse(child, "the section is there twice");
    seen.push_back(name);
    return read_section(reader, child, name);
  });
}

void read_root(Reader& reader, pugi::xml_node root) {
  Cib& cib = reader.document.cib;
  cib.attributes = reader.all_attributes(
      root, {"admin_epoch", "epoch", "num_updates", "validate-with", "crm_feature_set", "have-quorum", "dc-uuid",
             "cib-last-written", "update-origin", "update-client", "update-user", "execution-date", "no-quorum-panic",
             "remote-tls-port", "remote-clear-port", "cib_feature_revision", "crm-debug-origin", "request-type"});
  if (!root.child("configuration")) reader.refuse(root, "there is no configuration");
  bool configured = false;
  reader.children(root, [&](pugi::xml_node child, std::string_view name) {
    bool& seen = name == "status" ? cib.has_status : configured;
    if (name != "status" && name != "configuration") return false;
    if (seen)
      reader.fail(child, "the section is there twice");
    else if (name == "status")
      read_status(reader, child);
    else
      read_configuration(reader, child);
    seen = true;
    return true;
  });
}

/// pugixml does not look at the names of attributes: an attribute twice is not XML.
pugi::xml_node with_attribute_twice(pugi::xml_node root) {
  pugi::xml_node node = root;
  while (node) {
    for (auto one = node.first_attribute(); one; one = one.next_attribute())
      for (auto other = one.next_attribute(); other; other = other.next_attribute())
        if (std::strcmp(one.name(), other.name()) == 0) return node;
    if (node.first_child()) {
      node = node.first_child();
      continue;
    }
    while (node && !node.next_sibling()) node = node.parent();
    if (node) node = node.next_sibling();
  }
  return {};
}

}  // namespace

std::string Notice::text() const { return "line " + std::to_string(line) + ", " + path + ": " + what; }

Result<Document> parse(std::string_view xml, std::string_view file_name) {
  if (xml.size() >= std::numeric_limits<std::int32_t>::max())
    return tl::unexpected(not_xml({}, file_name, "the file is too large", 0));
  if (const auto zero = xml.find('\0'); zero != std::string_view::npos)
    return tl::unexpected(not_xml(xml, file_name, "this is not XML: there is a zero byte", zero));
  std::string buffer(xml);
  pugi::xml_document tree;
  const auto status = tree.load_buffer_inplace(buffer.data(), buffer.size(), pugi::parse_default, pugi::encoding_utf8);
  if (!status)
    return tl::unexpected(not_xml(xml, file_name, std::string("this is not XML: ") + status.description(),
                                  static_cast<std::size_t>(std::max<std::ptrdiff_t>(status.offset, 0))));
  Reader reader(std::string(file_name), tree, newlines_of(xml));
  if (!reader.survey()) return reader.finish();
  const pugi::xml_node root = tree.document_element();
  if (const auto node = with_attribute_twice(root)) reader.fail(node, "this is not XML: an attribute is there twice");
  if (!reader.refused()) read_root(reader, root);
  return reader.finish();
}

}  // namespace bascule::cib
