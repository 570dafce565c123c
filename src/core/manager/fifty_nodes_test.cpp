// Five voters and forty-five members without a vote, in exact virtual time: they join, ten services fail over, leaders
// are lost, several owners die at once, members leave and join again.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/manager/manager_world.h"
#include "core/membership/liveness.h"
#include "wire/cluster_config/edit.h"

namespace bascule::manager::test {
namespace {

constexpr int voters = 5, members = 50, services = 10, services_with_volume = 5;
const std::string first_owner = "n11";

std::string node_name(int number) { return fmt::format("n{:02}", number); }
std::string node_address(int number) { return fmt::format("10.0.0.{}", number); }
std::string service_name(int number) { return fmt::format("s{}", number); }

std::string five_voters() {
  std::string text = "[cluster]\nname = \"fifty\"\n";
  for (int node = 1; node <= voters; ++node)
    text += fmt::format("[node.{}]\naddress = \"{}\"\n", node_name(node), node_address(node));
  return text;
}

/// All prefer n11. The first five have a volume there, each with its second copy on a node of its own.
std::string ten_services() {
  std::string text;
  for (int n = 1; n <= services; ++n) {
    const bool has_volume = n <= services_with_volume;
    if (has_volume)
      text += fmt::format("[volume.v{0}]\nsize = \"1G\"\ndisk = {{ {1} = \"/d{0}\", {2} = \"/d{0}\" }}\n", n,
                          first_owner, node_name(11 + n));
    text += fmt::format("[service.s{}]\nprefer = \"{}\"\n", n, first_owner);
    if (has_volume) text += fmt::format("volume = \"v{}\"\n", n);
    const auto mount = fmt::format("{{ agent = \"ocf:heartbeat:Filesystem\", name = \"s{}-mount\" }}, ", n);
    text += fmt::format(
        "run = [ {1}{{ agent = \"ocf:heartbeat:IPaddr2\", name = \"s{0}-address\", ip = \"10.0.1.{0}\" }}, "
        "{{ agent = \"ocf:heartbeat:apache\", name = \"s{0}-web\" }} ]\n",
        n, has_volume ? mount : "");
  }
  return text;
}

/// What the timing promises, in the world's own delays.
struct Promise {
  config::Timing timing;

  /// A proposal of the leader is on its own disk and on those of two others, and these have said so.
  static Duration commit() { return network_delay + disk_delay + network_delay; }
  /// From the commit until the service answers: the new owner is told, asks for its lease and gets it, promotes, and
  /// starts mount, address and web.
  static Duration start() { return 3 * network_delay + block_delay + 3 * agent_delay; }
  /// The last question of the dead node may arrive a network delay after its death; its lease counts from the answer.
  [[nodiscard]] Duration lease_over() const { return network_delay + timing.lease + timing.lease_margin; }
  [[nodiscard]] Duration failover() const { return lease_over() + commit() + start(); }
  /// A follower waits at most so long, asks whether it would be voted for, and is: its vote is on the disk first.
  [[nodiscard]] Duration new_leader() const {
    return timing.election_max + 2 * network_delay + disk_delay + 2 * network_delay + disk_delay;
  }
  /// A new leader waits for leases that the old one may have given until its end, and for its own first entry.
  [[nodiscard]] Duration failover_with_the_leader() const { return new_leader() + commit() + failover(); }
};

/// Follows each service through every moment at which something of it changes.
class Watcher {
 public:
  explicit Watcher(World& world) : world_(world) {
    world.on_service_change = [this](const Host& host, const std::string& service) { changed(host, service); };
  }
  /// The longest time without a service since the last call, also one that goes on.
  Duration longest_gap() {
    Duration longest{};
    for (auto& [name, one] : services_) {
      longest = std::max({longest, one.longest_gap, world_.now() - one.served_until});
      one.longest_gap = {};
    }
    return longest;
  }
  [[nodiscard]] const std::string& owner(const std::string& service) { return services_[service].owner; }
  [[nodiscard]] const std::vector<std::string>& breaches() const { return breaches_; }

