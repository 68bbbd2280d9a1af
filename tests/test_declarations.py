"""Games of a third party that lack a declaration, or have other roles than a mechanism and participants."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import gymnasium
import pytest
from typer.testing import CliRunner

from lawgiver.envs.core import registry
from lawgiver.envs.core.errors import LawgiverError, ParameterError, PluginError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.public_investment import PublicInvestment
from lawgiver.envs.views.single import GameEnv
from lawgiver.envs.views.vector import GameVectorEnv
from lawgiver.testing import GameCheckError, check_game
from lawgiver.trainers.cli import app, throughput
from lawgiver.trainers.cli.pages import game_page

DUEL = '''
from dataclasses import dataclass, replace
from typing import ClassVar

from lawgiver.api import Array, Field, Game, zeros


@dataclass(frozen=True)
class State:
    turn: int
    profit: Array


@dataclass(frozen=True)
class PriceDuel(Game[State]):
    """Two sellers name a price each, once."""

    name: ClassVar[str] = "price_duel-v0"
    reference: ClassVar[str] = "Bertrand (1883)"
    sum_type: ClassVar[str] = "general"
    budget_balanced: ClassVar[bool] = False
    horizon_known: ClassVar[bool] = True
    reward_meaning: ClassVar[dict] = {"participant": "the profit, in coins"}

    @property
    def roles(self):
        return {"participant": 2}

    @property
    def max_steps(self):
        return 1

    def phase(self, state):
        return "participant"

    def observation_layout(self, role):
        return (Field("profit", 1, 0, 10, "coins", "of the last sale"),)

    def action_layout(self, role):
        return 10

    def observe(self, state, role):
        return state.profit[..., None]

    def initial_state(self, batch, rng):
        return State(0, zeros(rng, (batch, 2)))

    def advance(self, state, outcome, draws):
        profit = (outcome + 0.0) * (outcome <= outcome[:, [1, 0]])
        over = profit[:, 0] >= 0
        return replace(state, profit=profit), {"participant": profit}, over, ~over

    def picture(self, state, index):
        return {"profit": state.profit[index]}
'''


@pytest.fixture
def duel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that installs the game, changed as given, and returns its class."""
    info = tmp_path / "price_duel-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: price-duel\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lawgiver.games]\nprice_duel-v0 = price_duel:PriceDuel\n")

    def install(old: str = "", new: str = "") -> type:
        assert old in DUEL
        (tmp_path / "price_duel.py").write_text(DUEL.replace(old, new) if old else DUEL)
        monkeypatch.syspath_prepend(str(tmp_path))
        registry._entries.cache_clear()
        return importlib.import_module("price_duel").PriceDuel

    yield install
    monkeypatch.undo()
    sys.modules.pop("price_duel", None)
    registry._entries.cache_clear()


def test_the_page_of_a_game_without_a_mechanism_names_a_role_that_it_has(duel):
    check_game(duel()())
    page = game_page("price_duel")
    assert 'num_envs=4096, role="participant"' in page and 'role="mechanism"' not in page
    sizes = throughput.Sizes(repeats=1, steps=5, vector_games=8, vector_steps=4, torch_games=16, torch_rounds=3)
    assert len(throughput.measure_game("price_duel-v0", "views", sizes)) == 2
    pytest.importorskip("torch")
    assert len(throughput.measure_game("price_duel-v0", "torch", sizes)) == 1


@pytest.mark.parametrize("name", ["name", "reference", "sum_type", "budget_balanced", "horizon_known"])
def test_a_missing_declaration_is_named(duel, name: str):
    line = next(line for line in DUEL.splitlines() if line.startswith(f"    {name}: ClassVar"))
    game = duel(line, "")()
    said = rf"PriceDuel declares no {name}: allowed: an attribute of the class, {name}: ClassVar"
    with pytest.raises(GameCheckError, match=said):
        check_game(game)
    done = CliRunner().invoke(app, ["games", "price_duel"])
    assert isinstance(done.exception, ParameterError) and str(done.exception).startswith(
        f"PriceDuel declares no {name}"
    )


def test_roles_have_fixed_names(duel):
    game = duel('"participant"', '"seller"')()
    said = r"PriceDuel has a role 'seller': allowed: mechanism, participant"
    with pytest.raises(GameCheckError, match=said):
        check_game(game)
    views = (lambda: GameEnv(game, role="seller"), lambda: GameVectorEnv(game, role="seller", num_envs=2))
    for use in (lambda: make_game("price_duel"), lambda: game_page("price_duel"), *views):
        with pytest.raises(ParameterError, match=said):
            use()


def test_a_missing_method_is_named(duel):
    duel("def observe(", "def watch(")
    with pytest.raises(PluginError, match=r"game 'price_duel-v0' of package 'price-duel' does not define observe"):
        make_game("price_duel")


@pytest.mark.parametrize("what", [PublicInvestment, 3, gymnasium.Env])
def test_only_games_are_checked(what: object):
    with pytest.raises(LawgiverError, match=r"allowed: a Game, such as lawgiver\.make_game\("):
        check_game(what)
