"""The judge of bidders against equilibria in closed form, shaded bids with a known loss, and other formats."""

from __future__ import annotations

import numpy as np
import pytest

from lawgiver.envs.core.errors import NoSolution, ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.trainers.bidding import judge as judging
from lawgiver.trainers.bidding.evaluation import equilibrium_bids
from lawgiver.trainers.bidding.interim import Interim, interim
from lawgiver.trainers.bidding.judge import judge
from lawgiver.trainers.bidding.seats import alike, announced, payoffs

DRAWS = 2**16
NOTHING = np.zeros(1)
VALUE = 0.7


def auction(**parameters):
    return make_game("sealed_bid", **parameters)


def unequal(v, k):
    """Bid as Krishna (2009, section 4.3): k = 3/4 for values up to 1, and -3/4 for values up to 2."""
    v = np.maximum(v, 1e-9)
    return (1 - np.sqrt(1 - k * v**2)) / (k * v)


def half(seen):
    return seen[:, 0] / 2


def test_the_bracket_holds_the_truth_at_the_equilibrium() -> None:
    """Over seeds, the means of both ends are on either side of a loss of 0, which is that of v / 2."""
    found = [judge(auction(), NOTHING, half, draws=2**12, seed=seed).groups[0] for seed in range(8)]
    lows, highs = np.array([each.loss for each in found]).T
    assert lows.mean() < 0 < highs.mean() and (highs >= 0).all(), (lows, highs)
    assert all(high - low < 2e-3 * each.payoff for each in found for low, high in [each.loss])
    assert found[0].payoff == pytest.approx(1 / 6, abs=1e-4)


def test_bids_that_are_shaded_by_two_percent_lose_what_they_do() -> None:
    """Against .49 u the best bid is v / 2, at most .49: a gain of (v / 2 - .49 v)^2 / .49, and less at the top."""
    v = np.linspace(0, 1, 200_001)
    best = np.minimum(v / 2, 0.49)
    loss = np.trapezoid(((v - best) * best - (v - 0.49 * v) * 0.49 * v) / 0.49, v)
    assert loss == pytest.approx(6.7e-5, abs=5e-7)
    (found,) = judge(auction(), NOTHING, lambda seen: 0.49 * seen[:, 0], equilibrium=lambda _: half, draws=2**18).groups
    low, high = found.loss
    assert low <= loss + 1e-7 and high >= loss - 1e-7 and high - low < 2e-6
    assert found.l2 == pytest.approx(0.01 / 3**0.5, rel=1e-3)
    assert found.l2_weighted == pytest.approx(0.01 / 2**0.5, rel=1e-2)


