"""Optimal auctions of several items: learned menus and RegretNet beside what is known.

Menus are truthful whatever their numbers are. RegretNet's networks are truthful but for the regret that an audit finds:
beside the revenue that it claims, of bidders who tell the truth, stands the revenue when everybody reports the best
misreport that the audit has found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.trainers.audit import audit_game
from lawgiver.trainers.audit.result import mean_over_profiles
from lawgiver.trainers.reproduce.runs import finished_in_time, slug
from lawgiver.trainers.reproduce.table import Cell, Row
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate, mean_of
from lawgiver.trainers.statistics.streams import AUDIT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "D. Optimal auctions of several items: revenue, claimed and when gamed"
AUDITED = 100
"""Profiles in which menus are audited."""
NOTES = (
    "D: claimed, the revenue of truthful bidders on 200,000 fresh profiles. Regret: mean ex post gain of a bidder by"
    " the best misreport that the audit has found. When gamed: the revenue when everybody reports that. Means over"
    " seeds; in square brackets their interval. Share of the optimum: by differences to the optimal auction, profile by"
    " profile, which vary less than revenue. Item and bundle: Myerson's rule for every item as if there were no other,"
    " and for all items together. Optima are exact; where none is given none is known.",
    "Menus for two bidders with three items or more, for three with ten, and for five with one start from what"
    " Myerson's rule allocates, item by item; others from random lotteries. A menu weighs values linearly, cannot iron:"
    " of the irregular item it comes to a second price with a reserve, which falls short of Myerson's rule.",
    "Published revenues of networks are those claimed, at regrets up to some thousandths, and are no bounds of what"
    " truthful auctions earn; published optima of one item are means of about 10^4 draws.",
)


@dataclass(frozen=True)
class Setting:
    """An auction, and what learns in it.

    Attributes:
        name: of the auction.
        game: parameters of multi_item_auction, as overrides write them.
        menu: overrides of the config ``menu``.
        network: overrides of the config ``regret_net``; None where none is trained.
    """

    name: str
    game: str
    menu: tuple[str, ...] = ()
    network: tuple[str, ...] | None = None


FEW = ("agents.mechanism.entries=16",)
"""Entries of menus of one item."""
SETTINGS = (
    Setting("1 x 2, U[0, 1]", "n: 1", network=()),
    Setting("1 x 2, unit demand, U[2, 3]", "preset: unit_demand"),
    Setting(
        "1 x 2, U[4, 16] and U[4, 7]",
        "preset: unequal_items",
        ("agents.mechanism.entries=128", "trainer.temperature={start: 0.005, end: 0.001}"),
    ),
    Setting("1 x 2, triangle", "preset: triangle"),
    Setting("1 x 2, unit demand, U[0, 1]", "n: 1, demand: unit"),
    Setting("1 x 2, U[0, 4] and U[0, 3]", "n: 1, high: [[4, 3]]"),
    Setting("2 x 2, U[0, 1]", "n: 2", network=()),
    Setting("2 x 3, U[0, 1]", "m: 3", ("agents.mechanism.start=item_myerson",)),
    Setting("2 x 5, U[0, 1]", "m: 5", ("agents.mechanism={entries: 128, start: item_myerson}",)),
    Setting(
        "3 x 10, U[0, 1]",
        "n: 3, m: 10",
        (
            "agents.mechanism={entries: 1024, start: item_myerson}",
            "trainer.temperature={start: 0.004, end: 0.001}",
            "trainer.updates=1000",
        ),
    ),
    Setting("3 x 1, U[0, 1]", "n: 3, m: 1", FEW),
    Setting("3 x 1, exponential, mean 3", "preset: exponential_item", FEW),
    Setting("3 x 1, irregular", "preset: irregular_item", FEW),
    Setting("5 x 1, U[0, i]", "preset: asymmetric_item", ("agents.mechanism={entries: 16, start: item_myerson}",)),
)


@dataclass(frozen=True)
class Judged:
    """Judgement of a learned auction.

    Attributes:
        claimed: revenue of truthful bidders.
        regret: of a bidder, by an audit.
        gamed: revenue when everybody reports its best misreport.
    """

    claimed: Estimate
    regret: Estimate
    gamed: Estimate


Trainings = Mapping[str, Mapping[str, Sequence[Run]]]
"""Runs by setting and learner, one a seed."""


def trained(folder: Path, n_seeds: int, jobs: int) -> tuple[Trainings, tuple[Row, ...]]:
    """Train menus and networks in every setting; return the runs, and how long they took."""
    wanted = {
        (setting.name, learner, seed): (
            folder / slug(setting.name) / config / f"s{seed}",
            config,
            (f"game={{name: multi_item_auction, {setting.game}}}", *changes, f"seed={seed}"),
        )
        for setting in SETTINGS
        for learner, config, changes in (("menu", "menu", setting.menu), ("RegretNet", "regret_net", setting.network))
        if changes is not None
        for seed in range(n_seeds)
    }
    runs, times = finished_in_time(list(wanted.values()), jobs, " of auctions")
    found: dict[str, dict[str, list[Run]]] = {}
    for (name, learner, _), run in zip(wanted, runs, strict=True):
        found.setdefault(name, {}).setdefault(learner, []).append(run)
    return found, times


def comparisons(runs: Trainings) -> dict[str, Sequence[Mapping[str, Cell]]]:
    """Tabulate what is learned beside what is known, by heading."""
    return {TITLE: tuple(_rows(runs))}


def _rows(runs: Trainings) -> Iterator[dict[str, Cell]]:
    for name, learners in runs.items():
        known = learners["menu"][0].summary
        for learner, each in learners.items():
            judged = [judge(run) for run in each]
            ratios = [run.summary.get("ratio_to_limit") for run in each]
            yield {
                "auction": f"{name}: {learner}",
                "claimed": _over_seeds([one.claimed for one in judged]),
                "regret a bidder": _over_seeds([one.regret for one in judged]),
                "when gamed": _over_seeds([one.gamed for one in judged]),
                "item": _baseline(known, "item_myerson"),
                "bundle": _baseline(known, "bundle_myerson"),
                "VCG": _baseline(known, "vcg"),
                "optimum": known["revenue"]["limit"],
                "share of the optimum": None if None in ratios else _over_seeds(ratios),
            }


def _over_seeds(estimates: Sequence[Any]) -> Estimate:
    return Estimate.of_seeds([mean_of(each) for each in estimates])


def _baseline(summary: Any, name: str) -> float | None:
    found = summary["revenue"].get(name)
    return None if found is None else mean_of(found)


def judge(run: Run) -> Judged:
    """Read what a run's auction earns, and audit it if that is a menu: a network's audit is in its summary."""
    summary = run.summary
    if "regret" in summary:
        return Judged(*(summary[measure]["learned"] for measure in ("revenue", "regret", "revenue_gamed")))
    game: Any = run.game()
    types = game.initial_state(AUDITED, np.random.default_rng([AUDIT, run.settings["seed"]])).types
    found = audit_game(game, load(run.path, role="mechanism", game=game), types, effort=1, seed=run.settings["seed"])
    assert found.gamed is not None
    claimed, change = summary["revenue"]["learned"], float((found.gamed - found.payments).sum(1).mean())
    gamed = Estimate.normal(claimed.mean + change, claimed.standard_error, claimed.n)
    return Judged(claimed, mean_over_profiles(found.joint.gains), gamed)


def figures(runs: Trainings) -> Iterator[tuple[str, str, Figure]]:
    """Yield revenue by regret, claimed and when gamed, where both kinds are learned, with file name and heading."""
    from lawgiver.trainers.plots.style import free_colours, legend_beside, new_figure

    shown = {name: learners for name, learners in runs.items() if len(learners) > 1}
    if not shown:
        return
    figure = new_figure(4.6 * len(shown) + 3.0, 4.2)
    axes = figure.subplots(1, len(shown), squeeze=False)[0]
    for axis, (name, learners) in zip(axes, shown.items(), strict=True):
        known = learners["menu"][0].summary
        for colour, (learner, each) in zip(free_colours(()), learners.items(), strict=False):
            judged = [judge(run) for run in each]
            regret = [1e3 * one.regret.mean for one in judged]
            axis.plot(regret, [one.claimed.mean for one in judged], "o", color=colour, label=f"{learner}: claimed")
            axis.plot(
                regret, [one.gamed.mean for one in judged], "v", color=colour, fillstyle="none",
                label=f"{learner}: when gamed",
            )  # fmt: skip
        for value, dashes, label in (
            (known["revenue"]["limit"], "--", "optimum"),
            (_baseline(known, "bundle_myerson"), ":", "bundle, Myerson"),
        ):
            if value is not None:
                axis.axhline(value, color="#888888", linestyle=dashes, linewidth=1.2, label=label)
        axis.set_title(name, fontsize=10, loc="left")
        axis.set_xlabel("audited regret a bidder (1/1000)")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("revenue")
    entries = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    legend_beside(axes[-1], handles=list(entries.values()))  # not every panel has an optimum
    yield "auctions.png", "multi_item_auction-v0: revenue of learned auctions by audited regret", figure
