"""PettingZoo's conversions and SuperSuit's wrappers over every view they fit."""

import warnings

import numpy as np
import pettingzoo
import pytest
import supersuit
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test
from pettingzoo.utils.conversions import aec_to_parallel, parallel_to_aec

from lawgiver.envs.core.errors import ActionError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.registry import GAMES, lookup, names
from lawgiver.envs.testing.views import random_policies
from lawgiver.envs.views.aec import GameAECEnv
from lawgiver.envs.views.parallel import GameParallelEnv

VARIANTS = [
    pytest.param(name, params, id=f"{name}, {title}" if title else name)
    for name in names(GAMES)
    for title, params in {"": {}, **lookup(GAMES, name).variants}.items()
]


def played(env, seed):
    """Play one game at random in a parallel env and return how often it was stepped."""
    env.reset(seed=seed)
    steps = 0
    while env.agents:
        env.step({agent: env.action_space(agent).sample() for agent in env.agents})
        steps += 1
    return steps


@pytest.mark.parametrize(("name", "params"), VARIANTS)
def test_is_parallelizable_says_where_the_conversion_holds(name, params):
    game = make_game(name, **params)
    for policies in (
        {},
        random_policies(game, "participant") if "participant" in game.roles else {},
        random_policies(game, "mechanism"),
    ):
        fitting = {key: player for key, player in policies.items() if game.roles[player.role] == len(policies)}
        for cycles in (None, 1, 2, 3):
            env = GameAECEnv(GameParallelEnv(game, flag_turns=False, max_cycles=cycles, **fitting))
            said = env.metadata["is_parallelizable"]
            env.metadata["is_parallelizable"] = True
            try:
                converted = aec_to_parallel(env)
                for seed in range(2):
                    played(converted, seed)
                holds = True
            except AssertionError:
                holds = False
            assert said == holds, (fitting, cycles)


@pytest.mark.parametrize(("cut", "said"), [(10**9 + 1, False), (10**9, True), (None, True)])
def test_is_parallelizable_is_told_without_playing_a_long_game(cut, said):
    game = make_game("repeated_allocation", rounds=10**9)
    parallel = GameParallelEnv(game, flag_turns=False, max_cycles=cut)
    assert GameAECEnv(parallel).metadata["is_parallelizable"] == said


def test_a_step_after_the_end_with_nothing_returns_nothing(game):
    env = GameParallelEnv(game)
    with pytest.raises(ActionError, match=r"has not begun: call reset\(\) first"):
        env.step({})
    played(env, 0)
    for _ in range(2):
        assert env.step({}) == ({}, {}, {}, {}, {})
    with pytest.raises(ActionError, match=r"the game is over: call reset\(\) first"):
        env.step({env.possible_agents[0]: 0})
    assert env.reset(seed=0)[0].keys() == set(env.possible_agents)
    with pytest.raises(ActionError, match="no action of"):
        env.step({})


WRAPPERS = {
    "black_death": supersuit.black_death_v3,
    "pad_observations": supersuit.pad_observations_v0,
    "agent_indicator": lambda env: supersuit.agent_indicator_v0(env, type_only=False),
    "frame_stack": lambda env: supersuit.frame_stack_v2(env, 3),
    "flatten": supersuit.flatten_v0,
    "dtype": lambda env: supersuit.dtype_v0(env, np.float64),
    "clip_reward": supersuit.clip_reward_v0,
    "delay_observations": lambda env: supersuit.delay_observations_v0(env, 1),
    "nan_noop": lambda env: supersuit.nan_random_v0(env),
    "sticky_actions": lambda env: supersuit.sticky_actions_v0(env, 0.2),
    "max_observation": lambda env: supersuit.max_observation_v0(env, 2),
    "multiagent_wrappers": lambda env: supersuit.multiagent_wrappers.black_death_v3(
        supersuit.multiagent_wrappers.pad_observations_v0(env)
    ),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("name", ["public_investment", "taxed_dilemma", "sequential_sales"])
def test_supersuit_wraps_the_participants(name, wrapper):
    env = pettingzoo.make("parallel", f"lawgiver/{name}-v0", mechanism="random")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrapped = WRAPPERS[wrapper](env)
        for seed in range(3):
            assert played(wrapped, seed)


def test_black_death_goes_on_after_the_end():
    env = supersuit.black_death_v3(pettingzoo.make("parallel", "lawgiver/sequential_sales-v0", mechanism="vcg"))
    played(env, 0)
    parallel_api_test(env, num_cycles=50)


def test_pettingzoo_checks_pass_through_conversions(game):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parallel_seed_test(lambda: GameParallelEnv(game), num_cycles=20)
        seed_test(lambda: GameAECEnv(GameParallelEnv(game, flag_turns=False)), num_cycles=20)
        api_test(parallel_to_aec(GameParallelEnv(game)), num_cycles=20)
