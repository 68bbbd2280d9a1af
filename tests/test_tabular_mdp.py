"""The user's own tables: rewards, forms of transitions, settlement against brute force, and bad input."""

import itertools
import pickle
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
import scipy.sparse
import torch
import yaml

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.solvers.mdp.affine import settle
from lawgiver.envs.solvers.mdp.finite_horizon import FiniteHorizon
from lawgiver.envs.solvers.mdp.linear_program import linear_program
from lawgiver.envs.tabular_mdp import TabularMDPGame
from lawgiver.envs.tabular_mdp.game import WORKSHOP

SUCCESSORS = [[0, 1], [1, 0]]
STAY = [[[0, 0], [1, 0]]]


def types_of(game, batch=5, seed=0):
    return game.types_of(np.random.default_rng(seed).random((batch, game.n, game.draw_size)))


def test_rewards_are_sums_of_features_by_values():
    rng = np.random.default_rng(0)
    shared, own = rng.normal(size=(3, 2, 2)), rng.normal(size=(4, 3, 2, 2))
    values = rng.random((6, 4, 3))
    for phi, formula in ((shared, "bnk,ksa->bnsa"), (own, "bnk,nksa->bnsa")):
        game = TabularMDPGame(n=4, transitions=SUCCESSORS, features=phi)
        expected = np.einsum(formula, values, phi)
        assert game.rewards(values) == pytest.approx(expected, abs=1e-14)
        assert game.rewards(torch.tensor(values)).numpy() == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("timing", [{"discount": 0.8}, {"horizon": 5}])
def test_all_forms_of_transitions_are_one_game(timing):
    dense = np.zeros((2, 2, 2))
    np.put_along_axis(dense, np.array(SUCCESSORS)[..., None], 1, axis=-1)
    sparse = scipy.sparse.csr_array(dense.reshape(4, 2))
    settled = []
    for table in (SUCCESSORS, np.array(SUCCESSORS), dense, dense.tolist(), sparse, scipy.sparse.coo_matrix(sparse)):
        form = {"layout": "states_first"} if np.ndim(table) == 3 else {}
        game = TabularMDPGame(transitions=table, features=STAY, **timing, **form)
        rewards = game.rewards(types_of(game))
        settled.append(settle(game.mdp, rewards, np.array([1.0, 2.0]), np.array([[0.9, 0], [0, 0.1]])).payments)
    assert all(one == pytest.approx(settled[0], abs=1e-12) for one in settled)
    assert np.abs(settled[0]).max() > 0.1


@pytest.mark.parametrize("form", ["default", "dense", "sparse"])
def test_games_compare_hash_pickle_and_come_from_yaml(form):
    table = np.asarray(WORKSHOP)
    given = {
        "default": {},
        "dense": {
            "transitions": table,
            "features": np.ones((2, 3, 3)),
            "start": np.full(3, 1 / 3),
            "layout": "states_first",
        },
        "sparse": {"transitions": scipy.sparse.csr_array(table.reshape(9, 3))},
    }[form]
    game = TabularMDPGame(**given)
    assert game == TabularMDPGame(**given) and hash(game) == hash(TabularMDPGame(**given))
    assert game != TabularMDPGame(**{**given, "features": 2 * np.ones((2, 3, 3))})
    copy = pickle.loads(pickle.dumps(game))
    assert copy == game
    rewards = game.rewards(types_of(game))
    assert np.array_equal(copy.mdp.value(rewards[:, 0]), game.mdp.value(rewards[:, 0]))
    if form == "sparse":
        entries = given["transitions"].tocoo()
        parts = {"rows": entries.row, "columns": entries.col, "values": entries.data}
        plain = {"shape": [9, 3], **{part: numbers.tolist() for part, numbers in parts.items()}}
        assert make_game("tabular_mdp", **yaml.safe_load(yaml.safe_dump({"transitions": plain}))) == game
    if form == "dense":
        plain = {key: np.asarray(value).tolist() for key, value in given.items()}
        assert make_game("tabular_mdp", **yaml.safe_load(yaml.safe_dump(plain))) == game


