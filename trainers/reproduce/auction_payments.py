"""Payments between learning agents: equilibria of the payment game, and how a seller can answer them.

Kolumbus, Halpern and Tardos (arXiv 2405.20880) claim of games with payments that to pay nothing is in general not
stable, and of first- and second-price auctions that equilibria are collusive, with low revenue. The abstract gives
directions and no figures, and so does this module: numbers are of its own settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.envs.payment_policies.game import PaymentPolicies
from lawgiver.envs.payment_policies.solutions import PaymentEquilibrium, equilibrium, payment_game
from lawgiver.envs.solvers.equilibrium.subgame import uniform_prior
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import solve
from lawgiver.trainers.reproduce.runs import finished
from lawgiver.trainers.reproduce.table import Cell
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "E. Payments between learning agents: what principals announce, and what is left to the seller"
SELLERS = "E. How the seller answers payments: one number announced before they are, learned on two timescales"
HEADINGS = {
    "payments.png": "payment_policies-v0, an item worth 1 and 0.5: what the payments of both principals lead to",
    "payment_formats.png": "payment_policies-v0, an item worth 1 and 0.5: revenue between second and first price",
}
NOTES = (
    "E: Kolumbus, Halpern and Tardos (arXiv 2405.20880) claim in their abstract that to pay nothing is in general not"
    " stable, and that equilibria in first- and second-price auctions are collusive, with low revenue. Settings and"
    " numbers are this library's. Agents learn by hedge where nothing else is said, for 8,000 rounds at a rate of .05 a"
    " unit of payoff, in auctions from 51 bids; amounts are 0, .01, .02, .05, .1, .2, .3, .5 in auctions and 0, .5, 1,"
    " 1.5, 2.1, 2.5, 3 in the dilemma. Of several equilibria from which a deviation gains nothing, up to rounding, that"
    " stands here in which least is offered.",
    "E: values are fixed, so that agents who learn from means do not come to bid the lower value: at the second price"
    " and without payments the seller is paid .27, not .5. First-price auctions of equal values run in circles:"
    " there the equilibrium depends on how fast and for how long agents learn.",
    "E: the seller's answers are trained by the packaged config payment_policies, whose agents bid on a coarser grid"
    " and learn faster; principals are of inverse temperature 30. The reserve is close to what the first bidder is"
    " ready to pay, as it is the same in every round. Best in the box is what a search finds: a seller may do better.",
    "E: where agents run in circles (equal values, the first price) revenue is jagged in what is announced, and two"
    " timescales, whose steps are local, end on some hill. Bayesian optimisation of exact equilibria looks everywhere.",
)
CONFIG = "payment_policies"
LONG: Mapping[str, Any] = {"n_bids": 51, "rounds": 8000, "learning_rate": 0.05}
"""Auctions whose agents learn slowly and for long."""
MIXES = np.linspace(0, 1, 41)
"""Weights of the own bid in the price, in the figure."""


@dataclass(frozen=True)
class Stage:
    """A setting without reserve or tax, and the equilibrium of its payment game.

    Attributes:
        name: what the table calls it.
        params: parameters of the game.
    """

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def game(self) -> PaymentPolicies:
        """The game."""
        return PaymentPolicies(**self.params)

    @cached_property
    def parameters(self) -> np.ndarray:
        """The w that is announced, (1,): zeros."""
        return np.zeros(1)

    @cached_property
    def payoffs(self) -> np.ndarray:
        """Payoffs by the payments of both, (2, M, M)."""
        return payment_game(self.game, self.parameters)

    @cached_property
    def revenue(self) -> np.ndarray:
        """Revenue by the payments of both, (M, M)."""
        first, second = self.game.subgame.tables(self.parameters, self.parameters)[..., 1]
        return np.asarray(first + second.T)

    @cached_property
    def equilibrium(self) -> PaymentEquilibrium:
        """The exact equilibrium in which least is offered."""
        return equilibrium(self.game, self.parameters)


STAGES = (
    Stage("second price, values 1 and 0.5", {"stage": "second_price", **LONG}),
    Stage("second price, values 1 and 1", {"stage": "second_price", "values": (1, 1), **LONG}),
    Stage("first price, values 1 and 0.5", {"stage": "first_price", **LONG}),
    Stage("first price, values 1 and 1", {"stage": "first_price", "values": (1, 1), **LONG}),
    Stage(
        "second price, values 1 and 0.5, linear weights",
        {"stage": "second_price", "learner": "multiplicative_weights", **LONG},
    ),
    Stage(
        "second price, values 1 and 0.5, regret matching",
        {"stage": "second_price", "learner": "regret_matching", **LONG},
    ),
    Stage(
        "prisoner's dilemma (3, 5, 0, 1)",
        {"stage": "prisoners_dilemma", "menu": (0, 0.5, 1, 1.5, 2.1, 2.5, 3), "rounds": 8000, "learning_rate": 0.05},
    ),
)
EQUAL = ("game.values=[1,1]",)
RESERVE = ("game.announced=[reserve]", "agents.mechanism.start=[0.2]", "trainer.radius.initial=0.02")
SEARCH = (
    "agents.mechanism.optimiser=bayesian",
    "agents.participants.learning=equilibrium",
    "trainer.iterations=60",
    "trainer.log_every=20",
    "trainer.checkpoint_every=20",
)
"""Bayesian optimisation of the principals' exact equilibrium: for revenue with many local maxima."""
ANSWERS: Mapping[str, tuple[str, ...]] = {
    "weight of the own bid in the price, values 1 and 0.5": (),
    "weight of the own bid, values 1 and 1": EQUAL,
    "the same, Bayesian": (*EQUAL, *SEARCH),
    "reserve at the second price, values 1 and 0.5": RESERVE,
    "reserve at the first price, values 1 and 0.5": ("game.stage=first_price", *RESERVE),
    "the same at the first price, Bayesian": ("game.stage=first_price", *RESERVE[:2], *SEARCH),
}
"""Overrides of the packaged config, by what the seller announces."""


