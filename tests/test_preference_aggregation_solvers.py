"""Theory of preference aggregation against closed forms, exhaustive searches and samples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from lawgiver.envs.core.errors import ConvergenceError, ParameterError
from lawgiver.envs.solvers.preference_aggregation.bradley_terry import fitted, preferences
from lawgiver.envs.solvers.preference_aggregation.distortion import limit, ratio, share_of_first
from lawgiver.envs.solvers.preference_aggregation.linear_choice import (
    NAMES,
    counterexample,
    fitted_direction,
    leximax_copeland,
)
from lawgiver.envs.solvers.preference_aggregation.maxmin import maxmin
from lawgiver.envs.solvers.preference_aggregation.mosaic import (
    drawn_candidates,
    externalities,
    generator,
    law_of_reply,
    mosaic,
)
from lawgiver.envs.solvers.preference_aggregation.nash_lottery import nash_lottery
from lawgiver.envs.solvers.preference_aggregation.overoptimisation import (
    GaussianReplies,
    fitted_coefficients,
    largest_normal,
)
from lawgiver.envs.solvers.preference_aggregation.peaks import equilibrium_outcome, equilibrium_reports
from lawgiver.envs.solvers.preference_aggregation.tilting import (
    divergence,
    log_sum_exp,
    optimal_value,
    temperature_at,
    tilted,
)
from lawgiver.envs.solvers.preference_aggregation.trimming import trimmed_mean

LOG_Q = np.log([0.5, 0.3, 0.15, 0.05])
GOODHART = GaussianReplies(v=(1, 0.5, 0, 0), a=(0.05, 0.05, 0.3, 0.3), w=(1, 0.5, 0.6, 0))


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


# -- tilting ----------------------------------------------------------------------------------------------------------


def test_no_policy_is_better_than_the_tilted_one():
    r = rng().normal(size=4)
    for tau in (0.1, 1.0, 10.0):
        best = tilted(LOG_Q, r, tau)
        value = optimal_value(LOG_Q, r, tau)
        assert best @ r - tau * divergence(best, LOG_Q) == pytest.approx(value, abs=1e-12)
        others = np.concatenate([rng().dirichlet(np.ones(4), 2_000), np.eye(4)])
        assert (others @ r - tau * divergence(others, LOG_Q)).max() <= value + 1e-12


def test_dpo_on_the_same_comparisons_ends_in_the_tilt_of_the_fitted_reward():
    tau, wins = 0.3, preferences(rng().normal(size=(5, 4))).mean(0)

    def loss(logits: np.ndarray) -> float:
        implicit = tau * (logits - LOG_Q)
        return float((wins * np.log1p(np.exp(implicit[None, :] - implicit[:, None]))).sum())

    found = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-10}).x
    dpo = np.exp(found - log_sum_exp(found))
    np.testing.assert_allclose(dpo, tilted(LOG_Q, fitted(wins), tau), atol=1e-6)


def test_a_temperature_is_found_for_every_divergence_that_can_be_spent():
    r = rng().normal(size=(7, 4))
    target = np.linspace(0.05, 0.6, 7)
    found = temperature_at(lambda tau: divergence(tilted(LOG_Q, r, tau[:, None]), LOG_Q), target)
    np.testing.assert_allclose(divergence(tilted(LOG_Q, r, found[:, None]), LOG_Q), target, atol=1e-9)


# -- MOSAIC -----------------------------------------------------------------------------------------------------------


def candidate_sets() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Log-weights (M,) and rewards (n, M) of several candidate sets, with repeated ones and a single one."""
    random, n, k = rng(), 3, 50
    log_q, rewards = random.normal(size=k), random.normal(size=(n, k))
    log_q = log_q - log_sum_exp(log_q)
    found = {}
    for name, kappa, m in (("naive", 0.0, 20), ("aware", 0.7, 20), ("single", 0.0, 1), ("many", 0.3, 200)):
        log_gen = generator(log_q, rewards, 1.0, kappa)
        drawn = drawn_candidates(log_gen, random.random(m))
        found[name] = ((log_q - log_gen)[drawn], rewards[:, drawn])
    return found


