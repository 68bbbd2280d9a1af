"""The words of the pages themselves, by language: what is neither a game's nor a study's."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import yaml

from lawgiver.envs.core.errors import choice
from lawgiver.envs.core.wording import filled

WORDS = Path(__file__).parent / "pages" / "words"
"""One YAML file a language: texts by key, with names in braces where values are put in."""

Say = Callable[..., str]
"""Writes the text of a key, with values by name."""


@cache
def catalogue(language: str) -> dict[str, str]:
    """Read all texts of a language.

    Raises:
        ParameterError: if there are none.
    """
    choice("language", language, [path.stem for path in sorted(WORDS.glob("*.yaml"))])
    found: dict[str, str] = yaml.safe_load((WORDS / f"{language}.yaml").read_text(encoding="utf-8"))
    return found


def sayer(language: str) -> Say:
    """Make the function that writes texts in a language.

    Raises:
        ParameterError: if there are none in it.
    """
    texts = catalogue(language)

    def say(key: str, **values: object) -> str:
        return filled(texts[key], {name: str(value) for name, value in values.items()})

    return say
