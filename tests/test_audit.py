"""The incentive audit against rules whose best misreports are known, and what the command line makes of it."""

from __future__ import annotations

import json
import re
import sys
from itertools import pairwise

import array_api_compat
import numpy as np
import pytest
import scipy.sparse
from typer.testing import CliRunner

import lawgiver
from lawgiver.agents.network_policies import LearnedMechanism
from lawgiver.agents.reporting import AffineMaximiser
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.fields import Field
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.trainers.audit import audit, response_of
from lawgiver.trainers.audit.trials import Trials, own_of, truth
from lawgiver.trainers.cli import app, main
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.overrides import read_overrides
from lawgiver.trainers.runs.training_run import TrainingRun

VALUE = (Field("value", 1, 0, 1, "money", "of the item"),)
TWO = (Field("value", 2, 0, 1, "money a unit", "of two goods"), Field("demand", 2, 0, 1, "units", "of two goods"))


def profiles(count, n, layout, seed=0):
    size = sum(field.size for field in layout)
    return np.random.default_rng(seed).random((count, n, size))


def auction(own_price):
    """One item to the highest bid, for the winner's own bid or the second-highest one."""

    def response(types, reports):
        xp = array_api_compat.array_namespace(reports)
        bids = reports[..., 0]
        ordered = xp.sort(bids, axis=-1)
        won = xp.astype(bids == ordered[:, -1:], bids.dtype)
        won = won * xp.astype(xp.cumulative_sum(won, axis=-1) <= 1, bids.dtype)
        price = bids if own_price else ordered[:, -2:-1]
        return won * types[..., 0], won * price

    return response


def test_a_second_price_auction_leaves_nothing_to_gain():
    found = audit(auction(own_price=False), VALUE, profiles(100, 3, VALUE), effort=2)
    assert found.largest_gain < 1e-12
    assert list(found.regrets) == ["value"] and found.joint is found.regrets["value"]
    assert found.tried > 100 * 3 * 100
    assert (found.payoffs >= 0).all()


def test_in_a_first_price_auction_the_winner_shades_down_to_the_second():
    types = profiles(100, 3, VALUE)
    found = audit(auction(own_price=True), VALUE, types, effort=2)
    values = types[..., 0]
    second = np.sort(values)[:, -2]
    best = np.where(values == values.max(1, keepdims=True), values - second[:, None], 0.0)
    assert (found.joint.gains <= best + 1e-12).all()
    assert found.joint.gains.sum() >= 0.999 * best.sum()
    winner = np.flatnonzero(best.ravel() > 0.01)
    assert (found.joint.gains.ravel()[winner] > 0.99 * best.ravel()[winner] - 1e-4).all()
    told = found.data()["groups"]["value"]["worst"]
    profile = int(np.unravel_index(found.joint.gains.argmax(), values.shape)[0])
    assert told["gain"] == pytest.approx(best.max(), rel=1e-3)
    np.testing.assert_array_equal(told["types"]["value"], types[profile])
    assert told["report"]["value"][0] == pytest.approx(second[profile], abs=1e-4)


def test_revenue_falls_to_the_second_value_when_a_first_price_auction_is_gamed():
    """The winner reports just above the second, which is the truth of the loser, who cannot gain."""
    game = make_game("sequential_sales", n=2, m=1, mechanism_mode="allocate")
    found = lawgiver.audit("pay_as_bid", game, profiles=60, effort=1)
    values = found.types[..., 0]
    np.testing.assert_allclose(found.payments.sum(1), values.max(1))
    np.testing.assert_allclose(found.gamed.sum(1), values.min(1), atol=1e-3)
    told = found.data()
    for name, paid in {"revenue": values.max(1), "revenue_gamed": values.min(1)}.items():
        assert told[name].mean == pytest.approx(paid.mean(), abs=1e-3)
        assert told[name].standard_error == pytest.approx(paid.std(ddof=1) / 60**0.5, abs=1e-3)


