"""The base of processes with tables of transitions: transitions, and the distribution of the first state."""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, total
from lawgiver.envs.core.errors import ParameterError, brief, sums_to_one
from lawgiver.envs.solvers.mdp.transitions import as_transitions


class TabularProcess:
    """Transitions between S states by A actions, from a state that is drawn.

    Args:
        transitions: as :func:`~lawgiver.envs.solvers.mdp.transitions.as_transitions` takes them.
        start: the first state's number, or probabilities (S,).
        memory: budget in MiB.
    """

    def __init__(self, transitions: object, start: object, memory: float) -> None:
        """Check both."""
        self.transitions = as_transitions(transitions, memory)
        self.start = start_probabilities(start, self.n_states)

    @property
    def n_states(self) -> int:
        """S."""
        return self.transitions.n_states

    @property
    def n_actions(self) -> int:
        """A."""
        return self.transitions.n_actions

    def _from_start(self, values: Array) -> Array:
        return total(values * constant(self.start, values))


def start_probabilities(start: object, n_states: int) -> np.ndarray:
    """Return the distribution of the first state (S,), given as such or as the number of a state.

    Raises:
        ParameterError: if it is neither.
    """
    if isinstance(start, (int, np.integer)) and not isinstance(start, bool):
        if not 0 <= start < n_states:
            raise ParameterError(f"start is {brief(start)}, allowed: a state in 0..{n_states - 1}")
        alone = np.zeros(n_states)
        alone[int(start)] = 1
        return alone
    try:
        chances = np.asarray(start, dtype=float)
    except (TypeError, ValueError):
        chances = np.zeros(())
    if not chances.ndim:
        raise ParameterError(f"start is {brief(start)}, allowed: the number of a state, or probabilities ({n_states},)")
    if chances.shape != (n_states,):
        raise ParameterError(f"start has the shape {chances.shape}, allowed: a state's number, or ({n_states},)")
    wrong = np.flatnonzero(~(np.isfinite(chances) & (chances >= 0)))
    if wrong.size:
        raise ParameterError(f"start has {chances[wrong[0]]} for state {wrong[0]}, allowed: probabilities")
    if not sums_to_one(chances.sum()):
        raise ParameterError(f"start sums to {chances.sum():.9g}, allowed: 1")
    return np.asarray(chances / chances.sum())
