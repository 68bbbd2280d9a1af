"""Throughput of every view and trainer on this machine.

Each figure is the median of several repeats after a warm-up that does not count. Actions are made beforehand; they
are checked as always. What a number counts is in its key: ``steps`` of PettingZoo's parallel view are phases, a
``round`` is one action of the mechanism in one game.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gymnasium
import numpy as np

from lawgiver.envs.core.arrays import Array, Rng
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.parallel import GameParallelEnv
from lawgiver.envs.core.policy import Memory, PolicyLike
from lawgiver.envs.core.registry import GAMES, make_game, names
from lawgiver.envs.core.vector import GameVectorEnv
from lawgiver.trainers.provenance import versions

REPEATS = 7
STEPS = 2_000
VECTOR_GAMES, VECTOR_STEPS = 4_096, 20
TORCH_GAMES, TORCH_ROUNDS = 65_536, 10


def rate(work: Callable[[], int], repeats: int = REPEATS) -> float:
    """Return the median over ``repeats`` of how much ``work`` does a second; its first run is the warm-up."""
    work()
    measured = []
    for _ in range(repeats):
        start = time.perf_counter()
        done = work()
        measured.append(done / (time.perf_counter() - start))
    return statistics.median(measured)


def parallel_steps(game: Game[Any]) -> float:
    """Return the steps a second of one PettingZoo parallel env."""
    env = GameParallelEnv(game)
    for seat, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(seat)
    ready = [{agent: env.action_space(agent).sample() for agent in env.possible_agents} for _ in range(64)]

    def work() -> int:
        for step in range(STEPS):
            if not env.agents:
                env.reset()
            env.step(ready[step % len(ready)])
        return STEPS

    env.reset(seed=0)
    return rate(work)


class Fixed:
    """Participants who take the same action always: what is left is the cost of the rules and the view."""

    blind = True

    def __init__(self, game: Game[Any]) -> None:
        """Take action 1 in every seat, or the middle of the Box."""
        space, seats = game.action_space("participant"), (VECTOR_GAMES, game.roles["participant"])
        if isinstance(space, gymnasium.spaces.Box):
            self.actions = np.broadcast_to((space.low + space.high) / 2, (*seats, *space.shape))
        else:
            self.actions = np.ones(seats, int)

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Return None."""
        return None

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Not needed to play."""
        raise NotImplementedError

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the actions (B, n_role)."""
        return self.actions, state


def vector_rounds(game: Game[Any], participants: PolicyLike | None) -> float:
    """Return the rounds a second of the vector view with the mechanism learning."""
    env = GameVectorEnv(game, role="mechanism", num_envs=VECTOR_GAMES, participants=participants)
    env.action_space.seed(0)
    ready = env.action_space.sample()

    over = np.zeros(VECTOR_GAMES, bool)

    def work() -> int:
        nonlocal over
        rounds = 0
        for _ in range(VECTOR_STEPS):
            rounds += VECTOR_GAMES - int(over.sum())  # where a game is over, the step only starts the next one
            _, _, terminated, truncated, _ = env.step(ready)
            over = terminated | truncated
        return rounds

    env.reset(seed=0)
    return rate(work)


def torch_rounds(game: Game[Any]) -> float:
    """Return the rounds a second of the rules on torch (float32, CPU, no gradients)."""
    import torch

    rng: Rng = torch.Generator().manual_seed(0)
    ready = {role: _ready(game, role) for role in game.roles}

    def work() -> int:
        state, rounds = game.initial_state(TORCH_GAMES, rng), 0
        while rounds < TORCH_ROUNDS:
            role = game.phase(state)
            state, _, terminated, truncated = game.step(state, ready[role], game.draw(TORCH_GAMES, rng))
            rounds += role == "mechanism"
            if bool((terminated | truncated).all()):
                state = game.initial_state(TORCH_GAMES, rng)
        return rounds * TORCH_GAMES

    with torch.no_grad():
        return rate(work)


def _ready(game: Game[Any], role: str) -> Any:
    """Return actions of a role drawn uniformly from its space, (games, n_role[, k]), on torch."""
    import torch

    space, shape = game.action_space(role), (TORCH_GAMES, game.roles[role])
    rng = np.random.default_rng(0)
    if isinstance(space, gymnasium.spaces.Discrete):
        return torch.as_tensor(rng.integers(int(space.n), size=shape))
    assert isinstance(space, gymnasium.spaces.Box)
    return torch.as_tensor(rng.uniform(space.low, space.high, size=(*shape, *space.shape)).astype(np.float32))


def measure_game(name: str) -> dict[str, float]:
    """Return the rates of every view of a game with its default parameters, by key."""
    game = make_game(name)
    short = name.rpartition("-v")[0]
    rates = {f"{short}.parallel.steps_per_s": parallel_steps(game)}
    if "participant" not in game.roles:  # who play it belong to the game, and are most of the cost
        return rates | {f"{short}.vector.rounds_per_s": vector_rounds(game, None)}
    rates[f"{short}.vector.rounds_per_s"] = vector_rounds(game, Fixed(game))
    with suppress(UnsupportedGameError):  # they are of the public investment game
        rates[f"{short}.vector.conditional_cooperators.rounds_per_s"] = vector_rounds(game, "conditional_cooperators")
    with suppress(ImportError):  # torch is an extra
        rates[f"{short}.torch.rounds_per_s"] = torch_rounds(game)
    return rates


def measure() -> dict[str, float]:
    """Return every rate of this machine by key; those of what is not installed are missing."""
    rates: dict[str, float] = {}
    for name in names(GAMES):
        rates |= measure_game(name)
    try:
        from lawgiver.trainers.rllib.benchmark import measure as measure_rllib
    except ModuleNotFoundError:
        return rates
    return rates | measure_rllib()


def machine() -> dict[str, Any]:
    """Return what the rates depend on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": int(os.environ.get("OMP_NUM_THREADS", "0")) or None,
        **versions(),
    }
