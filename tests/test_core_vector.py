"""The batched vector view against Gymnasium's own vector of single envs: seeds, masks, ends, cuts, attributes."""

import importlib
from importlib.util import find_spec

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit

from lawgiver.envs.core.errors import ActionError, MissingExtraError, ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.testing.views import random_policies
from lawgiver.envs.views.single import GameEnv
from lawgiver.envs.views.vector import GameVectorEnv

NUM = 5
MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED]
ENDING_APART = make_game("taxed_dilemma", continuation=0.6)
BY_ROUND = make_game("divisible_good")
"""Its turns count the rounds: games that are started anew stand at another turn than the others."""


def alike(one, other, where="it"):
    """Require that what two vectors show is the same, bit by bit."""
    if isinstance(one, dict):
        assert isinstance(other, dict) and one.keys() == other.keys(), (where, one, other)
        for key in one:
            alike(one[key], other[key], f"{where}[{key!r}]")
    elif isinstance(one, np.ndarray) and one.dtype == object:
        assert other.dtype == object
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            alike(a, b, f"{where}[{i}]")
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype and np.array_equal(one, other), (where, one, other)
    else:
        assert type(one) is type(other) and one == other, (where, one, other)


def pair(game, role, mode, limit=None, **view):
    def single():
        env = GameEnv(game, role=role, **view, **random_policies(game, role))
        return TimeLimit(env, limit) if limit else env

    sync = SyncVectorEnv([single] * NUM, autoreset_mode=mode)
    many = GameVectorEnv(
        game,
        role=role,
        num_envs=NUM,
        autoreset_mode=mode,
        max_episode_steps=limit,
        **view,
        **random_policies(game, role),
    )
    return sync, many


def compared(game, role, mode, limit=None, steps=12, masks=True, **view):
    """Step both vectors with the same actions and seeds, start some games anew now and then, and return the ends."""
    sync, many = pair(game, role, mode, limit, **view)
    seeds = [3, 11, 3, 7, 2**100]
    for one, other in zip(sync.reset(seed=seeds), many.reset(seed=seeds), strict=True):
        alike(one, other)
    many.action_space.seed(1)
    rng, over, ends = np.random.default_rng(2), np.zeros(NUM, bool), 0
    for step in range(steps):
        mask = over.copy() if mode == AutoresetMode.DISABLED else np.zeros(NUM, bool)
        if masks and step % 3 == 2:
            mask |= rng.random(NUM) < 0.5
        if mask.any():
            seed = [None, 5, [1, None, 8, 9, 4]][step % 3]
            results = [env.reset(seed=seed, options={"reset_mask": mask.copy()}) for env in (sync, many)]
            for one, other in zip(*results, strict=True):
                alike(one, other, f"mask at {step}")
        actions = many.action_space.sample()
        results = sync.step(actions), many.step(actions)
        for name, one, other in zip(("obs", "reward", "terminated", "truncated", "infos"), *results, strict=True):
            if name == "truncated":  # Gymnasium's limit also cuts what is over by its rules
                one = one & ~results[0][2]
            alike(one, other, f"{name} at {step}")
        over = results[1][2] | results[1][3]
        ends += over.sum()
    return ends


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
def test_every_game_is_as_in_gymnasiums_vector(game, mode):
    for role in game.roles:
        compared(game, role, mode, steps=7)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("role", ["participant", "mechanism"])
@pytest.mark.parametrize("limit", [None, 1, 3])
@pytest.mark.parametrize("masks", [False, True])
def test_games_that_end_apart_are_as_in_gymnasiums_vector(mode, role, limit, masks):
    assert compared(ENDING_APART, role, mode, limit, steps=40, masks=masks) > 20
    compared(BY_ROUND, role, mode, limit, steps=15, masks=masks)
    compared(make_game("public_investment"), role, mode, limit, steps=15, masks=masks, mask_in_observation=True)


