"""preference_aggregation-v0: feedback, rules, payments, audits, presets, and bad input."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import torch

from lawgiver.agents.reporting import DirectMechanism
from lawgiver.envs.core.errors import LawgiverError, ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.preference_aggregation import PreferenceAggregation
from lawgiver.envs.preference_aggregation.feedback import binomial
from lawgiver.envs.solvers.preference_aggregation.tilting import optimal_value, tilted
from lawgiver.trainers.audit import audit_game

RULES = (
    "mean",
    "median",
    "trimmed_mean",
    "bradley_terry",
    "borda",
    "nash_lottery",
    "maxmin",
    "random_dictator",
    "plurality",
)


def drawn(game: PreferenceAggregation, count: int, seed: int = 0) -> np.ndarray:
    return game.initial_state(count, np.random.default_rng(seed)).types


def audited(game: PreferenceAggregation, name: str, profiles: int = 6):
    return audit_game(game, make_policy(game, "mechanism", name), drawn(game, profiles), effort=1, gradient=False)


def table(path, annotators: int = 4, replies: int = 3):
    rows = [f"a{i},r{k},{0.1 * i + k}" for i in range(annotators) for k in range(replies)]
    path.write_text("\n".join(["annotator,item,value", *rows]))
    return str(path)


# -- rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("feedback", ["rewards", "ranking", "pairs"])
@pytest.mark.parametrize("name", RULES)
def test_every_rule_makes_a_policy_and_the_same_one_on_torch(name, feedback):
    game = PreferenceAggregation(n=4, replies=3, reference_policy=(0.2, 0.5, 0.3), feedback=feedback)
    reports = game.read(drawn(game, 50))
    policy, payments = game.split_decision(game.direct_rules[name](reports))
    assert policy.min() >= 0 and np.abs(policy.sum(-1) - 1).max() <= 1e-9 and not payments.any()
    assert np.ptp(policy, axis=0).max() > 0.05
    on_torch = game.direct_rules[name](torch.tensor(reports))
    np.testing.assert_allclose(on_torch[:, :3].numpy(), policy, atol=1e-9)
    # Whoever they are and whatever replies are called changes nothing, but for the reference of each.
    order = [2, 0, 1]
    turned = replace(game, reference_policy=tuple(np.array(game.reference_policy)[order]))
    again, _ = turned.split_decision(turned.direct_rules[name](reports[:, ::-1][..., order]))
    np.testing.assert_allclose(again, policy[:, order], atol=1e-7)


@pytest.mark.parametrize("name", ["mean", "median", "mosaic"])
def test_members_of_the_family_are_the_rules_of_their_names(name):
    allocate = PreferenceAggregation(n=4, replies=3)
    announce = replace(allocate, mechanism_mode="announce")
    types = drawn(allocate, 20)
    ends = [play_out(game, make_policy(game, "mechanism", name), types, types) for game in (allocate, announce)]
    for field in ("lottery", "payments", "payoffs"):
        np.testing.assert_allclose(getattr(ends[0], field), getattr(ends[1], field), atol=1e-12)
    assert (ends[0].payments.max() > 0) == (name == "mosaic")


def test_the_mean_is_best_for_regularised_welfare_and_maxmin_for_the_worst_off():
    game = PreferenceAggregation(n=4, replies=3, reference_policy=(0.2, 0.5, 0.3), tau=0.05)
    types = drawn(game, 200)
    found = {name: play_out(game, make_policy(game, "mechanism", name), types, types) for name in RULES}
    regularised = {name: game.measures()["regularised"](state) for name, state in found.items()}
    np.testing.assert_allclose(regularised["mean"], optimal_value(game.log_reference, types.mean(1), game.tau))
    assert all((regularised["mean"] >= each - 1e-12).all() for each in regularised.values())
    least = {
        name: (game.measures()["least"](s) - game.tau * game.measures()["divergence"](s)) for name, s in found.items()
    }
    assert all((least["maxmin"] >= each - 1e-4).all() for each in least.values())


def test_measures_of_a_policy():
    game = PreferenceAggregation(n=2, replies=2, reference_policy=(0.75, 0.25), tau=2.0)
    types = np.array([[[1.0, 0.0], [0.5, 0.5]]])
    state = game.settle(game.initial_state_from(types), np.array([[0.5, 0.5, 0.25, 0.0]]))
    spent = 0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25)
    known = {"welfare": 0.5, "least": 0.5, "regularised": 0.5 - 2 * spent, "divergence": spent, "revenue": 0.25}
    known["reference"] = 0.5 * np.log(0.75) + 0.5 * np.log(0.25)
    for name, value in known.items():
        assert game.measures()[name](state) == pytest.approx(value), name
        if name in game.objectives:
            assert replace(game, objective=name).measure(state) == pytest.approx(value)


# -- incentives -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("feedback", ["rewards", "pairs"])
def test_nobody_gains_under_mosaic_and_somebody_does_without_its_payments(feedback):
    game = PreferenceAggregation(n=3, replies=3, feedback=feedback, reference_policy=(0.2, 0.5, 0.3))
    mosaic, mean = audited(game, "mosaic"), audited(game, "mean")
    assert mosaic.largest_gain <= 1e-9
    assert mosaic.payments.min() >= -1e-12 and mosaic.payoffs.min() >= 0
    assert mean.largest_gain > 0.05


def test_a_share_of_the_charge_leaves_a_part_of_the_gain():
    game = PreferenceAggregation(n=3, replies=3, mechanism_mode="announce")
    found = []
    for charge in (0.0, 0.5, 1.0):
        rule = make_policy(game, "mechanism", {"policy": "rule", "parameters": [0.0, 1.0, charge]})
        found.append(audit_game(game, rule, drawn(game, 6), effort=1, gradient=False).joint.gains.mean())
    assert found[0] > 2 * found[1] > 0 and found[2] <= 1e-9


class OwnOffset(DirectMechanism):
    """MOSAIC with the forbidden offset <p_-i, r_i>, which the payer's own report moves."""

    def decision(self, reports):
        policy, payments = self.game.split_decision(self.game.direct_rules["mosaic"](reports))
        others = (reports.sum(1, keepdims=True) - reports) / self.game.n
        without = tilted(self.game.log_reference, others, self.game.tau)
        return self.game.joined(policy, payments + (without * reports).sum(-1))


