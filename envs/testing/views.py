"""Checks of a game's views: PettingZoo's and Gymnasium's own, and what these leave out."""

from __future__ import annotations

import contextlib
import io
import itertools
import pickle
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, parallel_api_test

from lawgiver.envs.core.arrays import Rng
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory
from lawgiver.envs.testing.play import GameCheckError, Playback, Tape, UniformPlayer, random_steps, require, surfacing
from lawgiver.envs.views.aec import GameAECEnv
from lawgiver.envs.views.parallel import GameParallelEnv
from lawgiver.envs.views.session import Session
from lawgiver.envs.views.single import GameEnv
from lawgiver.envs.views.vector import GameVectorEnv

CYCLES = 100


def check_pettingzoo(game: Game[Any]) -> None:
    """PettingZoo's API tests pass, with and without masks in the observation."""
    for masked in (False, True):
        parallel = GameParallelEnv(game, mask_in_observation=masked)
        _run(game, "parallel_api_test", lambda env=parallel: parallel_api_test(env, num_cycles=CYCLES))  # type: ignore[misc]
        aec = GameAECEnv(GameParallelEnv(game, mask_in_observation=masked, flag_turns=False))
        _run(game, "api_test", lambda env=aec: api_test(env, num_cycles=CYCLES))  # type: ignore[misc]


def check_gymnasium(game: Game[Any]) -> None:
    """Gymnasium's checker passes for either role, with and without masks in the observation."""
    for role, masked in itertools.product(game.roles, (False, True)):
        env = GameEnv(game, role=role, mask_in_observation=masked, **random_policies(game, role))
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


def check_bad_actions(game: Game[Any]) -> None:
    """Views reject actions outside the space, NaN, of a wrong type or number, or of unknown agents, by name."""
    for role in game.roles:
        _refused_in_pettingzoo(game, role)
        _refused_in_gymnasium(game, role)


def _refused_in_pettingzoo(game: Game[Any], role: str) -> None:
    env = GameParallelEnv(game)
    aec = GameAECEnv(GameParallelEnv(game, flag_turns=False))
    env.reset(seed=0)
    aec.reset(seed=0)
    fine = {agent: env.action_space(agent).sample() for agent in env.possible_agents}
    while (acting := game.phase(env._session.state)) != role:
        env.step(fine)
        for agent in game.agents_of(acting):
            aec.step(fine[agent])
    *others, last = env.acting_agents
    before = pickle.dumps(env._session)
    for bad in bad_actions(env.action_space(last)):
        names = (last, env.action_space(last))
        _refused(game, f"parallel view, {bad!r} of {last}", names, env.step, {**fine, last: bad})
    without = {agent: action for agent, action in fine.items() if agent != last}
    _refused(game, f"parallel view, no action of {last}", (last,), env.step, without)
    _refused(game, "parallel view, an unknown agent", ("nobody_7",), env.step, {**fine, "nobody_7": 0})
    require(before == pickle.dumps(env._session), game, f"a refused action of {last} has changed the game")
    for agent in others:
        aec.step(fine[agent])
    for bad in bad_actions(aec.action_space(last)):
        _refused(game, f"AEC view, {bad!r} of {last}", (last, aec.action_space(last)), aec.step, bad)


def _refused_in_gymnasium(game: Game[Any], role: str) -> None:
    env = GameEnv(game, role=role, **random_policies(game, role))
    many = GameVectorEnv(game, role=role, num_envs=3, **random_policies(game, role))
    env.reset(seed=0), many.reset(seed=0)
    fine, space, who = env.action_space.sample(), env.action_space, game.agents_of(role)[0]
    before = pickle.dumps((env.session, many.session))
    for bad in bad_actions(space):
        _refused(game, f"Gymnasium view, {bad!r} of {who}", (who, space), env.step, bad)
        _refused(game, f"vector view, {bad!r} in game 1", ("game 1", space), many.step, [fine, bad, fine])
    _refused(game, "vector view, 2 actions for 3 games", ("game 0", space), many.step, [fine, fine])
    kept = before == pickle.dumps((env.session, many.session))
    require(kept, game, f"a refused action of {who} has changed the game")


def bad_actions(space: gymnasium.Space[Any]) -> list[Any]:
    """List invalid actions of a space: out of bounds, NaN, wrong in type or shape."""
    if isinstance(space, gymnasium.spaces.Discrete):
        return [int(space.start) + int(space.n), int(space.start) - 1, 1.0, np.nan, None, "1", np.array([0]), [0, [1]]]
    assert isinstance(space, gymnasium.spaces.Box)
    low, high = space.low.astype(np.float32), space.high.astype(np.float32)
    fine = (low + high) / 2
    above, below = np.nextafter(high, np.float32(np.inf)), np.nextafter(low, np.float32(-np.inf))
    return [above, below, np.full_like(fine, np.nan), fine[:-1], None, "x", fine.astype(str)]


def _refused(game: Game[Any], what: str, names: tuple[Any, ...], step: Callable[[Any], Any], sent: Any) -> None:
    """Require that the step raises a ValueError that contains one of ``names``."""
    try:
        step(sent)
    except ValueError as error:
        message = str(error)
        for name in names:
            require(str(name) in message, game, f"{what}: the error does not name {name}: {message}")
    else:
        require(False, game, f"{what}: taken without an error")


