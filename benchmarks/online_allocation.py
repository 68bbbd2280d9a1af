"""Regret of mechanisms that assign items while they ask how good they are, beside the bound that is proven.

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/online_allocation.py [FIGURE.png]   prints tables (Markdown)
    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/online_allocation.py --quick        short games, in seconds

Four agents, values drawn from U[0, 1], one question a round, truthful answers. Every mechanism plays the same games: of
the same values, not the same noise. Confidence bounds are made for the number of rounds T of each game. Intervals are
Student's over games; those of exponents and ratios are by the jackknife. A round's doubt is the optimistic less the
pessimistic value of its assignment: while all intervals hold, its regret is no more.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.core.rollout import rollout
from lawgiver.envs.online_allocation import OnlineAllocation
from lawgiver.envs.solvers.online_allocation.assignments import at_items
from lawgiver.envs.solvers.online_allocation.bounds import gap_multiple, half_widths, interval
from lawgiver.envs.solvers.online_allocation.criteria import LOSSES
from lawgiver.trainers.plots import style
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.tables.markdown import header, row
from lawgiver.trainers.tables.wording import words

RULES = ("full_feedback", "dueling", "widest", "round_robin", "random_questions", "explore_then_commit")
HORIZONS, SHORT = (1_000, 4_000, 16_000), (50, 100, 200)
GAMES, FEW = 16, 4
SEED = 0
GROWING = ("max_min", "nash")
"""Criteria that are measured at every horizon."""
OTHERS = ("sum", "proportionality", "envy", "stability")
"""Criteria that are measured at the middle horizon."""


@dataclass(frozen=True)
class Played:
    """Games of one mechanism.

    Attributes:
        game: the game.
        regret: regret of each round, (T, B).
        doubts: optimistic less pessimistic value of the assignment in each round, (T, B).
        gaps: the narrowest of the gaps, min(1, 2 w), of the pairs that were asked about in each round, (T, B).
        held: games in which every value lay within its bounds in all rounds, (B,).
    """

    game: OnlineAllocation
    regret: np.ndarray
    doubts: np.ndarray
    gaps: np.ndarray
    held: np.ndarray

    @property
    def ends(self) -> np.ndarray:
        """Regret of the whole game, (B,)."""
        found: np.ndarray = self.regret.sum(0)
        return found


def query_of(criterion: str) -> str:
    """Choose what may be asked about: what participants have, unless the criterion hangs on other items too."""
    return "any_pair" if criterion in LOSSES else "own"


def play(rule: str, criterion: str, rounds: int, games: int, query: str) -> Played:
    """Play games with truthful participants, of the same values for every mechanism."""
    asked = 1
    if rule == "full_feedback":
        asked = make_game("online_allocation", criterion=criterion).roles["participant"]
    game = make_game("online_allocation", criterion=criterion, rounds=rounds, query=query, questions=asked)
    assert isinstance(game, OnlineAllocation)
    rng = np.random.default_rng(SEED)
    policies = {name: make_policy(game, name, by) for name, by in (("mechanism", rule), ("participant", "truthful"))}
    regret, doubts, gaps = (np.empty((rounds, games)) for _ in range(3))
    held = np.ones(games, bool)
    for step in rollout(game, policies, game.initial_state(games, rng), rng):
        state, at = step.state, step.index // 2
        if step.role == "participant":
            regret[at] = step.after.regret
            continue
        widths = half_widths(game.fairness, state.counts, rounds)
        known = at_items(np.where(state.counts > 0, np.minimum(1, 2 * widths), 1.0), np.maximum(step.after.asked, 0))
        gaps[at] = np.where(step.after.asked >= 0, known, np.inf).min(axis=-1)
        lower, upper = interval(game.fairness, game.estimates(state), state.counts, rounds)
        items = step.after.matched[:, : game.n]
        doubts[at] = game.fairness.value(upper, lower, items) - game.fairness.value(lower, upper, items)
        held &= ((lower <= state.values) & (state.values <= upper)).all(axis=(-2, -1))
    return Played(game, regret, doubts, gaps, held)


def jackknife(value: Callable[[np.ndarray], float], games: int) -> Estimate:
    """Estimate a function of the games that are kept, booleans (B,), its error by leaving out one after the other."""
    without = np.array([value(kept) for kept in ~np.eye(games, dtype=bool)])
    error = float(np.sqrt((games - 1) / games * ((without - without.mean()) ** 2).sum()))
    return Estimate.student(value(np.ones(games, bool)), error, games, games - 1)


def exponent(played: Sequence[Played]) -> Estimate:
    """Estimate the exponent of growth: the slope of the logarithm of mean regret over that of T."""
    x = np.log([one.game.rounds for one in played])
    x, ends = x - x.mean(), np.stack([one.ends for one in played])
    return jackknife(lambda kept: float(x @ np.log(ends[:, kept].mean(1)) / (x @ x)), ends.shape[1])


def ratio(above: Played, below: Played) -> Estimate:
    """Estimate the ratio of two mean regrets over the same games."""
    return jackknife(lambda kept: float(above.ends[kept].mean() / below.ends[kept].mean()), len(above.ends))


def written(found: Estimate, digits: int = 0) -> str:
    """Write a mean with the ends of its interval."""
    low, high = found.ends
    return f"{found.mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def growing(criterion: str, horizons: Sequence[int], games: int) -> dict[str, list[Played]]:
    """Print the regret of every mechanism at every horizon; return the games by mechanism."""
    print(f"\n{criterion}, query {query_of(criterion)}: regret after T rounds\n")
    header("mechanism", *(f"T = {rounds:,}" for rounds in horizons), "exponent", "relative to random questions")
    found = {rule: [play(rule, criterion, rounds, games, query_of(criterion)) for rounds in horizons] for rule in RULES}
    for rule, each in found.items():
        ends = (written(Estimate.of_seeds(one.ends)) for one in each)
        row(f"`{rule}`", *ends, written(exponent(each), 2), written(ratio(each[-1], found["random_questions"][-1]), 2))
    ends = (float(one.game.regret_bound(np.array([1.0 * one.game.rounds]))[0]) for one in found["dueling"])
    row("what is proven of `dueling`", *(f"{end:,.0f}" for end in ends), "", "")
    return found


def others(rounds: int, games: int) -> dict[str, Played]:
    """Print the regret of every mechanism by the other criteria at one horizon; return the games of dueling bounds."""
    print(f"\nregret after {rounds:,} rounds\n")
    header("mechanism", *(f"{criterion}, {query_of(criterion)}" for criterion in OTHERS))
    found = {}
    for rule in RULES:
        each = {criterion: play(rule, criterion, rounds, games, query_of(criterion)) for criterion in OTHERS}
        row(f"`{rule}`", *(written(Estimate.of_seeds(one.ends), 1) for one in each.values()))
        found = each if rule == "dueling" else found
    return found


def modes(horizons: Sequence[int], games: int) -> None:
    """Print how regret by envy grows where only own items may be asked about, and where any may."""
    print("\nenvy: regret after T rounds by what may be asked about\n")
    header("query", "mechanism", *(f"T = {rounds:,}" for rounds in horizons), "exponent")
    compared = (
        ("own", "explore_then_commit"),
        ("own", "dueling"),
        ("any_pair", "dueling"),
        ("any_pair", "random_questions"),
    )
    for query, rule in compared:
        each = [play(rule, "envy", rounds, games, query) for rounds in horizons]
        ends = (written(Estimate.of_seeds(one.ends)) for one in each)
        row(query, f"`{rule}`", *ends, written(exponent(each), 2))


def bounds(each: Sequence[Played]) -> None:
    """Print how far the regret of dueling bounds stays below what is proven, at every round of every game."""
    print("\ndueling bounds: the greatest share that regret is of each bound, over all rounds and games\n")
    header("criterion", "T", "of the bound on T", "of the sum of doubts", "a round's, of its doubt",
           "a round's doubt, of c times the gap asked about", "games in which all intervals held")  # fmt: skip
    for one in each:
        game, t = one.game, np.arange(1.0, one.game.rounds + 1)[:, None]
        total, gaps = one.regret.cumsum(0), gap_multiple(game.fairness, game.query) * one.gaps
        pairs = (
            (total, game.regret_bound(t)),
            (total, one.doubts.cumsum(0)),
            (one.regret, one.doubts),
            (one.doubts, gaps),
        )
        row(game.criterion, f"{game.rounds:,}", *(share(*pair) for pair in pairs),
            f"{one.held.sum()} of {len(one.held)}")  # fmt: skip


def share(part: np.ndarray, whole: np.ndarray) -> float:
    """Compute the greatest share that a part is of the whole, 0 where both are 0."""
    return float(np.max(np.where(part > 0, part, 0.0) / np.where(whole > 0, whole, np.where(part > 0, 0.0, 1.0))))


def draw(found: dict[str, dict[str, list[Played]]], to: Path) -> None:
    """Draw regret over rounds at the longest horizon, beside the bounds."""
    figure = style.new_figure(11.0, 4.6)
    for axis, (criterion, each) in zip(figure.subplots(1, len(found)), found.items(), strict=True):
        last = found[criterion]["dueling"][-1]
        t = np.unique(np.geomspace(1, last.game.rounds, 200).astype(int))
        for rule, colour in zip(RULES, style.CYCLE, strict=True):
            axis.plot(t, each[rule][-1].regret.cumsum(0).mean(1)[t - 1], color=colour, label=words(rule), linewidth=1.4)
        axis.plot(t, last.game.regret_bound(1.0 * t), color="#000000", linestyle="--", label="bound on T, dueling")
        doubts = last.doubts.cumsum(0).mean(1)
        axis.plot(t, doubts[t - 1], color="#000000", linestyle=":", label="sum of doubts, dueling")
        axis.set(xscale="log", yscale="log", xlabel="round t", ylabel=f"regret until t, {words(criterion)}")
        axis.grid(alpha=0.3)
        axis.set_title(f"{words(criterion)}, T = {last.game.rounds:,}", fontsize=10, loc="left")
    style.legend_beside(axis)
    style.save(figure, to)


def main(given: Sequence[str] | None = None) -> None:
    """Print the tables and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figure", nargs="?", type=Path)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args(given)
    start = time.process_time()
    horizons, games = (SHORT, FEW) if asked.quick else (HORIZONS, GAMES)
    found = {criterion: growing(criterion, horizons, games) for criterion in GROWING}
    duels = others(horizons[1], games)
    modes(horizons, games)
    bounds([*(one for criterion in GROWING for one in found[criterion]["dueling"]), *duels.values()])
    if asked.figure:
        draw(found, asked.figure)
    print(f"\n{time.process_time() - start:.0f} s of one core.")


if __name__ == "__main__":
    main()
