"""Texts of a study: Markdown of paragraphs, headings, lists, emphasis and links, made into HTML that is safe to show.

Whatever else Markdown or HTML has is shown as the text that it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from lawgiver.envs.core.errors import ParameterError, brief
from lawgiver.envs.files.reading import read_text
from lawgiver.trainers.people.settings import QuestionSettings, TextsSettings

LARGEST_TEXT = 2**16
"""Largest size of a text's file in bytes."""
CONSTRUCTS = ("heading", "list", "emphasis", "link", "escape")


@dataclass(frozen=True)
class Texts:
    """Texts of a study, as its pages have them.

    Attributes:
        title: of the study, plain text.
        consent: HTML of what people agree to.
        consent_version: SHA-256 of the consent's Markdown, which says what somebody has agreed to.
        contact: whom people can ask, plain text.
        thanks: HTML of the last page; empty for none.
        questions: asked at the end.
        language: of the game's words and of the pages.
        sources: Markdown of each file, by the text's name.
    """

    title: str
    consent: str
    consent_version: str
    contact: str
    thanks: str
    questions: tuple[QuestionSettings, ...]
    language: str
    sources: dict[str, str]


def read_texts(settings: TextsSettings, folder: Path) -> Texts:
    """Read the texts of a study.

    Args:
        settings: of the study.
        folder: in which its files are.

    Raises:
        ParameterError: naming a file that cannot be read, or links elsewhere than to https.
    """
    files = {"consent": settings.consent, "thanks": settings.thanks}
    sources = {name: _read(f"texts.{name}", folder / file) for name, file in files.items() if file is not None}
    made = {name: to_html(text, f"texts.{name}") for name, text in sources.items()}
    version = hashlib.sha256(sources["consent"].encode()).hexdigest()
    return Texts(
        title=settings.title,
        consent=made["consent"],
        consent_version=version,
        contact=settings.contact,
        thanks=made.get("thanks", ""),
        questions=settings.questions,
        language=settings.language,
        sources=sources,
    )


def to_html(text: str, name: str) -> str:
    """Turn Markdown into HTML.

    Headings begin at the second level, as a page has its own first one.

    Args:
        text: the Markdown.
        name: what it is called in an error.

    Raises:
        ParameterError: if a link leads elsewhere than to https.
    """
    reader = MarkdownIt("zero", {"html": False}).enable(list(CONSTRUCTS))
    setattr(reader, "validateLink", lambda url: True)  # noqa: B010  refused below rather than shown as text
    tokens = reader.parse(text)
    for token in _all(tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
        elif token.type == "link_open" and not str(token.attrs["href"]).startswith("https://"):
            raise ParameterError(f"{name} has a link to {brief(token.attrs['href'])}, allowed: https://...")
    html: str = reader.renderer.render(tokens, reader.options, {})
    return html


def _all(tokens: Sequence[Token]) -> list[Token]:
    return [each for token in tokens for each in (token, *_all(token.children or ()))]


def _read(name: str, path: Path) -> str:
    try:
        text = read_text(path, LARGEST_TEXT)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise ParameterError(f"{name} is {str(path)!r}, which cannot be read: {reason}") from None
    if not text.strip():
        raise ParameterError(f"{name} is {str(path)!r}, which is empty, allowed: a text")
    return text
