"""Learning dynamics in textbook games: what converges, what does not, and to which kind of equilibrium.

Shapley 1964 is where fictitious play was shown not to converge: in his game play goes round in runs that grow by the
root of x^3 = x^2 + 1, and frequencies round a polygon. Nothing here is trained.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.solvers.normal_form.alpha_rank import alpha_rank
from lawgiver.envs.solvers.normal_form.correlated import correlated_equilibrium
from lawgiver.envs.solvers.normal_form.fictitious_play import FictitiousPlay, fictitious_play, runs
from lawgiver.envs.solvers.normal_form.hedge import hedge, optimistic_hedge
from lawgiver.envs.solvers.normal_form.nash import equilibria
from lawgiver.envs.solvers.normal_form.regret_matching import internal_regret_matching, regret_matching
from lawgiver.envs.solvers.normal_form.replicator import replicator
from lawgiver.trainers.reproduce.dynamics_known import EDGES, form_of, growth, polygon, uneven
from lawgiver.trainers.reproduce.runs import saved
from lawgiver.trainers.reproduce.table import Cell, Reproduction, Row
from lawgiver.trainers.runs.atomic_files import made_folder
from lawgiver.trainers.statistics.estimate import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Learning dynamics in textbook games (Shapley 1964 and others)"
RPS, SHAPLEY, CHICKEN = "Rock-paper-scissors", "Shapley's game", "Chicken"
NASHCONV = f"{RPS}: NashConv"
REGRETS = f"{SHAPLEY}: regrets of regret matching"
POLYGON = f"{SHAPLEY}: fictitious play"
EQUILIBRIA = f"{CHICKEN}: payoff of each"
EVOLUTION = "Evolution"
START = ([0.6, 0.3, 0.1], [0.2, 0.5, 0.3])
"""Where mixed play of rock-paper-scissors begins."""
HORIZONS = (100, 1_000, 10_000)
MATCHED = (2_000, 20_000)
"""Rounds of regret matching."""
PLAYED = 1_000_000
"""Rounds of fictitious play of Shapley's game."""
NOTES = (
    f"NashConv is the sum of both players' gains from a best reply. Play of {RPS.lower()} begins at {START}, of which"
    " hedge takes the logarithm for a head start; fictitious play begins with rock against paper.",
    "The bound is that of the time average of hedge, 4 sqrt(ln 3 / 2 T), 2 being the range of payoffs.",
    "Regret matching draws strategies at random: in square brackets the interval over seeds, Student's, which of a few"
    " seeds may reach below 0 although these regrets cannot. The coarse regret is the gain from the best single"
    " strategy, the correlated one that from the best reply to each recommendation.",
    "Runs are rounds of the same joint choice; the known limit of NashConv at their ends is that of the polygon whose"
    " runs grow by the root. Shares of the replicator are followed for 20 units of time in steps of 0.01.",
    "Uneven rock-paper-scissors: paper wins 0.5 from rock, scissors 0.1 from paper, rock 1 from scissors, at ranking"
    " intensity 0.1 in a population of 50. The limits are what OpenSpiel computes.",
)
OTHERS = (0.2130, 0.6771, 0.1099)
"""Alpha-rank's masses by OpenSpiel."""


def reproduce(folder: Path, n_seeds: int, jobs: int) -> Reproduction:
    """Make the tables and the figure; see :func:`lawgiver.trainers.reproduce.reproduce`. Nothing is trained."""
    course = fictitious_play(form_of("shapley"), PLAYED)
    comparisons: dict[str, Sequence[Mapping[str, Cell]]] = {
        NASHCONV: tuple(_nashconv()),
        REGRETS: tuple(_regrets(n_seeds)),
    }
    sections = {POLYGON: tuple(_polygon(course)), EQUILIBRIA: tuple(_chicken()), EVOLUTION: tuple(_evolution())}
    drawn = tuple(saved(made_folder(folder), _figures(course)))
    return Reproduction(TITLE, sections, NOTES, drawn, comparisons=comparisons)


