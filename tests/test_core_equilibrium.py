"""The participants' equilibrium and what mechanisms are worth in it: against quoted figures, closed forms and play."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import truncnorm

from lawgiver.agents.mechanisms import Announcement
from lawgiver.agents.tables import TablePolicy
from lawgiver.envs.core.errors import NoSolution, ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.lanes.game import Lanes
from lawgiver.envs.lanes.solutions import (
    budget_constant,
    equilibrium_threshold,
    expected_payment,
    induced_threshold,
    meeting_welfare,
    optimal_threshold,
    optimal_transfer,
    participation_constant,
    private_optimum_welfare,
)
from lawgiver.envs.solvers.equilibrium import subgame_equilibrium as equilibrium
from lawgiver.envs.solvers.equilibrium.incentives import incentives
from lawgiver.envs.solvers.equilibrium.one_round import SOLVED
from lawgiver.envs.solvers.equilibrium.subgame import uniform_prior
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import (
    Equilibrium,
    best_in_box,
    equilibrium_objective,
    exact_scores,
    inverse_temperature_of_budget,
    prior_table,
    scores,
    solve,
)

SIZES = (3, 5, 10, 20)
READINGS = ("full", "local", "blind")
BASES = ("centred", "raw")
FRESH = np.random.default_rng()
DRAWN = {
    "n": int(FRESH.integers(2, 25)),
    "length": float(FRESH.uniform(0.5, 4)),
    "coordination_weight": float(FRESH.uniform(0.2, 3)),
}
DRAWN["movement_cost"] = float(
    FRESH.uniform(0.02, 0.5) * DRAWN["coordination_weight"] * (DRAWN["n"] - 1) * DRAWN["length"] / 2
)
"""A parameter set that no one has tuned, shown by pytest where a test of it fails."""
SETTINGS = {**{f"n={n}": {"n": n} for n in SIZES}, "drawn": DRAWN}
COUPLED = {
    "lanes, full": ("lanes", {"n": 20, "agent_objective": "full"}),
    "lanes, full, cubic": ("lanes", {"n": 3, "agent_objective": "full", "basis": "raw", "degree": 3}),
    "lanes, blind": ("lanes", {"agent_objective": "blind", "payment_on": "u", "n_moves": 21}),
    "divisible good": ("divisible_good", {"agent_objective": "full", "rounds": 4, "supply_cost": 8.0}),
    "braess": ("selfish_routing", {"n": 12}),
    "two homes": ("supply_demand", {"n": 10, "homes": (0.8, 0.2, 0.0)}),
}


@pytest.fixture(params=COUPLED)
def coupled(request):
    name, params = COUPLED[request.param]
    return make_game(name, **params)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def some_parameters(game, rng, batch=()):
    box = game.action_space("mechanism")
    return box.low + rng.random((*batch, *box.shape)) * (box.high - box.low)


def some_table(subgame, rng):
    raw = rng.random(subgame.shape) ** 3 * subgame.legal()
    return raw / raw.sum(axis=-1, keepdims=True)


def full_strength(n, reading, **params):
    """Return a game and the payment that charges what a participant's place costs all others."""
    game = Lanes(n=n, agent_objective=reading, basis="raw", **params)
    return game, optimal_transfer(game.setting, 2, reading, "raw")


# -- fixed points ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.0, 0.1, 3.0, 100.0, 1e4, math.inf])
def test_what_is_found_is_a_fixed_point(coupled, rng, level):
    subgame, prior = coupled.subgame, uniform_prior(coupled.subgame)
    for scale in (0.0, 0.1, 1.0):
        w = scale * some_parameters(coupled, rng)
        found = solve(subgame, w, level, prior)
        again = subgame.aggregates(np.exp(subgame.log_response(w, found.aggregates, level, prior)))
        np.testing.assert_allclose(again, found.aggregates, rtol=1e-7, atol=1e-7 if level > 1e3 else 1e-9)
        assert found.residual <= (1e-7 if level > 1e3 else 1e-9)
        np.testing.assert_allclose(subgame.aggregates(found.policy), found.aggregates, rtol=1e-7, atol=1e-7)


