"""A User Mode Linux guest: Debian's kernel with its own DRBD, up in a few seconds, cut off in a fifth of one. It is one
process of this namespace, joined to it by a tap device."""

import fcntl
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = "user-mode-linux"
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "bascule-interop")


class GuestError(Exception):
    pass


class Unavailable(Exception):
    """The guest cannot be had here; the tests are skipped."""


def fetch():
    """Unpacks Debian's package into the cache, installs nothing. Returns the directory."""
    root = os.path.join(CACHE, "root")
    if os.path.exists(os.path.join(root, "usr/bin/linux.uml")):
        return root
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(root, "usr/bin/linux.uml")):
            _fetch(root)
    return root


def _fetch(root):
    got = subprocess.run(["apt-get", "download", PACKAGE], cwd=CACHE, capture_output=True, text=True)
    if got.returncode:
        raise Unavailable(f"apt-get download {PACKAGE}: {got.stderr.strip()[-300:]}")
    package = max((name for name in os.listdir(CACHE) if name.endswith(".deb")),
                  key=lambda name: os.path.getmtime(os.path.join(CACHE, name)))
    work = root + ".new"
    shutil.rmtree(work, ignore_errors=True)
    subprocess.run(["dpkg-deb", "-x", os.path.join(CACHE, package), work], check=True)
    # merged /usr as on the host, so that an overlay over the host's root does not hide it
    if os.path.isdir(f"{work}/lib"):
        shutil.copytree(f"{work}/lib", f"{work}/usr/lib", dirs_exist_ok=True, symlinks=True)
        shutil.rmtree(f"{work}/lib")
    for name in ("bin", "sbin", "lib", "lib64"):
        os.makedirs(f"{work}/usr/{name}", exist_ok=True)
        if not os.path.lexists(f"{work}/{name}"):
            os.symlink(f"usr/{name}", f"{work}/{name}")
    os.symlink("uml/modules", f"{work}/usr/lib/modules")
    os.rename(work, root)


# Runs on the read-only root: makes the guest's own root, an overlay of memory over package and host, and enters it.
INIT = """#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LC_ALL=C.UTF-8 DM_DISABLE_UDEV=1 PYTHONDONTWRITEBYTECODE=1
mount -t tmpfs t /run; mkdir -p /run/package /run/upper /run/work /run/new
mount -t hostfs none /run/package -o {root}
insmod {root}/usr/lib/uml/modules/{kernel}/kernel/fs/overlayfs/overlay.ko
mount -t overlay o -o lowerdir=/run/package:/,upperdir=/run/upper,workdir=/run/work /run/new || exec sleep 1000
cd /run/new; mkdir -p .old share
mount -t proc proc proc; mount -t sysfs sysfs sys; mount -t devtmpfs dev dev; mount -t tmpfs run run
mkdir -p dev/pts dev/shm run/lock run/share run/agent; mount -t devpts devpts dev/pts; mount -t tmpfs shm dev/shm
mount -t hostfs none run/agent -o {agent}; mount -t hostfs none run/share -o {share}
pivot_root . .old
exec chroot . /bin/bash -c '
  exec </dev/null >/dev/console 2>&1; umount -l /.old; hostname {name}; ulimit -c 0; cd /
  printf "127.0.0.1 localhost\\n{address} {name}\\n" >/etc/hosts; mkdir -p /var/lib/drbd /var/lock /var/run
  ip link set lo up; ip addr add {address}/24 dev vec0; ip link set vec0 up
  {prepare}
  stty -F /dev/ttyS0 raw -echo
  exec python3 /run/agent/guest_agent.py'
"""


