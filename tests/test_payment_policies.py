"""Payments between learning agents: what agents learn, the payment game, and its equilibria."""

from __future__ import annotations

import numpy as np
import pytest

import lawgiver
from lawgiver.envs.core.errors import ConvergenceError, LawgiverError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.payment_policies import game as rules
from lawgiver.envs.payment_policies import solutions
from lawgiver.envs.payment_policies.dynamics import LEARNERS
from lawgiver.envs.payment_policies.stages import TWO_BY_TWO, auction_outcomes
from lawgiver.envs.payment_policies.subgame import MONEY, NET
from lawgiver.envs.solvers.equilibrium.normal_form import normal_form
from lawgiver.envs.solvers.equilibrium.subgame import uniform_prior
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import equilibrium_objective, solve

FINE = {"n_bids": 51, "rounds": 2000, "learning_rate": 0.2}
NOTHING = np.zeros(1)
DILEMMA = {"stage": "prisoners_dilemma", "menu": (0, 0.5, 1, 1.5, 2.1, 2.5, 3)}


def payoffs_at(game, first, second, w=NOTHING):
    """Compute payoffs (2,) and revenue where the principals offer these amounts."""
    learned = game.learned(np.array([w]), np.array([[[first, second]]], float))[0, 0]
    return learned @ NET, float(-(learned @ MONEY).sum())


# -- known outcomes ---------------------------------------------------------------------------------------------------

TABLE = [
    ({"stage": "second_price", **FINE}, (0.727, 0.0, 0.273), (0.02, 0), (0.971, 0.019, 0.009)),
    ({"stage": "second_price", "values": (1, 1), **FINE}, (0.008, 0.008, 0.984), (0.3, 0.5), (0.5, 0.5, 0.0)),
    ({"stage": "first_price", **FINE}, (0.494, 0.0, 0.499), (0.2, 0), (0.582, 0.203, 0.136)),
    (
        {
            "stage": "first_price",
            "values": (1, 1),
            **FINE,
            "rounds": 8000,
            "learning_rate": 0.05,
            "menu": (0, 0.2, 0.5),
        },
        (0.048, 0.048, 0.904),
        (0.2, 0.2),
        (0.413, 0.413, 0.174),
    ),
    (DILEMMA, (1, 1, 0), (2.1, 2.1), (3, 3, 0)),
]
"""Payoffs and revenue when nobody pays; the equilibrium of the menu, and what is paid in it; of another program."""


@pytest.mark.parametrize(("params", "nobody", "amounts", "paid"), TABLE)
def test_equilibria_of_the_menu_are_those_of_another_program(params, nobody, amounts, paid):
    game = make_game("payment_policies", **params)
    values, revenue = payoffs_at(game, 0, 0)
    assert (*values, revenue) == pytest.approx(nobody, abs=0.005)
    offered = [tuple(game.menu[k] for k in pair) for pair in solutions.pure_equilibria(game, NOTHING)]
    assert min(offered, key=sum) == amounts  # it takes approximate ones for exact
    values, revenue = payoffs_at(game, *amounts)
    assert (*values, revenue) == pytest.approx(paid, abs=0.005)


@pytest.mark.parametrize("amount", [0.02, 0.1, 0.25, 0.5])
def test_any_payment_ends_competition_at_the_second_price(amount):
    """Once the first agent bids above the other's value, to bid nothing is all that still earns the other something."""
    game = make_game("payment_policies", **FINE)
    (_, _), before = payoffs_at(game, 0, 0)
    (first, second), revenue = payoffs_at(game, amount, 0)
    assert before == pytest.approx(0.273, abs=0.005)  # not 1/2: the agent who loses does not learn to bid its value
    assert revenue <= 0.1 * before
    assert first + second >= 0.98
    assert (first > 0.73) == (amount < 0.27)
    assert (first, second) == pytest.approx((1 - amount, amount), abs=0.012)