def test_many_mechanisms_at_once_are_each_by_itself(coupled, rng):
    prior, w = uniform_prior(coupled.subgame), some_parameters(coupled, rng, (2, 3))
    together = solve(coupled.subgame, w, 20.0, prior)
    for i in np.ndindex(2, 3):
        alone = solve(coupled.subgame, w[i], 20.0, prior)
        np.testing.assert_allclose(together.aggregates[i], alone.aggregates, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(together.policy[i], alone.policy, rtol=1e-6, atol=1e-9)
    assert together.residual <= 1e-9


def test_torch_finds_the_same(coupled, rng):
    prior, w = uniform_prior(coupled.subgame), some_parameters(coupled, rng)
    ours, theirs = (solve(coupled.subgame, on(w), 20.0, on(prior)) for on in (np.asarray, torch.as_tensor))
    assert theirs.policy.dtype == torch.float64
    np.testing.assert_allclose(theirs.policy.numpy(), ours.policy, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("level", [10.0, 100.0, 1000.0])
def test_the_equilibrium_of_full_participants_is_the_only_one(n, level, rng):
    """Damped iteration leads there from wherever it starts, ordered or not, under concave payments."""
    game = Lanes(n=n, agent_objective="full", n_moves=51)
    subgame, prior = game.subgame, uniform_prior(game.subgame)
    w = np.array([rng.uniform(-0.3, 0.3), rng.uniform(-2.0, 0.0)])
    found = solve(subgame, w, level, prior).aggregates
    starts = np.stack([subgame.aggregates(some_table(subgame, rng)), [0.0, 0.0], [2.0, 4.0]])
    for _ in range(200):
        starts = subgame.aggregates(np.exp(subgame.log_response(w, starts, level, prior)))
    np.testing.assert_allclose(starts, np.broadcast_to(found, starts.shape), atol=2e-6)


def test_where_there_are_several_it_is_one_that_learning_leads_to(rng):
    game = Lanes(n=3, agent_objective="full")  # convex payments pull participants apart
    subgame, prior = game.subgame, uniform_prior(game.subgame)
    for w in ([0.0, 2.0], [0.15, 3.0], [-0.2, 3.0], [0.05, 1.0]):
        found = solve(subgame, np.array(w), 100.0, prior).aggregates
        z = found + 1e-4
        for _ in range(300):
            z = z + 0.5 * (subgame.aggregates(np.exp(subgame.log_response(np.array(w), z, 100.0, prior))) - z)
        np.testing.assert_allclose(z, found, atol=1e-6)


def test_without_coupling_one_reply_is_the_equilibrium(rng):
    game = Lanes()
    w, prior = some_parameters(game, rng), uniform_prior(game.subgame)
    found = solve(game.subgame, w, 50.0, prior)
    other = game.subgame.log_response(w, np.array([9.0, -4.0]), 50.0, prior)
    np.testing.assert_array_equal(found.log_policy, other)
    assert found.residual == 0.0


@pytest.mark.parametrize("level", [-1.0, math.nan, "hot"])
def test_a_bad_inverse_temperature_is_named(level):
    game = Lanes()
    with pytest.raises(ParameterError, match="inverse_temperature"):
        solve(game.subgame, np.zeros(2), level, uniform_prior(game.subgame))


def test_what_does_not_settle_is_no_equilibrium(monkeypatch):
    game = Lanes(agent_objective="full")

    def unsettled(subgame, parameters, inverse_temperature, prior):
        return Equilibrium(prior, subgame.aggregates(np.exp(prior)), 10 * SOLVED)

    monkeypatch.setattr(equilibrium, "solve", unsettled)
    assert "do not settle (1e-05 off)" in scores(game, np.zeros(2), 3.0).reason
    for ask in (
        lambda: equilibrium_objective(game, np.zeros(2), 3.0),
        lambda: inverse_temperature_of_budget(game, np.zeros(2), 1),
    ):
        with pytest.raises(UnsupportedGameError, match="do not settle"):
            ask()


# -- what w may be ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("w", [np.array([0, -1]), [0, -1], (0, -1.0), np.array([0, -1], np.float32), np.int8([0, -1])])
def test_whatever_holds_the_numbers_they_count_in_full(w):
    game, exact = Lanes(), np.array([0.0, -1.0])
    assert scores(game, w, 10.0) == scores(game, exact, 10.0)
    assert scores(game, w, 10.0)["welfare"] == pytest.approx(-1.81, abs=5e-3)
    assert equilibrium_objective(game, w, 10.0) == equilibrium_objective(game, exact, 10.0)
    assert inverse_temperature_of_budget(game, w, 1.0) == inverse_temperature_of_budget(game, exact, 1.0)
    prior = uniform_prior(game.subgame)
    assert solve(game.subgame, w, 10.0, prior).log_policy.dtype == np.float64
    np.testing.assert_array_equal(prior_table(game, None, w), prior)


@pytest.mark.parametrize(
    ("w", "says"),
    [
        (np.zeros(1), r"parameters has 1 number, allowed: 2 \(coefficients: 2 in \[-4, 4\]\)"),
        ([0.0, 1.0, 2.0], "parameters has 3 numbers, allowed: 2"),
        (0.5, "parameters has 1 number, allowed: 2"),
        ([0.0, math.nan], r"parameters is \[0.0, nan\], allowed: finite numbers"),
        ([math.inf, 0.0], r"parameters is \[inf, 0.0\], allowed: finite numbers"),
        (["much", 0.0], "parameters is .*much.*, allowed: 2 numbers"),
        (np.zeros((3, 2)), r"parameters is of shape \(3, 2\), allowed: \(2,\)"),
    ],
)
def test_bad_parameters_are_named(w, says):
    game = Lanes()
    for ask in (scores, equilibrium_objective, inverse_temperature_of_budget):
        with pytest.raises(ParameterError, match=says):
            ask(game, w, 10.0)
    if np.ndim(w) < 2:
        with pytest.raises(ParameterError, match=says):
            solve(game.subgame, w, 10.0, uniform_prior(game.subgame))


def test_tensors_of_whole_numbers_are_refused():
    game = Lanes()
    with pytest.raises(ParameterError, match="floating point"):
        solve(game.subgame, torch.tensor([0, -1]), 10.0, torch.as_tensor(uniform_prior(game.subgame)))


# -- quoted figures -------------------------------------------------------------------------------------------------

FIXED_POINTS = {
    ("full", True, 10.0): (-0.264, -0.458, -0.943, -1.92),
    ("full", True, 100.0): (-0.136, -0.240, -0.502, -1.03),
    ("full", True, 1000.0): (-0.122, -0.217, -0.456, -0.943),
    ("local", True, 10.0): (-0.264, -0.458, -0.943, -1.92),
    ("local", True, 100.0): (-0.136, -0.240, -0.502, -1.03),
    ("local", True, 1000.0): (-0.122, -0.217, -0.456, -0.943),
    ("full", False, 100.0): (-0.154, -0.269, -0.558, -1.14),
    ("local", False, 100.0): (-1.15, -3.78, -16.9, -71.1),
}
"""Welfare for 3, 5, 10 and 20 participants, with a full-strength payment and without, to the digits that an independent
solver gave on 201 moves."""


@pytest.mark.parametrize(("reading", "paid", "level"), FIXED_POINTS)
def test_quoted_fixed_points(reading, paid, level):
    for n, quoted in zip(SIZES, FIXED_POINTS[reading, paid, level], strict=True):
        game, w = full_strength(n, reading, n_moves=201)
        digit = 10.0 ** (math.floor(math.log10(-quoted)) - 2)
        assert abs(equilibrium_objective(game, w * paid, level) - quoted) <= digit
        coarse = full_strength(n, reading)[0]
        assert equilibrium_objective(coarse, w * paid, level) == pytest.approx(quoted, rel=0.007)


TABLE = {
    ("full", 100.0, 5.0): (-0.153, -0.151, -0.132, -0.125),
    ("full", 1000.0, 5.0): (-0.130, -0.123, -0.121, -0.121),
    ("local", 100.0, 1.0): (-1.148, -1.002, -0.227, -0.154),
    ("local", 100.0, 5.0): (-1.148, -1.000, -0.141, -0.126),
    ("local", 1000.0, 5.0): (-1.003, -1.000, -0.122, -0.121),
}
"""Best welfare of 3 participants in a box of raw coefficients, by degree 0 to 3."""
SEARCHED = [("local", 100.0, 1.0, degree) for degree in (1, 2, 3)]
SEARCHED += [("local", 100.0, 5.0, 2), ("local", 1000.0, 5.0, 1), ("full", 100.0, 5.0, 1)]
"""What is searched here; all entries are shown to be local optima in the gradients' tests."""


@pytest.mark.parametrize(("reading", "level", "box"), TABLE)
def test_welfare_without_mechanism_is_the_tables(reading, level, box):
    game = Lanes(n=3, agent_objective=reading)
    assert equilibrium_objective(game, np.zeros(2), level) == pytest.approx(TABLE[reading, level, box][0], abs=6e-4)


@pytest.mark.parametrize(("reading", "level", "box", "degree"), SEARCHED)
def test_the_best_of_a_box_is_the_tables(reading, level, box, degree):
    game = Lanes(n=3, agent_objective=reading, basis="raw", box=box, degree=degree)
    best = best_in_box(game, level)
    assert best.value == pytest.approx(TABLE[reading, level, box][degree], abs=6e-4)
    assert (np.abs(best.parameters) <= box).all()
    assert best.value == pytest.approx(equilibrium_objective(game, best.parameters, level), abs=1e-12)


@pytest.mark.parametrize(("level", "anchored"), [(100.0, False), (5.0, True)])
def test_the_best_of_a_box_is_nowhere_worse_than_its_members_centre_and_corners(coupled, level, anchored):
    box, anchor = coupled.action_space("mechanism"), None
    if anchored:
        anchor = TablePolicy(coupled, uniform_prior(coupled.subgame))
    best = best_in_box(coupled, level, anchor)
    assert box.low.shape == best.parameters.shape
    assert (box.low <= best.parameters).all() and (best.parameters <= box.high).all()
    assert best.value == equilibrium_objective(coupled, best.parameters, level, anchor)
    for w in (*coupled.members.values(), (box.low + box.high) / 2, box.low, box.high):
        found = scores(coupled, np.clip(w, box.low, box.high), level, anchor)
        assert isinstance(found, NoSolution) or found["welfare"] * coupled.horizon <= best.value + 1e-6


def test_the_search_is_at_home_where_replies_jump():
    """Crowds that reply sharply: 9.81194 is what a search found that solved for 343 equilibria exactly."""
    assert best_in_box(make_game("supply_demand"), 100.0).value == pytest.approx(9.81194, abs=1e-4)


def test_the_order_of_degrees():
    """Local participants need a quadratic payment; a cubic one helps bounded ones, a linear one nobody."""
    none, linear, quadratic, cubic = TABLE["local", 100.0, 1.0]
    assert linear - none < 0.2 and quadratic - linear > 0.7 and cubic > quadratic
    for degree, gains in ((1, False), (2, True)):
        game = Lanes(n=3, degree=degree, n_moves=51)
        best = best_in_box(game, math.inf).value
        assert best == pytest.approx(private_optimum_welfare(game.setting) if gains else -1.0, abs=5e-4)


# -- bounded rationality in closed form ------------------------------------------------------------------------------


def gaussian_ends(game, w, level, mean):
    """Return E[y | x] at the starts of the tables, for movers whose terminal position may be any in [x, x + H].

    With the others' mean at m and a uniform prior, y is Gaussian of mean (2 A m + w_1 - d) / 2 (A - w_2) and variance
    1 / 2 lambda (A - w_2), truncated to [x, x + H]; w_1 and w_2 are those of raw powers.
    """
    half, starts, strength = game.half, game.subgame.starts, game.coordination_weight * (game.n - 1)
    first, second = w if game.basis == "raw" else ((w[0] - 2 * w[1]) / half, w[1] / half**2)
    bend = 2 * (strength - second)
    centre, spread = (2 * strength * mean + first - game.movement_cost) / bend, (level * bend) ** -0.5
    ends = truncnorm((starts - centre) / spread, (starts + half - centre) / spread, loc=centre, scale=spread)
    return ends.mean()


def agrees_with_the_gaussian(game, w, level, precision):
    found = solve(game.subgame, w, level, uniform_prior(game.subgame))
    expected = gaussian_ends(game, w, level, found.aggregates[0])
    ends = (found.policy[0] * game.subgame.ends).sum(-1)
    np.testing.assert_allclose(ends, expected, atol=precision * game.half)
    assert game.subgame.weights @ expected == pytest.approx(found.aggregates[0], abs=precision * game.half)


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("steepness", [3.0, 30.0, 300.0])
def test_bounded_movers_end_as_a_truncated_gaussian(setting, basis, steepness, rng):
    plain = Lanes(**setting, agent_objective="full", basis=basis)
    strength = plain.setting.strength
    w = strength * np.array([rng.uniform(-1, 1), rng.uniform(-1, 0.4)])
    w *= plain.half ** np.array([1, 0] if basis == "raw" else [2, 2])
    level = steepness / (strength * plain.half**2)
    for n_moves, precision in ((None, 3e-3), (401, 3e-3), (1601, 8e-4)):
        game = Lanes(**setting, agent_objective="full", basis=basis, n_moves=n_moves)
        agrees_with_the_gaussian(game, w, level, precision)


@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(2, 40),
    length=st.floats(0.3, 5),
    coordination_weight=st.floats(0.1, 5),
    movement_cost=st.floats(0, 1),
    pull=st.floats(-1, 1),
    bend=st.floats(-2, 0.5),
    steepness=st.floats(0.1, 300),
)
def test_so_do_those_of_any_setting(n, length, coordination_weight, movement_cost, pull, bend, steepness):
    game = Lanes(n, length, coordination_weight, movement_cost, agent_objective="full", basis="raw", n_moves=401)
    strength = game.setting.strength
    w = strength * np.array([pull * game.half, bend])
    agrees_with_the_gaussian(game, w, steepness / (strength * game.half**2), 3e-3)


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("reading", READINGS)
def test_no_other_policy_earns_more_than_its_divergence_costs(setting, reading, rng):
    game = Lanes(**setting, agent_objective=reading, n_moves=31)
    subgame, prior = game.subgame, uniform_prior(game.subgame)
    w, level = subgame.unit * some_parameters(game, rng), 5.0 / subgame.unit
    found = solve(subgame, w, level, prior)
    rewards = subgame.rewards(w, found.aggregates)

    def kept(policy):
        logs = np.log(np.maximum(policy, 1e-300))
        return float((subgame.occupancy(policy) * rewards).sum() - subgame.divergence(logs, prior) / level)

    best = kept(found.policy)
    closed = np.log((np.exp(prior[0]) * np.exp(level * (rewards[0] - rewards[0].max()))).sum(-1)) / level
    assert best == pytest.approx(float(subgame.initial_distribution() @ closed) + rewards[0].max(), rel=1e-9)
    for share in (1e-4, 1e-2, 0.3):
        other = (1 - share) * found.policy + share * some_table(subgame, rng)
        assert kept(other) < best


@pytest.mark.parametrize("reading", READINGS)
def test_free_movers_play_at_random_at_inverse_temperature_zero(reading):
    """Uniform play: ends of variance H^2 / 6, moves of H / 2 on average."""
    for n in SIZES:
        game = Lanes(n=n, agent_objective=reading, n_moves=None)
        expected = -n * (2 * game.setting.strength * game.half**2 / 6 + game.movement_cost * game.half / 2)
        assert equilibrium_objective(game, np.zeros(2), 0.0) == pytest.approx(expected, rel=2e-4)


def test_moves_of_any_length_have_no_anchor_in_tables(rng):
    game = Lanes(n_moves=None)
    anchor = TablePolicy(game, uniform_prior(game.subgame))
    for ask in (scores, equilibrium_objective, inverse_temperature_of_budget):
        with pytest.raises(UnsupportedGameError, match="set n_moves"):
            ask(game, np.zeros(2), 1.0, anchor)


# -- the rational limit ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("n_moves", [51, 101])
def test_rational_full_participants_meet_where_the_closed_form_says(n, n_moves):
    game = Lanes(n=n, agent_objective="full", n_moves=n_moves)
    step, at = game.half / (n_moves - 1), game.setting
    found = scores(game, np.zeros(2), math.inf)
    assert abs(found["threshold"] - equilibrium_threshold(at)) <= step
    rounding = n * at.strength * step**2 / 6  # ends are spread evenly over a step
    assert found["welfare"] == pytest.approx(meeting_welfare(at, equilibrium_threshold(at)) - rounding, rel=0.008)
    half_the_fare, charged = (
        np.array([game.movement_cost / 2 * game.half, 0.0]),
        optimal_transfer(at, 2, "full", "centred"),
    )
    for w in (half_the_fare, charged):
        found = scores(game, w, math.inf)
        assert abs(found["threshold"] - optimal_threshold(at)) <= step
        assert found["welfare"] == pytest.approx(private_optimum_welfare(at) - rounding, rel=0.003)


def test_the_rational_limit_of_any_setting():
    full = Lanes(agent_objective="full", **DRAWN)
    local = Lanes(agent_objective="local", **DRAWN)
    at, step = full.setting, full.half / 100
    cases = [(full, np.zeros(2)), (full, optimal_transfer(at, 2, "full", "centred"))]
    cases += [(local, optimal_transfer(at, 2, "local", "centred")), (local, np.zeros(2))]
    for game, w in cases:
        expected = induced_threshold(at, w, "centred", game.agent_objective)
        assert abs(scores(game, w, math.inf)["threshold"] - expected) <= step, (DRAWN, w)


@pytest.mark.parametrize("n_moves", [11, 101, 128, 201])
def test_rational_participants_have_one_equilibrium(n_moves):
    """Iteration from far above and far below ends within a fraction of a step: the grid of starts makes no others."""
    game = Lanes(n=20, agent_objective="full", n_moves=n_moves)
    prior, ends = uniform_prior(game.subgame), np.array([[0.5, 0.3], [1.5, 2.3]])
    for _ in range(100):
        ends = game.subgame.aggregates(np.exp(game.subgame.log_response(np.zeros(2), ends, 1e6, prior)))
    assert abs(ends[0, 0] - ends[1, 0]) <= 0.35 * game.half / (n_moves - 1)


UNITS = (1e-6, 1e-3, 0.1, 1e3)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("level", [3.0, 100.0, math.inf])
def test_the_unit_of_payoff_is_a_matter_of_taste(reading, level):
    """Payoffs times c, and the inverse temperature divided by it, are the same game; also for rational participants."""
    w, rule = np.array([-0.4, -2.0]), {"n": 4, "agent_objective": reading, "n_moves": 31}
    plain = Lanes(**rule, coordination_weight=1.0, movement_cost=0.1)
    expected = scores(plain, w, level)
    for c in UNITS:
        game = Lanes(**rule, coordination_weight=c, movement_cost=0.1 * c)
        prior = uniform_prior(game.subgame)
        found = solve(game.subgame, c * w, level / c, prior)
        same = solve(plain.subgame, w, level, prior)
        np.testing.assert_allclose(found.policy, same.policy, atol=1e-5 if level == math.inf else 1e-8)
        report = scores(game, c * w, level / c)
        for name in ("welfare", "regret", "expected_budget", "ir_violation"):
            assert report[name] / c == pytest.approx(expected[name], rel=1e-6, abs=1e-6), (name, c)


def test_a_budget_is_spent_alike_in_any_unit():
    w, most = np.array([-0.4, -2.0]), scores(Lanes(n_moves=31), np.array([-0.4, -2.0]), math.inf)["kl"]
    for c in UNITS:
        game = Lanes(coordination_weight=c, movement_cost=0.1 * c, n_moves=31)
        for budget in (1e-4, 0.5 * most):
            level = inverse_temperature_of_budget(game, c * w, budget)
            assert level * c == pytest.approx(inverse_temperature_of_budget(Lanes(n_moves=31), w, budget), rel=1e-6)
        assert inverse_temperature_of_budget(game, c * w, 1.01 * most) == math.inf


@pytest.mark.parametrize("level", [1.0, 30.0, math.inf])
def test_the_unit_of_money_is_a_matter_of_taste_in_several_rounds(level):
    rule = {"agent_objective": "full", "rounds": 3}
    plain = make_game("divisible_good", **rule)
    w = 0.3 * np.asarray(plain.action_space("mechanism").high, float)
    expected = solve(plain.subgame, w, level, uniform_prior(plain.subgame)).policy
    for c in UNITS:
        costs = {name: c * getattr(plain, name) for name in ("value", "waiting_cost", "supply_cost")}
        game = make_game("divisible_good", **rule, **costs)
        found = solve(game.subgame, c * w, level / c, uniform_prior(game.subgame)).policy
        np.testing.assert_allclose(found, expected, atol=1e-5 if level == math.inf else 1e-8)


# -- what payments can and cannot do --------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("reading", READINGS)
def test_payments_on_starts_change_nothing(reading, setting, rng):
    game = Lanes(**setting, agent_objective=reading, payment_on="x0", box=50.0, n_moves=41)
    prior = uniform_prior(game.subgame)
    free = solve(game.subgame, np.zeros(2), 60.0, prior)
    for _ in range(3):
        w = some_parameters(game, rng)
        paid = solve(game.subgame, w, 60.0, prior)
        np.testing.assert_allclose(paid.policy, free.policy, atol=1e-9)
        assert equilibrium_objective(game, w, 60.0) == pytest.approx(
            equilibrium_objective(game, np.zeros(2), 60.0), rel=1e-8
        )


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("payment_on", ["xT", "u"])
def test_nothing_helps_the_blind(payment_on, setting, rng):
    game = Lanes(**setting, agent_objective="blind", payment_on=payment_on, n_moves=41, degree=3)
    staying = -game.welfare_scale
    for level in (0.0, 3.0, 100.0, math.inf):
        for _ in range(6):
            assert equilibrium_objective(game, some_parameters(game, rng), level) <= staying * (1 - 1e-9)
    if game.movement_cost / game.setting.strength > game.half / 40:  # or it is not worth being a step behind the others
        assert equilibrium_objective(game, np.zeros(3), math.inf) == pytest.approx(staying, rel=1e-9)


def test_a_constant_changes_neither_policies_nor_welfare():
    w = np.array([-0.8, -3.0])
    poor, rich = (scores(Lanes(agent_objective="full", constant=c), w, 30.0) for c in (0.0, 2.0))
    assert rich["welfare"] == pytest.approx(poor["welfare"], abs=1e-9)
    assert rich["expected_budget"] - poor["expected_budget"] == pytest.approx(2.0 * 5)
    assert rich["ir_violation"] == pytest.approx(max(0.0, poor["ir_violation"] - 2.0), abs=1e-9)


# -- inverse temperature and budget ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "game", [Lanes(), Lanes(n=3, agent_objective="full", n_moves=31), make_game("divisible_good")], ids=str
)
def test_inverse_temperature_and_budget_are_two_ways_to_say_the_same(game, rng):
    w, prior = 0.3 * some_parameters(game, rng), uniform_prior(game.subgame)

    def divergence(level):
        return float(game.subgame.divergence(solve(game.subgame, w, level, prior).log_policy, prior))

    for level in (0.02, 1.0, 50.0):
        assert inverse_temperature_of_budget(game, w, divergence(level)) == pytest.approx(level, rel=1e-5)
    most = divergence(1e5)
    for share in (0.01, 0.5, 0.9):
        assert divergence(inverse_temperature_of_budget(game, w, share * most)) == pytest.approx(share * most, rel=1e-9)
    assert inverse_temperature_of_budget(game, w, 0) == 0.0
    assert inverse_temperature_of_budget(game, w, math.inf) == math.inf
    assert inverse_temperature_of_budget(game, w, 3 * math.log(game.subgame.shape[2])) == math.inf
    spent = [divergence(level) for level in (0.1, 1.0, 10.0, 100.0)]
    assert spent == sorted(spent)


