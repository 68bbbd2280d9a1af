"""The fast path on two timescales: learners, measured welfare, optimisers, resuming, and what it refuses."""

from __future__ import annotations

import importlib.util
import json
import sys

import numpy as np
import pytest

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import Best, prior_table, solve
from lawgiver.trainers.cli import main
from lawgiver.trainers.cli.printed_tables import show_summary
from lawgiver.trainers.evaluation.evaluate import evaluate
from lawgiver.trainers.mechanism_design import two_timescale
from lawgiver.trainers.mechanism_design.two_timescale import train as training
from lawgiver.trainers.mechanism_design.two_timescale.learning import InEquilibrium, RelaxedLogits, play
from lawgiver.trainers.mechanism_design.two_timescale.measurement import played, values_of
from lawgiver.trainers.mechanism_design.two_timescale.setup import prepare
from lawgiver.trainers.mechanism_design.two_timescale.train import Training, begin
from lawgiver.trainers.plots import drawing, style
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.launch import Interrupted, resume, train
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run

SMALL = ("game.n=3", "game.n_moves=21")


@pytest.fixture
def unsearched(monkeypatch):
    """Spare the search of the box where nobody asks for the best mechanism."""
    found = lambda game, *others: Best(np.zeros(game.degree), -1.0)  # noqa: E731
    monkeypatch.setattr("lawgiver.trainers.mechanism_design.two_timescale.setup.best_in_box", found)


def prepared(*overrides):
    """Return the setup and the progress of a small training that has just begun."""
    setup = prepare(load_config("lanes", [*SMALL, *overrides]))
    return setup, begin(setup)


def closed(*overrides):
    """Return the share of the gap that a small training closes."""
    setup, progress = prepared(*overrides)
    for _ in range(setup.config.trainer.iterations):
        progress.update(0)
    return setup.gap_closed(setup.exact(progress.optimiser.coefficients))


def learners(game, updates, rule=RelaxedLogits, level=5.0):
    prior = prior_table(game, None, np.zeros(2))
    return rule(subgame=game.subgame, prior=prior, inverse_temperature=level, updates=updates)


# -- participants -----------------------------------------------------------------------------------------------------


def test_steps_that_nobody_else_matters_for_are_one():
    game, tried, step = make_game("lanes", n=3, n_moves=11), np.array([[0.0, -1.0], [0.5, 2.0]]), 0.1
    once, often = learners(game, 1), learners(game, 7)
    by_hand = np.stack([often.prior] * 2)
    for _ in range(7):
        by_hand = np.stack([once.respond(table, w[None], step)[0] for table, w in zip(by_hand, tried, strict=True)])
    np.testing.assert_allclose(often.respond(often.prior, tried, step), by_hand, atol=1e-12)


@pytest.mark.parametrize("reading", ["local", "full", "blind"])
def test_learners_come_to_the_equilibrium_of_their_own_mechanism(reading):
    game = make_game("lanes", n=3, n_moves=11, agent_objective=reading)
    tried = np.array([[0.0, -1.0], [0.5, 1.0]])
    people = learners(game, 400)
    tables = people.respond(people.prior, tried, 0.1)
    for table, w in zip(tables, tried, strict=True):
        exact = solve(game.subgame, w, 5.0, people.prior)
        np.testing.assert_allclose(play(table), exact.policy, atol=1e-6)
        assert people.reply_gap(table, w) < 1e-6
        np.testing.assert_allclose(learners(game, 1, InEquilibrium).respond(table, w[None], 0.1)[0], exact.log_policy)
    assert people.reply_gap(tables[0], tried[1]) > 0.05


def test_learners_over_several_rounds_come_to_the_equilibrium():
    game = make_game("divisible_good", n=3, rounds=2, appetite=4, ration=2, agent_objective="full")
    w = np.array([0.3, 0.1, 0.05])
    people = RelaxedLogits(subgame=game.subgame, prior=prior_table(game, None, w), inverse_temperature=3.0, updates=300)
    table = people.respond(people.prior, w[None], 0.2)[0]
    np.testing.assert_allclose(play(table), solve(game.subgame, w, 3.0, people.prior).policy, atol=1e-6)
    rng = np.random.default_rng(0)
    measured, expected = (values_of(game, w[None], table[None], games, rng) for games in (4_000, None))
    assert abs(measured.mean() - expected[0, 0]) < 4 * measured.std() / np.sqrt(4_000)


