"""Constraints of a random cluster."""
ROLES = ("Promoted", "Unpromoted", "Started", "Stopped")


def draw_constraints(world):
    count = max(1, round(len(world.tops) * world.pick((0.3, 0.6, 1.0, 1.5))))
    for _ in range(count):
        for name, draw in (("location", draw_location), ("order", draw_order), ("colocation", draw_colocation)):
            if world.maybe(name, 0.6):
                draw(world)
    if world.has("ticket"):
        world.tickets = [world.new_id("ticket") for _ in range(world.random.randint(1, 2))]
        for _ in range(world.random.randint(1, 4)):
            draw_ticket(world)


def target(world, single=False):
    """The id of something that constraints may be about; `single`: neither a tag nor a template."""
    choices = [top.id for top in world.tops]
    choices += [member.id for top in world.tops if top.kind == "group" for member in top.members]
    if not single and world.has("template"):
        choices += [each.get("id") for each in world.resources.findall("template")]
    if not single and world.has("tags"):
        choices += [each.get("id") for each in world.configuration.iter("tag")]
    return world.pick(choices)


def ranks(world):
    """A place for each resource in an order that has no loop: orders go from lower to higher ones. Loops of orders have
    no answer; Pacemaker's executor gives up on them."""
    if not world.ranks:
        tops = world.random.sample(world.tops, len(world.tops))
        for number, top in enumerate(tops):
            world.ranks[top.id] = (number, 0)
            if top.kind == "group":
                world.ranks.update({member.id: (number, place) for place, member in enumerate(top.members, 1)})
    return world.ranks


def pair(world):
    """Two different resources, the one that comes first in the order of things before the other; none of one group with
    the group itself."""
    first, second = sorted((target(world, single=True), target(world, single=True)), key=lambda each: ranks(world)[each])
    lower, higher = ranks(world)[first], ranks(world)[second]
    return None if lower[0] == higher[0] and (lower[1] == 0 or lower == higher) else (first, second)


def node_name(world):
    return world.pick([node.name for node in world.nodes if node.kind != "bundle"])


def role_of(world):
    role = world.pick(ROLES)
    return {"Promoted": "Master", "Unpromoted": "Slave"}.get(role, role) if world.has("old_names") else role


def resource_set(world, parent, ids, **attributes):
    made = world.add(parent, "resource_set", id=world.new_id("set"), **attributes)
    for each in ids:
        world.add(made, "resource_ref", id=each)
    return made


def distinct(world, most=4, single=False):
    return list(dict.fromkeys(target(world, single) for _ in range(world.random.randint(1, most))))


def ordered_sets(world, most):
    """Several sets of resources, each with what is before the next one's, and one instance of each group."""
    ids = {ranks(world)[each][0]: each for each in distinct(world, most, single=True)}
    members = [ids[rank] for rank in sorted(ids)]
    cuts = sorted(world.random.sample(range(1, len(members)), world.random.randint(0, min(2, len(members) - 1))))
    return [members[begin:end] for begin, end in zip([0] + cuts, cuts + [len(members)])]


# ---- locations -----------------------------------------------------------------------------------------------------

def draw_location(world):
    made = world.add(world.constraints, "rsc_location", id=world.new_id("l"))
    if world.maybe("location_set", 0.3):
        resource_set(world, made, distinct(world))
    elif world.maybe("pattern", 0.3):
        made.set("rsc-pattern", world.pick(("^r[0-9]*1", ".*2$", "!^r", "^(g|c)")))
    else:
        made.set("rsc", target(world))
    if world.maybe("location_role", 0.4) and made.find("resource_set") is None:
        made.set("role", role_of(world))
    if world.maybe("location_rule", 0.5):
        for _ in range(1 if world.chance(0.8) else 2):
            draw_rule(world, made)
    else:
        made.set("node", node_name(world))
        made.set("score", world.score())
    if world.maybe("discovery", 0.5):
        made.set("resource-discovery", world.pick(("always", "never", "exclusive")))


def draw_rule(world, parent, depth=0):
    rule = world.add(parent, "rule", id=world.new_id("rule"))
    if depth == 0:
        if world.maybe("node_attributes", 0.2):
            rule.set("score-attribute", "weight")
        else:
            rule.set("score", world.score())
        if world.maybe("location_role", 0.3) and parent.get("role") is None:
            rule.set("role", role_of(world))
    count = world.random.randint(1, 2)
    if count > 1 or world.chance(0.3):
        rule.set("boolean-op", world.pick(("and", "or")))
    for _ in range(count):
        if depth < 1 and world.chance(0.15):
            draw_rule(world, rule, depth + 1)
        else:
            draw_expression(world, rule)


