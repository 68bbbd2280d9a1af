"""The agents' subgame in tables, against the definitions of bounded rationality, enumeration, and the other backend."""

import itertools

import numpy as np
import pytest
import torch

from lawgiver.envs.core.make import make_game
from lawgiver.envs.solvers.equilibrium.incentives import incentives
from lawgiver.envs.solvers.equilibrium.prior import ILLEGAL
from lawgiver.envs.solvers.equilibrium.subgame import (
    RATIONAL,
    Subgame,
    by_round,
    certainty_equivalent,
    tilted,
    uniform_prior,
)

GAMES = {
    "lanes": ("lanes", {}),
    "lanes, full": ("lanes", {"n": 20, "agent_objective": "full", "degree": 3, "basis": "raw", "constant": 0.3}),
    "lanes, blind": ("lanes", {"n": 3, "agent_objective": "blind", "payment_on": "u", "n_moves": 11}),
    "lanes, paid for starts": ("lanes", {"agent_objective": "full", "payment_on": "x0", "n_moves": 7}),
    "divisible good": ("divisible_good", {}),
    "divisible good, full": ("divisible_good", {"agent_objective": "full", "rounds": 4, "prices": "flat"}),
    "selfish routing": ("selfish_routing", {"n": 7}),
    "sealed bid, first price": ("sealed_bid", {"n_bids": 17, "announced": ("reserve", "entry_fee", "mix")}),
    "sealed bid, slots": ("sealed_bid", {"n": 4, "pricing": "vcg", "slots": (1, 0.5), "n_bids": 9}),
    "sealed bid, groups": ("sealed_bid", {"values": ((0, 1), (0, 2)), "pricing": "all_pay", "n_bids": 9}),
    "sealed bid, handicaps": ("sealed_bid", {"announced": ("squash", "handicaps"), "quality": (1, 0.6), "n_bids": 9}),
    "sealed bid, affiliated": ("sealed_bid", {"information": "affiliated", "n_bids": 9}),
    "sealed bid, mineral rights": ("sealed_bid", {"information": "mineral_rights", "n": 3, "n_bids": 5}),
    "payment policies": ("payment_policies", {"rounds": 60, "n_bids": 9, "menu": (0, 0.1, 0.3, 0.5)}),
    "payment policies, dilemma": (
        "payment_policies",
        {"stage": "prisoners_dilemma", "rounds": 60, "menu": (0, 2.1, 3)},
    ),
    "supply and demand": ("supply_demand", {"n": 10, "homes": (0.8, 0.2, 0.0)}),
    "measured effort": ("measured_effort", {"levels": 7, "tests": ((1, 0.5), (0, 1))}),
}
LEVELS = (0.0, 0.3, 10.0, 400.0)


@pytest.fixture(params=GAMES)
def game(request):
    name, params = GAMES[request.param]
    return make_game(name, **params)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def some_parameters(game, rng, batch=()):
    box = game.action_space("mechanism")
    return box.low + rng.random((*batch, *box.shape)) * (box.high - box.low)


def some_policy(subgame, rng, batch=(), sharpness=2.0):
    """Return a random table of probabilities (*batch, T, S, A)."""
    raw = rng.random((*batch, *subgame.shape)) ** sharpness * subgame.legal()
    return raw / raw.sum(axis=-1, keepdims=True)


def some_prior(subgame, rng):
    policy = some_policy(subgame, rng) + 1e-4 * subgame.legal()
    policy = policy / policy.sum(axis=-1, keepdims=True)
    return np.where(subgame.legal(), np.log(np.where(subgame.legal(), policy, 1.0)), ILLEGAL)


def log_of(policy):
    return np.where(policy > 0, np.log(np.where(policy > 0, policy, 1.0)), ILLEGAL)