@pytest.mark.parametrize("learner", LEARNERS)
def test_the_dilemma_is_turned_by_payments(learner):
    game = make_game("payment_policies", learner=learner, **DILEMMA | {"learning_rate": 0.1, "rounds": 2000})
    (first, second), _ = payoffs_at(game, 0, 0)
    assert (first, second) == pytest.approx((1, 1), abs=1e-3)
    (first, second), _ = payoffs_at(game, 2.1, 0)
    assert (first, second) == pytest.approx((2.9, 2.1), abs=1e-3)  # better for both than to pay nothing
    (first, second), _ = payoffs_at(game, 2.1, 2.1)
    assert (first, second) == pytest.approx((3, 3), abs=1e-3)
    assert solutions.pure_equilibria(game, NOTHING) == [(4, 4)]


@pytest.mark.parametrize("stage", TWO_BY_TWO)
def test_the_least_payment_makes_the_first_action_dominant(stage):
    table = np.array(TWO_BY_TWO[stage])
    for sign in (-1, 1):
        paid = solutions.least_payments(table) + sign * 1e-6
        first = table[0, :, 0] + paid[0] - table[1, :, 0]
        second = table[:, 0, 1] + paid[1] - table[:, 1, 1]
        assert all((gain > 0).all() == (sign > 0) for gain in (first, second))
    assert solutions.least_payments(TWO_BY_TWO["prisoners_dilemma"]).tolist() == [2, 2]


def test_linear_weights_learn_what_hedge_does():
    for stage, near in (("second_price", 0.005), ("first_price", 0.01)):
        hedge, linear = (
            make_game("payment_policies", stage=stage, learner=learner, **FINE, menu=(0, 0.1, 0.2)).subgame.tables(
                NOTHING, NOTHING
            )
            for learner in LEARNERS[:2]
        )
        assert np.abs(hedge - linear)[..., 0, 0, :].max() < near
        assert np.abs(hedge - linear)[:, 1:].max() < 5 * near


# -- rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mix", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("at", [0, 1, 3, 5])
def test_between_cells_of_bids_a_reserve_shuts_out_whole_levels(mix, at):
    values, bids = np.array([1.0, 0.6]), np.linspace(0, 1, 6)
    reserve = max(bids[at] - 0.1, 0.0)  # where the cell of the level begins
    worth, price = np.moveaxis(auction_outcomes(values, bids, np.array([reserve]), np.array([mix]))[0], 1, 0)
    for player, own, other in np.ndindex(2, 4, 4):
        takes_part, rival = bids[own] >= reserve, bids[other] >= reserve
        share = takes_part * (1.0 if not rival or own > other else 0.5 * (own == other))
        best = max(bids[own], reserve)
        following = max(min(bids[other], bids[own]), reserve) if rival else reserve
        assert worth[player, own, other] == pytest.approx(share * values[player])
        assert price[player, own, other] == pytest.approx(share * (mix * best + (1 - mix) * following))


def test_a_reserve_is_a_price():
    game = make_game("payment_policies", **FINE)
    (first, second), revenue = payoffs_at(game, 0, 0, np.array([0.8]))
    assert (first, second, revenue) == pytest.approx((0.2, 0, 0.8), abs=0.002)
    (first, second), revenue = payoffs_at(game, 0.1, 0, np.array([0.2]))
    assert (first, second, revenue) == pytest.approx((0.7, 0.1, 0.2), abs=0.005)


@pytest.mark.parametrize("params", [{}, {"stage": "first_price"}, DILEMMA])
@pytest.mark.parametrize("tax", [0.0, 0.4])
def test_payments_balance_but_for_the_tax(params, tax):
    game = make_game("payment_policies", announced=("tax",), **params)
    amounts = np.random.default_rng(0).choice(game.menu, (20, 2))
    learned = game.learned(np.array([[tax]]), amounts[None])[0]
    worth, price, made, received = np.moveaxis(learned, -1, 0)
    np.testing.assert_allclose(received, (1 - tax) * made[:, ::-1], atol=1e-12)
    assert (made <= amounts + 1e-12).all() and (made >= 0).all()
    revenue = -(learned @ MONEY).sum(-1)
    np.testing.assert_allclose(revenue, (price + tax * made).sum(-1), atol=1e-12)
    np.testing.assert_allclose((learned @ NET).sum(-1) + revenue, worth.sum(-1), atol=1e-12)


