"""Pricing algorithms that collude, a regulator who answers them, and bidders who learn by the same rule.

Firms: the benchmark of Calvano et al. 2020. That prices are above the Nash equilibrium proves no collusion: firms that
cannot punish, for want of a memory, end up even higher, because they have not learned better. So each row says what a
forced deviation gains once the rival has answered it, and what a best reply to the rival's strategy would. Bidders: the
setting of Banchio and Skrzypacz 2022, two bidders of value 1 who remember nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lawgiver.trainers.q_learning.tables import NAMES
from lawgiver.trainers.reproduce.runs import finished
from lawgiver.trainers.reproduce.table import Cell
from lawgiver.trainers.runs.atomic_files import write_text
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate, mean_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONFIG, REGULATION = "price_competition", "price_regulation"
"""The packaged configs."""


@dataclass(frozen=True)
class Setting:
    """One row: a training of as many sessions as its config has.

    Attributes:
        key: the folder of its run.
        name: what the table calls it.
        overrides: of the config.
        reported: what is reported of it elsewhere, None for nothing.
    """

    key: str
    name: str
    overrides: tuple[str, ...] = ()
    reported: str | None = None


def _rates(alpha: float, beta: float, reported: str | None = None) -> Setting:
    changes = (f"agents.participants.learning_rate={alpha}", f"agents.participants.exploration_decay={beta}")
    return Setting(f"alpha_{alpha}_beta_{beta:g}", f"alpha {alpha}, beta {beta:g}", changes, reported)


FIRMS = (
    _rates(0.15, 4e-6, "about 0.85"),
    _rates(0.15, 2e-5),
    _rates(0.15, 1e-4),
    _rates(0.05, 2e-5),
    _rates(0.25, 2e-5),
    Setting("no_future", "the first, delta 0", ("agents.participants.discount=0",)),
    Setting("no_memory", "the first, no memory", ("agents.participants.memory=false",)),
)
"""Calvano et al. report .85 at the first."""
SHOWN = ("alpha_0.15_beta_4e-06", "no_future", "no_memory")
"""Rows whose answer to a deviation is drawn."""
CEILING = "ceiling: prices at cost"
STEERED = (
    "game.announced=[steering]",
    "agents.mechanism.start=no_mechanism",
    "agents.mechanism.exploration=null",
    "agents.mechanism.updates_per_evaluation=300",
    "agents.mechanism.iterations=12",
    "agents.mechanism.step={initial: 2.0, exponent: 0.6}",
)
TAXED = ("game.announced=[unit_tax]", *STEERED[1:])
"""Both pay only once firms have reacted, who therefore learn anew under each mechanism that is tried."""
REGULATED = (
    Setting("price_cap", "price cap"),
    Setting("unit_tax", "unit tax", TAXED),
    Setting("steering", "steering", STEERED),
)
"""Regulators, by what they announce."""
VALUES = "profile,participant,value\n0,0,1\n0,1,1\n"
"""Types of two bidders of value 1."""


def _bids(name: str, pricing: str, delta: float, initial: str) -> Setting:
    changes = (
        f"agents.participants={{learning_rate: 0.05, exploration_decay: 1.0e-4, discount: {delta}, memory: false,"
        f" initial: {initial}}}",
        "agents.mechanism={given: {policy: no_reserve}}",
        "trainer.sessions=200",
    )
    return Setting(f"{pricing}_{delta}_{initial}", name, (f"game.pricing={pricing}", *changes))


AUCTIONS = (
    _bids("first price, delta 0.99, from the largest payoff", "first", 0.99, "optimistic"),
    _bids("first price, delta 0.99, from uniform rivals", "first", 0.99, "rival_uniform"),
    _bids("first price, delta 0.99, from 0", "first", 0.99, "zero"),
    _bids("first price, delta 0, from uniform rivals", "first", 0.0, "rival_uniform"),
    _bids("second price, delta 0.99, from uniform rivals", "next", 0.99, "rival_uniform"),
)

INDEX = "F. Firms that learn to set prices: {:,} sessions a row"
REGULATORS = "F. Regulators who learn for consumers while firms learn"
BIDDERS = "F. Q-learners in auctions: two bidders of value 1"
HEADING = "price_competition-v0: the answer to a forced deviation, mean over sessions and firms"
NOTES = (
    "F: alpha is the learning rate, beta the decay of exploration. Profit gain is 0 in the Nash equilibrium of a"
    " round and 1 at monopoly prices, the mean over sessions of the cycle that greedy play ends in from where"
    " learning ended, in square brackets its interval. A best reply is one to the rival's strategy, by dynamic"
    " programming; a deviation the best reply of one round, after which everybody goes on by strategy: both in per"
    " cent of the payoff, discounted. The rival's answer is the change of its price in the period after. Firms without"
    " a memory cannot answer, and a deviation pays: their prices are high because they have not learned better. A best"
    " reply that knows the rival's strategy gains in every row but the one of delta 0: no learners are quite in"
    " equilibrium.",
    "Regulators: packaged config price_regulation; a tax and steering pay only once firms have reacted, so that there"
    " firms learn anew, for 300,000 periods, under each mechanism that is tried. In the end they learn anew under what"
    " was learned, under no regulation and under each of five values on a grid, and once more, in other sessions,"
    " under the best of these. Prices at cost, which a cap of 0"
    " enforces, are the best for consumers that any regulation of firms that make no loss can reach.",
    "Auctions: 19 bids 0.05, .., 0.95 and staying out, no memory, alpha 0.05, beta 0.0001. Where Q begins decides; the"
    " direction (first price far below second price, unless bidders are impatient) is that of Banchio and Skrzypacz,"
    " whose own parameters are not ours.",
)


def trained(folder: Path, jobs: int) -> dict[str, Run]:
    """Train everything that is not there yet; runs by key.

    Args:
        folder: receives a folder a run.
        jobs: maximum number of parallel trainings, >= 1.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values = folder / "values.csv"
    if not values.exists():
        write_text(values, VALUES)
    auction = f"game={{name: sealed_bid, n_bids: 20, high: 0.95, types_file: {values}}}"
    asked: list[tuple[Setting, str, tuple[str, ...]]] = [
        *((each, CONFIG, each.overrides) for each in FIRMS),
        *((each, REGULATION, each.overrides) for each in REGULATED),
        *((each, CONFIG, (auction, *each.overrides)) for each in AUCTIONS),
    ]
    runs = finished([(folder / each.key, config, overrides) for each, config, overrides in asked], jobs)
    return {each.key: run for (each, _, _), run in zip(asked, runs, strict=True)}