def rows(stages: Sequence[Stage] = STAGES) -> Iterator[dict[str, Cell]]:
    """Tabulate the outcome without payments and in equilibrium, and what the best payment of one alone gains."""
    for stage in stages:
        policy, menu = stage.equilibrium.policy, np.array(stage.game.menu)
        measured = stage.game.subgame.measures(stage.parameters, policy)
        rewards = stage.game.subgame.rewards(stage.parameters, stage.game.subgame.aggregates(policy))
        first, second = (policy * rewards).sum(axis=-1)[0]
        gains = (stage.payoffs[0, :, 0] - stage.payoffs[0, 0, 0], stage.payoffs[1, 0] - stage.payoffs[1, 0, 0])
        auction = stage.game.is_auction
        yield {
            "stage game": stage.name,
            "nobody pays: first": float(stage.payoffs[0, 0, 0]),
            "second": float(stage.payoffs[1, 0, 0]),
            "revenue": float(stage.revenue[0, 0]) if auction else None,
            "best payment alone gains": float(np.max(gains)),
            "first pays": float(policy[0, 0] @ menu),
            "second pays": float(policy[0, 1] @ menu),
            "equilibrium: first gets": float(first),
            "second gets": float(second),
            "revenue with payments": float(measured["revenue"]) if auction else None,
            "share of revenue left": float(measured["revenue"]) / float(stage.revenue[0, 0]) if auction else None,
            "a deviation gains": stage.equilibrium.regret,
        }


def learned_answers(out: Path, jobs: int, answers: Mapping[str, tuple[str, ...]] = ANSWERS) -> dict[str, Run]:
    """Train the packaged config by what the seller announces; runs that are there are kept.

    Args:
        out: folder that receives a folder a run.
        jobs: maximum number of parallel trainings, >= 1.
        answers: overrides by name.
    """
    wanted = [(out / f"{i}", CONFIG, overrides) for i, overrides in enumerate(answers.values())]
    return dict(zip(answers, finished(wanted, jobs), strict=True))


