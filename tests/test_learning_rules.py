"""How participants learn under a mechanism: fictitious play and dual averaging against exact equilibria."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from lawgiver.envs.core.arrays import log_softmax
from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import Best, prior_table, solve
from lawgiver.trainers.mechanism_design.two_timescale.learning import DualAveraging, FictitiousPlay, play
from lawgiver.trainers.mechanism_design.two_timescale.setup import prepare
from lawgiver.trainers.mechanism_design.two_timescale.train import Training, begin
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.launch import Interrupted, resume, train
from lawgiver.trainers.runs.run import Run

GAMES = {
    "lanes, local": ("lanes", {"n": 3, "n_moves": 11}, 5.0),
    "lanes, full": ("lanes", {"n": 3, "n_moves": 11, "agent_objective": "full"}, 5.0),
    "lanes, blind": ("lanes", {"n": 3, "n_moves": 11, "agent_objective": "blind"}, 5.0),
    "lanes, full, rational": ("lanes", {"n": 3, "n_moves": 11, "agent_objective": "full"}, 200.0),
    "divisible good": ("divisible_good", {"n": 3, "rounds": 2, "appetite": 4, "ration": 2}, 3.0),
    "divisible good, full": (
        "divisible_good",
        {"n": 3, "rounds": 2, "appetite": 4, "ration": 2, "agent_objective": "full"},
        30.0,
    ),
    "braess": ("selfish_routing", {"n": 4}, 4.0),
    "supply and demand": ("supply_demand", {"n": 10, "homes": (0.8, 0.2, 0.0)}, 5.0),
}
"""By name: a game, its parameters, and the inverse temperature of its participants."""
RULES = {"fictitious_play": FictitiousPlay, "dual_averaging": lambda **shared: DualAveraging(first_step=10.0, **shared)}


def learners(game, rule, level, updates):
    prior = prior_table(game, None, np.zeros(game.action_space("mechanism").shape))
    return RULES[rule](subgame=game.subgame, prior=prior, inverse_temperature=level, updates=updates)


def settled(people, tried, times):
    """Train participants who meet the same mechanisms again and again; return their play, (k, T, S, A)."""
    populations = np.stack([people.beginning] * len(tried))
    for _ in range(times):
        populations = np.stack(
            [people.respond(one, w[None], 0.1)[0] for one, w in zip(populations, tried, strict=True)]
        )
    return people.logits(populations, tried)


@pytest.fixture(params=GAMES)
def setting(request):
    """Return a game, the inverse temperature of its participants, and two mechanisms."""
    name, params, level = GAMES[request.param]
    game = make_game(name, **params)
    box = game.action_space("mechanism")
    return game, level, np.random.default_rng(3).uniform(0.2 * box.low, 0.2 * box.high, (2, *box.shape))


@pytest.mark.parametrize("rule", RULES)
def test_participants_who_go_on_learning_come_to_the_equilibrium(setting, rule):
    game, level, tried = setting
    people = learners(game, rule, level, 200)
    for logits, w in zip(settled(people, tried, 30 if level == 200 else 10), tried, strict=True):
        exact = solve(game.subgame, w, level, people.prior)
        assert game.subgame.distance(exact.policy, play(logits)) < 1e-5
        assert people.reply_gap(logits, w) < 1e-5


@pytest.mark.parametrize("rule", RULES)
def test_the_first_evaluation_goes_most_of_the_way(setting, rule):
    game, level, tried = setting
    people = learners(game, rule, level, 200)
    share = 0.65 if level == 200 else 0.15  # movers who follow one another at a high inverse temperature take longer
    for logits, w in zip(settled(people, tried, 1), tried, strict=True):
        exact = solve(game.subgame, w, level, people.prior).policy
        before, after = (game.subgame.distance(exact, play(each)) for each in (people.prior, logits))
        assert after < share * before


@pytest.mark.parametrize("rule", RULES)
def test_copies_learn_each_under_its_own_mechanism(setting, rule):
    game, level, tried = setting
    people = learners(game, rule, level, 7)
    together = people.respond(people.beginning, tried, 0.1)
    apart = np.concatenate([people.respond(people.beginning, w[None], 0.1) for w in tried])
    np.testing.assert_allclose(together, apart, rtol=1e-12, atol=1e-12)
    assert people.logits(together, tried).shape == (2, *game.subgame.shape)


@pytest.mark.parametrize("rule", RULES)
def test_the_mean_of_settled_copies_is_settled(rule):
    game = make_game("lanes", n=3, n_moves=11, agent_objective="full")
    people, w = learners(game, rule, 5.0, 400), np.array([[0.0, -1.0]])
    population = people.respond(people.beginning, np.repeat(w, 2, axis=0), 0.1).mean(axis=0)
    for _ in range(5):
        population = people.respond(population, w, 0.1)[0]
    after = people.respond(population, np.repeat(w, 2, axis=0), 0.1).mean(axis=0)
    np.testing.assert_allclose(after, population, atol=1e-6)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("level", [0.0, math.inf])
def test_the_ends_of_rationality(rule, level):
    game = make_game("lanes", n=3, n_moves=11)
    people, w = learners(game, rule, level, 300), np.array([[0.3, -1.0]])
    population = people.beginning
    for _ in range(3):
        population = people.respond(population, w, 0.1)[0]
    played = play(people.logits(population[None], w)[0])
    if level == 0:
        np.testing.assert_allclose(played, play(people.prior), atol=1e-12)
    else:
        exact = solve(game.subgame, w[0], level, people.prior)
        values = game.subgame.rewards(w[0], exact.aggregates)
        lost = ((exact.policy - played) * values).sum(axis=-1).max()
        assert -1e-9 <= lost < (1e-9 if rule == "fictitious_play" else 0.02)


def test_dual_averaging_adds_up_payoffs_less_the_price_of_divergence():
    game, level, eta = make_game("lanes", n=3, n_moves=11, agent_objective="full"), 40.0, 6.0
    prior, w = prior_table(game, None, np.zeros(2)), np.array([0.2, -1.0])
    people = DualAveraging(subgame=game.subgame, prior=prior, inverse_temperature=level, updates=9, first_step=eta)
    theta = prior.copy()
    for t in range(1, 10):
        values = game.subgame.rewards(w, game.subgame.aggregates(play(theta)))
        theta = theta + eta / math.sqrt(t) * (values - (theta - prior) / level)
    learned = people.respond(prior, w[None], 0.1)[0]
    np.testing.assert_allclose(log_softmax(learned), log_softmax(theta), atol=1e-10)


def test_dual_averaging_never_steps_beyond_the_reply():
    game = make_game("lanes", n=3, n_moves=11)
    people, w = learners(game, "dual_averaging", 0.5, 1), np.array([[0.2, -1.0]])
    exact = people.best_response(people.prior, w)
    np.testing.assert_array_equal(people.respond(people.prior, w, 0.1), exact)


def test_fictitious_play_is_the_weighted_mean_of_past_replies():
    game, w = make_game("lanes", n=3, n_moves=11, agent_objective="full"), np.array([0.2, -1.0])
    people = learners(game, "fictitious_play", 2.0, 30)  # so low that it does not have to rise
    belief = people.beginning
    for t in range(30):
        reply = np.exp(game.subgame.log_response(w, belief, 2.0, people.prior))
        belief = belief + 2 / (t + 20) * (game.subgame.aggregates(reply) - belief)
    np.testing.assert_allclose(people.respond(people.beginning, w[None], 0.1)[0], belief, atol=1e-12)


def test_only_first_beliefs_are_replied_to_at_a_rising_inverse_temperature(monkeypatch):
    game, w = make_game("lanes", n=3, n_moves=11, agent_objective="full"), np.array([[0.2, -1.0]])
    people, levels = learners(game, "fictitious_play", 500.0, 20), []
    reply = FictitiousPlay._reply
    monkeypatch.setattr(FictitiousPlay, "_reply", lambda self, *at: levels.append(at[-1]) or reply(self, *at))
    population = people.respond(people.beginning, w, 0.1)[0]
    assert levels[0] == pytest.approx(3 / game.subgame.unit)
    np.testing.assert_allclose(np.diff(np.log(levels[:15])), math.log(500 / levels[0]) / 14, atol=1e-9)
    assert levels[14:] == [500.0] * 6
    people.respond(population, w, 0.1)
    assert levels[20:] == [500.0] * 20


# -- in a training ----------------------------------------------------------------------------------------------------

SMALL = ("game.n=3", "game.n_moves=21", "game.agent_objective=full", "trainer.iterations=12", "trainer.log_every=4")


@pytest.fixture
def unsearched(monkeypatch):
    """Spare the search of the box where nobody asks for the best mechanism."""
    found = lambda game, *others: Best(np.zeros(game.degree), -1.0)  # noqa: E731
    monkeypatch.setattr("lawgiver.trainers.mechanism_design.two_timescale.setup.best_in_box", found)


@pytest.mark.parametrize("rule", RULES)
def test_a_run_that_was_stopped_goes_on_as_if_nothing_had_happened(rule, tmp_path, monkeypatch, unsearched, undrawn):
    overrides = [*SMALL, "trainer.checkpoint_every=5", f"agents.participants.learning={rule}"]
    whole, summary = train("lanes", [*overrides, f"run_dir={tmp_path / 'whole'}"])
    again, _ = train("lanes", [*overrides, f"run_dir={tmp_path / 'again'}"])
    calls, update = 0, Training.update

    def stop(learner, number):
        nonlocal calls
        calls += 1
        if calls > 8:
            raise KeyboardInterrupt
        return update(learner, number)

    monkeypatch.setattr(Training, "update", stop)
    with pytest.raises(Interrupted):
        train("lanes", [*overrides, f"run_dir={tmp_path / 'stopped'}"])
    monkeypatch.setattr(Training, "update", update)
    resume(tmp_path / "stopped")
    for other in (again, tmp_path / "stopped"):
        for one, two in zip(Run.open(whole).lines(), Run.open(other).lines(), strict=True):
            assert {**one, "timing": None} == {**two, "timing": None}
        found = json.loads((other / "summary.json").read_text())
        assert {**found, "timing": None} == {**summary, "timing": None}
    assert summary["reply_gap"] < 0.02
    assert summary["agent_updates"] == 12 * 2 * 50


@pytest.mark.parametrize("rule", RULES)
def test_the_mechanism_arrives_whatever_the_rule(rule):
    setup = prepare(load_config("lanes", [*SMALL, f"agents.participants.learning={rule}"]))
    progress = begin(setup)
    for number in range(100):
        progress.update(number)
    assert setup.gap_closed(setup.exact(progress.optimiser.coefficients)) > 0.8


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("agents.participants.learning=fictitious", "did you mean 'fictitious_play'"),
        ("agents.participants.first_step=0", "agents.participants.first_step is 0"),
        ("agents.participants.first_step=.nan", "agents.participants.first_step is nan"),
        ("agents.participants.first_step=.inf", "agents.participants.first_step is inf"),
        ("agents.participants.updates_per_evaluation=0", "agents.participants.updates_per_evaluation is 0"),
    ],
)
def test_wrong_settings_are_refused_by_name(override, says):
    with pytest.raises(LawgiverError) as refusal:
        load_config("lanes", [override])
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)
