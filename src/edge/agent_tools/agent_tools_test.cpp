#include "edge/agent_tools/agent_tools.h"

#include <gtest/gtest.h>

#include <sstream>

#include "edge/agent_tools/detail/arguments.h"

namespace bascule::agent_tools {
namespace {

using nlohmann::json;

/// A manager that keeps attributes, and what came of one call.
class Tools : public testing::Test {
 protected:
  struct Outcome {
    int code = 0;
    std::string out, err;
  };
  Outcome call(const std::string& line) {
    std::istringstream stream(line);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    const std::string name = words.front();
    words.erase(words.begin());
    std::ostringstream out, err;
    const auto code =
        run(name, words, {out, err, "alice", "shop_db", [this](const json& request) { return serve(request); }});
    return {code, out.str(), err.str()};
  }
  std::string printed(const std::string& line) {
    const auto outcome = call(line);
    EXPECT_EQ(outcome.code, 0) << line << ": " << outcome.err;
    return outcome.out;
  }

  Result<json> serve(const json& request) {
    if (away) return fail("no contact", "/run/bascule/manager.sock", "No such file or directory");
    asked.push_back(request);
    const std::string op = request.at("op");
    if (op == "attributes") return json{{"ok", true}, {"attributes", attributes}};
    if (op == "status") return status;
    const bool permanent = op != "agent_attribute";
    const std::string node = request.at("node");
    if (node != "#cluster" && !attributes.contains(node))
      return json{{"ok", false}, {"error", {{"what", "there is no node \"" + node + "\""}}}};
    auto& values = attributes[node][permanent ? "permanent" : "transient"];
    if (request.contains("value"))
      values[request.at("name").get<std::string>()] = request.at("value");
    else
      values.erase(request.at("name").get<std::string>());
    return json{{"ok", true}};
  }

