"""The first process of the guest: JSON lines on the serial line. Asked: {"id", "call", arguments}; answered: {"id", "ok",
...}. Told unasked: {"kmsg": line of the kernel's log} and {"drbd": line of drbdsetup events2}."""

import json
import os
import subprocess
import sys
import threading
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import blocks  # noqa: E402
import database  # noqa: E402

EVENTS = ["/usr/lib/drbd/drbdsetup-84", "events2", "all"]


class Line:
    """The serial line, whole lines only."""

    def __init__(self, path):
        self.descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
        self.lock = threading.Lock()

    def say(self, **message):
        data = (json.dumps(message) + "\n").encode()
        with self.lock:
            while data:
                data = data[os.write(self.descriptor, data):]

    def asked(self):
        with os.fdopen(os.dup(self.descriptor), "r") as lines:
            yield from map(json.loads, lines)


class Agent:
    def __init__(self, line):
        self.line = line
        self.loads, self.database = {}, None
        self.watching = None

    def run(self, script, timeout):
        """A shell script; its status and both outputs."""
        try:
            done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=timeout, errors="replace",
                                  stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return {"status": 124, "out": "", "err": f"not done after {timeout} s"}
        return {"status": done.returncode, "out": done.stdout, "err": done.stderr}

    def start(self, script):
        """A shell script that goes on by itself."""
        return {"pid": subprocess.Popen(["bash", "-c", script], stdin=subprocess.DEVNULL, start_new_session=True).pid}

    def write(self, path, spans, durable):
        with blocks.Device(path) as device:
            for offset, length, stamp in spans:
                device.write(offset, blocks.content(offset, length, stamp))
            if durable:
                device.flush()
        return {}

    def read(self, path, offset, length):
        with blocks.Device(path) as device:
            return {"digest": blocks.digest(device.read(offset, length))}

    def load_start(self, lane, path, **arguments):
        self.loads[lane] = blocks.Load(blocks.Device(path), **arguments)
        return {}

    def load_stop(self, lane):
        return self.loads.pop(lane).stop()

    def load_progress(self, lane):
        return {"writes": self.loads[lane].writes, "failed": self.loads[lane].error}

    def database_start(self, directory):
        self.database = database.Running(directory)
        return {}

    def database_stop(self):
        return self.database.stop()

    def database_commits(self):
        return {"committed": self.database.committed, "failed": self.database.error}

    def database_check(self, directory, committed):
        return {"wrong": database.check(directory, committed)}

    def watch(self):
        """drbdsetup's events from now on."""
        if self.watching is None or self.watching.poll() is not None:
            self.watching = subprocess.Popen(EVENTS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            threading.Thread(target=self._events, args=(self.watching,), daemon=True).start()
        return {}

    def _events(self, process):
        for line in process.stdout:
            self.line.say(drbd=line.rstrip("\n"))

    def kernel_log(self):
        with open("/dev/kmsg", "rb", buffering=0) as log:
            while True:
                try:
                    record = log.read(8192).decode(errors="replace")
                except OSError:  # overwritten before it was read
                    continue
                head, _, text = record.partition(";")
                self.line.say(kmsg=text.split("\n")[0], at=int(head.split(",")[2]) / 1e6)

    def answer(self, question):
        number, call = question.pop("id"), question.pop("call")
        try:
            answer = {"ok": True, **getattr(self, call)(**question)}
        except Exception as error:  # whatever it is, the host is to know
            answer = {"ok": False, "error": f"{error!r}", "trace": traceback.format_exc()}
        self.line.say(id=number, **answer)


def main():
    line = Line("/dev/ttyS0")
    agent = Agent(line)
    with open("/proc/uptime") as uptime:
        line.say(ready=True, at=float(uptime.read().split()[0]))
    threading.Thread(target=agent.kernel_log, daemon=True).start()
    for question in line.asked():
        threading.Thread(target=agent.answer, args=(question,), daemon=True).start()


if __name__ == "__main__":
    main()
