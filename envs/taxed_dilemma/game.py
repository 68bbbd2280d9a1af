"""A repeated prisoner's dilemma in which a mechanism taxes payoffs and redistributes the tax equally.

With rate t a round pays x_i' = (1 - t) x_i + t mean(x). Against a cooperator defecting pays 5 - 2.5 t and cooperating
3; against a defector they pay 1 and 2.5 t. So cooperation is dominant from t = 0.8 on, and defection up to t = 0.4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, floats, namespace, uniform
from lawgiver.envs.core.errors import choice, integer, number
from lawgiver.envs.core.fields import Field
from lawgiver.envs.core.game import Draws, KnownSolution
from lawgiver.envs.core.objectives import LOG_GUARD
from lawgiver.envs.core.wording import Wording
from lawgiver.envs.families.taxed_game import TaxedGame, TaxedState
from lawgiver.envs.taxed_dilemma.wording import wording

TEMPTATION, REWARD, PUNISHMENT, SUCKER = 5.0, 3.0, 1.0, 0.0
CEILINGS = {
    "surplus": 2 * REWARD,
    "log_nash_welfare": 2 * math.log(REWARD + LOG_GUARD),
    "rawlsian": REWARD,
    "gini": 0.0,
}
"""Mutual cooperation has the largest sum of payoffs, equally shared; a tax of 0.8 or more makes it dominant."""


@dataclass(frozen=True)
class TaxedDilemma(TaxedGame):
    """A prisoner's dilemma repeated for a random number of rounds, with a tax.

    Two participants choose 0 (defect) or 1 (cooperate); the mechanism sets a tax rate in [0, 1], before
    (``announce``) or after (``allocate``) they have chosen. After each round the game goes on with probability
    ``continuation`` (else it is terminated); at ``max_rounds`` it is cut off (truncated).

    Args:
        continuation: probability of another round, in [0, 1].
        max_rounds: rounds after which a game is cut off, >= 1.
        mechanism_mode: ``announce`` or ``allocate``.
        objective: the mechanism's reward of a round, as in the public investment game.

    Raises:
        ParameterError: if a parameter is outside its range.
    """

    continuation: float = 0.9
    max_rounds: int = 20
    mechanism_mode: Literal["allocate", "announce"] = "announce"
    objective: str = "log_nash_welfare"

    name: ClassVar[str] = "taxed_dilemma-v0"
    summary: ClassVar[str] = "taxes a repeated dilemma and hands it back"
    reference: ClassVar[str] = "Axelrod 1984, The Evolution of Cooperation, chapter 1; the tax is this library's"
    horizon_known: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check every parameter."""
        object.__setattr__(self, "continuation", number("continuation", self.continuation, "[0, 1]"))
        object.__setattr__(self, "max_rounds", integer("max_rounds", self.max_rounds, 1))
        self.check_choices()

    @property
    def counts(self) -> tuple[int, int]:
        """Both defect or cooperate."""
        return 2, 2

    @property
    def choice_field(self) -> Field:
        """The field of cooperation."""
        return Field("cooperated", 2, 0, 1, "flag", "who cooperated last (own first for a participant)")

    @property
    def max_steps(self) -> int:
        """Two phases a round."""
        return 2 * self.max_rounds

    def draw(self, batch: int, rng: Rng) -> Draws:
        """Draw whether each game continues."""
        return {"going_on": uniform(rng, (batch,))}

    def earnings(self, choices: Array) -> Array:
        """Return the dilemma's payoffs before tax (B, 2) for choices (B, 2), 1 for cooperation."""
        return earnings(choices)

    def ended(self, state: TaxedState, draws: Draws) -> tuple[Array, Array]:
        """Flag the games terminated at random and those truncated after ``max_rounds``, bool (B,) each."""
        stopped = floats(draws["going_on"], state.round) >= self.continuation
        return stopped, (state.round >= self.max_rounds) & ~stopped

    def behaviour(self, strategies: list[np.ndarray]) -> dict[str, Any]:
        """Return ``cooperation``, the probability of it, one a seat."""
        return {"cooperation": [float(strategy[1]) for strategy in strategies]}

    def ceiling(self) -> float | None:
        """Return the objective's value a round under mutual cooperation, None for an objective not built in."""
        return CEILINGS.get(self.objective)

    def ceiling_scores(self) -> list[dict[str, float]]:
        """Return the measures of mutual cooperation."""
        return [dict(CEILINGS)]

    def wording(self, language: str = "en") -> Wording:
        """Return the words of the game, which do not say what the choices and the tax stand for."""
        choice("language", language, self.languages)
        return wording(self)

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """The symmetric logit equilibrium of one round under a tax of 0.5, found by bisection."""
        return (
            KnownSolution(
                name="cooperation in the logit equilibrium at tax 0.5, inverse temperature 1",
                source="McKelvey and Palfrey 1995; expected payoffs in this module's docstring",
                value=lambda: logit_cooperation(0.5, 1.0),
                residual=lambda: abs(logit_cooperation(0.5, 1.0) - _response(logit_cooperation(0.5, 1.0), 0.5, 1.0)),
                tolerance=1e-9,
            ),
        )


def earnings(cooperated: Array) -> Array:
    """Return the dilemma's payoffs before tax (B, 2) for choices (B, 2), 1 for cooperation."""
    other = namespace(cooperated).flip(cooperated, axis=-1)
    return (
        REWARD * cooperated * other
        + SUCKER * cooperated * (1 - other)
        + TEMPTATION * (1 - cooperated) * other
        + PUNISHMENT * (1 - cooperated) * (1 - other)
    )


def _response(cooperation: float, tax: float, inverse_temperature: float) -> float:
    against_cooperator = REWARD - (TEMPTATION - tax * (TEMPTATION - SUCKER) / 2)
    against_defector = SUCKER + tax * (TEMPTATION - SUCKER) / 2 - PUNISHMENT
    gain = cooperation * against_cooperator + (1 - cooperation) * against_defector
    return (1 + math.tanh(inverse_temperature * gain / 2)) / 2  # the logistic function, without overflow


def logit_cooperation(tax: float, inverse_temperature: float) -> float:
    """Return the probability of cooperation in the symmetric logit equilibrium of one round, by bisection.

    Whatever the tax, cooperating gains one point less against a cooperator than against a defector. So the
    response falls in the other's cooperation, and the fixed point is unique.
    """
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _response(middle, tax, inverse_temperature) > middle else (low, middle)
    return (low + high) / 2