# -- bounded rationality --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS[1:])
def test_the_reply_maximises_what_bounded_rationality_says(game, rng, level):
    subgame, parameters, prior = game.subgame, some_parameters(game, rng), some_prior(game.subgame, rng)
    z = subgame.aggregates(some_policy(subgame, rng))
    rewards = subgame.rewards(parameters, z)

    def objective(policy):
        earned = (subgame.occupancy(policy) * rewards).sum()
        return float(earned - subgame.divergence(log_of(policy), prior) / level)

    values, log_response = subgame.action_values(parameters, z, level, prior)
    best = objective(np.exp(log_response))
    opening_values = certainty_equivalent(values[0], log_response[0], prior[0], level)
    assert best == pytest.approx(float(subgame.initial_distribution() @ opening_values), rel=1e-9, abs=1e-9)
    for scale in (1e-3, 1e-2, 0.1, 1.0):
        for _ in range(5):
            shaken = np.exp(log_response + scale * rng.normal(size=log_response.shape)) * subgame.legal()
            mixed = (1 - scale) * np.exp(log_response) + scale * some_policy(subgame, rng)
            assert objective(shaken / shaken.sum(axis=-1, keepdims=True)) < best + 1e-12 * (1 + abs(best))
            assert objective(mixed) < best


def test_inverse_temperature_zero_is_the_anchor(game, rng):
    subgame, parameters, prior = game.subgame, some_parameters(game, rng), some_prior(game.subgame, rng)
    z = subgame.aggregates(np.exp(prior))
    reply = subgame.log_response(parameters, z, 0.0, prior)
    np.testing.assert_allclose(np.exp(reply), np.exp(prior), rtol=1e-13, atol=0)
    assert float(subgame.divergence(reply, prior)) == pytest.approx(0, abs=1e-12)


def test_the_reply_is_the_anchor_tilted_by_what_comes_of_it(game, rng):
    subgame, parameters, prior = game.subgame, some_parameters(game, rng), some_prior(game.subgame, rng)
    values, log_response = subgame.action_values(parameters, subgame.aggregates(np.exp(prior)), 7.0, prior)
    with np.errstate(over="ignore"):
        worth = np.logaddexp.reduce(np.where(subgame.legal(), prior + 7.0 * values, -np.inf), axis=-1) / 7.0
    tilt = prior + 7.0 * (values - worth[..., None])
    np.testing.assert_allclose(np.exp(log_response), np.exp(tilt) * subgame.legal(), rtol=1e-9, atol=1e-300)
    if subgame.shape[0] > 1:
        rewards = subgame.rewards(parameters, subgame.aggregates(np.exp(prior)))
        np.testing.assert_allclose(values[0], rewards[0] + subgame.transitions() @ worth[1], atol=1e-9)


@pytest.mark.parametrize("level", [1e-6, 0.1, 1.0, 30.0, 1000.0])
def test_certainty_equivalent_by_its_definition(rng, level):
    values, prior = rng.normal(size=(4, 6)), np.log(rng.dirichlet(np.ones(6), size=4))
    defined = np.logaddexp.reduce(prior + level * values, axis=-1) / level
    reply = prior + level * (values - defined[:, None])
    np.testing.assert_allclose(certainty_equivalent(values, reply, prior, level), defined, rtol=0, atol=2e-9)


def test_certainty_equivalent_at_both_ends(rng):
    values, prior = rng.normal(size=(4, 6)), np.log(rng.dirichlet(np.ones(6), size=4))
    np.testing.assert_allclose(certainty_equivalent(values, prior, prior, 0.0), (np.exp(prior) * values).sum(-1))
    sharp = np.where(values == values.max(-1, keepdims=True), 0.0, -np.inf)
    np.testing.assert_allclose(certainty_equivalent(values, sharp, prior, RATIONAL), values.max(-1), atol=1e-4)


def test_no_payoff_makes_up_for_what_is_not_legal():
    prior = np.array([[np.log(0.5), np.log(0.5), ILLEGAL]])
    for values in ([[-5000.0, -5001.0, 9000.0]], [[5000.0, 4999.0, -9000.0]]):
        np.testing.assert_array_equal(np.exp(tilted(prior, np.array(values), RATIONAL)).argmax(-1), [0])
        assert tilted(prior, np.array(values), RATIONAL)[0, 2] < -1e8
    assert tilted(prior, np.array([[0.0, 1.0, 2.0]]), 3.0)[0, :2] @ [-1, 1] == pytest.approx(3.0)


