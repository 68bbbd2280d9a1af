"""Solution methods of normal-form games: every guarantee with its number, in games whose solutions are known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from lawgiver.envs.core.errors import ParameterError, UnknownNameError, UnsupportedGameError
from lawgiver.envs.solvers.normal_form.alpha_rank import alpha_rank, stationary
from lawgiver.envs.solvers.normal_form.correlated import coarse_correlated_equilibrium, correlated_equilibrium
from lawgiver.envs.solvers.normal_form.double_oracle import double_oracle, opened_in, tabulated
from lawgiver.envs.solvers.normal_form.fictitious_play import fictitious_play, runs
from lawgiver.envs.solvers.normal_form.forms import NormalForm, SymmetricForm, profiles, uniform
from lawgiver.envs.solvers.normal_form.hedge import hedge, optimistic_hedge
from lawgiver.envs.solvers.normal_form.methods import METHODS, one_equilibrium, solutions
from lawgiver.envs.solvers.normal_form.nash import by_programme, equilibria, minimax
from lawgiver.envs.solvers.normal_form.regret_matching import internal_regret_matching, regret_matching
from lawgiver.envs.solvers.normal_form.replicator import replicator

WINS = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0.0]])
RPS = NormalForm(np.stack([WINS, -WINS]))
CHICKEN = NormalForm([[[6, 2], [7, 0]], [[6, 7], [2, 0]]])
SHAPLEY = NormalForm([[[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 1, 0], [0, 0, 1], [1, 0, 0]]])
PENNIES = NormalForm([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]])
BRIEF = {
    "regret_matching": {"rounds": 2_000},
    "internal_regret_matching": {"rounds": 4_000},
    "hedge": {"rounds": 5_000},
    "optimistic_hedge": {"rounds": 500},
    "fictitious_play": {"rounds": 500},
    "replicator": {"time": 20, "step": 0.05},
}
START = ([0.6, 0.3, 0.1], [0.2, 0.5, 0.3])


def symmetric_of(payoffs: np.ndarray) -> SymmetricForm:
    """Make the symmetric game of two whose row player has these payoffs (A, A)."""
    size = len(payoffs)
    columns = []
    for counts in profiles(2, size):
        first, second = np.repeat(np.arange(size), counts)
        column = np.zeros(size)
        column[second], column[first] = payoffs[second, first], payoffs[first, second]
        columns.append(column)
    return SymmetricForm(np.array(columns).T, 2)


def random_form(*sizes: int, seed: int = 0) -> NormalForm:
    return NormalForm(np.random.default_rng(seed).normal(size=(len(sizes), *sizes)))


# -- forms ------------------------------------------------------------------------------------------------------


def test_expected_payoffs_and_regrets_are_the_sums_over_all_joint_choices():
    form = random_form(2, 3, 4)
    rng = np.random.default_rng(1)
    mixtures = tuple(rng.dirichlet(np.ones(size)) for size in form.sizes)
    for i in range(3):
        for a in range(form.sizes[i]):
            chance = [m if j != i else np.eye(len(m))[a] for j, m in enumerate(mixtures)]
            expected = sum(
                form.payoffs[(i, *cell)] * math.prod(chance[j][c] for j, c in enumerate(cell))
                for cell in itertools.product(*map(range, form.sizes))
            )
            assert form.against(mixtures)[i][a] == pytest.approx(expected, abs=1e-12)
    joint = form.joint(mixtures)
    assert joint.sum() == pytest.approx(1)
    assert form.values(mixtures) == pytest.approx([(joint * own).sum() for own in form.payoffs])
    assert np.maximum(form.coarse_regrets(joint), 0) == pytest.approx(form.regrets(mixtures)), "a product is no signal"
    assert (form.correlated_regrets(joint) >= form.regrets(mixtures) - 1e-12).all()
    assert form.replies((1, 2, 3))[1].tolist() == form.payoffs[1, 1, :, 3].tolist()


@pytest.mark.parametrize(("n", "size"), [(1, 3), (2, 3), (3, 2), (4, 3)])
def test_a_symmetric_form_is_its_expansion(n, size):
    rng = np.random.default_rng(n)
    form = SymmetricForm(rng.normal(size=(size, math.comb(n + size - 1, n))), n)
    whole = form.expanded()
    mixture = rng.dirichlet(np.ones(size))
    assert whole.sizes == (size,) * n
    for worth in whole.against((mixture,) * n):
        assert worth == pytest.approx(form.against((mixture,))[0], abs=1e-12)
    assert whole.regrets((mixture,) * n) == pytest.approx(np.repeat(form.regrets((mixture,)), n))
    assert form.replies((1,))[0] == pytest.approx(whole.replies((1,) * n)[0])
    assert form.ranges == pytest.approx(whole.ranges[:1])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: NormalForm(np.zeros((2, 3))), r"shape \(2, 3\)"),
        (lambda: NormalForm(np.zeros((2, 0, 3))), "shape"),
        (lambda: NormalForm([[[np.nan]], [[1]]]), "hold nan"),
        (lambda: NormalForm(np.zeros((2, 1, 2)), (("a",), ("b",))), r"\(1, 1\) names are given, allowed: \(1, 2\)"),
        (lambda: NormalForm(np.zeros((2, 1, 2)), (("a",), ("b", "b"))), "'b' is there twice"),
        (lambda: SymmetricForm(np.zeros((2, 2)), 2), r"shape \(2, 2\), allowed: \(2, 3\)"),
        (lambda: SymmetricForm(np.zeros((2, 3)), 0), "n is 0"),
        (lambda: hedge(RPS, start=[[1, 0, 0]]), "start is .*, allowed: a list of 2, one of each population"),
        (lambda: hedge(RPS, start=[["a"], 0]), r"a mixture is \['a'\], allowed: 3 numbers"),
        (lambda: replicator(RPS, start=3), "start is 3, allowed: a list of 2"),
        (lambda: fictitious_play(RPS, start=3), "start is 3, allowed: a list of 2"),
        (lambda: fictitious_play(RPS, start=[0, 3]), "start is 3, allowed: an integer in 0..2"),
        (lambda: solutions(RPS, "double_oracle", start=[5, 5]), "start is 5, allowed: an integer in 0..2"),
        (lambda: solutions(RPS, "psro", start=[0]), r"start is \[0\], allowed: a list of 2"),
        (lambda: hedge(RPS, start=[[1, 0], [1, 0]]), "3 numbers >= 0"),
        (lambda: hedge(RPS, learning_rate=0), "learning_rate is 0"),
        (lambda: fictitious_play(RPS, start=[0]), r"start is \[0\], allowed: a list of 2"),
        (lambda: fictitious_play(RPS, start=[0, 3]), "start is 3"),
        (lambda: replicator(RPS, 1e9), "at most 1,000,000 steps"),
        (lambda: correlated_equilibrium(RPS, "fun"), "objective is 'fun'"),
        (lambda: SymmetricForm(np.zeros((2, 21)), 20).expanded(), "1,048,576 joint choices of 20 players"),
        (lambda: minimax(CHICKEN), "do not add up to a constant"),
        (lambda: equilibria(random_form(2, 2, 2)), "3 players"),
    ],
)
def test_wrong_forms_and_arguments_are_named(make, said):
    with pytest.raises((ParameterError, UnsupportedGameError), match=said):
        make()


# -- learning dynamics ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rounds", "average", "last"), [(100, 0.0262, 0.152), (1_000, 0.0028, 0.053)])
def test_the_time_average_of_hedge_converges_and_its_last_iterate_does_not(rounds, average, last):
    played = hedge(RPS, rounds, start=START)
    assert RPS.regrets(played.average).sum() == pytest.approx(average, abs=5e-5)
    assert RPS.regrets(played.last).sum() == pytest.approx(last, abs=5e-4)
    assert RPS.regrets(played.average).sum() <= 4 * math.sqrt(math.log(3) / (2 * rounds))


def test_hedge_after_ten_thousand_rounds():
    played = hedge(RPS, 10_000, start=START)
    assert RPS.regrets(played.average).sum() == pytest.approx(0.00030, abs=5e-6)
    assert RPS.regrets(played.last).sum() == pytest.approx(0.013, abs=5e-4)


def test_the_last_iterate_of_optimistic_hedge_converges():
    assert RPS.regrets(optimistic_hedge(RPS, 1_000, 0.25, START).last).sum() == pytest.approx(4e-6, rel=0.1)
    assert RPS.regrets(optimistic_hedge(RPS, 5_000, 0.25, START).last).sum() < 1e-14
    assert RPS.regrets(optimistic_hedge(RPS, 5_000, start=START).last).sum() < 1e-14, "0.25 is half of 1 / range"


@pytest.mark.parametrize("seed", range(2))
def test_external_regret_matching_nears_coarse_equilibria_alone(seed):
    joint = regret_matching(SHAPLEY, 20_000, seed)
    assert SHAPLEY.coarse_regrets(joint).max() < 0.001
    assert SHAPLEY.correlated_regrets(joint).max() > 0.1
    assert RPS.regrets((joint.sum(1), joint.sum(0))).max() < 0.5


def test_internal_regret_matching_nears_correlated_equilibria():
    gaps = [
        [SHAPLEY.correlated_regrets(internal_regret_matching(SHAPLEY, rounds, seed)).max() for seed in range(2)]
        for rounds in (1_000, 20_000)
    ]
    assert np.mean(gaps[1]) < 0.62 * np.mean(gaps[0]) and np.max(gaps[1]) < 0.08
    assert CHICKEN.correlated_regrets(internal_regret_matching(CHICKEN, 20_000)).max() < 0.004


def test_internal_regret_matching_leaves_a_worse_strategy_with_probability_one_half():
    """R(a, b) = t while the worse a is played, so that it is left after two rounds on average, however long it was."""
    choice = NormalForm([[[0], [1]], [[0], [0]]])
    rounds = np.array([60 * internal_regret_matching(choice, 60, seed)[0, 0] for seed in range(600)])
    begun = rounds[rounds > 0]
    assert begun.mean() == pytest.approx(2, abs=0.2) and (begun > 2).mean() == pytest.approx(0.25, abs=0.06)


def test_fictitious_play_nears_the_equilibrium_of_rock_paper_scissors():
    assert RPS.regrets(fictitious_play(RPS, 100_000, start=(0, 1)).frequencies).sum() == pytest.approx(0.0053, abs=5e-5)


def test_fictitious_play_of_shapleys_game_goes_round_in_growing_runs():
    (root,) = [z.real for z in np.roots([1, -1, 0, -1]) if abs(z.imag) < 1e-9]
    assert root == pytest.approx(1.46557, abs=5e-6)
    course = fictitious_play(SHAPLEY, 50_000)
    lengths = runs(course.choices)
    assert lengths[-1] / lengths[-2] == pytest.approx(root, abs=5e-4)
    assert SHAPLEY.regrets(course.frequencies).sum() == pytest.approx(0.28, abs=0.01), "not an equilibrium"
    assert runs(course.choices).sum() < 50_000 and set(map(tuple, course.choices)) == {
        (i, j) for i in range(3) for j in range(3) if SHAPLEY.payoffs[:, i, j].any()
    }


def test_the_replicator_keeps_the_product_of_shares():
    single = replicator(symmetric_of(WINS), 20.0, 0.005, start=[[0.6, 0.3, 0.1]]).shares[0].prod(axis=1)
    assert np.abs(single - 0.018).max() < 2e-14
    orbit = replicator(RPS, 20.0, 0.002, start=START)
    product = orbit.shares[0].prod(axis=1) * orbit.shares[1].prod(axis=1)
    assert np.abs(product - product[0]).max() < 1e-16
    assert orbit.times[-1] == 20 and RPS.regrets(orbit.last).sum() > 0.5


def test_the_replicator_of_chicken_finds_its_mixed_strategy():
    hawks = symmetric_of(CHICKEN.payoffs[0])
    (share,) = replicator(hawks, 60.0, start=[[0.1, 0.9]]).last
    assert share == pytest.approx([2 / 3, 1 / 3], abs=1e-9)
    assert hawks.values((share,)) == pytest.approx(14 / 3)


def test_alpha_rank_of_uneven_rock_paper_scissors():
    wins = np.array([[0, -0.5, 1], [0.5, 0, -0.1], [-1, 0.1, 0]])
    assert alpha_rank(symmetric_of(wins), 0.1) == pytest.approx([0.2130, 0.6771, 0.1099], abs=5e-5)
    assert alpha_rank(symmetric_of(wins), 0.0) == pytest.approx([1 / 3] * 3), "no selection"
    assert alpha_rank(RPS).reshape(-1) == pytest.approx(np.full(9, 1 / 9)), "by symmetry"
    dilemma = NormalForm([[[3, 0], [5, 1]], [[3, 5], [0, 1]]])
    for intensity in (None, 5.0, 20.0, 1e6):  # losers take over with probabilities that no number is as small as
        for form in (dilemma, symmetric_of(dilemma.payoffs[0])):
            mass = alpha_rank(form, intensity)
            assert mass.reshape(-1)[-1] == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("intensity", [0.0, 0.01, 1.0, 100.0])
def test_alpha_rank_where_all_are_paid_the_same(intensity):
    """A mutant's chances one way and the other differ by the factor e^((m - 1) a u), of which masses are products."""
    common = np.array([[5.0, 0.0, 1.0], [2.0, 1.0, 0.0], [0.0, 2.0, 4.9999]])  # two moves at a loss part the best
    mass = alpha_rank(NormalForm(np.stack([common, common])), intensity, 50)
    logs = 49 * intensity * (common - common.max())
    assert mass == pytest.approx(np.exp(logs) / np.exp(logs).sum(), rel=1e-9, abs=1e-300)


