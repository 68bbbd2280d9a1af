"""Online allocation: criteria against their definitions, optima, bounds, whom mechanisms ask, and what is refused."""

from __future__ import annotations

import importlib.util
import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from lawgiver.envs.core.arrays import map_arrays
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.core.rollout import rollout
from lawgiver.envs.online_allocation import OnlineAllocation
from lawgiver.envs.solvers.online_allocation import assignments, bounds
from lawgiver.envs.solvers.online_allocation.criteria import COMBINED, CRITERIA, LOSSES, Criterion
from lawgiver.envs.views.parallel import GameParallelEnv

RULES = ("dueling", "widest", "round_robin", "random_questions", "explore_then_commit")
QUERIES = {name: "any_pair" if name in LOSSES else "own" for name in CRITERIA}


def game(**params: object) -> OnlineAllocation:
    made = make_game("online_allocation", **params)
    assert isinstance(made, OnlineAllocation)
    return made


def play(made, mechanism, games=8, seed=0, participants="truthful"):
    """Play whole games; return the steps of the mechanism and those of the participants."""
    rng = np.random.default_rng(seed)
    by = make_policy(made, "mechanism", mechanism) if isinstance(mechanism, str) else mechanism
    policies = {"mechanism": by, "participant": make_policy(made, "participant", participants)}
    steps = list(rollout(made, policies, made.initial_state(games, rng), rng))
    return steps[::2], steps[1::2]


def regrets(made, mechanism, games=8):
    """Compute the regret of every round, (T, B)."""
    return np.stack([step.after.regret for step in play(made, mechanism, games)[1]])


# -- criteria ------------------------------------------------------------------------------------------------


def by_definition(name, mu, x, entitlements):
    """Evaluate a criterion of an assignment x (n,) by values mu (P, n), pair by pair."""
    n = len(x)
    own = [mu[i, x[i]] for i in range(n)]
    if name == "sum":
        return sum(own)
    if name == "max_min":
        return min(value / share for value, share in zip(own, entitlements, strict=True))
    if name == "nash":
        return sum(math.log(max(value, 0.05)) for value in own)
    if name == "proportionality":
        return -max(max(0.0, mu[i].mean() - own[i]) for i in range(n))
    if name == "envy":
        return -max(max(0.0, mu[i, x[j]] - own[i]) for i in range(n) for j in range(n))
    owner = {x[i]: i for i in range(n)}
    gains = [0.0]
    for i, j in itertools.product(range(n), range(n)):
        if x[i] != j:
            gains.append(min(mu[i, j] - own[i], mu[n + j, i] - mu[n + j, owner[j]]))
    return -max(gains)


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("n", [2, 3, 4])
def test_criteria_are_their_definitions(name, n):
    shares = (1.0, 0.5, 2.0, 0.8)[:n]
    criterion = Criterion(name, n, shares)
    mu = np.random.default_rng(n).random((5, criterion.participants, n))
    every = assignments.all_assignments(n)
    expected = np.array([[by_definition(name, one, x, shares) for x in every] for one in mu])
    np.testing.assert_allclose(criterion.values(mu, mu, every), expected, atol=1e-12)
    for at in (0, len(every) - 1):
        chosen = np.broadcast_to(every[at], (5, n))
        np.testing.assert_allclose(criterion.value(mu, mu, chosen), expected[:, at], atol=1e-12)
    best, value = criterion.optimum(mu)
    np.testing.assert_array_equal(best, every[expected.argmax(1)])
    np.testing.assert_allclose(value, expected.max(1), atol=1e-12)


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("n", [5, 8])
def test_optima_are_those_of_other_algorithms(name, n):
    criterion = Criterion(name, n)
    mu = np.random.default_rng(n).random((3, criterion.participants, n))
    _, value = criterion.optimum(mu)
    np.testing.assert_allclose(value, [criterion.optimum_by_subsets(one) for one in mu], atol=1e-12)
    if name == "stability":
        return
    for one, found in zip(mu, value, strict=True):
        pairs = criterion.pair_values(one[None], one[None])[0]
        if COMBINED[name] == "sum":
            assert found == pytest.approx(pairs[linear_sum_assignment(pairs, maximize=True)].sum())
            continue
        # Bottleneck: the highest threshold above which everybody can be served, an assignment without a pair below it.
        served = [w for w in np.unique(pairs) if not (pairs < w)[linear_sum_assignment(pairs < w)].any()]
        assert found == pytest.approx(min(max(served), 0.0) if name in LOSSES else max(served))


