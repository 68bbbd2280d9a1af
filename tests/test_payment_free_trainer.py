"""The trainer of payment-free mechanisms: its search for misreports, its objective, its runs."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import lawgiver
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.solvers.fair_division.partial_allocation import partial_allocation
from lawgiver.trainers.cli import app
from lawgiver.trainers.evaluation.evaluate import evaluate
from lawgiver.trainers.misreports.bound import Bound
from lawgiver.trainers.misreports.search import Ascent, Cases
from lawgiver.trainers.misreports.settings import Lagrangian
from lawgiver.trainers.payment_free import learner, train
from lawgiver.trainers.payment_free.evaluation import judge
from lawgiver.trainers.payment_free.learner import Learner, proportionally_fair, thorough
from lawgiver.trainers.payment_free.misreports import misreported, proposed, search, worth
from lawgiver.trainers.payment_free.objective import terms
from lawgiver.trainers.payment_free.settings import ExSNet, PaymentFreeTrainer, RPFNet
from lawgiver.trainers.payment_free.train import make_mechanism
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.streams import torch_generator

GROUPS = {"value", "demand", "joint"}
QUICK = (
    *("game.n=2", "game.m=2", "trainer.updates=8", "trainer.batch=8", "trainer.samples=16", "trainer.log_every=4"),
    *("trainer.checkpoint_every=5", "trainer.evaluation={instances: 2, effort: 1, compared: 2}"),
    "agents.mechanism.hidden=[8]",
)


def rng(*seeds):
    return torch_generator("cpu", 0, *seeds)


def market(n, m, **params):
    return make_game("payment_free_allocation", n=n, m=m, **params)


def network_of(game, kind=ExSNet, **settings):
    name = "exs_net" if kind is ExSNet else "rpf_net"
    return make_mechanism(game, kind(network=name, hidden=(8,), **settings), seed=1).network.double().train()


def types_of(game, count, *seeds):
    return game.initial_state(count, rng(7, *seeds)).types.double()


def burning(game):
    def rule(values, demands):
        supply, weights = (torch.as_tensor(x, dtype=values.dtype) for x in (game.supplies, game.weighting))
        return partial_allocation(values, demands, supply, weights)

    return rule


def gains(game, rule, types, own):
    cases = Cases.of(game, types)
    with torch.no_grad():
        truth = worth(rule(*game.split(types)), types)
        return misreported(rule, cases, own.flatten(0, 1)).view_as(truth) - truth


def weights(game, mechanism, *how):
    return {"weights": {name: numbers.tolist() for name, numbers in mechanism.network.state_dict().items()}}


# -- misreports -----------------------------------------------------------------------------------------------------


def test_a_case_is_one_participant_who_alone_says_something_else():
    game = market(3, 2)
    types = types_of(game, 4)
    cases = Cases.of(game, types)
    assert len(cases) == 12 and torch.equal(cases.own, types.flatten(0, 1))
    reported = cases.reported(torch.zeros(12, 4).double())
    for case in range(12):
        profile, seat = divmod(case, 3)
        others = [k for k in range(3) if k != seat]
        assert torch.equal(reported[case, others], types[profile, others]) and not reported[case, seat].any()


def test_the_search_stops_just_short_of_a_tie_under_proportional_fairness():
    """Values (0.6, 0.4) beside (0.9, 0.1): towards (0.9, 0.1) the first gets up to 2 / 3 instead of 1 / 2."""
    game = market(2, 2, supply=1.0)
    types = torch.tensor([[[0.6, 0.4, 1, 1], [0.9, 0.1, 1, 1]]]).double()
    rule = proportionally_fair(game, 1e-7)
    found = gains(game, rule, types, thorough(game, rule, types, rng()))
    assert 0.155 < float(found[0, 0]) <= 1 / 6 + 1e-6


def test_the_search_asks_for_more_where_a_part_is_burnt():
    """One resource, demands 0.3 and 1 under partial allocation: 0.21 by the truth, 0.25 by asking for a half."""
    game = market(2, 1, supply=1.0)
    types = torch.tensor([[[1.0, 0.3], [1.0, 1.0]]]).double()
    own = thorough(game, burning(game), types, rng())
    assert own[0, 0, 1] > 0.3
    assert float(gains(game, burning(game), types, own)[0, 0]) == pytest.approx(0.04, abs=1e-3)


def test_the_search_stays_within_bounds_and_never_returns_what_is_worse():
    game = market(3, 2, present=0.6)
    network, types = network_of(game), types_of(game, 20)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=rng(3)).double())
    cases, start = Cases.of(game, types), types.flatten(0, 1)
    best = -torch.inf
    for _ in range(4):
        start = search(network, cases, start, Ascent(3, 0.1), rng(1))
        now = misreported(network, cases, start).detach()
        assert (now >= best).all(), "it goes on from where it has stopped"
        assert (start >= cases.low).all() and (start <= cases.high).all()
        best = now
    assert (gains(game, network, types, start.view_as(types)) >= 0).all(), "it began at the truth"
    assert gains(game, network, types, start.view_as(types)).mean() > 1e-3


def test_proposals_are_of_all_kinds():
    game = market(4, 3)
    types = types_of(game, 200)
    cases = Cases.of(game, types)
    found = proposed(cases, rng(2))
    values, demands = found.chunk(2, -1)
    most = (demands == 1).all(-1)
    single = (values == 1).sum(-1) == 1
    near = (found - cases.own).abs().amax(-1) <= 0.02 + 1e-9
    for kind in (most, single, near, ~(most | single | near)):
        assert 0.15 < float(kind.double().mean()) < 0.35


# -- objective ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ExSNet, RPFNet])
def test_the_gradient_is_that_of_differences_at_given_misreports(kind, slopes_agree):
    game = market(2, 2)
    network, types = network_of(game, kind), types_of(game, 6)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=rng(3)).double())
    own = thorough(game, network, types, rng(4))

    def loss():
        found = terms(game, network, types, own)
        return 2 * found.relative + found.absolute - found.mean_log_utility

    assert terms(game, network, types, own).relative > 1e-3
    slopes_agree(list(network.parameters()), loss)


def test_terms_are_means_of_log_utilities_and_of_gains_not_below_zero():
    game = market(2, 1, supply=1.0, weights=[1, 3])
    types = torch.tensor([[[1.0, 0.3], [1.0, 1.0]]]).double()
    lower = torch.tensor([[[1.0, 0.5], [1.0, 0.1]]]).double()
    found = terms(game, burning(make_game("payment_free_allocation", n=2, m=1, supply=1.0)), types, lower)
    assert float(found.mean_log_utility) == pytest.approx((np.log(0.21) + 3 * np.log(0.7)) / 2, abs=1e-7)
    assert float(found.absolute) == pytest.approx(0.02, abs=1e-6)
    assert float(found.relative) == pytest.approx(0.04 / 0.21 / 2, abs=1e-6)


def test_the_price_of_gains_rises_above_the_bound_and_falls_below_it():
    bound = Bound(0.1, Lagrangian(multiplier=1, penalty=10, growth=2, every=2))
    gain = torch.tensor(0.3, requires_grad=True)
    (slope,) = torch.autograd.grad(bound.cost(gain), gain)
    assert float(slope) == pytest.approx(1 + 10 * 0.2)
    bound.move()
    assert bound.multiplier == 1, "it waits until enough has been seen"
    bound.cost(torch.tensor(0.1))
    bound.move()
    assert (bound.multiplier, bound.penalty) == (pytest.approx(2.0), 20)
    bound.restore({**bound.state(), "multiplier": 1.0})
    for _ in range(2):
        bound.cost(torch.tensor(0.0))
    bound.move()
    assert bound.multiplier == 0
    assert float(bound.cost(torch.tensor(0.05))) == 0, "what is allowed costs nothing"


# -- learning -------------------------------------------------------------------------------------------------------


def test_a_few_updates_improve_the_objective():
    game = market(2, 2)
    network = network_of(game)
    settings = PaymentFreeTrainer(
        name="payment_free", updates=25, batch=16, samples=128, learning_rate=0.02, weight=0.5
    )
    learner = Learner(game, network, settings, 0, "cpu")

    def loss():
        types = types_of(game, 40)
        own = thorough(game, network.eval(), types, rng(8))
        with torch.no_grad():
            found = terms(game, network, types, own)
        return float(0.5 * found.relative - found.mean_log_utility)

    before = loss()
    told = [learner.update(number) for number in range(1, 26)]
    assert loss() < before - 5e-3
    assert told[-1]["gradient_norm"] > 0


def test_profiles_take_turns():
    game = market(2, 1)
    settings = PaymentFreeTrainer(name="payment_free", updates=9, batch=8, samples=26)
    learner = Learner(game, network_of(game), settings, 0, "cpu")
    turns = [learner.stored.turn(number).tolist() for number in range(1, 7)]
    first, second = ([index for turn in some for index in turn] for some in (turns[:3], turns[3:]))
    assert len(set(first)) == len(set(second)) == 24 and first != second


def test_some_profiles_are_of_those_who_gain_by_what_they_say():
    game = market(3, 2)
    settings = PaymentFreeTrainer(name="payment_free", batch=4, samples=200, untruthful=0.3)
    learner = Learner(game, network_of(game), settings, 0, "cpu")
    honest = Learner(game, network_of(game), settings.model_copy(update={"untruthful": 0.0}), 0, "cpu")
    lies = (learner.stored.types != honest.stored.types).any(-1)
    assert 0.2 < float(lies.double().mean()) < 0.35
    gained = gains(game, proportionally_fair(game, 1e-3), honest.stored.types, learner.stored.types)
    assert gained.min() > -1e-9 and gained[lies].mean() > 0.01


def test_a_bound_keeps_gains_near_it():
    game = market(2, 2)
    settings = PaymentFreeTrainer(
        name="payment_free", updates=80, batch=16, samples=128, learning_rate=0.02, target=0.01,
        lagrangian=Lagrangian(every=8),
    )  # fmt: skip
    learner = Learner(game, network_of(game), settings, 0, "cpu")
    told = [learner.update(number) for number in range(1, 81)]
    assert np.mean([each["relative_gain"] for each in told[-20:]]) == pytest.approx(0.01, abs=0.006)
    assert told[-1]["penalty"] > 10


# -- judging and runs -----------------------------------------------------------------------------------------------


def test_known_rules_are_judged_as_what_they_are():
    game = market(2, 2)
    fair, even = (
        judge(game, make_policy(game, "mechanism", name), instances=4, effort=1, seed=3)
        for name in ("proportional_fairness", "water_filling")
    )
    assert fair["nash_welfare_ratio_to_pf"].mean == pytest.approx(1, abs=1e-12)
    assert even["nash_welfare_ratio_to_pf"].mean == pytest.approx(0.976, abs=0.004)
    assert fair["efficiency"] == pytest.approx(1, abs=1e-8) and even["efficiency"] == pytest.approx(1, abs=1e-8)
    assert set(fair["exploitability"]) == GROUPS
    assert fair["exploitability"]["joint"]["relative"]["mean"].mean > 0.03
    assert even["exploitability"]["joint"]["absolute"]["max"] < 1e-9


@pytest.mark.parametrize(
    "changes",
    [
        ["exs_net", "trainer.target=0.01", "trainer.lagrangian.every=3", "trainer.untruthful=0.5"],
        ["exs_net", "trainer.samples=null", "agents.mechanism.architecture=plain", "trainer.gain=absolute"],
        ["rpf_net", "trainer.batch=4", "trainer.misreports.steps=1", "trainer.evaluation.compared=0"],
    ],
)
def test_resumed_it_ends_as_if_it_had_not_been_interrupted(changes, undrawn, interrupted_and_whole, monkeypatch):
    config, *overrides = changes
    monkeypatch.setattr(train, "PROBE", 10)
    monkeypatch.setattr(learner, "ROUNDS", 1)
    monkeypatch.setattr(train, "judge", weights)  # what is judged has to be the same to the last digit
    whole, logged = interrupted_and_whole(config, [*QUICK, *overrides])
    assert logged == [4, 8]
    assert (whole["gap"] is None) == (overrides[0] == "trainer.samples=null" or config == "rpf_net")


def test_a_run_from_the_command_line_is_complete(tmp_path):
    folder = tmp_path / "run"
    changed = ("game.n=3", "game.m=2", "game.supply=0.5", "game.present=0.5", "game.value_beta=[2, 2]")
    quick = [one for one in QUICK if one.partition("=")[0] not in ("game.n", "game.m")]
    result = CliRunner().invoke(app, ["train", "exs_net", *quick, *changed, f"run_dir={folder}"])
    assert result.exit_code == 0, result.output
    summary = json.loads((folder / "summary.json").read_text())
    assert 0.5 < summary["nash_welfare_ratio_to_pf"]["mean"] <= 1 and 0.5 < summary["efficiency"] <= 1
    assert set(summary["exploitability"]) == GROUPS
    for group in GROUPS:
        for kind in ("absolute", "relative"):
            told = summary["exploitability"][group][kind]
            assert set(told) == {"mean", "max"} and 0 <= told["mean"]["mean"] <= told["max"]
    assert summary["gap"]["worse"].keys() == {"mean_log_utility", "relative_gain"}
    fair, even = (summary["baselines"][name] for name in ("proportional_fairness", "water_filling"))
    assert fair["nash_welfare_ratio_to_pf"]["mean"] == 1 > even["nash_welfare_ratio_to_pf"]["mean"]
    assert summary["timing"]["wall_s"] > summary["timing"]["training_s"] > 0
    assert {path.name for path in (folder / "figures").iterdir()} == {"curves.png", "standing.png"}
    game = Run.open(folder).game()
    assert (game.n, game.m, game.present, game.value_beta) == (3, 2, 0.5, (2, 2))
    loaded = lawgiver.load(folder, "mechanism")
    assert loaded.kind == "exs_net" and not loaded.network.training
    again = evaluate(folder)
    assert again["nash_welfare_ratio_to_pf"].mean == pytest.approx(
        summary["nash_welfare_ratio_to_pf"]["mean"], abs=0.03
    )
    assert again["exploitability"] != summary["exploitability"], "on other profiles"


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["game.name=sequential_sales"], UnsupportedGameError, "needs payment_free_allocation"),
        (["game.mechanism_mode=announce"], UnsupportedGameError, "mechanism_mode='allocate'"),
        (["game.supply=0"], ParameterError, "supply is 0"),
        (["trainer.samples=4"], ParameterError, r"trainer\.samples is 4: allowed: at least batch \(8\), or null"),
        (["trainer.wieght=1"], ParameterError, "weight"),
        (["agents.mechanism.network=exs"], ParameterError, "'exs': did you mean 'exs_net'.*: exs_net, rpf_net"),
        (["agents.mechanism={hidden: [8]}"], ParameterError, r"agents\.mechanism\.network is missing"),
        (["agents.mechanism.ridge=1"], ParameterError, "ridge': .*allowed: architecture, hidden, network, rounds"),
        (["trainer.target=0"], ParameterError, "target"),
    ],
)
def test_what_cannot_be_trained_is_named_before_it_is(overrides, error, message, tmp_path):
    with pytest.raises(error, match=message):
        launch.train("exs_net", [*QUICK, *overrides, f"run_dir={tmp_path / 'run'}"])
    assert not (tmp_path / "run").exists()