@pytest.mark.parametrize(
    ("parameters", "reserve", "bids"),
    [
        ({}, 0.5, [lambda v: np.where(v < 0.5, 0, (v + 0.25 / np.maximum(v, 0.5)) / 2)]),
        ({"n": 3}, 0.0, [lambda v: 2 * v / 3]),
        ({"pricing": "next"}, 0.3, [lambda v: v]),
        ({"pricing": "all_pay"}, 0.2, [lambda v: np.where(v**2 < 0.2, 0, (v**2 + 0.2) / 2)]),
        ({"pricing": "skip", "n": 3}, 0.0, [lambda v: 2 * v]),
        ({"values": ((0.0, 1.0), (0.0, 2.0))}, 0.0, [lambda v: unequal(v, 0.75), lambda v: unequal(v, -0.75)]),
    ],
)
def test_equilibria_in_closed_form_lose_nothing(parameters: dict, reserve: float, bids: list) -> None:
    game = auction(**parameters)
    functions = [lambda seen, bid=bid: bid(seen[:, 0]) for bid in (bids * game.n)[: game.n]]
    found = judge(game, [reserve], functions, equilibrium=lambda seat: functions[seat], draws=DRAWS)
    for each in found.groups:
        assert each.how == "best_bid" and each.l2 == 0
        assert -2e-4 < each.loss[0] <= 1e-9 and 0 <= each.loss[1] < 2e-4


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"n": 3, "reserve": 0.3, "announced": ("entry_fee",)},
        {"n": 4, "pricing": "next"},
        {"n": 3, "pricing": "skip"},
        {"pricing": "all_pay", "announced": ("reserve", "entry_fee")},
        {"announced": ("reserve", "mix")},
    ],
)
def test_the_table_is_the_rule_itself(parameters: dict) -> None:
    """Payoffs by the table equal means over the game's own auctions, at ties and below the reserve too."""
    game, rng = auction(**parameters), np.random.default_rng(0)
    w = np.linspace(0.25, 0.4, len(game.parameter_layout()))
    state = announced(game, w, 400, rng)
    state.types[:, 1] = VALUE
    actions = np.round(state.types * 8) / 16  # ties everywhere
    table = interim(game, state, actions, 1)
    assert isinstance(table, Interim)
    for bid in (0.0, 0.125, 0.1874, 0.25, 0.3125, 0.5, 0.9):
        sent = actions.copy()
        sent[:, 1] = bid
        share, payment = table(np.array(bid))
        assert VALUE * share - payment == pytest.approx(payoffs(game, state, sent)[:, 1].mean(), abs=1e-12)


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"n": 3, "slots": (1.0, 0.5), "pricing": "next"}, "share and payment"),
        ({"information": "affiliated"}, "types are not independent"),
        ({"n": 3, "information": "mineral_rights"}, "types are not independent"),
        ({"risk_aversion": 0.5}, "payoffs are not worth less payment"),
    ],
)
def test_what_has_no_such_table_is_refused_with_its_reason(parameters: dict, why: str) -> None:
    game = auction(**parameters)
    state = announced(game, NOTHING, 2_000, np.random.default_rng(0))
    found = interim(game, state, state.types[..., :1] / 2, 0)
    assert isinstance(found, NoSolution) and why in str(found)