def misreports(truth: np.ndarray, count: int) -> np.ndarray:
    """Scaled, shifted, noisy and unrelated reports of one participant, (count, M)."""
    random, kinds = rng(), np.arange(count) % 4
    scale, shift = np.exp(random.normal(size=(count, 1))), random.normal(size=(count, 1))
    noise = random.normal(size=(count, len(truth)))
    every = [truth * scale, truth * scale + shift, truth + noise * scale, 3 * noise]
    return np.array([every[kind][i] for i, kind in enumerate(kinds)])


def gains(log_weights: np.ndarray, rewards: np.ndarray, tau: float, offset=lambda report, others: 0.0) -> np.ndarray:
    """Gains (n, 5,000) of misreports, whose payments have an offset that is given the report and the others'."""
    found = []
    for i, truth in enumerate(rewards):
        others = np.delete(rewards, i, 0)

        def utility(report: np.ndarray, i: int = i, truth: np.ndarray = truth, others=others) -> np.ndarray:
            every = np.insert(np.broadcast_to(others, (len(report), *others.shape)), i, report, axis=1)
            policy, payments = mosaic(log_weights, every, tau)
            return policy @ truth - payments[:, i] - np.array([offset(one, others) for one in report])

        found.append(utility(misreports(truth, 5_000)) - utility(truth[None]))
    return np.array(found)


@pytest.mark.parametrize("name", ["naive", "aware", "single", "many"])
def test_no_misreport_gains_whatever_the_candidates_are(name):
    log_weights, rewards = candidate_sets()[name]
    assert gains(log_weights, rewards, 1.0).max() <= 1e-9


def test_an_offset_by_the_others_reports_is_allowed_and_one_by_ones_own_is_not():
    log_weights, rewards = candidate_sets()["naive"]

    def without(others: np.ndarray) -> np.ndarray:
        return mosaic(log_weights, others, 1.0)[0]

    allowed = gains(log_weights, rewards, 1.0, lambda report, others: without(others) @ others.sum(0))
    forbidden = gains(log_weights, rewards, 1.0, lambda report, others: without(others) @ report)
    assert allowed.max() <= 1e-9
    assert forbidden.max() > 0.1


@pytest.mark.parametrize("name", ["naive", "aware", "single", "many"])
def test_payments_are_those_of_clarke_and_taking_part_never_hurts(name):
    log_weights, rewards = candidate_sets()[name]
    for tau in (0.25, 1.0, 2.0):
        policy, payments = mosaic(log_weights, rewards, tau)
        np.testing.assert_allclose(payments, externalities(policy, log_weights, rewards, tau), atol=1e-10)
        assert payments.min() >= -1e-12
        for i, own in enumerate(rewards):
            others = np.delete(rewards, i, 0)
            best = optimal_value(log_weights, others.sum(0), tau)
            kept = policy @ others.sum(0) - tau * divergence(policy, log_weights)
            assert payments[i] == pytest.approx(best - kept, abs=1e-10)
            z = log_weights + rewards.sum(0) / tau
            utility = policy @ own - payments[i]
            assert utility == pytest.approx(tau * (log_sum_exp(z) - log_sum_exp(z - own / tau)), abs=1e-10)
            assert utility >= mosaic(log_weights, others, tau)[0] @ own - 1e-12
    if name == "single":
        assert payments.sum() == pytest.approx(0, abs=1e-12)


def test_who_wants_nothing_pays_nothing_and_a_constant_changes_nothing():
    log_weights, rewards = candidate_sets()["naive"]
    rewards = np.concatenate([rewards, np.zeros((1, rewards.shape[1]))])
    policy, payments = mosaic(log_weights, rewards, 1.0)
    assert payments[-1] == pytest.approx(0, abs=1e-12)
    moved, charged = mosaic(log_weights, rewards + np.array([[5.0], [-2.0], [0.3], [1.0]]), 1.0)
    np.testing.assert_allclose(moved, policy, atol=1e-12)
    np.testing.assert_allclose(charged, payments, atol=1e-12)


