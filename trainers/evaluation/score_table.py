"""Exact scores of a learned mechanism, the canonical ones, the best that was found, and the ceiling.

All scores are those in the participants' exact equilibrium (:meth:`Game.exact_scores`), whatever the game.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import NoSolution, UnsupportedGameError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.envs.public_investment.endowments import CONDITIONS
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import Best, mean_parameters
from lawgiver.trainers.evaluation.mechanism_summary import design_summary
from lawgiver.trainers.settings.bounded_rationality import start_of

CANONICAL = ("strict_egalitarian", "libertarian", "liberal_egalitarian")
MEASURES = ("log_nash_welfare", "surplus", "gini")
SMALLEST_GAP = 0.05
"""Least difference between goal and best canonical rule at which the closed gap is reported."""
UPDATES, FEWER_UPDATES = 1000, 300
"""Gradient steps a condition in the search for the best: of the game's own, and of five that were not trained on."""
TEMPERATURES = (0.5, 1.0, 2.0, 5.0, 20.0)

Scores = dict[str, Any] | NoSolution
"""As :meth:`Game.exact_scores` gives them."""


@dataclass(frozen=True)
class ScoreTable:
    """Exact scores by mechanism.

    Attributes:
        objective: name of the measure by which mechanisms are compared.
        scores: those of the canonical mechanisms that the game has, ``learned``, ``reachable`` and ``ceiling``, the
            last one of an outcome that attains it.
    """

    objective: str
    scores: Mapping[str, Scores]

    def value(self, mechanism: str, measure: str, condition: int | None = None) -> float | None:
        """Look up a measure of a mechanism, averaged over conditions or in one of them; None where it is not known."""
        found = self.scores.get(mechanism)
        if found is None or isinstance(found, NoSolution):
            return None
        if condition is not None:
            found = found["by_condition"][condition]
        return None if found.get(measure) is None else float(found[measure])

    def best_canonical(self, condition: int | None = None) -> float | None:
        """Compute the objective of the best canonical mechanism."""
        known = [self.value(name, self.objective, condition) for name in CANONICAL]
        return max((value for value in known if value is not None), default=None)

    def gap_closed(self, to: str, condition: int | None = None) -> float | None:
        """Compute (learned - best canonical) / (``to`` - best canonical); None where the denominator is below 0.05.

        ``to`` is ``ceiling`` or ``reachable``.
        """
        learned, goal = (self.value(name, self.objective, condition) for name in ("learned", to))
        best = self.best_canonical(condition)
        if learned is None or goal is None or best is None or goal - best < SMALLEST_GAP:
            return None
        return (learned - best) / (goal - best)

    def reasons(self) -> dict[str, str]:
        """List the mechanisms without scores, with the reason for each."""
        return {name: found.reason for name, found in self.scores.items() if isinstance(found, NoSolution)}

    def to_summary(self) -> dict[str, Any]:
        """Write the table as summary.json holds it.

        Keys: each of log_nash_welfare, surplus, gini and the objective, a mapping from mechanism to value (None where
        not known); ``gap_closed``, ``reachable_gap_closed``; ``by_condition``, a list of the same with ``endowments``;
        and ``reasons`` where something is not known.
        """
        known = [found["by_condition"] for found in self.scores.values() if not isinstance(found, NoSolution)]
        by_condition: list[dict[str, Any]] = []
        for index, condition in enumerate(known[0] if known else []):
            named = {"endowments": condition["endowments"]} if "endowments" in condition else {}
            by_condition.append(named | self._measured(index))
        summary = self._measured(None) | {"by_condition": by_condition}
        return summary | ({"reasons": self.reasons()} if self.reasons() else {})

    def _measured(self, condition: int | None) -> dict[str, Any]:
        measures = dict.fromkeys((*MEASURES, self.objective))
        table: dict[str, Any] = {m: {name: self.value(name, m, condition) for name in self.scores} for m in measures}
        return table | {
            "gap_closed": self.gap_closed("ceiling", condition),
            "reachable_gap_closed": self.gap_closed("reachable", condition),
        }