def draw_expression(world, rule):
    kind = world.random.random()
    identity = world.new_id("e")
    if kind < 0.45:
        world.add(rule, "expression", id=identity, attribute="#uname", operation=world.pick(("eq", "ne", "lt", "gt")),
                  value=node_name(world))
    elif kind < 0.6:
        world.add(rule, "expression", id=identity, attribute=world.pick(("rack", "absent")),
                  operation=world.pick(("defined", "not_defined")))
    elif kind < 0.75:
        world.add(rule, "expression", id=identity, attribute="rack", operation=world.pick(("eq", "ne")), value="r1")
    elif kind < 0.9:
        made = world.add(rule, "expression", id=identity, attribute="weight", value=world.pick((1, 5, 20, -5)),
                         operation=world.pick(("eq", "ne", "lt", "gt", "lte", "gte")))
        if world.chance(0.6):
            made.set("type", world.pick(("number", "integer", "string")))
    elif world.chance(0.5):
        world.add(rule, "date_expression", id=identity, operation="gt", start=world.pick(("2023-01-01", "2024-01-01")))
    else:
        made = world.add(rule, "date_expression", id=identity, operation="date_spec")
        world.add(made, "date_spec", id=world.new_id("ds"), hours=world.pick(("0-23", "9-16", "22")))


# ---- orders --------------------------------------------------------------------------------------------------------

def draw_order(world):
    made = world.add(world.constraints, "rsc_order", id=world.new_id("o"))
    if world.maybe("order_kind"):
        if world.chance(0.8):
            made.set("kind", world.pick(("Mandatory", "Optional", "Serialize")))
        else:
            made.set("score", world.pick(("0", "INFINITY", "100", "-1")))
    if world.maybe("order_kind", 0.3):
        made.set("symmetrical", world.pick(("true", "false")))
    if world.maybe("order_set", 0.4):
        for ids in ordered_sets(world, 7):
            draw_order_set(world, made, ids)
        return
    found = pair(world)
    if found is None:
        world.constraints.remove(made)
        return
    first, then = found
    made.set("first", first)
    made.set("then", then)
    if world.maybe("order_action", 0.4):
        made.set("first-action", world.pick(("start", "stop", "promote", "demote")))
        if world.chance(0.6):
            made.set("then-action", world.pick(("start", "stop", "promote", "demote")))
    if world.maybe("order_kind", 0.15):
        made.set("require-all", "false")


def draw_order_set(world, parent, ids):
    made = resource_set(world, parent, ids)
    if world.chance(0.4):
        made.set("sequential", world.pick(("true", "false")))
    if world.chance(0.25):
        made.set("require-all", "false")
        made.set("sequential", "false")
    if world.maybe("order_action", 0.2):
        made.set("action", world.pick(("start", "stop", "promote", "demote")))
    if world.maybe("order_action", 0.2):
        made.set("role", role_of(world))


# ---- colocations ---------------------------------------------------------------------------------------------------

def draw_colocation(world):
    made = world.add(world.constraints, "rsc_colocation", id=world.new_id("k"))
    made.set("score", world.score() if world.chance(0.97) else "0")
    if world.maybe("influence", 0.4):
        made.set("influence", world.pick(("true", "false")))
    if world.maybe("colocation_set", 0.4):
        for _ in range(world.random.randint(1, 3)):
            inner = resource_set(world, made, distinct(world))
            if world.chance(0.4):
                inner.set("sequential", world.pick(("true", "false")))
            if world.maybe("colocation_role", 0.3):
                inner.set("role", role_of(world))
            if world.chance(0.15):
                inner.set("score", world.score())
            if world.chance(0.15):
                inner.set("ordering", world.pick(("group", "listed")))
        return
    primary, dependent = pair(world) or (target(world), target(world))
    if world.chance(0.1):
        primary, dependent = target(world), target(world)
    if primary == dependent:
        world.constraints.remove(made)
        return
    made.set("rsc", dependent)
    made.set("with-rsc", primary)
    if world.maybe("colocation_role", 0.5):
        made.set("rsc-role", role_of(world))
    if world.maybe("colocation_role", 0.6):
        made.set("with-rsc-role", role_of(world))
    if world.maybe("colocation_attribute", 0.4):
        made.set("node-attribute", world.pick(("rack", "#uname", "absent")))


# ---- tickets -------------------------------------------------------------------------------------------------------

def draw_ticket(world):
    made = world.add(world.constraints, "rsc_ticket", id=world.new_id("u"), ticket=world.pick(world.tickets))
    if world.chance(0.2):
        inner = resource_set(world, made, distinct(world))
        if world.chance(0.3):
            inner.set("role", "Promoted")
    else:
        made.set("rsc", target(world))
        if world.chance(0.3):
            made.set("rsc-role", role_of(world))
    if world.chance(0.7):
        made.set("loss-policy", world.pick(("stop", "demote", "fence", "freeze")))


