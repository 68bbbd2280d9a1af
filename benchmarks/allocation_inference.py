"""Inference time of allocation rules for 4,096 games, absolute and relative to proportional fairness.

    OMP_NUM_THREADS=1 python benchmarks/allocation_inference.py

Milliseconds of processor time on one core for one batch, medians over repetitions for two seconds or more, three at
least, after a warm-up, all on the same reports in one run. Networks have random weights. Proportional fairness is
solved to a gap of 1e-9; partial allocation solves n more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from lawgiver.agents.exs_net import LearnedExSNet
from lawgiver.agents.rpf_net import LearnedRPFNet
from lawgiver.envs.payment_free_allocation import PaymentFreeAllocation
from lawgiver.envs.payment_free_allocation.sharing import water_filling
from lawgiver.envs.solvers.fair_division.partial_allocation import partial_allocation
from lawgiver.envs.solvers.fair_division.proportional_fairness import solve
from lawgiver.trainers.cli.throughput import machine, processor_seconds

GAMES = 4_096
SIZES = ((5, 3), (10, 3))
SECONDS = 2.0
STRENGTH = 0.1
"""Standard deviation of what is added to every weight of a network."""


def shake(network: nn.Module) -> None:
    """Change all weights at random: as they begin, all scores and charges are the same."""
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(torch.randn(weights.shape, generator=rng), alpha=STRENGTH)


def main() -> None:
    """Measure and compare."""
    print(machine())
    for n, m in SIZES:
        game = PaymentFreeAllocation(n=n, m=m)
        values, demands = game.split(game.initial_state(GAMES, np.random.default_rng(0)).types)
        known = (game.supplies, game.weighting)
        rules: dict[str, Callable[[], Any]] = {
            "proportional fairness": partial(solve, values, demands, *known),
            "partial allocation": partial(partial_allocation, values, demands, *known),
            "water filling": partial(water_filling, demands, *known),
        }
        for architecture in ("plain", "equivariant"):
            networks: dict[str, LearnedExSNet | LearnedRPFNet] = {
                "ExS-Net": LearnedExSNet(game, architecture=architecture),
                "RPF-Net": LearnedRPFNet(game, architecture=architecture),
            }
            for name, network in networks.items():
                shake(network.network)
                rules[f"{name}, {architecture}"] = partial(network.allocate, values, demands)
        took = {name: 1_000 * processor_seconds(run, SECONDS) for name, run in rules.items()}
        print(f"\n{n} participants, {m} resources, {GAMES:,} games\n\n| rule | ms | times proportional fairness |")
        print("|---|---:|---:|")
        for name, each in took.items():
            print(f"| {name} | {each:,.1f} | {each / took['proportional fairness']:.3g} |", flush=True)


if __name__ == "__main__":
    main()
