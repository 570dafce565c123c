// Rules: which sets of values hold at a time, on a node, for a resource.
#include "core/policy/rules.h"

#include <algorithm>
#include <array>

#include "core/policy/detail/rule_values.h"
#include "wire/cib/times.h"

namespace bascule::policy {
namespace {

using detail::same_word;
using NextChange = std::optional<std::int64_t>;

void lower(NextChange* next_change_s, std::int64_t moment_s) {
  if (next_change_s != nullptr && (!*next_change_s || moment_s < **next_change_s)) *next_change_s = moment_s;
}

// ---- attributes -------------------------------------------------------------------------------------------------

bool orders(std::string_view operation) {
  return same_word(operation, "lt") || same_word(operation, "lte") || same_word(operation, "gt") ||
         same_word(operation, "gte");
}

/// Without a type: numbers where an order is asked for, texts for equality.
std::string_view type_for(const cib::AttributeExpression& expression, std::string_view left, std::string_view right) {
  if (!expression.type.empty()) return expression.type;
  if (!orders(expression.operation)) return "string";
  const bool fraction = left.find('.') != std::string_view::npos || right.find('.') != std::string_view::npos;
  return fraction ? "number" : "integer";
}

int compare_typed(std::string_view type, std::string_view left, std::string_view right) {
  if (same_word(type, "integer"))
    return detail::compare_integers(left, right).value_or(detail::compare_words(left, right));
  if (same_word(type, "number"))
    return detail::compare_numbers(left, right).value_or(detail::compare_words(left, right));
  if (same_word(type, "version")) return detail::compare_versions(left, right);
  return same_word(type, "string") ? detail::compare_words(left, right) : 0;
}

bool accepts(const cib::AttributeExpression& expression, const std::string* left, const std::string* right) {
  const std::string_view operation = expression.operation;
  if (same_word(operation, "defined")) return left != nullptr;
  if (same_word(operation, "not_defined")) return left == nullptr;
  const bool both = left != nullptr && right != nullptr;
  int order = 0;
  if (both)
    order = compare_typed(type_for(expression, *left, *right), *left, *right);
  else if (left != right)
    order = left == nullptr ? -1 : 1;
  if (same_word(operation, "eq")) return order == 0;
  if (same_word(operation, "ne")) return order != 0;
  if (!both) return false;
  if (same_word(operation, "lt")) return order < 0;
  if (same_word(operation, "lte")) return order <= 0;
  if (same_word(operation, "gt")) return order > 0;
  return same_word(operation, "gte") && order >= 0;
}

/// "%1" stands for the first submatch of rsc-pattern; one that matched nothing is left out.
std::string expand(std::string_view attribute, const std::vector<std::string_view>& submatches) {
  std::string result;
  for (std::size_t i = 0; i < attribute.size(); ++i) {
    const bool place =
        attribute[i] == '%' && i + 1 < attribute.size() && attribute[i + 1] >= '0' && attribute[i + 1] <= '9';
    if (!place) {
      result += attribute[i];
      continue;
    }
    const auto number = static_cast<std::size_t>(attribute[++i] - '0');
    if (number < submatches.size()) result += submatches[number];
  }
  return result;
}

Role role_named(std::string_view word) {
  struct Row {
    std::string_view word;
    Role role;
  };
  static constexpr std::array<Row, 6> rows{{{"Stopped", Role::Stopped},
                                            {"Started", Role::Started},
                                            {"Unpromoted", Role::Unpromoted},
                                            {"Slave", Role::Unpromoted},
                                            {"Promoted", Role::Promoted},
                                            {"Master", Role::Promoted}}};
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return same_word(row.word, word); });
  return found == rows.end() ? Role::Unknown : found->role;
}

/// The attribute "#role". Only clones that can be promoted have a role worth a comparison with ne.
bool accepts_role(const cib::AttributeExpression& expression, Role role) {
  if (role == Role::Unknown) return false;
  const std::string_view operation = expression.operation;
  if (same_word(operation, "defined")) return role > Role::Started;
  if (same_word(operation, "not_defined")) return role < Role::Unpromoted;
  if (same_word(operation, "eq")) return role_named(expression.value) == role;
  return same_word(operation, "ne") && role >= Role::Unpromoted && role_named(expression.value) != role;
}

