"""The exact solver against figures computed elsewhere, closed forms and brute force."""

from __future__ import annotations

import csv
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.public_investment.one_round import solve, weight_function
from lawgiver.envs.public_investment.solutions import truncated_geometric
from lawgiver.envs.solvers.equilibrium import logit
from lawgiver.envs.solvers.equilibrium.joint_grid import grid_size, joint_grid
from lawgiver.envs.taxed_dilemma.game import logit_cooperation

TABLE = list(csv.DictReader((Path(__file__).parent / "data" / "one_round_equilibria.csv").open()))
"""Made by an independent solver (full joint grid, four separate strategies); figures as it printed them."""
CANONICAL = ("strict_egalitarian", "libertarian", "liberal_egalitarian")


def game_of(*endowments, **params):
    return make_game("public_investment", endowments=endowments, **params)


def half_a_digit(printed: str) -> float:
    return 0.5001 * 10.0 ** -len(printed.partition(".")[2])


@pytest.mark.parametrize("tail", [2, 4, 6, 8, 10])
def test_printed_figures_of_the_canonical_mechanisms(tail):
    rows = [row for row in TABLE if row["tail"] == str(tail)]
    assert len(rows) == 24
    game = game_of(10, tail, tail, tail)
    for row in rows:
        mechanism = make_policy(game, "mechanism", row["mechanism"])
        scores = game.exact_scores(mechanism, inverse_temperature=float(row["inverse_temperature"]))
        found = {
            "head_fraction": scores["contribution_fraction"][0],
            "tail_fraction": scores["contribution_fraction"][1],
            **{name: scores[name] for name in ("surplus", "log_nash_welfare", "gini")},
        }
        for name, value in found.items():
            assert abs(value - float(row[name])) <= half_a_digit(row[name]), (row, name, value)
        assert scores["residual"] <= 1e-9


@pytest.mark.parametrize("endowments", [(7, 3), (10, 10), (10, 4, 4), (1, 6, 2), (10, 2, 2, 2), (5, 3, 2, 4, 4)])
@pytest.mark.parametrize("level", [0.0, 0.3, 1.0, 7.0])
def test_dominant_strategies_are_truncated_geometric(endowments, level):
    game = game_of(*endowments)
    for name, slope in (("strict_egalitarian", 1.6 / len(endowments) - 1), ("libertarian", 0.6)):
        played = solve(game, make_policy(game, "mechanism", name), endowments, level)
        for seat, endowment in enumerate(endowments):
            exact = truncated_geometric(endowment + 1, slope, level)
            np.testing.assert_allclose(played.distributions[seat, : endowment + 1], exact, atol=1e-10)
            assert not played.distributions[seat, endowment + 1 :].any()


def test_temperature_zero_is_the_prior_and_infinity_the_best_reply():
    game = game_of(10, 4, 4, 4)
    for name, best in (("strict_egalitarian", 0.0), ("libertarian", 1.0)):
        mechanism = make_policy(game, "mechanism", name)
        frozen = game.exact_scores(mechanism, inverse_temperature=0.0)
        assert frozen["contribution_fraction"] == pytest.approx([0.5] * 4)
        assert frozen["kl"] == pytest.approx([0.0] * 4, abs=1e-12)
        rational = game.exact_scores(mechanism, inverse_temperature=math.inf)
        assert rational["contribution_fraction"] == pytest.approx([best] * 4, abs=1e-9)
        assert rational["kl"] == pytest.approx([math.log(11)] + [math.log(5)] * 3, abs=1e-6)


def brute_force_replies(payoffs, strategies, level):
    """Return the logit replies on the full joint grid, by plain loops over n seats; ``payoffs`` (a_1, ..., a_n, n)."""
    replies = []
    for seat, p in enumerate(strategies):
        value = np.zeros(len(p))
        for joint in itertools.product(*(range(len(q)) for q in strategies)):
            others = math.prod(strategies[j][a] for j, a in enumerate(joint) if j != seat)
            value[joint[seat]] += others * payoffs[joint][seat]
        weights = np.exp(level * (value - value.max()))
        replies.append(weights / weights.sum())
    return replies


