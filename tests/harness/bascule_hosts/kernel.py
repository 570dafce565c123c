"""The few kernel calls that Python 3.11 has no function for, and small readers of /proc and /sys."""

import ctypes
import fcntl
import os
import threading
import time

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

MNT_DETACH = 2
PID_MAX = "/proc/sys/kernel/pid_max"
RESERVED_PIDS = 300  # never given a second time; a limit must be above it

LOOP_CLR_FD = 0x4C01
FUSE_CONTROL = "/sys/fs/fuse/connections"

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags):
    _check(_libc.unshare(flags), "unshare")


def setns(fd, kind):
    _check(_libc.setns(fd, kind), "setns")


def in_network_of(pid, make):
    """What `make()` returns when it is called in the network namespace of this process. Only a short-lived thread
    enters it; a socket that is made there stays there."""
    result = []

    def enter_and_make():
        fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        try:
            setns(fd, CLONE_NEWNET)
            result.append(make())
        except OSError as error:
            result.append(error)
        finally:
            os.close(fd)

    thread = threading.Thread(target=enter_and_make)
    thread.start()
    thread.join()
    if not result:
        raise OSError(f"process {pid} has no network namespace any more")
    if isinstance(result[0], OSError):
        raise result[0]
    return result[0]


def mount(source, target, kind="", flags=0, data=""):
    _check(
        _libc.mount(source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags),
                    data.encode() or None), f"mount {source} on {target}")


def unmount(target):
    """At once out of sight; gone when the last one who uses it has gone."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def limits_processes_of_namespaces():
    """Whether pid_max is of each pid namespace (Linux 6.14); before, it is the whole machine's."""
    return tuple(int(word) for word in os.uname().release.split("-")[0].split(".")[:2]) >= (6, 14)


def boottime_ns():
    """The clock of every event of the product and of the harness; namespaces share it, so moments compare."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def cgroup2_root():
    """Where cgroup2 is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified where version 1 lives beside it."""
    with open("/proc/self/mountinfo") as mounts:
        for line in mounts:
            fields = line.split()
            if fields[fields.index("-") + 1] == "cgroup2":
                return fields[4]
    return None


def write_file(path, text):
    with open(path, "w") as file:
        file.write(text)


def read_file(path, default=""):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return default


def cgroup_processes(path):
    """All processes of a cgroup and the cgroups below it."""
    found = []
    for directory, _, _ in os.walk(path):
        found += [int(word) for word in read_file(os.path.join(directory, "cgroup.procs")).split()]
    return found


def cgroup_kill(path):
    """SIGKILL to every process of the cgroup and below, frozen or not, in one step of the kernel."""
    try:
        write_file(os.path.join(path, "cgroup.kill"), "1")
    except OSError:
        pass


def cgroup_remove(path, timeout_s=10.0):
    """Removes an (emptied) tree of cgroups; True when it is gone."""
    end = time.monotonic() + timeout_s
    while True:
        for directory, _, _ in os.walk(path, topdown=False):
            try:
                os.rmdir(directory)
            except OSError:
                pass
        if not os.path.isdir(path):
            return True
        if time.monotonic() > end:
            return False
        cgroup_kill(path)
        time.sleep(0.02)


def fuse_devices(pid):
    """The device numbers of the FUSE file systems that the mount namespace of this process holds."""
    found = set()
    for line in read_file(f"/proc/{pid}/mountinfo").splitlines():
        fields = line.split()
        kind = fields[fields.index("-") + 1]
        if kind.startswith("fuse") and kind != "fusectl":
            major, minor = fields[2].split(":")
            found.add(os.makedev(int(major), int(minor)))
    return found


def mount_fuse_control():
    """Mounts the control files of all FUSE connections, in a mount namespace of this process's own."""
    try:
        unshare(CLONE_NEWNS)
        mount("none", "/", flags=MS_REC | MS_PRIVATE)
        if not os.listdir(FUSE_CONTROL):
            mount("none", FUSE_CONTROL, "fusectl")
    except OSError:
        pass  # no FUSE on this machine: nothing to abort


def fuse_connection(device):
    return os.path.join(FUSE_CONTROL, str(os.minor(device)))


def fuse_abort(devices):
    """Every request to these FUSE file systems fails from now on. Without it a dead program that served a file system
    and, as the last of its mount namespace, unmounts what lies on it, would wait for itself for ever."""
    for device in devices:
        try:
            write_file(os.path.join(fuse_connection(device), "abort"), "1")
        except OSError:
            pass


def loops():
    """{"/dev/loop0": backing file} as sysfs tells it. Never asks the devices themselves: one on a frozen host's file
    system would not answer."""
    found = {}
    for name in sorted(os.listdir("/sys/block")):
        backing = read_file(f"/sys/block/{name}/loop/backing_file").strip()
        if backing:
            found[f"/dev/{name}"] = backing
    return found


def detach_loops_below(directory):
    """Detaches the loop devices whose backing file lies below this directory; True when there was none."""
    mine = [device for device, backing in loops().items() if backing.startswith(directory.rstrip("/") + "/")]
    for device in mine:
        try:
            with open(device, "rb") as file:
                fcntl.ioctl(file, LOOP_CLR_FD)
        except OSError:
            pass
    return not mine
