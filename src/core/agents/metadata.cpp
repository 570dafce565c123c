// An agent's own description, read from its XML.
#include "core/agents/metadata.h"

#include <algorithm>
#include <pugixml.hpp>

#include "wire/cib/times.h"

namespace bascule::agents {
namespace {

constexpr std::int64_t day_ms = 24LL * 3600 * 1000;

tl::unexpected<Error> unusable_metadata(std::string_view xml, std::ptrdiff_t offset, std::string why) {
  const auto upto = xml.substr(0, static_cast<std::size_t>(std::max<std::ptrdiff_t>(offset, 0)));
  const auto line = 1 + std::count(upto.begin(), upto.end(), '\n');
  return fail("the agent's meta-data cannot be used", "line " + std::to_string(line), std::move(why),
              "run it with the argument meta-data to see what it prints");
}

/// Words with one space between them: agents break their lines as they like.
std::string in_one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) > ' ')
      line += c;
    else if (!line.empty() && line.back() != ' ')
      line += ' ';
  }
  if (line.ends_with(' ')) line.pop_back();
  return line;
}

bool is_true(const pugi::xml_attribute& attribute) {
  const std::string_view word = attribute.value();
  return word == "1" || word == "true" || word == "yes";
}

/// "20s", "20", "1min"; 0 for what is none.
Duration duration_of(const pugi::xml_attribute& attribute) {
  if (!attribute || *attribute.value() == '\0') return {};
  return milliseconds(std::clamp<std::int64_t>(cib::parse_msec(attribute.value()), 0, day_ms));
}

/// The words of OCF 1.0, which agents that were not brought up to date still use.
std::string role_of(std::string_view word) {
  if (word == "Master") return "Promoted";
  if (word == "Slave") return "Unpromoted";
  return std::string(word);
}

AgentParameter parameter_of(const pugi::xml_node& node) {
  AgentParameter made;
  made.name = node.attribute("name").value();
  made.about = in_one_line(node.child("shortdesc").text().get());
  made.required = is_true(node.attribute("required"));
  made.unique = is_true(node.attribute("unique")) || node.attribute("unique-group");
  if (const auto deprecated = node.child("deprecated")) {
    made.deprecated = true;
    made.replaced_with = deprecated.child("replaced-with").attribute("name").value();
  }
  const auto content = node.child("content");
  made.type = content.attribute("type").value();
  if (const auto value = content.attribute("default")) made.default_value = value.value();
  return made;
}

AgentAction action_of(const pugi::xml_node& node) {
  return {node.attribute("name").value(), duration_of(node.attribute("timeout")),
          duration_of(node.attribute("interval")), role_of(node.attribute("role").value())};
}

}  // namespace

bool AgentMetadata::offers(std::string_view action) const {
  return std::any_of(actions.begin(), actions.end(), [&](const AgentAction& one) { return one.name == action; });
}

const AgentParameter* AgentMetadata::parameter(std::string_view wanted) const {
  const auto found =
      std::find_if(parameters.begin(), parameters.end(), [&](const AgentParameter& one) { return one.name == wanted; });
  return found == parameters.end() ? nullptr : &*found;
}

Duration AgentMetadata::advised_timeout(std::string_view action) const {
  Duration longest{};
  for (const auto& one : actions)
    if (one.name == action) longest = std::max(longest, one.timeout);
  return longest;
}

Result<AgentMetadata> parse_metadata(std::string_view xml) {
  if (xml.size() > metadata_bytes_max) return unusable_metadata({}, 0, "it is longer than 1 MiB");
  if (const auto zero = xml.find('\0'); zero != std::string_view::npos)
    return unusable_metadata(xml, static_cast<std::ptrdiff_t>(zero), "this is not XML: there is a zero byte");
  pugi::xml_document document;
  const auto read = document.load_buffer(xml.data(), xml.size(), pugi::parse_default, pugi::encoding_utf8);
  if (!read) return unusable_metadata(xml, read.offset, std::string("this is not XML: ") + read.description());
  const auto root = document.child("resource-agent");
  if (!root) return unusable_metadata(xml, 0, "there is no <resource-agent>");
  AgentMetadata made;
  made.name = root.attribute("name").value();
  made.version = root.attribute("version").value();
  made.ocf_version = in_one_line(root.child("version").text().get());
  made.about = in_one_line(root.child("shortdesc").text().get());
  for (const auto& node : root.child("parameters").children("parameter"))
    if (*node.attribute("name").value() != '\0') made.parameters.push_back(parameter_of(node));
  for (const auto& node : root.child("actions").children("action"))
    if (*node.attribute("name").value() != '\0') made.actions.push_back(action_of(node));
  if (made.actions.empty()) return unusable_metadata(xml, root.offset_debug(), "it names no action");
  if (made.parameters.size() + made.actions.size() > metadata_parameters_max)
    return unusable_metadata(xml, root.offset_debug(), "it has more than 1000 parameters and actions");
  return made;
}

}  // namespace bascule::agents
