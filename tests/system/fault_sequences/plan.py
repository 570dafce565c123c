"""What will be done to the cluster in one sequence: drawn from its seed alone, so that it can be played again. Pure."""

import random
from dataclasses import dataclass, field

HOSTS = ("alice", "bob", "carol")
DATA = ("alice", "bob")
WAYS = tuple((one, other) for one in HOSTS for other in HOSTS if one != other)
PAIRS = (("alice", "bob"), ("alice", "carol"), ("bob", "carol"))
LEAVES_BROKEN = 0.5       # share of the sequences that end with one host still dead or cut off
BURST = 0.4               # share of the steps that follow their predecessor within 120 ms
WEIGHTS = {"kill": 3, "boot": 5, "freeze": 3, "thaw": 5, "cut": 3, "heal": 5, "cut-pair": 3, "heal-pair": 5, "move": 3,
           "crash-manager": 3, "crash-blockd": 1, "crash-watchdogd": 1, "hog": 1, "cut-way": 2, "heal-way": 4, "lose": 2,
           "lose-nothing": 3}


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


@dataclass
class State:
    """What is broken, as far as the plan knows. A watchdog may have killed a frozen host in the meantime."""

    dead: set = field(default_factory=set)
    frozen: set = field(default_factory=set)
    cut: set = field(default_factory=set)
    pairs: set = field(default_factory=set)
    ways: set = field(default_factory=set)
    lossy: set = field(default_factory=set)

    def possible(self):
        """[(action, target)] of everything that makes sense now."""
        alive = [host for host in HOSTS if host not in self.dead]
        awake = [host for host in alive if host not in self.frozen]
        found = [("kill", (host,)) for host in alive] + [("boot", (host,)) for host in sorted(self.dead)]
        found += [("freeze", (host,)) for host in awake] + [("thaw", (host,)) for host in sorted(self.frozen)]
        found += [("cut", (host,)) for host in alive if host not in self.cut]
        found += [("heal", (host,)) for host in sorted(self.cut)]
        found += [("cut-pair", pair) for pair in PAIRS if pair not in self.pairs]
        found += [("heal-pair", pair) for pair in sorted(self.pairs)]
        found += [("cut-way", way) for way in WAYS if way not in self.ways]
        found += [("heal-way", way) for way in sorted(self.ways)]
        found += [("lose", pair) for pair in PAIRS if pair not in self.lossy]
        found += [("lose-nothing", pair) for pair in sorted(self.lossy)]
        found += [(action, (host,)) for host in awake for action in ("crash-manager", "hog")]
        found += [(action, (host,)) for host in awake if host in DATA for action in ("crash-blockd", "crash-watchdogd")]
        if awake:
            found += [("move", (host,)) for host in DATA]
        return found

    def apply(self, action, target):
        host = target[0]
        if action == "kill":  # a dead machine has no frozen processes, and a new one has a link that is up
            self.dead.add(host)
            self.frozen.discard(host)
            self.cut.discard(host)
        elif action == "boot":
            self.dead.discard(host)
        elif action in ("freeze", "thaw"):
            (self.frozen.add if action == "freeze" else self.frozen.discard)(host)
        elif action in ("cut", "heal"):
            (self.cut.add if action == "cut" else self.cut.discard)(host)
        elif action in ("cut-pair", "heal-pair"):
            (self.pairs.add if action == "cut-pair" else self.pairs.discard)(target)
        elif action in ("cut-way", "heal-way"):
            (self.ways.add if action == "cut-way" else self.ways.discard)(target)
        elif action in ("lose", "lose-nothing"):
            (self.lossy.add if action == "lose" else self.lossy.discard)(target)

    def broken(self):
        return self.dead | self.frozen | self.cut


def make_plan(seed, number, seconds):
    """Sequence `number` of the run with this seed; its last step begins before `seconds`."""
    name = f"{seed}-{number}"
    chance = random.Random(name)
    state, steps, at_ms = State(), [], chance.randrange(0, 300)
    pace_ms = chance.choice((250, 600, 1500))  # some sequences are hectic, some leave the cluster time to act
    while at_ms < seconds * 1000:
        possible = state.possible()
        kinds = sorted({action for action, _ in possible})
        action = chance.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
        target = chance.choice([one for kind, one in possible if kind == action])
        steps.append(Step(at_ms, action, target))
        state.apply(action, target)
        at_ms += chance.randrange(0, 120) if chance.random() < BURST else int(chance.expovariate(1 / pace_ms)) + 20
    candidates = sorted(state.broken() - state.frozen)
    left = chance.choice(candidates) if candidates and chance.random() < LEAVES_BROKEN else None
    return Plan(name, steps, left)