# -- a small subgame by enumeration ---------------------------------------------------------------------------------


class Small(Subgame):
    """Three rounds, three situations, two actions, everything drawn at random; one action is not legal in one."""

    shape = (3, 3, 2)
    coupled = False
    unit = 1.0

    def __init__(self, rng):
        self.paid, self.own = rng.normal(size=self.shape), rng.normal(size=self.shape)
        self.first, self.next = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(3), size=(3, 2))

    def initial_distribution(self):
        return self.first

    def rewards(self, parameters, aggregates):
        return self.own + parameters[..., :1, None, None] * self.paid

    def utilities(self, parameters, aggregates):
        return self.own

    def transfers(self, parameters, aggregates):
        return parameters[..., :1, None, None] * self.paid

    def aggregates(self, policy):
        return np.zeros(1)

    def measures(self, parameters, policy):
        return {"welfare": (self.occupancy(policy) * self.own).sum(axis=(-3, -2, -1))}

    def transitions(self):
        return self.next

    def legal(self):
        return np.array([[True, True], [True, False], [True, True]])

    def observations(self, parameters):
        raise NotImplementedError

    def locate(self, obs):
        raise NotImplementedError

    def histories(self):
        """Yield every course of situations and actions, as ((s, a), ...) one a round."""
        pairs = [(s, a) for s in range(3) for a in range(2) if self.legal()[s, a]]
        yield from itertools.product(pairs, repeat=3)

    def chance(self, history, policy):
        """Return how likely a course is under a policy (T, S, A)."""
        likely = self.first[history[0][0]]
        for t, (s, a) in enumerate(history):
            likely *= policy[t, s, a]
            if t < 2:
                likely *= self.next[s, a, history[t + 1][0]]
        return likely


@pytest.fixture
def small(rng):
    return Small(rng)


def test_occupancy_and_divergence_by_enumeration(small, rng):
    policy, prior = some_policy(small, rng), some_prior(small, rng)
    occupancy, divergence = np.zeros(small.shape), 0.0
    for history in small.histories():
        likely = small.chance(history, policy)
        for t, (s, a) in enumerate(history):
            occupancy[t, s, a] += likely
            divergence += likely * (np.log(policy[t, s, a]) - prior[t, s, a])
    np.testing.assert_allclose(small.occupancy(policy), occupancy, atol=1e-14)
    assert float(small.divergence(log_of(policy), prior)) == pytest.approx(divergence)


def test_the_report_of_incentives_by_enumeration(small, rng):
    class Four:
        subgame, n = small, 4

    w, policy = np.array([0.7]), some_policy(small, rng)
    report = incentives(Four(), w, policy)
    legal = small.legal()
    plans = [plan for plan in itertools.product((0, 1), repeat=9) if all(legal[s % 3, a] for s, a in enumerate(plan))]

    def worth(other, reckoned, start=None):
        """Return what a policy earns in expectation, from one opening situation if ``start`` is given."""
        total = 0.0
        for history in small.histories():
            if start is None or history[0][0] == start:
                likely = small.chance(history, other) / (1.0 if start is None else small.first[start])
                total += likely * sum(reckoned[t, s, a] for t, (s, a) in enumerate(history))
        return total

    reckoned = small.rewards(w, None)
    best = max(worth(np.eye(2)[np.array(plan).reshape(3, 3)], reckoned) for plan in plans)
    assert report["regret"] == pytest.approx(best - worth(policy, reckoned))
    assert report["expected_budget"] == pytest.approx(4 * worth(policy, small.transfers(w, None)))
    assert report["ir_violation"] == pytest.approx(max(0.0, -min(worth(policy, reckoned, s) for s in range(3))))
    gain = 0.0
    for s in range(3):
        told = []
        for r in range(3):
            pretended = policy.copy()
            pretended[0, s] = policy[0, r]
            if not legal[s, 1]:  # played as the one that is
                pretended[0, s] = 1.0, 0.0
            told.append(worth(pretended, reckoned, s))
        gain += small.first[s] * (max(told) - worth(policy, reckoned, s))
    assert report["misreport_regret"] == pytest.approx(gain)
    assert 0 < gain < report["regret"]


