"""What several test files need."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine

from lawgiver.envs.core import registry
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_game
from lawgiver.envs.families.auction_game import AuctionGame
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.ray_cluster import start_ray
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.settings.base import Resources

os.environ.setdefault("RAY_worker_niceness", "0")
"""Ray's workers are nice by default: beside other work on the machine they would get next to nothing of it."""

WALK = """\
game:
  name: taxed_dilemma
agents: {}
trainer:
  name: walk
"""


@cache
def starts_ray(file: Path) -> bool:
    """Whether tests of a file use Ray, by :func:`ray_cluster`."""
    return file.suffix == ".py" and "ray_cluster" in file.read_text()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep a file's tests in one process, and all that start Ray in the same: two at once would starve each other."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "ray" if starts_ray(config.rootpath / file) else file

    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what starts Ray in one go."""
    items.sort(key=lambda item: not starts_ray(item.path))


@pytest.fixture
def ray_cluster() -> None:
    """Start one Ray for all tests that need it, which takes seconds."""
    start_ray(Resources(num_env_runners=2, num_learners=2))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Any:
    """Stop Ray after the last test that needs it."""
    try:
        return (yield)
    finally:
        if "ray" in sys.modules and starts_ray(item.path) and not (nextitem and starts_ray(nextitem.path)):
            sys.modules["ray"].shutdown()


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the fake trainer as a third party's package; return the folder that is on the path.

    Processes that a test starts find it too, but no torch: it would take them seconds to import.
    """
    site = tmp_path / "site"
    info = site / "fake_trainer-1.0.dist-info"
    info.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("fake_trainer.py"), site / "fake_trainer.py")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-trainer\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lawgiver.trainers]\nwalk = fake_trainer:train\n")
    monkeypatch.syspath_prepend(str(site))
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "torch.py").write_text("raise ModuleNotFoundError('no torch', name='torch')\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'bare'}{os.pathsep}{site}")
    registry._entries.cache_clear()
    yield site
    registry._entries.cache_clear()
    sys.modules.pop("fake_trainer", None)


@pytest.fixture(scope="module")
def install(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], Path]]:
    """Install packages, given by their source, into a folder on the path of this process and of those it starts."""
    site = tmp_path_factory.mktemp("site")
    before, modules = os.environ.get("PYTHONPATH"), set(sys.modules)

    def install(source: Path) -> Path:
        copy = tmp_path_factory.mktemp("source")
        shutil.copytree(source, copy, dirs_exist_ok=True)
        options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(site)]
        subprocess.run([sys.executable, "-m", "pip", "install", *options, str(copy)], check=True)
        registry._entries.cache_clear()
        return site

    sys.path.insert(0, str(site))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(site), before or ""])
    yield install
    sys.path.remove(str(site))
    os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)
    registry._entries.cache_clear()
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(site)):
            del sys.modules[name]


