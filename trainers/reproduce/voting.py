"""Voting rules: manipulability and impossibility, exactly; the frontier of all rules, and rules that are learned on it.

Gibbard (1973, 1977) and Satterthwaite (1975) say what no rule can have. How much welfare each bit of truthfulness costs
is a linear program (:mod:`lawgiver.envs.solvers.social_choice.frontier`), beside which learned rules stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lawgiver.envs.solvers.social_choice.frontier import Frontier
from lawgiver.trainers.ordinal.voting import LEARNED
from lawgiver.trainers.reproduce.payment_free_points import Point
from lawgiver.trainers.reproduce.runs import finished_in_time, saved, slug
from lawgiver.trainers.reproduce.table import Cell, Reproduction, Row
from lawgiver.trainers.reproduce.voting_known import manipulable_rows, truthful_rows
from lawgiver.trainers.reproduce.voting_learned import (
    DEVIATORS,
    PROFILES,
    Kind,
    better_rows,
    corner_rows,
    frontier_rows,
    judged,
    large_rows,
    played_rows,
    standing_rows,
)
from lawgiver.trainers.statistics.estimate import confidence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Voting rules: how far they can be manipulated, the exact frontier, and rules that are learned on it"
HEADING = "voting-v0: welfare against regret, all profiles of seven voters and three alternatives"
CLOSE = 0.006
"""Welfare that a closer look at learned rules goes down."""
LARGE_HEADING = "voting-v0: welfare against regret, sampled profiles of 25 voters and five alternatives"
WEIGHTS = (0.02, 0.5, 1.5)
"""Of the regret, with seven voters and three alternatives; the second is the config's."""
TARGETS = (0.01, 0.0225, 0.04)
"""Bounds of the regret, one on each of the long edges of the frontier."""
TRACED = ("trainer.updates=3000", "trainer.learning_rate=0.01")
"""Of these, which take longer: between corners lotteries are not certain, and have to be learned to the last digit."""
BRIEF = ("trainer.evaluation.voters=[]",)
"""Of the evaluation of each: what they do with other numbers of voters is computed here."""
LARGE = (
    *("game.n=25", "game.m=5", "trainer.profiles=sampled", "trainer.updates=800"),
    "trainer.evaluation={voters: [], profiles: 100}",
)
"""Overrides where profiles are too many to list."""
LARGE_WEIGHTS = (0.3,)
"""Of the regret there."""
NOTES = (
    "Rankings are independent and uniform, ties go to the first alternative in A, and are shared in all that follows."
    " Gain: the largest of a voter with utilities equally spaced from 0 to 1, mean over voters and profiles.",
    "Welfare: mean utility of the voters, a voter's utilities independent and uniform in [0, 1]. Regret: what the best"
    " other ballot brings in the sense of first-order stochastic dominance, that is under the worst of all utilities in"
    " [0, 1] with the voter's ranking; mean over voters and profiles. Both are exact in C to F. The Nitzan-Kelly index"
    " of A counts profiles, regret measures lotteries: they are not to be compared.",
    "Frontier: greatest welfare of any rule at that regret. No rule is above it, and rounding alone brings one there.",
    f"G, H: {PROFILES:,} fresh profiles, the same for all rules, in each of which {DEVIATORS} voters try all ballots."
    f" In square brackets stands the {confidence()} interval, which adds in quadrature what profiles and seeds leave"
    " open. Differences are taken profile by profile; each interval is of one number alone.",
)


