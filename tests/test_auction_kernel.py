"""Auctions in tables: kernels against enumeration, equilibria against brute force and closed forms."""

import itertools
import pickle
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pytest
import torch
from scipy import stats

from lawgiver.envs.core.arrays import constant, namespace
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.fields import Field
from lawgiver.envs.families.auction_game import AuctionGame
from lawgiver.envs.sealed_bid.slots import Terms, hold
from lawgiver.envs.solvers.auctions.bidders import Bidders, eligibility, private_bidders, thinned
from lawgiver.envs.solvers.auctions.joint_kernel import JointKernel
from lawgiver.envs.solvers.auctions.kernel_subgame import KernelSubgame
from lawgiver.envs.solvers.auctions.rank_kernel import PRICINGS, rank_payments, rank_shares
from lawgiver.envs.solvers.equilibrium.incentives import incentives
from lawgiver.envs.solvers.equilibrium.subgame import uniform_prior
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import per_round, solve
from lawgiver.trainers.mechanism_design.two_timescale.subgame_gradient import objective_and_gradient


class BlockSubgame(KernelSubgame):
    """Bidders see their value, their group, and w."""

    def observations(self, parameters):
        groups = np.repeat(np.arange(len(self.groups)), self.n_types)
        rule = np.broadcast_to(parameters, (self.shape[1], len(parameters)))
        return np.concatenate([self.types.reshape(-1, 1), groups[:, None], rule], axis=-1)[None]

    def locate(self, obs):
        raise NotImplementedError


@dataclass(frozen=True)
class Block(AuctionGame):
    """A plain auction of one thing, by its own rule: pairwise comparisons, w is the reserve.

    ``tops`` are the greatest values of the groups, of one seat each where there are several.
    """

    n: int = 2
    pricing: str = "first"
    n_bids: int = 17
    n_types: int = 24
    tops: tuple[float, ...] = (1.0,)
    aversion: float = 1.0
    most: float = 1.0

    name = "block-v0"
    type_size = 1
    welfare_bounds = (0.0, 2.0)
    welfare_scale = 1.0

    def type_layout(self):
        return (Field("value", 1, 0, 2, "points", ""), Field("group", 1, 0, self.n, "number", ""))

    def parameter_layout(self):
        return (Field("reserve", 1, 0, 1, "points", ""),)

    def announcement_layout(self):
        return self.n_bids

    def initial_types(self, draws):
        return draws

    def worth(self, types):
        return types

    def least_bids(self, parameters):
        return parameters[..., :1] + constant(np.zeros(self.n), parameters)

    def allocate(self, types, announcements, parameters):
        xp, floor = namespace(announcements), parameters[:, :1]
        inside = (announcements > 0) & (announcements >= floor)
        bids = xp.where(inside, announcements, constant(-1.0, announcements))
        best = xp.max(bids, axis=-1, keepdims=True)
        wins = xp.astype((bids == best) & inside, bids.dtype)
        shares = wins / xp.clip(xp.sum(wins, axis=-1, keepdims=True), 1.0, None)
        second = xp.maximum(xp.sort(bids, axis=-1)[:, -2:-1], floor)
        paid = {"first": shares * bids, "next": shares * second, "all_pay": bids * inside}[self.pricing]
        return xp.stack([shares, paid], axis=-1)

    def attributed(self, types, allocations, utilities):
        if self.aversion == 1:
            return utilities
        shares, paid = allocations[..., 0], allocations[..., 1]
        each = types[..., 0] - paid / np.where(shares > 0, shares, 1.0)
        return shares * np.sign(each) * np.abs(each) ** self.aversion + paid

    @cached_property
    def subgame(self):
        quantiles = (np.arange(self.n_types) + 0.5) / self.n_types
        even, bids = np.full(self.n_types, 1 / self.n_types), np.linspace(0, self.most, self.n_bids)
        several = len(self.tops) > 1
        seats = [(i,) for i in range(self.n)] if several else [tuple(range(self.n))]
        groups = tuple(
            private_bidders(seat, top * quantiles, even, bids) for seat, top in zip(seats, self.tops, strict=True)
        )
        neutral = self.aversion == 1
        return BlockSubgame(self, groups, JointKernel(self, groups, risk_neutral=neutral), risk_neutral=neutral)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def played(subgame, rng, batch=()):
    policy = rng.random((*batch, *subgame.shape)) ** 2
    return policy / policy.sum(axis=-1, keepdims=True)


