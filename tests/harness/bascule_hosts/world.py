"""A world: hosts as namespaces around a switch, each of which can be cut off, frozen, killed and booted again.

Nothing of it lives outside: the switch has a network namespace of its own, every process is in one tree of cgroups,
every file lies below one directory, and the keeper takes all of it down even when this process is killed.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass

from . import kernel
from .leftovers import Footprint, namespaces_of

PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
HERE = os.path.dirname(os.path.abspath(__file__))
PRIVATE_DIRECTORIES = ["/run", "/tmp", "/dev/shm", "/var/tmp", "/var/log"]


class HostError(Exception):
    """A host did not do what it was asked."""


@dataclass
class Finished:
    code: int
    out: str
    err: str


class Running:
    """A command inside a host; its end comes over the connection to the host's first process."""

    def __init__(self, host, argv, connection, out, err):
        self.host, self.argv = host, argv
        self._connection, self._out, self._err = connection, out, err
        self._buffer = b""
        self.pid = self._message(10)["pid"]

    def _message(self, timeout_s):
        self._connection.settimeout(timeout_s)
        try:
            while b"\n" not in self._buffer:
                data = self._connection.recv(4096)
                if not data:
                    raise HostError(f"{self.host.name} died while {self.argv[0]} ran")
                self._buffer += data
        except TimeoutError:
            raise HostError(f"{' '.join(self.argv)} on {self.host.name}: no end after {timeout_s} s") from None
        except ConnectionError:
            raise HostError(f"{self.host.name} died while {self.argv[0]} ran") from None
        line, self._buffer = self._buffer.split(b"\n", 1)
        message = json.loads(line)
        if "error" in message:
            raise HostError(f"{' '.join(self.argv)} on {self.host.name}: {message['error']}")
        return message

    def wait(self, timeout_s=60.0):
        with self._connection, self._out, self._err:
            code = self._message(timeout_s)["exit"]
            self._out.seek(0)
            self._err.seek(0)
            return Finished(code, self._out.read().decode(errors="replace"), self._err.read().decode(errors="replace"))

    def abandon(self):
        """Stops listening for the end of the command; it runs on."""
        for closing in (self._connection, self._out, self._err):
            closing.close()