@pytest.mark.parametrize(
    "participants",
    ["random", {"policy": "logit_equilibrium", "mechanism": "no_mechanism", "inverse_temperature": 1.0}],
    ids=["random", "logit_equilibrium"],
)
def test_given_policies_draw_game_by_game(participants):
    many = gymnasium.make_vec("lawgiver/lanes-v0", num_envs=3, role="mechanism", participants=participants).unwrapped
    many.reset(seed=[4, 4, 9])
    many.step(np.zeros((3, *many.single_action_space.shape), np.float32))
    types = many.session.state.types
    assert np.array_equal(types[0], types[1]) and not np.array_equal(types[0], types[2])
    utilities = many.session.state.utilities
    assert np.array_equal(utilities[0], utilities[1]) and not np.array_equal(utilities[0], utilities[2])


def test_a_mask_leaves_the_other_games_where_they_are():
    many = gymnasium.make_vec("lawgiver/public_investment-v0", num_envs=4, role="participant")
    many.reset(seed=0)
    for _ in range(3):
        many.step(many.action_space.sample())
    before = many.unwrapped.session.state
    mask = np.array([True, False, False, True])
    options = {"reset_mask": mask}
    observation, infos = many.reset(options=options)
    after = many.unwrapped.session.state
    assert after.round.tolist() == [0, 3, 3, 0] and options == {"reset_mask": mask}
    assert np.array_equal(after.contributions[1:3], before.contributions[1:3])
    assert infos["_action_mask"].tolist() == mask.tolist() and not infos["action_mask"][1:3].any()
    assert len(observation) == 4


def test_games_at_different_turns_are_kept_apart_and_joined():
    many = GameVectorEnv(BY_ROUND, role="participant", num_envs=4, autoreset_mode="Disabled")
    many.reset(seed=0)
    actions = many.action_space.sample()
    many.step(actions)
    many.reset(options={"reset_mask": np.array([True, False, False, True])})
    assert len(many.batch.groups) == 2
    over = np.zeros(4, bool)
    while not over.any():
        over = np.logical_or(*many.step(actions)[2:4])
    assert over.tolist() == [False, True, True, False]
    with pytest.raises(ActionError, match="game 1 is over: call reset"):
        many.step(actions)
    many.reset(options={"reset_mask": over})
    many.reset(options={"reset_mask": ~over})
    assert len(many.batch.groups) == 1 and many.batch.groups[0][0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        ([True, False, True], "reset_mask'] is list"),
        (np.ones(2, bool), r"is bool \(2,\)"),
        (np.ones(3, int), r"is int64 \(3,\)"),
        (np.zeros(3, bool), "is all False"),
    ],
)
def test_masks_that_do_not_fit_are_refused(mask, told):
    many = GameVectorEnv(ENDING_APART, role="mechanism", num_envs=3)
    with pytest.raises(ActionError, match=r"call reset\(\) first"):
        many.reset(options={"reset_mask": np.ones(3, bool)})
    many.reset(seed=0)
    with pytest.raises(ParameterError, match=told.replace("]", r"\]")):
        many.reset(options={"reset_mask": mask})


def test_what_does_not_fit_is_named():
    for options, told in (
        ({"autoreset_mode": "next"}, "autoreset_mode is 'next'.*NextStep"),
        ({"max_episode_steps": 0}, "max_episode_steps is 0"),
        ({"max_episode_steps": "7"}, "max_episode_steps is '7'"),
    ):
        with pytest.raises(ParameterError, match=told):
            GameVectorEnv(ENDING_APART, role="mechanism", num_envs=3, **options)
    many = GameVectorEnv(ENDING_APART, role="mechanism", num_envs=3)
    for seed, told in (
        ([1, 2], "seed has 2 numbers"),
        ([1, -2, 3], r"seed\[1\] is -2"),
        ([1, "a", 3], r"seed\[1\] is 'a'"),
    ):
        with pytest.raises(ParameterError, match=told):
            many.reset(seed=seed)
    many.reset(seed=[0, 1, 2])
    with pytest.raises(UnsupportedGameError, match=r"rng\.integers of games that are seeded one by one"):
        many.session.rng.integers(3)


