"""The network of behavioural clones: a GRU, and few numbers that say how much of an endowment is given.

Koster, Pislar et al. (2025, Nature Communications 16:2824) imitate people by a GRU of 64 units that sees offers, last
returns and the pool. What follows the GRU is not published. Here it is the distribution of
:mod:`lawgiver.agents.returned_fractions`: people often give nothing or everything, else something around an aim.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from lawgiver.agents.returned_fractions import AIMS, ReturnedFraction

LEAST_NOISE = 0.01
"""Smallest standard deviation of what is given around the aim, as a share of the endowment."""


class CloneNet(nn.Module):
    """From what one participant knows in each round to the probabilities of whole numbers of points.

    The GRU gives six numbers: the weights of nothing, everything, any and an aim; the aim, and the noise around it.

    Args:
        n_features: numbers known before each choice.
        n_actions: choices, 0 to ``n_actions`` - 1.
        n_hidden: units of the GRU.
    """

    def __init__(self, n_features: int, n_actions: int, n_hidden: int) -> None:
        """Draw the weights from torch's global generator."""
        super().__init__()
        self.n_actions, self.n_hidden = n_actions, n_hidden
        self.gru = nn.GRU(n_features, n_hidden, batch_first=True)
        self.output = nn.Linear(n_hidden, AIMS + 3)

    def log_likelihood(self, features: torch.Tensor, most: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """Compute the log-probability of each choice of whole games, (N, T).

        Args:
            features: (N, T, d).
            most: whole points of the endowment, (N, T), or (N, 1) for all rounds.
            chosen: whole points that were given, (N, T).
        """
        hidden, _ = self.gru(features)
        found: torch.Tensor = self.given(hidden).log_probability(chosen.to(hidden.dtype), most.to(hidden.dtype))
        return found

    def step(self, features: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Compute the new state (..., n_hidden) from features (..., d) and the state before."""
        flat, before = features.reshape(-1, 1, features.shape[-1]), hidden.reshape(1, -1, self.n_hidden)
        shown, _ = self.gru(flat, before)
        return cast(torch.Tensor, shown.reshape(hidden.shape))

    def given(self, hidden: torch.Tensor) -> ReturnedFraction:
        """Compute the distribution of what is given for hidden states (..., n_hidden)."""
        told = self.output(hidden)
        return ReturnedFraction(
            weights=told[..., :-2].softmax(-1),
            aims=0.5 + told[..., -2:-1],
            noise=LEAST_NOISE + told[..., -1:].sigmoid(),
        )