def settled(game, w, level):
    prior = uniform_prior(game.subgame)
    found = solve(game.subgame, np.asarray(w, float), level, prior)
    assert found.residual < 1e-9
    return found


# -- kernels by enumeration -----------------------------------------------------------------------------------------


def by_priority(bids, slots, pricing, reserve):
    """Return shares and payments of joint bids, the mean over all orders in which ties can be broken."""
    n = len(bids)
    shares, paid = np.zeros(n), np.zeros(n)
    orders = list(itertools.permutations(range(n)))
    for priority in orders:
        inside = [i for i in priority if bids[i] > 0]
        ranked = sorted(inside, key=lambda i: -bids[i])
        prices = [bids[i] for i in ranked] + [reserve] * (n + len(slots) + 2)
        for k, i in enumerate(ranked[: len(slots)]):
            shares[i] += slots[k]
            own = {"first": prices[k], "next": prices[k + 1], "skip": prices[k + 2], "all_pay": 0}.get(pricing)
            steps = [a - b for a, b in zip(slots, [*slots[1:], 0], strict=True)]
            externality = sum(steps[rank] * prices[rank + 1] for rank in range(k, len(slots)))
            paid[i] += externality if pricing == "vcg" else slots[k] * own
        if pricing == "all_pay":
            paid[inside] += np.array(bids)[inside]
    return shares / len(orders), paid / len(orders)


@pytest.mark.parametrize("pricing", PRICINGS)
@pytest.mark.parametrize(("n", "slots"), [(2, (1.0,)), (3, (1.0, 0.5)), (4, (1.0, 0.7, 0.2)), (3, (1.0, 1.0, 1.0))])
def test_ranks_by_enumeration(pricing, n, slots, rng):
    levels, reserve = np.array([0.0, 0.2, 0.3, 0.55]), 0.1
    play = rng.dirichlet(np.ones(4))
    expected = np.zeros((2, 4))
    for own in range(4):
        for rivals in itertools.product(range(4), repeat=n - 1):
            bids = [levels[a] for a in (own, *rivals)]
            outcome = by_priority(bids, slots, pricing, reserve)
            expected[:, own] += np.prod(play[list(rivals)]) * np.array([one[0] for one in outcome])
    prices = np.maximum(levels, reserve)
    for on in (np.asarray, torch.as_tensor):
        np.testing.assert_allclose(rank_shares(on(play), n, slots), expected[0], atol=1e-12)
        np.testing.assert_allclose(rank_payments(on(play), on(prices), n, slots, pricing), expected[1], atol=1e-12)


def test_ranks_of_many_bidders_where_nobody_bids(rng):
    play = np.eye(5)[0]
    np.testing.assert_allclose(rank_shares(play, 30, (1.0,)), [0, 1, 1, 1, 1])
    crowd = np.eye(5)[2]
    np.testing.assert_allclose(rank_shares(crowd, 30, (1.0,)), [0, 0, 1 / 30, 1, 1], atol=1e-12)


@pytest.mark.parametrize(("n", "k"), [(10, 3), (30, 10), (50, 20), (100, 20), (1000, 5)])
def test_the_price_of_many_equal_units_is_the_bid_that_gets_none(n, k, rng):
    """A bid without ties pays the k-th highest of its rivals, or nothing: by binomial distributions of ranks."""
    prices, play = np.linspace(0, 1, 17), rng.dirichlet(np.ones(17))
    up_to = np.cumsum(play)
    highest = stats.binom.cdf(k - 1, n - 1, 1 - up_to)  # of the k-th highest rival, up to each level
    chances = np.diff(highest, prepend=0.0)
    paid = rank_payments(play, prices, n, (1.0,) * k, "vcg")
    shares = rank_shares(play, n, (1.0,) * k)
    below = np.cumsum(chances * prices) - chances * prices
    at = stats.binom.cdf(k - 1, n - 1, 1 - up_to) - stats.binom.cdf(k - 1, n - 1, 1 - up_to + play)
    sure = stats.binom.cdf(k - 1, n - 1, 1 - up_to + play)
    assert (shares >= sure - 1e-11)[1:].all() and (shares <= sure + at + 1e-11).all()
    # A tie for the last slot is at the own bid, whatever share of it is got.
    np.testing.assert_allclose(paid[1:], (below + (shares - sure) * prices)[1:], atol=1e-10)
    several = rank_payments(torch.as_tensor(play), torch.as_tensor(prices), n, (1.0,) * k, "vcg")
    np.testing.assert_allclose(several, paid, atol=1e-12)