@pytest.mark.parametrize("budget", [-0.1, math.nan])
def test_a_bad_budget_is_named(budget):
    with pytest.raises(ParameterError, match="kl_budget"):
        inverse_temperature_of_budget(Lanes(), np.zeros(2), budget)


# -- anchors --------------------------------------------------------------------------------------------------------


def test_who_is_bound_to_an_anchor_stays_there(rng):
    game = Lanes(n=3, agent_objective="full", n_moves=21)
    first = np.array([-0.5, -2.0])
    anchor = TablePolicy(game, solve(game.subgame, first, 100.0, uniform_prior(game.subgame)).log_policy)
    prior = prior_table(game, anchor, np.zeros(2))
    assert np.exp(prior).min() >= 0.9e-4  # floored
    np.testing.assert_allclose(np.exp(prior), np.exp(anchor.log_policy), atol=3e-3)
    np.testing.assert_allclose(solve(game.subgame, np.zeros(2), 0.0, prior).policy, np.exp(prior), rtol=1e-12)
    bound, free = (equilibrium_objective(game, np.zeros(2), 5.0, who) for who in (anchor, None))
    assert bound > free + 0.1
    assert scores(game, np.zeros(2), 0.0, anchor)["kl"] == pytest.approx(0, abs=1e-12)
    ahead = equilibrium_objective(game, np.zeros(2), math.inf, anchor)
    assert ahead == pytest.approx(equilibrium_objective(game, np.zeros(2), math.inf), rel=0.02)