def final_table(
    game: Game[Any],
    learned: Policy,
    *,
    inverse_temperature: float,
    anchor: Policy | None,
    start: str | Sequence[float] | None,
    participants: Policy | None,
    played: Mapping[str, Any],
    best: Best | None = None,
) -> dict[str, Any]:
    """Score a learned mechanism of any game, as summary.json holds the scores.

    Args:
        game: the game.
        learned: a memoryless mechanism; its mean action is scored.
        inverse_temperature: of the participants, per unit of payoff.
        anchor: the participants' prior policy; None for uniform.
        start: initial mean of the mechanism, as :func:`start_of` takes it.
        participants: participants trained with it; None if there are none.
        played: their results in simulated games, by measure; see :func:`lawgiver.trainers.evaluation.rollout.simulate`.
        best: best parameters in the box, if the search has been done already.

    Returns:
        :func:`lawgiver.trainers.evaluation.mechanism_summary.design_summary` of a game whose mechanism announces its
        parameters once; of others :meth:`ScoreTable.to_summary`, and ``trained_participants`` in columns ``played`` and
        ``equilibrium``.
    """
    if isinstance(game, MechanismGame):
        return design_summary(
            game,
            start=np.array(start_of(game.action_layout("mechanism"), game.members, start)),
            learned=mean_parameters(game, learned),
            inverse_temperature=inverse_temperature,
            anchor=anchor,
            participants=participants,
            best=best,
        )
    table = score_table(game, learned, inverse_temperature=inverse_temperature, anchor=anchor).to_summary()
    if participants is None:
        return table
    exact = game.exact_scores(learned, inverse_temperature=inverse_temperature, anchor=anchor)
    return table | {"trained_participants": beside_equilibrium(played, exact)}


def score_table(
    game: Game[Any],
    learned: Policy,
    *,
    inverse_temperature: float,
    anchor: Policy | None = None,
    updates: int = UPDATES,
) -> ScoreTable:
    """Score a learned mechanism and its references exactly.

    Args:
        game: whose objective counts.
        learned: a memoryless mechanism; its mean action is scored.
        inverse_temperature: of the participants, per unit of payoff; infinity for rational ones.
        anchor: the participants' prior policy; None for uniform.
        updates: gradient steps a condition in the search for the best mechanism, ``reachable``.
    """
    from lawgiver.trainers.evaluation.reachable import reachable  # imports torch

    table = {
        name: game.exact_scores(mechanism, inverse_temperature=inverse_temperature, anchor=anchor)
        for name, mechanism in mechanisms(game, learned)
    }
    table["reachable"] = reachable(game, inverse_temperature, anchor, updates=updates)
    table["ceiling"] = ceiling_scores(game)
    return ScoreTable(str(getattr(game, "objective", MEASURES[0])), table)


def mechanisms(game: Game[Any], own: Policy, label: str = "learned") -> Iterator[tuple[str, Policy]]:
    """Yield the canonical mechanisms that a game has, by name, and a run's own one under ``label``."""
    for name in CANONICAL:
        with suppress(UnsupportedGameError):  # not every rule means something in every game
            yield name, make_policy(game, "mechanism", name)
    yield label, own


def ceiling_scores(game: Game[Any]) -> Scores:
    """Compute the measures at the ceiling of the game's objective, or the reason why there are none."""
    by_condition = game.ceiling_scores()
    if game.ceiling() is None or not by_condition:
        return NoSolution(f"no ceiling is known for {game.name} and its objective")
    means = {name: math.fsum(c[name] for c in by_condition) / len(by_condition) for name in by_condition[0]}
    return means | {"by_condition": by_condition}


