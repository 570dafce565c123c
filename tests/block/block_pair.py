"""Two bascule-blockd on 127.0.0.1 and 127.0.0.2, with a stand-in for the manager and the lease page."""

import json
import mmap
import os
import random
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

MIB = 1 << 20
ADDRESSES = {"alice": "127.0.0.1", "bob": "127.0.0.2"}
NAMES = ("alice", "bob")


def other(name):
    return "bob" if name == "alice" else "alice"


def free_port():
    """Below the ports that the system gives to outgoing connections: one of those may be taken at any moment."""
    while True:
        port = random.randrange(10240, 32000)
        try:
            for address in ADDRESSES.values():
                with socket.socket() as one:
                    one.bind((address, port))
            return port
        except OSError:
            continue


def wait_for(condition, text, seconds=15):
    """Returns the condition's first true value."""
    limit = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > limit:
            raise AssertionError(f"waited {seconds} s for {text}")
        time.sleep(0.01)


class LeasePage:
    """RUN_DIR/lease as bascule-watchdogd writes it (runtime/watchdog/lease_page.h), one slot."""

    MAGIC = 0x6261736C65617365
    SLOT, SLOTS = "=56sIIQq", 100

    def __init__(self, run_dir, slot):
        size = 16 + self.SLOTS * struct.calcsize(self.SLOT)
        path = f"{run_dir}/lease"
        with open(path, "wb") as file:
            file.write(bytes(size))
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), size)
        struct.pack_into(self.SLOT, self.map, 16, slot.encode(), 0, 0, 0, 0)
        struct.pack_into("=QII", self.map, 0, self.MAGIC, 1, 0)
        self.sequence = 0

    def write(self, epoch, end_ns):
        self.sequence += 2
        at = 16 + 56
        struct.pack_into("=I", self.map, at, self.sequence - 1)
        struct.pack_into("=Qq", self.map, at + 8, epoch, end_ns)
        struct.pack_into("=I", self.map, at, self.sequence)

    def close(self):
        self.map.close()
        self.file.close()


class ControlError(Exception):
    pass


