"""When a loop has converged: known edges, and how often the rule is wrong about them."""

import numpy as np
import pytest

from lawgiver.trainers.hcmd_zero.convergence import convergence, edge_of

GAIN = 0.04


def votes(truth, conditions, each, rng):
    """Return shares of the votes (C, E) of groups that vary as those of four people who are alike do."""
    return truth + 0.35 * rng.standard_normal((conditions, each))


def judged(edge, rng, *, games=200, most=4_000, earlier=()):
    """Return the verdict on a mechanism with a known edge over the one before, and over earlier ones."""
    against = {f"theta_{at}": votes(0.5 + each, 2, games // 2, rng) for at, each in enumerate((*earlier, edge))}
    return convergence(against, GAIN, most, lambda more: votes(0.5 + edge, 2, -(-more // 2), rng))


def rates(edge, runs=400, **settings):
    rng = np.random.default_rng(0)
    verdicts = [judged(edge, rng, **settings).verdict for _ in range(runs)]
    return {verdict: verdicts.count(verdict) / runs for verdict in set(verdicts)}


def test_no_edge_is_convergence_once_the_games_suffice():
    found = rates(0.0)
    assert found["converged"] > 0.9 and found.get("improves", 0) < 0.05


def test_an_edge_worth_having_is_seldom_called_convergence():
    """At the edge where the rule is most often wrong: 5 % in two looks, of which the half lies on this side."""
    wrong = rates(GAIN, runs=800)["converged"]
    assert wrong <= 0.025 + 4 * np.sqrt(0.025 * 0.975 / 800)
    assert rates(3 * GAIN)["improves"] > 0.95


def test_want_of_games_is_no_convergence():
    found = rates(GAIN, most=200)
    assert found["not told apart"] > 0.6 and found.get("converged", 0) < 0.05
    rng = np.random.default_rng(1)
    tries = (judged(GAIN / 2, rng, most=200) for _ in range(100))
    reason = next(one for one in tries if one.verdict == "not told apart").data()["reason"]
    assert "too few games to tell whether 4 points are gained" in reason and "in 200 games" in reason


def test_as_many_games_are_played_as_it_takes_and_no_more():
    rng = np.random.default_rng(2)
    assert judged(0.3, rng).edge.n == 200, "told at once"
    close, bounded = judged(0.0, rng, most=100_000).edge, judged(0.0, rng, most=500).edge
    assert 200 < close.n < 100_000 and close.half == pytest.approx(GAIN / 2, rel=0.15)
    assert bounded.n == 500


def test_a_step_back_is_no_convergence():
    rng = np.random.default_rng(3)
    assert judged(-0.2, rng).verdict == "fell behind"
    found = judged(0.0, rng, earlier=(-0.3, 0.2))
    assert found.verdict == "fell behind" and found.rival == "theta_0" and not found.data()["converged"]


def test_a_slight_loss_that_is_surely_slight_is_convergence():
    against = {"theta_0": 0.496 + 0.01 * np.tile([-1.0, 1.0], (1, 500))}
    found = convergence(against, GAIN, 1_000, lambda more: pytest.fail("the first games tell"))
    assert found.edge.high < 0 and found.verdict == "converged"


def test_intervals_of_an_edge_cover_it_and_wrong_ones_would_not():
    rng, runs = np.random.default_rng(4), 6_000
    found = [edge_of(votes(0.56, 2, 30, rng), 1) for _ in range(runs)]
    off = np.array([edge.mean - 0.06 for edge in found]) / [edge.half for edge in found]
    deviation = np.sqrt(0.95 * 0.05 / runs)
    wrong = {width: abs((np.abs(off) <= width).mean() - 0.95) for width in (0.9, 1.0, 1.1)}
    assert wrong[1.0] < 4 * deviation < min(wrong[0.9], wrong[1.1])


def test_all_votes_alike_are_no_certainty():
    few, many = (edge_of(np.ones((1, each)), 1) for each in (2, 1_000))
    assert few.low < 0 < few.high and 0.49 < many.low < 0.5
