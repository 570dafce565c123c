"""Makes a CIB as small as it can be while both engines still differ in the same way: delta debugging on its elements,
then on its attributes. What is named by nothing any more goes with what named it, so that the schema holds."""
import copy
import time
import xml.etree.ElementTree as ET

FIXED = {"cib", "configuration", "crm_config", "nodes", "resources", "constraints", "status"}
CONSTRAINTS = {"rsc_location", "rsc_colocation", "rsc_order", "rsc_ticket"}
REFERENCES = ("rsc", "with-rsc", "first", "then")
EMPTY_SAYS_NOTHING = {"meta_attributes", "instance_attributes", "utilization", "operations", "transient_attributes",
                      "lrm_resources", "lrm", "resource_set", "group", "tags", "tag", "rsc_defaults", "op_defaults", "tickets"}
ROUNDS = (
    lambda element: element.tag in ("primitive", "group", "clone", "bundle", "template"),
    lambda element: element.tag in CONSTRAINTS,
    lambda element: element.tag == "node",
    lambda element: element.tag in ("node_state", "lrm_resource", "transient_attributes", "rsc_defaults", "op_defaults", "tags"),
    lambda element: element.tag == "lrm_rsc_op",
    lambda element: element.tag not in FIXED,
)
KEPT_ATTRIBUTES = {"id", "validate-with", "execution-date", "have-quorum", "crm_feature_set", "uname", "name", "value"}
# What stands in the status is read as it is: an operation without a result would be another matter.
OPTIONAL_IN_STATUS = {"op-digest", "op-force-restart", "op-restart-digest", "on_node", "last-rc-change", "crm-debug-origin",
                      "migrate_source", "migrate_target"}
IN_STATUS = {"lrm_rsc_op", "lrm_resource", "node_state", "lrm", "ticket_state"}


class Shrinker:
    """`same(text)` says whether a CIB still shows the difference."""

    def __init__(self, same, text_of, until_s):
        self.same, self.text_of, self.until_s = same, text_of, until_s
        self.tries = 0

    def shrink(self, root):
        size = 0
        while size != count(root) and not self.over():
            size = count(root)
            for fits in ROUNDS:
                root = self.without_elements(root, fits)
            root = self.unwrapped(root)
        return self.without_attributes(root)

    def over(self):
        return time.monotonic() > self.until_s

    def holds(self, root):
        self.tries += 1
        return self.same(self.text_of(copy.deepcopy(root)))

    def without_elements(self, root, fits):
        """Removes ever smaller chunks of those that fit."""
        places = [index for index, element in enumerate(root.iter()) if fits(element)]
        size = max(1, len(places) // 2)
        while places and not self.over():
            position, removed = 0, False
            while position < len(places) and not self.over():
                smaller = without(root, set(places[position:position + size]))
                if smaller is not None and self.holds(smaller):
                    root, removed = smaller, True
                    places = [index for index, element in enumerate(root.iter()) if fits(element)]
                else:
                    position += size
            if size == 1 and not removed:
                break
            size = max(1, size // 2)
        return root

    def unwrapped(self, root):
        """A group of one, or a clone, may be as good as its member."""
        for tag in ("group", "clone"):
            for number in range(len(root.findall(f".//{tag}"))):
                smaller = copy.deepcopy(root)
                found = smaller.findall(f".//{tag}")
                if number >= len(found):
                    break
                if unwrap(smaller, found[number]) and self.holds(smaller):
                    root = smaller
        return root

    def without_attributes(self, root):
        places = [(index, name) for index, element in enumerate(root.iter()) for name in element.attrib
                  if name not in KEPT_ATTRIBUTES and (element.tag not in IN_STATUS or name in OPTIONAL_IN_STATUS)]
        size = max(1, len(places) // 2)
        while places and not self.over():
            position, removed = 0, False
            while position < len(places) and not self.over():
                smaller = copy.deepcopy(root)
                elements = list(smaller.iter())
                for index, name in places[position:position + size]:
                    del elements[index].attrib[name]
                if self.holds(smaller):
                    root, removed = smaller, True
                    del places[position:position + size]
                else:
                    position += size
            if size == 1 and not removed:
                break
            size = max(1, size // 2)
        return root


def count(root):
    return sum(1 for _ in root.iter())


def unwrap(root, element):
    """Puts the first child resource in the place of `element`, which must have no other."""
    inner = [child for child in element if child.tag in ("primitive", "group")]
    parent = next(each for each in root.iter() if element in list(each))
    if len(inner) != 1 or parent.tag == "clone" and inner[0].tag != "primitive":
        return False
    parent[list(parent).index(element)] = inner[0]
    for constraint in root.find("configuration/constraints").iter():
        for name in REFERENCES + (("id",) if constraint.tag == "resource_ref" else ()):
            if constraint.get(name) == element.get("id"):
                constraint.set(name, inner[0].get("id"))
    return True


def without(root, gone):
    """A copy without these elements (by place in the document) and without what refers to them; None if nothing goes."""
    smaller = copy.deepcopy(root)
    doomed = {id(element) for index, element in enumerate(smaller.iter()) if index in gone}
    named = ids_of(smaller)
    if not remove(smaller, lambda element: id(element) in doomed):
        return None
    if smaller.find("configuration/nodes/node") is None:
        return None
    lost = named - ids_of(smaller)
    while remove(smaller, lambda element: dangling(element, lost) or hollow(element)):
        lost = named - ids_of(smaller)
    return smaller


def ids_of(root):
    wanted = ("primitive", "group", "clone", "bundle", "template", "tag")
    names = {element.get("id") for element in root.iter() if element.tag in wanted}
    return names | {element.get("uname") for element in root.iter("node")}


def dangling(element, lost):
    if element.tag in CONSTRAINTS:
        return any(element.get(name) in lost for name in REFERENCES + ("node",) if element.get(name) is not None)
    if element.tag in ("resource_ref", "obj_ref"):
        return element.get("id") in lost
    if element.tag == "lrm_resource":
        return element.get("id").split(":")[0] in lost
    return element.tag == "node_state" and element.get("uname") in lost


def hollow(element):
    if element.tag in CONSTRAINTS:
        return element.find("resource_set") is None and not any(element.get(name) for name in REFERENCES + ("rsc-pattern",))
    if element.tag == "group":
        return element.find("primitive") is None
    if element.tag == "clone":
        return element.find("primitive") is None and element.find("group") is None
    return element.tag in EMPTY_SAYS_NOTHING and len(element) == 0


def remove(root, doomed):
    """Removes elements; True if there was any."""
    found = False
    for parent in list(root.iter()):
        for child in list(parent):
            if doomed(child):
                parent.remove(child)
                found = True
    return found


def shrink_text(text, same, text_of, seconds):
    shrinker = Shrinker(same, text_of, time.monotonic() + seconds)
    root = shrinker.shrink(ET.fromstring(text))
    return text_of(root), shrinker.tries
