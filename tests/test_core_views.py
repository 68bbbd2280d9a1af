"""Views before a reset and after an end, their spaces, their options, and what they say about mistakes."""

import pickle

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.utils.env_checker import check_env

import lawgiver
from lawgiver.envs.core.errors import ActionError, ParameterError, UnknownNameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.testing.views import random_policies
from lawgiver.envs.views.aec import GameAECEnv
from lawgiver.envs.views.parallel import GameParallelEnv
from lawgiver.envs.views.single import GameEnv
from lawgiver.envs.views.vector import GameVectorEnv

TAX = make_game("taxed_dilemma")


def begun(**options):
    env = GameParallelEnv(TAX, **options)
    env.reset(seed=0)
    return env


def test_nothing_works_before_reset(game):
    parallel, aec = GameParallelEnv(game), GameAECEnv(GameParallelEnv(game, flag_turns=False))
    role = next(iter(game.roles))
    many = GameVectorEnv(game, role=role, num_envs=2, **random_policies(game, role))
    one = GameEnv(game, role=role, **random_policies(game, role))
    for use in (
        lambda: parallel.step({}),
        parallel.state,
        parallel.render,
        lambda: parallel.acting_agents,
        lambda: aec.step(0),
        lambda: aec.observe(aec.possible_agents[0]),
        aec.last,
        aec.state,
        aec.render,
        lambda: many.step(many.action_space.sample()),
        many.render,
        lambda: one.step(one.action_space.sample()),
        one.render,
    ):
        with pytest.raises(ActionError, match=r"call reset\(\) first"):
            use()


def test_an_aec_game_that_is_over_says_so():
    env = GameAECEnv(GameParallelEnv(make_game("taxed_dilemma", continuation=0.0), flag_turns=False))
    env.reset(seed=0)
    with pytest.raises(ActionError, match=r"unknown agent 'taxman'.*participant_0"):
        env.observe("taxman")
    for agent in env.agent_iter():
        env.step(None if env.terminations[agent] else env.action_space(agent).sample())
    for use in (env.last, lambda: env.step(0)):
        with pytest.raises(ActionError, match="over"):
            use()


@pytest.mark.parametrize(("role", "bad", "good"), [("participant", 99, 1), ("mechanism", [np.nan], [0.5])])
def test_the_action_of_a_game_that_is_over_is_ignored_whatever_it_is(role, bad, good):
    many, other = (GameVectorEnv(make_game("taxed_dilemma", continuation=0.5), role=role, num_envs=6) for _ in range(2))
    many.reset(seed=0), other.reset(seed=0)
    over, ignored = np.zeros(6, bool), 0
    for step in range(40):
        wild = [bad if ended else good for ended in over]
        results = many.step(np.array(wild) if step % 2 else wild), other.step([good] * 6)
        assert pickle.dumps(results[0]) == pickle.dumps(results[1])
        ignored += over.sum()
        over = results[0][2] | results[0][3]
        if over.any() and not over.all():
            with pytest.raises(ActionError, match=f"game {int(np.argmin(over))}"):
                many.step([good if ended else bad for ended in over])
            with pytest.raises(ActionError, match="5 actions instead of 6"):
                many.step([good] * 5)
    assert ignored > 20


@pytest.mark.parametrize("truth", [True, np.True_])
def test_truth_is_no_number(truth):
    actions = {"participant_0": truth, "participant_1": 1}
    env = begun(mechanism="libertarian")
    with pytest.raises(ActionError, match=r"participant_0 has dtype bool"):
        env.step(actions)
    many = GameVectorEnv(TAX, role="participant", num_envs=2)
    many.reset(seed=0)
    for sent in ([1, truth], (truth, 0), np.array([True, False])):
        with pytest.raises(ActionError, match="dtype bool"):
            many.step(sent)


def test_mask_in_observation_of_gymnasium_views(game):
    for role in game.roles:
        policies = random_policies(game, role)
        plain, one = (GameEnv(game, role=role, mask_in_observation=m, **policies) for m in (False, True))
        many = GameVectorEnv(game, role=role, num_envs=3, mask_in_observation=True, **policies)
        (expected, marked), (seen, info), (batch, infos) = (env.reset(seed=0) for env in (plain, one, many))
        assert one.observation_space.contains(seen) and many.observation_space.contains(batch)
        assert "action_mask" not in info and "action_mask" not in infos
        if isinstance(one.action_space, gymnasium.spaces.Discrete):
            assert np.array_equal(seen["observation"], expected)
            mask = marked.get("action_mask", np.ones(one.action_space.n, np.int8))
            assert np.array_equal(seen["action_mask"], mask) and seen["action_mask"].dtype == np.int8
            assert batch["action_mask"].shape == (3, one.action_space.n)
        else:
            assert np.array_equal(seen, expected)
        check_env(one, skip_render_check=True)


