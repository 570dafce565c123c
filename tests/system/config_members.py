"""Real managers on addresses of the loopback: a configuration is applied while they run, goes back, and a fourth machine
joins with a token that works once. `config_members.py --programs DIR`. Needs root, for cgroups and a mount of its own."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

ADDRESSES = {"alice": "127.0.0.1", "bob": "127.0.0.2", "carol": "127.0.0.3"}
SKIPPED = 77

CLUSTER = """[cluster]
name = "loop{port}"
port = {port}
key_file = "{directory}/etc/cluster.key"
heartbeat_ms = 100
election_min_ms = 800
election_max_ms = 1600
lease_ms = 3000
# a comment that stays

[node.alice]
address = "127.0.0.1"
[node.bob]
address = "127.0.0.2"
[node.carol]
address = "127.0.0.3"
role = "witness"

[service.first]
prefer = "alice"
run = {{ agent = "ocf:heartbeat:Dummy", state = "{directory}/run/first.state" }}
"""

SECOND = """
[service.second]
prefer = "bob"
run = {{ agent = "ocf:heartbeat:Dummy", state = "{directory}/run/second.state" }}
"""


class Managers:
    """The programs, each node with its own directories."""

    def __init__(self, programs, directory):
        self.programs, self.directory = programs, directory
        self.running = {}
        self.port = 20000 + os.getpid() % 20000
        self.text = CLUSTER.format(port=self.port, directory=directory)
        os.makedirs(f"{directory}/etc")
        os.makedirs(f"{directory}/run")
        subprocess.run([self.program("bascule"), "key", "create", f"{directory}/etc/cluster.key"], check=True,
                       stdout=subprocess.DEVNULL)
        for name in ADDRESSES:
            os.makedirs(f"{directory}/{name}")
            self.write(name, self.text)
            self.start(name)

    def program(self, name):
        return os.path.join(self.programs, name)

    def path(self, name):
        return f"{self.directory}/{name}/cluster.toml"

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def start(self, name, joining="true"):
        """With a run directory that is the node's alone, as on machines: what an agent leaves there says what runs on this node."""
        own = f"mount -t tmpfs none {self.directory}/run && {joining} && exec \"$@\""
        base = f"{self.directory}/{name}"
        log = open(f"{base}/log", "ab")  # pylint: disable=consider-using-with
        self.running[name] = subprocess.Popen(  # pylint: disable=consider-using-with
            ["unshare", "--mount", "sh", "-c", own, "own", self.program("bascule-managerd"), "--node", name, "--config",
             self.path(name), "--run-dir", f"{base}/run", "--state-dir", f"{base}/state"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def runs(self, name, service):
        """Whether its agent says so on this node: Dummy runs where its state file lies."""
        return os.path.exists(f"/proc/{self.running[name].pid}/root{self.directory}/run/{service}.state")

    def stop(self):
        for process in self.running.values():
            process.kill()
            process.wait()

    def bascule(self, name, *arguments, code=0):
        done = subprocess.run([self.program("bascule"), *arguments, "--json", "--run-dir",
                               f"{self.directory}/{name}/run"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=120, check=False)
        assert done.returncode == code, f"{arguments}: {done.returncode}: {done.stdout} {done.stderr}"
        return done.stdout

    def status(self, name):
        try:
            return json.loads(self.bascule(name, "status"))
        except (AssertionError, ValueError):
            return {}

    def service(self, name, service):
        return next((each for each in self.status(name).get("services", []) if each["name"] == service), {})


def wait_for(what, condition, patience_s=60):
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {patience_s} s")
        time.sleep(0.1)


def configure(managers):
    """A service comes and goes, the other one is not touched, and every node's file says what is agreed."""
    wait_for("first runs", lambda: managers.service("carol", "first").get("state") == "Started")
    epoch = managers.service("carol", "first")["epoch"]
    wanted = f"{managers.directory}/wanted.toml"
    with open(wanted, "w", encoding="utf-8") as file:
        file.write(managers.text + SECOND.format(directory=managers.directory))
    managers.bascule("bob", "config", "apply", wanted, code=1)  # nobody is there who could say yes
    assert managers.status("bob")["configuration"]["version"] == 0
    plan = json.loads(managers.bascule("bob", "config", "plan", wanted))
    assert "service second is new and starts" in plan["steps"], plan
    managers.bascule("bob", "config", "apply", wanted, "--yes", "--reason", "a second one")
    wait_for("second runs", lambda: managers.service("carol", "second").get("state") == "Started")
    assert managers.runs("bob", "second") and not managers.runs("alice", "second")
    for name in ADDRESSES:
        wait_for(f"the file of {name}", lambda name=name: "[service.second]" in managers.read(name))
        assert "# a comment that stays" in managers.read(name) and "id = 3" in managers.read(name)
    assert managers.service("carol", "first")["epoch"] == epoch, "first was interrupted"
    managers.bascule("alice", "config", "undo", "--yes")
    wait_for("second is stopped", lambda: not managers.runs("bob", "second"))
    versions = json.loads(managers.bascule("alice", "config", "history"))["versions"]
    assert [each["version"] for each in versions] == [0, 1, 2], versions
    assert versions[1]["reason"] == "a second one"
    assert managers.service("carol", "first")["epoch"] == epoch, "first was interrupted"


def restart_with_another_file(managers):
    """What was edited in the file and not applied is kept aside, and what is agreed is followed."""
    managers.running["carol"].kill()
    managers.running["carol"].wait()
    managers.write("carol", managers.text.replace('prefer = "alice"', 'prefer = "bob"'))
    managers.start("carol")
    wait_for("carol follows", lambda: managers.status("carol").get("configuration", {}).get("file_differed"))
    wait_for("the file", lambda: 'prefer = "alice"' in managers.read("carol"))
    assert os.path.exists(managers.path("carol") + ".not-applied")


def join(managers):
    """dave sees none of the cluster's files: its keys and its configuration come from a member."""
    added = managers.bascule("alice", "node", "add", "dave", "--address", "127.0.0.4", "--yes")
    token = json.loads(added.strip().splitlines()[-1])["token"]
    base = f"{managers.directory}/dave"
    os.makedirs(base)
    joining = (f"mount -t tmpfs none {managers.directory}/etc && {managers.program('bascule')} join {token} --config "
               f"{managers.path('dave')} --state-dir {base}/state --json >&2")
    managers.start("dave", joining)
    wait_for("dave is a member", lambda: managers.status("dave").get("quorum", {}).get("have"))
    wait_for("alice sees it", lambda: any(each["name"] == "dave" and each["online"]
                                          for each in managers.status("alice").get("nodes", [])))
    assert not next(each for each in managers.status("dave")["nodes"] if each["name"] == "dave")["votes"]
    assert managers.status("dave")["quorum"]["votes"] == 3
    again = subprocess.run([managers.program("bascule"), "join", token, "--config", f"{base}/2.toml", "--state-dir",
                            f"{base}/2"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    assert again.returncode != 0 and "used before" in again.stderr, again.stderr
    managers.bascule("dave", "move", "first", "--to", "dave")
    wait_for("first runs on dave", lambda: managers.service("bob", "first").get("owner") == "dave")
    managers.bascule("bob", "node", "remove", "dave", "--yes")
    wait_for("first is back", lambda: managers.service("bob", "first").get("owner") in ("alice", "bob"))
    wait_for("dave is gone", lambda: all(each["name"] != "dave" for each in managers.status("alice")["nodes"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", required=True)
    programs = parser.parse_args().programs
    if os.geteuid() != 0 or not os.path.exists("/usr/lib/ocf/resource.d/heartbeat/Dummy"):
        print("needs root and the resource agents: skipped")
        return SKIPPED
    directory = tempfile.mkdtemp(prefix="bascule-config-")
    managers = None
    try:
        managers = Managers(os.path.abspath(programs), directory)
        configure(managers)
        restart_with_another_file(managers)
        join(managers)
    except AssertionError:
        traceback.print_exc()
        for name in [*ADDRESSES, "dave"]:
            if os.path.exists(f"{directory}/{name}/log"):
                with open(f"{directory}/{name}/log", encoding="utf-8", errors="replace") as log:
                    print(f"--- {name}\n" + "".join(log.readlines()[-25:]))
        return 1
    finally:
        if managers:
            managers.stop()
        shutil.rmtree(directory, ignore_errors=True)
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
