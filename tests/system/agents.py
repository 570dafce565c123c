#!/usr/bin/env python3
"""Agents that hang, lie, flood and leave children, run by the real manager of a cluster of one node.

Everything happens in a mount, network and process namespace of its own (as root): the agents' directories are covered with
temporary ones, so that nothing of the machine's is touched. Exit code 0: as promised; 77: cannot run here.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 30.0

LIBRARY = """#!/bin/sh
state=$OCF_RESKEY_state
case $1 in meta-data) exit 0 ;; esac
"""

AGENTS = {
    # A daemon in a session of its own; its stop never comes back.
    "hangs": LIBRARY + """
case $1 in
  start) setsid sh -c 'echo $$ > '"$state"'; exec sleep 1000' >/dev/null 2>&1 & until [ -s "$state" ]; do sleep 0.02; done; exit 0 ;;
  stop) touch "$state.stopping"; sleep 1000 ;;
  monitor) [ -s "$state" ] && kill -0 "$(cat "$state")" 2>/dev/null && exit 0; exit 7 ;;
esac""",
    # Its stop says yes, and something of it goes on that only the cgroup knows of.
    "leaves": LIBRARY + """
case $1 in
  start) touch "$state"; exit 0 ;;
  stop) rm -f "$state"; setsid sh -c 'exec sleep 1001' >/dev/null 2>&1 & exit 0 ;;
  monitor) [ -e "$state" ] && exit 0; exit 7 ;;
esac""",
    # 10 MB on both pipes before it fails.
    "floods": LIBRARY + """
case $1 in
  start) head -c 10485760 /dev/zero | tr '\\0' x; head -c 10485760 /dev/zero | tr '\\0' y >&2
         echo >&2; echo 'ocf-exit-reason:flooded' >&2; exit 1 ;;
  stop) exit 0 ;;
  monitor) exit 7 ;;
esac""",
    # Says yes to everything but the question whether it runs.
    "lies": LIBRARY + """
case $1 in start|stop) echo $1 >> "$state"; exit 0 ;; monitor) exit 7 ;; esac""",
    # Half well; runs while its file is there; tells the cluster about itself with Pacemaker's tools.
    "talks": LIBRARY + """
. ${OCF_ROOT}/lib/heartbeat/ocf-shellfuncs
case $1 in
  start) touch "$state"
    ocf_promotion_score -v 100 && attrd_updater -n pingd -B 1000 && ${HA_SBIN_DIR}/crm_attribute -l forever -n site -v north
    { ocf_promotion_score -G -q; attrd_updater -n pingd -Q; ocf_local_nodename; ocf_attribute_target
      crm_node -p; crm_node -q; } > "$state.said" 2>&1
    exit 0 ;;
  stop) ocf_promotion_score -D; rm -f "$state"; exit 0 ;;
  monitor) [ -e "$state" ] || exit 7
    [ "$OCF_CHECK_LEVEL" = 20 ] && touch "$state.deep"
    [ -e "$state.degraded" ] && exit 190
    exit 0 ;;
esac""",
}

SCRIPT = """#!/bin/sh
case $1 in
  start) touch {state} ;;
  stop) rm -f {state} ;;
  status) [ -e {state} ] && exit 0; exit 3 ;;
  *) exit 2 ;;