def test_the_stationary_distribution_of_a_chain_with_tiny_rates():
    rates = np.array([[0, 1e-200, 0], [1e-198, 0, 3e-200], [0, 1e-200, 0]])
    with np.errstate(divide="ignore"):
        logs = np.log(rates)
    assert stationary(logs) == pytest.approx(np.array([100, 1, 3]) / 104)


# -- equilibria -------------------------------------------------------------------------------------------------


def test_correlated_equilibria_of_chicken():
    best = correlated_equilibrium(CHICKEN)
    assert best == pytest.approx(np.array([[1 / 2, 1 / 4], [1 / 4, 0]]), abs=1e-9)
    assert (best * CHICKEN.payoffs).sum(axis=(1, 2)) == pytest.approx([5.25, 5.25])
    worst = correlated_equilibrium(CHICKEN, "worst_welfare")
    assert (worst * CHICKEN.payoffs).sum() == pytest.approx(2 * 3.6)
    mixed = [pair for pair in equilibria(CHICKEN) if 0 < pair[0][0] < 1]
    assert CHICKEN.values(mixed[0]) == pytest.approx([14 / 3, 14 / 3]) and len(equilibria(CHICKEN)) == 3
    for objective in ("welfare", "worst_welfare", "least", "entropy"):
        fine, coarse = (solve(CHICKEN, objective) for solve in (correlated_equilibrium, coarse_correlated_equilibrium))
        assert fine == pytest.approx(coarse, abs=1e-4), "two strategies: both sets are the same"