def comparisons(runs: Mapping[str, Run]) -> dict[str, Sequence[Mapping[str, Cell]]]:
    """Make the tables of runs by key."""
    sessions = runs[FIRMS[0].key].settings["trainer"]["sessions"]
    return {
        INDEX.format(sessions): tuple(_firms(runs)),
        REGULATORS: tuple(_regulators(runs)),
        BIDDERS: tuple({"auction": each.name, **_revenue(runs[each.key].summary)} for each in AUCTIONS),
    }


def _firms(runs: Mapping[str, Run]) -> Iterator[dict[str, Cell]]:
    for each in FIRMS:
        found = runs[each.key].summary
        given: dict[str, Any] = {key: value["given"] for key, value in found.items() if _tells(value, "given")}
        yield {
            "firms": each.name,
            "profit gain": given["profit_gain"],
            "reported": each.reported,
            "price": given["price"].mean,
            "consumer surplus": given["consumer_surplus"].mean,
            "a best reply gains, %": 100 * given["best_reply_gain"].mean,
            "a deviation gains, %": 100 * given["deviation_gain"].mean,
            "rival's answer": given["rival_reply"].mean,
            "periods, million": given["periods"].mean / 1e6,
        }


def _tells(value: Any, name: str) -> bool:
    return isinstance(value, Mapping) and name in value


def _regulators(runs: Mapping[str, Run]) -> Iterator[dict[str, Cell]]:
    measures = ("consumer_surplus", "welfare", "profit", "price")

    def row(name: str, found: Mapping[str, Any], key: str, w: float | None = None) -> dict[str, Cell]:
        measured = [found[measure].get(key) for measure in measures]
        surplus, *others = measured
        told = {
            measure: None if value is None else mean_of(value)
            for measure, value in zip(measures[1:], others, strict=True)
        }
        return {"regulation": name, "announced": w, "consumer surplus": surplus, **told}

    for each in REGULATED:
        found = runs[each.key].summary
        announced = found["parameters"][each.key]
        if each is REGULATED[0]:
            yield row("none", found, "no_mechanism")
        yield row(f"{each.name}, learned", found, "learned", announced["learned"])
        yield row(f"{each.name}, best of a grid", found, "best_of_grid", announced["best_of_grid"])
    found = runs[REGULATED[0].key].summary
    for key in ("nash", "monopoly"):
        yield row(f"none, {NAMES[key]}", found, key)
    yield row(CEILING, found, "ceiling")


def _revenue(found: Mapping[str, Any]) -> dict[str, Cell]:
    revenue: Estimate = found["revenue"]["given"]
    return {
        "revenue": revenue,
        "a best reply gains, %": 100 * found["best_reply_gain"]["given"].mean,
        "converged": found["converged"]["given"],
    }


def figures(runs: Mapping[str, Run]) -> Iterator[tuple[str, str, Figure]]:
    """Yield the answers to a deviation, with file name and heading."""
    from lawgiver.trainers.q_learning.figures import deviations

    names = {each.key: each.name for each in FIRMS}
    paths = {names[key]: runs[key].summary["deviation"]["given"] for key in SHOWN}
    yield "collusion_deviation.png", HEADING, deviations(paths, runs[SHOWN[0]].summary["price"])
