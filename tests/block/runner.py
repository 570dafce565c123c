"""main() of the tests here: --programs DIR, then unittest's arguments. Exit 77 when nothing of the machine fits."""

import argparse
import os
import shutil
import sys
import unittest

programs = None


def needs(*commands, root=False):
    """Skips a test politely when a command or root is missing."""
    missing = [command for command in commands if not shutil.which(command)]
    if root and os.geteuid() != 0:
        missing.append("root")
    return unittest.skipIf(missing, "needs " + ", ".join(missing))


def main():
    global programs
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True)
    options, rest = parser.parse_known_args()
    sys.modules["runner"].programs = os.path.abspath(options.programs)
    unittest.main(module="__main__", argv=[sys.argv[0], *rest], verbosity=2)
