"""Every registered game is put through the public harness, and does what the views promise beyond it."""

import pickle
import subprocess
import sys

import gymnasium
import numpy as np
import pettingzoo
import pytest

import lawgiver
from lawgiver.envs.core.errors import ActionError, ParameterError, UnknownNameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.registry import GAMES, names
from lawgiver.envs.testing.people import check_people
from lawgiver.envs.testing.play import random_steps
from lawgiver.envs.testing.rules import RULE_CHECKS
from lawgiver.envs.testing.views import VIEW_CHECKS, compare_vector_with_single, random_policies
from lawgiver.envs.views.aec import GameAECEnv
from lawgiver.envs.views.parallel import GameParallelEnv
from lawgiver.envs.views.single import GameEnv
from lawgiver.envs.views.vector import GameVectorEnv
from lawgiver.testing import check_game, check_gradients, check_torch, check_torch_play


@pytest.mark.parametrize(
    "check",
    [*RULE_CHECKS, *VIEW_CHECKS, check_people, check_torch, check_torch_play, check_gradients],
    ids=lambda c: c.__name__,
)
def test_every_check(game, check):
    check(game)


def test_suite_covers_every_registered_game(request):
    covered = {make_game(name).name for name, _ in request.getfixturevalue("all_games").values()}
    assert covered == set(names(GAMES))


@pytest.mark.parametrize("name", names(GAMES))
def test_check_game_takes_a_name(name):
    check_game(name)


def test_no_game_is_secretly_of_constant_sum(game):
    earned = np.zeros(64)
    for step in random_steps(game, 64, np.random.default_rng(0)):
        earned += np.where(step.alive, step.rewards[game.players].sum(axis=-1), 0)
    assert game.sum_type in ("general", "constant")
    assert np.ptp(earned) == pytest.approx(0) if game.sum_type == "constant" else np.ptp(earned) > 1


def test_games_have_known_solutions(game):
    if game.name == "taxed_dilemma-v0":
        assert game.known_solutions()
    for solution in game.known_solutions():
        assert solution.residual() <= solution.tolerance
        assert np.isfinite(solution.value())


# -- PettingZoo ----------------------------------------------------------------------------------------------


def _actions(env, seed=0):
    for index, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(seed + index)
    return {agent: env.action_space(agent).sample() for agent in env.possible_agents}


def test_actions_out_of_turn_are_ignored(game):
    env, other = GameParallelEnv(game), GameParallelEnv(game)
    env.reset(seed=0), other.reset(seed=0)
    while env.agents:
        actions = _actions(env)
        acting = env.acting_agents
        waiting = {agent: np.nan for agent in env.agents if agent not in acting}
        result = env.step({agent: actions[agent] for agent in acting})
        assert pickle.dumps(result) == pickle.dumps(other.step({**actions, **waiting}))


def test_acts_now_marks_the_agents_whose_turn_it_is(game):
    env = GameParallelEnv(game, flag_turns=True)  # it is, where there are several roles
    observations, _ = env.reset(seed=0)
    while env.agents:
        assert {agent for agent, seen in observations.items() if seen[-1] == 1} == set(env.acting_agents)
        observations, *_ = env.step(_actions(env))


def test_aec_agents_take_turns_in_the_order_of_phases(game):
    env = GameAECEnv(GameParallelEnv(game, flag_turns=False))
    parallel = GameParallelEnv(game)
    env.reset(seed=1), parallel.reset(seed=1)
    totals = dict.fromkeys(env.possible_agents, 0.0)
    expected = dict.fromkeys(env.possible_agents, 0.0)
    while parallel.agents:
        actions = _actions(parallel)
        for agent in parallel.acting_agents:
            assert env.agent_selection == agent
            _, reward, terminated, truncated, _ = env.last()
            totals[agent] += reward
            assert not terminated and not truncated
            env.step(actions[agent])
        _, rewards, *_ = parallel.step(actions)
        for agent, reward in rewards.items():
            expected[agent] += reward
    for agent in list(env.agents):
        assert env.agent_selection == agent
        _, reward, terminated, truncated, _ = env.last()
        totals[agent] += reward
        assert terminated or truncated
        env.step(None)
    assert env.agents == []
    assert totals == pytest.approx(expected)


def test_mask_in_observation_moves_the_mask(game):
    env = GameParallelEnv(game, mask_in_observation=True)
    plain = GameParallelEnv(game)
    seen, infos = env.reset(seed=0)
    expected, marked = plain.reset(seed=0)
    while env.agents:
        for agent in env.agents:
            assert env.observation_space(agent).contains(seen[agent])
            assert "action_mask" not in infos[agent]
            if isinstance(env.action_space(agent), gymnasium.spaces.Discrete):
                mask = seen[agent]["action_mask"]
                assert mask.dtype == np.int8
                assert np.array_equal(mask, marked[agent].get("action_mask", np.ones_like(mask)))
                assert np.array_equal(seen[agent]["observation"], expected[agent])
            else:
                assert np.array_equal(seen[agent], expected[agent])
        actions = _actions(env)
        seen, *_, infos = env.step(actions)
        expected, *_, marked = plain.step(actions)


