"""Judgement of bidders: how far their bids are from the equilibrium, and what they lose by not replying best.

With beta the bid function that is judged and beta* the one of the equilibrium, L2 is the root of E (beta - beta*)^2,
once as it is and once weighted by the share that a type gets: those who never win may bid anything. The ex ante loss is
E max_b u(v, b) - u(v, beta(v)), where the others play as they are judged; it needs no equilibrium, and is 0 in every
equilibrium. L2 misleads where there are several.

The maximum over bids is taken over noisy means, so that the loss comes as a bracket: the best bid by one half of the
draws has, on the other half, a mean that is too small, and the best bid by all of them one that is too large. Where
payoffs are v X(b) - P(b) for the best bid of the others (:mod:`lawgiver.trainers.bidding.interim`), the bracket is
narrow; elsewhere deviations are tried in bins of like types (:mod:`lawgiver.trainers.bidding.deviations`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from lawgiver.envs.core.arrays import evolve
from lawgiver.envs.core.errors import NoSolution, ParameterError, UnsupportedGameError, brief, integer
from lawgiver.envs.core.fields import width
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.auction_game import AuctionGame
from lawgiver.envs.families.mechanism_game import MechanismGame, MechanismState
from lawgiver.envs.solvers.equilibrium.subgame import checked_parameters
from lawgiver.trainers.bidding.deviations import gains
from lawgiver.trainers.bidding.interim import Interim, interim, tabulated
from lawgiver.trainers.bidding.seats import alike, announced, outcomes

DRAWS = 2**20
"""Draws of the others' bids."""
TYPES = 2**10
"""Types of a seat whose losses are averaged."""
GRID = 2**12
"""Bids among which the best one is looked for, before it is refined."""
FINER = np.linspace(-1, 1, 33)
"""Bids around the best one, in steps of the grid."""
PROFILES = 2**17
"""Profiles on which deviations are tried in bins, at most."""
BINS = 32
"""Bins of types, about."""
CHUNK = 2**16
"""Games in which policies act at once."""

ROUNDING = 1e-9
"""Payoffs below this share of what a best reply gains are 0."""

BidFunction = Callable[[np.ndarray], np.ndarray]
"""Actions (B,) or (B, k) of a seat for what it sees of its types, (B, d)."""


@dataclass(frozen=True)
class Judged:
    """The play of the seats of a group.

    Attributes:
        seats: of the group; the first is judged for all of them.
        payoff: expected payoff of one of them.
        loss: bracket of the ex ante loss, in the unit of payoffs: too small, and too large, on average.
        l2: distance of the bids from those of the equilibrium; None where that is not known.
        l2_weighted: the same, weighted by the share that a type gets; None where nothing is shared.
        how: by the ``best_bid`` of the others, or in ``bins`` of like types.
    """

    seats: tuple[int, ...]
    payoff: float
    loss: tuple[float, float]
    l2: float | None
    l2_weighted: float | None
    how: Literal["best_bid", "bins"]

    @property
    def relative_loss(self) -> tuple[float, float] | None:
        """The bracket as a share of the expected payoff, None where that is not positive but for rounding."""
        low, high = self.loss
        return (low / self.payoff, high / self.payoff) if self.payoff > ROUNDING * high else None

    def data(self) -> dict[str, Any]:
        """Write everything as plain data."""
        relative = self.relative_loss
        return {
            "seats": list(self.seats),
            "payoff": self.payoff,
            "loss": dict(zip(("low", "high"), self.loss, strict=True)),
            "relative_loss": None if relative is None else dict(zip(("low", "high"), relative, strict=True)),
            "l2": self.l2,
            "l2_weighted": self.l2_weighted,
            "how": self.how,
        }


@dataclass(frozen=True)
class Judgement:
    """The play of bidders, by group of seats that neither types nor rules tell apart.

    Attributes:
        groups: in the order of their first seats.
        draws: profiles that payoff and loss of each group are means over.
    """

    groups: tuple[Judged, ...]
    draws: tuple[int, ...]

    @property
    def worst(self) -> Judged:
        """The group that loses most."""
        return max(self.groups, key=lambda each: each.loss[1])

    def data(self) -> dict[str, Any]:
        """Write everything as plain data, groups by ``seat_`` and the number of their first seat."""
        return {f"seat_{each.seats[0]}": each.data() for each in self.groups}