def test_the_best_correlated_equilibrium_of_shapleys_game_is_off_the_diagonal():
    best = correlated_equilibrium(SHAPLEY)
    assert (best * SHAPLEY.payoffs).sum() == pytest.approx(1)
    random = correlated_equilibrium(SHAPLEY, "entropy")
    assert SHAPLEY.correlated_regrets(random).max() < 1e-6
    off = np.where(SHAPLEY.payoffs.any(axis=0), 1 / 6, 0)
    assert SHAPLEY.correlated_regrets(off).max() == 0 and (off * SHAPLEY.payoffs).sum() == pytest.approx(1)
    assert best == pytest.approx(off, abs=1e-9)


@pytest.mark.parametrize("sizes", [(3, 4), (2, 3, 2), (2, 2, 2, 2)])
def test_correlated_equilibria_of_any_number_of_players(sizes):
    form = random_form(*sizes)
    welfare, least = {}, {}
    for objective in ("welfare", "worst_welfare", "least", "entropy"):
        found = correlated_equilibrium(form, objective)
        assert form.correlated_regrets(found).max() < 1e-5 and found.sum() == pytest.approx(1)
        coarse = coarse_correlated_equilibrium(form, objective)
        assert form.coarse_regrets(coarse).max() < 1e-5
        paid = (found * form.payoffs).reshape(form.n, -1).sum(axis=1)
        welfare[objective], least[objective] = paid.sum(), paid.min()
        entropy = [float(-(x[x > 0] * np.log(x[x > 0])).sum()) for x in (found, coarse)]
        if objective == "entropy":
            assert entropy[1] >= entropy[0] - 1e-4, "the coarse set holds the other"
    assert welfare["welfare"] >= max(welfare.values()) - 1e-5 and least["least"] >= max(least.values()) - 1e-5
    assert welfare["worst_welfare"] <= min(welfare.values()) + 1e-5


