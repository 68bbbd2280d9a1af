"""The learned rule of matching: its network, its objective, its runs."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from lawgiver.agents.learned import load_policy, save_policy
from lawgiver.agents.matching_net import LearnedMatching
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.matching.game import RULES
from lawgiver.envs.solvers.matching.measures import stability_violation, truthfulness_violation
from lawgiver.envs.solvers.matching.preferences import all_reports
from lawgiver.trainers.evaluation.evaluate import evaluate
from lawgiver.trainers.ordinal import matching, train
from lawgiver.trainers.ordinal.hull import Violations, below, hull
from lawgiver.trainers.ordinal.learner import Learner, weight
from lawgiver.trainers.ordinal.markets import Lists, Markets, terms
from lawgiver.trainers.ordinal.matching import TRUTHFUL, judge, known, measured, of_side, rule_by_parts
from lawgiver.trainers.ordinal.optimisers import Muon
from lawgiver.trainers.ordinal.settings import OrdinalTrainer
from lawgiver.trainers.ordinal.tables import tables_of
from lawgiver.trainers.runs import launch
from lawgiver.trainers.statistics.streams import torch_seeded

VOTES = Path(__file__).parent / "data" / "votes"
QUICK = (
    *("game.n=6", "trainer.updates=8", "trainer.log_every=4", "trainer.checkpoint_every=5", "trainer.batch=2"),
    *("agents.mechanism={width: 8, rounds: 2}", "trainer.evaluation={sides: [2], profiles: 20}"),
)


def rule_of(n=8, seed=1, **settings):
    with torch_seeded(seed):
        return LearnedMatching(make_game("matching", n=n), **settings)


def markets_of(n=8, count=20, **params):
    game = make_game("matching", n=n, **params)
    types = game.initial_state(count, np.random.default_rng(0)).types
    return game, types, *game.both_sides(types)


# -- the network -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 6, 8, 12])
def test_rows_columns_and_sides_are_treated_alike(n):
    rng, rule = np.random.default_rng(0), rule_of(n)
    _, _, values, priorities = markets_of(n)
    shares = rule.shares(values, priorities)
    assert shares.shape == values.shape and shares.std() > 1e-3
    rows, columns = rng.permutation(n // 2), rng.permutation(n // 2)
    named = [x[:, rows][:, :, columns] for x in (values, priorities)]
    assert rule.shares(*named) == pytest.approx(shares[:, rows][:, :, columns], abs=1e-6)
    exchanged = rule.shares(priorities.swapaxes(1, 2), values.swapaxes(1, 2))
    assert exchanged == pytest.approx(shares.swapaxes(1, 2), abs=1e-6)


def test_the_halves_of_what_describes_cells_are_those_of_the_sides():
    network = rule_of().network
    values, priorities = torch.rand(2, 5, 4, 4).unbind()
    cells = network.cells_of(values, priorities).detach()
    exchanged = network.cells_of(priorities.mT, values.mT).detach()
    swapped = exchanged.transpose(1, 2).roll(cells.shape[-1] // 2, -1)
    assert torch.allclose(swapped, cells, atol=1e-5)
    assert not torch.allclose(exchanged.transpose(1, 2), cells, atol=1e-3)


def test_shares_can_be_had_and_nobody_loses():
    rule = rule_of()
    game, types, values, priorities = markets_of(count=500)
    shares = rule.shares(values, priorities)
    assert shares.min() >= 0 and max(shares.sum(1).max(), shares.sum(2).max()) <= 1 + 1e-6
    assert not shares[(values <= 0) | (priorities <= 0)].any() and shares[(values > 0) & (priorities > 0)].min() > 0
    done = play_out(game, rule, types, types)
    assert done.shares == pytest.approx(shares) and done.utilities.min() >= 0
    assert rule.decision(game.read(types)) == pytest.approx(rule.decision(types), abs=1e-6), "lists are all it sees"


def test_scores_that_vanish_have_a_gradient():
    rule = rule_of(4)
    _, _, values, priorities = markets_of(4)
    with torch.no_grad():
        for last in (rule.network.score, rule.network.alone):
            last.bias.fill_(-200.0)
    shares = rule.network(*(torch.tensor(each, dtype=torch.float32) for each in (values, priorities)))
    slopes = torch.autograd.grad(shares.sum(), rule.network.parameters())
    assert all(slope.isfinite().all() for slope in slopes)


def test_it_is_kept_and_plays_markets_of_other_sizes(tmp_path):
    save_policy(tmp_path, rule_of(width=8, rounds=2))
    for n in (8, 6):
        loaded = load_policy(tmp_path, make_game("matching", n=n), "mechanism")
        assert loaded.settings == {"width": 8, "rounds": 2}
        assert loaded.decision(np.ones((1, n, n // 2))).shape == (1, n * n // 4)


@pytest.mark.parametrize(
    ("name", "params", "settings", "error", "message"),
    [
        ("voting", {}, {}, UnsupportedGameError, "two sides that both report, not those of voting-v0"),
        ("matching", {"sides": "one"}, {}, UnsupportedGameError, "not those of matching-v0 with sides='one'"),
        ("matching", {"mechanism_mode": "announce"}, {}, UnsupportedGameError, "mechanism_mode='allocate'"),
        ("matching", {"capacities": 2}, {}, UnsupportedGameError, "one partner, allowed: game.capacities=1"),
        ("matching", {}, {"width": 9}, ParameterError, "width is 9, allowed: an even number"),
    ],
)
def test_what_it_cannot_play_is_refused(name, params, settings, error, message):
    with pytest.raises(error, match=message):
        LearnedMatching(make_game(name, **params), **settings)


# -- the objective ---------------------------------------------------------------------------------------------------


def test_chances_of_lists_are_those_of_the_game():
    game = make_game("matching", n=4, truncation=0.3)
    lists = Lists.of(game, "cpu")
    drawn = game.read(game.initial_state(20_000, np.random.default_rng(0)).types).reshape(-1, 2)
    held = (drawn[:, None] == lists.values.numpy()).all(-1).mean(0)
    assert lists.chances.sum().item() == pytest.approx(1)
    assert held == pytest.approx(lists.chances.numpy(), abs=4 * np.sqrt(0.25 / len(drawn)))


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_all_lists_at_once_are_worth_what_each_is_alone(correlation):
    """By hand: every list of a row and of a column in turn, each audited by the measure that judges known rules."""
    rule = rule_of(4, width=8, rounds=2)
    game = make_game("matching", n=4, correlation=correlation)
    lists, every = Lists.of(game, "cpu"), all_reports(2)
    told = torch.tensor(every[[1, 3, 4, 2]], dtype=torch.float32)[None]
    common = torch.tensor(every[[3, 3, 2, 2]], dtype=torch.float32)[None]
    found = terms(rule.network, game, lists, told, common, torch.tensor([[1, 2]]))
    stability, regret = [], []
    for seat, shared in ((1, 3), (2, 2)):
        for at, own in enumerate(every):
            market = told.double().numpy().copy()
            market[0, seat] = own
            sides = game.both_sides(market)
            chance = (1 - correlation) * float(lists.chances[at]) + correlation * (at == shared)
            lies = np.concatenate(truthfulness_violation(rule.shares, *sides), axis=1)
            stability.append(chance * stability_violation(rule.shares(*sides), *sides).item())
            regret.append(chance * lies[0, seat])
    assert found.stability.item() == pytest.approx(sum(stability) / 2, abs=1e-6)
    assert found.regret.item() == pytest.approx(sum(regret) / 2, abs=1e-6) and found.regret.item() > 1e-4


def test_gradients_are_those_of_small_differences(slopes_agree):
    game = make_game("matching", n=4, correlation=0.5)
    network = rule_of(4, width=4, rounds=2).network.double()
    lists = Lists.of(game, "cpu")
    lists = replace(lists, **{name: getattr(lists, name).double() for name in ("values", "chances", "sets")})
    told = lists.values[[1, 3, 4, 2]][None]

    def loss():
        found = terms(network, game, lists, told, told, torch.tensor([[0, 3]]))
        return found.loss + found.regret

    slopes_agree(list(network.parameters()), loss)


def test_updates_estimate_what_fresh_markets_have():
    game = make_game("matching", n=6, correlation=0.5)
    rule = rule_of(6)
    with torch.no_grad():
        sampled = [Markets(game, 20, 1, 0, "cpu").terms(rule.network, number) for number in range(40)]
    found = measured(game, rule_by_parts(rule), 500, [0])
    for name in ("stability", "regret"):
        each = np.array([getattr(one, name).item() for one in sampled])
        error = np.hypot(each.std() / np.sqrt(len(each)), found[name].std() / np.sqrt(len(found[name])))
        assert each.mean() == pytest.approx(found[name].mean(), abs=4 * error) and error < 0.04 * each.mean(), name


def test_markets_depend_on_the_number_of_the_update():
    rule, sampled = rule_of(6, width=8), Markets(make_game("matching", n=6), 4, 2, 3, "cpu")
    first, again, next_ = (sampled.terms(rule.network, number).stability.item() for number in (1, 1, 2))
    assert first == again != next_


# -- below the lines between known rules -----------------------------------------------------------------------------


def test_the_hull_has_the_corners_that_no_line_passes():
    points = [(0.05, 0.0), (0.02, 0.02), (0.0, 0.08), (0.13, 0.02), (0.03, 0.04)]
    assert hull(points) == [2, 1, 0]
    assert hull([(0.0, 0.0), (0.1, 0.0)]) == [0] and hull([(0.2, 0.1)]) == [0]
    assert hull([(0.0, 0.1), (0.1, 0.05), (0.2, 0.0)])[::2] in ([0, 2], [0]), "on a line"


@pytest.mark.parametrize(
    ("point", "gap"), [((0.01, 0.03), 0.02), ((0.02, 0.01), 0.01), ((0.035, 0.01), 0.0), ((0.3, 0.01), -0.01)]
)
def test_how_far_below_is_by_hand(point, gap):
    known = [Violations(*(np.full(5, value) for value in each)) for each in [(0, 0.08), (0.02, 0.02), (0.05, 0)]]
    assert below(Violations(*(np.full(5, value) for value in point)), known).mean == pytest.approx(gap)


def test_its_interval_holds_the_truth_as_often_as_it_says():
    rng, truth, inside = np.random.default_rng(0), [(0.01, 0.02), (0.0, 0.08), (0.02, 0.02), (0.05, 0.0)], 0
    runs = 2_000
    for _ in range(runs):
        own, *known = (Violations(*(value * (1 + rng.normal(size=200)) for value in each)) for each in truth)
        found = below(own, known)
        inside += found.low <= 0.03 <= found.high
    assert inside / runs == pytest.approx(found.level, abs=0.02)


# -- learning and runs -----------------------------------------------------------------------------------------------


def test_the_weight_of_the_regret_moves_over_a_third_of_the_schedule():
    settings = OrdinalTrainer(name="ordinal", updates=90, weight=0.5, first_weight=2.0)
    assert [weight(number, settings) for number in (1, 16, 31, 90, 200)] == pytest.approx([2.0, 1.25, 0.5, 0.5, 0.5])
    assert weight(1, OrdinalTrainer(name="ordinal", weight=0.5)) == 0.5


def test_it_learns():
    game = make_game("matching", n=6)
    rule = rule_of(6, seed=0, width=16, rounds=3)
    settings = OrdinalTrainer(name="ordinal", updates=120, weight=1.0, learning_rate=0.02)
    learner = Learner(rule.network, Markets(game, 4, 1, 0, "cpu"), settings, "stability", Muon)
    before = measured(game, rule_by_parts(rule), 200, [0])
    for number in range(1, 121):
        learner.update(number)
    after = measured(game, rule_by_parts(rule), 200, [0])
    priority = measured(game, lambda *sides: RULES["random_priority"](*sides, [1] * 3), 200, [0])
    assert after["stability"].mean() < min(before["stability"].mean() / 4, priority["stability"].mean() / 2)
    assert after["stability"].mean() + after["regret"].mean() < before["stability"].mean() / 2


@pytest.mark.parametrize("changes", [[], ["trainer.target=0.02", "trainer.lagrangian.every=3", "game.correlation=0.5"]])
def test_resumed_it_ends_as_if_it_had_not_been_interrupted(changes, undrawn, interrupted_and_whole, monkeypatch):
    def weights(game, mechanism, *how):
        return {"weights": {name: numbers.tolist() for name, numbers in mechanism.network.state_dict().items()}}

    monkeypatch.setattr(train, "judge", weights)
    _, logged = interrupted_and_whole("matching", [*QUICK, *changes])
    assert logged == [4, 8]


def test_a_run_stands_beside_known_rules(tmp_path):
    _, summary = launch.train("matching", [*QUICK, f"run_dir={tmp_path / 'run'}"])
    rules, own = summary["rules"], summary["rules"]["learned"]
    assert next(iter(rules)) == "learned" and summary["profiles"] == own["stability"].n == 20
    assert rules["deferred_acceptance"]["stability"].mean == 0 < rules["deferred_acceptance"]["regret"].mean
    assert rules["random_priority"]["regret"].mean == pytest.approx(0, abs=1e-12)
    trading = rules["top_trading_cycles"]
    assert trading["more_stable"].mean == pytest.approx(trading["stability"].mean - own["stability"].mean)
    assert trading["less_regret"].mean == pytest.approx(trading["regret"].mean - own["regret"].mean)
    assert summary["sides"]["2"]["audited"] == 2 and summary["sides"]["2"]["regret"].n == 20
    two = summary["sides"]["2"]["known"]
    assert set(two) == set(rules) - {"learned"} and {each["audited"] for each in two.values()} == {2}
    assert two["deferred_acceptance"]["stability"].mean == 0 and two["random_priority"]["regret"].mean < 1e-12
    assert [*next(table.rows for table in tables_of(summary) if table.keys == ("sides",))][:2] == [
        "2",
        "2, deferred acceptance",
    ]
    assert {path.name for path in (tmp_path / "run" / "figures").iterdir()} == {"curves.png", "standing.png"}
    assert evaluate(tmp_path / "run")["rules"]["learned"]["stability"] != own["stability"], "in other markets"


def test_one_of_each_side_stands_for_all_where_lists_are_many():
    game, rule = make_game("matching", n=12), rule_of(6, width=8, rounds=1)
    found = of_side(game, rule_by_parts(rule), 20, [0])
    assert found["audited"] == 1 and found["regret"].n == 20 and found["regret"].mean > 0
    beside = {name: each["audited"] for name, each in found["known"].items()}
    assert beside == {name: int(name != TRUTHFUL) for name in beside} and TRUTHFUL in beside
    trading, lists = partial(known, "top_trading_cycles", [1] * 6), all_reports(6, 6)
    mean = measured(game, trading, 20, [0], lists, agents=1)["regret"].mean()
    assert found["known"]["top_trading_cycles"]["regret"].mean == pytest.approx(mean) and mean > 0
    assert found["known"][TRUTHFUL]["regret"].mean == 0 < found["known"][TRUTHFUL]["stability"].mean
    _, _, values, priorities = markets_of(8, 3)
    few, all_ = (truthfulness_violation(rule.shares, values, priorities, agents=agents) for agents in (1, None))
    for side, whole in itertools.zip_longest(few, all_):
        assert side == pytest.approx(whole[:, :1])


def test_many_lists_are_tried_in_fewer_markets(monkeypatch):
    monkeypatch.setattr(matching, "TRIED_IN_GAME", 4 * 5 * 7)  # two on each side have 5 lists each
    settings = OrdinalTrainer(name="ordinal", evaluation={"profiles": 20})
    found = judge(make_game("matching", n=4), rule_of(4, width=4, rounds=1), settings, [0])
    assert found["profiles"] == 7 == found["rules"]["learned"]["regret"].n


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["game.objective=welfare"], UnsupportedGameError, "game.objective is 'welfare', allowed: stability"),
        (
            ["game.market=[tests/data/votes/nurses.soi, tests/data/votes/wards.toi]", "game.sides=two", "game.n=6"],
            UnsupportedGameError,
            "learns from lists that are drawn: game.market is",
        ),
        (["game.n=12"], UnsupportedGameError, "tries all lists: game.n is 12, allowed: 10 at most"),
        (["game.sides=one"], UnsupportedGameError, "trainer 'ordinal' matches two sides that both report"),
        (["trainer.profiles=all"], ParameterError, "trainer.profiles is 'all', allowed with matching: sampled"),
        (["trainer.evaluation.voters=[3]"], ParameterError, "allowed with matching: trainer.evaluation.sides"),
        (["trainer.evaluation.sides=[8]"], ParameterError, "trainer.evaluation.sides has 8, allowed: 7 at most"),
    ],
)
def test_what_cannot_be_trained_is_refused_at_once(overrides, error, message, tmp_path):
    with pytest.raises(error, match=message):
        launch.train("matching", [*QUICK, *overrides, f"run_dir={tmp_path / 'run'}"])
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_sides_are_no_setting_of_elections(tmp_path):
    with pytest.raises(ParameterError, match=r"trainer.evaluation.sides is given, allowed with matching alone"):
        launch.train("voting", ["trainer.evaluation={sides: [3]}", f"run_dir={tmp_path / 'run'}"])
