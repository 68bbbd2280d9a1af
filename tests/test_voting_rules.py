"""Voting rules against their definitions, written out profile by profile; weights, ties, backends and bad input."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, pairwise, permutations
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.solvers.social_choice import elimination, maximal_lottery, ranked_pairs
from lawgiver.envs.solvers.social_choice.dominance import fosd_regret
from lawgiver.envs.solvers.social_choice.profiles import condorcet_winner, margins, orders, positions, supports
from lawgiver.envs.solvers.social_choice.rules import REVEALS, RULES, lottery, positional, readable

SIZES = [(3, 3), (4, 3), (5, 4), (6, 4), (7, 5), (8, 5)]
RANKED = [name for name, rule in RULES.items() if rule.reads in ("ranking", "plurality")]


def drawn(seed: int, batch: int, n: int, m: int) -> np.ndarray:
    """Return places (B, n, m) of uniform rankings."""
    return positions(np.random.default_rng(seed).random((batch, n, m)))


def one(name: str, places: Any, **options: Any) -> list[float]:
    return lottery(name, np.array([places]), **options)[0].round(12).tolist()


class Definition:
    """A single profile (n, m) of places, and the rules as books define them."""

    def __init__(self, places: np.ndarray) -> None:
        self.rankings = [tuple(int(a) for a in np.argsort(row)) for row in places]
        self.n, self.m = places.shape
        self.all = range(self.m)

    def over(self, a: int, b: int) -> int:
        return sum(ranking.index(a) < ranking.index(b) for ranking in self.rankings)

    def margin(self, a: int, b: int) -> int:
        return self.over(a, b) - self.over(b, a)

    def best(self, score: Any) -> set[int]:
        scores = [score(a) for a in self.all]
        return {a for a in self.all if scores[a] == max(scores)}

    def plurality(self) -> set[int]:
        return self.best(lambda a: sum(ranking[0] == a for ranking in self.rankings))

    def anti_plurality(self) -> set[int]:
        return self.best(lambda a: -sum(ranking[-1] == a for ranking in self.rankings))

    def borda(self) -> set[int]:
        return self.best(lambda a: sum(self.m - 1 - ranking.index(a) for ranking in self.rankings))

    def copeland(self) -> set[int]:
        return self.best(lambda a: sum(1 + np.sign(self.margin(a, b)) for b in self.all if b != a))

    def minimax(self) -> set[int]:
        return self.best(lambda a: min(self.margin(a, b) for b in self.all if b != a))

    def black(self) -> set[int]:
        condorcet = {a for a in self.all if all(self.margin(a, b) > 0 for b in self.all if b != a)}
        return condorcet or self.borda()

    def schulze(self) -> set[int]:
        width = {}
        for a, b in permutations(self.all, 2):
            others = [c for c in self.all if c not in (a, b)]
            paths = [(a, *via, b) for k in range(len(others) + 1) for via in permutations(others, k)]
            wins = [[self.over(x, y) if self.margin(x, y) > 0 else 0 for x, y in pairwise(p)] for p in paths]
            width[a, b] = max(min(path) for path in wins)
        return {a for a in self.all if all(width[a, b] >= width[b, a] for b in self.all if b != a)}

    def kemeny(self) -> set[int]:
        def agreement(order: tuple[int, ...]) -> int:
            return sum(self.over(a, b) for a, b in combinations(order, 2))

        most = max(map(agreement, permutations(self.all)))
        return {order[0] for order in permutations(self.all) if agreement(order) == most}

    def ranked_pairs(self) -> set[int]:
        """By Zavist and Tideman: first in a ranking whose every pair is backed by a path of majorities as large."""
        won = set()
        for order in permutations(self.all):
            stack = all(
                any(
                    all(self.margin(x, y) >= self.margin(b, a) for x, y in pairwise(path))
                    for k in range(self.m)
                    for middle in combinations(order[order.index(a) + 1 : order.index(b)], k)
                    for path in [(a, *middle, b)]
                )
                for a, b in combinations(order, 2)
            )
            if stack:
                won.add(order[0])
        return won

    def irv(self, left: frozenset[int] | None = None) -> dict[int, Fraction]:
        left = frozenset(self.all) if left is None else left
        if len(left) == 1:
            return {next(iter(left)): Fraction(1)}
        firsts = {a: sum(min(left, key=ranking.index) == a for ranking in self.rankings) for a in left}
        out = [a for a in left if firsts[a] == min(firsts.values())]
        chances: dict[int, Fraction] = {}
        for a in out:
            for winner, chance in self.irv(left - {a}).items():
                chances[winner] = chances.get(winner, Fraction(0)) + chance / len(out)
        return chances

    def plurality_runoff(self) -> dict[int, Fraction]:
        firsts = [sum(ranking[0] == a for ranking in self.rankings) for a in self.all]
        finals = []
        for order in permutations(self.all):  # every way to break ties, equally often
            if all(firsts[a] >= firsts[b] for a, b in pairwise(order)):
                finals.append(order[:2])
        chances = dict.fromkeys(self.all, Fraction(0))
        for a, b in finals:
            for x, y in ((a, b), (b, a)):
                chances[x] += Fraction(1 + int(np.sign(self.margin(x, y))), 2 * len(finals))
        return chances


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize(
    "name",
    ["plurality", "anti_plurality", "borda", "copeland", "minimax", "black", "schulze", "kemeny", "ranked_pairs"],
)
def test_winners_are_those_of_the_definition(name: str, n: int, m: int) -> None:
    places = drawn(n, 25, n, m)
    shared, first = lottery(name, places), lottery(name, places, ties="first")
    for profile, share, all_to_one in zip(places, shared, first, strict=True):
        winners = getattr(Definition(profile), name)()
        assert set(np.flatnonzero(share)) == winners
        assert np.allclose(share[sorted(winners)], 1 / len(winners))
        assert all_to_one.tolist() == [float(a == min(winners)) for a in range(m)]


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("name", ["irv", "plurality_runoff"])
def test_runoffs_draw_every_tie_with_equal_chances(name: str, n: int, m: int) -> None:
    places = drawn(n, 25, n, m)
    for profile, found in zip(places, lottery(name, places), strict=True):
        chances = getattr(Definition(profile), name)()
        assert np.allclose(found, [float(chances.get(a, 0)) for a in range(m)], atol=1e-12)


def test_instant_runoff_of_three_is_plurality_with_a_runoff() -> None:
    places = drawn(0, 2000, 6, 3)
    for ties in ("share", "first"):
        assert np.allclose(lottery("irv", places, ties=ties), lottery("plurality_runoff", places, ties=ties))


def test_few_voters_of_many_alternatives_leave_little_to_eliminate() -> None:
    """Sixty alternatives, four favourites: the order in which the others go out does not matter."""
    places = drawn(9, 5, 4, 60)
    found = lottery("irv", places)
    assert np.allclose(found.sum(1), 1)
    assert ((found > 0) <= (places == 0).any(1)).all()


def test_the_last_of_the_tied_goes_out_first() -> None:
    assert one("irv", [[0, 1, 2], [1, 0, 2], [2, 1, 0]], ties="first") == [0, 1, 0]  # 2 goes, and its voter has 1 next
    assert one("irv", [[0, 1], [1, 0]], ties="first") == [1, 0]
    assert one("irv", [[0, 1], [1, 0]]) == [0.5, 0.5]


@pytest.mark.parametrize("name", RANKED)
@pytest.mark.parametrize("ties", ["share", "first"])
def test_counts_are_voters(name: str, ties: str) -> None:
    """Weights are repeated voters, and counts over the m! rankings are profiles; half counts change nothing."""
    m, rng = 4, np.random.default_rng(1)
    table = orders(m)
    chosen = rng.integers(len(table), size=(60, 6))
    expected = lottery(name, table[chosen], ties=ties)
    counts = np.stack([np.bincount(row, minlength=len(table)) for row in chosen]).astype(float)
    assert np.allclose(lottery(name, table[None], counts, ties=ties), expected, atol=1e-9)
    assert np.allclose(lottery(name, table[None], counts / 2, ties=ties), expected, atol=1e-9)
    twice = np.concatenate([table[chosen], table[chosen[:, :2]]], axis=1)
    weights = np.concatenate([np.ones((60, 6)), np.zeros((60, 2))], axis=1)
    assert np.allclose(lottery(name, twice, weights, ties=ties), expected, atol=1e-9)
    assert np.allclose(lottery(name, twice, weights.astype(int), ties=ties), expected, atol=1e-9)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("ties", ["share", "first"])
def test_torch_gives_the_same(name: str, ties: str) -> None:
    rng = np.random.default_rng(2)
    ballots = {"approval": rng.integers(2, size=(50, 6, 4)), "score": rng.random((50, 6, 4))}
    marks = ballots.get(RULES[name].reads, drawn(2, 50, 6, 4))
    weights = rng.integers(1, 4, size=(50, 6)).astype(float)
    expected = lottery(name, marks, ties=ties), lottery(name, marks, weights, ties=ties)
    found = (
        lottery(name, torch.tensor(marks), ties=ties),
        lottery(name, torch.tensor(marks), torch.tensor(weights), ties=ties),
    )
    for one, other in zip(expected, found, strict=True):
        assert np.allclose(one, other.numpy(), atol=1e-6)
        assert np.allclose(one.sum(-1), 1)
    assert found[1].dtype == torch.float64


@pytest.mark.parametrize("name", RANKED)
def test_many_voters_are_counted_as_few(name: str) -> None:
    """More voters than fit a byte: each of them 50 times."""
    places = drawn(8, 20, 5, 4)
    assert np.allclose(lottery(name, np.tile(places, (1, 50, 1))), lottery(name, places))


@pytest.mark.parametrize("name", ["irv", "ranked_pairs", "borda", "plurality_runoff", "maximal_lottery"])
def test_shared_ties_treat_alternatives_alike(name: str) -> None:
    places = drawn(3, 300, 4, 4)
    swap = np.array([2, 0, 3, 1])
    assert np.allclose(lottery(name, places[..., swap]), lottery(name, places)[:, swap], atol=1e-9)


def test_places_supports_and_margins() -> None:
    assert positions(np.array([0.5, 0.9, 0.5, 0.1])).tolist() == [1, 0, 2, 3]
    assert positions(torch.tensor([[0.5, 0.9, 0.5, 0.1]])).tolist() == [[1, 0, 2, 3]]
    tied = np.array([[[0, 0, 2], [1, 0, 2]]])
    assert supports(tied)[0].tolist() == [[0, 0.5, 2], [1.5, 0, 2], [0, 0, 0]]
    assert margins(tied)[0].tolist() == [[0, -1, 2], [1, 0, 2], [-2, -2, 0]]
    assert condorcet_winner(tied)[0].tolist() == [False, True, False]
    cycle = np.array([[[0, 1, 2], [2, 0, 1], [1, 2, 0]]])
    assert not condorcet_winner(cycle).any()


def test_a_condorcet_winner_wins_except_under_borda() -> None:
    """Three A > B > C and two B > C > A: Borda 6, 7, 2."""
    places = [[0, 1, 2]] * 3 + [[2, 0, 1]] * 2
    assert one("borda", places) == [0, 1, 0]
    for name in ("copeland", "minimax", "black", "schulze", "ranked_pairs", "kemeny", "maximal_lottery"):
        assert one(name, places) == [1, 0, 0]


def test_rules_of_other_ballots() -> None:
    marks = np.array([[[1, 1, 0], [0, 1, 1], [0, 0, 1]]])
    assert lottery("approval", marks)[0].tolist() == [0, 0.5, 0.5]
    scores = np.array([[[0.1, 0.2, 0.9], [0.2, 0.1, 0.0], [0.3, 0.3, 0.0]]])
    assert lottery("score", scores)[0].tolist() == [0, 0, 1]
    assert lottery("score", scores[:, :, :2])[0].tolist() == [
        0.5,
        0.5,
    ]  # .1 + .2 + .3 and .2 + .1 + .3 differ in floats
    assert lottery("score", np.array([[[100, 300], [150, 0]]]))[0].tolist() == [0, 1]
    favourites = np.array([[[0, 1, 1], [1, 0, 1], [0, 1, 1]]])
    assert lottery("plurality", favourites)[0].tolist() == [1, 0, 0]
    assert np.allclose(lottery("random_dictator", favourites)[0], [2 / 3, 1 / 3, 0])


def test_random_rules_in_closed_form() -> None:
    cycle = [[0, 1, 2], [2, 0, 1], [1, 2, 0]]
    assert np.allclose(one("random_pair_majority", cycle), 1 / 3)
    assert one("random_pair_majority", [[0, 1], [1, 0]], ties="first") == [1, 0]
    assert one("random_pair_majority", [[0, 1], [1, 0]]) == [0.5, 0.5]


def test_median_of_favourites_on_a_line() -> None:
    favourite = [np.argsort([a, *(b for b in range(5) if b != a)]) for a in range(5)]
    assert one("median", [favourite[a] for a in (4, 0, 3)]) == [0, 0, 0, 1, 0]
    assert one("median", [favourite[a] for a in (4, 0, 3, 1)]) == [0, 0.5, 0, 0.5, 0]
    assert one("median", [favourite[a] for a in (4, 0, 3, 1)], ties="first") == [0, 1, 0, 0, 0]
    assert one("median", [favourite[2], favourite[2]]) == [0, 0, 1, 0, 0]


@pytest.mark.parametrize(("n", "m"), [(5, 3), (7, 5), (9, 7)])
def test_the_maximal_lottery_of_strict_majorities_is_the_only_one(n: int, m: int) -> None:
    """HiGHS finds no larger and no smaller probability of any alternative among maximal lotteries."""
    places = drawn(4, 200, n, m)
    cyclic = places[~condorcet_winner(places).any(1)][:12]
    found, matrices = lottery("maximal_lottery", cyclic), margins(cyclic)
    for lottery_, matrix in zip(found, matrices, strict=True):
        assert (lottery_ @ matrix >= -1e-12).all()
        for a in range(m):
            for sign in (1, -1):
                cost = sign * np.eye(m)[a]
                best = linprog(cost, -matrix.T, np.zeros(m), np.ones((1, m)), [1.0], method="highs").fun
                assert sign * best == pytest.approx(lottery_[a], abs=1e-7)


@pytest.mark.parametrize("m", [2, 3, 4, 5])
def test_tied_majorities_mix_all_extreme_maximal_lotteries(m: int) -> None:
    """Extreme points found as all feasible solutions of m of the constraints, the sum of 1 among them."""
    several = 0
    for places in (drawn(5, 30, 4, m), drawn(6, 30, 2, m)):
        for found, matrix in zip(lottery("maximal_lottery", places), margins(places), strict=True):
            rows = np.concatenate([np.eye(m), matrix.T])
            systems = np.array(
                [np.vstack([rows[list(tight)], np.ones(m)]) for tight in combinations(range(2 * m), m - 1)]
            )
            regular = np.abs(np.linalg.det(systems)) > 1e-9
            points = np.linalg.solve(systems[regular], np.eye(m)[:, -1:])[..., 0]
            extreme = np.unique(points[(points @ rows.T > -1e-9).all(1)].round(9) + 0.0, axis=0)
            several += len(extreme) > 1
            assert np.allclose(found, extreme.mean(0), atol=1e-8)
    assert several > 10


def test_maximal_lotteries_of_weights_that_are_rounded() -> None:
    places, weights = drawn(7, 200, 4, 5), np.full((200, 4), 0.1)
    assert np.allclose(lottery("maximal_lottery", places, weights), lottery("maximal_lottery", places), atol=1e-9)


def test_a_cycle_of_uneven_margins_has_its_lottery_although_small_margins_look_like_ties() -> None:
    """The cycle a > b > c > a by 1000, 1 and 1, all of which beat d by 1: probabilities are as opposite margins."""
    won = np.array([[0, 1000, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1], [0, 0, 0, 0]])
    found = maximal_lottery.lotteries((won - won.T)[:, :, None])[:, 0]
    assert found * 1002 == pytest.approx([1, 1, 1000, 0], abs=1e-9)


def test_positional_scores_have_the_known_members() -> None:
    places = drawn(6, 400, 6, 4)
    for name, scores in {
        "plurality": [1, 0, 0, 0],
        "borda": [1, 2 / 3, 1 / 3, 0],
        "anti_plurality": [1, 1, 1, 0],
    }.items():
        for ties in ("share", "first"):
            assert np.allclose(positional(places, np.array(scores), ties=ties), lottery(name, places, ties=ties))
    assert np.allclose(positional(places, np.eye(4)[0], 1.0), lottery("random_dictator", places))
    share, each = np.linspace(0, 1, 400), np.tile([1.0, 0.5, 0.25, 0.0], (400, 1))
    mixed = positional(torch.tensor(places), torch.tensor(each), torch.tensor(share))
    plain = positional(places, each[0])
    expected = (1 - share)[:, None] * plain + share[:, None] * lottery("random_dictator", places)
    assert np.allclose(mixed.numpy(), expected, atol=1e-6)


def test_regret_is_what_some_utility_function_gains() -> None:
    """The largest gain over utility functions with values in [0, 1] and the voter's ranking is at a step function."""
    rng = np.random.default_rng(7)
    truth, others = rng.dirichlet(np.ones(4), 30), rng.dirichlet(np.ones(4), (30, 5))
    places = drawn(7, 1, 30, 4)[0]
    steps = (places[:, None] <= np.arange(3)[:, None]).astype(float)  # (30, 3, 4)
    gains = np.einsum("bam,bkm->bak", others - truth[:, None], steps).max(-1)
    assert np.allclose(fosd_regret(truth, others, places), np.maximum(gains, 0))
    found = fosd_regret(torch.tensor(truth), torch.tensor(others), torch.tensor(places))
    assert np.allclose(found.numpy(), np.maximum(gains, 0))
    utilities = np.sort(rng.random((30, 50, 4)), axis=-1)[..., ::-1]
    aligned = np.take_along_axis(utilities, np.broadcast_to(places[:, None], utilities.shape), axis=-1)
    gained = np.einsum("bam,bum->bau", others - truth[:, None], aligned).max(-1)
    assert (gained <= fosd_regret(truth, others, places) + 1e-12).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lottery("bordas", drawn(0, 1, 3, 3)), "rule is 'bordas': did you mean 'borda'?"),
        (lambda: lottery("borda", drawn(0, 1, 3, 3), ties="last"), "ties is 'last': .*allowed: first, share"),
        (lambda: lottery("borda", np.zeros((3, 3))), r"shape \(3, 3\), allowed: \(profiles, voters, alternatives\)"),
        (lambda: lottery("borda", np.zeros((2, 0, 3))), "one or more each"),
        (lambda: lottery("borda", drawn(0, 2, 3, 3), np.ones((3, 3))), r"weights have shape \(3, 3\), allowed: 2 prof"),
        (lambda: lottery("kemeny", drawn(0, 1, 3, 7)), "kemeny is to rank 7 alternatives, allowed: at most 6"),
        (lambda: lottery("irv", drawn(0, 1, 3, 63)), "irv is to decide among 63 alternatives, allowed: at most 62"),
        (lambda: lottery("ranked_pairs", drawn(0, 1, 3, 63)), "ranked_pairs is to decide among 63 .*: at most 62"),
        (lambda: lottery("maximal_lottery", drawn(0, 1, 3, 13)), "among 13 alternatives, allowed: at most 12"),
        (lambda: lottery("borda", drawn(0, 1, 3, 3) + 1), "places go from 1 to 3, allowed: from 0, the best, to 2"),
        (lambda: positional(np.full((1, 2, 3), np.nan), np.ones(3)), "places go from nan to nan, allowed: from 0"),
        (lambda: positional(drawn(0, 1, 3, 3), np.ones(4)), r"scores have shape \(4,\), allowed: one for each of 3"),
        (lambda: readable("borda", "approval"), "'borda' cannot be computed from approval ballots, .*: ranking, score"),
        (lambda: readable("approval", "plurality"), "'approval' cannot be .* allowed with it: approval, score"),
        (lambda: readable("borda", "stars"), "ballot is 'stars'"),
    ],
)
def test_errors_name_what_is_allowed(call: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        call()


def test_too_many_tied_eliminations_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elimination, "SETS", 200)
    cycle = np.array([np.roll(np.arange(12), k) for k in range(12)])[None]
    with pytest.raises(ParameterError, match="220 sets of 9 alternatives left, allowed: at most 200, as with"):
        lottery("irv", cycle)
    assert lottery("irv", cycle, ties="first").sum() == 1


def test_too_many_tied_margins_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranked_pairs, "BRANCHES", 50)
    with pytest.raises(ParameterError, match=r"leads to \d+ branches, allowed: at most 50, as with"):
        lottery("ranked_pairs", np.array([np.roll(np.arange(7), k) for k in range(7)])[None])


def test_every_rule_can_be_computed_from_what_it_reads() -> None:
    assert all(readable(name, rule.reads) is rule for name, rule in RULES.items())
    assert all(readable(name, "score") for name in RULES)
    assert set(REVEALS) == {"ranking", "approval", "plurality", "score"}