def test_payments_that_are_taxed_away_change_nothing_that_is_learned():
    game = make_game("payment_policies", announced=("tax",))
    tables = game.subgame.tables(np.ones(1), np.ones(1))
    np.testing.assert_allclose(tables[..., :2], tables[:, :1, :1, :2] + 0 * tables[..., :2], atol=1e-12)
    known = solutions.pure_equilibria(game, game.members["no_payments"], 1e-9)
    assert known[0] == (0, 0) and {first for first, _ in known} == {0}  # the first agent never bids 0: nothing is due


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("stage", ["second_price", "first_price", (((2, -1), (0, 3)), ((1, 0), (4, 2)))])
def test_exchanged_participants_exchange_outcomes(stage, learner):
    auction = isinstance(stage, str)
    turned = {"stage": stage, "values": (0.5, 1)} if auction else {"stage": np.swapaxes(stage, 0, 1)[..., ::-1]}
    params = {"learner": learner, "learning_rate": 0.1, "rounds": 100}
    game, other = (make_game("payment_policies", **params, **each) for each in ({"stage": stage}, turned))
    w = np.array([[0.3]])
    amounts = np.random.default_rng(1).choice(game.menu, (1, 30, 2))
    found = game.learned(w, amounts)
    np.testing.assert_allclose(found, other.learned(w, amounts[..., ::-1])[..., ::-1, :], atol=1e-9)


def test_equal_participants_who_pay_alike_get_alike():
    game = make_game("payment_policies", values=(1, 1), menu=(0, 0.2, 0.5))
    tables = game.subgame.tables(NOTHING, NOTHING)
    np.testing.assert_allclose(tables[0], tables[1], atol=1e-12)


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("params", [{"announced": ("reserve", "mix", "tax"), "n_bids": 11}, {"stage": "chicken"}])
def test_torch_plays_as_numpy_does(params, learner, monkeypatch):
    torch = pytest.importorskip("torch")
    game = make_game("payment_policies", learner=learner, learning_rate=0.1, rounds=60, **params)
    rng = np.random.default_rng(2)
    w = rng.random((12, len(game.rule_names)))
    w[6:] = w[6]
    actions = rng.integers(0, len(game.menu), (12, 2)).astype(float)
    types = game.initial_types(np.zeros((12, 2, 1)))
    by_numpy = game.allocate(types, game.announcements(actions), w)
    there = [torch.as_tensor(each) for each in (types, actions, w)]
    by_torch = game.allocate(there[0], game.announcements(there[1]), there[2])
    monkeypatch.setattr(rules, "TABLES_MEMORY", 3 * game.numbers / 2**17)
    np.testing.assert_allclose(by_torch.numpy(), by_numpy, atol=1e-10)
    in_threes = game.allocate(types, game.announcements(actions), w)
    np.testing.assert_allclose(in_threes, by_numpy, atol=1e-12)


def test_bids_above_the_value_are_never_made():
    game = make_game("payment_policies", values=(1, 0.5), n_bids=5, rounds=8)
    assert game.agents.legal.tolist() == [[1] * 5, [1, 1, 1, 0, 0]]
    uneven = make_game("payment_policies", values=(0.55, 1.3), n_bids=14, rounds=8)
    assert uneven.agents.legal.sum(axis=1).tolist() == [6, 14]
    (first, second), _ = payoffs_at(uneven, 0, 0)
    assert min(first, second) >= 0


# -- the payment game -------------------------------------------------------------------------------------------------


def test_the_payment_game_is_the_normal_form_of_the_round():
    game = make_game("payment_policies", announced=("reserve", "tax"))
    w = (0.1, 0.2)
    form = normal_form(game, make_policy(game, "mechanism", "rule", parameters=w))
    np.testing.assert_allclose(form.payoffs, solutions.payment_game(game, w), atol=1e-9)


