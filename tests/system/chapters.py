"""What the tests of an administrator's work share: a cluster of three hosts with the real programs on which their chapters are
played one after the other, and the questions that they ask it."""

import argparse
import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "harness"), os.path.join(ROOT, "tests", "story")]
from bascule_hosts import HostError  # noqa: E402
from bascule_story.cluster import StoryError  # noqa: E402
from bascule_story.timeline import Timeline  # noqa: E402


def expect(right, sentence):
    if not right:
        raise StoryError(sentence)


def asked(cluster, node, *arguments, code=0, timeout_s=60):
    """The last JSON line of a command that must end with this code."""
    done = cluster.bascule(node, *arguments, "--json", timeout_s=timeout_s, check=False)
    expect(done.code == code, f"bascule {' '.join(arguments)}: {done.code} instead of {code}: {done.out} {done.err}")
    return json.loads(done.out.splitlines()[-1])


def history(cluster, node, *arguments):
    done = cluster.bascule(node, "history", *arguments, "--json")
    return [json.loads(line) for line in done.out.splitlines()]


def told(cluster, kind, since=0):
    return [one for one in history(cluster, "carol") if one["kind"] == kind and one["wall_ms"] >= since]


def arguments(name, description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--programs", required=True)
    parser.add_argument("--directory", default=os.path.join(ROOT, "out", f"test-{name}-{os.getpid()}"))
    return parser


def play(options, make_cluster, chapters, needs, has_all):
    """`options`: of arguments(); `make_cluster(directory, programs, timeline)`; the chapters are functions of the cluster. Returns
    the exit code: 77 where this machine is not root or has not all that it `needs`."""
    if os.geteuid() != 0 or not has_all:
        print(f"needs {needs}")
        return 77
    timeline = Timeline(quiet=True)
    cluster = make_cluster(options.directory, os.path.abspath(options.programs), timeline)
    failed = ""
    try:
        cluster.make_hosts()
        for chapter in chapters:
            print(f"-- {chapter.__name__}", flush=True)
            chapter(cluster)
        cluster.bascule("carol", "stop", "--all")
    except (StoryError, HostError) as error:
        failed = str(error)
    finally:
        timeline.stop()
        cluster.close()
    print(f"FAILED: {failed}; logs: {cluster.world.logs}" if failed else "ok")
    return 1 if failed else 0