def test_a_mechanism_is_scored_by_what_it_announces():
    game, w = Lanes(n=3), np.array([-0.5, -2.0])
    announced = exact_scores(game, Announcement(w[None, None]), inverse_temperature=30.0)
    assert (
        announced == scores(game, w, 30.0) == game.exact_scores(Announcement(w[None, None]), inverse_temperature=30.0)
    )
    assert announced["welfare"] == equilibrium_objective(game, w, 30.0)


# -- tables and rules -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize(("reading", "payment_on"), [("local", "xT"), ("full", "u"), ("blind", "xT")])
def test_played_games_agree_with_the_tables(reading, payment_on, basis):
    """Starts are continuous in play, and on a grid in the tables."""
    game = Lanes(n=3, agent_objective=reading, payment_on=payment_on, basis=basis, n_moves=26, constant=0.1)
    w = np.array([0.2, -1.5])
    found = solve(game.subgame, w, 30.0, uniform_prior(game.subgame))
    participants, rng, chunk = TablePolicy(game, found.log_policy), np.random.default_rng(7), 20_000
    welfare, paid, payoffs, ahead = [], [], [], []
    for _ in range(10):
        state = game.initial_state(chunk, rng)
        state, *_ = game.step(state, np.broadcast_to(w, (chunk, 1, 2)), {})
        seen = game.observe(state, "participant")
        state, rewards, *_ = game.step(state, participants.act(seen, None, None, rng)[0], {})
        welfare.append(rewards["mechanism"][:, 0])
        paid.append(game.deficit(state))
        payoffs.append(rewards["participant"].sum(-1))
        from_zero = np.concatenate([np.zeros((chunk, 1, seen.shape[-1] - 2)), seen[:, :1, -2:]], axis=-1)
        moves = participants.act(from_zero, None, None, rng)[0]
        ahead.append(game.announcements(moves)[:, 0])
    report = scores(game, w, 30.0)
    reckoned = game.subgame.rewards(w, found.aggregates)
    expected = {
        "welfare": (welfare, report["welfare"]),
        "budget": (paid, report["expected_budget"]),
        "payoffs": (payoffs, game.n * float((game.subgame.occupancy(found.policy) * reckoned).sum())),
        "threshold": (ahead, report["threshold"]),
    }
    for name, (measured, exact) in expected.items():
        numbers = np.concatenate(measured)
        assert abs(numbers.mean() - exact) <= 4 * numbers.std() / numbers.size**0.5, name