@pytest.mark.parametrize("name", CRITERIA)
def test_optimistic_and_pessimistic_values_hold_the_truth(name):
    criterion = Criterion(name, 3)
    rng = np.random.default_rng(0)
    mu = rng.random((200, criterion.participants, 3))
    lower, upper = mu * rng.random(mu.shape), mu + (1 - mu) * rng.random(mu.shape)
    every = assignments.all_assignments(3)
    truth = criterion.values(mu, mu, every)
    assert (criterion.values(upper, lower, every) >= truth - 1e-12).all()
    assert (criterion.values(lower, upper, every) <= truth + 1e-12).all()


@pytest.mark.parametrize("name", ["max_min", "stability"])
def test_optima_do_not_depend_on_how_assignments_are_cut(name, monkeypatch):
    criterion = Criterion(name, 5)
    mu = np.random.default_rng(0).random((4, criterion.participants, 5)).round(1)  # ties
    whole = criterion.optimum(mu)
    monkeypatch.setattr(assignments, "AT_ONCE", 4 * 25 * 7)
    for one, other in zip(whole, criterion.optimum(mu), strict=True):
        np.testing.assert_array_equal(one, other)


# -- bounds --------------------------------------------------------------------------------------------------


def test_intervals_are_hoeffdings():
    criterion = Criterion("max_min", 4)
    estimates, counts = np.full((1, 4, 4), 0.4), np.array([0.0, 1.0, 100.0, 10_000.0]) * np.ones((1, 4, 4))
    lower, upper = bounds.interval(criterion, estimates, counts, 1_000)
    w = np.sqrt(math.log(2 * 16 * 1_000**2) / (2 * np.array([100, 10_000])))
    np.testing.assert_allclose(lower[0, 0], [0, 0, 0.4 - w[0], 0.4 - w[1]])
    np.testing.assert_allclose(upper[0, 0], [1, 1, 0.4 + w[0], 0.4 + w[1]])
    # A pair of the union: the probability of a miss after N answers is at most 1 / (P n T^2), whatever the truth.
    for answers, p in itertools.product((10, 200), (0.02, 0.5, 0.9)):
        half = math.sqrt(bounds.log_term(criterion, 20) / (2 * answers))
        hits = np.arange(answers + 1)
        chance = np.array([math.comb(answers, k) * p**k * (1 - p) ** (answers - k) for k in hits])
        assert chance[np.abs(hits / answers - p) > half].sum() <= 1 / (16 * 20**2)


