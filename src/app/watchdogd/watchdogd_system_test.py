"""The address lease on a real kernel: two network namespaces, a real bascule-watchdogd, probes from outside.

A probe runs in the client's namespace and prints the CLOCK_BOOTTIME of each answer; all moments are of one kernel.
Exit 77: this machine cannot do it (no root, no namespaces, no nftables).
"""

import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

SERVICE, SERVICE6 = "10.199.0.10", "fd99::10"
LEASE_NS, SLACK_NS = 450_000_000, 20_000_000
CONFIG = f"""
[cluster]
name = "t"
hold_grace_ms = 200
stop_deadline_ms = 200
watchdog_deadline_ms = 1000
[node.alice]
address = "10.199.0.1"
[node.bob]
address = "10.199.0.2"
[node.carol]
address = "10.199.0.3"
role = "witness"
[service.shop]
address = [ "{SERVICE}/24", "{SERVICE6}/64" ]
"""


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


# --- probes, run in the client's namespace: each prints one moment per answer until its time is over


def probe_arp(device, until_ns):
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
    raw.bind((device, 0))
    mine = raw.getsockname()[4]
    ask = b"\xff" * 6 + mine + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1)
    ask += mine + socket.inet_aton("10.199.0.2") + b"\0" * 6 + socket.inet_aton(SERVICE)
    while now_ns() < until_ns:
        raw.send(ask)
        if select.select([raw], [], [], 0.002)[0]:
            answer = raw.recv(100)
            if answer[20:22] == b"\0\2" and answer[28:32] == socket.inet_aton(SERVICE):
                print(now_ns(), flush=True)


def probe_tcp(_device, until_ns):
    while now_ns() < until_ns:
        with socket.socket() as one:
            one.setblocking(False)
            asked = now_ns()
            one.connect_ex((SERVICE, 8081))
            if select.select([], [one], [], 0.02)[1] and one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                print(asked, flush=True)


def probe_stream(_device, until_ns):
    """One established connection that the server writes to every 2 ms."""
    with socket.create_connection((SERVICE, 8080)) as one:
        one.setblocking(False)
        while now_ns() < until_ns:
            if select.select([one], [], [], 0.01)[0] and one.recv(4096):
                print(now_ns(), flush=True)


def probe_garp(device, until_ns):
    """Every ARP packet that names the service's address as its sender."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
    raw.bind((device, 0))
    while now_ns() < until_ns:
        if select.select([raw], [], [], 0.01)[0] and raw.recv(100)[28:32] == socket.inet_aton(SERVICE):
            print(now_ns(), flush=True)


def probe_sent(device, until_ns):
    """Every packet that comes from one of the service's addresses."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    raw.bind((device, 0))
    four, six = socket.inet_aton(SERVICE), socket.inet_pton(socket.AF_INET6, SERVICE6)
    while now_ns() < until_ns:
        if not select.select([raw], [], [], 0.01)[0]:
            continue
        frame = raw.recv(100)
        if {b"\x08\x00": frame[26:30] == four, b"\x86\xdd": frame[22:38] == six}.get(frame[12:14], False):
            print(now_ns(), flush=True)


