#include "core/policy/rules.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>

#include "wire/cib/parse.h"
#include "wire/cib/times.h"

namespace bascule::policy {
namespace {

constexpr std::string_view noon = "2019-09-23 12:00:00Z";  // a Monday

cib::Rule rule_of(const std::string& xml) {
  const auto document = cib::parse("<cib><configuration><constraints><rsc_location id='l' rsc='a'>" + xml +
                                       "</rsc_location></constraints></configuration></cib>",
                                   "rule");
  EXPECT_TRUE(document) << document.error().text();
  return std::get<cib::LocationConstraint>(document->cib.constraints.at(0)).rules.at(0);
}

Lookup lookup_in(const Values& values) {
  return [&values](std::string_view name) -> const std::string* {
    const auto found = values.find(name);
    return found == values.end() ? nullptr : &found->second;
  };
}

bool expression(const std::string& attributes, const Values& node = {}, RuleInput input = {}) {
  input.node_attribute = lookup_in(node);
  return passes(rule_of("<rule id='r'><expression id='e' " + attributes + "/></rule>"), input);
}

bool date(const std::string& xml, std::string_view now = noon) {
  return passes(rule_of("<rule id='r'><date_expression id='e' " + xml + "</date_expression></rule>"),
                {.now_s = cib::parse_time(now).value()});
}

TEST(PolicyRules, AttributesWithoutATypeCompareAsNumbersOnlyInOrder) {
  EXPECT_TRUE(expression("attribute='a' operation='lt' value='10'", {{"a", "9"}}));
  EXPECT_TRUE(expression("attribute='a' operation='gt' value='3.4'", {{"a", "3.6"}}));
  EXPECT_FALSE(expression("attribute='a' operation='eq' value='4'", {{"a", "4.0"}}));
  EXPECT_TRUE(expression("attribute='a' operation='eq' value='YES'", {{"a", "yes"}}));
  EXPECT_TRUE(expression("attribute='a' operation='lt' value='b'", {{"a", "A"}}));
}

TEST(PolicyRules, TypesDecideHowAttributesCompare) {
  EXPECT_TRUE(expression("attribute='a' operation='eq' value='4' type='integer'", {{"a", "4.6"}}));
  EXPECT_TRUE(expression("attribute='a' operation='eq' value='4' type='number'", {{"a", "4.00"}}));
  EXPECT_TRUE(expression("attribute='a' operation='eq' value='0.04e2' type='number'", {{"a", "4"}}));
  EXPECT_TRUE(expression("attribute='a' operation='lt' value='1.10' type='version'", {{"a", "1.2"}}));
  EXPECT_TRUE(expression("attribute='a' operation='eq' value='1.2.0' type='version'", {{"a", "1.2"}}));
}

TEST(PolicyRules, AbsentAttributes) {
  EXPECT_TRUE(expression("attribute='a' operation='not_defined'"));
  EXPECT_TRUE(expression("attribute='a' operation='ne' value='1'"));
  EXPECT_FALSE(expression("attribute='a' operation='lt' value='1'"));
  EXPECT_TRUE(expression("attribute='a' operation='eq'"));
  EXPECT_FALSE(passes(rule_of("<rule id='r'><expression id='e' attribute='a' operation='not_defined'/></rule>"), {}));
}

TEST(PolicyRules, ValuesFromParametersAndMeta) {
  const Values parameters{{"p", "x"}};
  const Values meta{{"m", "x"}};
  const RuleInput input{.parameter = lookup_in(parameters), .meta = lookup_in(meta)};
  EXPECT_TRUE(expression("attribute='a' operation='eq' value='p' value-source='param'", {{"a", "x"}}, input));
  EXPECT_TRUE(expression("attribute='a' operation='eq' value='m' value-source='meta'", {{"a", "x"}}, input));
  EXPECT_FALSE(expression("attribute='a' operation='eq' value='q' value-source='param'", {{"a", "x"}}, input));
  EXPECT_TRUE(expression("attribute='a' operation='eq' value='p' value-source='param'", {{"a", "p"}}));
}

TEST(PolicyRules, SubmatchesInAttributeNames) {
  const RuleInput input{.submatches = {"testfs-ost0000", "ost0000"}};
  EXPECT_TRUE(
      expression("attribute='%1-placement' operation='eq' value='true'", {{"ost0000-placement", "true"}}, input));
  EXPECT_FALSE(expression("attribute='%2-placement' operation='defined'", {{"ost0000-placement", "true"}}, input));
}

TEST(PolicyRules, Roles) {
  EXPECT_TRUE(expression("attribute='#role' operation='eq' value='Master'", {}, {.role = Role::Promoted}));
  EXPECT_TRUE(expression("attribute='#role' operation='ne' value='Promoted'", {}, {.role = Role::Unpromoted}));
  EXPECT_FALSE(expression("attribute='#role' operation='ne' value='Promoted'", {}, {.role = Role::Started}));
  EXPECT_FALSE(expression("attribute='#role' operation='not_defined'"));
}

// Each of these as pe_eval_expr() of Pacemaker 2.1.5 answers.
TEST(PolicyRules, Dates) {
  EXPECT_TRUE(date("operation='gt' start='2019-09-22'>"));
  EXPECT_FALSE(date("operation='gt' start='2019-09-23 12:00:00Z'>"));
  EXPECT_TRUE(date("operation='in_range' end='2019-09-23 12:00:00Z'>"));
  EXPECT_FALSE(date("operation='in_range'>"));
  EXPECT_TRUE(date("operation='in_range' start='foo' end='2019-10-01'>"));
  EXPECT_TRUE(date("operation='in_range' start='2019-09-23 00:00:00Z'><duration id='x' hours='12'/>"));
  EXPECT_FALSE(date("operation='in_range' start='2019-09-23 00:00:00Z'><duration id='x' hours='11'/>"));
  for (const char* spec :
       {"hours='12'", "hours='9-16'", "hours='-12'", "hours='0-'", "weekdays='1-5'", "weeks='39'", "weekyears='2019'",
        "yeardays='266'", "moon='7'", "months='9'", "monthdays='23'", "hours='x'", ""})
    EXPECT_TRUE(date("operation='date_spec'><date_spec id='x' " + std::string(spec) + "/>")) << spec;
  for (const char* spec : {"hours='13-'", "hours='-11'", "weekdays='7'", "moon='6'", "hours='12-9'", "hours='9--16'"})
    EXPECT_FALSE(date("operation='date_spec'><date_spec id='x' " + std::string(spec) + "/>")) << spec;
}

TEST(PolicyRules, TheNextChangeIsTheEarliestOfTheDatesLookedAt) {
  const auto at = [](std::string_view text) { return cib::parse_time(text).value(); };
  const auto next = [&](const std::string& dates) {
    std::optional<std::int64_t> result;
    (void)passes(rule_of("<rule id='r' boolean-op='and'>" + dates + "</rule>"), {.now_s = at(noon)}, &result);
    return result;
  };
  EXPECT_EQ(next("<date_expression id='a' operation='gt' start='2019-09-24'/>"), at("2019-09-24") + 1);
  EXPECT_EQ(next("<date_expression id='a' operation='lt' end='2019-09-25'/><date_expression id='b' start='2019-09-01' "
                 "end='2019-09-24'/>"),
            at("2019-09-24") + 1);
  EXPECT_EQ(next("<date_expression id='a' operation='gt' start='2018-09-24'/>"), std::nullopt);
}

TEST(PolicyRules, ResourcesAndOperations) {
  const RuleInput ip{.resource = ResourceType{"ocf", "heartbeat", "IPaddr2"},
                     .operation = OperationType{"monitor", 10'000}};
  const auto holds = [&](const std::string& xml) { return passes(rule_of("<rule id='r'>" + xml + "</rule>"), ip); };
  EXPECT_TRUE(holds("<rsc_expression id='e' provider='heartbeat'/>"));
  EXPECT_FALSE(holds("<rsc_expression id='e' type='IPaddr2'/>"));  // Pacemaker wants the provider named
  EXPECT_FALSE(holds("<rsc_expression id='e' class='OCF' provider='heartbeat'/>"));
  EXPECT_TRUE(holds("<op_expression id='e' name='monitor'/>"));
  EXPECT_TRUE(holds("<op_expression id='e' name='monitor' interval='10s'/>"));
  EXPECT_FALSE(holds("<op_expression id='e' name='monitor' interval='foo'/>"));
}

TEST(PolicyRules, ARuleWithoutConditions) {
  EXPECT_TRUE(passes(rule_of("<rule id='r'/>"), {}));
  EXPECT_FALSE(passes(rule_of("<rule id='r' boolean-op='or'/>"), {}));
}

cib::NameValueSet set_of(std::string id, std::string score, std::vector<cib::NameValue> pairs) {
  cib::NameValueSet set;
  set.id = std::move(id);
  set.score = std::move(score);
  set.pairs = std::move(pairs);
  return set;
}

// As pe_eval_nvpairs() of Pacemaker 2.1.5 answers.
TEST(PolicyRules, SetsAreRanked) {
  const auto n = [](const cib::NameValueSets& sets, std::string_view first = {}) {
    const Values values = resolve(sets, {}, first);
    const auto found = values.find("n");
    return found == values.end() ? "none" : found->second;
  };
  EXPECT_EQ(n({set_of("1", "", {{"n", "1"}}), set_of("2", "", {{"n", "2"}})}), "2");
  EXPECT_EQ(n({set_of("3", "5", {{"n", "3"}}), set_of("2", "", {{"n", "2"}})}), "3");
  EXPECT_EQ(n({set_of("1", "9", {{"n", "1"}}), set_of("z", "", {{"n", "2"}})}, "z"), "2");
  EXPECT_EQ(n({set_of("1", "", {{"n", "1"}, {"n", "2"}})}), "1");
  EXPECT_EQ(n({set_of("1", "", {{"n", "1"}, {"n", "#default"}})}), "none");
  EXPECT_EQ(n({set_of("2", "", {{"n", "#default"}}), set_of("1", "", {{"n", "1"}})}), "none");
  EXPECT_EQ(n({set_of("1", "", {{"n", "1"}}), set_of("2", "", {{"n", "#default"}})}), "1");
}

TEST(PolicyRules, SetsWithAFailingRuleAreLeftOut) {
  cib::NameValueSet set = set_of("1", "9", {{"n", "1"}});
  set.rule = rule_of("<rule id='r'><date_expression id='d' operation='lt' end='1980-01-01'/></rule>");
  std::optional<std::int64_t> change;
  EXPECT_EQ(resolve({set, set_of("2", "", {{"n", "2"}})}, {.now_s = 1000}, {}, &change).at("n"), "1");
  EXPECT_EQ(change, 315532800);
  EXPECT_EQ(resolve({set, set_of("2", "", {{"n", "2"}})}, {.now_s = 1'500'000'000}).at("n"), "2");
}

/// Pacemaker's own evaluation where its libraries are installed (Debian: libpe-rules26).
class PacemakerRules : public testing::Test {
 protected:
  struct EvaluationData {
    void* node;
    int role;
    void* now;
    void* match;
    void* resource;
    void* operation;
  };
  void SetUp() override {
    setenv("TZ", "UTC", 1);
    rules_ = dlopen("libpe_rules.so.26", RTLD_NOW | RTLD_GLOBAL);
    common_ = dlopen("libcrmcommon.so.34", RTLD_NOW | RTLD_GLOBAL);
    glib_ = dlopen("libglib-2.0.so.0", RTLD_NOW | RTLD_GLOBAL);
    if (rules_ == nullptr || common_ == nullptr || glib_ == nullptr)
      GTEST_SKIP() << "libpe_rules.so.26 is not installed";
  }
  template <typename Function>
  static Function symbol(void* library, const char* name) {
    return reinterpret_cast<Function>(dlsym(library, name));
  }
  bool says(const std::string& xml, const Values& node, Role role, const std::string& now) const {
    void* table = symbol<void* (*)(void*, void*)>(glib_, "g_hash_table_new")(dlsym(glib_, "g_str_hash"),
                                                                             dlsym(glib_, "g_str_equal"));
    for (const auto& [name, value] : node)
      symbol<int (*)(void*, const char*, const char*)>(glib_, "g_hash_table_insert")(table, name.c_str(),
                                                                                     value.c_str());
    void* time = symbol<void* (*)(const char*)>(common_, "crm_time_new")(now.c_str());
    void* tree = symbol<void* (*)(const char*)>(common_, "string2xml")(xml.c_str());
    EvaluationData data{table, static_cast<int>(role), time, nullptr, nullptr, nullptr};
    const int result = symbol<int (*)(void*, EvaluationData*, void*)>(rules_, "pe_eval_expr")(tree, &data, nullptr);
    symbol<void (*)(void*)>(common_, "free_xml")(tree);
    symbol<void (*)(void*)>(common_, "crm_time_free")(time);
    symbol<void (*)(void*)>(glib_, "g_hash_table_destroy")(table);
    return result != 0;
  }

 private:
  void* rules_ = nullptr;
  void* common_ = nullptr;
  void* glib_ = nullptr;
};

std::string pick(std::initializer_list<const char*> choices) {
  return *rc::gen::elementOf(std::vector<std::string>(choices.begin(), choices.end()));
}

std::string two(int low, int high) {
  const std::string text = std::to_string(*rc::gen::inRange(low, high));
  return text.size() < 2 ? "0" + text : text;
}

std::string random_time(std::initializer_list<const char*> offsets = {"Z", "+00:00", "-05:00", "+01:30"}) {
  return "20" + two(18, 22) + "-" + two(1, 13) + "-" + two(1, 29) + " " + two(0, 24) + ":" + two(0, 60) + ":00 " +
         pick(offsets);
}

std::string random_value() {
  return pick(
      {"", "1", "2", "10", "-3", "1.5", "1.50", "2.25", "abc", "ABC", "12abc", "0", "007", "1e2", "true", " 5"});
}

std::string random_attribute() {
  std::string xml = "<expression id=\"e\" attribute=\"" + pick({"a", "b", "c", "#uname"}) + "\" operation=\"" +
                    pick({"lt", "lte", "gt", "gte", "eq", "ne", "defined", "not_defined", "GT"}) + "\"";
  if (*rc::gen::inRange(0, 4) != 0) xml += " value=\"" + random_value() + "\"";
  return xml + pick({"", " type=\"integer\"", " type=\"number\"", " type=\"string\""}) + "/>";
}

std::string random_date() {
  std::string xml = "<date_expression id=\"d\"";
  const std::string operation = pick({"", "in_range", "gt", "lt", "date_spec"});
  if (!operation.empty()) xml += " operation=\"" + operation + "\"";
  if (*rc::gen::inRange(0, 3) != 0) xml += " start=\"" + random_time() + "\"";
  if (*rc::gen::inRange(0, 3) == 0) xml += " end=\"" + random_time() + "\"";
  xml += ">";
  const std::string number = std::to_string(*rc::gen::inRange(-3, 40));
  if (operation == "date_spec") {
    const std::string range = pick({"", "1", "5", "1-", "20-"}) + number;
    return xml + "<date_spec id=\"s\" " +
           pick({"hours", "minutes", "monthdays", "weekdays", "yeardays", "months", "weeks", "moon"}) + "=\"" + range +
           "\"/></date_expression>";
  }
  if (*rc::gen::inRange(0, 2) == 0)
    xml += "<duration id=\"u\" " + pick({"years", "months", "weeks", "days", "hours", "minutes"}) + "=\"" + number +
           "\" " + pick({"", "seconds=\"90\""}) + "/>";
  return xml + "</date_expression>";
}

std::string random_rule(int depth) {
  std::string xml = "<rule id=\"r\"" + pick({"", " boolean-op=\"and\"", " boolean-op=\"or\""}) + ">";
  for (int i = 0, count = *rc::gen::inRange(0, 4); i < count; ++i) {
    const int kind = *rc::gen::inRange(0, depth > 0 ? 5 : 4);
    if (kind == 4)
      xml += random_rule(depth - 1);
    else if (kind == 3)
      xml += "<expression id=\"q\" attribute=\"#role\" operation=\"" + pick({"eq", "ne"}) + "\" value=\"" +
             pick({"Master", "Promoted", "Started", "Slave"}) + "\"/>";
    else
      xml += kind == 2 ? random_attribute() : random_date();
  }
  return xml + "</rule>";
}

TEST_F(PacemakerRules, GiveTheSameAnswers) {
  rc::check([&] {
    const std::string xml = random_rule(2);
    const std::string now = random_time({"Z"});
    Values node{{"#uname", "n1"}, {"a", random_value()}};
    if (*rc::gen::arbitrary<bool>()) node["b"] = random_value();
    const auto role = static_cast<Role>(*rc::gen::inRange(0, 5));
    RC_LOG() << xml << " at " << now << " a=" << node["a"];
    const RuleInput input{.now_s = cib::parse_time(now).value(), .node_attribute = lookup_in(node), .role = role};
    RC_ASSERT(passes(rule_of(xml), input) == says(xml, node, role, now));
  });
}

}  // namespace
}  // namespace bascule::policy