def test_measures_are_what_games_pay_on_average():
    game = make_game("payment_policies", menu=(0, 0.1), announced=("reserve", "tax"))
    w, policy = np.array([0.2, 0.5]), np.array([[[0.3, 0.7], [0.6, 0.4]]])
    state = game.initial_state(4, np.random.default_rng(0))
    state, *_ = game.advance(state, np.broadcast_to(w, (4, 2)), {})
    actions = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    state, rewards, _, _ = game.step(state, actions, {})
    chances = policy[0, 0, actions[:, 0].astype(int)] * policy[0, 1, actions[:, 1].astype(int)]
    found = game.subgame.measures(w, policy)
    for name, measure in game.measures().items():
        assert found[name] == pytest.approx(chances @ measure(state), abs=1e-12)
    z = game.subgame.aggregates(policy)
    np.testing.assert_allclose(
        (policy * game.subgame.rewards(w, z)).sum(-1)[0], chances @ rewards["participant"], atol=1e-12
    )


def test_infos_hold_payments_and_revenue():
    game = make_game("payment_policies", announced=("reserve", "tax"))
    state = game.initial_state(1, np.random.default_rng(0))
    assert not any(np.any(value) for value in game.infos(state).values())
    state, *_ = game.advance(state, np.array([[0.1, 0.5]]), {})
    state, rewards, _, _ = game.step(state, np.array([[5.0, 2.0]]), {})
    infos = game.infos(state)
    assert {name: value.shape for name, value in infos.items()} == {
        "utilities": (1, 2),
        "payments": (1, 2),
        "revenue": (1,),
    }
    np.testing.assert_allclose(infos["utilities"] - infos["payments"], rewards["participant"], atol=1e-12)
    np.testing.assert_allclose(infos["payments"].sum(-1), infos["revenue"], atol=1e-12)
    assert infos["revenue"] == rewards["mechanism"][:, 0] > 0


def test_nash_equilibria_by_support_enumeration_contain_the_pure_ones():
    nashpy = pytest.importorskip("nashpy")
    game = make_game("payment_policies", stage="chicken", menu=(0, 0.3, 1.1, 1.6))
    first, second = solutions.payment_game(game, NOTHING)
    enumerated = nashpy.Game(first, second).support_enumeration()
    pure = {(int(x.argmax()), int(y.argmax())) for x, y in enumerated if max(x) == max(y) == 1}
    assert pure == set(solutions.pure_equilibria(game, NOTHING, 0.0)) != set()


def test_an_exact_equilibrium_comes_before_approximate_ones():
    """At the first price less is offered in pairs that a deviation of .0002 to .001 breaks."""
    game = make_game("payment_policies", stage="first_price")
    apart = solutions.regrets(solutions.payment_game(game, NOTHING))
    (i, j), *others = solutions.pure_equilibria(game, NOTHING)
    assert apart[i, j] < 1e-12 and others and min(apart[pair] for pair in others) > 1e-4
    assert min(game.menu[a] + game.menu[b] for a, b in others) < game.menu[i] + game.menu[j]
    found = solutions.equilibrium(game, NOTHING)
    assert found.regret < 1e-12 and found.strategies.argmax(axis=1).tolist() == [i, j]


def test_an_approximate_equilibrium_is_the_last_resort(monkeypatch):
    """A mixed equilibrium comes before an approximate pure one; where the algorithm ends at none, that is told."""
    pytest.importorskip("nashpy")
    game = make_game("payment_policies", menu=(0, 0.1))
    nearly = np.array([[[0.0, 1.0], [1e-3, 0.0]], [[1.0, 0.0], [0.0, 1.0]]])  # (0, 0) is off by .001
    monkeypatch.setattr(solutions, "payment_game", lambda *_: nearly)
    assert solutions.pure_equilibria(game, NOTHING) == [(0, 0)]
    mixed = solutions.equilibrium(game, NOTHING)
    assert mixed.regret < 1e-12 and (mixed.strategies > 0).sum() > 2

    def nowhere(*_):
        raise ConvergenceError("ends nowhere")

    monkeypatch.setattr(solutions, "mixed_equilibrium", nowhere)
    assert solutions.equilibrium(game, NOTHING).regret == pytest.approx(1e-3)


