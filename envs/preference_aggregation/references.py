"""References and replies: the distribution that policies start from, and what is known of the replies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from lawgiver.envs.core.arrays import log_softmax
from lawgiver.envs.core.errors import ParameterError, brief, integer, number, one_each
from lawgiver.envs.core.language import candidate_sets, make_language_model
from lawgiver.envs.files.annotators import Comparisons, read_annotators
from lawgiver.envs.solvers.preference_aggregation.overoptimisation import GaussianReplies

LARGEST_GRID = 5_000
"""Replies of a grid."""
MEASURED = ("v", "a", "w", "cost", "nodes")
"""Parameters of the model of measured features."""
ASKED = ("model", "query", "briefs")
OPTIONS = ("count", "length", "aware", "limit", "seed")
"""What is asked of a language model, and what may be."""


@dataclass(frozen=True)
class MeasuredReplies:
    """Replies with features on a Gauss-Hermite grid, whose worth is another than what annotators measure.

    Under the grid's weights features have the moments of N(0, I), and tilts that stay within the grid those of
    :mod:`lawgiver.envs.solvers.preference_aggregation.overoptimisation`.

    Attributes:
        features: (K, k).
        log_reference: logarithms of the weights, (K,).
        measured: weights of the features in each annotator's reward, (n, k).
        v: what a unit of each feature is worth, (k,); ``a``, how fast more of it is worth less.
        a: see there.
        cost: of a weight of 1 on what an annotator measures.
    """

    features: np.ndarray
    log_reference: np.ndarray
    measured: np.ndarray
    v: tuple[float, ...]
    a: tuple[float, ...]
    cost: float

    @property
    def rewards(self) -> np.ndarray:
        """Reward of each annotator, its measurement of each reply, (n, K)."""
        found: np.ndarray = self.measured @ self.features.T
        return found

    def model(self, weights: Sequence[float] | np.ndarray) -> GaussianReplies:
        """Return the model in which the mean of the annotators' rewards, each times a weight (n,), is the proxy."""
        return GaussianReplies(self.v, self.a, tuple(np.asarray(weights, float) @ self.measured / len(self.measured)))

    @property
    def worths(self) -> np.ndarray:
        """Worth of replies over the reference, (K,)."""
        return self.model(np.ones(len(self.measured))).worths(self.features)


def measured_replies(given: Any) -> MeasuredReplies:
    """Lay out replies with measured features.

    Args:
        given: ``v`` and ``a``, k numbers each; ``w``, n rows of k numbers; ``cost``, a number; ``nodes``, of the grid
            along each feature.

    Raises:
        ParameterError: naming the parameter at fault.
    """
    keys = ", ".join(MEASURED)
    if not isinstance(given, Mapping) or set(given) != set(MEASURED):
        raise ParameterError(f"measured is {brief(given)}, allowed: a mapping with {keys}")
    nodes, rows = integer("measured.nodes", given["nodes"], 2, 100), given["w"]
    if not isinstance(rows, (list, tuple, np.ndarray)) or not len(rows):
        raise ParameterError(f"measured.w is {brief(rows)}, allowed: a row of numbers for each participant")
    v = given["v"]
    size = len(v) if isinstance(v, (list, tuple, np.ndarray)) else 0
    if not size or nodes**size > LARGEST_GRID:
        raise ParameterError(
            f"measured.v is {brief(v)} with nodes={nodes}, allowed: a number for each feature, with up to"
            f" {LARGEST_GRID:,} = nodes^features replies"
        )
    measured = [one_each(f"measured.w[{i}]", row, size, "(-inf, inf)", "a feature") for i, row in enumerate(rows)]
    v, a = (
        one_each(f"measured.{key}", given[key], size, interval, "a feature")
        for key, interval in (("v", "(-inf, inf)"), ("a", "[0, inf)"))
    )
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    features = np.stack(np.meshgrid(*[points] * size, indexing="ij"), axis=-1).reshape(-1, size)
    logs = np.log(weights / math.sqrt(2 * math.pi))
    log_reference = sum(np.meshgrid(*[logs] * size, indexing="ij")).reshape(-1)  # type: ignore[union-attr]
    cost = number("measured.cost", given["cost"], "[0, inf)")
    return MeasuredReplies(features, log_reference, np.array(measured), v, a, cost)


@lru_cache(maxsize=32)
def directions(replies: int, size: int) -> np.ndarray:
    """Return public features (K, d) of length 1, the same in every game: normal numbers of a fixed seed, scaled."""
    drawn = np.random.default_rng([replies, size]).standard_normal((replies, size))
    found: np.ndarray = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return found


@dataclass(frozen=True)
class WrittenReplies:
    """Replies of a language model to a query.

    Attributes:
        texts: of the replies, K.
        log_reference: log q on them, (K,): their importance weights, where they were written to briefs.
        rewards: of each of A advertisers, (A, K).
    """

    texts: tuple[str, ...]
    log_reference: np.ndarray
    rewards: np.ndarray


def written_replies(given: Any) -> WrittenReplies:
    """Let a language model write replies, and score them.

    Args:
        given: ``model``, ``query``, ``briefs`` and options of :func:`lawgiver.envs.core.language.candidate_sets`, with
            a ``seed``.

    Raises:
        ParameterError: naming the parameter at fault.
        UnknownNameError, MissingExtraError: if there is no such model, or it needs what is not installed.
    """
    if not isinstance(given, Mapping) or not set(ASKED) <= set(given) <= {*ASKED, *OPTIONS}:
        raise ParameterError(
            f"language is {brief(given)}, allowed: a mapping with {', '.join(ASKED)}, and any of {', '.join(OPTIONS)}"
        )
    query, briefs = given["query"], given["briefs"]
    if not isinstance(query, str):
        raise ParameterError(f"language.query is {brief(query)}, allowed: a text")
    if not isinstance(briefs, (list, tuple)) or not briefs or not all(isinstance(each, str) for each in briefs):
        raise ParameterError(f"language.briefs is {brief(briefs)}, allowed: a list of texts, one an advertiser")
    options = {name: given[name] for name in OPTIONS if name in given}
    rng = np.random.default_rng(integer("language.seed", options.pop("seed", 0), 0))
    model = make_language_model(given["model"])
    sets = candidate_sets(model, [query], briefs, rng, **options)
    weights = sets.log_weights[0]
    return WrittenReplies(tuple(map(model.text, sets.replies[0])), log_softmax(weights), sets.rewards[0])


@lru_cache(maxsize=8)
def annotators_of(file: str) -> np.ndarray:
    """Read the rewards (A, K) of a table of annotators.

    Raises:
        ParameterError: naming the file and the line at fault, or the first rating that it lacks.
    """
    found = read_annotators(file)
    if isinstance(found, Comparisons):
        raise ParameterError(f"{file!r} has comparisons, allowed: a table with the columns annotator, item and value")
    return found.complete()