# -- incentives -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("reading", ["full", "local"])
@pytest.mark.parametrize("n", [3, 20])
def test_participation_and_budget_of_near_rational_participants(n, reading, basis):
    game = Lanes(n=n, agent_objective=reading, basis=basis, n_moves=201)
    at, step = game.setting, game.half / 200
    for w in (optimal_transfer(at, 2, reading, basis), np.array([0.0, -1.0 if reading == "local" else 0.0])):
        a = induced_threshold(at, w, basis, reading)
        report = incentives(game, w, solve(game.subgame, w, math.inf, uniform_prior(game.subgame)).policy)
        bend = at.strength + np.abs(w).max() * 8  # what a step off the threshold may cost, to first and second order
        assert report["expected_budget"] == pytest.approx(n * expected_payment(at, w, basis, a), abs=n * bend * step)
        assert report["ir_violation"] == pytest.approx(
            max(0.0, participation_constant(at, w, basis, a)), abs=bend * step
        )
        happy = Lanes(**{**vars_of(game), "constant": participation_constant(at, w, basis, a) + bend * step})
        assert incentives(happy, w, rational(happy, w))["ir_violation"] == 0.0
        even = Lanes(**{**vars_of(game), "constant": budget_constant(at, w, basis, a)})
        assert abs(incentives(even, w, rational(even, w))["expected_budget"]) <= n * bend * step


