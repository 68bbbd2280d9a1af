"""The pages' own words: every language says the same, all of it is used, and no page says anything else."""

from __future__ import annotations

import re
from dataclasses import fields
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
import yaml

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.registry import GAMES, lookup, names
from lawgiver.envs.core.wording import PLACEHOLDER
from lawgiver.envs.views.screen import Entry, FormError
from lawgiver.trainers.people import words
from lawgiver.trainers.people.forms import said_of
from lawgiver.trainers.people.payments import ENDS, Payment
from lawgiver.trainers.people.rendering import PAGES, render
from lawgiver.trainers.people.words import WORDS, catalogue, sayer

LANGUAGES = sorted(path.stem for path in WORDS.glob("*.yaml"))
TEMPLATES = sorted(PAGES.glob("*.html"))
SAID = re.compile(r"""\bsay\(\s*"(\w+)"(?: if [^,)]+ else "(\w+)")?""")
"""A text that a template or a module asks for by its key, or by one of two."""
READ = ("alt", "aria-label", "placeholder", "title")
"""Attributes that are read to somebody."""


def test_every_language_says_the_same() -> None:
    english = catalogue("en")
    for language in LANGUAGES:
        texts = catalogue(language)
        assert list(texts) == list(english), language
        for key, text in texts.items():
            assert text == text.strip() != "", (language, key)
            assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(english[key])), (language, key)


def test_the_words_of_every_game_have_pages_in_their_language() -> None:
    languages = {language for name in names(GAMES) for language in lookup(GAMES, name).languages}
    assert set(Game.languages) | languages <= set(LANGUAGES) == {"de", "en"}


def test_every_text_is_used_and_there_is_one_for_every_use() -> None:
    sources = [*TEMPLATES, *Path(words.__file__).parent.glob("*.py")]
    used = {key for path in sources for found in SAID.findall(path.read_text()) for key in found}
    used = {key for key in used if key and key[-1] != "_"}
    headed = {f"{stage}_heading" for stage in ("practice", *(path.stem for path in TEMPLATES))} & set(catalogue("en"))
    ends = {f"end_{end}" for end in ENDS} | {f"paid_{each.name}" for each in fields(Payment)}
    turns = {"round", "round_of", "game_round", "game_round_of"}  # put together of parts in heading_of
    refused = {key for key in catalogue("en") if re.fullmatch(r"refused_[45]\d\d", key)}
    assert used | headed | ends | turns | refused == set(catalogue("en"))


class Texts(HTMLParser):
    """All that somebody reads of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for key, value in attributes if key in READ]

    def handle_data(self, data: str) -> None:
        self.found.append(data)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_no_template_has_words_of_its_own(path: Path) -> None:
    source = path.read_text()
    commands = re.findall(r"\{\{.*?\}\}|\{%.*?%\}", source, re.S)
    rest = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", source, flags=re.S)
    assert not [text for text in Texts(rest).found if re.search(r"\w", text)]
    literals = [text for command in commands for text in re.findall(r'"([^"]*)"', command)]
    assert not [text for text in literals if not re.fullmatch(r"[a-z_.]*| ", text)]


def test_a_catalogue_is_read_as_data_and_filled_with_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "en.yaml").write_text("own: 1 < 2 {value}\n")
    (tmp_path / "xx.yaml").write_text("own: !!python/object/apply:os.getcwd []\n")
    monkeypatch.setattr(words, "WORDS", tmp_path)
    catalogue.cache_clear()
    try:
        assert sayer("en")("own", value="<b>") == "1 < 2 <b>"
        with pytest.raises(ParameterError, match=r"has .value"):
            sayer("en")("own")
        with pytest.raises(ParameterError, match=r"language is 'de'.*allowed: en, xx"):
            catalogue("de")
        with pytest.raises(yaml.YAMLError):  # nothing in a file is run
            catalogue("xx")
    finally:
        catalogue.cache_clear()


def test_a_page_is_in_one_language() -> None:
    page = render("de", "refused", heading="<b>")
    assert '<html lang="de">' in page and "Zur ersten Seite" in page and '<h1 tabindex="-1">&lt;b&gt;</h1>' in page
    with pytest.raises(jinja2.TemplateNotFound):
        render("de", "nothing")


def test_a_wrong_entry_is_explained_in_the_language() -> None:
    entry = Entry("coins", "Münzen", "", "", 0.0, 10.0, whole=False)
    assert (
        said_of(FormError("coins", "range", "", entry), sayer("de"))
        == "Münzen: Bitte geben Sie eine Zahl von 0 bis 10 ein."
    )
    assert said_of(FormError("choice", "missing", "", None), sayer("de")) == "Bitte wählen Sie eine der Antworten."
