"""How fast sets are made by 1 and 2 workers of Ray, and from that what a billion images take.

    python -m benchmarks.at_scale              prints the tables of docs/at-scale.md
    python -m benchmarks.at_scale --publish    and puts them there

One process and one and two workers take turns; Ray is started before, and its workers are warm. They are
compared by the clock; the plan goes by the processor's time of one process, which other people's work on the
machine disturbs less.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray  # noqa: E402

from digit_generator import DigitGenerator  # noqa: E402
from digit_generator.dataset import write_dataset  # noqa: E402
from digit_generator.dataset.plan import plan  # noqa: E402
from digit_generator.dataset.shards import SHARD_SIZE, write_shards  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]

PAGE = ROOT / "docs" / "at-scale.md"
MARKS = ("<!-- measured:begin -->\n", "<!-- measured:end -->\n")
COUNT, SHARD = 20_000, 2_500
PLANNED = 10_000_000  # labels drawn to time the plan
MACHINES = ((1, 2), (1, 16), (10, 16))  # machines, cores of each


def main() -> None:
    parser = argparse.ArgumentParser(description="Sets by Ray, and the plan of a large one.")
    parser.add_argument("--count", type=int, default=10**9, help="images of the set to plan")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--publish", action="store_true", help="put the tables into docs/at-scale.md")
    options = parser.parse_args()
    generator = DigitGenerator.load()
    times: dict[str, list[float]] = {"one process": [], "Ray, 1 worker": [], "Ray, 2 workers": []}
    processor: list[float] = []  # seconds of one process
    loads = [os.getloadavg()[0]]
    ray.init(
        "local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=200 * 2**20
    )
    try:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(options.rounds + 1):
                for workers, kind in enumerate(times):
                    out = Path(folder) / f"{number}-{workers}"
                    seconds, own, manifest = timed(lambda w=workers, o=out: written(generator, o, w))
                    if number:  # the first round warms up
                        times[kind].append(seconds)
                        processor += [] if workers else [own]
                loads.append(os.getloadavg()[0])
    finally:
        ray.shutdown()
    size = sum(file["bytes"] for file in manifest["files"].values()) / COUNT
    _, planning, _ = timed(lambda: plan(PLANNED))
    rates = [COUNT / seconds for seconds in processor]
    text = tables(times, rates, size, planning / PLANNED, loads, options.count, generator.digest)
    print(text)
    if options.publish:
        before, rest = PAGE.read_text(encoding="utf-8").split(MARKS[0])
        _, after = rest.split(MARKS[1])
        PAGE.write_text(before + MARKS[0] + text + MARKS[1] + after, encoding="utf-8")


def written(generator: DigitGenerator, out: Path, workers: int) -> dict[str, Any]:
    """The set by so many workers, or, at 0, by this process alone."""
    if workers:
        return write_shards(out, generator, COUNT, shard_size=SHARD, workers=workers)
    return write_dataset(out, generator, COUNT, format="parquet")


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds of the clock, seconds of this process on the processor, and the result."""
    start, own = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - start, time.process_time() - own, result


def tables(
    times: dict[str, list[float]],
    rates: list[float],
    size: float,
    planning: float,
    loads: list[float],
    count: int,
    digest: str,
) -> str:
    """Markdown. rates: images in a second of the processor; size: bytes of an image; planning: seconds for
    an image's label."""
    runs = len(times["one process"])
    lines = [
        f"{COUNT:,} images in files of {SHARD:,}, medians of {runs} runs in turn (smallest to"
        f" largest), by the clock, on a machine with {os.cpu_count()} cores that others used too (load"
        f" {min(loads):.1f} to {max(loads):.1f}, of which the benchmark is up to 2); weights {digest[:8]}.",
        "",
        "| made by | images per second | over one process, in the same round |",
        "| --- | --- | --- |",
    ]
    for kind, seconds in times.items():
        ratios = [one / mine for one, mine in zip(times["one process"], seconds, strict=True)]
        lines.append(
            f"| {kind} | {COUNT / statistics.median(seconds):,.0f}"
            f" ({COUNT / max(seconds):,.0f} to {COUNT / min(seconds):,.0f})"
            f" | {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |"
        )
    gains = [one / two for one, two in zip(times["Ray, 1 worker"], times["Ray, 2 workers"], strict=True)]
    rate = statistics.median(rates)
    lines += [
        "",
        f"Two workers over one: {statistics.median(gains):.2f} times ({min(gains):.2f} to {max(gains):.2f}).",
        "",
        f"{count:,} images, from these figures: {size:.0f} bytes an image, {rate:,.0f} images in a second"
        f" of the processor ({min(rates):,.0f} to {max(rates):,.0f}), one process, drawing and writing.",
        "",
        "| what | how much |",
        "| --- | --- |",
        f"| storage | {count * size / 1e9:,.0f} GB in {-(-count // SHARD_SIZE):,} files"
        f" of {size * SHARD_SIZE / 1e6:.0f} MB |",
        f"| work | {count / rate / 3600:,.0f} core-hours |",
    ]
    for machines, cores in MACHINES:
        hours = count / rate / machines / cores / 3600
        written = size * rate * machines * cores / 1e6
        name = f"{machines} machine{'s' if machines > 1 else ''} of {cores} cores"
        lines.append(f"| on {name} | {hours:,.1f} hours, writing {written:,.0f} MB/s |")
    lines += [
        f"| labels in memory | {count / 1e9:.1f} GB of each machine, shared by its workers; as much again"
        " where the command runs |",
        f"| before the first image | {count * planning / 60:.1f} minutes to shuffle the labels, or rather"
        f" more (timed on {PLANNED:,}, which lie nearer to the processor) |",
        f"| seeds | {100 * count / 2**32:.1f} % of the 2^32 |",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
