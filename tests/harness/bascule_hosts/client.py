"""The client outside: asks the service as fast as it answers, and writes down every answer with its moment.

As a program, inside the client's host:  client.py orders|web URL FILE [SECONDS [PAUSE]]
It waits so many seconds for a connection and for an answer, by default (also with 0) as short as suits a real processor, and
PAUSE seconds between an answer and the next question.
One line per answer in FILE: {"id":"c-17","sent_ns":..,"acked_ns":..} (CLOCK_BOOTTIME). An order that got no answer
is never sent again under the same id, for nobody knows whether it was written; its line is {"id":..,"sent_ns":..,
"lost":"timed out"}. Ends with SIGTERM, after the answer it waits for.
"""

import http.client
import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CONNECT_TIMEOUT_S = 0.1  # what connects at all here connects in well under a millisecond
ANSWER_TIMEOUT_S = 0.5
PAUSE_AFTER_FAILURE_S = 0.01


@dataclass
class LoadResult:
    """What the client wrote down."""

    acknowledged: list = field(default_factory=list)  # (id, sent_ns, acked_ns), in order
    unanswered: list = field(default_factory=list)    # (id, sent_ns)

    def outage(self, fault_ns):
        """(length_ns, from_ns, to_ns) of the longest gap between two answers of which the later one came after the
        fault; None when nothing was answered after it."""
        longest = None
        for before, after in zip(self.acknowledged, self.acknowledged[1:]):
            if after[2] > fault_ns and (longest is None or after[2] - before[2] > longest[0]):
                longest = (after[2] - before[2], before[2], after[2])
        return longest

    def first_after(self, at_ns):
        return next((acked for _, _, acked in self.acknowledged if acked > at_ns), None)


def read_orders(path):
    result = LoadResult()
    try:
        with open(path) as file:
            lines = file.read().split("\n")
    except FileNotFoundError:
        return result
    for line in lines[:-1]:  # the last one may be half written
        entry = json.loads(line)
        if "acked_ns" in entry:
            result.acknowledged.append((entry["id"], entry["sent_ns"], entry["acked_ns"]))
        else:
            result.unanswered.append((entry["id"], entry["sent_ns"]))
    return result


def ask(url, order, connect_timeout_s=CONNECT_TIMEOUT_S, answer_timeout_s=ANSWER_TIMEOUT_S):
    """One request; None when it was answered as it should, else why not."""
    connection = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=connect_timeout_s)
    try:
        connection.connect()
        connection.sock.settimeout(answer_timeout_s)
        if order is None:
            connection.request("GET", url.path or "/")
        else:
            connection.request("POST", url.path, body=f"id={order}",
                               headers={"Content-Type": "application/x-www-form-urlencoded"})
        response = connection.getresponse()
        body = response.read().decode(errors="replace").strip()
        if response.status != 200:
            return f"status {response.status}: {body[:80]}"
        if order is not None and body != f"ok {order}":
            return f"unexpected answer: {body[:80]}"
        return None
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()


def main():
    kind, address, path, *seconds = sys.argv[1:6]
    seconds = [float(one) for one in seconds]
    patience = [seconds[0]] * 2 if seconds and seconds[0] else []
    pause_s = seconds[1] if len(seconds) > 1 else 0
    url = urlsplit(address)
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
    run = f"{os.getpid()}-{time.time_ns() // 1000000 % 100000000}"
    count = 0
    with open(path, "a", buffering=1) as file:
        while not ending:
            count += 1
            order = f"{run}-{count}"
            sent = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            why = ask(url, order if kind == "orders" else None, *patience)
            entry = {"id": order, "sent_ns": sent}
            if why is None:
                entry["acked_ns"] = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            else:
                entry["lost"] = why
            file.write(json.dumps(entry) + "\n")
            time.sleep(pause_s if why is None else PAUSE_AFTER_FAILURE_S)


if __name__ == "__main__":
    main()
