"""Reserve prices that are learned while bidders learn: rules, slopes, optimisers, and the best reserve there is."""

from __future__ import annotations

import importlib.util
import json
import math

import numpy as np
import pytest

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import (
    best_in_box,
    equilibrium_objective,
    prior_table,
    solve,
)
from lawgiver.trainers.mechanism_design.two_timescale.learning import DualAveraging, FictitiousPlay, RelaxedLogits, play
from lawgiver.trainers.mechanism_design.two_timescale.setup import prepare
from lawgiver.trainers.mechanism_design.two_timescale.subgame_gradient import objective_and_gradient
from lawgiver.trainers.mechanism_design.two_timescale.train import alarms, begin
from lawgiver.trainers.plots import drawing, style
from lawgiver.trainers.reproduce import auction_reserves
from lawgiver.trainers.reproduce.auction_reserves import best_reserves
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.launch import train
from lawgiver.trainers.runs.run import Run

FORMATS = ("first", "next", "all_pay")
W = np.array([0.3])


def learners(game, rule, level, updates, **more):
    prior = prior_table(game, None, W)
    return rule(subgame=game.subgame, prior=prior, inverse_temperature=level, updates=updates, **more)


def settled(people, times, step=0.2):
    """Train bidders who meet the same reserve again and again; return their play, (T, S, A)."""
    population = people.beginning
    for _ in range(times):
        population = people.respond(population, W[None], step)[0]
    return people.logits(population[None], W[None])[0]


def lost(game, policy):
    """Compute the loss of a bidder who plays a table against itself, as a share of what it could get."""
    rewards = game.subgame.rewards(W, game.subgame.aggregates(policy))
    occupancy = game.subgame.initial_distribution()
    best = float(occupancy @ rewards[0].max(axis=-1))
    return 1 - float(occupancy @ (policy * rewards)[0].sum(axis=-1)) / best


# -- bidders ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pricing", FORMATS)
@pytest.mark.parametrize("rule", [FictitiousPlay, DualAveraging])
def test_bidders_learn_the_equilibrium(pricing, rule):
    game, level = make_game("sealed_bid", pricing=pricing, n_bids=33), 30.0
    people = learners(game, rule, level, 60, **({"first_step": 10.0} if rule is DualAveraging else {}))
    logits = settled(people, 20)
    exact = solve(game.subgame, W, level, people.prior)
    assert game.subgame.distance(exact.policy, play(logits)) < 1e-4
    assert people.reply_gap(logits, W) < 1e-4
    revenue = (float(game.subgame.objective(W, policy)) for policy in (play(logits), exact.policy))
    assert next(revenue) == pytest.approx(next(revenue), abs=1e-4)


def test_fictitious_play_of_a_thousand_steps_loses_little_in_every_format():
    for pricing, level, most in (("first", 3000.0, 0.02), ("next", 3000.0, 0.02), ("all_pay", 1000.0, 0.05)):
        game = make_game("sealed_bid", pricing=pricing, n_bids=65)
        assert lost(game, play(settled(learners(game, FictitiousPlay, level, 1000), 1))) < most


def test_relaxed_logits_run_in_circles_in_an_all_pay_auction_and_that_is_an_alarm():
    game, level = make_game("sealed_bid", pricing="all_pay", n_bids=33), 300.0
    gaps, losses = [], []
    for rule, more in ((RelaxedLogits, {}), (DualAveraging, {"first_step": 10.0})):
        people = learners(game, rule, level, 500, **more)
        logits = settled(people, 3)
        gaps.append(people.reply_gap(logits, W))
        losses.append(lost(game, play(logits)))
    assert losses[1] < 0.05 < 0.2 < losses[0]
    assert gaps[1] < 0.1 < 0.2 < gaps[0]
    found = alarms({"learned": 0.4, "start": 0.3}, gaps[0])
    assert len(found) == 1
    assert "agents.participants.learning" in found[0]


