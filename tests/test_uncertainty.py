"""Every uncertainty that is computed, printed or drawn, held to what is known of it.

Intervals are checked by simulating data of a known truth many times over: they must cover it as often as they say, and
be as wide as they ought to be, so that one a tenth too narrow or too wide fails. What is printed or drawn is read back
and compared with the numbers it stands for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.core.fields import Field
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.files.json_text import from_json, to_json
from lawgiver.envs.online_allocation import OnlineAllocation
from lawgiver.trainers import hcmd_zero
from lawgiver.trainers.audit.result import Audit, Regret
from lawgiver.trainers.cli.printed_tables import show_audit, show_summary
from lawgiver.trainers.cli.vote_tables import show_tournament
from lawgiver.trainers.elections.meta_game import binomial_errors, nash_of_many, wins
from lawgiver.trainers.elections.standings import resampled
from lawgiver.trainers.elections.tournament import Tournament
from lawgiver.trainers.evaluation import vote_shares
from lawgiver.trainers.evaluation.rollout import simulate
from lawgiver.trainers.hcmd_zero.convergence import Convergence, edge_of
from lawgiver.trainers.hcmd_zero.tables import convergence
from lawgiver.trainers.reproduce import affine_maximisers
from lawgiver.trainers.reproduce.payment_free_points import Point
from lawgiver.trainers.reproduce.table import Reproduction, Row, over_seeds
from lawgiver.trainers.statistics.bootstrap import group_bootstrap
from lawgiver.trainers.statistics.estimate import Estimate, confidence, with_estimates
from lawgiver.trainers.tables.cells import cell

pytest.importorskip("matplotlib")
from matplotlib.container import ErrorbarContainer

from lawgiver.trainers.affine_maximiser import figures as affine_figures
from lawgiver.trainers.elections import figures as election_figures
from lawgiver.trainers.mechanism_design import figures as design
from lawgiver.trainers.payment_free import figures as sharing_figures
from lawgiver.trainers.payment_free import frontier_figure
from lawgiver.trainers.reproduce import payment_free_chart

COVERAGE = 0.95
NORMAL = 1.959963984540054
"""97.5th percentile of the normal distribution, from the tables."""


def held_to_truth(ends: np.ndarray, truth: float, error: float | None = None, width: float = 1.0) -> None:
    """Check 95 % intervals (R, 2) of R simulated data sets.

    They cover the truth within 4 standard errors of 95 %. Their mean half-width is 1.96 of the known standard ``error``
    times ``width``, within 3 %; where the error is not known, misses have the size that the intervals allow for.
    """
    runs, halves = len(ends), np.ptp(ends, axis=1) / 2
    assert (ends[:, 0] <= ends[:, 1]).all()
    missed = ends.mean(axis=1) - truth
    covered = float((np.abs(missed) <= halves).mean())
    assert covered == pytest.approx(COVERAGE, abs=4 * np.sqrt(COVERAGE * (1 - COVERAGE) / runs))
    if error is not None:
        assert halves.mean() == pytest.approx(NORMAL * error * width, rel=0.03)
    else:
        assert NORMAL * np.sqrt(np.mean((missed / halves) ** 2)) == pytest.approx(width, rel=0.06)


def ends_of(found: Iterable[Estimate]) -> np.ndarray:
    """Return both ends of intervals, (R, 2)."""
    return np.array([each.ends for each in found])


# -- votes ----------------------------------------------------------------------------------------------------------


def test_intervals_of_votes_hold_the_truth_by_condition_and_pooled(monkeypatch):
    """Groups of four who vote alike, 100 in each of two conditions; pooled, they are one sample of all groups."""
    rng, truth = np.random.default_rng(0), {"a": 0.45, "b": 0.6}

    def shares(*_):  # p (1 - p) (1 + 3 rho) / 4 is their variance, rho = 1/3
        return {name: rng.binomial(4, rng.beta(2 * p, 2 - 2 * p, 100)) / 4 for name, p in truth.items()}

    monkeypatch.setattr(vote_shares, "shares", shares)
    found = [vote_shares.against(None, None, {"rival": None}, 100, [seed]) for seed in range(400)]  # type: ignore[arg-type]
    told = [each["vote_share"]["rival"] for each in found]
    variance = {name: p * (1 - p) / 2 for name, p in truth.items()}
    for name, p in truth.items():
        held_to_truth(ends_of(each[name] for each in told), p, np.sqrt(variance[name] / 100))
    spread = np.mean(list(variance.values())) + np.var(list(truth.values()))
    pooled = ends_of(each["pooled"] for each in told)
    assert pooled.mean() == pytest.approx(0.525, abs=0.005) and np.ptp(pooled, axis=1).mean() / 2 == pytest.approx(
        NORMAL * np.sqrt(spread / 200), rel=0.03
    )
    assert [each["vote_share_pooled"]["rival"] for each in found] == [each["pooled"] for each in told]


@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.9])
def test_ratios_of_pairs_have_intervals_that_hold_the_truth(correlation):
    """Means 1 and 2, deviations 0.5 and 1: var(a - r b) = 0.5^2 + 0.5^2 - 0.5 correlation * 1 * 0.5 * 2."""
    rng, n = np.random.default_rng(7), 400
    covariance = np.array([[0.25, 0.5 * correlation], [0.5 * correlation, 1.0]])
    pairs = rng.multivariate_normal([1.0, 2.0], covariance, (2_000, n))
    found = [Estimate.of_ratio(*each.T) for each in pairs]
    error = np.sqrt(0.5 * (1 - correlation)) / 2 / np.sqrt(n)
    held_to_truth(ends_of(found), 0.5, error)
    assert np.mean([each.standard_error for each in found]) == pytest.approx(error, rel=0.03)


def test_a_ratio_to_what_may_be_nothing_has_no_interval():
    """A third on average, of deviation 0.94: of 12 pairs within 1.96 standard errors of 0, of 90 not."""
    for n, known in ((12, False), (90, True)):
        found = Estimate.of_ratio(np.ones(n), np.resize([-1.0, 1.0, 1.0], n))
        assert found.mean == pytest.approx(3.0)
        assert [end is not None for end in (found.standard_error, found.low, found.high)] == [known] * 3


def test_groups_of_unequal_weight_have_intervals_that_hold_the_truth():
    rng, weights = np.random.default_rng(1), np.tile([1.0, 3.0], 75)
    found = [group_bootstrap(rng.normal(0.5, 0.1, 150), weights, rng, draws=1_000) for _ in range(1_000)]
    error = 0.1 * np.sqrt((weights**2).sum()) / weights.sum()
    held_to_truth(ends_of(found), 0.5, error)
    assert np.mean([each.standard_error for each in found]) == pytest.approx(error, rel=0.03)


def test_groups_that_agree_have_an_interval_of_no_width():
    alike = group_bootstrap(np.full(40, 0.3), np.arange(1, 41), np.random.default_rng(0))
    assert alike == Estimate(0.3, 0.0, 0.3, 0.3, 40, "group bootstrap")
    assert group_bootstrap(np.array([0.25]), None, np.random.default_rng(0)).ends == (0.25, 0.25)


def test_the_mean_of_groups_is_weighted_and_the_interval_repeats_itself():
    values, weights = np.array([0.0, 1.0, 0.5]), np.array([1, 3, 4])
    first, again = (group_bootstrap(values, weights, np.random.default_rng(7)) for _ in range(2))
    assert first == again and first.mean == pytest.approx(5 / 8)
    assert first.ends[0] <= first.mean <= first.ends[1]


def test_intervals_cover_what_clusters_hide():
    """Votes of one group are alike; 95 % intervals over groups cover the truth, those over single votes do not.

    Intervals a tenth narrower or wider than they ought to be would be told from these.
    """
    rng, truth, runs = np.random.default_rng(0), 0.55, 3_000
    votes = rng.binomial(4, rng.beta(2 * truth, 2 * (1 - truth), (runs, 60))) / 4
    found = [group_bootstrap(row, None, rng, draws=500) for row in votes]
    means, halves = np.array([(each.mean, each.half) for each in found]).T
    deviation = np.sqrt(0.95 * 0.05 / runs)

    def missed(width):
        return abs((np.abs(means - truth) <= width * halves).mean() - 0.945)

    assert missed(1) < 3 * deviation < min(missed(0.9), missed(1.1)), "percentile intervals of 60 groups reach 94.5 %"
    naive = np.abs(means - truth) <= 1.96 * np.sqrt(means * (1 - means) / 240)
    assert naive.mean() < 0.95 - 4 * deviation


@pytest.mark.parametrize(
    ("values", "weights"), [([], None), ([0.1, np.nan], None), ([0.1, 0.2], [1, 0]), ([0.1, 0.2], [1])]
)
def test_groups_that_cannot_be_weighed_are_refused(values, weights):
    with pytest.raises(LawgiverError):
        group_bootstrap(values, weights, np.random.default_rng(0))


def test_errors_and_intervals_of_a_tournament_hold_the_truth():
    """Rock, paper, scissors with an edge of 0.2 each; what is drawn anew is held to truth in test_standings.py."""
    rng, edge, each = np.random.default_rng(2), 0.2, 60
    p = np.array([0.5 + edge, 0.5 - edge, 0.5 + edge])[:, None, None]  # 0 beats 1, 2 beats 0, 1 beats 2
    held = [
        Tournament(("a", "b", "c"), rng.binomial(4, rng.beta(2 * p, 2 - 2 * p, (3, 2, each))) / 4) for _ in range(800)
    ]
    true = np.sqrt((0.25 - edge**2) / 2 / (2 * each))
    for i, j in ((0, 1), (1, 0), (2, 0)):
        assert np.mean([found.errors[i, j] for found in held]) == pytest.approx(true, rel=0.02)
        assert np.std([found.shares[i, j] for found in held]) == pytest.approx(true, rel=0.1)
    solved, drawn = held[0].solved(3), resampled(held[0].groups, np.random.default_rng(3))
    mixture = np.array([solved["nash"][name].mean for name in held[0].names])
    for weight, weights in zip(solved["nash"].values(), nash_of_many(drawn).T, strict=True):
        assert weight.ends == pytest.approx(np.percentile(weights, [2.5, 97.5]))
        assert weight.standard_error == pytest.approx(weights.std())
    lost = (drawn @ mixture).max(axis=1) - 0.5
    assert solved["exploitability"].ends == pytest.approx(np.percentile(lost, [2.5, 97.5]))


def test_errors_of_counted_votes_and_wins_are_of_the_binomial():
    rng, runs, elections = np.random.default_rng(3), 20_000, 400
    drawn = rng.binomial(elections, 0.5, runs) / elections
    error = binomial_errors(np.array([[0.5, 0.6], [0.4, 0.5]]), elections)
    assert error[0, 1] == pytest.approx(np.sqrt(0.24 / elections), rel=0.01) and error[0, 0] == 0
    ties = np.array([wins(np.array([[0.5, s], [1 - s, 0.5]]), np.full((2, 2), 0.025))[0, 1] for s in drawn])
    assert ties.mean() == pytest.approx(0.025, abs=4 * np.sqrt(0.025 / runs) + 0.002), "shares are in steps of 1/400"


def test_edges_have_intervals_of_their_share_of_the_error():
    """Among two comparisons each interval misses half of 5 %."""
    rng, runs = np.random.default_rng(4), 8_000
    edges = [edge_of(rng.normal([[0.5], [0.6]], 0.1, (2, 10)), 2) for _ in range(runs)]
    outside = np.mean([not edge.ends[0] <= 0.05 <= edge.ends[1] for edge in edges])
    assert outside == pytest.approx(0.025, abs=4 * np.sqrt(0.025 * 0.975 / runs))
    assert np.mean([edge.half for edge in edges]) == pytest.approx(
        2.4450 * 0.1 / np.sqrt(20) * (1 - 1 / 72), rel=0.01
    ), "t of 18 degrees of freedom; the mean standard deviation is below its root mean square"


def test_a_verdict_says_its_interval():
    told = Convergence("improves", "theta_0", share_of(0.05, 0.031, 0.069), 0.01).data()
    assert told["reason"].startswith("55.0 % [53.1, 56.9] of the votes against theta_0 in 400 games")
    assert told["edge"] == share_of(0.05, 0.031, 0.069)


# -- the notation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "found",
    [
        Estimate.normal(0.5, 0.1, 9),
        Estimate.of_seeds([1, 2, 4]),
        Estimate.of_seeds([np.inf, 1.0]),
        Estimate.of_seeds([2.0]),
        Estimate.student(0.5, 0.1, 20, 18, 0.975),
    ],
)
def test_an_estimate_is_read_as_it_was_written(found: Estimate):
    text = to_json({"a": [{"b": found}], "mean": 1})
    assert with_estimates(from_json(text)) == {"a": [{"b": found}], "mean": 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"mean": None},
        {"n": "3"},
        {"low": "a"},
        {"how": 3},
        {"level": None},
        {"level": 95},
        {"values": 3},
        {"values": ["a"]},
    ],
)
def test_a_damaged_estimate_is_refused(wrong: dict[str, object]):
    with pytest.raises(ValueError, match="is no estimate"):
        with_estimates([{**Estimate.normal(0.5, 0.1, 9).to_data(), **wrong}])


def test_an_estimate_without_its_level_is_refused_rather_than_given_one():
    data = Estimate.normal(0.5, 0.1, 9).to_data()
    assert data.pop("level") == 0.95
    with pytest.raises(ValueError, match="is no estimate"):
        with_estimates({"revenue": data})


def test_a_label_says_the_level_of_the_estimates_it_is_above():
    usual, corrected = Estimate.student(0.5, 0.1, 20, 18), Estimate.student(0.5, 0.1, 20, 18, 0.975)
    assert (usual.level, corrected.level) == (0.95, 0.975) and corrected.half > usual.half
    assert confidence() == confidence([None, 0.5, Estimate.of_seeds([1.0]), usual]) == "95 %"
    assert confidence([corrected]) == "97.5 %" and confidence([corrected, usual]) == "95 and 97.5 %"
    read = with_estimates(from_json(to_json({"1": {"verdict": "improves", "edge": corrected}})))
    ((row, columns),) = convergence(read).rows.items()
    assert row == "iteration 1" and "edge (% of the votes) [97.5 %]" in columns


# -- samples and seeds ----------------------------------------------------------------------------------------------


def test_intervals_of_samples_hold_the_truth():
    rng = np.random.default_rng(10)
    found = [Estimate.of_samples(rng.exponential(2.0, 400)) for _ in range(2_000)]
    held_to_truth(ends_of(found), 2.0, 2 / np.sqrt(400))
    assert np.mean([each.standard_error for each in found]) == pytest.approx(2 / np.sqrt(400), rel=0.02)


@pytest.mark.filterwarnings("error")
def test_a_single_sample_has_neither_error_nor_interval():
    assert Estimate.of_samples(np.array([2.5])) == Estimate(2.5, None, None, None, 1, "normal")


def test_intervals_over_seeds_hold_the_truth():
    rng = np.random.default_rng(5)
    found = [Estimate.of_seeds(rng.normal(3.0, 2.0, 4).tolist()) for _ in range(8_000)]
    ends = ends_of(found)
    covered = np.mean((ends[:, 0] <= 3) & (ends[:, 1] >= 3))
    assert covered == pytest.approx(COVERAGE, abs=4 * np.sqrt(COVERAGE * (1 - COVERAGE) / len(found)))
    mean_of_sd = 0.921318 * 2  # of four
    assert np.ptp(ends, axis=1).mean() / 2 == pytest.approx(3.182446 * mean_of_sd / 2, rel=0.03)
    errors = np.array([each.standard_error for each in found])
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(2 / np.sqrt(4), rel=0.03)


def test_rounds_that_are_played_have_intervals_that_hold_the_truth():
    """Random participants give half of what they have: the expected surplus of a round is 0.6 * 11."""
    game = make_game("public_investment", endowments=(10, 4, 4, 4), n_rounds=1)
    players = {
        "mechanism": make_policy(game, "mechanism", "libertarian"),
        "participant": make_policy(game, "participant", "random"),
    }
    found = [simulate(game, players, 100, np.random.default_rng(seed))["surplus"] for seed in range(1_000)]
    variance = 0.36 * (10 * 12 / 12 + 3 * 4 * 6 / 12)
    held_to_truth(ends_of(found), 6.6, np.sqrt(variance / 100))
    assert np.mean([each.standard_error for each in found]) == pytest.approx(np.sqrt(variance / 100), rel=0.03)


def test_rounds_of_games_of_unequal_length_have_intervals_that_hold_the_truth():
    from lawgiver.trainers.evaluation.rollout import _a_round

    rng, found = np.random.default_rng(6), []
    for _ in range(2_000):
        rounds = rng.integers(1, 10, 300).astype(float)
        found.append(_a_round(2 * rounds + rng.normal(0, 1, 300) * np.sqrt(rounds), rounds))
    held_to_truth(ends_of(found), 2.0, np.sqrt(1 / (300 * 5)))


# -- the standard errors of trainers and audits ---------------------------------------------------------------------


def audit_of(rng: np.random.Generator, profiles: int = 40) -> Audit:
    """Return an audit in which both participants of a profile have the same payoff and gain, each of variance 1."""
    shape = (profiles, 2, 1)
    shared = rng.normal(0, 1, (3, profiles, 1)) + np.zeros((1, 1, 2))
    regret = Regret(10 + shared[0], np.zeros(shape), 5, np.zeros((profiles, 2)))
    layout = (Field("value", 1, 0, 1, "money", ""),)
    at = (layout, np.zeros(shape), 20 + shared[1], np.zeros((profiles, 2)), {"joint": regret}, 1, 0, False, 0.1)
    return Audit(*at, 10 + shared[2])


def test_errors_of_an_audit_are_over_profiles():
    """Profiles are independent, the participants of one are not."""
    rng, runs = np.random.default_rng(7), 1_500
    told = [audit_of(rng).data() for _ in range(runs)]
    for name, truth in {"payoff": 20, "gain": 10, "envy": 10}.items():
        found = [
            {"payoff": each["truthful_payoff"], "gain": each["groups"]["joint"]["absolute"], "envy": each["envy"]}[name]
            for each in told
        ]
        errors = np.array([each["mean"].standard_error for each in found])
        assert errors.mean() == pytest.approx(1 / np.sqrt(40) * (1 - 1 / 156), rel=0.02)
        assert np.std([each["mean"].mean for each in found]) == pytest.approx(1 / np.sqrt(40), rel=0.08)
        assert np.mean([each["mean"].mean for each in found]) == pytest.approx(truth, abs=0.02)


def test_errors_of_an_affine_maximiser_are_over_profiles():
    torch = pytest.importorskip("torch")
    from lawgiver.trainers.affine_maximiser.evaluation import compared

    rng = torch.Generator().manual_seed(0)
    problem: Any = SimpleNamespace(
        evaluate=lambda sd, types: 1 + sd * torch.randn(50, generator=rng),
        vcg=3.0,
        game=SimpleNamespace(limit=lambda: 2),
    )
    found = [compared(problem, 2.0, None) for _ in range(2_000)]  # type: ignore[arg-type]
    for key, sd in {"objective": 2.0, "vcg": 3.0}.items():
        errors = [each[key].standard_error for each in found]
        assert np.mean(errors) == pytest.approx(sd / np.sqrt(50) * (1 - 1 / 196), rel=0.02)
        assert np.std([each[key].mean for each in found]) == pytest.approx(sd / np.sqrt(50), rel=0.07)


def test_errors_of_sharing_without_payments_are_over_instances(monkeypatch):
    from lawgiver.trainers.payment_free import evaluation

    rng, ratios = np.random.default_rng(8), []

    def of_truth(*_):
        ratios.append(rng.uniform(0.5, 1, 100))
        return np.log(ratios[-1]), np.zeros(100), np.ones(100)

    monkeypatch.setattr(evaluation, "of_truth", of_truth)
    game: Any = SimpleNamespace(weighting=np.ones(2))
    found = [evaluation.welfare(game, None, None) for _ in range(1_000)]  # type: ignore[arg-type]
    key = "nash_welfare_ratio_to_pf"
    assert np.mean([each[key].standard_error for each in found]) == pytest.approx(0.5 / np.sqrt(12 * 100), rel=0.02)
    assert np.std([each[key].mean for each in found]) == pytest.approx(0.5 / np.sqrt(12 * 100), rel=0.1)


def test_errors_of_a_followers_revenue_are_over_profiles(monkeypatch):
    from lawgiver.envs.goal_collection.game import GoalCollection
    from lawgiver.trainers.learned_follower import evaluation
    from lawgiver.trainers.learned_follower.settings import Evaluation

    rng = np.random.default_rng(9)

    def settle(game, follower, types, reports):  # participants of a profile pay the same
        paid = 3 + rng.normal(0, 1, (len(types), 1)) + np.zeros((1, game.n))
        return SimpleNamespace(payments=paid, greedy=paid, affine_welfare=paid)

    monkeypatch.setattr(evaluation, "settle", settle)
    monkeypatch.setattr(evaluation, "_welfare", lambda *_: np.zeros(1))
    game, settings = GoalCollection(n=2), Evaluation(profiles=60, exact=0, audited=0)
    found = [evaluation.evaluate(game, None, settings, [seed]) for seed in range(500)]  # type: ignore[arg-type]
    errors = [each["revenue"].standard_error for each in found]
    assert np.mean(errors) == pytest.approx(2 / np.sqrt(60), rel=0.03)
    assert np.std([each["revenue"].mean for each in found]) == pytest.approx(2 / np.sqrt(60), rel=0.13)


# -- reproductions --------------------------------------------------------------------------------------------------


def test_rows_over_seeds_have_the_standard_error_of_their_mean():
    rng = np.random.default_rng(11)
    rows = [over_seeds("a", rng.normal(0, 2, 5).tolist()) for _ in range(6_000)]
    assert np.sqrt(np.mean([row.ours.standard_error**2 for row in rows])) == pytest.approx(2 / np.sqrt(5), rel=0.03)


def test_rows_are_printed_with_one_standard_error():
    rows = (
        over_seeds("ours", [1.0, 2.0, 3.0]),
        Row("both", Estimate.normal(0.5, 0.0125, 9), baseline=Estimate.normal(0.25, 0.0031, 9)),
    )
    text = Reproduction("A paper", {"One": rows}, (), baseline="VCG").markdown()
    assert f"| 2 ± {1 / np.sqrt(3):.1g} |" in text and "| 0.25 ± 0.003 | 0.5 ± 0.01 |" in text


def test_comparisons_are_printed_with_their_interval():
    compared = {"Rules": ({"rule": "a", "gain": Estimate.normal(0.25, 0.0125, 9)},)}
    text = Reproduction("A paper", {}, (), comparisons=compared).markdown()
    low, high = 0.25 - NORMAL * 0.0125, 0.25 + NORMAL * 0.0125
    assert f"| a | 0.25 [{low:.4g}, {high:.4g}] |" in text and "±" not in text


def benchmark(name: str) -> Any:
    """Load a script of benchmarks/ without running it."""
    spec = spec_from_file_location(name, Path(__file__).parents[1] / "benchmarks" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_benchmarks_print_what_their_headings_say():
    pytest.importorskip("torch")
    values = [0.1, 0.3, 0.2]
    half = 4.302653 * np.std(values, ddof=1) / np.sqrt(3)
    assert benchmark("generalisation").spread(values) == f"0.2000 [{0.2 - half:.4f}, {0.2 + half:.4f}]"
    assert benchmark("exploitability").with_error(Estimate.normal(0.25, 0.0125, 9), 3) == "0.250 ± 0.013"


def test_learned_allocators_are_compared_seed_by_seed(capsys):
    """Intervals are those of the differences of two seeds, Student's with one degree of freedom."""
    pytest.importorskip("torch")
    script = benchmark("online_learned")
    script.table({"learned, a": np.array([1.0, 3.0]), "b": np.array([4.0, 4.0])}, 100, 5)
    own, other = capsys.readouterr().out.splitlines()[-2:]
    assert own == "| learned, a | 2.00 [-10.71, 14.71] |  | 1.00, 3.00 |"
    assert other == "| b | 4.00 [4.00, 4.00] | 2.00 [-10.71, 14.71] |  |"


