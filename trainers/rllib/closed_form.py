"""Trained participants of public investment beside the closed form: the logit choice in the exact equilibrium."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.envs.public_investment.one_round import solve, weight_function


@dataclass(frozen=True)
class Beside:
    """First-round contributions of trained participants and in equilibrium, under one set of endowments.

    Attributes:
        endowments: of each participant, (n,).
        learned: probabilities of each contribution, (n, largest endowment of the game + 1).
        exact: the same in the participants' exact equilibrium.
    """

    endowments: tuple[int, ...]
    learned: np.ndarray
    exact: np.ndarray

    @property
    def distance(self) -> float:
        """Total variation between the two, the most of any participant."""
        return float(np.abs(self.learned - self.exact).sum(-1).max() / 2)


def beside_closed_form(
    game: Game[Any], mechanism: Policy, participants: Policy, inverse_temperature: float, anchor: Policy | None
) -> Iterator[Beside]:
    """Yield trained participants of public investment beside the closed form, by condition, where it is known."""
    if not isinstance(game, PublicInvestment):
        return
    for endowments in game.conditions:
        exact = solve(game, mechanism, endowments, inverse_temperature, anchor)
        if not isinstance(exact, NoSolution):
            yield Beside(endowments, first_round(game, mechanism, participants, endowments), exact.distributions)


def choices(found: Beside) -> dict[str, dict[str, float]]:
    """Tabulate the probability of each contribution by kind of participant, trained and in closed form."""
    table: dict[str, dict[str, float]] = {}
    for endowment in sorted(set(found.endowments), reverse=True):
        seat = found.endowments.index(endowment)
        for who, probabilities in {"trained": found.learned, "closed form": found.exact}.items():
            named = {str(amount): float(probabilities[seat, amount]) for amount in range(endowment + 1)}
            table[f"endowment {endowment}, {who}"] = named
    return table


def summary_of(found: list[Beside]) -> dict[str, Any]:
    """Summarise comparisons: ``choices`` of the first condition, and the largest ``distance_from_closed_form``."""
    if not found:
        return {}
    return {"choices": choices(found[0]), "distance_from_closed_form": max(each.distance for each in found)}


def first_round(
    game: PublicInvestment, mechanism: Policy, participants: Policy, endowments: tuple[int, ...]
) -> np.ndarray:
    """Compute the probabilities of first-round contributions, (n, largest endowment of the game + 1)."""
    amounts = np.array([endowments], float)
    state = game.initial_state_from(amounts)
    if game.announces:
        state, *_ = game.advance(state, weight_function(game, mechanism)(amounts, np.zeros_like(amounts)), {})
    mask = game.legal_actions(state, "participant")
    memory = participants.initial_state(1, np.random.default_rng(0))
    logs, _ = participants.distribution(game.observe(state, "participant"), mask, memory)
    return np.asarray(np.exp(np.asarray(logs)[0]))
