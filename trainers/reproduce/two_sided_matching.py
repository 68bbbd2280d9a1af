"""Two-sided matching: stability against truthfulness, learned and published; the exact frontier of three and three.

Ravindranath, Feng, Li, Ma, Kominers and Parkes (2021, arXiv 2107.03427) learn rules between deferred acceptance, top
trading cycles and random priority. Networks of the config ``matching`` are trained on their markets and measured by
their definitions. How far any rule can go is known for three on each side, by linear programming
(:mod:`lawgiver.envs.solvers.matching.frontier`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.trainers.ordinal.matching import LEARNED
from lawgiver.trainers.reproduce import matching_published as published
from lawgiver.trainers.reproduce.matching_published import published_rows
from lawgiver.trainers.reproduce.matching_three import (
    frontier_rows,
    known_rows,
    known_rules,
    learned_lotteries,
    learned_rows,
    points,
)
from lawgiver.trainers.reproduce.runs import finished_in_time, saved
from lawgiver.trainers.reproduce.table import Cell, Reproduction, Row, over_seeds
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate, confidence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lawgiver.trainers.ordinal.frontier_figure import Box

TITLE = "Two-sided matching: stability against truthfulness, learned rules and the exact frontier"
HEADING = "matching-v0: violations of stability and of strategyproofness, four rows and four columns"
THREE_HEADING = "matching-v0: blocking pairs against regret, all markets of three and three with complete lists"
CORRELATIONS = (0.0, 0.75)
"""Of the lists of a side."""
BRIEF: tuple[str, ...] = ()
"""Further overrides of the config ``matching``."""
MEASURES = {"stability": "stability", "strategyproofness": "regret"}
"""Keys of a summary by measure."""
NOTES = (
    "A to C: four rows and four columns; a list is cut with probability 0.2, and with the probability of the"
    " correlation it is the side's common one. Violations are the published ones: of stability, what pairs can expect"
    " to gain by each other, multiplied; of strategyproofness, what the best of all lists brings in the sense of"
    " first-order stochastic dominance, mean over participants and markets.",
    "A is what Ravindranath et al. print, by the weight lambda of stability in their loss, after 50,000 updates of"
    " 1,024 markets; their known rules are read off a figure. The config's weight w of strategyproofness beside"
    " stability is lambda = 1 / (1 + w).",
    "B and C: fresh markets, of the first seed for known rules. In square brackets stands the"
    f" {confidence()} interval over markets. Below the lines: how much more stable the learned rule is than the lower"
    " left hull of the known ones at its own violation of strategyproofness, market by market.",
    "D to F: all 46,656 markets of three and three with complete lists, and all complete lists as reports, exactly."
    " Regret is the mean over both sides. The frontier is the fewest expected blocking pairs of any lottery over"
    " matchings: a linear measure, and not the one of A to C.",
    "F: lotteries at the 669 markets that differ by more than names, learned by descent, without a network.",
)


def reproduce(folder: Path, n_seeds: int, jobs: int) -> Reproduction:
    """Make the tables and figures; see :func:`lawgiver.trainers.reproduce.reproduce`."""
    wanted = [
        (
            folder / f"correlation_{correlation:g}" / f"s{seed}",
            "matching",
            (f"game.correlation={correlation:g}", *BRIEF, f"seed={seed}"),
        )
        for correlation in CORRELATIONS
        for seed in range(n_seeds)
    ]
    runs, times = finished_in_time(wanted, jobs)
    by_correlation = {
        correlation: runs[at * n_seeds : (at + 1) * n_seeds] for at, correlation in enumerate(CORRELATIONS)
    }
    known, frontier = known_rules(), points(folder / "three")
    lotteries = learned_lotteries(folder / "three")
    comparisons: dict[str, Sequence[Mapping[str, Cell]]] = {
        "A. Published violations of learned rules, by network and correlation": tuple(published_rows()),
        "B. Learned and known rules, four and four": tuple(standing_rows(by_correlation)),
        "D. Known rules, three and three": tuple(known_rows(known)),
        "E. The frontier, three and three": tuple(frontier_rows(frontier)),
        "F. Lotteries learned by descent, three and three": tuple(learned_rows(lotteries)),
    }
    if any(run.summary["sides"] for run in runs):
        comparisons["C. Learned with four and four, played with others"] = tuple(played_rows(by_correlation))
    sections = {
        "Known rules": tuple(known_rule_rows(by_correlation)),
        "Learned rules over seeds": tuple(seed_rows(by_correlation)),
        "Time": times,
    }
    figures = tuple(saved(folder, _figures(by_correlation, known, frontier, lotteries)))
    return Reproduction(TITLE, sections, NOTES, figures, comparisons=dict(sorted(comparisons.items())))


def standing_rows(runs: Mapping[float, Sequence[Run]]) -> Iterator[dict[str, Cell]]:
    """Tabulate the rules of each seed beside known ones, those of the first seed's markets."""
    for correlation, several in runs.items():
        for name, each in several[0].summary["rules"].items():
            if name != LEARNED:
                yield _standing(correlation, name.replace("_", " "), each)
        for seed, run in enumerate(several):
            yield _standing(correlation, f"learned, seed {seed}", run.summary["rules"][LEARNED])