def test_who_asks_for_more_than_it_could_take_gets_all_that_it_can(rng):
    """Bounded participants sometimes ask for any quantity, which closes no report to those of smaller appetites."""
    game = make_game("divisible_good", rounds=1, n=3)
    subgame, w = game.subgame, np.array([0.3, 0.2])
    policy = np.exp(subgame.log_response(w, np.zeros(2), 3.0, uniform_prior(subgame)))
    values = subgame.rewards(w, np.zeros(2))[0]
    gain, legal = 0.0, subgame.legal()
    for s, likely in enumerate(subgame.initial_distribution()):
        told = [sum(policy[0, r, a] * values[s, min(a, s)] for a in range(subgame.shape[2])) for r in range(len(legal))]
        gain += likely * (max(told) - told[s])
    assert gain > 0.01
    assert incentives(game, w, policy)["misreport_regret"] == pytest.approx(gain)


def test_a_seat_cannot_be_misreported(rng):
    game = make_game("supply_demand", n=10, homes=(0.8, 0.2, 0.0))
    w = some_parameters(game, rng)
    report = incentives(game, w, some_policy(game.subgame, rng))
    assert report["misreport_regret"] == 0.0 < report["regret"]


def test_rational_replies_leave_nothing_to_gain(small):
    class Four:
        subgame, n = small, 4

    w = np.array([-1.3])
    reply = np.exp(small.log_response(w, np.zeros(1), RATIONAL, uniform_prior(small)))
    report = incentives(Four(), w, reply)
    assert report["regret"] == pytest.approx(0, abs=1e-5) and report["misreport_regret"] == pytest.approx(0, abs=1e-5)


def test_a_game_of_several_rounds_has_to_say_how_they_follow(small):
    with pytest.raises(NotImplementedError, match="Small has 3 rounds"):
        Subgame.transitions(small)


# -- every game's tables --------------------------------------------------------------------------------------------


def test_tables_are_distributions_and_fit_their_shapes(game, rng):
    subgame, parameters, policy = game.subgame, some_parameters(game, rng), some_policy(game.subgame, rng)
    rounds, situations, actions = subgame.shape
    assert subgame.initial_distribution().shape == (
        situations,
    ) and subgame.initial_distribution().sum() == pytest.approx(1)
    assert (subgame.initial_distribution() >= 0).all() and subgame.legal().any(-1).all()
    np.testing.assert_allclose(subgame.occupancy(policy).sum(axis=(-2, -1)), np.ones(rounds))
    if rounds > 1:
        np.testing.assert_allclose(subgame.transitions().sum(-1), np.ones((situations, actions)))
    np.testing.assert_allclose(np.exp(uniform_prior(subgame)).sum(-1), np.ones((rounds, situations)))
    z = subgame.aggregates(policy)
    for table in (subgame.rewards(parameters, z), subgame.utilities(parameters, z), subgame.transfers(parameters, z)):
        assert table.shape == subgame.shape and np.isfinite(table).all()
    seen = subgame.observations(parameters)
    assert seen.shape == (rounds, situations, game.observation_space("participant").shape[0])
    at, where, weights = subgame.locate(seen)
    exact = (where == np.arange(situations)[:, None]) & (weights > 1 - 1e-9)
    assert (at == np.arange(rounds)[:, None]).all() and exact.any(-1).all()
    np.testing.assert_allclose(weights.sum(-1), 1)


