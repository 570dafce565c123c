"""Resources of a random cluster."""
from .configuration import add_node
from .world import Node, Primitive, Top

AGENTS = (("ocf", "heartbeat", "Dummy"), ("ocf", "pacemaker", "Dummy"), ("ocf", "heartbeat", "IPaddr2"),
          ("ocf", "pacemaker", "Stateful"))


def draw_resources(world):
    budget = world.random.randint(1, max(2, round(60 * world.size)))
    kinds = ["primitive", "primitive"] + [kind for kind in ("group", "clone", "promotable") if world.has(kind)] * 2
    if world.has("bundle"):
        kinds.append("bundle")
    if world.has("fencing"):
        draw_fencing(world)
    if world.has("remote"):
        for _ in range(world.random.randint(1, 2)):
            draw_remote(world)
    while budget > 0:
        kind = world.pick(kinds)
        drawn = {"primitive": draw_primitive, "group": draw_group, "bundle": draw_bundle}.get(kind, draw_clone)
        before = len(world.tops)
        drawn(world, kind)
        top = world.tops[before]
        budget -= max(1, len(top.members))
    draw_tags(world)


# ---- primitives ----------------------------------------------------------------------------------------------------

def primitive(world, parent, prefix="r", stateful=False, plain=False):
    """A primitive inside of `parent`."""
    made = Primitive(world.new_id(prefix), *(AGENTS[3] if stateful else world.pick(AGENTS[:3])))
    if world.maybe("systemd", 0.3) and not stateful:
        made.resource_class, made.provider, made.type = "systemd", "", "service"
    template = None if plain else _template(world, stateful)
    if template is not None:
        made.element = world.add(parent, "primitive", id=made.id, template=template.get("id"))
        made.resource_class, made.type = template.get("class"), template.get("type")
        made.provider = template.get("provider", "")
    else:
        made.element = world.add(parent, "primitive", id=made.id)
        made.element.set("class", made.resource_class)
        if made.provider:
            made.element.set("provider", made.provider)
        made.element.set("type", made.type)
    meta = meta_attributes(world, inside=parent is not world.resources, stateful=stateful)
    world.pairs(made.element, "meta_attributes", meta)
    if world.maybe("digest", 0.6):
        made.parameters = {"state": f"/run/{made.id}", "delay": str(world.random.randint(0, 3))}
        world.pairs(made.element, "instance_attributes", made.parameters)
    if world.maybe("utilization", 0.7):
        world.pairs(made.element, "utilization",
                    {"cpu": world.pick((1, 1, 2, 3)), **({"memory": world.pick((64, 512, 1024))} if world.chance(0.5) else {})})
    operations(world, made, stateful)
    return made


def _template(world, stateful):
    if not world.maybe("template", 0.3):
        return None
    kind = "Stateful" if stateful else "Dummy"
    found = [each for each in world.resources.findall("template") if each.get("type") == kind]
    if found and world.chance(0.7):
        return world.pick(found)
    template = world.add(world.resources, "template", id=world.new_id("t"), provider="pacemaker", type=kind)
    template.set("class", "ocf")
    world.pairs(template, "meta_attributes", meta_attributes(world, inside=True, stateful=stateful))
    return template


def meta_attributes(world, inside=False, stateful=False):
    values = {}
    if world.maybe("stickiness", 0.3):
        values["resource-stickiness"] = world.pick((0, 1, 10, 100, 100, "INFINITY", -10))
    if world.maybe("migration_threshold", 0.4):
        values["migration-threshold"] = world.pick((1, 2, 3, 1000000, 0))
    if world.maybe("failure_timeout", 0.4):
        values["failure-timeout"] = world.pick(("30s", "5min", "2h"))
    if world.maybe("unmanaged", 0.15):
        values["is-managed"] = "false"
    if world.maybe("maintenance_node", 0.05):
        values["maintenance"] = "true"
    if world.maybe("target_role", 0.25):
        roles = ("Stopped", "Stopped", "Started") + (("Unpromoted", "Promoted", "Master", "Slave") if stateful else ())
        values["target-role"] = world.pick(roles)
    if world.maybe("priority", 0.3):
        values["priority"] = world.pick((1, 5, 10, 100, -1))
    if world.maybe("critical", 0.3):
        values["critical"] = "false"
    if world.maybe("requires", 0.3):
        values["requires"] = world.pick(("nothing", "quorum", "fencing"))
    if world.maybe("multiple_active", 0.4):
        values["multiple-active"] = world.pick(("stop_start", "stop_only", "block", "stop_unexpected"))
    if world.maybe("migrate", 0.5):
        values["allow-migrate"] = "true"
    if world.maybe("health", 0.1):
        values["allow-unhealthy-nodes"] = "true"
    return values


