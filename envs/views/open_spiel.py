"""Games in normal form to and from OpenSpiel (Lanctot et al. 2019), whose solvers are many.

OpenSpiel is imported when it is asked for: ``pip install open_spiel``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lawgiver.envs.core.errors import MissingExtraError, UnsupportedGameError
from lawgiver.envs.solvers.normal_form.forms import LARGEST, Form, NormalForm, expanded


def to_open_spiel(form: Form, name: str = "lawgiver") -> Any:
    """Make a game in normal form a ``pyspiel.TensorGame``, of two players a ``pyspiel.MatrixGame``.

    Raises:
        MissingExtraError: without OpenSpiel.
        UnsupportedGameError: if the form is symmetric and too large to be written out.
    """
    pyspiel, whole = _pyspiel(), expanded(form)
    if whole.n == 2:
        return pyspiel.create_matrix_game(name, name, *map(list, whole.names), *whole.payoffs)
    return pyspiel.create_tensor_game(
        name, name, [*map(list, whole.names)], whole.payoffs.reshape(whole.n, -1).tolist()
    )


def from_open_spiel(game: Any) -> NormalForm:
    """Make a game of OpenSpiel a game in normal form.

    A game in extensive form has a strategy for each choice of an action at every information state of its player, so
    that only small ones, such as ``pyspiel.load_game("kuhn_poker")``, can be written out.

    Raises:
        MissingExtraError: without OpenSpiel.
        UnsupportedGameError: if it has more than ``LARGEST`` joint choices.
    """
    pyspiel = _pyspiel()
    if not isinstance(game, (pyspiel.MatrixGame, pyspiel.TensorGame)):
        game = pyspiel.extensive_to_tensor_game(game)
    if isinstance(game, pyspiel.MatrixGame):
        payoffs = np.stack([np.asarray(game.row_utilities()), np.asarray(game.col_utilities())])
        shape: tuple[int, ...] = (game.num_rows(), game.num_cols())
        names = [[game.row_action_name(a) for a in range(shape[0])], [game.col_action_name(a) for a in range(shape[1])]]
    else:
        shape = tuple(game.shape())
        payoffs = np.stack([np.asarray(game.player_utilities(player)) for player in range(len(shape))])
        names = [[game.action_name(player, action) for action in range(size)] for player, size in enumerate(shape)]
    if np.prod(shape, dtype=float) > LARGEST:
        raise UnsupportedGameError(f"{game} has {np.prod(shape):,} joint choices, allowed: {LARGEST:,}")
    return NormalForm(payoffs.reshape(len(shape), *shape), tuple(map(tuple, names)))


def _pyspiel() -> Any:
    try:
        import pyspiel
    except ModuleNotFoundError as error:
        raise MissingExtraError("open_spiel", "dev", "the conversion of a game to OpenSpiel") from error
    return pyspiel
