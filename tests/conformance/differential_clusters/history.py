"""The status section of a random cluster: who is up, what runs where, what failed and when."""
import hashlib

from .world import NOW_S, Primitive

UNIQUE = "0d0d0d0d-0000-4000-8000-000000000001"
STATES = {  # in_ccm, crmd, join, expected
    "online": ("true", "online", "member", "member"),
    "offline": ("false", "offline", "down", "down"),
    "unclean": ("false", "offline", "down", "member"),
    "pending": ("true", "online", "down", "member"),
    "leaving": ("true", "online", "member", "member"),
}


def draw_status(world):
    writer = HistoryWriter(world)
    for node in world.nodes:
        writer.add_node(node)
    for top in world.tops:
        place(world, writer, top)
    if world.has("orphan"):
        orphans(world, writer)
    for node in world.nodes:
        attributes(world, writer, node)


class HistoryWriter:
    """Writes node states and what was done on them."""

    def __init__(self, world):
        self.world = world
        self.calls = 0
        self.resources = {}
        self.states = {}

    def add_node(self, node):
        world = self.world
        if node.kind == "member" and node.state == "offline" and world.chance(0.3):
            return
        state = world.add(world.status, "node_state", id=node.id, uname=node.name)
        if node.kind == "member":
            for name, value in zip(("in_ccm", "crmd", "join", "expected"), STATES[node.state]):
                state.set(name, value)
            if node.state == "unclean" and world.chance(0.5):
                state.set("join", world.pick(("member", "pending")))
            if node.state == "pending":
                state.set("join", world.pick(("down", "pending")))
        else:
            state.set("remote_node", "true")
            state.set("in_ccm", world.pick(("true", "true", "false")))
        self.states[node.name] = state
        if node.kind != "member" or node.state not in ("offline",) or world.chance(0.3):
            lrm = world.add(state, "lrm", id=node.id)
            self.resources[node.name] = (world.add(lrm, "lrm_resources"), {})

    def resource(self, node, name, primitive):
        holder, known = self.resources[node.name]
        if name not in known:
            known[name] = self.world.add(holder, "lrm_resource", id=name, type=primitive.type)
            known[name].set("class", primitive.resource_class)
            if primitive.provider:
                known[name].set("provider", primitive.provider)
        return known[name]

    def operation(self, node, name, primitive, task, rc, interval_ms=0, status=None, target=None, entry="last_0", **more):
        if node.name not in self.resources:
            return
        world = self.world
        self.calls += 1
        if target is None:
            target = rc
        if status is None:
            status = 0 if rc == target else 4 if rc not in (0, 7, 8, 9) else 0
        key = f"{world.random.randint(1, 40)}:{world.random.randint(1, 40)}:{target}:{UNIQUE}"
        entry = f"{name}_{entry}" if not interval_ms or entry != "last_0" else f"{name}_monitor_{interval_ms}"
        values = {"id": entry, "operation_key": f"{name}_{task}_{interval_ms}", "operation": task,
                  "crm-debug-origin": "simulated", "crm_feature_set": "3.16.1", "transition-key": key,
                  "transition-magic": f"{status}:{rc};{key}", "call-id": str(self.calls if status != -1 else -1),
                  "rc-code": str(rc), "op-status": str(status), "interval": str(interval_ms),
                  "last-rc-change": str(NOW_S - 10_000 + 7 * self.calls), "on_node": node.name, **more}
        if task != "stop" and not world.maybe("partial", 0.05):
            self._digest(values, primitive, interval_ms)
        if task in ("migrate_to", "migrate_from") and entry.endswith("_last_0"):
            values["id"] = f"{name}_{task}_0"
        holder = self.resource(node, name, primitive)
        for old in holder.findall("lrm_rsc_op"):  # the last of its kind is what is kept
            if old.get("id") == values["id"]:
                holder.remove(old)
        made = world.add(holder, "lrm_rsc_op")
        for attribute, value in values.items():
            made.set(attribute, value)

    def _digest(self, values, primitive, interval_ms):
        """Of the parameters as they are configured, or as they were before they were changed."""
        world = self.world
        parameters = dict(primitive.parameters)
        if interval_ms:
            parameters["CRM_meta_timeout"] = str(primitive.timeouts_ms.get(interval_ms, world.default_timeout_ms))
        if world.maybe("digest", 0.15):
            parameters["delay"] = "99"
        values["op-digest"] = digest(parameters)
        if "state" in parameters and world.maybe("digest", 0.5):
            values["op-force-restart"] = " state "
            values["op-restart-digest"] = digest({"state": parameters["state"]})


