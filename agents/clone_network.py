"""The network of behavioural clones: a GRU, and few numbers that say how much of an endowment is given.

Koster, Pislar et al. (2025, Nature Communications 16:2824) imitate people by a GRU of 64 units that sees offers, last
returns and the pool. What follows the GRU is not published. Here it is the distribution of
:mod:`lawgiver.agents.returned_fractions`: people often give nothing or everything, else something around an aim.
"""

from __future__ import annotations

import torch
from torch import nn

from lawgiver.agents.returned_fractions import AIMS, ReturnedFraction

LEAST_NOISE = 0.01
"""Smallest standard deviation of what is given around the aim, as a share of the endowment."""


class CloneNet(nn.Module):
    """From what one participant knows in each round to log-probabilities of whole numbers of points.

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

    def log_probabilities(self, features: torch.Tensor, legal: torch.Tensor) -> torch.Tensor:
        """Compute log-probabilities (N, T, n_actions) of whole games, minus infinity where not legal.

        Args:
            features: (N, T, d).
            legal: bool (N, T, n_actions), or (N, 1, n_actions) for all rounds: 0 to the whole points of the endowment.
        """
        hidden, _ = self.gru(features)
        return self.choice(hidden, legal)

    def step(
        self, features: torch.Tensor, legal: torch.Tensor, hidden: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the same (..., n_actions) of one round, features (..., d), and the new hidden state (..., units)."""
        flat, before = features.reshape(-1, 1, features.shape[-1]), hidden.reshape(1, -1, self.n_hidden)
        shown, _ = self.gru(flat, before)
        after = shown.reshape(hidden.shape)
        return self.choice(after, legal), after

    def choice(self, hidden: torch.Tensor, legal: torch.Tensor) -> torch.Tensor:
        """Compute log-probabilities (..., n_actions) for hidden states (..., units)."""
        told = self.output(hidden)
        given = ReturnedFraction(
            weights=told[..., :-2].softmax(-1),
            aims=0.5 + told[..., -2:-1],
            noise=LEAST_NOISE + told[..., -1:].sigmoid(),
        )
        most = legal.sum(-1).to(told.dtype) - 1
        log_probabilities: torch.Tensor = given.log_probabilities(most, self.n_actions)
        return log_probabilities
