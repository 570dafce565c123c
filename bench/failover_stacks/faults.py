"""One fault on one stack: what the client and the wire saw of it."""

import time
from dataclasses import dataclass, field

from bascule_hosts import HostError, kernel

from . import service as shop
from .figures import find_alternation
from .stack import Background, StackError, other, wait_for

ANSWER_TIMEOUT_S = 60
WHOLE_TIMEOUT_S = 90
RUN_ON_S = 1.0


@dataclass
class Strike:
    """What was done, and what has to be undone."""

    at_ns: int
    victim: str                # the host whose service is gone
    moves: bool = True         # another host has to answer
    undo: object = None
    doing: Background = None   # a command that goes on while the client waits


@dataclass
class Sample:
    """One play. Seconds."""

    outage_s: float = None
    return_outage_s: float = None    # the longest gap while the victim came back
    two_nodes_answered: bool = False
    overlap_s: float = 0.0
    agents_start_s: float = None
    agents_stop_s: float = None
    load: float = 0.0
    leader: str = None
    victim: str = None
    error: str = None
    remarks: list = field(default_factory=list)


def _kill(stack, owner):
    return Strike(stack.hosts[owner].kill(), owner, undo=lambda: stack.boot(owner))


def _cut(stack, owner):
    return Strike(stack.hosts[owner].link_down(), owner, undo=stack.hosts[owner].link_up)


def _freeze(stack, owner):
    def thaw():
        host = stack.hosts[owner]
        if host.up() and not host.dying:
            host.thaw()
        else:
            stack.boot(owner)  # its watchdog has killed it

    return Strike(stack.hosts[owner].freeze(), owner, undo=thaw)


def _kill_service(stack, owner):
    at_ns = kernel.boottime_ns()
    shop.kill_apache(stack.hosts[owner])
    return Strike(at_ns, owner, moves=False)


def _move(stack, owner):
    at_ns = kernel.boottime_ns()
    return Strike(at_ns, owner, undo=stack.after_move, doing=Background(lambda: stack.move(other(owner))))


# fault -> (function, whether the victim leads; None: whoever leads)
FAULTS = {"node-killed": (_kill, False), "link-cut": (_cut, False), "node-frozen": (_freeze, False),
          "leader-killed": (_kill, True), "service-killed": (_kill_service, None), "move": (_move, None)}


def left_out(stack, service, fault):
    """Why this fault is not played on this stack; empty when it is."""
    if service not in stack.services:
        return "it moves only the address"
    if fault == "leader-killed" and not stack.has_leader:
        return "it has no leader"
    if fault == "service-killed" and service == "address":
        return "Apache is the init system's here, not the stack's"
    return ""


def play(stack, fault):
    """Plays one fault and waits until everything is as before. Never raises for what the stack does wrong."""
    sample = Sample()
    try:
        _play(stack, fault, sample)
    except (HostError, StackError) as error:
        sample.error = str(error)
    return sample


def _play(stack, fault, sample):
    function, leads = FAULTS[fault]
    stack.wait_steady(WHOLE_TIMEOUT_S)
    if leads is not None and not stack.place(leads):
        if leads:
            raise StackError("its leader does not serve, and could not be made to")
        sample.remarks.append("the victim led")
    sample.agents_start_s, sample.agents_stop_s = shop.agents_by_hand(stack.hosts["carol"], stack.service)
    sample.leader, sample.load = stack.leader(), load_now()
    owner = sample.victim = stack.owner()
    strike = function(stack, owner)
    try:
        _watch(stack, strike, sample)
    finally:
        returned_ns = kernel.boottime_ns()
        if strike.undo:
            strike.undo()
    stack.wait_steady(WHOLE_TIMEOUT_S)
    _judge_return(stack, strike, returned_ns, sample)


def _watch(stack, strike, sample):
    """Waits for the answer that ends the outage, and a little longer, and measures."""
    answers, not_by = stack.answers, strike.victim if strike.moves else None
    wait_for("an answer after the fault", lambda: answers.poll().first(strike.at_ns, not_by), ANSWER_TIMEOUT_S, 0.01)
    if strike.doing:
        strike.doing.join()
    time.sleep(RUN_ON_S)
    end_ns = kernel.boottime_ns()
    sample.outage_s = answers.poll().longest_gap_s(strike.at_ns, end_ns)
    _judge_wire(stack, strike.at_ns, end_ns, sample)


def _judge_return(stack, strike, returned_ns, sample):
    end_ns = kernel.boottime_ns()
    sample.return_outage_s = stack.answers.poll().longest_gap_s(returned_ns, end_ns)
    _judge_wire(stack, returned_ns, end_ns, sample)


def _judge_wire(stack, from_ns, to_ns, sample):
    stack.wire.settle(0.1)
    overlap_ns = find_alternation(stack.wire.segments, from_ns, to_ns)
    if overlap_ns is not None:
        sample.two_nodes_answered = True
        sample.overlap_s = max(sample.overlap_s, overlap_ns / 1e9)


def load_now():
    with open("/proc/loadavg") as file:
        return float(file.read().split()[0])