def test_the_workshop_is_settled_as_all_its_policies_say():
    game = TabularMDPGame(n=2)
    types = types_of(game, 20)
    rewards = game.rewards(types)
    policies = np.eye(3)[np.array(list(itertools.product(range(3), repeat=3)))]
    occupancies = game.mdp.occupancy(policies)
    weights, boosts = np.array([1.0, 0.6]), np.random.default_rng(3).normal(size=(3, 3))

    def best(parts):
        returns = np.einsum("pst,bst->bp", occupancies, parts + boosts)
        return returns.max(1), occupancies[returns.argmax(1)]

    everybody, chosen = best(np.einsum("n,bnsa->bsa", weights, rewards))
    values = np.einsum("bsa,bnsa->bn", chosen, rewards)
    found = settle(game.mdp, rewards, weights, boosts)
    assert found.affine_welfare[:, 0] == pytest.approx(everybody, abs=1e-10)
    for i, j in ((0, 1), (1, 0)):
        without, _ = best(weights[j] * rewards[:, j])
        others = everybody - weights[i] * values[:, i]
        assert found.payments[:, i] == pytest.approx((without - others) / weights[i], abs=1e-10)


def test_nobody_gains_by_a_misreport():
    game = TabularMDPGame(n=3, high=[1, 2, 0.5])
    rng = np.random.default_rng(1)
    rule = rng.normal(size=(1, 3 + 9)) * np.array([0.5] * 3 + [2.0] * 9)
    types = types_of(game, 200)

    def payoffs(reports):
        state = game.initial_state_from(types)
        done = game.settle(state, game.decide(np.repeat(rule, len(types), 0), reports))
        return done.utilities - done.payments

    truthful = payoffs(types)
    assert truthful.min() > -1e-10
    for seed in range(20):
        lies = types.copy()
        who = seed % 3
        lies[:, who] = types_of(game, 200, seed + 100)[:, who]
        assert (payoffs(lies)[:, who] - truthful[:, who]).max() < 1e-9