def vars_of(game):
    return {name: getattr(game, name) for name in ("n", "agent_objective", "basis", "n_moves")}


def rational(game, w):
    return solve(game.subgame, w, math.inf, uniform_prior(game.subgame)).policy


@pytest.mark.parametrize("reading", READINGS)
def test_regret_is_what_bounded_rationality_costs(reading, rng):
    game = Lanes(n=4, agent_objective=reading, n_moves=51)
    w, prior = np.array([-0.7, -2.0]), uniform_prior(game.subgame)
    before = math.inf
    for level in (1.0, 10.0, 100.0, math.inf):
        found = solve(game.subgame, w, level, prior)
        report = incentives(game, w, found.policy)
        assert 0 <= report["misreport_regret"] <= report["regret"] + 1e-12
        assert report["regret"] <= float(game.subgame.divergence(found.log_policy, prior)) / min(level, 1e6) + math.log(
            51
        ) / min(level, 1e6)
        assert report["regret"] < before
        before = report["regret"]
    assert report["regret"] <= 1e-5 and report["misreport_regret"] <= 1e-5


def test_who_plays_at_random_gains_by_pretending(rng):
    game = Lanes(n=3)
    report = incentives(game, np.array([-0.7, -2.0]), some_table(game.subgame, rng))
    assert report["misreport_regret"] > 0.01
