"""Copies that hear of each other: a promotable service with an agent of this test that writes down what it is told, and
ocf:pacemaker:Stateful, on three hosts with the real programs. `notifications.py --programs DIR`."""

import os
import sys

from chapters import arguments, asked, expect, play, told
from bascule_story.cluster import ADDRESSES, DATA_NODES, Cluster
from copies import NODES, CopiesCluster, now_ms

PROVIDER = "/usr/lib/ocf/resource.d/pacemaker"
STATEFUL = PROVIDER + "/Stateful"
RECORD, HANG = "/run/shop/record", "/run/shop/hang"
RECORDER = """#!/bin/sh
# Knows what it is; writes down when it was called and what for.
: ${OCF_FUNCTIONS_DIR:=${OCF_ROOT}/lib/heartbeat}
. ${OCF_FUNCTIONS_DIR}/ocf-shellfuncs
state=$OCF_RESKEY_state record=$OCF_RESKEY_record
case $1 in
  meta-data) cat <<END
<?xml version="1.0"?>
<resource-agent name="Recorder" version="1"><version>1.1</version>
<parameters><parameter name="state" required="1"><content type="string"/></parameter>
<parameter name="record" required="1"><content type="string"/></parameter></parameters>
<actions><action name="start" timeout="10s"/><action name="stop" timeout="10s"/><action name="monitor" timeout="10s"/>
<action name="promote" timeout="10s"/><action name="demote" timeout="10s"/><action name="notify" timeout="4s"/></actions>
</resource-agent>
END
    exit 0 ;;
  monitor) [ -e "$state" ] || exit 7; [ "$(cat "$state")" = promoted ] && exit 8; exit 0 ;;
esac
words=$1
if [ "$1" = notify ]; then
  operation=$OCF_RESKEY_CRM_meta_notify_operation
  eval "who=\\$OCF_RESKEY_CRM_meta_notify_${operation}_uname"
  words="$OCF_RESKEY_CRM_meta_notify_type $operation $who"
  env | grep '^OCF_RESKEY_CRM_meta_notify' > "$record.$OCF_RESKEY_CRM_meta_notify_type-$operation"
fi
echo "begin $(date +%s%N) $words" >> "$record"
code=0
case $1 in
  start) echo unpromoted > "$state"; ocf_promotion_score -v 10 ;;
  stop) rm -f "$state"; ocf_promotion_score -D ;;
  promote) echo promoted > "$state" ;;
  demote) if [ -e "$state" ]; then echo unpromoted > "$state"; else code=7; fi ;;
  notify) [ -e /run/shop/hang ] && sleep 1000 ;;
esac
echo "end $(date +%s%N) $words" >> "$record"
exit $code
"""
SERVICES = f"""
[service.told]
promotable = true
notify = true
prefer = "alice"
run = {{ agent = "ocf:pacemaker:Recorder", state = "/run/shop/recorder", record = "{RECORD}", monitor_interval = "1s", \
notify_timeout = "4s" }}
[service.db]
promotable = true
notify = true
prefer = "bob"
run = {{ agent = "ocf:pacemaker:Stateful", state = "/run/shop/stateful", envfile = "/run/shop/stateful.env", \
monitor_interval = "0s" }}
"""


class ToldCluster(CopiesCluster):
    """Its hosts see the provider's directory with the recorder in it."""

    def make_hosts(self):
        Cluster.make_hosts(self)
        with open(STATEFUL) as file:
            stateful = file.read()
        for name in ADDRESSES:
            host = self.hosts[name]
            host.write("/etc/bascule/cluster.toml", f'[cluster]\nname = "told"\n{NODES}{SERVICES}')
            host.write("/etc/bascule/agents/Stateful", stateful, mode=0o755)
            host.write("/etc/bascule/agents/Recorder", RECORDER, mode=0o755)
        self.marks = {name: 0 for name in DATA_NODES}

    def start_programs(self, name):
        self.hosts[name].run(["mount", "--bind", "/etc/bascule/agents", PROVIDER])
        Cluster.start_programs(self, name)

    def record(self, name):
        """(words, began, ended) of each call since mark(); not ended: None."""
        calls = []
        for line in self.hosts[name].read(RECORD).splitlines()[self.marks[name]:]:
            edge, at, words = line.split(" ", 2)
            if edge == "begin":
                calls.append([words.strip(), int(at), None])
            else:
                next(each for each in reversed(calls) if each[0] == words.strip() and each[2] is None)[2] = int(at)
        return calls

    def mark(self):
        for name in DATA_NODES:
            self.marks[name] = len(self.hosts[name].read(RECORD).splitlines())

    def heard(self, name):
        return [words for words, _, _ in self.record(name) if words.split()[0] in ("pre", "post")]

    def call(self, name, words):
        found = [each for each in self.record(name) if each[0] == words]
        expect(found, f"{name} was never called for {words}: {self.record(name)}")
        return found[0]

    def in_order(self, *calls):
        """Each ended before the next began."""
        ended = 0
        for name, words in calls:
            call = self.call(name, words)
            expect(call[1] >= ended, f"{name} {words} began too early: {self.record(name)}")
            ended = call[2]