def test_learned_allocators_and_others_play_the_same_games():
    pytest.importorskip("torch")
    script = benchmark("online_learned")
    game = OnlineAllocation(n=2, rounds=4)
    asks, other = (make_policy(game, "mechanism", name) for name in ("dueling", "random_questions"))
    several, mixed = script.regrets([(game, asks)] * 2, 3), script.regrets([(game, other), (game, asks)], 3)
    assert several[0] != several[1] == mixed[1]


def test_errors_of_affine_maximisers_over_seeds_hold_the_truth():
    """Seeds differ by their profiles alone, then by more: the error is that of the mean either way."""
    rng, runs, seeds = np.random.default_rng(12), 4_000, 8
    for between in (0.0, 0.3):
        drawn = rng.normal(0, np.hypot(0.1, between), (runs, seeds))
        found = [
            affine_maximisers.estimate([{"objective": Estimate.normal(x, 0.1, 50)} for x in row], "objective")
            for row in drawn
        ]
        true = np.hypot(0.1, between) / np.sqrt(seeds)
        assert true * 0.95 < np.sqrt(np.mean([each.standard_error**2 for each in found])) < true * 1.15, (
            "the larger of two estimates"
        )


def point_of(rng: np.random.Generator, seeds: int) -> Point:
    """Return a point about (0.05, 0.9), with noise of 0.02 over instances and of 0.01 over seeds."""
    instances = rng.normal(0, 0.02, (2, 200)) + np.zeros((2, 1))
    offsets = 0.01 * rng.normal(0, 1, (2, seeds, 1)) * (seeds > 1)
    return Point("", 0.9 + instances[0] + offsets[0], 0.05 + instances[1, :100] + offsets[1])