def probe_nd(device, until_ns):
    """Neighbour solicitations for the service's IPv6 address (RFC 4861, 4.3); prints each advertisement."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x86DD))
    raw.bind((device, 0))
    mine, target = raw.getsockname()[4], socket.inet_pton(socket.AF_INET6, SERVICE6)
    ends = socket.inet_pton(socket.AF_INET6, "fd99::2") + socket.inet_pton(socket.AF_INET6, "ff02::1:ff00:10")
    body = struct.pack("!BBHI", 135, 0, 0, 0) + target + b"\1\1" + mine
    total = sum(struct.unpack(f"!{(len(ends) + len(body)) // 2}H", ends + body)) + len(body) + 58
    total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    body = body[:2] + struct.pack("!H", total) + body[4:]
    ask = b"\x33\x33\xff\0\0\x10" + mine + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + ends + body
    while now_ns() < until_ns:
        raw.send(ask)
        if select.select([raw], [], [], 0.002)[0]:
            answer = raw.recv(200)
            if answer[20] == 58 and answer[54] == 136 and answer[62:78] == target:
                print(now_ns(), flush=True)


def probe_echo(family, protocol, ask_type, answer_type, target):
    """One echo request after another, each waited for up to a second: a lost packet is a long silence."""
    raw = socket.socket(family, socket.SOCK_RAW, protocol)
    raw.connect((target, 0))
    head = 20 if family == socket.AF_INET else 0
    number = 0
    while True:
        number = (number + 1) % 65536
        body = struct.pack("!BBHHH", ask_type, 0, 0, os.getpid() % 65536, number)
        total = sum(struct.unpack("!4H", body))
        total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        raw.send(body[:2] + struct.pack("!H", total) + body[4:])
        while select.select([raw], [], [], 1)[0]:
            answer = raw.recv(200)[head:]
            if answer[0] == answer_type and answer[4:8] == body[4:8]:
                yield now_ns()
                break
        time.sleep(0.001)


def probe_ping(_device, until_ns):
    for moment in probe_echo(socket.AF_INET, socket.IPPROTO_ICMP, 8, 0, SERVICE):
        print(moment, flush=True)
        if moment > until_ns:
            return


def probe_ping6(_device, until_ns):
    for moment in probe_echo(socket.AF_INET6, socket.IPPROTO_ICMPV6, 128, 129, SERVICE6):
        print(moment, flush=True)
        if moment > until_ns:
            return


PROBES = {"arp": probe_arp, "ping": probe_ping, "ping6": probe_ping6, "tcp": probe_tcp, "stream": probe_stream, "garp": probe_garp, "nd": probe_nd,
          "sent": probe_sent}


def listen_on(port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen(1000)
    listener.setblocking(False)
    return listener


def serve():
    """In alice's namespace: port 8080 writes to each connection every 2 ms, port 8081 accepts and closes."""
    stream, brief = listen_on(8080), listen_on(8081)
    print("ready", flush=True)
    streams = []
    while True:
        select.select([stream, brief], [], [], 0.002)
        for _ in range(20):
            if select.select([brief], [], [], 0)[0]:
                brief.accept()[0].close()
        while select.select([stream], [], [], 0)[0]:
            streams.append(stream.accept()[0])
            streams[-1].setblocking(False)
        for one in streams[:]:
            try:
                one.send(b"x")
            except BlockingIOError:
                pass
            except OSError:
                streams.remove(one)


# --- the two hosts


def sh(command):
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr.strip()}")
    return done.stdout


class Hosts:
    def __init__(self):
        self.alice, self.client = f"bwd{os.getpid()}a", f"bwd{os.getpid()}c"
        self.children = []

    def __enter__(self):
        a, c = self.alice, self.client
        try:
            sh(f"ip netns add {a} && ip netns add {c}")
            sh(f"ip -n {a} link add eth0 type veth peer name eth0 netns {c}")
            sh(f"ip netns exec {a} nft list tables")
        except RuntimeError as reason:
            self.__exit__()
            print(f"skipped: {reason}")
            sys.exit(77)
        for host, last in ((a, 1), (c, 2)):
            sh(f"ip -n {host} addr add 10.199.0.{last}/24 dev eth0 && ip -n {host} addr add fd99::{last}/64 dev eth0 nodad")
            sh(f"ip -n {host} link set lo up && ip -n {host} link set eth0 up")
        sh(f"ip -n {a} addr add {SERVICE}/24 dev eth0 && ip -n {a} addr add {SERVICE6}/64 dev eth0 nodad")
        routes = f"ip -n {c} -6 route show table all"
        wait_for(lambda: "ff00::/8" in sh(routes), "IPv6 on the client's link")
        return self

    def __exit__(self, *_):
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()
        for host in (self.alice, self.client):
            subprocess.run(["ip", "netns", "del", host], capture_output=True)

    def run(self, host, *command, **options):
        child = subprocess.Popen(["ip", "netns", "exec", host, *command], text=True, **options)
        self.children.append(child)
        return child

    def probe(self, name, until_ns):
        out = tempfile.TemporaryFile("w+")  # a pipe would fill and hold the probe up
        child = self.run(self.client, sys.executable, __file__, "--probe", name, str(until_ns), stdout=out)
        child.answers = out
        return child


def answers(probe):
    if probe.wait(timeout=60):
        raise RuntimeError("a probe failed")
    probe.answers.seek(0)
    return [int(line) for line in probe.answers]


def check_no_gap(name, moments, least):
    gap_ns = max((b - a for a, b in zip(moments, moments[1:])), default=1 << 62)
    check(len(moments) >= least and gap_ns < 150_000_000,
          f"{name}: {len(moments)} answers, longest silence {gap_ns / 1e6:.1f} ms")


class Manager:
    """Plays bascule-managerd: grants every 50 ms until told otherwise. LeaseUpdate: see lease_page.h."""

    def __init__(self, run_dir):
        self.path, self.socket, self.end, self.granting = run_dir + "/watchdog.sock", None, 0, threading.Event()
        self.lock = threading.Lock()
        threading.Thread(target=self._grant_forever, daemon=True).start()

    def send(self, data):
        if self.socket is None:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.socket.connect(self.path)
        self.socket.send(data)

    def update(self, kind, end=0, epoch=1):
        self.send(struct.pack("=QII56sQq", 0x6261736C65617365, kind, 0, b"service:shop", epoch, end))

    def _grant_forever(self):
        while self.granting.wait():
            with self.lock:
                if self.granting.is_set():
                    self.end = now_ns() + LEASE_NS
                    self.update(1, self.end)
            time.sleep(0.05)

    def start(self):
        self.granting.set()

    def stop(self):
        with self.lock:
            self.granting.clear()
        return self.end

    def release(self):
        with self.lock:
            self.granting.clear()
            self.update(2)
        return now_ns()