def reproduce(folder: Path, n_seeds: int, jobs: int) -> Reproduction:
    """Make the tables and figures; see :func:`lawgiver.trainers.reproduce.reproduce`."""
    weighted = [Kind(f"weight {weight:g}", (f"trainer.weight={weight}", *BRIEF)) for weight in WEIGHTS]
    traced = [Kind(f"target {target:g}", (f"trainer.target={target}", *TRACED, *BRIEF)) for target in TARGETS]
    large = [Kind(f"weight {weight:g}", (f"trainer.weight={weight}", *LARGE)) for weight in LARGE_WEIGHTS]
    wanted = [
        (folder / size / slug(kind.name) / f"s{seed}", "voting", (*kind.overrides, f"seed={seed}"))
        for size, kinds in {"7x3": [*weighted, *traced], "25x5": large}.items()
        for kind in kinds
        for seed in range(n_seeds)
    ]
    runs, times = finished_in_time(wanted, jobs)
    kinds = [
        replace(kind, runs=tuple(runs[i * n_seeds : (i + 1) * n_seeds]))
        for i, kind in enumerate([*weighted, *traced, *large])
    ]
    small, many = kinds[: -len(large)], kinds[-len(large) :]
    default = small[WEIGHTS.index(0.5)]
    game: Any = default.runs[0].game()
    frontier = Frontier(game.n, game.m)
    known, learned = judged(many, folder / "25x5" / "known")
    comparisons: dict[str, Sequence[Mapping[str, Cell]]] = {
        "A. How far rules can be manipulated": tuple(manipulable_rows()),
        "C. The frontier": tuple(frontier_rows()),
        "D. Its corners, seven voters and three alternatives": tuple(corner_rows(frontier)),
        "E. Rules, seven voters and three alternatives": tuple(standing_rows(small)),
        "F. Learned with seven voters, played with others": tuple(played_rows(default, folder / "7x3" / "known")),
        "G. Rules, 25 voters and five alternatives": tuple(large_rows(known, learned)),
        "H. Learned and known rules, 25 voters and five alternatives": tuple(better_rows(known, learned)),
    }
    sections = {
        "B. Truthful choice functions (Gibbard 1973, Satterthwaite 1975)": tuple(truthful_rows()),
        "Learned rules on the frontier": tuple(_verdicts(small, comparisons)),
        "Time": times,
    }
    drawn = tuple(saved(folder, _figures(small, frontier, known, learned)))
    return Reproduction(TITLE, sections, NOTES, drawn, comparisons=comparisons)


def _verdicts(kinds: Sequence[Kind], comparisons: Mapping[str, Sequence[Mapping[str, Cell]]]) -> Iterator[Row]:
    """Sum up how far learned rules are below the frontier, the largest of the seeds."""
    for kind in kinds:
        below = [max(run.summary["rules"][LEARNED]["below"], 0.0) for run in kind.runs]
        yield Row(f"{kind.name}: largest distance below the frontier of {len(below)} seeds", max(below))
    rows = comparisons["A. How far rules can be manipulated"]
    same = sum(row["as counted before"] == "yes" for row in rows)
    yield Row("rules and sizes of A that are as counted before", float(same), float(len(rows)))


def _figures(
    small: Sequence[Kind], frontier: Frontier, known: Sequence[Point], learned: Sequence[Point]
) -> Iterator[tuple[str, str, Figure]]:
    """Yield both figures, with file name and heading."""
    import numpy as np

    from lawgiver.trainers.ordinal.frontier_figure import Mark, standing

    rules = small[0].runs[0].summary["rules"]
    marks = {name.replace("_", " "): Mark(rules[name]["regret"], rules[name]["welfare"]) for name in rules}
    del marks[LEARNED]
    own: dict[str, list[Mark]] = {}
    for kind in small:
        what = "learned, by weight" if kind.name.startswith("weight") else "learned, by target"
        found = (run.summary["rules"][LEARNED] for run in kind.runs)
        own.setdefault(what, []).extend(Mark(each["regret"], each["welfare"]) for each in found)
    curve = np.array([(corner.regret, corner.objective) for corner in frontier.corners()])
    curve = np.concatenate([curve, [[max(mark.x for mark in marks.values()), curve[-1, 1]]]])
    placed = [mark for several in own.values() for mark in several]
    most, worth = max(mark.x for mark in placed), max(mark.y for mark in placed)
    close = ((most / 2, most * 1.04), (worth - CLOSE, worth + CLOSE / 6))
    yield "voting_frontier.png", HEADING, standing(marks, own, curve, f"{len(small[0].runs)} seeds of each", close)
    yield (
        "voting_large.png",
        LARGE_HEADING,
        standing(
            {point.name: Mark.of(point.x, point.y) for point in known},
            {point.name: [Mark.of(point.x, point.y)] for point in learned},
            None,
            f"means of {len(small[0].runs)} seeds; bars are {confidence()} intervals",
        ),
    )