def _standing(correlation: float, name: str, found: Mapping[str, Any]) -> dict[str, Cell]:
    lines = found.get("below_lines")
    return {
        "correlation, rule": f"{correlation:g}, {name}",
        "stability": _interval(found["stability"]),
        "strategyproofness": _interval(found["regret"]),
        "welfare": _interval(found["welfare"]),
        "below the lines": "-" if lines is None else _interval(lines),
    }


def played_rows(runs: Mapping[float, Sequence[Run]]) -> Iterator[dict[str, Cell]]:
    """Tabulate the learned rules with other numbers on each side."""
    for correlation, several in runs.items():
        for seed, run in enumerate(several):
            for side, found in run.summary["sides"].items():
                yield {
                    "correlation, seed, each side": f"{correlation:g}, {seed}, {side}",
                    **{name: _interval(found[key]) for name, key in MEASURES.items()},
                    "markets": f"{found['stability'].n:,}",
                    "who try all lists": f"{found['audited']} of each side",
                }


def known_rule_rows(runs: Mapping[float, Sequence[Run]]) -> Iterator[Row]:
    """Compare known rules with what is published of them, on the markets of the first seed."""
    for correlation, several in runs.items():
        for name, figures in published.KNOWN[correlation].items():
            found = several[0].summary["rules"][name]
            for (measure, key), figure in zip(MEASURES.items(), figures, strict=True):
                quantity = f"correlation {correlation:g}, {name.replace('_', ' ')}: {measure}"
                yield Row(quantity, found[key], paper=f"{figure:g}")


def seed_rows(runs: Mapping[float, Sequence[Run]]) -> Iterator[Row]:
    """Compare the mean of the seeds with the published networks whose lambda differs by less than 0.2."""
    for correlation, several in runs.items():
        own = 1 / (1 + several[0].settings["trainer"]["weight"])
        near = [at for at, lambda_ in enumerate(published.LAMBDAS) if abs(lambda_ - own) < 0.2]
        for place, (name, key) in enumerate(MEASURES.items()):
            paper = "; ".join(
                f"{published.LEARNED[correlation]['CNN'][at][place]:.4f} (CNN, lambda {published.LAMBDAS[at]:g})"
                for at in near
            )
            values = [run.summary["rules"][LEARNED][key].mean for run in several]
            yield over_seeds(f"correlation {correlation:g}, lambda {own:.3g}: {name}", values, paper=paper)
        lines = [run.summary["rules"][LEARNED]["below_lines"] for run in several]
        clear = sum(each.ends[0] > 0 for each in lines)
        yield Row(f"correlation {correlation:g}: seeds that are below the lines", float(clear), float(len(lines)))


def _interval(found: Estimate) -> str:
    low, high = found.ends
    return f"{found.mean:.4f} [{low:.4f}, {high:.4f}]"


def _figures(
    runs: Mapping[float, Sequence[Run]],
    known: Mapping[str, tuple[Any, Any]],
    frontier: Sequence[tuple[float, float]],
    lotteries: Mapping[float, Mapping[str, float]],
) -> Iterator[tuple[str, str, Figure]]:
    """Yield the figures, each with file name and heading."""
    from lawgiver.trainers.ordinal.figures import MATCHED, marks
    from lawgiver.trainers.ordinal.frontier_figure import Labels, Mark, standing
    from lawgiver.trainers.ordinal.hull import hull

    for correlation, several in runs.items():
        beside, _ = marks(several[0].summary["rules"], "stability")
        placed = [(mark.x, mark.y) for mark in beside.values()]
        own = [marks(run.summary["rules"], "stability")[1][LEARNED][0] for run in several]
        theirs = {
            f"published {name}": [Mark(truthful, stable) for stable, truthful in found]
            for name, found in published.LEARNED[correlation].items()
        }
        learned = {f"learned, {len(several)} seeds": own, **theirs}
        title = f"correlation {correlation:g}; bars are {confidence()} intervals; down and left is better"
        curve = np.array([placed[i] for i in hull(placed)])
        name = f"two_sided_matching_{int(100 * correlation)}.png"
        yield name, HEADING, standing(beside, learned, curve, title, _low(curve[1:]), MATCHED)
    corners = np.array(frontier)
    yield (
        "two_sided_matching_three.png",
        THREE_HEADING,
        standing(
            {name: Mark(float(regret), float(blocking)) for name, (regret, blocking) in known.items()},
            {"lotteries learned by descent": [Mark(each["regret"], each["blocking"]) for each in lotteries.values()]},
            np.array([*corners, (max(float(regret) for regret, _ in known.values()), 0.0)]),
            "all markets; down and left is better",
            _low(corners),
            Labels("regret of the true list: mean over both sides, stochastic dominance", "blocking pairs"),
        ),
    )


def _low(points: np.ndarray) -> Box | None:
    """Choose the part of the plane up to a third beyond points (P, 2), None where they lie on an axis."""
    x, y = (float(most) for most in points.max(0, initial=0.0))
    return ((-0.04 * x, x * 4 / 3), (-0.04 * y, y * 4 / 3)) if x * y > 0 else None
