"""Parameters that are one of several names, given what is none of them: refused in one line by every game and view."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from lawgiver.envs.core.errors import LawgiverError, ParameterError, choice
from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.registry import GAMES, lookup, names
from lawgiver.envs.views.parallel import make_parallel_env
from lawgiver.envs.views.single import make_env
from lawgiver.envs.views.vector import make_vector_env

NO_NAMES = (
    np.array([1.0, 2.0]), np.array(["a", "b"]), np.zeros((30, 30)), np.float64(1), [1.0], ["welfare"], {"a"}, {"a": 1},
    3, True, b"welfare", "none\nof them", "x" * 1000, object(),
)  # fmt: skip
NAMED = [
    (game, each.name)
    for game in names(GAMES)
    for each in inspect.signature(lookup(GAMES, game)).parameters.values()
    if isinstance(each.default, str) or each.name in ("preset", "layout")
]


def refused(make, **params):
    """Check that what is given is refused in one short line that names the parameter."""
    ((name, _),) = params.items()
    with pytest.raises(LawgiverError, match=f"{name.removesuffix('s')}|unknown game") as error:
        make(**params)
    assert "\n" not in str(error.value) and len(str(error.value)) < 1000


@pytest.mark.parametrize(("game", "name"), NAMED)
def test_games_refuse_what_is_no_name(game, name):
    for value in NO_NAMES:
        refused(lambda **params: make_game(game, **params), **{name: value})


def test_every_game_has_such_parameters_but_those_of_roads():
    assert len({game for game, _ in NAMED}) >= 13


@pytest.mark.parametrize("name", ["role", "render_mode", "autoreset_mode"])
def test_views_refuse_what_is_no_name(name):
    given = {"role": "mechanism"} if name != "role" else {}
    for value in NO_NAMES:
        refused(lambda **params: make_vector_env("public_investment", **given, **params), **{name: value})
        if name != "autoreset_mode":
            refused(lambda **params: make_env("public_investment", **given, **params), **{name: value})
        if name == "render_mode":
            refused(lambda **params: make_parallel_env("public_investment", **params), **{name: value})


def test_a_choice_is_returned_as_it_is_and_near_names_are_named():
    assert choice("objective", "welfare", ("revenue", "welfare")) == "welfare"
    with pytest.raises(ParameterError) as error:
        choice("objective", "welfar", ("revenue", "welfare"))
    assert str(error.value) == "objective is 'welfar': did you mean 'welfare'? allowed: revenue, welfare"
    with pytest.raises(ParameterError) as error:
        choice("objective", None, ("revenue", "welfare"))
    assert str(error.value) == "objective is None: allowed: revenue, welfare"