def test_the_revenue_of_many_slots_is_that_of_play(rng):
    """Every pricing with 100 bidders and 20 slots, equal ones and falling ones, against auctions that are held."""
    n, batch, prices, play = 100, 2000, np.linspace(0, 1, 17), rng.dirichlet(np.ones(17))
    bids = prices[rng.choice(17, size=(n, batch), p=play)]
    for slots in (np.ones(20), np.linspace(1, 0.1, 20)):
        for pricing in ("next", "skip", "vcg"):
            shares, payments = hold(bids, Terms(slots, pricing))
            for drawn, table in (
                (shares, rank_shares(play, n, tuple(slots))),
                (payments, rank_payments(play, prices, n, tuple(slots), pricing)),
            ):
                sample = (drawn * bids).mean(axis=0)  # by own bid: totals of shares are the slots, whatever is played
                assert abs(sample.mean() - play @ (table * prices)) < 4 * sample.std() / batch**0.5 + 1e-12


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("pricing", ["first", "next", "all_pay"])
@pytest.mark.parametrize("reserve", [0.0, 0.25, 0.27])
def test_the_rule_on_joint_bids_is_the_formula(n, pricing, reserve, rng):
    game = Block(n=n, pricing=pricing)
    play = rng.dirichlet(np.ones(game.n_bids), size=(2, 1, 1))
    least = np.full((1, n), reserve)
    kept = thinned(play, eligibility(game.subgame.groups, least))
    tables = game.subgame.kernel.expected(np.array([[reserve], [reserve]]), kept)[:, 0, :, 0]
    bids = game.subgame.bids[0]
    prices = np.maximum(bids, reserve)
    possible = (bids == 0) | (bids + 1 / 32 > reserve)
    shares = rank_shares(kept[:, 0, 0], n, (1.0,))
    payments = rank_payments(kept[:, 0, 0], prices, n, (1.0,), pricing)
    np.testing.assert_allclose(tables[:, 0, possible], shares[:, possible], atol=1e-13)
    np.testing.assert_allclose(tables[:, 1, possible], payments[:, possible], atol=1e-13)


def test_cells_take_part_by_how_much_of_them_is_above_the_reserve():
    group = private_bidders((0, 1), np.ones(1), np.ones(1), np.array([0.0, 0.25, 0.5, 0.75]))
    reserves = np.array([[0.0], [0.25], [0.375], [0.55], [2.0]]) * np.ones(2)
    shares = eligibility((group,), reserves)[:, 0]
    np.testing.assert_allclose(
        shares, [[1, 1, 1, 1], [1, 0.5, 1, 1], [1, 0, 1, 1], [1, 0, 0.3, 1], [1, 0, 0, 0]], atol=1e-12
    )
    moved = thinned(np.full((1, 1, 4), 0.25), shares[3:4])
    np.testing.assert_allclose(moved[0, 0], [0.675, 0, 0.075, 0.25])


def test_nobody_takes_part_above_the_largest_bid():
    group = private_bidders((0, 1), np.ones(1), np.ones(1), np.array([0.0, 0.25, 0.5, 0.75]))
    reserves = np.array([[0.625], [0.6875], [0.75], [0.8]]) * np.ones(2)
    np.testing.assert_allclose(eligibility((group,), reserves)[:, 0, 3], [1, 0.5, 0, 0], atol=1e-12)


