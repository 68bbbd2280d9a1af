"""Goals on a torus: the rules, and the best walks by two ways."""

import itertools

import numpy as np
import pytest

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.families.torus import displacement, distance, moved
from lawgiver.envs.goal_collection import GoalCollection, solutions

UP, DOWN, LEFT, RIGHT = range(4)


def profiles(game: GoalCollection, batch: int, seed: int = 0) -> np.ndarray:
    return game.types_of(np.random.default_rng(seed).random((batch, game.n, 2)))


def walk(game: GoalCollection, types, reports, moves):
    """Return the state after given moves, and what each role was paid in total."""
    state = game.initial_state_from(np.array([types], float), np.zeros(1))
    state, *_ = game.step(state, np.array([reports], float), {})
    paid = {"participant": np.zeros(game.n), "mechanism": np.zeros(1)}
    for move in moves:
        state, rewards, *_ = game.step(state, np.array([[move]]), {})
        for role in paid:
            paid[role] += rewards[role][0]
    return state, paid


def test_a_goal_pays_once_the_participant_who_has_it_and_the_mechanism_what_it_is_told():
    game = GoalCollection(n=2, size=4, discount=0.5, weights=[2, 1])
    types, reports = [[1, 0.8], [2, 0.4]], [[1.3, 0.6], [4, 1.0]]
    state, paid = walk(game, types, reports, [RIGHT, RIGHT, LEFT, LEFT, DOWN])
    assert state.reports[0, 0, 0] == 1, "goals are rounded"
    assert walk(game, types, [[0.2, 0.6], [4, 1.0]], [])[0].reports[0, 0, 0] == 1, "nobody's goal is the corner"
    assert state.position[0] == 4
    assert paid["participant"] == pytest.approx([0.8, 0.5 * 0.4])
    assert paid["mechanism"] == pytest.approx(2 * 0.6 + 0.5**4 * 1.0)
    assert state.collected[0] == pytest.approx([1, 0.5**4])
    assert state.enjoyed[0] == pytest.approx([1, 0.5])


def test_the_torus_wraps_round():
    game = GoalCollection(n=1, size=3)
    state, _ = walk(game, [[1, 1]], [[1, 1]], [UP, LEFT])
    assert state.position[0] == 8
    seen = game.observe(state, "mechanism")[0, 0]
    assert seen.tolist() == [2, 8, 1, -1, 1, 0], (
        "from the last corner the goal is one down and, round the edge, one left"
    )


@pytest.mark.parametrize("size", [2, 3, 4, 5, 20])
def test_displacements_lead_to_the_goal_by_the_shortest_way(size):
    start, goal = np.meshgrid(np.arange(size**2), np.arange(size**2), indexing="ij")
    down, right = displacement(start, goal, size)
    assert np.array_equal(moved(start, down, right, size), goal)
    lines = np.abs(np.arange(size)[:, None] - np.arange(size))
    lines = np.minimum(lines, size - lines)
    expected = lines[start // size, goal // size] + lines[start % size, goal % size]
    assert np.array_equal(distance(start, goal, size), expected)


@pytest.mark.parametrize(("size", "n"), [(4, 3), (3, 5), (5, 1)])
def test_best_walks_equal_value_iteration(size, n):
    game = GoalCollection(n=n, size=size, discount=0.8, weights=[0.5 + i for i in range(n)])
    types = profiles(game, 20)
    worth = game.worth(types)
    found = game.best_walks(types)
    for row in range(20):
        for left_out in range(n + 1):
            kept = worth[row] * (np.arange(1, n + 1) != left_out)
            exact = solutions.value_iteration(types[row, :, 0], kept, size, 0.8)
            assert found.affine_welfare[row, left_out] == pytest.approx(exact, abs=1e-12)
    assert (found.collected * worth).sum(-1) == pytest.approx(found.affine_welfare[:, 0])


def test_best_walks_beat_every_order_and_are_one_of_them():
    game = GoalCollection(n=5)
    types = profiles(game, 50)
    goals, worth = types[..., 0], game.worth(types)
    totals = []
    for order in itertools.permutations(range(5)):
        stops = np.concatenate([np.zeros((50, 1)), goals[:, order]], axis=-1)
        times = distance(stops[:, :-1], stops[:, 1:], 20).cumsum(-1)
        totals.append((worth[:, order] * 0.9 ** (times - 1)).sum(-1))
    assert game.best_walks(types).affine_welfare[:, 0] == pytest.approx(np.max(totals, axis=0))


def test_exact_payments_are_truthful_and_leave_nobody_worse_off():
    game = GoalCollection(n=3, size=5, weights=[1, 2, 0.7])
    types = profiles(game, 300)
    weights, worth = game.weight_vector, game.worth(types)
    walks = game.best_walks(types)
    utilities = walks.collected * types[..., 1] - solutions.payments(walks, worth, weights)
    assert utilities.min() > -1e-12
    assert utilities == pytest.approx((walks.affine_welfare[:, :1] - walks.affine_welfare[:, 1:]) / weights)
    assert solutions.payments(walks, worth, weights).min() > -1e-12
    for factor in (0.0, 0.5, 1.5):
        reports = types.copy()
        reports[:, 0, 1] *= factor
        lied = game.best_walks(reports)
        charged = solutions.payments(lied, game.worth(reports), weights)
        gain = (lied.collected * types[..., 1] - charged - utilities)[:, 0]
        assert gain.max() < 1e-12


def test_goals_that_coincide_are_entered_together():
    found = solutions.best_walks(np.array([[3.0, 3.0, 4.0]]), np.array([[0.5, 0.2, 0.0]]), 4, 0.9)
    assert found.collected[0, :2] == pytest.approx([1, 1])
    assert found.affine_welfare[0] == pytest.approx([0.7, 0.2, 0.5, 0.7])


def test_many_goals_are_solved_by_chunks(monkeypatch):
    types = profiles(GoalCollection(n=9), 6)
    whole = GoalCollection(n=9).best_walks(types)
    monkeypatch.setattr(solutions, "CHUNK", 2 * 9 * 2**9)
    parts = GoalCollection(n=9).best_walks(types)
    assert np.array_equal(whole.affine_welfare, parts.affine_welfare)
    assert np.array_equal(whole.collected, parts.collected)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n": 0}, "n is 0"),
        ({"size": 1}, "size is 1"),
        ({"discount": 1.0}, "discount is 1.0"),
        ({"horizon": 0}, "horizon"),
        ({"weights": [1, 2]}, "5 numbers"),
        ({"weights": [1, 2, 3, 4, 0]}, r"weights\[4\] is 0"),
        ({"weights": 1.0}, "5 numbers"),
    ],
)
def test_bad_parameters_are_named(params, message):
    with pytest.raises(ParameterError, match=message):
        make_game("goal_collection", **params)


def test_too_many_goals_for_a_table_are_refused():
    game = GoalCollection(n=23)
    with pytest.raises(ParameterError, match="22 goals"):
        game.best_walks(profiles(game, 1))
