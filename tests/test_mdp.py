"""The solvers of Markov decision processes against linear programs, enumeration, softmaxes and finite differences."""

import itertools

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from lawgiver.envs.core.errors import ConvergenceError, ParameterError
from lawgiver.envs.solvers.equilibrium.prior import ILLEGAL
from lawgiver.envs.solvers.mdp import Discounted, FiniteHorizon, Tree, linear_program
from lawgiver.envs.solvers.mdp import discounted as discounted_module
from lawgiver.envs.solvers.mdp.linear_program import flow_constraints

S, A = 5, 3
REGULARISERS = ("policy", "occupancy")


def make(kind, form, seed=0, states=S, actions=A):
    rng = np.random.default_rng(seed)
    if form == "successors":
        transitions = rng.integers(0, states, (states, actions))
    else:
        transitions = rng.dirichlet(np.full(states, 0.4), (states, actions))
        if form == "sparse":
            transitions = scipy.sparse.csr_array(transitions.reshape(-1, states))
    start = rng.dirichlet(np.ones(states))
    return {
        "tree": lambda: Tree(3, actions),
        "discounted": lambda: Discounted(transitions, 0.9, start),
        "horizon": lambda: FiniteHorizon(transitions, 4, start),
    }[kind]()


PROCESSES = [("tree", "none")] + [
    (kind, form) for kind in ("discounted", "horizon") for form in ("dense", "successors", "sparse")
]


@pytest.fixture(params=PROCESSES, ids="-".join)
def mdp(request):
    return make(*request.param)


@pytest.fixture
def rewards(mdp):
    drawn = np.random.default_rng(1).normal(size=(2, 3, mdp.n_states, mdp.n_actions))
    drawn[0, :, 1, 0] = ILLEGAL
    return drawn


def entropy(x):
    return -np.where(x > 0, x * np.log(np.where(x > 0, x, 1)), 0)


def states_reached(mdp, policy):
    """Return the expected number of visits to each state, with time where policies depend on it."""
    if isinstance(mdp, FiniteHorizon):
        return mdp._timed(policy).sum(-1)
    return mdp.occupancy(policy).sum(-1)


# -- hard problems -----------------------------------------------------------------------------------------------


def test_optimal_is_what_the_linear_program_finds(mdp, rewards):
    value, policy = mdp.optimal(rewards)
    assert value.shape == (2, 3) and policy.shape == (2, 3, *mdp.policy_shape)
    assert np.array_equal(mdp.value(rewards), value)
    for at in itertools.product(range(2), range(3)):
        found, occupancy = linear_program(mdp, rewards[at])
        assert value[at] == pytest.approx(found, abs=1e-6)
        assert np.sum(occupancy * rewards[at]) == pytest.approx(found, abs=1e-6)


def test_optimal_policy_is_deterministic_legal_and_earns_the_value(mdp, rewards):
    value, policy = mdp.optimal(rewards)
    assert set(np.unique(policy)) == {0, 1} and np.all(policy.sum(-1) == 1)
    occupancy = mdp.occupancy(policy)
    assert np.sum(occupancy * rewards, axis=(-2, -1)) == pytest.approx(value, abs=1e-12)
    assert np.all(occupancy[0, :, 1, 0] == 0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(PROCESSES), st.integers(1, 7), st.integers(2, 4), st.booleans())
def test_random_processes_agree_with_the_linear_program(seed, process, states, actions, ties):
    mdp = make(*process, seed, states, actions)
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(mdp.n_states, mdp.n_actions))
    drawn = np.round(drawn) if ties else drawn
    value, policy = mdp.optimal(drawn)
    assert value == pytest.approx(linear_program(mdp, drawn)[0], abs=1e-6)
    assert np.sum(mdp.occupancy(policy) * drawn) == pytest.approx(value, abs=1e-11)
    assert np.array_equal(policy.sum(-1), np.ones(mdp.policy_shape[:-1]))


@pytest.mark.parametrize("process", PROCESSES, ids="-".join)
def test_no_deterministic_policy_is_better_on_tiny_processes(process):
    mdp = Tree(2, 2) if process[0] == "tree" else make(*process, states=2, actions=2)
    rewards = np.random.default_rng(3).normal(size=(mdp.n_states, mdp.n_actions))
    places = int(np.prod(mdp.policy_shape[:-1]))
    plans = np.array(list(itertools.product(range(2), repeat=places)))
    policies = np.eye(2)[plans].reshape(-1, *mdp.policy_shape)
    returns = np.sum(mdp.occupancy(policies) * rewards, axis=(-2, -1))
    value, policy = mdp.optimal(rewards)
    assert returns.max() == pytest.approx(float(value), abs=1e-12)
    assert np.sum(mdp.occupancy(policy) * rewards) == pytest.approx(returns.max(), abs=1e-12)


