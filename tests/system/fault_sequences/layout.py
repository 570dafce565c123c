"""The clusters that sequences are played on: which hosts there are, and what runs on which of them. Pure."""

from dataclasses import dataclass

NETWORK = "10.77.0"
NAMES = ("alice", "bob", "carol", "dave", "erin")
DISKS = "/srv/volumes"  # beside the small file system of the state: a full one is no failed volume


@dataclass(frozen=True)
class Service:
    """A volume on two hosts, a file system on it, an address, and a program that writes orders."""

    name: str
    volume: str
    hosts: tuple  # the first one is preferred
    address: str

    @property
    def url(self):
        return f"http://{self.address}/order.php"

    @property
    def mount(self):
        return f"/srv/{self.name}"

    @property
    def orders(self):
        return f"{self.mount}/orders"

    @property
    def pidfile(self):
        return f"/run/shop/{self.name}.pid"


@dataclass(frozen=True)
class Layout:
    hosts: tuple
    services: tuple
    witness: str = None  # None: of two nodes each has the other one switched off

    @property
    def data(self):
        return tuple(host for host in self.hosts if host != self.witness)

    @property
    def addresses(self):
        return {host: f"{NETWORK}.{number}" for number, host in enumerate(self.hosts, 1)}

    @property
    def pairs(self):
        return tuple((one, other) for one in self.hosts for other in self.hosts if one < other)

    @property
    def ways(self):
        return tuple((one, other) for one in self.hosts for other in self.hosts if one != other)

    def service_of(self, host):
        """The one that may run on this host, None on the witness."""
        return next((service for service in self.services if host in service.hosts), None)

    def volumes_of(self, host):
        return [service.volume for service in self.services if host in service.hosts]


SHOP = Service("shop", "data", ("alice", "bob"), f"{NETWORK}.10")
DEPOT = Service("depot", "stock", ("carol", "dave"), f"{NETWORK}.11")
LAYOUTS = {
    2: Layout(NAMES[:2], (SHOP,)),
    3: Layout(NAMES[:3], (SHOP,), "carol"),
    5: Layout(NAMES[:5], (SHOP, DEPOT), "erin"),
}

FENCING = """\
[fence.board]
agent = "fence_board"
plug = { alice = "alice", bob = "bob" }
parameters = { ip = "the board" }
timeout = "20s"
"""


def node_toml(layout, host):
    role = 'role = "witness"\n' if host == layout.witness else ""
    return f'[node.{host}]\naddress = "{layout.addresses[host]}"\n{role}'


def volume_toml(service):
    disks = ", ".join(f'{host} = "{DISKS}/{service.volume}.img"' for host in service.hosts)
    return f'[volume.{service.volume}]\nsize = "64M"\ndisk = {{ {disks} }}\nal_extents = 67\n'


def service_toml(service, server):
    """`server`: the path of order_server.py as the hosts see it."""
    return f"""\
[service.{service.name}]
volume = "{service.volume}"
prefer = "{service.hosts[0]}"
autostart = false
mount = "{service.mount}"
address = "{service.address}/24"
run = {{ agent = "ocf:heartbeat:anything", binfile = "/usr/bin/python3", cmdline_options = "-B {server} {service.orders}", \
pidfile = "{service.pidfile}", logfile = "/run/shop/{service.name}.log", monitor_interval = "1s", monitor_timeout = "5s", \
stop_timeout = "5s", start_timeout = "15s" }}
"""


def cluster_toml(layout, server):
    parts = ['[cluster]\nname = "boutique"\n', *(node_toml(layout, host) for host in layout.hosts)]
    for service in layout.services:
        parts += [volume_toml(service), service_toml(service, server)]
    return "".join(parts) + ("" if layout.witness else FENCING)
