"""A whole machine of its own: QEMU with Debian's kernel, whose root is this machine's, read only, with a disk above it."""

from .image import MachineMissing, make_image
from .machine import Machine

__all__ = ["Machine", "MachineMissing", "make_image"]
