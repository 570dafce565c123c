"""The guests' common root file system: Debian 12 with systemd and what a service needs, made once by mmdebstrap."""

import fcntl
import hashlib
import os
import shutil
import subprocess

CACHE = os.path.join(os.path.expanduser(os.environ.get("XDG_CACHE_HOME", "~/.cache")), "bascule-guest")
INSTALLED = ["systemd-sysv", "dbus", "iproute2", "iputils-arping", "procps", "psmisc", "kmod", "mount", "man-db",
             "bash-completion", "e2fsprogs", "fuse3", "nftables", "resource-agents", "python3-minimal", "netbase",
             "curl", "apache2",
             "mariadb-server", "openssh-server", "openssh-client"]
# Only in apt's cache, so that the guest's apt installs them with our package, without a network.
DOWNLOADED = ["libfmt9", "libnl-3-200", "libnl-route-3-200", "libpugixml1v5", "libsdbus-c++1", "libssl3", "libtomlplusplus3", "liburing2"]
# Not for a machine without hardware; and what the cluster starts, systemd must not.
MASKED = ["getty.target", "console-getty.service", "systemd-sysctl.service", "systemd-modules-load.service",
          "systemd-remount-fs.service", "systemd-random-seed.service", "e2scrub_reap.service", "apt-daily.timer",
          "apt-daily-upgrade.timer", "man-db.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "logrotate.timer",
          "systemd-journald-audit.socket", "systemd-networkd.service"]
DISABLED = ["apache2", "mariadb"]


class BaseMissing(Exception):
    """The root file system is not there and cannot be made; the text says why."""


def find_base(say=print):
    """The directory of the root file system. Made when it is missing, which takes minutes and Debian's archive."""
    recipe = hashlib.sha256(repr((INSTALLED, DOWNLOADED, MASKED, DISABLED)).encode()).hexdigest()[:12]
    base = os.path.join(CACHE, f"debian12-{recipe}")
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(base):
            _make(base, say)
    return base


def _make(base, say):
    if shutil.which("mmdebstrap") is None:
        raise BaseMissing("the package mmdebstrap is not installed")
    say(f"making the guests' root file system in {base}: some minutes")
    new = base + ".new"
    subprocess.run(["rm", "-rf", new], check=True)
    hooks = [f'chroot "$1" apt-get install -y -qq --download-only {" ".join(DOWNLOADED)}',
             f'chroot "$1" systemctl mask -q {" ".join(MASKED)}', f'chroot "$1" systemctl disable -q {" ".join(DISABLED)}',
             'rm -f "$1/etc/hostname" "$1/etc/resolv.conf"; : >"$1/etc/machine-id"']
    made = subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "--skip=cleanup/apt,cleanup/reproducible",
                           f"--include={','.join(INSTALLED)}", *[f"--customize-hook={hook}" for hook in hooks],
                           "bookworm", new], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if made.returncode != 0:
        subprocess.run(["rm", "-rf", new], check=False)
        raise BaseMissing("mmdebstrap failed: " + " | ".join(made.stdout.strip().splitlines()[-3:]))
    os.rename(new, base)
