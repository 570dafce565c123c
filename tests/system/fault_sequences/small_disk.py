"""A small file system for the state of each node, that can be full: a tmpfs in a mount namespace of this process alone.

The hosts are made out of this process's namespace, so they see it; it outlives each of them and goes with this process.
"""

import os

from bascule_hosts import kernel

SIZE_BYTES = 64 << 20
FILLER = "filler"


def enter_namespace():
    """Before the first thread: from here on what is mounted is mounted for this process and what it starts only."""
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)


class SmallDisk:
    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        kernel.mount("state", directory, "tmpfs", data=f"size={SIZE_BYTES},mode=0755")
        self._mounted = True

    @property
    def filler(self):
        return os.path.join(self.directory, FILLER)

    @property
    def full(self):
        return os.path.exists(self.filler)

    def fill(self):
        """Until not one block is left. What the host frees afterwards is its own again."""
        with open(self.filler, "ab") as file:
            while (free := self._free_bytes()) > 0:
                try:
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), free)
                except OSError:
                    continue  # the host was faster: there is less left now

    def is_seen_as(self, path):
        return os.stat(path).st_dev == os.stat(self.directory).st_dev

    def _free_bytes(self):
        found = os.statvfs(self.directory)
        return found.f_bavail * found.f_frsize

    def free(self):
        if self.full:
            os.unlink(self.filler)

    def unmount(self):
        if self._mounted:
            kernel.unmount(self.directory)
            self._mounted = False
