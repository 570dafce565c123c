// Service addresses on the devices of this machine, by rtnetlink.
#include "runtime/address/service_address.h"

#include <linux/if_addr.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>

#include <cstring>
#include <functional>
#include <memory>

namespace bascule::address {
namespace {

template <auto release>
struct Releases {
  template <typename T>
  void operator()(T* object) const {
    release(object);
  }
};
using Socket = std::unique_ptr<nl_sock, Releases<nl_socket_free>>;
using Cache = std::unique_ptr<nl_cache, Releases<nl_cache_free>>;
using Address = std::unique_ptr<nl_addr, Releases<nl_addr_put>>;
using Assigned = std::unique_ptr<rtnl_addr, Releases<rtnl_addr_put>>;

constexpr const char* what = "the service's address";

tl::unexpected<Error> refused(const ServiceAddress& service, const char* doing, int error) {
  return fail(std::string(what) + " cannot be " + doing, service.address, nl_geterror(error));
}

/// The addresses of this machine, as they are now.
struct Table {
  Socket socket;
  Cache addresses;
  Address wanted;  ///< the service's address, with the length of its network

  static Result<Table> read(const ServiceAddress& service) {
    Table table;
    nl_addr* parsed = nullptr;
    const std::string written = service.address + "/" + std::to_string(service.prefix);
    if (const int error = nl_addr_parse(written.c_str(), AF_UNSPEC, &parsed); error != 0)
      return refused(service, "read", error);
    table.wanted.reset(parsed);
    table.socket.reset(nl_socket_alloc());
    nl_cache* cache = nullptr;
    int error = table.socket ? nl_connect(table.socket.get(), NETLINK_ROUTE) : -NLE_NOMEM;
    if (error == 0) error = rtnl_addr_alloc_cache(table.socket.get(), &cache);
    if (error != 0) return refused(service, "looked up", error);
    table.addresses.reset(cache);
    return table;
  }

  [[nodiscard]] bool is_wanted(rtnl_addr* each) const {
    nl_addr* local = rtnl_addr_get_local(each);
    return local != nullptr && nl_addr_get_family(local) == nl_addr_get_family(wanted.get()) &&
           nl_addr_get_len(local) == nl_addr_get_len(wanted.get()) &&
           std::memcmp(nl_addr_get_binary_addr(local), nl_addr_get_binary_addr(wanted.get()), nl_addr_get_len(local)) ==
               0;
  }

  void for_each(const std::function<void(rtnl_addr*)>& visit) const {
    for (nl_object* each = nl_cache_get_first(addresses.get()); each != nullptr; each = nl_cache_get_next(each))
      visit(reinterpret_cast<rtnl_addr*>(each));
  }

  /// The device on whose network the address lies, the smallest such network first; 0: none.
  [[nodiscard]] int device_of_network() const {
    int found = 0;
    int longest = -1;
    for_each([&](rtnl_addr* each) {
      nl_addr* local = rtnl_addr_get_local(each);
      const int prefix = rtnl_addr_get_prefixlen(each);
      if (local == nullptr || is_wanted(each) || prefix <= longest) return;
      if (nl_addr_get_family(local) != nl_addr_get_family(wanted.get()) || !covers(local, prefix)) return;
      longest = prefix;
      found = rtnl_addr_get_ifindex(each);
    });
    return found;
  }

  [[nodiscard]] bool covers(nl_addr* local, int prefix) const {
    const auto* one = static_cast<const unsigned char*>(nl_addr_get_binary_addr(local));
    const auto* other = static_cast<const unsigned char*>(nl_addr_get_binary_addr(wanted.get()));
    for (int bit = 0; bit < prefix; ++bit)
      if (((one[bit / 8] ^ other[bit / 8]) & (0x80 >> bit % 8)) != 0) return false;
    return true;
  }
};

std::string name_of(nl_sock* socket, int index) {
  rtnl_link* link = nullptr;
  if (rtnl_link_get_kernel(socket, index, nullptr, &link) != 0) return {};
  const std::string name = rtnl_link_get_name(link);
  rtnl_link_put(link);
  return name;
}

Result<int> index_of(const Table& table, const ServiceAddress& service) {
  if (service.device.empty()) {
    const int found = table.device_of_network();
    if (found != 0) return found;
    return fail(std::string(what) + " cannot be brought up", service.address, "no device has an address of its network",
                "say which one: address = { ip = \"" + service.address + "/" + std::to_string(service.prefix) +
                    "\", nic = \"eth0\" }");
  }
  rtnl_link* link = nullptr;
  if (rtnl_link_get_kernel(table.socket.get(), 0, service.device.c_str(), &link) != 0)
    return fail(std::string(what) + " cannot be brought up", service.address, "there is no device " + service.device);
  const int index = rtnl_link_get_ifindex(link);
  rtnl_link_put(link);
  return index;
}

}  // namespace

Result<bool> is_present(const ServiceAddress& service) {
  const auto table = Table::read(service);
  if (!table) return tl::unexpected(table.error());
  bool present = false;
  table->for_each([&](rtnl_addr* each) { present = present || table->is_wanted(each); });
  return present;
}

Result<std::string> bring_up(const ServiceAddress& service) {
  const auto table = Table::read(service);
  if (!table) return tl::unexpected(table.error());
  int at = 0;
  table->for_each([&](rtnl_addr* each) {
    if (table->is_wanted(each)) at = rtnl_addr_get_ifindex(each);
  });
  if (at != 0) return name_of(table->socket.get(), at);
  const auto index = index_of(*table, service);
  if (!index) return tl::unexpected(index.error());
  const Assigned assigned(rtnl_addr_alloc());
  rtnl_addr_set_ifindex(assigned.get(), *index);
  rtnl_addr_set_local(assigned.get(), table->wanted.get());
  if (nl_addr_get_family(table->wanted.get()) == AF_INET6) rtnl_addr_set_flags(assigned.get(), IFA_F_NODAD);
  const int error = rtnl_addr_add(table->socket.get(), assigned.get(), NLM_F_CREATE);
  if (error != 0 && error != -NLE_EXIST) return refused(service, "brought up", error);
  return name_of(table->socket.get(), *index);
}

Result<void> take_down(const ServiceAddress& service) {
  const auto table = Table::read(service);
  if (!table) return tl::unexpected(table.error());
  int failed = 0;
  table->for_each([&](rtnl_addr* each) {
    if (!table->is_wanted(each)) return;
    const int error = rtnl_addr_delete(table->socket.get(), each, 0);
    if (error != 0 && error != -NLE_NOADDR && error != -NLE_OBJ_NOTFOUND) failed = error;
  });
  if (failed != 0) return refused(service, "taken down", failed);
  return {};
}

}  // namespace bascule::address