@pytest.mark.parametrize("mode", MODES)
def test_make_vec_takes_modes_and_limits(mode):
    for given_mode in (mode, mode.value):
        many = gymnasium.make_vec(
            "lawgiver/public_investment-v0",
            num_envs=2,
            role="mechanism",
            autoreset_mode=given_mode,
            max_episode_steps=2,
        )
        assert many.metadata["autoreset_mode"] is mode and many.unwrapped.autoreset_mode is mode
        many.reset(seed=0)
        flags = [many.step(many.action_space.sample())[2:4] for _ in range(2)]
        assert not np.any(flags[0]) and not flags[1][0].any() and flags[1][1].all()
    default = gymnasium.make_vec("lawgiver/public_investment-v0", num_envs=2, role="mechanism")
    assert default.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP


def test_attributes_of_every_game():
    many = gymnasium.make_vec(
        "lawgiver/public_investment-v0", num_envs=3, role="participant", render_mode="ansi"
    ).unwrapped
    many.reset(seed=0)
    assert many.get_attr("game") == (many.game,) * 3 and many.call("role") == ("participant",) * 3
    assert many.get_attr("action_space") == (many.single_action_space,) * 3
    assert len(many.call("render")) == 3 and all("participant" in frame for frame in many.call("render"))
    many.set_attr("note", 5)
    assert many.get_attr("note") == (5, 5, 5)
    many.set_attr("note", [6, 6, 6])
    assert many.note == 6
    with pytest.raises(ParameterError, match="note has 3 values for 3 games that share one"):
        many.set_attr("note", [1, 2, 3])
    with pytest.raises(ParameterError, match="note has 2 values"):
        many.set_attr("note", [1, 1])
    many.set_attr("note", [np.arange(2)] * 2 + [np.arange(2.0)])
    assert many.note.tolist() == [0, 1]
    for values in (
        [np.arange(2), np.arange(2), np.ones(2)],
        [np.arange(2), 1, "a"],
        [{"a": np.arange(2)} for _ in range(3)],
    ):
        with pytest.raises(ParameterError, match="note has 3 values for 3 games that share one"):
            many.set_attr("note", values)
    with pytest.raises(ParameterError, match="step together"):
        many.call("step", 0)
    with pytest.raises(AttributeError, match="nothing"):
        many.get_attr("nothing")


@pytest.mark.parametrize("options", ["x", 3, [np.ones(3, bool)], np.ones(3, bool), {"reset_mask"}])
def test_options_of_a_reset_are_a_dict(options):
    many = gymnasium.make_vec("lawgiver/public_investment-v0", num_envs=3, role="mechanism").unwrapped
    with pytest.raises(ParameterError, match=r"options is .*, allowed: None, or a dict with 'reset_mask'"):
        many.reset(options=options)


def test_one_seed_serves_the_batch_and_goes_on():
    one, two = (GameVectorEnv(ENDING_APART, role="mechanism", num_envs=8) for _ in range(2))
    for env in (one, two):
        env.reset(seed=3)
        env.action_space.seed(3)
    for _ in range(30):
        for a, b in zip(one.step(one.action_space.sample()), two.step(two.action_space.sample()), strict=True):
            alike(a, b)
    seeded = [env.reset(seed=[1] * 8)[0] for env in (one, two)]
    assert np.array_equal(*seeded)
    alike(one.reset()[0], two.reset()[0])


@pytest.mark.parametrize("wrapper", ["RecordEpisodeStatistics", "DictInfoToList", "NormalizeObservation"])
def test_gymnasiums_vector_wrappers(wrapper):
    for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP):
        if wrapper == "NormalizeObservation" and mode == AutoresetMode.SAME_STEP:
            continue  # Gymnasium itself refuses
        many = getattr(gymnasium.wrappers.vector, wrapper)(
            GameVectorEnv(ENDING_APART, role="mechanism", num_envs=4, autoreset_mode=mode)
        )
        many.reset(seed=0)
        for _ in range(10):
            result = many.step(many.action_space.sample())
        assert len(result[4]) == 4 if wrapper == "DictInfoToList" else isinstance(result[4], dict)


@pytest.mark.skipif(find_spec("stable_baselines3") is not None, reason="is for where Stable-Baselines3 is missing")
def test_the_vec_env_says_what_it_needs():
    with pytest.raises(MissingExtraError, match=r"lawgiver\.sb3 needs stable_baselines3.*lawgiver\[sb3\]"):
        importlib.import_module("lawgiver.sb3")
