"""A network on all markets of three and three, beside the exact frontier: it imitates lotteries that lie on it.

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/matching_network.py            prints the table (Markdown)

Shares of pairs do not tell blocking pairs, so that this network gives a lottery over matchings. Each is described by
the mean over its cells of what the learned rule of matching knows of these. Lotteries that descent finds, within 1.3e-4
of the frontier, are imitated by the cross-entropy over all 669 orbits of markets. What is left says how near a network
of this kind can be, not what it finds by itself.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np
import torch
from torch import nn

from lawgiver.agents.matching_net import MatchingNet, alike
from lawgiver.envs.solvers.matching.frontier import Frontier
from lawgiver.trainers.ordinal.optimisers import Muon
from lawgiver.trainers.reproduce.matching_tabular import descended
from lawgiver.trainers.runs.descent import descend

TARGETS = (0.001, 0.003)
"""Bounds on the regret of the lotteries that are imitated."""
WIDTH, ROUNDS = 32, 4
LEARNING_RATE = 0.01
LINES = 4
"""Of the table, for each bound."""


class MatchingLotteries(MatchingNet):
    """Logits of matchings (B, L) for what they are worth to rows and to columns, (B, r, c) each.

    Args:
        matchings: column of each row, (L, r).
    """

    def __init__(self, matchings: np.ndarray) -> None:
        """Build the network from torch's global generator."""
        super().__init__(WIDTH, ROUNDS)
        self.matchings = torch.tensor(matchings)
        self.inner, self.logit = nn.Linear(WIDTH, WIDTH // 2), nn.Linear(WIDTH // 2, 1)

    def forward(self, values: torch.Tensor, priorities: torch.Tensor) -> torch.Tensor:
        """Compute the logits."""
        cells = nn.functional.layer_norm(self.cells_of(values, priorities), [WIDTH])
        each = cells[:, torch.arange(cells.shape[1]), self.matchings].mean(2)
        own, theirs = torch.relu(nn.functional.linear(each, *alike(self.inner))).chunk(2, -1)
        logits: torch.Tensor = self.logit(own + theirs)[..., 0]
        return logits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--updates", type=int, default=2_500)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    frontier = Frontier(3)
    orbits = frontier.orbits
    sides = [torch.tensor(side, dtype=torch.float32) for side in orbits.sides]
    weights = torch.tensor(orbits.weights)[:, None]
    print(
        "| bound | updates | cross-entropy above the least | regret | blocking pairs | frontier | above it | seconds |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for target in TARGETS:
        imitated = torch.tensor(descended(orbits, target))
        least = -float((weights * torch.xlogy(imitated, imitated)).sum())
        torch.manual_seed(args.seed)
        network, began = MatchingLotteries(orbits.matchings), time.process_time()
        optimiser = Muon(network, LEARNING_RATE)
        for number in range(args.updates + 1):
            logits = network(*sides).double()
            loss = -(weights * imitated * logits.log_softmax(-1)).sum()
            if number and number % max(args.updates // LINES, 1) == 0:
                lotteries = logits.detach().softmax(-1).numpy()
                regret, blocking = float(orbits.regret(lotteries)), float(orbits.blocking(lotteries))
                best = frontier.best(regret).objective
                figures = [
                    f"{float(loss.detach()) - least:.5f}",
                    f"{regret:.6f}",
                    *(f"{x:.5f}" for x in (blocking, best)),
                ]
                took = f"{time.process_time() - began:.0f}"
                cells = [f"{target:g}", f"{number:,}", *figures, f"{blocking - best:.5f}", took]
                print("|", " | ".join(cells), "|", flush=True)
            falling = 0.5 * (1 + math.cos(math.pi * number / args.updates))
            descend(loss, network, optimiser, LEARNING_RATE * falling)


if __name__ == "__main__":
    main()
