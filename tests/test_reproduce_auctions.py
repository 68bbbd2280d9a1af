"""The tables of `lawgiver reproduce auctions`: known equilibria, learners of bids, reserves, and collusion."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lawgiver.trainers.bidding.judge import Judged
from lawgiver.trainers.regret_net import evaluation as regret_net_evaluation
from lawgiver.trainers.reproduce import (
    auction_collusion,
    auction_equilibria,
    auction_learners,
    auction_llg,
    auction_menus,
    auction_payments,
    auctions,
    reproduce,
)
from lawgiver.trainers.reproduce.auction_equilibria import SETTINGS, Setting, apart, played
from lawgiver.trainers.reproduce.auction_learners import FORMATS, Learned, in_tables
from lawgiver.trainers.reproduce.runs import saved
from lawgiver.trainers.statistics.estimate import Estimate


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auction_equilibria, "GAMES", 2**14)
    monkeypatch.setattr(auction_learners, "DRAWS", 2**16)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_known_equilibria_are_what_the_rules_pay(setting: Setting):
    (row,) = auction_equilibria.rows((setting,))
    assert 0 <= row["furthest apart, standard errors"] <= 4
    assert row["revenue, played"].standard_error is None or row["revenue, played"].standard_error < 0.02


def test_a_closed_form_that_is_a_tenth_off_is_noticed():
    game = SETTINGS[0].make()
    found = played(game, np.zeros(1))
    assert apart(found.revenue, 1 / 3) < 4 < apart(found.revenue, 1.1 / 3)
    assert apart(Estimate(0.0, 0.0, 0.0, 0.0, 2, "normal"), 0.0) == 0


def test_wrong_figures_of_coinciding_locals_are_explained():
    rows = {row["rule"]: row for row in auction_llg.rows()}
    for rule, right in {"nearest vcg": 4 / 27, "nearest bid": 1 / 8}.items():
        row = rows[rule]
        assert row["closed form"] == pytest.approx(right, abs=1e-12)
        assert row["enumerated"] == pytest.approx(right, abs=1e-6)
        assert row["bid counted as value"] == pytest.approx(row["in circulation"], abs=5e-5)


@pytest.mark.parametrize(("number", "levels"), [(0, 129), (3, 129), (6, 193)])
def test_exact_equilibria_are_near_the_closed_form(number: int, levels: int):
    """First price, second price and all-pay of two bidders: L2 at most .004, loss at most .3 %."""
    name, exact = next(in_tables(replace(FORMATS[number], levels=levels)))
    assert name.startswith("exact") and exact.in_table < 1e-3
    assert exact.judged.l2 <= 0.004 and exact.judged.relative_loss[1] <= 0.003


def test_learners_in_tables_come_near():
    rough = replace(FORMATS[0], levels=33)
    found = dict(in_tables(rough))
    assert [name.split(",")[0] for name in found] == ["exact equilibrium", "fictitious play", "dual averaging"]
    assert all(each.judged.l2 < 0.02 and each.judged.relative_loss[1] < 0.03 for each in found.values())
    rows = list(auction_learners.rows({name: [each] for name, each in found.items()}))
    assert rows[0]["L2"] == found[rows[0]["learner"]].judged.l2


def test_the_group_that_is_told_of():
    def group(seats: tuple[int, ...], loss: float) -> Judged:
        return Judged(seats, 1.0, (0.0, loss), None, None, "bins")

    judgement = auction_learners.Judgement((group((0, 1), 0.1), group((2,), 0.9)), 64)
    assert auction_learners.told(judgement).seats == (0, 1)
    judgement = auction_learners.Judgement((group((0,), 0.1), group((1,), 0.2)), 64)
    assert auction_learners.told(judgement).seats == (1,)


@pytest.fixture
def few_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    few = ("trainer.sessions=3", "trainer.stable_for=1000", "agents.participants.exploration_decay=2e-3")
    prices, moves = "game.n_prices=3", ("iterations=2", "updates_per_evaluation=1", "grid=2")
    changes = {each.key: [x for x in each.overrides if "decay" not in x] for each in auction_collusion.FIRMS}
    firms = [
        replace(each, overrides=(*changes[each.key], *few, prices))
        for each in auction_collusion.FIRMS
        if each.key in auction_collusion.SHOWN
    ]
    steering = "game.announced=[steering]"
    regulated = [
        replace(each, overrides=(*more, *few, prices, *(f"agents.mechanism.{move}" for move in moves)))
        for each, more in zip(auction_collusion.REGULATED[::2], [(), (steering,)], strict=True)
    ]
    auction = replace(
        auction_collusion.AUCTIONS[0],
        overrides=(
            *few[:2],
            "agents.mechanism.given.policy=no_reserve",
            *few[2:],
            "agents.participants.memory=false",
            "agents.participants.discount=0",
        ),
    )
    monkeypatch.setattr(auction_collusion, "FIRMS", tuple(firms))
    monkeypatch.setattr(auction_collusion, "REGULATED", tuple(regulated))
    monkeypatch.setattr(auction_collusion, "AUCTIONS", (auction,))


def test_collusion_in_small(tmp_path: Path, few_sessions: None):
    """Every row is filled, and what is known stands beside what was learned."""
    runs = auction_collusion.trained(tmp_path, jobs=1)
    firms, regulators, bidders = auction_collusion.comparisons(runs).values()
    assert [row["firms"] for row in firms] == [each.name for each in auction_collusion.FIRMS]
    assert firms[0]["reported"] == "about 0.85" and all(row["profit gain"].n == 3 for row in firms)
    assert firms[2]["rival's answer"] == 0, "no memory"
    known = {row["regulation"]: row["consumer surplus"] for row in regulators}
    assert known["none, Nash equilibrium of a round"] == pytest.approx(0.715098, abs=1e-6)
    assert known["ceiling: prices at cost"] == pytest.approx(1.175566, abs=1e-6)
    assert known["price cap, best of a grid"].mean == pytest.approx(1.175566, abs=1e-6)
    assert 0 <= bidders[0]["revenue"].mean <= 0.95
    (drawn,) = saved(tmp_path, auction_collusion.figures(runs))
    assert drawn.stat().st_size > 5_000


@pytest.fixture
def few_menus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two small auctions be learned shortly, one of them by a network as well."""
    tiny = ("trainer.updates=20", "trainer.batch=64", "trainer.evaluation.profiles=2000")
    network = ("trainer.updates=4", "trainer.batch=64", "trainer.samples=64", "trainer.evaluation.instances=4")
    settings = [
        replace(auction_menus.SETTINGS[0], menu=tiny, network=network),
        replace(auction_menus.SETTINGS[-1], menu=(*auction_menus.FEW, *tiny)),
    ]
    monkeypatch.setattr(auction_menus, "SETTINGS", tuple(settings))
    monkeypatch.setattr(auction_menus, "AUDITED", 4)
    monkeypatch.setattr(regret_net_evaluation, "MEASURED", 2_000)


