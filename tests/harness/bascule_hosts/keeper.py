"""The keeper of a world: a small process beside the harness that plays the hosts' hardware watchdogs and takes
everything down when the harness is gone, whatever ended it. Reads JSON lines from its standard input:

  {"op":"watch","host":"alice","pid":123,"cgroup":"...","fifo":"/proc/123/root/run/watchdog","timeout_ms":5000}
  {"op":"unwatch","host":"alice"}
  {"op":"abort","devices":[..]}  the host that served these FUSE file systems is dead: their requests fail
  {"op":"stay"}      from now on the end of the input does not end the world (./demo --keep); SIGTERM does

and writes {"event":"watchdog-bite","host":"alice","at_ns":...} lines to its standard output.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from bascule_hosts import kernel  # noqa: E402


def fuse_devices_of(cgroup):
    """The FUSE file systems that the hosts below this cgroup serve."""
    found = set()
    for pid in kernel.cgroup_processes(cgroup):
        found |= kernel.fuse_devices(pid)
    return found - kernel.fuse_devices(os.getpid())


def end_world(cgroup, directory):
    """Kills every process of the world, ends its FUSE connections, detaches its loop devices, removes its cgroups."""
    devices = fuse_devices_of(cgroup)
    kernel.cgroup_kill(cgroup)
    kernel.fuse_abort(devices)
    kernel.cgroup_remove(cgroup)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        detached = kernel.detach_loops_below(directory)
        if detached and not any(os.path.exists(kernel.fuse_connection(device)) for device in devices):
            return
        time.sleep(0.05)


class Watched:
    def __init__(self, message):
        self.host = message["host"]
        self.cgroup = message["cgroup"]
        self.pid = message["pid"]
        self.switch_pid, *self.ports = message.get("port", [0])
        self.timeout_s = message["timeout_ms"] / 1000
        self.fd = os.open(message["fifo"], os.O_RDWR | os.O_NONBLOCK)
        self.deadline = None  # armed by the first byte, disarmed by 'V'

    def read(self, now):
        try:
            data = os.read(self.fd, 4096)
        except BlockingIOError:
            return
        if not data:
            return
        self.deadline = None if data.endswith(b"V") else now + self.timeout_s


class Keeper:
    def __init__(self, cgroup, directory):
        self.cgroup = cgroup
        self.directory = directory
        self.watched = {}
        self.stay = False
        self.ended = False
        self.selector = selectors.DefaultSelector()
        self.input = b""

    def say(self, **message):
        try:
            os.write(1, json.dumps(message).encode() + b"\n")
        except OSError:
            pass

    def unwatch(self, host):
        watched = self.watched.pop(host, None)
        if watched is not None:
            self.selector.unregister(watched.fd)
            os.close(watched.fd)

    def command(self, message):
        if message["op"] == "watch":
            self.unwatch(message["host"])
            watched = Watched(message)
            self.watched[watched.host] = watched
            self.selector.register(watched.fd, selectors.EVENT_READ, watched)
        elif message["op"] == "unwatch":
            self.unwatch(message["host"])
        elif message["op"] == "abort":
            kernel.fuse_abort(message["devices"])
        elif message["op"] == "stay":
            self.stay = True
        self.say(done=message["op"], host=message.get("host"))

    def read_input(self):
        data = os.read(0, 65536)
        if not data:
            self.selector.unregister(0)
            if not self.stay:
                self.ended = True
            return
        self.input += data
        *lines, self.input = self.input.split(b"\n")
        for line in lines:
            try:
                self.command(json.loads(line))
            except (OSError, ValueError, KeyError) as error:
                self.say(error=f"{type(error).__name__}: {error}")

    def bite(self, watched):
        at_ns = kernel.boottime_ns()
        for port in watched.ports:
            subprocess.run(["nsenter", "-t", str(watched.switch_pid), "-n", "ip", "link", "set", port, "down"],
                           check=False, stderr=subprocess.DEVNULL)
        devices = fuse_devices_of(watched.cgroup)
        kernel.cgroup_kill(watched.cgroup)
        kernel.fuse_abort(devices)
        self.unwatch(watched.host)
        self.say(event="watchdog-bite", host=watched.host, at_ns=at_ns)

    def loop(self):
        self.selector.register(0, selectors.EVENT_READ, None)
        while not self.ended:
            now = time.monotonic()
            due = [watched for watched in self.watched.values() if watched.deadline is not None]
            timeout = min((watched.deadline - now for watched in due), default=1.0)
            for key, _ in self.selector.select(max(0.0, min(timeout, 1.0))):
                if key.data is None:
                    self.read_input()
                else:
                    key.data.read(time.monotonic())
            for watched in list(self.watched.values()):
                if watched.deadline is not None and time.monotonic() >= watched.deadline:
                    self.bite(watched)


def main():
    cgroup, directory = sys.argv[1:3]
    keeper = Keeper(cgroup, directory)
    os.setsid()
    kernel.mount_fuse_control()
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)

    def terminate(*_):
        keeper.ended = True

    signal.signal(signal.SIGTERM, terminate)
    try:
        keeper.loop()
    finally:
        for host in list(keeper.watched):
            keeper.unwatch(host)
        end_world(cgroup, directory)


if __name__ == "__main__":
    main()