def check_vector(game: Game[Any], num_envs: int = 16) -> None:
    """A vector of games equals as many single games, for either role, with and without masks in observations."""
    for role, masked in itertools.product(game.roles, (False, True)):
        compare_vector_with_single(game, role, num_envs, {**random_policies(game, role), "mask_in_observation": masked})


def random_policies(game: Game[Any], role: str) -> dict[str, Any]:
    """Return random policies for all but the learner, as keywords of a view."""
    keywords = {"mechanism": "mechanism", "participant": "participants"}
    others = (other for other, count in game.roles.items() if other != role or count > 1)
    return {keywords[other]: UniformPlayer(game, other) for other in others}


def compare_vector_with_single(
    game: Game[Any], role: str, num_envs: int, view: Mapping[str, Any], max_steps: int | None = None
) -> None:
    """Play ``num_envs`` games at random in one vector env and each alone, with the same random numbers.

    ``view`` holds the keywords of both views. They are compared step by step, bit by bit, until each game's end, or
    for ``max_steps`` steps.

    Raises:
        GameCheckError: at the first difference.
    """
    many = GameVectorEnv(game, role=role, num_envs=num_envs, **view)
    tape = Tape(np.random.default_rng(8))
    many.np_random = tape  # type: ignore[assignment]
    begun = many.reset()
    many.action_space.seed(9)
    steps = []
    for _ in range(max_steps or game.max_steps):
        actions = many.action_space.sample()
        steps.append((actions, many.step(actions)))
        over = many.session.terminated | many.session.truncated
        if over.any():
            break  # games that begin anew draw numbers that the others do not
    alone = GameEnv(game, role=role, **view)
    for index in range(num_envs):
        alone.np_random = Playback(game, tape, index)  # type: ignore[assignment]
        _compare(game, index, begun, alone.reset())
        for actions, shown in steps:
            _compare(game, index, shown, alone.step(actions[index]))
            if alone.session.terminated[0] or alone.session.truncated[0]:
                break


class CountingPlayer(UniformPlayer):
    """Plays at random and keeps count, in its memory (B,), of how often it has acted in each game."""

    def initial_state(self, batch: int, rng: Rng) -> np.ndarray:
        """Return zeros."""
        return np.zeros(batch, int)

    def act(self, obs: np.ndarray, mask: np.ndarray | None, state: Memory, rng: Rng) -> tuple[np.ndarray, Memory]:
        """Return random actions and one more."""
        actions, _ = super().act(obs, mask, state, rng)
        return actions, state + 1


def check_memory(game: Game[Any], num_envs: int = 64, seed: int = 13) -> None:
    """Policies in a view keep their memory from step to step, game by game, and restart with the game."""
    order = [step.role for step in random_steps(game, num_envs, np.random.default_rng(seed))]
    for learner in game.roles:
        counting: dict[str, Any] = {
            keyword: CountingPlayer(game, player.role) for keyword, player in random_policies(game, learner).items()
        }
        turns = [index for index, role in enumerate(order) if role == learner]
        _check_vector_memory(game, learner, counting, order, turns, num_envs)
        env = GameParallelEnv(game, **{key: player for key, player in counting.items() if player.role != learner})
        for again in range(2):
            env.reset(seed=seed + again)
            for turn in turns:
                _require_counts(game, env._session, order[:turn], np.ones(1, bool))
                env.step({agent: env.action_space(agent).sample() for agent in env.agents})
                if not env.agents:
                    break


def _check_vector_memory(
    game: Game[Any], learner: str, counting: dict[str, Any], order: list[str], turns: list[int], num: int
) -> None:
    """Play games that end at different times, and their successors; compare counts with the order of phases."""
    env = GameVectorEnv(game, role=learner, num_envs=num, **counting)
    env.reset(seed=14)
    env.action_space.seed(15)
    ages, over = np.zeros(num, int), np.zeros(num, bool)
    for _ in range(2 * len(turns) + 1):
        for age in np.unique(ages[~over]):
            if age < len(turns):  # some games may last longer than any that showed the order
                _require_counts(game, env.session, order[: turns[age]], ~over & (ages == age))
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        ages, over = np.where(over, 0, ages + 1), terminated | truncated


def _require_counts(game: Game[Any], session: Session, past: list[str], of: np.ndarray) -> None:
    for role in session.policies:
        kept, acted = session.memory[role], past.count(role)
        counts: Any = sum(kept) if isinstance(kept, tuple) else kept  # a tuple where each seat counts its own turns
        found = np.unique(counts[of]).tolist()
        told = f"a policy for {role} that has acted {acted} times in its game remembers {found}"
        require((counts[of] == acted).all(), game, told)


def _compare(game: Game[Any], index: int, together: tuple[Any, ...], alone: tuple[Any, ...]) -> None:
    for shown, single in zip(together, alone, strict=True):
        if isinstance(single, dict):
            _compare(game, index, tuple(shown[key] for key in single), tuple(single.values()))
        elif not np.array_equal(shown[index], single):
            raise GameCheckError(f"{game.name}: game {index} of a vector shows {shown[index]}, alone {single}")


VIEW_CHECKS = (check_pettingzoo, check_gymnasium, check_episodes, check_bad_actions, check_memory, check_vector)
"""Every check of the views."""