@pytest.mark.parametrize("form", ["dense", "successors", "sparse"])
def test_values_are_exact_near_one(form):
    mdp = make("discounted", form)
    patient = Discounted(mdp.transitions.sparse(), 0.999, mdp.start)
    rewards = np.random.default_rng(0).uniform(size=(S, A))
    value, policy = patient.optimal(rewards)
    chain = np.einsum("sa,sat->st", policy, patient.transitions.table.toarray().reshape(S, A, S))
    exact = mdp.start @ np.linalg.solve(np.eye(S) - 0.999 * chain, (policy * rewards).sum(-1))
    assert value == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("discount", [0.99, 0.999, 0.9999, 0.99999])
def test_nothing_is_lost_near_one_between_actions_that_are_nearly_alike(discount):
    rng = np.random.default_rng(0)
    policies = np.eye(3)[np.array(list(itertools.product(range(3), repeat=5)))]
    for closeness in (1.0, 1e-3, 1e-6, 1e-9):
        transitions = rng.dirichlet(np.full(5, 0.3), (5, 3))
        mdp = Discounted(transitions, discount)
        rewards = 1 + closeness * rng.random((5, 3))
        best = np.sum(mdp.occupancy(policies) * rewards, axis=(-2, -1)).max()
        value, policy = mdp.optimal(rewards)
        rounding = 1e-15 * best / (1 - discount)  # of the equations themselves
        assert best - value <= rounding and abs(np.sum(mdp.occupancy(policy) * rewards) - value) <= rounding
        single = rewards.astype(np.float32)
        value, policy = mdp.optimal(torch.tensor(single))
        best = np.sum(mdp.occupancy(policies) * single, axis=(-2, -1)).max()
        assert best - np.sum(mdp.occupancy(policy.double().numpy()) * single) <= rounding
        assert float(value) == pytest.approx(best, rel=1e-7)


def test_policy_iteration_ends_where_rounding_favours_one_action_after_the_other():
    """Two ways round a torus are worth the same but for rounding, which the values multiply by 1e6."""
    cells = np.arange(16).reshape(4, 4)
    moves = np.stack([np.roll(cells, shift, axis) for axis in (0, 1) for shift in (1, -1)], -1).reshape(16, 4)
    worth = np.random.default_rng(0).random((50, 16))
    to_and_fro = (worth[:, :, None] + worth[:, moves]).max((-2, -1)) / 2  # the best that can be had for ever
    for table in (moves, np.eye(16)[moves]):
        value, _ = Discounted(table, 0.999999).optimal(np.repeat(worth[..., None], 4, axis=-1))
        assert value == pytest.approx(to_and_fro * 1e6, rel=1e-4)


def test_a_discount_of_zero_takes_the_first_reward():
    rewards = np.array([[1.0, 3.0], [7.0, 5.0]])
    value, policy = Discounted([[0, 1], [1, 0]], 0.0, 1).optimal(rewards)
    assert value == 7 and policy.tolist() == [[0, 1], [1, 0]]


def test_rewards_may_be_whole_numbers_or_lists():
    for mdp in (Tree(2, 2), Discounted([[0, 1], [1, 2], [2, 0]], 0.5), FiniteHorizon([[0, 1], [1, 2], [2, 0]], 3)):
        whole = np.array([[1, 2], [0, 3], [1, 1]])
        assert mdp.optimal(whole)[0] == mdp.optimal(whole.tolist())[0] == mdp.optimal(whole.astype(float))[0]
        assert mdp.value(torch.tensor(whole)) == mdp.value(whole.tolist())
        assert mdp.soft(whole, 0.5)[0] == mdp.soft(whole.astype(float), 0.5)[0]
        with pytest.raises(ParameterError, match="rewards are no table of numbers"):
            mdp.value([[1, 2], [3]])


def test_ties_go_to_the_first_action(mdp):
    _, policy = mdp.optimal(np.zeros((mdp.n_states, mdp.n_actions)))
    assert np.all(policy[..., 0] == 1)


