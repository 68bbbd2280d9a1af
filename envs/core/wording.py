"""The words of a game for people who play it on a screen: its story, the question of each turn, a quiz.

A game that says nothing of its own gets :func:`default_wording`, made of its docstring and its layouts, so that every
game can be played by people.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError, allowed
from lawgiver.envs.core.fields import Layout, component_names

if TYPE_CHECKING:
    from lawgiver.envs.core.game import Game

PAYOFFS = "payoffs"
"""The name under which :attr:`Wording.labels` names what everybody earned in a round."""
CHOICE = "choice"
"""The name of a number that is chosen, in :attr:`Wording.labels` and in forms."""
PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Question:
    """A question of the quiz that shows whether somebody has understood the rules.

    Attributes:
        text: the question.
        options: the answers to choose from, all different.
        right: index of the right one.
        because: an explanation for those who chose another.
    """

    text: str
    options: tuple[str, ...]
    right: int
    because: str


@dataclass(frozen=True)
class Wording:
    """The words of a game for the people who play it, in one language; plain text without markup.

    Attributes:
        title: name of the game for people; neutral, because names prime them.
        story: the rules as people are told them, in paragraphs.
        act: the question of a turn. ``{own_endowment}`` stands for a number of the person's observation: the name of a
            component, see :func:`~lawgiver.envs.core.fields.component_names`.
        unit: of payoffs.
        choices: labels of Discrete actions, (A,); empty where the numbers themselves are chosen among.
        labels: what fields and components of observation and action are called, by name, and ``payoffs``; the others
            are called by their names. ``choice`` is a Discrete action that is entered as a number. Fields are shown in
            this order, then the others in theirs.
        hidden: fields of the observation that are not shown, because they say nothing new.
        past: fields that describe the last round, and are not shown before the first.
        chosen: fields that hold choices, shown by their labels.
        echo: what a number that is being typed means, with ``{choice}``, the number, and ``{rest}``, what is left of
            the largest one that is allowed; empty for nothing.
        quiz: up to five questions about the rules.
    """

    title: str
    story: tuple[str, ...]
    act: str
    unit: str
    choices: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    echo: str = ""
    quiz: tuple[Question, ...] = ()

    def label(self, name: str) -> str:
        """Return the label of a field or component."""
        return self.labels.get(name) or name.replace("_", " ")

    def ordered(self, layout: Layout) -> Layout:
        """Return the fields of an observation that are shown, in the order in which they are."""
        order = list(self.labels)
        shown = [field for field in layout if field.name not in self.hidden]
        return tuple(sorted(shown, key=lambda each: order.index(each.name) if each.name in order else len(order)))

    def asked(self, seen: Mapping[str, float]) -> str:
        """Write the question of a turn with the numbers that the person sees, by component.

        Raises:
            ParameterError: if it names a number that the person does not see.
        """
        return filled(self.act, {name: f"{value:.6g}" for name, value in seen.items()})


def filled(text: str, values: Mapping[str, str]) -> str:
    """Put values into a text in place of their names in braces.

    Raises:
        ParameterError: if a name has no value.
    """
    for name in PLACEHOLDER.findall(text):
        if name not in values:
            raise ParameterError(f"the text {text!r} has {{{name}}}: {allowed(name, values)}")
    return PLACEHOLDER.sub(lambda found: values[found[1]], text)


def among_numbers(
    text: str, right: float, wrong: tuple[float, ...], because: str, write: Callable[[float], str]
) -> Question:
    """Make a question whose answer is a number, among those in ascending order.

    Args:
        text: the question.
        right: the right number.
        wrong: others; those that read like the right one are left out, and one more is added if none is left.
        because: an explanation.
        write: writes a number.
    """
    told = {write(value): value for value in (*wrong, right)}
    if len(told) == 1:
        told[write(right + 1)] = right + 1
    options = sorted(told, key=told.__getitem__)
    return Question(text, tuple(options), options.index(write(right)), because)


def default_wording(game: Game[Any]) -> Wording:
    """Make the wording of a game out of its docstring and layouts, in English.

    The title is the docstring's first line, the story the paragraph after it; a field ``round`` is hidden, as screens
    number the rounds themselves.

    Raises:
        UnsupportedGameError: if the game has no participants.
    """
    require_participants(game)
    title, *rest = re.split(r"\n\s*\n", inspect.cleandoc(type(game).__doc__ or game.name))
    story = next((plain(text) for text in rest if not re.match(r"\w+:\n", text)), plain(title))
    discrete = isinstance(game.action_layout("participant"), int)
    shown = {each.name for each in game.observation_layout("participant")}
    return Wording(
        title=plain(title).rstrip("."),
        story=(story,),
        act="Which do you choose?" if discrete else "What do you enter?",
        unit=game.payoff_unit,
        hidden=("round",) if "round" in shown else (),
    )


def require_participants(game: Game[Any]) -> None:
    """Raise :class:`~lawgiver.envs.core.errors.UnsupportedGameError` if a game has no participants to be people."""
    if "participant" not in game.roles:
        raise UnsupportedGameError(f"{game.name} has no participants, so that people cannot play it")


def plain(docstring: str) -> str:
    """Return a paragraph of a docstring without markup, on one line."""
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?([^`]+)`", r"\1", docstring)
    text = re.sub(r"\*(\S|\S[^*]*\S)\*", r"\1", text.replace("`", ""))
    return " ".join(text.split())


def wording_fault(game: Game[Any], wording: Wording) -> str | None:
    """Describe what a wording says that does not fit its game; None if it fits."""
    seen, action = game.observation_layout("participant"), game.action_layout("participant")
    fields = {each.name for each in seen}
    components = set(component_names(seen))
    known = fields | components | {PAYOFFS}
    known |= {CHOICE} if isinstance(action, int) else {each.name for each in action} | set(component_names(action))
    for what in ("hidden", "past", "chosen"):
        for name in getattr(wording, what):
            if name not in fields:
                return f"{what} has {name!r}: {allowed(name, fields)}"
    for name in wording.labels:
        if name not in known:
            return f"labels have {name!r}: {allowed(name, known)}"
    count = action if isinstance(action, int) else 0
    if len(wording.choices) not in (0, count):
        return f"choices have {len(wording.choices)} labels, allowed: one for each of the {count} actions, or none"
    if wording.chosen and not wording.choices:
        return f"{wording.chosen[0]!r} is to be shown by the labels of choices, of which there are none"
    for text, names in ((wording.act, components), (wording.echo, {"choice", "rest"})):
        for name in PLACEHOLDER.findall(text):
            if name not in names:
                return f"the text {text!r} has {{{name}}}: {allowed(name, names)}"
    if not (wording.title and wording.story and all(wording.story) and wording.act):
        return "title, story and act have to say something"
    return next((fault for question in wording.quiz if (fault := _question_fault(question))), None)


def _question_fault(question: Question) -> str | None:
    options = question.options
    if len(options) < 2 or len(set(options)) < len(options) or not 0 <= question.right < len(options):
        return f"the question {question.text!r} has the options {options}, allowed: different ones, and the right one"
    return None if question.because else f"the question {question.text!r} has no explanation"
