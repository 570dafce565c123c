"""Three hosts with the product's real programs, and a client outside."""

import json
import os
import shutil
import socket
import subprocess
import time

from bascule_hosts import HostError, WireWatch, World, kernel

from . import shop
from .activity import ActivityWatch

ADDRESSES = {"alice": "10.77.0.1", "bob": "10.77.0.2", "carol": "10.77.0.3"}
SECOND_ADDRESSES = {"alice": "10.78.0.1", "bob": "10.78.0.2", "carol": "10.78.0.3"}
CLIENT_ADDRESS = "10.77.0.100"
DATA_NODES = ("alice", "bob")
CLIENT_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(kernel.__file__)), "client.py")
PASSED_ON = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")


class StoryError(Exception):
    """The story did not go on as it should."""


class Cluster:
    def __init__(self, directory, programs, service, timeline, watchdog_ms=5000, networks=1):
        self.programs = programs
        self.service = service
        self.networks = networks
        self.has_volume = service != "web"
        self.addresses, self.data_nodes = ADDRESSES, DATA_NODES
        self.timeline = timeline
        self.environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self.world = World(directory, watchdog_ms=watchdog_ms, note=timeline.note)
        self.hosts = self.world.hosts
        self.directory = self.world.directory
        self._client = None
        self._key = None
        self.orders_path = os.path.join(self.directory, "client", "answers.jsonl")

    # --- hosts ------------------------------------------------------------------------------------------------------

    def make_hosts(self):
        for name, address in self.addresses.items():
            base = os.path.join(self.directory, name)
            host = self.world.add(name, address, [(f"{base}/disk", "/var/lib/bascule"), (f"{base}/etc", "/etc/bascule"),
                                                  (f"{base}/srv", "/srv")],
                                  SECOND_ADDRESSES[name] if self.networks == 2 else None)
            host.write("/etc/bascule/cluster.toml", shop.cluster_toml(self.service, self.networks))
            self.give_key(os.path.join(base, "etc", "cluster.key"))
            if name in self.data_nodes:
                shop.configure(host, self.service)
            self.timeline.follow(name, os.path.join(base, "disk", "events.jsonl"))
        self.world.add("client", CLIENT_ADDRESS, [(os.path.dirname(self.orders_path), "/client")])
        self.wire = WireWatch(self.world, shop.SERVICE_ADDRESS)
        self.activity = ActivityWatch(self.world, self.data_nodes)

    def give_key(self, path):
        """The cluster's key, made on the first host and copied to the others."""
        if self._key is None:
            subprocess.run([self.program("bascule"), "key", "create", path], check=True, stdout=subprocess.DEVNULL,
                           env={**os.environ, **self.environment})
            self._key = path
        else:
            shutil.copy(self._key, path)

    def program(self, name):
        return os.path.join(self.programs, name)

    def start_programs(self, name):
        """What the init system of the machine starts at each boot."""
        host = self.hosts[name]
        if name in self.data_nodes:
            shop.runtime_directories(host)
            host.supervise("watchdogd", [self.program("bascule-watchdogd"), "--watchdog", "/run/watchdog"],
                           self.environment)
            if self.has_volume:
                host.supervise("blockd", [self.program("bascule-blockd"), "--volume", "data"], self.environment)
        self.start_manager(name)

    def start_manager(self, name):
        self.hosts[name].supervise("managerd", [self.program("bascule-managerd")], self.environment)

    def boot(self, name):
        """The next life of a dead host, on its disk as it is."""
        self.hosts[name].boot()
        self.start_programs(name)

    # --- asking -----------------------------------------------------------------------------------------------------

    def bascule(self, name, *arguments, timeout_s=60.0, check=True):
        return self.hosts[name].run([self.program("bascule"), *arguments], timeout_s, self.environment, check)

    def status(self, name, timeout_s=2.0):
        """The reply of one node's manager, or None when it does not answer."""
        path = self.hosts[name].path("/run/bascule/manager.sock")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(timeout_s)
                connection.connect(path)
                connection.sendall(b'{"op":"status"}\n')
                data = b""
                while not data.endswith(b"\n"):
                    part = connection.recv(65536)
                    if not part:
                        return None
                    data += part
            return json.loads(data)
        except (OSError, ValueError):
            return None

    def any_status(self):
        """The status as a living node with a working manager sees it, one that knows of a leader if there is one."""
        best = None
        for name in self.addresses:
            if self.hosts[name].up() and not self.hosts[name].frozen:
                status = self.status(name)
                if status and status.get("quorum", {}).get("have"):
                    return status
                best = best or status
        return best

    def wait_for(self, what, condition, timeout_s, every_s=0.05):
        """Waits until the condition says something true and returns it; StoryError with the last status if it never
        does."""
        end = time.monotonic() + timeout_s
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() > end:
                raise StoryError(f"{what}: not within {timeout_s:.0f} s. {self.describe()}")
            time.sleep(every_s)

    def describe(self):
        status = self.any_status()
        if status is None:
            return "No manager answers."
        text = status.get("summary", "")
        services = "; ".join(f"{one['name']} {one.get('state')} on {one.get('owner')} {one.get('why', '')}"
                             for one in status.get("services", []))
        volumes = "; ".join(f"{one['name']} in sync {one.get('in_sync')} " + ", ".join(
            f"{r['node']} {r.get('role')}/{r.get('disk')}/{r.get('connection')} {r.get('why', '')}"
            for r in one.get("replicas", [])) for one in status.get("volumes", []))
        return f"Status: {text} [{services}] [{volumes}]"

    def _one_of(self, kind, name):
        """What the status says of the service or volume with this name, without a name of the first; {}: nothing."""
        found = (self.any_status() or {}).get(kind, [])
        return next((one for one in found if name in (None, one["name"])), {})

    def service_state(self, name=None):
        return self._one_of("services", name)

    def volume_state(self, name=None):
        return self._one_of("volumes", name)

    def owner(self, service=None):
        return self.service_state(service).get("owner")

    def wait_started(self, timeout_s=60.0, on=None):
        def started():
            state = self.service_state()
            return state if state.get("state") == "Started" and (on is None or state.get("owner") == on) else None

        return self.wait_for("The service starts" + (f" on {on}" if on else ""), started, timeout_s)

    def replicas(self, volume=None):
        return {replica["node"]: replica for replica in self.volume_state(volume).get("replicas", [])}

    def in_sync(self, volume=None):
        state = self.volume_state(volume)
        replicas = state.get("replicas", [])
        return (len(replicas) == 2 and sorted(state.get("in_sync", [])) == sorted(r["node"] for r in replicas) and
                all(r.get("disk") == "UpToDate" and r.get("connection") == "Connected" for r in replicas))

    def wait_in_sync(self, what, timeout_s=180.0, volume=None):
        """Waits until both replicas are UpToDate and members, with a progress display."""
        began = []

        def done():
            for replica in self.replicas(volume).values():
                if replica.get("connection") in ("SyncSource", "SyncTarget") and replica.get("resync_total_bytes"):
                    began.append(time.monotonic())
                    self.timeline.progress(what, replica["resync_done_bytes"], replica["resync_total_bytes"], began[0])
                    break
            return self.in_sync(volume)

        try:
            self.wait_for(what, done, timeout_s, 0.1)
        finally:
            self.timeline.end_progress()

    # --- making it --------------------------------------------------------------------------------------------------

    def make_backing_files(self):
        for name in self.data_nodes:
            self.bascule(name, "volume", "create", "data")

    def start_all_programs(self):
        if self.has_volume:
            self.make_backing_files()
        for name in self.addresses:
            self.start_programs(name)
        self.wait_for("A leader is elected", lambda: (self.any_status() or {}).get("quorum", {}).get("have"), 20)

    def start_everything(self):
        """From nothing to the running service on Alice; the initial sync is over when this returns."""
        self.start_all_programs()
        if self.has_volume:
            self._prepare_volume()
        self.bascule("alice", "start", "shop")
        self.wait_started(60, on="alice")

    def wait_connected(self, volume=None):
        self.wait_for("The replicas connect", lambda: len(self.replicas(volume)) == 2 and all(
            replica.get("connection") not in (None, "", "StandAlone", "Unconnected", "WFConnection")
            for replica in self.replicas(volume).values()), 30)
        self.wait_for("A first copy is chosen", lambda: self.volume_state(volume).get("initialised"), 30)

    def volume_primary(self, name, volume="data"):
        """Makes the volume primary by hand and returns its block device."""
        self.bascule(name, "volume", "primary", volume, "--on", name)
        return self.wait_for("The block device appears", lambda: self.replicas(volume).get(name, {}).get("device"), 30)

    def volume_secondary(self, name, volume="data"):
        self.bascule(name, "volume", "secondary", volume)
        self.wait_for("The volume is secondary", lambda: self.volume_state(volume).get("owner") in (None, "") and all(
            replica.get("role") == "Secondary" for replica in self.replicas(volume).values()), 30)

    def _prepare_volume(self):
        self.wait_connected()
        self.timeline.say("the volume becomes primary on alice by hand; file system, database and site are made on it")
        shop.fill(self.hosts["alice"], self.volume_primary("alice"))
        self.wait_in_sync("initial sync")
        self.volume_secondary("alice")

    # --- load -------------------------------------------------------------------------------------------------------

    def start_client(self):
        kind, url = ("orders", shop.ORDER_URL) if self.service == "lamp" else ("web", shop.WEB_URL)
        self._client = self.hosts["client"].start(
            ["/usr/bin/python3", "-B", CLIENT_PROGRAM, kind, url, "/client/answers.jsonl"])

    def stop_client(self):
        if self._client is not None:
            self.hosts["client"].run(["kill", "-TERM", str(self._client.pid)], check=False)
            self._client.wait(20)
            self._client = None

    # --- taking it down -----------------------------------------------------------------------------------------------

    def stop_service(self):
        name = next((one for one in self.addresses if self.status(one)), "alice")
        self.bascule(name, "stop", "shop")
        self.wait_for("The service stops", lambda: self.service_state().get("state") == "Stopped" and not self.owner(),
                      60)
        if self.service == "lamp":
            self.wait_for("The volume is secondary everywhere", lambda: all(
                replica.get("role") == "Secondary" for replica in self.replicas().values()), 30)

    def backing_path(self, name):
        return os.path.join(self.directory, name, "disk", "data.img")

    def keep_logs(self):
        """The nodes' own files that tell what happened, beside the logs; then the disks can go."""
        for name in self.addresses:
            disk = os.path.join(self.directory, name, "disk")
            for file in ("events.jsonl", "decisions.jsonl"):
                if os.path.exists(os.path.join(disk, file)):
                    shutil.copy(os.path.join(disk, file), os.path.join(self.world.logs, f"{name}.{file}"))
        if os.path.exists(self.orders_path):
            shutil.copy(self.orders_path, os.path.join(self.world.logs, "client.answers.jsonl"))

    def close(self):
        """Ends the hosts. What tells what happened is kept, the disks are not."""
        try:
            self.keep_logs()
        finally:
            self.world.close()
        self.remove_disks()

    def remove_disks(self):
        for name in (*self.addresses, "client", "switch"):
            shutil.rmtree(os.path.join(self.directory, name), ignore_errors=True)


__all__ = ["Cluster", "HostError", "StoryError"]
