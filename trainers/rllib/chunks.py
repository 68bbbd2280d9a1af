"""Samples in transit from runners to learners: arrays with the trajectories on the leading axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Trajectories:
    """N trajectories of one module, padded to T steps; a step is one turn of an agent.

    Attributes:
        obs: observation at each turn, (N, T, d).
        last_obs: observation when the game was truncated, (N, d); zeros where it was not.
        actions: raw samples, (N, T) or (N, T, k).
        rewards: sum of rewards from a turn until the next one or the end of the game, (N, T).
        logp: log-probability of the action, (N, T).
        dist_inputs: parameters of the distribution it was drawn from, (N, T, w).
        lengths: number of turns, (N,), beyond which arrays are padding.
        terminated: games that ended by their rules rather than truncation, bool (N,).
    """

    obs: np.ndarray
    last_obs: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    logp: np.ndarray
    dist_inputs: np.ndarray
    lengths: np.ndarray
    terminated: np.ndarray

    def take(self, rows: np.ndarray | slice) -> Trajectories:
        """Select the trajectories ``rows``."""
        return Trajectories(**{name: array[rows] for name, array in vars(self).items()})

    @property
    def mask(self) -> np.ndarray:
        """Steps that are no padding, bool (N, T)."""
        return np.arange(self.rewards.shape[1]) < self.lengths[:, None]


class Chunk:
    """Whole games, by module, passed to RLlib in place of episodes.

    RLlib deals chunks out to several learners by their ``len``, and cuts one where the sums do not come out even. A
    runner therefore returns as many chunks as there are learners, and ``len`` is what they have in common: the steps
    of the largest module, padding included.
    """

    def __init__(self, modules: dict[str, Trajectories], env_steps: int) -> None:
        """Keep the trajectories by module id, and how many steps (phases) of a game they cover."""
        self.modules = dict(sorted(modules.items()))
        self._env_steps = env_steps

    def __len__(self) -> int:
        return max(t.rewards.size for t in self.modules.values())

    def env_steps(self) -> int:
        """Count the phases played, over all games."""
        return self._env_steps

    def agent_steps(self) -> int:
        """Count the turns taken, over all agents."""
        return int(sum(t.lengths.sum() for t in self.modules.values()))
