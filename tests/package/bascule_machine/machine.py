"""The machine: one QEMU process that runs one command and ends."""

import os
import shutil
import subprocess

from .image import make_image


class Machine:
    """`run()` plays a shell command as root on a copy of this machine's files, with a kernel and a clock of its own. What the command
    writes to /run/share lies in DIRECTORY/share afterwards; everything else that it writes is gone with the machine."""

    def __init__(self, directory, processors=2, memory_mib=2048, disk_mib=4096):
        self.directory, self.processors, self.memory_mib = os.path.realpath(directory), processors, memory_mib
        self.image = make_image()
        self.share = os.path.join(self.directory, "share")
        self.disk = os.path.join(self.directory, "disk")
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.share)
        with open(self.disk, "wb") as file:
            file.truncate(disk_mib << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "^has_journal", self.disk], check=True)

    def command(self, script):
        words = f"console=ttyS0 quiet loglevel=1 panic=-1 mitigations=off nokaslr tsc=reliable no_timer_check machine.modules={self.image.modules}"
        with open(os.path.join(self.share, "run"), "w") as file:
            file.write(script)
        sharing = "security_model=none,multidevs=remap"
        return ["qemu-system-x86_64", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max", "-M", "q35,hpet=off",
                "-m", str(self.memory_mib), "-smp", str(self.processors), "-nodefaults", "-no-user-config",
                "-display", "none", "-no-reboot", "-kernel", self.image.kernel, "-initrd", self.image.initrd,
                "-append", f"{words} machine.run=/run/share/run", "-serial", "stdio",
                "-virtfs", f"local,path=/,mount_tag=host,readonly=on,{sharing}",
                "-virtfs", f"local,path={self.share},mount_tag=share,{sharing}",
                "-drive", f"file={self.disk},if=virtio,format=raw,cache=unsafe", "-device", "virtio-rng-pci"]

    def run(self, script, seconds, heard):
        """Its exit code; None when it did not end in `seconds`. `heard` is called with each line that it prints."""
        os.makedirs(self.share, exist_ok=True)
        command = self.command(f"#!/bin/sh\n{script}\n")
        os.chmod(os.path.join(self.share, "run"), 0o755)
        with subprocess.Popen(["timeout", "-s", "KILL", str(seconds), *command], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as process:
            try:
                for line in process.stdout:
                    heard(line.rstrip())
            finally:
                process.kill()
        os.unlink(self.disk)
        try:
            with open(os.path.join(self.share, "exit")) as file:
                return int(file.read())
        except (OSError, ValueError):
            return None