failures = []


def check(holds, text):
    print(("ok   " if holds else "FAIL ") + text, flush=True)
    if not holds:
        failures.append(text)


def check_stop(name, times, limit_ns, what):
    last = max(times, default=0)
    check(bool(times) and last <= limit_ns + SLACK_NS,
          f"{name}: the last of {len(times)} answers came {(last - limit_ns) / 1e6:.1f} ms after {what}")


def wait_for(condition, text, seconds=5):
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            raise RuntimeError(f"waited {seconds} s for {text}")
        time.sleep(0.01)


def lasting_s(seconds):
    return now_ns() + int(seconds * 1e9)


def start_watchdogd(hosts, program, directory):
    child = hosts.run(hosts.alice, program, "--config", directory + "/cluster.toml", "--node", "alice", "--run-dir",
                      directory, "--watchdog", directory + "/dog", stderr=open(directory + "/log", "a"))
    wait_for(lambda: os.path.exists(directory + "/watchdog.sock"), "watchdog.sock")
    return child


def story_closed_then_open(hosts, manager):
    probes = {name: hosts.probe(name, lasting_s(1)) for name in ("arp", "tcp", "nd")}
    for name, probe in probes.items():
        check(answers(probe) == [], f"{name}: no answer before the first lease")
    manager.start()
    time.sleep(0.2)


def story_no_gap(hosts):
    """Five seconds of refreshes: nothing may be lost. A lost packet would be a silence of 200 ms or a second."""
    probes = {name: hosts.probe(name, lasting_s(5)) for name in ("stream", "ping", "ping6", "tcp")}
    for name, probe in probes.items():
        check_no_gap(name, answers(probe), 500)


def story_frozen(hosts, manager, watchdogd):
    """Every process of ours stops; the kernel alone must fall silent, and stay so after the thaw."""
    probes = {name: hosts.probe(name, lasting_s(2.5)) for name in ("arp", "tcp", "stream", "nd")}
    time.sleep(1)
    watchdogd.send_signal(signal.SIGSTOP)
    frozen_at, end = now_ns(), manager.stop()
    for name, probe in probes.items():
        times = answers(probe)
        check_stop(name, times, end, "the end of the lease")
        check(max(times, default=0) > frozen_at, f"{name}: answered while the lease lasted")
    probes = {name: hosts.probe(name, lasting_s(1.2)) for name in ("arp", "garp")}
    time.sleep(0.4)
    watchdogd.send_signal(signal.SIGCONT)
    hosts.run(hosts.alice, "arping", "-q", "-U", "-c", "2", "-w", "1", "-I", "eth0", "-s", SERVICE, SERVICE,
              stdout=subprocess.DEVNULL)
    for name, probe in probes.items():
        check(answers(probe) == [], f"{name}: silent after the thaw")


def story_release(hosts, manager):
    manager.start()
    time.sleep(0.1)
    probes = {name: hosts.probe(name, lasting_s(1.5)) for name in ("arp", "tcp", "nd")}
    time.sleep(0.8)
    released_at = manager.release()
    for name, probe in probes.items():
        check_stop(name, answers(probe), released_at, "the release")


SEND_ONE = f"""
import socket
for family, source, to in (socket.AF_INET, "{SERVICE}", "10.199.0.2"), (socket.AF_INET6, "{SERVICE6}", "fd99::2"):
    one = socket.socket(family, socket.SOCK_DGRAM)
    one.bind((source, 0))
    one.sendto(b"x", (to, 9))
"""
DEAF = "add table netdev deaf; add chain netdev deaf in { type filter hook ingress device eth0 priority -400; }; "
DEAF += "add rule netdev deaf in arp operation request drop; add rule netdev deaf in icmpv6 type nd-neighbor-solicit drop"


def waiting_packets(hosts, manager, at_the_end):
    """Packets of the time of the lease wait for their neighbour, which then hears them again; what it got of them."""
    manager.start()
    time.sleep(0.1)
    sh(f"ip netns exec {hosts.client} nft '{DEAF}'")
    sh(f"ip -n {hosts.alice} neigh flush dev eth0")
    sh(f"ip netns exec {hosts.alice} {sys.executable} -c '{SEND_ONE}'")
    probe = hosts.probe("sent", lasting_s(1.5))
    wait_for(lambda: sh(f"ip netns exec {hosts.client} cat /proc/net/packet").count("\n") > 1, "the probe to listen")
    at_the_end()
    sh(f"ip netns exec {hosts.client} nft delete table netdev deaf && ip -n {hosts.client} neigh flush dev eth0")
    for address in "10.199.0.1", "fd99::1":  # alice learns from the questions where the client is
        sh(f"ip netns exec {hosts.client} ping -c 1 -w 2 {address}")
    return answers(probe)


