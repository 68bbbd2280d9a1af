"""A rule of two-sided matching as a network: it treats rows alike, columns alike, and both sides alike.

A market is a table of cells, one for each row and column, which begins with what either is worth to the other. Layers
take in, cell by cell, the mean over the row and over the column, and sums over those cells of both whom the row, or the
column, likes better: whether a pair blocks depends on these. Features come in two halves, one for each side, and
weights are tied such that exchanging the sides transposes the table and exchanges the halves.

Shares are made as in Ravindranath, Feng, Li, Ma, Kominers and Parkes (2021, arXiv 2107.03427): each side has scores of
all cells, and of being alone, that are divided by their sum over its partners, and the share of a pair is the less of
the two. Pairs that either would not accept have no score. So shares sum to 1 at most, and nobody loses by taking part.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch
from torch import nn

from lawgiver.agents.networks import Networked, evaluated
from lawgiver.agents.reporting import DirectMechanism
from lawgiver.envs.core.arrays import Array
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError, integer
from lawgiver.envs.core.game import Game
from lawgiver.envs.matching import Matching

TOLD = 2
"""Numbers that a cell begins with, of either side: what the partner is worth, and whether it is accepted."""
FLOOR = 1e-4
"""Least score of being alone. Without it all scores of a rule near certainty become so small that their quotients have
no gradient in single precision; and a softmax, which has one, is soon near certainty, next to deferred acceptance."""


class MatchingNet(nn.Module):
    """Shares (..., r, c) of pairs for what they are worth to rows and to columns, (..., r, c) each.

    Args:
        width: numbers that a cell is described by, for both sides together: an even number.
        rounds: layers.
    """

    def __init__(self, width: int, rounds: int) -> None:
        """Build the network from torch's global generator."""
        super().__init__()
        half = width // 2
        self.begin = nn.Linear(2 * TOLD, half)
        self.cells = nn.ModuleList(nn.Linear(width, half) for _ in range(rounds))
        self.lines = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(rounds))
        self.better = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(rounds))
        self.score = nn.Linear(width, 1)
        self.alone = nn.Linear(width, 1)

    def cells_of(self, values: torch.Tensor, priorities: torch.Tensor) -> torch.Tensor:
        """Describe the cells, (B, r, c, width), by what partners are worth (B, r, c), 0 if they are not accepted.

        Exchanging the sides transposes the cells and exchanges the halves of what describes them.
        """
        own, theirs = (torch.stack([x, (x > 0).to(x.dtype)], -1) for x in (values, priorities))
        seen = torch.relu(nn.functional.linear(torch.cat([own, theirs], -1), *alike(self.begin)))
        by_row, by_column = _preferred(values), _preferred(priorities.mT)
        for cells, lines, better in zip(self.cells, self.lines, self.better, strict=True):
            seen = seen + torch.relu(_heard(seen, by_row, by_column, cells, lines, better))
        return seen

    def forward(self, values: torch.Tensor, priorities: torch.Tensor) -> torch.Tensor:
        """Compute the shares."""
        rows, columns = values.shape[-2:]
        # Nothing is told of the order of those who are not accepted, so that all of them are worth 0.
        values, priorities = (x.clamp_min(0).reshape(-1, rows, columns) for x in (values, priorities))
        seen = self.cells_of(values, priorities)
        accepted = ((values > 0) & (priorities > 0)).to(values.dtype)[..., None]
        scores = nn.functional.softplus(nn.functional.linear(seen, *alike(self.score))) * accepted
        alone = FLOOR + nn.functional.softplus(self.alone(seen.mean(2)))
        unasked = FLOOR + nn.functional.softplus(
            nn.functional.linear(seen.mean(1), _exchanged(self.alone.weight), self.alone.bias)
        )
        asked, asking = scores[..., 0], scores[..., 1]
        asked = asked / (asked.sum(2, keepdim=True) + alone)
        asking = asking / (asking.sum(1, keepdim=True) + unasked.mT)
        return torch.minimum(asked, asking)


