"""Repeated allocation: the menu, the course of a game, what is drawn afresh, and what lies are worth on the menu."""

import numpy as np
import pettingzoo
import pytest

import lawgiver
from lawgiver.agents.network_policies import LearnedMechanism, LearnedParticipants
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.payment_free_allocation import PaymentFreeAllocation
from lawgiver.envs.repeated_allocation import RepeatedAllocation
from lawgiver.envs.repeated_allocation.solutions import (
    Classes,
    PayoffTable,
    announced,
    apply_rule,
    deviations,
    equilibria_on_grid,
    equilibrium,
    payoff_table,
    round_results,
    sample_types,
)
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.training_run import TrainingRun

ANNOUNCED = {"n": 3, "m": 2, "mechanism_mode": "announce"}


def small(**more):
    return RepeatedAllocation(stage=ANNOUNCED, value_exponents=(1,), demand_factors=(1, 1.5), **more)


# -- the menu ------------------------------------------------------------------------------------------------


def test_honesty_is_on_the_menu_to_the_bit():
    game = RepeatedAllocation()
    types = sample_types(game, 50, 0)
    assert game.menu[game.honest].tolist() == [1, 1]
    assert np.array_equal(game.reports_of(types, np.full((50, 3), game.honest)), types)


def test_what_a_misreport_says():
    game = RepeatedAllocation(value_exponents=(0.5, 1, 2), demand_factors=(1, 2))
    types = np.array([0.4, 0.1, 0.3, 0.8])
    said = {tuple(bent): game.reports_of(types, np.array(k)) for k, bent in enumerate(game.menu.tolist())}
    assert said[0.5, 1] == pytest.approx([1.0, 0.5, 0.3, 0.8]), "values are spread less, up to the greatest"
    assert said[2, 1] == pytest.approx([1.0, 0.1, 0.3, 0.8]), "0.0625, but for the least that may be reported"
    assert said[1, 2] == pytest.approx([0.4, 0.1, 0.6, 1.0]), "demands are doubled, up to the greatest"
    assert said[2, 2] == pytest.approx([1.0, 0.1, 0.6, 1.0])


def test_every_report_lies_in_its_bounds():
    game = RepeatedAllocation(stage={"n": 4, "m": 3, "present": 0.5}, value_exponents=(0.1, 1, 30))
    types = sample_types(game, 200, 1)
    for choice in range(len(game.menu)):
        reports = game.reports_of(types, np.full(types.shape[:2], choice))
        assert (reports[..., :3] >= 0.1).all() and (reports[..., :3] <= 1).all()
        assert ((reports[..., 3:] > 0) == (types[..., 3:] > 0)).all() and (reports[..., 3:] <= 1).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"rounds": 0}, "rounds is 0"),
        ({"value_exponents": (0.5, 2)}, "value_exponents is.*1, which is honest"),
        ({"demand_factors": (1, 1)}, "demand_factors is.*different"),
        ({"demand_factors": (1, -1)}, r"demand_factors\[1\] is -1"),
        ({"demand_factors": 2}, "demand_factors is 2, allowed: a list"),
        ({"announce_every": "week"}, "announce_every is 'week'.*game, round"),
        ({"stage": {"players": 3}}, "no parameter 'players'"),
        ({"stage": {"n": 0}}, "n is 0"),
        ({"stage": 3}, "stage is 3, allowed: parameters of payment_free_allocation-v0"),
    ],
)
def test_bad_parameters_are_named(params, message):
    with pytest.raises(ParameterError, match=message):
        RepeatedAllocation(**params)


# -- the course of a game ------------------------------------------------------------------------------------


def phases(game):
    rng, taken = np.random.default_rng(0), []
    state = game.initial_state(2, rng)
    for _ in range(game.max_steps):
        role = game.phase(state)
        taken.append(role[0])
        size = () if role == "participant" else (game.action_space(role).shape[0],)
        actions = np.zeros((2, game.roles[role], *size), int if role == "participant" else float)
        state, _, terminated, _ = game.step(state, actions, game.draw(2, rng))
    assert terminated.all() and (state.round == game.rounds).all()
    return "".join(taken)


def test_who_acts_when():
    assert phases(RepeatedAllocation(rounds=2)) == "pmpm"
    assert phases(RepeatedAllocation(stage=ANNOUNCED, rounds=2)) == "mpmp"
    assert phases(RepeatedAllocation(stage=ANNOUNCED, rounds=3, announce_every="game")) == "mppp"