# -- welfare ----------------------------------------------------------------------------------------------------------


def test_measured_welfare_has_the_expectation_and_common_random_numbers():
    game, w = make_game("lanes", n=4), np.array([0.1, -1.0])
    tables = np.stack([solve(game.subgame, w, 20.0, learners(game, 1).prior).log_policy] * 3)
    tried = np.stack([w, w, w + np.array([0.0, 1e-9])])
    measured = values_of(game, tried, tables, 4_000, np.random.default_rng(1))
    np.testing.assert_array_equal(measured[0], measured[1])
    np.testing.assert_allclose(measured[0], measured[2], atol=1e-6)
    expected = values_of(game, tried, tables, None, np.random.default_rng(1))
    assert expected.shape == (3, 1)
    assert abs(measured[0].mean() - expected[0, 0]) < 4 * measured[0].std() / np.sqrt(4_000)
    again = played(game, w, tables[0], 5, np.random.default_rng(3))
    np.testing.assert_array_equal(again, played(game, w, tables[0], 5, np.random.default_rng(3)))


# -- optimisers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimiser", "least", "more"),
    [
        ("two_point", 0.8, ("trainer.iterations=200",)),
        ("one_point", 0.3, ("trainer.iterations=600",)),
        ("score_function", 0.5, ("trainer.iterations=60", "agents.mechanism.draws=4")),
        (
            "bayesian",
            0.5,
            (
                "trainer.iterations=18",
                "agents.participants.learning=equilibrium",
                "agents.mechanism.games_per_evaluation=null",
            ),
        ),
        ("implicit_gradient", 0.95, ("trainer.iterations=60", "trainer.mechanism_step.initial=0.3")),
    ],
)
def test_optimisers_improve_on_the_start(optimiser, least, more):
    if optimiser == "bayesian" and importlib.util.find_spec("sklearn") is None:
        pytest.skip("needs the extra bo")
    assert closed(f"agents.mechanism.optimiser={optimiser}", *more) > least


def test_a_mechanism_that_is_fixed_stays_while_participants_arrive(unsearched):
    setup, progress = prepared("agents.mechanism.optimiser=fixed", "agents.participants.updates_per_evaluation=2")
    for _ in range(60):
        progress.update(0)
    np.testing.assert_array_equal(progress.optimiser.coefficients, setup.start)
    assert setup.learners.reply_gap(progress.logits, setup.start) < 0.02
    assert (progress.agent_updates, progress.evaluations) == (120, 60)


@pytest.mark.parametrize(
    "overrides",
    [
        ("game.agent_objective=full",),
        ("game.agent_objective=blind",),
        ("game.payment_on=u", "game.degree=3", "agents.mechanism.start=[0.0,-0.5,0.1]"),
        ("game.payment_on=x0", "agents.mechanism.games_per_evaluation=null"),
        ("agents.participants.inverse_temperature=.inf",),
        ("agents.participants.anchor={mechanism: {policy: rule, parameters: [0.0,0.5]}, inverse_temperature: 2.0}",),
        ("trainer.timescale=reversed", "trainer.agents_step.exponent=0.6", "trainer.mechanism_step.exponent=0.51"),
        ("trainer.timescale=matched", "trainer.agents_step.exponent=0.6"),
    ],
)
def test_readings_anchors_and_timescales_train(overrides, unsearched):
    _, progress = prepared("agents.participants.updates_per_evaluation=3", *overrides)
    for _ in range(5):
        progress.update(0)
        assert np.isfinite(progress.measured).all()
    assert np.isfinite(play(progress.logits)).all()


def test_a_budget_of_divergence_fixes_the_inverse_temperature_at_the_start(unsearched):
    setup, _ = prepared("agents.participants.inverse_temperature=null", "agents.participants.kl_budget=0.7")
    found = solve(setup.game.subgame, setup.start, setup.inverse_temperature, setup.learners.prior)
    assert setup.game.subgame.divergence(found.log_policy, setup.learners.prior) == pytest.approx(0.7, abs=1e-6)


# -- the whole --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the folder and the summary of a small run."""
    overrides = (*SMALL, "trainer.iterations=40", "trainer.log_every=10", "trainer.checkpoint_every=20")
    return train("lanes", [*overrides, f"run_dir={tmp_path_factory.mktemp('runs') / 'whole'}"])


