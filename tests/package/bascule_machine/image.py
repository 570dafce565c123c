"""What the machine boots: Debian's kernel, and a first root file system with busybox and the modules that the second one needs. Fetched
with `apt-get download`, unpacked into the cache, not installed."""

import fcntl
import glob
import os
import re
import shutil
import subprocess
from dataclasses import dataclass

CACHE = os.path.join(os.path.expanduser(os.environ.get("XDG_CACHE_HOME", "~/.cache")), "bascule-machine")
KERNEL, SHELL = "linux-image-amd64", "busybox-static"
EARLY_MODULES = ["virtio_pci", "virtio_blk", "9pnet_virtio", "9p", "ext4", "crc32c_generic", "overlay"]
HERE = os.path.dirname(os.path.abspath(__file__))


class MachineMissing(Exception):
    """The machine cannot be had here; the text says why."""


@dataclass
class Image:
    kernel: str   # a bzImage
    initrd: str   # the first root
    release: str  # of the kernel
    modules: str  # directory of its modules on this machine


def make_image():
    """An Image; made when it is missing, which takes seconds and Debian's archive."""
    if shutil.which("qemu-system-x86_64") is None:
        raise MachineMissing("the package qemu-system-x86 is not installed")
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _image(_kernel_package())


def _kernel_package():
    """The package that Debian's name for the newest kernel stands for."""
    asked = subprocess.run(["apt-cache", "depends", KERNEL], capture_output=True, text=True, check=False)
    found = re.search(r"Depends: (linux-image-\S+)", asked.stdout)
    if found is None:
        raise MachineMissing(f"apt does not know {KERNEL}")
    return found.group(1)


def _image(package):
    root = os.path.join(CACHE, package)
    if not os.path.isdir(root):
        new = root + ".new"
        shutil.rmtree(new, ignore_errors=True)
        for name in (package, SHELL):
            _unpack(name, new)
        os.rename(new, root)
    release = os.path.basename(glob.glob(f"{root}/lib/modules/*")[0])
    modules = f"{root}/lib/modules/{release}"
    if not os.path.exists(f"{modules}/modules.dep"):
        subprocess.run(["depmod", "-b", root, release], check=True)
    initrd = os.path.join(CACHE, "initrd")
    with open(initrd, "wb") as file:
        file.write(_initrd(root, release))
    return Image(f"{root}/boot/vmlinuz-{release}", initrd, release, modules)


def _unpack(name, directory):
    got = subprocess.run(["apt-get", "download", "-o", "APT::Sandbox::User=root", name], cwd=CACHE, capture_output=True,
                         text=True, check=False)
    if got.returncode != 0:
        raise MachineMissing(f"apt-get download {name}: {got.stderr.strip()[-300:]}")
    package = max(glob.glob(f"{CACHE}/{name}_*.deb"), key=os.path.getmtime)
    subprocess.run(["dpkg-deb", "-x", package, directory], check=True)
    os.unlink(package)


def _initrd(root, release):
    """A cpio archive ("newc"): busybox, init, and the early modules in the order in which they are loaded."""
    order = []
    for module in EARLY_MODULES:
        asked = subprocess.run(["modprobe", "-d", root, "-S", release, "--show-depends", module], capture_output=True,
                               text=True, check=False)
        for line in asked.stdout.splitlines():
            path = line.split()[1] if line.startswith("insmod ") else None
            if path and path not in order:
                order.append(path)
    entries = [(name, 0o40755, b"") for name in ("bin", "dev", "proc", "modules", "host", "disk", "new")]
    entries += [("bin/busybox", 0o100755, _read(f"{root}/bin/busybox")), ("init", 0o100755, _read(f"{HERE}/init"))]
    entries += [(f"modules/{number:02}-{os.path.basename(path)}", 0o100644, _read(path))
                for number, path in enumerate(order)]
    return b"".join(_member(number, *entry) for number, entry in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1))


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _member(number, name, mode, data):
    header = "070701" + "".join(f"{value:08x}" for value in (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0,
                                                               len(name) + 1, 0))
    head = header.encode() + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)
