"""The part of a game's page about what people see and answer on a screen."""

from __future__ import annotations

from typing import Any

from lawgiver.envs.core.game import Game
from lawgiver.envs.core.wording import PAYOFFS, Wording, default_wording
from lawgiver.envs.views.screen import FEW_CHOICES

LANGUAGE_NAMES = {"en": "English", "de": "German"}


def screens(game: Game[Any]) -> list[str]:
    """Write what people who play a game on a screen read, see and answer: paragraphs of Markdown."""
    if "participant" not in game.roles:
        return ["None: the game has no participants whom people could be."]
    wording = game.wording()
    spoken = " and ".join(LANGUAGE_NAMES.get(language, language) for language in game.languages)
    written = wording != default_wording(game)
    words = f"Written words in {spoken}" if written else "Title and story are those of this page"
    parts = [f"What people read who play the game themselves. {words}: `game.wording()`."]
    if written:
        parts.append("\n>\n".join(f"> {paragraph}" for paragraph in (f"**{wording.title}**", *wording.story)))
    return [*parts, "\n".join(f"- {line}" for line in _lines(game, wording))]


def _lines(game: Game[Any], wording: Wording) -> list[str]:
    fields = wording.ordered(game.observation_layout("participant"))
    table = [wording.label(field.name) for field in fields if field.own_first] + [wording.label(PAYOFFS)]
    own = [wording.label(field.name) for field in fields if not field.own_first]
    lines = [f"of all participants, own first: {', '.join(table)}"]
    if own:
        lines.append(f"beside them: {', '.join(own)}")
    return [*lines, f"asked: *{wording.act}* Answered by {_answer(game, wording)}"]


def _answer(game: Game[Any], wording: Wording) -> str:
    action = game.action_layout("participant")
    if not isinstance(action, int):
        count = sum(field.size for field in action)
        return f"{count} numbers" if count > 1 else "a number"
    if wording.choices:
        return f"one of {', '.join(wording.choices)}"
    return f"one of up to {action} choices" if action <= FEW_CHOICES else f"a whole number, up to {action - 1}"