class Host:
    """One machine. `data` hosts keep their directories of `disk` over a kill; everything else is gone with it."""

    def __init__(self, world, name, address, binds, second_address=None):
        self.world, self.name, self.address, self.second_address = world, name, address, second_address
        self.mac = "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))
        self.port = f"{name}0"  # its interface on the switch
        self.ports = [self.port] + ([f"{name}1"] if second_address else [])  # one for each network
        self.directory = os.path.join(world.directory, name)
        self.cgroup = os.path.join(world.cgroup, name)
        self.binds = binds
        self.pid = None
        self.frozen = False
        self.boots = 0
        self.dying = False  # killed; on a busy machine its last processes are still going

    # --- life -----------------------------------------------------------------------------------------------------

    def boot(self):
        """Starts the host on its disk as it is. The programs of its earlier life are not started by this."""
        if self.up() and not self.dying:
            raise HostError(f"{self.name} is up already")
        self._bury()
        os.makedirs(self.directory, exist_ok=True)
        os.makedirs(self.cgroup, exist_ok=True)
        for source, _ in self.binds:
            os.makedirs(source, exist_ok=True)
        self._start_first_process()
        self.pid = self._find_first_process()
        self.world.footprint.namespaces |= namespaces_of(self.pid) - namespaces_of(os.getpid())
        self.boots += 1
        self.frozen = self.dying = False
        if self.name != "switch":
            self.world.plug(self)
            self.world.keeper_say(op="watch", host=self.name, pid=self.pid, cgroup=self.cgroup,
                                  fifo=f"/proc/{self.pid}/root/run/watchdog", timeout_ms=self.world.watchdog_ms,
                                  port=[self.world.switch.pid, *self.ports])
        self.world.note(self.name, "host-up", f"{self.name} is up")

    def _start_first_process(self):
        reading, writing = os.pipe()
        spec = {"name": self.name, "cgroup": self.cgroup, "tmpfs": PRIVATE_DIRECTORIES, "binds": self.binds,
                "fifos": ["/run/watchdog"] if self.name != "switch" else [], "log_directory": self.world.logs,
                "ready_fd": writing}
        with open(os.path.join(self.world.logs, f"{self.name}.host.log"), "ab") as log:
            subprocess.run([PYTHON, os.path.join(HERE, "inside.py"), json.dumps(spec)], check=True, stdout=log,
                           stderr=log, stdin=subprocess.DEVNULL, pass_fds=[writing])
        os.close(writing)
        ready = os.read(reading, 1)
        os.close(reading)
        if ready != b"1":
            log = kernel.read_file(os.path.join(self.world.logs, f"{self.name}.host.log"))
            raise HostError(f"{self.name} does not come up: {log.strip().splitlines()[-1:]}")

    def _find_first_process(self):
        for pid in kernel.cgroup_processes(self.cgroup):
            for line in kernel.read_file(f"/proc/{pid}/status").splitlines():
                if line.startswith("NSpid:") and line.split()[-1] == "1":
                    return pid
        raise HostError(f"{self.name} has no first process")

    def up(self):
        """Whether any process of the host lives (frozen ones do)."""
        return bool(self.pid) and "populated 1" in kernel.read_file(os.path.join(self.cgroup, "cgroup.events"))

    def kill(self):
        """The machine dies: its link goes down and every process is gone at once. Returns the moment."""
        devices = self._fuse_devices()
        at_ns = kernel.boottime_ns()
        self.dying = True
        kernel.cgroup_kill(self.cgroup)
        self.world.keeper_say(op="abort", devices=sorted(devices))
        self.world.link(self, False)
        self.world.note(self.name, "host-killed", f"{self.name} dies: every process at once, and the link goes down",
                        at_ns)
        self.world.keeper_say(op="unwatch", host=self.name)
        return at_ns

    def _fuse_devices(self):
        """The FUSE file systems of this life of the host."""
        found = kernel.fuse_devices(self.pid) - kernel.fuse_devices(os.getpid()) if self.pid else set()
        self.world.footprint.fuse_devices |= found
        return found

    def died(self):
        """Told by the keeper: the watchdog has killed the host."""
        self.frozen = False

    def _bury(self):
        """What the kernel of a dead machine would have lost: loop devices, network interface, frozen state."""
        end = time.monotonic() + 15
        while self.up():
            if time.monotonic() > end:
                raise HostError(f"processes of {self.name} do not die: {kernel.cgroup_processes(self.cgroup)}")
            kernel.cgroup_kill(self.cgroup)
            time.sleep(0.01)
        kernel.detach_loops_below(self.directory)
        if os.path.isdir(self.cgroup):
            kernel.cgroup_remove(self.cgroup)
        if self.name != "switch" and self.world.switch.pid:
            for port in self.ports:
                self.world.switch.run(["ip", "link", "del", port], check=False)
        self.pid = None

    def freeze(self):
        """Every process stops where it stands; the kernel (addresses, sockets, nftables) goes on."""
        at_ns = kernel.boottime_ns()
        kernel.write_file(os.path.join(self.cgroup, "cgroup.freeze"), "1")
        self.frozen = True
        self.world.note(self.name, "host-frozen", f"every process of {self.name} is frozen", at_ns)
        return at_ns

    def thaw(self):
        at_ns = kernel.boottime_ns()
        try:
            kernel.write_file(os.path.join(self.cgroup, "cgroup.freeze"), "0")
        except OSError:
            pass
        self.frozen = False
        self.world.note(self.name, "host-thawed", f"{self.name} goes on", at_ns)
        return at_ns

    # --- links ----------------------------------------------------------------------------------------------------

    def link_down(self, network=None):
        """All its links, or only the one to this network (0 or 1)."""
        at_ns = kernel.boottime_ns()
        self.world.link(self, False, network)
        self.world.note(self.name, "link-cut", f"{self._link(network)} of {self.name} goes down", at_ns)
        return at_ns

    def link_up(self, network=None):
        at_ns = kernel.boottime_ns()
        self.world.link(self, True, network)
        self.world.note(self.name, "link-healed", f"{self._link(network)} of {self.name} is up again", at_ns)
        return at_ns

    @staticmethod
    def _link(network):
        return "the link" if network is None else f"the link to network {network}"

    # --- programs -------------------------------------------------------------------------------------------------

    def _connect(self):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(10)
        try:
            connection.connect(f"/proc/{self.pid}/root/run/harness.sock")
        except OSError as error:
            connection.close()
            raise HostError(f"{self.name} cannot be reached: {error.strerror or error}") from None
        return connection

    def _ask(self, timeout_s=10.0, **request):
        connection = self._connect()
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            connection.settimeout(timeout_s)
            data = b""
            while not data.endswith(b"\n"):
                part = connection.recv(65536)
                if not part:
                    raise HostError(f"{self.name} died")
                data += part
        except (TimeoutError, ConnectionError) as error:
            raise HostError(f"{self.name} does not answer to {request['op']}: {error}") from None
        finally:
            connection.close()
        reply = json.loads(data)
        if "error" in reply:
            raise HostError(f"{request['op']} on {self.name}: {reply['error']}")
        return reply

    def start(self, argv, env=None, stdin=None):
        """Starts a command inside the host without waiting for its end."""
        connection = self._connect()
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        source = stdin if stdin is not None else open(os.devnull, "rb")
        try:
            request = json.dumps({"op": "run", "argv": argv, "env": env or {}}).encode() + b"\n"
            socket.send_fds(connection, [request], [source.fileno(), out.fileno(), err.fileno()])
            return Running(self, argv, connection, out, err)
        finally:
            if stdin is None:
                source.close()

    def run(self, argv, timeout_s=60.0, env=None, check=True, text=None):
        """Runs a command inside the host; HostError when it fails (unless check=False) or does not end in time."""
        if text is None:
            finished = self.start(argv, env).wait(timeout_s)
        else:
            with tempfile.TemporaryFile() as stdin:
                stdin.write(text.encode())
                stdin.seek(0)
                finished = self.start(argv, env, stdin).wait(timeout_s)
        if check and finished.code != 0:
            why = (finished.err.strip() or finished.out.strip()).splitlines()[-3:]
            raise HostError(f"{' '.join(argv)} on {self.name} ended with {finished.code}: {' | '.join(why)}")
        return finished

    def supervise(self, name, argv, env=None, restart=True):
        """Runs a program as an init system would: restarted when it ends; its output in NAME.PROGRAM.log."""
        return self._ask(op="supervise", name=name, argv=argv, env=env or {}, restart=restart)["pid"]

    def end(self, name, number=signal.SIGTERM, timeout_s=20.0):
        """Ends a supervised program for good and waits until it is gone."""
        return self._ask(timeout_s, op="end", name=name, signal=int(number)).get("exit")

    def crash(self, name):
        """kill -9 of a supervised program; the supervisor starts it again."""
        return self._ask(op="end", name=name, signal=int(signal.SIGKILL), restart=True).get("exit")

    def programs(self):
        return self._ask(op="programs")["programs"]

    def limit_processes(self, more):
        """From now on at most about so many more processes and threads can begin in this host; None: as on the machine.
        What lives already lives on. HostError where the kernel knows only one limit for the machine."""
        limit = int(kernel.read_file(kernel.PID_MAX)) if more is None else kernel.RESERVED_PIDS + more
        self._ask(op="limit_processes", pid_max=limit)

    def path(self, inside):
        """A path inside the living host as seen from outside."""
        return f"/proc/{self.pid}/root{inside}"

    def write(self, inside, text, mode=0o644):
        path = self.path(inside)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        kernel.write_file(path, text)
        os.chmod(path, mode)

    def read(self, inside, default=""):
        return kernel.read_file(self.path(inside), default)


