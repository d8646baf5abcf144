r"""Load on the service: requests per second, 95th percentile of the time, memory, and its limit.

python benchmarks/serve.py --seconds 60 --out runs/serve.json

Starts ``sleepjax serve`` with the shipped weights, and clients that upload a simulated recording of
seven days (csv) again and again, each as soon as it has its answer. The last line has more clients
than the service takes: it must refuse (503) and stay alive.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import httpx2
import numpy as np

import sleepjax
from sleepjax.serve.limits import Limits

ROOT = Path(__file__).resolve().parent.parent


def client(url: str, data: bytes, stop: float, times: list[float], codes: Counter) -> None:
    """Upload until the time has come; a refused client waits a little, as it is told to."""
    with httpx2.Client(timeout=300) as http:
        while time.monotonic() < stop:
            begin = time.monotonic()
            try:
                status = http.post(
                    f"{url}/v1/recordings", files={"file": ("a.csv", data)}
                ).status_code
            except httpx2.TransportError:  # refused while it was sending
                status = 0
            codes[status] += 1
            if status == 200:
                times.append(time.monotonic() - begin)
            else:
                time.sleep(0.2)


def memory(url: str) -> float:
    """Resident memory of the service in MB."""
    text = httpx2.get(f"{url}/metrics", timeout=60).text
    line = next(x for x in text.splitlines() if x.startswith("process_resident_memory_bytes "))
    return float(line.split()[1]) / 1e6


def load_of(url: str, data: bytes, clients: int, seconds: float) -> dict[str, float | int | str]:
    """A row of the table."""
    times: list[float] = []
    codes: Counter = Counter()
    before, stop = memory(url), time.monotonic() + seconds
    arguments = (url, data, stop, times, codes)
    threads = [threading.Thread(target=client, args=arguments) for _ in range(clients)]
    for thread in threads:
        thread.start()
    middle = before
    while any(thread.is_alive() for thread in threads):
        time.sleep(min(1.0, seconds / 4))
        middle = memory(url) if time.monotonic() < stop - seconds / 2 else middle
    return {
        "clients": clients,
        "answered": len(times),
        "per_second": round(len(times) / seconds, 2),
        "p50_s": round(float(np.median(times)), 2) if times else 0.0,
        "p95_s": round(float(np.quantile(times, 0.95)), 2) if times else 0.0,
        "status": json.dumps(dict(sorted(codes.items()))),
        "memory_MB": f"{before:.0f}, {middle:.0f}, {memory(url):.0f}",
        "alive": httpx2.get(f"{url}/ready", timeout=60).status_code == 200,
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    data = sleepjax.simulate(series=1, days=7, seed=0)[0].write_csv().encode()
    limits = Limits()
    full = limits.at_once + limits.waiting
    command = [sys.executable, str(ROOT / "scripts" / "serve.py"), "--port", "0"]
    service = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert service.stdout is not None
        url, table = service.stdout.readline().strip(), []
        while True:
            try:
                if httpx2.get(f"{url}/ready").status_code == 200:
                    break
            except httpx2.TransportError:
                assert service.poll() is None, "the service did not start"
            time.sleep(0.2)
        for clients in (1, 4, full, 3 * full):
            row = load_of(url, data, clients, args.seconds)
            print(json.dumps(row), flush=True)
            table.append(row)
    finally:
        service.terminate()
        service.wait()
    args.out.write_text(json.dumps(table, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
