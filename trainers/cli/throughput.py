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
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import gymnasium
import numpy as np

from lawgiver.envs.core.arrays import Array, Rng
from lawgiver.envs.core.errors import UnknownNameError, UnsupportedGameError, allowed
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.policy import Memory, PolicyLike
from lawgiver.envs.core.registry import GAMES, installed, names, require_extras
from lawgiver.envs.views.parallel import GameParallelEnv
from lawgiver.envs.views.vector import GameVectorEnv
from lawgiver.trainers.runs.provenance import versions

PARTS = ("views", "torch", "rllib")
"""Parts: PettingZoo and Gymnasium's views on NumPy, the rules on torch, sampling and learning by RLlib."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of the measurements: timed repeats, steps of one game, and parallel games with the steps of each."""

    repeats: int = 7
    steps: int = 2_000
    vector_games: int = 4_096
    vector_steps: int = 20
    torch_games: int = 65_536
    torch_rounds: int = 10


FULL = Sizes()
QUICK = Sizes(repeats=1, steps=200, vector_games=256, vector_steps=4, torch_games=1_024, torch_rounds=2)
"""Sizes of a quick test, with rates of the right order of magnitude; fewer parallel games are slower a game."""


def rate(work: Callable[[], int], repeats: int) -> float:
    """Measure the median rate of ``work``, which returns a count, over ``repeats``; its first run is the warm-up."""
    work()
    measured = []
    for _ in range(repeats):
        start = time.perf_counter()
        done = work()
        measured.append(done / (time.perf_counter() - start))
    return statistics.median(measured)


def processor_seconds(run: Callable[[], Any], least: float) -> float:
    """Measure the median processor time of a call, over at least three calls and ``least`` seconds, after a warm-up.

    Processor time, unlike that of the clock, shows little of other work on the machine.
    """
    run()
    took: list[float] = []
    while sum(took) < least or len(took) < 3:
        start = time.process_time()
        run()
        took.append(time.process_time() - start)
    return statistics.median(took)


def parallel_steps(game: Game[Any], sizes: Sizes = FULL) -> float:
    """Measure the steps per second of one PettingZoo parallel env."""
    env = GameParallelEnv(game)
    for seat, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(seat)
    ready = [{agent: env.action_space(agent).sample() for agent in env.possible_agents} for _ in range(64)]

    def work() -> int:
        for step in range(sizes.steps):
            if not env.agents:
                env.reset()
            env.step(ready[step % len(ready)])
        return sizes.steps

    env.reset(seed=0)
    return rate(work, sizes.repeats)


