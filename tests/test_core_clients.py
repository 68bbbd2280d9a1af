"""What other libraries' clients ask of the views: masks, grids of actions, cut actions, specs and generators."""

import gymnasium
import numpy as np
import pettingzoo
import pytest
import supersuit

import lawgiver
from lawgiver.envs.core.errors import ActionError, ParameterError, UnsupportedGameError
from lawgiver.envs.core.registry import GAMES, names
from lawgiver.envs.views.choices import LARGEST_GRID, Choices

INVEST = "lawgiver/public_investment-v0"


def participant(**params):
    return gymnasium.make(INVEST, role="participant", mechanism="libertarian", endowments=(4, 2), **params)


# -- masks ---------------------------------------------------------------------------------------------------


def test_the_single_view_tells_its_masks():
    env = gymnasium.make(INVEST, role="participant", mechanism="libertarian", endowments=[(4, 2)] + [(2, 4)] * 9)
    for seed in range(4):
        _, info = env.reset(seed=seed)
        masks = env.unwrapped.action_masks()
        assert masks.dtype == bool and np.array_equal(masks, info["action_mask"])


def test_where_nothing_is_forbidden_all_is_legal():
    env = gymnasium.make("lawgiver/taxed_dilemma-v0", role="participant")
    env.reset(seed=0)
    assert env.unwrapped.action_masks().tolist() == [True, True]


def test_the_batch_tells_a_mask_a_game():
    envs = gymnasium.make_vec(INVEST, num_envs=3, role="participant", endowments=(4, 2))
    _, infos = envs.reset(seed=0)
    assert np.array_equal(envs.action_masks(), infos["action_mask"].astype(bool))


def test_boxes_have_no_masks():
    env = gymnasium.make(INVEST, role="mechanism")
    env.reset(seed=0)
    with pytest.raises(UnsupportedGameError, match="no masks, allowed: a Discrete space"):
        env.unwrapped.action_masks()


def test_the_key_beside_the_mask_is_open_to_choice():
    """RLlib's action-masking module reads ``observations``."""
    for make in (
        lambda key: participant(mask_in_observation=key),
        lambda key: gymnasium.make_vec(INVEST, role="participant", mask_in_observation=key),
    ):
        assert set(make(True).observation_space.spaces) == {"observation", "action_mask"}
        env = make("observations")
        observation, info = env.reset(seed=0)
        assert observation.keys() == {"observations", "action_mask"} and observation in env.observation_space
        assert "action_mask" not in info
    parallel = pettingzoo.make("parallel", INVEST, mask_in_observation="observations")
    observations, _ = parallel.reset(seed=0)
    assert observations["participant_0"].keys() == {"observations", "action_mask"}


@pytest.mark.parametrize("wrong", ["", "action_mask", 1, None])
def test_wrong_keys_are_named(wrong):
    with pytest.raises(ParameterError, match=r"mask_in_observation is .*allowed: true, false, or a key"):
        participant(mask_in_observation=wrong)


# -- grids of actions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names(GAMES))
def test_a_grid_holds_both_bounds_and_evenly_spaced_points(name):
    game = lawgiver.make_game(name)
    for role in game.roles:
        own = game.action_space(role)
        if not isinstance(own, gymnasium.spaces.Box) or own.shape[0] > 3:
            continue
        choices = Choices(game, role, 5, False)
        assert choices.space == gymnasium.spaces.Discrete(5 ** own.shape[0])
        sent = choices.sent(np.arange(choices.space.n), [str(i) for i in range(choices.space.n)])
        low, high = game.action_bounds(role)
        assert np.array_equal(sent[0], low) and np.array_equal(sent[-1], high)
        np.testing.assert_allclose(np.unique(sent[:, -1]), np.linspace(low[-1], high[-1], 5))


def test_a_choice_plays_its_point_in_every_view():
    game = lawgiver.make_game("lanes")
    low, high = game.action_bounds("mechanism")
    point, same = 7, np.array([high[0], (low[1] + high[1]) / 2])  # 7 = 2 * 3 + 1
    for discretise, action in ((3, point), (None, same)):
        env = gymnasium.make("lawgiver/lanes-v0", role="mechanism", discretise=discretise)
        env.reset(seed=0)
        rewards = [env.step(action)[1]]
        envs = gymnasium.make_vec("lawgiver/lanes-v0", role="mechanism", num_envs=2, discretise=discretise)
        envs.reset(seed=0)
        envs.step(np.array([action, action]))
        states = [envs.session.state.parameters[1]]
        parallel = pettingzoo.make("parallel", "lawgiver/lanes-v0", discretise=discretise)
        parallel.reset(seed=0)
        parallel.step({"mechanism": action})
        states.append(parallel.unwrapped._session.state.parameters[0])
        aec = pettingzoo.make("aec", "lawgiver/lanes-v0", discretise=discretise)
        aec.reset(seed=0)
        aec.step(action)
        states.append(aec.unwrapped._env._session.state.parameters[0])
        for state in states:
            np.testing.assert_allclose(state, same)
        assert np.isfinite(rewards).all()