def test_bins_find_the_same_loss_as_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def shaded(seen):
        return 0.4 * seen[:, 0]

    (exact,) = judge(auction(), NOTHING, shaded, draws=DRAWS).groups
    monkeypatch.setattr(judging, "interim", lambda *_: NoSolution("not today"))
    found = [judge(auction(), NOTHING, shaded, draws=DRAWS // 2, seed=seed).groups[0] for seed in range(8)]
    assert exact.how == "best_bid" and all(each.how == "bins" for each in found)
    lows, highs = np.array([each.loss for each in found]).T
    assert lows.mean() < exact.loss[1] and highs.mean() > exact.loss[0]
    assert all(high - low < 0.02 * each.payoff for each in found for low, high in [each.loss])


def test_equilibria_of_other_formats_lose_little_in_bins() -> None:
    """Position auctions (ln(1 + v)), common worths, risk aversion, core-selecting package auctions."""
    cases = [
        (auction(n=3, slots=(1.0, 0.5), pricing="next"), lambda seen: np.log1p(seen[:, 0])),
        (auction(n=3, pricing="next", information="mineral_rights"), lambda seen: 2 * seen[:, 0] / (2 + seen[:, 0])),
        (auction(risk_aversion=0.5), lambda seen: seen[:, 0] / 1.5),
    ]
    for game, bids in cases:
        worst = judge(game, NOTHING, bids, draws=2**17).worst
        assert worst.how == "bins"
        assert worst.loss[0] <= 2e-4 and worst.loss[1] < 2e-3, game
    game = make_game("combinatorial_auction", pricing="nearest_zero")
    known = equilibrium_bids(game, NOTHING)
    found = judge(game, NOTHING, [known(seat) for seat in range(3)], equilibrium=known, draws=2**17)
    assert [each.seats for each in found.groups] == [(0, 1), (2,)]
    assert all(each.loss[1] < 0.02 * each.payoff and each.l2 == 0 for each in found.groups)


def test_no_more_is_drawn_than_is_used_and_the_judgement_says_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def bids(seen):
        drawn.append(len(seen))
        return seen[:, 0] / 2

    assert judge(auction(), NOTHING, bids, draws=4_096).draws == (4_096,)
    assert sum(drawn) == 2 * (4_096 + judging.TYPES), "of two seats each"
    drawn.clear()
    monkeypatch.setattr(judging, "PROFILES", 3_000)
    position = auction(n=3, slots=(1.0, 0.5))
    assert judge(position, NOTHING, bids, draws=4_096).draws == (3_000,)
    assert sum(drawn) == 3 * (3_000 + judging.TYPES)
    assert judge(position, NOTHING, bids, draws=2_000).draws == (2_000,)


def test_groups_that_are_known_are_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    game = auction(values=((0.0, 1.0), (0.0, 2.0)))
    found = judge(game, NOTHING, half, draws=256)
    monkeypatch.setattr(judging, "alike", None)
    assert judge(game, NOTHING, half, groups=[0, 1], draws=256) == found
    for wrong in ([0], [1, 0], [0, 2]):
        with pytest.raises(ParameterError, match="numbers of 2 seats, from 0"):
            judge(game, NOTHING, half, groups=wrong, draws=256)


def test_truth_in_a_first_price_auction_of_positions_is_found_to_lose() -> None:
    game = auction(n=3, slots=(1.0, 0.5))
    (found,) = judge(game, NOTHING, lambda seen: seen[:, 0], draws=2**15).groups
    assert found.payoff == pytest.approx(0, abs=1e-12) and found.loss[0] > 0.05 and found.relative_loss is None


def test_levels_are_judged_by_every_other_level() -> None:
    """Truth on a grid in a second-price auction loses nothing; always bidding the most does."""
    game = auction(pricing="next", n_bids=17)
    truthful = judge(game, NOTHING, lambda seen: np.rint(16 * seen[:, 0]).astype(int), draws=2**14).groups[0]
    assert truthful.how == "bins" and truthful.l2 is None and truthful.loss[1] < 0.02 * truthful.payoff
    highest = judge(game, NOTHING, lambda seen: np.full(len(seen), 16), draws=2**14).groups[0]
    assert highest.loss[0] > 0.1


def test_policies_are_judged_as_functions_are() -> None:
    game = auction()
    (found,) = judge(game, NOTHING, make_policy(game, "participant", "random"), draws=2**14).groups
    assert found.loss[0] > 0.1
    again, other = (judge(game, NOTHING, half, draws=2**12, seed=seed).groups[0].loss for seed in (0, 1))
    assert again == judge(game, NOTHING, half, draws=2**12).groups[0].loss != other


def test_seats_are_alike_where_neither_types_nor_rules_tell_them_apart() -> None:
    assert alike(auction(n=3), NOTHING) == (0, 0, 0)
    assert alike(auction(values=((0.0, 1.0), (0.0, 2.0))), NOTHING) == (0, 1)
    assert alike(auction(n=3, handicaps=(0.1, 0.0, 0.1)), NOTHING) == (0, 1, 0)
    assert alike(auction(n=3, information="mineral_rights"), NOTHING) == (0, 0, 0)
    assert alike(make_game("combinatorial_auction"), NOTHING) == (0, 0, 1)
    assert alike(make_game("double_auction", n=5, sellers=2), np.array([0.5, 0.0])) == (0, 0, 0, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((auction(), [0.0, 1.0], half), ParameterError, "allowed: 1 "),
        ((auction(), [float("nan")], half), ParameterError, "allowed: finite numbers"),
        ((auction(), [-0.5], half), ParameterError, r"is \[-0.5\], allowed: from \[0.0\] to"),
        ((auction(), [0.0], [half]), ParameterError, "a function, or one for each seat"),
        ((auction(), [0.0], lambda seen: seen[:3, 0]), ParameterError, "have the shape"),
        ((make_game("public_investment"), [0.0], half), UnsupportedGameError, "public_investment"),
    ],
)
def test_bad_input_is_refused(arguments: tuple, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        judge(*arguments, draws=128)
    with pytest.raises(ParameterError, match="draws is 8"):
        judge(auction(), NOTHING, half, draws=8)
