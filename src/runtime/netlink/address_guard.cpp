#include "runtime/netlink/address_guard.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/netfilter.h>
#include <net/if.h>

#include <algorithm>

#include "runtime/netlink/nft_program.h"

namespace bascule::netlink {
namespace {

constexpr const char* table = "bascule_lease";
constexpr const char* six_egress_table = "bascule_lease_six";  // the family netdev has both kinds of addresses
constexpr std::array<const char*, 2> sets{"held_even", "held_odd"};

/// Whole milliseconds from now to the end, never rounded up; 0: it is over.
std::uint64_t left_ms(Instant end, Instant now) {
  return end <= now ? 0 : static_cast<std::uint64_t>(to_ms(end - now));
}

/// One table: its family, the type of its sets, what is in them, and its chains.
std::string table_rules(const char* family, const char* name, const char* type, const std::string& guarded,
                        const std::string& held, const std::string& chains) {
  return fmt::format(
      "add table {0} {1}\ndelete table {0} {1}\n"
      "table {0} {1} {{\n"
      "  set guarded {{ {2}; elements = {{ {3} }}; }}\n"
      "  set held_even {{ {2}; flags timeout; {4} }}\n"
      "  set held_odd {{ {2}; flags timeout; }}\n{5}}}\n",
      family, name, type, guarded, held.empty() ? "" : fmt::format("elements = {{ {} }};", held), chains);
}

constexpr const char* four_chains =
    "  chain in { type filter hook prerouting priority -300;\n"
    "    ip daddr @guarded ip daddr != @held_even ip daddr != @held_odd drop; }\n"
    "  chain out { type filter hook output priority -300;\n"
    "    ip saddr @guarded ip saddr != @held_even ip saddr != @held_odd drop; }\n";

constexpr const char* arp_chains =
    "  chain in { type filter hook input priority -300;\n"
    "    arp daddr ip @guarded arp daddr ip != @held_even arp daddr ip != @held_odd drop; }\n"
    "  chain out { type filter hook output priority -300;\n"
    "    arp saddr ip @guarded arp saddr ip != @held_even arp saddr ip != @held_odd drop; }\n";

// Neighbour discovery names the address inside (RFC 4861, 4.3 and 4.4): the target, 8 bytes into the ICMPv6 message.
// nft 1.0.6 has no word for it, and takes raw bytes only from a set of raw bytes: so the header's source (@nh,64,128)
// and destination (@nh,192,128) are written raw as well.
constexpr const char* six_chains =
    "  chain in { type filter hook prerouting priority -300;\n"
    "    @nh,192,128 @guarded @nh,192,128 != @held_even @nh,192,128 != @held_odd drop;\n"
    "    icmpv6 type nd-neighbor-solicit @th,64,128 @guarded @th,64,128 != @held_even @th,64,128 != @held_odd drop; }\n"
    "  chain out { type filter hook output priority -300;\n"
    "    @nh,64,128 @guarded @nh,64,128 != @held_even @nh,64,128 != @held_odd drop;\n"
    "    icmpv6 type nd-neighbor-advert @th,64,128 @guarded @th,64,128 != @held_even @th,64,128 != @held_odd drop; }\n";

/// An IPv6 address as the number that raw bytes are compared with.
std::string hexadecimal(ByteView key) { return fmt::format("0x{:02x}", fmt::join(key, "")); }

/// Every network device but the loopback, as nft lists them.
std::string device_list() {
  std::string list;
  struct if_nameindex* devices = if_nameindex();
  for (auto* one = devices; one != nullptr && one->if_index != 0; ++one)
    if (std::string(one->if_name) != "lo") list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", one->if_name);
  if (devices != nullptr) if_freenameindex(devices);
  return list;
}

/// What leaves the machine at last: ARP of packet sockets, and packets that waited for their neighbour's address since
/// a time when the lease held.
constexpr const char* four_egress =
    "    ip saddr @guarded ip saddr != @held_even ip saddr != @held_odd drop;\n"
    "    arp saddr ip @guarded arp saddr ip != @held_even arp saddr ip != @held_odd drop; }\n";
constexpr const char* six_egress =
    "    meta protocol ip6 @nh,64,128 @guarded @nh,64,128 != @held_even @nh,64,128 != @held_odd drop;\n"
    "    icmpv6 type nd-neighbor-advert @th,64,128 @guarded @th,64,128 != @held_even @th,64,128 != @held_odd drop; }\n";

std::string egress_chain(const char* rules) {
  return fmt::format("  chain out {{ type filter hook egress devices = {{ {} }} priority -300;\n{}", device_list(),
                     rules);
}

std::string removal(const char* family, const char* name = table) {
  return fmt::format("add table {0} {1}\ndelete table {0} {1}\n", family, name);
}

}  // namespace

bool AddressGuard::has_six() const {
  return std::any_of(entries_.begin(), entries_.end(), [](const Entry& entry) { return entry.six; });
}

bool AddressGuard::has_four() const {
  return std::any_of(entries_.begin(), entries_.end(), [](const Entry& entry) { return !entry.six; });
}

std::string AddressGuard::ruleset(const std::vector<Instant>& ends, Instant now, bool egress) const {
  std::array<std::string, 2> guarded, held;
  const auto append = [](std::string& list, const std::string& one) { list += (list.empty() ? "" : ", ") + one; };
  for (const auto& entry : entries_) {
    const std::string element = entry.six ? hexadecimal(entry.key) : entry.text;
    append(guarded[entry.six], element);
    const auto left = left_ms(ends[entry.slot], now);
    if (left > 0) append(held[entry.six], fmt::format("{} timeout {}ms", element, left));
  }
  std::string rules;
  if (has_four()) {
    constexpr const char* type = "type ipv4_addr";
    rules += table_rules("ip", table, type, guarded[0], held[0], four_chains);
    rules += table_rules("arp", table, type, guarded[0], held[0], arp_chains);
    if (egress) rules += table_rules("netdev", table, type, guarded[0], held[0], egress_chain(four_egress));
  }
  if (has_six()) {
    constexpr const char* type = "typeof @nh,192,128";
    rules += table_rules("ip6", table, type, guarded[1], held[1], six_chains);
    if (egress) rules += table_rules("netdev", six_egress_table, type, guarded[1], held[1], egress_chain(six_egress));
  }
  return rules;
}

Result<AddressGuard> AddressGuard::open(const std::vector<GuardedAddress>& addresses, const std::vector<Instant>& ends,
                                        Instant now) {
  if (addresses.size() > addresses_max)
    return fail("the address lease cannot be set up", {}, fmt::format("more than {} service addresses", addresses_max));
  std::vector<Entry> entries;
  for (const auto& address : addresses) {
    Entry entry{address.text, {}, address.text.find(':') != std::string::npos, address.slot, {}};
    if (inet_pton(entry.six ? AF_INET6 : AF_INET, entry.text.c_str(), entry.key.data()) != 1)
      return fail("the address lease cannot be set up", address.text, "not an address");
    entries.push_back(entry);
  }
  auto socket = NftSocket::open();
  if (!socket) return tl::unexpected(socket.error());
  AddressGuard guard(std::move(*socket), std::move(entries));
  if (auto made = guard.mend(ends, now); !made) return tl::unexpected(made.error());
  return guard;
}

Result<void> AddressGuard::mend(const std::vector<Instant>& ends, Instant now) {
  if (entries_.empty()) return {};
  auto made = run_nft(ruleset(ends, now, true));
  egress_ = made.has_value();
  if (!made) made = run_nft(ruleset(ends, now, false));  // without egress hooks (before Linux 5.16)
  for (auto& entry : entries_) entry.told = made && ends[entry.slot] > now ? ends[entry.slot] : Instant{};
  odd_ = true;
  return made;
}

void AddressGuard::flush(const char* set) {
  if (has_four()) {
    for (const std::uint8_t family : {NFPROTO_IPV4, NFPROTO_ARP}) batch_.flush_set(family, table, set);
    if (egress_) batch_.flush_set(NFPROTO_NETDEV, table, set);
  }
  if (has_six()) {
    batch_.flush_set(NFPROTO_IPV6, table, set);
    if (egress_) batch_.flush_set(NFPROTO_NETDEV, six_egress_table, set);
  }
}

void AddressGuard::write_set(const char* set, const std::vector<Instant>& ends, Instant now) {
  flush(set);
  for (const auto& entry : entries_) {
    const auto left = left_ms(ends[entry.slot], now);
    if (left == 0) continue;
    const ByteView key = ByteView(entry.key).first(entry.six ? 16 : 4);
    batch_.add_element(entry.six ? NFPROTO_IPV6 : NFPROTO_IPV4, table, set, key, left);
    if (!entry.six) batch_.add_element(NFPROTO_ARP, table, set, key, left);
    if (egress_) batch_.add_element(NFPROTO_NETDEV, entry.six ? six_egress_table : table, set, key, left);
  }
}

int AddressGuard::refresh(const std::vector<Instant>& ends, Instant now) {
  bool moved = false, drawn_in = false;
  for (const auto& entry : entries_) {
    const Instant end = ends[entry.slot];
    moved = moved || end > entry.told + tolerance;
    drawn_in = drawn_in || (end < entry.told && entry.told > now);
  }
  return moved || drawn_in ? commit(ends, now, drawn_in) : 0;
}

int AddressGuard::rewrite(const std::vector<Instant>& ends, Instant now) {
  return entries_.empty() ? 0 : commit(ends, now, true);
}

int AddressGuard::commit(const std::vector<Instant>& ends, Instant now, bool both) {
  batch_.clear();
  write_set(sets[odd_], ends, now);
  if (both) write_set(sets[!odd_], ends, now);
  if (const int error = socket_.commit(batch_); error != 0) return error;
  odd_ = !odd_;
  for (auto& entry : entries_) entry.told = ends[entry.slot];
  return 0;
}

int AddressGuard::close() {
  if (entries_.empty()) return 0;
  batch_.clear();
  for (const char* set : sets) flush(set);
  for (auto& entry : entries_) entry.told = Instant{};
  return socket_.commit(batch_);
}

Result<void> AddressGuard::remove() {
  if (entries_.empty()) return {};
  std::string commands;
  if (has_four()) commands += removal("ip") + removal("arp") + (egress_ ? removal("netdev") : "");
  if (has_six()) commands += removal("ip6") + (egress_ ? removal("netdev", six_egress_table) : "");
  return run_nft(commands);
}

}  // namespace bascule::netlink