@pytest.mark.parametrize("name", ["public_investment", "taxed_dilemma", "lanes", "selfish_routing", "supply_demand"])
def test_one_space_for_all_agents_by_padding(name):
    env = pettingzoo.make("parallel", f"lawgiver/{name}-v0", discretise=2)
    padded = supersuit.pad_action_space_v0(supersuit.pad_observations_v0(env))
    assert len({str(padded.action_space(agent)) for agent in padded.possible_agents}) == 1
    assert len({str(padded.observation_space(agent).shape) for agent in padded.possible_agents}) == 1
    padded.reset(seed=0)
    for _ in range(4):
        if padded.agents:
            padded.step({agent: padded.action_space(agent).sample() for agent in padded.agents})


def test_masks_stand_beside_the_observation_of_a_grid_too():
    env = gymnasium.make("lawgiver/lanes-v0", role="mechanism", discretise=3, mask_in_observation=True)
    observation, _ = env.reset(seed=0)
    assert observation["action_mask"].tolist() == [1] * 9


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        (1, "discretise is 1, allowed: an integer >= 2"),
        (2.5, "discretise is 2.5"),
        (101, r"discretise is 101: 101\^2 actions of the mechanism of lanes-v0, allowed: at most 100"),
    ],
)
def test_wrong_levels_are_named(levels, message):
    with pytest.raises(ParameterError, match=message):
        gymnasium.make("lawgiver/lanes-v0", role="mechanism", discretise=levels)


@pytest.mark.parametrize("role", ["mechanism", "participant"])
@pytest.mark.parametrize("option", [{"discretise": -5}, {"discretise": "x"}, {"clip_actions": "no"}])
def test_wrong_options_are_named_for_roles_that_do_not_use_them_too(role, option):
    with pytest.raises(ParameterError, match=f"{next(iter(option))} is .*, allowed: "):
        gymnasium.make("lawgiver/lanes-v0", role=role, **option)


def test_boxes_of_too_many_components_say_that_no_grid_fits():
    game = lawgiver.make_game("sequential_sales", n=5, m=3)
    assert 2 ** game.action_space("mechanism").shape[0] > LARGEST_GRID
    with pytest.raises(ParameterError, match="allowed: none, because even 2 levels are too many"):
        Choices(game, "mechanism", 2, False)


def test_points_outside_the_grid_are_refused():
    env = gymnasium.make("lawgiver/lanes-v0", role="mechanism", discretise=3)
    env.reset(seed=0)
    for wrong in (9, -1, 0.5, np.zeros(2)):
        with pytest.raises(ActionError, match="Discrete"):
            env.step(wrong)


# -- cut actions ---------------------------------------------------------------------------------------------


def test_actions_beyond_their_bounds_are_cut_where_asked_for():
    game = lawgiver.make_game("lanes")
    low, high = game.action_bounds("mechanism")
    far = high + 100
    parallel = pettingzoo.make("parallel", "lawgiver/lanes-v0", clip_actions=True)
    parallel.reset(seed=0)
    parallel.step({"mechanism": far})
    np.testing.assert_allclose(parallel.unwrapped._session.state.parameters[0], high)
    env = gymnasium.make("lawgiver/lanes-v0", role="mechanism", clip_actions=True)
    env.reset(seed=0)
    env.step(low - 1)
    np.testing.assert_allclose(env.unwrapped.session.state.parameters[0], low)
    for wrong in (np.full(2, np.nan), np.zeros(3), np.array(["a", "b"])):
        env.reset(seed=0)
        with pytest.raises(ActionError):
            env.step(wrong)
    strict = gymnasium.make("lawgiver/lanes-v0", role="mechanism")
    strict.reset(seed=0)
    with pytest.raises(ActionError, match="outside its space"):
        strict.step(far)


# -- what PettingZoo's views say of themselves -------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["parallel", "aec"])
def test_pettingzoo_views_have_a_game_a_spec_and_a_generator(kind):
    env = pettingzoo.make(kind, INVEST, endowments=(3, 1))
    assert env.unwrapped.game.conditions == ((3, 1),)
    again = pettingzoo.make(kind, env.unwrapped.spec)
    assert again.unwrapped.game == env.unwrapped.game and env.unwrapped.spec.id == INVEST
    env.reset(seed=5)
    before = env.unwrapped.np_random.bit_generator.state
    env.reset(seed=5)
    assert env.unwrapped.np_random.bit_generator.state == before