def test_the_audit_catches_an_offset_by_ones_own_report():
    game = PreferenceAggregation(n=3, replies=3)
    assert audit_game(game, OwnOffset(game), drawn(game, 6), effort=1, gradient=False).largest_gain > 0.1


def test_rankings_are_audited_exactly():
    game = PreferenceAggregation(n=3, replies=3, feedback="ranking", payments=False, tau=0.3)
    rule, types = game.direct_rules["borda"], drawn(game, 5)
    menu = game.menu()
    assert menu is not None and len(menu) == 6
    np.testing.assert_array_equal(game.read(menu), menu)
    truth = (rule(game.read(types))[:, None] * types).sum(-1)
    best = np.zeros_like(truth)
    for i, ranking in ((i, r) for i in range(3) for r in permutations((0.0, 0.5, 1.0))):
        told = types.copy()
        told[:, i] = ranking
        gain = (rule(game.read(told)) * types[:, i]).sum(-1) - truth[:, i]
        best[:, i] = np.maximum(best[:, i], gain)
    found = audited(game, "borda", 5)
    assert best.max() > 0
    np.testing.assert_allclose(found.joint.gains, best, atol=1e-12)


def test_a_random_dictator_is_truthful_only_where_shares_are_best_replies():
    """A report of c r sharpens one's own share; a share that is sharp already cannot be."""
    warm = PreferenceAggregation(n=3, replies=3, tau=0.3)
    types = drawn(warm, 100)

    def gain(game: PreferenceAggregation, factor: float) -> np.ndarray:
        told = types.copy()
        told[:, 0] *= factor
        rule = game.direct_rules["random_dictator"]
        return ((rule(told) - rule(types))[:, :3] * types[:, 0]).sum(-1)

    assert gain(warm, 1 / types.max()).min() > 0
    assert gain(replace(warm, tau=1e-5), 1 / types.max()).max() <= 1e-9
    assert audited(replace(warm, tau=1e-6), "random_dictator").largest_gain <= 1e-9