def test_state_is_in_the_state_space(game):
    env = GameParallelEnv(game)
    env.reset(seed=0)
    while env.agents:
        assert env.state_space.contains(env.state())
        env.step(_actions(env))


def test_max_cycles_truncates(game):
    env = GameParallelEnv(game, max_cycles=1)
    env.reset(seed=0)
    *_, terminations, truncations, _ = env.step(_actions(env))
    assert all(truncations.values()) and not any(terminations.values()) and env.agents == []


def test_a_play_saved_in_the_middle_goes_on_the_same(game):
    env = GameParallelEnv(game)
    env.reset(seed=3)
    env.step(_actions(env))
    again = pickle.loads(pickle.dumps(env))
    while env.agents:
        actions = _actions(env)
        np.testing.assert_equal(env.step(actions), again.step(actions))
    assert again.agents == []


def test_an_episode_ends_by_its_declared_horizon(game):
    env = GameParallelEnv(game)
    env.reset(seed=0)
    steps = 0
    while env.agents:
        *_, terminations, truncations, _ = env.step(_actions(env))
        steps += 1
    assert steps == game.max_steps if game.horizon_known else steps <= game.max_steps
    assert all(terminations.values()) != all(truncations.values())
    with pytest.raises(ActionError, match="over"):
        env.step(_actions(env))


# -- bad actions ---------------------------------------------------------------------------------------------


def test_steps_before_a_reset_and_without_actions_are_refused(game):
    for role in game.roles:
        env = GameEnv(game, role=role, **random_policies(game, role))
        many = GameVectorEnv(game, role=role, num_envs=3, **random_policies(game, role))
        with pytest.raises(ActionError, match="reset"):
            env.step(env.action_space.sample())
        many.reset(seed=0)
        with pytest.raises(ActionError, match="one action instead of 3"):
            many.step(None)


def test_a_bad_game_in_a_vector_is_named():
    many = GameVectorEnv(make_game("taxed_dilemma"), role="participant", num_envs=3)
    many.reset(seed=0)
    with pytest.raises(ActionError, match=r"action 7 of game 1 is outside.*Discrete\(2\)"):
        many.step([0, 7, 1])


# -- Gymnasium -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "role", "params"),
    [("public_investment", "mechanism", {"n_rounds": 3}), ("taxed_dilemma", "participant", {"continuation": 0.6})],
)
def test_vector_of_4096_games_equals_4096_single_games(name, role, params):
    compare_vector_with_single(make_game(name, **params), role, 4096, {})


@pytest.mark.parametrize("mechanism", ["libertarian", "liberal_egalitarian", "random"])
def test_vector_with_named_policies_equals_single_games(mechanism):
    game = make_game("public_investment")
    policies = {"mechanism": mechanism, "participants": "conditional_cooperators"}
    compare_vector_with_single(game, "participant", 64, policies)
    del policies["mechanism"]
    compare_vector_with_single(game, "mechanism", 64, policies)


def test_vector_seeds(game):
    role = next(iter(game.roles))
    env, other = (GameVectorEnv(game, role=role, num_envs=5, **random_policies(game, role)) for _ in range(2))
    env.reset(seed=4), other.reset(seed=4)
    env.action_space.seed(0)
    for step in range(30):  # beyond the end of the games
        if step == 20:
            assert np.array_equal(env.reset(seed=7)[0], other.reset(seed=7)[0])
        actions = env.action_space.sample()
        np.testing.assert_equal(env.step(actions), other.step(actions))


def test_games_of_different_length_begin_anew_apart():
    many = GameVectorEnv(make_game("taxed_dilemma", continuation=0.6), role="mechanism", num_envs=200)
    assert many.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.NEXT_STEP
    many.reset(seed=0)
    many.action_space.seed(0)
    was_over = np.zeros(200, bool)
    ages, finished = np.zeros(200, int), 0
    for _ in range(60):
        seen, rewards, terminated, truncated, _ = many.step(many.action_space.sample())
        assert not (terminated | truncated)[was_over].any(), "the step after an end is a reset"
        assert (rewards[was_over] == 0).all()
        assert (seen[was_over] == 0).all(), "nobody has cooperated yet in a new game"
        assert np.isfinite(rewards).all() and (many.session.state.round[was_over] == 0).all()
        ages = np.where(was_over, 0, ages + 1)
        assert np.array_equal(many.session.state.round, ages)
        was_over = terminated | truncated
        finished += was_over.sum()
    assert finished > 1000  # a game is over with probability 0.4 a round


def test_participants_learner_begins_anew_after_the_mechanism_has_announced():
    many = GameVectorEnv(make_game("taxed_dilemma", continuation=0.5), role="participant", num_envs=100)
    many.reset(seed=0)
    over = np.zeros(100, bool)
    for _ in range(40):
        seen, _, terminated, truncated, _ = many.step(np.ones(100, int))
        assert many.session.acting == "participant"
        assert np.array_equal(seen[:, 2], many.session.state.tax[:, 0].astype(np.float32))
        assert (seen[over, 2] > 0).all(), "a new game's tax has been announced"
        over = terminated | truncated