def operations(world, made, stateful):
    holder = world.add(made.element, "operations")
    if world.chance(0.75):
        roles = ("Promoted", "Unpromoted") if stateful else ("",)
        interval_s = world.pick((5, 10, 60))
        for role in roles:
            made.monitors.append((interval_s * 1000, role))
            made.timeouts_ms[interval_s * 1000] = _operation(world, holder, "monitor", interval_s, role)
            interval_s += 1
    if world.maybe("stopped_monitor", 0.5):
        made.monitors.append((33000, "Stopped"))
        _operation(world, holder, "monitor", 33, "Stopped")
    for task in ("start", "stop") + (("promote", "demote") if stateful else ()):
        if world.chance(0.3):
            _operation(world, holder, task, 0, "")
    if len(holder) == 0:
        made.element.remove(holder)


def _operation(world, holder, task, interval_s, role):
    """Returns its timeout in ms."""
    timeout_ms = world.default_timeout_ms
    made = world.add(holder, "op", id=world.new_id("op"), name=task, interval=f"{interval_s}s")
    if role:
        made.set("role", {"Promoted": "Master", "Unpromoted": "Slave"}.get(role, role) if world.has("old_names") else role)
    if world.chance(0.3):
        timeout_ms, text = world.pick(((10_000, "10s"), (120_000, "2min")))
        made.set("timeout", text)
    if world.maybe("on_fail", 0.5):
        choices = {"stop": ("ignore", "block", "fence"), "start": ("ignore", "block", "stop", "restart", "fence", "standby"),
                   "promote": ("ignore", "block", "demote", "stop", "restart", "fence", "standby"),
                   "demote": ("ignore", "block", "stop", "restart", "fence", "standby"),
                   "monitor": ("ignore", "block", "stop", "restart", "fence", "standby")}[task]
        if role == "Promoted":
            choices += ("demote",)
        made.set("on-fail", world.pick(choices))
    if world.maybe("disabled_operation", 0.2):
        made.set("enabled", "false")
    return timeout_ms


def draw_primitive(world, _kind):
    if world.maybe("guest", 0.3):
        return draw_guest(world)
    made = primitive(world, world.resources)
    top = Top("primitive", made.id, [made], made.element)
    world.tops.append(top)
    containers = [each for each in world.tops[:-1] if each.kind == "primitive" and not each.members[0].remote]
    if world.maybe("container", 0.2) and containers:
        world.pairs(made.element, "meta_attributes", {"container": world.pick(containers).id})
    return top


# ---- fencing, remote and guest nodes -------------------------------------------------------------------------------

def draw_fencing(world):
    made = Primitive(world.new_id("fence"), "stonith", "", "fence_x", [(60000, "")] if world.chance(0.5) else [])
    made.element = world.add(world.resources, "primitive", id=made.id, type=made.type)
    made.element.set("class", "stonith")
    if world.maybe("unfencing", 1):
        world.pairs(made.element, "meta_attributes", {"provides": "unfencing"})
    if made.monitors:
        _operation(world, world.add(made.element, "operations"), "monitor", 60, "")
    world.tops.append(Top("primitive", made.id, [made], made.element))


def draw_remote(world):
    made = Primitive(world.new_id("remote"), "ocf", "pacemaker", "remote", [(30000, "")] if world.chance(0.7) else [], remote=True)
    made.element = world.add(world.resources, "primitive", id=made.id, provider="pacemaker", type="remote")
    made.element.set("class", "ocf")
    meta = {key: value for key, value in meta_attributes(world).items() if key in ("target-role", "resource-stickiness", "priority")}
    world.pairs(made.element, "meta_attributes", meta)
    values = made.parameters = {"server": "10.0.0.9"}
    if world.chance(0.3):
        values["reconnect_interval"] = "60"
    world.pairs(made.element, "instance_attributes", values)
    if made.monitors:
        _operation(world, world.add(made.element, "operations"), "monitor", 30, "")
    world.tops.append(Top("primitive", made.id, [made], made.element))
    add_node(world, made.id, made.id, "remote")


