"""Sequential sales, and what all games of reports share: closed forms of VCG and of reserve prices, incentives."""

from __future__ import annotations

import numpy as np
import pytest

import lawgiver  # noqa: F401  registers the games
from lawgiver.agents.mechanisms import Announcement
from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.families.reporting_game import ReportingState
from lawgiver.envs.sequential_sales import SequentialSales
from lawgiver.envs.solvers.auctions.distributions import Distribution
from lawgiver.envs.solvers.mdp.affine import settle

BATCH = 4_000


def truthful(game: SequentialSales, parameters: object, batch: int = BATCH, seed: int = 0) -> ReportingState:
    types = game.initial_state(batch, np.random.default_rng(seed)).types
    return play_out(game, Announcement(parameters), types, types)


def random_rule(game: SequentialSales, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(0, 0.5, game.n), rng.normal(0, 0.4 * game.type_range[1], game.n_boosts)])


@pytest.mark.parametrize(("n", "m"), [(3, 2), (5, 3), (2, 3), (4, 1)])
def test_vcg_sells_to_the_highest_bidders_at_the_highest_losing_bid(n: int, m: int) -> None:
    game = SequentialSales(n=n, m=m)
    state = truthful(game, game.members["vcg"])
    ranked = np.sort(state.types[..., 0])[:, ::-1]
    losing = ranked[:, m : m + 1] if n > m else np.zeros((BATCH, 1))
    served = state.types[..., 0] > losing
    np.testing.assert_allclose(state.utilities, np.where(served, state.types[..., 0], 0), atol=1e-12)
    np.testing.assert_allclose(state.payments, np.where(served, losing, 0), atol=1e-12)


def test_reserve_prices_are_myersons_auction_bidder_by_bidder() -> None:
    game = SequentialSales(n=3, m=2, high="1/i")
    state = truthful(game, game.members["reserve_prices"])
    virtual = 2 * state.types[..., 0] - np.array([1, 1 / 2, 1 / 3])
    threshold = np.sort(virtual)[:, :1].clip(0)  # the least of three virtual values loses, or 0 is not reached
    served = virtual > threshold
    price = (threshold + np.array([1, 1 / 2, 1 / 3])) / 2
    np.testing.assert_allclose(state.payments, np.where(served, price, 0), atol=1e-12)


@pytest.mark.parametrize(("n", "m", "high"), [(3, 2, 1.0), (5, 3, 1.0), (5, 3, "1/i"), (2, 3, "1/i")])
def test_reserve_prices_attain_the_limit(n: int, m: int, high: object) -> None:
    game = SequentialSales(n=n, m=m, high=high)
    revenue = game.measure(truthful(game, game.members["reserve_prices"], 20_000))
    assert abs(revenue.mean() - game.limit()) < 4 * revenue.std() / np.sqrt(len(revenue))


@pytest.mark.parametrize("seed", range(3))
def test_nobody_gains_by_a_misreport_or_loses_by_taking_part(seed: int) -> None:
    game, rule = SequentialSales(n=3, m=2, high=[1, 2, 0.5]), random_rule(SequentialSales(n=3, m=2), seed)
    truth = truthful(game, rule, seed=seed)
    assert truth.payoffs.min() > -1e-12
    rng = np.random.default_rng(seed)
    for i in range(game.n):
        lies = truth.types.copy()
        scaled = truth.types[:, i] * rng.choice([0, 0.5, 0.9, 1.1, 2], (BATCH, 1))
        lies[:, i] = (scaled + rng.normal(0, 0.1)).clip(0, game.type_range[1])
        told = play_out(game, Announcement(rule), truth.types, lies)
        assert (told.payoffs[:, i] - truth.payoffs[:, i]).max() < 1e-12


def test_payments_are_expected_virtual_values_whatever_the_rule() -> None:
    """Myerson's lemma: revenue and virtual surplus have the same mean, for any truthful rule (4 standard errors)."""
    game = SequentialSales(n=3, m=2, high="1/i")
    state = truthful(game, random_rule(game, 1), 60_000)
    served = state.utilities > 0
    virtual = sum(served[:, i] * each.virtual_value(state.types[:, i, 0]) for i, each in enumerate(game.distributions))
    apart = game.measure(state) - virtual
    assert abs(apart.mean()) < 4 * apart.std() / np.sqrt(len(apart))