def test_whole_games_are_played_with_a_given_mechanism():
    game = make_game("tabular_mdp", mechanism_mode="allocate", horizon=2, transitions=SUCCESSORS, features=STAY)

    class Go:
        def initial_state(self, batch, rng):
            return ()

        def distribution(self, obs, mask, memory):
            raise NotImplementedError  # nobody asks for it

        def act(self, obs, mask, memory, rng):
            action = np.zeros((len(obs), 1, 2 * 2 * 2 + 2))
            action[..., :8] = np.array([[[-10, 10], [10, -10]]] * 2).ravel()  # go, then stay
            action[..., 8:] = 0.25
            return action, memory

    types = types_of(game)
    done = play_out(game, Go(), types, types)
    assert done.utilities == pytest.approx(types[..., 0], abs=1e-7)
    assert done.payoffs == pytest.approx(types[..., 0] - 0.25, abs=1e-7)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"features": np.ones((2, 3, 2))}, r"features have the shape \(2, 3, 2\), allowed: \(K, 3, 3\), or \(2, K, 3"),
        ({"features": np.ones((3, 2, 3, 3))}, r"shape \(3, 2, 3, 3\), .* for 2 participants"),
        ({"features": [[[0, 1, np.nan]] * 3]}, "feature 0 of action 2 in state 0 is nan, allowed: finite"),
        ({"features": [[[0, 1], [0]]]}, r"features is \[\[\[0, 1\], \[0\]\]\], allowed: an array or nested lists"),
        ({"features": "many"}, "features is 'many'"),
        ({"features": scipy.sparse.eye_array(3)}, "features is <.* allowed: an array or nested lists of numbers"),
        ({"features": [[[0, 1e308, 0]] * 3]}, "boosts and payments go up to 2e.309|up to inf, allowed: up to 1e"),
        ({"start": 0.0}, r"start is 0.0, allowed: the number of a state, or probabilities \(3,\)"),
        ({"start": None}, "start is None, allowed: the number of a state"),
        ({"start": [[1], [0, 1]]}, "start is .* allowed: an array"),
        ({"transitions": {"shape": [9, 3]}}, "transitions has the parts shape, allowed: shape, rows, columns, values"),
        (
            {"transitions": {"shape": [9, 3], "rows": [0, 9], "columns": [0, 0], "values": [1, 1]}},
            r"transitions has an entry outside its shape \(9, 3\)",
        ),
        (
            {"transitions": {"shape": [9, 3], "rows": [0, 1.5], "columns": [0, 0], "values": [1, 1]}},
            "transitions is no sparse matrix",
        ),
        ({"features": np.ones((0, 3, 3))}, r"shape \(0,\)"),
        ({"transitions": [[0, 1, 3]] * 3}, "successor of state 0 by action 2 is 3, allowed: 0..2"),
        (
            {"transitions": np.full((3, 3, 3), 0.3), "layout": "states_first"},
            "probabilities of state 0, action 0 sum to 0.9",
        ),
        ({"transitions": None}, "transitions is None"),
        ({"discount": 1.0}, r"discount is 1.0, allowed: a number in \[0, 1\), or a horizon"),
        ({"discount": 1.1, "horizon": 3}, r"discount is 1.1, allowed: a number in \[0, 1\]"),
        ({"transitions": np.full((3, 3, 3), 1 / 3)}, r"may be \(S, A, S\) or \(A, S, S\), allowed: one .* layout="),
        ({"transitions": np.full((2, 3, 3), 1 / 3)}, r"\(2, 3, 3\), allowed: .* or \(A, S, S\) with layout='actions_"),
        ({"transitions": np.full((3, 2, 3), 1 / 3), "layout": "actions_first"}, r"by layout='actions_first': \(A, S"),
        ({"layout": "state_first"}, "layout is 'state_first': did you mean 'states_first'"),
        ({"transitions": {0: {0: [(1.0, 0, 0)]}}}, r"transitions\[0\]\[0\]\[0\] is \(1.0, 0, 0\), allowed: \(prob"),
        ({"transitions": {0: {0: [(0.9, 0, 0, True)]}}}, r"transitions\[0\]\[0\] sum to 0.9, allowed: 1"),
        (
            {"transitions": {0: {0: [(1.0, 1, 0, True)]}}},
            r"next state of transitions\[0\]\[0\]\[0\] is 1, allowed: 0..0",
        ),
        ({"transitions": {0: {0: [(1.0, 0, np.nan, True)]}}}, r"reward of transitions\[0\]\[0\]\[0\] is nan"),
        ({"transitions": {0: {0: [(1.0, 0, 0, 2)]}}}, r"ends the process is 2, allowed: true or false"),
        (
            {"transitions": {0: {0: [(1.0, 0, 0, True)]}, 2: {}}},
            r"transitions has the keys \[0, 2\], allowed: 0 to 1; 1",
        ),
        ({"transitions": {0: {0: []}}}, r"transitions\[0\]\[0\] is \[\], allowed: a list"),
        ({"transitions": {0: {0: [(1.0, 0, 0, True)]}, 1: [[], []]}}, r"transitions\[1\] has 2 actions, allowed: 1"),
        ({"horizon": 10_001}, "horizon is 10,001, allowed: up to 10,000"),
        ({"horizon": 10**400}, "horizon is an integer of about 400 digits"),
        ({"memory": 1e308}, r"memory is 1e\+308, allowed: a number in"),
        ({"n": 10**9}, "n is 1000000000, allowed: an integer in 1..1,000"),
        ({"horizon": 0}, "horizon is 0, allowed: an integer >= 1"),
        ({"start": [0.5, 0.5]}, r"start has the shape \(2,\)"),
        ({"start": 3}, r"start is 3, allowed: a state in 0..2"),
        (
            {"memory": 0.0001},
            r"a table of 27 transitions needs 0.00082 MiB, memory allows 0.0001: take fewer",
        ),
        ({"objective": "profit"}, "objective is 'profit'"),
        ({"n": 0}, "n is 0"),
    ],
)
def test_bad_input_is_named(params, message):
    with pytest.raises(ParameterError, match=message):
        TabularMDPGame(**params)


def test_a_horizon_may_say_that_there_is_no_discount():
    assert TabularMDPGame(horizon=3, discount=1).mdp.horizon == 3


# -- probabilities, layouts and tables of other libraries -----------------------------------------------------------


def test_probabilities_in_float32_are_taken_and_scaled():
    third = np.full((3, 2, 3), 1 / 3, np.float32)
    start = np.full(3, 1 / 3, np.float32)
    game = TabularMDPGame(transitions=third, features=np.ones((1, 3, 2)), start=start)
    assert game.mdp.transitions.table.sum(-1) == pytest.approx(1, abs=1e-15)
    assert game.mdp.start.sum() == pytest.approx(1, abs=1e-15)
    assert game.mdp.value(np.ones((3, 2))) == pytest.approx(10, abs=1e-12)
    sparse = scipy.sparse.csr_array(third.reshape(6, 3))
    assert TabularMDPGame(transitions=sparse, features=np.ones((1, 3, 2))).mdp.value(np.ones((3, 2))) == pytest.approx(
        10
    )
    with pytest.raises(ParameterError, match=r"sum to 1\.00001"):
        TabularMDPGame(transitions=third.astype(float) * 1.00001, features=np.ones((1, 3, 2)))


