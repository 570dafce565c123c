"""The client outside: every 5 ms a new question who answers, whether the earlier ones were answered or not.

As a program, inside the client's host:  probe.py URL FILE
One line per answered question in FILE: {"id":17,"sent_ns":..,"acked_ns":..,"host":"bob"} (CLOCK_BOOTTIME), where host
is the last word of the page. A question that is not answered within a second is forgotten: each has a connection of
its own, so that a SYN that got lost delays nothing but itself. Ends with SIGTERM.
"""

import json
import os
import selectors
import signal
import socket
import sys
import time
from urllib.parse import urlsplit

EVERY_NS = 5_000_000
GIVE_UP_NS = 1_000_000_000


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Question:
    def __init__(self, number, address):
        self.number, self.sent_ns, self.data = number, now_ns(), b""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        self.socket.connect_ex(address)

    def ask(self, path):
        self.socket.send(f"GET {path} HTTP/1.0\r\n\r\n".encode())

    def read(self):
        """True when nothing more will come."""
        part = self.socket.recv(4096)
        self.data += part
        return not part


def answering_host(data):
    """The last word of the page, if the answer is complete and good; else None."""
    head, found, body = data.partition(b"\r\n\r\n")
    words = body.split()
    if not found or not words or b" 200 " not in head.split(b"\r\n", 1)[0]:
        return None
    return words[-1].decode(errors="replace")


class Probe:
    def __init__(self, url, file):
        parts = urlsplit(url)
        self.address, self.path = (parts.hostname, parts.port or 80), parts.path or "/"
        self.file = file
        self.selector = selectors.DefaultSelector()
        self.open = {}  # number -> Question, the oldest first
        self.count = 0

    def ask(self):
        self.count += 1
        try:
            question = Question(self.count, self.address)
            self.selector.register(question.socket, selectors.EVENT_WRITE, question)
            self.open[self.count] = question
        except OSError:
            pass  # as good as no answer

    def forget(self, question):
        self.selector.unregister(question.socket)
        question.socket.close()
        del self.open[question.number]

    def forget_old(self):
        limit = now_ns() - GIVE_UP_NS
        for question in list(self.open.values()):
            if question.sent_ns > limit:
                return
            self.forget(question)

    def ready(self, question, events):
        try:
            if events & selectors.EVENT_WRITE:
                question.ask(self.path)
                self.selector.modify(question.socket, selectors.EVENT_READ, question)
            elif question.read():
                self.finish(question)
        except OSError:
            self.forget(question)

    def finish(self, question):
        host = answering_host(question.data)
        self.forget(question)
        if host is not None:
            self.file.write(json.dumps({"id": question.number, "sent_ns": question.sent_ns, "acked_ns": now_ns(),
                                        "host": host}) + "\n")

    def loop(self, ending):
        due = now_ns()
        while not ending:
            now = now_ns()
            if now >= due:
                self.forget_old()
                self.ask()
                due = max(due + EVERY_NS, now)  # what was missed is not asked in a burst
            for key, events in self.selector.select(max(0, due - now_ns()) / 1e9):
                self.ready(key.data, events)


def main():
    url, path = sys.argv[1:3]
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
    with open(path, "a", buffering=1) as file:
        os.nice(-5)  # it must not be what is measured
        Probe(url, file).loop(ending)


if __name__ == "__main__":
    main()
