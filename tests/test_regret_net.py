"""The trainer of auctions with small regret: its networks, its objective, its runs."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import lawgiver
from lawgiver.agents.auction_net import LearnedAuction
from lawgiver.agents.learned import load_policy, save_policy
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.trainers.cli import app
from lawgiver.trainers.misreports.search import Ascent, Cases, search
from lawgiver.trainers.misreports.settings import Misreports
from lawgiver.trainers.regret_net import evaluation, train
from lawgiver.trainers.regret_net.evaluation import beside_baselines, judge
from lawgiver.trainers.regret_net.learner import Learner, Multiplier, allowed, settled, terms
from lawgiver.trainers.regret_net.settings import Budget, Dual, RegretNetTrainer
from lawgiver.trainers.runs import launch
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.streams import torch_generator, torch_seeded

ARCHITECTURES = ("plain", "equivariant")
QUICK = (
    *("trainer.updates=8", "trainer.batch=8", "trainer.samples=16", "trainer.log_every=4"),
    *("trainer.checkpoint_every=5", "trainer.evaluation={instances: 2, effort: 1}", "agents.mechanism.hidden=[8]"),
)


@pytest.fixture(autouse=True)
def fewer_profiles(monkeypatch):
    """Measure revenue on fewer profiles."""
    monkeypatch.setattr(evaluation, "MEASURED", 4_000)


def rng(*seeds):
    return torch_generator("cpu", 0, *seeds)


def auction(**params):
    return make_game("multi_item_auction", **{"n": 2, "m": 2, **params})


def learned(game, architecture="plain", hidden=(8,), spread=1.0):
    with torch_seeded(1):
        mechanism = LearnedAuction(game, architecture=architecture, hidden=hidden)
        with torch.no_grad():
            for parameter in mechanism.network.parameters():
                parameter.add_(spread * torch.randn(parameter.shape))
    return mechanism


def nothing_read(game):
    """Make a network of weights 0: everybody gets 1 / (n + 1) of all items, for half of what it says they are worth."""
    mechanism = LearnedAuction(game, hidden=(4,))
    with torch.no_grad():
        for parameter in mechanism.network.parameters():
            parameter.zero_()
    return mechanism


# -- networks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("demand", ["additive", "unit"])
def test_whatever_the_weights_are_nothing_is_sold_twice_and_the_truth_never_loses(architecture, demand):
    game = auction(n=3, m=2, demand=demand)
    mechanism = learned(game, architecture, spread=5.0 if architecture == "plain" else 1.0)
    types = game.initial_state(200, np.random.default_rng(0)).types
    shares, fractions = game.split(mechanism.decision(types))
    assert (shares >= 0).all() and (shares.sum(1) <= 1 + 1e-6).all() and np.ptp(shares) > 0.1
    assert (fractions >= 0).all() and (fractions <= 1).all() and np.ptp(fractions) > 0.05
    assert demand == "additive" or (shares.sum(2) <= 1 + 1e-6).all()
    found = lawgiver.audit(mechanism, game, profiles=4, effort=1)
    assert (found.payoffs >= 0).all() and found.largest_gain > 0


def test_the_equivariant_network_permutes_what_it_decides_as_bidders_and_items_are_permuted():
    game = auction(n=3, m=2)
    mechanism = learned(game, "equivariant")
    types = game.initial_state(20, np.random.default_rng(0)).types
    bidders, items = [2, 0, 1], [1, 0]
    shares, fractions = game.split(mechanism.decision(types))
    moved, paid = game.split(mechanism.decision(types[:, bidders][:, :, items]))
    np.testing.assert_allclose(moved, shares[:, bidders][:, :, items], atol=1e-6)
    np.testing.assert_allclose(paid, fractions[:, bidders], atol=1e-6)
    assert np.ptp(shares, axis=0).max() > 0.05


def test_where_distributions_differ_the_equivariant_network_is_told_whose_values_it_sees():
    game = auction(high=(1.0, 2.0))
    decided = game.split(learned(game, "equivariant").decision(np.full((1, 2, 2), 0.5)))
    assert abs(decided[1][0, 0] - decided[1][0, 1]) > 1e-3
    alike = game.split(learned(auction(), "equivariant").decision(np.full((1, 2, 2), 0.5)))
    assert alike[1][0, 0] == pytest.approx(alike[1][0, 1], abs=1e-7)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_is_kept_in_a_folder_and_comes_back_by_its_kind(architecture, tmp_path):
    game = auction()
    mechanism = learned(game, architecture)
    save_policy(tmp_path / "kept", mechanism)
    again = load_policy(tmp_path / "kept", game, "mechanism")
    assert type(again) is LearnedAuction and again.settings == {"architecture": architecture, "hidden": [8]}
    types = game.initial_state(5, np.random.default_rng(0)).types
    np.testing.assert_array_equal(again.decision(types), mechanism.decision(types))


def test_it_sells_items_by_reports_and_announces_nothing():
    with pytest.raises(UnsupportedGameError, match="sequential_sales-v0 has none"):
        LearnedAuction(make_game("sequential_sales"))
    with pytest.raises(UnsupportedGameError, match="mechanism_mode='allocate'"):
        LearnedAuction(auction(mechanism_mode="announce"))
    with pytest.raises(ParameterError, match="architecture"):
        LearnedAuction(auction(), architecture="deep")


# -- objective ------------------------------------------------------------------------------------------------------


def test_terms_and_judgement_of_a_network_that_reads_nothing_are_known():
    """Revenue is 2 * 1/3 * 1/2 of a value of 1; who reports 0 pays nothing, and saves (v_1 + v_2) / 6."""
    game = auction()
    mechanism = nothing_read(game)
    types = game.initial_state(500, rng(1)).types
    cases = Cases.of(game, types)
    mechanism.network.requires_grad_(False)
    found = terms(game, mechanism.network, cases, torch.zeros_like(cases.own))
    assert float(found.revenue) == pytest.approx(float(types.sum()) / 6 / 500, rel=1e-5)
    assert float(found.regret) == pytest.approx(float(found.revenue), rel=1e-5)
    assert float(terms(game, mechanism.network, cases, cases.own).regret) == pytest.approx(0, abs=1e-6)
    judged = judge(game, mechanism, 30, 1, [3])
    assert abs(judged["revenue"].mean - 1 / 3) < 4 * judged["revenue"].standard_error
    assert abs(judged["regret"].mean - 1 / 6) < 4 * judged["regret"].standard_error
    assert judged["largest_gain"] <= 1 / 3 + 1e-6
    assert abs(judged["revenue_gamed"].mean) < 4 * judged["revenue_gamed"].standard_error, "nobody pays"


def test_profiles_of_a_file_are_judged_once_each_and_gamed_revenue_has_no_error_of_its_own(tmp_path):
    values = np.random.default_rng(0).random((9, 2, 2))
    np.savez(tmp_path / "types.npz", values=values)
    game = auction(types_file=str(tmp_path / "types.npz"))
    judged = judge(game, nothing_read(game), 30, 1, [3])
    assert judged["revenue"].n == judged["revenue_gamed"].n == 9
    assert judged["revenue"].mean == pytest.approx(values.sum() / 6 / 9, rel=1e-5)
    gamed = judged["revenue_gamed"]
    assert gamed.mean == pytest.approx(0, abs=1e-3), "nobody pays"
    assert gamed.standard_error < 0.1 * judged["revenue"].standard_error, "in none of the profiles"


def test_known_auctions_are_judged_as_what_they_are():
    game = auction()
    judged = beside_baselines(game, nothing_read(game), 6, 1, [0])
    assert list(judged["regret"]) == ["learned", "vcg", "item_myerson", "bundle_myerson"]
    for name, known in {"vcg": 2 / 3, "item_myerson": 5 / 6}.items():
        found = {measure: judged[measure][name] for measure in ("revenue", "largest_gain", "revenue_gamed")}
        assert abs(found["revenue"].mean - known) < 4 * found["revenue"].standard_error
        assert found["largest_gain"] < 1e-12 and found["revenue_gamed"].mean == found["revenue"].mean
    assert judged["revenue"]["limit"] is None
    single = auction(n=1)
    assert beside_baselines(single, nothing_read(single), 2, 1, [0])["revenue"]["limit"] == pytest.approx(
        (12 + 8**0.5) / 27
    )


def test_the_search_finds_the_best_report_from_the_truth():
    game = auction()
    network = nothing_read(game).network.requires_grad_(False)
    cases = Cases.of(game, game.initial_state(50, rng(1)).types)
    state = game.initial_state_from(cases.types)

    def payoffs(own):
        done = settled(game, network, state, cases.reported(own))
        return cases.mine(done.utilities - done.payments)

    own = cases.own
    for number in range(60):
        own = search(payoffs, cases, [own], Ascent(8, 0.1), rng(2, number))
    assert float(own.max()) < 0.02, "nothing is best to report"


def test_the_gradient_is_that_of_differences_at_given_misreports(slopes_agree):
    game = auction(n=2, m=2)
    network = learned(game, "equivariant").network.double()
    cases = Cases.of(game, game.initial_state(6, rng(1)).types.double())
    own = torch.rand(cases.own.shape, generator=rng(2)).double()

    def loss():
        found = terms(game, network, cases, own)
        return 2 * found.regret - found.revenue

    assert terms(game, network, cases, own).regret > 1e-3
    slopes_agree(list(network.parameters()), loss)


def test_the_budget_falls_geometrically_and_the_multiplier_goes_by_the_order_of_magnitude():
    budget = Budget(start=0.01, end=0.0001, falls=0.5)
    assert allowed(budget, 0.0) == 0.01 and allowed(budget, 0.25) == pytest.approx(0.001)
    assert allowed(budget, 0.5) == allowed(budget, 1.0) == pytest.approx(0.0001)
    price = Multiplier(Dual(multiplier=1.0, rate=0.1))
    price.move(np.e)
    assert price.value == pytest.approx(1.1)
    price.move(np.exp(-2.0))
    assert price.value == pytest.approx(0.9)
    price.move(0.0)
    assert price.value == 0, "never below"


# -- learning and runs ----------------------------------------------------------------------------------------------


def test_for_one_bidder_and_one_item_it_learns_a_price_near_one_half():
    game = auction(n=1, m=1)
    with torch_seeded(0):
        mechanism = LearnedAuction(game, hidden=(32, 32))
    settings = RegretNetTrainer(
        name="regret_net", updates=300, batch=64, samples=1_024, learning_rate=0.01, budget=Budget(end=0.003),
        dual=Dual(rate=0.05), misreports=Misreports(steps=4, step=0.2),
    )  # fmt: skip
    learner = Learner(game, mechanism.network, settings, 0, "cpu")
    told = [learner.update(number) for number in range(1, 301)]
    judged = judge(game, mechanism, 200, 1, [0])
    assert judged["regret"].mean < 0.004 and told[0]["regret"] > 0.02
    assert 0.22 < judged["revenue"].mean < 0.28, "Myerson's price of one half earns 1 / 4"
    assert judged["revenue_gamed"].mean < 0.25 + 4 * judged["revenue_gamed"].standard_error


@pytest.mark.parametrize(
    "overrides", [(), ("game.n=1", "game.demand=unit", "agents.mechanism.architecture=equivariant")]
)
def test_resumed_it_ends_as_if_it_had_not_been_interrupted(overrides, interrupted_and_whole, monkeypatch):
    def weights(game, mechanism, *how):
        numbers = {name: array.tolist() for name, array in mechanism.state().items()}
        return {"revenue": {"learned": Estimate.of_seeds([0.5])}, "weights": numbers}

    monkeypatch.setattr(launch, "_draw", lambda run, summary: None)
    monkeypatch.setattr(train, "PROBE", 10)
    monkeypatch.setattr(train, "beside_baselines", weights)  # what is judged has to be the same to the last digit
    _, logged = interrupted_and_whole("regret_net", [*QUICK, *overrides])
    assert logged == [1, 4, 8]


def test_a_run_from_the_command_line_is_complete(tmp_path):
    folder = tmp_path / "run"
    result = CliRunner().invoke(app, ["train", "regret_net", *QUICK, "game.n=1", f"run_dir={folder}"])
    assert result.exit_code == 0, result.output
    summary = json.loads((folder / "summary.json").read_text())
    names = ["learned", "vcg", "item_myerson", "bundle_myerson"]
    assert list(summary["revenue"]) == [*names, "limit"]
    for measure in ("regret", "regret_added", "largest_gain", "revenue_gamed"):
        assert list(summary[measure]) == names
    for name in names:
        gamed = summary["revenue_gamed"][name]
        assert summary["revenue"][name]["se"] >= 0 and gamed["low"] <= gamed["high"]
    assert summary["revenue"]["limit"] == pytest.approx(0.54920, abs=1e-5) and summary["regret_budget"] > 0
    assert {path.name for path in (folder / "figures").iterdir()} == {"curves.png", "standing.png"}
    for word in ("when gamed", "item myerson", "limit"):
        assert word in result.output
    mechanism = lawgiver.load(folder, "mechanism")
    assert mechanism.kind == "auction_net" and not mechanism.network.training
    again = lawgiver.evaluate(folder)
    assert again["revenue"]["learned"].mean == pytest.approx(summary["revenue"]["learned"]["mean"], abs=0.05)


@pytest.mark.parametrize(("updates", "logged"), [(1, [1]), (7, [*range(1, 8)]), (120, [1, *range(2, 121, 2)])])
def test_short_trainings_have_a_curve(updates, logged, tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "_draw", lambda run, summary: None)
    monkeypatch.setattr(train, "PROBE", 10)
    monkeypatch.setattr(evaluation, "MEASURED", 10)
    changes = [*QUICK, "trainer.log_every=null", f"trainer.updates={updates}", "trainer.misreports.steps=1"]
    folder, _ = launch.train("regret_net", [*changes, "game.n=1", "game.m=1", f"run_dir={tmp_path / 'run'}"])
    assert [line["iteration"] for line in lawgiver.open_run(folder).lines()] == logged


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["game.name=sequential_sales"], UnsupportedGameError, "needs multi_item_auction"),
        (["game.mechanism_mode=announce"], UnsupportedGameError, "with mechanism_mode='announce'"),
        (["game.objective=welfare"], UnsupportedGameError, "objective='welfare'"),
        (["trainer.samples=4"], ParameterError, r"trainer\.samples is 4: allowed: at least batch \(8\)"),
        (["trainer.budget.end=0"], ParameterError, "budget"),
        (["trainer.dual.rate=0"], ParameterError, "rate"),
        (["agents.mechanism.architecture=deep"], ParameterError, "architecture"),
    ],
)
def test_what_cannot_be_trained_is_named_before_it_is(overrides, error, message, tmp_path):
    with pytest.raises(error, match=message):
        launch.train("regret_net", [*QUICK, *overrides, f"run_dir={tmp_path / 'run'}"])
    assert not (tmp_path / "run").exists()


def test_its_name_is_that_of_a_mechanism_where_one_is_asked_for(tmp_path):
    game = auction()
    save_policy(tmp_path / "kept", learned(game))
    env = lawgiver.make_game("multi_item_auction", n=2, m=2)
    assert type(make_policy(env, "mechanism", str(tmp_path / "kept"))) is LearnedAuction
