"""The payoff tensor of a round, beside payoffs by hand, the exact equilibria and another library's solver."""

import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest

import lawgiver
from lawgiver.envs.core.errors import ParameterError, UnknownNameError, UnsupportedGameError
from lawgiver.envs.solvers.equilibrium.normal_form import normal_form


def test_public_investment_by_hand():
    game = lawgiver.make_game("public_investment", endowments=(3, 2), n_rounds=2)
    form = normal_form(game, "strict_egalitarian")
    assert form.condition == "3-2" and [a.tolist() for a in form.actions] == [[0, 1, 2, 3], [0, 1, 2]]
    for c in itertools.product(range(4), range(3)):
        share = game.multiplier * sum(c) / 2
        np.testing.assert_allclose(form.payoffs[(slice(None), *c)], [3 - c[0] + share, 2 - c[1] + share])


def test_the_untaxed_dilemma():
    form = normal_form(lawgiver.make_game("taxed_dilemma"), "libertarian")
    np.testing.assert_allclose(form.payoffs[0], form.payoffs[1].T)
    (punished, tempted), (fooled, rewarded) = form.payoffs[0]
    assert tempted > rewarded > punished > fooled


@pytest.mark.parametrize(
    ("name", "params", "mechanism"),
    [
        ("public_investment", {"endowments": (4, 2, 2)}, "liberal_egalitarian"),
        ("public_investment", {"endowments": (4, 2), "mechanism_mode": "announce"}, "libertarian"),
        ("taxed_dilemma", {}, "libertarian"),
        ("selfish_routing", {"n": 3, "network": "pigou", "tolled": ["s-t#1"], "box": 2.0}, "no_mechanism"),
    ],
)
def test_the_suites_logit_equilibrium_is_one_of_the_tensor(name, params, mechanism):
    """Solved here by damped iteration on the tensor alone, it has the payoffs that the exact scores say."""
    game = lawgiver.make_game(name, **params)
    form = normal_form(game, mechanism)
    n = len(form.actions)
    mixed = [np.full(len(a), 1 / len(a)) for a in form.actions]
    for _ in range(3000):
        for i in range(n):
            values = form.payoffs[i]
            for j in reversed([j for j in range(n) if j != i]):
                values = np.tensordot(values, mixed[j], (j, 0))
            reply = np.exp(values - values.max())
            mixed[i] = 0.8 * mixed[i] + 0.2 * reply / reply.sum()
    expected = form.payoffs
    for j in reversed(range(n)):
        expected = expected @ mixed[j] if j == n - 1 else np.tensordot(expected, mixed[j], (j + 1, 0))
    scores = game.exact_scores(lawgiver.make_policy(game, "mechanism", mechanism), inverse_temperature=1.0)
    if "surplus" in scores and name == "public_investment":
        assert expected.sum() - sum(params["endowments"]) == pytest.approx(scores["surplus"], abs=1e-6)
    elif name == "taxed_dilemma":
        assert [p[1] for p in mixed] == pytest.approx(scores["cooperation"], abs=1e-6)
    else:
        assert expected.sum() == pytest.approx(scores["welfare"], abs=1e-6)


def test_private_types_come_by_the_seed():
    game = lawgiver.make_game("repeated_allocation")
    one, same, other = (normal_form(game, "proportional_fairness", seed=s).payoffs for s in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("name", "params", "mechanism", "error", "message"),
    [
        ("public_investment", {}, "random", UnsupportedGameError, "random"),
        ("public_investment", {}, "nobody", UnknownNameError, "unknown mechanism 'nobody'"),
        ("sequential_sales", {}, "vcg", UnsupportedGameError, "do not choose"),
        ("election", {}, "random", UnsupportedGameError, "do not choose|no normal form"),
        ("lanes", {"n": 20}, "no_mechanism", UnsupportedGameError, "joint actions, at most 200,000"),
    ],
)
def test_games_without_one_say_so(name, params, mechanism, error, message):
    with pytest.raises(error, match=message):
        normal_form(lawgiver.make_game(name, **params), mechanism)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"condition": "9-9"}, "unknown condition '9-9'"),
        ({"condition": ["9-9"]}, "unknown condition"),
        ({"seed": -1}, "seed is -1, allowed: an integer >= 0"),
        ({"seed": "one"}, "seed is 'one'"),
    ],
)
def test_wrong_conditions_and_seeds_are_named(wrong, message):
    with pytest.raises(ParameterError, match=message):
        normal_form(lawgiver.make_game("public_investment"), "libertarian", **wrong)


@pytest.mark.parametrize(("mechanism", "contributed"), [("libertarian", (4, 2, 2)), ("strict_egalitarian", (0, 0, 0))])
def test_openspiel_solves_the_round(mechanism, contributed, capsys):
    """A contributed point comes back 1.6 times to its owner, or in three equal parts: a dominant strategy each."""
    script = Path(__file__).parents[1] / "examples" / "openspiel_round.py"
    spec = importlib.util.spec_from_file_location("openspiel_round", script)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    assert example.main(mechanism, iterations=60) < 1e-2
    said = capsys.readouterr().out
    for seat, (amount, endowment) in enumerate(zip(contributed, (4, 2, 2), strict=True)):
        assert f"participant {seat}: contributes {amount}.00 of {endowment}" in said


def test_nashpy_takes_the_tensor_of_two():
    nashpy = pytest.importorskip("nashpy")
    form = normal_form(lawgiver.make_game("taxed_dilemma"), "libertarian")
    (found,) = nashpy.Game(*form.payoffs).support_enumeration()
    assert [p.tolist() for p in found] == [[1, 0], [1, 0]], "both defect"
