"""./demo and ./test on a machine they cannot work on: one sentence, exit code 2, nothing changed."""

import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = ("demo", "test")


def run(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
                          check=False)


class Refusals(unittest.TestCase):
    def refused(self, done, word):
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertIn(word, done.stderr)
        self.assertIn("nothing was changed", done.stderr)

    def test_without_root(self):
        for program in PROGRAMS:
            self.refused(run("setpriv", "--reuid", "65534", "--clear-groups", f"./{program}", "--yes"), "root")

    def test_without_namespaces(self):
        for program in PROGRAMS:
            self.refused(run("setpriv", "--bounding-set", "-sys_admin", f"./{program}", "--yes"), "namespaces")

    def test_on_another_distribution(self):
        with tempfile.NamedTemporaryFile("w") as release:
            release.write("ID=plan9\nVERSION_ID=4\n")
            release.flush()
            for program in PROGRAMS:
                self.refused(run("unshare", "--mount", "sh", "-c", f"mount --bind {release.name} /etc/os-release && "
                                 f"exec ./{program} --yes"), "plan9")

    def test_a_wrong_option_is_explained(self):
        self.assertEqual(run("./test", "--nonsense").returncode, 2)
        self.assertIn("usage", run("./test", "--nonsense").stderr)
        self.assertEqual(run("./demo", "--nonsense").returncode, 2)
        self.assertIn("usage", run("./demo", "--nonsense").stderr)
        self.assertIn("--service web has none", run("./demo", "--service", "web", "--fault", "stale").stderr)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("needs root to give it up: skipped")
        sys.exit(77)
    unittest.main()
