"""Reader of Gambit's ``.nfg`` files of two-player strategic games, with payoffs cell by cell or by outcome.

    NFG 1 R "title" { "Row" "Column" } { 2 3 } "comment"
    1 1  0 2  ...                                  payoffs of all players, the first player's strategy counting fastest

or, with names of strategies in place of their numbers and a list of outcomes, the number of each cell's outcome:

    NFG 1 R "title" { "Row" "Column" } { { "up" "down" } { "left" "right" } } "comment"
    { { "win" 1, 0 } { "" 1/2, 0.5 } }
    1 2 2 0                                        0 is no outcome: nobody gets anything
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np

from lawgiver.envs.core.errors import ParameterError, brief
from lawgiver.envs.files.reading import read_text

TOKEN = re.compile(r'\s+|(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>[{}])|(?P<comma>,)|(?P<word>[^\s{}",]+)', re.DOTALL)
NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?(/\d+)?")


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def read_nfg(file: str | Path, largest: int) -> np.ndarray:
    """Read the payoffs (m, n, 2) of a game of two players.

    Args:
        file: path.
        largest: strategies that a player may have.

    Raises:
        ParameterError: one line that names the file, and the line at fault.
    """
    try:
        text = read_text(file)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ParameterError(f"{str(file)!r} cannot be read: {reason}") from None
    return _Reader(str(file), text).game(largest)


class _Reader:
    """A recursive-descent parser over tokens."""

    def __init__(self, file: str, text: str) -> None:
        self.file, self.at, self.tokens = file, 0, list[_Token]()
        end, line = 0, 1
        while end < len(text):
            match = TOKEN.match(text, end)
            if match is None:
                self._fail(line, "has a quotation mark that nothing closes")
            if match.lastgroup not in (None, "comma"):
                self.tokens.append(_Token(str(match.lastgroup), match.group(), line))
            line, end = line + match.group().count("\n"), match.end()
        self.tokens.append(_Token("end", "the end of the file", line))

    def game(self, largest: int) -> np.ndarray:
        """Return the payoffs."""
        for word in ("NFG", "1"):
            self._word(word)
        if self._next().text not in ("R", "D"):
            self._wrong("R or D")
        self._text("a title")
        self._mark("{")
        players = self._texts()
        if len(players) != 2:
            self._fail(self._last.line, f"names {len(players)} players, allowed: 2")
        self._mark("{")
        counts = self._counts()
        if len(counts) != 2 or not all(1 <= count <= largest for count in counts):
            self._fail(self._last.line, f"gives {counts} strategies, allowed: two numbers in 1..{largest}")
        if self._ahead.kind == "text":
            self.at += 1  # a comment
        cells = self._outcomes(counts) if self._ahead.text == "{" else self._numbers(2 * prod(counts))
        if self._ahead.kind != "end":
            self._next()
            self._wrong("the end of the file")
        return cells.reshape(counts[1], counts[0], 2).transpose(1, 0, 2)

    def _counts(self) -> list[int]:
        counts: list[int] = []
        while self._ahead.text != "}":
            if self._ahead.text == "{":
                self.at += 1
                counts.append(len(self._texts()))
            else:
                counts.append(self._whole())
        self.at += 1
        return counts

    def _outcomes(self, counts: list[int]) -> np.ndarray:
        self._mark("{")
        outcomes = [np.zeros(2)]
        while self._ahead.text != "}":
            self._mark("{")
            self._text("the name of an outcome")
            outcomes.append(self._numbers(2))
            self._mark("}")
        self.at += 1
        chosen = []
        for _ in range(prod(counts)):
            chosen.append(self._whole())
            if chosen[-1] >= len(outcomes):
                self._wrong(f"the number of an outcome, 0 to {len(outcomes) - 1}")
        return np.array(outcomes)[chosen]

    # -- tokens -------------------------------------------------------------------------------------------------

    @property
    def _ahead(self) -> _Token:
        return self.tokens[self.at]

    @property
    def _last(self) -> _Token:
        return self.tokens[self.at - 1]

    def _next(self) -> _Token:
        if self._ahead.kind == "end":
            self._fail(self._ahead.line, "is where the file ends, before the game is whole")
        self.at += 1
        return self._last

    def _word(self, word: str) -> None:
        if self._next().text != word:
            self._wrong(f"{word!r}")

    def _mark(self, mark: str) -> None:
        if self._next().text != mark:
            self._wrong(f"{mark!r}")

    def _text(self, what: str) -> None:
        if self._next().kind != "text":
            self._wrong(f"{what} in quotation marks")

    def _texts(self) -> list[str]:
        """Return the names up to the closing brace."""
        found: list[str] = []
        while self._next().kind == "text":
            found.append(self._last.text)
        if self._last.text != "}":
            self._wrong("a name in quotation marks, or '}'")
        return found

    def _whole(self) -> int:
        text = self._next().text
        if not text.isdecimal() or len(text) > 9:
            self._wrong("a whole number")
        return int(text)

    def _numbers(self, count: int) -> np.ndarray:
        return np.array([self._number() for _ in range(count)])

    def _number(self) -> float:
        text = self._next().text
        if not NUMBER.fullmatch(text):
            self._wrong("a number, such as 2, -0.5 or 1/3")
        over, _, under = text.partition("/")
        try:
            return float(Fraction(over) / Fraction(under or 1))
        except (ZeroDivisionError, OverflowError, ValueError):
            self._wrong("a number that a float holds")

    def _wrong(self, expected: str) -> NoReturn:
        self._fail(self._last.line, f"has {brief(self._last.text)}, allowed: {expected}")

    def _fail(self, line: int, what: str) -> NoReturn:
        raise ParameterError(f"{self.file!r}, line {line}, {what}")
