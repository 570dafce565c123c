"""A random cluster, the same for the same seed."""
import xml.etree.ElementTree as ET

from . import configuration, constraints, history, resources
from .world import World


def generate(seed):
    """The root element of a CIB."""
    world = World(seed)
    configuration.draw_properties(world)
    configuration.draw_nodes(world)
    resources.draw_resources(world)
    configuration.draw_defaults(world)
    constraints.draw_constraints(world)
    configuration.draw_tickets(world)
    history.draw_status(world)
    return world.root


def text_of(root):
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"
