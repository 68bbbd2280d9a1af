"""Checks of a game's views: PettingZoo's and Gymnasium's own, and what these leave out."""

from __future__ import annotations

import contextlib
import io
import pickle
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, parallel_api_test

from lawgiver.envs.core.aec import GameAECEnv
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.parallel import GameParallelEnv
from lawgiver.envs.core.single import GameEnv
from lawgiver.envs.core.vector import GameVectorEnv
from lawgiver.envs.testing.play import GameCheckError, Playback, Tape, UniformPlayer, require, surfacing

CYCLES = 100


def check_pettingzoo(game: Game[Any]) -> None:
    """PettingZoo's API tests pass, with and without masks in the observation."""
    for masked in (False, True):
        parallel = GameParallelEnv(game, mask_in_observation=masked)
        _run(game, "parallel_api_test", lambda env=parallel: parallel_api_test(env, num_cycles=CYCLES))  # type: ignore[misc]
        aec = GameAECEnv(GameParallelEnv(game, mask_in_observation=masked, flag_turns=False))
        _run(game, "api_test", lambda env=aec: api_test(env, num_cycles=CYCLES))  # type: ignore[misc]


def check_gymnasium(game: Game[Any]) -> None:
    """Gymnasium's checker passes for either role."""
    for role in game.roles:
        env = GameEnv(game, role=role, **given(game, role))
        _run(game, f"check_env for {role}", lambda env=env: check_env(env, skip_render_check=True))  # type: ignore[misc]


def _run(game: Game[Any], name: str, check: Callable[[], None]) -> None:
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), surfacing(game, name):
        warnings.simplefilter("ignore")  # matters of taste, such as an observation that is not an image
        check()


def check_episodes(game: Game[Any]) -> None:
    """The same seed gives the same whole episode for all agents, in two envs and in one that is reset again."""
    env, other = GameParallelEnv(game), GameParallelEnv(game)
    episodes = [play_episode(env, 5), play_episode(env, 5), play_episode(other, 5)]
    for episode in episodes[1:]:
        for index, (first, again) in enumerate(zip(episodes[0], episode, strict=False)):
            require(first == again, game, f"the same seed gives another episode from step {index} on")
        require(len(episodes[0]) == len(episode), game, "the same seed gives episodes of different length")


def play_episode(env: GameParallelEnv, seed: int) -> list[bytes]:
    """Return everything that an episode of random actions shows, step by step, as bytes."""
    shown: list[Any] = [env.reset(seed=seed)]
    for index, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(seed + index)
    while env.agents:
        shown.append(env.step({agent: env.action_space(agent).sample() for agent in env.agents}))
    return [pickle.dumps(step) for step in shown]


def check_vector(game: Game[Any], num_envs: int = 16) -> None:
    """A vector of games is the same as so many single games, for either role."""
    for role in game.roles:
        compare_vector_with_single(game, role, num_envs, given(game, role))


def given(game: Game[Any], role: str) -> dict[str, Any]:
    """Return random policies for whoever is not the learner, as keywords of a view."""
    keywords = {"mechanism": "mechanism", "participant": "participants"}
    others = (other for other, count in game.roles.items() if other != role or count > 1)
    return {keywords[other]: UniformPlayer(game, other) for other in others}


def compare_vector_with_single(
    game: Game[Any], role: str, num_envs: int, policies: Mapping[str, Any], max_steps: int | None = None
) -> None:
    """Play ``num_envs`` games at random in one vector env and each alone, with the same random numbers.

    They are compared step by step, bit by bit, until each game's end, or for ``max_steps`` steps.

    Raises:
        GameCheckError: at the first difference.
    """
    many = GameVectorEnv(game, role=role, num_envs=num_envs, **policies)
    tape = Tape(np.random.default_rng(8))
    many.np_random = tape  # type: ignore[assignment]
    begun = many.reset()
    many.action_space.seed(9)
    steps = []
    for _ in range(max_steps or game.max_steps):
        actions = many.action_space.sample()
        steps.append((actions, many.step(actions)))
        over = many.session.terminated | many.session.truncated
        if over.all() or (over.any() and _draws_at_start(game)):
            break  # games that begin anew in between draw numbers that the others do not
    alone = GameEnv(game, role=role, **policies)
    for index in range(num_envs):
        alone.np_random = Playback(tape, index)  # type: ignore[assignment]
        _compare(game, index, begun, alone.reset())
        for actions, shown in steps:
            _compare(game, index, shown, alone.step(actions[index]))
            if alone.session.terminated[0] or alone.session.truncated[0]:
                break


def _draws_at_start(game: Game[Any]) -> bool:
    return bool(game.draw_initial(1, np.random.default_rng(0)))


def _compare(game: Game[Any], index: int, together: tuple[Any, ...], alone: tuple[Any, ...]) -> None:
    for shown, single in zip(together, alone, strict=True):
        if isinstance(single, dict):
            _compare(game, index, tuple(shown[key] for key in single), tuple(single.values()))
        elif not np.array_equal(shown[index], single):
            raise GameCheckError(f"{game.name}: game {index} of a vector shows {shown[index]}, alone {single}")


VIEW_CHECKS = (check_pettingzoo, check_gymnasium, check_episodes, check_vector)
"""Every check of the views."""