def test_the_median_of_a_general_set_of_replies_is_manipulable():
    assert audited(PreferenceAggregation(n=5, replies=3), "median").largest_gain > 0.02


# -- feedback ---------------------------------------------------------------------------------------------------------


def test_a_mechanism_sees_no_more_than_the_feedback():
    types = drawn(PreferenceAggregation(n=2, replies=4), 10)
    ranking, pairs = (PreferenceAggregation(n=2, replies=4, feedback=kind) for kind in ("ranking", "pairs"))
    np.testing.assert_allclose(ranking.read(types), ranking.read(types**3))
    np.testing.assert_allclose(pairs.read(types), pairs.read(types - types.min() * 0.5))
    assert set(ranking.read(types).round(9).ravel()) == {0, round(1 / 3, 9), round(2 / 3, 9), 1}


def test_many_comparisons_tell_rewards_and_one_tells_little():
    game = PreferenceAggregation(n=2, replies=3, feedback="pairs", comparisons=1_000)
    types = drawn(game, 40)
    few = replace(game, comparisons=1)
    apart = []
    for each in (game, few):
        end = play_out(each, make_policy(each, "mechanism", "mean"), types, types, np.random.default_rng(0))
        apart.append(np.abs(end.reports - game.read(types)).mean())
    assert apart[0] < 0.03 and apart[1] > 5 * apart[0]
    with pytest.raises(UnsupportedGameError, match="draws at random"):
        audited(few, "mean")


def test_binomial_numbers():
    draws = (np.arange(20_000) + 0.5) / 20_000
    for chance in (0.0, 0.3, 0.5, 1.0):
        found = binomial(np.full(20_000, chance), draws, 7)
        assert found.min() >= 0 and found.max() <= 7
        assert found.mean() == pytest.approx(7 * chance, abs=2e-3)
        assert found.var() == pytest.approx(7 * chance * (1 - chance), abs=5e-3)


# -- who annotates what -----------------------------------------------------------------------------------------------


def test_rewards_of_every_kind_lie_in_their_bounds():
    for params in ({"rewards": "gaussian"}, {"rewards": "groups"}, {"rewards": "linear", "features": 3}):
        game = PreferenceAggregation(n=6, replies=5, **params)
        types = drawn(game, 2_000)
        assert game.utility_low <= types.min() and types.max() <= game.utility_high
        if params["rewards"] == "gaussian":
            assert types.mean() == pytest.approx(0, abs=0.01) and types.std() == pytest.approx(1, abs=0.01)
        if params["rewards"] == "groups":
            exact = drawn(replace(game, noise=0.0), 2_000)
            alike = (exact[:, :, None] == exact[:, None]).all(-1)
            assert alike.mean() == pytest.approx(1 / 6 + 5 / 6 * (0.6**2 + 0.4**2), abs=0.02)
            assert 0.08 < (types - exact)[(types > 0.3) & (types < 0.7)].std() < 0.12
        if params["rewards"] == "linear":
            assert np.linalg.matrix_rank(types.reshape(-1, 5)) == 3


def test_a_table_has_each_annotator_as_often_and_nobody_twice(tmp_path):
    game = PreferenceAggregation(n=3, rewards="table", table=table(tmp_path / "t.csv"))
    assert (game.m, game.utility_low, game.utility_high) == (3, 0, pytest.approx(2.3))
    who = np.round(10 * drawn(game, 4_000)[..., 0]).astype(int)
    assert (np.sort(who, axis=1)[:, 1:] > np.sort(who, axis=1)[:, :-1]).all()
    assert np.bincount(who.ravel()) / 12_000 == pytest.approx([0.25] * 4, abs=0.02)