def same(first, second):
    """Assert that two runs logged and ended with the same numbers, timing apart."""
    for one, other in zip(Run.open(first).lines(), Run.open(second).lines(), strict=True):
        assert {**one, "timing": None} == {**other, "timing": None}
    one, other = (json.loads((path / "summary.json").read_text()) for path in (first, second))
    assert {**one, "timing": None, "commit": None} == {**other, "timing": None, "commit": None}


def test_a_run_that_was_stopped_goes_on_as_if_nothing_had_happened(run, tmp_path, undrawn, monkeypatch):
    calls, update = 0, Training.update

    def stop(learner, number):
        nonlocal calls
        calls += 1
        if calls > 33:
            raise KeyboardInterrupt
        return update(learner, number)

    monkeypatch.setattr(Training, "update", stop)
    overrides = (*SMALL, "trainer.iterations=40", "trainer.log_every=10", "trainer.checkpoint_every=20")
    with pytest.raises(Interrupted):
        train("lanes", [*overrides, f"run_dir={tmp_path / 'stopped'}"])
    monkeypatch.setattr(Training, "update", update)
    resume(tmp_path / "stopped")
    same(run[0], tmp_path / "stopped")


def test_a_run_can_be_prolonged(run, tmp_path, undrawn):
    overrides = (*SMALL, "trainer.iterations=20", "trainer.log_every=10", "trainer.checkpoint_every=20")
    train("lanes", [*overrides, f"run_dir={tmp_path / 'short'}"])
    resume(tmp_path / "short", ["trainer.iterations=40"])
    same(run[0], tmp_path / "short")


def test_the_summary_says_how_far_it_is_from_what_is_known(run):
    path, summary = run
    welfare = summary["welfare"]
    assert list(welfare) == ["no_mechanism", "start", "learned", "best_in_box", "optimum", "first_best"]
    assert welfare["no_mechanism"] < welfare["start"] < welfare["best_in_box"] < welfare["optimum"]
    share = (welfare["learned"] - welfare["start"]) / (welfare["best_in_box"] - welfare["start"])
    assert summary["gap_closed"] == pytest.approx(share)
    assert set(summary["threshold"]) == {"learned", "closed_form"}
    assert summary["timing"]["wall_s"] > 0
    assert (summary["iterations"], summary["evaluations"]) == (40, 80)
    assert summary["agent_updates"] == 80 * 50
    assert summary["reply_gap"] < 0.01
    assert summary["threshold"]["learned"] == pytest.approx(summary["threshold"]["closed_form"], abs=0.01)
    last = Run.open(path).lines()[-1]
    assert {"score", "exact_score", "measured", "measured_sd", "gap_closed", "reply_gap"} <= last.keys()
    assert last["exact_score"] == pytest.approx(welfare["learned"])


def test_curves_and_table_both_say_that_participants_settle_after_the_training(run, capsys, monkeypatch):
    path, summary = run
    last = Run.open(path).lines()[-1]
    assert summary["reply_gap_in_training"] == pytest.approx(last["reply_gap"])
    assert summary["score_in_training"] == pytest.approx(last["score"])
    assert summary["reply_gap"] < summary["reply_gap_in_training"]  # the curves end before they settle
    monkeypatch.setenv("COLUMNS", "200")
    show_summary(summary, two_timescale.trainer)
    printed = capsys.readouterr().out
    rows = {line.split()[0]: line for line in printed.splitlines() if line.startswith(("reply_gap", "score_in"))}
    assert float(rows["reply_gap"].split()[1]) == pytest.approx(summary["reply_gap"], rel=1e-3)
    assert float(rows["reply_gap_in_training"].split()[1]) == pytest.approx(last["reply_gap"], rel=1e-3)
    assert "once all have settled" in printed and "before participants settled" in printed
    drawn = {}
    monkeypatch.setattr(style, "save", lambda figure, path, heading: drawn.update({path.name: figure}))
    drawing.draw(Run.open(path), summary)
    title = drawn["curves.png"].axes[-1].get_title(loc="left")
    assert title.endswith(f"in training; {summary['reply_gap']:.2g} once they have settled")