def _heard(
    seen: torch.Tensor,
    by_row: torch.Tensor,
    by_column: torch.Tensor,
    cells: nn.Module,
    lines: nn.Module,
    better: nn.Module,
) -> torch.Tensor:
    """Compute what cells take in, (B, r, c, width); rows and columns by the same weights, with the halves exchanged."""
    seen = nn.functional.layer_norm(seen, seen.shape[-1:])
    assert isinstance(lines, nn.Linear) and isinstance(better, nn.Linear)
    weights = lines.weight, better.weight
    weight, bias = alike(cells)

    def along(x: torch.Tensor, preferred: torch.Tensor, own: torch.Tensor | None, exchange: bool) -> torch.Tensor:
        """Sum along the last axis of cells x (B, l, k, width), with what cells tell themselves by weights ``own``."""
        means, sums = (_exchanged(each) if exchange else each for each in weights)
        told = nn.functional.linear(x, sums if own is None else torch.cat([sums, own]))
        sent, kept = told[..., : len(sums)].flatten(0, 1), told[..., len(sums) :].flatten(0, 1)
        heard = torch.bmm(preferred, sent) if own is None else torch.baddbmm(kept, preferred, sent)
        return (
            heard.view(x.shape) + nn.functional.linear(x.mean(2), means, bias if own is not None else None)[:, :, None]
        )

    rows = along(seen, by_row, weight, exchange=False)
    return rows + along(seen.transpose(1, 2).contiguous(), by_column, None, exchange=True).transpose(1, 2)


def _preferred(values: torch.Tensor) -> torch.Tensor:
    """Mark whom each likes better than whom, by 1 over their number, (B l, k, k), for values (B, l, k)."""
    values = values.contiguous()
    marks = (values[:, :, None, :] > values[:, :, :, None]).to(values.dtype) / values.shape[-1]
    return marks.flatten(0, 1)


def _exchanged(weight: torch.Tensor) -> torch.Tensor:
    """Exchange the halves of what a linear map takes and, if it gives more than one number, of what it gives."""
    given, taken = weight.shape
    return weight.roll((given // 2, taken // 2), (0, 1))


def alike(layer: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Make weight and bias of a map to both halves out of one to the first, which does the same for either side."""
    assert isinstance(layer, nn.Linear)
    weight, half = layer.weight, layer.in_features // 2
    return torch.cat([weight, weight.roll(half, 1)]), layer.bias.repeat(2)


class LearnedMatching(Networked, DirectMechanism):
    """The network as a mechanism of two-sided matching (``allocate`` mode), for any number of participants.

    Args:
        game: the game.
        width: numbers that a pair is described by, an even number.
        rounds: layers.

    Raises:
        UnsupportedGameError: if the game is no matching of two sides, or has a mechanism that announces.
        ParameterError: if a setting is outside its range.
    """

    kind: ClassVar[str] = "matching_net"
    role: ClassVar[str] = "mechanism"
    any_size: ClassVar[bool] = True
    game: Matching

    def __init__(self, game: Game[Any], *, width: int = 32, rounds: int = 4) -> None:
        """Build the network."""
        super().__init__(two_sided(game, f"mechanism {self.kind!r}"))
        self.settings = {"width": integer("width", width, 2), "rounds": integer("rounds", rounds, 0)}
        if self.settings["width"] % 2:
            raise ParameterError(f"width is {width}, allowed: an even number, half of it for each side")
        self.network = MatchingNet(**self.settings).eval()

    def shares(self, values: Array, priorities: Array) -> Array:
        """Compute the shares (B, r, c) for what partners are worth to rows and to columns, (B, r, c) each."""
        return cast(Array, evaluated(self.network, self.network, values, priorities))

    def decision(self, reports: Array) -> Array:
        """Return the shares (B, r c) for reports (B, n, c)."""
        return self.game.joined(self.shares(*self.game.both_sides(reports)))


def two_sided(game: Game[Any], what: str) -> Matching:
    """Return the game as a matching of two sides whose mechanism decides after reports.

    Args:
        game: the game.
        what: needs it, for the error message.

    Raises:
        UnsupportedGameError: if it is none.
    """
    if not isinstance(game, Matching) or not game.two_sided:
        which = f"{game.name} with sides='one'" if isinstance(game, Matching) else game.name
        raise UnsupportedGameError(f"{what} matches two sides that both report, not those of {which}")
    if game.announces:
        raise UnsupportedGameError(
            f"{what} is none of the rules that can be announced: play {game.name} with mechanism_mode='allocate'"
        )
    if (game.seats != 1).any():
        raise UnsupportedGameError(f"{what} gives everybody one partner, allowed: game.capacities=1")
    return game
