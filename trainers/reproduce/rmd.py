"""Mguni and Tomczak, Efficient Reinforcement Dynamic Mechanism Design: figures 1 and 2.

The paper prints two figures without a number in the text: no length of the lanes, weights, degree, rates, numbers of
episodes or seeds. It says that without the mechanism welfare is negative and very noisy, and that with it welfare is
steady and much higher. That ordering, and how far the noise falls, is what can be held against the closed forms here;
no value of a curve can be.

Everything is played with the packaged config ``lanes``; what differs from it is below.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.lanes.game import Lanes
from lawgiver.envs.lanes.solutions import (
    Setting,
    meeting_welfare_sd,
    no_mechanism_welfare,
    optimal_threshold,
    private_optimum_welfare,
)
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import prior_table, solve
from lawgiver.trainers.reproduce.noise import band, pooled, welfare_sd
from lawgiver.trainers.reproduce.runs import finished, saved
from lawgiver.trainers.reproduce.table import Reproduction, Row, over_seeds
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.summary import Summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lawgiver.trainers.mechanism_design import figures as design

EVALUATIONS = 2000
"""Mechanisms that are tried in a training, with any optimiser."""
LINES = 250
"""Lines of metrics of a training."""
SETTLED = 1 / 3
"""The last part of a training, in which games count for the table."""
CROWDS = (20, 10, 5)
"""Numbers of participants of figure 1, from top to bottom."""

HEADINGS = {
    "figure1.png": "lanes-v0, a learned payment (config lanes): welfare as played",
    "figure2.png": "lanes-v0, 3 participants, learned payments of several forms (config lanes): mean welfare as played",
    "figure2_learned.png": "lanes-v0, 3 participants, payments of several forms (config lanes): what was learned",
}
"""Mechanism and game of each figure."""

STAYING = ("agents.mechanism.optimiser=fixed", "agents.mechanism.start=no_mechanism")
ONE_POINT = ("agents.mechanism.optimiser=one_point",)
TWO_POINT = ("agents.mechanism.optimiser=two_point", "agents.mechanism.start=no_mechanism")
ARMS = {
    "without mechanism": STAYING,
    "one-point (the paper's), from (0, -1)": ONE_POINT,
    "two-point, from no payment": TWO_POINT,
}
"""Overrides of the designers of figure 1."""
DEGREES = {
    "constant (degree 0): no mechanism": STAYING,
    "degree 1": (*TWO_POINT, "game.degree=1"),
    "degree 2": TWO_POINT,
    "degree 3": (*TWO_POINT, "game.degree=3"),
}
BASES = {
    "degree 2 on the start, as printed": (*TWO_POINT, "game.payment_on=x0"),
    "degree 2 on the move": (*TWO_POINT, "game.payment_on=u"),
    "degree 2": TWO_POINT,
    "degree 2, raw powers": (*TWO_POINT, "game.basis=raw"),
}
"""Overrides of the payments of figure 2, by degree and by base."""

FIGURE_2 = (
    "3 participants: payments on where a participant ends, by degree",
    "3 participants: payments of degree 2, on where a participant ends but for the first two",
)

TITLE = "Efficient Reinforcement Dynamic Mechanism Design (Mguni and Tomczak): figures 1 and 2"
TIME = "games played"
WELFARE = "welfare of a game"
LEARNED = "welfare of a game, in equilibrium under what was learned"
NOTES = (
    "The paper prints both figures without any number: what it tells of figure 1 is the ordering and that the noise"
    " falls. Of figure 2 it tells nothing but that payment functions are compared.",
    "Welfare is a loss: ours / limit above 1 means that more is lost than need be.",
    "Played: games of the last third (of every iteration that is logged), those under perturbed payments included."
    " Learned: in the exact equilibrium under the payment that was learned, the limit being the best payment in the box"
    " for the same participants.",
    "Closed forms hold for rational participants, who stay without mechanism (a = 0) and meet at a* at best; ours are"
    " of bounded rationality, inverse temperature 100.",
    "Participants who count only their own movement are what the paper describes. Those who count the whole of the"
    " printed payoff coordinate without any mechanism: the last table is all the room that one has there.",
)


@dataclass(frozen=True)
class Trained:
    """Trainings of one kind that differ in their seeds alone.

    Attributes:
        runs: finished, one a seed.
    """

    runs: tuple[Run, ...]

    @cached_property
    def game(self) -> Lanes:
        """The game that was played."""
        game = self.runs[0].game()
        assert isinstance(game, Lanes)
        return game

    @cached_property
    def histories(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Of each seed: games played so far, mean and standard deviation of the welfare of the last ones, (T,) each."""
        games = self.runs[0].settings["agents"]["mechanism"]["games_per_evaluation"]
        found = []
        for run in self.runs:
            lines = run.lines()
            played = games * np.array([line["evaluations"] for line in lines])
            found.append((played, *(np.array([line[key] for line in lines]) for key in ("measured", "measured_sd"))))
        return found

    def settled(self) -> list[tuple[float, float]]:
        """Compute mean and standard deviation of welfare over the last games of each seed."""
        last = slice(-round(SETTLED * len(self.histories[0][0])), None)
        return [pooled(mean[last], sd[last]) for _, mean, sd in self.histories]

    def learned(self) -> list[float]:
        """Read the equilibrium welfare under the learned payment, of each seed."""
        return [run.summary["welfare"]["learned"] for run in self.runs]

    @cached_property
    def summary(self) -> Summary:
        """Summary of the first seed; its reference values are those of every seed."""
        return self.runs[0].summary

    @property
    def designed(self) -> bool:
        """Whether a payment was learned."""
        return bool(self.runs[0].settings["agents"]["mechanism"]["optimiser"] != "fixed")

    @property
    def limit(self) -> str:
        """Name of the exact reference value: the best payment in the box, or no mechanism."""
        return "best_in_box" if self.designed else "no_mechanism"

    def noise(self) -> float:
        """Compute the exact standard deviation of a game's welfare in the equilibrium under :attr:`limit`."""
        parameters = np.array([column[self.limit] for column in self.summary["parameters"].values()])
        prior = prior_table(self.game, None, parameters)
        found = solve(self.game.subgame, parameters, self.summary["inverse_temperature"], prior)
        return welfare_sd(self.game, found.policy)


