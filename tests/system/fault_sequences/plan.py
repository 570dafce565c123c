"""What will be done to the cluster in one sequence: drawn from its seed alone, so that it can be played again. Pure."""

import random
from dataclasses import dataclass, field

from .layout import LAYOUTS

VERSION = 2               # of what a seed draws: results of another one are other sequences
LEAVES_BROKEN = 0.5       # share of the sequences that end with one host still broken
BURST = 0.4               # share of the steps that follow their predecessor within 120 ms
AGENT_FAULTS = ("agent-hangs", "agent-says-running", "agent-says-stopped", "agent-leaves-children")
CRASHES = ("crash-manager", "crash-blockd", "crash-watchdogd")
REPAIRS = {"boot", "thaw", "heal", "heal-pair", "heal-way", "lose-nothing", "free", "defuse", "mend-agent"}
WEIGHTS = {"kill": 3, "boot": 5, "freeze": 3, "thaw": 5, "cut": 3, "heal": 5, "cut-pair": 3, "heal-pair": 5, "move": 3,
           "crash-manager": 3, "crash-blockd": 1, "crash-watchdogd": 1, "hog": 1, "cut-way": 2, "heal-way": 4, "lose": 2,
           "lose-nothing": 3, "fill": 2, "free": 4, "bomb": 2, "defuse": 4, "mend-agent": 4,
           **{fault: 1 for fault in AGENT_FAULTS}}


@dataclass(frozen=True)
class Step:
    at_ms: int
    action: str
    target: tuple  # one host, or the two of a pair

    def __str__(self):
        return f"+{self.at_ms / 1000:.3f} s {self.action} {' '.join(self.target)}"


@dataclass
class Plan:
    name: str
    steps: list
    left_broken: str = None  # a host that stays as it is when the faults end

    def has_agent_faults(self):
        return any(step.action in AGENT_FAULTS for step in self.steps)


@dataclass
class State:
    """What is broken, as far as the plan knows. A watchdog may have killed a frozen host in the meantime."""

    layout: object = LAYOUTS[3]
    dead: set = field(default_factory=set)
    frozen: set = field(default_factory=set)
    cut: set = field(default_factory=set)
    full: set = field(default_factory=set)
    bombed: set = field(default_factory=set)
    agents: dict = field(default_factory=dict)  # host -> what its agent does
    pairs: set = field(default_factory=set)
    ways: set = field(default_factory=set)
    lossy: set = field(default_factory=set)

    def possible(self):
        """[(action, target)] of everything that makes sense now."""
        layout = self.layout
        alive = [host for host in layout.hosts if host not in self.dead]
        awake = [host for host in alive if host not in self.frozen]
        found = [("kill", (host,)) for host in alive] + [("boot", (host,)) for host in sorted(self.dead)]
        found += [("freeze", (host,)) for host in awake] + [("thaw", (host,)) for host in sorted(self.frozen)]
        found += [("cut", (host,)) for host in alive if host not in self.cut]
        found += [("heal", (host,)) for host in sorted(self.cut)]
        found += _switched("cut-pair", "heal-pair", layout.pairs, self.pairs)
        found += _switched("cut-way", "heal-way", layout.ways, self.ways)
        found += _switched("lose", "lose-nothing", layout.pairs, self.lossy)
        found += [(action, (host,)) for host in awake for action in ("crash-manager", "hog")]
        found += [(action, (host,)) for host in awake if host in layout.data for action in ("crash-blockd", "crash-watchdogd")]
        if awake:
            found += [("move", (host,)) for host in layout.data]
        return found + self._possible_inside(alive, awake)

    def _possible_inside(self, alive, awake):
        """What may go wrong inside a host: its disk, its processes, its agents."""
        found = [("fill", (host,)) for host in alive if host not in self.full]
        found += [("free", (host,)) for host in sorted(self.full)]
        found += [("bomb", (host,)) for host in awake if host not in self.bombed]
        found += [("defuse", (host,)) for host in awake if host in self.bombed]
        found += [(fault, (host,)) for host in alive if host in self.layout.data for fault in AGENT_FAULTS
                  if self.agents.get(host) != fault]
        return found + [("mend-agent", (host,)) for host in sorted(self.agents)]

    def apply(self, action, target):
        host = target[0]
        if action == "kill":  # a dead machine has no processes, and a new one has a link that is up
            for condition in (self.frozen, self.cut, self.bombed):
                condition.discard(host)
        if action in AGENT_FAULTS:
            self.agents[host] = action
        elif action == "mend-agent":
            del self.agents[host]
        elif action in self._switches():
            broken, on = self._switches()[action]
            one = target if len(target) == 2 else host
            (broken.add if on else broken.discard)(one)

    def _switches(self):
        """action -> (what is broken, whether this breaks it)"""
        names = {"kill": ("boot", self.dead), "freeze": ("thaw", self.frozen), "cut": ("heal", self.cut),
                 "cut-pair": ("heal-pair", self.pairs), "cut-way": ("heal-way", self.ways),
                 "lose": ("lose-nothing", self.lossy), "fill": ("free", self.full), "bomb": ("defuse", self.bombed)}
        found = {}
        for breaks, (repairs, broken) in names.items():
            found[breaks], found[repairs] = (broken, True), (broken, False)
        return found

    def may_stay_broken(self):
        """A frozen host is not left so: its watchdog would decide when it dies. Nor an agent that lies: nobody can know."""
        return sorted((self.dead | self.cut | self.full | self.bombed) - self.frozen)


def _switched(breaks, repairs, everything, broken):
    return [(breaks, one) for one in everything if one not in broken] + [(repairs, one) for one in sorted(broken)]


def name_of(seed, number, nodes):
    return f"{seed}-{nodes}-{number}"


def make_plan(seed, number, seconds, nodes=3):
    """Sequence `number` of the run with this seed on a cluster of so many; its last step begins before `seconds`."""
    name = name_of(seed, number, nodes)
    chance = random.Random(name)
    state, steps, at_ms = State(LAYOUTS[nodes]), [], chance.randrange(0, 300)
    pace_ms = chance.choice((250, 600, 1500))  # some sequences are hectic, some leave the cluster time to act
    while at_ms < seconds * 1000:
        possible = state.possible()
        kinds = sorted({action for action, _ in possible})
        action = chance.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
        target = chance.choice([one for kind, one in possible if kind == action])
        steps.append(Step(at_ms, action, target))
        state.apply(action, target)
        at_ms += chance.randrange(0, 120) if chance.random() < BURST else int(chance.expovariate(1 / pace_ms)) + 20
    candidates = state.may_stay_broken()
    left = chance.choice(candidates) if candidates and chance.random() < LEAVES_BROKEN else None
    return Plan(name, steps, left)