def digest(parameters):
    text = " <parameters" + "".join(f' {key}="{parameters[key]}"' for key in sorted(parameters)) + "/>\n"
    return hashlib.md5(text.encode()).hexdigest()


# ---- what runs where -----------------------------------------------------------------------------------------------

def hosts(world, top):
    """Nodes that may have a history of it."""
    primitive = top.members[0] if top.members else None
    only_members = primitive is not None and (primitive.remote or primitive.guest or primitive.resource_class == "stonith")
    return [node for node in world.nodes
            if node.kind == "member" or (not only_members and node.kind in ("remote", "guest"))]


def place(world, writer, top):
    candidates = hosts(world, top)
    likely = [node for node in candidates if node.state in ("online", "unclean", "leaving")]
    if top.kind == "bundle":
        return bundle(world, writer, top, likely)
    if top.clone:
        return clone(world, writer, top, candidates, likely)
    active = likely and world.chance(0.65)
    home = world.pick(likely) if active else None
    depth = len(top.members) if world.chance(0.8) else world.random.randint(0, len(top.members))
    for number, member in enumerate(top.members):
        places = {home.name} if home is not None and number < depth else set()
        if world.maybe("multiply_running", 0.2) and likely:
            places.add(world.pick(likely).name)
        for node in candidates:
            record(world, writer, node, member.id, member, "Started" if node.name in places else "Stopped")
        if world.maybe("migrating", 0.3) and world.has("migrate") and len(likely) > 1:
            migration(world, writer, member, likely)


def clone(world, writer, top, candidates, likely):
    homes = {}
    number = 0
    shuffled = world.random.sample(likely, len(likely))
    if world.chance(0.75):
        for node in shuffled[:top.instances_max] if world.chance(0.6) else shuffled[:world.random.randint(0, len(shuffled))]:
            for _ in range(world.random.randint(1, top.per_node_max)):
                homes[number] = node
                number += 1
    promoted = set(range(world.random.randint(0, top.promoted_max + 1))) if top.kind == "promotable" else set()
    if top.unique:
        for index in range(max(number, 1)):
            for member in top.members:
                for node in candidates:
                    here = homes.get(index) is node
                    role = "Promoted" if here and index in promoted else "Started" if here else "Stopped"
                    record(world, writer, node, f"{member.id}:{index}", member, role)
    else:
        for node in candidates:
            mine = [index for index, home in homes.items() if home is node]
            depth = len(top.members) if world.chance(0.9) else world.random.randint(0, len(top.members))
            for place_in_group, member in enumerate(top.members):
                role = "Stopped" if not mine or place_in_group >= depth else "Promoted" if mine[0] in promoted else "Started"
                name = f"{member.id}:{mine[0]}" if mine and world.maybe("old_names", 0.3) else member.id
                record(world, writer, node, name, member, role)
    if top.kind == "promotable":
        for node in candidates:
            if world.chance(0.6):
                for index in sorted({i for i, home in homes.items() if home is node} or {0}):
                    suffix = f":{index}" if top.unique else ""
                    node.transient[f"master-{top.members[0].id}{suffix}"] = world.pick((5, 10, 10, 100, 1, -5, "INFINITY"))