# -- occupancies -------------------------------------------------------------------------------------------------


def test_occupancies_satisfy_the_flow_constraints(mdp):
    policy = np.random.default_rng(2).dirichlet(np.ones(mdp.n_actions), (4, *mdp.policy_shape[:-1]))
    occupancy = mdp.occupancy(policy)
    mass = {"Tree": 3, "Discounted": 10, "FiniteHorizon": 4}[type(mdp).__name__]
    assert occupancy.shape == (4, mdp.n_states, mdp.n_actions)
    assert occupancy.sum((-2, -1)) == pytest.approx(mass, abs=1e-10)
    timed = mdp._timed(policy) if isinstance(mdp, FiniteHorizon) else occupancy
    flow, start = flow_constraints(mdp)
    assert flow @ timed.reshape(4, -1).T == pytest.approx(np.tile(start[:, None], 4), abs=1e-12)


def test_occupancies_are_frequencies_of_play():
    rng = np.random.default_rng(5)
    mdp = make("horizon", "dense")
    policy = rng.dirichlet(np.ones(A), (4, S))
    games, counts = 40000, np.zeros((S, A))
    state = (rng.random((games, 1)) > np.cumsum(mdp.start)[:-1]).sum(-1)
    for t in range(4):
        action = (rng.random((games, 1)) > np.cumsum(policy[t], -1)[state][:, :-1]).sum(-1)
        np.add.at(counts, (state, action), 1 / games)
        state = (rng.random((games, 1)) > np.cumsum(mdp.transitions.table[state, action], -1)[:, :-1]).sum(-1)
    assert mdp.occupancy(policy) == pytest.approx(counts, abs=4 * 0.5 * 4 / np.sqrt(games))


def test_tree_paths_and_their_probabilities():
    tree = Tree(3, 2)
    assert tree.n_states == 7
    assert tree.paths[0].tolist() == [0, 2, 6] and tree.paths[5].tolist() == [1, 4, 11]
    policy = np.random.default_rng(0).dirichlet(np.ones(2), (3, 7))
    expected = policy.reshape(3, -1)[:, tree.paths].prod(-1)
    assert tree.path_probabilities(policy) == pytest.approx(expected, abs=1e-15)
    through = np.zeros((3, 14))
    for path, chance in zip(tree.paths, expected.T, strict=True):
        through[:, path] += chance[:, None]
    assert tree.occupancy(policy).reshape(3, -1) == pytest.approx(through, abs=1e-15)


def test_large_deterministic_processes_need_no_dense_equations():
    states = 2000
    successors = np.random.default_rng(0).integers(0, states, (states, 3))
    rewards = np.random.default_rng(1).uniform(size=(2, states, 3))
    mdp = Discounted(successors, 0.95, 0, memory=8)
    value, policy = mdp.optimal(rewards)
    assert np.sum(mdp.occupancy(policy) * rewards, axis=(-2, -1)) == pytest.approx(value, rel=1e-12)
    assert mdp.optimal(torch.tensor(rewards))[0].numpy() == pytest.approx(value, rel=1e-12)
    sparse, _ = Discounted(mdp.transitions.sparse(), 0.95, 0).optimal(rewards)
    assert sparse == pytest.approx(value, rel=1e-12)
    with pytest.raises(ParameterError, match=r"solving one problem of 2,000 states .* 61 MiB, memory allows 8: use"):
        mdp.occupancy(torch.tensor(policy))


# -- soft problems -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [2.0, 0.3, 0.02])
def test_policy_entropy_on_a_tree_is_one_softmax_over_paths(temperature):
    tree = Tree(3, 3)
    rewards = np.random.default_rng(0).normal(size=(4, 13, 3))
    returns = rewards.reshape(4, -1)[:, tree.paths].sum(-1)
    value, policy = tree.soft(rewards, temperature)
    weights = np.exp((returns - returns.max(1, keepdims=True)) / temperature)
    assert tree.path_probabilities(policy) == pytest.approx(weights / weights.sum(1, keepdims=True), abs=1e-12)
    exact = returns.max(1) + temperature * np.log(weights.sum(1))
    assert value == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("temperature", [1.0, 0.3])