class World:
    """`with World(directory) as world:` ... `world.add("alice", "10.77.0.1")`."""

    def __init__(self, directory, watchdog_ms=5000, note=None):
        self.directory = os.path.realpath(directory)
        if os.path.isdir(self.directory):
            shutil.rmtree(self.directory)
        self.logs = os.path.join(self.directory, "logs")
        os.makedirs(self.logs)
        root = kernel.cgroup2_root()
        if root is None:
            raise HostError("this machine has no cgroup version 2 mounted")
        self.cgroup = os.path.join(root, f"bascule-{os.getpid()}-{time.monotonic_ns() % 1000000:06d}")
        self.watchdog_ms = watchdog_ms
        self.hosts = {}
        self.notes = []  # what the harness did and saw: dicts of at_ns, host, kind, text
        self._on_note = note
        self._lock = threading.Lock()
        self._closers = []
        self._closed = False
        self._staying = False
        os.makedirs(self.cgroup)
        self.footprint = Footprint(self.directory, self.cgroup)
        self._keeper = subprocess.Popen([PYTHON, os.path.join(HERE, "keeper.py"), self.cgroup, self.directory],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._answers = []
        self._answered = threading.Condition()
        self._listener = threading.Thread(target=self._listen_to_keeper, daemon=True)
        self._listener.start()
        try:
            self.switch = Host(self, "switch", "10.77.0.254", [])
            self.switch.boot()
            self._make_switch()
        except BaseException:
            self.close()
            raise

    def _make_switch(self):
        self.switch.run(["sh", "-ec", "for bridge in br0 br1; do "
                         "ip link add $bridge type bridge forward_delay 0 mcast_snooping 0; ip link set $bridge up; done; "
                         "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"])
        self.switch.run(["nft", "-f", "-"], text="""table bridge cut {
            set pairs { type ifname . ifname; }
            set ways { type ifname . ifname; }
            set lossy { type ifname . ifname; }
            chain forward {
                type filter hook forward priority 0;
                iifname . oifname @pairs drop
                iifname . oifname @ways drop
                iifname . oifname @lossy numgen random mod 100 < 30 drop
            }
        }""")

    def add(self, name, address, binds=(), second_address=None):
        """`second_address`: on the second network, which has a wire of its own."""
        host = Host(self, name, address, [list(bind) for bind in binds], second_address)
        self.hosts[name] = host
        self.footprint.interfaces.update(host.ports)
        host.boot()
        return host

    def plug(self, host):
        """Joins a freshly booted host to the switch as its eth0, and eth1 if it is on the second network."""
        for number, (port, address) in enumerate(zip(host.ports, (host.address, host.second_address))):
            mac = f"address {host.mac}" if number == 0 else ""
            subprocess.run(["nsenter", "-t", str(self.switch.pid), "-n", "sh", "-ec",
                            f"ip link add {port} type veth peer name eth{number} {mac} netns {host.pid}; "
                            f"ip link set {port} master br{number}; ip link set {port} up"], check=True)
            host.run(["sh", "-ec", f"echo 1 >/proc/sys/net/ipv6/conf/eth{number}/disable_ipv6; "
                      f"ip address add {address}/24 dev eth{number}; ip link set eth{number} up"])

    def link(self, host, up, network=None):
        """All links of the host, or only the one to this network."""
        for port in host.ports if network is None else [host.ports[network]]:
            subprocess.run(["nsenter", "-t", str(self.switch.pid), "-n", "ip", "link", "set", port,
                            "up" if up else "down"], check=False, stderr=subprocess.DEVNULL)

    def cut(self, one, other):
        """Nothing passes between these two hosts any more, both still reach everybody else."""
        at_ns = kernel.boottime_ns()
        self.switch.run(["nft", f"add element bridge cut pairs {{ {one.port} . {other.port}, {other.port} . "
                         f"{one.port} }}"])
        self.note(one.name, "pair-cut", f"nothing passes between {one.name} and {other.name} any more", at_ns)
        return at_ns

    def heal(self, one, other):
        at_ns = kernel.boottime_ns()
        self.switch.run(["nft", f"delete element bridge cut pairs {{ {one.port} . {other.port}, {other.port} . "
                         f"{one.port} }}"])
        self.note(one.name, "pair-healed", f"{one.name} and {other.name} reach each other again", at_ns)
        return at_ns

    def cut_way(self, sender, receiver):
        """Nothing of the one arrives at the other; what the other says still does."""
        return self._change("add", "ways", [(sender, receiver)], f"nothing of {sender.name} arrives at {receiver.name}")

    def heal_way(self, sender, receiver):
        return self._change("delete", "ways", [(sender, receiver)], f"{sender.name} is heard by {receiver.name} again")

    def lose(self, one, other):
        """Three of ten frames between these two are lost."""
        return self._change("add", "lossy", [(one, other), (other, one)], f"{one.name} and {other.name} lose frames")

    def lose_nothing(self, one, other):
        return self._change("delete", "lossy", [(one, other), (other, one)],
                            f"{one.name} and {other.name} lose nothing any more")

    def _change(self, verb, name, ways, text):
        at_ns = kernel.boottime_ns()
        elements = ", ".join(f"{sender.port} . {receiver.port}" for sender, receiver in ways)
        self.switch.run(["nft", f"{verb} element bridge cut {name} {{ {elements} }}"])
        self.note(ways[0][0].name, "link-quality", text, at_ns)
        return at_ns

    # --- the harness's own story ------------------------------------------------------------------------------------

    def note(self, host, kind, text, at_ns=None):
        entry = {"at_ns": at_ns or kernel.boottime_ns(), "host": host, "kind": kind, "text": text}
        with self._lock:
            self.notes.append(entry)
        if self._on_note:
            self._on_note(entry)

    def at_close(self, function):
        self._closers.append(function)

    # --- keeper -----------------------------------------------------------------------------------------------------

    def keeper_say(self, **message):
        with self._answered:
            self._answers.clear()
            try:
                self._keeper.stdin.write(json.dumps(message).encode() + b"\n")
                self._keeper.stdin.flush()
            except (BrokenPipeError, ValueError):
                return
            self._answered.wait_for(lambda: self._answers, timeout=5)

    def _listen_to_keeper(self):
        for line in self._keeper.stdout:
            message = json.loads(line)
            if message.get("event") == "watchdog-bite":
                host = self.hosts.get(message["host"])
                if host is not None:
                    host.died()
                self.note(message["host"], "watchdog-bite", f"the watchdog of {message['host']} was not petted: the "
                          "whole host is killed", message["at_ns"])
                continue
            with self._answered:
                self._answers.append(message)
                self._answered.notify_all()
            if "error" in message:
                self.note("keeper", "keeper-error", message["error"])

    @property
    def keeper_pid(self):
        return self._keeper.pid

    def stay(self):
        """The world outlives this process: the keeper alone watches over it until it gets SIGTERM."""
        self.keeper_say(op="stay")
        self._staying = True

    # --- end --------------------------------------------------------------------------------------------------------

    def close(self):
        if self._closed:
            return
        self._closed = True
        for function in reversed(self._closers):
            try:
                function()
            except OSError:
                pass
        if self._staying:
            return
        for host in self.hosts.values():
            host._fuse_devices()  # into the footprint
        self._keeper.stdin.close()  # its end of input: it kills, detaches and removes everything
        try:
            self._keeper.wait(30)
            self._keeper.stdout.close()
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()
        kernel.cgroup_kill(self.cgroup)
        kernel.cgroup_remove(self.cgroup)
        kernel.detach_loops_below(self.directory)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
