"""Results of an audit, and their plain data.

Gains are of two stages. *Ex post* ones are those of who knows what all others report; *ex interim* ones are averages
over the others' types, of who knows only its own. Rules are truthful in dominant strategies if the former are 0, and
participants are in a Bayesian equilibrium if the latter are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.envs.core.fields import Layout, columns
from lawgiver.envs.core.make import make_game
from lawgiver.envs.files.json_text import plain
from lawgiver.trainers.plots.drawing import can_draw
from lawgiver.trainers.runs.atomic_files import made_folder, write_json
from lawgiver.trainers.statistics.estimate import Estimate, with_estimates

if TYPE_CHECKING:
    from lawgiver.trainers.audit.ex_interim import ExInterim

PROFITABLE = 1e-6
"""Share of the scale of payoffs up to which gains count as none, in any unit of payoffs."""
ROUNDING = 1e-9
"""Shares of the scale of payoffs that are taken for zero where signs are counted."""


@dataclass(frozen=True)
class Regret:
    """Regret from misreporting one group of fields.

    Attributes:
        gains: of the best misreport found, 0 where none is better than the truth, (P, n).
        reports: the best reports, the truth where no misreport is better, (P, n, k).
        tried: misreports over all profiles and participants.
        added: how much of the gains the second half of the search has found, (P, n): what doubling the effort adds.
    """

    gains: np.ndarray
    reports: np.ndarray
    tried: int
    added: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Regret]) -> Regret:
        """Join the regrets of several blocks of profiles."""
        gains, reports, added = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("gains", "reports", "added")
        )
        return cls(gains, reports, sum(part.tried for part in parts), added)


@dataclass(frozen=True)
class Audit:
    """Outcomes of truthful reports under a rule, or of what participants play, and gains from misreports.

    Attributes:
        layout: of types and reports; of reports alone, where there is a ``type_layout``.
        types: of P profiles of n participants, (P, n, k).
        utilities: of the truth, without payments, (P, n).
        payments: to the mechanism, where all tell the truth, (P, n).
        regrets: by group of fields; the last is of all fields.
        effort: length of the search, in pairs of rounds; of no use where all reports were tried.
        seed: seed of the search.
        differentiable: whether the rule had gradients that the search used.
        floor: lower bound of the payoff in relative gains, as a share of the scale of payoffs.
        envy: gain of each participant in the place of the one it envies most, under truthful reports, (P, n); None
            where the game defines none.
        played: what is played where reports have not the fields of types, (P, n, k); None where it is the types.
        type_layout: of types, where reports have other fields; else None.
        truthful: whether the truth is played, and not what given participants do.
        ex_interim: gains of participants who know only their own types; None where they are not measured.
        gamed: payments where everybody reports its :meth:`best_replies`, (P, n); None where the mechanism is not paid
            revenue.
        menu_size: number of reports that there are, A, where all of them were tried; None where they were searched.
        menu_noun: plural noun of these reports, such as ``ballots``.
        inexact_because: why they were searched although reports are read as one of finitely many; else empty.
        ordinal: regret in the sense of first-order stochastic dominance, of a menu of rankings: the most that somebody
            with any utilities in [0, 1] of the same ranking gains; None elsewhere. Not in the unit of payoffs.
        mechanism: what was audited, as it was given to :func:`lawgiver.audit`.
        settings: those of that audit, defaults and the game included; empty for a rule given as a function.
    """

    layout: Layout
    types: np.ndarray
    utilities: np.ndarray
    payments: np.ndarray
    regrets: Mapping[str, Regret]
    effort: int
    seed: int
    differentiable: bool
    floor: float
    envy: np.ndarray | None = None
    played: np.ndarray | None = None
    type_layout: Layout | None = None
    truthful: bool = True
    ex_interim: ExInterim | None = None
    gamed: np.ndarray | None = None
    menu_size: int | None = None
    menu_noun: str = "reports"
    inexact_because: str = ""
    ordinal: Regret | None = None
    mechanism: Any = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def payoffs(self) -> np.ndarray:
        """Of the truth, (P, n)."""
        found: np.ndarray = self.utilities - self.payments
        return found

    @property
    def scale(self) -> float:
        """Scale of payoffs; see :func:`scale_of`."""
        return scale_of(self.utilities, self.payments)

    @property
    def exact(self) -> bool:
        """Whether all reports that there are were tried, so that gains are no lower bounds."""
        return self.menu_size is not None

    @property
    def profitable_above(self) -> float:
        """Gain up to which no misreport counts as profitable, in the unit of payoffs."""
        return PROFITABLE * self.scale

    def best_replies(self, regret: Regret) -> np.ndarray:
        """Select the best reports found, and what is played where none of them is profitable, (P, n, k)."""
        profitable = regret.gains[..., None] > self.profitable_above
        replies: np.ndarray = np.where(profitable, regret.reports, self.types if self.played is None else self.played)
        return replies

    @property
    def joint(self) -> Regret:
        """Regret from misreports of all fields."""
        return list(self.regrets.values())[-1]

    @property
    def tried(self) -> int:
        """Misreports of all groups."""
        return sum(regret.tried for regret in self.regrets.values())

    @property
    def largest_gain(self) -> float:
        """Of anybody by any misreport found."""
        return max(float(regret.gains.max()) for regret in self.regrets.values())

    def relative(self, regret: Regret) -> np.ndarray:
        """Compute gains as shares of truthful payoffs, (P, n): relative to max(|payoff|, floor * scale)."""
        return self._shares(regret.gains)

    def relative_added(self, regret: Regret) -> np.ndarray:
        """Compute the part of these shares that the second half of the search has added, (P, n)."""
        return self._shares(regret.added)

    def _shares(self, gains: np.ndarray) -> np.ndarray:
        shares: np.ndarray = gains / np.maximum(np.abs(self.payoffs), self.floor * self.scale)
        return shares

    def data(self) -> dict[str, Any]:
        """Collect all results as plain data and estimates, which are over profiles.

        ``stage``: ``ex post``, of everything but ``ex_interim``. ``exact``: whether all reports that there are were
        tried, ``menu``: their number, ``size``, and ``noun``; ``effort`` is then null. ``inexact_because``: why they
        were searched although there are finitely many, else null. ``played``: the ``truth``, or what given
        ``participants`` do; ``payoff`` is what it brings, and ``truthful_payoff`` the same where it is the truth.
        ``groups``: by group ``absolute`` (in the unit of payoffs) and ``relative``, each an estimate of the ``mean``
        over profiles and participants of what the best misreport found gains, the ``max``, and the mean over profiles
        of the gain of the participant that gains most, ``mean_of_most``; ``who_gain``, estimates of the share of
        ``profiles`` in which somebody gains more than ``profitable_above`` (Nitzan and Kelly's index of manipulability)
        and of the mean share of ``participants`` who do; ``doubling``, the search's own error: by how
        much these means, ``absolute`` and ``relative``, rose in the second half of the search, which is what doubling
        the effort has added; and the ``worst`` example. ``individual_rationality``: the ``least`` payoff of the truth,
        the ``mean_violation`` (how far it is below 0, on average), and the ``share`` of participants below 0.
        ``budget``: an estimate of the ``mean`` and the ``sd`` of what the mechanism takes in a game, and the
        ``deficit_share`` of games in which that is below 0. ``payments``: ``mean``, ``min``, ``max`` and the mean
        ``by_participant``. ``envy``: an estimate of the ``mean``, ``max``, ``mean_of_most`` and the ``share`` of
        participants who envy somebody; null where it is not known. ``revenue``: an estimate of the mean of what the
        mechanism takes in a game, and ``revenue_gamed``: the same where everybody reports the best misreport found
        against what the others play, all at once; null where the mechanism is not paid revenue. ``ex_interim``: null
        where it is not measured; else ``payoff``, what participants who know only their own types expect, and
        ``groups``: the ``mean`` gain of the best misreports found on one sample of the others' types, judged on another
        (see :mod:`lawgiver.trainers.audit.ex_interim`), its value ``in_sample`` and the difference, the ``bias``; and
        ``revenue_gamed``, where everybody reports those. ``ordinal``: null but for a menu of rankings; ``regret``, the
        most by which another ranking raises the probability of one's best k alternatives for some k, ``who_gain`` of
        it, and the ``worst`` example: of all utility functions at once, and hence not to be compared with ``groups``.
        """
        takings = self.payments.sum(1)
        tiny = ROUNDING * self.scale
        payoff = {"mean": mean_over_profiles(self.payoffs), "min": self.payoffs.min(), "max": self.payoffs.max()}
        found = {
            "stage": "ex post",
            "exact": self.exact,
            "menu": {"size": self.menu_size, "noun": self.menu_noun} if self.exact else None,
            "inexact_because": self.inexact_because or None,
            "played": "truth" if self.truthful else "participants",
            "profiles": len(self.types),
            "participants": self.types.shape[1],
            "effort": None if self.exact else self.effort,
            "seed": self.seed,
            "gradient": self.differentiable,
            "misreports_tried": self.tried,
            "profitable_above": self.profitable_above,
            "largest_gain": self.largest_gain,
            "scale": self.scale,
            "payoff": payoff,
            **({"truthful_payoff": payoff} if self.truthful else {}),
            "groups": {name: self._of_group(regret) for name, regret in self.regrets.items()},
            "individual_rationality": {
                "least": self.payoffs.min(),
                "mean_violation": np.maximum(-self.payoffs, 0).mean(),
                "share": (self.payoffs < -tiny).mean(),
            },
            "budget": {
                "mean": Estimate.of_samples(takings),
                "sd": takings.std(ddof=1),
                "deficit_share": (takings < -tiny).mean(),
            },
            "payments": {
                "mean": self.payments.mean(),
                "min": self.payments.min(),
                "max": self.payments.max(),
                "by_participant": self.payments.mean(0),
            },
            "envy": None if self.envy is None else {**_told(self.envy), "share": (self.envy > tiny).mean()},
            "revenue": None if self.gamed is None else Estimate.of_samples(takings),
            "revenue_gamed": None if self.gamed is None else Estimate.of_samples(self.gamed.sum(1)),
            "ex_interim": None if self.ex_interim is None else self.ex_interim.data(self._shown),
            "ordinal": None if self.ordinal is None else self._of_ordinal(self.ordinal),
        }
        data: dict[str, Any] = with_estimates(plain(found))
        return data

    def save(self, folder: str | Path) -> list[Path]:
        """Write audit.json and, where matplotlib is installed, a figure of the gains; return what was written.

        Args:
            folder: made if it is not there.

        Raises:
            RunError: if they cannot be written.
        """
        folder = made_folder(folder)
        asked = {"mechanism": self.mechanism, "settings": self.settings} if self.settings else {}
        write_json(folder / "audit.json", {**asked, **self.data()})
        if not can_draw():
            return [folder / "audit.json"]
        from lawgiver.trainers.audit.figures import gains
        from lawgiver.trainers.plots.style import save
        from lawgiver.trainers.runs.headings import game_line

        heading = None
        if self.settings:
            heading = f"{self.mechanism}: {game_line(make_game(**self.settings['game']))}"
        save(gains(self), folder / "gains.png", heading)
        return [folder / "audit.json", folder / "gains.png"]

    def _of_group(self, regret: Regret) -> dict[str, Any]:
        return {
            "stage": "ex post",
            "absolute": _told(regret.gains),
            "relative": _told(self.relative(regret)),
            "who_gain": who_gain(regret.gains, self.profitable_above),
            "doubling": {"absolute": regret.added.mean(), "relative": self.relative_added(regret).mean()},
            "tried": regret.tried,
            "worst": self.worst(regret),
        }

    def _of_ordinal(self, regret: Regret) -> dict[str, Any]:
        worst = self.worst(regret)
        del worst["truthful_payoff"], worst["gain"]
        return {
            "stage": "ex post",
            "regret": _told(regret.gains),
            "who_gain": who_gain(regret.gains, PROFITABLE),
            "tried": regret.tried,
            "worst": {**worst, "regret": regret.gains.max()},
        }

    def worst(self, regret: Regret) -> dict[str, Any]:
        """Describe the profile and participant with the largest gain: types and report by field, payoff and gain."""
        profile, seat = (int(at) for at in np.unravel_index(regret.gains.argmax(), regret.gains.shape))
        return {
            "participant": seat,
            "types": _by_field(self.type_layout or self.layout, self.types[profile]),
            **({} if self.played is None else {"played": _by_field(self.layout, self.played[profile])}),
            "report": _by_field(self.layout, regret.reports[profile, seat]),
            "truthful_payoff" if self.truthful else "payoff": self.payoffs[profile, seat],
            "gain": regret.gains[profile, seat],
        }

    def _shown(self, profile: int, seat: int, report: np.ndarray) -> dict[str, Any]:
        """Describe a participant's own type and what it plays, and another report (k,), by field."""
        assert self.played is not None
        return {
            "type": _by_field(self.type_layout or self.layout, self.types[profile, seat]),
            "played": _by_field(self.layout, self.played[profile, seat]),
            "report": _by_field(self.layout, report),
        }


def scale_of(utilities: np.ndarray, payments: np.ndarray) -> float:
    """Compute the mean over profiles and participants of max(|utility|, |payment|) of the truth; 1 where that is 0."""
    return float(np.maximum(np.abs(utilities), np.abs(payments)).mean()) or 1.0


def _by_field(layout: Layout, numbers: np.ndarray) -> dict[str, np.ndarray]:
    """Split numbers (..., k) by the fields of a layout."""
    return {name: numbers[..., at] for name, at in columns(layout).items()}


def _told(gains: np.ndarray) -> dict[str, Any]:
    """Compute the mean of gains (P, n), their maximum, and the mean over profiles of each profile's maximum."""
    return {"mean": mean_over_profiles(gains), "max": float(gains.max()), "mean_of_most": float(gains.max(1).mean())}


def who_gain(gains: np.ndarray, above: float) -> dict[str, Estimate]:
    """Estimate the share of profiles in which somebody gains more than ``above``, and the mean share of who do.

    Args:
        gains: of every participant, (P, n).
        above: gain that counts as none.
    """
    gaining = np.asarray(gains > above)
    return {
        "profiles": Estimate.of_share(np.asarray(gaining.any(1))),
        "participants": Estimate.of_samples(gaining.mean(1)),
    }


def mean_over_profiles(values: np.ndarray) -> Estimate:
    """Estimate the mean of values (P, n) of independent profiles, whose participants share a game."""
    found = Estimate.of_samples(values.mean(1))
    assert found.standard_error is not None
    return Estimate.normal(float(values.mean()), found.standard_error, len(values))