class Guest:
    """`disks` become /dev/ubda, /dev/ubdb, ...; `share` is a directory of the host that the guest sees at /run/share."""

    came_up = False  # has any of this process?

    def __init__(self, directory, name, address, tap, disks, prepare="", memory="320M"):
        self.directory, self.name, self.address, self.tap, self.disks = directory, name, address, tap, disks
        self.prepare, self.memory = prepare, memory
        self.root = fetch()
        self.share = os.path.join(directory, "share")
        os.makedirs(self.share, exist_ok=True)
        self.process = None
        self.listeners = []
        self.boot_seconds = float("inf")  # what the kernel says before it has booted is not kept
        self.log = []  # (time, line) of the kernel

    def up(self, seconds=60):
        kernel = os.listdir(f"{self.root}/usr/lib/uml/modules")[0]
        init = os.path.join(self.directory, "init")
        with open(init, "w") as file:
            file.write(INIT.format(root=self.root, kernel=kernel, agent=HERE, share=self.share, name=self.name,
                                   address=self.address, prepare=self.prepare.replace("'", "'\\''")))
        os.chmod(init, 0o755)
        down_read, self.asking = os.pipe()
        answers, up_write = os.pipe()
        command = [f"{self.root}/usr/bin/linux.uml", f"mem={self.memory}", "root=/dev/root", "rootfstype=hostfs",
                   "rootflags=/", "ro", f"init={init}", "con=null", "con0=null,fd:1", "ssl=null",
                   f"ssl0=fd:{down_read},fd:{up_write}", f"umid={self.name}", f"uml_dir={self.directory}/umid", "quiet",
                   "panic=-1", "devtmpfs.mount=0", f"vec0:transport=tap,ifname={self.tap},gro=1,depth=128"]
        command += [f"ubd{number}={path}" for number, path in enumerate(self.disks)]
        os.makedirs(f"{self.directory}/umid", exist_ok=True)
        with open(f"{self.directory}/console", "ab") as console:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, cwd="/",
                                            pass_fds=(down_read, up_write), start_new_session=True,
                                            env={**os.environ, "TMPDIR": self.directory})
        os.close(down_read)
        os.close(up_write)
        self.waiting, self.next_id, self.lock = {}, 1, threading.Lock()
        self.ready = threading.Event()
        self.reader = threading.Thread(target=self._read, args=(answers, self.process), daemon=True)
        self.reader.start()
        if not self.ready.wait(seconds) or not self.alive():
            # Never yet: this machine cannot run one (no ptrace, no memory). Later it would be a fault.
            kind = GuestError if Guest.came_up else Unavailable
            raise kind(f"the guest did not come up: {self.console()[-1500:]}")
        Guest.came_up = True

    def _read(self, answers, process):
        with os.fdopen(answers, "r", errors="replace") as lines:
            for text in lines:
                try:
                    message = json.loads(text)
                except ValueError:
                    continue  # cut off in the middle of a line
                self._heard(message)
        with self.lock:
            waiting, self.waiting = self.waiting, {}
        self.ready.set()
        for answer in waiting.values():
            answer.put(None)

    def _heard(self, message):
        if "id" in message:
            with self.lock:
                answer = self.waiting.pop(message["id"], None)
            if answer:
                answer.put(message)
        elif "kmsg" in message:
            if message["at"] > self.boot_seconds:
                self.log.append((time.monotonic(), message["kmsg"]))
        elif "ready" in message:
            self.boot_seconds = message["at"]
            self.ready.set()
        for listener in list(self.listeners):
            listener(message)

    def call(self, name, seconds=60, **arguments):
        """Asks the agent; its answer, or GuestError."""
        answer = queue.Queue()
        with self.lock:
            number, self.next_id = self.next_id, self.next_id + 1
            self.waiting[number] = answer
        try:
            os.write(self.asking, (json.dumps({"id": number, "call": name, **arguments}) + "\n").encode())
            message = answer.get(timeout=seconds)
        except OSError:
            message = None
        except queue.Empty:
            raise GuestError(f"the guest did not answer {name} within {seconds} s") from None
        if message is None:
            raise GuestError(f"the guest died during {name}")
        if not message["ok"]:
            raise GuestError(message["error"])
        return message

    def run(self, script, seconds=60):
        """A shell script in the guest: (status, stdout, stderr)."""
        done = self.call("run", seconds + 10, script=script, timeout=seconds)
        return done["status"], done["out"], done["err"]

    def check(self, script, seconds=60):
        """Its output; GuestError when it fails."""
        status, out, err = self.run(script, seconds)
        if status:
            raise GuestError(f"{script.strip()!r} ended with {status}: {(err or out).strip()[-600:]}")
        return out

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def console(self):
        with open(f"{self.directory}/console", errors="replace") as file:
            return file.read()

    def kill(self):
        """The power cut: every process of it, at once. What reached the disk images stays, the rest is gone."""
        if self.process is None:
            return
        group = self.process.pid
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        limit = time.monotonic() + 10
        while self._left(group) and time.monotonic() < limit:
            time.sleep(0.005)  # nothing tells the end of processes that are not ours
        self.reader.join(10)
        os.close(self.asking)
        self.process = None

    @staticmethod
    def _left(group):
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/stat") as file:
                    state, _, their_group = file.read().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if state != "Z" and int(their_group) == group:
                return True
        return False