def test_welfare_is_the_sum_of_utilities_in_the_aggregates_that_they_make(game, rng):
    subgame, w, policy = game.subgame, some_parameters(game, rng), some_policy(game.subgame, rng)
    utilities = subgame.utilities(w, subgame.aggregates(policy))
    expected = game.n * (subgame.occupancy(policy) * utilities).sum()
    assert float(subgame.measures(w, policy)["welfare"]) == pytest.approx(expected, rel=1e-9)


def test_participants_reckon_with_all_of_it_unless_they_are_local(game, rng):
    subgame, parameters = game.subgame, some_parameters(game, rng)
    z = subgame.aggregates(some_policy(subgame, rng))
    whole = subgame.utilities(parameters, z) + subgame.transfers(parameters, z)
    apart = np.abs((subgame.rewards(parameters, z) - whole) * subgame.legal()).max()
    assert apart < 1e-12 if subgame.coupled else apart > 0.1


def test_numpy_and_torch_agree(game, rng):
    subgame, parameters, prior = game.subgame, some_parameters(game, rng), some_prior(game.subgame, rng)
    policy = some_policy(subgame, rng)
    z = subgame.aggregates(policy)
    reply = subgame.log_response(parameters, z, 5.0, prior)
    on = {name: torch.as_tensor(x) for name, x in {"w": parameters, "z": z, "pi": policy, "prior": prior}.items()}
    pairs = [
        (z, subgame.aggregates(on["pi"])),
        (subgame.objective(parameters, policy), subgame.objective(on["w"], on["pi"])),
        (subgame.occupancy(policy), subgame.occupancy(on["pi"])),
        (subgame.rewards(parameters, z), subgame.rewards(on["w"], on["z"])),
        (subgame.utilities(parameters, z), subgame.utilities(on["w"], on["z"])),
        (subgame.transfers(parameters, z), subgame.transfers(on["w"], on["z"])),
        (np.exp(reply), subgame.log_response(on["w"], on["z"], 5.0, on["prior"]).exp()),
        (subgame.divergence(reply, prior), subgame.divergence(torch.as_tensor(reply), on["prior"])),
    ]
    for ours, theirs in pairs:
        assert theirs.dtype == torch.float64
        np.testing.assert_allclose(theirs.numpy(), ours, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("batch", [(3,), (2, 3)])
def test_leading_axes_are_one_mechanism_each(game, rng, batch):
    subgame, prior = game.subgame, some_prior(game.subgame, rng)
    parameters, policy = some_parameters(game, rng, batch), some_policy(subgame, rng, batch)
    z = subgame.aggregates(policy)
    reply = subgame.log_response(parameters, z, 5.0, prior)
    told = {
        "aggregates": z,
        "objective": subgame.objective(parameters, policy),
        "occupancy": subgame.occupancy(policy),
        "rewards": subgame.rewards(parameters, z),
        "utilities": subgame.utilities(parameters, z),
        "transfers": subgame.transfers(parameters, z),
        "reply": np.exp(reply),
        "divergence": subgame.divergence(reply, prior),
    }
    for i in np.ndindex(batch):
        alone = subgame.log_response(parameters[i], z[i], 5.0, prior)
        one_by_one = {
            "aggregates": subgame.aggregates(policy[i]),
            "objective": subgame.objective(parameters[i], policy[i]),
            "occupancy": subgame.occupancy(policy[i]),
            "rewards": subgame.rewards(parameters[i], z[i]),
            "utilities": subgame.utilities(parameters[i], z[i]),
            "transfers": subgame.transfers(parameters[i], z[i]),
            "reply": np.exp(alone),
            "divergence": subgame.divergence(alone, prior),
        }
        for name, expected in one_by_one.items():
            np.testing.assert_allclose(told[name][i], expected, rtol=1e-11, atol=1e-12, err_msg=name)


def test_one_round_is_not_copied(rng):
    table = rng.random((2, 3, 4))
    assert by_round([table]).base is table and by_round([table]).shape == (2, 1, 3, 4)
    np.testing.assert_array_equal(by_round([table, 2 * table])[:, 1], 2 * table)