@pytest.mark.parametrize("kind", ["tree", "discounted", "horizon"])
def test_occupancy_entropy_is_the_program_solved_numerically(kind, temperature):
    form = "none" if kind == "tree" else "dense"
    mdp = Tree(2, 3) if kind == "tree" else make(kind, form, states=3, actions=2)
    rewards = np.random.default_rng(4).uniform(size=(mdp.n_states, mdp.n_actions))
    flow, start = flow_constraints(mdp)
    flow = flow.toarray()
    r = np.tile(rewards.ravel(), flow.shape[1] // rewards.size)
    uniform = np.full(mdp.policy_shape, 1 / mdp.n_actions)
    first = mdp._timed(uniform) if kind == "horizon" else mdp.occupancy(uniform)
    found = minimize(
        lambda x: temperature * np.sum(x * np.log(x)) - r @ x,
        first.ravel(),
        jac=lambda x: temperature * (np.log(x) + 1) - r,
        hess=lambda x: np.diag(temperature / x),
        constraints=scipy.optimize.LinearConstraint(flow, start, start),
        bounds=[(1e-12, None)] * r.size,
        method="trust-constr",
        options={"gtol": 1e-12, "xtol": 1e-14, "barrier_tol": 1e-14, "maxiter": 5000},
    )
    value, policy = mdp.soft(rewards, temperature, "occupancy")
    best = mdp._timed(policy) if kind == "horizon" else mdp.occupancy(policy)
    assert best.ravel() == pytest.approx(found.x, abs=1e-6)
    assert value == pytest.approx(-found.fun, abs=1e-8)
    assert value == pytest.approx(r @ best.ravel() + temperature * entropy(best).sum(), abs=1e-12)


@pytest.mark.parametrize("regulariser", REGULARISERS)
@pytest.mark.parametrize("temperature", [1.0, 0.05])
def test_soft_value_is_what_its_policy_earns_with_entropy(mdp, rewards, temperature, regulariser):
    value, policy = mdp.soft(rewards, temperature, regulariser)
    assert value.shape == (2, 3) and policy.shape == (2, 3, *mdp.policy_shape)
    assert policy.sum(-1) == pytest.approx(1, abs=1e-12)
    occupancy = mdp.occupancy(policy)
    if regulariser == "policy":
        gained = (states_reached(mdp, policy) * entropy(policy).sum(-1)).reshape(2, 3, -1).sum(-1)
    else:
        timed = mdp._timed(policy) if isinstance(mdp, FiniteHorizon) else occupancy
        gained = entropy(timed).reshape(2, 3, -1).sum(-1)
    earned = np.sum(occupancy * rewards, axis=(-2, -1))
    assert value == pytest.approx(earned + temperature * gained, abs=1e-11)
    assert np.all(occupancy[0, :, 1, 0] == 0)


@pytest.mark.parametrize("regulariser", REGULARISERS)
def test_no_other_policy_earns_more_with_entropy(mdp, regulariser):
    rewards = np.random.default_rng(6).normal(size=(mdp.n_states, mdp.n_actions))
    value, policy = mdp.soft(rewards, 0.5, regulariser)
    rng = np.random.default_rng(7)
    for size in (1e-3, 0.1, 1.0):
        other = policy * np.exp(size * rng.normal(size=(50, *policy.shape)))
        other /= other.sum(-1, keepdims=True)
        if regulariser == "policy":
            gained = (states_reached(mdp, other) * entropy(other).sum(-1)).reshape(50, -1).sum(-1)
        else:
            timed = mdp._timed(other) if isinstance(mdp, FiniteHorizon) else mdp.occupancy(other)
            gained = entropy(timed).reshape(50, -1).sum(-1)
        assert np.all(np.sum(mdp.occupancy(other) * rewards, axis=(-2, -1)) + 0.5 * gained <= value + 1e-12)


@pytest.mark.parametrize("discount", [0.99, 0.999])
@pytest.mark.parametrize("form", ["dense", "successors"])
def test_occupancy_entropy_near_one_at_low_temperatures(form, discount):
    for seed, temperature in itertools.product(range(6), (1e-2, 1e-3, 2e-4)):
        mdp = Discounted(make("discounted", form, seed).transitions.sparse().toarray().reshape(S, A, S), discount)
        rng = np.random.default_rng(seed)
        rewards = rng.normal(size=(S, A)) * 10.0 ** rng.integers(-1, 2)
        value, policy = mdp.soft(rewards, temperature, "occupancy")
        noisy = policy * np.exp(0.1 * rng.normal(size=(20, S, A)))
        earned = []
        for other in (policy, noisy / noisy.sum(-1, keepdims=True)):
            occupancy = mdp.occupancy(other)
            earned.append(np.sum(occupancy * rewards + temperature * entropy(occupancy), axis=(-2, -1)))
        assert value == pytest.approx(earned[0], rel=1e-10, abs=1e-10)
        assert np.all(earned[1] <= value + 1e-10 * abs(value))


@pytest.mark.parametrize("regulariser", REGULARISERS)
def test_soft_problems_become_hard_ones_as_the_temperature_falls(mdp, rewards, regulariser):
    value, _ = mdp.optimal(rewards)
    for temperature in (1e-2, 1e-3, 1e-4):
        soft, policy = mdp.soft(rewards, temperature, regulariser)
        assert soft == pytest.approx(value, abs=60 * temperature)
        assert np.sum(mdp.occupancy(policy) * rewards, axis=(-2, -1)) == pytest.approx(value, abs=60 * temperature)


def test_occupancy_entropy_with_states_that_are_never_reached():
    circle = (np.arange(6)[:, None] + [1, 2]) % 4  # from 0, states 4 and 5 are out of reach
    rewards = np.random.default_rng(0).uniform(size=(6, 2))
    rewards[2, 1] = ILLEGAL
    for temperature in (1.0, 0.01, 1e-3):
        value, policy = Discounted(circle, 0.9, 0).soft(rewards, temperature, "occupancy")
        alone, inside = Discounted(circle[:4], 0.9, 0).soft(rewards[:4], temperature, "occupancy")
        assert value == pytest.approx(float(alone), abs=1e-11)
        assert policy[:4] == pytest.approx(inside, abs=1e-8)
        assert policy.sum(-1) == pytest.approx(1) and np.isfinite(policy).all()


# -- torch -------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[p for p in PROCESSES if p[1] != "sparse"], ids="-".join)
def differentiable(request):
    return make(*request.param)


def test_torch_computes_the_same(differentiable):
    mdp = differentiable
    rewards = np.random.default_rng(1).normal(size=(100, 2, mdp.n_states, mdp.n_actions))
    rewards[1:5, 0, 1, 1] = ILLEGAL
    given_ = torch.tensor(rewards)
    results = [(mdp.optimal(rewards), mdp.optimal(given_))]
    results += [(mdp.soft(rewards, t, r), mdp.soft(given_, t, r)) for t in (1.0, 0.1) for r in REGULARISERS]
    for (value, policy), (value_, policy_) in results:
        assert isinstance(value_, torch.Tensor) and isinstance(policy_, torch.Tensor)
        assert value_.numpy() == pytest.approx(value, abs=1e-10)
        assert policy_.numpy() == pytest.approx(policy, abs=1e-10)
        assert mdp.occupancy(policy_).numpy() == pytest.approx(mdp.occupancy(policy), abs=1e-10)


@pytest.mark.parametrize("regulariser", REGULARISERS)
def test_float32_stays_float32(differentiable, regulariser):
    rewards = np.random.default_rng(1).normal(size=(4, differentiable.n_states, differentiable.n_actions))
    for got, exact in (
        (differentiable.optimal(torch.tensor(rewards, dtype=torch.float32)), differentiable.optimal(rewards)),
        (
            differentiable.soft(torch.tensor(rewards, dtype=torch.float32), 0.3, regulariser),
            differentiable.soft(rewards, 0.3, regulariser),
        ),
    ):
        for one, other in zip(got, exact, strict=True):
            assert one.dtype == torch.float32
            assert one.numpy() == pytest.approx(other, abs=1e-4)


def test_gradients_of_values_are_occupancies(differentiable):
    mdp = differentiable
    rewards = torch.tensor(np.random.default_rng(1).normal(size=(3, mdp.n_states, mdp.n_actions)), requires_grad=True)
    value, policy = mdp.optimal(rewards)
    assert not policy.requires_grad
    assert torch.allclose(torch.autograd.grad(value.sum(), rewards)[0], mdp.occupancy(policy), rtol=0, atol=1e-12)
    assert torch.autograd.grad(mdp.value(rewards).sum(), rewards)[0].shape == rewards.shape
    for regulariser in REGULARISERS:
        value, policy = mdp.soft(rewards, 0.3, regulariser)
        gradient = torch.autograd.grad(value.sum(), rewards)[0]
        assert torch.allclose(gradient, mdp.occupancy(policy.detach()), rtol=0, atol=1e-10)


def test_gradients_at_ties_are_the_occupancy_of_the_policy(differentiable):
    rewards = torch.zeros(differentiable.n_states, differentiable.n_actions, dtype=torch.float64, requires_grad=True)
    value, policy = differentiable.optimal(rewards)
    assert torch.allclose(torch.autograd.grad(value, rewards)[0], differentiable.occupancy(policy), atol=1e-12)


@pytest.mark.parametrize("regulariser", REGULARISERS)
@pytest.mark.parametrize("temperature", [1.0, 0.2])
def test_gradients_of_values_and_policies_agree_with_finite_differences(differentiable, regulariser, temperature):
    mdp = differentiable
    rng = np.random.default_rng(8)
    rewards = rng.normal(size=(mdp.n_states, mdp.n_actions))
    weights = rng.normal(size=mdp.policy_shape)
    other = rng.normal(size=rewards.shape)

    def outcome(r, backend):
        value, policy = mdp.soft(r, temperature, regulariser)
        of_policy = (backend(weights) * policy).sum() + (backend(other) * mdp.occupancy(policy)).sum()
        return value + of_policy

    leaf = torch.tensor(rewards, requires_grad=True)
    outcome(leaf, torch.tensor).backward()
    step = 1e-5
    for _ in range(6):
        way = rng.normal(size=rewards.shape)
        rise = outcome(rewards + step * way, np.array) - outcome(rewards - step * way, np.array)
        assert float((leaf.grad.numpy() * way).sum()) == pytest.approx(rise / (2 * step), rel=1e-6, abs=1e-7)


def test_sparse_transitions_are_for_numpy():
    with pytest.raises(ParameterError, match="NumPy only: give dense ones or successors"):
        make("discounted", "sparse").optimal(torch.zeros(S, A))


# -- bad input ---------------------------------------------------------------------------------------------------

EVEN = np.full((2, 2, 2), 0.5)


def broken(place, value):
    table = EVEN.copy()
    table[place] = value
    return table


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (lambda: Discounted(broken((1, 0), [0.5, 0.4]), 0.9), r"state 1, action 0 sum to 0.9, allowed: 1"),
        (lambda: Discounted(broken((0, 1), [1.5, -0.5]), 0.9), r"state 0, action 1 is -0.5, allowed"),
        (lambda: Discounted(broken((0, 1, 1), np.nan), 0.9), r"state 0, action 1 is nan"),
        (lambda: Discounted(scipy.sparse.csr_array(np.eye(4, 2)), 0.9), r"state 1, action 0 sum to 0, allowed: 1"),
        (lambda: Discounted(scipy.sparse.csr_array(np.ones((3, 2))), 0.9), r"shape \(3, 2\), allowed: \(S \* A, S\)"),
        (lambda: Discounted([[0, 1], [2, 0]], 0.9), r"successor of state 1 by action 0 is 2, allowed: 0..1"),
        (lambda: Discounted([[0, 1], [-1, 0]], 0.9), r"successor of state 1 by action 0 is -1"),
        (lambda: Discounted([[0, 1], [0]], 0.9), "no table of numbers"),
        (lambda: Discounted("circle", 0.9), "no table of numbers"),
        (lambda: Discounted([[0.5, 1], [1, 0]], 0.9), "successors are no integers"),
        (lambda: Discounted(np.ones((2, 2, 3)), 0.9), r"shape \(2, 2, 3\), allowed: \(S, A, S\)"),
        (lambda: Discounted(np.zeros((0, 2), int), 0.9), r"shape \(0, 2\), allowed: \(S, A\)"),
        (lambda: Discounted(EVEN, 1.0), r"discount is 1.0, allowed: a number in \[0, 1\), or a horizon"),
        (lambda: Discounted(EVEN, -0.1), r"discount is -0.1, allowed: a number in \[0, 1\)"),
        (lambda: Discounted(EVEN, np.nan), "discount is nan"),
        (lambda: Discounted(EVEN, 0.9, 2), r"start is 2, allowed: a state in 0..1"),
        (lambda: Discounted(EVEN, 0.9, [1.0]), r"start has the shape \(1,\), allowed: a state's number, or \(2,\)"),
        (lambda: Discounted(EVEN, 0.9, "first"), r"start is 'first', allowed: the number of a state, or \w+ \(2,\)"),
        (lambda: Discounted(EVEN, 0.9, 0.0), r"start is 0.0, allowed: the number of a state"),
        (lambda: Discounted(EVEN, 0.9, [0.5, 0.6]), "start sums to 1.1, allowed: 1"),
        (lambda: Discounted(EVEN, 0.9, [1.5, -0.5]), "start has -0.5 for state 1"),
        (lambda: FiniteHorizon(EVEN, 0), "horizon is 0, allowed: an integer >= 1"),
        (lambda: Tree(0, 2), "depth is 0"),
        (lambda: Tree(2, 1), "n_actions is 1"),
        (lambda: Tree(12, 6), r"tree of depth 12 .*435,356,467 histories\) needs 59,.* MiB, memory allows 1024: take"),
        (lambda: Tree(20_000, 3), r"depth 20,000 with 3 actions has more than 1e9542 paths, no memory .* take fewer"),
        (lambda: Discounted(np.zeros((200, 50, 200)), 0.9, memory=10), r"needs 31 MiB, memory allows 10: give scipy"),
        (lambda: FiniteHorizon([[0, 1], [1, 0]], 10**8), r"policy for 100,000,000 steps .* take a shorter horizon"),
        (lambda: Discounted(EVEN, 0.9).optimal(np.zeros((2, 3))), r"rewards have the shape \(2, 3\), .* \(..., 2, 2\)"),
        (lambda: Discounted(EVEN, 0.9).optimal(broken((1, 0, 1), np.nan)), "action 1 in state 0 is nan"),
        (lambda: Tree(1, 2).soft(np.array([[0, -np.inf]]), 1.0), "action 1 in state 0 is -inf, allowed: .*-1e9"),
        (lambda: Tree(1, 2).soft(np.zeros((1, 2)), 0.0), r"temperature is 0.0, allowed: a number in \(0, inf\)"),
        (lambda: Tree(1, 2).soft(np.zeros((1, 2)), 1.0, "polcy"), "did you mean 'policy'"),
        (lambda: Tree(2, 2).occupancy(np.zeros((2, 2))), r"policy has the shape \(2, 2\), allowed: \(..., 3, 2\)"),
        (lambda: linear_program(Tree(1, 2), np.zeros((3, 1, 2))), "a single problem's"),
        (lambda: linear_program(object(), np.zeros((1, 2))), "linear_program does not know object, allowed: Tree"),
    ],
)  # fmt: skip
def test_bad_input_is_named(make_it, message):
    with pytest.raises(ParameterError, match=message):
        make_it()