 private:
  struct Service {
    std::string owner;
    Instant served_until = never;
    Duration longest_gap{};
  };

  void changed(const Host& host, const std::string& service) {
    Service& one = services_[service];
    const Instant now = world_.now(), end = World::lease_end(host, service).value_or(Instant{});
    if (World::runs(host, service) && end > now) {
      if (now > one.served_until) one.longest_gap = std::max(one.longest_gap, now - one.served_until);
      if (one.owner == host.name && one.served_until > now)
        one.served_until = std::max(one.served_until, end);
      else
        one.served_until = end;
      one.owner = host.name;
    } else if (one.owner == host.name) {
      one.served_until = std::min(one.served_until, now);
    }
    count_instances(service);
  }

  /// Stricter than the world's own judge, as no node is cut off here: not even without a lease.
  void count_instances(const std::string& service) {
    const auto instances = std::count_if(world_.hosts().begin(), world_.hosts().end(),
                                         [&](const auto& each) { return World::runs_partly(each.second, service); });
    if (instances > 1) breaches_.push_back(fmt::format("{} runs {} times", service, instances));
  }

  World& world_;
  std::map<std::string, Service> services_;
  std::vector<std::string> breaches_;
};

class FiftyNodes : public testing::Test {
 protected:
  FiftyNodes() : world(five_voters()), watcher(world) {}

  void TearDown() override {
    EXPECT_TRUE(world.breaches().empty()) << world.breaches().front();
    EXPECT_TRUE(watcher.breaches().empty()) << watcher.breaches().front();
    if (!HasFailure()) return;
    for (const auto& event : world.story())
      std::printf("%8lld ms %-6s %-18s %s: %s\n", static_cast<long long>(event.at_ns / 1'000'000), event.node.c_str(),
                  event.kind.c_str(), event.subject.c_str(), event.text.c_str());
  }

  nlohmann::json status(const std::string& host) { return nlohmann::json::parse(world.status(host)); }
  const std::string& agreed_text() { return world.host(voter_that_is_up()).file_text; }
  std::string voter_that_is_up() {
    for (int node = 1; node <= voters; ++node)
      if (world.is_up(node_name(node))) return node_name(node);
    return {};
  }
  std::string apply(const std::string& text) {
    const auto at = voter_that_is_up();
    const std::uint64_t version = nlohmann::json::parse(world.host(at).manager->history_json({}))["in_force"];
    return world.change(at, message::SetConfig{version, false, text, "because", "ann", 1, 0});
  }
  /// Looks every 10 ms only: what it asks for may be no cheap thing.
  bool comes(const std::function<bool()>& done, Duration patience) {
    for (const Instant end = world.now() + patience; world.now() < end && !done();) world.run(milliseconds(10));
    return done();
  }
  bool follows(const std::string& name) { return world.host(name).file_text == agreed_text(); }