class Control:
    """A client of blockd.VOLUME.sock."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.lines = self.socket.makefile("r")
        self.next_id = 1
        self.story = []

    def ask(self, op, timeout=20, **arguments):
        number, self.next_id = self.next_id, self.next_id + 1
        self.socket.settimeout(timeout)
        self.socket.sendall((json.dumps({"op": op, "id": number, **arguments}) + "\n").encode())
        while True:
            line = self.lines.readline()
            if not line:
                raise ControlError("blockd closed the control socket")
            reply = json.loads(line)
            if reply.get("event") == "story":
                self.story.append(reply)
            if reply.get("id") == number:
                break
        if not reply["ok"]:
            raise ControlError(reply["error"]["why"])
        return reply

    def state(self):
        return self.ask("state")["state"]

    def close(self):
        self.lines.close()
        self.socket.close()


class Node:
    """One blockd with its run directory, disk, lease and manager."""

    def __init__(self, pair, name):
        self.pair, self.name = pair, name
        self.run_dir = f"{pair.directory}/{name}"
        os.mkdir(self.run_dir)
        self.disk = f"{pair.directory}/{name}.img"
        self.lease = LeasePage(self.run_dir, "volume:data")
        self.config = pair.config
        self.process = self.control = None
        self.log_path = f"{pair.directory}/{name}.log"

    @property
    def nbd(self):
        return f"nbd+unix:///data?socket={self.run_dir}/nbd.data.sock"

    def create(self, *options):
        return subprocess.run([self.pair.tool, "create", self.config, self.name, "data", *options],
                              capture_output=True, text=True)

    def start(self):
        with open(self.log_path, "a") as log:
            self.process = subprocess.Popen(
                [*self.pair.blockd_prefix, self.pair.blockd, "--config", self.config, "--node", self.name, "--volume", "data", "--run-dir",
                 self.run_dir], stderr=log)
        wait_for(self.connect_control, f"{self.name}'s control socket")
        return self

    def connect_control(self):
        if self.process.poll() is not None:
            raise AssertionError(f"blockd on {self.name} ended: " + self.log()[-500:])
        try:
            self.control = Control(f"{self.run_dir}/blockd.data.sock")
        except OSError:
            return False
        return True

    def log(self):
        with open(self.log_path) as file:
            return file.read()

    def state(self):
        return self.control.state()

    def wait_state(self, seconds=30, **wanted):
        def reached():
            state = self.state()
            return state if all(state[key] == value for key, value in wanted.items()) else None
        try:
            return wait_for(reached, f"{self.name} to be {wanted}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.state()}\n{self.log()[-3000:]}") from None

    def promote(self, epoch, initial=False):
        self.pair.grant(self.name, epoch)
        return self.control.ask("promote", epoch=epoch, initial=initial)

    def demote(self, force=False):
        return self.control.ask("demote", force=force)

    def in_sync(self, version, members):
        return self.control.ask("in_sync", version=version, members=list(members))

    def stop(self):
        self.process.terminate()
        code = self.process.wait(timeout=20)
        self.drop_control()
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.drop_control()

    def drop_control(self):
        if self.control:
            self.control.close()
            self.control = None

    def running(self):
        return self.process is not None and self.process.poll() is None


class Pair:
    """Both nodes in one directory. Leases are renewed every 50 ms for those who have one."""

    def __init__(self, programs, size_mib=64, sizes=None, directory=None, key_files=None):
        """`key_files`: node -> path of its keys; None: nothing is encrypted."""
        self.key_files = key_files
        self.blockd, self.tool = f"{programs}/bascule-blockd", f"{programs}/block-test-tool"
        self.directory = tempfile.mkdtemp(prefix="bascule-block-", dir=directory)
        self.blockd_prefix = []
        self.port = free_port()
        self.size = size_mib * MIB
        self.config = self.write_config("cluster.toml", size_mib)
        self.leases = {}
        self.renewing = True
        self.nodes = {name: Node(self, name) for name in NAMES}
        self.alice, self.bob = self.nodes["alice"], self.nodes["bob"]
        for name, mib in (sizes or {}).items():
            self.nodes[name].config = self.write_config(f"{name}.toml", mib)
        for name, keys in (key_files or {}).items():
            self.nodes[name].config = self.write_config(f"{name}.toml", size_mib, keys)
        self.thread = threading.Thread(target=self._renew, daemon=True)
        self.thread.start()

    def write_config(self, file, size_mib, key_file="none"):
        path = f"{self.directory}/{file}"
        disks = ", ".join(f'{name} = "{self.directory}/{name}.img"' for name in NAMES)
        nodes = "\n".join(f'[node.{name}]\naddress = "{ADDRESSES[name]}"' for name in NAMES)
        with open(path, "w") as config:
            config.write(f'[cluster]\nname = "t"\nkey_file = "{key_file}"\n{nodes}\n[node.carol]\naddress = "127.0.0.3"\nrole = "witness"\n'
                         f'[volume.data]\nsize = "{size_mib}M"\nport = {self.port}\ndisk = {{ {disks} }}\n')
        return path

    def grant(self, name, epoch):
        self.leases[name] = epoch
        self._renew_once()

    def revoke(self, name):
        self.leases.pop(name, None)

    def _renew_once(self):
        for name, epoch in list(self.leases.items()):
            self.nodes[name].lease.write(epoch, time.clock_gettime_ns(time.CLOCK_BOOTTIME) + 450_000_000)

    def _renew(self):
        while self.renewing:
            self._renew_once()
            time.sleep(0.05)

    def create_and_start(self):
        for node in self.nodes.values():
            made = node.create()
            if made.returncode:
                raise AssertionError(made.stderr)
            node.start()
        return self

    def connect(self):
        for node in self.nodes.values():
            wait_for(lambda: node.state()["connection"] not in ("WFConnection", "Unconnected", "WFReportParams"),
                     f"{node.name} to connect")
        return self

    def initial(self, epoch=1):
        """Alice is the first primary; both in step; both are members."""
        for node in self.nodes.values():
            node.in_sync(1, ["alice"])
        self.alice.promote(epoch, initial=True)
        self.wait_in_step()
        self.commit(2, NAMES)
        return self

    def wait_in_step(self, seconds=60):
        for node in self.nodes.values():
            node.wait_state(seconds, connection="Connected", disk="UpToDate", peer_disk="UpToDate")

    def commit(self, version, members):
        for node in self.nodes.values():
            if node.running():
                node.in_sync(version, members)

    def images_equal(self):
        with open(self.alice.disk, "rb") as a, open(self.bob.disk, "rb") as b:
            return a.read(self.size) == b.read(self.size)

    def close(self):
        self.renewing = False
        self.thread.join()
        for node in self.nodes.values():
            if node.running():
                try:
                    node.stop()
                except subprocess.TimeoutExpired:
                    node.kill()
            node.lease.close()
            subprocess.run(["umount", "-l", f"{node.run_dir}/fuse/data"], capture_output=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        if kind is not None:
            for node in self.nodes.values():
                if os.path.exists(node.log_path):
                    print(f"--- {node.name}\n{node.log()[-4000:]}")
        self.close()