@pytest.fixture
def walk(plugin: Path, tmp_path: Path) -> Path:
    """Return the config of a training by the fake trainer."""
    file = tmp_path / "walk.yaml"
    file.write_text(WALK)
    return file


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the figures of trainings, which take most of the time of a short one."""
    monkeypatch.setattr(launch, "_draw", lambda run, summary: None)


settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")  # no property holds or fails by how long it takes to look at it

GAMES = {
    "public_investment": ("public_investment", {}),
    "public_investment-announce": ("public_investment", {"mechanism_mode": "announce"}),
    "public_investment-game_long_rule": (
        "public_investment",
        {"mechanism_mode": "announce", "announce_every": "game", "participant_observation": "rule", "n_rounds": 3},
    ),
    "public_investment-manifold": (
        "public_investment",
        {"mechanism_mode": "announce", "rule_family": "manifold", "objective": "surplus", "endowments": [10, 4, 4, 4]},
    ),
    "public_investment-two": ("public_investment", {"endowments": [3, 1], "objective": "rawlsian", "n_rounds": 4}),
    "public_investment-nine": ("public_investment", {"endowments": [[7] * 9, list(range(1, 10))], "multiplier": 2.5}),
    "taxed_dilemma": ("taxed_dilemma", {}),
    "taxed_dilemma-allocate": ("taxed_dilemma", {"mechanism_mode": "allocate", "objective": "surplus"}),
    "taxed_dilemma-endless": ("taxed_dilemma", {"continuation": 1.0, "max_rounds": 5}),
    "election": ("election", {"base": {"name": "public_investment", "n_rounds": 3}}),
    "election-three": (
        "election",
        {"base": {"name": "public_investment", "n_rounds": 2, "endowments": [[3, 1], [2, 2]]}, "n_mechanisms": 3},
    ),
    "election-taxed_dilemma": (
        "election",
        {"base": {"name": "taxed_dilemma", "max_rounds": 4}, "participants": "random", "voters": "random"},
    ),
    "goal_collection": ("goal_collection", {"n": 3, "size": 4, "horizon": 12}),
    "goal_collection-weights": (
        "goal_collection",
        {"n": 8, "size": 3, "horizon": 9, "discount": 0.7, "weights": [1, 2, 0.5, 1, 1, 1, 3, 1]},
    ),
    "repeated_allocation": ("repeated_allocation", {}),
    "repeated_allocation-announce": (
        "repeated_allocation",
        {"stage": {"n": 2, "m": 3, "mechanism_mode": "announce", "present": 0.6}, "rounds": 2},
    ),
    "repeated_allocation-game_long_rule": (
        "repeated_allocation",
        {
            "stage": {"n": 3, "m": 1, "mechanism_mode": "announce", "objective": "welfare", "weights": [1, 2, 1]},
            "rounds": 3,
            "announce_every": "game",
            "demand_factors": [1, 1.5],
        },
    ),
    "repeated": ("repeated", {}),
    "repeated-game_long_rule": (
        "repeated",
        {
            "stage": {"name": "voting", "preset": "on_a_line", "n": 3, "m": 3, "mechanism_mode": "announce"},
            "rounds": 3,
            "announce_every": "game",
        },
    ),
    "selfish_routing": ("selfish_routing", {}),
    "selfish_routing-pigou": ("selfish_routing", {"n": 3, "network": "pigou", "tolled": ["s-t#1"], "box": 2.0}),
    "selfish_routing-two_pairs": (
        "selfish_routing",
        {
            "n": 4,
            "network": {
                "edges": [["a", "t", [0, 2]], ["a", "b", [0.25]], ["b", "t", [0.5, 0, 1]], ["a", "t", [1.5]]],
                "demands": [["a", "t", 0.75], ["b", "t", 0.25]],
            },
        },
    ),
    "supply_demand": ("supply_demand", {}),
    "supply_demand-two_homes": (
        "supply_demand",
        {"n": 5, "demand": [1.5, 3], "homes": [0.6, 0.4], "travel": [[0, 0.5], [0.4, 0.1]], "box": 0.3},
    ),
    "lanes": ("lanes", {}),
    "lanes-full": ("lanes", {"n": 20, "agent_objective": "full", "degree": 3, "basis": "raw", "constant": 0.2}),
    "lanes-blind": ("lanes", {"n": 3, "agent_objective": "blind", "payment_on": "u", "n_moves": 5}),
    "lanes-any_move": ("lanes", {"n": 2, "n_moves": None, "payment_on": "x0", "degree": 1}),
    "measured_effort": ("measured_effort", {}),
    "measured_effort-levels": (
        "measured_effort",
        {"n": 3, "worth": [1, 0.5, -0.2], "tests": [[1, 0, 1], [0, 2, -1]], "levels": 4, "box": 0.7},
    ),
    "multi_item_auction": ("multi_item_auction", {}),
    "multi_item_auction-announce": (
        "multi_item_auction",
        {"n": 2, "m": 3, "mechanism_mode": "announce", "entries": 5, "high": "i"},
    ),
    "multi_item_auction-unit": (
        "multi_item_auction",
        {"n": 3, "m": 2, "demand": "unit", "distribution": "exponential", "objective": "welfare"},
    ),
    "multi_item_auction-one_bidder": (
        "multi_item_auction",
        {"n": 1, "m": 2, "demand": "unit", "low": 2.0, "high": 3.0, "mechanism_mode": "announce"},
    ),
    "multi_item_auction-one_item": ("multi_item_auction", {"preset": "irregular_item"}),
    "multi_item_auction-triangle": ("multi_item_auction", {"n": 2, "distribution": "triangle", "high": 3.0}),
    "payment_free_allocation": ("payment_free_allocation", {}),
    "payment_free_allocation-announce": (
        "payment_free_allocation",
        {"n": 3, "m": 2, "mechanism_mode": "announce", "objective": "efficiency", "weights": [1, 2, 0.5]},
    ),
    "payment_free_allocation-sparse": (
        "payment_free_allocation",
        {"n": 4, "m": 1, "supply": [0.7], "present": 0.4, "value_high": 9.0, "value_beta": [2, 5]},
    ),
    "matching": ("matching", {"n": 6}),
    "matching-announce": (
        "matching",
        {"n": 4, "mechanism_mode": "announce", "objective": "welfare", "correlation": 0.5},
    ),
    "matching-schools": ("matching", {"preset": "schools", "n": 5, "m": 3, "capacities": [2, 1, 1]}),
    "matching-given": (
        "matching",
        {"sides": "one", "n": 3, "m": 2, "priorities": [[0, 2, 1], [1, 0, 2]], "mechanism_mode": "announce"},
    ),
    "voting": ("voting", {}),
    "voting-announce": (
        "voting",
        {"n": 4, "m": 4, "mechanism_mode": "announce", "ballot": "score", "culture": "euclidean", "objective": "nash"},
    ),
    "voting-on_a_line": ("voting", {"preset": "on_a_line", "ties": "first", "objective": "agreement"}),
    "voting-approval": ("voting", {"preset": "approval", "objective": "least"}),
    "payment_policies": ("payment_policies", {"values": [4, 2], "rounds": 24, "n_bids": 11, "menu": [0, 0.5, 2]}),
    "payment_policies-first_price": (
        "payment_policies",
        {
            "stage": "first_price",
            "values": [2, 1.9],
            "announced": ["reserve", "mix", "tax"],
            "rounds": 16,
            "n_bids": 6,
            "menu": [0.2],
            "learner": "regret_matching",
            "objective": "welfare",
        },
    ),
    "payment_policies-dilemma": (
        "payment_policies",
        {
            "stage": "prisoners_dilemma",
            "menu": [0, 1, 2.1, 3],
            "learner": "multiplicative_weights",
            "learning_rate": 0.1,
            "rounds": 24,
            "objective": "surplus",
        },
    ),
    "payment_policies-uneven": (
        "payment_policies",
        {"stage": [[[2, -1], [0, 3]], [[1, 0], [4, 2]]], "menu": [0, 1, 4], "rounds": 16},
    ),
    "sequential_sales": ("sequential_sales", {}),
    "sequential_sales-allocate": (
        "sequential_sales",
        {"n": 2, "m": 3, "high": "1/i", "mechanism_mode": "allocate", "objective": "welfare"},
    ),
    "sequential_sales-piecewise": ("sequential_sales", {"n": 1, "types": "piecewise", "masses": [0.5, 0.1, 0.4]}),
    "gridworld": ("gridworld", {}),
    "gridworld-walls": ("gridworld", {"n": 3, "m": 2, "edges": "walls", "high": "1/i", "discount": 0.5}),
    "gridworld-allocate": ("gridworld", {"m": 2, "mechanism_mode": "allocate", "objective": "welfare"}),
    "task_scheduling": ("task_scheduling", {}),
    "task_scheduling-allocate": (
        "task_scheduling",
        {"n": 3, "m": 2, "low": 0.5, "high": "3i", "clock": "clamped", "mechanism_mode": "allocate"},
    ),
    "task_scheduling-revenue": ("task_scheduling", {"m": 3, "objective": "revenue", "clock": "none"}),
    "tabular_mdp": ("tabular_mdp", {}),
    "tabular_mdp-horizon": (
        "tabular_mdp",
        {
            "n": 3,
            "transitions": [[0, 1], [1, 0]],
            "features": [[[[0, 1], [1, 0]]], [[[1, 0], [-1, 2]]], [[[0, 0], [0, 3]]]],
            "start": [0.25, 0.75],
            "horizon": 4,
            "high": "1/i",
            "objective": "welfare",
            "mechanism_mode": "allocate",
        },
    ),
    "bimatrix": ("bimatrix", {}),
    "bimatrix-allocate": (
        "bimatrix",
        {"payoffs": [[[3, 1], [0, 2], [-1, 4]], [[1, 1], [2, 0], [5, -2]]], "rounds": 3, "mechanism_mode": "allocate"},
    ),
    "matrix": ("matrix", {"rounds": 4}),
    "matrix-three": (
        "matrix",
        {"payoffs": [[[[3, 1]], [[0, 2]]], [[[1, 0]], [[2, 5]]], [[[0, 4]], [[1, -2]]]], "rounds": 3},
    ),
    "matrix-shapley": ("matrix", {"preset": "shapley", "rounds": 2}),
    "sealed_bid": ("sealed_bid", {}),
    "sealed_bid-everything_announced": (
        "sealed_bid",
        {
            "n": 4,
            "pricing": "next",
            "announced": ["reserve", "entry_fee", "mix", "squash", "handicaps"],
            "slots": [1, 0.6, 0.2],
            "quality": [1, 0.8, 0.8, 0.5],
            "values": [[0, 1], [0, 2], [1, 2], [0.5, 3]],
            "objective": "surplus",
        },
    ),
    "sealed_bid-levels": (
        "sealed_bid",
        {"n": 9, "pricing": "vcg", "slots": [1] * 8 + [0.5], "masses": [2, 1], "n_bids": 17, "objective": "welfare"},
    ),
    "sealed_bid-risk_averse": ("sealed_bid", {"n": 3, "risk_aversion": 0.5, "pricing": "skip"}),
    "sealed_bid-mineral_rights": ("sealed_bid", {"preset": "mineral_rights", "announced": ["mix"]}),
    "sealed_bid-affiliated": (
        "sealed_bid",
        {"information": "affiliated", "announced": ["entry_fee"], "pricing": "all_pay", "n_bids": 5},
    ),
    "divisible_good": ("divisible_good", {}),
    "divisible_good-full": ("divisible_good", {"n": 3, "agent_objective": "full", "prices": "flat", "recovery": 1.0}),
    "divisible_good-one_round": (
        "divisible_good",
        {"rounds": 1, "appetite": 4, "ration": 4, "opening": [0, 0.1, 0.2, 0.3, 0.4]},
    ),
    "combinatorial_auction": ("combinatorial_auction", {}),
    "combinatorial_auction-grid": (
        "combinatorial_auction",
        {"pricing": "first", "correlation": 0.5, "n_bids": 5, "high": [2, 2, 4]},
    ),
    "combinatorial_auction-llllgg": ("combinatorial_auction", {"preset": "llllgg", "objective": "welfare"}),
    "combinatorial_auction-uneven": (
        "combinatorial_auction",
        {
            "n": 4,
            "bundles": [[[1], [2]], [[2, 3]], [[1, 2], [3], [4]], [[4]]],
            "high": [1, 2, 1.5, 1],
            "pricing": "first",
        },
    ),
    "commons_trust": ("commons_trust", {}),
    "commons_trust-continuum": (
        "commons_trust",
        {"n": 2, "first_pool": 7.5, "capacity": 12, "growth": 1.1, "integer_returns": False, "objective": "rawlsian"},
    ),
    "commons_trust-announce": (
        "commons_trust",
        {
            "n": 3,
            "mechanism_mode": "announce",
            "n_rounds": 8,
            "integer_returns": False,
            "objective": "log_nash_welfare",
        },
    ),
    "commons_trust-game_long_rule": (
        "commons_trust",
        {
            "mechanism_mode": "announce",
            "announce_every": "game",
            "capacity": 40,
            "first_pool": 30,
            "continuation": 0.7,
            "min_rounds": 3,
        },
    ),
    "double_auction": ("double_auction", {}),
    "double_auction-many": ("double_auction", {"n": 5, "sellers": 2, "high": 3.0, "n_bids": 9}),
    "double_auction-mcafee": (
        "double_auction",
        {"n": 7, "sellers": 4, "pricing": "mcafee", "objective": "revenue"},
    ),
    "online_allocation": ("online_allocation", {"rounds": 6}),
    "online_allocation-nash": (
        "online_allocation",
        {"n": 3, "criterion": "nash", "query": "any_pair", "questions": 2, "rounds": 5},
    ),
    "online_allocation-entitlements": (
        "online_allocation",
        {"n": 2, "entitlements": [1, 0.5], "questions": 2, "means": [[0.2, 0.9], [0, 1]], "rounds": 9},
    ),
    "online_allocation-stability": (
        "online_allocation",
        {"n": 3, "criterion": "stability", "query": "any_pair", "questions": 3, "rounds": 4},
    ),
    "online_allocation-payments": ("online_allocation", {"n": 3, "rounds": 3, "payments": True}),
    "online_allocation-envy": ("online_allocation", {"n": 5, "criterion": "envy", "rounds": 3}),
    "preference_aggregation": ("preference_aggregation", {}),
    "preference_aggregation-announce": (
        "preference_aggregation",
        {"n": 3, "mechanism_mode": "announce", "rewards": "linear", "feedback": "pairs", "objective": "revenue"},
    ),
    "preference_aggregation-rankings": (
        "preference_aggregation",
        {"n": 4, "replies": 3, "feedback": "ranking", "payments": False, "rewards": "groups", "objective": "least"},
    ),
    "preference_aggregation-comparisons": (
        "preference_aggregation",
        {"n": 3, "reference_policy": [0.5, 0.3, 0.2], "feedback": "pairs", "comparisons": 3, "rewards": "gaussian"},
    ),
    "preference_aggregation-language": ("preference_aggregation", {"preset": "language", "feedback": "pairs"}),
    "preference_aggregation-goodhart": ("preference_aggregation", {"preset": "goodhart_features"}),
    "price_competition": ("price_competition", {"rounds": 6}),
    "price_competition-unequal": (
        "price_competition",
        {
            "n": 3,
            "quality": [2.0, 2.0, 1.5],
            "cost": [1.0, 1.2, 0.8],
            "announced": ["price_cap", "unit_tax", "steering"],
            "n_prices": 4,
            "rounds": 4,
            "objective": "welfare",
        },
    ),
}
"""The games that every suite-wide test is run on: each registered game, with parameters that change its course."""


@pytest.fixture(params=GAMES, scope="session")
def game(request: pytest.FixtureRequest) -> Game:
    """Return one game after the other."""
    name, params = GAMES[request.param]
    return make_game(name, **params)


@pytest.fixture
def all_games() -> dict[str, tuple[str, dict[str, object]]]:
    """Return the games that the suite covers, by label."""
    return GAMES


@pytest.fixture
def played() -> Callable[[AuctionGame, Sequence[float]], np.ndarray]:
    """Known equilibria of auctions on their grids of bids: bids are shared by the two levels on either side."""

    def table(game: AuctionGame, w: Sequence[float]) -> np.ndarray:
        subgame: Any = game.subgame
        rows = []
        for group, levels in zip(subgame.groups, subgame.types, strict=True):
            bids: Any = replace(game, n_bids=None).equilibrium_bids(w, group.seats[0])
            at = bids(levels) / group.step
            below = np.minimum(at.astype(int), subgame.n_bids - 2)
            eye = np.eye(subgame.n_bids)
            rows.append(eye[below] * (1 - (at - below))[:, None] + eye[below + 1] * (at - below)[:, None])
        return np.concatenate(rows)[None]

    return table


@pytest.fixture
def interrupted_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Mapping[str, Any], list[int]]]:
    """A check that a training which is interrupted and resumed ends as the whole one, to the last digit.

    It is interrupted after the checkpoint of its fifth update, or before a method of a class is called with a number:
    ``before=(Learner, "update", 17)``. The runs are the folders ``whole`` and ``parts``. Returns the summary, and the
    updates that were logged.
    """

    def timeless(told: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in told.items() if key not in ("timing", "commit")}

    def check(
        config: str, changes: Sequence[str], before: tuple[type, str, int] | None = None
    ) -> tuple[Mapping[str, Any], list[int]]:
        _, whole = launch.train(config, [*changes, f"run_dir={tmp_path / 'whole'}"])
        owner, method, stop = before or (TrainingRun, "save_checkpoint", 5)
        original = getattr(owner, method)

        def interrupted(self: Any, number: int, *rest: Any) -> Any:
            if before and number == stop:
                raise KeyboardInterrupt
            result = original(self, number, *rest)
            if number == stop:
                raise KeyboardInterrupt
            return result

        with monkeypatch.context() as patch, pytest.raises(launch.Interrupted):
            patch.setattr(owner, method, interrupted)
            launch.train(config, [*changes, f"run_dir={tmp_path / 'parts'}"])
        _, resumed = launch.resume(tmp_path / "parts")
        assert timeless(resumed) == timeless(whole)
        lines = [
            [timeless(json.loads(line)) for line in (tmp_path / part / "metrics.jsonl").read_text().splitlines()]
            for part in ("whole", "parts")
        ]
        assert lines[0] == lines[1]
        return whole, [line["iteration"] for line in lines[0]]

    return check


@pytest.fixture
def slopes_agree() -> Callable[[Sequence[Any], Callable[[], Any]], None]:
    """A check that the gradient of a loss in each of its parameters, float64, is that of central differences."""
    import torch

    from lawgiver.trainers.statistics.streams import torch_generator

    def check(parameters: Sequence[Any], loss: Callable[[], Any]) -> None:
        for parameter, slope in zip(parameters, torch.autograd.grad(loss(), list(parameters)), strict=True):
            direction = torch.randn(parameter.shape, generator=torch_generator("cpu", 0, 5)).double()
            ends = []
            for step in (1e-5, -1e-5):
                with torch.no_grad():
                    parameter.add_(step * direction)
                    ends.append(float(loss()))
                    parameter.sub_(step * direction)
            assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(float((slope * direction).sum()), rel=1e-3, abs=1e-7)

    return check


@dataclass
class Served:
    """A game that is served: by whom it is played, and where."""

    solo: Any
    port: int
    stop: Callable[[], None]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start the system's browser."""
    from browsers import chromium

    with chromium() as started:
        yield started


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open pages of which nothing goes wrong unnoticed."""
    faults: list[str] = []
    contexts = []

    def open_page(port: int, path: str = "", **options: Any) -> Any:
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(120_000)
        page.on("console", lambda said: None if "status of 422" in said.text else faults.append(said.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"http://127.0.0.1:{port}/{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture
def serving() -> Iterator[Callable[..., Served]]:
    """Serve games to people; a call takes what ``lawgiver.play`` takes."""
    from lawgiver.trainers.people.play import opened
    from lawgiver.trainers.people.serve import Server, listening
    from lawgiver.trainers.people.server import make_application
    from lawgiver.trainers.people.solo_routes import solo_routes

    with ExitStack() as all_of_them:

        def start(game: Any, **settings: Any) -> Served:
            stack = all_of_them.enter_context(ExitStack())
            solo, own = stack.enter_context(opened(game, **settings)), stack.enter_context(listening(0))
            server = Server(solo, make_application(solo, solo_routes()))
            thread = Thread(target=server.run, args=([own],))
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, server, "should_exit", True)
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.001)
            return Served(solo, own.getsockname()[1], stack.close)

        yield start


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """Start a server of PostgreSQL in a folder of its own; a call makes a database and returns its address."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        assert "REQUIRE_POSTGRES" not in os.environ, "there is no PostgreSQL"
        pytest.skip("no PostgreSQL here: apt-get install --no-install-recommends postgresql")
    programs, folder = found[-1].parent, Path(tempfile.mkdtemp(prefix="postgres"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    owner = "postgres" if os.getuid() == 0 else None  # it does not run as root
    if owner:
        shutil.chown(folder, owner)
    run = partial(subprocess.run, check=True, user=owner, cwd=folder, stdout=subprocess.DEVNULL)
    data, secret = folder / "data", folder / "secret"
    secret.write_text("a/secret")
    secret.chmod(0o644)
    access = ["--auth=scram-sha-256", "--username=lab", f"--pwfile={secret}"]
    listening = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    run([programs / "initdb", "-D", data, "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", *access])
    try:
        run([programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", listening, "start"])
        server = create_engine(f"postgresql+pg8000://lab:a%2Fsecret@127.0.0.1:{port}/postgres")
        numbers = itertools.count()

        def make() -> str:
            name = f"study_{next(numbers)}"
            with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql(f"CREATE DATABASE {name}")
            return server.url.set(database=name).render_as_string(hide_password=False)

        yield make
        server.dispose()
    finally:
        run([programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"])
        shutil.rmtree(folder)