def test_the_reply_approaches_the_optimal_policy_and_sooner_from_aware_candidates():
    random, k, n, draws = rng(), 50, 3, 3_000
    log_q, rewards = random.normal(size=k), random.normal(size=(n, k))
    log_q = log_q - log_sum_exp(log_q)
    best = tilted(log_q, rewards.sum(0), 1.0)
    apart, earned = {}, {}
    for kappa, m in itertools.product((0.0, 0.7), (1, 5, 20)):
        log_gen = generator(log_q, rewards, 1.0, kappa)
        drawn = drawn_candidates(log_gen, random.random((draws, m)))
        policy, paid = mosaic((log_q - log_gen)[drawn], np.moveaxis(rewards[:, drawn], 0, 1), 1.0)
        law = law_of_reply(policy, drawn, k)
        apart[kappa, m], earned[kappa, m] = np.abs(law - best).sum() / 2, paid.sum(1).mean()
    known = {(0.0, 1): 0.443, (0.0, 5): 0.138, (0.0, 20): 0.033, (0.7, 1): 0.112, (0.7, 5): 0.030, (0.7, 20): 0.010}
    assert apart == pytest.approx(known, abs=0.012)
    assert best @ rewards.sum(0) == pytest.approx(1.526, abs=5e-4)
    assert optimal_value(log_q, rewards.sum(0), 1.0) == pytest.approx(0.945, abs=5e-4)
    paid_known = {(0.0, 5): 0.79, (0.0, 20): 1.14, (0.7, 5): 1.01, (0.7, 20): 1.21}
    assert {key: earned[key] for key in paid_known} == pytest.approx(paid_known, abs=0.03)
    assert earned[0.0, 1] == pytest.approx(0, abs=1e-12)
    assert earned[0.0, 1] < earned[0.0, 5] < earned[0.0, 20]
    assert apart[0.0, 1] > 2 * apart[0.0, 5] > 4 * apart[0.0, 20]
    assert all(apart[0.7, m] < apart[0.0, m] for m in (1, 5))


# -- rules ------------------------------------------------------------------------------------------------------------


def test_bradley_terry_orders_replies_as_borda_does():
    wins = preferences(rng().random((300, 7, 5)), 5.0).mean(1)
    rewards = fitted(wins)
    apart = 1 - np.eye(5)
    expected = (preferences(rewards) * apart).sum(-1)
    np.testing.assert_allclose(expected, (wins * apart).sum(-1), atol=1e-10)
    borda = (wins * apart).sum(-1)
    reversals = (rewards[:, :, None] > rewards[:, None, :]) & (borda[:, :, None] < borda[:, None, :])
    assert not reversals.any()


def test_bradley_terry_elects_what_a_majority_is_against():
    wins = np.array([[0, 3, 3], [2, 0, 5], [2, 0, 0]]) / 5
    np.testing.assert_allclose(fitted(wins), [0.312, 0.617, -0.929], atol=5e-4)
    on_torch = fitted(torch.tensor(wins))
    np.testing.assert_allclose(on_torch.numpy(), fitted(wins), atol=1e-12)


def test_comparisons_without_a_finite_fit_are_refused():
    with pytest.raises(ConvergenceError, match="no group of replies wins"):
        fitted(np.array([[[0, 1.0], [0, 0]]]))


def test_the_nash_lottery_is_an_equilibrium_and_becomes_the_maximal_lottery():
    shares = preferences(rng().normal(size=(20, 5, 4)), 2.0).mean(1)
    for tau in (0.05, 1.0):
        x = nash_lottery(shares, LOG_Q, tau)
        np.testing.assert_allclose(x, tilted(LOG_Q, (shares @ x[..., None])[..., 0], tau), atol=1e-8)
    margins = np.array([[0, 2, -4], [-2, 0, 6], [4, -6, 0]])
    np.testing.assert_allclose(nash_lottery(0.5 + margins / 20, np.zeros(3), 1e-3), [1 / 2, 1 / 3, 1 / 6], atol=3e-3)


@pytest.mark.parametrize("tau", [0.001, 0.1])
def test_maxmin_is_as_near_to_the_optimum_as_is_said(tau):
    random = rng()
    rewards = random.random((50, 5, 4))
    policy = maxmin(rewards, LOG_Q[:4], tau)
    value = (rewards @ policy[..., None])[..., 0].min(-1) - tau * divergence(policy, LOG_Q[:4])
    longer = maxmin(rewards, LOG_Q[:4], tau, steps=2_000)
    best = (rewards @ longer[..., None])[..., 0].min(-1) - tau * divergence(longer, LOG_Q[:4])
    smoothness = np.ptp(rewards, axis=(1, 2)) ** 2 / (4 * tau)
    assert (best - value <= 4 * smoothness * np.log(5) / 400**2 + 1e-9).all()


