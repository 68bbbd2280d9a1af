"""Optimised affine maximisers: values against oracles, gradients against differences, and what training reaches."""

from __future__ import annotations

import numpy as np
import pettingzoo
import pytest
import torch

import lawgiver
from lawgiver.agents.reporting import AffineMaximiser
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.solvers.mdp import Tree, linear_program
from lawgiver.envs.solvers.mdp.affine import problems, settle
from lawgiver.trainers.affine_maximiser import objective
from lawgiver.trainers.affine_maximiser.gradient import Annealed, ZerothOrder
from lawgiver.trainers.affine_maximiser.objective import OnMenu, OnStates, Parameters, Problem
from lawgiver.trainers.affine_maximiser.settings import AffineTrainer, Temperature, budget
from lawgiver.trainers.affine_maximiser.train import Training, compared
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.config import load_config, validate
from lawgiver.trainers.runs.packaged_configs import config_names
from lawgiver.trainers.runs.run import Run

GAMES = {
    "sales": ("sequential_sales", {"n": 3, "m": 2, "high": "1/i"}),
    "sales, two": ("sequential_sales", {"n": 2, "m": 3}),
    "makespan": ("task_scheduling", {"n": 2, "m": 3}),
    "scheduling for revenue": ("task_scheduling", {"n": 3, "m": 2, "objective": "revenue", "high": "3i"}),
    "gridworld": ("gridworld", {"n": 2, "m": 2}),
}


@pytest.fixture(params=GAMES)
def problem(request):
    """Return one problem after the other."""
    name, parameters = GAMES[request.param]
    return Problem(make_game(name, **parameters))


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def somewhere(problem, seed=0, spread=0.3):
    """Return random parameters; boosts are as large as private numbers are."""
    zero, draw = problem.vcg, rng(seed)
    weights = spread * torch.randn(zero.log_weights.shape, generator=draw, dtype=torch.float64)
    return Parameters(weights, problem.unit * torch.rand(zero.boosts.shape, generator=draw, dtype=torch.float64))


def leaf(parameters):
    return Parameters(*(x.clone().requires_grad_() for x in (parameters.log_weights, parameters.boosts)))


def flat(parts):
    return torch.cat([part.flatten() for part in parts])


def shifted(parameters, direction, step):
    at = flat((parameters.log_weights, parameters.boosts)) + step * direction
    n = len(parameters.log_weights)
    return Parameters(at[:n], at[n:].view_as(parameters.boosts))


def gradient(problem, parameters, types, temperature):
    at = leaf(parameters)
    value = problem.smoothed(at, types, temperature).mean()
    return flat(torch.autograd.grad(value, (at.log_weights, at.boosts)))


def directions(parameters, count=8):
    """Return every log weight, and ``count`` random directions."""
    size = len(parameters.log_weights) + parameters.boosts.numel()
    lots = torch.randn(count, size, generator=rng(5), dtype=torch.float64)
    return torch.cat([torch.eye(size, dtype=torch.float64)[: len(parameters.log_weights)], lots])


# -- the lower level ---------------------------------------------------------------------------------------------------


def test_paths_that_are_worth_the_same_are_one_entry():
    menu = Problem(make_game("sequential_sales", n=5, m=3)).exact.menu
    assert menu.features.shape == (5, 1, 26), "sets of at most three bidders"
    assert sorted(menu.members[~menu.spare].tolist()) == list(range(216))
    assert Problem(make_game("task_scheduling", n=3, m=3)).exact.menu.features.shape == (3, 3, 27)


def test_the_exact_objective_is_that_of_the_rules(problem):
    game, at = problem.game, somewhere(problem)
    types = problem.sample(64, rng())
    outcome = problem.exact.outcome(types, at, None)
    found = settle(game.mdp, game.rewards(types), at.log_weights.exp(), at.boosts, game.excluded)
    torch.testing.assert_close(outcome.utilities, found.values, atol=1e-9, rtol=0)
    if game.objective == "revenue":
        torch.testing.assert_close(outcome.payments, found.payments, atol=1e-9, rtol=0)
    mechanism = AffineMaximiser(game, log_weights=at.log_weights.numpy(), boosts=at.boosts.numpy())
    played = game.measure(play_out(game, mechanism, types, types))
    torch.testing.assert_close(Problem(game, chunk=7).evaluate(at, types), played, atol=1e-9, rtol=0)