def test_bound_on_regret_is_its_formula():
    made = game(rounds=16_000)
    gaps = 16 + 2 * math.sqrt(2 * math.log(2 * 16 * 16_000**2) * 16 * 16_000)
    assert made.regret_bound(np.array([16_000.0])) == pytest.approx(gaps)
    assert made.regret_bound(np.array([3.0])) == pytest.approx(3.0)  # at most 1 a round
    assert made.regret_bound(3) == pytest.approx(3.0)
    assert made.regret_bound(np.int64(3)) == pytest.approx(3.0)
    assert made.regret_bound(16_000.0) == pytest.approx(gaps)
    nash = game(rounds=10**9, criterion="nash").regret_bound(np.array([1e9]))
    assert nash == pytest.approx(80 * (16 + 2 * math.sqrt(2 * math.log(32e18) * 16e9)))
    shares = game(rounds=10**6, entitlements=(1, 2, 1, 0.5)).regret_bound(np.array([1e6]))
    assert shares == pytest.approx(2 * game(rounds=10**6).regret_bound(np.array([1e6])))


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("questions", [1, 2])
def test_regret_of_dueling_bounds_stays_below_what_is_proven(name, questions):
    made = game(n=3, rounds=400, criterion=name, query=QUERIES[name], questions=questions)
    asking, answering = play(made, "dueling")
    multiple = bounds.gap_multiple(made.fairness, made.query)
    total = np.zeros(8)
    held = np.ones(8, bool)
    for before, after in zip(asking, answering, strict=True):
        state, asked = before.state, before.after.asked
        lower, upper = bounds.interval(made.fairness, made.estimates(state), state.counts, made.rounds)
        held &= ((lower <= state.values) & (state.values <= upper)).all((1, 2))
        width = np.minimum(1, 2 * bounds.half_widths(made.fairness, state.counts, made.rounds))
        of_asked = assignments.at_items(np.where(state.counts > 0, width, 1.0), np.maximum(asked, 0))
        most = np.where(asked >= 0, of_asked, 0).max(-1)
        assert (after.after.regret <= multiple * most + 1e-4)[held].all()
        total += after.after.regret
        assert (total <= made.regret_bound(np.array([1.0 + before.index // 2])) + 1e-9)[held].all()
    assert held.sum() >= 7  # each fails with a probability of 1/400 at most


def test_whoever_asks_in_vain_has_linear_regret_and_dueling_bounds_have_not():
    made = game(rounds=2_000)

    class Deaf:
        """Takes the first assignment, and asks the same participant about the same item for ever."""

        def initial_state(self, batch, rng):
            return None

        def distribution(self, obs, mask, state):
            raise NotImplementedError

        def act(self, obs, mask, state, rng):
            raise NotImplementedError

        def outcome(self, obs, mask, state, rng):
            return np.tile([0.0, 1, 2, 3, 0, -1, -1, -1], (len(obs), 1)), state

    deaf, dueling, random = (regrets(made, by, 16).cumsum(0).mean(1) for by in (Deaf(), "dueling", "random_questions"))
    assert deaf[-1] / deaf[499] == pytest.approx(4)
    assert dueling[-1] / dueling[499] < 2.6
    assert dueling[-1] < 0.8 * random[-1] < 0.8 * deaf[-1]


# -- whom mechanisms ask -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["max_min", "envy", "stability"])
@pytest.mark.parametrize("query", ["own", "any_pair"])
@pytest.mark.parametrize("rule", RULES)
def test_actions_of_mechanisms_have_their_outcome(name, query, rule):
    made = game(n=3, rounds=12, criterion=name, query=query, questions=2)
    policy = make_policy(made, "mechanism", rule)
    rng = np.random.default_rng(1)
    state, memory = made.initial_state(5, rng), policy.initial_state(5, rng)
    for _ in range(12):
        obs = made.observe(state, "mechanism")
        outcome, after = policy.outcome(obs, None, memory, np.random.default_rng(7))
        action, _ = policy.act(obs, None, memory, np.random.default_rng(7))
        assert made.outcome_error(state, outcome) is None
        np.testing.assert_array_equal(made.outcome(state, action), outcome)
        assert made.action_space("mechanism").contains(action[0, 0].astype(np.float32))
        memory = after
        state, *_ = made.advance(state, outcome, made.draw(5, rng))
        state, *_ = made.step(state, state.experience[..., None], {})


def test_participants_are_asked_in_turn():
    made = game(n=3, rounds=9, questions=1)
    asked = np.stack([step.after.asked for step in play(made, "round_robin", 2)[0]])
    np.testing.assert_array_equal((asked >= 0).argmax(-1)[:, 0], np.arange(9) % 3)
    _, steps = play(game(n=3, rounds=9, query="any_pair", questions=2), "round_robin", 2)
    np.testing.assert_array_equal(steps[-1].after.counts, 2)


def test_exploration_tries_every_pair_equally_and_ends():
    made = game(n=3, rounds=1_000)
    steps = [step.after for step in play(made, "explore_then_commit", 4)[1]]
    explored = math.ceil(9 ** (1 / 3) * 1_000 ** (2 / 3))
    counts = steps[explored - 1].counts
    assert counts.sum() == 4 * explored and np.ptp(counts) <= 1
    best, _ = made.fairness.optimum(made.estimates(steps[explored - 1]))
    for state in steps[explored:]:
        np.testing.assert_array_equal(state.matched, best)


def test_everybody_is_asked_with_full_feedback():
    made = game(questions=4)
    _, steps = play(made, "full_feedback", 2)
    np.testing.assert_array_equal(steps[-1].after.counts.sum(-1), 20)
    with pytest.raises(
        UnsupportedGameError, match=r"'full_feedback' asks everybody, .* has questions=1: take questions=4"
    ):
        make_policy(game(), "mechanism", "full_feedback")


@pytest.mark.parametrize("query", ["own", "any_pair"])
@pytest.mark.parametrize("payments", [False, True])
def test_moments_of_random_questions_are_those_of_its_actions(query, payments):
    made = game(n=3, query=query, questions=2, payments=payments)
    policy = make_policy(made, "mechanism", "random_questions")
    obs = np.repeat(made.observe(made.initial_state(1, np.random.default_rng(0)), "mechanism"), 4_000, axis=0)
    sent = policy.act(obs, None, None, np.random.default_rng(0))[0][:, 0]
    mean, deviation = policy.distribution(obs[:1], None, None)[0][0, 0]
    np.testing.assert_allclose(sent.mean(0), mean, atol=4 * 0.5 / math.sqrt(4_000))
    np.testing.assert_allclose(sent.std(0), deviation, atol=0.02)


def test_other_games_are_refused():
    with pytest.raises(UnsupportedGameError, match="mechanism 'dueling' plays online_allocation, not voting-v0"):
        make_policy(make_game("voting"), "mechanism", "dueling")
    with pytest.raises(UnsupportedGameError, match=r"regret by 'envy' hangs on .* allowed: query='any_pair'"):
        game(criterion="envy").regret_bound(np.array([1.0]))


# -- the rules -----------------------------------------------------------------------------------------------


def test_experiences_have_the_true_mean_and_answers_are_counted():
    means = [[0.2, 0.7], [0.0, 1.0]]
    made = game(n=2, rounds=1, means=means, query="any_pair", questions=2)
    state = made.initial_state(20_000, np.random.default_rng(0))
    sent = np.tile([1.0, 0, 1, 0], (20_000, 1))
    asked, *_ = made.advance(state, sent, made.draw(20_000, np.random.default_rng(1)))
    np.testing.assert_array_equal(asked.asked[0], [1, 0])
    assert asked.experience[:, 0].mean() == pytest.approx(0.7, abs=4 * 0.46 / math.sqrt(20_000))
    assert (asked.experience[:, 1] == 0).all()
    done, rewards, over, cut = made.step(asked, np.full((20_000, 2, 1), 0.25), {})
    np.testing.assert_array_equal(done.counts[0], [[0, 1], [1, 0]])
    np.testing.assert_array_equal(made.estimates(done)[0], [[0.5, 0.25], [0.25, 0.5]])
    np.testing.assert_array_equal(rewards["participant"][0], [0.7, 0.0])
    np.testing.assert_allclose(rewards["mechanism"], -(0.2 - 0.0))
    assert over.all() and not cut.any()


def test_answers_of_those_who_are_not_asked_are_ignored():
    made = game(n=3, rounds=5)
    for step in play(made, "dueling", 4, participants="random")[1]:
        asked = step.state.asked >= 0
        np.testing.assert_array_equal(made.acts(step.state, "participant"), asked)
        other = np.where(asked[..., None], step.actions, 1 - step.actions)
        np.testing.assert_array_equal(made.step(step.state, other, {})[0].sums, step.after.sums)


@pytest.mark.parametrize("name", CRITERIA)
def test_torch_plays_as_numpy_does(name):
    made = game(n=3, rounds=15, criterion=name, query=QUERIES[name], questions=2)
    policy = make_policy(made, "mechanism", "dueling")
    rng = np.random.default_rng(3)
    state = made.initial_state(6, rng)
    other = map_arrays(torch.as_tensor, made.initial_state_from(state.values))
    for _ in range(15):
        draws = made.draw(6, rng)
        sent, twin = (policy.outcome(made.observe(one, "mechanism"), None, None, None)[0] for one in (state, other))
        np.testing.assert_array_equal(np.asarray(twin), sent)
        state, *_ = made.advance(state, sent, draws)
        other, *_ = made.advance(other, twin, map_arrays(torch.as_tensor, draws))
        state, rewards, *_ = made.advance(state, state.experience, {})
        other, twins, *_ = made.advance(other, other.experience, {})
        for role, reward in rewards.items():
            np.testing.assert_allclose(np.asarray(twins[role]), reward, atol=1e-12)
    np.testing.assert_array_equal(np.asarray(other.counts), state.counts)


def test_whoever_answers_as_it_likes_is_believed():
    env = GameParallelEnv(game(n=2, rounds=3, questions=2), mechanism="dueling")
    env.reset(seed=0)
    for _ in range(3):
        env.step({agent: np.ones(1, np.float32) for agent in env.agents})
    estimates = env.game.estimates(env._session.state)
    assert set(np.unique(estimates)) == {0.5, 1.0}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"n": 9}, r"n is 9, allowed: an integer in 2\.\.8, because all n! assignments are compared"),
        ({"n": 1}, r"n is 1, allowed: an integer in 2\.\.8"),
        ({"rounds": 0}, "rounds is 0, allowed: an integer >= 1"),
        ({"criterion": "maxmin"}, "criterion is 'maxmin': did you mean 'max_min'"),
        ({"query": "any"}, "query is 'any': .*allowed: any_pair, own"),
        ({"questions": 5}, r"questions is 5, allowed: an integer in 1\.\.4, one for each of 4 participants at most"),
        ({"questions": 0}, r"questions is 0, allowed: an integer in 1\.\.4"),
        ({"criterion": "nash", "entitlements": [1, 1, 1, 1]}, "entitlements are given with criterion='nash'"),
        ({"entitlements": [1, 1, 1]}, "entitlements has 3 numbers, allowed: 4, one an agent"),
        ({"entitlements": [1, 1, 1, 0]}, r"entitlements\[3\] is 0, allowed: a number in \(0, inf\)"),
        ({"means": [[1, 1, 1, 1]] * 3}, "means is .*, allowed: 4 rows, one a participant, of 4 numbers"),
        ({"means": [[1, 1, 1, 2]] * 4}, r"means\[0\]\[3\] is 2, allowed: a number in \[0, 1\]"),
        ({"criterion": "stability", "means": [[1, 1, 1, 1]] * 4}, "allowed: 8 rows, one a participant"),
    ],
)
def test_bad_parameters_are_named(params, said):
    with pytest.raises(ParameterError, match=said):
        game(**params)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ([0, 0, 0, -1], "which has to be each of 0 to 1 once"),
        ([0, 1, 0.5, -1], "asks about items"),
        ([0, 1, 0, 1], "asks 2 participants, allowed: 1"),
        ([0, 1, -1, 0], "asks participants about what they have not got"),
    ],
)
def test_bad_outcomes_are_named(outcome, said):
    made = game(n=2)
    state = made.initial_state(1, np.random.default_rng(0))
    assert said in made.outcome_error(state, np.array([outcome], float))


def test_the_benchmark_measures_what_it_prints(capsys):
    path = Path(__file__).parents[1] / "benchmarks" / "online_allocation.py"
    spec = importlib.util.spec_from_file_location("online_allocation_benchmark", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    one = module.play("dueling", "max_min", 60, 4, "own")
    np.testing.assert_array_equal(one.regret, regrets(game(rounds=60), "dueling", 4))
    doubled = [
        module.Played(game(rounds=t), *(np.full((t, 3), t**-0.5) for _ in range(3)), one.held) for t in (100, 400)
    ]
    found = module.exponent(doubled)
    assert found.mean == pytest.approx(0.5) and found.half == pytest.approx(0, abs=1e-9)
    assert module.ratio(one, one).ends == pytest.approx((1, 1))
    module.bounds([one])
    printed = capsys.readouterr().out.splitlines()[-1].split("|")
    share = (one.regret.cumsum(0) / one.game.regret_bound(np.arange(1.0, 61)[:, None])).max()
    assert float(printed[3]) == pytest.approx(share, abs=5e-4)