def test_solve_names_an_approximate_equilibrium(monkeypatch):
    game = make_game("payment_policies", menu=(0, 0.1), rounds=40)
    exact = lawgiver.solve(game)[0]
    assert exact.quantity.startswith("revenue in a Nash") and exact.residual < 1e-9
    found = solutions.PaymentEquilibrium(np.array([[1.0, 0.0], [1.0, 0.0]]), 1e-3)
    monkeypatch.setattr(solutions, "equilibrium", lambda *_: found)
    near = lawgiver.solve(game)[0]
    assert near.quantity == f"approximate {exact.quantity}" and near.residual == 1e-3 and near.value is not None


def test_a_mixed_equilibrium_is_found_where_there_is_no_pure_one():
    pytest.importorskip("nashpy")
    cycle = (((-2, 3), (3, -2)), ((2, -2), (0, 3)))
    game = make_game("payment_policies", stage=cycle, menu=(0, 0.5, 1.1, 2.1), rounds=56)
    assert solutions.pure_equilibria(game, NOTHING) == []
    found = solutions.equilibrium(game, NOTHING)
    assert found.regret < 1e-9 and found.strategies.max() < 0.95
    assert [each.residual() <= each.tolerance for each in game.known_solutions()] == [True] * 6


@pytest.mark.parametrize("params", [{}, DILEMMA, {"values": (1, 1)}])
def test_bounded_principals_come_near_the_nash_equilibrium(params):
    game = make_game("payment_policies", **params)
    found = solve(game.subgame, NOTHING, 1000.0 / game.welfare_scale, uniform_prior(game.subgame))
    assert found.residual < 1e-9
    rewards = game.subgame.rewards(NOTHING, game.subgame.aggregates(found.policy))
    assert (rewards.max(-1) - (found.policy * rewards).sum(-1)).max() < 0.003 * game.welfare_scale


@pytest.mark.parametrize("w", [(0.3, 0.4), (0.05, 0.9)])
def test_the_gradient_in_what_is_announced(w):
    pytest.importorskip("torch")
    from lawgiver.trainers.mechanism_design.two_timescale.subgame_gradient import objective_and_gradient

    game = make_game("payment_policies", announced=("reserve", "tax"), rounds=100, n_bids=11, menu=(0, 0.1, 0.3))
    w = np.array(w)
    value, gradient = objective_and_gradient(game, w, 30.0, uniform_prior(game.subgame))
    assert value == pytest.approx(equilibrium_objective(game, w, 30.0), abs=1e-12)
    for j, nudge in enumerate(1e-4 * np.eye(2)):
        far = [equilibrium_objective(game, w + k * nudge, 30.0) for k in (-1, 1)]
        assert gradient[j] == pytest.approx((far[1] - far[0]) / 2e-4, abs=1e-4)


# -- a seller who learns ----------------------------------------------------------------------------------------------

SMALL = (
    "game.n_bids=11",
    "game.rounds=300",
    "game.menu=[0,0.05,0.1,0.2]",
    "trainer.iterations=40",
    "trainer.log_every=20",
)


