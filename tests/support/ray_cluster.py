"""A Ray cluster of two nodes on this machine that runs ``process`` and loses a worker meanwhile.

python tests/support/ray_cluster.py INPUTS OUT; prints the exit code and how many workers it killed.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}


def workers() -> list[int]:
    """Process ids of Ray's workers that process an input now."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::isolated"):
                found.append(int(path.parent.name))
        except OSError:
            continue  # it has ended
    return found


def kill_one(out: Path, killed: list[int]) -> None:
    """Kill a worker once there is a first result."""
    while not list(out.glob("results/??/*/result.json")):
        time.sleep(0.02)
    while not killed:
        for pid in workers()[:1]:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
        time.sleep(0.02)


def main() -> None:
    """See the module."""
    from ray.cluster_utils import Cluster

    from sleepjax.commands import process

    inputs, out = sys.argv[1:]
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    os.environ["RAY_ADDRESS"] = str(cluster.address)
    killed: list[int] = []
    threading.Thread(target=kill_one, args=(Path(out), killed), daemon=True).start()
    code = process.main([inputs, "--out", out, "--no_reports", "--engine", "ray"])
    cluster.shutdown()
    print(f"exit code {code}, killed {len(killed)}")


if __name__ == "__main__":
    main()
