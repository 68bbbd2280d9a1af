"""Planners: networks that divide the pool of a common-pool trust game among its participants."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from lawgiver.agents.memory import Recurrence, memory_setting
from lawgiver.agents.networks import Networked, evaluated
from lawgiver.agents.policies import RulePolicy
from lawgiver.envs.commons_trust.game import SMALLEST_OFFER, CommonsTrust
from lawgiver.envs.core.arrays import Array, Rng, zeros
from lawgiver.envs.core.errors import UnsupportedGameError, integer
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory, Policy

FEATURES = 7
"""Numbers that each participant is described by."""
HELD_BACK = -2.0
"""Logit of what stays in the pool at the start, where participants have 0: with four of them a 31st of it."""


class PlannerNetwork(nn.Module):
    """Shares of the pool by the last round, and what stays in it: permuting the participants permutes their shares.

    Every participant is seen beside the mean of all. With a memory there is a state for each of them, of a recurrence
    over what is seen, the same for all.
    """

    def __init__(self, capacity: float, n_units: int = 32, memory: int = 0) -> None:
        """Draw the weights from torch's global generator; at the start shares are equal.

        Args:
            capacity: of the pool, in points.
            n_units: width of the layers.
            memory: units of memory for each participant; 0 for a planner that remembers nothing.
        """
        super().__init__()
        self.capacity = capacity
        self.seen = nn.Linear(2 * FEATURES, n_units)
        self.memory = Recurrence(2 * FEATURES, memory) if memory else None
        self.mixed = nn.Linear(n_units + 2 * memory, n_units)
        self.share, self.held_back = nn.Linear(n_units, 1), nn.Linear(n_units, 1)
        for last, start in ((self.share, 0.0), (self.held_back, HELD_BACK)):
            nn.init.zeros_(last.weight)
            nn.init.constant_(last.bias, start)

    def features(self, pool: torch.Tensor, offers: torch.Tensor, returns: torch.Tensor) -> torch.Tensor:
        """Describe each participant as :func:`described` does, (..., n, 14)."""
        return described(pool, offers, returns, self.capacity)

    def forward(self, pool: torch.Tensor, seen: torch.Tensor, state: torch.Tensor | None = None) -> torch.Tensor:
        """Compute offers (..., n) in points, which sum to less than the pool.

        Args:
            pool: (...), in points.
            seen: of :meth:`features`, (..., n, 14).
            state: of the memory once it has taken these in, (..., n, h); None where there is no memory.
        """
        hidden = torch.tanh(self.seen(seen))
        if state is not None:
            hidden = torch.cat([hidden, *_beside_the_mean(state)], -1)
        hidden = torch.tanh(self.mixed(hidden))
        logits = torch.cat([self.share(hidden)[..., 0], self.held_back(hidden.mean(-2))], -1)
        offers: torch.Tensor = pool.unsqueeze(-1) * logits.softmax(-1)[..., :-1]
        return offers

    def play(
        self, pool: torch.Tensor, offers: torch.Tensor, returns: torch.Tensor, *before: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """Compute the offers of a round (..., n) and, with a memory, its state after it, (..., n, h).

        The arguments are those of :meth:`features`, and the state before the round; none for the start of a game.
        """
        seen = self.features(pool, offers, returns)
        after = () if self.memory is None else (self.memory.step(seen, *before),)
        return self(pool, seen, *after), *after


def described(pool: torch.Tensor, offers: torch.Tensor, returns: torch.Tensor, capacity: float) -> torch.Tensor:
    """Describe each participant, and the mean of all, by the pool and the last round, (..., n, 14).

    Args:
        pool: (...), in points.
        offers: of the last round, (..., n), in points; 0 before the first.
        returns: of the last round, (..., n), in points; 0 before the first.
        capacity: of the pool, in points.
    """
    n, scale = offers.shape[-1], capacity
    enough = offers >= SMALLEST_OFFER
    returned = returns.sum(-1, keepdim=True)
    some = returned > 0
    full = (pool / scale).unsqueeze(-1).expand_as(offers)
    each = torch.stack(
        [
            full,
            full.clamp_min(1e-3).log() / 3,
            offers / scale,
            torch.where(some, n * returns / torch.where(some, returned, 1), 1.0) / n,
            torch.where(enough, returns / torch.where(enough, offers, 1), 0.0),
            enough.to(offers.dtype),
            (offers.sum(-1, keepdim=True) > 0).to(offers.dtype).expand_as(offers),
        ],
        -1,
    )
    return torch.cat(_beside_the_mean(each), -1)


def _beside_the_mean(each: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Put the mean over participants beside numbers of each, (..., n, k)."""
    return each, each.mean(-2, keepdim=True).expand_as(each)


class LearnedPlanner(Networked, RulePolicy):
    """The planner's network as a learned mechanism of the common-pool trust game in allocate mode.

    With ``memory`` units its offers depend on earlier rounds of the game, too.
    """

    kind: ClassVar[str] = "planner"
    role: ClassVar[str] = "mechanism"

    def __init__(self, game: Game[Any], *, n_units: int = 32, memory: int = 0) -> None:
        """Build the network.

        Raises:
            UnsupportedGameError: unless the game is commons_trust in allocate mode.
            ParameterError: if a width is not allowed.
        """
        if not isinstance(game, CommonsTrust) or game.announces:
            raise UnsupportedGameError(
                "mechanism 'planner' divides a pool: it plays commons_trust with mechanism_mode='allocate', not"
                f" {game!r}"
            )
        n_units = integer("n_units", n_units, 1)
        self.settings = {"n_units": n_units} | memory_setting(memory)
        self.n = game.n
        self._columns = columns(game.observation_layout("mechanism"))
        self.network: PlannerNetwork = PlannerNetwork(game.capacity, n_units, memory)

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Make zeros (B, n, h), on the backend of ``rng``; None without a memory."""
        memory = self.network.memory
        return None if memory is None else zeros(rng, (batch, self.n, memory.units))

    def next_action(self, obs: Array, state: Memory) -> tuple[Array, Memory]:
        """Compute the offers (B, 1, n) and the new memory; on torch they are differentiable."""
        seen, at = obs[:, 0], self._columns
        carried = () if state is None else (state,)
        parts = (seen[:, at["pool"]][:, 0], seen[:, at["offers"]], seen[:, at["returns"]])
        offers, *after = evaluated(self.network, self.network.play, *parts, *carried)
        return offers[:, None], after[0] if after else None

    def action(self, obs: Array) -> Array:
        """Compute the offers (B, 1, n) of a first round."""
        return self.next_action(obs, None)[0]


def planner(game: Game[Any], *, n_units: int = 32, memory: int = 0, seed: int = 0) -> Policy:
    """Make a planner with random weights, drawn from ``seed``; it learns by the trainer ``commons``."""
    seed = integer("seed", seed, 0, 2**63 - 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LearnedPlanner(game, n_units=n_units, memory=memory)
