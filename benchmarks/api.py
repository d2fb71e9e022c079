"""Requests per second of the API beside the same server's health check, with wrk on this machine.

    python -m benchmarks.api            or            make bench-api

Five digits as one PNG: other ones at every request, which are drawn, and the same ones, whose answer is kept.
The health check, which draws nothing, shows what the server itself takes. One server process, one wrk thread,
each round bounded in time. On a busy machine the ratio still says something, the milliseconds do not.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.serving import free_port, running

SECONDS = 8  # of a round
CONNECTIONS = (1, 8, 64)
FIVE = "/api/digits/7.png?count=5&seed="
ADDRESSES = {"five other digits": FIVE, "the same five digits": f"{FIVE}1", "health check": "/api/health"}
# For wrk: a number at the end of the address that no request before had.
OTHERS = """
local number = os.time() % 4000 * 1000000
request = function()
    number = number + 5
    return wrk.format("GET", wrk.path .. number)
end
"""


def main() -> None:
    if not shutil.which("wrk"):
        sys.exit("This needs wrk: apt-get install wrk")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        log, others = Path(folder, "log"), Path(folder, "others.lua")
        others.write_text(OTHERS)
        command = ["-m", "uvicorn", "asgi:app", "--port", str(port), "--no-access-log"]
        with running(command, url, log):
            print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
            print(f"{'':20} {'connections':>11} {'requests/s':>11} {'p50':>9} {'p99':>9} {'not 200':>8}")
            for connections in CONNECTIONS:
                for name, address in ADDRESSES.items():
                    told = measured(url + address, connections, others if address == FIVE else None)
                    print(f"{name:20} {connections:11} {told}", flush=True)


def measured(url: str, connections: int, script: Path | None) -> str:
    """One round: requests per second, the median and the 99th percentile of the time to an answer."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", url]
    command += ["--script", str(script)] if script else []
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS + 30).stdout
    rate = re.search(r"Requests/sec:\s+(\S+)", said)
    half, most = (re.search(rf"^\s+{share}%\s+(\S+)", said, re.MULTILINE) for share in (50, 99))
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    if not (rate and half and most):
        raise SystemExit(f"wrk said something else than expected:\n{said}")
    return f"{float(rate[1]):11.0f} {half[1]:>9} {most[1]:>9} {refused[1] if refused else 0:>8}"


if __name__ == "__main__":
    main()