  /// As `bascule node add`, `node token` and `join` do it: it is configured first, and comes with the agreed file.
  void join(int number) {
    const auto name = node_name(number);
    const auto text = config::with_node(
        agreed_text(), {name, config::NodeRole::data, node_address(number), 0, {node_address(number)}, false});
    ASSERT_TRUE(text);
    ASSERT_EQ(apply(*text), "");
    world.add_host(name, agreed_text());
    world.power_on(name);
  }
  void leave(int number) {
    const auto name = node_name(number);
    ASSERT_EQ(world.change(voter_that_is_up(), message::SetStandby{name, true}), "");
    const auto text = config::without_node(agreed_text(), name);
    ASSERT_TRUE(text);
    ASSERT_EQ(apply(*text), "");
    world.run(milliseconds(300));  // until it is no member any more
    world.power_off(name);
  }
  void everybody_joins() {
    for (int node = voters + 1; node <= members; ++node) ASSERT_NO_FATAL_FAILURE(join(node));
    ASSERT_TRUE(comes([&] { return all_follow(); }, seconds(30)));
    EXPECT_EQ(status("n01")["quorum"]["votes"], voters);
  }
  bool all_follow() {
    for (int node = 1; node <= members; ++node)
      if (world.is_up(node_name(node)) && !follows(node_name(node))) return false;
    return true;
  }
  /// Whoever has it: the judge of whether there is more than one is the watcher.
  bool all_serve() {
    for (int n = 1; n <= services; ++n) {
      const auto& owner = watcher.owner(service_name(n));
      if (owner.empty() || !world.serves(owner, service_name(n))) return false;
    }
    return true;
  }
  std::set<std::string> owners() {
    std::set<std::string> all;
    for (int n = 1; n <= services; ++n) all.insert(watcher.owner(service_name(n)));
    return all;
  }
  bool all_in_sync() {
    const auto json = status(voter_that_is_up());
    return std::all_of(json["volumes"].begin(), json["volumes"].end(),
                       [](const auto& volume) { return volume["in_sync"].size() == 2; });
  }
  /// When a node last said of itself that it leads.
  Instant elected_at() {
    Instant at{};
    for (const auto& event : world.story())
      if (event.kind == "leader-elected" && event.subject == event.node) at = instant_from_ns(event.at_ns);
    return at;
  }
  std::string who_leads() {
    std::string leader;
    for (const auto& event : world.story())
      if (event.kind == "leader-elected" && event.subject == event.node) leader = event.node;
    return leader;
  }
  void power_on_and_settle(const std::set<std::string>& names) {
    for (const auto& name : names) world.power_on(name);
    ASSERT_TRUE(comes([&] { return all_in_sync(); }, seconds(10)));
    (void)watcher.longest_gap();
  }

  /// A figure for docs/scale.md, which --gtest_output=xml keeps.
  static void note(const char* what, std::uint64_t value) { RecordProperty(what, std::to_string(value)); }
  static std::uint64_t us(Duration duration) { return static_cast<std::uint64_t>(duration / microseconds(1)); }

  void services_start();
  void an_idle_second_is_measured();
  void leader_dies();
  void owner_of_everything_dies();
  void three_owners_die_at_once();
  void member_leaves_and_comes_back();

