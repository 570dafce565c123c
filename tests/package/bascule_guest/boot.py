"""Runs inside a test host: boots the guest's systemd in namespaces of its own below it, again when it reboots.

  boot.py BASE DISK     BASE: the common root file system, read only; DISK: what this guest changed, kept over boots

RUN/guest.pid has the host's number of the guest's first process. Ends when the guest powers itself off.
"""

import ctypes
import os
import signal
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "harness"))
from bascule_hosts import kernel  # noqa: E402

CLONE_NEWCGROUP = 0x02000000
SYS_PIVOT_ROOT = 155
MNT_DETACH = 2
MS_RDONLY, MS_NOSUID = 1, 2
LOOPS = 256
NODES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0),
         "fuse": (10, 229), "loop-control": (10, 237)}
PID_FILE = "/run/guest.pid"


def make_devices(root):
    dev = root + "/dev"
    kernel.mount("dev", dev, "tmpfs", data="mode=0755")
    for name, (major, minor) in NODES.items():
        os.mknod(f"{dev}/{name}", stat.S_IFCHR | 0o666, os.makedev(major, minor))
        os.chmod(f"{dev}/{name}", 0o666)
    for number in range(LOOPS):
        os.mknod(f"{dev}/loop{number}", stat.S_IFBLK | 0o660, os.makedev(7, number))
    os.makedirs(dev + "/pts")
    kernel.mount("devpts", dev + "/pts", "devpts", data="newinstance,ptmxmode=0666,mode=0620")
    os.symlink("pts/ptmx", dev + "/ptmx")
    for name, target in {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}.items():
        os.symlink(target, f"{dev}/{name}")
    # The host's watchdog bites as the hardware's would.
    open(dev + "/watchdog", "w").close()
    kernel.mount("/run/watchdog", dev + "/watchdog", flags=kernel.MS_BIND)


def make_root(base, disk):
    root = os.path.join(disk, "root")
    for name in ("upper", "work", "root"):
        os.makedirs(os.path.join(disk, name), exist_ok=True)
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("overlay", root, "overlay", data=f"lowerdir={base},upperdir={disk}/upper,workdir={disk}/work")
    make_devices(root)
    kernel.mount("proc", root + "/proc", "proc")
    kernel.mount("sysfs", root + "/sys", "sysfs", MS_RDONLY)
    kernel.mount("cgroup2", root + "/sys/fs/cgroup", "cgroup2")
    kernel.mount("run", root + "/run", "tmpfs", data="mode=0755")
    kernel.mount("tmp", root + "/tmp", "tmpfs", data="mode=1777")
    if os.path.isdir(disk + "/shared"):
        os.makedirs(root + "/mnt", exist_ok=True)
        kernel.mount(disk + "/shared", root + "/mnt", flags=kernel.MS_BIND)
    os.chdir(root)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(SYS_PIVOT_ROOT, b".", b".") != 0:
        raise OSError(ctypes.get_errno(), "pivot_root")
    libc.umount2(b".", MNT_DETACH)
    os.chdir("/")


def first_process(base, disk, name):
    os.setsid()
    make_root(base, disk)
    if not os.path.exists("/etc/hostname"):
        kernel.write_file("/etc/hostname", name + "\n")
    os.execve("/sbin/init", ["/sbin/init"], {"container": "bascule", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})


def boot(base, disk, cgroup):
    """One life of the guest; its first process's wait status."""
    kernel.cgroup_kill(cgroup)
    kernel.cgroup_remove(cgroup)
    os.makedirs(cgroup)
    name = os.uname().nodename
    starter = os.fork()
    if starter == 0:
        kernel.write_file(cgroup + "/cgroup.procs", str(os.getpid()))
        kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | CLONE_NEWCGROUP | kernel.CLONE_NEWIPC |
                       kernel.CLONE_NEWUTS)
        child = os.fork()
        if child == 0:
            try:
                first_process(base, disk, name)
            except BaseException as error:  # pid 1 must say why before it goes
                print(f"{type(error).__name__}: {error}", flush=True)
                os._exit(1)
        kernel.write_file(kernel.cgroup2_root() + "/cgroup.procs", str(os.getpid()))
        kernel.write_file(PID_FILE, str(child))
        _, status = os.waitpid(child, 0)
        os._exit(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 100)
    _, status = os.waitpid(starter, 0)
    os.unlink(PID_FILE)
    return os.waitstatus_to_exitcode(status)


def main():
    base, disk = sys.argv[1:3]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    while True:
        ended = boot(base, disk, kernel.cgroup2_root() + "/guest")
        print(f"the guest ended with {ended}", flush=True)
        if ended != signal.SIGHUP:  # what the kernel makes of a reboot inside of a pid namespace
            return 0 if ended == signal.SIGINT else 1


if __name__ == "__main__":
    sys.exit(main())