def test_zero_sum_games_are_solved_by_programme():
    for form, value in ((PENNIES, 0.0), (RPS, 0.0)):
        pair = minimax(form)
        assert form.regrets(pair).max() < 1e-12 and form.values(pair)[0] == pytest.approx(value)
        assert [tuple(m.round(9)) for m in pair] == [tuple(m.round(9)) for m in uniform(form)]
    large = np.random.default_rng(0).normal(size=(20, 30))
    pair = minimax(NormalForm(np.stack([large, 3 - large])))
    assert (pair[0] @ large).min() == pytest.approx((large @ pair[1]).max())


def test_the_programme_finds_an_equilibrium_of_a_large_game():
    form = random_form(9, 8)
    assert form.regrets(by_programme(form)).max() < 1e-6 and len(equilibria(form)) == 1


# -- oracles ----------------------------------------------------------------------------------------------------


def test_double_oracle_opens_rock_paper_scissors_in_three_steps():
    found = opened_in(RPS, one_equilibrium)
    assert found.rounds == 3 and [sorted(known) for known in found.opened] == [[0, 1, 2]] * 2
    assert all(mixture == pytest.approx([1 / 3] * 3) for mixture in found.mixtures)


def test_double_oracle_solves_a_large_game_in_a_few_strategies():
    rng = np.random.default_rng(0)
    skill, style = rng.normal(size=(2, 80))
    margins = skill[:, None] - skill + 0.3 * np.sin(style[:, None] - style)
    form = NormalForm(np.stack([margins, -margins]))
    asked = []

    def payoffs(cell):
        asked.append(cell)
        return form.payoffs[(slice(None), *cell)]

    def respond(weights):
        mixtures = tuple(np.array([each.get(a, 0.0) for a in range(80)]) for each in weights)
        return [int(worth.argmax()) for worth in form.against(mixtures)]

    found = double_oracle((0, 0), tabulated(payoffs), one_equilibrium, respond)
    whole = tuple(np.array([each.get(a, 0.0) for a in range(80)]) for each in found.weights)
    assert form.regrets(whole).max() < 1e-9
    assert len(asked) == len(set(asked)) == len(found.opened[0]) * len(found.opened[1]) < 80


