"""Two nodes without a witness, real programs on test hosts: a dead one is fenced and taken over from, of two that only do
not hear each other exactly one survives, a failure with `on_fail = "fence"` has its node fenced, and without a fence device
nobody takes over until a person says so; one that says goodbye before it goes down is not missed. `two_nodes.py --programs DIR [STORY ...]`. The power board is the harness. Its agent
is a fence agent like Debian's; in the story `debian` it is Debian's own fence_dummy, whose file the harness obeys."""

import argparse
import json
import os
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests", "harness")]
from bascule_hosts import HostError, WireWatch, World  # noqa: E402

ADDRESSES = {"alice": "10.77.0.1", "bob": "10.77.0.2"}
SERVICE_ADDRESS = "10.77.0.10"
CLUSTER = """\
[cluster]
name = "pair"
key_file = "none"
hold_grace_ms = 30000
watchdog_deadline_ms = 60000
[node.alice]
address = "10.77.0.1"
[node.bob]
address = "10.77.0.2"
[service.web]
prefer = "alice"
address = "10.77.0.10/24"
run = { agent = "ocf:heartbeat:Dummy", monitor_interval = "1s", on_fail = "fence" }
"""
FENCING = """\
[fence.board]
agent = "fence_board"
plug = { alice = "1", bob = "2" }
parameters = { ip = "the board" }
timeout = "20s"
"""
DUMMY = "".join(f"""\
[fence.power-{name}]
agent = "fence_dummy"
node = "{name}"
parameters = {{ type = "file", status_file = "/fence/power-{name}" }}
""" for name in ADDRESSES)
DEBIANS_AGENTS = "/usr/sbin"
PLUGS = {"1": "alice", "2": "bob"}
AGENT = """\
#!/bin/sh
while IFS='=' read -r name value; do
  case $name in action) action=$value ;; plug) plug=$value ;; esac
done
case $action in
  metadata)
    echo '<resource-agent name="fence_board"><actions><action name="on" automatic="0"/><action name="off"/>'
    echo '<action name="reboot"/><action name="status"/><action name="metadata"/></actions></resource-agent>'
    exit 0 ;;
esac
request=/fence/$(hostname).$$
echo "$action $plug" > "$request.new" && mv "$request.new" "$request.request"
while [ ! -e "$request.answer" ]; do sleep 0.05; done
exit "$(cat "$request.answer")"
"""


class Unexpected(Exception):
    """Not as promised."""


