"""RPF-Net: proportional fairness with charges on amounts that a network computes from reports to reduce regret.

    X = argmax  sum_i w_i log(v_i . x_i) - <Z, X> - ridge / 2 |X|^2    over  0 <= x_ij <= d_ij,  sum_i x_ij <= b_j

with charges Z = scale * A. The approximator A is an allocation, from which the outcome is to be kept away. A charge
that is the same for everybody only takes the place of the resource's price; one above what a unit is worth at the
margin leaves the resource idle: it burns. The outcome is differentiable in the charges and the reports, by implicit
differentiation of the optimum and with a barrier that rounds it off in training: the network learns through the solver.

Source: Zeng et al. 2025, arXiv 2501.01111, for the programme, the linear term and learning through the optimum; how the
term is parametrised, features and widths are this library's choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from lawgiver.agents.equivariant import NetworkRule, checked, features, make_scorer, relative_values, shares_of
from lawgiver.envs.core.errors import number
from lawgiver.envs.core.game import Game
from lawgiver.envs.solvers.fair_division.proportional_fairness import BARRIER, solve

SMOOTH = 1e-3
"""Barrier in training: how far the programme's kinks are rounded off."""
SCALE = 0.3
"""Initial scale of the charges, the same for all: too small to matter except for barely scarce resources."""


class RPFNet(nn.Module):
    """Amounts (B, n, m) for reported values and demands (B, n, m); float64. Training solves a smoother programme.

    Args:
        supply: supply of each resource, (m,).
        weights: weights of the participants, (n,).
        architecture: ``equivariant`` or ``plain``.
        hidden: widths of the layers.
        ridge: weight of the programme's quadratic term.
    """

    supply: torch.Tensor
    weights: torch.Tensor

    def __init__(
        self, supply: np.ndarray, weights: np.ndarray, architecture: str, hidden: Sequence[int], ridge: float
    ) -> None:
        """Build the network, with scores of zero, from torch's global generator."""
        super().__init__()
        for name, numbers in {"supply": supply, "weights": weights}.items():
            self.register_buffer(name, torch.tensor(numbers), persistent=False)
        self.ridge = ridge
        self.scorer = make_scorer(len(weights), len(supply), architecture, hidden, pooled=1)
        self.scale = nn.Parameter(torch.tensor(SCALE).expm1().log())
        self.double()

    def charges(self, relative: torch.Tensor, demands: torch.Tensor) -> torch.Tensor:
        """Return Z (B, n, m), at least 0, for values relative to each other and demands (B, n, m).

        With all amounts of A equal, and a scale of 1, a unit costs the sum of weights over the sum of supplies: what it
        costs on average in a market in which nobody has enough of anything.
        """
        n = len(self.weights)
        scores, pooled = self.scorer(features(relative, demands, self.supply, self.weights))
        approximator = self.supply * shares_of(scores, pooled, demands)[:, 1:]
        price = self.weights.sum() / self.supply.sum()
        return nn.functional.softplus(self.scale) * price * (n + 1) / self.supply * approximator

    def forward(self, values: torch.Tensor, demands: torch.Tensor) -> torch.Tensor:
        """Return the amounts; raises ConvergenceError if a programme is not solved."""
        relative = relative_values(values, demands)
        amounts: torch.Tensor = solve(
            relative,
            demands,
            self.supply,
            self.weights,
            charges=self.charges(relative, demands),
            ridge=self.ridge,
            barrier=SMOOTH if self.training else BARRIER,
        )
        return amounts


class LearnedRPFNet(NetworkRule):
    """RPF-Net as a mechanism of payment_free_allocation (``allocate`` mode).

    Args:
        game: the game.
        architecture: ``equivariant``, for any number of participants and resources, in any order; or ``plain``.
        hidden: widths of the layers.
        ridge: at least 0; what keeps amounts, not only utilities, unique, and bounds how fast they change with charges.

    Raises:
        UnsupportedGameError: if the game shares no resources, or the mechanism has to announce its rule.
        ParameterError: if a setting is outside its range.
    """

    kind: ClassVar[str] = "rpf_net"
    role: ClassVar[str] = "mechanism"

    def __init__(
        self,
        game: Game[Any],
        *,
        architecture: str = "equivariant",
        hidden: Sequence[int] = (32, 32),
        ridge: float = 1e-3,
    ) -> None:
        """Build the network."""
        super().__init__(game, self.kind)
        architecture, widths = checked(architecture, hidden)
        ridge = number("ridge", ridge, "[0, inf)")
        self.settings = {"architecture": architecture, "hidden": widths, "ridge": ridge}
        shared = self.allocation
        self.network = RPFNet(shared.supplies, shared.weighting, architecture, widths, ridge).eval()
