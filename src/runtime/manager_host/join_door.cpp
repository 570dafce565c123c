#include "runtime/manager_host/join_door.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "runtime/files/read_file.h"
#include "runtime/keys/random.h"
#include "wire/join/token.h"

namespace bascule::manager_host {

namespace {

std::uint64_t wall_ms() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(since_1970).count());
}

/// What a machine needs to be a member. Read when it is wanted: keys rotate.
Result<join::Secrets> secrets_of(const config::ClusterConfig& config, const std::string& config_text) {
  join::Secrets secrets{"", config_text};
  if (!config.key_file) return secrets;
  auto keys = files::read_file(*config.key_file, "the cluster's keys cannot be read");
  if (!keys) return tl::unexpected(keys.error());
  secrets.keys = std::move(*keys);
  return secrets;
}

}  // namespace

JoinDoor::JoinDoor(boost::asio::io_context& io, const manager::Manager& manager, Change change)
    : io_(io), manager_(manager), change_(std::move(change)) {}

void JoinDoor::open(const config::ClusterConfig& config, const config::Node& self) {
  config_ = config;
  if (server_ && addresses_ == self.addresses) return;
  addresses_ = self.addresses;
  server_.reset();
  server_ = std::make_unique<join::JoinServer>(
      io_, addresses_, config.port,
      [this](const Bytes& request, const std::string& from, const join::JoinServer::Answer& answer) {
        knocked(request, from, answer);
      });
  if (server_->listening() == 0) spdlog::warn("no machine can join here: TCP port {} cannot be opened", config.port);
}

void JoinDoor::issue(const config::ClusterConfig& config, const std::string& node, std::uint64_t valid_s,
                     const std::string& who, TokenDone done) {
  if (config.node(node) == nullptr)
    return done(fail("there is no token for it", node, "the configuration has no such node",
                     "bascule node add " + node + " --address ADDRESS"));
  if (valid_s == 0 || valid_s > join::valid_s_max)
    return done(fail("there is no token for it", node, "a token is valid for a second to 30 days"));
  join::Token token{config.name, node, config.port, {}, {}};
  for (const auto& each : config.nodes)
    if (each.name != node) token.addresses.insert(token.addresses.end(), each.addresses.begin(), each.addresses.end());
  if (const auto filled = keys::fill_at_random(token.secret); !filled) return done(tl::unexpected(filled.error()));
  const auto now = wall_ms();
  change_(message::IssueToken{node, join::hash_of(token.secret), now, now + valid_s * 1000, who},
          [token, done = std::move(done)](bool accepted, const std::string& why) {
            if (accepted) return done(join::text_of(token));
            done(fail("there is no token for it", token.node, why));
          });
}

void JoinDoor::hand_out(const sealed::Secret& secret, const Result<join::Secrets>& secrets,
                        const join::JoinServer::Answer& answer) const {
  sealed::Salt salt{};
  if (!keys::fill_at_random(salt)) return answer({});
  answer(join::reply(config_.name, secret, secrets, salt));
}

/// The use of the token is in the log before anything leaves. Should this process die in between, the token is spent.
void JoinDoor::knocked(const Bytes& request, const std::string& from, const join::JoinServer::Answer& answer) {
  const auto known = nlohmann::json::parse(manager_.history_json(std::nullopt));
  for (const auto& token : known.at("tokens")) {
    const auto hash = token.at("hash").get<std::string>();
    const auto secret = join::open_request(config_.name, hash, request);
    if (!secret) continue;
    if (join::is_of_the_future(token.at("expires_at_ms").get<std::uint64_t>(), wall_ms()))
      return hand_out(*secret,
                      fail("refused", "", "the clock of this member is behind the moment when the token was given",
                           "set the clock, or make another token: bascule node token NODE"),
                      answer);
    return change_(message::UseToken{hash, wall_ms(), from},
                   [this, secret = *secret, answer](bool accepted, const std::string& why) {
                     hand_out(secret,
                              accepted ? secrets_of(config_, manager_.configuration_text())
                                       : Result<join::Secrets>(fail("refused", "", why)),
                              answer);
                   });
  }
  spdlog::warn("{} knocked without an open token", from);
  answer({});
}

}  // namespace bascule::manager_host