@pytest.mark.parametrize("level", [1.0, 5.0, 20.0])
@pytest.mark.parametrize("alike", [(0, 1, 2), (0, 1, 1)])
def test_any_table_of_weights_has_a_fixed_point_on_the_full_grid(level, alike):
    endowments = np.array([4.0, 3.0, 3.0])
    rng = np.random.default_rng(int(level))
    for _ in range(3):
        grid = joint_grid((5, 4, 4), alike)
        weights = rng.dirichlet(np.full(3, 0.3), len(grid.actions))
        for row, (_, b, c) in enumerate(grid.actions):
            if b == c and alike == (0, 1, 1):
                weights[row, 1:] = weights[row, 1:].mean()
        total = grid.actions.sum(1, keepdims=True)
        payoffs = endowments - grid.actions + 1.6 * total * weights
        priors = tuple(np.full(g.n_actions, -math.log(g.n_actions)) for g in grid.groups)
        found = logit.logit_equilibrium(grid, payoffs[None], priors, np.array([level]))
        assert found.residual[0] < 1e-8
        full = np.zeros((5, 4, 4, 3))
        for joint, paid in zip(grid.actions, payoffs, strict=True):
            full[tuple(joint)] = paid
            if alike == (0, 1, 1):
                full[joint[0], joint[2], joint[1]] = paid[[0, 2, 1]]
        by_seat = [found.strategies[label][0] for label in alike]
        for mine, reply in zip(by_seat, brute_force_replies(full, by_seat, level), strict=True):
            np.testing.assert_allclose(mine, reply, atol=1e-7)
        everything = logit.joint_probabilities(grid, found.strategies)[0]
        assert everything.sum() == pytest.approx(1.0)


def test_torch_and_numpy_and_a_batch_agree():
    grid = joint_grid((11, 5, 5, 5), (0, 1, 1, 1))
    endowments, c = np.array([10.0, 4, 4, 4]), grid.actions.astype(float)
    shares = c / endowments + 0.01
    payoffs = np.stack(
        [
            endowments - c + 1.6 * c.sum(1, keepdims=True) * w
            for w in (np.full(c.shape, 0.25), shares / shares.sum(1, keepdims=True))
        ]
    )
    levels = np.array([2.0, 0.5])
    priors = tuple(np.full(g.n_actions, -math.log(g.n_actions)) for g in grid.groups)
    batched = logit.logit_equilibrium(grid, payoffs, priors, levels)
    on_torch = logit.logit_equilibrium(
        grid, torch.as_tensor(payoffs), tuple(map(torch.as_tensor, priors)), torch.as_tensor(levels)
    )
    for g in range(2):
        np.testing.assert_allclose(on_torch.strategies[g].numpy(), batched.strategies[g], atol=1e-9)
        for row in range(2):
            alone = logit.logit_equilibrium(grid, payoffs[row : row + 1], priors, levels[row : row + 1])
            np.testing.assert_allclose(alone.strategies[g][0], batched.strategies[g][row], atol=1e-8)


def test_slopes_are_those_of_central_differences():
    grid = joint_grid((4, 3, 3, 3), (0, 1, 1, 1))
    rng = np.random.default_rng(0)
    tables = logit.utilities(grid, rng.normal(size=(1, len(grid.actions), 4)))
    strategies = tuple(rng.dirichlet(np.ones(g.n_actions))[None] for g in grid.groups)
    priors = tuple(np.zeros((1, g.n_actions)) for g in grid.groups)
    level = np.array([[1.3]])

    def logs(flat):
        split = (flat[None, :4], flat[None, 4:])
        return np.concatenate(logit.log_response(priors, level, logit.expected(grid, tables, split)), axis=1)[0]

    flat = np.concatenate(strategies, axis=1)[0]
    replies = tuple(np.exp(part)[None] for part in np.split(logs(flat), [4]))
    exact = logit.log_response_jacobian(grid, tables, level, strategies, replies)[0]
    step = 1e-6 * np.eye(7)
    numeric = np.stack([(logs(flat + h) - logs(flat - h)) / 2e-6 for h in step], axis=1)
    np.testing.assert_allclose(exact, numeric, atol=1e-7)


@pytest.mark.parametrize(
    "actions, alike, size", [((11, 5, 5, 5), (0, 1, 1, 1), 385), ((11,) * 4, (0,) * 4, 1001), ((3, 4), (0, 1), 12)]
)
def test_grid_lists_every_joint_action_once(actions, alike, size):
    grid = joint_grid(actions, alike)
    assert grid_size(actions, alike) == len(grid.actions) == len(np.unique(grid.actions, axis=0)) == size
    uniform = tuple(np.full((1, g.n_actions), 1 / g.n_actions) for g in grid.groups)
    probabilities = logit.joint_probabilities(grid, uniform)[0]
    assert probabilities.sum() == pytest.approx(1.0)
    assert np.min(probabilities) == pytest.approx(1 / math.prod(actions))