bool holds(const cib::AttributeExpression& expression, const RuleInput& input, NextChange* /*next_change_s*/) {
  if (expression.attribute == "#role") return accepts_role(expression, input.role);
  if (!input.node_attribute || expression.attribute.empty() || expression.operation.empty()) return false;
  const std::string* right = expression.has_value ? &expression.value : nullptr;
  if (same_word(expression.value_source, "param") && input.parameter)
    right = right != nullptr ? input.parameter(*right) : nullptr;
  else if (same_word(expression.value_source, "meta") && input.meta)
    right = right != nullptr ? input.meta(*right) : nullptr;
  if (input.submatches.empty()) return accepts(expression, input.node_attribute(expression.attribute), right);
  return accepts(expression, input.node_attribute(expand(expression.attribute, input.submatches)), right);
}

// ---- dates ------------------------------------------------------------------------------------------------------

std::optional<std::int64_t> moment_of(const std::string& text, const RuleInput& input) {
  if (text.empty()) return std::nullopt;
  return cib::parse_time(text, {input.now_s, input.local_offset_s});
}

std::int32_t amount_of(const cib::Attributes& duration, std::string_view name) {
  const std::string* text = cib::find(duration, name);
  const auto number = text != nullptr ? detail::leading_integer(*text) : std::nullopt;
  return number ? static_cast<std::int32_t>(std::clamp<std::int64_t>(number->value, INT32_MIN, INT32_MAX)) : 0;
}

cib::Period period_of(const cib::Attributes& duration) {
  const auto amount = [&](std::string_view name) { return amount_of(duration, name); };
  return {amount("years"), amount("months"),  amount("weeks"),  amount("days"),
          amount("hours"), amount("minutes"), amount("seconds")};
}

/// "5", "1-5", "3-", "-4"; what cannot be read leaves that side open, and so does an end of -1.
bool upto(std::string_view end, std::int64_t value) {
  const auto most = detail::leading_integer(end);
  return !most || most->value == -1 || value <= most->value;
}

bool in_range(std::string_view range, std::int64_t value) {
  if (!range.empty() && range.front() == '-') return upto(range.substr(1), value);
  const auto least = detail::leading_integer(range);
  if (!least) return true;
  if (value < least->value) return false;
  const std::string_view rest = range.substr(least->length);
  if (rest.empty() || rest.front() != '-') return value == least->value;
  return upto(rest.substr(1), value);
}

bool holds_date_spec(const cib::Attributes& spec, const RuleInput& input) {
  const cib::CalendarTime now = cib::calendar_of(input.now_s, input.local_offset_s);
  const std::array<std::pair<std::string_view, int>, 11> fields{{{"years", now.year},
                                                                 {"months", now.month},
                                                                 {"monthdays", now.month_day},
                                                                 {"hours", now.hours},
                                                                 {"minutes", now.minutes},
                                                                 {"seconds", now.seconds},
                                                                 {"yeardays", now.year_day},
                                                                 {"weekyears", now.week_year},
                                                                 {"weeks", now.week},
                                                                 {"weekdays", now.week_day},
                                                                 {"moon", now.moon}}};
  return std::all_of(fields.begin(), fields.end(), [&](const auto& field) {
    const std::string* range = cib::find(spec, field.first);
    return range == nullptr || in_range(*range, field.second);
  });
}

/// Both ends belong to the range.
bool holds_in_range(std::optional<std::int64_t> start, std::optional<std::int64_t> end, std::int64_t now,
                    NextChange* next_change_s) {
  if (!start && !end) return false;
  if (start && now < *start) {
    lower(next_change_s, *start);
    return false;
  }
  if (end && now > *end) return false;
  if (end) lower(next_change_s, *end + 1);
  return true;
}