def test_a_round_is_the_one_shot_game():
    game = RepeatedAllocation(stage=ANNOUNCED, rounds=2)
    rng = np.random.default_rng(3)
    state = game.initial_state(20, rng)
    for _ in range(game.rounds):
        rule, choices = rng.random((20, 1, 2)), rng.integers(0, len(game.menu), (20, 3))
        state, *_ = game.step(state, rule, game.draw(20, rng))
        types = state.now.types
        reports = game.reports_of(types, choices)
        alone = game.one_shot.initial_state_from(types)
        alone, *_ = game.one_shot.step(alone, rule, {})
        alone, expected, *_ = game.one_shot.step(alone, reports, {})
        state, rewards, *_ = game.step(state, choices, game.draw(20, rng))
        for role in game.roles:
            assert np.array_equal(rewards[role], expected[role])
        assert np.array_equal(game.infos(state)["amounts"], alone.amounts)
        assert np.array_equal(state.payoffs, rewards["participant"])
        assert not np.array_equal(state.now.types, types), "the next round's are other types"


def test_rules_are_seen_before_reports_and_types_stay_private():
    game = RepeatedAllocation(stage=ANNOUNCED, rounds=2, announce_every="game")
    rng = np.random.default_rng(4)
    state = game.initial_state(3, rng)
    state, *_ = game.step(state, np.full((3, 1, 2), 0.25), game.draw(3, rng))
    for completed in range(2):
        seen = game.observe(state, "participant")
        assert np.array_equal(seen[..., :4], state.now.types)
        assert (seen[..., 4:6] == 0.25).all() and (seen[..., 6] == completed).all() and seen.shape[-1] == 7
        state, *_ = game.step(state, np.full((3, 3), game.honest), game.draw(3, rng))


def test_types_are_drawn_afresh_from_the_same_distribution():
    game = small(rounds=40)
    rng = np.random.default_rng(5)
    state, values = game.initial_state(100, rng), []
    for _ in range(game.rounds):
        state, *_ = game.step(state, np.zeros((100, 1, 2)), game.draw(100, rng))
        values.append(state.now.types[:, 0, 0])
        state, *_ = game.step(state, np.zeros((100, 3), int), game.draw(100, rng))
    drawn = np.array(values)
    assert abs(drawn.mean() - 0.55) <= 4 * 0.9 / 12**0.5 / drawn.size**0.5
    assert abs(np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1]) <= 4 / drawn.size**0.5


@pytest.mark.parametrize("name", ["proportional_fairness", "partial_allocation", "water_filling", "equal_split"])
def test_mechanisms_of_the_one_shot_game_can_be_given(name):
    env = pettingzoo.make("parallel", "lawgiver/repeated_allocation-v0", mechanism=name, rounds=1)
    env.reset(seed=0)
    game: RepeatedAllocation = env.game
    types = env._session.state.now.types.copy()
    _, rewards, *_ = env.step(dict.fromkeys(env.agents, game.honest))
    done = play_out(game.one_shot, make_policy(game.one_shot, "mechanism", name), types, types)
    assert list(rewards.values()) == pytest.approx(done.utilities[0].tolist(), abs=1e-9)


@pytest.fixture
def learned(walk, tmp_path):
    """Return the folder of a run whose mechanism announces to burn a half of what it may and to share a quarter."""
    game = ["game.name=repeated_allocation", "game.stage={n: 3, m: 2, mechanism_mode: announce}"]
    run = TrainingRun.create("walk", load_config(walk, [*game, f"run_dir={tmp_path / 'learned'}"]))
    run.save_policy("mechanism", LearnedMechanism(run.game(), start=[0.5, 0.25], hidden=None))
    run.finish({})
    run.close()
    return run.path


def test_a_mechanism_that_was_learned_in_it_plays_where_the_one_shot_game_is_of_its_size(learned):
    others = RepeatedAllocation(stage=ANNOUNCED, rounds=2), RepeatedAllocation(stage=ANNOUNCED | {"n": 4})
    for game in (others[0], others[0].one_shot):
        policy = make_policy(game, "mechanism", learned)
        obs = game.observe(game.initial_state(2, np.random.default_rng(0)), "mechanism")
        action, _ = policy.act(obs, None, policy.initial_state(2, None), None)
        assert action == pytest.approx(np.array([[[0.5, 0.25]]] * 2), abs=1e-6)
    assert set(load(learned, game=others[0])) == {"mechanism"}
    with pytest.raises(UnsupportedGameError, match=r"trained on repeated_.* agents of other numbers: 3 participant"):
        make_policy(others[1], "mechanism", learned)


def test_participants_who_learned_another_menu_are_refused(learned):
    run = TrainingRun.open(learned)
    run.save_policy("participant", LearnedParticipants(run.game(), hidden=[4]))
    assert make_policy(run.game(), "participant", learned)
    with pytest.raises(UnsupportedGameError, match=r"participant sees and does 12 choices, not 2: .* another size"):
        make_policy(small(), "participant", learned)


def test_an_audit_of_what_was_learned_in_it_is_of_the_one_shot_game(learned):
    found = lawgiver.audit(learned, profiles=3, effort=1, gradient=False)
    game = make_game(**found.settings["game"])
    utilities, _ = round_results(game, found.types, found.types, apply_rule(announced(game, 0.5, 0.25), found.types))
    assert found.payoffs == pytest.approx(utilities, abs=1e-6)
    assert found.regrets["demand"].gains.max() > 0