def test_revenue_is_that_of_linear_programs():
    problem = Problem(make_game("sequential_sales", n=3, m=2, high="1/i"))
    game, at = problem.game, somewhere(problem)
    types = problem.sample(5, rng())
    weights = at.log_weights.exp()
    posed = problems(game.rewards(types), weights, at.boosts, game.excluded).numpy()
    for profile in range(5):
        solved = [linear_program(game.mdp, rewards) for rewards in posed[profile]]
        worth = (solved[0][1] * game.rewards(types)[profile].numpy()).sum((1, 2))
        welfare = np.array([value for value, _ in solved])
        revenue = ((welfare[1:] - welfare[0]) / weights.numpy() + worth).sum()
        assert float(problem.evaluate(at, types[profile : profile + 1])) == pytest.approx(revenue, abs=1e-6)


@pytest.mark.parametrize("name", ["sales", "makespan", "scheduling for revenue"])
def test_menus_and_backward_induction_agree_when_smoothed(name):
    problem = Problem(make_game(GAMES[name][0], **GAMES[name][1]))
    at, types = somewhere(problem), problem.sample(64, rng())
    on_menu, on_states = problem.smooth, OnStates(problem.game, "policy")
    assert isinstance(on_menu, OnMenu)
    for temperature in (0.3, 0.01):
        expected = on_states.outcome(types, at, temperature)
        found = on_menu.outcome(types, at, temperature)
        torch.testing.assert_close(found.measure, expected.measure, atol=1e-9, rtol=0)
        torch.testing.assert_close(found.utilities, expected.utilities, atol=1e-9, rtol=0)


