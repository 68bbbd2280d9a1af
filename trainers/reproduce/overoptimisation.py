"""Overoptimisation of a measured reward: tilts and best of n, sampled, beside their closed forms.

The form alpha d - beta d^2 in d = sqrt KL is the one that Gao, Schulman and Hilton 2023 fit to reward models of
language models. Their coefficients are in figures only; here they are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lawgiver.agents.mechanisms import Announcement
from lawgiver.envs.core.make import make_game
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.preference_aggregation import PreferenceAggregation
from lawgiver.envs.solvers.preference_aggregation.overoptimisation import GaussianReplies, fitted_coefficients
from lawgiver.trainers.reproduce.runs import saved
from lawgiver.trainers.reproduce.table import Cell, Reproduction, Row
from lawgiver.trainers.runs.atomic_files import made_folder
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.streams import AGGREGATION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MODEL = GaussianReplies(v=(1.0, 0.5, 0.0, 0.0), a=(0.05, 0.05, 0.3, 0.3), w=(1.0, 0.5, 0.6, 0.0))
TILTED = 400_000
"""Replies that are drawn of each tilt."""
CHOSEN = 20_000
"""Replies that are chosen as the best of n."""
DRAWN = 40_000_000
"""Replies that are drawn for these at most: fewer are chosen where n is large."""
DISTANCES = tuple(np.linspace(0.5, 5.0, 10).tolist())
SIZES = (4, 16, 64, 256, 1024, 4096)
TITLE = "Overoptimisation of a measured reward (after Gao, Schulman and Hilton 2023)"
FIT = "alpha d - beta d^2, fitted to sampled tilts at d = 0.5, ..., 5"
TILTS = "Tilts by the measured reward"
BEST = "The best of n replies by the measured reward"
GAME = "The preset goodhart: what the announced temperature is worth"
FACTORS = (0.5, 1.0, 1.5, 1.7205, 2.0, 3.0, 5.0)
NOTES = (
    "Replies have four features, standard normal under the reference; worth is v . y - y'Ay / 2 over that of the"
    f" reference, and w . y is measured, with v = {MODEL.v}, A of the diagonal {MODEL.a} and w = {MODEL.w}.",
    f"In square brackets intervals over replies: {TILTED:,} of each tilt, up to {CHOSEN:,} of each best of n, fewer"
    " where n is large.",
    "The preset is a finite game of 256 replies, whose worth is exact; its temperature is a factor on tau = 0.2.",
)


def reproduce(folder: Path, n_seeds: int, jobs: int) -> Reproduction:
    """Make the tables and the figure; see :func:`lawgiver.trainers.reproduce.reproduce`. Nothing is trained."""
    rng = np.random.default_rng([AGGREGATION, 6])
    tilts = {d: Estimate.of_samples(MODEL.sampled_tilt(d * d, TILTED, rng)) for d in DISTANCES}
    best = {n: _best_of(n, rng) for n in SIZES}
    sections = {FIT: tuple(_fit(tilts))}
    comparisons: dict[str, Sequence[Mapping[str, Cell]]] = {
        TILTS: tuple(_tilts(tilts)),
        BEST: tuple(_best(best)),
        GAME: tuple(_game()),
    }
    drawn = tuple(saved(made_folder(folder), _figures(tilts, best)))
    return Reproduction(TITLE, sections, NOTES, drawn, comparisons=comparisons)


def _best_of(n: int, rng: np.random.Generator) -> Estimate:
    """Sample the worth of the best of n, in parts that fit into memory."""
    count = min(CHOSEN, DRAWN // n)
    part = max(1_000_000 // n, 1)
    parts = [MODEL.sampled_best_of(n, min(part, count - start), rng) for start in range(0, count, part)]
    return Estimate.of_samples(np.concatenate(parts))


def _fit(tilts: Mapping[float, Estimate]) -> Iterator[Row]:
    worths = np.array([each.mean for each in tilts.values()])
    alpha, beta = fitted_coefficients(np.array(list(tilts)), worths)
    known = MODEL.coefficients
    yield Row("alpha", alpha, known[0], "-")
    yield Row("beta", beta, known[1], "-")
    yield Row("d at which worth is greatest", alpha / (2 * beta), MODEL.peak[0], "-")
    yield Row("greatest worth", alpha**2 / (4 * beta), MODEL.peak[1], "-")


def _tilts(tilts: Mapping[float, Estimate]) -> Iterator[dict[str, Cell]]:
    for d, found in tilts.items():
        known = MODEL.tilted_at(d * d)
        yield {"d": f"{d:g}", "worth, sampled": found, "closed form": known.worth, "measured": known.proxy}


def _best(best: Mapping[int, Estimate]) -> Iterator[dict[str, Cell]]:
    for n, found in best.items():
        known = MODEL.best_of(n)
        yield {
            "n": f"{n:,}",
            "KL": known.divergence,
            "worth, sampled": found,
            "closed form": known.worth,
            "measured": known.proxy,
            "worth of the tilt at this KL": MODEL.tilted_at(known.divergence).worth,
        }


def _game() -> Iterator[dict[str, Cell]]:
    game = make_game("preference_aggregation", preset="goodhart")
    assert isinstance(game, PreferenceAggregation)
    types = game.initial_state(1, np.random.default_rng(0)).types
    for factor in FACTORS:
        end = play_out(game, Announcement([factor]), types, types)
        spent = float(game.measures()["divergence"](end)[0])
        yield {
            "temperature": f"{factor:g} tau",
            "d": float(np.sqrt(spent)),
            "worth": float(game.measure(end)[0]),
            "measured": float(end.utilities.mean()),
        }


def _figures(tilts: Mapping[float, Estimate], best: Mapping[int, Estimate]) -> Iterator[tuple[str, str, Figure]]:
    from lawgiver.trainers.plots.style import CYCLE, legend_beside, new_figure

    figure = new_figure(8.4, 4.2)
    axis = figure.subplots()
    far = np.linspace(0, 2 * MODEL.peak[0], 200)
    optimised = [MODEL.tilted_at(d * d) for d in far]
    axis.plot(far, [each.proxy for each in optimised], "--", color=CYCLE[0], label="measured, tilt")
    axis.plot(far, [each.worth for each in optimised], color=CYCLE[0], label="worth, tilt")
    sizes = np.unique(np.geomspace(1, max(SIZES), 60).astype(int))
    chosen = [MODEL.best_of(int(n)) for n in sizes]
    at = np.sqrt([each.divergence for each in chosen])
    axis.plot(at, [each.proxy for each in chosen], "--", color=CYCLE[1], label="measured, best of n")
    axis.plot(at, [each.worth for each in chosen], color=CYCLE[1], label="worth, best of n")
    axis.errorbar(list(tilts), *_bars(tilts.values()), fmt="o", color=CYCLE[0], markersize=4, label="sampled tilts")
    places = [float(np.sqrt(MODEL.best_of(n).divergence)) for n in best]
    axis.errorbar(places, *_bars(best.values()), fmt="s", color=CYCLE[1], markersize=4, label="sampled best of n")
    axis.axvline(MODEL.peak[0], color="black", linewidth=0.8, linestyle=":", label="peak: alpha / 2 beta")
    axis.set_ylim(-0.5, 1.6 * MODEL.peak[1])
    axis.set_xlabel("distance from the reference: sqrt KL [sqrt nats]")
    axis.set_ylabel("reward over the reference's")
    axis.grid(alpha=0.3)
    legend_beside(axis)
    yield "overoptimisation.png", "Worth and measured reward of replies, closed forms and samples", figure


def _bars(estimates: Iterable[Estimate]) -> tuple[list[float], list[float]]:
    found = list(estimates)
    return [each.mean for each in found], [each.half for each in found]