@pytest.mark.parametrize(
    ("level", "anchor", "log_nash_welfare"),
    [  # (10, 4, 4, 4); strict egalitarian, libertarian, liberal egalitarian
        (1, ("strict_egalitarian", 1), (6.628, 7.460, 7.378)),
        (1, ("liberal_egalitarian", 1), (7.153, 8.203, 8.050)),
        (1, ("libertarian", 1), (7.662, 8.196, 8.552)),
        (2, ("strict_egalitarian", 1), (6.543, 7.989, 7.659)),
        (2, ("libertarian", 1), (6.866, 8.275, 8.574)),
    ],
)
def test_printed_figures_with_other_priors(level, anchor, log_nash_welfare):
    game = game_of(10, 4, 4, 4)
    prior = make_policy(game, "participant", "logit_equilibrium", mechanism=anchor[0], inverse_temperature=anchor[1])
    for name, printed in zip(CANONICAL, log_nash_welfare, strict=True):
        scores = game.exact_scores(make_policy(game, "mechanism", name), inverse_temperature=level, anchor=prior)
        assert scores["log_nash_welfare"] == pytest.approx(printed, abs=5.01e-4)


def test_scores_are_expectations_over_the_whole_joint_grid():
    game = game_of(3, 2, 2)
    mechanism = make_policy(game, "mechanism", "liberal_egalitarian")
    scores = game.exact_scores(mechanism, inverse_temperature=0.7)
    played = solve(game, mechanism, (3, 2, 2), 0.7)
    weights = weight_function(game, mechanism)
    expected = dict.fromkeys(("log_nash_welfare", "surplus", "rawlsian", "gini"), 0.0)
    for joint in itertools.product(range(4), range(3), range(3)):
        e, c = np.array([[3.0, 2, 2]]), np.array([joint], float)
        share = weights(e, c)[0] if sum(joint) else np.full(3, 1 / 3)
        x = e[0] - c[0] + 1.6 * sum(joint) * share
        p = math.prod(played.distributions[i, a] for i, a in enumerate(joint))
        expected["log_nash_welfare"] += p * sum(math.log(v + 0.001) for v in x)
        expected["surplus"] += p * (x.sum() - 7)
        expected["rawlsian"] += p * x.min()
        expected["gini"] += p * sum(abs(a - b) for a in x for b in x) / (6 * x.sum())
    assert {name: scores[name] for name in expected} == pytest.approx(expected)


def test_a_mechanism_that_tells_equals_apart_is_solved_seat_by_seat():
    game = game_of(3, 3, 3)

    class Favourite:
        """Gives everything to seat 0."""

        def initial_state(self, batch, rng):
            return None

        def distribution(self, obs, mask, state):
            logits = np.tile([10.0, -10.0, -10.0], (*obs.shape[:2], 1))
            return np.stack([logits, np.zeros_like(logits)], axis=-2), state

        def act(self, obs, mask, state, rng):
            return self.distribution(obs, mask, state)[0][:, :, 0], state

    played = solve(game, Favourite(), (3, 3, 3), 1.0)
    np.testing.assert_allclose(played.distributions[0], truncated_geometric(4, 0.6, 1.0), atol=1e-6)
    np.testing.assert_allclose(played.distributions[1], truncated_geometric(4, -1.0, 1.0), atol=1e-6)


def test_announced_and_allocated_rules_score_alike():
    conditions = ((10, 2, 2, 2), (10, 6, 6, 6))
    allocating = make_game("public_investment", endowments=conditions)
    announcing = make_game(
        "public_investment", endowments=conditions, mechanism_mode="announce", participant_observation="rule"
    )
    for name in CANONICAL:
        one, two = (
            game.exact_scores(make_policy(game, "mechanism", name), inverse_temperature=1.0)
            for game in (allocating, announcing)
        )
        assert one["log_nash_welfare"] == pytest.approx(two["log_nash_welfare"], abs=1e-9)
        assert [c["endowments"] for c in two["by_condition"]] == [list(c) for c in conditions]
        assert two["log_nash_welfare"] == pytest.approx(np.mean([c["log_nash_welfare"] for c in two["by_condition"]]))