def test_views_sample_their_actions_apart(game):
    role = next(iter(game.roles))
    one, two = (GameEnv(game, role=role, **random_policies(game, role)) for _ in range(2))
    many = GameVectorEnv(game, role=role, num_envs=2, **random_policies(game, role))
    spaces = [one.action_space, two.action_space, many.single_action_space, game.action_space(role)]
    assert all(space == spaces[0] for space in spaces) and len({id(space) for space in spaces}) == 4


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: GameVectorEnv(TAX, role="mechanism", num_envs="3"), ParameterError, "num_envs is '3'"),
        (lambda: GameVectorEnv(TAX, role="mechanism", num_envs=2.5), ParameterError, r"num_envs is 2\.5"),
        (lambda: GameParallelEnv(TAX, max_cycles="3"), ParameterError, "max_cycles is '3', allowed: an integer >= 1"),
        (lambda: GameParallelEnv(TAX, max_cycles=float("nan")), ParameterError, "max_cycles is nan"),
        (lambda: GameEnv(TAX, role=None), ParameterError, "role is missing: allowed: mechanism, participant"),
        (lambda: GameEnv(TAX, role=["mechanism"]), ParameterError, r"unknown role \['mech.*allowed: mechanism, part"),
        (lambda: GameEnv(TAX, role="mechanism", participants=5), ParameterError, "participant is 5"),
        (lambda: GameParallelEnv(TAX, mechanism=0), ParameterError, r"mechanism is 0.*libertarian"),
        (lambda: GameParallelEnv(TAX).reset(seed="a"), ParameterError, "seed is 'a', allowed: an integer >= 0"),
        (lambda: GameEnv(TAX, role="mechanism").reset(seed="a"), ParameterError, "seed is 'a'"),
        (lambda: GameVectorEnv(TAX, role="mechanism").reset(seed=-1), ParameterError, "seed is -1"),
        (lambda: begun().step([0, 1]), ActionError, r"actions are \[0, 1\], allowed: a mapping from agent"),
        (lambda: begun().step(None), ActionError, "actions are None"),
        (lambda: lawgiver.make_game(None), UnknownNameError, "unknown game None"),
        (lambda: TAX.observation_layout("taxman"), ParameterError, r"role 'taxman'.*mechanism, participant"),
        (lambda: TAX.action_layout("taxman"), ParameterError, "role 'taxman'"),
        (lambda: TAX.action_space("taxman"), ParameterError, "role 'taxman'"),
        (lambda: TAX.observation_space(None), ParameterError, "role None"),
        (lambda: TAX.agents_of("taxman"), ParameterError, "role 'taxman'"),
        (lambda: TAX.observe(begun()._session.state, "taxman"), ParameterError, "role 'taxman'"),
        (lambda: make_game("public_investment").observation_layout("taxman"), ParameterError, "role 'taxman'"),
        (lambda: make_game("public_investment").action_layout("taxman"), ParameterError, "role 'taxman'"),
        (
            lambda: pettingzoo.make("aec", "lawgiver/taxed_dilemma-v0", flag_turns=False),
            ParameterError,
            "neither 'taxed_dilemma-v0' nor its view has a parameter 'flag_turns'",
        ),
        (
            lambda: pettingzoo.make("parallel", "lawgiver/public_investment-v0", mecanism="libertarian"),
            ParameterError,
            r"neither 'public_investment-v0' nor its view.*did you mean 'mechanism'.*mask_in_observation.*n_rounds",
        ),
        (
            lambda: gymnasium.make("lawgiver/public_investment-v0", role="mechanism", mecanism="libertarian"),
            ParameterError,
            "did you mean 'mechanism'",
        ),
    ],
)
def test_mistakes_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: gymnasium.make("lawgiver/lanes-v0", role="mechanism", frameskip=1),
        lambda: gymnasium.make_vec("lawgiver/lanes-v0", role="mechanism", frameskip=1),
        lambda: pettingzoo.make("parallel", "lawgiver/lanes-v0", frameskip=1),
        lambda: pettingzoo.make("aec", "lawgiver/lanes-v0", frameskip=1),
    ],
)
def test_unknown_keywords_are_type_errors_in_pythons_words_for_wrappers_that_leave_them_out(make):
    with pytest.raises(TypeError, match="unexpected keyword argument 'frameskip'") as caught:
        make()
    assert isinstance(caught.value, ParameterError)


def test_parameters_that_are_unknown_elsewhere_are_type_errors_too():
    for make in (
        lambda: make_game("lanes", frameskip=1),
        lambda: lawgiver.make_policy(TAX, "participant", "random", frameskip=1),
        lambda: lawgiver.make_policy(make_game("public_investment"), "participant", "simulated_people", frameskip=1),
    ):
        with pytest.raises(TypeError, match="no parameter 'frameskip'"):
            make()
