"""The power board of a cluster of two: an agent in the hosts asks for a plug by a file, and the harness switches it."""

import os
import threading

from bascule_hosts import kernel

INSIDE = "/fence"
AGENT = """\
#!/bin/sh
while IFS='=' read -r name value; do
  case $name in action) action=$value ;; plug) plug=$value ;; esac
done
case $action in
  metadata)
    echo '<resource-agent name="fence_board"><actions><action name="on" automatic="0"/><action name="off"/>'
    echo '<action name="reboot"/><action name="status"/><action name="metadata"/></actions></resource-agent>'
    exit 0 ;;
esac
request=/fence/$(hostname).$$.$(date +%s%N)
echo "$action $plug" > "$request.new" && mv "$request.new" "$request.request"
while [ ! -e "$request.answer" ]; do sleep 0.05; done
exit "$(cat "$request.answer")"
"""


class PowerBoard:
    """Obeys within 20 ms. `switch(action, host, by)` does it and returns the agent's exit code."""

    def __init__(self, directory, switch, say):
        self.directory = directory
        self._switch, self._say = switch, say
        self._stop = threading.Event()
        os.makedirs(directory, exist_ok=True)
        agent = os.path.join(directory, "fence_board")
        kernel.write_file(agent, AGENT)
        os.chmod(agent, 0o755)
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def _loop(self):
        while not self._stop.wait(0.02):
            for name in sorted(os.listdir(self.directory)):
                if name.endswith(".request"):
                    self._serve(os.path.join(self.directory, name), name.split(".")[0])

    def _serve(self, path, by):
        action, host = kernel.read_file(path).split()
        os.unlink(path)
        try:
            code = self._switch(action, host, by)
        except Exception as error:  # a board that fails says so, and goes on
            self._say(f"the power board could not switch {host} {action}: {error}")
            code = 1
        answer = path.removesuffix(".request") + ".answer"
        kernel.write_file(answer + ".new", str(code))
        os.rename(answer + ".new", answer)

    def stop(self):
        if not self._stop.is_set():
            self._stop.set()
            self._thread.join(30)