bool holds(const cib::DateExpression& expression, const RuleInput& input, NextChange* next_change_s) {
  const std::int64_t now = input.now_s;
  const auto start = moment_of(expression.start, input);
  auto end = moment_of(expression.end, input);
  if (start && !end && expression.has_duration) end = cib::add_period(*start, period_of(expression.duration));
  const std::string_view operation = expression.operation;
  if (operation.empty() || same_word(operation, "in_range")) return holds_in_range(start, end, now, next_change_s);
  if (same_word(operation, "date_spec")) return holds_date_spec(expression.date_spec, input);
  if (same_word(operation, "gt") && start) {
    if (now <= *start) lower(next_change_s, *start + 1);
    return now > *start;
  }
  if (same_word(operation, "lt") && end) {
    if (now < *end) lower(next_change_s, *end);
    return now < *end;
  }
  return false;
}

// ---- resources and operations -----------------------------------------------------------------------------------

bool holds(const cib::ResourceExpression& expression, const RuleInput& input, NextChange* /*next_change_s*/) {
  if (!input.resource) return false;
  // A class or type that is not named does not matter; a provider that is not named must be none.
  return (expression.resource_class.empty() || expression.resource_class == input.resource->resource_class) &&
         expression.provider == input.resource->provider &&
         (expression.type.empty() || expression.type == input.resource->type);
}

bool holds(const cib::OperationExpression& expression, const RuleInput& input, NextChange* /*next_change_s*/) {
  if (!input.operation || expression.name != input.operation->name) return false;
  if (expression.interval.empty()) return true;
  const auto interval_ms = cib::parse_interval_ms(expression.interval);
  return interval_ms && *interval_ms == input.operation->interval_ms;
}

bool holds(const cib::Rule& rule, const cib::Condition& condition, const RuleInput& input, NextChange* next_change_s) {
  if (const auto* nested = std::get_if<cib::NestedRule>(&condition))
    return nested->index < rule.nested.size() && passes(rule.nested[nested->index], input, next_change_s);
  return std::visit(
      [&](const auto& expression) {
        if constexpr (std::is_same_v<std::decay_t<decltype(expression)>, cib::NestedRule>)
          return false;
        else
          return holds(expression, input, next_change_s);
      },
      condition);
}

// ---- sets -------------------------------------------------------------------------------------------------------

std::int64_t rank_of(std::string_view score) {
  constexpr std::int64_t infinity = 1'000'000;
  if (same_word(score, "INFINITY") || same_word(score, "+INFINITY")) return infinity;
  if (same_word(score, "-INFINITY")) return -infinity;
  const auto number = detail::leading_integer(score);
  return number ? std::clamp(number->value, -infinity, infinity) : 0;
}

void apply(Values& values, const cib::NameValueSet& set) {
  for (const auto& pair : set.pairs) {
    if (same_word(pair.value, "#default"))
      values.erase(pair.name);
    else
      values.try_emplace(pair.name, pair.value);
  }
}

}  // namespace

bool passes(const cib::Rule& rule, const RuleInput& input, NextChange* next_change_s) {
  for (const cib::Condition& condition : rule.conditions)
    if (holds(rule, condition, input, next_change_s) == rule.any) return rule.any;
  return !rule.any;
}

void resolve_into(Values& values, const cib::NameValueSets& sets, const RuleInput& input, std::string_view first_id,
                  NextChange* next_change_s) {
  struct Ranked {
    bool first;
    std::int64_t score;
    const cib::NameValueSet* set;
  };
  std::vector<Ranked> ranked;
  for (auto set = sets.rbegin(); set != sets.rend(); ++set)
    ranked.push_back({!first_id.empty() && set->id == first_id, rank_of(set->score), &*set});
  std::stable_sort(ranked.begin(), ranked.end(), [](const Ranked& one, const Ranked& other) {
    return one.first != other.first ? one.first : !one.first && one.score > other.score;
  });
  for (const Ranked& entry : ranked)
    if (!entry.set->rule || passes(*entry.set->rule, input, next_change_s)) apply(values, *entry.set);
}

Values resolve(const cib::NameValueSets& sets, const RuleInput& input, std::string_view first_id,
               NextChange* next_change_s) {
  Values values;
  resolve_into(values, sets, input, first_id, next_change_s);
  return values;
}

}  // namespace bascule::policy