@pytest.mark.parametrize(
    ("least", "overrides"),
    [
        (0.98, ()),
        (0.98, ("game.announced=[reserve]", "agents.mechanism.start=[0.3]", "trainer.radius.initial=0.02")),
        (
            0.98,
            (
                *("game.stage=prisoners_dilemma", "game.announced=[tax]", "game.menu=[0,1,2.1,3]"),
                *("game.objective=welfare", "game.n_bids=21", "agents.participants.inverse_temperature=5"),
                "agents.mechanism.start=[0.5]",
            ),
        ),
    ],
)
def test_what_the_seller_learns_is_nearly_the_best_in_the_box(least, overrides):
    pytest.importorskip("torch")
    from lawgiver.trainers.mechanism_design.two_timescale.setup import prepare
    from lawgiver.trainers.mechanism_design.two_timescale.train import begin
    from lawgiver.trainers.runs.config import load_config

    setup = prepare(load_config("payment_policies", [*SMALL, *overrides]))
    progress = begin(setup)
    for number in range(setup.config.trainer.iterations):
        progress.update(number)
    assert setup.exact(setup.start) < 0.9 * setup.best.value
    assert setup.exact(progress.optimiser.coefficients) > least * setup.best.value


def test_the_summary_of_a_training_names_rules_and_payments(tmp_path):
    pytest.importorskip("torch")
    from lawgiver.trainers.runs.launch import train

    short = ("trainer.iterations=2", "trainer.log_every=1", f"run_dir={tmp_path / 'run'}")
    _, summary = train("payment_policies", [*SMALL, *short])
    mechanisms = ["no_reserve", "second_price", "first_price", "start", "learned", "best_in_box"]
    assert list(summary["revenue"]) == [*mechanisms, "first_best"]
    assert list(summary["parameters"]) == ["mix"]
    assert summary["parameters"]["mix"]["first_price"] == 1
    assert {"welfare", "surplus", "gap_closed", "incentives", "payment_0", "payment_1"} <= set(summary)
    for name in mechanisms:
        kept = summary["welfare"][name] - summary["revenue"][name]
        assert summary["surplus"][name] == pytest.approx(kept, abs=1e-12)
        assert summary["incentives"]["expected_budget"][name] == pytest.approx(-summary["revenue"][name])


# -- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"stage": "secondprice"}, "did you mean 'second_price'"),
        ({"stage": [[1, 2], [3, 4]]}, "numbers (2, 2, 2)"),
        ({"stage": [[[1, 2], [3, 4]], [[1, 2], [3]]]}, "numbers (2, 2, 2)"),
        ({"stage": [[[1, 2], [3, 4]], [[1, 2], [3, np.inf]]]}, "stage[1][1][1] is inf"),
        ({"stage": "chicken", "values": (1, 2)}, "values is (1.0, 2.0) with stage='chicken'"),
        (
            {"stage": "chicken", "announced": ["reserve"]},
            "announced is ['reserve'] with stage='chicken', which has no reserve",
        ),
        ({"stage": "chicken", "announced": ("mix", "tax")}, "which has no mix, allowed: ['tax']"),
        ({"announced": []}, "announced is [], allowed: a list of different names"),
        ({"values": (1, 0)}, "values[1] is 0"),
        ({"values": 1}, "values is 1, allowed: two numbers"),
        ({"menu": []}, "menu is [], allowed: 1 to 64 amounts"),
        ({"menu": [-0.1, 0.2]}, "menu[0] is -0.1, allowed: a number in [0, 1e12]"),
        ({"menu": [0.2, 0.1]}, "menu[1] is 0.1 after 0.2"),
        ({"menu": range(65)}, "menu is range(0, 65)"),
        ({"n_bids": 1}, "n_bids is 1, allowed: an integer in 2..1,001"),
        ({"learning_rate": 0}, "learning_rate is 0, allowed: a number in (0, 1e6]"),
        ({"learner": "multiplicative_weights", "learning_rate": 0.7}, "allowed: below 0.666667"),
        ({"learner": "fictitious_play"}, "learner is 'fictitious_play'"),
        ({"rounds": 3}, "rounds is 3, allowed: an integer in 4..1,000,000"),
        ({"n": 3}, "has no parameter 'n'"),
        ({"objective": "profit"}, "objective is 'profit'"),
    ],
)
def test_wrong_parameters_are_refused_by_name(params, says):
    with pytest.raises(LawgiverError) as refusal:
        make_game("payment_policies", **params)
    assert says in str(refusal.value) and "\n" not in str(refusal.value)
