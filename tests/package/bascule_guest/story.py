"""What the tests with guests have in common: a story in numbered steps, and the command line."""

import argparse
import os
import subprocess
import sys
import time
import unittest

from bascule_hosts import World

from .base import BaseMissing, find_base
from .guest import Guest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
SKIP = 77


def wait_until(condition, what, timeout_s=60.0):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not in {timeout_s} s: {what}")


class Story(unittest.TestCase):
    """alice, bob and carol; the tests are steps of one story, in the order of their numbers."""

    deb = None
    keep = False

    @classmethod
    def setUpClass(cls):
        cls.directory = os.path.join(ROOT, "out", f"test-package-{os.getpid()}")
        cls.world = World(cls.directory)
        base = find_base()
        cls.guests = {name: Guest(cls.world, name, f"10.77.0.{number}", base)
                      for number, name in enumerate(("alice", "bob", "carol"), 1)}
        cls.alice, cls.bob, cls.carol = cls.guests.values()

    @classmethod
    def tearDownClass(cls):
        cls.world.close()
        left = cls.world.footprint.leftovers()
        if not cls.keep:
            subprocess.run(["rm", "-rf", cls.directory], check=True)
        assert not left, left

    def run(self, result=None):
        if result is not None and (result.failures or result.errors):
            return None  # a story goes no further after a step that failed
        super().run(result)
        if result is not None and (result.failures or result.errors):
            self.tell()
        return None

    def tell(self):
        for name, guest in self.guests.items():
            if guest.host.up() and guest.pid():
                print(f"--- {name}\n" + guest.journal("-u", "bascule*", "-n", "40"), file=sys.stderr)
                print(guest.run(["systemctl", "--no-pager", "--failed"], check=False).out, file=sys.stderr)
                print(guest.run(["bascule", "status"], check=False).out, file=sys.stderr)

    def service(self):
        for guest in self.guests.values():
            status = guest.status() if guest.host.up() and guest.pid() else {}
            if status:
                return status["services"][0]
        return {}

    def serves(self, name):
        service = self.service()
        return service.get("owner") == name and service.get("state") == "Started"

    def wait_serves(self, name, timeout_s=90.0):
        wait_until(lambda: self.serves(name), f"{name} has the service", timeout_s)

    def wait_healthy(self, timeout_s=90.0):
        wait_until(lambda: self.carol.status().get("healthy"), "the cluster is healthy", timeout_s)

    def node(self, name):
        return next((node for node in self.carol.status().get("nodes", []) if node["name"] == name), {})


def newest_package():
    directory = os.path.join(ROOT, "out")
    made = [os.path.join(directory, name) for name in (os.listdir(directory) if os.path.isdir(directory) else [])
            if name.startswith("bascule_") and name.endswith("_amd64.deb")]
    return max(made, key=os.path.getmtime) if made else None


def main(story, description):
    """Plays the story; the exit code."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deb", default=newest_package(), help="this package, instead of the newest in out/")
    parser.add_argument("--keep", action="store_true", help="keep the logs")
    arguments, rest = parser.parse_known_args()
    if os.geteuid() != 0:
        print("this makes namespaces and mounts, so it needs root", file=sys.stderr)
        return SKIP
    try:
        find_base()
    except BaseMissing as why:
        print(why, file=sys.stderr)
        return SKIP
    if arguments.deb is None:
        print("there is no package: run ./package first", file=sys.stderr)
        return 2
    story.deb, story.keep = os.path.abspath(arguments.deb), arguments.keep
    program = unittest.main(argv=[sys.argv[0], *rest], verbosity=2, failfast=True, exit=False)
    return 0 if program.result.wasSuccessful() else 1