def _nashconv() -> Iterator[dict[str, Cell]]:
    form = form_of("rock_paper_scissors")
    for rounds in HORIZONS:
        weighed, optimistic = hedge(form, rounds, start=START), optimistic_hedge(form, rounds, 0.25, START)
        yield {
            "rounds": f"{rounds:,}",
            "hedge, average": float(form.regrets(weighed.average).sum()),
            "bound": 4 * math.sqrt(math.log(3) / (2 * rounds)),
            "hedge, last": float(form.regrets(weighed.last).sum()),
            "optimistic hedge, last": float(form.regrets(optimistic.last).sum()),
            "fictitious play": float(form.regrets(fictitious_play(form, rounds, (0, 1)).frequencies).sum()),
        }


def _regrets(n_seeds: int) -> Iterator[dict[str, Cell]]:
    form = form_of("shapley")
    for name, play in (("external", regret_matching), ("internal", internal_regret_matching)):
        for rounds in MATCHED:
            joints = [play(form, rounds, seed) for seed in range(n_seeds)]
            yield {
                "regret matching": f"{name}, {rounds:,} rounds",
                "coarse regret": Estimate.of_seeds([max(float(form.coarse_regrets(x).max()), 0.0) for x in joints]),
                "correlated regret": Estimate.of_seeds([float(form.correlated_regrets(x).max()) for x in joints]),
            }


def _polygon(course: FictitiousPlay) -> Iterator[Row]:
    form = form_of("shapley")
    lengths = runs(course.choices)
    yield Row("growth of runs (last two); limit: root of x^3 = x^2 + 1", float(lengths[-1] / lengths[-2]), growth())
    yield Row(f"runs in {len(course.choices):,} rounds", float(len(lengths)))
    end = int(lengths.sum())
    at = tuple(np.bincount(course.choices[:end, i], minlength=form.sizes[i]) / end for i in range(2))
    corners = zip(*polygon(course, form), strict=True)
    known = [float(form.regrets(corner).sum()) for corner in corners]
    yield Row("NashConv at the end of a run", float(form.regrets(at).sum()), known[-1])
    best = correlated_equilibrium(form)
    off = np.where(form.payoffs.any(axis=0), 1 / EDGES, 0.0)
    yield Row("sum of payoffs in the best correlated equilibrium", float((best * form.payoffs).sum()), 1.0)
    yield Row("its probability of each joint choice that pays", float(best[off > 0].mean()), 1 / EDGES)


def _chicken() -> Iterator[Row]:
    form = form_of("chicken")
    for objective, name, known in (("welfare", "best", 5.25), ("worst_welfare", "worst", 3.6)):
        found = correlated_equilibrium(form, objective)  # type: ignore[arg-type]  # one of its objectives
        yield Row(f"{name} correlated equilibrium", float((found * form.payoffs).sum()) / 2, known)
    (mixed,) = [pair for pair in equilibria(form) if 0 < pair[0][0] < 1]
    yield Row("mixed Nash equilibrium", float(form.values(mixed)[0]), 14 / 3)


def _evolution() -> Iterator[Row]:
    form = form_of("rock_paper_scissors")
    orbit = replicator(form, 20.0, start=START)
    product = np.prod([shares.prod(axis=1) for shares in orbit.shares], axis=0)
    yield Row("product of all shares after 20 units of time", float(product[-1]), float(np.prod(START)))
    for name, mass, known in zip(form.names[0], alpha_rank(uneven(0.5, 0.1, 1.0), 0.1), OTHERS, strict=True):
        yield Row(f"alpha-rank of {name}, uneven", float(mass), known)


def _figures(course: FictitiousPlay) -> Iterator[tuple[str, str, Figure]]:
    from lawgiver.trainers.reproduce.dynamics_figure import panels

    yield "dynamics.png", "matrix-v0: learning in Shapley's game, rock-paper-scissors and chicken", panels(course)