def test_dense_problems_are_solved_as_many_at_a_time_as_fit():
    drawn = np.random.default_rng(0).dirichlet(np.ones(100), (100, 2))
    narrow, wide = Discounted(drawn, 0.9, memory=0.4), Discounted(drawn, 0.9)
    rewards = np.random.default_rng(1).normal(size=(3, 5, 100, 2))
    for given_ in (rewards, torch.tensor(rewards)):
        for one, other in zip(narrow.optimal(given_), wide.optimal(given_), strict=True):
            assert np.array_equal(one, other)
        policy = wide.optimal(given_)[1]
        assert np.array_equal(narrow.occupancy(policy), wide.occupancy(policy))
    assert narrow.value(rewards[:0]).shape == (0, 5)
    with pytest.raises(ParameterError, match=r"solving one problem of 100 states needs 0.15 MiB, memory allows 0.1"):
        Discounted(np.zeros((100, 2), int), 0.9, memory=0.1).occupancy(np.full((100, 2), 0.5))
    with pytest.raises(ParameterError, match="regularising 100 states by their occupancy"):
        narrow.soft(np.zeros((100, 2)), 1.0, "occupancy")


def test_an_iteration_that_does_not_end_says_by_how_much(monkeypatch):
    monkeypatch.setattr(discounted_module, "LIMIT", 1)
    mdp = make("discounted", "dense")
    rewards = np.random.default_rng(0).normal(size=(30, S, A))
    with pytest.raises(ConvergenceError, match=r"not ended after 1 steps: some action is better by \d"):
        mdp.optimal(rewards)
    with pytest.raises(ConvergenceError, match=r"not ended after 1 steps: values move by \d"):
        mdp.soft(rewards, 0.1)
