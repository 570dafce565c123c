"""Takes every process that the host can have, and each one that becomes free: fork_bomb.py CGROUP, in a host.

It spends its life in the cgroup, so that the harness can end it from outside: inside nobody can start anything.
"""

import os
import signal
import sys
import time

TRY_AGAIN_S = 0.001


def enter(cgroup):
    os.makedirs(cgroup, exist_ok=True)
    with open(os.path.join(cgroup, "cgroup.procs"), "w") as processes:
        processes.write(str(os.getpid()))


def main():
    enter(sys.argv[1])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        try:
            child = os.fork()
        except OSError:
            time.sleep(TRY_AGAIN_S)
            continue
        if child == 0:
            while True:
                signal.pause()


if __name__ == "__main__":
    main()