@dataclass(frozen=True)
class Bids:
    """A policy of bidders that is given by functions.

    Attributes:
        functions: actions of each seat for what it sees of its types, one for each seat.
        seen: numbers of the observation that are the type, the first of them.
    """

    functions: Sequence[BidFunction]
    seen: int

    def initial_state(self, batch: int, rng: Any) -> None:
        """Return None."""
        return

    def distribution(self, obs: np.ndarray, mask: Any, state: Any) -> Any:
        """Unused: the functions act."""
        raise NotImplementedError

    def act(self, obs: np.ndarray, mask: Any, state: Any, rng: Any) -> tuple[np.ndarray, Any]:
        """Return the actions of all seats."""
        seen = obs[..., : self.seen]
        return np.stack([bid(seen[:, seat]) for seat, bid in enumerate(self.functions)], axis=1), state


def judge(
    game: MechanismGame,
    parameters: Sequence[float] | np.ndarray,
    bidders: Policy | BidFunction | Sequence[BidFunction],
    *,
    equilibrium: Callable[[int], BidFunction | NoSolution] | None = None,
    groups: Sequence[int] | None = None,
    draws: int = DRAWS,
    seed: int | Sequence[int] = 0,
) -> Judgement:
    """Judge bidders under announced rules.

    Args:
        game: a mechanism game of one round; bids are a Box, or Discrete.
        parameters: the announced w, (D,).
        bidders: a policy of the participants; or the function of what a seat sees of its type, (B, d), to its actions,
            (B,) or (B, k), one for all seats or one for each.
        equilibrium: the bid function of each seat in equilibrium; None where it is not known.
        groups: the group of each seat, (n,), numbered from 0 in the order of their first seats; None to find who is
            alike by exchanging seats, which takes long where there are hundreds.
        draws: profiles of types and bids, at least 64; deviations in bins are tried on 2^17 at most.
        seed: of everything that is drawn.

    Raises:
        UnsupportedGameError: if the game is another.
        ParameterError: if there are not as many parameters, functions or groups as needed, a function's actions have
            another shape, or there are too few draws.
    """
    if not isinstance(game, MechanismGame) or game.horizon != 1:
        raise UnsupportedGameError(f"bidders are judged in games in which they bid once, not in {game.name}")
    w = np.asarray(checked_parameters(game, parameters))
    low, high = game.action_bounds("mechanism")
    if ((w < low) | (w > high)).any():
        raise ParameterError(f"parameters is {w.tolist()}, allowed: from {low.tolist()} to {high.tolist()}")
    integer("draws", draws, 64)
    policy = policy_of(game, bidders)
    numbers = alike(game, w) if groups is None else tuple(groups)
    if len(numbers) != game.n or [*dict.fromkeys(numbers)] != list(range(len(set(numbers)))):
        raise ParameterError(
            f"groups is {brief(groups)}, allowed: numbers of {game.n} seats, from 0 in the order of their first seats"
        )
    alikes = [tuple(np.flatnonzero(np.array(numbers) == group).tolist()) for group in range(max(numbers) + 1)]
    rng = np.random.default_rng(seed)
    own = _played(game, w, policy, min(TYPES, draws), rng)
    tabled = [isinstance(game, AuctionGame) and isinstance(interim(game, *own, seats[0]), Interim) for seats in alikes]
    halves = [_played(game, w, policy, draws // 2, rng) for _ in range(2)] if any(tabled) else []
    profiles = [] if all(tabled) else [_played(game, w, policy, min(draws, PROFILES), rng)]
    known = (lambda seat: NoSolution("not asked for")) if equilibrium is None else equilibrium
    plays = [halves if table else profiles for table in tabled]
    return Judgement(
        tuple(_judged(game, *each, own, known(each[0][0])) for each in zip(alikes, plays, strict=True)),
        tuple(sum(len(actions) for _, actions in play) for play in plays),
    )


def policy_of(game: MechanismGame, bidders: Policy | BidFunction | Sequence[BidFunction]) -> Policy:
    """Make a policy of bid functions; a policy is returned.

    Raises:
        ParameterError: if there are not as many functions as seats.
    """
    if isinstance(bidders, Policy):
        return bidders
    functions = [bidders] * game.n if callable(bidders) else list(bidders)
    if len(functions) != game.n or not all(map(callable, functions)):
        raise ParameterError(f"bidders is {brief(bidders)}, allowed: a policy, a function, or one for each seat")
    return Bids(functions, width(game.type_layout()))


Play = tuple[MechanismState, np.ndarray]
"""Games that wait for bids, and the actions of everybody."""


def _played(game: MechanismGame, w: np.ndarray, policy: Policy, count: int, rng: np.random.Generator) -> Play:
    """Draw profiles, each number of a type from as many equal parts of its distribution, and let bidders act."""
    state = announced(game, w, count, rng)
    if type(game).draw_initial is MechanismGame.draw_initial:
        shape = (game.n, game.type_size, count)
        strata = rng.permuted(np.broadcast_to(np.arange(count), shape), axis=-1) + rng.random(shape)
        state = evolve(state, types=game.initial_types(np.moveaxis(strata / count, -1, 0)))
    obs, mask = game.observe(state, "participant"), game.legal_actions(state, "participant")
    parts = []
    for start in range(0, count, CHUNK):
        rows = slice(start, start + CHUNK)
        seen, memory = obs[rows], policy.initial_state(len(obs[rows]), rng)
        parts.append(policy.act(seen, None if mask is None else mask[rows], memory, rng)[0])
    actions = np.concatenate(parts)
    choices = game.action_layout("participant")
    expected = (count, game.n) if isinstance(choices, int) else (count, game.n, width(choices))
    if actions.shape == (count, game.n) and expected[2:] == (1,):
        actions = actions[..., None]
    if actions.shape != expected:
        raise ParameterError(f"the bidders' actions have the shape {actions.shape}, allowed: {expected}")
    return state, actions if isinstance(choices, int) else actions.astype(float)


def _judged(
    game: MechanismGame, seats: tuple[int, ...], plays: Sequence[Play], own: Play, known: BidFunction | NoSolution
) -> Judged:
    """Judge the first seat of a group: in bins of one play, or by the tables of two."""
    seat, (state, actions) = seats[0], own
    seen = game.observe(state, "participant")[:, seat, : width(game.type_layout())]
    best = None if isinstance(known, NoSolution) else known(seen).reshape(len(seen), -1)
    distances = _distances(game, own, seat, best)
    if len(plays) == 1:
        found = gains(game, *plays[0], seat, BINS)
        return Judged(seats, found.payoff, (found.low, found.high), *distances, "bins")
    auction = cast(AuctionGame, game)
    tables = [tabulated(auction, *half, seat) for half in plays]
    worth = auction.worth(state.types)[:, seat, 0]
    payoff, loss = _by_best_bid(tables, worth, actions[:, seat, 0], best, game.action_bounds("participant"))
    return Judged(seats, payoff, loss, *distances, "best_bid")


def _distances(game: MechanismGame, own: Play, seat: int, best: np.ndarray | None) -> tuple[float | None, float | None]:
    """Compute L2 as it is and weighted by shares, for the bids (B, k) of an equilibrium."""
    state, actions = own
    if best is None:
        return None, None
    if actions.ndim == 2:
        return None, None  # levels have no distance from bids
    errors = ((actions[:, seat] - best) ** 2).mean(-1)
    plain = float(errors.mean() ** 0.5)
    if not isinstance(game, AuctionGame):
        return plain, None
    shares = np.abs(outcomes(game, state, actions)[:, seat, :-1]).sum(-1)
    return plain, float((shares @ errors / shares.sum()) ** 0.5) if shares.sum() > 0 else None


def _by_best_bid(
    tables: Sequence[Interim],
    worth: np.ndarray,
    bids: np.ndarray,
    best: np.ndarray | None,
    box: tuple[np.ndarray, np.ndarray],
) -> tuple[float, tuple[float, float]]:
    """Compute the expected payoff and the bracket of the loss of bids (T,) at a worth (T,).

    Args:
        tables: of the two halves of the draws.
        worth: of the types that are judged.
        bids: what they bid.
        best: bids of an equilibrium, (T, 1), which are tried as well; None for none.
        box: least and greatest bid, (1,) each.
    """
    low, high = box[0][0], box[1][0]
    top = min(high, np.nextafter(max(table.beaten[-1] for table in tables), np.inf))
    grid = np.unique(np.append(np.linspace(low, top, GRID), high))
    step = (top - low) / (GRID - 1)
    given = np.stack([bids, *(() if best is None else (best[:, 0],))], axis=-1)

    def payoff(halves: Sequence[Interim], tried: np.ndarray) -> np.ndarray:
        """Compute payoffs by some of the draws, of bids (G,) or (T, G)."""
        shares, payments = np.mean([table(tried) for table in halves], axis=0)
        return np.asarray(worth[:, None] * shares - payments)

    def reply(halves: Sequence[Interim]) -> np.ndarray:
        """Find the best bids (T, 1) by some of the draws."""
        nearest = grid[payoff(halves, grid).argmax(-1)]
        finer = np.clip(nearest[:, None] + step * FINER, low, high)
        tried = np.concatenate([given, finer], axis=-1)
        return np.take_along_axis(tried, payoff(halves, tried).argmax(-1)[:, None], axis=-1)

    own = payoff(tables, bids[:, None])
    crossed = [
        (payoff([other], reply([table])) - payoff([other], bids[:, None])).mean()
        for table, other in (tables, tables[::-1])
    ]
    largest = (payoff(tables, reply(tables)) - own).mean()
    return float(own.mean()), (float(np.mean(crossed)), float(largest))