def test_what_depends_on_the_policy_alone_is_the_same_for_many_parameters_at_once(problem):
    several = [somewhere(problem, seed) for seed in range(3)]
    types = problem.sample(32, rng())
    together = Parameters(torch.stack([at.log_weights for at in several]), torch.stack([at.boosts for at in several]))
    for at, found in zip(several, problem.exact.response(types, together), strict=True):
        outcome = problem.exact.outcome(types, at, None)
        expected = outcome.utilities.sum(-1) if problem.game.objective == "revenue" else outcome.measure
        torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize(
    ("name", "regulariser"), [*((name, "policy") for name in GAMES), ("sales", "occupancy"), ("gridworld", "occupancy")]
)
def test_memory_is_bounded_and_does_not_show_in_results(name, regulariser, monkeypatch):
    problem = Problem(make_game(GAMES[name][0], **GAMES[name][1]), regulariser=regulariser)
    at, types = somewhere(problem), problem.sample(40, rng())
    settings = AffineTrainer(name="affine_maximiser", perturbations=3, learning_rate=0.1)

    def found():
        search = ZerothOrder(problem, settings, budget(settings, on_tree=True), learn_weights=True, rng=rng())
        search.differentiate(types, 1)
        estimated = flat([x.grad for x in search.moved])
        search.optimiser.zero_grad()
        search.ascend(types, 0.1 * problem.unit)
        return [problem.evaluate(at, types), estimated, flat([x.grad for x in search.moved])]

    whole = found()
    assert [len(part) for part in problem.parts(problem.smooth, types)] == [40]
    monkeypatch.setattr(objective, "NUMBERS", 12 * max(problem.exact.numbers, problem.smooth.numbers))
    assert [len(part) for part in problem.parts(problem.smooth, types)] == [12, 12, 12, 4]
    assert max(len(part) for part in problem.parts(problem.smooth, types, several=4)) == 3
    torch.testing.assert_close(found(), whole, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("game", [("sequential_sales", {"n": 20, "m": 3}), ("task_scheduling", {"n": 3, "m": 9})])
def test_what_a_large_game_takes_is_what_it_is_said_to_take(game):
    problem = Problem(make_game(game[0], **game[1]))
    sizes = []

    def seen(kept):
        sizes.append(kept.numel())
        return kept

    with torch.autograd.graph.saved_tensors_hooks(seen, lambda kept: kept):
        part = next(problem.parts(problem.smooth, problem.sample(4096, rng())))
        problem.smoothed(leaf(problem.vcg), part, 0.1).sum()
    assert len(part) > 10
    assert max(sizes) <= objective.NUMBERS


# -- gradients ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("regulariser", ["policy", "occupancy"])
def test_gradients_of_the_smoothed_objective_are_its_slopes(problem, regulariser):
    problem = Problem(problem.game, regulariser=regulariser)
    at, types, temperature = somewhere(problem), problem.sample(16, rng()), 0.1 * problem.unit
    slope = gradient(problem, at, types, temperature)
    step = 1e-5
    for direction in directions(at):
        ends = [problem.smoothed(shifted(at, direction, s * step), types, temperature).mean() for s in (1, -1)]
        assert float(slope @ direction) == pytest.approx(float(ends[0] - ends[1]) / (2 * step), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("name", ["sales", "gridworld"])
def test_the_gradient_is_the_papers_in_terms_of_occupancies(name):
    """Appendix C: d revenue by b and by w, from the occupancies with and without each participant."""
    problem = Problem(make_game(GAMES[name][0], **GAMES[name][1]))
    game, at, temperature = problem.game, leaf(somewhere(problem)), 0.05
    types = problem.sample(16, rng())
    rewards, weights = game.rewards(types), at.log_weights.exp()
    welfare, policies = game.mdp.soft(problems(rewards, weights, at.boosts), temperature)
    nu = game.mdp.occupancy(policies)
    sw = (nu[:, 0, None] * rewards).sum() / len(types)
    (sw_by_b,) = torch.autograd.grad(sw, at.boosts, retain_graph=True)
    (sw_by_log_w,) = torch.autograd.grad(sw, at.log_weights)
    nu, w, n = nu.detach(), weights.detach(), game.n
    by_b = sw_by_b + ((nu[:, 1:] - nu[:, :1]) / w[:, None, None]).sum(1).mean(0)
    by_w = []
    for j in range(n):
        earned = (nu * rewards[:, j, None]).sum((-2, -1))
        others = sum(earned[:, 1 + i] / w[i] for i in range(n) if i != j)
        mine = others - (earned[:, 0] / w[:, None]).sum(0) + (welfare[:, 0] - welfare[:, 1 + j]) / w[j] ** 2
        by_w.append(sw_by_log_w[j] / w[j] + mine.mean().detach())
    slope = gradient(problem, Parameters(at.log_weights.detach(), at.boosts.detach()), types, temperature)
    torch.testing.assert_close(slope[:n], torch.stack(by_w) * w, atol=1e-9, rtol=0)
    torch.testing.assert_close(slope[n:], by_b.flatten(), atol=1e-9, rtol=0)


def test_at_low_temperature_it_is_the_gradient_of_expected_revenue():
    """Differences of the exact revenue on common types see the jumps of the policy, which no single profile shows."""
    problem = Problem(make_game("sequential_sales", n=3, m=2, high="1/i"))
    at = somewhere(problem, seed=3, spread=0.2)
    at = Parameters(torch.tensor([1.0, 0.8, 1.2], dtype=torch.float64).log(), at.boosts)
    engine = torch.quasirandom.SobolEngine(3, scramble=True, seed=0)
    types = problem.game.types_of(engine.draw(2**17, dtype=torch.float64)[..., None])
    slope = torch.stack([gradient(problem, at, part, 0.01 * problem.unit) for part in types.split(2**15)]).mean(0)
    step = 0.02
    expected = []
    tried = directions(at, 4)
    tried[3:] /= 3
    for direction in tried:
        ends = [problem.evaluate(shifted(at, direction, s * step), types).mean() for s in (1, -1)]
        expected.append(float(ends[0] - ends[1]) / (2 * step))
    found, expected = (tried @ slope).numpy(), np.array(expected)
    assert np.linalg.norm(found - expected) < 0.05 * np.linalg.norm(expected)
    assert found @ expected > 0.998 * np.linalg.norm(found) * np.linalg.norm(expected)


def test_perturbations_estimate_the_same_gradient():
    problem = Problem(make_game("sequential_sales", n=2, m=1, high="1/i"))
    settings = AffineTrainer(name="affine_maximiser", method="zeroth_order", perturbations=400)
    search = ZerothOrder(problem, settings, budget(settings, on_tree=True), learn_weights=True, rng=rng())
    kept = torch.tensor([[-0.2, -0.3, 0.1]], dtype=torch.float64)
    search.restore({"log_weights": kept[0, :2], "boosts": kept, "optimiser": search.optimiser.state_dict()})
    types = problem.sample(5_000, rng(1))
    search.differentiate(types, 1)
    found = -flat((search.log_weights.grad, search.boosts.grad)) * torch.tensor([problem.unit] * 2 + [1] * 3)
    expected = gradient(problem, search.parameters, types, 0.02)
    assert float((found - expected).norm() / expected.norm()) < 0.2, "400 perturbations in 5 dimensions"


# -- what theory says --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [{"n": 3, "m": 2, "high": "1/i"}, {"n": 5, "m": 3}])
def test_expected_payments_are_expected_virtual_values(parameters):
    problem = Problem(make_game("sequential_sales", **parameters))
    types = problem.sample(100_000, rng())
    for seed in range(3):
        outcome = problem.exact.outcome(types, somewhere(problem, seed), None)
        values = types[..., 0]
        virtual = torch.stack(
            [each.virtual_value(values[:, i]) for i, each in enumerate(problem.game.distributions)], 1
        )
        difference = outcome.measure - (virtual * outcome.utilities / values).sum(-1)
        assert abs(float(difference.mean())) < 4 * float(difference.std()) / len(types) ** 0.5
        assert float((outcome.utilities - outcome.payments).min()) > -1e-9, "individual rationality"


@pytest.mark.parametrize("parameters", [{"n": 3, "m": 2, "high": "1/i"}, {"n": 3, "m": 2, "high": 100.0}])
def test_reserve_prices_attain_the_limit(parameters):
    game = make_game("sequential_sales", **parameters)
    problem = Problem(game)
    sent = torch.tensor(game.members["reserve_prices"], dtype=torch.float64)
    best = Parameters(sent[: game.n], sent[game.n :].view_as(problem.vcg.boosts))
    revenue = problem.evaluate(best, problem.sample(100_000, rng()))
    assert float(revenue.mean()) == pytest.approx(game.limit(), abs=4 * float(revenue.std()) / 100_000**0.5)


# -- training ----------------------------------------------------------------------------------------------------------

QUICK = ("trainer.log_every=10", "trainer.evaluation.probe=100", "trainer.evaluation.profiles=2000")


def trained(problem, seed=0, search=Annealed, **settings):
    chosen = AffineTrainer(name="affine_maximiser", **settings)
    planned = budget(chosen, on_tree=isinstance(problem.game.mdp, Tree))
    search = search(problem, chosen, planned, learn_weights=True, rng=rng(seed))
    for update in range(1, planned.updates + 1):
        search.update(update)
    return search.finish()


@pytest.mark.parametrize("high", [1.0, "1/i"])
def test_a_short_training_comes_near_the_limit(high):
    problem = Problem(make_game("sequential_sales", n=2, m=2, high=high))
    found = trained(problem, updates=400, batch=128)
    revenue = problem.evaluate(found, problem.sample(50_000, rng(1))).mean()
    assert float(revenue) > 0.98 * problem.game.limit()


def test_a_change_of_currency_changes_the_currency_alone():
    one, many = (trained(Problem(make_game("sequential_sales", n=2, m=2, high=high)), updates=20) for high in (1, 100))
    torch.testing.assert_close(one.log_weights, many.log_weights)
    torch.testing.assert_close(100 * one.boosts, many.boosts)


def test_no_chunk_changes_what_is_learned():
    game = make_game("sequential_sales", n=2, m=2)
    one, many = (trained(Problem(game, chunk=chunk), updates=10) for chunk in (30, 4096))
    torch.testing.assert_close(one.boosts, many.boosts)


def test_the_makespan_falls():
    problem = Problem(make_game("task_scheduling", n=2, m=4))
    found = trained(problem, updates=300, batch=128, learning_rate=0.03)
    types = problem.sample(20_000, rng(1))
    before, after = (problem.evaluate(at, types).mean() for at in (problem.vcg, found))
    assert float(after) < 0.93 * float(before)


def test_a_gridworld_earns_more_than_vcg():
    problem = Problem(make_game("gridworld", n=2, m=2))
    found = trained(problem, updates=60, batch=32, learning_rate=0.05)
    types = problem.sample(2_000, rng(1))
    before, after = (problem.evaluate(at, types).mean() for at in (problem.vcg, found))
    assert float(after) > 1.2 * float(before)


def test_the_published_program_climbs_on_a_gridworld_at_its_low_temperature():
    """In a batch, some occupancies are at rounding long before others have settled."""
    problem = Problem(make_game("gridworld", n=2, m=3), regulariser="occupancy")
    low = Temperature(start=0.01, end=0.01)
    found = trained(problem, updates=40, batch=20, learning_rate=0.02, temperature=low, start="uniform")
    types = problem.sample(1_000, rng(1))
    before, after = (problem.evaluate(at, types).mean() for at in (problem.vcg, found))
    assert float(after) > 1.1 * float(before)


def test_perturbations_lead_to_less_where_less_is_better():
    problem = Problem(make_game("task_scheduling", n=2, m=3))
    found = trained(problem, search=ZerothOrder, updates=60, batch=100, learning_rate=0.1)
    types = problem.sample(5_000, rng(1))
    before, after = (problem.evaluate(at, types).mean() for at in (problem.vcg, found))
    assert float(after) < 0.97 * float(before)


@pytest.mark.parametrize("method", ["annealed", "regularised", "zeroth_order", "grid_search"])
def test_resumed_it_ends_as_if_it_had_not_been_interrupted(method, tmp_path, undrawn, interrupted_and_whole):
    overrides = [
        *("game.n=3", "game.m=1", f"trainer.method={method}", "trainer.updates=30", "trainer.batch=16", *QUICK),
        *("trainer.checkpoint_every=8", "trainer.start=uniform"),
    ]
    _, logged = interrupted_and_whole("affine_maximiser", overrides, before=(Training, "update", 21))
    assert logged == [10, 20, 30]
    resumed = Run.open(tmp_path / "parts")
    seconds = [line["timing"]["wall_s"] for line in resumed.lines()]
    assert seconds == sorted(seconds), "seconds before the interruption count"
    assert seconds[-1] <= resumed.summary["timing"]["search_s"] <= resumed.summary["timing"]["wall_s"]
    both = [lawgiver.load(tmp_path / part, "mechanism").parameters for part in ("whole", "parts")]
    assert np.array_equal(*both)


@pytest.mark.parametrize("mode", ["announce", "allocate"])
def test_a_run_says_what_its_mechanism_earns_and_is_played(mode, tmp_path, undrawn):
    folder, summary = launch.train(
        "affine_maximiser",
        [
            "game.n=2",
            "game.m=2",
            f"game.mechanism_mode={mode}",
            "trainer.updates=200",
            *QUICK,
            f"run_dir={tmp_path / 'r'}",
        ],
    )
    assert summary["limit"] == pytest.approx(0.5) and summary["vcg"].mean == pytest.approx(0, abs=1e-9)
    assert summary["ratio_to_limit"] == pytest.approx(summary["objective"].mean / 0.5)
    assert summary["ratio_to_limit"] > 0.85
    assert 0 < summary["objective"].standard_error < 0.02 and summary["timing"]["wall_s"] > 0
    assert {"objective", "smooth_objective", "temperature"} <= Run.open(folder).lines()[-1].keys()
    game = make_game("sequential_sales", n=2, m=2, mechanism_mode=mode)
    types = game.types_of(np.random.default_rng(0).random((4_000, 2, 1)))
    state = play_out(game, lawgiver.load(folder, "mechanism"), types, types)
    assert game.measure(state).mean() == pytest.approx(summary["objective"].mean, abs=0.03)
    env = pettingzoo.make(
        "parallel", "lawgiver/sequential_sales-v0", n=2, m=2, mechanism_mode=mode, mechanism=str(folder)
    )
    env.reset(seed=0)
    assert set(env.agents) == {"participant_0", "participant_1"}


def test_weights_stay_where_they_are_fixed(tmp_path, undrawn):
    folder, _ = launch.train(
        "affine_maximiser_zeroth_order",
        ["game.n=2", "game.m=2", "trainer.updates=5", *QUICK, f"run_dir={tmp_path / 'r'}"],
    )
    assert not lawgiver.load(folder, "mechanism").log_weights.any()


def test_the_published_searches_are_configs():
    ours = [name for name in config_names() if name.startswith("affine_maximiser")]
    methods = {name: load_config(name).trainer.method for name in ours}
    assert methods == {
        "affine_maximiser": "annealed",
        "affine_maximiser_grid_search": "grid_search",
        "affine_maximiser_regularised": "regularised",
        "affine_maximiser_zeroth_order": "zeroth_order",
    }


@pytest.mark.parametrize(
    ("overrides", "planned"),
    [
        (("game.n=2", "game.m=2"), (1500, 256, 100_000)),
        (("game.name=gridworld", "game.n=2", "game.m=3"), (400, 64, 40_000)),
        (("game.name=gridworld", "game.n=2", "game.m=3", "trainer.batch=7"), (400, 7, 40_000)),
    ],
)
def test_a_config_keeps_how_much_is_done(overrides, planned):
    found = load_config("affine_maximiser", overrides)
    assert (found.trainer.updates, found.trainer.batch, found.trainer.evaluation.profiles) == planned
    assert validate(found.model_dump(mode="json")) == found


def test_of_a_limit_that_is_no_gain_there_is_no_share():
    class Losing(type(make_game("sequential_sales"))):
        def limit(self):
            return -0.5

    problem = Problem(Losing(n=2, m=1))
    told = compared(problem, problem.vcg, problem.sample(10, rng()))
    assert told["limit"] == -0.5
    assert told["ratio_to_limit"] is None


def test_the_temperature_falls_geometrically():
    falling = Temperature(start=0.4, end=0.1)
    assert [falling.at(done) for done in (0, 0.5, 1)] == pytest.approx([0.4, 0.2, 0.1])


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("trainer.method=zeroth", r"trainer\.method is 'zeroth': did you mean 'zeroth_order'\?"),
        ("trainer.temperature.end=0", r"trainer\.temperature\.end is 0"),
        ("trainer.updates=0", r"trainer\.updates is 0"),
        ("trainer.chunk=0", r"trainer\.chunk is 0"),
        ("trainer.learning_rate=.inf", r"trainer\.learning_rate is inf"),
        ("trainer.evaluation.profiles=1", r"trainer\.evaluation\.profiles is 1"),
        ("trainer.iterations=3", r"unknown key 'trainer\.iterations'"),
        ("agents.mechanism.weights=free", r"agents\.mechanism\.weights is 'free'"),
    ],
)
def test_bad_settings_are_named(override, told):
    with pytest.raises(ParameterError, match=told):
        load_config("affine_maximiser", [override])


def test_other_games_are_refused(tmp_path):
    data = tmp_path / "other.yaml"
    data.write_text("game: {name: taxed_dilemma}\nagents: {}\ntrainer: {name: affine_maximiser}\n")
    with pytest.raises(UnsupportedGameError, match="needs a Markov decision process in which participants report"):
        launch.train(data, [f"run_dir={tmp_path / 'r'}"])
    assert not (tmp_path / "r").exists()


def test_a_grid_of_too_many_dimensions_is_refused(tmp_path):
    size = ["game.n=7", "game.m=5", "trainer.method=grid_search"]
    with pytest.raises(ParameterError, match=r"has 37,455 weights and boosts, allowed: 21,201"):
        launch.train("affine_maximiser", [*size, f"run_dir={tmp_path / 'r'}"])