def robustness(
    game: Game[Any],
    learned: Policy,
    *,
    inverse_temperatures: Sequence[float] = TEMPERATURES,
    anchor: Policy | None = None,
) -> dict[float, dict[str, float | None]]:
    """Score a learned rule on other populations: the game's objective by inverse temperature and mechanism.

    Args:
        game: whose objective counts.
        learned: a memoryless mechanism.
        inverse_temperatures: of the populations.
        anchor: their prior policy; None for uniform.
    """
    objective = str(getattr(game, "objective", MEASURES[0]))
    rows: dict[float, dict[str, float | None]] = {}
    for level in inverse_temperatures:
        rows[level] = {}
        for name, mechanism in mechanisms(game, learned):
            found = game.exact_scores(mechanism, inverse_temperature=level, anchor=anchor)
            rows[level][name] = None if isinstance(found, NoSolution) else float(found[objective])
    return rows


def on_all_conditions(
    game: Game[Any], learned: Policy, *, inverse_temperature: float, anchor: Callable[[Game[Any]], Policy | None]
) -> list[dict[str, Any]]:
    """Score a rule on each of the paper's five conditions, after training on others.

    Args:
        game: game of the training; the result is empty unless it is a public investment game of four participants with
            other conditions.
        learned: a memoryless mechanism; its mean action is scored.
        inverse_temperature: of the participants, per unit of payoff.
        anchor: makes the participants' prior for a game, None for uniform.
    """
    if not isinstance(game, PublicInvestment) or game.n != len(CONDITIONS[0]) or game.conditions == CONDITIONS:
        return []
    wide = replace(game, endowments=CONDITIONS)
    with suppress(UnsupportedGameError):  # who sees the own endowment alone may not know which equilibrium it is in
        prior = anchor(wide)
        table = score_table(wide, learned, inverse_temperature=inverse_temperature, anchor=prior, updates=FEWER_UPDATES)
        by_condition: list[dict[str, Any]] = table.to_summary()["by_condition"]
        return by_condition
    return []


def exact_objective(
    game: Game[Any], mechanism: Policy, *, inverse_temperature: float, anchor: Policy | None = None
) -> float:
    """Compute the game's objective in the participants' exact equilibrium under a mechanism.

    Args:
        game: whose objective counts.
        mechanism: a memoryless mechanism.
        inverse_temperature: of the participants, per unit of payoff.
        anchor: their prior policy; None for uniform.

    Raises:
        UnsupportedGameError: if no exact solver applies to the game or the mechanism.
    """
    found = game.exact_scores(mechanism, inverse_temperature=inverse_temperature, anchor=anchor)
    if isinstance(found, NoSolution):
        raise UnsupportedGameError(f"the exact equilibrium is not known in {game.name}: {found}")
    return float(found[str(getattr(game, "objective", MEASURES[0]))])


def low_anchor(game: Game[Any]) -> Policy:
    """Make participants anchored at the equilibrium under the strict egalitarian rule, at inverse temperature 1.

    This is the population on which a steep rule scores worst, since such a rule punishes intermediate contributions.

    Raises:
        UnsupportedGameError: if the game has no exact equilibrium.
    """
    return make_policy(
        game, "participant", "logit_equilibrium", mechanism="strict_egalitarian", inverse_temperature=1.0
    )


def beside_equilibrium(played: Mapping[str, Any], exact: Scores) -> dict[str, Mapping[str, Any]]:
    """Arrange measures in columns ``played`` and ``equilibrium``, None where the exact value is not known."""
    known = {} if isinstance(exact, NoSolution) else exact
    return {"played": played, "equilibrium": {measure: known.get(measure) for measure in played}}


def other_populations(game: Game[Any], learned: Policy) -> dict[str, dict[str, float | None]]:
    """Score the objective by population and mechanism: other inverse temperatures, and a low anchor."""
    rows = {f"{level:g}": row for level, row in robustness(game, learned).items()}
    with suppress(UnsupportedGameError):  # the low anchor is an exact equilibrium, which not every game has
        rows["1, anchored low"] = robustness(game, learned, inverse_temperatures=(1.0,), anchor=low_anchor(game))[1.0]
    return rows