def test_optimal_auctions_in_small(tmp_path: Path, few_menus: None):
    runs, times = auction_menus.trained(tmp_path, n_seeds=1, jobs=1)
    (rows,) = auction_menus.comparisons(runs).values()
    menu, network, item = rows
    assert [row["auction"].split(": ")[1] for row in rows] == ["menu", "RegretNet", "menu"]
    assert menu["optimum"] == network["optimum"] == pytest.approx(0.5492, abs=1e-4)
    assert item["optimum"] == pytest.approx(2.2976, abs=1e-4)
    assert menu["regret a bidder"].mean <= 1e-9 < network["regret a bidder"].mean
    assert menu["when gamed"].mean == pytest.approx(menu["claimed"].mean, abs=1e-9)
    assert 0 < menu["share of the optimum"].mean < 1
    assert menu["item"] == pytest.approx(0.5, abs=0.05) and menu["VCG"] == 0
    assert times[0].quantity.startswith("seconds that 3 trainings took of auctions")
    (drawn,) = saved(tmp_path, auction_menus.figures(runs))
    assert drawn.stat().st_size > 5_000


def test_all_tables_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(auction_menus, "SETTINGS", ())
    monkeypatch.setattr(auction_menus, "comparisons", lambda runs: {auction_menus.TITLE: [{"auction": "none"}]})
    told = {"F": [{"firms": "two", "profit gain": 0.5}]}
    for name, made in {"trained": {}, "comparisons": told, "figures": ()}.items():
        monkeypatch.setattr(auction_collusion, name, lambda *args, made=made: made)
    rough = replace(FORMATS[0], levels=33)
    monkeypatch.setattr(auction_equilibria.rows, "__defaults__", (SETTINGS[:2],))
    monkeypatch.setattr(auctions, "FORMATS", (rough,))
    trained = Learned(Judged((0, 1), 1 / 6, (0.0, 1e-3), 0.01, 0.01, "best_bid"), seconds=1.0)
    monkeypatch.setattr(auctions, "by_networks", lambda *args: ({rough.name: {"network": [trained, trained]}}, ()))
    small = ("trainer.iterations=2", "game.n_bids=9", "trainer.log_every=1")
    usual = auctions.learned_reserves.__globals__["overrides"]
    monkeypatch.setitem(auctions.learned_reserves.__globals__, "overrides", lambda *args: (*usual(*args), *small))
    one = {"pricings": ("first",), "levels": (30.0,)}
    best, learned = auctions.best_reserves, auctions.learned_reserves
    monkeypatch.setattr(auctions, "best_reserves", lambda: best(**one, n_bids=9))
    monkeypatch.setattr(auctions, "learned_reserves", lambda folder, jobs: learned(folder, jobs, **one))
    small_payments(monkeypatch)
    made = reproduce("auctions", tmp_path, seeds=1)
    assert [len(rows) for rows in made.comparisons.values()] == [2, 2, 4, 1, 1, 2, 2, 1]
    assert (tmp_path / "payments.png").stat().st_size > 20_000 < (tmp_path / "payment_formats.png").stat().st_size
    assert (tmp_path / "reserves.png").stat().st_size > 5_000
    assert "| network |" in made.markdown() and "| first price, 30 |" in made.markdown()
    assert json.loads((tmp_path / "table.json").read_text())["title"] == auctions.TITLE


