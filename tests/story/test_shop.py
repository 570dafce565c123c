"""The shop under Debian's own agents on a plain device, without the product: whatever fails here is not its fault.
Prints how long each agent took."""

import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "harness"), HERE]
from bascule_hosts import World, read_orders  # noqa: E402
from bascule_story import shop  # noqa: E402
from bascule_story.cluster import CLIENT_PROGRAM  # noqa: E402
from bascule_story.judge import count_rows  # noqa: E402

import tomllib  # noqa: E402

DIRECTORY = os.path.join(ROOT, "out", f"test-shop-{os.getpid()}")


def steps(device):
    """The steps of cluster.toml as OCF agents with their parameters."""
    service = tomllib.loads(shop.cluster_toml("lamp"))["service"]["shop"]
    found = [("Filesystem", {"device": device, "directory": service["mount"], "fstype": "ext4"}),
             ("IPaddr2", {"ip": service["address"].split("/")[0], "cidr_netmask": service["address"].split("/")[1]})]
    for agent in service["run"]:
        parameters = {key: value for key, value in agent.items() if key not in ("agent", "monitor_interval")}
        found.append((agent["agent"].split(":")[2], parameters))
    return found


def act(host, name, action, parameters, expected=0):
    environment = {"OCF_ROOT": "/usr/lib/ocf", "OCF_RESOURCE_INSTANCE": name, "OCF_RESOURCE_PROVIDER": "heartbeat",
                   "OCF_RESOURCE_TYPE": name, "OCF_RESKEY_CRM_meta_timeout": "60000",
                   **{f"OCF_RESKEY_{key}": value for key, value in parameters.items()}}
    start = time.monotonic()
    done = host.run([f"/usr/lib/ocf/resource.d/heartbeat/{name}", action], env=environment, check=False)
    print(f"{name:<12} {action:<8} {1000 * (time.monotonic() - start):6.0f} ms")
    assert done.code == expected, f"{name} {action}: {done.code} {done.err}"


def main():
    assert len(shop.cluster_toml("lamp").splitlines()) <= 30
    with World(DIRECTORY) as world:
        base = os.path.join(DIRECTORY, "alice")
        alice = world.add("alice", "10.77.0.1", [(f"{base}/etc", "/etc/bascule"), (f"{base}/srv", "/srv")])
        client = world.add("client", "10.77.0.100", [(os.path.join(DIRECTORY, "client"), "/client")])
        shop.configure(alice, "lamp")
        shop.runtime_directories(alice)
        image = os.path.join(base, "image")
        with open(image, "wb") as file:
            file.truncate(512 << 20)
        device = alice.run(["losetup", "-f", "--show", "--direct-io=on", image]).out.strip()
        shop.fill(alice, device)
        for name, parameters in steps(device):
            act(alice, name, "monitor", parameters, expected=7)
        for name, parameters in steps(device):
            act(alice, name, "start", parameters)
        for name, parameters in steps(device):
            act(alice, name, "monitor", parameters)
        load = client.start(["/usr/bin/python3", "-B", CLIENT_PROGRAM, "orders", shop.ORDER_URL,
                             "/client/answers.jsonl"])
        answers = os.path.join(DIRECTORY, "client", "answers.jsonl")
        end = time.monotonic() + 30
        while len(read_orders(answers).acknowledged) < 200 and time.monotonic() < end:
            time.sleep(0.05)
        client.run(["kill", str(load.pid)])
        load.wait(10)
        acknowledged, _, lost, twice = count_rows(read_orders(answers), shop.rows(alice))
        assert acknowledged >= 200 and lost == 0 and twice == 0, (acknowledged, lost, twice)
        assert shop.check_database(alice) == []
        for name, parameters in reversed(steps(device)):
            act(alice, name, "stop", parameters)
        alice.run(["e2fsck", "-fn", device])
    left = world.footprint.leftovers()
    subprocess.run(["rm", "-rf", DIRECTORY], check=True)
    assert not left, left
    print("ok")


if __name__ == "__main__":
    if os.geteuid() != 0 or not shop.has_php():
        print("needs root and Debian's Apache, PHP and MariaDB: skipped")
        sys.exit(77)
    main()