def test_maxmin_is_the_best_policy_for_the_worst_off():
    random, tau = rng(), 0.1
    rewards = random.random((50, 4, 3))
    policy = maxmin(rewards, LOG_Q[:3], tau)
    value = (rewards @ policy[..., None])[..., 0].min(-1) - tau * divergence(policy, LOG_Q[:3])
    for weights in random.dirichlet(np.ones(4), 500):  # the dual is never below the primal
        assert (optimal_value(LOG_Q[:3], np.einsum("bnk,n->bk", rewards, weights), tau) >= value - 1e-9).all()
    others = random.dirichlet(np.ones(3), 2_000)
    least = (rewards @ others.T).min(1) - tau * divergence(others, LOG_Q[:3])
    assert (least.max(1) <= value + 1e-4).all()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8])
def test_trimming_leads_from_the_mean_to_the_median(n):
    told = rng().random((10, n, 3))
    np.testing.assert_allclose(trimmed_mean(told, 0.0), told.mean(1), atol=1e-12)
    np.testing.assert_allclose(trimmed_mean(told, 0.5), np.median(told, axis=1), atol=1e-12)
    if n == 8:
        np.testing.assert_allclose(trimmed_mean(told, 0.25), np.sort(told, 1)[:, 2:6].mean(1), atol=1e-12)
    trims = np.linspace(0, 0.5, 10)[:, None]
    each = [trimmed_mean(one[None], float(trim)) for one, trim in zip(told, trims[:, 0], strict=True)]
    np.testing.assert_allclose(trimmed_mean(told, trims), np.concatenate(each), atol=1e-12)


# -- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "told", "played", "median"), [(3, 0.1942, 0.1849, 0.1663), (5, 0.2162, 0.2117, 0.1995)])
def test_the_mean_of_exaggerated_reports_is_the_median_of_peaks_and_phantoms(n, told, played, median):
    peaks = rng().random((100_000, n))
    outcome, reports = equilibrium_outcome(peaks), equilibrium_reports(peaks)
    assert np.abs(reports.mean(1) - outcome).max() <= 1e-15
    assert (((reports > 0) & (reports < 1)).sum(1) <= 1).all()
    for middle, expected in ((peaks.mean(1), told), (outcome, played), (np.median(peaks, axis=1), median)):
        assert np.abs(peaks - middle[:, None]).mean() == pytest.approx(expected, abs=0.001)
    some, own = reports[:500], np.abs(peaks - outcome[:, None])[:500]
    for i, other in itertools.product(range(n), np.linspace(0, 1, 21)):
        deviation = some.copy()
        deviation[:, i] = other
        assert (np.abs(peaks[:500, i] - deviation.mean(1)) >= own[:, i] - 1e-12).all()


@pytest.mark.parametrize(("n", "gain"), [(3, 0.0648), (5, 0.0434), (10, 0.0233)])
def test_one_exaggerator_gains_under_the_mean(n, gain):
    peaks = rng().random((50_000, n))
    others = peaks[:, 1:].sum(1)
    best = np.clip(n * peaks[:, 0] - others, 0, 1)
    found = np.abs(peaks[:, 0] - peaks.mean(1)) - np.abs(peaks[:, 0] - (best + others) / n)
    assert found.mean() == pytest.approx(gain, abs=0.001)


@pytest.mark.parametrize(
    ("share", "theta", "apart"),
    [(0.75, (0.7389, 0.0290), -0.0736), (0.6, (0.2421, 0.0467), -0.0237), (0.9, (1.6391, 0.0069), -0.1638)],
)
def test_the_logistic_fit_ranks_a_reply_above_one_that_everybody_prefers(share, theta, apart):
    features, shares = counterexample(share, 0.1, 0.1)
    better, worse = NAMES.index("c'"), NAMES.index("c")
    assert shares[better, worse] == 1
    found = fitted_direction(features, shares)
    np.testing.assert_allclose(found, theta, atol=5e-5)
    assert (features[better] - features[worse]) @ found == pytest.approx(apart, abs=5e-5)
    assert [NAMES[k] for k in np.argsort(-(features @ found))] == ["a", "a'", "b", "b'", "c", "c'"]
    ranked = leximax_copeland(features, shares)
    assert ranked.index(better) < ranked.index(worse)