def reproduce(folder: Path, n_seeds: int, jobs: int) -> Reproduction:
    """Make the tables and figures; see :func:`lawgiver.trainers.reproduce.reproduce`."""

    def trained(n: int, overrides: Sequence[str]) -> Trained:
        return _trained(folder, n, overrides, n_seeds, jobs)

    crowds = {n: {arm: trained(n, what) for arm, what in ARMS.items()} for n in CROWDS}
    three = [{name: trained(3, what) for name, what in kinds.items()} for kinds in (DEGREES, BASES)]
    kinds = {name: found for group in three for name, found in group.items()}
    sections = {f"Figure 1, {n} participants": tuple(_pattern(arms)) for n, arms in sorted(crowds.items())}
    payments = tuple(_payment(*kind) for kind in kinds.items())
    sections["Figure 2, 3 participants: welfare under what was learned"] = payments
    sections["Participants who count their whole utility: exact"] = tuple(_room())
    return Reproduction(TITLE, sections, NOTES, tuple(saved(folder, _figures(crowds, three))))


def _figures(
    crowds: Mapping[int, Mapping[str, Trained]], three: Sequence[Mapping[str, Trained]]
) -> Iterator[tuple[str, str, Figure]]:
    """Yield both figures, with file names and headings."""
    from lawgiver.trainers.mechanism_design import figures as design

    first = [_panel(f"{n} participants", arms) for n, arms in crowds.items()]
    second = [_panel(title, group, noisy=False) for title, group in zip(FIGURE_2, three, strict=True)]
    drawn = {
        "figure1.png": design.losses(first, TIME, WELFARE),
        "figure2.png": design.losses(second, TIME, WELFARE),
        "figure2_learned.png": _reached({name: found for group in three for name, found in group.items()}),
    }
    for name, figure in drawn.items():
        yield name, HEADINGS[name], figure


