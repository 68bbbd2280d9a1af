"""Any game of two participants and finitely many actions, played for some rounds under a mechanism that taxes payoffs.

With rate t a round pays x_i' = (1 - t) x_i + t mean(x): 0 leaves the game as it is, 1 gives both the same, so that they
want what is best together. Which payoffs there are is the user's: in a configuration, an array, a table, or a file of
Gambit's, for which see :func:`lawgiver.envs.bimatrix.payoffs.checked_payoffs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.bimatrix.payoffs import Payoffs, checked_payoffs
from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import integer
from lawgiver.envs.core.fields import Field
from lawgiver.envs.core.game import Draws, KnownSolution
from lawgiver.envs.families.taxed_game import TaxedGame, TaxedState


@dataclass(frozen=True)
class Bimatrix(TaxedGame):
    """A two-player game with any payoffs, and a mechanism that taxes them and redistributes equally.

    Participant 0 chooses a row, participant 1 a column; where one has fewer actions than the other, the rest are not
    legal. The mechanism sets a tax rate in [0, 1], before (``announce``) or after (``allocate``) they have chosen.

    Args:
        payoffs: Of participant 0 and 1 by row and column, (m, n, 2); {row: (m, n), column: (m, n)}; or the path of
            Gambit's ``.nfg``, or of a ``.csv`` with the columns row, column, payoff_row and payoff_column. Up to 100
            rows and columns. By default the battle of the sexes.
        rounds: rounds of a game, >= 1, common knowledge.
        mechanism_mode: ``announce`` or ``allocate``.
        objective: the mechanism's reward of a round, as in the public investment game.

    Raises:
        ParameterError: if a parameter is outside its range, or naming the line of a file at fault.
    """

    payoffs: Any = (((2.0, 1.0), (0.0, 0.0)), ((0.0, 0.0), (1.0, 2.0)))
    rounds: int = 1
    mechanism_mode: Literal["announce", "allocate"] = "announce"
    objective: str = "surplus"

    name: ClassVar[str] = "bimatrix-v0"
    summary: ClassVar[str] = "taxes a two-person game of yours and hands it back"
    reference: ClassVar[str] = (
        "Luce and Raiffa 1957, Games and Decisions, chapter 5, for the payoffs by default; the tax is this library's"
    )
    horizon_known: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check every parameter, and read the file."""
        object.__setattr__(self, "payoffs", checked_payoffs(self.payoffs))
        object.__setattr__(self, "rounds", integer("rounds", self.rounds, 1))
        self.check_choices()

    @cached_property
    def table(self) -> np.ndarray:
        """The payoffs, (m, n, 2)."""
        given: Payoffs = self.payoffs
        return np.array(given)

    @cached_property
    def counts(self) -> tuple[int, int]:
        """Actions of participant 0 and 1, (m, n)."""
        return self.table.shape[0], self.table.shape[1]

    @property
    def choice_field(self) -> Field:
        """The field of rows and columns."""
        most = max(self.counts) - 1
        return Field("choices", 2, 0, most, "action", "made last (own first for a participant); 0 before")

    @property
    def max_steps(self) -> int:
        """Two phases a round."""
        return 2 * self.rounds

    def earnings(self, choices: Array) -> Array:
        """Return the payoffs before tax (B, 2) for choices (B, 2)."""
        xp = namespace(choices)
        cell = xp.astype(choices[:, 0] * self.counts[1] + choices[:, 1], xp.int64)
        return constant(self.table.reshape(-1, 2), choices)[cell]

    def ended(self, state: TaxedState, draws: Draws) -> tuple[Array, Array]:
        """Flag games terminated after ``rounds`` and truncated games (none), bool (B,) each."""
        return state.round >= self.rounds, state.round < 0

    def behaviour(self, strategies: list[np.ndarray]) -> dict[str, Any]:
        """Return ``strategies``, the probabilities of each seat's actions."""
        return {"strategies": [strategy.tolist() for strategy in strategies]}

    def nash_equilibria(self, tax: float = 0.0) -> list[tuple[np.ndarray, np.ndarray]]:
        """See :func:`lawgiver.envs.bimatrix.solutions.nash_equilibria`."""
        from lawgiver.envs.bimatrix.solutions import nash_equilibria

        return nash_equilibria(self, tax)

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """The logit equilibrium at inverse temperature 1; and the Nash equilibria, where they can be enumerated."""
        from lawgiver.envs.bimatrix.solutions import known_solutions

        return known_solutions(self)