def test_transitions_by_action_are_those_by_state_turned():
    rng = np.random.default_rng(0)
    for s, a in ((3, 2), (3, 3)):
        table, phi = rng.dirichlet(np.ones(s), size=(s, a)), rng.random((1, s, a))
        by_state = TabularMDPGame(transitions=table, features=phi, layout="states_first")
        turned = table.transpose(1, 0, 2)
        matrices = [scipy.sparse.csr_matrix(matrix) for matrix in turned]
        for given in (turned, turned.tolist(), matrices):
            game = TabularMDPGame(transitions=given, features=phi[0], layout="actions_first")
            assert game.mdp.value(phi[0]) == pytest.approx(by_state.mdp.value(phi[0]), abs=1e-12)
        again = replace(game, n=3)
        assert again.n == 3 and again.transitions == game.transitions
    wrong_way = TabularMDPGame(transitions=turned, features=phi, layout="states_first")
    assert abs(wrong_way.mdp.value(phi[0]) - by_state.mdp.value(phi[0])) > 1e-3


def value_iteration(table, discount, steps):
    """Return what each state of one of Gymnasium's tables is worth, by its own outcomes."""
    values = np.zeros(len(table))
    for _ in range(steps):
        values = np.array(
            [
                max(sum(p * (r + discount * values[s] * (not over)) for p, s, r, over in table[state][action])
                    for action in table[state])
                for state in table
            ]
        )  # fmt: skip
    return values


@pytest.mark.parametrize(
    ("name", "options", "known"),
    [
        ("FrozenLake-v1", {"is_slippery": True}, {100: 0.7441902878292697}),
        ("FrozenLake-v1", {"is_slippery": False}, {100: 1.0, 5: 0.0}),
        ("CliffWalking-v1", {}, {100: -13.0}),
        ("CliffWalking-v1", {"is_slippery": True}, {}),
        ("Taxi-v3", {}, {50: 7.93}),
    ],
)
def test_optima_of_gymnasiums_tables_are_those_of_value_iteration(name, options, known):
    env = gymnasium.make(name, **options).unwrapped
    start = env.initial_state_distrib

    def optimum(**timing):
        game = TabularMDPGame(n=1, transitions=env.P, start=start, **timing)
        return game.mdp.value(np.array(game.features[0]))

    for horizon, value in known.items():
        assert optimum(horizon=horizon) == pytest.approx(value, abs=1e-9)
    steps = 20 if name == "Taxi-v3" else 60
    exact = start @ value_iteration(env.P, 0.9, steps)
    assert optimum(horizon=steps, discount=0.9) == pytest.approx(exact, abs=1e-12)
    assert optimum(horizon=steps) == pytest.approx(start @ value_iteration(env.P, 1, steps), abs=1e-12)
    if name != "Taxi-v3":
        lasting = start @ value_iteration(env.P, 0.9, 300)
        assert optimum(discount=0.9) == pytest.approx(lasting, abs=1e-10)


def test_outcomes_that_end_the_process_end_it():
    table = {0: {0: [(1.0, 1, 1.0, True)], 1: [(0.5, 0, 1.0, False), (0.5, 1, 0.0, False)]},
             1: {0: [(1.0, 1, 5.0, False)], 1: [(1.0, 0, 0.0, False)]}}  # fmt: skip
    game = TabularMDPGame(n=1, transitions=table, discount=0.5, start=[1, 0])
    assert game.mdp.n_states == 3 and len(game.mdp.start) == 3
    # State 1 is worth 5 / (1 - .5) = 10, state 0 by action 1: v = .5 (1 + v / 2) + .5 * 10 / 2.
    value, policy = game.mdp.optimal(np.array(game.features[0]))
    assert value == pytest.approx(4.0, abs=1e-12) and policy[0].tolist() == [0, 1]
    own = TabularMDPGame(n=1, transitions=table, features=[[[9, 0], [0, 0]]], discount=0.5)
    assert own.mdp.value(np.array(own.features[0])) == pytest.approx(9, abs=1e-12)


