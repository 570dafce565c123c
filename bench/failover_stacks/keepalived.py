"""Keepalived as Debian packages it: it moves the address only and knows no quorum."""

from . import service as shop
from .stack import DATA, Stack, other

CONFIG = """\
global_defs {{
  router_id {name}
  vrrp_version {version}
}}
vrrp_instance shop {{
  state BACKUP
  nopreempt
  interface eth0
  virtual_router_id 51
  priority {priority}
  advert_int {advert_s}
  virtual_ipaddress {{
    {address}/24 dev eth0
  }}
}}
"""


def keepalived_conf(name, advert_s):
    """VRRP 2 counts adverts in seconds; less than one needs VRRP 3."""
    return CONFIG.format(name=name, version=2 if advert_s >= 1 else 3, advert_s=advert_s, address=shop.ADDRESS,
                         priority=100 - DATA.index(name))


class Keepalived(Stack):
    title = "Keepalived, advert 1 s"
    services = ("address",)
    packages = {"keepalived": "/usr/sbin/keepalived"}
    programs_named = ("keepalived",)
    advert_s = 1

    def binds(self, base):
        return super().binds(base) + [(f"{base}/keepalived", "/etc/keepalived")]

    def configure(self, host):
        if host.name in DATA:
            host.write("/etc/keepalived/keepalived.conf", keepalived_conf(host.name, self.advert_s))

    def start_programs(self, name):
        if name in DATA:
            self.hosts[name].supervise("keepalived", ["/usr/sbin/keepalived", "--dont-fork", "--log-console",
                                                      "--log-detail", "--no-syslog", "--vrrp"])

    def why_unhealthy(self):
        for name in DATA:
            if not self.hosts[name].up() or not self.hosts[name].programs().get("keepalived", {}).get("pid"):
                return f"keepalived does not run on {name}"
        return ""

    def move(self, to):
        """Nothing else moves it but to stop keepalived where it is."""
        self.hosts[other(to)].end("keepalived")

    def after_move(self):
        for name in DATA:
            if not self.hosts[name].programs().get("keepalived", {}).get("pid"):
                self.start_programs(name)


class KeepalivedFast(Keepalived):
    title = "Keepalived, advert 0.1 s"
    advert_s = 0.1