def test_the_first_ranking_of_the_counterexample_is_that_of_a_linear_reward():
    features, _ = counterexample(0.75, 0.1, 0.1)
    assert [NAMES[k] for k in np.argsort(-(features @ np.array([0.1, 2.0])))] == ["a", "a'", "b", "b'", "c'", "c"]


@pytest.mark.parametrize(("sharpness", "known"), [(1, 1.082), (2, 1.313), (4, 2.075), (8, 4.003)])
def test_comparisons_do_not_tell_who_gains_how_much(sharpness, known):
    assert limit(sharpness) == pytest.approx(known, abs=5e-4)
    assert ratio(sharpness, 1e-6) == pytest.approx(limit(sharpness), rel=1e-4)
    share, weak = share_of_first(sharpness, 0.01), 0.01
    wins = share * preferences(np.array([1.0, 0.0]), sharpness) + (1 - share) * preferences(
        np.array([0.0, weak]), sharpness
    )
    np.testing.assert_allclose(fitted(wins), 0, atol=1e-12)


def test_the_median_of_linear_rewards_is_truthful_where_features_are_corners():
    """Reports are directions; the outcome is the sign of their coordinate-wise median (n odd), in {-1, 1}^d."""
    directions = rng().normal(size=(200, 5, 3))
    patterns = 10 * np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
    told = np.einsum("bd,bnd->bn", np.sign(np.median(directions, axis=1)), directions)
    for i, pattern in itertools.product(range(5), patterns):
        lied = directions.copy()
        lied[:, i] = pattern
        outcome = np.sign(np.median(lied, axis=1))
        assert (np.einsum("bd,bd->b", outcome, directions[:, i]) <= told[:, i] + 1e-12).all()


# -- overoptimisation -------------------------------------------------------------------------------------------------


def test_coefficients_are_recovered_from_samples_within_a_per_cent():
    random, distances = rng(), np.linspace(0.5, 5, 10)
    worths = [GOODHART.sampled_tilt(d * d, 400_000, random).mean() for d in distances]
    for found, known in zip(fitted_coefficients(distances, np.array(worths)), GOODHART.coefficients, strict=True):
        assert found == pytest.approx(known, rel=0.01)


@pytest.mark.parametrize(
    ("n", "spent", "best_of", "tilt"),
    [(4, 0.636, 0.985, 1.044), (64, 3.175, 2.060, 2.146), (1024, 5.932, 2.688, 2.765), (4096, 7.318, 2.924, 2.994)],
)
def test_best_of_n_and_the_tilt_of_the_same_divergence(n, spent, best_of, tilt):
    found = GOODHART.best_of(n)
    assert (found.divergence, found.worth) == pytest.approx((spent, best_of), abs=6e-4)
    assert GOODHART.tilted_at(found.divergence).worth == pytest.approx(tilt, abs=6e-4)
    if n <= 64:
        drawn = GOODHART.sampled_best_of(n, 20_000, rng())
        assert drawn.mean() == pytest.approx(found.worth, abs=4 * drawn.std() / np.sqrt(len(drawn)))


def test_the_largest_of_n_normal_numbers():
    assert largest_normal(1) == pytest.approx((0, 1), abs=1e-12)
    assert largest_normal(2)[0] == pytest.approx(1 / np.sqrt(np.pi), abs=1e-12)
    assert largest_normal(3) == pytest.approx((1.5 / np.sqrt(np.pi), 1 + np.sqrt(3) / (2 * np.pi)), abs=1e-12)


def test_the_peak_is_where_more_optimisation_begins_to_harm():
    d, worth = GOODHART.peak
    assert (d, worth) == pytest.approx((6.578, 4.582), abs=6e-4)
    assert GOODHART.tilted_at(d * d).worth == pytest.approx(worth)
    assert max(GOODHART.tilted_at((d + off) ** 2).worth for off in (-0.1, 0.1)) < worth
    assert GaussianReplies((1,), (0,), (1,)).peak == (np.inf, np.inf)
    assert GaussianReplies((-1,), (1,), (1,)).peak == (0, 0)


@pytest.mark.parametrize(("name", "given"), [("w", (0, 0)), ("a", (-1, 0)), ("w", (1,)), ("v", "ab")])
def test_models_of_another_form_are_refused(name, given):
    with pytest.raises(ParameterError, match=name):
        GaussianReplies(**{"v": (1, 0), "a": (1, 1), "w": (1, 1), name: given})
