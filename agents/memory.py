"""Memory of networks: a GRU over what an agent observes when it decides.

The state begins at zeros with every game, and whoever plays carries it from one decision to the next. A network with a
memory sees the observation followed by the state *after* that observation, so that it needs no other change than a
wider input. Acting goes step by step; a learner unrolls whole games, and gradients go back through all of a game's
decisions (backpropagation through time, without truncation).
"""

from __future__ import annotations

import gymnasium
import numpy as np
import torch
from torch import nn

from lawgiver.envs.core.errors import integer


class Recurrence(nn.Module):
    """A gated recurrent unit (Cho et al. 2014) with h units over inputs of k numbers."""

    def __init__(self, width: int, units: int) -> None:
        """Draw the weights.

        Args:
            width: length of the input, k.
            units: length of the state, h, >= 1.
        """
        super().__init__()
        self.units = units
        self.gru = nn.GRU(width, units, batch_first=True)

    def step(self, inputs: torch.Tensor, state: torch.Tensor | None = None) -> torch.Tensor:
        """Compute the state (..., h) after inputs (..., k) and the state before them; None for zeros."""
        before = None if state is None else state.reshape(1, -1, self.units)
        _, after = self.gru(inputs.reshape(-1, 1, inputs.shape[-1]), before)
        return torch.as_tensor(after.reshape(*inputs.shape[:-1], self.units))

    def unroll(self, inputs: torch.Tensor) -> torch.Tensor:
        """Compute the states (N, T, ..., h) after each of T decisions in N games, whose inputs are (N, T, ..., k)."""
        decisions = inputs.movedim(1, -2)
        states, _ = self.gru(decisions.reshape(-1, *decisions.shape[-2:]))
        return torch.as_tensor(states.reshape(*decisions.shape[:-1], self.units).movedim(-2, 1))

    def along(self, inputs: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
        """Compute the states (R, ..., h) of rows that are the decisions of whole games, one game after the other.

        Args:
            inputs: (R, ..., k).
            turn: number of the decision in its game, from 0, (R,).
        """
        game = (turn == 0).cumsum(0) - 1
        games, turns = int(game[-1]) + 1, int(turn.max()) + 1
        place = game * turns + turn
        padded = inputs.new_zeros(games * turns, *inputs.shape[1:]).index_copy(0, place, inputs)
        states = self.unroll(padded.reshape(games, turns, *inputs.shape[1:]))
        return states.flatten(0, 1).index_select(0, place)


def beside(obs: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
    """Append a state (..., [n,] h) to an observation (..., d): what a network with a memory sees."""
    return torch.cat([obs, state.flatten(obs.ndim - 1)], dim=-1)


def remembered(space: gymnasium.spaces.Box, width: int) -> gymnasium.spaces.Box:
    """Extend the space of an observation by that of a state of ``width`` numbers, which lie in [-1, 1]."""
    if not width:
        return space
    ones = np.ones(width, np.float32)
    low, high = np.concatenate([space.low, -ones]), np.concatenate([space.high, ones])
    return gymnasium.spaces.Box(low, high, dtype=np.float32)


def memory_setting(memory: int) -> dict[str, int]:
    """Check the units of a policy's memory, and write them as its settings hold them: not at all where it has none.

    Raises:
        ParameterError: if it is no integer >= 0.
    """
    return {"memory": integer("memory", memory, 0)} if memory else {}
