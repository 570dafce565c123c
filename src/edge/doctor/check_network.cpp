// Links, peers, ports, firewall, and the addresses of services.
#include <fmt/format.h>

#include <algorithm>

#include "edge/doctor/detail/checks.h"

namespace bascule::doctor::detail {
namespace {

constexpr std::uint32_t mtu_min = 1280;  ///< what IPv6 asks of each link; a manager's datagrams fit

void check_links(const Facts& facts, Report& report) {
  for (const auto& link : facts.links) {
    if (link.interface.empty())
      report.bad("link", link.address, "no interface of this machine has this address", "no daemon reaches the others",
                 "ip address add " + link.address + "/24 dev INTERFACE");
    else if (!link.up)
      report.bad("link", link.address, link.interface + " is down", "the others are not reached over it",
                 "ip link set " + link.interface + " up");
    else if (link.mtu < mtu_min)
      report.warn("link", link.address, fmt::format("the MTU of {} is {}", link.interface, link.mtu),
                  "datagrams are cut into pieces", fmt::format("ip link set {} mtu 1500", link.interface));
    else
      report.fine("link", link.address, fmt::format("on {}, MTU {}", link.interface, link.mtu));
  }
}

const Link* link_of(const Facts& facts, const PeerLink& peer) {
  const auto* node = facts.config ? facts.config->node(peer.node) : nullptr;
  if (node == nullptr) return nullptr;
  const auto at = std::find(node->addresses.begin(), node->addresses.end(), peer.address) - node->addresses.begin();
  return static_cast<std::size_t>(at) < facts.links.size() ? &facts.links[static_cast<std::size_t>(at)] : nullptr;
}

void check_path(const Facts& facts, const PeerLink& peer, Report& report) {
  const Link* link = link_of(facts, peer);
  if (peer.path_mtu == 0 || link == nullptr || link->mtu == 0 || peer.path_mtu >= link->mtu) return;
  report.warn("mtu", peer.node + " " + peer.address,
              fmt::format("the way has MTU {}, the interface {}", peer.path_mtu, link->mtu),
              "large packets of the replication are lost or cut",
              fmt::format("ip link set {} mtu {}", link->interface, peer.path_mtu));
}

void check_peer(const PeerLink& peer, Report& report) {
  const std::string subject = peer.node + " " + peer.address;
  if (peer.heard) {
    if (*peer.heard) return report.fine("peer", subject, fmt::format("heard {} ms ago", peer.age_ms));
    return report.bad("peer", subject, "bascule-managerd does not hear it over this link",
                      "it is down, cut off, or has another key", "bascule doctor on " + peer.node);
  }
  if (!peer.manager_port) return;
  switch (*peer.manager_port) {
    case PeerLink::Port::Open:
    case PeerLink::Port::Silent:
      return report.fine("peer", subject, "no refusal; start bascule-managerd here to know whether it answers");
    case PeerLink::Port::Refused:
      return report.warn("peer", subject, "the machine answers, and nobody has the managers' port there",
                         "its manager does not run", "systemctl start bascule.target on " + peer.node);
    case PeerLink::Port::Unreachable:
      return report.bad("peer", subject, "there is no way to it", "the nodes cannot talk",
                        "ip route get " + peer.address);
  }
}

void check_ports(const Facts& facts, Report& report) {
  for (const auto& port : facts.ports) {
    if (port.ours)
      report.fine("port", port.what, "our daemon has it");
    else if (port.taken.empty())
      report.fine("port", port.what, "it is free");
    else
      report.bad("port", port.what, port.taken, "the daemon that needs it does not start", "ss -lnp");
  }
}

bool has(const std::vector<std::string>& list, const std::string& one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

void check_firewall(const Facts& facts, Report& report) {
  if (!facts.config || !facts.firewall.unreadable.empty()) return;
  std::vector<std::string> wanted{fmt::format("udp {}", facts.config->port)};
  for (const auto& volume : facts.config->volumes)
    if (volume.disk.contains(facts.node)) wanted.push_back(fmt::format("tcp {}", volume.port));
  bool fine = true;
  for (const auto& port : wanted) {
    const bool closed = !facts.firewall.dropping_chains.empty() && !has(facts.firewall.accepted, port);
    if (!closed && !has(facts.firewall.dropped, port)) continue;
    fine = false;
    const auto space = port.find(' ');
    report.bad(
        "firewall", port,
        closed ? "chain " + facts.firewall.dropping_chains.front() + " drops what no rule lets in" : "a rule drops it",
        "the other nodes do not reach this one",
        "nft insert rule " + (closed ? facts.firewall.dropping_chains.front() : std::string("inet filter input")) +
            " " + port.substr(0, space) + " dport " + port.substr(space + 1) + " accept");
  }
  if (fine) report.fine("firewall", "", "nothing drops our ports");
}

void check_addresses(const Facts& facts, Report& report) {
  for (const auto& one : facts.addresses) {
    if (one.answered_by.empty())
      report.fine("address", one.address, one.here ? "this node has it" : "nobody answers at it");
    else if (one.served || one.here)
      report.fine("address", one.address, "the node that has " + one.service + " answers at it");
    else
      report.bad(
          "address", one.address, one.answered_by.front() + " answers at it already, and the cluster serves it nowhere",
          "clients would reach two machines", "arping -D " + one.address + ", and give one of them another address");
    if (one.answered_by.size() > 1)
      report.bad("address", one.address, fmt::format("{} machines answer at it", one.answered_by.size()),
                 "clients reach one or the other", "arping " + one.address);
  }
}

}  // namespace

void check_network(const Facts& facts, Report& report) {
  check_links(facts, report);
  for (const auto& peer : facts.peers) {
    check_peer(peer, report);
    check_path(facts, peer, report);
  }
  check_ports(facts, report);
  check_firewall(facts, report);
  check_addresses(facts, report);
}

}  // namespace bascule::doctor::detail