def story_waiting(hosts, manager):
    check(len(waiting_packets(hosts, manager, lambda: None)) >= 2, "waiting: under the lease they leave")
    manager.stop()

    def lease_is_over():
        time.sleep((manager.stop() - now_ns()) / 1e9 + 0.1)

    check(waiting_packets(hosts, manager, lease_is_over) == [], "waiting: nothing that had waited left after the lease")


def story_restart(hosts, manager, watchdogd, program, directory):
    """Killed and started again under a lease: the page is read on, the address stays open."""
    manager.start()
    time.sleep(0.3)
    inode = os.stat(directory + "/lease").st_ino
    ping = hosts.probe("ping", lasting_s(1.5))
    time.sleep(0.5)
    manager.stop()
    manager.socket = None
    os.unlink(directory + "/watchdog.sock")
    watchdogd.kill()
    watchdogd.wait()
    watchdogd = start_watchdogd(hosts, program, directory)
    manager.start()
    check_no_gap("ping over a restart", answers(ping), 200)
    check(os.stat(directory + "/lease").st_ino == inode, "restart: the page is the same file")
    return watchdogd


def story_mend(hosts, manager):
    sh(f"ip netns exec {hosts.alice} nft flush ruleset")
    wait_for(lambda: "bascule_lease" in sh(f"ip netns exec {hosts.alice} nft list tables"), "the tables to come back")
    end = manager.stop()
    probe = hosts.probe("arp", lasting_s(1.2))
    check_stop("arp", answers(probe), end, "the end of the lease, after somebody flushed the rules")


def story_petting(manager, dog):
    os.set_blocking(dog, False)
    try:
        while os.read(dog, 4096):
            pass
    except BlockingIOError:
        pass
    end = manager.end
    time.sleep(max(0, (end + 1_300_000_000 - now_ns()) / 1e9))  # the deadline of one second is over
    try:
        os.read(dog, 4096)
    except BlockingIOError:
        pass
    check(not select.select([dog], [], [], 0.7)[0], "watchdog: not petted after the deadline of a lease not released")
    manager.release()
    check(bool(select.select([dog], [], [], 5)[0]), "watchdog: petted again after the release")


def story_garbage(hosts, manager):
    for rubbish in (b"x", b"\0" * 88, os.urandom(88), os.urandom(5000)):
        manager.send(rubbish)
    manager.update(1, now_ns() + 3600 * 10**9, epoch=9)
    probe = hosts.probe("arp", lasting_s(1))
    check(answers(probe) == [], "garbage: opens nothing")
    manager.start()
    time.sleep(0.2)
    check(bool(answers(hosts.probe("arp", lasting_s(1)))), "garbage: grants still work")
    manager.release()


def story_end(hosts, watchdogd, dog):
    watchdogd.terminate()
    check(watchdogd.wait(timeout=10) == 0, "end: exit code 0")
    check("bascule_lease" not in sh(f"ip netns exec {hosts.alice} nft list tables"), "end: the tables are gone")
    check(os.read(dog, 65536).endswith(b"V"), "end: magic close")


def main(program):
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nft"):
        print("skipped: needs root, ip and nft")
        sys.exit(77)
    directory = tempfile.mkdtemp(prefix="bascule-wd-")
    try:
        with open(directory + "/cluster.toml", "w") as file:
            file.write(CONFIG)
        os.mkfifo(directory + "/dog")
        dog = os.open(directory + "/dog", os.O_RDONLY | os.O_NONBLOCK)
        with Hosts() as hosts:
            server = hosts.run(hosts.alice, sys.executable, __file__, "--serve", stdout=subprocess.PIPE)
            server.stdout.readline()
            watchdogd = start_watchdogd(hosts, program, directory)
            manager = Manager(directory)
            story_closed_then_open(hosts, manager)
            story_no_gap(hosts)
            story_frozen(hosts, manager, watchdogd)
            story_release(hosts, manager)
            story_waiting(hosts, manager)
            watchdogd = story_restart(hosts, manager, watchdogd, program, directory)
            story_mend(hosts, manager)
            story_petting(manager, dog)
            story_garbage(hosts, manager)
            story_end(hosts, watchdogd, dog)
        print(open(directory + "/log").read(), end="")
    finally:
        shutil.rmtree(directory)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    if sys.argv[1] == "--probe":
        PROBES[sys.argv[2]]("eth0", int(sys.argv[3]))
    elif sys.argv[1] == "--serve":
        serve()
    else:
        main(sys.argv[1])