esac"""


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


class Cluster:
    """One node, its manager, and what a client may ask it."""

    def __init__(self, programs, directory):
        self.programs, self.directory = pathlib.Path(programs), pathlib.Path(directory)
        self.process, self.log = None, open(self.directory / "managerd.log", "wb")

    def state(self, service):
        return str(self.directory / f"{service}.state")

    def start(self, services):
        config = ['[cluster]\nname = "lying-%d"\nkey_file = "none"\n[node.alice]\naddress = "127.0.0.1"\n' % os.getpid()]
        for name, text in services.items():
            config.append(f"[service.{name}]\nautostart = false\n{text}\n")
        path = self.directory / "cluster.toml"
        path.write_text("".join(config))
        self.process = subprocess.Popen(
            [self.programs / "bascule-managerd", "--config", path, "--node", "alice", "--run-dir", self.directory / "run",
             "--state-dir", self.directory / "state"], stdout=self.log, stderr=self.log)
        self.wait(lambda: self.status()["quorum"]["have"], "a leader")

    def ask(self, request):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(PATIENCE_S)
            client.connect(str(self.directory / "run/manager.sock"))
            client.sendall(json.dumps(request).encode() + b"\n")
            lines = client.makefile()
            while True:
                answer = json.loads(lines.readline())
                if "ok" in answer:
                    expect(answer["ok"], f"{request}: {answer}")
                    return answer

    def status(self):
        try:
            return self.ask({"op": "status"})
        except (OSError, ValueError):
            expect(self.process.poll() is None, "bascule-managerd ended: " + self.tail())
            return {"quorum": {"have": False}, "services": []}

    def service(self, name):
        return next(one for one in self.status()["services"] if one["name"] == name)

    def wait(self, condition, what):
        give_up = time.monotonic() + PATIENCE_S
        while not condition():
            expect(time.monotonic() < give_up, f"waited in vain for {what}: {self.tail()}")
            time.sleep(0.05)

    def wait_state(self, name, state):
        self.wait(lambda: self.service(name)["state"] == state, f"{name} to be {state}")

    def tail(self):
        return (self.directory / "managerd.log").read_text(errors="replace")[-3000:]

    def told(self, kind, subject):
        events = (self.directory / "state/events.jsonl").read_text().splitlines()
        return [one for one in map(json.loads, events) if one["kind"] == kind and one["subject"] == subject]

    def end(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(PATIENCE_S)


def living():
    """pid -> name of what runs in this namespace; the first process of it reaps nobody, so the dead stay to be seen."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{entry}/status").read_text().splitlines())
        except (OSError, ValueError):
            continue
        if not status["State"].startswith("Z"):
            found[int(entry)] = status["Name"]
    return found


def a_stop_that_hangs_is_killed_with_everything(cluster):
    cluster.ask({"op": "start", "service": "hangs"})
    cluster.wait_state("hangs", "Started")
    daemon = int(pathlib.Path(cluster.state("hangs")).read_text())
    began = time.monotonic()
    cluster.ask({"op": "stop", "service": "hangs"})
    cluster.wait_state("hangs", "Stopped")
    expect(time.monotonic() - began < 15, "the kill came late")
    expect(cluster.told("service-killed", "hangs"), "nobody was told of the kill")
    left = {pid: name for pid, name in living().items() if name == "sleep" or pid == daemon}
    expect(not left, f"children were left behind: {left}")


def what_a_stop_leaves_behind_is_killed(cluster):
    cluster.ask({"op": "start", "service": "leaves"})
    cluster.wait_state("leaves", "Started")
    cluster.ask({"op": "stop", "service": "leaves"})
    cluster.wait_state("leaves", "Stopped")
    left = {pid: name for pid, name in living().items() if name == "sleep"}
    expect(not left, f"children were left behind: {left}")
    expect(not cluster.told("service-killed", "leaves"), "a clean stop was told as a kill")


def a_flood_is_bounded(cluster):
    cluster.ask({"op": "start", "service": "floods"})
    cluster.wait(lambda: cluster.service("floods").get("failures"), "the failure of floods")
    failure = cluster.service("floods")["failures"][0]
    expect("flooded" in failure["text"], failure["text"][:200])
    expect(0 < len(failure["output"]) <= 1024, len(failure["output"]))
    expect(failure["start_failed"] and failure["at_ms"] > 0 and failure["fades_in_ms"] > 0, failure)
    status = pathlib.Path(f"/proc/{cluster.process.pid}/status").read_text()
    resident_kb = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    expect(resident_kb < 100 * 1024, f"the manager holds {resident_kb} kB")
    cluster.ask({"op": "stop", "service": "floods"})


def a_lie_is_found_out(cluster):
    cluster.ask({"op": "start", "service": "lies"})
    cluster.wait(lambda: any(one["count"] >= 2 for one in cluster.service("lies").get("failures", [])), "the second failure")
    said = pathlib.Path(cluster.state("lies")).read_text().split()
    expect(said.count("start") >= 2 and "stop" not in said, f"not running is started without a stop: {said}")
    cluster.ask({"op": "stop", "service": "lies"})
    cluster.wait_state("lies", "Stopped")


def tools_answer_unmodified_agents(cluster):
    cluster.ask({"op": "start", "service": "talks"})
    cluster.wait_state("talks", "Started")
    said = pathlib.Path(cluster.state("talks") + ".said").read_text().split("\n")
    wanted = ["100", 'name="pingd" host="alice" value="1000"', "alice", "alice", "alice ", "1", ""]
    expect(said == wanted, f"the tools said {said}")
    attributes = cluster.ask({"op": "attributes"})["attributes"]["alice"]
    cluster.wait(lambda: cluster.status()["nodes"][0].get("transient_attributes", {}).get("pingd") == "1000", "agreement")
    expect(attributes["permanent"] == {"site": "north"}, attributes)
    expect(attributes["transient"]["master-talks_talks"] == "100", attributes)


