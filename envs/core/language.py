"""Language models: what a game asks of one, and sets of candidate replies with the rewards of several advertisers.

A prompt is text, a reply the numbers of its tokens, so that its probability is exact: a text can be cut into tokens in
several ways. A model is named in the entry-point group ``lawgiver.language_models``; no torch is needed to ask for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from lawgiver.envs.core.errors import ParameterError, PluginError, brief, integer, number
from lawgiver.envs.core.make import call_with
from lawgiver.envs.core.registry import LANGUAGE_MODELS, lookup, names

Reply: TypeAlias = tuple[int, ...]
"""A reply: the numbers of its tokens, which only the model that they come from can read."""
METHODS = "sample, log_probabilities and text"
"""The methods of a language model."""


@runtime_checkable
class LanguageModel(Protocol):
    """A distribution of replies for every prompt."""

    def sample(self, prompt: str, count: int, rng: np.random.Generator, length: int) -> list[Reply]:
        """Draw ``count`` independent replies to a prompt, of at most ``length`` tokens each."""

    def log_probabilities(self, prompt: str, replies: Sequence[Reply]) -> np.ndarray:
        """Compute the logarithm of the probability of each reply to a prompt, (count,)."""

    def text(self, reply: Reply) -> str:
        """Write a reply as text."""


def make_language_model(model: Any) -> LanguageModel:
    """Make a language model.

    Args:
        model: a registered name, ``{"name": NAME, **parameters}``, or a model, which is returned.

    Raises:
        UnknownNameError: if no model of that name is registered.
        ParameterError: if a parameter is unknown, missing or outside its range.
        MissingExtraError: if it needs a package that is not installed.
    """
    params: dict[str, Any] = {}
    if isinstance(model, Mapping):
        params = {str(key): value for key, value in model.items()}
        model = params.pop("name", None)
    if isinstance(model, str):
        made = call_with(lookup(LANGUAGE_MODELS, model), f"language model {model!r}", **params)
        if not isinstance(made, LanguageModel):
            raise PluginError(f"language model {model!r} is {brief(made)}, allowed: an object with {METHODS}")
        return made
    if isinstance(model, type) or not isinstance(model, LanguageModel) or params:
        raise ParameterError(
            f"model is {brief(model)}, allowed: a registered name ({', '.join(names(LANGUAGE_MODELS))}),"
            f" {{'name': NAME, **parameters}}, or an object with {METHODS}"
        )
    return model


@dataclass(frozen=True)
class CandidateSets:
    """Sets of candidate replies, and what n advertisers think of them.

    Attributes:
        replies: S sets of M replies.
        log_reference: log-probability of each reply under the plain prompt, (S, M).
        log_weights: the same, less that under the prompt from which the reply was drawn, (S, M).
        rewards: of each advertiser: the log-probability under its own prompt, less that under the plain one, (S, n, M).
    """

    replies: tuple[tuple[Reply, ...], ...]
    log_reference: np.ndarray
    log_weights: np.ndarray
    rewards: np.ndarray


def candidate_sets(
    model: LanguageModel,
    queries: Sequence[str],
    briefs: Sequence[str],
    rng: np.random.Generator,
    *,
    count: int = 8,
    length: int = 20,
    aware: bool = True,
    limit: float = 8.0,
) -> CandidateSets:
    """Draw a set of candidate replies for each query, and score them.

    An advertiser's prompt is its brief and, on a new line, the query; the plain prompt is the query alone. A reward is
    then how many times likelier the advertiser's own prompt makes a reply, as a logarithm.

    Args:
        model: that writes and scores.
        queries: S of them; one that stands there several times has a set each time.
        briefs: what each of n advertisers asks for, n >= 1.
        rng: of the replies.
        count: replies M of a set, >= 1; equal ones may be among them.
        length: greatest number of tokens of a reply, >= 1.
        aware: whether replies are drawn from the prompt with all briefs, instead of the plain one.
        limit: greatest absolute reward, > 0; others are cut there.

    Raises:
        ParameterError: if there are no queries or no briefs, or a number is outside its range.

    Source: Soumalias, Curry and Seuken, arXiv 2405.05905.
    """
    if not queries or not briefs:
        raise ParameterError(f"{'queries' if not queries else 'briefs'} are none, allowed: one at least")
    count, length = integer("count", count, 1), integer("length", length, 1)
    limit = number("limit", limit, "(0, inf)")
    everything: list[tuple[tuple[Reply, ...], np.ndarray, np.ndarray, np.ndarray]] = []
    for query in queries:
        writer = _prompt(briefs, query) if aware else query
        replies = tuple(model.sample(writer, count, rng, length))
        plain = model.log_probabilities(query, replies)
        weights = plain - model.log_probabilities(writer, replies) if aware else np.zeros(count)
        own = np.stack([model.log_probabilities(_prompt([brief], query), replies) for brief in briefs])
        everything.append((replies, plain, weights, np.clip(own - plain, -limit, limit)))
    sets, *numbers = zip(*everything, strict=True)
    return CandidateSets(tuple(sets), *(np.stack(each) for each in numbers))


def _prompt(briefs: Sequence[str], query: str) -> str:
    return "\n".join([*briefs, query])