def test_a_bidder_is_served_once_and_may_be_sold_more() -> None:
    game = SequentialSales(n=2, m=2)
    boosts = np.zeros((game.mdp.n_states, 3))
    boosts[:, 0] = 2.0  # everything to the first
    state = truthful(game, [0, 0, *boosts.ravel()], 10)
    np.testing.assert_allclose(state.utilities, state.types[..., 0] * [1, 0])


def test_the_mechanism_decides_itself_once_it_has_heard_the_reports() -> None:
    game = SequentialSales(n=2, m=1, mechanism_mode="allocate")
    state = game.initial_state(5, np.random.default_rng(0))
    assert game.phase(state) == "participant"
    heard, rewards, over, _ = game.step(state, state.types, {})
    assert not over.any() and not rewards["participant"].any()
    np.testing.assert_array_equal(game.seen_reports(game.observe(heard, "mechanism")), state.types)
    action = np.tile([0.0, np.log(2), -np.log(2), 0.1, 0.2], (5, 1, 1))  # shares 2/7, 4/7, 1/7
    _, rewards, over, _ = game.step(heard, action, {})
    assert over.all()
    expected = state.types[..., 0] * np.array([2, 4]) / 7 - [0.1, 0.2]
    np.testing.assert_allclose(rewards["participant"], expected)
    np.testing.assert_allclose(rewards["mechanism"][:, 0], 0.3)


def test_what_participants_see_and_say_has_one_shape() -> None:
    game = SequentialSales(n=5, m=3)
    assert game.n_boosts == 258
    assert game.observation_space("participant").shape == (1 + 5 + 258,)
    assert game.action_space("participant").shape == (1,)
    assert game.action_space("mechanism").shape == (5 + 258,)


def test_ends_go_by_the_participants_number_or_one_by_one() -> None:
    assert SequentialSales(n=3, high="1/i").distributions == tuple(Distribution(0, 1 / i) for i in (1, 2, 3))
    assert SequentialSales(n=3, high="3i").distributions == tuple(Distribution(0, 3 * i) for i in (1, 2, 3))
    assert SequentialSales(n=2, high=[1, 4]).distributions == (Distribution(0, 1), Distribution(0, 4))
    assert SequentialSales(n=2, low=0.5).distributions == (Distribution(0.5, 1),) * 2


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"n": 0}, "n is 0"),
        ({"m": 0}, "m is 0"),
        ({"high": "i/1"}, "a rule such as"),
        ({"high": [1, 2]}, "high has 2 numbers"),
        ({"low": 1.0}, "high"),
        ({"low": -1.0}, "at least 0"),
        ({"high": float("nan")}, "high is nan"),
        ({"types": "normal"}, "types is 'normal'"),
        ({"types": "piecewise"}, "masses is None"),
        ({"masses": [0.5, 0.5]}, "masses is"),
        ({"types": "piecewise", "masses": [0.5, -0.1]}, "masses"),
        ({"objective": "surplu"}, "objective is 'surplu': did you mean 'surplus'"),
        ({"mechanism_mode": "decide"}, "mechanism_mode is 'decide'"),
        ({"n": 20, "m": 5}, "5 rounds with 21 actions in each make 4,288,305 pairs .* take fewer"),
        ({"m": 300_000}, r"300,000 rounds with 4 actions in each make more than 1e180617 pairs"),
    ],
)
def test_bad_parameters_are_named(params: dict[str, object], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        make_game("sequential_sales", **params)


@pytest.mark.parametrize(
    "params",
    [
        {"n": 4, "m": 2, "high": "1/i", "low": 0.1},
        {"n": 3, "m": 3},
        {"n": 3, "m": 1, "types": "piecewise", "masses": [1, 0, 3], "low": [0.0, 0.25, 0.5]},
    ],
)
def test_the_limit_of_welfare_is_what_the_highest_bidders_make_of_the_items(params: dict[str, object]) -> None:
    game = SequentialSales(objective="welfare", **params)
    values = game.types_of(np.random.default_rng(0).random((200_000, game.n, 1)))[..., 0]
    best = np.sort(values, axis=1)[:, -game.m :].sum(1)
    assert abs(game.limit() - best.mean()) < 4 * best.std() / np.sqrt(len(best))


def test_weights_have_to_be_positive() -> None:
    game = SequentialSales(n=2, m=1)
    with pytest.raises(ParameterError, match="finite numbers above 0"):
        settle(game.mdp, np.ones((1, 2, 1, 3)), np.array([1.0, 0.0]), np.zeros((1, 3)))