def test_goodhart_peaks_where_theory_says_and_weights_leave_out_what_is_gamed():
    game = make_game("preference_aggregation", preset="goodhart")
    types = drawn(game, 1)
    solution = game.known_solutions()[1]
    assert solution.residual() <= 1e-6

    def worth(game: PreferenceAggregation, parameters: list[float]) -> float:
        end = play_out(game, make_policy(game, "mechanism", {"policy": "rule", "parameters": parameters}), types, types)
        return float(game.measure(end)[0])

    factors = np.linspace(1, 3, 81)
    found = [worth(game, [factor]) for factor in factors]
    assert max(found) == pytest.approx(solution.value(), abs=1e-4)
    assert factors[int(np.argmax(found))] == pytest.approx(1.7205, abs=0.03)
    assert found[0] < 0.7 * max(found)  # a colder policy scores more of the proxy, and is worth less
    weighted = make_game("preference_aggregation", preset="goodhart_features")
    assert worth(weighted, [1.0, 1.0]) == pytest.approx(found[0], abs=1e-9)
    assert worth(weighted, [1.0, 0.0]) == pytest.approx(1.25, abs=1e-4)
    costly = replace(weighted, measured={**weighted.measured, "cost": 0.5})
    assert worth(costly, [1.0, 0.0]) == pytest.approx(0.75, abs=1e-4)


def test_a_language_model_writes_for_advertisers():
    game = make_game("preference_aggregation", preset="language")
    types = drawn(game, 3)
    assert game.m == 20 and len(game.written.texts) == 20
    assert len(set(game.written.texts)) > 15 and all(len(text.split()) >= 8 for text in game.written.texts)
    np.testing.assert_allclose(np.sort(types, axis=1), np.sort(game.written.rewards, axis=0)[None].repeat(3, 0))
    assert np.exp(game.log_reference).sum() == pytest.approx(1) and np.ptp(game.log_reference) > 1
    plain = replace(game, language={**game.language, "aware": False})
    assert np.ptp(plain.log_reference) == pytest.approx(0, abs=1e-12)
    worth = {}
    for name, each in (("aware", game), ("plain", plain)):
        end = play_out(each, make_policy(each, "mechanism", "mosaic"), drawn(each, 2), drawn(each, 2))
        assert end.payments.min() >= -1e-9
        worth[name] = end.utilities.sum(1).mean()
    assert worth["aware"] > worth["plain"] + 1  # replies that were written to all briefs are worth more to them
    assert audited(game, "mosaic", 2).largest_gain <= 1e-9


# -- bad input --------------------------------------------------------------------------------------------------------

MEASURED = {"v": (1, 0), "a": (1, 1), "w": ((1, 0), (0, 1)), "cost": 0, "nodes": 4}

