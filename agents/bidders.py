"""Participants who bid by a network: a function of what each sees of its own type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import nn

from lawgiver.agents.auctions import truth_columns
from lawgiver.agents.networks import Networked, evaluated
from lawgiver.agents.policies import Memoryless
from lawgiver.envs.core.arrays import Array, Rng, namespace
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError, brief
from lawgiver.envs.core.fields import Layout, bounds, width
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory
from lawgiver.envs.families.mechanism_game import MechanismGame

SHARPNESS = 50.0
"""Of the softplus that keeps bids above the least one, in units of the range of values: it rounds off a 50th of it."""
OUT = 1e-3
"""Share of the Box of bids below which a bid is the least one, so that a bidder can stay out and pay no fee."""


class BidNetwork(nn.Module):
    """A bid function beta(x) = softplus(x* + s f(x)), with f a SELU network and x* the truth.

    Bids that are almost the least one of the Box are that one, by which bidders stay out where they can. Slopes are
    those of the softplus all the same, so that who is out may come in again.

    The truth x* is the first numbers of the observed type x that do not tell groups of seats apart, one for each
    number of a bid; s is their range. f is zero at the start, so that learning begins at truthful bids (but for the
    softplus). The network's learning rate has the same meaning in every unit of money.
    """

    low: torch.Tensor
    span: torch.Tensor
    floor: torch.Tensor
    ceiling: torch.Tensor
    truth: torch.Tensor

    def __init__(self, seen: Layout, bids: Layout, hidden: Sequence[int]) -> None:
        """Build the network from torch's global generator.

        Args:
            seen: fields of the observed type, d numbers.
            bids: fields of a bid, k numbers.
            hidden: widths of the layers.
        """
        super().__init__()
        layers: list[nn.Module] = []
        d, k = width(seen), width(bids)
        for size in hidden:
            layers += [nn.Linear(d if not layers else hidden[len(layers) // 2 - 1], size), nn.SELU()]
        last = nn.Linear(hidden[-1] if hidden else d, k)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.body = nn.Sequential(*layers, last)
        least, most = bounds(seen)
        for name, value in {
            "low": least,
            "span": np.where(most > least, most - least, 1.0),
            "floor": bounds(bids)[0],
            "ceiling": bounds(bids)[1],
        }.items():
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32), persistent=False)
        self.register_buffer("truth", torch.as_tensor(truth_columns(seen)[:k]), persistent=False)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Compute bids (..., k), inside their Box, for observed types (..., d)."""
        unit = self.span[self.truth]
        raw = self.body(2 * (seen - self.low) / self.span - 1)
        above = (seen[..., self.truth] - self.floor) / unit + raw
        bids = (self.floor + unit * nn.functional.softplus(above, beta=SHARPNESS)).clamp(max=self.ceiling)
        above_least = bids - self.floor
        out = above_least < OUT * (self.ceiling - self.floor)
        return bids - torch.where(out, above_least, 0.0).detach()  # forward the least bid, backward the softplus


class LearnedBidders(Networked, Memoryless):
    """Participants who bid by one network a group of seats; the rule that they see does not change their bids."""

    kind: ClassVar[str] = "bidders"
    role: ClassVar[str] = "participant"

    def __init__(self, game: Game[Any], *, groups: Sequence[int], hidden: Sequence[int] = (16, 16)) -> None:
        """Build the networks, whose bids are the truth.

        Args:
            game: a one-round mechanism game in which bids are numbers of a Box, at most as many as those of a type.
            groups: the group of each seat, (n,), numbered from 0 in the order of their first seats.
            hidden: widths of the layers of each network.

        Raises:
            UnsupportedGameError: if the game is another.
            ParameterError: if there are not as many groups as seats, or they are numbered in another way.
        """
        bids = bid_layout(game)
        assert isinstance(game, MechanismGame)
        numbered = [*dict.fromkeys(groups)] if isinstance(groups, (list, tuple)) else []
        if len(groups) != game.n or numbered != list(range(len(numbered))):
            raise ParameterError(
                f"groups is {brief(groups)}, allowed: the group of each of {game.n} seats, numbered from 0 in the order"
                " of their first seats"
            )
        self.settings = {"groups": [int(group) for group in groups], "hidden": [int(size) for size in hidden]}
        self.seen = width(game.type_layout())
        self.network: nn.ModuleList = nn.ModuleList(BidNetwork(game.type_layout(), bids, hidden) for _ in numbered)

    def bids(self, seen: torch.Tensor) -> torch.Tensor:
        """Compute bids (B, n, k) for observed types (B, n, d)."""
        groups = self.settings["groups"]
        if len(self.network) == 1:
            return cast(torch.Tensor, self.network[0](seen))
        seats = [[seat for seat, own in enumerate(groups) if own == group] for group in range(len(self.network))]
        parts = [network(seen[:, own]) for network, own in zip(self.network, seats, strict=True)]
        return torch.cat(parts, 1)[:, np.argsort(np.concatenate(seats))]

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the bids (B, n, k) and the memory; nothing is drawn."""
        return cast(Array, evaluated(self.network, self.bids, obs[..., : self.seen])), state

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return the bids as means, with standard deviation 0, (B, n, 2, k), and the memory."""
        bids, state = self.act(obs, mask, state, None)
        xp = namespace(bids)
        return xp.stack([bids, xp.zeros_like(bids)], axis=-2), state


def bid_layout(game: Game[Any]) -> Layout:
    """Return the fields of a bid, checking that bid functions can be learned in a game.

    Raises:
        UnsupportedGameError: if it is no mechanism game of one round, bids are Discrete, or they have more numbers
            than types.
    """
    if not isinstance(game, MechanismGame) or game.horizon != 1:
        raise UnsupportedGameError(
            f"bid functions are for games in which participants bid once, such as sealed_bid, not {game.name}"
        )
    bids = game.announcement_layout()
    if isinstance(bids, int):
        raise UnsupportedGameError(
            f"bid functions need bids in a Box; those of {game.name} are {bids} choices: n_bids=null in an auction"
        )
    numbers = len(truth_columns(game.type_layout()))
    if width(bids) > numbers:
        raise UnsupportedGameError(
            f"bid functions start at the truth: {game.name} has bids of {width(bids)} numbers, but types of {numbers}"
        )
    return bids
