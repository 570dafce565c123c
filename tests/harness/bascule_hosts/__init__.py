"""Hosts made of namespaces: start, cut, freeze, kill, boot again, and leave nothing behind. See ../README.md."""

from .asker import AddressAsker
from .client import LoadResult, read_orders
from .leftovers import Footprint
from .wire import WireWatch, find_overlaps
from .world import Host, HostError, World

__all__ = ["AddressAsker", "Footprint", "Host", "HostError", "LoadResult", "WireWatch", "World", "find_overlaps",
           "read_orders"]
