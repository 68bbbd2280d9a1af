"""Preference aggregation: rules at equal divergence, MOSAIC on candidates, and what fits and comparisons get wrong.

Soumalias, Curry and Seuken 2024 (MOSAIC); Ge et al. 2024 (linear social choice); Goelz, Haghtalab and Yang 2025
(distortion). None of their figures is compared with, since settings differ: beside ours stand closed forms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.solvers.preference_aggregation.bradley_terry import fitted, preferences
from lawgiver.envs.solvers.preference_aggregation.distortion import limit, ratio, share_of_first
from lawgiver.envs.solvers.preference_aggregation.linear_choice import (
    NAMES,
    counterexample,
    fitted_direction,
    leximax_copeland,
)
from lawgiver.envs.solvers.preference_aggregation.peaks import equilibrium_outcome
from lawgiver.trainers.reproduce import aggregation_candidates, aggregation_rules
from lawgiver.trainers.reproduce.aggregation_rules import SPENT
from lawgiver.trainers.reproduce.runs import saved
from lawgiver.trainers.reproduce.table import Cell, Reproduction
from lawgiver.trainers.runs.atomic_files import made_folder
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.streams import AGGREGATION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Preference aggregation: rules for annotators who disagree, and payments under which the truth is best"
REWARDS = "A. Rules that see rewards, at the same mean divergence"
RANKINGS = "B. Rules that see rankings, at the same mean divergence: all misreports tried"
CANDIDATES = "C. MOSAIC by the number of candidates, 50 replies, 3 advertisers, tau = 1"
OFFSETS = "D. Offsets of MOSAIC's payments"
WRITTEN = "E. MOSAIC on replies of an n-gram model of Python's documentation, M = 20, tau = 1"
PEAKS = "F. The mean of reports in [0, 1] as a game: distance between a peak and the outcome"
LINEAR = "G. A linear reward fitted to everybody's comparisons: c' is preferred to c by all"
DISTORTION = "H. Two replies that comparisons do not tell apart: welfare of the better by that of the other"
PROFILES = 500
"""Profiles on which rules are compared."""
DRAWN_PEAKS = 100_000
NOTES = (
    f"A, B: 5 annotators, 3 replies, rewards uniform on [0, 1], a uniform reference, {PROFILES} profiles; every rule at"
    f" the temperature at which it spends {SPENT} nats of KL(p || q) on average over these profiles. Gains are of"
    " an annotator's best misreport, the mean over annotators, and the greatest of all. In A they are searched, and so"
    " lower bounds; in B all rankings were tried. In square brackets intervals over profiles; differences are on the"
    " same profiles.",
    "B, dominance regret: the most by which another ranking raises the probability of one's best k replies, for some k:"
    " of all utilities with that ranking at once. Of rankings the mean is Borda's rule, and maxmin, which hedges"
    " between favourites, never spends so much.",
    "C: distance is the total variation between the law of the reply, over 3,000 draws of the candidates, and the"
    " optimal policy, of which sampling error is about 0.02 at M = 1; intervals over these draws. Logits of the"
    " reference and rewards are standard normal. Misreports are of two such instances.",
    "F: everybody wants the outcome near its own peak, and the game is solved by the median of peaks and phantoms.",
    "G: all 15 pairs of 6 replies, by a share p and the rest, who rank a a' b b' c' c and the reverse but for c' and c;"
    " leximax Copeland ranks as far as one linear reward can by majorities, subject to what everybody prefers.",
    "H: a share p gains 1 by the first reply, the others delta = 0.01 by the second, such that comparisons by"
    " Bradley-Terry annotators of sharpness beta are even. The fit makes both alike, whatever rule it is for.",
)


def reproduce(folder: Path, n_seeds: int, jobs: int) -> Reproduction:
    """Make the tables and the figure; see :func:`lawgiver.trainers.reproduce.reproduce`. Nothing is trained."""
    rewards, rankings = (aggregation_rules.compared(feedback, PROFILES) for feedback in ("rewards", "ranking"))
    mean = next(each for each in rewards if each.name == "mean")
    borda = next(each for each in rankings if each.name == "borda")
    curve = aggregation_rules.charged(mean.tau, PROFILES)
    comparisons: dict[str, Sequence[Mapping[str, Cell]]] = {
        REWARDS: [each.row(mean) for each in (*rewards, *curve[1:-1])],
        RANKINGS: [each.row(borda) for each in rankings],
        CANDIDATES: tuple(aggregation_candidates.rows()),
        OFFSETS: tuple(aggregation_candidates.controls()),
        WRITTEN: tuple(aggregation_candidates.written()),
        PEAKS: tuple(peaks()),
        LINEAR: tuple(linear()),
        DISTORTION: tuple(distortion()),
    }
    panels = {"Rewards are seen": (mean, [*rewards, *curve]), "Rankings are seen": (borda, rankings)}
    drawn = tuple(saved(made_folder(folder), _figures(panels)))
    return Reproduction(TITLE, {}, NOTES, drawn, comparisons=comparisons)


def _figures(panels: Mapping[str, aggregation_rules.Panel]) -> Iterator[tuple[str, str, Figure]]:
    heading = f"preference_aggregation-v0: 5 annotators, 3 replies, {SPENT} nats of divergence, {PROFILES} profiles"
    yield "aggregation_rules.png", heading, aggregation_rules.drawn(panels)


def peaks() -> Iterator[dict[str, Cell]]:
    """Tabulate the mean of reports that are true, the same in equilibrium, and the median, for peaks U[0, 1]."""
    for n in (3, 5, 10):
        drawn = np.random.default_rng([AGGREGATION, 5, n]).random((DRAWN_PEAKS, n))
        ends = (drawn.mean(1), equilibrium_outcome(drawn), np.median(drawn, axis=1))
        told, played, median = (np.abs(drawn - end[:, None]).mean(1) for end in ends)
        others = drawn[:, 1:].sum(1)
        lie = (np.clip(n * drawn[:, 0] - others, 0, 1) + others) / n
        gain = np.abs(drawn[:, 0] - ends[0]) - np.abs(drawn[:, 0] - lie)
        yield {
            "participants": f"n = {n}",
            "mean of the truth": Estimate.of_samples(told),
            "mean in equilibrium": Estimate.of_samples(played),
            "median": Estimate.of_samples(median),
            "gain of the first to exaggerate": Estimate.of_samples(gain),
        }


def linear() -> Iterator[dict[str, Cell]]:
    """Tabulate the fit of a linear reward to the counterexample, and the ranking by leximax Copeland."""
    for share in (0.6, 0.75, 0.9):
        features, shares = counterexample(share, 0.1, 0.1)
        theta = fitted_direction(features, shares)
        rewards = features @ theta
        yield {
            "share": f"p = {share:g}",
            "theta 1": float(theta[0]),
            "theta 2": float(theta[1]),
            "r(c') - r(c)": float(rewards[NAMES.index("c'")] - rewards[NAMES.index("c")]),
            "the fit ranks": " ".join(NAMES[k] for k in np.argsort(-rewards)),
            "leximax Copeland": " ".join(NAMES[k] for k in leximax_copeland(features, shares)),
        }


def distortion() -> Iterator[dict[str, Cell]]:
    """Tabulate the distortion of rules that see comparisons, by their sharpness."""
    weak = 0.01
    for sharpness in (1.0, 2.0, 4.0, 8.0, 16.0):
        share = share_of_first(sharpness, weak)
        first, second = (preferences(np.array(rewards), sharpness) for rewards in ((1.0, 0.0), (0.0, weak)))
        told = fitted(share * first + (1 - share) * second)
        yield {
            "sharpness": f"beta = {sharpness:g}",
            "share of the first": share,
            "fitted difference": float(told[0] - told[1]),
            "ratio, delta = 0.01": ratio(sharpness, weak),
            "(beta / 2) coth(beta / 2)": limit(sharpness),
            "beta / 2": sharpness / 2,
        }
