"""The learned voting rule: its network, its objective, its runs."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import lawgiver
from lawgiver.agents.learned import load_policy, save_policy
from lawgiver.agents.ordinal_net import LearnedOrdinal, told
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.solvers.social_choice.orbits import orbits
from lawgiver.envs.solvers.social_choice.profiles import orders
from lawgiver.envs.solvers.social_choice.rules import lottery
from lawgiver.trainers.cli import app
from lawgiver.trainers.evaluation.evaluate import evaluate
from lawgiver.trainers.ordinal import train
from lawgiver.trainers.ordinal.learner import Learner
from lawgiver.trainers.ordinal.profiles import Listed, Sampled, terms
from lawgiver.trainers.ordinal.settings import OrdinalTrainer
from lawgiver.trainers.ordinal.voting import counted, exactly, measured, named
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.statistics.streams import torch_seeded

QUICK = (
    *("game.n=3", "trainer.updates=8", "trainer.log_every=4", "trainer.checkpoint_every=5"),
    *("agents.mechanism.width=8", "trainer.evaluation={voters: [2], profiles: 20}"),
)
SAMPLED = ("trainer.profiles=sampled", "trainer.batch=4", "trainer.deviators=2")


def rule_of(n=3, m=3, seed=1, **settings):
    with torch_seeded(seed):
        return LearnedOrdinal(make_game("voting", n=n, m=m), **settings)


def all_profiles(n, m):
    """List the rankings (P, n, m) of all profiles, as places."""
    return orders(m)[np.array(list(itertools.product(range(len(orders(m))), repeat=n)))]


# -- the network -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m"), [(3, 2), (5, 3), (4, 4), (7, 6)])
def test_voters_and_alternatives_are_treated_alike(n, m):
    rng = np.random.default_rng(0)
    game, reports = make_game("voting", n=n, m=m), rng.random((10, n, m))
    with torch_seeded(0):
        rule = LearnedOrdinal(game)
    chosen = rule.decision(reports)
    assert chosen.shape == (10, m) and chosen.std() > 1e-3
    assert chosen.sum(-1) == pytest.approx(np.ones(10), abs=1e-6)
    voters, names = rng.permutation(n), rng.permutation(m)
    assert rule.decision(reports[:, voters]) == pytest.approx(chosen, abs=1e-6)
    assert rule.decision(reports[..., names]) == pytest.approx(chosen[:, names], abs=1e-6)
    assert rule.decision(torch.tensor(reports)).detach().numpy() == pytest.approx(chosen, abs=1e-6)


def test_a_profile_is_the_mean_of_what_its_voters_tell():
    described = told(np.array([0, 2, 1]), np.zeros(1))
    assert described.tolist() == [[1, 0, 0, 0, 1, 1], [0, 0, 1, -1, 0, -1], [0, 1, 0, -1, 1, 0]]


def test_it_is_kept_and_plays_elections_of_other_sizes(tmp_path):
    rule = rule_of(7, 3, width=8, rounds=2)
    save_policy(tmp_path, rule)
    for n, m in ((7, 3), (5, 4)):
        game = make_game("voting", n=n, m=m)
        loaded = load_policy(tmp_path, game, "mechanism")
        assert loaded.settings == {"width": 8, "rounds": 2}
        types = game.initial_state(6, np.random.default_rng(1)).types
        done = play_out(game, loaded, types, types)
        assert done.lottery == pytest.approx(loaded.decision(types), abs=1e-12)
        assert done.lottery.sum(-1) == pytest.approx(np.ones(6), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("taxed_dilemma", {}, "chooses among alternatives by rankings; taxed_dilemma-v0 has none"),
        ("voting", {"mechanism_mode": "announce"}, "mechanism_mode='allocate'"),
        (
            "voting",
            {"ballot": "approval"},
            "'ordinal_net' does not play voting-v0 with ballot='approval', which does not tell r",
        ),
    ],
)
def test_other_games_are_refused(name, params, message):
    with pytest.raises(UnsupportedGameError, match=message):
        LearnedOrdinal(make_game(name, **params))


# -- the objective ---------------------------------------------------------------------------------------------------


def test_all_profiles_one_by_one_are_worth_what_their_orbits_are():
    n, m = 3, 3
    rule, places = rule_of(n, m, width=8), torch.tensor(all_profiles(n, m))
    utilities = (m - places) / (m + 1.0)
    seats = torch.arange(n).expand(len(places), n)
    listed = Listed.of(orbits(n, m), "cpu")

    def slopes(found):
        loss = 2 * found.regret.double() - found.welfare.double()
        return torch.cat([each.ravel() for each in torch.autograd.grad(loss, rule.network.parameters())])

    one_by_one = terms(rule.network, utilities.float(), places, seats)
    at_once = listed.terms(rule.network, 1)
    for side in ("welfare", "regret"):
        assert getattr(one_by_one, side).item() == pytest.approx(getattr(at_once, side).item(), abs=1e-6)
    assert at_once.regret.item() > 1e-3
    assert slopes(one_by_one).numpy() == pytest.approx(slopes(at_once).numpy(), abs=1e-5)


def test_what_sampled_profiles_estimate_is_what_all_have():
    n, m = 3, 3
    rule, listed = rule_of(n, m, width=8), orbits(n, m)
    places = all_profiles(n, m)
    rules = {"learned": counted(rule), "plurality": named("plurality", m, "share")}
    found = measured((m - places) / (m + 1), rules, n, np.random.default_rng(0))
    exact = exactly(listed, rules)["rules"]
    for name, each in found.items():
        assert each["welfare"].mean() == pytest.approx(exact[name]["welfare"], abs=1e-6)
        assert each["regret"].mean() == pytest.approx(exact[name]["regret"], abs=1e-6)


def test_sampled_profiles_are_fresh_at_each_update_and_depend_on_its_number():
    rule = rule_of(5, 4, width=8)
    sampled = Sampled(rule.choice, 16, 2, seed=3, device="cpu")
    first, again, next_ = (sampled.terms(rule.network, number).welfare.item() for number in (1, 1, 2))
    assert first == again != next_


# -- learning --------------------------------------------------------------------------------------------------------


def learned(n, updates, **settings):
    rule = rule_of(n, 3, seed=0)
    learner = Learner(
        rule.network, Listed.of(orbits(n, 3), "cpu"), OrdinalTrainer(name="ordinal", updates=updates, **settings)
    )
    metrics = [learner.update(number) for number in range(1, updates + 1)]
    return rule, metrics


def test_it_learns_a_rule_on_the_frontier():
    rule, metrics = learned(5, 400)
    found = exactly(orbits(5, 3), {"learned": counted(rule)})
    result = found["rules"]["learned"]
    assert result["below"] < 1e-4 and result["regret"] == pytest.approx(0.03241, abs=5e-4)
    assert (found["truthful"], found["greatest"]) == pytest.approx((0.5625, 0.59529), abs=5e-6)
    assert metrics[-1]["loss"] < metrics[0]["loss"] - 0.03
    lotteries = lottery("minimax", orders(3)[None], orbits(5, 3).counts.astype(float))
    assert result["welfare"] > float(orbits(5, 3).welfare(lotteries)), "more than minimax has, with less regret"


def test_a_bound_keeps_the_regret_near_it():
    _, metrics = learned(3, 600, target=0.01)
    last = metrics[-1]
    assert last["regret"] == pytest.approx(0.01, abs=1e-3) and last["welfare"] > 0.593
    assert 0.5 < last["multiplier"] < 2 and last["penalty"] == 100


# -- runs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [[], ["trainer.target=0.02", "trainer.lagrangian.every=3"], [*SAMPLED, "game.m=4"]])
def test_resumed_it_ends_as_if_it_had_not_been_interrupted(changes, undrawn, interrupted_and_whole, monkeypatch):
    def weights(game, mechanism, *how):
        return {"weights": {name: numbers.tolist() for name, numbers in mechanism.network.state_dict().items()}}

    monkeypatch.setattr(train, "judge", weights)  # what is judged has to be the same to the last digit
    _, logged = interrupted_and_whole("voting", [*QUICK, *changes])
    assert logged == [4, 8]


def test_a_run_from_the_command_line_is_complete(tmp_path):
    folder = tmp_path / "run"
    result = CliRunner().invoke(app, ["train", "voting", *QUICK, f"run_dir={folder}"])
    assert result.exit_code == 0, result.output
    summary = json.loads((folder / "summary.json").read_text())
    assert next(iter(summary["rules"])) == "learned" and "median" not in summary["rules"]
    for name, found in summary["rules"].items():
        assert found["below"] == pytest.approx(found["frontier"] - found["welfare"]) and found["below"] > -1e-6, name
    assert summary["rules"]["minimax"]["regret"] == pytest.approx(1 / 27)
    assert summary["voters"]["2"]["frontier"] >= summary["voters"]["2"]["welfare"]
    assert {path.name for path in (folder / "figures").iterdir()} == {"curves.png", "standing.png"}
    again = evaluate(folder)
    assert again["rules"] == summary["rules"], "all profiles are listed, and so nothing is drawn"
    assert lawgiver.load(folder, "mechanism").kind == "ordinal_net"
    larger = make_game("voting", n=5, m=4)
    assert load(folder, "mechanism", game=larger).decision(np.zeros((1, 5, 4))).shape == (1, 4)


def test_sampled_runs_have_intervals(tmp_path, undrawn):
    _, summary = launch.train("voting", [*QUICK, *SAMPLED, "game.culture=mallows", f"run_dir={tmp_path / 'run'}"])
    rules, own = summary["rules"], summary["rules"]["learned"]
    assert own["welfare"].n == 20 and own["regret"].standard_error > 0 and "more_welfare" not in own
    borda = rules["borda"]
    assert borda["more_welfare"].mean == pytest.approx(own["welfare"].mean - borda["welfare"].mean)
    assert borda["less_regret"].mean == pytest.approx(borda["regret"].mean - own["regret"].mean)
    assert rules["random_dictator"]["regret"].mean == pytest.approx(0, abs=1e-12)
    assert summary["voters"]["2"]["welfare"].n == 20 and summary["profiles"] == 20
    again = evaluate(tmp_path / "run")
    assert again["rules"]["learned"]["welfare"] != own["welfare"], "on other profiles"


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["game.culture=urn"], UnsupportedGameError, "lists all profiles .* not of culture='urn'"),
        (
            ["game.ties=first"],
            UnsupportedGameError,
            "game.ties='first' tells apart, allowed: game.ties=share, or trainer",
        ),
        (["game.objective=least"], UnsupportedGameError, "maximises welfare, not game.objective='least'"),
        (["game.m=7", "trainer.profiles=sampled"], UnsupportedGameError, "game.m is 7, allowed: 6 at most"),
        (["game.m=5"], ParameterError, "n=3 and m=5 make 295,240 profiles .* trainer.profiles=sampled"),
        (["trainer.evaluation.voters=[3,60]"], ParameterError, "n=60 and m=3 make 8,259,888 profiles"),
        (["trainer.profiles=sampled", "trainer.evaluation.voters=[2000]"], ParameterError, "n is 2000"),
        (["game.mechanism_mode=announce"], UnsupportedGameError, "trainer 'ordinal' decides by rankings"),
    ],
)
def test_what_cannot_be_trained_is_refused_at_once(overrides, error, message, tmp_path):
    with pytest.raises(error, match=message):
        launch.train("voting", [*QUICK, *overrides, f"run_dir={tmp_path / 'run'}"])
    assert not (tmp_path / "run" / "metrics.jsonl").exists()
