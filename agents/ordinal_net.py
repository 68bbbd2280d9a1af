"""A voting rule as a network: it treats voters alike and alternatives alike, for any number of either.

Voters enter as the mean of what each tells: the place of every alternative, and who is above whom. Every alternative
begins with the cosine moments of its places, its least margin, and how many more alternatives it beats than beat it.
Alternatives then send each other messages, which depend on both and on the margin between them, and take in the mean of
those they receive, and of everybody. The lottery is a softmax over the alternatives.

With three alternatives it reaches the greatest welfare that there is at the same regret (see
:mod:`lawgiver.envs.solvers.social_choice.frontier`).
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, cast

import torch
from torch import nn

from lawgiver.agents.networks import Networked, evaluated
from lawgiver.agents.reporting import DirectMechanism
from lawgiver.envs.core.arrays import Array, floats, namespace
from lawgiver.envs.core.errors import UnsupportedGameError, integer
from lawgiver.envs.core.game import Game
from lawgiver.envs.families.choice_game import ChoiceGame
from lawgiver.envs.solvers.social_choice.profiles import positions

MOMENTS = 6
"""Cosine moments of the places: all that there is to know for as many alternatives, less one."""


def told(places: Array, like: Array) -> Array:
    """Compute what rankings tell of each alternative: a mark at its place, and signs against all others.

    Args:
        places: place of each alternative, (..., m), 0 for the best.
        like: floats, for the type of the result.

    Returns:
        (..., m, 2 m); a profile is described by the mean over its voters.
    """
    xp = namespace(places)
    marks = places[..., None] == xp.arange(places.shape[-1], device=places.device)
    signs = xp.sign(places[..., None, :] - places[..., :, None])
    return xp.concat([floats(marks, like), floats(signs, like)], axis=-1)


class OrdinalNet(nn.Module):
    """Lotteries (..., m) for described profiles (..., m, 2 m); see :func:`told`.

    Args:
        width: numbers that an alternative is described by.
        rounds: of messages.
    """

    def __init__(self, width: int, rounds: int) -> None:
        """Build the network from torch's global generator."""
        super().__init__()
        self.begin = nn.Linear(MOMENTS + 2, width)
        self.sent = nn.ModuleList(nn.Linear(2 * width + 1, width) for _ in range(rounds))
        self.taken = nn.ModuleList(nn.Linear(3 * width, width) for _ in range(rounds))
        self.score = nn.Linear(width, 1)

    def forward(self, profiles: torch.Tensor) -> torch.Tensor:
        """Compute the lotteries."""
        shares, margins = profiles.chunk(2, -1)
        m = shares.shape[-1]
        others = ~torch.eye(m, dtype=torch.bool, device=shares.device)
        middles = (torch.arange(m, dtype=shares.dtype, device=shares.device) + 0.5) / m
        frequencies = torch.arange(1, MOMENTS + 1, dtype=shares.dtype, device=shares.device)
        moments = shares @ torch.cos(math.pi * middles[:, None] * frequencies)
        least = margins.masked_fill(~others, 1.0).amin(-1)
        beaten = margins.sign().sum(-1) / (m - 1)
        seen = torch.relu(self.begin(torch.cat([moments, least[..., None], beaten[..., None]], -1)))
        width = seen.shape[-1]
        for sent, taken in zip(self.sent, self.taken, strict=True):
            assert isinstance(sent, nn.Linear)
            own, other, margin = torch.split(sent.weight, [width, width, 1], -1)
            pairs = (seen @ own.T + sent.bias)[..., :, None, :] + (seen @ other.T)[..., None, :, :]
            heard = torch.relu(pairs + margins[..., None] * margin[:, 0]) * others[..., None]
            everybody = seen.mean(-2, keepdim=True).expand_as(seen)
            seen = seen + torch.relu(taken(torch.cat([seen, heard.sum(-2) / (m - 1), everybody], -1)))
        return cast(torch.Tensor, self.score(seen)[..., 0].softmax(-1))


class LearnedOrdinal(Networked, DirectMechanism):
    """The network as a mechanism of a choice game whose reports tell rankings (``allocate`` mode).

    Args:
        game: the game.
        width: numbers that an alternative is described by.
        rounds: of messages between alternatives.

    Raises:
        UnsupportedGameError: if the game chooses no alternative, has a mechanism that announces, or ballots that tell
            less than a ranking.
        ParameterError: if a setting is outside its range.
    """

    kind: ClassVar[str] = "ordinal_net"
    role: ClassVar[str] = "mechanism"
    any_size: ClassVar[bool] = True

    def __init__(self, game: Game[Any], *, width: int = 32, rounds: int = 3) -> None:
        """Build the network."""
        self.choice = ranked_choice(game, f"mechanism {self.kind!r}")
        super().__init__(self.choice)
        self.settings = {"width": integer("width", width, 1), "rounds": integer("rounds", rounds, 0)}
        self.network = OrdinalNet(**self.settings).eval()

    def lottery(self, places: Array, like: Array) -> Array:
        """Compute the lottery (B, m) for the places of each voter (B, n, m), as floats like ``like``."""
        xp = namespace(places)
        return evaluated(self.network, self.network, xp.mean(told(places, like), axis=-3))

    def decision(self, reports: Array) -> Array:
        """Return the lottery, and no payments."""
        return self.choice.joined(self.lottery(positions(reports), reports))


def ranked_choice(game: Game[Any], what: str) -> ChoiceGame:
    """Return the game as one that chooses an alternative after reports that tell rankings.

    Args:
        game: the game.
        what: needs it, for the error message.

    Raises:
        UnsupportedGameError: if it is none.
    """
    if not isinstance(game, ChoiceGame):
        raise UnsupportedGameError(f"{what} chooses among alternatives by rankings; {game.name} has none")
    if game.announces:
        raise UnsupportedGameError(
            f"{what} decides by rankings, and is none of the rules that can be announced: play {game.name} with"
            " mechanism_mode='allocate'"
        )
    reason = game.inapplicable_rules.get("borda")
    if reason is not None:
        raise UnsupportedGameError(
            f"{what} does not play {game.name} {reason}; allowed: games whose reports tell rankings, such as"
            " voting-v0 with ballot='ranking' or 'score'"
        )
    return game
