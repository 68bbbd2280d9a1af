"""Networks of policies: plain torch modules, shared by trainers and saved policies.

Observations come in the game's own units; a network scales them to [-1, 1] by the bounds of the observation space.
Actions are never scaled. Components of an action whose field says ``scale="log"`` are explored by their logarithm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import gymnasium
import numpy as np
import torch
from torch import nn

from lawgiver.agents.memory import Recurrence, beside, remembered
from lawgiver.envs.core.arrays import Array, constant, map_arrays
from lawgiver.envs.core.errors import ParameterError, counted
from lawgiver.envs.core.fields import Layout, bounds

SMALLEST = 1e-3
"""Lower end of a log-scaled component whose field begins at 0."""
SLOPE = 4.0
"""Of the logistic function's argument, which makes its own slope 1 in the middle."""
INSIDE = 0.01
"""Distance from the bounds of a Box, as a share of its width, at which a location begins that is to start there."""


def evaluated(network: nn.Module, function: Callable[..., Any], *arrays: Array) -> Any:
    """Return ``function(*arrays)``, a function of torch tensors, whatever the backend of the arrays.

    The function is given what ``network`` computes in, its dtype. What it returns comes back as the first array is: for
    NumPy as NumPy arrays, computed without a gradient; for torch as tensors of that dtype.
    """
    like, dtype = arrays[0], next(network.parameters()).dtype
    if not isinstance(like, np.ndarray):
        return map_arrays(lambda x: x.to(like.dtype), function(*(x.to(dtype) for x in arrays)))
    with torch.no_grad():
        result = function(*(torch.tensor(x, dtype=dtype) for x in arrays))  # copies: they may be read-only
    return map_arrays(lambda x: constant(x.numpy(), like), result)