# -- slopes of revenue ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [30.0, 300.0])
@pytest.mark.parametrize("pricing", FORMATS)
@pytest.mark.parametrize("objective", ["revenue", "welfare", "surplus"])
def test_the_gradient_through_the_bidders_equilibrium_is_that_of_differences(pricing, level, objective):
    game = make_game("sealed_bid", pricing=pricing, n_bids=17, objective=objective)
    value, gradient = objective_and_gradient(game, W, level, prior_table(game, None, W))
    far = [equilibrium_objective(game, W + k * 1e-4, level) for k in (-2, -1, 1, 2)]
    assert value == pytest.approx(equilibrium_objective(game, W, level), abs=1e-12)
    assert gradient[0] == pytest.approx((far[0] - 8 * far[1] + 8 * far[2] - far[3]) / 12e-4, abs=1e-5)


def test_a_mechanism_of_several_parameters_has_a_gradient():
    game = make_game("sealed_bid", announced=("reserve", "entry_fee", "mix"), n_bids=17)
    w = np.array([0.3, 0.04, 0.6])
    _, gradient = objective_and_gradient(game, w, 30.0, prior_table(game, None, w))
    for j, nudge in enumerate(1e-4 * np.eye(3)):
        far = [equilibrium_objective(game, w + k * nudge, 30.0) for k in (-2, -1, 1, 2)]
        assert gradient[j] == pytest.approx((far[0] - 8 * far[1] + 8 * far[2] - far[3]) / 12e-4, abs=1e-5)


# -- reserves that are learned ----------------------------------------------------------------------------------------

SMALL = ("game.n_bids=17", "trainer.iterations=60", "trainer.log_every=20")
EXACT = ("agents.participants.learning=equilibrium",)


@pytest.mark.parametrize(
    ("least", "overrides"),
    [
        (0.98, ()),
        (0.98, ("game.pricing=next",)),
        (0.98, ("game.pricing=all_pay", "agents.mechanism.start=[0.5]")),
        (0.98, ("agents.participants.learning=dual_averaging",)),
        (0.99, ("agents.mechanism.optimiser=implicit_gradient", "trainer.mechanism_step.initial=0.2", *EXACT)),
        (0.98, ("agents.mechanism.optimiser=bayesian", "trainer.iterations=12", *EXACT)),
        (0.98, ("agents.mechanism.games_per_evaluation=1024",)),
    ],
)
def test_the_reserve_arrives(least, overrides):
    if "agents.mechanism.optimiser=bayesian" in overrides and importlib.util.find_spec("sklearn") is None:
        pytest.skip("needs the extra bo")
    setup = prepare(load_config("sealed_bid", [*SMALL, *overrides]))
    progress = begin(setup)
    for number in range(setup.config.trainer.iterations):
        progress.update(number)
    assert setup.exact(setup.start) < 0.96 * setup.best.value
    assert setup.exact(progress.optimiser.coefficients) > least * setup.best.value


