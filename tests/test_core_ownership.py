"""Who owns what: views keep nothing that the caller may change, hand out nothing of theirs, and copy well."""

import copy
import pickle

import cloudpickle
import gymnasium
import numpy as np
import pettingzoo
import pytest
import supersuit

import lawgiver
from lawgiver.envs.testing.play import UniformPlayer
from lawgiver.envs.testing.views import random_policies
from lawgiver.envs.views.aec import GameAECEnv
from lawgiver.envs.views.parallel import GameParallelEnv
from lawgiver.envs.views.single import GameEnv
from lawgiver.envs.views.vector import GameVectorEnv

SALES = "lawgiver/sequential_sales-v0"


def spoil(tree):
    """Overwrite every array and number of what a view has handed out."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if isinstance(value, (dict, np.ndarray)):
                spoil(value)
            else:
                tree[key] = 77
        tree["mine"] = 1
    elif isinstance(tree, (tuple, list)):
        for value in tree:
            spoil(value)
    elif isinstance(tree, np.ndarray) and tree.shape:
        tree[...] = 77


def test_an_aec_buffer_may_be_used_again():
    env = pettingzoo.make("aec", SALES, n=2, m=1, mechanism="vcg")
    env.reset(seed=0)
    buffer = np.array([0.2], np.float32)
    env.step(buffer)
    buffer[:] = 0.9
    env.step(buffer)
    payments = env.infos["participant_0"]["payments"]
    assert np.allclose(payments, [0, 0.2]), payments  # the second bids .9 and pays the first bid


def aec_episode(env, seed, careless):
    shown = []
    env.reset(seed=seed)
    for index, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(seed + index)
    buffers = {}
    for agent in env.agent_iter():
        observation, reward, terminated, truncated, info = env.last()
        shown.append(pickle.dumps((observation, reward, terminated, truncated, info)))
        action = None
        if not (terminated or truncated):
            action = env.action_space(agent).sample()
        if careless:
            spoil(observation)
            if isinstance(action, np.ndarray):
                buffer = buffers.setdefault(action.shape, np.empty(action.shape))
                buffer[...] = action
                action = buffer
        env.step(action)
    return shown


def parallel_episode(env, seed, careless):
    step = env.reset(seed=seed)
    shown = [pickle.dumps(step)]
    for index, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(seed + index)
    while env.agents:
        actions = {agent: env.action_space(agent).sample() for agent in env.agents}
        if careless:
            spoil(step)
            actions = {
                agent: action.astype(float) if isinstance(action, np.ndarray) else action
                for agent, action in actions.items()
            }
        step = env.step(actions)
        shown.append(pickle.dumps(step))
        if careless:
            spoil(actions)
    return shown


def gymnasium_episode(env, seed, careless, steps=40):
    step = env.reset(seed=seed)
    env.action_space.seed(seed)
    shown = [pickle.dumps(step)]
    for _ in range(steps):
        action = env.action_space.sample()
        if careless:
            spoil(step)
            action = action.astype(float) if action.dtype.kind == "f" else action
        step = env.step(action)
        shown.append(pickle.dumps(step))
        if careless:
            spoil(action)
        if isinstance(env, GameEnv) and (step[2] or step[3]):
            break
    return shown


class Careless(UniformPlayer):
    """Overwrites what it is shown, and acts in one buffer, always the same."""

    buffer = None

    def act(self, obs, mask, state, rng):
        actions, state = super().act(obs, mask, state, rng)
        if self.buffer is None or self.buffer.shape != actions.shape:
            self.buffer = np.empty_like(actions)
        self.buffer[...] = actions
        if obs.flags.writeable:
            obs[...] = 77
        return self.buffer, state


def test_careless_callers_play_the_same_games(game):
    if game.name == "repeated_allocation-v0" and game.announces:
        pytest.skip("plays the same views as in allocate mode, in ten seconds")

    def aec():
        return GameAECEnv(GameParallelEnv(game, flag_turns=False))

    for make, play in ((aec, aec_episode), (lambda: GameParallelEnv(game), parallel_episode)):
        assert play(make(), 3, False) == play(make(), 3, True)
    for role in game.roles:
        kind = {key: Careless(game, player.role) for key, player in random_policies(game, role).items()}
        for make in (
            lambda policies, role=role: GameEnv(game, role=role, **policies),
            lambda policies, role=role: GameVectorEnv(game, role=role, num_envs=3, **policies),
        ):
            careful = gymnasium_episode(make(random_policies(game, role)), 4, False)
            assert careful == gymnasium_episode(make(random_policies(game, role)), 4, True)
            if game.base_game is game:
                assert careful == gymnasium_episode(make(kind), 4, False)


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda env: pickle.loads(pickle.dumps(env)),
    "cloudpickle": lambda env: pickle.loads(cloudpickle.dumps(env)),
}
VIEWS = {
    "parallel": lambda: pettingzoo.make("parallel", SALES),
    "aec": lambda: pettingzoo.make("aec", SALES),
    "single": lambda: gymnasium.make(SALES, role="participant"),
    "vector": lambda: gymnasium.make_vec(SALES, num_envs=3, role="participant"),
}


def types(env, **seed):
    """Return the types that are drawn at a reset, as every view keeps them."""
    env.reset(**seed)
    env = env.unwrapped
    env = env._env if isinstance(env, GameAECEnv) else env
    return (env._session if isinstance(env, GameParallelEnv) else env.session).state.types


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("view", VIEWS)
def test_copies_that_nobody_seeded_play_games_of_their_own(view, copied):
    env = VIEWS[view]()
    one, two = COPIES[copied](env), COPIES[copied](env)
    drawn = [types(one), types(two), types(env)]
    three = COPIES[copied](one)  # of a game that has begun without a seed
    drawn += [types(three), types(one)]
    assert len({array.tobytes() for array in drawn}) == 5


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("view", VIEWS)
def test_what_is_seeded_is_reproducible_in_copies_too(view, copied):
    env = VIEWS[view]()
    first, second = types(env, seed=5), types(env)
    assert not np.array_equal(first, second)  # without a seed the stream goes on
    again = VIEWS[view]()
    assert np.array_equal(types(again, seed=5), first)
    twin = COPIES[copied](again)
    assert np.array_equal(types(twin), second) and np.array_equal(types(again), second)
    assert np.array_equal(types(twin), types(again))
    assert np.array_equal(types(COPIES[copied](VIEWS[view]()), seed=5), first)


def test_a_copy_in_mid_game_goes_on_with_the_same_game():
    env = pettingzoo.make("parallel", "lawgiver/taxed_dilemma-v0", mechanism="random")
    env.reset()
    twin = copy.deepcopy(env)
    for _ in range(5):
        if not env.agents:
            break
        actions = dict.fromkeys(env.agents, 1)
        assert pickle.dumps(env.step(actions)) == pickle.dumps(twin.step(actions))


def test_a_generator_that_is_set_is_kept():
    for make in (VIEWS["single"], VIEWS["vector"]):
        one, two = make().unwrapped, make().unwrapped
        for env in (one, two):
            env.np_random = np.random.default_rng(7)
        assert np.array_equal(types(one), types(two)) and np.array_equal(types(one), types(two))


def test_the_drawn_seed_can_be_read_and_used_again():
    env = VIEWS["single"]().unwrapped
    drawn = types(env)
    assert np.array_equal(types(VIEWS["single"](), seed=env.np_random_seed), drawn)


def test_supersuit_concatenates_games_of_their_own():
    env = pettingzoo.make("parallel", SALES, n=3, m=1, mechanism="vcg")
    many = supersuit.concat_vec_envs_v1(supersuit.pettingzoo_env_to_vec_env_v1(env), 4, num_cpus=1)
    seen = many.reset()[0].reshape(4, 3, -1)
    assert len({rows.tobytes() for rows in seen}) == 4


def test_gymnasium_async_vectors_play_games_of_their_own():
    many = gymnasium.make_vec(SALES, num_envs=3, vectorization_mode="async", role="participant")
    try:
        assert len({row.tobytes() for row in many.reset()[0]}) == 3
        seeded = many.reset(seed=[4, 5, 4])[0]
        assert np.array_equal(seeded[0], seeded[2]) and not np.array_equal(seeded[0], seeded[1])
        alone = [gymnasium.make(SALES, role="participant").reset(seed=seed)[0] for seed in (4, 5)]
        assert np.array_equal(seeded[:2], alone)
    finally:
        many.close()


def test_games_keep_nothing_of_their_parameters_that_may_change():
    endowments = [10, 4, 4, 4]
    transitions = np.full((2, 1, 2), 0.5)
    investment = lawgiver.make_game("public_investment", endowments=endowments)
    process = lawgiver.make_game("tabular_mdp", transitions=transitions, features=np.ones((1, 2, 1)))
    before = pickle.dumps((investment, process))
    endowments[0] = 1
    transitions[:] = 0
    assert pickle.dumps((investment, process)) == before