def both_start(cluster):
    cluster.start_all_programs()
    for name in DATA_NODES:
        cluster.wait_runs(f"told@{name}", name)
        cluster.wait_runs(f"db@{name}", name)
    for service in ("told", "db"):
        cluster.wait_runs(service, cluster.owner_of(service))
    if cluster.owner_of("told") != "alice":
        asked(cluster, "carol", "move", "told", "--to", "alice")
    cluster.wait_runs("told", "alice")
    checked = asked(cluster, "alice", "config", "check")
    expect(checked["agents"] == {"wrong": [], "absent": [], "advice": []}, f"config check says {checked}")


def one_copy_stops_and_starts(cluster):
    cluster.mark()
    asked(cluster, "carol", "stop", "told@bob")
    expect(cluster.heard("alice") == ["pre stop bob", "post stop bob"], f"alice heard {cluster.heard('alice')}")
    expect(cluster.heard("bob") == ["pre stop bob"], f"bob heard {cluster.heard('bob')}")
    cluster.in_order(("alice", "pre stop bob"), ("bob", "stop"), ("alice", "post stop bob"))
    cluster.in_order(("bob", "pre stop bob"), ("bob", "stop"))
    cluster.mark()
    asked(cluster, "carol", "start", "told")
    cluster.wait_runs("told@bob", "bob")
    expect(cluster.heard("alice") == ["pre start bob", "post start bob"], f"alice heard {cluster.heard('alice')}")
    expect(cluster.heard("bob") == ["post start bob"], f"bob heard {cluster.heard('bob')}")
    cluster.in_order(("alice", "pre start bob"), ("bob", "start"), ("alice", "post start bob"))


def the_role_moves(cluster):
    cluster.mark()
    asked(cluster, "carol", "move", "told", "--to", "bob")
    cluster.wait_runs("told", "bob")
    for name in DATA_NODES:
        expect(cluster.heard(name) == ["pre demote alice", "post demote alice", "pre promote bob", "post promote bob"],
               f"{name} heard {cluster.heard(name)}")
        cluster.in_order((name, "pre demote alice"), ("alice", "demote"), (name, "post demote alice"),
                         (name, "pre promote bob"), ("bob", "promote"), (name, "post promote bob"))
    lists = dict(line.split("=", 1) for line in cluster.hosts["alice"].read(RECORD + ".pre-promote").splitlines())
    wanted = {"active_uname": "alice bob", "unpromoted_uname": "alice bob", "master_uname": " ", "promote_uname": "bob",
              "promote_resource": "told_Recorder:1", "inactive_resource": " ", "start_uname": " ", "all_uname": "alice bob"}
    given = {key: lists.get(f"OCF_RESKEY_CRM_meta_notify_{key}") for key in wanted}
    expect(given == wanted, f"alice's agent was given {given}")


def stateful_hears_too(cluster):
    """Debian's own agent: what it was called with last is in its file."""
    asked(cluster, "carol", "stop", "db@alice")
    lines = cluster.hosts["bob"].read("/run/shop/stateful.env")
    for line in ("OCF_RESKEY_CRM_meta_notify_type=post", "OCF_RESKEY_CRM_meta_notify_operation=stop",
                 "OCF_RESKEY_CRM_meta_notify_stop_uname=alice"):
        expect(line in lines, f"{line} is not in what Stateful was given: {lines}")
    asked(cluster, "carol", "start", "db")


def one_that_hangs_holds_nothing_up_for_ever(cluster):
    began = now_ms()
    cluster.mark()
    cluster.hosts["alice"].write(HANG, "")
    asked(cluster, "carol", "stop", "told@bob", timeout_s=90)
    cluster.hosts["alice"].run(["rm", HANG])
    expect(not cluster.one("told@alice").get("failures"), "a notification counts as a failure")
    expect(told(cluster, "notification-failed", began), "nothing is told of the one that was killed")
    expect(cluster.call("bob", "stop")[1] - cluster.call("alice", "pre stop bob")[1] > 3.5e9, "bob's stop did not wait")
    asked(cluster, "carol", "start", "told", timeout_s=90)
    cluster.wait_runs("told@bob", "bob")


def the_promoted_node_dies(cluster):
    cluster.wait_runs("told", cluster.owner_of("told"))
    if cluster.owner_of("told") != "alice":
        asked(cluster, "carol", "move", "told", "--to", "alice")
    cluster.wait_runs("told", "alice")
    cluster.mark()
    began = now_ms()
    cluster.hosts["alice"].kill()
    cluster.wait_for("bob is promoted", lambda: cluster.hosts["bob"].read("/run/shop/recorder").strip() == "promoted", 20)
    took = now_ms() - began
    cluster.wait_runs("told", "bob")
    wanted = ["post demote alice", "post stop alice", "pre promote bob", "post promote bob"]
    expect(cluster.heard("bob") == wanted, f"bob heard {cluster.heard('bob')}")
    cluster.in_order(("bob", "pre promote bob"), ("bob", "promote"), ("bob", "post promote bob"))
    print(f"alice died: bob was promoted after {took} ms")
    cluster.boot("alice")
    cluster.wait_runs("told@alice", "alice")


if __name__ == "__main__":
    sys.exit(play(arguments("notifications", __doc__).parse_args(), ToldCluster,
                  (both_start, one_copy_stops_and_starts, the_role_moves, stateful_hears_too,
                   one_that_hangs_holds_nothing_up_for_ever, the_promoted_node_dies),
                  "root and pacemaker-resource-agents", os.path.exists(STATEFUL)))
