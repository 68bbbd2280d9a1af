"""Learners of bids beside the equilibria that they should find: exact, in tables, by networks and by RLlib.

All of them are judged alike: as bid functions of the auction with bids of any size, by their distance from the known
equilibrium (L2) and by what a best reply would gain (:mod:`lawgiver.trainers.bidding.judge`). A table's bid function is
the mean bid of each level of the type, and what lies between two levels is interpolated.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.families.auction_game import AuctionGame, BidFunction
from lawgiver.envs.solvers.auctions.kernel_subgame import KernelSubgame
from lawgiver.envs.solvers.equilibrium.incentives import incentives
from lawgiver.envs.solvers.equilibrium.one_round import SOLVED
from lawgiver.envs.solvers.equilibrium.subgame import uniform_prior
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import solve
from lawgiver.trainers.bidding.evaluation import announced_rule, equilibrium_bids
from lawgiver.trainers.bidding.judge import Judged, Judgement, judge
from lawgiver.trainers.mechanism_design.two_timescale.learning import DualAveraging, FictitiousPlay, Learners, play
from lawgiver.trainers.reproduce.runs import finished_in_time, slug
from lawgiver.trainers.reproduce.table import Cell, Row
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.streams import BIDDING

DRAWS = 2**20
"""Draws of the others' bids in a judgement."""
STEPS = 1_000
"""Steps of fictitious play and of dual averaging."""


LEVELS = 257
"""Levels of bids of the tables."""
RATIONAL = 2e5
"""Inverse temperature of the exact equilibrium, which is to be near that of rational bidders."""
BOUNDED = 3_000.0
"""That of fictitious play and of dual averaging."""


@dataclass(frozen=True)
class Format:
    """An auction in which bidders learn.

    Attributes:
        name: what the table calls it.
        params: parameters of the game.
        high: largest bid of the tables, at least the largest of the equilibrium: a finer grid for as many levels.
        game: its name.
        levels: of bids.
        networks: those that learn in it.
    """

    name: str
    params: Mapping[str, Any]
    high: float | None = None
    game: str = "sealed_bid"
    levels: int = LEVELS
    networks: tuple[str, ...] = ("smoothed",)

    def make(self, **more: Any) -> AuctionGame:
        """Make the game, with bids of any size where nothing else is said."""
        game = make_game(self.game, **{**self.params, **more})
        assert isinstance(game, AuctionGame)
        return game

    @property
    def overrides(self) -> tuple[str, ...]:
        """Overrides of a training's config that make it one in this game."""
        given = "".join(f", {key}: {value}" for key, value in self.params.items())
        return (f"game={{name: {self.game}{given}}}",)


PRICINGS = {"first price": "first", "second price": "next", "all-pay": "all_pay"}
FORMATS = (
    *(
        Format(
            f"{name}, n = {n}",
            {"n": n, "pricing": pricing},
            None if pricing == "next" else 1.02 * (n - 1) / n,
            networks=("smoothed",) if n == 5 else ("smoothed", "sorted", "evolution"),
        )
        for name, pricing in PRICINGS.items()
        for n in (2, 3, 5)
    ),
    Format("first price, U[0, 1] against U[0, 2]", {"preset": "asymmetric"}, 0.7, levels=97),
    Format(
        "LLG, nearest VCG, the locals",
        {"preset": "llg", "pricing": "nearest_vcg"},
        game="combinatorial_auction",
        levels=65,
    ),
    Format("second price, mineral rights, n = 3", {"preset": "mineral_rights"}, 1.1, levels=129),
    Format("first price, affiliated signals", {"preset": "affiliated"}, 1.4, levels=97),
)


@dataclass(frozen=True)
class Learned:
    """Judgement of a learner in one format.

    Attributes:
        judged: the group that is told of: the one that loses most, of LLG the locals.
        in_table: share of its payoff that a bidder loses in its own table, None where there is none.
        seconds: of the processor, of what is found in a table; None for a training.
    """

    judged: Judged
    in_table: float | None = None
    seconds: float | None = None


def in_tables(wanted: Format) -> Iterator[tuple[str, Learned]]:
    """Find the exact logit equilibrium, and what learners of tables come to, by name.

    Raises:
        UnsupportedGameError: if there is no exact equilibrium.
    """
    game = wanted.make(n_bids=wanted.levels, **({} if wanted.high is None else {"high": wanted.high}))
    subgame: Any = game.subgame
    w, prior, began = np.zeros(len(game.rule_names)), uniform_prior(subgame), time.process_time()
    found = solve(subgame, w, RATIONAL, prior)
    if found.residual > SOLVED:
        raise UnsupportedGameError(f"{wanted.name}: no exact equilibrium ({found.residual:.1g} off)")
    yield f"exact equilibrium, inverse temperature {RATIONAL:,.0f}", _judged(wanted, game, found.policy, began)
    common: dict[str, Any] = {"subgame": subgame, "prior": prior, "inverse_temperature": BOUNDED}
    learners: dict[str, Learners] = {
        f"fictitious play, {BOUNDED:,.0f}": FictitiousPlay(updates=STEPS, **common),
        f"dual averaging, {BOUNDED:,.0f}": DualAveraging(updates=STEPS, first_step=10.0, **common),
    }
    for name, learner in learners.items():
        began = time.process_time()
        population = learner.respond(learner.beginning, w[None], 1.0)
        yield name, _judged(wanted, game, play(learner.logits(population, w[None])[0]), began)


