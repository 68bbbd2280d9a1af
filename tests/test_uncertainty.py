"""Every uncertainty that is computed, printed or drawn, held to what is known of it.

Intervals are checked by simulating data of a known truth many times over: they must cover it as often as they say, and
be as wide as they ought to be, so that one a tenth too narrow or too wide fails. What is printed or drawn is read back
and compared with the numbers it stands for.
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lawgiver.envs.core.fields import Field
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.trainers.audit.result import Audit, Regret
from lawgiver.trainers.cli.tables import show_audit, show_summary
from lawgiver.trainers.cli.vote_tables import show_tournament
from lawgiver.trainers.elections.meta_game import binomial_errors, nash_of_many, wins
from lawgiver.trainers.elections.standings import resampled
from lawgiver.trainers.elections.tournament import Tournament
from lawgiver.trainers.evaluation import elections
from lawgiver.trainers.evaluation.rollout import simulate
from lawgiver.trainers.hcmd_zero.convergence import Convergence, Edge
from lawgiver.trainers.reproduce import affine_maximisers
from lawgiver.trainers.reproduce.payment_free_points import Point
from lawgiver.trainers.reproduce.table import Reproduction, Row, over_seeds
from lawgiver.trainers.statistics.bootstrap import group_bootstrap
from lawgiver.trainers.statistics.seeds import interval
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
NORMAL = 1.96


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


def ends_of(found) -> list[float]:
    """Return both ends of an interval as it is told."""
    return list(found[1:]) if isinstance(found, list) else [found["low"], found["high"]]


def mean_of(found, key: str | None = None) -> float:
    return found["mean"] if key is None else found[key]


def error_of(found, key: str | None = None) -> float:
    return found["se"] if key is None else found[f"{key}_se"]


def error_of_row(row: Row) -> float:
    assert row.standard_error is not None
    return row.standard_error


def row_of(name: str, ours: float, error: float, baseline: float, baseline_error: float) -> Row:
    return Row(name, ours, error, baseline=baseline, baseline_error=baseline_error)


def told_of(value: float, error: float) -> dict[str, float]:
    return {"objective": value, "objective_se": error}


def span(found) -> tuple[float, float]:
    return found.value - found.half, found.value + found.half


def estimate_of(mean: float, error: float):
    return {"mean": mean, "low": mean - NORMAL * error, "high": mean + NORMAL * error}


def share_of(mean: float, low: float, high: float):
    return [mean, low, high]


def triple(found) -> tuple[float, float, float]:
    return found["mean"], found["low"], found["high"]


def nash_of(solved):
    return solved["nash_interval"]


def nash_told(weights):
    return {
        "nash_interval": {name: dict(zip(("mean", "low", "high"), told, strict=True)) for name, told in weights.items()}
    }


def standing_told(welfare, gain):
    return {
        "exploitability": {"joint": {"relative": {"mean": gain[0], "se": gain[1]}}},
        "nash_welfare_ratio_to_pf": welfare[0],
        "nash_welfare_ratio_to_pf_se": welfare[1],
    }


def standing_of(mean: float, error: float):
    return mean, error


# -- votes ----------------------------------------------------------------------------------------------------------


def test_intervals_of_votes_hold_the_truth_by_condition_and_pooled(monkeypatch):
    """Groups of four who vote alike, 100 in each of two conditions; pooled, they are one sample of all groups."""
    rng, truth = np.random.default_rng(0), {"a": 0.45, "b": 0.6}

    def shares(*_):  # p (1 - p) (1 + 3 rho) / 4 is their variance, rho = 1/3
        return {name: rng.binomial(4, rng.beta(2 * p, 2 - 2 * p, 100)) / 4 for name, p in truth.items()}

    monkeypatch.setattr(elections, "shares", shares)
    found = [elections.against(None, None, {"rival": None}, 100, [seed]) for seed in range(400)]  # type: ignore[arg-type]
    told = [each["vote_share"]["rival"] for each in found]
    variance = {name: p * (1 - p) / 2 for name, p in truth.items()}
    for name, p in truth.items():
        held_to_truth(np.array([ends_of(each[name]) for each in told]), p, np.sqrt(variance[name] / 100))
    spread = np.mean(list(variance.values())) + np.var(list(truth.values()))
    pooled = np.array([ends_of(each["pooled"]) for each in told])
    assert pooled.mean() == pytest.approx(0.525, abs=0.005) and np.ptp(pooled, axis=1).mean() / 2 == pytest.approx(
        NORMAL * np.sqrt(spread / 200), rel=0.03
    )
    assert [ends_of(each["vote_share_pooled"]["rival"]) for each in found] == pooled.tolist()


def test_groups_of_unequal_weight_have_intervals_that_hold_the_truth():
    rng, weights = np.random.default_rng(1), np.tile([1.0, 3.0], 75)
    found = [group_bootstrap(rng.normal(0.5, 0.1, 150), weights, rng, draws=1_000) for _ in range(1_000)]
    error = 0.1 * np.sqrt((weights**2).sum()) / weights.sum()
    held_to_truth(np.array([ends_of(each) for each in found]), 0.5, error)


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
    mixture = np.array([nash_of(solved)[name]["mean"] for name in held[0].names])
    for at, name in enumerate(held[0].names):
        assert ends_of(nash_of(solved)[name]) == pytest.approx(np.percentile(nash_of_many(drawn)[:, at], [2.5, 97.5]))
    lost = (drawn @ mixture).max(axis=1) - 0.5
    assert ends_of(solved["exploitability"]) == pytest.approx(np.percentile(lost, [2.5, 97.5]))


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
    edges = [Edge.of(rng.normal([[0.5], [0.6]], 0.1, (2, 10)), 2) for _ in range(runs)]
    outside = np.mean([not edge.low <= 0.05 <= edge.high for edge in edges])
    assert outside == pytest.approx(0.025, abs=4 * np.sqrt(0.025 * 0.975 / runs))
    assert np.mean([edge.high - edge.low for edge in edges]) / 2 == pytest.approx(
        2.4450 * 0.1 / np.sqrt(20) * (1 - 1 / 72), rel=0.01
    ), "t of 18 degrees of freedom; the mean standard deviation is below its root mean square"


def test_a_verdict_says_its_interval():
    told = Convergence("improves", "theta_0", Edge(0.05, 0.031, 0.069, 400), 0.01).data()
    assert told["reason"].startswith("55.0 % [53.1, 56.9] of the votes against theta_0 in 400 games")
    assert (told["edge"], told["low"], told["high"]) == (0.05, 0.031, 0.069)


# -- samples and seeds ----------------------------------------------------------------------------------------------


def test_intervals_over_seeds_hold_the_truth():
    rng = np.random.default_rng(5)
    found = [interval(rng.normal(3.0, 2.0, 4).tolist()) for _ in range(8_000)]
    ends = np.array([ends_of(each) for each in found])
    covered = np.mean((ends[:, 0] <= 3) & (ends[:, 1] >= 3))
    assert covered == pytest.approx(COVERAGE, abs=4 * np.sqrt(COVERAGE * (1 - COVERAGE) / len(found)))
    mean_of_sd = 0.921318 * 2  # of four
    assert np.ptp(ends, axis=1).mean() / 2 == pytest.approx(3.182446 * mean_of_sd / 2, rel=0.03)


def test_rounds_that_are_played_have_intervals_that_hold_the_truth():
    """Random participants give half of what they have: the expected surplus of a round is 0.6 * 11."""
    game = make_game("public_investment", endowments=(10, 4, 4, 4), n_rounds=1)
    players = {
        "mechanism": make_policy(game, "mechanism", "libertarian"),
        "participant": make_policy(game, "participant", "random"),
    }
    found = [simulate(game, players, 100, np.random.default_rng(seed))["surplus"] for seed in range(1_000)]
    variance = 0.36 * (10 * 12 / 12 + 3 * 4 * 6 / 12)
    held_to_truth(np.array([ends_of(each) for each in found]), 6.6, np.sqrt(variance / 100))


def test_rounds_of_games_of_unequal_length_have_intervals_that_hold_the_truth():
    from lawgiver.trainers.evaluation.rollout import _a_round

    rng, found = np.random.default_rng(6), []
    for _ in range(2_000):
        rounds = rng.integers(1, 10, 300).astype(float)
        found.append(_a_round(2 * rounds + rng.normal(0, 1, 300) * np.sqrt(rounds), rounds))
    held_to_truth(np.array([ends_of(each) for each in found]), 2.0, np.sqrt(1 / (300 * 5)))


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
        errors = np.array([error_of(each) for each in found])
        assert errors.mean() == pytest.approx(1 / np.sqrt(40) * (1 - 1 / 156), rel=0.02)
        assert np.std([mean_of(each) for each in found]) == pytest.approx(1 / np.sqrt(40), rel=0.08)
        assert np.mean([mean_of(each) for each in found]) == pytest.approx(truth, abs=0.02)


def test_errors_of_an_affine_maximiser_are_over_profiles():
    torch = pytest.importorskip("torch")
    from lawgiver.trainers.affine_maximiser.train import compared

    rng = torch.Generator().manual_seed(0)
    problem: Any = SimpleNamespace(
        evaluate=lambda sd, types: 1 + sd * torch.randn(50, generator=rng),
        vcg=3.0,
        game=SimpleNamespace(limit=lambda: 2),
    )
    found = [compared(problem, 2.0, None) for _ in range(2_000)]  # type: ignore[arg-type]
    for key, sd in {"objective": 2.0, "vcg": 3.0}.items():
        errors = [error_of(each, key) for each in found]
        assert np.mean(errors) == pytest.approx(sd / np.sqrt(50) * (1 - 1 / 196), rel=0.02)
        assert np.std([mean_of(each, key) for each in found]) == pytest.approx(sd / np.sqrt(50), rel=0.07)


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
    assert np.mean([error_of(each, key) for each in found]) == pytest.approx(0.5 / np.sqrt(12 * 100), rel=0.02)
    assert np.std([mean_of(each, key) for each in found]) == pytest.approx(0.5 / np.sqrt(12 * 100), rel=0.1)


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
    errors = [error_of(each, "revenue") for each in found]
    assert np.mean(errors) == pytest.approx(2 / np.sqrt(60), rel=0.03)
    assert np.std([mean_of(each, "revenue") for each in found]) == pytest.approx(2 / np.sqrt(60), rel=0.13)


def test_errors_of_the_returns_that_runners_are_compared_by():
    pytest.importorskip("ray")
    from lawgiver.trainers.rllib.benchmark import mean_and_error

    rng = np.random.default_rng(10)
    found = np.array([mean_and_error(rng.normal(5, 2, 20)) for _ in range(4_000)])
    assert np.sqrt(np.mean(found[:, 1] ** 2)) == pytest.approx(2 / np.sqrt(20), rel=0.02)
    assert found[:, 0].std() == pytest.approx(2 / np.sqrt(20), rel=0.05)


# -- reproductions --------------------------------------------------------------------------------------------------


def test_rows_over_seeds_have_the_standard_error_of_their_mean():
    rng = np.random.default_rng(11)
    rows = [over_seeds("a", rng.normal(0, 2, 5).tolist()) for _ in range(6_000)]
    assert np.sqrt(np.mean([error_of_row(row) ** 2 for row in rows])) == pytest.approx(2 / np.sqrt(5), rel=0.03)


def test_rows_are_printed_with_one_standard_error():
    rows = (over_seeds("ours", [1.0, 2.0, 3.0]), row_of("both", 0.5, 0.0125, 0.25, 0.0031))
    text = Reproduction("A paper", {"One": rows}, (), baseline="VCG").markdown()
    assert f"| 2 ± {1 / np.sqrt(3):.1g} |" in text and "| 0.25 ± 0.003 | 0.5 ± 0.01 |" in text


def test_errors_of_affine_maximisers_over_seeds_hold_the_truth():
    """Seeds differ by their profiles alone, then by more: the error is that of the mean either way."""
    rng, runs, seeds = np.random.default_rng(12), 4_000, 8
    for between in (0.0, 0.3):
        drawn = rng.normal(0, np.hypot(0.1, between), (runs, seeds))
        found = np.array([affine_maximisers.estimate([told_of(x, 0.1) for x in row], "objective")[:2] for row in drawn])
        true = np.hypot(0.1, between) / np.sqrt(seeds)
        assert true * 0.95 < np.sqrt(np.mean(found[:, 1] ** 2)) < true * 1.15, "the larger of two estimates"


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
            told = [(getattr(p, end), p) for p in points]
            held_to_truth(np.array([span(each) for each, _ in told]), truth, 0.02 / np.sqrt(n))
    else:  # a normal and a Student variable, each with its own quantile: never less than 95 %
        for end, truth in (("x", 0.05), ("y", 0.9)):
            ends = np.array([span(getattr(p, end)) for p in points])
            covered = np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1]))
            assert COVERAGE - 4 * np.sqrt(0.0475 / runs) < covered < 0.975
            assert np.ptp(ends, axis=1).mean() / 2 == pytest.approx(3.1824 * 0.01 * 0.9213 / 2, rel=0.06)


# -- what is printed ------------------------------------------------------------------------------------------------


def printed(capsys, monkeypatch, show, *arguments) -> str:
    """Return what a function prints on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "250")
    show(*arguments)
    return str(capsys.readouterr().out)


