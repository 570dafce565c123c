#include "wire/cib/detail/reader.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace bascule::cib::detail {
namespace {

/// libxml2's own limit, so that no input makes the readers recurse without end.
constexpr int max_depth = 256;
constexpr std::size_t max_notices = 10'000;

std::optional<bool> boolean_of(std::string_view text) {
  const auto is = [&](const char* word) {
    return text.size() == std::strlen(word) && strncasecmp(text.data(), word, text.size()) == 0;
  };
  if (is("true") || is("on") || is("yes") || is("y") || is("1")) return true;
  if (is("false") || is("off") || is("no") || is("n") || is("0")) return false;
  return std::nullopt;
}

bool is_element(pugi::xml_node node) { return node.type() == pugi::node_element; }

/// The next node in document order; depth is kept. Iterative: the input's depth is not known yet.
pugi::xml_node next_of(pugi::xml_node node, int& depth) {
  if (node.first_child()) {
    ++depth;
    return node.first_child();
  }
  while (node && !node.next_sibling()) {
    node = node.parent();
    --depth;
  }
  return node ? node.next_sibling() : node;
}

}  // namespace

Reader::Reader(std::string file_name, const pugi::xml_document& tree, std::vector<std::uint32_t> newlines)
    : file_name_(std::move(file_name)), root_(tree.document_element()), newlines_(std::move(newlines)) {
  const std::string_view schema = root_.attribute("validate-with").value();
  strict_ = !schema.empty() && schema != "none";
}

int Reader::line_of(pugi::xml_node node) {
  const auto offset = node.offset_debug();
  if (offset < 0) return 0;
  const auto at = static_cast<std::uint32_t>(offset);
  // Elements are mostly asked for in document order: go on from the last one.
  std::size_t line = last_line_;
  if (line > newlines_.size() || (line > 0 && newlines_[line - 1] > at)) line = 0;
  if (line == 0)
    line = static_cast<std::size_t>(std::upper_bound(newlines_.begin(), newlines_.end(), at) - newlines_.begin());
  while (line < newlines_.size() && newlines_[line] < at) ++line;
  last_line_ = line;
  return static_cast<int>(line) + 1;
}

std::string Reader::path_of(pugi::xml_node node, std::string_view attribute) {
  std::string path = attribute.empty() ? "" : "/@" + std::string(attribute);
  for (; node && node.type() != pugi::node_document; node = node.parent()) {
    std::string step = is_element(node) ? node.name() : "text()";
    const char* id = node.attribute("id").value();
    if (*id != 0) step += "[" + std::string(id) + "]";
    if (node.parent() && node.parent().type() != pugi::node_document) step.insert(0, "/");
    path.insert(0, step);
  }
  return path;
}

void Reader::notice(pugi::xml_node node, std::string what, std::string_view attribute) {
  auto& notices = document.notices;
  if (notices.size() > max_notices) return;
  if (notices.size() == max_notices)
    notices.push_back({0, "cib", "there are more notices than are kept (" + std::to_string(max_notices) + ")"});
  else
    notices.push_back({line_of(node), path_of(node, attribute), std::move(what)});
}

void Reader::fail(pugi::xml_node node, std::string why, std::string_view attribute) {
  if (error_) return;
  std::string where = "line " + std::to_string(line_of(node)) + ", " + path_of(node, attribute);
  error_ = Error{file_name_ + " cannot be used", std::move(where), std::move(why), {}};
}

void Reader::refuse(pugi::xml_node node, std::string why, std::string_view attribute) {
  if (strict_)
    fail(node, std::move(why), attribute);
  else
    notice(node, std::move(why), attribute);
}

void Reader::remember_id(pugi::xml_node node) {
  // These name others, or are names of their own kind: of type text in the schema.
  static constexpr std::string_view names_only[] = {"resource_ref", "obj_ref", "role", "node", "acl_target"};
  const std::string_view name = node.name();
  if (std::find(std::begin(names_only), std::end(names_only), name) != std::end(names_only)) return;
  const pugi::xml_attribute id = node.attribute("id");
  if (id && !ids_.emplace(id.value(), node).second)
    refuse(node,
           "the id is already that of the " + std::string(ids_.at(id.value()).name()) + " in line " +
               std::to_string(line_of(ids_.at(id.value()))),
           "id");
}