def degraded_is_a_warning(cluster):
    mark = pathlib.Path(cluster.state("talks") + ".degraded")
    mark.touch()
    cluster.wait(lambda: any("degraded" in one for one in cluster.status()["problems"]), "the warning")
    expect(cluster.service("talks")["state"] == "Started", "a degraded service was touched")
    mark.unlink()
    cluster.wait(lambda: not any("degraded" in one for one in cluster.status()["problems"]), "the end of the warning")
    cluster.wait(lambda: os.path.exists(cluster.state("talks") + ".deep"), "the deeper monitor")


def a_blocked_service_is_left_alone(cluster):
    os.unlink(cluster.state("talks"))
    cluster.wait_state("talks", "Blocked")
    time.sleep(1.0)  # long enough for a monitor and a start
    expect(not os.path.exists(cluster.state("talks")), "a blocked service was started")
    cluster.ask({"op": "clear_failures", "service": "talks"})
    cluster.wait_state("talks", "Started")
    cluster.ask({"op": "stop", "service": "talks"})
    cluster.wait_state("talks", "Stopped")
    attributes = cluster.ask({"op": "attributes"})["attributes"]["alice"]["transient"]
    expect("master-talks_talks" not in attributes, attributes)


def scripts_run(cluster):
    cluster.ask({"op": "start", "service": "script"})
    cluster.wait_state("script", "Started")
    os.unlink(cluster.state("script"))
    cluster.wait(lambda: os.path.exists(cluster.state("script")), "the script's recovery")
    cluster.ask({"op": "stop", "service": "script"})
    cluster.wait_state("script", "Stopped")
    expect(not os.path.exists(cluster.state("script")), "it was not stopped")


def services(cluster):
    def agent(name, more=""):
        return f'{{ agent = "ocf:test:{name}", state = "{cluster.state(name)}", monitor_interval = "300ms"{more} }}'
    return {
        "hangs": "run = " + agent("hangs", ', stop_timeout = "1s"'),
        "leaves": "run = " + agent("leaves"),
        "floods": "run = " + agent("floods"),
        "lies": "run = " + agent("lies"),
        "talks": "run = " + agent("talks", ', on_fail = "block", more_monitors = [{ interval = "700ms", check_level = 20 }]'),
        "script": 'run = { agent = "lsb:old-daemon", monitor_interval = "300ms" }',
    }


def cover_directories(cluster):
    """The mount namespace is ours alone."""
    for directory in ("/usr/lib/ocf/resource.d", "/etc/init.d", "/run"):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", directory], check=True)
    provider = pathlib.Path("/usr/lib/ocf/resource.d/test")
    provider.mkdir()
    for name, text in AGENTS.items():
        (provider / name).write_text(text)
        (provider / name).chmod(0o755)
    script = pathlib.Path("/etc/init.d/old-daemon")
    script.write_text(SCRIPT.format(state=cluster.state("script")))
    script.chmod(0o755)


def run(programs):
    with tempfile.TemporaryDirectory(prefix="bascule-agents-") as directory:
        cluster = Cluster(programs, directory)
        cover_directories(cluster)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        try:
            cluster.start(services(cluster))
            for test in (tools_answer_unmodified_agents, degraded_is_a_warning, a_blocked_service_is_left_alone, scripts_run,
                         a_lie_is_found_out, what_a_stop_leaves_behind_is_killed, a_flood_is_bounded, a_stop_that_hangs_is_killed_with_everything):
                began = time.monotonic()
                try:
                    test(cluster)
                except AssertionError as error:
                    print(f"FAILED {test.__name__}: {error}\n{cluster.tail()}")
                    return 1
                print(f"ok     {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        finally:
            cluster.end()
    return 0


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--inside":
        return run(sys.argv[2])
    programs = sys.argv[1] if len(sys.argv) > 1 else "build/dev/bin"
    if os.geteuid() != 0 or not os.path.isdir("/usr/lib/ocf/resource.d/heartbeat"):
        print("needs root and resource-agents")
        return 77
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
    return subprocess.run(command + [sys.executable, __file__, "--inside", os.path.abspath(programs)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