class Pair:
    """Two hosts, the switch, and the power board that both can reach over a way of its own."""

    def __init__(self, directory, programs, fencing):
        self.programs = programs
        self.agents = DEBIANS_AGENTS if fencing == DUMMY else "/fence"
        self.world = World(directory, watchdog_ms=5000)
        self.board = os.path.join(directory, "board")
        os.makedirs(self.board, exist_ok=True)
        for old in os.listdir(self.board):
            os.unlink(os.path.join(self.board, old))
        agent = os.path.join(self.board, "fence_board")
        with open(agent, "w", encoding="utf-8") as file:
            file.write(AGENT)
        os.chmod(agent, 0o755)
        self.shots = []  # "bob by alice"
        for name in ADDRESSES:
            with open(os.path.join(self.board, "power-" + name), "w", encoding="utf-8") as file:
                file.write("on")
        for name, address in ADDRESSES.items():
            base = os.path.join(directory, name)
            host = self.world.add(name, address, [(f"{base}/disk", "/var/lib/bascule"), (f"{base}/etc", "/etc/bascule"),
                                                  (self.board, "/fence")])
            host.write("/etc/bascule/cluster.toml", CLUSTER + fencing)
        self.last = {name: "on" for name in ADDRESSES}  # what fence_dummy's files said
        self.wire = WireWatch(self.world, SERVICE_ADDRESS)
        for name in ADDRESSES:
            self.start_programs(name)

    def program(self, name):
        return os.path.join(self.programs, name)

    def start_programs(self, name):
        host = self.world.hosts[name]
        host.supervise("watchdogd", [self.program("bascule-watchdogd"), "--watchdog", "/run/watchdog"])
        host.supervise("managerd", [self.program("bascule-managerd"), "--fence-agents", self.agents])

    def serve_board(self):
        """Carries out what agents asked of the board, and what fence_dummy wrote into its files."""
        for name in ADDRESSES if self.agents == DEBIANS_AGENTS else []:
            with open(os.path.join(self.board, "power-" + name), encoding="utf-8") as file:
                state = file.read()
            if state in ("on", "off") and (state == "on") != self.world.hosts[name].up() and state != self.last.get(name):
                self.switch(state, name, by="fence_dummy")
            self.last[name] = state
        for name in sorted(os.listdir(self.board)):
            if not name.endswith(".request"):
                continue
            path = os.path.join(self.board, name)
            with open(path, encoding="utf-8") as file:
                action, plug = file.read().split()
            os.unlink(path)
            code = self.switch(action, PLUGS[plug], by=name.split(".")[0])
            answer = os.path.join(self.board, name.removesuffix(".request") + ".answer")
            with open(answer + ".new", "w", encoding="utf-8") as file:
                file.write(str(code))
            os.rename(answer + ".new", answer)

    def switch(self, action, target, by):
        host = self.world.hosts[target]
        if action == "off":
            self.shots.append(f"{target} by {by}")
            if host.up():
                host.kill()
        elif action == "on" and not host.up():
            host.boot()
            self.start_programs(target)
        elif action == "status":
            return 0 if host.up() else 2
        return 0

    def status(self, name):
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(2)
                connection.connect(self.world.hosts[name].path("/run/bascule/manager.sock"))
                connection.sendall(b'{"op":"status"}\n')
                data = b""
                while not data.endswith(b"\n"):
                    part = connection.recv(65536)
                    if not part:
                        return {}
                    data += part
            return json.loads(data)
        except (OSError, ValueError, HostError, TypeError):
            return {}

    def wait_for(self, what, condition, timeout_s):
        end = time.monotonic() + timeout_s
        while True:
            self.serve_board()
            found = condition()
            if found:
                return found
            if time.monotonic() > end:
                raise Unexpected(f"{what}: not within {timeout_s} s; shots {self.shots}; "
                                 + "; ".join(f"{name}: {self.status(name).get('summary')}" for name in ADDRESSES))
            time.sleep(0.05)

    def run_on(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.serve_board()
            time.sleep(0.02)

    def serves(self, name):
        status = self.status(name)
        services = status.get("services") or [{}]
        return services[0].get("owner") == name and services[0].get("state") == "Started"

    def both_vote(self):
        """Both are there, and the one that leads has what the other one needs to go on: it is healthy again."""
        seen = [self.status(name) for name in ADDRESSES]
        return all(s.get("quorum", {}).get("have") and all(n["online"] for n in s["nodes"]) for s in seen)

    def bascule(self, name, *arguments):
        """While it runs the board has to answer."""
        running = self.world.hosts[name].start([self.program("bascule"), *arguments])
        self.run_on(3)
        return running.wait(30)

    def address_holders(self):
        held = []
        for name in ADDRESSES:
            host = self.world.hosts[name]
            if host.up() and SERVICE_ADDRESS in host.run(["ip", "-4", "addr"]).out and self.serves(name):
                held.append(name)
        return held


def expect(holds, what):
    if not holds:
        raise Unexpected(what)


def fenced(pair):
    pair.wait_for("the service starts", lambda: pair.serves("alice"), 30)
    expect("never tested" in str(pair.status("alice")["problems"]), "an untested device is no problem line")
    tested = pair.bascule("alice", "fence", "test", "bob")
    expect(tested.code == 0, f"fence test: {tested.err}")
    pair.wait_for("the test is remembered", lambda: pair.status("bob")["fencing"]["devices"][0]["passed"], 5)
    shown = pair.bascule("alice", "status").out
    expect("Fencing" in shown and "worked" in shown, f"status does not tell of the test: {shown}")
    pair.run_on(1)

    began = time.monotonic()
    pair.world.hosts["alice"].kill()
    pair.wait_for("the dead node is fenced and taken over from", lambda: pair.serves("bob"), 40)
    print(f"death: taken over after {time.monotonic() - began:.1f} s", flush=True)
    expect(pair.shots == ["alice by bob"], f"shots: {pair.shots}")
    pair.wait_for("alice is on again and there", pair.both_vote, 40)
    history = json.loads(pair.bascule("bob", "--json", "fence", "history").out)["fencing"]["history"]
    expect([(one["node"], one["proven"]) for one in history] == [("alice", True)], f"history: {history}")
    pair.run_on(3)

    alice, bob = pair.world.hosts["alice"], pair.world.hosts["bob"]
    pair.world.cut(alice, bob)
    pair.wait_for("one of two that do not hear each other is shot", lambda: len(pair.shots) == 2, 40)
    pair.run_on(8)
    expect(pair.shots[1:] == ["alice by bob"], f"who holds the service shoots first: {pair.shots}")
    expect(pair.address_holders() == ["bob"], f"the address is at {pair.address_holders()}")
    pair.world.heal(alice, bob)
    pair.wait_for("both are there again", pair.both_vote, 40)
    expect(pair.serves("bob"), "the survivor does not serve any more")
    print("cut: exactly one survived", flush=True)

    pair.run_on(3)
    bob.run(["sh", "-c", "rm -f /run/Dummy-*.state /run/resource-agents/Dummy-*.state"])
    pair.wait_for("a failure has its node fenced", lambda: pair.shots[2:] == ["bob by alice"], 40)
    pair.wait_for("and the service runs on the other one", lambda: pair.serves("alice"), 30)
    pair.wait_for("the history tells why", lambda: any("failed there" in one["reason"] and one["proven"] for one in
                                                       pair.status("alice").get("fencing", {}).get("history", [])), 20)
    pair.wait_for("bob is on again and there", pair.both_vote, 40)
    pair.run_on(2)
    expect(len(pair.shots) == 3, f"shots after the failure was answered: {pair.shots}")
    print("on_fail: the node was fenced", flush=True)


def debian(pair):
    pair.wait_for("the service starts", lambda: pair.serves("alice"), 30)
    tested = pair.bascule("alice", "fence", "test", "bob")
    expect(tested.code == 0, f"fence test: {tested.err}")
    pair.world.hosts["alice"].kill()
    began = time.monotonic()
    pair.wait_for("the dead node is fenced and taken over from", lambda: pair.serves("bob"), 60)
    print(f"fence_dummy: taken over after {time.monotonic() - began:.1f} s", flush=True)
    pair.wait_for("alice was switched on and is there", pair.both_vote, 60)
    expect(pair.serves("bob"), "the survivor does not serve any more")


def unfenced(pair):
    pair.wait_for("the service starts", lambda: pair.serves("alice"), 30)
    first = pair.bascule("bob", "status").out.splitlines()[0]
    expect("No automatic takeover: two nodes with neither witness nor fencing" in first, f"status begins: {first}")
    checked = pair.bascule("bob", "config", "check").out.splitlines()[0]
    expect(checked.startswith("No automatic takeover"), f"config check begins: {checked}")
    pair.world.hosts["alice"].kill()
    pair.run_on(8)
    expect(not pair.serves("bob"), "bob took over from a node that nobody had fenced")
    said = pair.bascule("bob", "fence", "confirm", "alice", "--yes")
    expect(said.code == 0, f"fence confirm: {said.err}")
    pair.wait_for("a person's word is enough", lambda: pair.serves("bob"), 20)
    print("no fence device: nobody took over until it was confirmed", flush=True)


def goodbye(pair):
    """What a shutdown does (bascule-node.service), with neither witness nor fence device."""
    pair.wait_for("the service starts", lambda: pair.serves("alice"), 30)
    down = pair.bascule("alice", "node", "down")
    expect(down.code == 0 and "The other node decides alone" in down.out, f"node down: {down.out} {down.err}")
    expect(pair.serves("bob"), "the service was not moved before")
    pair.world.hosts["alice"].kill()
    pair.run_on(8)
    expect(pair.serves("bob") and not pair.shots, f"bob does not serve alone; shots: {pair.shots}")
    status = pair.status("bob")
    expect([node["away"] for node in status["nodes"]] == [True, False], f"nodes: {status['nodes']}")
    pair.switch("on", "alice", by="a person")
    pair.wait_for("alice is there", lambda: pair.status("bob")["nodes"][0]["online"], 30)
    up = pair.bascule("alice", "node", "up", "--timeout", "20")
    expect(up.code == 0, f"node up: {up.out} {up.err}")
    pair.wait_for("alice has its vote again", lambda: pair.status("alice").get("quorum", {}).get("votes") == 2, 10)
    print("goodbye: the other one served alone, and took it in again", flush=True)


def play(name, story, programs, fencing):
    directory = os.path.join(ROOT, "out", f"test-two-nodes-{name}")
    if fencing == DUMMY and not os.path.exists("/usr/sbin/fence_dummy"):
        print(f"{name}: Debian's fence-agents are not installed: left out")
        return True
    pair = Pair(directory, programs, fencing)
    try:
        story(pair)
        return True
    except (Unexpected, HostError) as error:
        print(f"FAILED {name}: {error}\nLogs: {os.path.relpath(pair.world.logs, ROOT)}/")
        return False
    finally:
        pair.world.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", required=True)
    parser.add_argument("stories", nargs="*", help="fenced, unfenced, goodbye, debian")
    options = parser.parse_args()
    if os.geteuid() != 0 or not os.path.exists("/usr/lib/ocf/resource.d/heartbeat/Dummy"):
        print("needs root and Debian's resource-agents: skipped")
        return 77
    stories = {"fenced": (fenced, FENCING), "unfenced": (unfenced, ""), "goodbye": (goodbye, ""),
               "debian": (debian, DUMMY)}
    passed = [play(name, stories[name][0], options.programs, stories[name][1]) for name in options.stories or stories]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
