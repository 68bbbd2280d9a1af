"""Stable-Baselines3 on the batched vector view, in an environment of its own: `make test-plugins`."""

import numpy as np
import pytest
from gymnasium.wrappers import TimeLimit

import lawgiver
from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.views.single import GameEnv
from lawgiver.envs.views.vector import make_vector_env

sb3 = pytest.importorskip("stable_baselines3", reason="has an environment of its own: make test-plugins")
vec_env = pytest.importorskip("stable_baselines3.common.vec_env")
evaluation = pytest.importorskip("stable_baselines3.common.evaluation")
ours = pytest.importorskip("lawgiver.sb3")

APART = {"role": "mechanism", "continuation": 0.6}


def same(one, other):
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        return all(same(one[key], other[key]) for key in one)
    return np.array_equal(one, other)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("taxed_dilemma", APART),
        ("taxed_dilemma", {"role": "participant", "continuation": 0.6}),
        ("taxed_dilemma", {**APART, "max_episode_steps": 2}),
        ("public_investment", {"role": "participant", "mask_in_observation": True}),
        ("divisible_good", {"role": "participant", "max_episode_steps": 2}),
    ],
)
def test_it_is_as_dummy_vec_env(name, options):
    """With the same seed in every game, both show the same, ends, last observations and cuts included."""
    options = dict(options)
    many = ours.make_vec_env(name, num_envs=4, **options)
    limit = options.pop("max_episode_steps", None)
    view = {key: options.pop(key) for key in list(options) if key in ("role", "mask_in_observation")}
    game = lawgiver.make_game(name, **options)

    def single():
        env = GameEnv(game, **view)
        return TimeLimit(env, limit) if limit else env

    dummy = vec_env.DummyVecEnv([single] * 4)
    dummy.seed(5)  # seeds 5, 6, 7, 8
    first = dummy.reset()
    assert same(many.env.reset(seed=[5, 6, 7, 8])[0], first)
    many.action_space.seed(0)
    ends = cuts = 0
    for _ in range(40):
        actions = np.array([many.action_space.sample() for _ in range(4)])
        one, other = many.step(actions), dummy.step(actions)
        assert same(one[0], other[0]) and same(one[1], other[1]) and same(one[2], other[2])
        for info, expected in zip(one[3], other[3], strict=True):
            expected.setdefault("TimeLimit.truncated", False) if "terminal_observation" in expected else None
            expected.pop("TimeLimit.truncated", None) if "terminal_observation" not in expected else None
            assert same(info, expected)
            cuts += info.get("TimeLimit.truncated", False)
        ends += one[2].sum()
    assert ends > 4 and (cuts > 4) == (limit is not None)


def test_seeds_and_attributes():
    one, two = (ours.make_vec_env("taxed_dilemma", num_envs=5, **APART) for _ in range(2))
    for env in (one, two):
        assert env.seed(3) == [3] * 5
    assert same(one.reset(), two.reset())
    actions = np.full((5, *one.action_space.shape), 0.5, np.float32)
    for _ in range(10):
        assert all(same(a, b) for a, b in zip(one.step(actions)[:3], two.step(actions)[:3], strict=True))
    assert (
        one.get_attr("role", indices=[1, 2]) == ["mechanism"] * 2
        and one.env_is_wrapped(vec_env.VecMonitor) == [False] * 5
    )
    masked = ours.make_vec_env("public_investment", num_envs=3, role="participant")
    masked.reset()
    masks = masked.env_method("action_masks")
    assert len(masks) == 3 and masks[0].dtype == bool and masks[0].shape == (masked.action_space.n,)
    with pytest.raises(LawgiverError, match="did you mean 'participants'"):
        ours.make_vec_env("public_investment", num_envs=3, role="mechanism", participant="random")


@pytest.mark.parametrize("algorithm", ["PPO", "A2C"])
def test_algorithms_learn_on_games_that_end_apart(algorithm):
    env = vec_env.VecMonitor(ours.make_vec_env("taxed_dilemma", num_envs=16, **APART))
    model = getattr(sb3, algorithm)("MlpPolicy", env, n_steps=16, seed=0, device="cpu").learn(600)
    mean, _ = evaluation.evaluate_policy(model, env, n_eval_episodes=10)
    assert np.isfinite(mean)


def test_ppo_learns_to_free_ride():
    """Under the strict egalitarian mechanism a contributed point comes back .4 times: the best reply is nothing."""
    env = ours.make_vec_env(
        "public_investment", num_envs=64, role="participant", mechanism="strict_egalitarian", participants="random"
    )
    model = sb3.PPO("MlpPolicy", env, n_steps=32, batch_size=512, learning_rate=1e-3, gamma=0.5, seed=0, device="cpu")
    model.learn(20_000)
    env.seed(1)
    seen, given = env.reset(), []
    for _ in range(10):
        actions = model.predict(seen, deterministic=True)[0]
        given.append(actions)
        seen = env.step(actions)[0]
    assert np.mean(given) < 1


def test_dqn_and_normalisation():
    env = vec_env.VecNormalize(
        ours.make_vec_env("public_investment", num_envs=4, role="participant", mechanism="libertarian")
    )
    sb3.DQN("MlpPolicy", env, learning_starts=50, seed=0, device="cpu").learn(300)
    assert isinstance(env.unwrapped, ours.GameVecEnv)


def test_views_of_another_autoreset_mode_are_refused():
    with pytest.raises(LawgiverError, match="autoreset_mode is 'NextStep', allowed: 'SameStep'"):
        ours.GameVecEnv(make_vector_env("taxed_dilemma", role="mechanism"))


def test_attributes_are_of_all_games_or_of_those_that_there_are():
    many = ours.make_vec_env("public_investment", num_envs=3, role="participant")
    for everyone in (None, [0, 1, 2], range(3), np.arange(3), [-1, 0, 1]):
        many.set_attr("note", 1, indices=everyone)
    assert many.get_attr("note", indices=[1, -1]) == [1, 1] and many.get_attr("note", indices=0) == [1]
    for some in (1, [1], [0, 1], []):
        with pytest.raises(LawgiverError, match=r"indices is .*, allowed: None, or all 3 games, which share note"):
            many.set_attr("note", 2, indices=some)
    assert many.get_attr("note") == [1, 1, 1]
    for none in (3, [0, 5], "a", 0.5, [True]):
        for call in (many.get_attr, lambda name, indices: many.set_attr(name, 2, indices)):
            with pytest.raises(LawgiverError, match="an index of a game is"):
                call("note", indices=none)