@pytest.mark.parametrize("seeds", [1, 4])
def test_points_have_intervals_that_hold_the_truth(seeds: int):
    rng, runs = np.random.default_rng(13), 3_000
    points = [point_of(rng, seeds) for _ in range(runs)]
    if seeds == 1:
        for end, truth, n in (("x", 0.05, 100), ("y", 0.9, 200)):
            held_to_truth(ends_of(getattr(p, end) for p in points), truth, 0.02 / np.sqrt(n))
            errors = [getattr(p, end).standard_error for p in points]
            assert np.mean(errors) == pytest.approx(0.02 / np.sqrt(n), rel=0.02)
    else:  # a normal and a Student variable, each with its own quantile: never less than 95 %
        for end, truth in (("x", 0.05), ("y", 0.9)):
            ends = ends_of(getattr(p, end) for p in points)
            covered = np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1]))
            assert COVERAGE - 4 * np.sqrt(0.0475 / runs) < covered < 0.975
            errors = np.array([getattr(p, end).standard_error for p in points])
            of_instances = 0.02**2 / (100 if end == "x" else 200)
            assert np.sqrt(np.mean(errors**2)) == pytest.approx(np.sqrt(of_instances + 0.01**2 / 4), rel=0.03)
            assert np.ptp(ends, axis=1).mean() / 2 == pytest.approx(3.1824 * 0.01 * 0.9213 / 2, rel=0.06)


