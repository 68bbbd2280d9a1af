"""A participant's screen: what its observation says, in words, and the form in which it answers.

:func:`screen` makes plain data of an observation and a mask by the declared layouts alone, for any page to show;
:func:`read_form` makes an action of what comes back. Nothing is guessed or rounded: what is not an action that is legal
now is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lawgiver.envs.core.errors import ActionError, brief
from lawgiver.envs.core.fields import columns, component_names
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.wording import CHOICE, Wording

FEW_CHOICES = 12
"""Up to so many numbers are listed to choose from; of more, one is entered."""
WHOLE = re.compile(r"-?[0-9]{1,9}")
DECIMAL = re.compile(r"[-+]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})([eE][-+]?[0-9]{1,3})?")

Action = int | tuple[float, ...]
"""One participant's action: the number of a choice, or the components of a Box."""


@dataclass(frozen=True)
class Shown:
    """A field of an observation on a screen.

    Attributes:
        name: of the field.
        label: what it is called.
        unit: of its values.
        meaning: one line about it.
        values: its numbers; NaN does not occur.
        own_first: whether there is one of each participant, own first.
        parts: what each number is called, where there are several that are not one of each participant.
        options: labels of the choices that its values are the numbers of; empty where they are plain numbers.
    """

    name: str
    label: str
    unit: str
    meaning: str
    values: tuple[float, ...]
    own_first: bool = False
    parts: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Option:
    """A choice that is legal now: its number, and its label."""

    value: int
    label: str


@dataclass(frozen=True)
class Entry:
    """A number to enter.

    Attributes:
        key: under which the form sends it.
        label: what it is called.
        unit: of it.
        meaning: one line about it.
        low: the least that is allowed.
        high: the largest.
        whole: whether it has to be a whole number.
    """

    key: str
    label: str
    unit: str
    meaning: str
    low: float
    high: float
    whole: bool


@dataclass(frozen=True)
class Form:
    """The question of a turn and the ways to answer it: either ``options`` or ``entries`` is empty.

    Attributes:
        ask: the question.
        options: choices to choose one of, sent under the key ``choice``.
        entries: numbers to enter.
        echo: what a whole number that is being typed means, see :class:`~lawgiver.envs.core.wording.Wording`.
    """

    ask: str
    options: tuple[Option, ...] = ()
    entries: tuple[Entry, ...] = ()
    echo: str = ""


class FormError(ActionError):
    """A form does not hold an action that is legal now.

    Attributes:
        key: of the form's field at fault.
        fault: ``missing``, ``choice`` (not one of the options), ``whole`` (not a whole number), ``number`` or
            ``range``.
        entry: the number asked for, where it is one.
    """

    def __init__(
        self,
        key: str,
        fault: Literal["missing", "choice", "whole", "number", "range"],
        message: str,
        entry: Entry | None,
    ) -> None:
        """Keep what a page in another language needs beside the message."""
        self.key, self.fault, self.entry = key, fault, entry
        super().__init__(message)


def shown(game: Game[Any], wording: Wording, observation: np.ndarray) -> tuple[Shown, ...]:
    """Describe an observation (d,) field by field, in the order of the wording and without those that it hides."""
    layout = game.observation_layout("participant")
    at, found = columns(layout), []
    for field in wording.ordered(layout):
        parts = component_names((field,)) if field.size > 1 and not field.own_first else ()
        found.append(
            Shown(
                field.name,
                wording.label(field.name),
                field.unit,
                field.meaning,
                tuple(float(value) for value in observation[at[field.name]]),
                field.own_first,
                tuple(wording.label(part) for part in parts),
                wording.choices if field.name in wording.chosen else (),
            )
        )
    return tuple(found)


def form(game: Game[Any], wording: Wording, observation: np.ndarray, mask: np.ndarray | None) -> Form:
    """Make the form of a participant's turn.

    Args:
        game: the game.
        wording: its words.
        observation: of the participant, (d,).
        mask: legal actions, bool (A,); None for all.
    """
    names = component_names(game.observation_layout("participant"))
    ask = wording.asked(dict(zip(names, (float(value) for value in observation), strict=True)))
    action = game.action_layout("participant")
    if isinstance(action, int):
        legal = np.arange(action) if mask is None else np.flatnonzero(mask)
        low, high = int(legal[0]), int(legal[-1])
        if len(legal) > FEW_CHOICES and not wording.choices and len(legal) == high - low + 1:
            entry = Entry(CHOICE, wording.label(CHOICE), "", "", low, high, whole=True)
            return Form(ask, entries=(entry,), echo=wording.echo)
        labels = wording.choices or tuple(str(value) for value in range(action))
        return Form(ask, options=tuple(Option(int(value), labels[value]) for value in legal), echo=wording.echo)
    entries: list[Entry] = []
    for field in action:
        for part in component_names((field,)):
            key = f"action_{len(entries)}"
            label = wording.label(part)
            entries.append(Entry(key, label, field.unit, field.meaning, float(field.low), float(field.high), False))
    return Form(ask, entries=tuple(entries))


def read_form(form: Form, sent: Mapping[str, Any]) -> Action:
    """Read the action out of what a form sends: texts, or the numbers of JSON.

    Args:
        form: as it was shown.
        sent: values by key; other keys are ignored.

    Raises:
        FormError: naming the first field at fault, if something is missing, is no number, or is not legal now.
    """
    if form.options:
        value = _whole(CHOICE, sent.get(CHOICE), None)
        if value not in [option.value for option in form.options]:
            labels = ", ".join(option.label for option in form.options)
            raise FormError(CHOICE, "choice", f"{CHOICE} is {value}, allowed: one of {labels}", None)
        return value
    numbers = [_number(entry, sent.get(entry.key)) for entry in form.entries]
    return int(numbers[0]) if form.entries[0].whole else tuple(numbers)


def _number(entry: Entry, value: Any) -> float:
    number = _whole(entry.key, value, entry) if entry.whole else _decimal(entry, value)
    if not entry.low <= number <= entry.high:
        told = f"{entry.label} is {number:g}, allowed: {entry.low:g} to {entry.high:g}"
        raise FormError(entry.key, "range", told, entry)
    return number


def _whole(key: str, value: Any, entry: Entry | None) -> int:
    _require(key, value, entry)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9:
        return value
    if isinstance(value, str) and WHOLE.fullmatch(value.strip(" ")):
        return int(value)
    raise FormError(key, "whole", f"{_called(key, entry)} is {brief(value)}, allowed: a whole number", entry)


def _decimal(entry: Entry, value: Any) -> float:
    _require(entry.key, value, entry)
    told = f"{entry.label} is {brief(value)}, allowed: a number"
    if isinstance(value, str) and DECIMAL.fullmatch(value.strip(" ")):
        value = float(value)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or abs(value) > 1e300 or not math.isfinite(value):
        raise FormError(entry.key, "number", told, entry)
    return float(value)


def _require(key: str, value: Any, entry: Entry | None) -> None:
    if value is None or value == "":
        raise FormError(key, "missing", f"{_called(key, entry)} is missing", entry)


def _called(key: str, entry: Entry | None) -> str:
    return key if entry is None else entry.label
