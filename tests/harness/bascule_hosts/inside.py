"""The first process of a host: makes the host's namespaces and mounts, then supervises its programs as an init
system would and runs commands on request. Started by world.py as a program of its own; speaks JSON lines with file
descriptors on RUN/harness.sock, one request per connection.

  {"op":"run","argv":[..],"env":{..}} + 3 descriptors   ->  {"pid":5}  {"exit":0}
  {"op":"supervise","name":"blockd","argv":[..],"env":{..},"restart":true}  ->  {"ok":true}
  {"op":"end","name":"blockd","signal":15}               ->  {"ok":true,"pid":7}, answered when it is gone
  {"op":"programs"}                                      ->  {"programs":{"blockd":{"pid":7,"starts":1}}}
  {"op":"limit_processes","pid_max":450}                 ->  {"ok":true}
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from bascule_hosts import kernel  # noqa: E402

SOCKET = "/run/harness.sock"
RESTART_DELAY_S = 0.1
RESTART_DELAY_MAX_S = 1.0


def log(text):
    print(f"{kernel.boottime_ns() / 1e9:.3f} {text}", file=sys.stderr, flush=True)


CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def hide_login_scripts():
    """What the machine's root has its shells do is none of a host's: agents start programs by `su -`, and a host is killed in the
    middle of whatever such a script writes on the machine."""
    for name in (".bash_profile", ".bash_login", ".profile", ".bashrc"):
        path = os.path.join(os.path.expanduser("~root"), name)
        if os.path.exists(path):
            kernel.mount("/dev/null", path, flags=kernel.MS_BIND)


def make_mounts(spec):
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    checkout = os.open(CHECKOUT, os.O_PATH)
    for directory in spec["tmpfs"]:
        if os.path.isdir(directory):
            mode = "1777" if directory in ("/tmp", "/var/tmp", "/dev/shm") else "0755"
            kernel.mount("bascule-host", directory, "tmpfs", data=f"mode={mode}")
    if not os.path.isdir(CHECKOUT):  # it lies in a directory that the host has for itself now, /tmp for example
        os.makedirs(CHECKOUT)
        kernel.mount(f"/proc/self/fd/{checkout}", CHECKOUT, flags=kernel.MS_BIND | kernel.MS_REC)
    os.close(checkout)
    for source, target in spec["binds"]:
        os.makedirs(target, exist_ok=True)
        kernel.mount(source, target, flags=kernel.MS_BIND)
    # The host's own cgroup is the root of what it sees: what its programs make there is frozen and killed with it.
    kernel.mount(spec["cgroup"], kernel.cgroup2_root(), flags=kernel.MS_BIND)
    kernel.mount("proc", "/proc", "proc")
    hide_login_scripts()
    os.makedirs("/run/resource-agents", exist_ok=True)
    os.makedirs("/run/lock", exist_ok=True)
    for fifo in spec["fifos"]:
        os.mkfifo(fifo, 0o600)


class Supervisor:
    def __init__(self, log_directory, name):
        self.log_directory = log_directory
        self.name = name
        self.programs = {}  # name -> {"argv", "env", "restart", "pid", "starts", "due", "delay", "started", "waiters"}
        self.commands = {}  # pid -> connection that waits for its end
        self.selector = selectors.DefaultSelector()

    def spawn(self, argv, env, descriptors):
        actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(descriptors)]
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
                       "LANG": "C.UTF-8", **env}
        return os.posix_spawnp(argv[0], argv, environment, file_actions=actions, setsid=True, setsigmask=[],
                               setsigdef=[signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP,
                                          signal.SIGCHLD])

    def start_program(self, name):
        program = self.programs[name]
        path = os.path.join(self.log_directory, f"{self.name}.{name}.log")
        output = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        nothing = os.open("/dev/null", os.O_RDONLY)
        try:
            program["pid"] = self.spawn(program["argv"], program["env"], [nothing, output, output])
            program["starts"] += 1
            log(f"{name} started as {program['pid']}")
        except OSError as error:
            log(f"{name} cannot be started: {error}")
            program["pid"] = None
            self.schedule(program)
        finally:
            os.close(output)
            os.close(nothing)
        program["started"] = time.monotonic()

    def schedule(self, program):
        lived = time.monotonic() - program["started"]
        program["delay"] = RESTART_DELAY_S if lived > 5 else min(program["delay"] * 2, RESTART_DELAY_MAX_S)
        program["due"] = time.monotonic() + program["delay"]

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            if pid in self.commands:
                self.answer(self.commands.pop(pid), {"exit": code})
            for name, program in self.programs.items():
                if program["pid"] == pid:
                    self.program_ended(name, program, code)

    def program_ended(self, name, program, code):
        log(f"{name} ended with {code}")
        program["pid"] = None
        for connection in program["waiters"]:
            self.answer(connection, {"ok": True, "exit": code})
        program["waiters"] = []
        if program["restart"]:
            self.schedule(program)

    def answer(self, connection, message, close=True):
        try:
            connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            pass
        if close:
            connection.close()

    def handle(self, connection):
        connection.settimeout(5)
        data, descriptors, _, _ = socket.recv_fds(connection, 1 << 20, 3)
        while data and not data.endswith(b"\n"):
            data += connection.recv(1 << 20)
        if not data:
            connection.close()
            return
        request = json.loads(data)
        try:
            getattr(self, "do_" + request["op"])(connection, request, descriptors)
        except (OSError, KeyError, AttributeError) as error:
            self.answer(connection, {"error": f"{type(error).__name__}: {error}"})
        finally:
            for fd in descriptors:
                os.close(fd)

    def do_run(self, connection, request, descriptors):
        pid = self.spawn(request["argv"], request.get("env", {}), descriptors)
        self.commands[pid] = connection
        self.answer(connection, {"pid": pid}, close=False)

    def do_supervise(self, connection, request, _):
        name = request["name"]
        if name in self.programs and self.programs[name]["pid"]:
            self.answer(connection, {"error": f"{name} runs already"})
            return
        self.programs[name] = {"argv": request["argv"], "env": request.get("env", {}), "due": None, "waiters": [],
                               "restart": request.get("restart", True), "pid": None, "starts": 0,
                               "delay": RESTART_DELAY_S / 2, "started": 0}
        self.start_program(name)
        self.answer(connection, {"ok": True, "pid": self.programs[name]["pid"]})

    def do_end(self, connection, request, _):
        program = self.programs.get(request["name"])
        if program is None or program["pid"] is None:
            if program is not None and not request.get("restart", False):
                program["restart"], program["due"] = False, None
            self.answer(connection, {"ok": True, "exit": None})
            return
        if not request.get("restart", False):
            program["restart"] = False
        os.kill(program["pid"], request.get("signal", signal.SIGTERM))
        program["waiters"].append(connection)

    def do_programs(self, connection, _request, _):
        self.answer(connection, {"programs": {name: {"pid": program["pid"], "starts": program["starts"]}
                                              for name, program in self.programs.items()}})

    def do_limit_processes(self, connection, request, _):
        if not kernel.limits_processes_of_namespaces():
            self.answer(connection, {"error": "on this kernel the limit would be the whole machine's"})
            return
        kernel.write_file(kernel.PID_MAX, str(request["pid_max"]))
        self.answer(connection, {"ok": True})

    def restart_due(self):
        for name, program in self.programs.items():
            if program["due"] is not None and time.monotonic() >= program["due"]:
                program["due"] = None
                if program["restart"]:
                    self.start_program(name)

    def next_timeout(self):
        dues = [program["due"] for program in self.programs.values() if program["due"] is not None]
        return max(0.0, min(dues) - time.monotonic()) if dues else None

    def loop(self, listener, wakeup):
        self.selector.register(listener, selectors.EVENT_READ)
        self.selector.register(wakeup, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select(self.next_timeout()):
                if key.fileobj is wakeup:
                    wakeup.recv(4096)
                else:
                    connection, _ = listener.accept()
                    try:
                        self.handle(connection)
                    except (OSError, ValueError) as error:
                        log(f"bad request: {error}")
                        connection.close()
            self.reap()
            self.restart_due()


def listen():
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(SOCKET)
    listener.listen(64)
    return listener


def wakeup_on_child_end():
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reading, writing


def first_process(spec):
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    make_mounts(spec)
    socket.sethostname(spec["name"])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    wakeup, keep = wakeup_on_child_end()
    listener = listen()
    supervisor = Supervisor(spec["log_directory"], spec["name"])
    log("up")
    os.write(spec["ready_fd"], b"1")
    os.close(spec["ready_fd"])
    supervisor.loop(listener, wakeup)
    keep.close()


def main():
    spec = json.loads(sys.argv[1])
    kernel.write_file(os.path.join(spec["cgroup"], "cgroup.procs"), str(os.getpid()))
    kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWNET | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC |
                   kernel.CLONE_NEWPID)
    if os.fork() == 0:
        try:
            first_process(spec)
        except BaseException as error:  # pid 1 must say why before it goes
            log(f"{type(error).__name__}: {error}")
            os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