def test_what_is_learned_is_played_like_any_policy(run):
    path, summary = run
    game = make_game("lanes", n=3, n_moves=21)
    own = [summary["parameters"][f"w_{j}"]["learned"] for j in (1, 2)]
    mechanism = make_policy(game, "mechanism", path)
    state = game.initial_state(2, np.random.default_rng(0))
    sent, _ = mechanism.act(game.observe(state, "mechanism"), None, None, np.random.default_rng(0))
    np.testing.assert_allclose(sent, np.broadcast_to(own, (2, 1, 2)), atol=1e-6)
    policy = np.exp(load(path, role="participant").log_policy)
    assert game.subgame.behaviour(policy)["threshold"] == pytest.approx(summary["threshold"]["learned"])
    again = evaluate(path, games=64)
    assert again["gap_closed"] == pytest.approx(summary["gap_closed"], abs=1e-5)


def test_alarms_tell_of_what_went_wrong():
    welfare = {"learned": -2.0, "start": -1.0}
    found = training.alarms(welfare, 0.3)
    assert ["worse than the start" in found[0], "probability 0.3" in found[1]] == [True, True]
    assert training.alarms({"learned": -1.0, "start": -1.0}, 0.05) == []


# -- bad input --------------------------------------------------------------------------------------------------------


REFUSED = [
    (("game.n=1",), "n is 1"),
    (("game.length=0",), "length is 0"),
    (("game.coordination_weight=-1",), "coordination_weight is -1"),
    (("game.movement_cost=-0.1",), "movement_cost is -0.1"),
    (("game.degree=3",), "agents.mechanism.start has 2 numbers, allowed: 3"),
    (("game.box=0.5",), "agents.mechanism.start has number 2 (coefficients) = -1.0, allowed: a number in"),
    (("agents.mechanism.start=no_mechanisn",), "agents.mechanism.start is 'no_mechanisn': did you mean 'no_mechanism'"),
    (("agents.mechanism.optimiser=two_pint",), "agents.mechanism.optimiser is 'two_pint': did you mean 'two_point'"),
    (("agents.mechanism.games_per_evaluation=0",), "agents.mechanism.games_per_evaluation is 0"),
    (("agents.participants.inverse_temperature=-1",), "agents.participants.inverse_temperature is -1"),
    (("agents.participants.kl_budget=1.0",), "agents.participants is"),
    (
        ("agents.participants.kl_budget=-1", "agents.participants.inverse_temperature=null"),
        "agents.participants.kl_budget is -1",
    ),
    (("agents.participants.inverse_temperature=null",), "agents.participants is"),
    (("trainer.agents_step.exponent=0.4",), "trainer.agents_step.exponent is 0.4"),
    (("trainer.agents_step.initial=1.5",), "trainer.agents_step.initial is 1.5"),
    (("trainer.mechanism_step.exponent=0.51",), "trainer.mechanism_step.exponent is 0.51"),
    (("trainer.mechanism_step.exponent=0.5",), "trainer.mechanism_step.exponent is 0.5"),
    (("trainer.radius.exponent=0.2",), "trainer.radius.exponent is 0.2"),
    (("trainer.timescale=reversed",), "trainer.timescale reversed"),
    (("trainer.timescale=slow",), "trainer.timescale is 'slow'"),
    (("trainer.iterations=0",), "trainer.iterations is 0"),
    (("game.n_moves=null",), "finitely many actions"),
    (("agents.mechanism.optimiser=one_point", "trainer.radius.initial=5"), "radius.initial is 5"),
]


@pytest.mark.parametrize(("overrides", "says"), REFUSED)
def test_wrong_settings_are_refused_by_name(overrides, says, unsearched):
    with pytest.raises(LawgiverError) as refusal:
        begin(prepare(load_config("lanes", overrides)))
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_other_games_are_refused():
    with pytest.raises(LawgiverError, match="announces its parameters once, not taxed_dilemma"):
        prepare(load_config("lanes", ["game={name: taxed_dilemma}"]))


def test_the_command_line_says_it_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    monkeypatch.setattr(sys, "argv", ["lawgiver", "train", "lanes", "game.box=0.5", f"run_dir={tmp_path / 'run'}"])
    with pytest.raises(SystemExit) as stop:
        main()
    said = capsys.readouterr()
    assert (stop.value.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.err.startswith("lawgiver: agents.mechanism.start")
    assert not (tmp_path / "run").exists()
