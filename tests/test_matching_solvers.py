"""Solvers of matching markets: exact tables over all profiles of three, theorems, and plain loops as references."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, permutations, product
from math import log

import numpy as np
import pytest
import torch

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.solvers.matching.acceptance import deferred_acceptance, immediate_acceptance
from lawgiver.envs.solvers.matching.assignment import greatest_weight, least_rank
from lawgiver.envs.solvers.matching.enumeration import (
    all_matchings,
    profiles,
    regrets_by_lists,
    stable_matchings,
    table,
)
from lawgiver.envs.solvers.matching.measures import (
    blocking_pairs,
    expected_rank,
    inefficient,
    justified_envy,
    participation_violation,
    stability_violation,
    truthfulness_violation,
    unwilling_pairs,
)
from lawgiver.envs.solvers.matching.preferences import all_reports, listed, number_of_reports, shares, values_of_lists
from lawgiver.envs.solvers.matching.serial import probabilistic_serial, random_priority, serial_dictatorship
from lawgiver.envs.solvers.matching.trading import top_trading_cycles

RULES = {"deferred": deferred_acceptance, "trading": top_trading_cycles, "immediate": immediate_acceptance}


def drawn(batch, n, m=None, seed=0, cut=0.0):
    """Draw values and priorities of complete lists; a share ``cut`` of partners is not acceptable."""
    rng = np.random.default_rng(seed)
    values, priorities = (rng.random((batch, n, m or n)) + 1e-6 for _ in range(2))
    return tuple(np.where(rng.random(each.shape) < cut, -each, each) for each in (values, priorities))


def one_sided(n, first=slice(None)):
    """List all profiles of complete lists of rows alone; ``first`` selects lists of the first row."""
    lists = np.array(list(permutations(range(n, 0, -1)))) / n
    return np.array(list(product(lists[first], *[lists] * (n - 1))))


# -- exact tables, n = 3 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rank", "columns", "unstable", "pairs", "inefficient", "rows_gain", "columns_gain", "regret"),
    [
        ("deferred", 204_120, Fraction(371, 216), 0, 0, 1_296, 0, 864, Fraction(5, 1296)),
        ("trading", 202_176, Fraction(16, 9), 4_320, 5_184, 0, 0, 3_456, Fraction(1, 81)),
        ("immediate", 199_584, Fraction(146, 81), 7_776, 7_776, 0, 10_368, 0, Fraction(1, 27)),
    ],
)
def test_measures_over_all_profiles_of_three(
    name, rank, columns, unstable, pairs, inefficient, rows_gain, columns_gain, regret
):
    found, count = table(RULES[name]), 46_656
    assert (found.rank, found.rank_of_columns) == (Fraction(rank, 3 * count), columns)
    assert (found.unstable, found.blocking_pairs) == (Fraction(unstable, count), Fraction(pairs, count))
    assert found.inefficient == Fraction(inefficient, count)
    assert (found.rows_gain, found.columns_gain) == (Fraction(rows_gain, count), Fraction(columns_gain, count))
    assert found.regret == regret


def test_random_priority_over_all_profiles_of_three():
    values, priorities = profiles(3)
    regrets, unit = regrets_by_lists(random_priority(values), values, priorities)
    assert unit == 6 and not regrets.any()
    blocked = sum(blocking_pairs(serial_dictatorship(values, np.array(order)), values, priorities).sum()
                  for order in permutations(range(3)))  # fmt: skip
    assert Fraction(int(blocked), 6 * len(values)) == Fraction(2, 3)
    uniform = sum(blocking_pairs(np.broadcast_to(each, values.shape[:2]), values, priorities).sum()
                  for each in permutations(range(3)))  # fmt: skip
    assert Fraction(int(uniform), 6 * len(values)) == Fraction(3, 2)


def test_profiles_are_read_only_and_three_on_each_side_at_most():
    for each in profiles(2):
        with pytest.raises(ValueError, match="read-only"):
            each[0] = 0
    with pytest.raises(ParameterError, match=r"4 on each side have 4!\^8 profiles of lists, allowed: n from 1 to 3"):
        profiles(4)


@pytest.fixture(scope="module")
def stable_of_three():
    return stable_matchings(*profiles(3))


def test_deferred_acceptance_is_the_best_stable_matching_for_who_proposes(stable_of_three):
    values, priorities = profiles(3)
    tried, stable = stable_of_three
    rank = np.stack([expected_rank(shares(each, 3, values), values) for each in tried], axis=1)  # (B, L, n)
    for proposing, best in (("rows", np.min), ("columns", np.max)):
        matching = deferred_acceptance(values, priorities, proposing=proposing)
        own = expected_rank(shares(matching, 3, values), values)
        assert np.array_equal(
            own, best(np.where(stable[..., None], rank, {"rows": 9, "columns": 0}[proposing]), axis=1)
        )
        assert (stable & (tried == matching[:, None]).all(-1)).sum(1).tolist() == [1] * len(values)


def test_how_many_stable_matchings_there_are(stable_of_three):
    _, stable = stable_of_three
    assert np.bincount(stable.sum(1)).tolist() == [0, 34_080, 11_484, 1_092]
    assert round(stable.sum() / len(stable), 5) == 1.29295


# -- theorems -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m", "cut"), [(4, 4, 0.3), (4, 3, 0.1), (3, 5, 0.1)])
def test_the_same_agents_are_matched_in_all_stable_matchings(n, m, cut):
    values, priorities = drawn(150, n, m, cut=cut)
    tried, stable = stable_matchings(values, priorities)
    assert stable.any(1).all() and (stable.sum(1) > 1).any()
    for market in range(len(values)):
        found = tried[stable[market]]
        assert len({tuple(each >= 0) for each in found}) == 1 == len({tuple(sorted(each)) for each in found})


@pytest.mark.parametrize("proposing", ["rows", "columns"])
@pytest.mark.parametrize("capacities", [1, 3, [4, 1, 2, 1]])
def test_deferred_acceptance_is_stable_with_capacities_and_short_lists(proposing, capacities):
    values, priorities = drawn(300, 9, 4, cut=0.2)
    matching = deferred_acceptance(values, priorities, capacities, proposing=proposing)
    assert not blocking_pairs(matching, values, priorities, capacities).any()
    assert not unwilling_pairs(matching, values, priorities).any()
    assert not justified_envy(matching, values, priorities).any()
    taken = (matching[..., None] == np.arange(4)).sum(1)
    assert (taken <= np.broadcast_to(capacities, 4)).all() and (taken.sum(1) > 0).all()
    chances = shares(matching, 4, values)
    assert np.abs(stability_violation(chances, values, priorities, capacities)).max() < 1e-12
    rows = deferred_acceptance(values, priorities, capacities)
    assert (expected_rank(shares(rows, 4, values), values) <= expected_rank(chances, values)).all()


def test_trading_cycles_are_in_the_core_of_a_market_with_endowments():
    values, _ = drawn(200, 4)
    priorities = np.eye(4) * 10 + drawn(200, 4, seed=1)[1]  # column i ranks its owner i first
    matching = top_trading_cycles(values, priorities)
    own = (shares(matching, 4, values) * values).sum(-1)
    assert (own >= np.diagonal(values, axis1=1, axis2=2)).all() and not inefficient(matching, values).any()
    for size in (1, 2, 3, 4):
        for members in combinations(range(4), size):
            for swap in permutations(members):
                gains = values[:, members, swap] - own[:, members]
                assert not ((gains >= 0).all(1) & (gains > 0).any(1)).any()


def test_trading_cycles_waste_the_seats_of_columns_that_accept_nobody():
    values, priorities = np.array([[[1.0, 0.5], [0.5, 1.0]]]), np.array([[[-0.5, 1.0], [-1.0, 0.5]]])
    matching = top_trading_cycles(values, priorities)
    assert matching.tolist() == [[1, -1]] and inefficient(matching, values).all()
    assert not inefficient(top_trading_cycles(values, abs(priorities)), values).any()


@pytest.mark.parametrize("capacities", [1, [2, 1, 2]])
def test_who_asks_one_side_alone_is_efficient_and_truthful_with_capacities(capacities):
    values, priorities = drawn(60, 4, 3, cut=0.2)
    priorities = abs(priorities)
    for rule in (
        lambda v, q: shares(top_trading_cycles(v, q, capacities), 3, v),
        lambda v, q: shares(deferred_acceptance(v, q, capacities), 3, v),
        lambda v, q: random_priority(v, capacities),
    ):
        assert truthfulness_violation(rule, values, priorities, sides="one")[0].max() < 1e-12
    for matching in (top_trading_cycles(values, priorities, capacities),
                     serial_dictatorship(values, np.arange(4), capacities),
                     immediate_acceptance(values, priorities, capacities)):  # fmt: skip
        assert not inefficient(matching, values, capacities).any()
    lies = truthfulness_violation(lambda v, q: shares(immediate_acceptance(v, q, capacities), 3, v), values, priorities)
    assert lies[0].max() == 1 and lies[1].shape == (60, 3)


def test_bogomolnaia_and_moulin_s_example():
    values = values_of_lists([[0, 1, 2, 3]] * 2 + [[1, 0, 3, 2]] * 2, 4)[None]
    eaten = probabilistic_serial(values, unit=Fraction(1))
    half, twelfth = Fraction(1, 2), Fraction(1, 12)
    assert eaten[0].tolist() == [[half, 0, half, 0]] * 2 + [[0, half, 0, half]] * 2
    expected = [[5, 1, 5, 1]] * 2 + [[1, 5, 1, 5]] * 2
    assert np.allclose(random_priority(values)[0], np.array(expected) * float(twelfth), atol=1e-15)
    assert np.array_equal(probabilistic_serial(values), eaten.astype(float))


def upper_sums(chances, values):
    """Compute the probabilities of the best k partners."""
    return np.cumsum(np.take_along_axis(chances, np.argsort(-values, -1), -1), -1)


def test_probabilistic_serial_is_ordinally_efficient_and_free_of_envy():
    values = drawn(400, 5)[0]
    eaten = probabilistic_serial(values)
    assert np.allclose(eaten.sum(1), 1) and np.allclose(eaten.sum(2), 1)
    better = values[:, :, :, None] > values[:, :, None, :]  # a over b, for one who has some of b
    wanted = (better & (eaten[:, :, None, :] > 1e-12)).any(1).astype(float)
    for _ in range(3):
        wanted = ((wanted + wanted @ wanted) > 0).astype(float)
    assert not np.trace(wanted, axis1=1, axis2=2).any()
    assert np.trace(
        ((random_priority(values)[:, :, None, :] > 1e-12) & better).any(1) @ np.ones((5, 5)), axis1=1, axis2=2
    ).any()
    own = upper_sums(eaten, values)
    for other in range(5):
        theirs = upper_sums(np.broadcast_to(eaten[:, other, None], eaten.shape), values)
        assert (own >= theirs - 1e-12).all()


def test_probabilistic_serial_against_random_priority_over_all_profiles():
    values = one_sided(3)
    eaten, drawn_ = probabilistic_serial(values), random_priority(values)
    assert int((abs(eaten - drawn_).max((1, 2)) < 1e-9).sum()) == 144
    regrets, unit = regrets_by_lists(eaten, values)
    assert Fraction(int(regrets.sum()), unit * regrets.size) == Fraction(1, 108)
    assert int((regrets > 0).any(1).sum()) == 54
    assert not regrets_by_lists(drawn_, values)[0].any()
    rise = upper_sums(eaten, values) - upper_sums(drawn_, values)
    assert not ((rise > -1e-9).all((1, 2)) & (rise > 1e-9).any((1, 2))).any(), "nowhere better for all"
    four = one_sided(4, slice(1))  # by neutrality each stands for 24
    eaten, drawn_ = probabilistic_serial(four), random_priority(four)
    assert 24 * int((abs(eaten - drawn_).max((1, 2)) < 1e-9).sum()) == 72_288
    rise = upper_sums(eaten, four) - upper_sums(drawn_, four)
    assert 24 * int(((rise > -1e-9).all((1, 2)) & (rise > 1e-9).any((1, 2))).sum()) == 11_664
    gains = []
    for row in (1, 2, 3):  # each by all lists of its own, in the place of the last axis of profiles
        own, has = (np.moveaxis(each.reshape(24, 24, 24, 4, 4)[..., row, :], row - 1, 2) for each in (four, eaten))
        order = np.argsort(-own, -1)[:, :, :, None]
        reached = np.cumsum(np.take_along_axis(np.broadcast_to(has[:, :, None], (24, 24, 24, 24, 4)), order, -1), -1)
        rises = reached - np.cumsum(np.take_along_axis(has, order[:, :, :, 0], -1), -1)[:, :, :, None]
        assert round(rises.max((-2, -1)).mean(), 5) == 0.02833
        all_rise = (rises[..., :-1] >= -1e-9).all(-1) & (rises > 1e-9).any(-1)
        assert not all_rise.any()  # weakly strategyproof
        gains.append(np.moveaxis(rises.max((-2, -1)) > 1e-9, 2, row - 1))
    lists = four[:24, 3]
    renamed = np.array([[(lists == other[first]).all(1).argmax() for other in lists] for first in np.argsort(-lists)])
    one, two, three = np.ogrid[:24, :24, :24]  # of the first row: as of the second, once the two have changed places
    gains.append(gains[0][renamed[one, 0], renamed[one, two], renamed[one, three]])
    assert round(np.any(gains, axis=0).mean(), 3) == 0.695


# -- larger markets -----------------------------------------------------------------------------------------------


REFERENCES = {4: 6_000, 5: 1_500}
"""Draws by which the figures are known, for n on each side."""


@pytest.mark.parametrize(
    ("n", "name", "rank", "unstable", "inefficient_", "gains"),
    [
        (4, "deferred", 1.631, 0, 0.075, 0),
        (4, "trading", 1.599, 0.243, 0, 0),
        (4, "immediate", 1.566, 0.349, 0, 0.120),
        (5, "deferred", None, 0, 0.151, 0),
        (5, "trading", None, 0.427, 0, 0),
        (5, "immediate", None, None, 0, 0.147),
    ],
)  # fmt: skip
def test_samples_of_larger_markets(n, name, rank, unstable, inefficient_, gains):
    values, priorities = drawn(6_000, n)
    matching = RULES[name](values, priorities)
    complete = all_reports(n)[-len(list(permutations(range(n)))) :]
    few = slice(1_500 if n == 4 else 400)
    lies, _ = truthfulness_violation(lambda v, q: shares(RULES[name](v, q), n, v), values[few], priorities[few],
                                     sides="one", reports=complete)  # fmt: skip
    for found, reference in (
        (expected_rank(shares(matching, n, values), values).mean(1), rank),
        (blocking_pairs(matching, values, priorities) > 0, unstable),
        (inefficient(matching, values), inefficient_),
        (lies.mean(1), gains),
    ):
        if reference is not None:  # both are means over draws, rounded to three digits
            error = np.std(found) * (1 / len(found) + 1 / REFERENCES[n]) ** 0.5
            assert abs(np.mean(found) - reference) <= 3 * error + 0.0005 * bool(reference)


@pytest.mark.parametrize(
    ("n", "batch", "proposers", "receivers"), [(10, 600, 2.396, 3.69), (30, 60, 3.62, 7.90), (100, 8, 4.88, 20.7)]
)
def test_ranks_of_deferred_acceptance_grow_with_the_logarithm(n, batch, proposers, receivers):
    values, priorities = drawn(batch, n)
    pairs = shares(deferred_acceptance(values, priorities), n, values)
    ranks = expected_rank(pairs, values).mean(1)
    error = ranks.std() / batch**0.5 + 0.05
    harmonic = sum(1 / k for k in range(1, n + 1))
    assert abs(ranks.mean() - proposers) < 3 * error and log(n) - error < ranks.mean() < harmonic + 2 * error
    theirs = expected_rank(np.swapaxes(pairs, 1, 2), np.swapaxes(priorities, 1, 2)).mean(1)
    assert abs(theirs.mean() - receivers) < 3 * (theirs.std() / batch**0.5 + 0.05 * receivers)


# -- plain loops ----------------------------------------------------------------------------------------------------


def plain_acceptance(values, priorities, seats, immediate):
    """Compute one matching the long way: who is free asks, the worst who is held is dropped."""
    n, m = values.shape
    lists = [[j for j in sorted(range(m), key=lambda j: -values[i, j]) if values[i, j] > 0] for i in range(n)]
    held, asked, free = [[] for _ in range(m)], [0] * n, set(range(n))
    for round_ in range(n * m):
        asking = [i for i in sorted(free) if asked[i] < len(lists[i])]
        for i in asking:
            j, asked[i] = lists[i][asked[i]], asked[i] + 1
            if priorities[i, j] > 0:
                held[j].append((round_ if immediate else 0, -priorities[i, j], i))
                free.discard(i)
        for j in range(m):
            for _, _, i in sorted(held[j])[seats[j] :]:
                free.add(i)
            held[j] = sorted(held[j])[: seats[j]]
    return [next((j for j in range(m) if any(i == who for *_, who in held[j])), -1) for i in range(n)]


def plain_trading(values, priorities, seats):
    """Compute one matching of top trading cycles, cycle by cycle."""
    n, m = values.shape
    here, left, matching = set(range(n)), list(seats), [-1] * n

    def best(i):
        return max((j for j in range(m) if left[j] and values[i, j] > 0), key=lambda j: values[i, j], default=None)

    def top(j):
        return max((i for i in here if priorities[i, j] > 0), key=lambda i: priorities[i, j], default=None)

    while here:
        gone = [i for i in here if best(i) is None]
        closed = [j for j in range(m) if left[j] and top(j) is None]
        if gone or closed:
            here -= set(gone)
            for j in closed:
                left[j] = 0
            continue
        path = [min(here)]
        while path.count(path[-1]) == 1:
            path.append(top(best(path[-1])))
        for i in path[path.index(path[-1]) : -1]:
            matching[i] = best(i)
        for i in path[path.index(path[-1]) : -1]:
            left[matching[i]] -= 1
            here.discard(i)
    return matching


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize(("n", "m", "seats"), [(5, 5, 1), (8, 3, [2, 3, 1]), (3, 6, 1), (1, 1, 1)])
def test_rules_do_what_plain_loops_do(n, m, seats, backend):
    values, priorities = drawn(60, n, m, seed=n, cut=0.25)
    number = np.broadcast_to(seats, m).tolist()
    given = (values, priorities) if backend == "numpy" else (torch.from_numpy(values), torch.from_numpy(priorities))
    for name, plain in {
        "deferred": lambda v, q: plain_acceptance(v, q, number, False),
        "immediate": lambda v, q: plain_acceptance(v, q, number, True),
        "trading": lambda v, q: plain_trading(v, q, number),
    }.items():
        expected = [plain(v, q) for v, q in zip(values, priorities, strict=True)]
        assert np.asarray(RULES[name](*given, seats)).tolist() == expected
    columns = deferred_acceptance(*given, seats, proposing="columns")
    assert np.array_equal(np.asarray(columns), deferred_acceptance(values, priorities, seats, proposing="columns"))


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_matchings_do_not_depend_on_how_values_lie_in_memory(order):
    values, priorities = drawn(40, 5)
    back = np.argsort(order)
    laid = [np.ascontiguousarray(each.transpose(order)).transpose(back) for each in (values, priorities)]
    for rule in RULES.values():
        assert np.array_equal(rule(*laid), rule(values, priorities))
        assert np.array_equal(rule(*map(torch.from_numpy, laid)).numpy(), rule(values, priorities))


def test_both_backends_measure_alike():
    values, priorities = drawn(40, 4, cut=0.2)
    given = [torch.from_numpy(each) for each in (values, priorities)]
    matching = immediate_acceptance(values, priorities)
    for measure in (blocking_pairs, unwilling_pairs, justified_envy):
        assert np.array_equal(
            measure(torch.from_numpy(matching), *given).numpy(), measure(matching, values, priorities)
        )
    assert np.array_equal(inefficient(torch.from_numpy(matching), given[0]).numpy(), inefficient(matching, values))
    for rule in (random_priority, probabilistic_serial):
        chances = rule(values)
        assert np.allclose(rule(given[0]).numpy(), chances, atol=1e-12)
        for measure in (stability_violation, participation_violation):
            expected = measure(chances, values, priorities)
            assert np.allclose(measure(torch.from_numpy(chances), *given).numpy(), expected) and expected.max() > 0


def test_blocking_pairs_are_those_of_the_definition():
    values, priorities = drawn(40, 5, 3, cut=0.2)
    seats = [2, 1, 3]
    for matching in (
        immediate_acceptance(values, priorities, seats),
        np.random.default_rng(1).integers(-1, 3, (40, 5)),
    ):
        found = blocking_pairs(matching, values, priorities, seats)
        for market in range(40):
            v, q, has = values[market], priorities[market], matching[market]
            count = 0
            for i, j in product(range(5), range(3)):
                own = v[i, has[i]] if has[i] >= 0 else 0.0
                sitting = [q[k, j] for k in range(5) if has[k] == j]
                room = len(sitting) < seats[j] or any(each < 0 or each < q[i, j] for each in sitting)
                count += v[i, j] > 0 and q[i, j] > 0 and v[i, j] > own and room and has[i] != j
            assert found[market] == count


# -- assignments, lists and errors ------------------------------------------------------------------------------------


def test_assignments_of_greatest_weight_and_of_least_rank_are_the_best_of_all():
    values, priorities = drawn(25, 4, 3, cut=0.2)
    every = all_matchings(4, 3)
    pairs = shares(every, 3, values)  # (L, n, m)
    weights = values + priorities
    worth = np.einsum("lij,bij->bl", pairs, weights)
    found = greatest_weight(weights)
    assert np.allclose((shares(found, 3, values) * weights).sum((1, 2)), worth.max(1))
    both = (values > 0) & (priorities > 0)
    ranks = 4 - (np.argsort(np.argsort(-values, -1), -1) + 1)
    gained = np.where(both, ranks, 0)
    least = least_rank(values, priorities)
    assert not unwilling_pairs(least, values, priorities).any()
    assert np.array_equal(
        (shares(least, 3, values) * gained).sum((1, 2)), np.einsum("lij,bij->bl", pairs, gained).max(1)
    )
    assert np.bincount(greatest_weight(np.ones((1, 7, 2)), [4, 2])[0] + 1, minlength=3).tolist() == [1, 4, 2]


def test_lists_say_who_is_acceptable_and_in_which_order():
    told = listed(np.array([[0.3, -0.2, 0.9, 0.3], [-1.0, 0.0, -0.5, -0.1]]))
    assert told.tolist() == [[0.5, 0, 0.75, 0.25], [0, 0, 0, 0]]
    for m in (1, 2, 3, 4, 5):
        reports = all_reports(m)
        assert len(np.unique(reports, axis=0)) == len(reports) == number_of_reports(m)
        assert np.array_equal(listed(reports), reports)
        assert np.array_equal(listed(torch.from_numpy(reports.copy())).numpy(), reports)
    assert values_of_lists([[2, 0], []], 3).tolist() == [[1 / 3, 0, 2 / 3], [0, 0, 0]]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda v: values_of_lists([[0, 2], [1, 1]], 3), r"lists\[1\] is \[1, 1\], which has 1 twice, allowed: once"),
        (lambda v: values_of_lists([[0, 3]], 3), r"lists\[0\]\[1\] is 3, allowed: an integer in 0..2"),
        (lambda v: deferred_acceptance(v, v, 0), "capacities is 0, allowed: an integer in 1..1,000,000"),
        (lambda v: deferred_acceptance(v, v, [1, 2, -1]), r"capacities\[2\] is -1, allowed: an integer in 1.."),
        (lambda v: immediate_acceptance(v, v, [1, 1]), "capacities has 2 numbers, allowed: one, or 3"),
        (lambda v: top_trading_cycles(v, v, "two"), "capacities is 'two', allowed: a whole number >= 1, or a list"),
        (lambda v: deferred_acceptance(v, v[:, :2]), r"values have shape \(2, 3, 3\) and priorities \(2, 2, 3\)"),
        (lambda v: deferred_acceptance(v, v * [1, np.nan, 1]), r"priorities\[0, 0, 1\] is nan, allowed: numbers"),
        (lambda v: random_priority(torch.full((1, 2, 2), torch.nan)), r"values\[0, 0, 0\] is nan, allowed: numbers"),
        (lambda v: deferred_acceptance(v, v, proposing="row"), "proposing is 'row': did you mean 'rows'"),
        (lambda v: serial_dictatorship(v, np.array([0, 1, 1])), "allowed: each of 0 to 2 once in each row"),
        (lambda v: random_priority(np.ones((1, 7, 2))), "7 rows have 5,040 orders, allowed for exact shares: up to 6"),
        (lambda v: all_reports(6), "6 partners can be listed in 1,957 ways, allowed: up to 5 partners, of which there"),
        (lambda v: table(deferred_acceptance, 4), r"4 on each side have 4!\^8 profiles of lists, allowed: n from 1"),
        (lambda v: stable_matchings(*drawn(1, 6)), "6 rows and 6 columns, allowed where all matchings are listed"),
        (lambda v: greatest_weight(v[0]), r"weights have shape \(3, 3\), allowed: \(games, rows, columns\)"),
        (lambda v: regrets_by_lists(np.full((36, 2, 2), 2**-0.5), one_sided(2)), "no fractions with denominators"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(call, told):
    with pytest.raises(ParameterError, match=told):
        call(np.ones((2, 3, 3)))
