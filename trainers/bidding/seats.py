"""Seats of an auction: who is alike, what they see, and what they are paid for bids."""

from __future__ import annotations

from typing import Any

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, constant, evolve, namespace
from lawgiver.envs.families.mechanism_game import MechanismGame, MechanismState

PROBES = 64
"""Games in which two seats are exchanged to see whether the rule tells them apart."""
EXACT = 1e-12
"""Largest difference of numbers that are the same up to rounding."""


def announced(game: MechanismGame, parameters: np.ndarray, batch: int, rng: Rng) -> MechanismState:
    """Draw games on the backend of ``rng`` in which w (D,) has been announced."""
    state = game.initial_state(batch, rng)
    w = constant(parameters, state.parameters)[None, :]
    return game.advance(state, namespace(w).broadcast_to(w, state.parameters.shape), game.draw(batch, rng))[0]


def payoffs(game: MechanismGame, state: MechanismState, actions: Array) -> Array:
    """Compute the participants' payoffs (B, n) for actions (B, n[, k]) in games that wait for bids."""
    allocations = outcomes(game, state, actions)
    utilities = game.utility(state.types, allocations)
    attributed = game.attributed(state.types, allocations, utilities)
    return attributed + game.transfer(state.types, allocations, game.in_force(state))


def outcomes(game: MechanismGame, state: MechanismState, actions: Array) -> Array:
    """Compute the allocations (B, n, p) for actions (B, n[, k]) in games that wait for bids."""
    return game.allocate(state.types, game.outcome(state, actions), game.in_force(state))


def repeated(state: MechanismState, times: int) -> MechanismState:
    """Return the games of a state (B, ...) ``times`` in a row, (times B, ...)."""

    def copies(x: Array) -> Array:
        xp = namespace(x)
        return xp.reshape(xp.broadcast_to(x[None], (times, *x.shape)), (times * x.shape[0], *x.shape[1:]))

    changes = {name: copies(getattr(state, name)) for name in vars(state) if name != "turn"}
    return evolve(state, **changes)


def alike(game: MechanismGame, parameters: np.ndarray) -> tuple[int, ...]:
    """Number the seats by groups that neither the types nor the rule under w (D,) tell apart, (n,), from 0.

    Games that list seats ``alike`` by group, or name the ``groups`` of seats, (n,), say so of types; in others two
    seats are alike if their uniform draws, exchanged, exchange their types. The rule does not tell seats apart if
    their bids, exchanged, exchange what they get and pay.
    """
    rng = np.random.default_rng(0)
    state = announced(game, parameters, PROBES, rng)
    draws = rng.random((PROBES, game.n, game.type_size))
    actions = some_actions(game, PROBES, rng)
    listed: Any = getattr(game, "alike", None)
    labels: Any = getattr(game, "groups", None)
    if listed is not None:
        labels = [next(group for group, seats in enumerate(listed) if seat in seats) for seat in range(game.n)]

    def same_types(order: np.ndarray) -> bool:
        """Test whether the types are alike of the seats that an order of all seats exchanges."""
        if labels is not None:
            return bool((np.asarray(labels)[order] == labels).all())
        return np.allclose(game.initial_types(draws[:, order]), game.initial_types(draws)[:, order], atol=EXACT)

    def same_rule(order: np.ndarray) -> bool:
        """Test whether the rule is the same for these seats."""
        exchanged = evolve(state, types=state.types[:, order])
        allocations = outcomes(game, exchanged, actions[:, order])
        return np.allclose(allocations, outcomes(game, state, actions)[:, order], atol=EXACT)

    firsts: list[int] = []
    numbers = []
    for seat in range(game.n):
        for number, first in enumerate(firsts):
            order = np.arange(game.n)
            order[[seat, first]] = first, seat
            if same_types(order) and same_rule(order):
                numbers.append(number)
                break
        else:
            numbers.append(len(firsts))
            firsts.append(seat)
    return tuple(numbers)


def some_actions(game: MechanismGame, batch: int, rng: np.random.Generator) -> np.ndarray:
    """Draw actions of all participants uniformly, (B, n) of choices, (B, n, k) of numbers in a Box."""
    choices = game.action_layout("participant")
    if isinstance(choices, int):
        return rng.integers(choices, size=(batch, game.n))
    low, high = game.action_bounds("participant")
    drawn: np.ndarray = low + (high - low) * rng.random((batch, game.n, low.size))
    return drawn
