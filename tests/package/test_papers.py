"""What is written twice is the same: versions, formats on disk, units."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
GENERATOR = os.path.join(ROOT, "packaging", "lib", "bascule-generator")


def read(*path):
    with open(os.path.join(ROOT, *path)) as file:
        return file.read()


class Papers(unittest.TestCase):
    def test_formats_are_those_of_the_code(self):
        formats = dict(line.split() for line in read("packaging", "formats").splitlines())
        snapshot = re.search(r"constexpr std::uint64_t version = (\d+);", read("src", "core", "store", "snapshot.cpp"))
        log = re.search(r"`BASCRLOG`, version u32 \((\d+)\)", read("src", "wire", "raft", "FORMAT.md"))
        self.assertEqual(formats, {"log": log.group(1), "snapshot": snapshot.group(1)})

    def test_the_changelog_has_the_version_of_the_build(self):
        version = re.search(r"project\(bascule VERSION (\S+)", read("CMakeLists.txt")).group(1)
        self.assertTrue(read("packaging", "debian", "changelog").startswith(f"bascule ({version}) "))

    def test_every_unit_that_is_named_exists(self):
        units = set(os.listdir(os.path.join(ROOT, "packaging", "systemd")))
        for name in units:
            for named in re.findall(r"\bbascule[-a-z]*@?\.(?:service|target|path)\b", read("packaging", "systemd", name)):
                self.assertIn(named, units, f"in {name}")


class Generator(unittest.TestCase):
    """What bascule-generator makes of what `bascule config node` says."""

    def generated(self, says, config=True):
        with tempfile.TemporaryDirectory() as directory:
            root, out = os.path.join(directory, "root"), os.path.join(directory, "out")
            os.makedirs(os.path.join(root, "etc", "bascule"))
            os.makedirs(out)
            if config:
                open(os.path.join(root, "etc", "bascule", "cluster.toml"), "w").close()
            program = os.path.join(directory, "bascule")
            with open(program, "w") as file:
                file.write("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in says))
            os.chmod(program, 0o755)
            subprocess.run([GENERATOR, out, out, out], check=True, env={**os.environ, "BASCULE": program,
                                                                         "BASCULE_ROOT": root})
            return sorted(os.path.join(os.path.relpath(place, out), name)
                          for place, _, names in os.walk(out) for name in names)

    def test_without_a_configuration_there_is_nothing(self):
        self.assertEqual(self.generated(["role data"], config=False), [])

    def test_a_data_node_runs_everything_and_each_of_its_volumes(self):
        wants = "bascule.target.wants/bascule-"
        self.assertEqual(self.generated(["role data", "volume data", "volume my-logs.2"]),
                         sorted(wants + unit + ".service" for unit in ("managerd", "watchdogd", "services", "node",
                                                                       "blockd@data", "blockd@my-logs.2")))

    def test_a_witness_runs_the_manager_alone_and_confined(self):
        self.assertEqual(self.generated(["role witness"]), ["bascule-managerd.service.d/witness.conf",
                                                            "bascule.target.wants/bascule-managerd.service"])

    def test_a_configuration_that_cannot_be_read_starts_the_manager_which_says_why(self):
        self.assertEqual(self.generated([]), ["bascule.target.wants/bascule-managerd.service"])


if __name__ == "__main__":
    sys.exit(unittest.main())
