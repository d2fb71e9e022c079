"""Compare the speed of a training step of the recipe `best` with a plain loop: python benchmarks/training.py

The plain loop is the textbook form. It uses float32, generates a batch for each of the two updates, passes
real and generated images through the discriminators one after the other, uses an Adam that is not fused, and
reads the losses at every step. The two take turns of a few steps; the medians over the turns are compared.
The images are random, because the time of a step does not depend on what they show.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mnist_gan_training import (
    RECIPES,
    Trainer,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    has_bfloat16,
)

STEPS_PER_TURN = 8  # two of them with the gradient penalty
CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the speed of a training step with a plain loop.")
    parser.add_argument("--turns", type=int, default=9, help="number of turns of each (default: 9)")
    turns = parser.parse_args().turns

    settings = RECIPES["best"]
    images = torch.rand(settings.batch_size, 1, 28, 28) * 2 - 1
    labels = torch.arange(settings.batch_size) % 10
    print(
        f"{torch.get_num_threads()} threads, bfloat16 {'yes' if has_bfloat16(CPU) else 'no'}, {turns} turns"
    )
    own, plain = (
        Trainer(dataclasses.replace(settings, bfloat16=bfloat16), seed=0, device=CPU, steps=100_000)
        for bfloat16 in (True, False)
    )
    for optimizer in (plain.generator_optimizer, plain.discriminator_optimizer):
        for group in optimizer.param_groups:
            group.update(fused=False, foreach=False)
    own_rates, plain_rates = [], []
    for _ in tqdm(range(turns), leave=False):
        own_rates.append(images_per_second(lambda: own.step(images, labels), settings.batch_size))
        plain_rates.append(images_per_second(lambda: plain_step(plain, images, labels), settings.batch_size))
    own_rate, plain_rate = statistics.median(own_rates), statistics.median(plain_rates)
    print(
        f"{own_rate:,.0f} images/s, plain loop {plain_rate:,.0f}: {own_rate / plain_rate:.2f} times as fast"
    )


def images_per_second(step: Callable[[], object], batch_size: int) -> float:
    started = time.perf_counter()
    for _ in range(STEPS_PER_TURN):
        step()
    return STEPS_PER_TURN * batch_size / (time.perf_counter() - started)


def plain_step(trainer: Trainer, real_images: torch.Tensor, labels: torch.Tensor) -> None:
    """Do what Trainer.step does, without its optimisations."""
    settings = trainer.settings
    penalised = trainer.step_number % settings.penalty_every == 0

    # Update the discriminators.
    with torch.no_grad():
        fake_images = trainer.generator(torch.randn(len(labels), 100), labels)
    loss_d = torch.zeros(())
    for discriminator in trainer.discriminators:
        logits, penalty = [], torch.zeros(())
        for images in (real_images, fake_images):
            images = images.detach().requires_grad_(penalised)
            logits.append(discriminator(images, labels))
            if penalised:
                penalty = penalty + gradient_penalty(logits[-1], images) / 2
        loss_d = loss_d + discriminator_loss(*logits) + settings.penalty_every * settings.penalty * penalty
    trainer.discriminator_optimizer.zero_grad()
    loss_d.backward()
    trainer.discriminator_optimizer.step()

    # Update the generator.
    fake_images = trainer.generator(torch.randn(len(labels), 100), labels)
    loss_g = torch.zeros(())
    for discriminator in trainer.discriminators:
        loss_g = loss_g + generator_loss(discriminator(fake_images, labels))
    trainer.generator_optimizer.zero_grad()
    loss_g.backward()
    trainer.generator_optimizer.step()
    trainer.average.update_parameters(trainer.generator)
    trainer.step_number += 1
    loss_d.item(), loss_g.item()


if __name__ == "__main__":
    main()