def bundle(world, writer, top, likely):
    likely = [node for node in likely if node.kind == "member"]
    engine = next(child.tag for child in top.element if child.tag in ("docker", "podman", "rkt"))
    container = Primitive("", "ocf", "heartbeat", engine, [(60000, "")])
    address = Primitive("", "ocf", "heartbeat", "IPaddr2", [(60000, "")])
    connection = Primitive("", "ocf", "pacemaker", "remote", [(30000, "")])
    for offset in range(top.instances_max):
        home = world.pick(likely) if likely and world.chance(0.65) else None
        for node in [each for each in world.nodes if each.kind == "member"]:
            role = "Started" if node is home else "Stopped"
            record(world, writer, node, f"{top.id}-{engine}-{offset}", container, role)
            if top.host_address:
                base, last = top.host_address.rsplit(".", 1)
                record(world, writer, node, f"{top.id}-ip-{base}.{int(last) + offset}", address, role)
            if top.members and (role == "Started" or world.chance(0.5)):
                record(world, writer, node, f"{top.id}-{offset}", connection, role)
        if top.members and home is not None:
            guest = next(node for node in world.nodes if node.name == f"{top.id}-{offset}")
            role = world.pick(("Started", "Started", "Stopped", "Promoted") if top.promoted_max else ("Started", "Started", "Stopped"))
            record(world, writer, guest, top.members[0].id, top.members[0], role)
            if top.promoted_max and world.chance(0.6):
                guest.transient[f"master-{top.members[0].id}"] = world.pick((5, 10, 100))


# ---- one resource on one node --------------------------------------------------------------------------------------

def record(world, writer, node, name, member, role):
    if node.name not in writer.resources or world.maybe("partial", 0.25):
        return
    if world.maybe("failures", 0.12):
        return failure(world, writer, node, name, member, role)
    if world.maybe("pending", 0.06):
        return pending(world, writer, node, name, member, role)
    if role == "Stopped":
        if world.chance(0.75):
            writer.operation(node, name, member, "monitor", 7)
        else:
            writer.operation(node, name, member, "stop", 0)
            if world.maybe("stopped_monitor", 0.5):
                monitors(world, writer, node, name, member, role)
        return
    if role == "Promoted":
        writer.operation(node, name, member, "promote", 0)
    elif world.chance(0.8):
        writer.operation(node, name, member, "start", 0)
    elif world.chance(0.8):
        writer.operation(node, name, member, "monitor", 0, target=7)
    else:
        writer.operation(node, name, member, "demote" if member.type == "Stateful" else "start", 0)
    monitors(world, writer, node, name, member, role)


def monitors(world, writer, node, name, member, role):
    for interval_ms, wanted in member.monitors:
        fits = wanted == ("Stopped" if role == "Stopped" else "") or (wanted == "Promoted") == (role == "Promoted")
        if wanted == "Stopped" and role != "Stopped" or role == "Stopped" and wanted != "Stopped" or not fits:
            continue
        if world.chance(0.85):
            rc = 8 if role == "Promoted" else 7 if role == "Stopped" else 0
            writer.operation(node, name, member, "monitor", rc, interval_ms)
    if world.maybe("orphan", 0.1):
        writer.operation(node, name, member, "monitor", 8 if role == "Promoted" else 0, 77000)