QUICK = {"n_bids": 11, "rounds": 400, "learning_rate": 0.5}


def small_payments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let fewer agents learn for a shorter time, and the seller of the packaged config in a few iterations."""
    stages = tuple(
        auction_payments.Stage(each.name, {**each.params, **QUICK})
        for each in auction_payments.STAGES
        if each.game.is_auction
    )[:2]
    short = ("trainer.iterations=2", "trainer.log_every=1", "game.n_bids=6", "game.rounds=40", "game.menu=[0,0.1]")
    answers = {
        name: (*overrides, *short)
        for name, overrides in auction_payments.ANSWERS.items()
        if "second price" in name or not overrides
    }
    monkeypatch.setattr(auction_payments.rows, "__defaults__", (stages,))
    monkeypatch.setattr(auction_payments.learned_answers, "__defaults__", (answers,))
    monkeypatch.setattr(auction_payments.figures, "__defaults__", (stages,))
    monkeypatch.setattr(auction_payments, "MIXES", np.linspace(0, 1, 3))


def test_payments_are_collusive_and_to_pay_nothing_is_not_stable():
    stages = [auction_payments.Stage(each.name, {**each.params, **QUICK}) for each in auction_payments.STAGES[:4]]
    found = list(auction_payments.rows(stages))
    assert all(row["best payment alone gains"] > 0.05 for row in found)
    assert [row["share of revenue left"] < 0.1 for row in found[:2]] == [True, True]
    assert all(row["share of revenue left"] < 0.5 for row in found)
    assert all(row["a deviation gains"] <= 0.002 for row in found)
    total = [row["equilibrium: first gets"] + row["second gets"] for row in found]
    assert all(after > row["nobody pays: first"] + row["second"] for row, after in zip(found, total, strict=True))
