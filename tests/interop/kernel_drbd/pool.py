"""Runs of rows side by side: each worker is this program once more, in namespaces of its own with guests of its own. It is
asked for runs by lines of JSON on its standard input and answers each by one on its standard output."""

import json
import os
import queue
import subprocess
import sys
import threading

UNSHARE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
INSIDE = "BASCULE_INTEROP_INSIDE"


class WorkerEnded(Exception):
    """A worker ended before its work was done; the exit code says how."""

    def __init__(self, code):
        super().__init__(f"a worker ended with {code}")
        self.code = code


class Pool:
    """`jobs` workers take the runs of `wanted` (anything that JSON can hold) in their order."""

    def __init__(self, program, arguments, jobs, wanted, heard):
        self.heard, self.ended = heard, None
        self.wanted = queue.SimpleQueue()
        for one in wanted:
            self.wanted.put(one)
        command = [*UNSHARE, sys.executable, "-B", program, *arguments]
        self.workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                         env={**os.environ, INSIDE: "1"}) for _ in range(jobs)]
        self.lock = threading.Lock()

    def run(self):
        threads = [threading.Thread(target=self._feed, args=(worker,)) for worker in self.workers]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            self.close()
        if self.ended is not None:
            raise WorkerEnded(self.ended)

    def _feed(self, worker):
        while self.ended is None:
            try:
                one = self.wanted.get_nowait()
            except queue.Empty:
                break
            try:
                worker.stdin.write(json.dumps(one) + "\n")
                worker.stdin.flush()
                line = worker.stdout.readline()
            except OSError:
                line = ""
            if not line:
                self.ended = worker.wait()
                return
            with self.lock:
                self.heard(json.loads(line))
        worker.stdin.close()  # that is how it knows that there is no more
        worker.wait()

    def close(self):
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()  # unshare takes its children along; it ignores SIGTERM
                worker.wait()


def asked():
    """The worker's side: what it is asked for."""
    for line in sys.stdin:
        yield json.loads(line)


def take_output():
    """The line for answers. Whatever else writes to the standard output goes to the standard error from now on."""
    line = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return line


def answer(line, result):
    line.write(json.dumps(result) + "\n")
    line.flush()
