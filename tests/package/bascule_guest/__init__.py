"""Machines that run Debian with systemd, in the test hosts' namespaces. See ../README.md."""

from .base import BaseMissing, find_base
from .guest import Guest

__all__ = ["BaseMissing", "Guest", "find_base"]
