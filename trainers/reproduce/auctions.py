"""Auctions and pricing: equilibria, learners of bids, reserve prices, payments between agents, and collusion.

Not one paper but what a number of them know: equilibria in closed form (Krishna 2009), logit equilibria (McKelvey and
Palfrey 1995; Goeree, Holt and Palfrey 2002), core-selecting auctions (Ausubel and Baranov 2020), the learners of
Bichler et al. 2021 and 2023, payments between learning agents (Kolumbus, Halpern and Tardos 2024), and pricing
algorithms that collude (Calvano et al. 2020).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from lawgiver.trainers.reproduce import (
    auction_collusion,
    auction_equilibria,
    auction_learners,
    auction_llg,
    auction_menus,
    auction_payments,
)
from lawgiver.trainers.reproduce.auction_learners import FORMATS, Learned, by_networks, in_tables
from lawgiver.trainers.reproduce.auction_reserves import BestReserve, Pricing, best_reserves, learned_reserves
from lawgiver.trainers.reproduce.runs import saved
from lawgiver.trainers.reproduce.table import Cell, Reproduction, Row
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import confidence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES: Mapping[Pricing, str] = {"first": "first price", "next": "second price"}
Trainings: TypeAlias = Mapping[tuple[Pricing, float], Sequence[Run]]
"""Runs of reserves that were learned, by pricing and inverse temperature."""

TITLE = "Auctions and pricing: equilibria, learners of bids, reserves, payments between agents, and collusion"
A = "A. Known equilibria, played by the rules and in closed form"
LLG = "LLG with locals of one and the same value: what a local earns"
B = "B. {}: learners of bids"
C = "C. The best reserve for two bidders with values uniform on [0, 1], by pricing and inverse temperature"
HEADING = "sealed_bid-v0, two bidders in a first- or a second-price auction: reserve by inverse temperature"
NOTES = (
    f"A: {auction_equilibria.GAMES:,} auctions are played of each setting; in square brackets stands the {confidence()}"
    " interval of the mean. Equilibria are in closed form or by quadrature. Among so many settings, each of several"
    " numbers, a distance of three standard errors is to be expected somewhere.",
    "LLG: figures in circulation (bnelearn's table of known equilibria) for locals of one value count a bid in the"
    " place of the value. Enumerated: midpoints of 1,024 local by 2,048 global values through the game's own rule.",
    "B: all learners are judged as bid functions of an auction with bids of any size, by 2^20 draws of the others'"
    " bids: L2 is the root of the mean squared distance from the equilibrium. The loss is what a best reply gains, as a"
    " share of the payoff, as a bracket. Where it comes in bins of types (LLG, common worth) the bracket is wide.",
    "A table's bids are the means at its levels of types; what it loses on its grid of bids is less than what these"
    " means lose among bids of any size. In all-pay auctions most types earn next to nothing, of which a small loss is"
    " a large share. Fictitious play and dual averaging take 1,000 steps towards a logit equilibrium that is itself"
    " short of the rational one. Networks take 2,000 updates, the packaged configs. Means over seeds.",
    "C: the best of 49 reserves, a level of 65 bids apart, in exact logit equilibria. Learned: config sealed_bid, 33"
    " bids, in which bidders learn by fictitious play while the reserve moves; its share is of the revenue of the best"
    " reserve of its own box, in exact equilibria.",
    *auction_menus.NOTES,
    *auction_payments.NOTES,
    *auction_collusion.NOTES,
)


def reproduce(folder: Path, n_seeds: int, jobs: int) -> Reproduction:
    """Make the tables and the figure; see :func:`lawgiver.trainers.reproduce.reproduce`."""
    comparisons: dict[str, Sequence[Mapping[str, Cell]]] = {
        A: tuple(auction_equilibria.rows()),
        LLG: tuple(auction_llg.rows()),
    }
    networks, times = by_networks(folder / "bidders", n_seeds, jobs)
    for each in FORMATS:
        learners: dict[str, Sequence[Learned]] = {name: [found] for name, found in in_tables(each)}
        comparisons[B.format(each.name)] = tuple(auction_learners.rows(learners | networks[each.name]))
    best = tuple(best_reserves())
    learned = learned_reserves(folder / "reserves", jobs)
    comparisons[C] = tuple(_reserves(best, learned))
    selling, spent = auction_menus.trained(folder / "auctions", n_seeds, jobs)
    comparisons |= auction_menus.comparisons(selling)
    answers = auction_payments.learned_answers(folder / "payments", jobs)
    comparisons[auction_payments.TITLE] = tuple(auction_payments.rows())
    comparisons[auction_payments.SELLERS] = tuple(auction_payments.sellers(answers))
    colluding = auction_collusion.trained(folder / "collusion", jobs)
    comparisons |= auction_collusion.comparisons(colluding)
    sections = {
        "Two timescales: revenue beside the best reserve in the box": tuple(_reached(learned)),
        "Time": (*times, *spent),
    }
    figures = (
        _figures(best, learned),
        auction_menus.figures(selling),
        auction_payments.figures(answers),
        auction_collusion.figures(colluding),
    )
    drawn = tuple(saved(folder, itertools.chain(*figures)))
    return Reproduction(TITLE, sections, NOTES, drawn, comparisons=comparisons)


def _reserves(best: Sequence[BestReserve], learned: Trainings) -> Iterator[dict[str, Cell]]:
    for each in best:
        summary = learned[each.pricing, each.inverse_temperature][0].summary
        revenue = summary["revenue"]
        yield {
            "auction": f"{NAMES[each.pricing]}, {each.inverse_temperature:g}",
            "best reserve of 49": float(each.on_grid.parameters[0]),
            "its revenue": each.on_grid.value,
            "best in the box": float(each.in_box.parameters[0]),
            "revenue": each.in_box.value,
            "without a reserve": each.without,
            "learned": summary["parameters"]["reserve"]["learned"],
            "learned / best revenue": revenue["learned"] / revenue["best_in_box"],
        }


def _reached(learned: Trainings) -> Iterator[Row]:
    for (pricing, level), runs in learned.items():
        revenue = runs[0].summary["revenue"]
        name = f"{NAMES[pricing]}, inverse temperature {level:g}: revenue learned"
        yield Row(name, revenue["learned"], limit=revenue["best_in_box"])


def _figures(best: Sequence[BestReserve], learned: Trainings) -> Iterator[tuple[str, str, Figure]]:
    """Yield the best reserve by inverse temperature, with file name and heading."""
    from lawgiver.trainers.plots.style import free_colours, legend_beside, new_figure

    figure = new_figure(9.0, 4.2)
    axis = figure.subplots()
    for colour, (pricing, name) in zip(free_colours(()), NAMES.items(), strict=False):
        shown = [each for each in best if each.pricing == pricing]
        levels = [each.inverse_temperature for each in shown]
        axis.plot(levels, [float(each.in_box.parameters[0]) for each in shown], color=colour, label=f"{name}: best")
        reached = [learned[pricing, level][0].summary["parameters"]["reserve"]["learned"] for level in levels]
        axis.plot(levels, reached, color=colour, marker="o", linestyle="", label=f"{name}: learned")
    axis.axhline(0.5, color="#888888", linestyle="--", linewidth=1.2, label="rational bidders: 1/2")
    axis.set(xscale="log", xlabel="inverse temperature of the bidders (1 / money)", ylabel="reserve (money)")
    legend_beside(axis)
    yield "reserves.png", HEADING, figure
