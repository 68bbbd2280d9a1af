"""Misreports of trained participants in repeated allocation, their cost, and those of the equilibrium."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from lawgiver.envs.core.arrays import evolve
from lawgiver.envs.core.errors import ConvergenceError
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.repeated_reports import RepeatedState
from lawgiver.envs.repeated_allocation.game import RepeatedAllocation
from lawgiver.envs.repeated_allocation.solutions import Classes, announced, equilibrium, payoff_table, sample_types

PROFILES = 40
"""Profiles of types on which every joint choice is played out."""
STREAM = 12
"""Seed of these profiles."""
LARGEST = 200_000
"""Games up to which that is done."""


def misreports(
    game: RepeatedAllocation, rule: tuple[float, float], participants: Policy, inverse_temperature: float
) -> dict[str, Any]:
    """Measure misreports under an announced rule and their cost, on the same profiles of types.

    Args:
        game: of the training.
        rule: burning and sharing, each in [0, 1].
        participants: the trained ones, memoryless.
        inverse_temperature: of the equilibrium, finite.

    Returns:
        ``misreports``: by quantity what holds of the ``truth``, the ``trained`` participants and the ``equilibrium``
        (None where it is not found); ``menu``: by choice how probable it is, trained and in equilibrium. Nothing where
        every joint choice would take more than 200,000 games.
    """
    size, n = len(game.menu), game.one_shot.n
    if PROFILES * size**n > LARGEST:
        return {}
    types = sample_types(game, PROFILES, STREAM)
    table, classes = payoff_table(game, announced(game, *rule), types), Classes.of(game, types)
    truth = np.zeros((PROFILES, n, size))
    truth[..., game.honest] = 1
    played: dict[str, np.ndarray | None] = {
        "truth": truth,
        "trained": _probabilities(game, rule, participants, types),
        "equilibrium": None,
    }
    with suppress(ConvergenceError):  # a cell says "-" then
        played["equilibrium"] = equilibrium(table, classes, inverse_temperature).strategy[classes(types)]
    bent, asked = game.menu[:, 0] != 1, game.menu[:, 1] > 1
    rows: dict[str, Callable[[np.ndarray], float]] = {
        "reports that are untrue (share)": lambda p: float(1 - p[..., game.honest].mean()),
        "reports that bend values (share)": lambda p: float(p[..., bent].sum(-1).mean()),
        "reports that ask for more (share)": lambda p: float(p[..., asked].sum(-1).mean()),
        "utility of a participant, a round": lambda p: float((table.expected(p) * p).sum(-1).mean()),
        f"{game.one_shot.objective.replace('_', ' ')}, a round": table.welfare,
    }
    found = {
        what: {who: None if p is None else measure(p) for who, p in played.items()} for what, measure in rows.items()
    }
    names = [f"values ^{power:g}, demands x{factor:g}" for power, factor in game.menu]
    menu = {
        who: dict(zip(names, p.mean(axis=(0, 1)).tolist(), strict=True))
        for who, p in played.items()
        if p is not None and who != "truth"
    }
    return {"misreports": found, "menu": menu}


def _probabilities(
    game: RepeatedAllocation, rule: tuple[float, float], participants: Policy, types: np.ndarray
) -> np.ndarray:
    """Compute the probability of each choice, (N, n, A), of participants with types (N, n, k) under a rule."""
    count = len(types)
    parameters = (
        np.broadcast_to(rule, (count, 2)) if game.announces else game.one_shot.initial_state_from(types).parameters
    )
    now = evolve(game.one_shot.initial_state_from(types), turn=1, parameters=parameters)
    state = RepeatedState(round=np.arange(count) % game.rounds * 1.0, now=now)
    memory = participants.initial_state(count, np.random.default_rng(0))
    return np.asarray(np.exp(participants.distribution(game.observe(state, "participant"), None, memory)[0]))
