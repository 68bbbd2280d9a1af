"""Events in a group, as plain data: everything that has to be stored to play it again.

The log of a group is a tuple of these, in the order in which they happened.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from lawgiver.envs.core.errors import ParameterError, allowed, brief

Source = Literal["person", "missed", "gone", "program", "mechanism"]
"""Who made a decision: the person in the seat; a program in its place, as the deadline had passed or as the person had
gone; the program whose seat it is; or the mechanism."""
WAITED = "waited"
"""What stands in the place of a source where it was not a participant's turn."""


@dataclass(frozen=True)
class Decision:
    """An action that was played, or is going to be once everybody has decided.

    Attributes:
        episode: number of the game in the session, from 0.
        step: number of the phase in the game, from 0.
        role: ``participant`` or ``mechanism``.
        seat: of the role.
        action: of a participant, a number or one for each component; of the mechanism, the outcome of its action.
        source: who made it.
    """

    episode: int
    step: int
    role: str
    seat: int
    action: Any
    source: Source


@dataclass(frozen=True)
class Vote:
    """A vote for one of the games, by its episode; None if none was cast, because time was up or the person gone."""

    seat: int
    episode: int | None
    source: Literal["person", "missed", "gone"]


@dataclass(frozen=True)
class Back:
    """Somebody who was gone decides again, from the next round on."""

    seat: int


@dataclass(frozen=True)
class Left:
    """Somebody has left for good."""

    seat: int


Happening: TypeAlias = Decision | Vote | Back | Left
KINDS: dict[str, type[Happening]] = {"decision": Decision, "vote": Vote, "back": Back, "left": Left}


def as_data(happening: Happening) -> dict[str, Any]:
    """Write something that happened as plain data, its ``kind`` among them."""
    (kind,) = (name for name, made in KINDS.items() if type(happening) is made)
    return {"kind": kind, **asdict(happening)}


def from_data(data: dict[str, Any]) -> Happening:
    """Read what :func:`as_data` wrote.

    Raises:
        ParameterError: if it is nothing of that.
    """
    kind = data.get("kind")
    if kind not in KINDS:
        raise ParameterError(f"a record is of kind {brief(kind)}: {allowed(str(kind), KINDS)}")
    try:
        return KINDS[kind](**{key: value for key, value in data.items() if key != "kind"})
    except TypeError as error:
        raise ParameterError(f"a record of kind {kind!r} is {brief(data)}: {error}") from error
