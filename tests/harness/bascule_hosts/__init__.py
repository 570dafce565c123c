"""Hosts made of namespaces: start, cut, freeze, kill, boot again, and leave nothing behind. See ../README.md."""

from .client import LoadResult, read_orders
from .leftovers import Snapshot
from .wire import WireWatch, find_overlaps
from .world import Host, HostError, World

__all__ = ["Host", "HostError", "LoadResult", "Snapshot", "WireWatch", "World", "find_overlaps", "read_orders"]
