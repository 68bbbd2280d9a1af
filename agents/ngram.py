"""A language model that needs no download: words of Python's own documentation, three at a time.

With c counting runs of words in the text and V different words in all of it, a word w after u, v has probability

    p(w | u, v) = .6 c(u v w) / c(u v) + .25 c(v w) / c(v) + .12 c(w) / c + .03 / V;

where nothing follows u v, or v, the other terms are scaled up to sum to one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pydoc_data.topics import topics

import numpy as np

from lawgiver.envs.core.errors import ParameterError, UnknownNameError, allowed
from lawgiver.envs.core.language import Reply

WEIGHTS = np.array([[0.03], [0.12], [0.25], [0.6]])
"""Of a word drawn uniformly, and of the text's runs of one, two and three words, (4, 1)."""
WORD = re.compile(r"[a-z]+|[.,:;()]")
TOPIC = re.compile(r"#([\w-]+)")
UNKNOWN = -1
"""Stands for a word that no text has."""


class NGram:
    """Words of Python's own documentation, three at a time.

    An interpolated trigram model of ``pydoc_data.topics``; see :mod:`lawgiver.agents.ngram` for the formula.

    Words of a prompt that begin with # name topics of Python's documentation, such as ``#compound``: the model then
    knows the text of these alone, without any that of all topics. The reply goes on from the prompt's other words.
    """

    def sample(self, prompt: str, count: int, rng: np.random.Generator, length: int) -> list[Reply]:
        """Draw ``count`` independent replies of ``length`` words."""
        text, opening = _read(prompt)
        words = [np.full(count, word) for word in opening]
        for _ in range(length):
            weights, begin, end = text.after(words[-2], words[-1])
            run = (rng.random(count) >= weights.cumsum(0)[:-1]).sum(0)  # of how many words, 0 for a uniform word
            draw = rng.random(count)
            places = begin + (draw * (end - begin)).astype(np.int64)
            drawn = [runs.take(place, mode="clip") % text.size for runs, place in zip(text.runs, places, strict=True)]
            words.append(np.choose(run, [(draw * text.size).astype(np.int64), *drawn]))
        return [tuple(reply) for reply in np.stack(words, 1)[:, 2:].tolist()]

    def log_probabilities(self, prompt: str, replies: Sequence[Reply]) -> np.ndarray:
        """Compute the logarithm of the probability of each reply, (count,).

        Raises:
            ParameterError: if a reply has a number that is no word's.
        """
        text, opening = _read(prompt)
        whole = [np.array([*opening, *reply]) for reply in replies]
        u, v, w = (np.concatenate([one[k : len(one) - 2 + k] for one in whole]) for k in range(3))
        if ((w < 0) | (w >= text.size)).any():
            raise ParameterError(f"a reply has a word numbered {w.max()}, allowed: 0 to {text.size - 1}")
        weights, begin, end = text.after(u, v)
        shares = np.stack([text.count(k, u, v, w) for k in range(3)]) / np.maximum(end - begin, 1)
        logs = np.log(weights[0] / text.size + (weights[1:] * shares).sum(0))
        return np.bincount(np.repeat(np.arange(len(whole)), [len(one) - 2 for one in whole]), logs, len(whole))

    def text(self, reply: Reply) -> str:
        """Write a reply as words, set apart by spaces."""
        known = list(_vocabulary())
        return " ".join(known[word] for word in reply)


@dataclass(frozen=True)
class Text:
    """Runs of one, two and three words of a text, by which they begin.

    Attributes:
        size: number V of different words of all texts.
        runs: each run as a number whose digits, to the base V, are its words; sorted, of one to three words.
    """

    size: int
    runs: tuple[np.ndarray, ...]

    def after(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Find what follows two words, (C,) each.

        Returns:
            The weights, (4, C), and where the runs begin, and end, of which these words are the first, (3, C) each.
        """
        begun = [np.zeros_like(v), v, np.where(v == UNKNOWN, UNKNOWN, u * self.size + v)]
        begin, end = (
            np.stack(
                [np.searchsorted(runs, (first + k) * self.size) for runs, first in zip(self.runs, begun, strict=True)]
            )
            for k in (0, 1)
        )
        weights = WEIGHTS * np.concatenate([np.ones_like(v)[None], end > begin])
        return weights / weights.sum(0), begin, end

    def count(self, k: int, u: np.ndarray, v: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Count the run of k + 1 words that ends u, v, w, (C,)."""
        run = [w, v * self.size + w, (u * self.size + v) * self.size + w][k]
        counts: np.ndarray = np.searchsorted(self.runs[k], run, "right") - np.searchsorted(self.runs[k], run)
        return counts


def _cut(text: str) -> list[str]:
    return WORD.findall(text.lower())


@cache
def _vocabulary() -> dict[str, int]:
    """Number the words of all topics, in the alphabet's order."""
    return {
        word: number for number, word in enumerate(sorted({word for text in topics.values() for word in _cut(text)}))
    }


@cache
def _text(chosen: tuple[str, ...]) -> Text:
    """Collect the runs of words of some topics; none runs from one topic into the next."""
    known = _vocabulary()
    size = len(known)
    texts = [np.array([known[word] for word in _cut(topics[topic])]) for topic in chosen]
    pairs = [text[:-1] * size + text[1:] for text in texts]
    triples = [pair[:-1] * size + text[2:] for pair, text in zip(pairs, texts, strict=True)]
    return Text(size, tuple(np.sort(np.concatenate(runs)) for runs in (texts, pairs, triples)))


def _read(prompt: str) -> tuple[Text, list[int]]:
    """Read a prompt: the text of its topics, and the last two of its words."""
    named = TOPIC.findall(prompt)
    for topic in named:
        if topic not in topics:
            raise UnknownNameError(f"unknown topic {topic!r} in the prompt: {allowed(topic, topics)}")
    words = [_vocabulary().get(word, UNKNOWN) for word in _cut(TOPIC.sub("", prompt))]
    return _text(tuple(sorted(set(named or topics)))), [UNKNOWN, UNKNOWN, *words][-2:]