def test_bidders_who_have_not_reacted_keep_the_reserve_of_a_first_price_auction_down():
    """A reserve first loses the bids below it, and gains only as bidders raise theirs."""
    slow = (
        "agents.participants.learning=dual_averaging",
        "agents.participants.inverse_temperature=300",
        "agents.participants.updates_per_evaluation=20",
    )
    setup = prepare(load_config("sealed_bid", [*SMALL, *slow]))
    progress = begin(setup)
    for number in range(30):
        progress.update(number)
    assert progress.optimiser.coefficients[0] < 0.05
    assert setup.exact(progress.optimiser.coefficients) < 0.9 * setup.best.value


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("game.n_bids=null", "set game.n_bids"),
        ("game.objective=log_nash_welfare", "objective"),
        ("agents.mechanism.start=[1.5]", "agents.mechanism.start has reserve = 1.5"),
        ("agents.mechanism.start=myerson", "agents.mechanism.start is 'myerson': did you mean 'myerson_reserve'"),
        ("agents.participants.first_step=-1", "agents.participants.first_step is -1"),
    ],
)
def test_wrong_settings_are_refused_by_name(override, says):
    with pytest.raises(LawgiverError) as refusal:
        prepare(load_config("sealed_bid", [override]))
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the folder and the summary of a small run."""
    return train("sealed_bid", [*SMALL, f"run_dir={tmp_path_factory.mktemp('runs') / 'whole'}"])


def test_the_summary_calls_things_by_their_names(run):
    path, summary = run
    paid = ("revenue", "welfare", "surplus")
    mechanisms = ["no_reserve", "myerson_reserve", "start", "learned", "best_in_box"]
    assert list(summary["revenue"]) == [*mechanisms, "limit"]
    assert [name for name in summary if name in (*paid, "gap_closed")] == [*paid, "gap_closed"]
    assert summary["revenue"]["limit"] == pytest.approx(5 / 12)
    assert list(summary["parameters"]) == ["reserve"]
    assert list(summary["parameters"]["reserve"]) == mechanisms
    assert summary["parameters"]["reserve"]["myerson_reserve"] == 0.5
    for name in mechanisms:
        kept = summary["welfare"][name] - summary["revenue"][name]
        assert summary["surplus"][name] == pytest.approx(kept, abs=1e-12)
        assert summary["incentives"]["expected_budget"][name] == pytest.approx(-summary["revenue"][name])
    assert summary["gap_closed"] > 0.8
    assert summary["timing"]["wall_s"] > 0
    last = Run.open(path).lines()[-1]
    assert last["coefficients"] == {"reserve": pytest.approx(summary["parameters"]["reserve"]["learned"])}
    assert json.loads((path / "summary.json").read_text())["revenue"] == summary["revenue"]


def test_curves_say_reserve_and_money(run, monkeypatch):
    path, summary = run
    drawn = {}
    monkeypatch.setattr(style, "save", lambda figure, path, heading: drawn.update({path.name: figure}))
    drawing.draw(Run.open(path), summary)
    paid, announced, *_ = drawn["curves.png"].axes
    assert paid.get_ylabel() == "revenue a round"
    assert announced.get_title(loc="left") == "Mechanism: what it announces"
    assert announced.get_ylabel() == "money"
    assert [line.get_label() for line in announced.get_lines()] == ["reserve"]


# -- the best reserve -------------------------------------------------------------------------------------------------

KNOWN = {
    ("first", 10.0): (0.266, 0.3997, 0.3830),
    ("first", 30.0): (0.375, 0.3752, 0.3405),
    ("next", 10.0): (0.406, 0.4009, None),
}
"""Best reserve, its revenue, and revenue without a reserve, of another program on a grid of types of another kind."""


def test_best_reserves_are_those_of_another_program():
    every = (*best_reserves(levels=(10.0,)), *best_reserves(("first",), (30.0,)))
    found = {(each.pricing, each.inverse_temperature): each for each in every}
    assert found.keys() == KNOWN.keys()
    for setting, (reserve, revenue, without) in KNOWN.items():
        best = found[setting]
        assert best.on_grid.parameters[0] == pytest.approx(reserve, abs=1 / 64 + 1e-3)
        assert best.on_grid.value == pytest.approx(revenue, abs=2e-3)
        assert without is None or best.without == pytest.approx(without, abs=1e-3)
        assert best.in_box.value >= best.on_grid.value - 1e-9
        assert best.without < best.on_grid.value
    assert found["first", 10.0].in_box.parameters[0] < found["next", 10.0].in_box.parameters[0] < 0.5


def test_the_best_reserve_of_nearly_rational_bidders_is_myersons():
    game = make_game("sealed_bid", pricing="next", n_bids=65)
    best = best_in_box(game, 5000.0)
    assert best.parameters[0] == pytest.approx(0.5, abs=1 / 64)
    assert best.value == pytest.approx(5 / 12, abs=2e-3)
    assert math.isclose(game.limit(), 5 / 12)


def test_learned_reserves_are_trained_once(tmp_path, undrawn, monkeypatch):
    asked = auction_reserves.overrides
    short = ("game.n_bids=9", "trainer.iterations=20")
    monkeypatch.setattr(auction_reserves, "overrides", lambda *setting: (*asked(*setting), *short))
    found = auction_reserves.learned_reserves(tmp_path, 1, pricings=("next",), levels=(10.0, 30.0))
    assert list(found) == [("next", 10.0), ("next", 30.0)]
    learned = [run.summary["parameters"]["reserve"]["learned"] for runs in found.values() for run in runs]
    assert 0.1 < learned[0] < 0.5
    assert 0.1 < learned[1] < 0.6
    assert [run.settings["game"]["pricing"] for runs in found.values() for run in runs] == ["next"] * 2
    before = [path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("summary.json"))]
    auction_reserves.learned_reserves(tmp_path, 1, pricings=("next",), levels=(10.0, 30.0))
    assert [path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("summary.json"))] == before
