"""Our side: bascule-blockd with DRBD's own rules (authority "operator"), driven through its control socket; applications go
through its NBD export."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

from . import blocks, database, nbd, side

VOLUME, NODE, PEER = "data", "bascule", "kernel"
STOP_SECONDS = 15
LIMITED_BYTES = 256 << 20
CHANGED = re.compile(r"\w+ -> (\w+):")
TOML_SECTIONS = {"disk": "disk_options"}


class Refused(Exception):
    """blockd's answer to a command; `name` is DRBD's result."""

    def __init__(self, op, error):
        super().__init__(f"{op}: {error.get('why') or error.get('what')}")
        self.name = error.get("name", "")


class Gone(side.RowFailed):
    """The control connection ended."""


class Control:
    """One client of blockd.VOLUME.sock; `heard` is called with each unasked line."""

    def __init__(self, path, heard, ended, end):
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.heard, self.ended, self.end = heard, ended, end
        self.changed, self.answers, self.next_id, self.open = threading.Condition(), {}, 1, True
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        try:
            with self.socket.makefile("r") as lines:
                for line in lines:
                    message = json.loads(line)
                    if "id" in message:
                        if "state" in message:  # told here, in its order among the events: they may be newer
                            self.heard({"event": "state", "state": message["state"]})
                        with self.changed:
                            self.answers[message["id"]] = message
                            self.changed.notify_all()
                    else:
                        self.heard(message)
        except OSError:
            pass
        with self.changed:
            self.open = False
            self.changed.notify_all()
        self.ended()

    def ask(self, op, seconds=30, **arguments):
        limit = time.monotonic() + seconds
        with self.changed:
            number, self.next_id = self.next_id, self.next_id + 1
            try:
                self.socket.sendall((json.dumps({"op": op, "id": number, **arguments}) + "\n").encode())
            except OSError as error:
                raise Gone(f"blockd is gone: {error}") from None
            while number not in self.answers:
                left = limit - time.monotonic()
                if not self.open:
                    raise Gone(f"blockd did not answer {op}: {self.end()}")
                if left <= 0:
                    raise side.RowFailed(f"blockd did not answer {op}")
                self.changed.wait(left)
            reply = self.answers.pop(number)
        if not reply["ok"]:
            raise Refused(op, reply["error"])
        return reply

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.reader.join(5)
        self.socket.close()


class BasculeSide(side.Side):
    name = NODE

    def __init__(self, programs, directory, addresses):
        super().__init__(f"{directory}/bascule.img")
        self.addresses = addresses
        self.blockd = f"{programs}/bascule-blockd"
        self.directory = directory
        self.run_dir, self.config = f"{directory}/run", f"{directory}/cluster.toml"
        self.log_path = f"{directory}/blockd.log"
        self.mount_point, self.limited = f"{directory}/mnt", f"{directory}/limited"
        self.process = self.control = self.client = self.load = self.database = None
        self.story = []
        os.makedirs(self.run_dir, exist_ok=True)
        os.makedirs(self.limited, exist_ok=True)

    # -- events
    def _hear(self, message):
        if message.get("event") == "state":
            self._tell(message["state"])
        elif message.get("event") == "story":
            self.story.append((time.monotonic(), message["kind"], message["text"]))
            if changed := CHANGED.match(message["text"]) if message["kind"] == "connection-state" else None:
                self.heard.note(connection=changed.group(1))  # states that last a moment have no event of their own

    def _tell(self, state):
        self.heard.update(**{key: value for key, value in state.items() if key not in ("statistics",)})

    def _ended(self):
        self.heard.update(connection="Off", role="Unknown", disk="Diskless")

    def _end(self):
        """Why the control connection is gone."""
        try:
            return f"it ended with {self.process.wait(1)}"
        except subprocess.TimeoutExpired:
            return "it closed the connection"

    def still(self):
        if self.process is None or self.process.poll() is not None:
            raise side.RowFailed(f"blockd is not there: {self.log()[-400:]}")

    # -- life
    def prepare(self, options, port, disk_bytes, mapped=False, placement="internal"):
        """A fresh disk with drbdmeta's metadata, and a configuration. A `mapped` disk may grow, or turn bad."""
        self.disk_bytes, self.port = disk_bytes, port
        self.image = f"{self.limited}/bascule.img" if mapped else f"{self.directory}/bascule.img"
        if mapped:
            self._sh("mount", "-t", "tmpfs", "-o", f"size={LIMITED_BYTES}", "limited", self.limited)
        self.place_metadata(placement, f"{self.limited if mapped else self.directory}/bascule-meta.img")
        if not os.path.exists(self.image):
            os.close(os.open(self.image, os.O_CREAT | os.O_WRONLY, 0o600))
        self.fresh_image(disk_bytes)
        self.create_metadata()
        self.reconfigure(options)
        self.heard.clear()
        self.story.clear()
        open(self.log_path, "w").close()

    def reconfigure(self, options):
        self.options = options
        with open(self.config, "w") as file:
            file.write(self.config_text())

    def config_text(self):
        text = (f'[cluster]\nname = "interop"\n[node.{NODE}]\naddress = "{self.addresses[NODE]}"\n'
                f'[node.{PEER}]\naddress = "{self.addresses[PEER]}"\nrole = "peer"\n'
                f'[volume.{VOLUME}]\nauthority = "operator"\nport = {self.port}\n'
                f'disk = {{ {NODE} = "{self.image}", {PEER} = "/dev/ubda" }}\n')
        if self.meta_image:
            index = "" if self.placement == "flex-external" else f"[{self.placement}]"
            text += f'metadata = {{ {NODE} = "{self.meta_image}{index}" }}\n'
        for section, values in self.options.items():
            text += f"[volume.{VOLUME}.{TOML_SECTIONS.get(section, section)}]\n"
            text += "".join(f"{key} = {toml_value(value)}\n" for key, value in values.items())
        return text

    def up(self):
        with open(self.log_path, "a") as log:
            self.process = subprocess.Popen(
                [self.blockd, "--config", self.config, "--node", NODE, "--volume", VOLUME, "--run-dir", self.run_dir],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        limit = time.monotonic() + 15
        while not self._reached():
            self.still()
            if time.monotonic() > limit:
                raise side.RowFailed("blockd does not open its control socket")
            time.sleep(0.01)  # there is nothing else that tells when the socket is there

    def _reached(self):
        """The kernel keeps the listening socket of a process that was killed until its last request is done: whoever
        connects then is not let in by anybody."""
        try:
            self.control = Control(f"{self.run_dir}/blockd.{VOLUME}.sock", self._hear, self._ended, self._end)
            self.control.ask("state")
            return True
        except (OSError, Gone):
            self.control = None
            return False

    def down(self):
        self._drop_client()
        if self.process is None:
            return
        self.process.terminate()
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise side.RowFailed(f"blockd did not end within {STOP_SECONDS} s of SIGTERM") from None
        self._forget()
        if code:
            raise side.RowFailed(f"blockd ended with {code}: {self.log()[-400:]}")

    def kill(self):
        """SIGKILL: the process is gone, what it wrote stays."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self._drop_client()
        self._forget()

    cut_power = kill

    def start_again(self):
        self.up()

    def _forget(self):
        if self.control is not None:
            self.control.close()
        self.process = self.control = None
        self._ended()

    def _drop_client(self):
        if self.load is not None:
            self.load.running = False
            self.load = None
        if self.client is not None:
            self.client.close()
            self.client = None

    def clear(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
            self.kill()
        for path in (self.mount_point, f"{self.run_dir}/fuse/{VOLUME}", self.limited):
            subprocess.run(["umount", "-l", path], capture_output=True)

    # -- commands
    def primary(self, force=False):
        self.control.ask("promote", force=force)

    def secondary(self):
        self._drop_client()
        self.control.ask("demote", force=False)

    def connect(self, discard_my_data=False):
        self.control.ask("connect", discard_my_data=discard_my_data)

    def disconnect(self, force=False):
        self.control.ask("disconnect", force=force)

    def verify(self):
        self.control.ask("verify")

    def invalidate(self):
        self.control.ask("invalidate")

    def invalidate_remote(self):
        self.control.ask("invalidate", remote=True)

    def detach(self):
        self.control.ask("detach")

    def attach(self):
        self.control.ask("attach")

    def pause_sync(self):
        self.control.ask("pause_sync")

    def resume_sync(self):
        self.control.ask("resume_sync")

    def new_current_uuid(self, clear_bitmap=False):
        self.control.ask("new_current_uuid", clear_bitmap=clear_bitmap)

    def grow_disk(self, disk_bytes):
        os.truncate(self.image, disk_bytes)
        self.disk_bytes = disk_bytes

    def resize(self):
        self.control.ask("resize")
        self._drop_client()  # an NBD client sees the new size when it connects again

    def break_disk(self, first_byte, length):
        """Writes to this range, which holds zeroes, fail from now on: it becomes a hole in a file system that is full."""
        self._break(self.image, first_byte, length)

    def break_metadata(self):
        """Their device is one of its own: writes to the activity log fail from now on."""
        self._break(self.meta_image, 4096, 32768)

    def _break(self, image, first_byte, length):
        self._sh("fallocate", "--punch-hole", "--offset", str(first_byte), "--length", str(length), image)
        used = os.statvfs(self.limited)
        used_bytes = (used.f_blocks - used.f_bfree) * used.f_frsize
        self._sh("mount", "-o", f"remount,size={used_bytes}", self.limited)

    def mend_disk(self):
        self._sh("mount", "-o", f"remount,size={LIMITED_BYTES}", self.limited)

    def wipe(self):
        """A replica that never held data; the node is down."""
        self.create_metadata()

    # -- I/O
    def _open(self):
        if self.client is None:
            self.client = nbd.Client(f"{self.run_dir}/nbd.{VOLUME}.sock", VOLUME)
        return self.client

    def write(self, spans):
        device = self._open()
        for offset, length, stamp in spans:
            device.write(offset, blocks.content(offset, length, stamp))
        device.flush()

    def read_digest(self, offset, length):
        return blocks.digest(self._open().read(offset, length))

    def load_start(self, **arguments):
        self.load = blocks.Load(nbd.Client(f"{self.run_dir}/nbd.{VOLUME}.sock", VOLUME), **arguments)

    def load_stop(self):
        load, self.load = self.load, None
        return load.stop()

    def load_writes(self):
        return self.load.writes

    def discard(self, offset, length):
        self._open().discard(offset, length)

    def zeroes(self, offset, length):
        self._open().zeroes(offset, length, keep_allocated=True)

    # -- a file system and a database
    def _device(self):
        return f"{self.run_dir}/device/{VOLUME}"

    def make_file_system(self):
        self._sh("mkfs.ext4", "-q", "-F", self._device())

    def mount(self):
        os.makedirs(self.mount_point, exist_ok=True)
        self._sh("mount", self._device(), self.mount_point)

    def unmount(self):
        self._sh("umount", self.mount_point)

    @staticmethod
    def _sh(*command):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise side.RowFailed(f"{' '.join(command)}: {done.stderr.strip()}")

    def database_start(self):
        self.database = database.Running(self.mount_point)

    def database_stop(self):
        return self.database.stop()

    def database_commits(self):
        return self.database.committed

    def database_check(self, committed):
        return database.check(self.mount_point, committed)

    def size(self):
        return self.state()["size_bytes"]

    def out_of_sync(self):
        """Bytes."""
        return self.control.ask("state")["state"]["out_of_sync_bytes"]

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()


def toml_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else json.dumps(value)
