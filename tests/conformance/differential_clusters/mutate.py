"""Makes CIBs wrong: bytes, attributes, elements, numbers, references, loops."""
import copy
import random
import xml.etree.ElementTree as ET

NUMBERS = ("", "-1", "0", "99999999999999999999", "-99999999999999999999", "2147483648", "1e9", "0x10", "INFINITY", "-INFINITY",
           "+-1", "P999999999999Y", "9999999999999h", "٣", "NaN")
WORDS = ("", "true", "nowhere", "a\nb", "x" * 5000, "&<>\"'", "Promoted", "Stopped", "fence", "#uname", "(((", "..", ":", "cib")


def mutated(root, seed):
    """The bytes of a CIB that is somehow wrong; the same for the same seed."""
    rng = random.Random(seed)
    root = copy.deepcopy(root)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        rng.choice(CHANGES)(root, rng)
    if rng.random() < 0.7:  # what has no schema is read as far as it can be
        root.set("validate-with", "none")
    for element in root.iter():  # a value that a change took away goes with its name
        for name in [name for name, value in element.attrib.items() if value is None]:
            del element.attrib[name]
    text = ET.tostring(root, encoding="unicode").encode("utf-8", "surrogatepass")
    return broken(text, rng) if rng.random() < 0.25 else text


def elements(root):
    return list(root.iter())


def change_value(root, rng):
    element = rng.choice(elements(root))
    if element.attrib:
        element.set(rng.choice(sorted(element.attrib)), rng.choice(NUMBERS + WORDS))


def change_number(root, rng):
    places = [(element, name) for element in root.iter() for name, value in element.attrib.items()
              if (value or "").lstrip("-").isdigit() or value in ("INFINITY", "-INFINITY")]
    if places:
        element, name = rng.choice(places)
        element.set(name, rng.choice(NUMBERS))


def swap_values(root, rng):
    """References to things of another kind, to itself, in circles."""
    names = ("rsc", "with-rsc", "first", "then", "template", "node", "uname", "id", "ticket", "migrate_target", "migrate_source")
    places = [(element, name) for element in root.iter() for name in names if element.get(name) is not None]
    if len(places) > 1:
        (one, name), (other, other_name) = rng.sample(places, 2)
        value = other.get(other_name)
        one.set(name, value)


def remove_attribute(root, rng):
    element = rng.choice(elements(root))
    if element.attrib:
        del element.attrib[rng.choice(sorted(element.attrib))]


def remove_element(root, rng):
    parent = rng.choice(elements(root))
    if len(parent):
        parent.remove(rng.choice(list(parent)))


def move_element(root, rng):
    if not len(root):
        return
    parent = rng.choice([element for element in root.iter() if len(element)])
    child = rng.choice(list(parent))
    inside = set(child.iter())
    target = rng.choice([element for element in root.iter() if element not in inside])
    parent.remove(child)
    target.insert(rng.randint(0, len(target)), child)


def repeat_element(root, rng):
    if not len(root):
        return
    parent = rng.choice([element for element in root.iter() if len(element)])
    child = rng.choice(list(parent))
    for number in range(rng.choice((1, 1, 2, 30))):
        twin = copy.deepcopy(child)
        if rng.random() < 0.7:
            for element in twin.iter():
                if element.get("id") is not None and element.tag not in ("node", "node_state", "lrm_resource", "resource_ref"):
                    element.set("id", f"{element.get('id')}.{number}")
        parent.append(twin)


def constraint_loop(root, rng):
    holder = root.find("configuration/constraints")
    ids = [element.get("id") for element in root.iter() if element.tag in ("primitive", "group", "clone", "bundle")]
    if holder is None or not ids:
        return
    ring = [rng.choice(ids) for _ in range(rng.randint(1, 6))]
    for number, (one, other) in enumerate(zip(ring, ring[1:] + ring[:1])):
        order = rng.random() < 0.5
        made = ET.SubElement(holder, "rsc_order" if order else "rsc_colocation", {"id": f"loop{number}-{rng.randint(0, 10**9)}"})
        made.set("first" if order else "rsc", one)
        made.set("then" if order else "with-rsc", other)
        if not order:
            made.set("score", rng.choice(("INFINITY", "-INFINITY", "1", "-5000")))


def nest(root, rng):
    element = rng.choice(elements(root))
    for _ in range(rng.choice((3, 50, 400))):
        element = ET.SubElement(element, element.tag, {"id": f"n{rng.randint(0, 10**9)}"})


def huge_clone(root, rng):
    for element in root.iter("nvpair"):
        if element.get("name") in ("clone-max", "clone-node-max", "promoted-max", "clone-min") and rng.random() < 0.8:
            element.set("value", rng.choice(NUMBERS + ("1000", "100000")))
    for element in root.iter("docker"):
        element.set("replicas", rng.choice(("1000", "99999999", "-3")))


CHANGES = (change_value, change_value, change_number, change_number, swap_values, swap_values, remove_attribute,
           remove_element, remove_element, move_element, repeat_element, constraint_loop, nest, huge_clone)


def broken(text, rng):
    data = bytearray(text)
    for _ in range(rng.choice((1, 3, 20))):
        place = rng.randrange(len(data))
        kind = rng.random()
        if kind < 0.4:
            data[place] = rng.randrange(256)
        elif kind < 0.7:
            del data[place:place + rng.randint(1, 40)]
        elif kind < 0.9:
            begin = rng.randrange(len(data))
            data[place:place] = data[begin:begin + rng.randint(1, 200)]
        else:
            del data[place:]
        if not data:
            return b"<"
    return bytes(data)
