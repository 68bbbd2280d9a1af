"""Aggregation without payments: truthful mixtures, the network, its search for misreports, its objective, its runs."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import lawgiver
from lawgiver.agents.aggregation_net import LearnedAggregation
from lawgiver.agents.learned import load_policy, save_policy
from lawgiver.agents.reporting import named_rule
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.solvers.preference_aggregation.strategyproof import dictators, random_pairs
from lawgiver.envs.solvers.preference_aggregation.tilting import divergence
from lawgiver.trainers import reproduce
from lawgiver.trainers.aggregation import evaluation
from lawgiver.trainers.aggregation import train as training
from lawgiver.trainers.aggregation.evaluation import TruthfulMixture, best_truthful, charged, judge, judged, values
from lawgiver.trainers.aggregation.learner import Learner
from lawgiver.trainers.aggregation.settings import AggregationTrainer, Evaluation
from lawgiver.trainers.cli import app
from lawgiver.trainers.evaluation.evaluate import evaluate
from lawgiver.trainers.misreports.search import Cases
from lawgiver.trainers.misreports.settings import Lagrangian
from lawgiver.trainers.reproduce import learned_aggregators as reproduction
from lawgiver.trainers.runs import launch
from lawgiver.trainers.statistics.streams import torch_seeded

SKEWED = [0.5, 0.3, 0.15, 0.05]
QUICK = (
    *(
        "trainer.updates=8",
        "trainer.batch=8",
        "trainer.samples=16",
        "trainer.log_every=4",
        "trainer.checkpoint_every=5",
    ),
    "trainer.evaluation={profiles: 20, audited: 2, rules: [median], charges: [1]}",
    "agents.mechanism.hidden=[8]",
)


def annotators(**params):
    return make_game("preference_aggregation", payments=False, **{"n": 4, "replies": 3, **params})


def types_of(game, count, seed=0):
    return game.initial_state(count, np.random.default_rng(seed)).types


def network_of(game, spread=0.0, hidden=(8,)):
    """Make a mechanism, its weights moved away from zero at the end."""
    with torch_seeded(1):
        mechanism = LearnedAggregation(game, hidden=hidden)
        with torch.no_grad():
            for parameter in mechanism.network.correction.parameters():
                parameter.add_(spread * torch.randn(parameter.shape))
    return mechanism


def settings(**changes):
    return AggregationTrainer(name="aggregation", **{"updates": 60, "batch": 16, "samples": 64, **changes})


# -- truthful rules -------------------------------------------------------------------------------------------------


def test_pairs_are_decided_by_majority():
    rng = np.random.default_rng(0)
    rewards = np.round(rng.random((200, 4, 3)), 1)  # with ties
    expected = np.zeros((200, 3))
    for a, b in itertools.combinations(range(3), 2):
        ahead = np.sign(rewards[:, :, a] - rewards[:, :, b]).sum(1)
        for side, reply in ((1, a), (-1, b)):
            expected[:, reply] += np.where(ahead == 0, 0.5, ahead * side > 0) / 3
    np.testing.assert_allclose(random_pairs(rewards), expected, atol=1e-12)
    assert random_pairs(rewards[..., :1]).tolist() == [[1.0]] * 200
    np.testing.assert_allclose(random_pairs(torch.tensor(rewards)).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("spent", [0.0, 0.1, 0.5, 0.8, 10.0])
def test_dictators_spend_what_they_may_and_not_more(spent):
    """A single one: no policy of the ball is better for it, by random ones of the ball."""
    rng, log_reference = np.random.default_rng(0), np.log(SKEWED)
    rewards = rng.normal(size=(50, 1, 4)) * 10.0 ** rng.integers(-3, 4, size=(50, 1, 1))
    policy = dictators(rewards, log_reference, spent)
    np.testing.assert_allclose(policy.sum(1), 1)
    most = -log_reference[rewards[:, 0].argmax(1)]
    np.testing.assert_allclose(divergence(policy, log_reference), np.minimum(spent, most), atol=1e-5)
    others = rng.dirichlet(np.ones(4), 4_000)
    inside = others[divergence(others, log_reference) <= spent]
    worth = (policy * rewards[:, 0]).sum(1)
    scale = np.ptp(rewards[:, 0], axis=1)
    if len(inside):
        assert ((inside @ rewards[:, 0].T).max(0) <= worth + 1e-6 * scale).all()
    twin = dictators(torch.tensor(rewards), torch.tensor(log_reference), spent).numpy()
    np.testing.assert_allclose(twin, policy, atol=1e-9)


def test_a_dictator_without_a_favourite_leaves_the_reference():
    np.testing.assert_allclose(dictators(np.full((1, 2, 4), 0.3), np.log(SKEWED), 0.4), [SKEWED])


def test_nobody_gains_under_a_truthful_mixture_by_any_of_5000_misreports():
    game = annotators(reference_policy=SKEWED, replies=4)
    rng, mixture = np.random.default_rng(0), TruthfulMixture(game, 0.4, 0.3)
    types = types_of(game, 5_000)
    lies = types.copy()
    lies[:, 0] = np.where(rng.random((5_000, 1)) < 0.5, rng.random((5_000, 4)), rng.integers(0, 2, (5_000, 4)))
    gain = ((mixture.decision(lies) - mixture.decision(types)) * types[:, 0]).sum(1)
    assert gain.max() < 1e-9 and gain.min() < -0.01
    greedy = named_rule(game, "mean")
    assert ((greedy.decision(lies) - greedy.decision(types)) * types[:, 0]).sum(1).max() > 0.05, "a control"


def test_the_best_truthful_mixture_is_better_than_its_ends():
    game = annotators(n=5)
    best, types = best_truthful(game, [0]), types_of(game, 4_000, 5)
    assert 0 < best.pairs < 1 and 0 < best.spent < np.log(3)
    ends = [TruthfulMixture(game, np.log(3), 0.0), TruthfulMixture(game, 0.0, 1.0), TruthfulMixture(game, 0.0, 0.0)]
    reached, *others = (values(game, mixture, types).mean() for mixture in (best, *ends))
    assert reached > max(others) + 0.003 and reached < values(game, named_rule(game, "mean"), types).mean()


# -- the network ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params", [{}, {"rewards": "gaussian", "tau": 1.0}, {"replies": 4, "reference_policy": SKEWED}]
)
def test_untrained_it_is_the_mean(params):
    game = annotators(**params)
    types = types_of(game, 30)
    np.testing.assert_allclose(network_of(game).decision(types), named_rule(game, "mean").decision(types), atol=1e-5)


def test_annotators_and_replies_are_treated_alike():
    game = annotators()
    mechanism, types = network_of(game, 0.3), types_of(game, 20)
    policy = mechanism.decision(types)
    assert np.abs(policy - network_of(game).decision(types)).max() > 0.01
    np.testing.assert_allclose(mechanism.decision(types[:, [2, 0, 3, 1]]), policy, atol=1e-6)
    np.testing.assert_allclose(mechanism.decision(types[..., [2, 0, 1]]), policy[:, [2, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(mechanism.decision(torch.tensor(types)).detach().numpy(), policy, atol=1e-6)


def test_it_plays_games_of_other_sizes(tmp_path):
    small, large = annotators(), annotators(n=7, replies=6)
    save_policy(tmp_path / "net", network_of(small, 0.3))
    policy = load_policy(tmp_path / "net", large).decision(types_of(large, 5))
    assert policy.shape == (5, 6) and np.abs(policy.sum(1) - 1).max() < 1e-6
    same = load_policy(tmp_path / "net", small)
    np.testing.assert_array_equal(
        same.decision(types_of(small, 5)), network_of(small, 0.3).decision(types_of(small, 5))
    )


def test_it_refuses_what_it_cannot_play():
    with pytest.raises(UnsupportedGameError, match="'aggregation_net' makes a policy of rewards; lanes-v0 has none"):
        LearnedAggregation(make_game("lanes"))
    with pytest.raises(UnsupportedGameError, match="mechanism_mode='allocate'"):
        LearnedAggregation(annotators(mechanism_mode="announce"))
    with pytest.raises(ParameterError, match="hidden is 3"):
        LearnedAggregation(annotators(), hidden=3)  # type: ignore[arg-type]


# -- learning -------------------------------------------------------------------------------------------------------


def test_all_rankings_are_tried_where_they_are_finitely_many():
    """What the learner finds is the best of six rankings, by enumeration."""
    game = annotators(feedback="ranking")
    mechanism = network_of(game, 0.5)
    learner = Learner(game, mechanism.network, settings(batch=8), 0, "cpu")
    index = learner.stored.turn(1)
    told = learner.update(1)
    types = learner.stored.types[index].double().numpy()
    twin = network_of(game, 0.5)
    truth = twin.decision(game.read(types))
    gains = np.zeros((8, 4))
    for seat, ranking in itertools.product(range(4), game.menu()):
        reports = game.read(types)
        reports[:, seat] = ranking
        gained = ((twin.decision(reports) - truth) * types[:, seat]).sum(1)
        gains[:, seat] = np.maximum(gains[:, seat], gained)
    assert told["gain"] == pytest.approx(gains.mean(), rel=1e-4) and told["gain"] > 1e-3


def test_the_gradient_is_that_of_differences_at_given_misreports(slopes_agree):
    game = annotators(objective="nash")
    network = network_of(game, 0.3).network.double()
    learner = Learner(game, network, settings(), 0, "cpu")
    types = learner.stored.types[:6]
    cases = Cases.of(game, types)
    own = (1 - cases.own).clone()

    def loss():
        value, gain = learner._terms(types, cases, own)
        return 2 * gain - value

    assert learner._terms(types, cases, own)[1] >= 0
    slopes_agree(list(network.parameters()), loss)


def test_a_bound_keeps_gains_near_it_and_welfare_above_what_is_known():
    game = annotators(n=3)
    mechanism = network_of(game, hidden=(16, 16))
    chosen = settings(
        updates=150, batch=32, samples=256, learning_rate=0.01, target=0.01, lagrangian=Lagrangian(every=8)
    )
    learner = Learner(game, mechanism.network, chosen, 0, "cpu")
    told = [learner.update(number) for number in range(1, 151)]
    assert np.mean([each["gain"] for each in told[-20:]]) == pytest.approx(0.01, abs=0.005)
    types = types_of(game, 400, 3)
    learned, mean, median = (
        judged(game, rule, types, 60, 1, 0)
        for rule in (mechanism, named_rule(game, "mean"), named_rule(game, "median"))
    )
    assert learned.gains.mean() < 0.6 * mean.gains.mean() and learned.gains.mean() < median.gains.mean()
    assert median.value.mean() < learned.value.mean() < mean.value.mean()


# -- judging and runs -----------------------------------------------------------------------------------------------


def test_rules_are_judged_as_what_they_are(monkeypatch):
    monkeypatch.setattr(evaluation, "TRIED", 200)
    game = annotators()
    found = judge(game, network_of(game), Evaluation(profiles=300, audited=10, charges=(0, 0.5, 1)), [3])
    rules, paid = found["rules"], found["charged"]
    assert list(rules) == [
        "learned", "mean", "trimmed_mean", "median", "random_dictator", "truthful_mixture", "reference",
    ]  # fmt: skip
    assert rules["learned"]["given_up"].mean == pytest.approx(0, abs=1e-6), "untrained it is the mean"
    assert rules["learned"]["gain"].mean == pytest.approx(rules["mean"]["gain"].mean, abs=1e-4)
    assert rules["truthful_mixture"]["greatest_gain"] < 1e-9 and rules["reference"]["greatest_gain"] < 1e-9
    assert rules["reference"]["value"].mean == pytest.approx(0.5, abs=0.02)
    assert paid["0"]["gain"].mean == pytest.approx(rules["mean"]["gain"].mean, abs=1e-9)
    assert paid["0"]["gain"].mean > 3 * paid["0.5"]["gain"].mean > 1e-3
    assert paid["1"]["greatest_gain"] < 1e-9 and paid["1"]["revenue"].mean > 0.05
    assert all(abs(each["given_up"].mean) < 1e-9 for each in paid.values())


def test_a_share_of_the_payments_is_taken():
    game = annotators()
    types = types_of(game, 50)
    whole, half = (judged(*charged(game, share), types, 2, 1, 0) for share in (1.0, 0.5))
    np.testing.assert_allclose(half.revenue, whole.revenue / 2)
    mosaic = named_rule(make_game("preference_aggregation", n=4, replies=3), "mosaic").decision(types)
    np.testing.assert_allclose(whole.revenue, mosaic[:, 3:].sum(1))


@pytest.mark.parametrize(
    "changes", [["trainer.target=0.01", "trainer.lagrangian.every=3"], ["game.feedback=ranking", "trainer.weight=2"]]
)
def test_resumed_it_ends_as_if_it_had_not_been_interrupted(changes, undrawn, interrupted_and_whole, monkeypatch):
    def weights(game, mechanism, *how):
        return {"weights": {name: numbers.tolist() for name, numbers in mechanism.network.state_dict().items()}}

    monkeypatch.setattr(training, "PROBE", 10)
    monkeypatch.setattr(training, "judge", weights)  # what is judged has to be the same to the last digit
    _, logged = interrupted_and_whole("aggregation", [*QUICK, *changes])
    assert logged == [4, 8]


def test_a_run_from_the_command_line_is_complete(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "TRIED", 50)
    folder = tmp_path / "run"
    result = CliRunner().invoke(app, ["train", "aggregation", *QUICK, "game.n=3", f"run_dir={folder}"])
    assert result.exit_code == 0, result.output
    assert "learned" in result.output and "MOSAIC" in result.output
    summary = json.loads((folder / "summary.json").read_text())
    assert list(summary["rules"]) == ["learned", "mean", "median", "truthful_mixture", "reference"]
    assert list(summary["charged"]) == ["1"]
    assert {path.name for path in (folder / "figures").iterdir()} == {"curves.png", "frontier.png"}
    assert lawgiver.load(folder, "mechanism").kind == "aggregation_net"
    again = evaluate(folder)
    assert again["rules"]["mean"]["value"].mean == pytest.approx(summary["rules"]["mean"]["value"]["mean"], abs=0.1)
    assert again["rules"]["mean"]["value"].mean != summary["rules"]["mean"]["value"]["mean"], "on other profiles"


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["game.payments=true"], UnsupportedGameError, "and payments=False: payments is True$"),
        (["game.mechanism_mode=announce"], UnsupportedGameError, "mechanism_mode='allocate' .*_mode is 'announce'$"),
        (["game={name: lanes}"], UnsupportedGameError, "needs preference_aggregation .*, not lanes-v0$"),
        (["game.feedback=pairs", "game.comparisons=3"], UnsupportedGameError, "comparisons is 3"),
        (["game.feedback=ranking", "game.replies=9"], UnsupportedGameError, "rankings that can all be tried"),
        (["trainer.samples=4", "trainer.batch=8"], ParameterError, "trainer.samples is 4, allowed: at least"),
        (["trainer.target=0"], ParameterError, "target"),
        (["trainer.evaluation.rules=[none]"], UnsupportedGameError, "none"),
        (["trainer.evaluation.charges=[2]"], ParameterError, "charges"),
    ],
)
def test_what_cannot_be_trained_is_one_line(overrides, error, message, tmp_path):
    quick = [one for one in QUICK if one.partition("=")[0] not in {each.partition("=")[0] for each in overrides}]
    with pytest.raises(error, match=message) as raised:
        launch.train("aggregation", [*quick, *overrides, f"run_dir={tmp_path / 'run'}"])
    assert "\n" not in str(raised.value)


def test_the_reproduction_compares_all(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "TRIED", 50)
    monkeypatch.setattr(reproduction, "TARGETS", (0.02, 0.01, 0.005))
    monkeypatch.setattr(reproduction, "SIZES", ((2, 4),))
    monkeypatch.setattr(reproduction, "PROFILES", 20)
    monkeypatch.setattr(reproduction, "AUDITED", 2)
    monkeypatch.setattr(reproduction, "FEWER", 2)
    monkeypatch.setattr(reproduction, "KNOWN", ("mean",))
    monkeypatch.setattr(reproduction, "SLOW", ("median",))
    quick = [one for one in QUICK if not one.startswith("trainer.evaluation")]
    alone = "trainer.evaluation={profiles: 20, audited: 2, rules: [], charges: []}"
    monkeypatch.setattr(reproduction, "ALONE", (*quick, alone))
    made = reproduce.reproduce("learned_aggregators", tmp_path, 1)
    rules, paid, elsewhere = made.comparisons.values()
    assert [row["rule"] for row in rules] == [
        *(f"learned, target {target}" for target in ("0.02", "0.01", "0.005")),
        "median", "mean", "truthful mixture", "reference",
    ]  # fmt: skip
    kept = {row["rule"]: row["share kept"].mean for row in rules}
    assert (kept["mean"], kept["reference"]) == pytest.approx((1, 0), abs=1e-9) and 0 < kept["truthful mixture"] < 1
    assert paid[-1]["revenue"].mean > 0 and abs(paid[-1]["mean gain"].mean) < 1e-9
    assert elsewhere[0]["annotators, replies"] == "2, 4" and elsewhere[0]["given up"].mean > -1e-6
    assert [file.name for file in made.figures] == ["frontier.png"]
    assert "learned, target 0.01" in made.markdown()
    monkeypatch.setattr(reproduction, "judge", None)  # what is judged is kept
    again = reproduce.reproduce("learned_aggregators", tmp_path, 1)
    assert again.comparisons == made.comparisons
