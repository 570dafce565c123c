"""Cluster properties, nodes, and defaults of a random cluster."""
from .world import NOW_S, Node

NODE_STATES = {"offline": "offline", "unclean": "unclean", "pending_node": "pending", "leaving": "leaving"}


def draw_properties(world):
    if world.has("op_defaults"):
        world.default_timeout_ms = world.pick((30_000, 90_000))
    values = {"stonith-enabled": "true" if world.has("fencing") else "false"}
    if world.has("quorum"):
        values["no-quorum-policy"] = world.pick(("stop", "freeze", "ignore", "demote", "suicide"))
        world.root.set("have-quorum", world.pick("001"))
    if world.has("asymmetric"):
        values["symmetric-cluster"] = "false"
    if world.has("maintenance_mode"):
        values["maintenance-mode"] = "true"
    if world.has("no_probes"):
        values["enable-startup-probes"] = "false"
    if world.has("stop_all"):
        values["stop-all-resources"] = "true"
    if world.has("shutdown_lock"):
        values["shutdown-lock"] = "true"
        if world.chance(0.5):
            values["shutdown-lock-limit"] = world.pick(("5min", "1h", "0"))
    if world.has("strategy"):
        values["placement-strategy"] = world.pick(("default", "utilization", "minimal", "balanced"))
    if world.has("health"):
        values["node-health-strategy"] = world.pick(("migrate-on-red", "only-green", "progressive", "custom"))
        if world.chance(0.3):
            values["node-health-base"] = world.pick((10, 100, -5))
        if world.chance(0.3):
            values["node-health-yellow"] = world.pick((-10, -100, 5))
    if world.has("failures") and world.chance(0.3):
        values["start-failure-is-fatal"] = "false"
    if world.has("orphan"):
        if world.chance(0.3):
            values["stop-orphan-resources"] = "false"
        if world.chance(0.3):
            values["stop-orphan-actions"] = "false"
    if world.has("fencing"):
        if world.chance(0.2):
            values["stonith-action"] = world.pick(("off", "reboot"))
        if world.chance(0.3):
            values["concurrent-fencing"] = world.pick(("true", "false"))
        if world.chance(0.15):
            values["startup-fencing"] = "false"
        if world.has("watchdog"):
            values["have-watchdog"] = "true"
            values["stonith-watchdog-timeout"] = "10s"
        if world.has("priority"):
            values["priority-fencing-delay"] = "15s"
    world.properties = values
    world.pairs(world.crm_config, "cluster_property_set", values).set("id", "cib-bootstrap-options")


def draw_nodes(world):
    count = world.random.randint(2, max(3, min(16, round(2 + 14 * world.size))))
    prefix = world.pick(("n", "node", "alpha"))
    named_like_id = world.chance(0.3)
    states = [state for name, state in NODE_STATES.items() if world.has(name)]
    for number in range(1, count + 1):
        name = f"{prefix}{number}"
        node = add_node(world, name, name if named_like_id else str(number))
        if states and number > 1 and world.chance(0.35):
            node.state = world.pick(states)
    if world.has("offline") and world.chance(0.1):
        world.nodes[0].state = "offline"
    world.root.set("dc-uuid", world.nodes[0].id)


def add_node(world, name, node_id, kind="member"):
    node = Node(name, node_id, kind=kind)
    node.element = world.add(world.node_section, "node", id=node_id, uname=name)
    if kind != "member":
        node.element.set("type", "remote")
    node_attributes(world, node)
    world.nodes.append(node)
    return node


def node_attributes(world, node):
    values = {}
    if world.maybe("standby", 0.25):
        values["standby"] = world.pick(("on", "true", "off"))
    if world.maybe("maintenance_node", 0.25):
        values["maintenance"] = world.pick(("true", "true", "false"))
    if world.has("node_attributes"):
        values["rack"] = world.pick(("r1", "r2", "r3"))
        if world.chance(0.6):
            values["weight"] = world.pick((1, 5, 100, -20))
    if world.maybe("health", 0.5):
        values["#health-disk"] = world.pick(("green", "yellow", "red", "10", "-20"))
        if world.chance(0.3):
            values["#health-cpu"] = world.pick(("green", "yellow", "red"))
    if world.maybe("discovery", 0.05):
        values["resource-discovery-enabled"] = "false"
    world.pairs(node.element, "instance_attributes", values)
    if world.maybe("utilization", 0.9):
        world.pairs(node.element, "utilization", {"cpu": world.pick((1, 2, 4, 8)), "memory": world.pick((512, 1024, 4096))})


def draw_defaults(world):
    values = {}
    if world.has("rsc_defaults"):
        if world.chance(0.7):
            values["resource-stickiness"] = world.pick((1, 10, 100, "INFINITY"))
        if world.maybe("migration_threshold"):
            values["migration-threshold"] = world.pick((1, 2, 3))
        if world.maybe("failure_timeout"):
            values["failure-timeout"] = world.pick(("60s", "10min"))
        if world.maybe("migrate"):
            values["allow-migrate"] = "true"
        if world.maybe("priority", 0.3):
            values["priority"] = 1
        if world.maybe("unmanaged", 0.1):
            values["is-managed"] = "false"
        world.pairs(world.add(world.configuration, "rsc_defaults"), "meta_attributes", values)
        if values and world.chance(0.3):
            _default_rule(world)
    if world.has("op_defaults"):
        values = {"timeout": f"{world.default_timeout_ms // 1000}s"}
        if world.maybe("on_fail", 0.5):
            values["on-fail"] = world.pick(("ignore", "block", "restart", "stop", "standby"))
        world.pairs(world.add(world.configuration, "op_defaults"), "meta_attributes", values)


def _default_rule(world):
    """A second set of defaults that holds for some agents, or at some time."""
    holder = world.add(world.configuration.find("rsc_defaults"), "meta_attributes", id=world.new_id("s"),
                       score=world.pick((1, 100)))
    rule = world.add(holder, "rule", id=world.new_id("rule"), score="INFINITY")
    if world.chance(0.6):
        world.add(rule, "rsc_expression", id=world.new_id("e"), type=world.pick(("Dummy", "Stateful"))).set("class", "ocf")
    elif world.chance(0.5):
        world.add(rule, "date_expression", id=world.new_id("e"), operation="gt", start="2023-01-01")
    else:
        world.add(rule, "date_expression", id=world.new_id("e"), operation="lt", end="2023-01-01")
    world.add(holder, "nvpair", id=world.new_id("p"), name="resource-stickiness", value=world.pick((7, 700)))


def draw_tickets(world):
    if not world.tickets:
        return
    holder = world.add(world.status, "tickets")
    for name in world.tickets:
        if world.chance(0.2):
            continue
        state = world.add(holder, "ticket_state", id=name)
        state.set("granted", world.pick(("true", "false")))
        if world.chance(0.2):
            state.set("standby", "true")
        if world.chance(0.5):
            state.set("last-granted", str(NOW_S - 1000))