LANGUAGE = {"model": "ngram", "query": "the value of", "briefs": ("#types",)}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"tau": 0}, r"tau is 0, allowed: a number in \(0, inf\)"),
        ({"tau": -1.0}, "tau is -1.0"),
        ({"replies": 0}, "replies is 0, allowed: an integer in 1..5,000"),
        ({"n": 0}, "n is 0"),
        ({"n": 1_000, "replies": 1_000}, "1,000 annotators and 1,000 replies make 1,000,000 rewards"),
        ({"reference_policy": [0.5, 0.6]}, "the sum of reference_policy is 1.1, allowed: 1"),
        ({"reference_policy": [1.0, 0.0]}, r"reference_policy\[1\] is 0, allowed: probabilities above 0"),
        ({"reference_policy": [0.5, 0.5], "replies": 3}, "replies is 3, but reference_policy has 2"),
        ({"reference_policy": "uniform"}, "reference_policy is 'uniform', allowed: a list of 4 numbers"),
        ({"rewards": "bimodal"}, "rewards is 'bimodal': "),
        ({"rewards": "table"}, "table is None with rewards='table'"),
        ({"table": "t.csv"}, "table is 't.csv' with rewards='uniform', allowed: None, or rewards='table'"),
        ({"feedback": "rank"}, "feedback is 'rank': did you mean 'ranking'"),
        ({"comparisons": 3}, "comparisons is 3 with feedback='rewards'"),
        ({"comparisons": 0, "feedback": "pairs"}, "comparisons is 0, allowed: an integer in 1..1,000"),
        ({"sharpness": 0}, "sharpness is 0"),
        ({"announced": []}, r"announced is \[\], allowed: a list of different names"),
        ({"announced": ["charge"], "payments": False}, r"announced\[0\] is 'charge'"),
        ({"announced": ["charge", "weights"]}, "announced has both charge and weights"),
        ({"objective": "worth"}, "objective is 'worth' with rewards='uniform'"),
        ({"objective": "revenue", "payments": False}, "objective is 'revenue' with payments=False"),
        ({"rewards": "measured", "measured": {"v": [1]}}, "measured is {'v': .*allowed: a mapping with v, a, w, cost"),
        ({"rewards": "measured", "measured": {**MEASURED, "w": ((1,), (1,))}}, r"measured.w\[0\] has 1 number"),
        ({"rewards": "measured", "measured": {**MEASURED, "nodes": 100}, "n": 2}, "nodes=100, allowed: .*5,000"),
        ({"rewards": "language", "language": {"model": "ngram"}}, "language is .*allowed: a mapping with model, query"),
        ({"rewards": "language", "language": {**LANGUAGE, "model": "gpt"}}, "gpt"),
        ({"rewards": "language", "language": {**LANGUAGE, "count": 0}}, "count is 0, allowed: an integer >= 1"),
        ({"rewards": "language", "language": {**LANGUAGE, "briefs": []}}, r"language.briefs is \[\], allowed"),
        ({"rewards": "language", "language": LANGUAGE}, "n is 5, but there are 1 annotators to draw"),
        ({"rewards": "measured", "measured": MEASURED}, "n is 5, but measured.w has rows of 2 annotators"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(params, message):
    with pytest.raises(LawgiverError, match=message) as found:
        PreferenceAggregation(**params)
    assert "\n" not in str(found.value)


def test_bad_tables_are_refused_by_file_and_line(tmp_path):
    file = tmp_path / "table.csv"
    for text, message in (
        ("annotator,value\na,1\n", "lacks 'item'"),
        ("annotator,item,value\na,x,1\nb,x,2\na,y,3\n", "no value of annotator 'b' for item 'y'"),
        ("annotator,item,value\na,x,one\n", "table.csv'?:2|line 2"),
        ("annotator,item,preferred,other\na,x,p,q\n", "has comparisons, allowed"),
    ):
        file.write_text(text)
        with pytest.raises(ParameterError, match=message):
            PreferenceAggregation(n=1, rewards="table", table=str(file))
        file.unlink()
    with pytest.raises(ParameterError, match="n is 5, but there are 4 annotators to draw"):
        PreferenceAggregation(n=5, rewards="table", table=table(tmp_path / "few.csv"))


@pytest.mark.parametrize(
    ("params", "name", "message"),
    [
        ({"payments": False}, "mosaic", "not a rule of preference_aggregation-v0 with payments=False"),
        ({"mechanism_mode": "announce"}, "borda", "of whose family it is not"),
        ({}, "vcg", "not a rule of preference_aggregation-v0"),
    ],
)
def test_rules_that_there_are_not(params, name, message):
    with pytest.raises(LawgiverError, match=message):
        make_policy(PreferenceAggregation(**params), "mechanism", name)


def test_rules_of_feedback_are_not_those_of_other_games():
    with pytest.raises(UnsupportedGameError, match="knows no such rule"):
        make_policy(make_game("public_investment"), "mechanism", "nash_lottery")
