"""A network that makes a policy over replies of what annotators report, for any number of either.

It tilts the reference by the mean report, as is best where everybody tells the truth, plus a correction per reply that
a network computes from the whole table of reports. Permuting annotators changes nothing, permuting replies permutes the
policy. The correction starts at zero: an untrained network is the rule ``mean``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import nn

from lawgiver.agents.equivariant import ExchangeableLayer, start_at_zero, widths_of
from lawgiver.agents.networks import Networked, evaluated
from lawgiver.agents.reporting import DirectMechanism
from lawgiver.envs.core.arrays import Array
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.game import Game
from lawgiver.envs.preference_aggregation.game import PreferenceAggregation

FEATURES = 5
"""Numbers that each cell, an annotator and a reply, is described by."""
SHARP = 0.1
"""Temperature, as a share of the range of rewards, of the softmax that marks an annotator's favourite."""
LEAST = 1e-3
"""Smallest range of an annotator's rewards that others are seen relative to, as a share of the whole."""


class AggregationNet(nn.Module):
    """Policies (B, K) for reported rewards (B, n, K).

    Args:
        log_reference: log q, (K,).
        low: least reward.
        high: greatest reward.
        tau: temperature, in units of reward.
        hidden: widths of the layers.
    """

    log_reference: torch.Tensor

    def __init__(self, log_reference: np.ndarray, low: float, high: float, tau: float, hidden: Sequence[int]) -> None:
        """Build the network from torch's global generator."""
        super().__init__()
        self.register_buffer("log_reference", torch.tensor(log_reference, dtype=torch.float32), persistent=False)
        self.low, self.range, self.tau = low, high - low, tau
        self.layers = nn.ModuleList(ExchangeableLayer(*pair) for pair in pairwise([FEATURES, *hidden]))
        self.correction = nn.Linear(2 * hidden[-1], 1)
        start_at_zero(self.correction)

    def features(self, rewards: torch.Tensor) -> torch.Tensor:
        """Compute the features (B, n, K, 5) of each cell, all of order 1, for rewards (B, n, K).

        The reward; where it lies between the annotator's least and greatest; how near it is to being the favourite; by
        how much it exceeds the annotator's mean; how likely the reply is under the reference.
        """
        within = (rewards - self.low) / self.range
        least, most = within.amin(-1, keepdim=True), within.amax(-1, keepdim=True)
        likely = self.log_reference - self.log_reference.logsumexp(0) + np.log(rewards.shape[-1])
        return torch.stack(
            [
                2 * within - 1,
                2 * (within - least) / (most - least).clamp_min(LEAST) - 1,
                2 * (within / SHARP).softmax(-1) - 1,
                2 * (within - within.mean(-1, keepdim=True)),
                likely.expand_as(rewards),
            ],
            -1,
        )

    def forward(self, rewards: torch.Tensor) -> torch.Tensor:
        """Compute the policies."""
        cells = self.features(rewards)
        for layer in self.layers:
            cells = torch.relu(layer(cells))
        pooled = torch.cat([cells.mean(1), cells.amax(1)], -1)
        reward = rewards.mean(1) + self.range * self.correction(pooled)[..., 0]
        return cast(torch.Tensor, (self.log_reference + reward / self.tau).softmax(-1))


class LearnedAggregation(Networked, DirectMechanism):
    """The network as a mechanism of preference_aggregation (``allocate`` mode), which charges nobody.

    Args:
        game: the game.
        hidden: widths of the layers.

    Raises:
        UnsupportedGameError: if the game aggregates no rewards, or the mechanism has to announce its rule.
        ParameterError: if a setting is outside its range.
    """

    kind: ClassVar[str] = "aggregation_net"
    role: ClassVar[str] = "mechanism"
    any_size: ClassVar[bool] = True

    def __init__(self, game: Game[Any], *, hidden: Sequence[int] = (32, 32)) -> None:
        """Build the network."""
        if not isinstance(game, PreferenceAggregation):
            raise UnsupportedGameError(f"mechanism {self.kind!r} makes a policy of rewards; {game.name} has none")
        if game.announces:
            raise UnsupportedGameError(
                f"mechanism {self.kind!r} is none of the rules that can be announced: play {game.name} with"
                " mechanism_mode='allocate'"
            )
        super().__init__(game)
        self.aggregation = game
        widths = widths_of(hidden)
        self.settings = {"hidden": widths}
        low, high = game.utility_low, game.utility_high
        self.network = AggregationNet(game.log_reference, low, high, game.tau, widths).eval()

    def decision(self, reports: Array) -> Array:
        """Return the policy, and no payments."""
        return self.aggregation.joined(evaluated(self.network, self.network, reports))
