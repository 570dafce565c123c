"""What the benches of the stacks have in common: options, what is missing, one at a time, an end that cleans up."""

import argparse
import fcntl
import os
import shutil
import signal
import sys

from .ours import Bascule

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = os.path.join(ROOT, "build/release/bin")
HOW_TO_INSTALL = "sh -c '. scripts/packages.sh; install_missing no out/packages.log $bench_packages' installs them, " \
                 "without starting a daemon"


def say(text):
    print(text, file=sys.stderr, flush=True)


def words_of(known):
    def parse(text):
        words = text.split(",")
        for word in words:
            if word not in known:
                raise argparse.ArgumentTypeError(f"{word!r} is none of {', '.join(known)}")
        return words
    return parse


def find_missing(stacks, programs):
    """{name: why it cannot be run here at all}; `stacks`: {name: class}."""
    found = {}
    for name, kind in stacks.items():
        packages = kind.missing()
        if packages:
            found[name] = f"these packages of Debian are not installed: {', '.join(packages)} ({HOW_TO_INSTALL})"
        elif issubclass(kind, Bascule) and kind.missing_programs(programs):
            found[name] = f"{programs} has no {', '.join(kind.missing_programs(programs))}"
    return found


def _interrupt(number, _frame):
    raise SystemExit(128 + number)


def _take_lock(directory):
    """An open file that holds the lock of this directory, or None when somebody else has it."""
    os.makedirs(directory, exist_ok=True)
    lock = open(directory.rstrip("/") + ".lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def run_alone(program, options, make_bench):
    """Runs a bench and lets it report, also after Ctrl-C; the exit code."""
    if os.geteuid() != 0:
        say(f"{program}: this must run as root, because it makes network namespaces and mounts; nothing was changed.")
        return 2
    lock = _take_lock(options.directory)
    if lock is None:
        say(f"{program}: another one is running in this checkout.")
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits it ignored
    code = 0
    with lock:
        bench = make_bench(options)
        try:
            bench.run()
        except KeyboardInterrupt:
            say("\nInterrupted; everything is taken down. So far:")
            code = 130
        bench.report()
        for name in options.stacks:
            shutil.rmtree(os.path.join(options.directory, name, "programs"), ignore_errors=True)
    return code
