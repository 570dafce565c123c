"""Agents that hang, lie and leave children: a script in the place of Debian's agent, that does what its file says."""

import os
import shutil
import signal

from bascule_hosts import kernel

HERE = os.path.dirname(os.path.abspath(__file__))
ANYTHING = "/usr/lib/ocf/resource.d/heartbeat/anything"
INSIDE = "/etc/bascule/agent"
HANGS = b"sleep\x0086399\x00"  # as its command line reads
SERVER = b"order_server.py"


class AgentFault:
    """Of one host. `directory`: what the host sees as INSIDE, which outlives it."""

    def __init__(self, host, directory):
        self._host, self._directory = host, directory
        os.makedirs(directory, exist_ok=True)
        shutil.copy(ANYTHING, os.path.join(directory, "anything"))
        shutil.copy(os.path.join(HERE, "faulty_agent.sh"), os.path.join(directory, "faulty"))

    def put_in_place(self):
        """In each life of the host, before its programs."""
        self._host.run(["mount", "--bind", f"{INSIDE}/faulty", ANYTHING])

    def begin(self, fault):
        kernel.write_file(os.path.join(self._directory, "fault.new"), fault + "\n")
        os.rename(os.path.join(self._directory, "fault.new"), os.path.join(self._directory, "fault"))
        if fault == "agent-says-running":
            self._kill(SERVER)

    def end(self):
        """The agent is mended; who still hangs is killed, as whoever mends it would."""
        try:
            os.unlink(os.path.join(self._directory, "fault"))
        except FileNotFoundError:
            return
        self._kill(HANGS)

    def _kill(self, word):
        for pid in kernel.cgroup_processes(self._host.cgroup):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as command:
                    if word in command.read():
                        os.kill(pid, signal.SIGKILL)
            except OSError:
                continue  # it has gone
