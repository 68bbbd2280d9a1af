"""Multi-lane coordination: selfish movers end far apart, and a payment coordinates them.

Mguni and Tomczak, section 5. With H = length / 2, participant i starts at x_i, uniform on [0, H], moves ahead by u_i in
[0, H] and ends at y_i = x_i + u_i. It sees only its own start. Its utility is

    r_i = -coordination_weight sum_j (y_i - y_j)^2 - movement_cost u_i

and the mechanism pays it a polynomial g_w(s) = constant + sum_{j=1..P} w_j z(s)^j. The paper writes s = x_i, the start,
for which no payment can change anything; the sensible base is where the participant ends. It does not say either
whether participants count the coordination loss as their own doing. Hence ``payment_on`` and ``agent_objective``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, namespace, total
from lawgiver.envs.core.errors import choice, integer, number
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import LARGEST_SEATS, KnownSolution
from lawgiver.envs.families.mechanism_game import MechanismGame, MechanismState, PaymentCurve
from lawgiver.envs.lanes import solutions
from lawgiver.envs.lanes.subgame import LanesSubgame

LARGEST_DEGREE = 50
"""Largest degree of the payment polynomial: higher powers are ill-conditioned in float64."""
BASES = ("xT", "x0", "u")
OBJECTIVES = ("local", "full", "blind")
POLYNOMIALS = ("centred", "raw")


@dataclass(frozen=True)
class Lanes(MechanismGame):
    """Movers on separate lanes, who should end at the same position.

    The mechanism announces the coefficients w_1 .. w_P of a payment; each participant then sees its start (unless it is
    ``blind``) and the coefficients, and moves once. Participants differ only in where they start. A participant that
    moves by u_i and ends at y_i has the utility -b sum_j (y_i - y_j)^2 - d u_i, plus the payment.

    Args:
        n: number of participants, >= 2.
        length: length of a lane, > 0; starts and moves are at most half of it.
        coordination_weight: b, of the squared distances to the others, > 0.
        movement_cost: d, of a unit of length moved, >= 0.
        degree: P, of the payment polynomial, >= 1; w_0 is ``constant``.
        basis: powers of ``centred`` z = 2 s / length - 1, or ``raw`` ones z = s.
        payment_on: what is paid for, s: the terminal position ``xT``, the start ``x0`` or the move ``u``.
        agent_objective: what participants maximise besides the payment: ``local``, the cost of movement; ``full``,
            their whole utility; ``blind``, the whole, without seeing where they start.
        box: largest absolute value of a coefficient, > 0.
        constant: w_0, paid to everybody whatever they do; it changes nothing but who is better off at home.
        n_moves: how many moves there are, evenly from 0 to H, >= 2; None for all in between. That nobody can end just
            where it wants to costs rational participants about n A H^2 / (6 (n_moves - 1)^2) of welfare, with
            A = coordination_weight (n - 1): 0.7 % of the optimum for 20 participants and 101 moves.
        objective: the mechanism's reward of a round: ``welfare``, the sum of utilities, or a registered objective.

    Raises:
        ParameterError: if a parameter is outside its range.
    """

    n: int = 5
    length: float = 2.0
    coordination_weight: float = 1.0
    movement_cost: float = 0.1
    degree: int = 2
    basis: Literal["centred", "raw"] = "centred"
    payment_on: Literal["xT", "x0", "u"] = "xT"
    agent_objective: Literal["local", "full", "blind"] = "local"
    box: float = 4.0
    constant: float = 0.0
    n_moves: int | None = 101

    name: ClassVar[str] = "lanes-v0"
    summary: ClassVar[str] = "pays movers for where they end"
    reference: ClassVar[str] = "Mguni and Tomczak, Efficient Reinforcement Dynamic Mechanism Design, section 5"
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "Participants who do not see their start": {"agent_objective": "blind"},
        "Moves of any length": {"n_moves": None},
    }

    def __post_init__(self) -> None:
        """Check every parameter."""
        settings = {
            "n": integer("n", self.n, 2, LARGEST_SEATS),
            "length": number("length", self.length, "[1e-12, 1e12]"),
            "coordination_weight": number("coordination_weight", self.coordination_weight, "(0, inf)"),
            "movement_cost": number("movement_cost", self.movement_cost, "[0, inf)"),
            "degree": integer("degree", self.degree, 1, LARGEST_DEGREE),
            "box": number("box", self.box, "(0, inf)"),
            "constant": number("constant", self.constant, "(-inf, inf)"),
            "n_moves": None if self.n_moves is None else integer("n_moves", self.n_moves, 2),
        }
        for name, value in settings.items():
            object.__setattr__(self, name, value)
        self.check_objective()
        choice("basis", self.basis, POLYNOMIALS)
        choice("payment_on", self.payment_on, BASES)
        choice("agent_objective", self.agent_objective, OBJECTIVES)

    @property
    def half(self) -> float:
        """H, the largest start and the largest move."""
        return self.length / 2

    @cached_property
    def setting(self) -> solutions.Setting:
        """Parameters of the closed forms."""
        return solutions.Setting(self.n, self.length, self.coordination_weight, self.movement_cost)

    # -- types, announcements, w --------------------------------------------------------------------------------

    @property
    def type_size(self) -> int:
        """The start."""
        return 1

    def type_layout(self) -> Layout:
        """Return the field of the start."""
        if self.agent_objective == "blind":
            return ()
        return (Field("position", 1, 0, 0.5, "share of the lane", "where the participant starts"),)

    def parameter_layout(self) -> Layout:
        """Return the coefficients w_1 .. w_P."""
        what = {"xT": "terminal position", "x0": "start", "u": "move"}[self.payment_on]
        return (
            Field(
                "coefficients",
                self.degree,
                -self.box,
                self.box,
                "utility",
                f"w_1 to w_{self.degree} of the payment, a polynomial ({self.basis} powers) in the {what}",
            ),
        )

    @property
    def rule_names(self) -> tuple[str, ...]:
        """w_1 to w_P."""
        return tuple(f"w_{j + 1}" for j in range(self.degree))

    @property
    def rule_formula(self) -> str | None:
        """The payment as a polynomial."""
        base = {"xT": "terminal position", "x0": "start", "u": "move"}[self.payment_on]
        powers = " + ".join(f"w_{j + 1} z{f'^{j + 1}' if j else ''}" for j in range(self.degree))
        constant = f" + {self.constant:g}" if self.constant else ""
        z = f"z = 2 s / {self.length:g} - 1, s" if self.basis == "centred" else "z"
        return f"a participant is paid {powers}{constant}; {z} the {base}"

    def announcement_layout(self) -> Layout | int:
        """Participants choose a move, 0 for staying."""
        if self.n_moves is not None:
            return self.n_moves
        return (Field("move", 1, 0, self.half, "length", "how far to move ahead"),)

    def initial_types(self, draws: Array) -> Array:
        """Return starts (B, n, 1), uniform on [0, H]."""
        return self.half * draws

    def see_types(self, state: MechanismState) -> Array:
        """Return the start as a share of the lane, nothing for blind participants."""
        return state.types[..., :0] if self.agent_objective == "blind" else state.types / self.length

    def announcements(self, actions: Array) -> Array:
        """Return moves (B, n) in units of length."""
        return actions[..., 0] if self.n_moves is None else actions * (self.half / (self.n_moves - 1))

    # -- rules --------------------------------------------------------------------------------------------------

    def allocate(self, types: Array, announcements: Array, parameters: Array) -> Array:
        """Return terminal positions and moves, (B, n, 2)."""
        return namespace(types).stack([types[..., 0] + announcements, announcements], axis=-1)

    def transfer(self, types: Array, allocations: Array, parameters: Array) -> Array:
        """Return the payments g_w(s), (B, n)."""
        base = {"xT": allocations[..., 0], "x0": types[..., 0], "u": allocations[..., 1]}[self.payment_on]
        return self.payment(base, parameters[:, None, :])

    def payment(self, base: Array, parameters: Array) -> Array:
        """Return g_w(s) for bases s (...) in units of length and coefficients (..., P)."""
        z = 2 * base / self.length - 1 if self.basis == "centred" else base
        paid = parameters[..., -1] * z
        for j in reversed(range(self.degree - 1)):
            paid = (paid + parameters[..., j]) * z
        return paid + self.constant

    def payment_curve(self) -> PaymentCurve:
        """Return g_w over all that can be paid for; a threshold is no move."""
        label, most = {
            "xT": ("terminal position", self.length),
            "x0": ("start", self.half),
            "u": ("move", self.half),
        }[self.payment_on]
        places = np.linspace(0, most, 201)
        curve = PaymentCurve(f"{label} (units of length)", places, lambda w: np.asarray(self.payment(places, w)))
        if self.payment_on == "u":
            return curve
        return replace(curve, behaviour="threshold", best=solutions.optimal_threshold(self.setting))

    def utility(self, types: Array, allocations: Array) -> Array:
        """Return -b sum_j (y_i - y_j)^2 - d u_i, (B, n), in O(n): by the mean and the spread of terminal positions."""
        apart = allocations[..., 0] - total(allocations[..., 0])[..., None] / self.n
        distances = self.n * apart**2 + total(apart**2)[..., None]
        return -self.coordination_weight * distances - self.movement_cost * allocations[..., 1]

    def attributed(self, types: Array, allocations: Array, utilities: Array) -> Array:
        """Return the utility that participants maximise: the cost of movement alone, if they are ``local``."""
        return -self.movement_cost * allocations[..., 1] if self.agent_objective == "local" else utilities

    @property
    def welfare_bounds(self) -> tuple[float, float]:
        """Half of all at 0 and the others at the lane's end, all of them having moved as far as they can; 0."""
        apart = self.coordination_weight * self.n**2 * self.length**2 / 2
        return -apart - self.n * self.movement_cost * self.half, 0.0

    @property
    def welfare_scale(self) -> float:
        """The loss without movement: b n (n - 1) H^2 / 6."""
        return self.coordination_weight * self.n * (self.n - 1) * self.half**2 / 6

    # -- exact solutions --------------------------------------------------------------------------------------

    @cached_property
    def subgame(self) -> LanesSubgame:
        """The movers' subgame in tables."""
        return LanesSubgame(self)

    def optimum(self) -> float:
        """Return the largest welfare of moves by own start alone; of staying, for blind participants."""
        if self.agent_objective == "blind":
            return -self.welfare_scale
        return solutions.private_optimum_welfare(self.setting)

    def first_best(self) -> float:
        """Return the welfare of a planner who sees all starts."""
        return solutions.first_best_welfare(self.setting)

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """The thresholds without mechanism, at the optimum and under the optimal payment, and their welfare."""
        at = self.setting
        known = (
            KnownSolution(
                name="welfare when nobody moves",
                source="moments of the uniform distribution",
                value=lambda: -self.welfare_scale,
                residual=lambda: abs(solutions.meeting_welfare(at, 0.0) + self.welfare_scale) / self.welfare_scale,
            ),
            KnownSolution(
                name="threshold of rational participants who count their whole utility, without mechanism",
                source="fixed point of the best response: where everybody meets who starts behind it",
                value=lambda: solutions.equilibrium_threshold(at),
                residual=lambda: abs(
                    solutions.equilibrium_threshold(at)
                    - solutions.best_response(at, solutions.mean_terminal(at, solutions.equilibrium_threshold(at)))
                ),
            ),
            KnownSolution(
                name="threshold at which welfare is largest, each seeing its own start alone",
                source="first-order condition of the welfare of meeting at a threshold",
                value=lambda: solutions.optimal_threshold(at),
                residual=lambda: self._below_the_largest(solutions.optimal_threshold(at)),
            ),
            KnownSolution(
                name="that largest welfare",
                source="closed form of the welfare of meeting at a threshold",
                value=lambda: solutions.private_optimum_welfare(at),
                residual=lambda: self._below_the_largest(solutions.optimal_threshold(at)),
            ),
        )
        return (*known, self._payment_known()) if self._payable else known

    def _below_the_largest(self, threshold: float) -> float:
        """Return by which share of its size the welfare of meeting at a threshold is below that of any on a grid."""
        welfare = [solutions.meeting_welfare(self.setting, a) for a in np.linspace(0, self.half, 2001)]
        reached = solutions.meeting_welfare(self.setting, threshold)
        return max(0.0, max(welfare) - reached) / self.welfare_scale

    @property
    def _payable(self) -> bool:
        """Whether some payment of the degree implements the optimum."""
        enough = {"full": 1, "local": 2}.get(self.agent_objective, math.inf)
        return self.payment_on == "xT" and self.degree >= enough

    def _best_payment(self) -> np.ndarray:
        return solutions.optimal_transfer(self.setting, self.degree, self.agent_objective, self.basis)

    def _payment_known(self) -> KnownSolution:
        at = self.setting

        def induced() -> float:
            return solutions.induced_threshold(at, self._best_payment(), self.basis, self.agent_objective)

        coefficients = ", ".join(f"{w:.4g}" for w in self._best_payment())
        return KnownSolution(
            name=f"threshold that the payment ({coefficients}) induces in rational participants",
            source="Pigou's charge: what a participant's distance costs all others",
            value=induced,
            residual=lambda: abs(induced() - solutions.optimal_threshold(at)) / self.half,
        )

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """The mechanism that pays nothing, and the payment that is optimal for rational participants, if in the box."""
        if not self._payable or np.abs(self._best_payment()).max() > self.box:
            return super().members
        return {**super().members, "pigou": tuple(self._best_payment().tolist())}