def test_psro_opens_a_symmetric_game_of_many():
    pool = SymmetricForm(np.random.default_rng(3).normal(size=(4, math.comb(6, 3))), 3)
    for meta in ("hedge", "optimistic_hedge", "replicator", "uniform"):
        (found,) = solutions(pool, "psro", meta=meta)
        assert found.mixtures[0].sum() == pytest.approx(1) and found.regrets(pool).shape == (1,)


# -- by name ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_solves_the_dilemma(method):
    dilemma = NormalForm([[[3, 0], [5, 1]], [[3, 5], [0, 1]]])
    pool = symmetric_of(dilemma.payoffs[0])
    for form in (dilemma, pool):
        if method == "minimax":
            with pytest.raises(UnsupportedGameError, match="minimax solves zero-sum games of two players, pay"):
                solutions(form, method)
            continue
        (found,) = solutions(form, method, **BRIEF.get(method, {}))
        assert all(mixture[1] == pytest.approx(1, abs=0.02) for mixture in found.mixtures)
        assert found.regrets(form).max() < 0.05 and found.payoffs(form) == pytest.approx(1, abs=0.1)


def test_methods_that_do_not_apply_name_those_that_do():
    three = random_form(2, 2, 2)
    with pytest.raises(UnknownNameError, match=r"unknown method 'nsh': did you mean 'nash'.*alpha_rank, cce"):
        solutions(three, "nsh")
    with pytest.raises(UnsupportedGameError, match="nash solves games of two players, this one has 3: allowed"):
        solutions(three, "nash")
    with pytest.raises(UnsupportedGameError, match="minimax solves zero-sum games of two players, this one has 3"):
        solutions(three, "minimax")
    with pytest.raises(ParameterError, match="method 'hedge' has no parameter 'speed'"):
        solutions(three, "hedge", speed=1)
    for method in METHODS.keys() - {"nash", "minimax", "double_oracle"}:
        (found,) = solutions(three, method, **BRIEF.get(method, {}))
        assert len(found.mixtures) == 3 and np.isfinite(found.regrets(three)).all()