def test_three_groups_by_enumeration(rng):
    game = Block(n=3, n_bids=4, n_types=3, tops=(1.0, 1.3, 2.0))
    subgame, w = game.subgame, np.array([0.1])
    policy = played(subgame, rng)
    tables = policy.reshape(3, 3, 4)
    revenue = welfare = 0.0
    for types in itertools.product(range(3), repeat=3):
        for bids in itertools.product(range(4), repeat=3):
            chance = np.prod([tables[i, types[i], bids[i]] for i in range(3)]) / 27
            allocation = game.allocate(None, subgame.bids[0][list(bids)][None], w[None])[0]
            revenue += chance * allocation[:, 1].sum()
            welfare += chance * sum(allocation[i, 0] * subgame.types[i, types[i]] for i in range(3))
    measured = subgame.measures(w, policy)
    assert measured["revenue"] == pytest.approx(revenue, abs=1e-12)
    assert measured["welfare"] == pytest.approx(welfare, abs=1e-12)
    assert measured["surplus"] == pytest.approx(welfare - revenue, abs=1e-12)


def test_types_that_coincide_by_enumeration(rng):
    """With probability .4 two bidders have one value: a latent state for each value, and one of independence."""
    game, chance = Block(n_bids=5, n_types=3), 0.4
    values, bids = np.array([0.2, 0.5, 0.9]), np.linspace(0, 1, 5)
    weights = np.array([0.5, 0.3, 0.2])
    groups = (Bidders((0, 1), values, np.vstack([weights, np.eye(3)]), bids, np.tile(values[:, None], 4)),)
    latent = np.array([1 - chance, *(chance * weights)])
    subgame = BlockSubgame(game, groups, JointKernel(game, groups), latent)
    policy = played(subgame, rng)[0]
    expected = np.zeros((3, 5))
    for s, own, other, rival in itertools.product(range(3), range(5), range(3), range(5)):
        belief = (1 - chance) * weights[other] + chance * (s == other)
        share, paid = game.allocate(None, bids[[own, rival]][None], np.zeros((1, 1)))[0, 0]
        expected[s, own] += belief * policy[other, rival] * (share * values[s] - paid)
    np.testing.assert_allclose(subgame.initial_distribution(), weights)
    z = subgame.aggregates(policy[None])
    np.testing.assert_allclose(subgame.rewards(np.zeros(1), z)[0], expected, atol=1e-12)


@pytest.mark.parametrize("n", [2, 3])
def test_worth_that_depends_on_rivals_types_by_enumeration(n, rng):
    game = Block(n=n, n_bids=4, n_types=3)
    values, bids = np.array([0.2, 0.5, 0.9]), np.linspace(0, 1, 4)
    chances, latent = rng.dirichlet(np.ones(3), size=2), np.array([0.3, 0.7])
    groups = (Bidders(tuple(range(n)), values, chances, bids, np.tile(values[:, None] / 2, 2)),)
    subgame = BlockSubgame(game, groups, JointKernel(game, groups), latent, rivals_count=0.5)
    policy = played(subgame, rng)[0]
    marginal = latent @ chances
    expected = np.zeros((3, 4))
    for s, own in itertools.product(range(3), range(4)):
        for nu in range(2):
            posterior = latent[nu] * chances[nu, s] / marginal[s]
            for others in itertools.product(range(3), repeat=n - 1):
                for rivals in itertools.product(range(4), repeat=n - 1):
                    likely = posterior * np.prod(chances[nu, list(others)] * policy[list(others), list(rivals)])
                    share, paid = game.allocate(None, bids[[own, *rivals]][None], np.full((1, 1), 0.1))[0, 0]
                    worth = (values[s] + sum(values[o] for o in others)) / 2
                    expected[s, own] += likely * (share * worth - paid)
    z = subgame.aggregates(policy[None])
    eligible = eligibility(groups, np.full(n, 0.1))[0]
    assert eligible.min() == 1  # the reserve lies below the cell of the first bid
    np.testing.assert_allclose(subgame.rewards(np.full(1, 0.1), z)[0], expected, atol=1e-12)


# -- both backends, batches, gradients ------------------------------------------------------------------------------