class Networked:
    """A policy whose learned arrays are those of one torch module, ``network``."""

    network: nn.Module

    def state(self) -> dict[str, np.ndarray]:
        """Return the parameters and buffers of the network, by name."""
        return {name: tensor.detach().cpu().numpy() for name, tensor in self.network.state_dict().items()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Copy arrays into the network; raises RuntimeError if names or shapes are others."""
        self.network.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})


class Scaled(nn.Module):
    """Maps observations (..., d) to [-1, 1] by their bounds."""

    middle: torch.Tensor
    half_width: torch.Tensor

    def __init__(self, space: gymnasium.spaces.Box) -> None:
        """Keep the bounds as buffers; a bound that is infinite leaves its number as it is."""
        super().__init__()
        low, high = np.asarray(space.low, np.float32), np.asarray(space.high, np.float32)
        bounded = np.isfinite(low) & np.isfinite(high) & (high > low)
        middle = np.where(bounded, (low + high) / 2, 0.0)
        half = np.where(bounded, (high - low) / 2, 1.0)
        self.register_buffer("middle", torch.as_tensor(middle, dtype=torch.float32), persistent=False)
        self.register_buffer("half_width", torch.as_tensor(half, dtype=torch.float32), persistent=False)

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Return the scaled observations."""
        return (obs - self.middle) / self.half_width


def mlp(space: gymnasium.spaces.Box, hidden: Sequence[int], outputs: int, *, zero_last: bool) -> nn.Sequential:
    """Return scaled inputs, tanh layers and a linear output, which starts at zero with ``zero_last``."""
    layers: list[nn.Module] = [Scaled(space)]
    width = int(np.prod(space.shape))
    for size in hidden:
        layers += [nn.Linear(width, size), nn.Tanh()]
        width = size
    last = nn.Linear(width, outputs)
    if zero_last:
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


class Remembering(nn.Module):
    """A network of what an agent sees: its observation and, with ``memory`` units, the state of its memory."""

    def __init__(self, space: gymnasium.spaces.Box, memory: int) -> None:
        """Build the memory, if there is one."""
        super().__init__()
        self.scaled = Scaled(space)
        self.memory = Recurrence(int(np.prod(space.shape)), memory) if memory else None

    def features(self, obs: torch.Tensor) -> torch.Tensor:
        """Compute the input of the memory for an observation, (..., d)."""
        return cast(torch.Tensor, self.scaled(obs))

    def recall(self, obs: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the input of the network, (..., d + h), and the new state of its memory, (..., h)."""
        assert self.memory is not None
        state = self.memory.step(self.features(obs), state)
        return beside(obs, state), state


class CategoricalNet(Remembering):
    """Logits that are added to the log-probabilities of the anchor: (..., n_actions), zero at the start.

    The policy is proportional to pi_0(a) exp(logits(a)); it starts at the anchor pi_0 exactly.
    """

    def __init__(self, space: gymnasium.spaces.Box, n_actions: int, hidden: Sequence[int], memory: int = 0) -> None:
        """Build the network, with ``memory`` units of memory."""
        super().__init__(space, memory)
        self.body = mlp(remembered(space, memory), hidden, n_actions, zero_last=True)

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Compute the logits added to log pi_0 for what is seen, (..., d)."""
        return cast(torch.Tensor, self.body(obs))


class ValueNet(nn.Module):
    """A critic: one value for each observation."""

    def __init__(self, space: gymnasium.spaces.Box, hidden: Sequence[int]) -> None:
        """Build the network."""
        super().__init__()
        self.body = mlp(space, hidden, 1, zero_last=True)

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Return values (...) for observations (..., d)."""
        return cast(torch.Tensor, self.body(obs)).squeeze(-1)


class GaussianNet(Remembering):
    """Mean and standard deviation of a Gaussian over a Box action, in exploration space.

    Args:
        space: space of the observations.
        layout: layout of the action; its log-scaled components are explored by their logarithm.
        start: the action at which the mean begins, (k,).
        hidden: layers through which the mean depends on the observation; None for a mean that does not.
        std: standard deviation at the start, in exploration space.
        memory: units of memory, 0 for none; it needs ``hidden``.
    """

    logarithmic: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor

    def __init__(
        self,
        space: gymnasium.spaces.Box,
        layout: Layout,
        start: Sequence[float],
        hidden: Sequence[int] | None,
        std: float,
        memory: int = 0,
    ) -> None:
        """Build the network."""
        super().__init__(space, memory)
        fields = [field for field in layout for _ in range(field.size)]
        if len(start) != len(fields):
            raise ParameterError(
                f"start is {start!r}, allowed: {counted(len(fields), 'number')}, one for each component"
            )
        low = torch.tensor([max(f.low, SMALLEST) if f.scale == "log" else f.low for f in fields])
        high = torch.tensor([f.high for f in fields])
        self.register_buffer("logarithmic", torch.tensor([f.scale == "log" for f in fields]), persistent=False)
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("high", high, persistent=False)
        action = torch.tensor(start, dtype=torch.float32).clamp(low, high)
        self.location = nn.Parameter(self.to_exploration(action))
        self.log_std = nn.Parameter(torch.full((len(fields),), float(np.log(std))))
        seen = remembered(space, memory)
        self.body = None if hidden is None else mlp(seen, hidden, len(fields), zero_last=True)

    def to_exploration(self, action: torch.Tensor) -> torch.Tensor:
        """Return an action (..., k) in exploration space."""
        return torch.where(self.logarithmic, action.clamp(min=SMALLEST).log(), action)

    def to_action(self, explored: torch.Tensor) -> torch.Tensor:
        """Return the action (..., k) of a point in exploration space, not clipped."""
        bounded = torch.where(self.logarithmic, explored.clamp(max=20.0), explored)
        return torch.where(self.logarithmic, bounded.exp(), explored)

    def forward(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and log standard deviation in exploration space, both (..., k), for observations (..., d)."""
        shift = 0.0 if self.body is None else self.body(obs)
        mean = (self.location + shift).expand(*obs.shape[:-1], -1)
        return mean, self.log_std.expand_as(mean)

    def mean_action(self, obs: torch.Tensor) -> torch.Tensor:
        """Return the action at the mean, clipped to the Box, (..., k)."""
        mean, _ = self(obs)
        return self.to_action(mean).clamp(self.low, self.high)


class BoxNet(Remembering):
    """Location and logarithm of the scale of a truncated Gaussian over a Box, in units of the Box.

    A component's location is a share of its width in (0, 1), by a logistic function of slope 1 at mid-Box; see
    :class:`lawgiver.agents.truncated_gaussian.TruncatedGaussian`. The location depends on the observation, the scale
    does not.

    Args:
        space: space of the observations.
        layout: layout of the action, with a width above 0 in every component.
        start: the action at which the location begins, (k,); at a bound it begins just inside.
        hidden: layers through which the location depends on the observation.
        std: scale at the start, as a share of the width of the Box.
        memory: units of memory, 0 for none.
    """

    low: torch.Tensor
    width: torch.Tensor

    def __init__(
        self,
        space: gymnasium.spaces.Box,
        layout: Layout,
        start: Sequence[float],
        hidden: Sequence[int],
        std: float,
        memory: int = 0,
    ) -> None:
        """Build the network."""
        super().__init__(space, memory)
        low, high = bounds(layout)
        if not (high > low).all():
            raise ParameterError(f"the Box of actions is {low} to {high}, allowed: a width above 0 in each component")
        if len(start) != len(low):
            raise ParameterError(f"start is {start!r}, allowed: {counted(len(low), 'number')}, one for each component")
        self.register_buffer("low", torch.tensor(low, dtype=torch.float32), persistent=False)
        self.register_buffer("width", torch.tensor(high - low, dtype=torch.float32), persistent=False)
        share = self.to_share(torch.tensor(start, dtype=torch.float32)).clamp(INSIDE, 1 - INSIDE)
        self.location = nn.Parameter(share.logit() / SLOPE)
        self.log_std = nn.Parameter(torch.full((len(low),), float(np.log(std))))
        self.body = mlp(remembered(space, memory), hidden, len(low), zero_last=True)

    def to_share(self, action: torch.Tensor) -> torch.Tensor:
        """Convert an action (..., k) to shares of the Box."""
        return (action - self.low) / self.width

    def to_action(self, share: torch.Tensor) -> torch.Tensor:
        """Convert shares of the Box (..., k) to an action."""
        return self.low + share * self.width

    def forward(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute location and logarithm of the scale, both (..., k), for observations (..., d)."""
        location = torch.sigmoid(SLOPE * (self.location + self.body(obs)))
        return location, self.log_std.expand_as(location)
