"""Digits and lines for a training loop beside a plain loader of MNIST's files, and beside what a step of the
reader of lines (CTC) takes in; one process: python -m benchmarks.lines --data-dir mnist
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.utils.data

from digit_generator.evaluation.data import mnist_from_folder
from digit_generator.evaluation.networks.reader import trained_reader
from digit_generator.evaluation.protocol import LINE_READER
from digit_generator.generate import DigitGenerator
from digit_generator.lines import LineSource, Look
from digit_generator.lines.stream import DigitStream, LineStream
from digit_generator.lines.torch_stream import TorchStream

BATCH = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("mnist"), help="MNIST's files")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each row")
    options = parser.parse_args()
    torch.set_num_threads(1)
    train = mnist_from_folder(options.data_dir, "train")
    generator = DigitGenerator.load()
    digits = TorchStream(DigitStream(generator), lambda item: (item["pixels"], item["label"]))
    plain = LineSource(generator, "#" * 10)
    uneven = LineSource(generator, "#" * 10, uneven=True)
    mixed = LineSource(generator, "#" * 10, one_hand=0)
    seen = LineSource(generator, "#" * 10, one_hand=0, look=Look(height=48, blur=0.5, noise=5, rotation=2))
    known = torch.utils.data.TensorDataset(torch.tensor(train.pixels), torch.tensor(train.labels))
    rows: dict[str, Iterable[Any]] = {
        "MNIST's digits from memory, DataLoader": torch.utils.data.DataLoader(known, BATCH, shuffle=True),
        "generated digits, DataLoader": torch.utils.data.DataLoader(digits, BATCH),
        "lines of ten digits, one hand each": (([0], item) for item in LineStream(plain)),
        "the same, left uneven": (([0], item) for item in LineStream(uneven)),
        "lines of ten digits, each digit its own hand": (([0], item) for item in LineStream(mixed)),
        "the same, 48 pixels high, blurred, noisy and turned": (([0], item) for item in LineStream(seen)),
        f"what a reader learns from, {LINE_READER.batch} lines a step": steps(LineStream(mixed, count=64)),
    }
    print("| what | a second |")
    print("|---|---|")
    for name, batches in rows.items():
        print(f"| {name} | {rate(batches, options.seconds):,.0f} |", flush=True)


def steps(stream: LineStream) -> Iterator[tuple[range]]:
    """A step of the reader of lines on these, again and again: the lines in it."""
    lines = [*stream]
    learning = trained_reader([line["pixels"] for line in lines], [line["text"] for line in lines])
    return ((range(LINE_READER.batch),) for _ in learning)


def rate(batches: Iterable[Any], seconds: float) -> float:
    """Items a second of this process's own time, which other programs do not lengthen."""
    running, count = iter(batches), 0
    next(running)
    start = time.process_time()
    while time.process_time() < start + seconds:
        try:
            count += len(next(running)[0])
        except StopIteration:
            running = iter(batches)
    return count / (time.process_time() - start)


if __name__ == "__main__":
    main()