class Fixed:
    """Participants with one fixed action, so that the cost of the rules and the view is measured."""

    blind = True

    def __init__(self, game: Game[Any], games: int) -> None:
        """Take action 1 in every seat of so many games, or the middle of the Box."""
        space, seats = game.action_space("participant"), (games, game.roles["participant"])
        if isinstance(space, gymnasium.spaces.Box):
            self.actions = np.broadcast_to((space.low + space.high) / 2, (*seats, *space.shape))
        else:
            self.actions = np.ones(seats, int)

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Hold no memory."""
        return None

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Not needed to play."""
        raise NotImplementedError

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Play the fixed actions (B, n_role)."""
        return self.actions, state


def vector_rounds(game: Game[Any], participants: PolicyLike | None, sizes: Sizes = FULL) -> float:
    """Measure the rounds per second of the vector view with one learner, the mechanism where there is one."""
    env = GameVectorEnv(game, role=_counted(game), num_envs=sizes.vector_games, participants=participants)
    env.action_space.seed(0)
    ready = env.action_space.sample()

    over = np.zeros(sizes.vector_games, bool)

    def work() -> int:
        nonlocal over
        rounds = 0
        for _ in range(sizes.vector_steps):
            rounds += sizes.vector_games - int(over.sum())  # where a game is over, the step only starts the next one
            _, _, terminated, truncated, _ = env.step(ready)
            over = terminated | truncated
        return rounds

    env.reset(seed=0)
    return rate(work, sizes.repeats)


def torch_rounds(game: Game[Any], sizes: Sizes = FULL) -> float:
    """Measure the rounds per second of the rules on torch (float32, CPU, no gradients)."""
    import torch

    rng: Rng = torch.Generator().manual_seed(0)
    ready, counted = {role: _ready(game, role, sizes.torch_games) for role in game.roles}, _counted(game)

    def work() -> int:
        state, rounds = game.initial_state(sizes.torch_games, rng), 0
        while rounds < sizes.torch_rounds:
            role = game.phase(state)
            state, _, terminated, truncated = game.step(state, ready[role], game.draw(sizes.torch_games, rng))
            rounds += role == counted
            if bool((terminated | truncated).all()):
                state = game.initial_state(sizes.torch_games, rng)
        return rounds * sizes.torch_games

    with torch.no_grad():
        return rate(work, sizes.repeats)


def _counted(game: Game[Any]) -> str:
    """Name the role one of whose actions makes a round: the mechanism, or participants where there is none."""
    return "mechanism" if "mechanism" in game.roles else "participant"


def _ready(game: Game[Any], role: str, games: int) -> Any:
    """Draw actions of a role uniformly from its space, (games, n_role[, k]), on torch."""
    import torch

    space, shape = game.action_space(role), (games, game.roles[role])
    rng = np.random.default_rng(0)
    if isinstance(space, gymnasium.spaces.Discrete):
        return torch.as_tensor(rng.integers(int(space.n), size=shape))
    assert isinstance(space, gymnasium.spaces.Box)
    return torch.as_tensor(rng.uniform(space.low, space.high, size=(*shape, *space.shape)).astype(np.float32))


def measure_game(name: str, part: str, sizes: Sizes = FULL) -> dict[str, float]:
    """Measure a part, ``views`` or ``torch``, of a game with its default parameters; return the rates by key."""
    game = make_game(name)
    short, played = name.rpartition("-v")[0], "participant" in game.roles
    if part == "torch":  # of an election, who play it belong to the game, and are most of the cost
        return {f"{short}.torch.rounds_per_s": torch_rounds(game, sizes)} if played else {}
    fixed = Fixed(game, sizes.vector_games) if played else None
    rates = {
        f"{short}.parallel.steps_per_s": parallel_steps(game, sizes),
        f"{short}.vector.rounds_per_s": vector_rounds(game, fixed, sizes),
    }
    with suppress(UnsupportedGameError):  # they are of the public investment game
        if played:
            rates[f"{short}.vector.conditional_cooperators.rounds_per_s"] = vector_rounds(
                game, "conditional_cooperators", sizes
            )
    return rates


def chosen_parts(parts: Sequence[str], quick: bool = False) -> list[str]:
    """Choose the parts to measure: the named ones, else all that are installed (without RLlib if ``quick``).

    Raises:
        UnknownNameError: if there is no such part.
        MissingExtraError: if one that is named needs what is not installed.
    """
    for part in parts:
        if part not in PARTS:
            raise UnknownNameError(f"unknown part {part!r}: {allowed(part, PARTS)}")
        require_extras(f"bench {part}", *NEEDED.get(part, ()))
    if parts:
        return list(dict.fromkeys(parts))
    usual = [part for part in PARTS if part != "rllib" or not quick]
    return [part for part in usual if installed(*NEEDED.get(part, ()))]


NEEDED = {"torch": ("torch",), "rllib": ("rllib",)}
"""The extras that a part needs."""


def pieces(parts: Sequence[str], sizes: Sizes = FULL) -> dict[str, Callable[[], dict[str, float]]]:
    """List the measurements of some parts by name, a function each that returns rates by key."""
    found: dict[str, Callable[[], dict[str, float]]] = {}
    for part in parts:
        if part == "rllib":
            found["rllib sampling"] = partial(_rllib, "sampling", sizes)
            found["rllib iterations"] = partial(_rllib, "iterations", sizes)
        else:
            found |= {f"{name} {part}": partial(measure_game, name, part, sizes) for name in names(GAMES)}
    return found


def _rllib(what: str, sizes: Sizes) -> dict[str, float]:
    """Measure sampling or whole iterations by RLlib, with either runner."""
    from lawgiver.trainers.rllib import benchmark  # brings torch and ray along

    prefix = "iteration_" if what == "iterations" else ""
    rates = getattr(benchmark, what)(repeats=min(5, sizes.repeats))
    return {f"rllib.{name}.{prefix}env_steps_per_s": rate for name, rate in rates.items()}


def machine() -> dict[str, Any]:
    """Describe the machine and the versions that rates depend on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": int(os.environ.get("OMP_NUM_THREADS", "0")) or None,
        **versions(),
    }
