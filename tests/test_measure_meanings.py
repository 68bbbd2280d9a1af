"""Definitions of measures below printed tables are in the units of each game, and speak of what there is in it."""

import re

import numpy as np
import pytest

from lawgiver.envs.core.make import make_game
from lawgiver.trainers.cli.printed_tables import show_summary
from lawgiver.trainers.tables.glossary import MEASURES, defined, measure_meaning

UNITS = {"money", "points", "utility"}


def units_of(game):
    """Collect the units of payoffs that a game's fields are in."""
    layouts = [layout for role in game.roles for layout in (game.observation_layout(role), game.action_layout(role))]
    return {field.unit for layout in layouts if not isinstance(layout, int) for field in layout} & UNITS


def test_units_are_those_of_the_games_fields(game):
    played = game.base_game
    named = units_of(played)
    assert played.payoff_unit in UNITS
    if named & {"money", "points"}:
        assert played.payoff_unit in named


def test_definitions_are_true_of_every_game(game):
    played = game.base_game
    held = getattr(played.initial_state(1, np.random.default_rng(0)), "endowments", None)
    endowed = held is not None and bool(np.any(held))
    assert endowed == played.name.startswith("public_investment")
    told = defined([*MEASURES, *played.measures()], game)
    assert ("endowments" in told) == endowed
    foreign = UNITS - {played.payoff_unit}
    units = {measure_meaning(name, game).rpartition(", ")[2] for name in MEASURES}
    assert played.payoff_unit in units and not foreign & units
    assert "{" not in told and "None" not in told


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("payment_policies", "surplus: what principals get, payments between them included, money"),
        ("sealed_bid", "surplus: sum of payoffs, money"),
        ("bimatrix", "surplus: sum of payoffs, points"),
        ("public_investment", "surplus: sum of payoffs less endowments, points"),
    ],
)
def test_printed_tables_define_measures_in_the_games_units(capsys, name, says):
    numbers = {"surplus": {"learned": 1.0}, "simulated": {"surplus": {"learned": 1.0}}}
    show_summary(numbers, game=make_game(name))
    printed = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert printed.count(says) == 2
    show_summary(numbers)
    assert "surplus: sum of payoffs, in the game's unit" in re.sub(r"\s+", " ", capsys.readouterr().out)
