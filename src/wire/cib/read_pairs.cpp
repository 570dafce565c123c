// Name and value pairs: sets, references to sets, and the rules that they hold under.
#include "wire/cib/detail/reader.h"

namespace bascule::cib::detail {
namespace {

AttributeExpression read_expression(Reader& reader, pugi::xml_node node) {
  AttributeExpression result;
  reader.attributes(node, {{"id", {}, Need::required},
                           {"attribute", &result.attribute, Need::required},
                           {"operation", &result.operation, Need::required},
                           {"type", &result.type},
                           {"value", &result.value},
                           {"value-source", &result.value_source}});
  result.has_value = static_cast<bool>(node.attribute("value"));
  reader.no_children(node);
  return result;
}

Attributes read_calendar(Reader& reader, pugi::xml_node node) {
  Attributes result = reader.all_attributes(node, {"id", "seconds", "minutes", "hours", "days", "monthdays", "weekdays",
                                                   "yeardays", "months", "weeks", "years", "weekyears", "moon"});
  std::erase_if(result, [](const auto& entry) { return entry.first == "id"; });
  reader.no_children(node);
  return result;
}

DateExpression read_date_expression(Reader& reader, pugi::xml_node node) {
  DateExpression result;
  reader.attributes(
      node,
      {{"id", {}, Need::required}, {"operation", &result.operation}, {"start", &result.start}, {"end", &result.end}});
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name == "duration") {
      result.duration = read_calendar(reader, child);
      result.has_duration = true;
    } else if (name == "date_spec") {
      result.date_spec = read_calendar(reader, child);
    } else {
      return false;
    }
    return true;
  });
  return result;
}

ResourceExpression read_resource_expression(Reader& reader, pugi::xml_node node) {
  ResourceExpression result;
  reader.attributes(node, {{"id", {}, Need::required},
                           {"class", &result.resource_class},
                           {"provider", &result.provider},
                           {"type", &result.type}});
  reader.no_children(node);
  return result;
}

OperationExpression read_operation_expression(Reader& reader, pugi::xml_node node) {
  OperationExpression result;
  reader.attributes(
      node, {{"id", {}, Need::required}, {"name", &result.name, Need::required}, {"interval", &result.interval}});
  reader.no_children(node);
  return result;
}

bool read_condition(Reader& reader, pugi::xml_node node, std::string_view name, Rule& rule) {
  if (name == "expression") {
    rule.conditions.emplace_back(read_expression(reader, node));
  } else if (name == "date_expression") {
    rule.conditions.emplace_back(read_date_expression(reader, node));
  } else if (name == "rsc_expression") {
    rule.conditions.emplace_back(read_resource_expression(reader, node));
  } else if (name == "op_expression") {
    rule.conditions.emplace_back(read_operation_expression(reader, node));
  } else if (name == "rule") {
    rule.conditions.emplace_back(NestedRule{rule.nested.size()});
    rule.nested.push_back(read_rule(reader, node));
  } else {
    return false;
  }
  return true;
}

/// `nvpair`: one that refers to another takes its value, and its name unless it has its own.
void read_pair(Reader& reader, pugi::xml_node node, NameValueSet& set) {
  NameValue pair;
  std::optional<std::string> value;
  const bool reference = static_cast<bool>(node.attribute("id-ref"));
  reader.attributes(node, {{"id", {}, reference ? Need::optional : Need::required},
                           {"name", &pair.name, reference ? Need::optional : Need::required},
                           {"value", &value},
                           {"id-ref"}});
  reader.no_children(node);
  if (reference) {
    const pugi::xml_node target = reader.referenced(node);
    if (!target) return;
    if (pair.name.empty()) pair.name = target.attribute("name").value();
    value.reset();
    if (target.attribute("value")) value = target.attribute("value").value();
  }
  if (!value || pair.name.empty()) return reader.notice(node, "the pair has no value and has no effect");
  pair.value = std::move(*value);
  set.pairs.push_back(std::move(pair));
}

/// Several rules in one set: it is enough that one passes.
void add_rule(NameValueSet& set, Rule rule) {
  if (!set.rule) {
    set.rule = std::move(rule);
    return;
  }
  if (!set.rule->id.empty()) {
    Rule all;
    all.any = true;
    all.line = set.rule->line;
    all.conditions.emplace_back(NestedRule{0});
    all.nested.push_back(std::move(*set.rule));
    set.rule = std::move(all);
  }
  set.rule->conditions.emplace_back(NestedRule{set.rule->nested.size()});
  set.rule->nested.push_back(std::move(rule));
}

void read_set_children(Reader& reader, pugi::xml_node node, NameValueSet& set) {
  reader.children(node, [&](pugi::xml_node child, std::string_view name) {
    if (name == "nvpair") {
      read_pair(reader, child, set);
    } else if (name == "rule") {
      if (set.rule) reader.refuse(child, "the set already has a rule; it is enough that one of them passes");
      add_rule(set, read_rule(reader, child));
    } else if (name == "attributes") {  // of schemas before 1.0
      read_set_children(reader, child, set);
    } else {
      return false;
    }
    return true;
  });
}

}  // namespace

Rule read_rule(Reader& reader, pugi::xml_node referring) {
  Rule result;
  result.line = reader.line_of(referring);
  const pugi::xml_node node = reader.referenced(referring);
  if (!node) return result;
  if (node != referring) reader.attributes(referring, {{"id-ref"}, {"id"}});
  std::string word;
  reader.attributes(node, {{"id", &result.id, Need::required},
                           {"score", &result.score},
                           {"score-attribute", &result.score_attribute},
                           {"boolean-op", &word},
                           {"role", &result.role},
                           {"score-attribute-mangle"}});
  result.any = word == "or" || word == "OR" || word == "Or";
  if (!word.empty() && !result.any && word != "and") reader.refuse(node, "it is neither and nor or", "boolean-op");
  reader.children(
      node, [&](pugi::xml_node child, std::string_view name) { return read_condition(reader, child, name, result); });
  if (result.conditions.empty()) reader.refuse(node, "the rule has no conditions");
  return result;
}

NameValueSet read_set(Reader& reader, pugi::xml_node referring) {
  NameValueSet result;
  result.line = reader.line_of(referring);
  const pugi::xml_node node = reader.referenced(referring);
  if (!node) return result;
  if (node != referring) reader.attributes(referring, {{"id-ref"}, {"id"}});
  reader.attributes(node, {{"id", &result.id, Need::required}, {"score", &result.score}, {"name"}});
  read_set_children(reader, node, result);
  return result;
}

}  // namespace bascule::cib::detail
