"""The closed forms of the lanes game against its printed numbers, simulation, quadrature, exact fractions and grids."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.lanes.solutions import (
    Setting,
    best_response,
    budget_constant,
    equilibrium_threshold,
    expected_payment,
    first_best_welfare,
    induced_threshold,
    mean_move,
    mean_terminal,
    meeting_welfare,
    meeting_welfare_sd,
    no_mechanism_welfare,
    optimal_threshold,
    optimal_transfer,
    participation_constant,
    payment,
    payment_slope,
    potential,
    private_optimum_welfare,
    terminal_variance,
    to_centred,
    to_raw,
)

SIZES = (3, 5, 10, 20)
ANY_SIZE = st.integers(2, 40)
BASES = ("centred", "raw")

# length 2, coordination weight 1. Thresholds and welfare of meeting are exact; standard deviations and first best too.
TABLE = {
    # (n, d): a_NE, a*, W0, sd, W_NE, W*, sd, W(H), W_FB
    (3, 0.1): (0.7764, 0.8419, -1.0000, 0.7746, -0.1276, -0.1203, 0.0444, -0.15, -0.07255),
    (5, 0.1): (0.8419, 0.8882, -3.3333, 1.6997, -0.2236, -0.2143, 0.0590, -0.25, -0.16179),
    (10, 0.1): (0.8946, 0.9255, -15.000, 4.7958, -0.4649, -0.4517, 0.0859, -0.50, -0.39834),
    (20, 0.1): (0.9275, 0.9487, -63.3333, 13.4743, -0.9516, -0.9329, 0.1238, -1.00, -0.88291),
    (3, 0.5): (0.5000, 0.6464, -1.0000, 0.7746, -0.5000, -0.4433, None, -0.75, -0.31806),
    (5, 0.5): (0.6464, 0.7500, -3.3333, 1.6997, -0.9554, -0.8724, None, -1.25, -0.72303),
    (10, 0.5): (0.7643, 0.8333, -15.000, 4.7958, -2.1072, -1.9792, None, -2.50, -1.81653),
    (20, 0.5): (0.8378, 0.8853, -63.3333, 13.4743, -4.4593, -4.2682, None, -5.00, -4.10136),
}


@st.composite
def any_setting(draw, sizes=ANY_SIZE):
    """A setting drawn over orders of magnitude, on both sides of d = A H and of d = 2 A H."""
    n, length, weight = draw(sizes), draw(st.floats(0.1, 50)), draw(st.floats(0.05, 20))
    return Setting(n, length, weight, draw(st.floats(0.02, 2.5)) * weight * (n - 1) * length / 2)


def meet(at, starts, threshold):
    return np.clip(threshold, starts, starts + at.half)


def welfare(at, starts, terminals):
    """Welfare by its definition, pair by pair, (B,)."""
    apart = (terminals[..., :, None] - terminals[..., None, :]) ** 2
    return -at.coordination_weight * apart.sum((-1, -2)) - at.movement_cost * (terminals - starts).sum(-1)


def pieces(at, threshold):
    """Starts and weights by which polynomials of degree 5 on both sides of the kink are averaged exactly."""
    kink = threshold if threshold <= at.half else threshold - at.half
    nodes, weights = np.polynomial.legendre.leggauss(3)
    spans = [(0, kink), (kink, at.half)]
    starts = np.concatenate([(low + high) / 2 + (high - low) / 2 * nodes for low, high in spans])
    return starts, np.concatenate([(high - low) / 2 * weights for low, high in spans]) / at.half


@pytest.mark.parametrize(("n", "d"), TABLE)
def test_the_table(n, d):
    at = Setting(n, movement_cost=d)
    best = optimal_threshold(at)
    ours = (
        equilibrium_threshold(at),
        best,
        no_mechanism_welfare(at, "local"),
        meeting_welfare_sd(at, 0.0),
        no_mechanism_welfare(at, "full"),
        private_optimum_welfare(at),
        meeting_welfare_sd(at, best),
        meeting_welfare(at, at.half),
        first_best_welfare(at),
    )
    for printed, found in zip(TABLE[n, d], ours, strict=True):
        assert printed is None or found == pytest.approx(printed, abs=6e-5)
    assert no_mechanism_welfare(at, "blind") == no_mechanism_welfare(at, "local")


@pytest.mark.parametrize("n", SIZES)
def test_ten_times_both_weights_is_ten_times_the_welfare(n):
    at, tenfold = Setting(n), Setting(n, coordination_weight=10, movement_cost=1)
    assert optimal_threshold(tenfold) == pytest.approx(optimal_threshold(at), rel=1e-12)
    assert equilibrium_threshold(tenfold) == pytest.approx(equilibrium_threshold(at), rel=1e-12)
    for measure in (private_optimum_welfare, first_best_welfare, lambda s: no_mechanism_welfare(s, "full")):
        assert measure(tenfold) == pytest.approx(10 * measure(at), rel=1e-12)


@given(any_setting())
@settings(max_examples=25, deadline=None)
def test_scaling_law(at):
    b, half = at.coordination_weight, at.half
    unit = Setting(at.n, 2.0, 1.0, at.movement_cost / (b * half))
    assert optimal_threshold(at) == pytest.approx(half * optimal_threshold(unit), abs=1e-9 * half)
    for measure in (private_optimum_welfare, first_best_welfare, lambda s: no_mechanism_welfare(s, "full")):
        assert measure(at) == pytest.approx(b * half**2 * measure(unit), rel=1e-9)
    assert meeting_welfare_sd(at, 1.4 * half) == pytest.approx(b * half**2 * meeting_welfare_sd(unit, 1.4), rel=1e-9)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("share", [0.0, 0.3, "best", 1.0, 1.35, 2.0])
def test_welfare_and_its_noise_against_simulation(n, share):
    at = Setting(n, length=3.0, coordination_weight=0.7, movement_cost=0.4)
    threshold = optimal_threshold(at) if share == "best" else share * at.half
    starts = at.half * np.random.default_rng(n).random((100_000, n))
    sample = welfare(at, starts, meet(at, starts, threshold))
    mean, sd, size = sample.mean(), sample.std(), len(sample)
    assert abs(mean - meeting_welfare(at, threshold)) < 4 * sd / math.sqrt(size)
    noise = math.sqrt((((sample - mean) ** 2 - sd**2) ** 2).mean() / size) / (2 * sd)  # delta method
    assert abs(sd - meeting_welfare_sd(at, threshold)) < 4 * noise


@given(any_setting(st.integers(2, 5)), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_moments_against_quadrature(at, share):
    threshold = share * at.length
    starts, weights = pieces(at, threshold)
    terminals = meet(at, starts, threshold)
    mean = weights @ terminals
    scale = at.length
    assert mean_terminal(at, threshold) == pytest.approx(mean, abs=1e-12 * scale)
    assert mean_move(at, threshold) == pytest.approx(weights @ (terminals - starts), abs=1e-12 * scale)
    assert terminal_variance(at, threshold) == pytest.approx(weights @ (terminals - mean) ** 2, abs=1e-12 * scale**2)
    joint = np.array(list(itertools.product(range(len(starts)), repeat=at.n)))
    value, chance = welfare(at, starts[joint], terminals[joint]), weights[joint].prod(-1)
    expected = chance @ value
    assert meeting_welfare(at, threshold) == pytest.approx(expected, rel=1e-10)
    largest = np.abs(value).max()
    assert meeting_welfare_sd(at, threshold) ** 2 == pytest.approx(
        chance @ (value - expected) ** 2, abs=1e-11 * largest**2
    )


@given(any_setting())
@settings(max_examples=40, deadline=None)
def test_thresholds_of_any_setting(at):
    """Distances to H are sqrt(2) apart, the first-order conditions hold, and W is highest at a*."""
    own, best = equilibrium_threshold(at), optimal_threshold(at)
    a_h = at.strength * at.half
    assert (own == 0) == (at.movement_cost >= a_h) and (best == 0) == (at.movement_cost >= 2 * a_h)
    for threshold, due in ((own, at.movement_cost / 2), (best, at.movement_cost / 4)):
        ahead = at.strength * (mean_terminal(at, threshold) - threshold)
        assert ahead == pytest.approx(due, rel=1e-9) if threshold else ahead <= due
    if own:
        assert (at.half - own) / (at.half - best) == pytest.approx(math.sqrt(2))
    highest = private_optimum_welfare(at)
    slack = 1e-12 * abs(highest)
    assert all(meeting_welfare(at, a) <= highest + slack for a in np.linspace(0, at.length, 201))
    assert no_mechanism_welfare(at, "local") <= no_mechanism_welfare(at, "full") + slack
    assert no_mechanism_welfare(at, "full") <= highest + slack
    assert highest <= first_best_welfare(at) + slack <= slack


@pytest.mark.parametrize("n", SIZES)
def test_no_strategies_of_own_starts_beat_the_optimum(n):
    """Not even those that differ between participants, or do not follow a threshold."""
    at, rng = Setting(n), np.random.default_rng(n)
    starts = (np.arange(400) + 0.5) / 400 * at.half

    def value(terminals):  # (n, 400), in expectation over independent starts
        means = terminals.mean(-1)
        apart = 2 * (n - 1) * terminals.var(-1).sum() + 2 * n * ((means - means.mean()) ** 2).sum()
        return -at.coordination_weight * apart - at.movement_cost * (terminals - starts).mean(-1).sum()

    best = np.tile(meet(at, starts, optimal_threshold(at)), (n, 1))
    highest = value(best)
    assert highest == pytest.approx(private_optimum_welfare(at), rel=1e-4)
    for size in (0.3, 0.03, 0.003):
        for _ in range(50):
            noise = rng.normal(size=(n, 1)) + rng.normal(size=(n, 400)) * rng.integers(0, 2)
            assert value(np.clip(best + size * noise, starts, starts + at.half)) < highest + 1e-7


@given(any_setting(st.sampled_from(SIZES)), st.floats(0, 1))
@settings(max_examples=20, deadline=None)
def test_best_replies_lead_to_the_equilibrium_from_anywhere(at, share):
    mean = share * at.length
    for _ in range(2000):
        threshold = best_response(at, mean)
        mean, last = mean_terminal(at, threshold), mean
        if abs(mean - last) < 1e-10 * at.length:
            break
    assert threshold == pytest.approx(equilibrium_threshold(at), abs=1e-6 * at.length)


@pytest.mark.parametrize("n", SIZES)
def test_a_best_reply_is_the_best_of_a_fine_grid(n):
    at, mean = Setting(n), 0.93
    threshold = best_response(at, mean, (0.2, -0.3), "centred")
    g = payment(at, (0.2, -0.3), "centred")
    for start in (0.0, 0.4, 0.8, 0.97):
        ends = start + np.linspace(0, at.half, 10_001)
        gain = -at.strength * (ends - mean) ** 2 - at.movement_cost * (ends - start) + g(ends)
        assert ends[gain.argmax()] == pytest.approx(np.clip(threshold, start, start + at.half), abs=1e-4)


@pytest.mark.parametrize("n", SIZES)
def test_the_game_is_an_exact_potential_game(n):
    at, rng = Setting(n, 3.0, 0.7, 0.4), np.random.default_rng(n)
    starts = at.half * rng.random((50, n))
    moves = at.half * rng.random((50, n))
    for i in range(n):
        other = moves.copy()
        other[:, i] = at.half * rng.random(50)

        def payoff(moves, i=i):
            apart = ((starts + moves)[:, i, None] - (starts + moves)) ** 2
            return -at.coordination_weight * apart.sum(-1) - at.movement_cost * moves[:, i]

        change = potential(at, other, starts + other) - potential(at, moves, starts + moves)
        np.testing.assert_allclose(change, payoff(other) - payoff(moves), rtol=1e-10, atol=1e-10)


# -- first best -----------------------------------------------------------------------------------------------------


def exact_first_best(n, cap):
    """The first best for H = b = 1 and c = d / 4 in exact fractions, by the alternating sum for E (c - S_t)^+.

    Integrals over p = 1 - t of (1 - p)^(n - k) (c - j p)^(k + 1) from 0 to min(1, c / j), by parts.
    """
    total = cap / 2
    for j, k in itertools.combinations_with_replacement(range(n), 2):
        end = min(Fraction(1), cap / j) if j else Fraction(1)
        low, high, part, factor = n - k, k + 1, Fraction(0), Fraction(1)
        while True:  # antiderivatives of the first factor, derivatives of the second
            rising, falling = -1 / Fraction(low + 1), (cap - j * end) ** high
            part += factor * rising * ((1 - end) ** (low + 1) * falling - cap**high)
            if high == 0:
                break
            factor *= -rising * -j * high
            low, high = low + 1, high - 1
        total -= math.comb(n - 1, k) * (-1) ** j * math.comb(k, j) * part / math.factorial(k + 1)
    return -4 * n * total


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("d", [Fraction(1, 10), Fraction(1, 2), Fraction(7), Fraction(100)])
def test_first_best_against_exact_fractions(n, d):
    assert first_best_welfare(Setting(n, movement_cost=float(d))) == pytest.approx(
        float(exact_first_best(n, d / 4)), rel=1e-12
    )


@given(st.integers(2, 8), st.fractions(Fraction(1, 1000), 12, max_denominator=1000))
@settings(max_examples=25, deadline=None)
def test_first_best_of_any_cost_against_exact_fractions(n, cap):
    at = Setting(n, movement_cost=float(4 * cap))
    assert first_best_welfare(at) == pytest.approx(float(exact_first_best(n, cap)), rel=1e-11)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("d", [0.1, 3.0])
def test_first_best_against_water_filling(n, d):
    at = Setting(n, length=3.0, coordination_weight=0.7, movement_cost=d)
    starts = at.half * np.random.default_rng(n).random((50_000, n))
    above = d / (4 * at.coordination_weight)
    falling = -np.sort(-starts, axis=-1)
    levels = (falling.cumsum(-1) - above) / np.arange(1, n + 1)  # the k foremost are above the level
    threshold = levels.max(-1, keepdims=True)
    np.testing.assert_allclose(np.maximum(starts - threshold, 0).sum(-1), above)
    terminals = np.maximum(starts, threshold)
    sample = welfare(at, starts, terminals)
    assert abs(sample.mean() - first_best_welfare(at)) < 4 * sample.std() / math.sqrt(len(sample))
    noise = np.random.default_rng(0).normal(size=terminals.shape)
    for size in (0.1, 0.001):
        assert (welfare(at, starts, np.clip(terminals + size * noise, starts, starts + at.half)) <= sample + 1e-9).all()


@pytest.mark.parametrize("n", SIZES)
def test_first_best_in_the_limits_of_cost(n):
    cheap = 1e-7
    assert first_best_welfare(Setting(n, movement_cost=cheap)) == pytest.approx(
        -cheap * n * (n - 1) / (2 * n + 2), 1e-5
    )
    assert first_best_welfare(Setting(n, movement_cost=0)) == 0
    dear = Setting(n, movement_cost=4.0 * n)
    assert first_best_welfare(dear) == pytest.approx(meeting_welfare(dear, 0.0), rel=1e-12)


def test_first_best_of_a_crowd_keeps_its_digits():
    """No cancellation: it grows with n, and stays between the bounds that hold for every n."""
    for n in (200, 100_000):
        at = Setting(n)
        limit = -at.movement_cost * at.half * n * (n - 1) / (2 * (n + 1))  # moving the foremost's cost only
        assert limit < first_best_welfare(at) < 0.97 * limit
        assert first_best_welfare(at) > private_optimum_welfare(at)


# -- payments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("d", [0.1, 0.5])
def test_optimal_payments_lead_to_the_optimum(n, d, basis):
    at = Setting(n, movement_cost=d)
    best = optimal_threshold(at)
    for degree in (1, 2, 3):
        weights = optimal_transfer(at, degree, "full", basis)
        assert weights.shape == (degree,)
        assert payment_slope(at, weights, basis, best) == pytest.approx(d / 2)
        assert induced_threshold(at, weights, basis, "full") == pytest.approx(best, abs=1e-9)
    for degree in (2, 3):
        weights = optimal_transfer(at, degree, "local", basis)
        assert payment_slope(at, weights, basis, best) == pytest.approx(d)
        assert induced_threshold(at, weights, basis, "local") == pytest.approx(best, abs=1e-9)
    half_fare, pigou = (optimal_transfer(at, degree, "full", "raw") for degree in (1, 2))
    assert half_fare.tolist() == [d / 2]
    meeting_point = best + d / (4 * at.strength)
    np.testing.assert_allclose(pigou, [2 * at.strength * meeting_point, -at.strength])
    np.testing.assert_allclose(optimal_transfer(at, 2, "local", "raw"), [d + 4 * at.strength * best, -2 * at.strength])


@given(any_setting())
@settings(max_examples=40, deadline=None)
def test_optimal_payments_of_any_setting(at):
    """Also where the optimum is to stay."""
    best = optimal_threshold(at)
    for reading, degree in (("full", 1), ("full", 2), ("local", 2)):
        for basis in BASES:
            weights = optimal_transfer(at, degree, reading, basis)
            assert induced_threshold(at, weights, basis, reading) == pytest.approx(best, abs=1e-7 * at.length)


@given(any_setting(), st.floats(-5, 2))
@settings(max_examples=40, deadline=None)
def test_local_participants_on_the_line_meet_at_the_optimum(at, exponent):
    best, second = optimal_threshold(at), -(10**exponent)
    first = at.movement_cost - 2 * second * best
    found = induced_threshold(at, (first, second), "raw", "local")
    assert found == pytest.approx(best, abs=1e-9 * (at.length + at.movement_cost / -second))


@pytest.mark.parametrize("n", SIZES)
def test_linear_payments_do_not_help_local_participants(n):
    at = Setting(n)
    still, all_out = meeting_welfare(at, 0.0), meeting_welfare(at, at.length)
    assert all_out == pytest.approx(still - n * at.movement_cost * at.half)
    assert induced_threshold(at, (0.99 * at.movement_cost,), "raw", "local") == 0
    assert induced_threshold(at, (1.01 * at.movement_cost,), "raw", "local") == at.length
    assert induced_threshold(at, (), "raw", "local") == 0
    assert not optimal_transfer(at, 1, "local", "raw").any()
    assert not optimal_transfer(at, 2, "blind", "centred").any()


@given(any_setting(), st.floats(-2, 2), st.floats(0.01, 2), st.floats(0, 1), st.sampled_from(["full", "local"]))
@settings(max_examples=40, deadline=None)
def test_nobody_can_do_better_than_the_induced_threshold(at, lean, bend, skew, reading):
    """Concave cubics, centred: w_2 < 0 and |w_3| <= |w_2| / 3, against all terminal positions of a fine grid."""
    scale = at.strength * at.half**2
    weights = (lean * scale, -bend * scale, skew * bend * scale / 3)
    threshold = induced_threshold(at, weights, "centred", reading)
    g, felt = payment(at, weights, "centred"), at.strength if reading == "full" else 0.0
    mean = mean_terminal(at, threshold)
    for start in np.linspace(0, at.half, 7):
        ends = np.append(start + np.linspace(0, at.half, 2001), np.clip(threshold, start, start + at.half))
        gain = -felt * (ends - mean) ** 2 - at.movement_cost * (ends - start) + g(ends)
        assert gain[-1] >= gain.max() - 1e-9 * np.abs(gain).max()
    if reading == "full":
        assert best_response(at, mean, weights, "centred") == pytest.approx(threshold, abs=1e-9 * at.length)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=5), st.floats(0.1, 10))
@settings(max_examples=40, deadline=None)
def test_change_of_basis(weights, length):
    at, where = Setting(3, length), np.linspace(0, length, 9)
    centred = to_centred(weights, length)
    assert centred.shape == (len(weights),)
    values = np.polynomial.polynomial.polyval(where, weights)
    size = sum(abs(w) * max(1, length) ** j for j, w in enumerate(weights)) + 1e-300
    by_hand = sum(w * (2 * where / length - 1) ** j for j, w in enumerate(centred))
    np.testing.assert_allclose(by_hand, values, atol=1e-10 * size)
    np.testing.assert_allclose(payment(at, centred[1:], "centred", centred[0])(where), values, atol=1e-10 * size)
    np.testing.assert_allclose(
        to_raw(centred, length) * length ** np.arange(len(weights)),
        np.array(weights) * length ** np.arange(len(weights)),
        atol=1e-9 * size,
    )
    step = 1e-5 * length
    for basis, own in (("raw", weights[1:]), ("centred", centred[1:])):
        g = payment(at, own, basis)
        rise = (g(length / 3 + step) - g(length / 3 - step)) / (2 * step)
        assert payment_slope(at, own, basis, length / 3) == pytest.approx(rise, abs=1e-6 * size / length)


@given(any_setting(), st.lists(st.floats(-3, 3), max_size=4), st.floats(0, 1), st.sampled_from(BASES))
@settings(max_examples=40, deadline=None)
def test_participation_and_budget(at, weights, share, basis):
    """The two constants against starts of a fine grid, for whatever payment and threshold."""
    threshold = share * at.length
    g = payment(at, weights, basis)
    starts = np.linspace(0, at.half, 20_001)
    terminals = meet(at, starts, threshold)
    apart = (terminals - mean_terminal(at, threshold)) ** 2 + terminal_variance(at, threshold)
    lost = at.strength * apart + at.movement_cost * (terminals - starts) - g(terminals)
    size = np.abs(lost).max() + np.abs(g(terminals)).max()
    needed = participation_constant(at, weights, basis, threshold)
    assert lost.max() <= needed + 1e-9 * size, "somebody would rather stay away"
    assert needed == pytest.approx(lost.max(), abs=1e-3 * size), "more than anybody asks for"
    nodes, chances = pieces(at, threshold)
    paid = chances @ g(meet(at, nodes, threshold))
    assert expected_payment(at, weights, basis, threshold) == pytest.approx(paid, abs=1e-9 * size + 1e-300)
    balanced = payment(at, weights, basis, budget_constant(at, weights, basis, threshold))
    assert chances @ balanced(meet(at, nodes, threshold)) == pytest.approx(0, abs=1e-9 * size + 1e-300)


@pytest.mark.parametrize("n", SIZES)
def test_half_the_fare_cannot_both_balance_and_please_everybody(n):
    at = Setting(n)
    best, weights = optimal_threshold(at), optimal_transfer(at, 1, "full", "raw")
    balanced = budget_constant(at, weights, "raw", best)
    assert balanced == pytest.approx(-(at.movement_cost / 2) * (best**2 + at.half**2) / (2 * at.half))
    assert participation_constant(at, weights, "raw", best) > balanced


# -- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 1), ("n", 2.5), ("n", True), ("length", 0.0), ("length", -1.0), ("length", math.nan),
        ("length", math.inf), ("coordination_weight", 0.0), ("coordination_weight", "1"), ("movement_cost", -0.1),
        ("movement_cost", math.inf),
    ],
)  # fmt: skip
def test_a_bad_setting_names_the_parameter(name, value):
    with pytest.raises(ParameterError, match=name):
        Setting(**{"n": 3, name: value})


def test_bad_arguments_name_what_is_allowed():
    at = Setting(3)
    with pytest.raises(ParameterError, match=r"threshold is 2\.1, allowed: a number in \[0, 2\.0\]"):
        meeting_welfare(at, 2.1)
    with pytest.raises(ParameterError, match="mean"):
        best_response(at, -0.1)
    with pytest.raises(ParameterError, match="did you mean 'centred'"):
        payment(at, (1.0,), "centered")
    with pytest.raises(ParameterError, match="coefficient w_2"):
        payment(at, (1.0, math.nan), "raw")
    with pytest.raises(ParameterError, match="did you mean 'local'"):
        no_mechanism_welfare(at, "locale")
    with pytest.raises(ParameterError, match="degree"):
        optimal_transfer(at, -1, "full", "raw")
    with pytest.raises(ParameterError, match="concave"):
        induced_threshold(at, (0.0, 1.0), "raw", "local")
    with pytest.raises(ParameterError, match="concave"):
        induced_threshold(at, (0.0, -1.0, 1.0), "centred", "full")
    with pytest.raises(UnsupportedGameError, match="blind"):
        induced_threshold(at, (0.1,), "raw", "blind")