def test_a_truthful_mechanism_is_paid_the_same_when_everybody_looks_for_gains():
    told = lawgiver.audit("vcg", {"name": "sequential_sales", "n": 3, "m": 2}, profiles=20, effort=1).data()
    assert told["revenue_gamed"] == told["revenue"] and told["revenue"].mean == told["budget"]["mean"].mean > 0


def test_revenue_is_told_only_where_the_mechanism_is_paid_it():
    other = {"name": "sequential_sales", "n": 2, "m": 1, "objective": "welfare"}
    told = lawgiver.audit("vcg", other, profiles=2, effort=1).data()
    assert told["revenue"] is None and told["revenue_gamed"] is None


def smooth(types, reports):
    """Gains only in the second number of demand, by a report of 0.3 + 0.2 x the true value of the first good."""
    target = 0.3 + 0.2 * types[..., 0]
    return 1 - (reports[..., 3] - target) ** 2, 0 * types[..., 0]


def test_gains_are_told_by_the_field_that_brings_them():
    types = profiles(40, 2, TWO)
    found = audit(smooth, TWO, types, effort=2)
    best = (types[..., 3] - 0.3 - 0.2 * types[..., 0]) ** 2
    assert list(found.regrets) == ["value", "demand", "joint"]
    assert found.regrets["value"].gains.max() == 0
    np.testing.assert_array_equal(found.regrets["value"].reports, types)
    np.testing.assert_allclose(found.regrets["demand"].gains, best, atol=1e-4)
    assert (found.regrets["joint"].gains >= found.regrets["demand"].gains).all()
    np.testing.assert_array_equal(found.regrets["demand"].reports[..., :2], types[..., :2])
    assert found.differentiable


def test_a_slope_finds_what_chance_misses():
    size = 12
    layout = (Field("value", size, 0, 1, "money", "of many goods"),)
    types = profiles(10, 2, layout)

    def narrow(true, reports):
        aim = 0.3 + 0.4 * true * true
        return 10 * size - ((reports - aim) ** 2).sum(-1), 0 * true[..., 0]

    best = ((types - 0.3 - 0.4 * types**2) ** 2).sum(-1)
    with_slope = audit(narrow, layout, types, effort=1)
    without = audit(narrow, layout, types, effort=1, gradient=False)
    assert with_slope.differentiable and not without.differentiable
    assert (best - with_slope.joint.gains).max() < (best - without.joint.gains).max() / 3


def spiky(types, reports):
    """Return utilities of a rough landscape, where more effort should pay, and no payments."""
    xp = array_api_compat.array_namespace(reports)
    return xp.sum(xp.sin(37 * reports) * xp.cos(11 * reports + types), axis=-1), 0 * types[..., 0]


@pytest.fixture(scope="module")
def hills():
    """Return what is to be gained on the spiky landscape by group, and audits of effort 1 and 2 that have no slope.

    Every number of a report can be chosen apart, so that a fine grid of one number has the best of all.
    """
    types, grid = profiles(20, 2, TWO), np.linspace(0, 1, 20_001)
    heights = np.sin(37 * grid) * np.cos(11 * grid + types[..., None])
    each = heights.max(-1) - np.sin(37 * types) * np.cos(11 * types + types)
    best = {"value": each[..., :2].sum(-1), "demand": each[..., 2:].sum(-1), "joint": each.sum(-1)}
    return best, [audit(spiky, TWO, types, effort=effort, gradient=False) for effort in (1, 2)]


def test_of_many_hills_beside_each_other_the_highest_are_found(hills):
    best, (once, twice) = hills
    for name, most in best.items():
        assert (twice.regrets[name].gains <= most + 1e-6).all()
        assert once.regrets[name].gains.mean() > 0.95 * most.mean()
        assert twice.regrets[name].gains.mean() > 0.98 * most.mean()