def test_truthful_participants_choose_honesty():
    game = make_game("repeated_allocation")
    policy = make_policy(game, "participant", "truthful")
    obs = game.observe(game.initial_state(5, np.random.default_rng(0)), "participant")
    assert (policy.act(obs, None, None, np.random.default_rng(0))[0] == game.honest).all()


# -- what lies are worth -------------------------------------------------------------------------------------


def test_the_closed_form_of_inflated_demand_under_partial_allocation():
    stage = {"n": 2, "m": 1, "supply": 1.0, "value_low": 0.5, "mechanism_mode": "announce"}
    game = RepeatedAllocation(stage=stage, value_exponents=(1,), demand_factors=(1, 5 / 3))
    types = np.array([[[1.0, 0.3], [1.0, 1.0]]])
    found = deviations(game, announced(game, 1.0, 0.0), types)
    assert found[0, 0] == pytest.approx([0.21, 0.25], abs=1e-8), "0.3 (1 - 0.3), and half of the half that is asked for"
    honest = deviations(game, announced(game, 0.0, 0.0), types)
    assert honest[0, 0] == pytest.approx([0.3, 0.3], abs=1e-8), "nothing is to be made up for where nothing is burnt"


def test_known_solutions_hold_under_more_profiles():
    game = RepeatedAllocation()
    types = sample_types(game, 60, 7)
    for rule, lies in (((0.0, 1.0), slice(None)), ((1.0, 0.0), game.menu[:, 1] == 1)):
        found = deviations(game, announced(game, *rule), types)
        assert (found[..., lies] - found[..., game.honest, None]).max() <= 1e-8
    burnt = deviations(game, announced(game, 1.0, 0.0), types)
    assert (burnt - burnt[..., game.honest, None]).max() > 0.02, "asking for more does pay under partial allocation"


def test_the_table_is_the_game_played_out():
    game = small()
    types, decide = sample_types(game, 5, 8), announced(game, 1.0, 0.25)
    table = payoff_table(game, decide, types)
    reports = game.reports_of(types, np.array([[1, 0, 1]] * 5))
    utilities, objective = round_results(game, types, reports, apply_rule(decide, reports))
    assert np.array_equal(table.utilities[:, 1, 0, 1], utilities)
    assert np.array_equal(table.objective[:, 1, 0, 1], objective)
    honest = np.broadcast_to(np.array([1.0, 0.0]), (5, 3, 2))
    assert table.expected(honest) == pytest.approx(deviations(game, decide, types))
    assert table.welfare(honest) == pytest.approx(table.objective[:, 0, 0, 0].mean())


def test_expectations_weigh_every_joint_choice():
    rng = np.random.default_rng(9)
    utilities, played = rng.random((2, 3, 3, 3, 3)), rng.dirichlet(np.ones(3), (2, 3))
    table = PayoffTable(np.zeros((2, 3, 4)), utilities, utilities.sum(-1))
    joint = np.einsum("na,nb,nc->nabc", *played.transpose(1, 0, 2))
    assert table.welfare(played) == pytest.approx((joint * table.objective).sum((1, 2, 3)).mean())
    middle = np.einsum("na,nc,nabc->nb", played[:, 0], played[:, 2], utilities[..., 1])
    assert table.expected(played)[:, 1] == pytest.approx(middle)


def test_an_equilibrium_is_the_logit_reply_to_itself():
    game = small()
    types = sample_types(game, 40, 10)
    table, classes = payoff_table(game, announced(game, 1.0, 0.0), types), Classes.of(game, types)
    assert np.bincount(classes(types).ravel(), minlength=4).min() > 0
    for level in (0.0, 50.0, 1000.0):
        found = equilibrium(table, classes, level)
        member = classes(types)
        expected = table.expected(found.strategy[member])
        for one in range(4):
            log_odds = level * np.diff(expected[member == one].mean(axis=0))[0]
            assert found.strategy[one, 1] == pytest.approx(1 / (1 + np.exp(-log_odds)), abs=1e-5)
        assert found.regret >= 0 and found.residual <= 1e-6
    assert equilibrium(table, classes, 0.0).strategy == pytest.approx(np.full((4, 2), 0.5))
    assert found.regret < 1e-3 and found.strategy[:, 1].min() > 0.5, "who burns is asked for more"


def test_a_grid_holds_the_equilibrium_of_each_rule():
    game = small()
    types = sample_types(game, 20, 11)
    grid = equilibria_on_grid(game, types, (0.0, 0.5), 200.0)
    for rule, found in grid.items():
        alone = equilibrium(payoff_table(game, announced(game, *rule), types), Classes.of(game, types), 200.0)
        assert found.strategy == pytest.approx(alone.strategy, abs=1e-4)
        assert found.welfare == pytest.approx(alone.welfare, abs=1e-6)


def test_the_stage_is_the_registered_game():
    assert isinstance(make_game("repeated_allocation").one_shot, PaymentFreeAllocation)