@pytest.mark.parametrize("game", [Block(), Block(n=3, n_bids=9), Block(tops=(1.0, 2.0), pricing="next")])
def test_numpy_torch_and_leading_axes_agree(game, rng):
    subgame, w = game.subgame, rng.random((3, 1)) * 0.6
    policy = played(subgame, rng, (3,))
    z = subgame.aggregates(policy)
    for gradient in (False, True):
        on = torch.tensor(w, requires_grad=gradient)
        for table in (subgame.rewards, subgame.utilities, subgame.transfers):
            theirs = table(on, torch.as_tensor(z)).detach().numpy()
            np.testing.assert_allclose(theirs, table(w, z), atol=1e-12)
            np.testing.assert_allclose(theirs[1], table(w[1], z[1]), atol=1e-12)
            np.testing.assert_allclose(table(w, z[0])[1], table(w[1], z[0]), atol=1e-12)
        for name, value in subgame.measures(on, torch.as_tensor(policy)).items():
            np.testing.assert_allclose(value.detach().numpy(), subgame.measures(w, policy)[name], atol=1e-12)


@pytest.mark.parametrize("pricing", ["first", "next", "all_pay"])
@pytest.mark.parametrize("objective", ["revenue", "welfare"])
def test_the_gradient_in_the_reserve_is_that_of_differences(pricing, objective):
    game = Block(pricing=pricing, objective=objective)
    prior = uniform_prior(game.subgame)

    def value(r):
        found = settled(game, [r], 20.0)
        return float(game.subgame.objective(np.array([r]), found.policy))

    for reserve in (0.21, 0.34):
        measured, gradient = objective_and_gradient(game, np.array([reserve]), 20.0, prior)
        assert measured == pytest.approx(value(reserve), abs=1e-9)
        slope = (value(reserve + 1e-5) - value(reserve - 1e-5)) / 2e-5
        assert abs(slope) > 1e-3
        assert gradient[0] == pytest.approx(slope, rel=1e-5)


def test_a_game_whose_tables_are_known_can_be_pickled(rng):
    game = Block()
    z = game.subgame.aggregates(played(game.subgame, rng))
    again = pickle.loads(pickle.dumps(game))
    np.testing.assert_array_equal(again.subgame.rewards(np.zeros(1), z), game.subgame.rewards(np.zeros(1), z))


def test_tables_of_many_mechanisms_are_not_all_kept(rng, monkeypatch):
    monkeypatch.setattr("lawgiver.envs.solvers.auctions.joint_kernel.KEPT", 2000)
    game = Block()
    z = game.subgame.aggregates(played(game.subgame, rng))
    for reserve in (0.0, 0.1, 0.2, 0.1, 0.0):
        fresh = replace(game).subgame.rewards(np.array([reserve]), z)
        np.testing.assert_array_equal(game.subgame.rewards(np.array([reserve]), z), fresh)
    assert len(game.subgame.kernel._kept) == 3


# -- equilibria -----------------------------------------------------------------------------------------------------


def test_a_small_bayesian_game_by_brute_force():
    """Two bidders of 3 values and 4 bids: the logit fixed point by loops over values and bids."""
    game, level, reserve = Block(n_bids=4, n_types=3), 12.0, 0.0
    values, bids = (np.arange(3) + 0.5) / 3, np.linspace(0, 1, 4)
    play = np.full((3, 4), 0.25)
    for _ in range(4000):
        payoffs = np.zeros((3, 4))
        for s, own, t, other in itertools.product(range(3), range(4), range(3), range(4)):
            a, b = bids[own], bids[other]
            wins = 0.0 if a == 0 or b > a else 0.5 if a == b else 1.0
            payoffs[s, own] += play[t, other] / 3 * wins * (values[s] - a)
        reply = np.exp(level * payoffs)
        play = 0.8 * play + 0.2 * reply / reply.sum(axis=-1, keepdims=True)
    found = settled(game, [reserve], level)
    np.testing.assert_allclose(found.policy[0], play, atol=1e-9)


def closed_form(pricing, n, v):
    return {"first": v * (n - 1) / n, "next": v, "all_pay": (n - 1) / n * v**n}[pricing]


@pytest.mark.parametrize(("pricing", "within"), [("first", 0.0038), ("next", 0.0066), ("all_pay", 0.0118)])
def test_two_bidders_bid_as_the_closed_form_says(pricing, within):
    game = Block(pricing=pricing, n_bids=65, n_types=128)
    found = settled(game, [0.0], 1000.0)
    bids, values = game.subgame.mean_bids(found.policy)[0], game.subgame.types[0]
    assert np.sqrt(np.mean((bids - closed_form(pricing, 2, values)) ** 2)) < within
    report, measured = incentives(game, np.zeros(1), found.policy), per_round(game, np.zeros(1), found.policy)
    assert report["regret"] < 0.006 * measured["surplus"] / 2
    assert report["expected_budget"] == pytest.approx(-measured["revenue"])
    assert measured["revenue"] == pytest.approx(1 / 3, abs=0.012 if pricing == "all_pay" else 0.001)


