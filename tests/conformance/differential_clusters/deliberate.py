"""Differences that are meant, because crm_simulate contradicts itself: it answers differently when something is changed that
means nothing, and one of its answers is ours, which stays the same. This is decided by running both engines again, never by
a list of clusters; what is not proved so is a difference."""
import hashlib
import xml.etree.ElementTree as ET

TRIES = 12
NODE_ID_HOLDERS = ("node", "node_state", "lrm", "transient_attributes")


def meant(engines, text, text_of):
    """Why a difference is meant; None if nothing proves it to be."""
    ours, theirs = engines.ours(text), engines.theirs(text)
    for reason, change in CHANGES.items():
        for number in range(TRIES):
            root = ET.fromstring(text)
            change(root, number)
            changed = text_of(root)
            if engines.ours(changed) != ours:
                break
            answer = engines.theirs(changed)
            if answer is not None and answer == ours and answer != theirs:
                return reason
    return None


def change_node_ids(root, number):
    """Names say which node is which, and where everything else is equal the names decide; ids are arbitrary numbers. Those of
    remote and guest nodes are their names."""
    other = {node.get("id"): other_id(node.get("id"), number)
             for node in root.iter("node") if node.get("id") and node.get("type") != "remote"}
    for element in root.iter():
        if element.tag in NODE_ID_HOLDERS and element.get("id") in other:
            element.set("id", other[element.get("id")])
    if root.get("dc-uuid") in other:
        root.set("dc-uuid", other[root.get("dc-uuid")])


def other_id(node_id, number):
    return str(int(digest(node_id, number)[:8], 16) % 1_000_000 + 1_000)


def digest(name, number):
    return hashlib.sha256(f"{name}/{number}".encode()).hexdigest()


CHANGES = {
    "crm_simulate goes by the order of a hash table: with other ids for the same nodes its answer is ours": change_node_ids,
}