def test_an_audit_says_what_doubling_its_effort_has_added_and_is_about_as_far_from_the_best(hills):
    best, (once, twice) = hills
    for name, regret in twice.regrets.items():
        np.testing.assert_allclose(regret.gains - regret.added, once.regrets[name].gains, atol=1e-12)
        for found in (once, twice):
            told = found.data()["groups"][name]["doubling"]
            assert told["absolute"] == pytest.approx(found.regrets[name].added.mean())
            assert told["relative"] == pytest.approx(found.relative_added(found.regrets[name]).mean())
            missed = best[name].mean() - found.regrets[name].gains.mean()
            assert 0 < missed < 2.5 * told["absolute"]


def test_what_a_search_of_many_starts_finds_under_a_network_an_audit_finds():
    torch = pytest.importorskip("torch")
    from lawgiver.agents.exs_net import LearnedExSNet
    from lawgiver.trainers.audit.misreport_ascent import ascend

    game = make_game("payment_free_allocation", n=5, m=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        mechanism = LearnedExSNet(game, hidden=[16, 16])
        for layer in mechanism.network.modules():
            if isinstance(layer, torch.nn.Linear):
                torch.nn.init.normal_(layer.weight, std=1.5 / layer.in_features**0.5)
    types = game.initial_state(3, np.random.default_rng(0)).types
    found = audited(game, mechanism, types, effort=1)
    low, high = np.zeros(6), np.ones(6)
    trials = Trials(own_of(response_of(game, mechanism)), types, found.payoffs, 1.0, high > 0, 4_096, low, high)
    starts = np.random.default_rng(1).random((24, *types.shape))
    for start in (starts, np.concatenate([starts[..., :3], 0 * starts[..., 3:] + types[..., 3:]], -1)):
        trials.offer_all(ascend(trials, start, low, high))
    assert trials.gains.mean() > 0.02, "there is something to gain"
    assert found.joint.gains.mean() > 0.995 * trials.gains.mean()


def test_more_effort_never_finds_less():
    types = profiles(6, 2, TWO)
    found = [audit(spiky, TWO, types, effort=effort) for effort in (1, 2, 3)]
    for less, more in pairwise(found):
        for name, regret in less.regrets.items():
            assert (more.regrets[name].gains >= regret.gains).all()
        assert more.tried > less.tried
        assert more.joint.gains.mean() > less.joint.gains.mean()


def test_the_same_seed_finds_the_same_and_chunks_only_bound_memory():
    types = profiles(4, 2, TWO)
    seen = []

    def watched(true, reports):
        seen.append(len(true))
        return spiky(true, reports)

    found = audit(watched, TWO, types, effort=1, chunk=7)
    assert max(seen) <= 7
    np.testing.assert_array_equal(found.joint.gains, audit(spiky, TWO, types, effort=1, chunk=7).joint.gains)
    np.testing.assert_allclose(found.joint.gains, audit(spiky, TWO, types, effort=1).joint.gains, rtol=1e-9)
    assert (audit(spiky, TWO, types, effort=1, seed=1).joint.gains != found.joint.gains).any()


def test_measures_are_their_formulas():
    types = profiles(50, 2, VALUE)

    def response(true, reports):  # whoever says 1 gets 2 more; the first pays 0.25, the second is paid up to 1
        extra = 2.0 * (reports[..., 0] == 1)
        payments = np.stack([0.25 + 0 * true[:, 0, 0], -true[:, 1, 0]], axis=1)
        return true[..., 0] - 0.5 + extra, payments

    found = audit(response, VALUE, types, effort=1, gradient=False)
    told = found.data()
    payoffs = np.stack([types[:, 0, 0] - 0.75, 2 * types[:, 1, 0] - 0.5], axis=1)
    absolute = told["groups"]["value"]["absolute"]
    assert [absolute["mean"].mean, absolute["max"], absolute["mean_of_most"]] == pytest.approx([2, 2, 2])
    assert absolute["mean"].standard_error == pytest.approx(0, abs=1e-9)
    payments = np.stack([np.full(50, 0.25), -types[:, 1, 0]], axis=1)
    scale = np.maximum(abs(types[..., 0] - 0.5), abs(payments)).mean()
    share = 2 / np.maximum(abs(payoffs), 0.1 * scale)
    relative = told["groups"]["value"]["relative"]
    assert relative["mean"].mean == pytest.approx(share.mean())
    assert relative["max"] == pytest.approx(share.max())
    assert relative["mean"].standard_error == pytest.approx(share.mean(1).std(ddof=1) / 50**0.5)
    rational = told["individual_rationality"]
    assert rational["least"] == pytest.approx(payoffs.min())
    assert rational["share"] == pytest.approx((payoffs < 0).mean())
    assert rational["mean_violation"] == pytest.approx(np.maximum(-payoffs, 0).mean())
    takings = payments.sum(1)
    assert told["budget"]["mean"].mean == pytest.approx(takings.mean())
    assert told["budget"]["sd"] == pytest.approx(takings.std(ddof=1))
    assert told["budget"]["deficit_share"] == pytest.approx((takings < 0).mean())
    np.testing.assert_allclose(told["payments"]["by_participant"], payments.mean(0))
    assert not told["gradient"]


def test_the_greatest_of_many_others_is_undercut():
    types = profiles(20, 30, VALUE)
    found = audit(auction(own_price=True), VALUE, types, effort=1)
    values = np.sort(types[..., 0])
    assert found.joint.gains.sum() >= 0.99 * (values[:, -1] - values[:, -2]).sum()


def test_one_participant_alone_is_searched_too():
    found = audit(auction(own_price=True), VALUE, np.full((3, 1, 1), 0.5), effort=1)
    np.testing.assert_allclose(found.joint.gains, 0.5)


@pytest.mark.parametrize("unit", [1, 1e-13])
def test_a_rule_that_draws_at_random_is_refused(unit):
    rng = np.random.default_rng(0)

    def response(types, reports):
        return unit * rng.random(types.shape[:2]), 0 * types[..., 0]

    with pytest.raises(UnsupportedGameError, match="at random"):
        audit(response, VALUE, profiles(4, 2, VALUE))


def converted(types, reports):
    """Ask NumPy itself."""
    bids = np.asarray(reports)[..., 0]
    return np.asarray(types)[..., 0] * (bids == bids.max(-1, keepdims=True)), 0 * bids


def mixed(types, reports):
    """Multiply tensors by arrays."""
    won = np.eye(3)[reports[..., 0].argmax(-1)]
    return won * types[..., 0], won * reports[..., 0]


def cast(types, reports):
    """Call a method that tensors do not have."""
    return types[..., 0], 0 * reports[..., 0].astype(np.float32)


def test_last_digits_of_single_precision_are_not_taken_for_luck():
    """A network's depend on where in a batch a game stands."""
    types = profiles(5, 2, VALUE)

    def off(by):
        return lambda true, reports: (true[..., 0] + by * np.arange(len(true))[:, None], 0 * true[..., 0])

    np.testing.assert_allclose(truth(off(1e-8), types, 100)[0], types[..., 0], atol=1e-6)
    with pytest.raises(UnsupportedGameError, match="draws at random"):
        truth(off(1e-4), types, 100)


@pytest.mark.parametrize("response", [converted, mixed, cast])
def test_a_rule_for_numpy_alone_is_told_to_do_without_slopes(response):
    types = profiles(4, 3, VALUE)
    with pytest.raises(UnsupportedGameError, match=r"does not run on torch.*gradient=false .*Error: "):
        audit(response, VALUE, types, effort=1)
    assert not audit(response, VALUE, types, effort=1, gradient=False).differentiable


def test_a_sparse_process_is_told_to_do_without_slopes():
    sparse = scipy.sparse.csr_array((np.ones(4), (range(4), [0, 1, 1, 0])), shape=(4, 2))
    game = make_game("tabular_mdp", n=2, transitions=sparse, horizon=2, features=[[[0, 0], [1, 0]]])
    types = drawn_types(game, 4)
    with pytest.raises(UnsupportedGameError, match="gradient=false"):
        audited(game, "vcg", types, effort=1)
    assert audited(game, "vcg", types, effort=1, gradient=False).largest_gain < 1e-9


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"effort": 0}, "effort is 0, allowed: an integer >= 1"),
        ({"chunk": 0}, "chunk is 0"),
        ({"types": np.zeros((1, 2, 1))}, r"types have shape \(1, 2, 1\), allowed: \(P, n, 1\)"),
        ({"types": np.full((4, 2, 1), np.nan)}, "some types lie outside their fields value"),
        ({"types": np.full((4, 2, 1), 2.0)}, "some types lie outside their fields value"),
        ({"layout": (Field("value", 1, 0, np.inf, "money", "unbounded"),)}, "finite bounds"),
        ({"response": lambda types, reports: (types, 0 * types[..., 0])}, "returns utilities of shape"),
        ({"response": lambda types, reports: (types[..., 0] / 0, 0 * types[..., 0])}, "returns utilities"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_wrong_input_is_named(change, said):
    given = {"response": auction(False), "layout": VALUE, "types": profiles(4, 2, VALUE)} | change
    with pytest.raises(ParameterError, match=said):
        audit(given.pop("response"), given.pop("layout"), given.pop("types"), **given)


# -- reporting games ------------------------------------------------------------------------------------------------


PROCESSES = {
    "sequential_sales": {"n": 3, "m": 2, "high": "1/i"},
    "task_scheduling": {"n": 2, "m": 3},
    "gridworld": {"n": 2, "m": 2},
}


def drawn_types(game, count, seed=0):
    return game.initial_state(count, np.random.default_rng([seed, 1])).types


def audited(game, mechanism, types, **options):
    return audit(response_of(game, make_policy(game, "mechanism", mechanism)), game.type_layout(), types, **options)


@pytest.mark.parametrize("name", PROCESSES)
def test_nothing_is_found_against_affine_maximisers(name):
    game = make_game(name, **PROCESSES[name])
    rng = np.random.default_rng(5)
    types = drawn_types(game, 12)
    rules = [
        AffineMaximiser(
            game,
            log_weights=rng.normal(0, 0.5, game.n),
            boosts=rng.uniform(-size, size, (game.mdp.n_states, game.mdp.n_actions)),
        )
        for size in (0.0, 0.2)
    ]
    for rule in ("vcg", *rules):
        found = audited(game, rule, types, effort=1)
        assert found.tried > 12 * game.n * 90
        assert found.largest_gain < 1e-9
        assert found.payoffs.min() > -1e-9, "nobody loses by taking part"


def test_the_same_is_found_in_either_mode():
    games = [make_game("sequential_sales", mechanism_mode=mode) for mode in ("announce", "allocate")]
    types = drawn_types(games[0], 10)
    first, second = (audited(game, "vcg", types, effort=1) for game in games)
    np.testing.assert_array_equal(first.payments, second.payments)
    assert max(first.largest_gain, second.largest_gain) < 1e-12


def test_paying_as_bid_is_answered_by_shading_to_the_first_who_goes_without():
    game = make_game("sequential_sales", n=4, m=2, mechanism_mode="allocate")
    types = drawn_types(game, 40)
    values = types[..., 0]
    third = np.sort(values)[:, -3, None]
    best = np.maximum(values - third, 0)
    found = audited(game, "pay_as_bid", types, effort=2)
    assert (found.joint.gains <= best + 1e-12).all()
    assert found.joint.gains.sum() >= 0.999 * best.sum()
    np.testing.assert_allclose(found.payoffs, 0, atol=1e-12)


@pytest.mark.parametrize(("n", "m"), [(2, 4), (3, 3)])
def test_a_worker_paid_as_it_says_asks_for_as_much_as_the_others_would_cost(n, m):
    game = make_game("task_scheduling", n=n, m=m, mechanism_mode="allocate")
    types = drawn_types(game, 20)
    cheapest = np.stack([np.delete(types, seat, axis=1).min(1) for seat in range(n)], axis=1)
    best = np.maximum(cheapest - types, 0).sum(-1)
    found = audited(game, "pay_as_bid", types, effort=1)
    assert (found.joint.gains <= best + 1e-9).all()
    assert (found.joint.gains >= best - 1e-4 * game.type_range[1]).all()


def test_a_field_that_pays_nothing_is_told_apart_in_a_game():
    game = make_game("gridworld", n=2, m=2, mechanism_mode="allocate")
    found = audited(game, "pay_as_bid", drawn_types(game, 20), effort=1)
    goal, value, joint = (found.regrets[name].gains for name in ("goal", "value", "joint"))
    assert value.mean() > 0.1 and value.mean() > goal.mean()
    assert (joint >= np.maximum(goal, value)).all()


def test_a_rule_drawn_at_random_is_announced_once():
    game = make_game("sequential_sales")
    assert audited(game, "random", drawn_types(game, 10), effort=1).largest_gain < 1e-9
    decided = make_game("sequential_sales", mechanism_mode="allocate")
    with pytest.raises(UnsupportedGameError, match="at random"):
        audited(decided, "random", drawn_types(game, 10), effort=1)


# -- command line ---------------------------------------------------------------------------------------------------


SMALL = ("profiles=10", "effort=1")


def invoke(*arguments):
    return CliRunner().invoke(app, ["audit", *arguments])


def test_the_command_tells_what_was_tried_and_keeps_it(tmp_path):
    done = invoke("vcg", "--game", "sequential_sales", "game.n=2", *SMALL, "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    kept = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert kept["profitable_above"] == pytest.approx(1e-6 * kept["scale"])
    none = f"{kept['profitable_above']:.2g} (1e-6 of the scale of payoffs)"
    assert f"no profitable misreport above {none} among {kept['misreports_tried']:,} tried" in done.output
    assert "truthful" not in done.output
    assert kept["mechanism"] == "vcg" and kept["settings"]["game"] == {"name": "sequential_sales", "n": 2}
    assert kept["profiles"] == 10 and kept["participants"] == 2 and kept["largest_gain"] < 1e-9
    assert (tmp_path / "out" / "gains.png").read_bytes()[:4] == b"\x89PNG"


def test_the_command_tells_the_worst_example():
    done = invoke("pay_as_bid", "--game", "gridworld", "game.m=2", "game.mechanism_mode=allocate", *SMALL)
    assert done.exit_code == 0, done.output
    shown = " ".join(done.output.split())
    assert re.search(r"worst example: participant_\d of goal \d, value 0\.\d+ gains [\d.]+ on \S+ by reporting", shown)
    for row in ("goal", "value", "joint", "payoffs below 0", "games with a deficit", "payment by participant"):
        assert re.search(rf"^{row} ", done.output, re.MULTILINE)


@pytest.mark.parametrize("high", [1e-9, 1e9])
def test_the_verdict_does_not_depend_on_the_currency(high):
    words = ("--game", "sequential_sales", "game.n=2", "game.m=1", f"game.high={high}", "game.mechanism_mode=allocate")
    assert "worst example" in invoke("pay_as_bid", *words, *SMALL).output
    assert "no profitable misreport" in invoke("vcg", *words, *SMALL).output


@pytest.fixture
def run(tmp_path, walk):
    """Return a run that has learned a rule for sales to two."""
    config = load_config(walk, ["game.name=sequential_sales", "game.n=2", "game.m=1", f"run_dir={tmp_path / 'run'}"])
    made = TrainingRun.create("sales", config)
    made.save_policy("mechanism", AffineMaximiser(made.game(), boosts=np.array([-0.5, -0.5, 0.0])))
    made.finish({})
    made.close()
    return made.path


def test_a_run_brings_its_game(run):
    found = lawgiver.audit(run, **read_overrides(SMALL))
    assert found.settings["game"] == {"name": "sequential_sales", "n": 2, "m": 1}
    assert found.payments[found.payments > 0].min() >= 0.5 - 1e-12, "the reserve price"
    same = lawgiver.audit(run, "sequential_sales-v0", **read_overrides([*SMALL, "game.high=2"]))
    assert same.settings["game"] == {"name": "sequential_sales", "n": 2, "m": 1, "high": 2}


def test_a_learned_rule_plays_in_either_mode(run):
    found = [lawgiver.audit(run, {"mechanism_mode": m}, **read_overrides(SMALL)) for m in ("announce", "allocate")]
    np.testing.assert_array_equal(found[0].payments, found[1].payments)
    gaussian = TrainingRun.open(run)
    gaussian.save_policy("mechanism", LearnedMechanism(gaussian.game(), start=np.zeros(5), hidden=None))
    with pytest.raises(UnsupportedGameError, match=r"other modes \(mechanism_mode"):
        lawgiver.audit(run, {"mechanism_mode": "allocate"})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["vcgg", "--game", "sequential_sales"], "unknown mechanism 'vcgg': did you mean 'vcg'?"),
        (["no/run", "--game", "sequential_sales"], "mechanism 'no/run': there is no such folder, allowed: .*vcg"),
        (["vcg"], "game is missing, allowed: .*sequential_sales-v0"),
        (["vcg", "game.n=2"], "game is missing, allowed: .*sequential_sales-v0"),
        (["vcg", "--game", "sequentil_sales"], "unknown game 'sequentil_sales': did you mean 'sequential_sales-v0'?"),
        (["vcg", "--game", "public_investment"], "nobody reports anything in public_investment-v0.*gridworld-v0"),
        (["learned_follower", "--game", "goal_collection"], "audit is in .*summary.json .* `lawgiver evaluate RUN`"),
        (["vcg", "--game", "sequential_sales", "profile=3"], "unknown key 'profile': did you mean 'profiles'?"),
        (["vcg", "--game", "sequential_sales", "profiles=1"], "profiles is 1"),
        (["vcg", "--game", "sequential_sales", "effort=x"], "effort is 'x'"),
        (["vcg", "--game", "sequential_sales", "game.k=3"], "has no parameter 'k'"),
        (["pay_as_bid", "--game", "sequential_sales"], "mechanism_mode='allocate'"),
        (["{policy", "--game", "sequential_sales"], "'{policy' is not YAML"),
        (["{run}", "--game", "gridworld"], "trained on sequential_sales-v0, another game: it cannot play gridworld-v0"),
        (["{run}", "game.n=3"], "was trained on sequential_sales-v0 with agents of other numbers: 2 participant, 1 me"),
        (["{run}", "game.m=2"], "the mechanism sees and does 3 boosts, not .*: it cannot play a game of another size"),
        (["{run}", "game.m=2", "game.mechanism_mode=allocate"], "sees and does 3 boosts, not .* of another size"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(arguments, said, run, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["lawgiver", "audit", *(each.replace("{run}", str(run)) for each in arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    shown = capsys.readouterr()
    assert stop.value.code == 2 and not shown.out
    assert re.search(said.replace("?", r"\?"), shown.err) and shown.err.count("\n") == 1


def test_a_preset_is_given_as_to_solve():
    game = {"name": "multi_item_auction", "preset": "two_items"}
    found = lawgiver.audit("vcg", "multi_item_auction", preset="two_items", profiles=4, effort=1)
    assert found.data()["groups"] == lawgiver.audit("vcg", game, profiles=4, effort=1).data()["groups"]
    assert found.settings["game"]["preset"] == "two_items"


def test_rules_of_the_game_are_named_where_another_is_asked_for():
    with pytest.raises(
        UnsupportedGameError, match=r"is not a rule of multi_item_auction-v0: .*allowed: .*item_myerson"
    ):
        lawgiver.audit("myerson_reserve", "multi_item_auction", profiles=4)