def test_outcomes_are_told_from_probabilities_in_lists_and_mappings():
    go, stay = [(0.5, 1, 2.0, False), (0.5, 0, 0.0, 0)], [[1, 1, 0, np.int64(0)]]
    lists = [[go, stay], [[(1.0, 0, 1, 1)], [(1.0, 1, 0.0, 0.0 > 1)]]]
    mappings = {s: dict(enumerate(actions)) for s, actions in enumerate(lists)}
    mixed = tuple(mappings.values())
    games = [TabularMDPGame(transitions=table) for table in (lists, mappings, mixed, {0: lists[0], "1": mixed[1]})]
    assert len(set(games)) == 1
    assert np.array(games[0].transitions)[0].tolist() == [[0.5, 0.5, 0], [0, 1, 0]]  # the third state is the end
    assert np.array(games[0].features)[0, :2].tolist() == [[1, 0], [1, 0]]
    one = TabularMDPGame(transitions=[[[(1.0, 0, 1, False)]]])
    assert one == TabularMDPGame(transitions={0: {0: [(1.0, 0, 1, False)]}})


@pytest.mark.parametrize(
    ("transitions", "said"),
    [
        ([[[(1.0, 0, 1)]]], r"transitions\[0\]\[0\]\[0\] is \(1.0, 0, 1\), allowed: \(probability, next state"),
        ([[[(1.0, 0, 1, 0.5)]]], r"ends the process is 0.5, allowed: true or false, 1 or 0"),
        ([[[(1.0, 0, 1, False)], 3]], r"transitions\[0\]\[1\] is 3, allowed: a list of \(probability"),
        ([[[(0.5, 0, 1, False)]]], "sum to 0.5"),
    ],
)
def test_lists_of_outcomes_that_are_wrong_are_named(transitions, said):
    with pytest.raises(ParameterError, match=said):
        TabularMDPGame(transitions=transitions)


def test_a_table_of_outcomes_has_one_layout():
    with pytest.raises(ParameterError, match=r"layout of a table of outcomes is 'actions_first': .*: states_first"):
        TabularMDPGame(transitions=[[[(1.0, 0, 1, False)]]], layout="actions_first")


def test_a_table_of_outcomes_comes_from_yaml_and_plays():
    table = yaml.safe_load("{0: {0: [[0.5, 0, 1, false], [0.5, 1, 0, true]]}, 1: {0: [[1.0, 1, 0, true]]}}")
    game = make_game("tabular_mdp", transitions=table, horizon=3)
    assert game == make_game("tabular_mdp", transitions={"0": [[(0.5, 0, 1, False), (0.5, 1, 0, True)]],
                                                         "1": [[(1.0, 1, 0, True)]]}, horizon=3)  # fmt: skip
    assert game.mdp.value(np.array(game.features[0])) == pytest.approx(0.5 + 0.25 + 0.125)
    types = types_of(game)
    vcg = make_policy(game, "mechanism", "vcg")
    assert play_out(game, vcg, types, types).utilities == pytest.approx(0.875 * types[..., 0])


@pytest.mark.parametrize("discount", [0.0, 0.5, 1.0])
def test_a_discount_together_with_a_horizon(discount):
    rng = np.random.default_rng(1)
    table, rewards = rng.dirichlet(np.ones(3), size=(3, 2)), rng.normal(size=(3, 2))
    mdp = FiniteHorizon(table, 4, rng.dirichlet(np.ones(3)), discount=discount)
    value, policy = mdp.optimal(rewards)
    assert mdp.value(rewards) == pytest.approx(value, abs=1e-14)
    assert (mdp.occupancy(policy) * rewards).sum() == pytest.approx(value, abs=1e-12)
    assert mdp.occupancy(policy).sum() == pytest.approx(sum(discount**t for t in range(4)), abs=1e-12)
    found, occupancy = linear_program(mdp, rewards)
    assert found == pytest.approx(value, abs=1e-9) and (occupancy * rewards).sum() == pytest.approx(value, abs=1e-9)
    if discount:
        for regulariser in ("policy", "occupancy"):
            soft, chosen = mdp.soft(rewards, 1e-4, regulariser)
            assert soft == pytest.approx(value, abs=2e-3)
            assert (mdp.occupancy(chosen) * rewards).sum() == pytest.approx(value, abs=2e-3)
