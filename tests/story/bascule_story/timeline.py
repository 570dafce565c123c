"""The story as it happens: events of all nodes and of the harness, in the order of the one boot clock."""

import json
import os
import sys
import threading
import time

from bascule_hosts import kernel

COLOURS = {"alice": "36", "bob": "35", "carol": "33", "client": "32", "demo": "1"}
BAD = {"node-lost", "lease-ended", "service-failed", "service-killed", "step-failed", "takeover-refused", "peer-lost",
       "host-killed", "host-frozen", "link-cut", "pair-cut", "watchdog-bite"}
# What a reader of the story wants to see; the rest is in the JSON.
SHOWN = {"node-lost", "node-back", "leader-elected", "lease-ended", "lease-back", "service-granted", "service-released",
         "service-started", "service-stopped", "service-held", "service-killed", "service-failed", "step-started",
         "step-stopped", "step-failed", "volume-promoted", "volume-demoted", "volume-initialised", "peer-connected",
         "peer-lost", "writes-held", "writes-resumed", "in-sync-shrunk", "in-sync-grown", "generation-made",
         "resync-started", "resync-finished", "takeover-refused", "standby", "online", "target", "move",
         "story", "answered", "process-killed", "host-up", "host-killed", "host-frozen", "host-thawed", "link-cut",
         "link-healed", "pair-cut", "pair-healed", "watchdog-bite", "keeper-error"}
# Each node tells what the log says; once is enough for the reader.
AGREED = {"service-granted", "service-released", "in-sync-shrunk", "in-sync-grown", "volume-initialised", "standby",
          "online", "target", "move"}


class Timeline:
    def __init__(self, quiet=False):
        self.entries = []
        self.fault_ns = None
        self._quiet = quiet
        self._files = {}  # host -> [path, offset, rest]
        self._seen = set()
        self._last_said = None
        self._last_bar = 0.0
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread = None
        self._bar = False
        self._started_ns = kernel.boottime_ns()
        self._tty = sys.stdout.isatty()

    # --- sources ----------------------------------------------------------------------------------------------------

    def follow(self, host, path):
        self._files[host] = [path, 0, b""]
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, daemon=True)
            self._thread.start()

    def _loop(self):
        while not self._stop.wait(0.05):
            self.poll()

    def poll(self):
        """Reads what the nodes have written since the last time."""
        with self._lock:
            fresh = []
            for host, state in self._files.items():
                fresh += self._read(host, state)
            for entry in sorted(fresh, key=lambda entry: entry["at_ns"]):
                self._add(entry)

    @staticmethod
    def _read(host, state):
        path, offset, rest = state
        try:
            with open(path, "rb") as file:
                if os.fstat(file.fileno()).st_size < offset:
                    offset, rest = 0, b""  # the node cut its file
                file.seek(offset)
                data = file.read()
        except OSError:
            return []
        lines = (rest + data).split(b"\n")
        state[1], state[2] = offset + len(data), lines[-1]
        found = []
        for line in lines[:-1]:
            try:
                event = json.loads(line)
                found.append({"at_ns": event["at_ns"], "host": event.get("node", host), "kind": event["kind"],
                              "subject": event.get("subject", ""), "text": event.get("text", ""),
                              "fields": event.get("fields", {})})
            except (ValueError, KeyError, TypeError):
                continue  # the last line of a killed node may be torn
        return found

    def note(self, entry):
        """An event of the harness."""
        with self._lock:
            self._add({"subject": "", "fields": {}, **entry})

    def say(self, text, host="demo"):
        self.note({"at_ns": kernel.boottime_ns(), "host": host, "kind": "story", "text": text})

    def _add(self, entry):
        if entry["kind"] in AGREED:
            key = (entry["kind"], entry["subject"], entry["text"])
            told = next((old for old in self.entries[-40:] if old["text"] == entry["text"] and
                         abs(old["at_ns"] - entry["at_ns"]) < 5e9), None) if key in self._seen else None
            if told is not None:
                told["at_ns"] = min(told["at_ns"], entry["at_ns"])  # the first to know may be the last to be read
                return
            self._seen.add(key)
        self.entries.append(entry)
        if self._quiet or entry["kind"] not in SHOWN:
            return
        said = (entry["host"], entry["kind"], entry["text"])
        if said != self._last_said:
            self._print(entry)
        self._last_said = said

    # --- display ----------------------------------------------------------------------------------------------------

    def _print(self, entry):
        zero = self.fault_ns if self.fault_ns is not None else self._started_ns
        at = (entry["at_ns"] - zero) / 1e9
        sign = "+" if self.fault_ns is not None else " "
        host, kind = entry["host"], entry["kind"]
        text = entry["text"] or kind
        if "ms" in entry["fields"]:
            text += f" [{entry['fields']['ms']} ms]"
        if self._tty:
            paint = "31" if kind in BAD else COLOURS.get(host, "0")
            line = f"\r\033[K{sign}{at:8.3f} s  \033[{COLOURS.get(host, '0')}m{host:<7}\033[0m \033[{paint}m{text}\033[0m"
        else:
            line = f"{sign}{at:8.3f} s  {host:<7} {text}"
        print(line, flush=True)

    def progress(self, what, done, total, started):
        """A bar with rate and time to go; nothing but a line now and then where there is no terminal."""
        if self._quiet or not total:
            return
        took = max(time.monotonic() - started, 0.001)
        rate = done / took
        left = (total - done) / rate if rate > 0 else 0
        width = 30
        filled = int(width * done / total)
        text = (f"{what} [{'#' * filled}{'.' * (width - filled)}] {100 * done / total:5.1f} %  "
                f"{done / 2**20:.0f} of {total / 2**20:.0f} MiB  {rate / 2**20:.0f} MiB/s  {left:.0f} s to go")
        with self._lock:
            if self._tty:
                print(f"\r\033[K{text}", end="", flush=True)
                self._bar = True
            elif time.monotonic() - self._last_bar > 1:
                self._last_bar = time.monotonic()
                print(text, flush=True)

    def end_progress(self):
        with self._lock:
            if self._bar:
                print("\r\033[K", end="", flush=True)
                self._bar = False

    # --- questions --------------------------------------------------------------------------------------------------

    def find(self, kind, after_ns=0, **wanted):
        """The events of a kind after a moment, whose host, subject or fields are as wanted."""
        self.poll()
        found = []
        with self._lock:
            for entry in sorted(self.entries, key=lambda entry: entry["at_ns"]):
                if entry["kind"] == kind and entry["at_ns"] >= after_ns and all(
                        entry.get(key, entry["fields"].get(key)) == value for key, value in wanted.items()):
                    found.append(entry)
        return found

    def first(self, kind, after_ns=0, **wanted):
        found = self.find(kind, after_ns, **wanted)
        return found[0] if found else None

    def as_json(self):
        self.poll()
        zero = self.fault_ns if self.fault_ns is not None else self._started_ns
        with self._lock:
            ordered = sorted(self.entries, key=lambda entry: entry["at_ns"])
        return [{"at_ms": round((entry["at_ns"] - zero) / 1e6, 3), **entry} for entry in ordered]

    def stop(self):
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2)
        self.poll()