def draw_guest(world):
    made = primitive(world, world.resources, "vm", plain=True)
    made.guest = world.new_id("guest")
    world.pairs(made.element, "meta_attributes", {"remote-node": made.guest})
    world.tops.append(Top("primitive", made.id, [made], made.element))
    if world.chance(0.4):
        add_node(world, made.guest, made.guest, "guest")
    else:
        world.nodes.append(Node(made.guest, made.guest, kind="guest"))
    return world.tops[-1]


# ---- groups, clones, bundles ---------------------------------------------------------------------------------------

def group(world, parent, stateful=False):
    element = world.add(parent, "group", id=world.new_id("g"))
    members = [primitive(world, element, stateful=stateful) for _ in range(world.random.randint(1, 4))]
    world.pairs(element, "meta_attributes", meta_attributes(world) if world.chance(0.5) else {})
    return element, members


def draw_group(world, _kind):
    element, members = group(world, world.resources)
    world.tops.append(Top("group", element.get("id"), members, element))


def draw_clone(world, kind):
    stateful = kind == "promotable"
    element = world.add(world.resources, "clone", id=world.new_id("c"))
    if world.maybe("group", 0.3):
        inner, members = group(world, element, stateful)
    else:
        members = [primitive(world, element, stateful=stateful)]
        inner = None
    top = Top(kind, element.get("id"), members, element, clone=True)
    values = meta_attributes(world, stateful=stateful) if world.chance(0.5) else {}
    nodes = len(world.nodes)
    top.instances_max = nodes
    if world.maybe("clone_limits", 0.6):
        top.instances_max = world.random.randint(1, nodes + 1)
        values["clone-max"] = top.instances_max
    if world.maybe("unique", 0.6):
        top.unique = True
        values["globally-unique"] = "true"
        if world.chance(0.6):
            top.per_node_max = world.random.randint(1, 3)
            values["clone-node-max"] = top.per_node_max
    for name in ("notify", "interleave", "ordered"):
        if world.maybe(name, 0.6):
            values[name] = "true"
    if world.maybe("clone_min", 0.6):
        values["clone-min"] = world.pick((1, 1, 2))
    if stateful:
        values["promotable"] = "true"
        if world.maybe("clone_limits", 0.6):
            top.promoted_max = world.random.randint(0, 3)
            values["promoted-max"] = top.promoted_max
        if world.maybe("unique", 0.3):
            values["promoted-node-max"] = 2
    world.pairs(element, "meta_attributes", values)
    if inner is not None:
        top.members = members
    world.tops.append(top)


def draw_bundle(world, _kind):
    element = world.add(world.resources, "bundle", id=world.new_id("b"))
    engine = world.add(element, world.pick(("docker", "podman")), image="image")
    top = Top("bundle", element.get("id"), [], element)
    top.instances_max = world.random.randint(1, 3)
    engine.set("replicas", str(top.instances_max))
    stateful = world.chance(0.4)
    top.promoted_max = 1 if stateful else 0
    if stateful:
        engine.set("promoted-max", "1")
    if world.chance(0.2):
        top.per_node_max = 2
        engine.set("replicas-per-host", "2")
    if world.chance(0.7):
        top.host_address = f"192.168.{len(world.tops)}.100"
        world.add(element, "network", ip_range_start=top.host_address, host_netmask="24")
    elif world.chance(0.5):
        world.add(element, "network", control_port="9999")
    meta = {key: value for key, value in meta_attributes(world).items()
            if key in ("target-role", "resource-stickiness", "priority", "is-managed")}
    world.pairs(element, "meta_attributes", meta if world.chance(0.5) else {})
    if element.find("network") is not None and world.chance(0.8):
        top.members = [primitive(world, element, stateful=stateful, plain=True)]
        for offset in range(top.instances_max):
                world.nodes.append(Node(f"{top.id}-{offset}", f"{top.id}-{offset}", kind="bundle"))
    world.tops.append(top)


def draw_tags(world):
    if not world.has("tags") or len(world.tops) < 2:
        return
    tag = world.add(world.add(world.configuration, "tags"), "tag", id=world.new_id("tag"))
    for top in world.few(world.tops, 3):
        world.add(tag, "obj_ref", id=top.id)
