"""ExS-Net: a network allocates resources to the participants and a synthetic one, whose share is burnt.

Every resource is offered in proportion to shares w_i exp(s_ij), scores s by a network; whoever is offered more than it
asks for leaves the rest, and what was left is offered again in the same proportions to those who want more. In the end
x_ij = min(d_ij, w_i exp(s_ij) t_j), with the level t_j at which nothing is left or everybody has enough. The synthetic
participant asks for some d_0j in [0, b_j] and takes part like everybody else. At scores of zero and with nothing burnt
this is water filling, under which nobody gains by a misreport.

A round is a step of Newton's method for the level. The total that is taken is concave in t_j, so that the steps come
from below: after any number of rounds no more is handed out than there is.

Source: Zeng et al. 2023, arXiv 2311.10927, for the synthetic participant and training end to end; features, widths,
caps and rounds are this library's choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from lawgiver.agents.equivariant import TINY, NetworkRule, checked, features, make_scorer, relative_values, shares_of
from lawgiver.envs.core.errors import integer
from lawgiver.envs.core.game import Game

SOFTNESS = 1e-4
"""Of the caps in training; see :func:`capped`."""
SLOWEST = 1e-3
"""Smallest share of unsatisfied participants for which a round of soft caps offers more."""
ASKED = -4.0
"""Initial logit of the synthetic participant's demand as a share of the supply: 2 %."""


def capped(offers: torch.Tensor, caps: torch.Tensor, softness: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Cap offers y softly at d; return the capped amounts and their slope in y, detached.

    What is taken is the smaller root x of (y - x)(d - x) = softness y d. For a softness of 0 this is min(y, d); else it
    is below by a share of sqrt(softness) at most, increasing and concave in y, smooth, and 0 where y or d is.
    """
    if softness == 0:
        return torch.minimum(offers, caps), (offers < caps).to(offers)
    full = (1 - softness) * caps
    root = ((offers - caps).square() + 4 * softness * offers * caps + TINY**2).sqrt()
    taken = 2 * full * offers / (offers + caps + root)
    return taken, ((full - taken).clamp_min(0) / root).detach()


def share_out(
    shares: torch.Tensor, caps: torch.Tensor, supply: torch.Tensor, rounds: int, softness: float
) -> torch.Tensor:
    """Return amounts min(caps, shares * level), the level raised until the supply is gone or the rounds are over.

    The gradient is the one at the level that is held on to: that of the limit, once the rounds have reached it.

    Args:
        shares: positive or 0, with a sum of 1 over the participants, (B, n, m).
        caps: (B, n, m).
        supply: supply of each resource, (m,).
        rounds: how many times what is left is offered, at least 1. With hard caps n + 1 are enough.
        softness: temperature of the soft caps.
    """
    least = SLOWEST if softness else TINY
    level = torch.zeros_like(shares[:, :1])
    with torch.no_grad():
        for _ in range(rounds - 1):
            taken, slope = capped(shares * level, caps, softness)
            wanting = (shares * slope).sum(1, keepdim=True)
            level = level + (supply - taken.sum(1, keepdim=True)).clamp_min(0) / wanting.clamp_min(least)
    taken, slope = capped(shares * level, caps, softness)
    wanting = (shares * slope).sum(1, keepdim=True)
    left = supply - taken.sum(1, keepdim=True)
    # Below 0 by rounding it would send the level far down where next to nobody wants more; its gradient is kept.
    left = left - left.detach().clamp_max(0)
    level = level + left / wanting.detach().clamp_min(least)
    return capped(shares * level, caps, softness)[0]


class ExSNet(nn.Module):
    """Amounts (B, n, m) for reported values and demands (B, n, m); caps are soft in training and hard in evaluation.

    Args:
        supply: supply of each resource, (m,).
        weights: weights of the participants, (n,).
        architecture: ``equivariant`` or ``plain``.
        hidden: widths of the layers.
        rounds: how many times what is left is offered.
    """

    supply: torch.Tensor
    weights: torch.Tensor

    def __init__(
        self, supply: np.ndarray, weights: np.ndarray, architecture: str, hidden: Sequence[int], rounds: int
    ) -> None:
        """Build the network, with scores of zero, from torch's global generator."""
        super().__init__()
        for name, numbers in {"supply": supply, "weights": weights}.items():
            self.register_buffer(name, torch.tensor(numbers, dtype=torch.float32), persistent=False)
        self.rounds = rounds
        self.scorer = make_scorer(len(weights), len(supply), architecture, hidden, pooled=2)

    def shares(self, values: torch.Tensor, demands: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the shares (B, n + 1, m), the synthetic participant first, and its demand, (B, 1, m).

        Shares of a resource sum to 1; they are 0 where nothing is demanded.
        """
        scores, pooled = self.scorer(features(relative_values(values, demands), demands, self.supply, self.weights))
        by_weight = scores + (self.weights / self.weights.mean()).log()[:, None]
        asked = self.supply * (pooled[:, None, :, 1] + ASKED).sigmoid()
        return shares_of(by_weight, pooled[..., :1], demands), asked

    def forward(self, values: torch.Tensor, demands: torch.Tensor) -> torch.Tensor:
        """Return the amounts."""
        shares, asked = self.shares(values, demands)
        caps = torch.cat([asked, demands], 1)
        return share_out(shares, caps, self.supply, self.rounds, SOFTNESS if self.training else 0.0)[:, 1:]


class LearnedExSNet(NetworkRule):
    """ExS-Net as a mechanism of payment_free_allocation (``allocate`` mode).

    Args:
        game: the game.
        architecture: ``equivariant``, for any number of participants and resources, in any order; or ``plain``.
        hidden: widths of the layers.
        rounds: how many times what participants left is offered again, 1 for never.

    Raises:
        UnsupportedGameError: if the game shares no resources, or the mechanism has to announce its rule.
        ParameterError: if a setting is outside its range.
    """

    kind: ClassVar[str] = "exs_net"
    role: ClassVar[str] = "mechanism"

    def __init__(
        self,
        game: Game[Any],
        *,
        architecture: str = "equivariant",
        hidden: Sequence[int] = (32, 32),
        rounds: int = 8,
    ) -> None:
        """Build the network."""
        super().__init__(game, self.kind)
        architecture, widths = checked(architecture, hidden)
        rounds = integer("rounds", rounds, 1)
        self.settings = {"architecture": architecture, "hidden": widths, "rounds": rounds}
        shared = self.allocation
        self.network = ExSNet(shared.supplies, shared.weighting, architecture, widths, rounds).eval()
