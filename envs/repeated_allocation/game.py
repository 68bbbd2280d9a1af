"""Repeated payment-free allocation: participants learn which misreports pay, mechanisms learn to withstand them.

Every round is a game of :mod:`lawgiver.envs.payment_free_allocation` with types drawn afresh, see
:mod:`lawgiver.envs.families.repeated_reports`. Participants choose from a finite menu of misreports, honesty among
them. In ``announce`` mode the mechanism announces how much it burns and how far it shares by demand alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.core.make import make_game
from lawgiver.envs.families.repeated_reports import RepeatedReports
from lawgiver.envs.payment_free_allocation.game import PaymentFreeAllocation
from lawgiver.envs.repeated_allocation.misreport_menu import HONEST, ladder, menu, misreported


@dataclass(frozen=True)
class RepeatedAllocation(RepeatedReports):
    """Payment-free allocation for a number of rounds, with a menu of misreports.

    Args:
        stage: parameters of the one-shot game, n, m and ``mechanism_mode`` among them; its ``objective`` is what the
            mechanism is paid each round, by true utilities.
        rounds: number of rounds, >= 1; types are drawn afresh in each.
        value_exponents: the menu's exponents, different numbers > 0, 1 among them; above 1 they sharpen values.
        demand_factors: the menu's factors, likewise; above 1 they exaggerate demands.
        announce_every: ``round`` or ``game``, of a mechanism that announces.

    Raises:
        ParameterError: if a parameter is outside its range, of the one-shot game's too.
    """

    stage: Mapping[str, Any] = field(default_factory=lambda: {"n": 3, "m": 2})
    rounds: int = 4
    value_exponents: Sequence[float] = (0.25, 1.0, 2.0)
    demand_factors: Sequence[float] = (1.0, 1.25, 1.5, 2.0)
    announce_every: Literal["round", "game"] = "round"

    name: ClassVar[str] = "repeated_allocation-v0"
    summary: ClassVar[str] = "shares resources round after round"
    reference: ClassVar[str] = "the one-shot game's, see payment_free_allocation-v0; the rounds are this library's"
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "the utility of what it is given under its true type, once a round",
        "mechanism": "the one-shot game's `objective` of true utilities, once a round",
    }
    nested: ClassVar[Mapping[str, str]] = {"stage": "payment_free_allocation"}
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "announce": {"stage": {"n": 3, "m": 2, "mechanism_mode": "announce"}},
    }

    def __post_init__(self) -> None:
        """Check every parameter."""
        self.check_rounds()
        for name in ("value_exponents", "demand_factors"):
            object.__setattr__(self, name, ladder(name, getattr(self, name)))
        if not isinstance(self.stage, Mapping):
            raise ParameterError(
                f"stage is {self.stage!r}, allowed: parameters of {PaymentFreeAllocation.name} by name"
            )
        _ = self.one_shot  # its own check

    @cached_property
    def one_shot(self) -> PaymentFreeAllocation:
        """The game of a single round, whose rules each round applies."""
        game = make_game(PaymentFreeAllocation.name, **{str(name): value for name, value in self.stage.items()})
        assert isinstance(game, PaymentFreeAllocation)
        return game

    @cached_property
    def menu(self) -> np.ndarray:
        """Exponent of values and factor of demands of each choice, (A, 2)."""
        return menu(self.value_exponents, self.demand_factors)

    @cached_property
    def honest(self) -> int:
        """The choice that reports the type as it is."""
        return int(np.argmax((self.menu == HONEST).all(axis=1)))

    @property
    def choices(self) -> int:
        """Number of misreports, A."""
        return len(self.menu)

    def reports_of(self, types: Array, choices: Array) -> Array:
        """Compute the reports (..., k) for types (..., k) and choices (...) of the menu."""
        xp = namespace(types)
        bent = constant(self.menu, types)[xp.astype(choices, xp.int64)]
        one = self.one_shot
        return misreported(types, bent, one.type_layout(), 0.0 if one.types_file else one.value_low)

    def honest_choice(self, types: Array) -> Array:
        """Return :attr:`honest` for each of the types (..., k), integers (...)."""
        xp = namespace(types)
        return xp.zeros(types.shape[:-1], dtype=xp.int64, device=types.device) + self.honest

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """Zero gain of the menu's misreports under one rule, and of misreported values under another."""
        from lawgiver.envs.repeated_allocation.solutions import largest_gain

        def solution(name: str, rule: tuple[float, float], lies: np.ndarray) -> KnownSolution:
            def gain() -> float:
                return largest_gain(self, rule, np.flatnonzero(lies), profiles=16)

            return KnownSolution(
                name=f"greatest gain of {name}, over 16 profiles",
                source="Sprumont 1991 for water filling; Cole, Gkatzelis and Goel 2013 for partial allocation",
                value=gain,
                residual=lambda: max(0.0, gain()),
            )

        return (
            solution("any misreport under water filling", (0.0, 1.0), np.ones(len(self.menu), bool)),
            solution("a misreport of values under partial allocation", (1.0, 0.0), self.menu[:, 1] <= HONEST),
        )
