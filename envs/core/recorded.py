"""The fields of observations that participants' behaviour is recorded by, declared by their game."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.fields import columns

if TYPE_CHECKING:
    from lawgiver.envs.core.game import Game


@dataclass(frozen=True)
class Recorded:
    """Fields of a participant's observation that its behaviour is recorded by.

    In every round each participant has an amount, gives some of it, and may be paid; it earns what it keeps and what
    it is paid: endowment - contribution + payout. Attributes are names of fields in the participants' layout.

    Attributes:
        endowments: what each participant has to give from, own first; known before they give. Participants choose an
            integer from 0 to it.
        contributions: what each gave in the last completed round, own first; 0 before the first.
        payouts: what the mechanism paid each of them in that round, own first; None where it pays nothing afterwards.
        shared: fields of one number, the same for all participants, as they stand when a round begins.
        by_round: whether endowments change from round to round; they are otherwise those of the whole game.
    """

    endowments: str
    contributions: str
    payouts: str | None = None
    shared: tuple[str, ...] = ()
    by_round: bool = False


@dataclass(frozen=True)
class RecordedColumns:
    """Columns of a participant's observation that are recorded, see :class:`Recorded`.

    Attributes:
        n: participants.
        n_actions: choices of a participant, 0 to ``n_actions`` - 1.
        top: largest endowment.
        endowments: columns of the field.
        contributions: columns of the field.
        payouts: columns of the field, None if nothing is paid.
        shared: column of each field, by name.
        units: largest value of each shared field, by name.
        by_round: whether endowments change from round to round.
    """

    n: int
    n_actions: int
    top: float
    endowments: slice
    contributions: slice
    payouts: slice | None
    shared: Mapping[str, slice]
    units: Mapping[str, float]
    by_round: bool


def recorded_columns(game: Game[Any], who: str) -> RecordedColumns:
    """Find the columns of a game's observations that are recorded.

    Args:
        game: the game.
        who: who needs them, for the message.

    Raises:
        UnsupportedGameError: if behaviour in the game is not recorded.
    """
    declared, n_actions = game.recorded, game.action_layout("participant")
    if declared is None or not isinstance(n_actions, int):
        raise UnsupportedGameError(
            f"{who} need a game whose records of behaviour are declared, such as public_investment with"
            f" mechanism_mode='allocate', not {game!r}"
        )
    layout = game.observation_layout("participant")
    at, high = columns(layout), {field.name: float(field.high) for field in layout}
    return RecordedColumns(
        n=game.roles["participant"],
        n_actions=n_actions,
        top=high[declared.endowments],
        endowments=at[declared.endowments],
        contributions=at[declared.contributions],
        payouts=None if declared.payouts is None else at[declared.payouts],
        shared={name: at[name] for name in declared.shared},
        units={name: high[name] for name in declared.shared},
        by_round=declared.by_round,
    )


def round_is_over(game: Game[Any], state: Any) -> bool:
    """Check whether a round is over, in a state after participants have acted: the next begins, or they act again."""
    over: bool = state.turn == 0 or game.phase(state) == "participant"
    return over
