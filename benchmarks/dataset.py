"""The time to write 60,000 digits as IDX, beside the time in which PyTorch computes as many.

    python -m benchmarks.dataset            or            make bench

One thread and float32 for PyTorch, one thread for us, run in turn. A run's time is the processor's, which
other people's work on the machine disturbs less than the clock's; `--clock` takes the clock's.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import torch  # noqa: E402

from digit_generator import DigitGenerator, latents_from_seeds  # noqa: E402
from digit_generator.dataset import write_dataset  # noqa: E402
from mnist_gan_training import Generator  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]

COUNT = 60_000
BATCH = 512  # of those from 128 to 2,000 the fastest for PyTorch, or as fast


def main() -> None:
    parser = argparse.ArgumentParser(description="Sets of 60,000 digits beside PyTorch.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clock", action="store_true", help="time by the clock instead of the processor")
    options = parser.parse_args()
    torch.set_num_threads(1)
    ours = DigitGenerator.load()
    network = Generator().eval()
    network.load_state_dict(torch.load(ours.path, weights_only=True))
    network.float()

    with tempfile.TemporaryDirectory() as folder:
        sets = (Path(folder) / str(number) for number in itertools.count())
        raw = ours.variant(raw=True)
        kinds: dict[str, Callable[[], object]] = {
            "ours, written as IDX with manifest": lambda: write_dataset(next(sets), ours, COUNT),
            "ours raw, in the same way": lambda: write_dataset(next(sets), raw, COUNT),
            "PyTorch, the same seeds, to pixels": lambda: torch_pixels(network, seeds=range(COUNT)),
            "PyTorch, z at random, to pixels": lambda: torch_pixels(network),
            "PyTorch, the network alone": lambda: torch_images(network),
        }
        times: dict[str, list[float]] = {kind: [] for kind in kinds}
        watch = time.perf_counter if options.clock else time.process_time
        for number in range(options.rounds + 1):
            for kind, run in kinds.items():
                start = watch()
                run()
                if number:  # the first round warms up
                    times[kind].append(watch() - start)

    first, *others = times
    print(
        f"{COUNT} digits, medians of {options.rounds} runs in turn, seconds of the "
        f"{'clock' if options.clock else 'processor'} (smallest to largest)"
    )
    for kind, seconds in times.items():
        print(f"{kind:45} {statistics.median(seconds):6.2f}  ({min(seconds):.2f} to {max(seconds):.2f})")
    for kind in others:
        ratios = [mine / theirs for mine, theirs in zip(times[first], times[kind], strict=True)]
        print(
            f"ours over {kind:35} {statistics.median(ratios):6.2f}  ({min(ratios):.2f} to {max(ratios):.2f})"
        )


def torch_pixels(network: Generator, seeds: range | None = None) -> None:
    """What somebody does who wants 60,000 pictures of PyTorch: z at random or from seeds, network, greys."""
    labels = torch.arange(COUNT) % 10
    with torch.inference_mode():
        for start in range(0, COUNT, BATCH):
            chunk = labels[start : start + BATCH]
            if seeds is None:
                z = torch.randn(len(chunk), 100)
            else:
                z = torch.from_numpy(latents_from_seeds(seeds[start : start + BATCH])).float()
            images = network(z, chunk)
            ((images[:, 0] + 1) * 127.5).round().to(torch.uint8)


def torch_images(network: Generator) -> None:
    z, labels = torch.randn(COUNT, 100), torch.arange(COUNT) % 10
    with torch.inference_mode():
        for start in range(0, COUNT, BATCH):
            network(z[start : start + BATCH], labels[start : start + BATCH])


if __name__ == "__main__":
    main()
