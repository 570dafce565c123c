"""What a random cluster is made of while it is drawn: the document, and what constraints and histories may refer to."""
import random
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

NOW_S = 1_700_000_000
SCORES = (1, 5, 10, 50, 100, 100, 500, 1000, "INFINITY", "INFINITY", -1, -10, -100, -1000, "-INFINITY", "-INFINITY", 0)

# Every construct that a seed may use, and how likely it is in a seed that uses many.
FEATURES = {
    "group": 0.6, "clone": 0.5, "promotable": 0.5, "bundle": 0.25, "template": 0.3, "tags": 0.2,
    "location": 0.7, "location_rule": 0.4, "location_role": 0.3, "location_set": 0.2, "pattern": 0.2, "discovery": 0.2,
    "order": 0.7, "order_kind": 0.5, "order_action": 0.4, "order_set": 0.3,
    "colocation": 0.7, "colocation_role": 0.4, "colocation_set": 0.3, "colocation_attribute": 0.2, "influence": 0.2,
    "ticket": 0.25, "utilization": 0.3, "strategy": 0.6, "rsc_defaults": 0.3, "op_defaults": 0.2,
    "stickiness": 0.6, "migration_threshold": 0.4, "failure_timeout": 0.3, "on_fail": 0.4, "unmanaged": 0.25,
    "target_role": 0.3, "priority": 0.3, "critical": 0.2, "requires": 0.2, "multiple_active": 0.3,
    "remote": 0.2, "guest": 0.2, "migrate": 0.3, "health": 0.2, "quorum": 0.25, "fencing": 0.6, "watchdog": 0.1,
    "offline": 0.5, "standby": 0.3, "maintenance_node": 0.2, "unclean": 0.3, "pending_node": 0.15, "leaving": 0.15,
    "maintenance_mode": 0.08, "asymmetric": 0.12, "no_probes": 0.08, "stop_all": 0.05, "shutdown_lock": 0.08,
    "failures": 0.5, "pending": 0.2, "partial": 0.4, "orphan": 0.2, "digest": 0.25, "migrating": 0.4,
    "notify": 0.3, "interleave": 0.5, "ordered": 0.2, "unique": 0.3, "clone_min": 0.2, "clone_limits": 0.4,
    "stopped_monitor": 0.1, "node_attributes": 0.5, "old_names": 0.1, "container": 0.1, "unfencing": 0.1,
    "systemd": 0.2, "disabled_operation": 0.15, "multiply_running": 0.1, "wrong_place": 0.3,
}


@dataclass
class Primitive:
    """A primitive, and what its history needs to know."""
    id: str
    resource_class: str
    provider: str
    type: str
    monitors: list = field(default_factory=list)  # (interval in ms, role or "")
    parameters: dict = field(default_factory=dict)
    timeouts_ms: dict = field(default_factory=dict)  # of recurring monitors, by interval in ms
    element: object = None
    guest: str = ""    # the guest node that it makes
    remote: bool = False


@dataclass
class Top:
    """A resource without a parent."""
    kind: str  # primitive, group, clone, promotable, bundle
    id: str
    members: list
    element: object = None
    instances_max: int = 0
    per_node_max: int = 1
    promoted_max: int = 1
    unique: bool = False
    clone: bool = False
    host_address: str = ""


@dataclass
class Node:
    name: str
    id: str
    state: str = "online"
    kind: str = "member"
    element: object = None
    transient: dict = field(default_factory=dict)


class World:
    """The cluster of one seed."""

    def __init__(self, seed):
        self.seed = seed
        self.random = random.Random(seed)
        self.size = self._size()
        self.features = self._features()
        self.ids = 0
        self.nodes = []
        self.tops = []
        self.tickets = []
        self.ranks = {}
        self.default_timeout_ms = 20_000
        self.properties = {}
        self.root = ET.Element("cib", {
            "validate-with": "pacemaker-3.9", "admin_epoch": "0", "epoch": "1", "num_updates": "1",
            "crm_feature_set": "3.16.1", "have-quorum": "1", "execution-date": str(NOW_S)})
        configuration = self.add(self.root, "configuration")
        self.crm_config = self.add(configuration, "crm_config")
        self.node_section = self.add(configuration, "nodes")
        self.resources = self.add(configuration, "resources")
        self.constraints = self.add(configuration, "constraints")
        self.configuration = configuration
        self.status = self.add(self.root, "status")

    def _size(self):
        """Small at first; from then on a mixture in which large clusters are rarer than small ones."""
        if self.seed < 100:
            return 0.05 + 0.1 * self.seed / 100
        return self.random.choice((0.1, 0.1, 0.15, 0.2, 0.2, 0.3, 0.4, 0.6, 1.0))

    def _features(self):
        """A swarm: each seed leaves most constructs out, and so meets combinations that a mixture of all never has."""
        many = self.random.choice((0.3, 0.6, 1.0, 1.3)) if self.seed >= 100 else 0.15 + 0.5 * self.seed / 100
        return {name for name, likely in FEATURES.items() if self.random.random() < likely * many}

    def has(self, *names):
        return all(name in self.features for name in names)

    def chance(self, likely):
        return self.random.random() < likely

    def maybe(self, name, likely=0.5):
        return name in self.features and self.random.random() < likely

    def pick(self, choices):
        return self.random.choice(list(choices))

    def few(self, choices, most=4):
        choices = list(choices)
        return self.random.sample(choices, min(len(choices), self.random.randint(2, most)))

    def score(self):
        return str(self.pick(SCORES))

    def new_id(self, prefix):
        self.ids += 1
        return f"{prefix}{self.ids}"

    def add(self, parent, tag, **attributes):
        """Attribute names with a dash are written with an underscore; those of pairs are given as they are."""
        return ET.SubElement(parent, tag, {key.replace("_", "-"): str(value) for key, value in attributes.items()
                                           if value is not None})

    def pairs(self, parent, tag, values, prefix="s"):
        """A set of pairs; none if there are no values."""
        if not values:
            return None
        holder = self.add(parent, tag, id=self.new_id(prefix))
        for name, value in values.items():
            self.add(holder, "nvpair", id=self.new_id("p"), name=name, value=value)
        return holder

    def primitives(self):
        return [member for top in self.tops for member in top.members]

    def members(self):
        return [node for node in self.nodes if node.kind == "member"]