def test_risk_averse_bidders_bid_more():
    """U[0, 1], n = 2, first price: b = v / (1 + rho); solved exactly on the joint grid of payoffs."""
    game = Block(n_bids=33, n_types=48, aversion=0.5)
    found = settled(game, [0.0], 1000.0)
    bids, values = game.subgame.mean_bids(found.policy)[0], game.subgame.types[0]
    assert np.sqrt(np.mean((bids - values / 1.5) ** 2)) < 0.02
    neutral, w = replace(game, aversion=1.0), np.zeros(1)
    z = game.subgame.aggregates(found.policy)
    np.testing.assert_allclose(game.subgame.utilities(w, z), neutral.subgame.utilities(w, z), atol=1e-12)
    nearly = replace(game, aversion=1 - 1e-9).subgame.rewards(w, z)
    np.testing.assert_allclose(nearly, neutral.subgame.rewards(w, z), atol=1e-6)


def test_misreports_stay_within_the_seat():
    """A bidder of [0, 1] cannot pretend to be one of [0, 2], whom others know."""
    game = Block(tops=(1.0, 2.0), most=0.75, n_bids=33, n_types=32)
    found = settled(game, [0.0], 300.0)
    rewards = game.subgame.rewards(np.zeros(1), found.aggregates)[0]
    policy = found.policy[0]
    gains = 0.0
    for g in range(2):
        own = slice(32 * g, 32 * g + 32)
        treated = rewards[own] @ policy[own].T
        gains += (treated.max(axis=-1) - np.diagonal(treated)).mean() / 2
    assert incentives(game, np.zeros(1), found.policy)["misreport_regret"] == pytest.approx(gains, rel=1e-9)


def best_reserve(pricing, level):
    game, reserves = Block(pricing=pricing, n_bids=65, n_types=128), np.arange(0, 0.75, 1 / 64)[:, None]
    found = solve(game.subgame, reserves, level, uniform_prior(game.subgame))
    assert found.residual < 1e-6
    return float(reserves[int(np.argmax(game.subgame.measures(reserves, found.policy)["revenue"])), 0])


def test_the_best_reserve_rises_to_a_half_as_bidders_become_rational():
    first, second = best_reserve("first", 10.0), best_reserve("next", 10.0)
    assert abs(first - 17 / 64) <= 1 / 64 and abs(second - 26 / 64) <= 1 / 64 and first < second
    assert abs(best_reserve("next", 1000.0) - 0.5) <= 1 / 64


# -- what is refused ------------------------------------------------------------------------------------------------


def test_too_many_joint_bids_are_refused():
    with pytest.raises(
        UnsupportedGameError, match=r"3 bidders and 66 levels of bids has 287,496 joint bids.*65 levels"
    ):
        Block(n=3, n_bids=66).subgame  # noqa: B018
    with pytest.raises(UnsupportedGameError, match=r"not risk neutral, has .* payoffs by type"):
        Block(n=3, n_bids=65, n_types=64, aversion=0.5).subgame  # noqa: B018


def test_grids_that_do_not_fit_are_refused():
    with pytest.raises(ParameterError, match=r"bids is \[0.0, 0.5, 2.0\], allowed: two levels or more"):
        private_bidders((0,), np.ones(1), np.ones(1), np.array([0.0, 0.5, 2.0]))
    with pytest.raises(ParameterError, match=r"bids is .* ascending in even steps"):
        private_bidders((0,), np.ones(1), np.ones(1), np.array([0.0]))
    game = Block()
    groups = tuple(private_bidders((i,), np.ones(i + 1), np.ones(i + 1), np.linspace(0, 1, 5)) for i in range(2))
    with pytest.raises(ParameterError, match="allowed: as many each"):
        BlockSubgame(game, groups, JointKernel(game, groups))