def _judged(wanted: Format, game: AuctionGame, policy: np.ndarray, began: float) -> Learned:
    """Judge the mean bids of a table (T, S, A) in the game with bids of any size."""
    seconds, subgame, box = time.process_time() - began, game.subgame, wanted.make()
    assert isinstance(subgame, KernelSubgame)
    w = np.zeros(len(game.rule_names))
    regret = incentives(game, w, policy)["regret"]
    earned = float(subgame.measures(w, policy)["surplus"]) / game.n
    bids, known = bid_functions(subgame, policy), equilibrium_bids(box, w)
    found = judge(box, w, bids, equilibrium=known, draws=DRAWS, seed=[BIDDING, 0])
    return Learned(told(found), regret / earned, seconds)


def bid_functions(subgame: KernelSubgame, policy: np.ndarray) -> list[BidFunction]:
    """Return the mean bid of each seat as a function of what it sees of its type, for a table (T, S, A)."""
    means = subgame.mean_bids(policy)
    of_seat: dict[int, BidFunction] = {}
    for number, group in enumerate(subgame.groups):
        of_seat |= dict.fromkeys(group.seats, _interpolated(subgame.types[number], means[number]))
    return [of_seat[seat] for seat in range(subgame.game.n)]


def _interpolated(levels: np.ndarray, bids: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function through bids (S,) at levels of the type (S,), straight on beyond the first and the last."""

    def bid(seen: np.ndarray) -> np.ndarray:
        types = seen[..., :1]
        first, last = (np.diff(bids)[end] / np.diff(levels)[end] for end in (0, -1))
        below, above = np.minimum(types - levels[0], 0), np.maximum(types - levels[-1], 0)
        return np.asarray(np.maximum(np.interp(types, levels, bids) + first * below + last * above, 0.0))

    return bid


NETWORKS = {
    "smoothed": ("trainer.method=smoothed",),
    "sorted": ("trainer.method=sorted",),
    "evolution": ("trainer.method=evolution", "trainer.batch=1024"),
}
"""Overrides of the packaged config ``first_price_bidders`` by method."""
CONTROL = FORMATS[0].name
"""The format in which RLlib trains bidders by self-play, config ``first_price_bidders_ppo``."""


def by_networks(folder: Path, n_seeds: int, jobs: int) -> tuple[dict[str, dict[str, list[Learned]]], tuple[Row, ...]]:
    """Train networks in every format.

    Returns:
        what each seed has come to, by format and learner; and how long it took.
    """
    wanted = {
        (each.name, f"network, {method}", seed): (
            folder / slug(each.name) / method / f"s{seed}",
            "first_price_bidders",
            (*each.overrides, *NETWORKS[method], f"seed={seed}"),
        )
        for each in FORMATS
        for method in each.networks
        for seed in range(n_seeds)
    }
    wanted |= {
        (CONTROL, "network, PPO by self-play", seed): (
            folder / slug(CONTROL) / "ppo" / f"s{seed}",
            "first_price_bidders_ppo",
            (f"seed={seed}",),
        )
        for seed in range(n_seeds)
    }
    found: dict[str, dict[str, list[Learned]]] = {}
    runs, times = finished_in_time(list(wanted.values()), jobs, " of networks")
    for (name, learner, _), run in zip(wanted, runs, strict=True):
        found.setdefault(name, {}).setdefault(learner, []).append(_of_run(run))
    return found, times


def _of_run(run: Run) -> Learned:
    """Judge the bidders of a run."""
    game: Any = run.game()
    w, bidders = announced_rule(run, game), load(run.path, role="participant")
    known = equilibrium_bids(game, w)
    return Learned(told(judge(game, w, bidders, equilibrium=known, draws=DRAWS, seed=[BIDDING, 0])))


def told(judgement: Judgement) -> Judged:
    """Return the group that loses most of its payoff among those whose bids the equilibrium does not leave open.

    In the local-local-global auction that is the locals: losses of the global bidder, who bids its value, are flat.
    """
    groups = [each for each in judgement.groups if len(each.seats) > 1] or list(judgement.groups)
    return max(groups, key=lambda each: each.loss[1])


def rows(learners: Mapping[str, Sequence[Learned]]) -> Iterator[dict[str, Cell]]:
    """Tabulate learners of one format by name: means over seeds."""
    for name, each in learners.items():
        judgements = [one.judged for one in each]
        losses = [one.relative_loss or (math.nan, math.nan) for one in judgements]  # no share of a payoff below 0
        yield {
            "learner": name,
            "L2": _mean([one.l2 for one in judgements]),
            "L2 weighted by wins": _mean([one.l2_weighted for one in judgements]),
            "loss, % of payoff: at least": _mean([100 * low for low, _ in losses]),
            "at most": _mean([100 * high for _, high in losses]),
            "on its grid, %": _mean([None if one.in_table is None else 100 * one.in_table for one in each]),
            "CPU seconds": _mean([one.seconds for one in each]),
        }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