bool Reader::survey() {
  if (!root_ || std::strcmp(root_.name(), "cib") != 0) {
    fail(root_, "the document's element is not \"cib\"");
    return false;
  }
  if (const auto second = root_.next_sibling(); second) fail(second, "there is something after the document's element");
  int depth = 1;
  for (pugi::xml_node node = root_.first_child(); node && node != root_; node = next_of(node, depth)) {
    if (depth > max_depth) fail(node, "elements are nested more than " + std::to_string(max_depth) + " deep");
    if (error_) return false;
    if (depth == 0) break;
  }
  depth = 0;
  const pugi::xml_node configuration = root_.child("configuration");
  for (pugi::xml_node node = configuration; node; node = next_of(node, depth)) {
    if (depth <= 0 && node != configuration) break;
    if (is_element(node)) remember_id(node);
  }
  return !refused();
}

void Reader::other(pugi::xml_node child) { notice(child, "text is not expected here and has no effect"); }

template <typename Number>
void Reader::assign_number(pugi::xml_node node, const pugi::xml_attribute& attribute, Number& to) {
  const std::string_view text = attribute.value();
  Number number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status == std::errc{}) to = number;
  if (status != std::errc{} || end != text.data() + text.size())
    notice(node, "\"" + std::string(text) + "\" is not a number that fits here", attribute.name());
}

void Reader::assign(pugi::xml_node node, const pugi::xml_attribute& attribute, const Field& field) {
  const char* text = attribute.value();
  if (auto* const* to = std::get_if<std::string*>(&field.target)) {
    **to = text;
  } else if (auto* const* set = std::get_if<std::optional<std::string>*>(&field.target)) {
    **set = text;
  } else if (auto* const* flag = std::get_if<std::optional<bool>*>(&field.target)) {
    **flag = boolean_of(text);
    if (!(*flag)->has_value()) notice(node, "\"" + std::string(text) + "\" is neither true nor false", field.name);
  } else if (auto* const* small = std::get_if<int*>(&field.target)) {
    assign_number(node, attribute, **small);
  } else if (auto* const* big = std::get_if<std::int64_t*>(&field.target)) {
    assign_number(node, attribute, **big);
  } else if (auto* const* positive = std::get_if<std::uint32_t*>(&field.target)) {
    assign_number(node, attribute, **positive);
  }
  if (field.need == Need::reference) check_reference(node, text, field.name);
}

void Reader::check_required(pugi::xml_node node, Fields fields) {
  for (const Field& field : fields)
    if (field.need == Need::required && !node.attribute(field.name))
      refuse(node, std::string("the attribute \"") + field.name + "\" is missing");
}

void Reader::attributes(pugi::xml_node node, Fields fields) {
  const Field* const begin = fields.begin();
  const std::size_t count = fields.size();
  std::size_t next = 0;  // they mostly stand in the same order
  for (const pugi::xml_attribute& attribute : node.attributes()) {
    std::size_t tried = 0;
    while (tried < count && std::strcmp(begin[(next + tried) % count].name, attribute.name()) != 0) ++tried;
    if (tried == count) {
      notice(node, "the attribute is unknown and has no effect", attribute.name());
      continue;
    }
    next = (next + tried) % count;
    assign(node, attribute, begin[next]);
    next = (next + 1) % count;
  }
  check_required(node, fields);
}

Attributes Reader::all_attributes(pugi::xml_node node, std::initializer_list<const char*> known) {
  Attributes result;
  for (const pugi::xml_attribute& attribute : node.attributes()) {
    const auto same = [&](const char* name) { return std::strcmp(name, attribute.name()) == 0; };
    if (std::none_of(known.begin(), known.end(), same))
      notice(node, "the attribute is unknown and has no effect", attribute.name());
    result.emplace_back(attribute.name(), attribute.value());
  }
  return result;
}

void Reader::check_reference(pugi::xml_node node, std::string_view id, std::string_view attribute) {
  if (!ids_.contains(id)) refuse(node, "there is no \"" + std::string(id) + "\"", attribute);
}

pugi::xml_node Reader::referenced(pugi::xml_node node) {
  const pugi::xml_attribute reference = node.attribute("id-ref");
  if (!reference) return node;
  const auto found = ids_.find(reference.value());
  if (found == ids_.end() || std::strcmp(found->second.name(), node.name()) != 0) {
    refuse(node, "there is no " + std::string(node.name()) + " \"" + reference.value() + "\"", "id-ref");
    return {};
  }
  // One step only, as Pacemaker follows them; so a circle cannot arise.
  if (found->second.attribute("id-ref")) {
    refuse(node, "\"" + std::string(reference.value()) + "\" is itself a reference", "id-ref");
    return {};
  }
  return found->second;
}

Result<Document> Reader::finish() {
  if (error_) return tl::unexpected(*error_);
  return std::move(document);
}

}  // namespace bascule::cib::detail
