"""The register of rows. A row is a function of (bed, active, passive): the active side is the one that the row's text begins
with (the source, the primary, the one that is cut off); it runs once with the kernel in this place and once with us."""

from dataclasses import dataclass
from typing import Callable

ROWS = {}


@dataclass(frozen=True)
class Row:
    name: str
    text: str
    run: Callable
    both: bool
    quick: bool


def row(name, quick=False, both=True):
    """Registers a row under a name; its text is the first line of the function's documentation."""
    def register(function):
        assert name not in ROWS, name
        ROWS[name] = Row(name, function.__doc__.strip().split("\n")[0], function, both, quick)
        return function
    return register


def actives(chosen):
    """The names of the sides that a row runs with in the active place."""
    return ["kernel", "bascule"] if chosen.both else ["kernel"]


def direction(bed, name):
    """(label, active, passive) where the side with this name is the active one."""
    active = bed.kernel if name == "kernel" else bed.bascule
    passive = bed.other(active)
    return f"{active.name} -> {passive.name}", active, passive