def test_too_many_joint_contributions_are_refused_in_one_line():
    game = game_of(100, 100, 100, 100)
    answer = game.exact_scores(make_policy(game, "mechanism", "libertarian"), inverse_temperature=1.0)
    assert isinstance(answer, NoSolution)
    assert "4598126 joint contributions" in answer.reason and "\n" not in answer.reason
    game = game_of(10, 10, 10, 10, 10, 10)  # 1.8 million, 8,008 when equals are grouped
    assert not isinstance(
        game.exact_scores(make_policy(game, "mechanism", "libertarian"), inverse_temperature=1.0), NoSolution
    )


@pytest.mark.parametrize(
    ("tail", "log_nash_welfare", "surplus", "payoffs"),
    [
        (2, 7.249, 9.6, (10, 5.2)),
        (4, 8.687, 13.2, (10, 8.4)),
        (6, 9.664, 16.8, (11.2, 11.2)),
        (8, 10.440, 20.4, (13.6, 13.6)),
        (10, 11.090, 24.0, (16, 16)),
    ],
)
def test_ceilings(tail, log_nash_welfare, surplus, payoffs):
    def ceiling(objective):
        return game_of(10, tail, tail, tail, objective=objective).ceiling()

    # printed without the 0.001 that guards the logarithm
    guarded = math.log(payoffs[0] + 0.001) + 3 * math.log(payoffs[1] + 0.001)
    assert ceiling("log_nash_welfare") == pytest.approx(guarded, abs=1e-12)
    assert math.log(payoffs[0]) + 3 * math.log(payoffs[1]) == pytest.approx(log_nash_welfare, abs=5.1e-4)
    assert ceiling("surplus") == pytest.approx(surplus)
    assert ceiling("rawlsian") == pytest.approx(min(payoffs))


def test_no_mechanism_beats_the_ceiling_with_rational_participants():
    game = game_of(10, 4, 4, 4)
    for parameters in ((0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (4.0, 0.4), (12.0, 0.5)):
        rule = make_policy(game, "mechanism", "rule", parameters=parameters)
        assert game.exact_scores(rule, inverse_temperature=math.inf)["log_nash_welfare"] <= game.ceiling()


@pytest.mark.parametrize(
    "game",
    [
        game_of(10, 4, 4, 4),
        game_of(7, 3),
        game_of(10, 2, 5, multiplier=0.9),
        game_of(60, 50, 40, 30),
        make_game("taxed_dilemma"),
    ],
)
def test_known_solutions_hold(game):
    solutions = game.known_solutions()
    assert solutions
    for solution in solutions:
        assert solution.residual() <= solution.tolerance, solution.name
        assert math.isfinite(solution.value())


@pytest.mark.parametrize("mode", ["announce", "allocate"])
@pytest.mark.parametrize("tax", [0.0, 0.5, 0.6, 0.8, 1.0])
def test_taxed_dilemma_against_bisection(mode, tax):
    game = make_game("taxed_dilemma", mechanism_mode=mode)
    rule = make_policy(game, "mechanism", "rule", parameters=[tax])
    for level in (0.0, 1.0, 5.0, 20.0):
        scores = game.exact_scores(rule, inverse_temperature=level)
        assert scores["cooperation"] == pytest.approx([logit_cooperation(tax, level)] * 2, abs=1e-8)
    # a mixed equilibrium in the limit: at a tax of 0.5 cooperating pays if the other does so less than 1 in 4 times
    if tax == 0.5:
        rational = game.exact_scores(rule, inverse_temperature=math.inf)
        assert rational["cooperation"] == pytest.approx([0.25, 0.25], abs=1e-3)
    assert game.ceiling() == pytest.approx(2 * math.log(3.001))


def test_anchored_participants_are_not_bound_by_the_ceiling_of_rational_ones():
    game = make_game("public_investment", endowments=(10, 2, 2, 2))
    generous = make_policy(game, "participant", "logit_equilibrium", mechanism="libertarian", inverse_temperature=5.0)
    rule = make_policy(game, "mechanism", "strict_egalitarian")
    scores = game.exact_scores(rule, inverse_temperature=0.05, anchor=generous)
    assert scores["log_nash_welfare"] == pytest.approx(7.402, abs=5e-4)
    assert game.ceiling() == pytest.approx(7.249, abs=5e-4)