  bool away = false;
  std::vector<json> asked;
  json attributes = {{"alice", {{"permanent", json::object()}, {"transient", json::object()}}},
                     {"bob", {{"permanent", json::object()}, {"transient", json::object()}}}};
  json status = json::parse(R"({"ok":true,"summary":"The service runs.","quorum":{"have":true,"leader":"bob"},
    "nodes":[{"name":"alice","online":true},{"name":"bob","online":true,"standby":true},{"name":"carol","online":false}],
    "services":[{"name":"shop","owner":"alice","state":"Started","steps":[{"name":"db","state":"Started"}]}]})");
};

TEST_F(Tools, PromotionScoresAsTheShellLibraryCallsThem) {
  EXPECT_EQ(printed("crm_attribute -p -v 100"), "");
  EXPECT_EQ(attributes["alice"]["transient"]["master-shop_db"], "100");
  EXPECT_EQ(printed("crm_attribute -p -G -q"), "100\n");
  EXPECT_EQ(printed("crm_attribute -p -N bob -v 5"), "");
  EXPECT_EQ(attributes["bob"]["transient"]["master-shop_db"], "5");
  EXPECT_EQ(printed("crm_master -Q -l reboot -v 7"), "");
  EXPECT_EQ(printed("crm_master -q -l reboot -G"), "7\n");
  EXPECT_EQ(printed("crm_master -l reboot -D"), "");
  EXPECT_EQ(call("crm_master -q -l reboot -G").code, no_such_thing);
}

TEST_F(Tools, AttributesAsGaleraPgsqlAndRabbitmqCallThem) {
  printed("crm_attribute -N alice -l reboot --name galera-bootstrap -v true");
  EXPECT_EQ(printed("crm_attribute -N alice -l reboot --name galera-bootstrap --quiet"), "true\n");
  EXPECT_EQ(asked.front().at("op"), "agent_attribute") << "an agent never waits for a majority";
  printed("crm_attribute -N alice -l forever --name rmq-last -v rabbit@alice");
  EXPECT_EQ(attributes["alice"]["permanent"]["rmq-last"], "rabbit@alice");
  EXPECT_EQ(printed("crm_attribute -N alice -l forever --query --name rmq-last"),
            "scope=nodes  name=rmq-last value=rabbit@alice\n");
  EXPECT_EQ(call("crm_attribute -N alice -l reboot --name nothing -G -q").code, no_such_thing);
  EXPECT_EQ(call("crm_attribute -N zoe -l reboot --name x -v 1").code, no_such_thing);
  EXPECT_EQ(call("crm_attribute -N alice --name x --dance").code, usage);
}

TEST_F(Tools, PropertiesOfTheClusterAreItsOwnAttributes) {
  printed("crm_attribute --type crm_config --name mysql_REPL_INFO -s mysql_replication -v alice|bin.1|4");
  EXPECT_EQ(printed("crm_attribute --type crm_config --name mysql_REPL_INFO -s mysql_replication --query -q"),
            "alice|bin.1|4\n");
  EXPECT_EQ(attributes["#cluster"]["permanent"]["mysql_REPL_INFO"], "alice|bin.1|4");
  EXPECT_EQ(printed("crm_attribute --type=crm_config --name=stonith-enabled --query --quiet --default=true"), "true\n");
}

TEST_F(Tools, AttrdUpdaterAsPingMariadbAndAttributeCallIt) {
  printed("attrd_updater -n pingd -B 1000 -d 5s");
  EXPECT_EQ(asked.back().at("delay_ms"), 5000);
  EXPECT_EQ(printed("attrd_updater -n pingd -Q"), "name=\"pingd\" host=\"alice\" value=\"1000\"\n");
  printed("attrd_updater -p -n db-gtid -U 0-1-2");
  EXPECT_EQ(printed("attrd_updater -p -N alice -n db-gtid -Q"), "name=\"db-gtid\" host=\"alice\" value=\"0-1-2\"\n");
  printed("attrd_updater -S status -n cpu -v 4");
  printed("attrd_updater -n cpu -N alice -D");
  EXPECT_EQ(call("attrd_updater -n cpu -Q").code, no_such_thing);
  EXPECT_EQ(call("attrd_updater -Q").code, usage);
}

TEST_F(Tools, CrmNodeTellsWhoIsThere) {
  EXPECT_EQ(printed("crm_node -n"), "alice\n");
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(printed("crm_node -l"), "1 alice member\n2 bob member\n3 carol lost\n");
  EXPECT_EQ(printed("crm_node --list"), printed("crm_node -l"));
  EXPECT_EQ(printed("crm_node -p"), "alice bob \n");
  EXPECT_EQ(printed("crm_node -q"), "1\n");
  EXPECT_EQ(printed("crm_node -i"), "1\n");
  EXPECT_EQ(printed("crm_node -N 3"), "carol\n");
  EXPECT_EQ(call("crm_node -N 9").code, no_such_thing);
}

TEST_F(Tools, ResourcesAreFoundAsAgentsCallThem) {
  EXPECT_EQ(printed("crm_resource --resource shop_db --locate"), "resource shop_db is running on: alice \n");
  EXPECT_EQ(call("crm_resource --resource other --locate").code, no_such_thing);
  EXPECT_EQ(call("crm_resource -Q -r shop_db -z -g cpu").code, no_such_thing);
  EXPECT_EQ(call("crm_resource -B -r shop_db -N alice -Q").code, unimplemented);
}

TEST_F(Tools, CrmMonHasTheXmlThatAgentsLookInto) {
  const auto xml = printed("crm_mon -1 --output-as=xml");
  EXPECT_NE(xml.find("<node name=\"bob\" id=\"2\" online=\"true\" standby=\"true\""), std::string::npos) << xml;
  EXPECT_NE(xml.find("<node name=\"carol\" id=\"3\" online=\"false\""), std::string::npos) << xml;
  EXPECT_NE(
      xml.find("<resource id=\"shop_db\" resource_agent=\"ocf\" role=\"Started\" active=\"true\" orphaned=\"false\""),
      std::string::npos)
      << xml;
  EXPECT_EQ(printed("crm_mon -1X"), xml);
  EXPECT_EQ(printed("crm_mon -r --as-xml"), xml);
}

TEST_F(Tools, WithoutAManagerTheyAreDisconnected) {
  away = true;
  for (const char* line : {"crm_attribute -p -v 1", "attrd_updater -n a -U 1", "crm_node -l", "crm_mon -1X"})
    EXPECT_EQ(call(line).code, disconnected) << line;
  EXPECT_EQ(call("crm_node -n").code, ok);
}

TEST_F(Tools, AnswersThatAreNotAsTheyShouldBeEndNothing) {
  status = json::object({{"ok", true}});
  EXPECT_EQ(call("crm_node -l").code, failed);
  EXPECT_EQ(call("crm_report").code, usage);
}

TEST(Arguments, AreReadAsGetoptReadsThem) {
  const std::vector<Option> options{{"name", "n", {"name"}, Option::Takes::value},
                                    {"quiet", "q", {"quiet"}},
                                    {"score", "p", {"promotion"}, Option::Takes::optional_value}};
  const auto given = parse({"-qnX", "-p", "db", "--name=Y"}, options);
  EXPECT_EQ(given.value("name"), "Y");
  EXPECT_EQ(given.value("score"), "db");
  EXPECT_TRUE(given.has("quiet"));
  EXPECT_TRUE(parse({"-p", "-q"}, options).has("score"));
  EXPECT_EQ(parse({"-p", "-q"}, options).value("score"), "");
  EXPECT_EQ(parse({"--name"}, options).problem, "not understood: --name without a value");
  EXPECT_EQ(parse({"-x"}, options).problem, "not understood: -x");
}

}  // namespace
}  // namespace bascule::agent_tools