def _trained(folder: Path, n: int, overrides: Sequence[str], n_seeds: int, jobs: int) -> Trained:
    """Train or continue the runs of n participants, one a seed."""
    iterations = EVALUATIONS // (2 if TWO_POINT[0] in overrides else 1)
    length = (f"trainer.iterations={iterations}", f"trainer.log_every={max(1, iterations // LINES)}")
    name = "-".join(part.rpartition(".")[2].replace("=", "_") for part in (f"game.n={n}", *overrides))
    wanted = [
        (folder / name / f"s{seed}", "lanes", (*overrides, f"game.n={n}", *length, f"seed={seed}"))
        for seed in range(n_seeds)
    ]
    return Trained(finished(wanted, jobs))


def _panel(title: str, kinds: Mapping[str, Trained], noisy: bool = True) -> design.Panel:
    """Make the panel of welfare over the games played, with its reference values."""
    from lawgiver.trainers.mechanism_design import figures as design

    bands = {name: band(found.histories) for name, found in kinds.items()}
    shown = bands if noisy else {name: replace(one, sd=None) for name, one in bands.items()}
    return design.Panel(title, shown, _known(kinds.values()))


def _known(kinds: Iterable[Trained]) -> dict[str, float]:
    """List the reference values of welfare of one crowd; of several boxes, those of the box with the best payment."""
    best = max(kinds, key=lambda found: found.summary["welfare"]["best_in_box"])
    welfare = best.summary["welfare"]
    references = {name: welfare[name] for name in ("no_mechanism", "best_in_box", "optimum", "first_best")}
    return {"nobody_moves": -best.game.welfare_scale, **references}


def _reached(kinds: Mapping[str, Trained]) -> Figure:
    """Draw the final welfare of each payment function of figure 2, beside the best of its kind."""
    from lawgiver.trainers.mechanism_design import figures as design

    designed = {name: found for name, found in kinds.items() if found.designed}
    known = _known(kinds.values())
    known.pop("best_in_box")
    best = {name: found.summary["welfare"]["best_in_box"] for name, found in designed.items()}
    return design.dots({name: found.learned() for name, found in designed.items()}, best, known, LEARNED)


def _pattern(arms: Mapping[str, Trained]) -> Iterator[Row]:
    """Yield the rows of figure 1 for one number of participants: welfare and noise, without and with a mechanism."""
    without = next(iter(arms.values()))
    at = without.game.setting
    for name, found in arms.items():
        welfare, noise = zip(*found.settled(), strict=True)
        limit = found.summary["welfare"][found.limit]
        yield over_seeds(f"welfare, played, {name}", welfare, limit)
        yield over_seeds(f"its standard deviation from game to game, {name}", noise, found.noise())
        if found.designed:
            yield over_seeds(f"welfare, learned, {name}", found.learned(), limit)
    before = np.array(without.settled())
    best = next(found for found in arms.values() if found.designed)
    reached = (
        without.summary["welfare"]["no_mechanism"] / best.summary["welfare"]["best_in_box"],
        without.noise() / best.noise(),
    )
    rational = (
        no_mechanism_welfare(at, "local") / private_optimum_welfare(at),
        meeting_welfare_sd(at, 0.0) / meeting_welfare_sd(at, optimal_threshold(at)),
    )
    for what, value, limit in zip(("loss", "noise"), reached, rational, strict=True):
        yield Row(f"{what} without / best in the box, exact; closed form", value, limit=limit, paper="above 1")
    for name, found in arms.items():
        if found.designed:
            ratios = (before / np.array(found.settled())).T
            for what, values, limit in zip(("loss", "noise"), ratios, rational, strict=True):
                yield over_seeds(f"{what} without / {name}; closed form", values, limit, "above 1")


def _payment(name: str, found: Trained) -> Row:
    """Make the row of a kind of payment: its equilibrium welfare (of none: as played), and the best of that kind."""
    values = found.learned() if found.designed else [mean for mean, _ in found.settled()]
    return over_seeds(name, values, found.summary["welfare"][found.limit])


def _room() -> Iterator[Row]:
    """Yield the welfare of rational participants who count their whole utility, beside the optimum."""
    for n, cost in ((3, 0.1), (5, 0.1), (10, 0.1), (20, 0.1), (3, 0.5)):
        at = Setting(n, movement_cost=cost)
        name = f"welfare without mechanism, {n} participants, movement cost {cost:g}"
        yield Row(name, no_mechanism_welfare(at, "full"), limit=private_optimum_welfare(at))