def sellers(learned: Mapping[str, Run]) -> Iterator[dict[str, Cell]]:
    """Tabulate what the seller learned to announce, beside the best in the box and the plain formats."""
    for name, run in learned.items():
        revenue, (announced,) = run.summary["revenue"], run.summary["parameters"].values()
        yield {
            "announced": name,
            "no reserve": revenue["no_reserve"],
            "first price": revenue.get("first_price"),
            "best in the box": announced["best_in_box"],
            "its revenue": revenue["best_in_box"],
            "learned": announced["learned"],
            "learned / best revenue": revenue["learned"] / revenue["best_in_box"],
        }


def figures(
    learned: Mapping[str, Run], stages: Sequence[Stage] = (STAGES[0], STAGES[2])
) -> Iterator[tuple[str, str, Figure]]:
    """Yield what payments lead to, as heat maps, and revenue by format; with file names and headings.

    Args:
        learned: runs of :func:`learned_answers`, of which the first learned the format.
        stages: auctions, a row of panels each.
    """
    from lawgiver.trainers.plots.style import free_colours, legend_beside, new_figure

    figure = new_figure(12.5, 4.0 * len(stages))
    for line, stage in zip(np.atleast_2d(figure.subplots(len(stages), 3)), stages, strict=True):
        panels = (*stage.payoffs, stage.revenue)
        names = ("payoff of the first", "payoff of the second", "revenue")
        for axis, table, name in zip(line, panels, names, strict=True):
            _heat_map(axis, table, stage)
            axis.set_title(f"{stage.name.partition(',')[0]}: {name}", fontsize=9)
    figure.suptitle("outlined: the equilibrium in which least is offered", fontsize=9)
    yield "payments.png", HEADINGS["payments.png"], figure

    game, level = _formats()
    weights = MIXES[:, None]
    nobody = game.subgame.tables(weights, weights)[:, :, 0, 0, 1].sum(axis=-1)
    found = solve(game.subgame, weights, level, uniform_prior(game.subgame))
    figure = new_figure(9.0, 4.2)
    axis, colours = figure.subplots(), free_colours(())
    axis.plot(MIXES, nobody, color=next(colours), label="nobody pays")
    paid = game.subgame.measures(weights, found.policy)["revenue"]
    axis.plot(MIXES, paid, color=next(colours), label=f"principals pay, inverse temperature {level:g}")
    summary = next(iter(learned.values())).summary
    place, revenue = summary["parameters"]["mix"]["learned"], summary["revenue"]["learned"]
    axis.plot([place], [revenue], color=next(colours), marker="o", linestyle="", label="learned by the seller")
    axis.set(xlabel="weight of the own bid in the price (0: second price, 1: first price)", ylabel="revenue (money)")
    axis.set_ylim(bottom=0)
    legend_beside(axis)
    yield "payment_formats.png", HEADINGS["payment_formats.png"], figure


def _formats() -> tuple[PaymentPolicies, float]:
    """Return the game of the packaged config, and the principals' inverse temperature."""
    config: Any = load_config(CONFIG, [])
    game = config.game.make()
    assert isinstance(game, PaymentPolicies)
    return game, float(config.agents.participants.inverse_temperature)


def _heat_map(axis: Any, table: np.ndarray, stage: Stage) -> None:
    """Draw a table (M, M) by the payments of both with its numbers, and outline the equilibrium."""
    from matplotlib.patches import Rectangle

    axis.imshow(table, cmap="cividis", vmin=0.0, vmax=1.0, origin="lower", aspect="auto")
    for (i, j), value in np.ndenumerate(table):
        axis.text(j, i, f"{abs(value):.2f}", ha="center", va="center", fontsize=6.5, color="w" if value < 0.55 else "k")
    menu = [f"{amount:g}" for amount in stage.game.menu]
    axis.set_xticks(range(len(menu)), menu, fontsize=7)
    axis.set_yticks(range(len(menu)), menu, fontsize=7)
    axis.set_xlabel("payment of the second (money)", fontsize=8)
    axis.set_ylabel("payment of the first (money)", fontsize=8)
    i, j = stage.equilibrium.strategies.argmax(axis=1)
    axis.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, edgecolor="#D55E00", linewidth=2.5, clip_on=False))