def test_cells_have_one_standard_error_after_the_sign():
    values = [1.0, 2.0, 4.0, 5.5]
    error = np.std(values, ddof=1) / 2
    assert cell(interval(values)) == f"3.125 ±{error:.1g}"
    assert cell(estimate_of(8.4, 0.0211)) == "8.4 ±0.02"
    assert cell(estimate_of(8.4, 0.0189)) == "8.4 ±0.02" and cell(estimate_of(8.4, 0.031)) == "8.4 ±0.03"


def test_a_summary_is_printed_with_one_standard_error(capsys, monkeypatch):
    summary = {"score": estimate_of(1.0, 0.21), "simulated": {"surplus": {"learned": estimate_of(7.0, 0.32)}}}
    text = printed(capsys, monkeypatch, show_summary, summary)
    assert re.search(r"^score +1 ±0\.2 ", text, re.M) and re.search(r"^learned +7 ±0\.3 *$", text, re.M)


def test_an_audit_is_printed_with_its_standard_errors(capsys, monkeypatch):
    found = audit_of(np.random.default_rng(0)).data()
    text = printed(capsys, monkeypatch, show_audit, found)
    joint, payoff, envy = found["groups"]["joint"], found["truthful_payoff"], found["envy"]
    for told, digits in ((joint["absolute"], 3), (joint["relative"], 3), (payoff, 4), (envy, 4)):
        assert re.search(rf"\b{mean_of(told):.{digits}g} ±{error_of(told):.1g}", text)


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
        mean, low, high = 100 * np.array(triple(nash_of(solved)[name]))
        assert f"{mean:.0f} [{low:.0f}, {high:.0f}]" in row


