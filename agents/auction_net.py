"""Networks that sell several items by reported values: shares, and the fraction of their worth that each bidder pays.

A network sends the logits of the game's action: a softmax over the bidders and nobody for each item, and a logistic
function for the fraction of the reported worth of its shares that a bidder pays. Items are never sold twice and nobody
who reports the truth loses, whatever the weights are; that nobody gains by a misreport has to be learned.

Source: RegretNet, Duetting, Feng, Narasimhan, Parkes and Ravindranath 2019, for the plain architecture; Rahme, Jelassi,
Bruna and Weinberg 2021 for the equivariant one, whose layers are those of Hartford et al. 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import nn

from lawgiver.agents.direct_auctions import auction_of
from lawgiver.agents.equivariant import ExchangeableLayer, checked
from lawgiver.agents.networks import Networked, evaluated
from lawgiver.agents.reporting import DirectMechanism
from lawgiver.envs.core.arrays import Array
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.game import Game
from lawgiver.envs.multi_item_auction.game import MultiItemAuction


class PlainLogits(nn.Module):
    """Logits from all reports side by side, by layers of hyperbolic tangents."""

    def __init__(self, bidders: int, items: int, features: int, hidden: Sequence[int]) -> None:
        """Draw the weights from torch's global generator."""
        super().__init__()
        widths = [bidders * items * features, *hidden]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.last = nn.Linear(widths[-1], (bidders + 1) * items + bidders)

    def forward(self, cells: torch.Tensor) -> torch.Tensor:
        """Compute logits (B, (n + 1) m + n) for cells (B, n, m, f)."""
        seen = cells.flatten(1)
        for layer in self.layers:
            seen = torch.tanh(layer(seen))
        return cast(torch.Tensor, self.last(seen))


class EquivariantLogits(nn.Module):
    """Logits that are permuted as bidders or items are; for any number of both."""

    def __init__(self, features: int, hidden: Sequence[int]) -> None:
        """Draw the weights from torch's global generator."""
        super().__init__()
        widths = [features, *hidden]
        self.layers = nn.ModuleList(ExchangeableLayer(*pair) for pair in pairwise(widths))
        self.share, self.unsold, self.paid = (nn.Linear(widths[-1], 1) for _ in range(3))

    def forward(self, cells: torch.Tensor) -> torch.Tensor:
        """Compute logits (B, (n + 1) m + n) for cells (B, n, m, f)."""
        for layer in self.layers:
            cells = torch.tanh(layer(cells))
        logits = [self.share(cells), self.unsold(cells.mean(1)), self.paid(cells.mean(2))]
        return torch.cat([each.flatten(1) for each in logits], 1)


class AuctionNet(nn.Module):
    """Decisions (B, n m + n), shares and paid fractions, for reported values (B, n, m).

    Every cell, a bidder and an item, is described by the reported value and, where distributions differ, by the bounds
    of its own one; all as shares of the greatest value, from -1 to 1.

    Args:
        game: the auction.
        architecture: ``equivariant`` or ``plain``.
        hidden: widths of the layers.
    """

    ends: torch.Tensor

    def __init__(self, game: MultiItemAuction, architecture: str, hidden: Sequence[int]) -> None:
        """Build the network, its weights drawn from torch's global generator."""
        super().__init__()
        self.game = game
        ends = np.array([[[each.low, each.high] for each in row] for row in game.distributions])
        described = 2 if (ends != ends[0, 0]).any() else 0
        scaled = torch.tensor(2 * ends[..., :described] / game.greatest - 1, dtype=torch.float32)
        self.register_buffer("ends", scaled, persistent=False)
        features = 1 + described
        self.logits: PlainLogits | EquivariantLogits = (
            EquivariantLogits(features, hidden)
            if architecture == "equivariant"
            else PlainLogits(game.n, game.m, features, hidden)
        )

    def forward(self, reports: torch.Tensor) -> torch.Tensor:
        """Compute the decisions."""
        values = (2 * reports / self.game.greatest - 1)[..., None]
        ends = self.ends.expand(len(reports), -1, -1, -1)
        logits = self.logits(torch.cat([values, ends], -1))
        return cast(torch.Tensor, self.game.decision(logits))


class LearnedAuction(Networked, DirectMechanism):
    """A network as a mechanism of multi_item_auction (``allocate`` mode).

    Args:
        game: the game.
        architecture: ``plain``, for the bidders and items of the game in their order; or ``equivariant``, which treats
            all alike whose values have the same distribution.
        hidden: widths of the layers.

    Attributes:
        network: reported values (B, n, m) to decisions (B, n m + n).

    Raises:
        UnsupportedGameError: if the game sells no items, or the mechanism has to announce its rule.
        ParameterError: if a setting is outside its range.
    """

    kind: ClassVar[str] = "auction_net"
    role: ClassVar[str] = "mechanism"

    def __init__(self, game: Game[Any], *, architecture: str = "plain", hidden: Sequence[int] = (100, 100)) -> None:
        """Build the network."""
        auction = auction_of(game, self.kind)
        if auction.announces:
            raise UnsupportedGameError(
                f"a network is no menu that could be announced: play {game.name} with mechanism_mode='allocate'"
            )
        super().__init__(auction)
        architecture, widths = checked(architecture, hidden)
        self.settings = {"architecture": architecture, "hidden": widths}
        self.network = AuctionNet(auction, architecture, widths).eval()

    def decision(self, reports: Array) -> Array:
        """Return shares and paid fractions, (B, n m + n), on the backend of the reports."""
        return cast(Array, evaluated(self.network, self.network, reports))
