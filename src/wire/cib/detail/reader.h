#pragma once

#include <initializer_list>
#include <optional>
#include <pugixml.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/result.h"
#include "wire/cib/parse.h"

namespace bascule::cib::detail {

/// Where an attribute's value goes. monostate: known, without a meaning here.
using Target = std::variant<std::monostate, std::string*, std::optional<std::string>*, std::optional<bool>*, int*,
                            std::int64_t*, std::uint32_t*>;

enum class Need : std::uint8_t { optional, required, reference };

struct Field {
  const char* name;
  Target target = std::monostate{};
  Need need = Need::optional;  ///< reference: optional, but the id must exist
};
using Fields = std::initializer_list<Field>;

/// What every reader of an element shares: lines, paths, ids, notices, and the first error (kept; the rest of the
/// document is read on, so that no reader stops by itself).
class Reader {
 public:
  /// `buffer` is the text that `document` was parsed from in place; `newlines` its line ends, found before.
  Reader(std::string file_name, const pugi::xml_document& document, std::vector<std::uint32_t> newlines);

  /// Depth, schema, ids. False: the document is refused.
  bool survey();

  void notice(pugi::xml_node node, std::string what, std::string_view attribute = {});
  void fail(pugi::xml_node node, std::string why, std::string_view attribute = {});
  /// An error where the schema is enforced, else a notice.
  void refuse(pugi::xml_node node, std::string why, std::string_view attribute = {});
  [[nodiscard]] bool refused() const { return error_.has_value(); }

  [[nodiscard]] int line_of(pugi::xml_node node);
  /// Assigns attributes; unknown ones are noticed.
  void attributes(pugi::xml_node node, Fields fields);
  /// All attributes as pairs; those not among `known` are noticed.
  Attributes all_attributes(pugi::xml_node node, std::initializer_list<const char*> known);
  /// Calls `handle(child, name)` for each child element; what it returns false for is noticed as unknown, as is text.
  template <typename Handle>
  void children(pugi::xml_node node, Handle handle) {
    for (const pugi::xml_node child : node.children()) {
      if (child.type() != pugi::node_element)
        other(child);
      else if (!handle(child, std::string_view(child.name())))
        notice(child, "the element is unknown and has no effect");
    }
  }
  /// No children are expected.
  void no_children(pugi::xml_node node) {
    children(node, [](pugi::xml_node, std::string_view) { return false; });
  }
  /// The element of the same name that `id-ref` names, `node` itself without one, nothing if there is none (said).
  pugi::xml_node referenced(pugi::xml_node node);
  /// Says so if no element of the configuration has this id.
  void check_reference(pugi::xml_node node, std::string_view id, std::string_view attribute);

  Result<Document> finish();

  Document document;

 private:
  void other(pugi::xml_node child);
  void assign(pugi::xml_node node, const pugi::xml_attribute& attribute, const Field& field);
  template <typename Number>
  void assign_number(pugi::xml_node node, const pugi::xml_attribute& attribute, Number& to);
  void check_required(pugi::xml_node node, Fields fields);
  void remember_id(pugi::xml_node node);
  [[nodiscard]] static std::string path_of(pugi::xml_node node, std::string_view attribute);

  std::string file_name_;
  pugi::xml_node root_;
  std::vector<std::uint32_t> newlines_;
  std::size_t last_line_ = 0;
  bool strict_ = false;
  std::unordered_map<std::string_view, pugi::xml_node> ids_;
  std::optional<Error> error_;
};

// One per element group; each is told the element itself.
NameValueSet read_set(Reader& reader, pugi::xml_node node);
Rule read_rule(Reader& reader, pugi::xml_node node);
void read_resources(Reader& reader, pugi::xml_node node);
void read_constraints(Reader& reader, pugi::xml_node node);
void read_nodes(Reader& reader, pugi::xml_node node);
void read_tags(Reader& reader, pugi::xml_node node);
void read_fencing_topology(Reader& reader, pugi::xml_node node);
void read_alerts(Reader& reader, pugi::xml_node node);
void read_acls(Reader& reader, pugi::xml_node node);
void read_status(Reader& reader, pugi::xml_node node);

}  // namespace bascule::cib::detail
