"""A guest: a test host (its links, its cuts, its kill) whose first program is Debian's systemd."""

import json
import os
import shutil
import subprocess
import time

from bascule_hosts import HostError

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"


class Guest:
    """`Guest(world, "alice", "10.77.0.1", base)`; `run()` runs commands in it, `host` is the machine around it."""

    def __init__(self, world, name, address, base):
        self.name, self.base = name, base
        self.host = world.add(name, address)
        self.disk = os.path.join(world.directory, name, "machine")  # as on a hard disk: kept over each boot
        os.makedirs(os.path.join(self.disk, "shared"), exist_ok=True)
        world.at_close(self._forget)
        self.power_on()

    def _forget(self):
        subprocess.run(["rm", "-rf", self.disk], check=False)

    def power_on(self):
        if not self.host.up():
            self.host.boot()
        self.host.supervise("systemd", [PYTHON, "-B", os.path.join(HERE, "boot.py"), self.base, self.disk],
                            restart=False)
        self.wait_booted()

    def power_cut(self):
        """Every process is gone at once; what was written to the disk is there at the next `power_on()`."""
        return self.host.kill()

    def pid(self):
        """The guest's first process, as the host numbers it; None when it is not there."""
        text = self.host.read("/run/guest.pid").strip()
        return int(text) if text else None

    def wait_booted(self, timeout_s=60.0):
        """Until systemd has started all that it starts; failed units count as started here."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            state = self.run(["systemctl", "is-system-running"], check=False).out.strip() if self.pid() else ""
            if state in ("running", "degraded"):
                return state
            time.sleep(0.1)
        raise HostError(f"{self.name} does not come up: {state or 'no systemd'}")

    def reboot(self, timeout_s=120.0):
        """An orderly reboot; returns when the next life is up."""
        before = self.pid()
        self.run(["systemctl", "reboot", "--no-block"], check=False)
        end = time.monotonic() + timeout_s
        while self.pid() in (None, before):
            if time.monotonic() > end:
                raise HostError(f"{self.name} does not go down: {self.jobs()}")
            time.sleep(0.1)
        self.wait_booted()

    def jobs(self):
        return self.run(["systemctl", "list-jobs"], check=False).out.strip()

    def run(self, argv, timeout_s=60.0, check=True, text=None, env=None):
        """As Host.run(), inside the guest."""
        environment = [f"{key}={value}" for key, value in (env or {}).items()]
        enter = ["nsenter", "-t", str(self.pid() or 0), "-m", "-p", "-u", "-i", "-C", "env", "-i",
                 "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8",
                 "DEBIAN_FRONTEND=noninteractive", "TERM=dumb", *environment]
        return self.host.run([*enter, *argv], timeout_s=timeout_s, check=check, text=text)

    def shell(self, script, **options):
        return self.run(["sh", "-ec", script], **options)

    def path(self, inside):
        """A path of the living guest as seen from outside."""
        return f"/proc/{self.host.pid}/root/proc/{self.pid()}/root{inside}"

    def write(self, inside, text, mode=0o644):
        self.run(["sh", "-ec", f'mkdir -p "$(dirname {inside})"; cat >{inside}; chmod {mode:o} {inside}'], text=text)

    def read(self, inside):
        return self.run(["cat", inside]).out

    def give(self, path):
        """Copies a file into the guest's /mnt; returns its path there."""
        shutil.copy(path, os.path.join(self.disk, "shared"))
        return "/mnt/" + os.path.basename(path)

    def unit(self, name):
        """Properties of a unit."""
        out = self.run(["systemctl", "show", name, "-p", "ActiveState,SubState,MainPID,User,Result,NRestarts"]).out
        return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)

    def active(self, name):
        return self.unit(name)["ActiveState"] == "active"

    def journal(self, *arguments):
        return self.run(["journalctl", "--no-pager", "-o", "short-precise", *arguments], check=False).out

    def status(self):
        """`bascule status --json`, or {} when the manager does not answer."""
        asked = self.run(["bascule", "status", "--json"], check=False)
        try:
            return json.loads(asked.out) if asked.code == 0 else {}
        except ValueError:
            return {}