def failure(world, writer, node, name, member, role):
    """The last thing that was done, or the recurring monitor, has failed."""
    task = world.pick(("monitor", "monitor", "start", "stop", "probe") + (("promote", "demote") if member.type == "Stateful" else ()))
    rc = world.pick((1, 1, 1, 2, 5, 6, 7, 198))
    status = 2 if rc == 198 else None
    rc = 1 if rc == 198 else rc
    if rc == 7 and task != "monitor":
        rc = 1
    interval_ms = 0
    if task == "monitor":
        intervals = [interval for interval, wanted in member.monitors if wanted != "Stopped"]
        interval_ms = intervals[0] if intervals else 0
        if interval_ms == 0:
            task = "probe"
        else:
            writer.operation(node, name, member, "promote" if role == "Promoted" else "start", 0)
            writer.operation(node, name, member, "monitor", 8 if role == "Promoted" else 0, interval_ms)
    if task == "probe":
        writer.operation(node, name, member, "monitor", rc if rc != 7 else 1, target=7, status=status)
        if world.chance(0.5):
            writer.operation(node, name, member, "monitor", 1, target=7, entry="last_failure_0", status=status)
        return
    target = 8 if task == "monitor" and role == "Promoted" else 0
    if interval_ms == 0:
        writer.operation(node, name, member, task, rc, target=target, status=status)
    if interval_ms or world.chance(0.6):
        writer.operation(node, name, member, task, rc, interval_ms, target=target, status=status, entry="last_failure_0")
    if task in ("stop", "start") and world.chance(0.3):
        writer.operation(node, name, member, "start" if task == "stop" else "stop", 0)
    if world.chance(0.8):
        counts(world, node, name, task, interval_ms)


def counts(world, node, name, task, interval_ms):
    base = name.split(":")[0]
    value = "INFINITY" if task in ("start", "stop") and world.chance(0.6) else world.pick((1, 1, 2, 3, 5))
    node.transient[f"fail-count-{base}#{task}_{interval_ms}"] = value
    if world.chance(0.9):
        node.transient[f"last-failure-{base}#{task}_{interval_ms}"] = NOW_S - world.pick((5, 45, 500, 5000, 9000))


def pending(world, writer, node, name, member, role):
    task = world.pick(("start", "stop", "monitor") + (("promote", "demote") if member.type == "Stateful" else ()))
    if task in ("stop", "promote", "demote") and role != "Stopped" and world.chance(0.5):
        writer.operation(node, name, member, "start", 0, entry="last_0" if world.chance(0.1) else "last_failure_0")
    writer.operation(node, name, member, task, 193, status=-1, target=7 if task == "monitor" else 0)


def migration(world, writer, member, likely):
    source, target = world.random.sample(likely, 2)
    if source.name not in writer.resources or target.name not in writer.resources:
        return
    for node in (source, target):
        _, known = writer.resources[node.name]
        if member.id in known:
            writer.resources[node.name][0].remove(known.pop(member.id))
    ends = dict(migrate_source=source.name, migrate_target=target.name)
    kind = world.random.randint(0, 4)
    writer.operation(source, member.id, member, "migrate_to", 0 if kind else 1, target=0, **ends)
    if kind == 2:
        writer.operation(target, member.id, member, "migrate_from", 193, status=-1, target=0, **ends)
    elif kind == 3:
        writer.operation(target, member.id, member, "migrate_from", 0, target=0, **ends)
        if world.chance(0.5):
            writer.operation(source, member.id, member, "stop", 0)
    elif kind == 4:
        writer.operation(target, member.id, member, "migrate_from", 1, target=0, **ends)


# ---- the rest ------------------------------------------------------------------------------------------------------

def orphans(world, writer):
    for _ in range(world.random.randint(0, 2)):
        gone = Primitive(world.new_id("gone"), "ocf", "heartbeat", "Dummy", [(10000, "")])
        for node in world.nodes:
            if node.kind in ("member", "remote") and world.chance(0.4):
                record(world, writer, node, gone.id, gone, world.pick(("Started", "Stopped")))


def attributes(world, writer, node):
    state = writer.states.get(node.name)
    if state is None:
        return
    values = dict(node.transient)
    if node.kind == "member":
        values["probe_complete"] = "true"
        if node.state == "leaving":
            values["shutdown"] = str(NOW_S - 60)
        if world.maybe("unclean", 0.05):
            values["terminate"] = "true"
        if world.maybe("standby", 0.05):
            values["standby"] = "on"
    if world.maybe("health", 0.2):
        values["#health-net"] = world.pick(("green", "yellow", "red"))
    if not values:
        return
    holder = world.add(state, "transient_attributes", id=node.id)
    world.pairs(holder, "instance_attributes", values)