  World world;
  Watcher watcher;
  const Promise promise{};
};

void FiftyNodes::services_start() {
  ASSERT_EQ(apply(agreed_text() + ten_services()), "");
  ASSERT_TRUE(comes([&] { return all_serve() && all_in_sync(); }, seconds(10)));
  EXPECT_EQ(owners(), std::set<std::string>{first_owner});
  (void)watcher.longest_gap();
}

/// As docs/scale.md has it: the leader and each other node speak to each other once in a heartbeat, others more rarely.
void FiftyNodes::an_idle_second_is_measured() {
  std::map<std::string, Traffic> before;
  for (const auto& [name, host] : world.hosts()) before[name] = host.sent;
  world.counts_bytes = true;
  world.run(seconds(1));
  world.counts_bytes = false;
  const auto heartbeats = seconds(1) / promise.timing.heartbeat + 1;
  constexpr int news = 3;  // what happens is told at once, also the end of a monitor
  for (const auto& [name, host] : world.hosts()) {
    const bool leads = name == who_leads();
    const std::uint64_t datagrams = host.sent.datagrams - before[name].datagrams;
    const auto rarely = (members - 2) * (heartbeats / membership::Liveness::report_heartbeats + 1 + news);
    const auto most = leads ? (members - 1) * (heartbeats + news) : rarely + heartbeats + news;
    EXPECT_LE(datagrams, static_cast<std::uint64_t>(most)) << name;
    if (name != first_owner && name != node_name(members) && !leads) continue;
    const std::string who = leads ? "leader" : name == first_owner ? "owner" : "member";
    note((who + "_messages_a_second").c_str(), host.sent.messages - before[name].messages);
    note((who + "_datagrams_a_second").c_str(), datagrams);
    note((who + "_bytes_a_second").c_str(), host.sent.bytes - before[name].bytes);
  }
  std::uint64_t log_bytes = 0;
  const auto& entries = world.host(who_leads()).disk.entries;
  for (const auto& entry : entries) log_bytes += entry.payload.size();
  note("log_entries", entries.size());
  note("log_bytes", log_bytes);
}

/// It has no services, and nothing of those that run elsewhere is to be noticed.
void FiftyNodes::leader_dies() {
  const auto leader = who_leads();
  const Instant died = world.now();
  world.power_off(leader);
  ASSERT_TRUE(comes([&] { return elected_at() > died; }, seconds(5)));
  EXPECT_LE(elected_at() - died, promise.new_leader());
  note("new_leader_us", us(elected_at() - died));
  world.run(promise.timing.lease);
  EXPECT_EQ(watcher.longest_gap(), Duration{});
  EXPECT_EQ(owners(), std::set<std::string>{first_owner});
  EXPECT_FALSE(world.told("service-held", "s1"));
  ASSERT_NO_FATAL_FAILURE(power_on_and_settle({leader}));
}

void FiftyNodes::owner_of_everything_dies() {
  world.power_off(first_owner);
  ASSERT_TRUE(world.run_until([&] { return all_serve() && owners().count(first_owner) == 0; }, seconds(5)));
  const auto gap = watcher.longest_gap();
  EXPECT_LE(gap, promise.failover());
  note("failover_us", us(gap));
  ASSERT_NO_FATAL_FAILURE(power_on_and_settle({first_owner}));
}

void FiftyNodes::three_owners_die_at_once() {
  auto dead = owners();
  while (dead.size() > 3) dead.erase(std::prev(dead.end()));
  dead.insert(who_leads());
  for (const auto& name : dead) world.power_off(name);
  const auto moved = [&] {
    const auto now_there = owners();
    return std::none_of(dead.begin(), dead.end(), [&](const auto& name) { return now_there.count(name) != 0; });
  };
  ASSERT_TRUE(world.run_until([&] { return moved() && all_serve(); }, seconds(5)));
  const auto gap = watcher.longest_gap();
  EXPECT_LE(gap, promise.failover_with_the_leader());
  note("failover_with_the_leader_us", us(gap));
  ASSERT_NO_FATAL_FAILURE(power_on_and_settle(dead));
}

void FiftyNodes::member_leaves_and_comes_back() {
  ASSERT_NO_FATAL_FAILURE(leave(members));
  ASSERT_NO_FATAL_FAILURE(join(members));
  const auto name = node_name(members);
  ASSERT_TRUE(comes([&] { return follows(name); }, seconds(10)));
  EXPECT_EQ(world.host(name).file.node(name)->id, static_cast<std::uint32_t>(members + 1))
      << "ids are never given twice";
  EXPECT_FALSE(world.told("configuration-differs", name));
  ASSERT_EQ(world.change("n01", message::SetStandby{name, false}), "") << "it left in standby, and its name still is";
  ASSERT_EQ(world.change("n01", message::MoveService{service_name(services), name}), "");
  ASSERT_TRUE(world.run_until([&] { return world.serves(name, service_name(services)); }, seconds(5)));
}

TEST_F(FiftyNodes, JoinFailOverLoseTheLeaderLeaveAndComeBack) {
  ASSERT_NO_FATAL_FAILURE(everybody_joins());
  ASSERT_NO_FATAL_FAILURE(services_start());
  ASSERT_NO_FATAL_FAILURE(an_idle_second_is_measured());
  ASSERT_NO_FATAL_FAILURE(leader_dies());
  ASSERT_NO_FATAL_FAILURE(owner_of_everything_dies());
  ASSERT_NO_FATAL_FAILURE(three_owners_die_at_once());
  ASSERT_NO_FATAL_FAILURE(member_leaves_and_comes_back());
}

}  // namespace
}  // namespace bascule::manager::test