# -- what is printed ------------------------------------------------------------------------------------------------


def share_of(mean: float, low: float, high: float) -> Estimate:
    return Estimate(mean, (high - low) / 4, low, high, 400, "group bootstrap")


def printed(capsys, monkeypatch, show, *arguments) -> str:
    """Return what a function prints on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "250")
    show(*arguments)
    return str(capsys.readouterr().out)


def test_cells_have_one_standard_error_after_the_sign():
    values = [1.0, 2.0, 4.0, 5.5]
    error = np.std(values, ddof=1) / 2
    assert cell(Estimate.of_seeds(values)) == f"3.125 ±{error:.1g}"
    assert cell(Estimate.normal(8.4, 0.0211, 50)) == "8.4 ±0.02"
    assert (
        cell(Estimate.normal(8.4, 0.0189, 50)) == "8.4 ±0.02" and cell(Estimate.normal(8.4, 0.031, 50)) == "8.4 ±0.03"
    )


def test_a_summary_is_printed_with_one_standard_error(capsys, monkeypatch):
    summary = {
        "score": Estimate.normal(1.0, 0.21, 50),
        "simulated": {"surplus": {"learned": Estimate.normal(7.0, 0.32, 50)}},
    }
    text = printed(capsys, monkeypatch, show_summary, summary)
    assert re.search(r"^score +1 ±0\.2 ", text, re.M) and re.search(r"^learned +7 ±0\.3 *$", text, re.M)


def test_an_audit_is_printed_with_its_standard_errors(capsys, monkeypatch):
    found = audit_of(np.random.default_rng(0)).data()
    text = printed(capsys, monkeypatch, show_audit, found)
    joint, payoff, envy = found["groups"]["joint"], found["truthful_payoff"], found["envy"]
    for told, digits in ((joint["absolute"], 3), (joint["relative"], 3), (payoff, 4), (envy, 4)):
        found = told["mean"]
        assert re.search(rf"\b{found.mean:.{digits}g} ±{found.standard_error:.1g}", text)


def test_a_tournament_is_printed_with_its_errors_and_intervals(capsys, monkeypatch):
    rng = np.random.default_rng(14)
    held = Tournament(("a", "b", "c"), rng.binomial(4, [[[0.7]], [[0.3]], [[0.7]]], (3, 2, 60)) / 4)
    solved = held.solved()
    text = printed(capsys, monkeypatch, show_tournament, held, solved)
    for i, name in enumerate(held.names):
        row = next(line for line in text.splitlines() if line.startswith(f"{i + 1} {name}"))
        told = re.findall(r"([\d.]+) ±([\d.]+)", row)
        others = [j for j in range(3) if j != i]
        assert told == [(f"{100 * held.shares[i, j]:.1f}", f"{100 * held.errors[i, j]:.1f}") for j in others]
        weight = solved["nash"][name]
        mean, low, high = 100 * np.array([weight.mean, *weight.ends])
        assert f"{mean:.0f} [{low:.0f}, {high:.0f}]" in row


def test_votes_are_printed_with_the_ends_of_their_intervals(capsys, monkeypatch):
    share = share_of(0.542, 0.529, 0.561)
    text = printed(capsys, monkeypatch, show_summary, {"vote_share": {"libertarian": {"10-2": share}}})
    assert re.search(r"^libertarian +54\.2 \[52\.9, 56\.1\] *$", text, re.M)
    by_people = {"vote_share": {"libertarian": {"people": {"10-2": share}}}}
    assert re.search(r"^people +54\.2 \[52\.9, 56\.1\] *$", printed(capsys, monkeypatch, show_summary, by_people), re.M)


def test_a_loop_of_elections_is_printed_with_its_errors_and_intervals(capsys, monkeypatch):
    edge = Convergence("improves", "theta_0", share_of(0.05, 0.031, 0.069), 0.01).data()
    game = {
        "names": ["a", "b"],
        "shares": [[0.5, 0.6], [0.4, 0.5]],
        "errors": [[0.0, 0.0234], [0.0234, 0.0]],
        "nash": {"a": share_of(0.6, 0.42, 0.79), "b": share_of(0.4, 0.21, 0.58)},
    }
    text = printed(
        capsys, monkeypatch, show_summary, {"convergence": {"1": edge}, "meta_game": game}, hcmd_zero.trainer
    )
    assert re.search(r"^iteration 1 +improves +5\.0 \[3\.1, 6\.9\] ", text, re.M)
    assert "standard errors up to 2.3" in " ".join(text.split()) and re.search(r"^1 a .* 60 \[42, 79\] *$", text, re.M)


# -- what is drawn --------------------------------------------------------------------------------------------------


def bars(axis) -> list[tuple[list[tuple[float, float]], list[tuple[float, float]]]]:
    """Return the error bars of a panel: of each series the ends of the horizontal ones, and of the vertical ones."""
    found = []
    for container in axis.containers:
        if isinstance(container, ErrorbarContainer):
            flat, upright = [], []
            for collection in container.lines[2]:
                for (x, y), (x_2, y_2) in collection.get_segments():
                    (upright if x == x_2 else flat).append((y, y_2) if x == x_2 else (x, x_2))
            found.append((flat, upright))
    return found


def test_the_standing_of_a_training_has_bars_of_95_percent():
    baselines = {
        name: {"nash_welfare_ratio_to_pf": Estimate.normal(ratio, 0.0, 1_000), "relative_gain": gain}
        for name, ratio, gain in (("proportional_fairness", 1.0, 0.06), ("water_filling", 0.95, 0.0))
    }
    summary = {
        "baselines": baselines,
        "exploitability": {"joint": {"relative": {"mean": Estimate.normal(0.02, 0.001, 200)}}},
        "nash_welfare_ratio_to_pf": Estimate.normal(0.98, 0.004, 1_000),
    }
    figure = sharing_figures.standing(summary, [{"relative_gain": 0.03, "nash_welfare_ratio_to_pf": 0.97}])
    ((flat, upright),) = bars(figure.axes[0])
    assert flat == [pytest.approx((0.02 - NORMAL * 0.001, 0.02 + NORMAL * 0.001))]
    assert upright == [pytest.approx((0.98 - NORMAL * 0.004, 0.98 + NORMAL * 0.004))]


def test_a_frontier_has_the_bars_of_its_points():
    point = point_of(np.random.default_rng(15), 1)
    mark = payment_free_chart._mark(point, "1")
    panel = frontier_figure.Panel("all", "gain", {"fair": mark}, {"mixes": [mark, mark]}, {"ExS-Net": [mark]})
    figure = frontier_figure.frontier([panel], "2 participants")
    for axis in figure.axes[:2]:
        drawn = bars(axis)
        assert len(drawn) == 3
        for flat, upright in drawn:
            assert flat[0] == pytest.approx(point.x.ends) and upright[0] == pytest.approx(point.y.ends)
    half = NORMAL * np.array([point.gains.std() / 10, point.ratios.std() / np.sqrt(200)])
    assert [point.x.half, point.y.half] == pytest.approx(half)


def test_affine_maximisers_are_drawn_with_what_the_legend_says():
    standing = affine_figures.Standing("2, 2", 0.5, 0.4, Estimate.normal(0.6, 0.01, 3), 0.65)
    figure = affine_figures.boards(
        [affine_figures.Board("Table 1", "revenue", "a bound", "bidders, items", [standing])]
    )
    ((flat, upright),) = bars(figure.axes[0])
    assert not flat and upright == [pytest.approx((0.6 - NORMAL * 0.01, 0.6 + NORMAL * 0.01))]
    assert "ours, 95 % interval" in [text.get_text() for text in figure.axes[1].get_legend().get_texts()]


def test_votes_are_drawn_with_the_ends_of_their_intervals():
    shares = {"people": {"10-2": share_of(0.5, 0.44, 0.53), "pooled": share_of(0.6, 0.58, 0.63)}}
    figure = election_figures.votes(shares, "learned", "libertarian")
    ((flat, upright),) = bars(figure.axes[0])
    assert not flat and upright == [pytest.approx((44, 53)), pytest.approx((58, 63))]


def test_bands_of_contributions_hold_the_truth_and_are_drawn():
    rng, runs, groups = np.random.default_rng(16), 2_000, 8
    endowments = np.tile([10.0, 4, 4, 4], (groups, 1))
    given = rng.uniform(0.3, 0.7, (groups, runs, 4)) * [10, 4, 4, 4]
    band = election_figures.contribution_bands(endowments, given)[4]
    head = ends_of(band["head"])
    held_to_truth_of_few(head, 0.5, 0.4 / np.sqrt(12) / np.sqrt(groups), 2.364624, groups)
    shown = {4: {who: each[:5] for who, each in band.items()}}
    figure = election_figures.contributions_over_rounds({"learned": shown})
    for axis, who in zip(figure.axes, ("head", "tail"), strict=True):
        vertices = axis.collections[0].get_paths()[0].vertices
        for at, found in enumerate(shown[4][who], 1):
            drawn = vertices[vertices[:, 0] == at, 1]
            assert (drawn.min(), drawn.max()) == pytest.approx(tuple(np.clip(found.ends, 0, 1)))


def held_to_truth_of_few(ends: np.ndarray, truth: float, error: float, quantile: float, n: int) -> None:
    """Check Student's intervals of means of n values: coverage, and the root mean square of their half-widths."""
    runs = len(ends)
    covered = np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1]))
    assert covered == pytest.approx(COVERAGE, abs=4 * np.sqrt(COVERAGE * (1 - COVERAGE) / runs))
    assert np.sqrt(np.mean(np.ptp(ends, axis=1) ** 2)) / 2 == pytest.approx(quantile * error, rel=0.03)


def test_a_matrix_of_votes_is_written_with_its_standard_errors():
    figure = election_figures.payoff_matrix(
        np.array([[0.5, 0.6], [0.4, 0.5]]), ["a", "b"], np.array([[0.0, 0.0234], [0.0234, 0.0]])
    )
    written = [text.get_text() for text in figure.axes[0].texts]
    assert written == ["50.0", "60.0\n±2.3", "40.0\n±2.3", "50.0"]
    assert "± standard error" in figure.axes[0].get_title()


def test_bands_of_welfare_are_one_standard_deviation_wide():
    time, mean, sd = np.array([1.0, 10.0]), np.array([-3.0, -2.0]), np.array([0.5, 0.25])
    figure = design.losses([design.Panel("a", {"b": design.Band(time, mean, sd)}, {"limit": -1.0})], "games", "welfare")
    drawn = [line.get_ydata() for line in figure.axes[0].get_lines() if line.get_linestyle() == "--"]
    np.testing.assert_allclose(drawn[:2], [mean - sd, mean + sd])
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert design.EDGE in labels and "one standard deviation" in design.EDGE