def test_partners_fill_the_other_seats():
    game = make_game("public_investment", endowments=[10, 4, 4, 4])
    env = GameEnv(game, role="participant", participants="full_contributor", mechanism="strict_egalitarian")
    env.reset(seed=0)
    _, reward, *_ = env.step(0)
    assert reward == pytest.approx(10 + 1.6 * 12 / 4)
    assert env.session.state.contributions[0].tolist() == [0, 4, 4, 4]


def test_what_a_caller_writes_into_results_stays_with_the_caller():
    env = GameVectorEnv(make_game("public_investment"), role="participant", num_envs=3)
    env.reset(seed=0)
    results = env.step(np.zeros(3, int))
    before = pickle.dumps(env.session)
    for result in results[:4]:
        result[...] = 0
    results[4]["action_mask"][...] = 0
    assert pickle.dumps(env.session) == before


# -- parameters, names, ids ----------------------------------------------------------------------------------


def test_one_id_in_both_registries():
    for name in names(GAMES):
        env_id = f"lawgiver/{name}"
        assert pettingzoo.make("parallel", env_id).game.name == name
        assert pettingzoo.make("aec", env_id).possible_agents
        learner = {"role": "mechanism"}
        if "mechanism" not in make_game(name).roles:
            learner = {"role": "participant", "participants": "random"}
        assert gymnasium.make(env_id, **learner).unwrapped.game.name == name
        many = gymnasium.make_vec(env_id, num_envs=7, vectorization_mode="vector_entry_point", **learner)
        assert many.num_envs == 7 and many.reset(seed=0)[0].shape[0] == 7


def test_participants_only_view_is_homogeneous():
    env = pettingzoo.make("parallel", "lawgiver/public_investment-v0", mechanism="libertarian")
    assert env.possible_agents == [f"participant_{i}" for i in range(4)]
    seen, _ = env.reset(seed=0)
    assert {space.shape for space in env.observation_spaces.values()} == {(14,)}
    assert all(row.shape == (14,) for row in seen.values())
    _, rewards, *_ = env.step(dict.fromkeys(env.agents, 2))
    endowments = env._session.state.endowments[0]
    assert list(rewards.values()) == pytest.approx((endowments - 2 + 3.2).tolist())


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: GameParallelEnv(make_game("taxed_dilemma"), render_mode="film"), ParameterError, "render_mode"),
        (lambda: GameParallelEnv(make_game("taxed_dilemma"), max_cycles=0), ParameterError, "max_cycles"),
        (
            lambda: GameParallelEnv(make_game("taxed_dilemma"), mechanism="random", participants="random"),
            ParameterError,
            "every role is given",
        ),
        (lambda: GameEnv(make_game("taxed_dilemma"), role="taxman"), ParameterError, "taxman.*mechanism, participant"),
        (lambda: gymnasium.make("lawgiver/taxed_dilemma-v0"), ParameterError, "role is missing"),
        (
            lambda: GameEnv(make_game("taxed_dilemma"), role="mechanism", mechanism="random"),
            ParameterError,
            "leave out mechanism",
        ),
        (lambda: GameVectorEnv(make_game("taxed_dilemma"), role="mechanism", num_envs=0), ParameterError, "num_envs"),
        (lambda: lawgiver.make_game("taxed_dilema"), UnknownNameError, "did you mean 'taxed_dilemma-v0'"),
        (lambda: lawgiver.make_game("taxed_dilemma", rounds=3), ParameterError, "'rounds'.*max_rounds"),
    ],
)
def test_bad_parameters_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


# -- pictures ------------------------------------------------------------------------------------------------


def test_rendering(game):
    for view in (GameParallelEnv(game, render_mode="ansi"), GameAECEnv(GameParallelEnv(game, render_mode="ansi"))):
        view.reset(seed=0)
        text = view.render()
        assert game.name in text and "to act" in text
        lines = text.splitlines()
        table = [i for i, line in enumerate(lines) if line.startswith("participant ")]
        assert len({len(line) for line in lines[table[0] :]} if table else {0}) == 1, "columns are aligned"
    role = list(game.roles)[-1]
    many = GameVectorEnv(game, role=role, num_envs=2, render_mode="ansi")
    many.reset(seed=0)
    assert len(many.render()) == 2 and all(game.name in text for text in many.render())
    silent = GameVectorEnv(game, role=role, num_envs=2)
    silent.reset(seed=0)
    assert silent.render() is None


@pytest.mark.parametrize("name", names(GAMES))
def test_image(name):
    env = GameParallelEnv(make_game(name), render_mode="rgb_array")
    with pytest.raises(ActionError, match="reset"):
        env.render()
    env.reset(seed=0)
    image = env.render()
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    assert image.std() > 10, "the picture is not blank"


# -- import --------------------------------------------------------------------------------------------------


def test_import_is_light():
    code = (
        "import sys, gymnasium, lawgiver, lawgiver.testing;"
        "gymnasium.make('lawgiver/public_investment-v0', role='mechanism', participants='free_rider');"
        "heavy = {'torch', 'ray', 'scipy', 'matplotlib', 'pandas'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
