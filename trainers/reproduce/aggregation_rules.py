"""Rules of preference aggregation at equal divergence: welfare, and what the best misreport gains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lawgiver.agents.mechanisms import Announcement
from lawgiver.agents.reporting import NamedRule
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.preference_aggregation import PreferenceAggregation
from lawgiver.envs.solvers.preference_aggregation.tilting import divergence, temperature_at
from lawgiver.trainers.audit import Audit, audit_game
from lawgiver.trainers.reproduce.table import Cell
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.streams import AGGREGATION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPENT = 0.2
"""Divergence in nats that every rule spends on average; a random dictator of five annotators hardly can spend more."""
LEFT_OUT = {"rewards": (), "ranking": ("mean", "maxmin")}
"""Rules left out, by what is seen: of rankings the mean is Borda's rule, and maxmin never spends so much."""
COLDEST, HOTTEST = 0.004, 10.0
"""Ends of the temperatures that are searched."""
LINEAR = 0.001
"""Gain up to which the figure's scale is linear."""
CHARGES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of MOSAIC's payments."""


@dataclass(frozen=True)
class Compared:
    """A rule at its temperature.

    Attributes:
        name: of the rule.
        tau: its temperature.
        spent: mean divergence, over the profiles.
        found: the audit of it.
    """

    name: str
    tau: float
    spent: Estimate
    found: Audit

    @property
    def welfare(self) -> Estimate:
        """Mean utility over annotators, without payments."""
        return Estimate.of_samples(self.found.utilities.mean(1))

    @property
    def gain(self) -> Estimate:
        """Gain of an annotator's best misreport, the mean over annotators."""
        return Estimate.of_samples(self.found.joint.gains.mean(1))

    @property
    def _also(self) -> Estimate:
        """Regret of rankings in the sense of dominance; else what an annotator pays."""
        also = self.found.payments if self.found.ordinal is None else self.found.ordinal.gains
        return Estimate.of_samples(also.mean(1))

    def over(self, base: Compared) -> Estimate:
        """Estimate by how much welfare is higher than under another rule, on the same profiles."""
        return Estimate.of_samples((self.found.utilities - base.found.utilities).mean(1))

    def row(self, base: Compared) -> dict[str, Cell]:
        """Return the row of the table, with the difference in welfare from another rule on the same profiles."""
        return {
            "rule": self.name,
            "welfare": self.welfare,
            f"over {base.name}'s": self.over(base),
            "least": Estimate.of_samples(self.found.utilities.min(1)),
            "mean gain": self.gain,
            "greatest gain": self.found.largest_gain,
            "dominance regret" if self.found.exact else "payment": self._also,
            "KL": self.spent,
            "temperature": self.tau,
        }


def compared(feedback: str, profiles: int, spent: float = SPENT) -> list[Compared]:
    """Audit all rules of five annotators and three replies, each at the temperature at which it spends ``spent``.

    The temperature is found on the profiles that are audited, so that no difference between rules on them is one in
    spending.

    Args:
        feedback: of the game.
        profiles: that are audited, >= 2.
        spent: mean divergence, in nats.
    """
    game = PreferenceAggregation(n=5, replies=3, feedback=feedback, payments=feedback != "ranking")
    types = game.initial_state(profiles, np.random.default_rng(AGGREGATION)).types
    found = []
    for name in (name for name in game.direct_rules if name not in LEFT_OUT[feedback]):
        tau = float(temperature_at(partial(_spent, game, name, game.read(types)), spent, COLDEST, HOTTEST))
        warmed = replace(game, tau=tau)
        found.append(_audited(warmed, name, NamedRule(warmed, name), types))
    return found


def charged(tau: float, profiles: int) -> list[Compared]:
    """Audit the policy of the mean at a temperature with shares of MOSAIC's payments, on the same profiles."""
    game = PreferenceAggregation(n=5, replies=3, tau=tau, mechanism_mode="announce")
    types = game.initial_state(profiles, np.random.default_rng(AGGREGATION)).types
    return [
        _audited(game, f"{share:.0%} of MOSAIC's payments", Announcement([0.0, 1.0, share]), types) for share in CHARGES
    ]


def _spent(game: PreferenceAggregation, name: str, reports: np.ndarray, tau: np.ndarray) -> np.ndarray:
    policy, _ = game.split_decision(replace(game, tau=float(tau)).direct_rules[name](reports))
    return np.asarray(divergence(policy, game.log_reference).mean())


def _audited(game: PreferenceAggregation, name: str, mechanism: Policy, types: np.ndarray) -> Compared:
    found = audit_game(game, mechanism, types, effort=1, gradient=False)
    rule = game.direct_rules["mean" if game.announces else name]
    policy, _ = game.split_decision(rule(game.read(types)))
    return Compared(name, game.tau, Estimate.of_samples(divergence(policy, game.log_reference)), found)


Panel: TypeAlias = tuple[Compared, list[Compared]]
"""Rules of a panel: the one that welfare is compared with, and all."""


def drawn(panels: Mapping[str, Panel]) -> Figure:
    """Draw the difference in welfare from a rule over the mean gain of a misreport, with MOSAIC's payments as a line.

    Args:
        panels: by title.
    """
    from lawgiver.trainers.plots.style import legend_beside, named_colours, new_figure

    names = dict.fromkeys(each.name for _, several in panels.values() for each in several if "%" not in each.name)
    colours = named_colours(names)
    figure = new_figure(7.2 * len(panels), 4.2)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (title, (base, several)) in zip(axes, panels.items(), strict=True):
        curve = [each for each in several if "%" in each.name]
        if curve:
            gains, heights = [each.gain.mean for each in curve], [each.over(base).mean for each in curve]
            label = "mean, 0 to 100 % of MOSAIC's payments"
            axis.plot(gains, heights, ".--", color="black", label=label, linewidth=1)
        for each in several:
            if each.name in colours:
                x, y, label = each.gain, each.over(base), each.name.replace("_", " ")
                axis.errorbar(x.mean, y.mean, y.half, x.half, "o", color=colours[each.name], label=label)
        found = "" if base.found.exact else " found"
        axis.set_xscale("symlog", linthresh=LINEAR)
        axis.set_xlim(-LINEAR / 5)
        axis.set_xlabel(f"mean gain of an annotator's best misreport{found} [reward]")
        axis.set_ylabel(f"welfare over that of {base.name} [mean reward]")
        axis.set_title(title)
        axis.grid(alpha=0.3)
        legend_beside(axis)
    return figure
