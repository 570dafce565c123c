// Machines that come to the cluster and leave it.
#include "edge/cli/member_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <thread>

#include "edge/cli/connection.h"
#include "edge/cli/failure.h"
#include "runtime/join/join_client.h"
#include "wire/cluster_config/edit.h"

namespace bascule::cli {
namespace {

/// One of these commands under way.
struct Membership {
  const MemberRequest& member;
  const ConfigRequest& request;
  const Ask& ask;
  const Surroundings& around;

  [[nodiscard]] int failed(const Error& error, int code) const {
    return tell_failure(error, code, request.as_json, around);
  }

  /// The answer when it is "ok"; else the code of what was told.
  [[nodiscard]] Result<json> answer_to(const json& question) const {
    auto answer = ask(question);
    if (!answer) return answer;
    if (!flag(*answer, "ok")) return tl::unexpected(error_in(*answer));
    return answer;
  }
  [[nodiscard]] Result<std::string> text_in_force() const {
    const auto history = answer_to({{"op", "config_history"}});
    if (!history) return tl::unexpected(history.error());
    const auto version = answer_to({{"op", "config_history"}, {"version", number(*history, "in_force")}});
    if (!version) return tl::unexpected(version.error());
    return whole_text(*version);
  }

  [[nodiscard]] int apply(const Result<std::string>& wanted, const std::string& reason) const {
    if (!wanted) return failed(wanted.error(), refused);
    ConfigRequest change = request;
    change.reason = reason;
    return apply_configuration(*wanted, change, ask, around);
  }

  [[nodiscard]] config::Node new_node(const std::string& name) const {
    config::Node node;
    node.name = name;
    node.role = member.role == "witness" ? config::NodeRole::witness : config::NodeRole::data;
    node.addresses = member.addresses;
    node.address = member.addresses.empty() ? "" : member.addresses.front();
    node.has_vote = !member.no_vote;
    return node;
  }

  [[nodiscard]] int token() const {
    const auto issued =
        answer_to({{"op", "node_token"}, {"node", member.node}, {"valid_s", member.valid_s}, {"who", request.who}});
    if (!issued) return failed(issued.error(), refused);
    if (request.as_json)
      around.out << json{{"ok", true}, {"node", member.node}, {"token", text(*issued, "token")}} << "\n";
    else
      around.out << fmt::format(
          "On {}, within {} s (the token works once, and whoever has it gets the keys):\n\n"
          "  bascule join {}\n",
          member.node, member.valid_s, text(*issued, "token"));
    return ok;
  }

  [[nodiscard]] int add() const {
    const auto now = text_in_force();
    if (!now) return failed(now.error(), no_contact);
    config::Node node = new_node(member.node);
    // An even number of votes is no better than one fewer: the parser refuses it.
    const auto parsed = config::parse(*now, "the configuration in force");
    const auto votes = !parsed ? 0
                               : std::count_if(parsed->nodes.begin(), parsed->nodes.end(),
                                               [](const config::Node& one) { return one.votes(); });
    if (node.role == config::NodeRole::data && node.has_vote && votes % 2 == 1) {
      node.has_vote = false;
      if (!request.as_json)
        around.out << fmt::format("{} comes without a vote: {} votes would be an even number.\n", node.name, votes + 1);
    }
    const int applied = apply(config::with_node(*now, node), "add node " + node.name);
    return applied == ok ? token() : applied;
  }

  /// Nothing of the node's runs there any more.
  [[nodiscard]] static bool is_empty(const json& status, const std::string& node) {
    const auto owns = [&](const json& thing) { return text(thing, "owner") == node; };
    const auto& services = member_of(status, "services");
    const auto& volumes = member_of(status, "volumes");
    return std::none_of(services.begin(), services.end(), owns) && std::none_of(volumes.begin(), volumes.end(), owns);
  }
  [[nodiscard]] static const json& member_of(const json& object, const char* key) { return cli::member(object, key); }

  [[nodiscard]] Result<void> empty(const std::string& node) const {
    const auto before = answer_to({{"op", "status"}});
    if (!before) return tl::unexpected(before.error());
    const auto& known = named(cli::member(*before, "nodes"), node);
    if (known.is_null()) return fail("there is no such node", node, "it is not in the configuration");
    if (text(known, "role") != "data") return {};
    if (!flag(known, "standby"))
      if (const auto done = answer_to({{"op", "standby"}, {"node", node}}); !done) return tl::unexpected(done.error());
    const auto until = std::chrono::steady_clock::now() + member.patience;
    while (std::chrono::steady_clock::now() < until) {
      const auto status = answer_to({{"op", "status"}});
      if (status && is_empty(*status, node)) return {};
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    return fail("the node is not empty", node, "something still runs there", "bascule status says why");
  }

  /// `wanted`: the configuration without it.
  [[nodiscard]] int empty_and_apply(const std::string& node, const Result<std::string>& wanted,
                                    const std::string& reason) const {
    if (!wanted) return failed(wanted.error(), refused);
    if (!request.yes && !around.asks)
      return failed({"nothing was changed", node, "nobody is at the terminal to confirm it", "--yes confirms"},
                    refused);
    if (const auto emptied = empty(node); !emptied) return failed(emptied.error(), refused);
    return apply(wanted, reason);
  }

  [[nodiscard]] int remove() const {
    const auto now = text_in_force();
    if (!now) return failed(now.error(), no_contact);
    const int applied =
        empty_and_apply(member.node, config::without_node(*now, member.node), "remove node " + member.node);
    if (applied == ok && !request.as_json)
      around.out << fmt::format("On {} the daemons can be stopped and disabled.\n", member.node);
    return applied;
  }

  [[nodiscard]] int replace() const {
    const auto now = text_in_force();
    if (!now) return failed(now.error(), no_contact);
    const int applied = empty_and_apply(member.node, config::with_node_replaced(*now, member.node, new_node(member.by)),
                                        fmt::format("{} takes the place of {}", member.by, member.node));
    if (applied != ok) return applied;
    MemberRequest fresh = member;
    fresh.node = member.by;
    return Membership{fresh, request, ask, around}.token();
  }

  [[nodiscard]] int join() const {
    const auto token = join::parse_token(member.token);
    if (!token) return failed(token.error(), unusable);
    const join::Places places{member.config_file, member.state_dir, member.force};
    if (const auto free = join::check_places(places); !free) return failed(free.error(), refused);
    const auto secrets = join::ask_members(*token, seconds(15));
    if (!secrets) return failed(secrets.error(), no_contact);
    const auto keys = join::keep(*secrets, *token, places);
    if (!keys) return failed(keys.error(), refused);
    if (request.as_json) {
      around.out << one_line({{"ok", true},
                              {"node", token->node},
                              {"cluster", token->cluster},
                              {"config", places.config_file},
                              {"key_file", *keys}})
                 << "\n";
      return ok;
    }
    around.out << fmt::format("{} is {} of cluster {}: {} and the keys are written. Start it:\n\n", around.node,
                              token->node, token->cluster, places.config_file);
    const char* node_option = around.node == token->node ? "" : " (with --node, or called so by the host name)";
    around.out << "  systemctl enable --now bascule-watchdogd bascule-managerd" << node_option << "\n";
    return ok;
  }
};

}  // namespace

int run_member(const MemberRequest& member, const ConfigRequest& request, const Ask& ask, const Surroundings& around) {
  const Membership membership{member, request, ask, around};
  if (member.action == "join") return membership.join();
  if (member.action == "add") return membership.add();
  if (member.action == "token") return membership.token();
  if (member.action == "replace") return membership.replace();
  return membership.remove();
}

}  // namespace bascule::cli