def test_votes_are_printed_with_the_ends_of_their_intervals(capsys, monkeypatch):
    share = share_of(0.542, 0.529, 0.561)
    text = printed(capsys, monkeypatch, show_summary, {"vote_share": {"libertarian": {"10-2": share}}})
    assert re.search(r"^libertarian +54\.2 \[52\.9, 56\.1\] *$", text, re.M)
    by_people = {"vote_share": {"libertarian": {"people": {"10-2": share}}}}
    assert re.search(r"^people +54\.2 \[52\.9, 56\.1\] *$", printed(capsys, monkeypatch, show_summary, by_people), re.M)


def test_a_loop_of_elections_is_printed_with_its_errors_and_intervals(capsys, monkeypatch):
    edge = Convergence("improves", "theta_0", Edge(0.05, 0.031, 0.069, 400), 0.01).data()
    game = {
        "names": ["a", "b"],
        "shares": [[0.5, 0.6], [0.4, 0.5]],
        "errors": [[0.0, 0.0234], [0.0234, 0.0]],
        **nash_told({"a": (0.6, 0.42, 0.79), "b": (0.4, 0.21, 0.58)}),
    }
    text = printed(capsys, monkeypatch, show_summary, {"convergence": {"1": edge}, "meta_game": game})
    assert re.search(r"^1 +improves +5\.0 \[3\.1, 6\.9\] ", text, re.M)
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
        name: {"nash_welfare_ratio_to_pf": ratio, "relative_gain": gain}
        for name, ratio, gain in (("proportional_fairness", 1.0, 0.06), ("water_filling", 0.95, 0.0))
    }
    summary = {"baselines": baselines, **standing_told((0.98, 0.004), (0.02, 0.001))}
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
            assert flat[0] == pytest.approx(span(point.x)) and upright[0] == pytest.approx(span(point.y))
    half = NORMAL * np.array([point.gains.std() / 10, point.ratios.std() / np.sqrt(200)])
    assert [np.ptp(span(point.x)) / 2, np.ptp(span(point.y)) / 2] == pytest.approx(half)


def test_affine_maximisers_are_drawn_with_what_the_legend_says():
    standing = affine_figures.Standing("2, 2", 0.5, 0.4, *standing_of(0.6, 0.01), 0.65)
    figure = affine_figures.boards(
        [affine_figures.Board("Table 1", "revenue", "a bound", "bidders, items", [standing])]
    )
    ((flat, upright),) = bars(figure.axes[0])
    assert not flat and upright == [pytest.approx((0.58, 0.62))]
    assert "ours, ± 2 standard errors" in [text.get_text() for text in figure.axes[1].get_legend().get_texts()]


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
    head = band["head"][:, 1:]
    held_to_truth_of_few(head, 0.5, 0.4 / np.sqrt(12) / np.sqrt(groups), 2.364624, groups)
    shown = {4: {who: each[:5] for who, each in band.items()}}
    figure = election_figures.contributions_over_rounds({"learned": shown})
    for axis, who in zip(figure.axes, ("head", "tail"), strict=True):
        vertices = axis.collections[0].get_paths()[0].vertices
        for at, (_, low, high) in enumerate(shown[4][who], 1):
            drawn = vertices[vertices[:, 0] == at, 1]
            assert (drawn.min(), drawn.max()) == (pytest.approx(low), pytest.approx(high))


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
