"""MOSAIC on candidates: how many a generator needs, and that no misreport gains, on made-up replies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.language import candidate_sets, make_language_model
from lawgiver.envs.solvers.preference_aggregation.mosaic import drawn_candidates, generator, law_of_reply, mosaic
from lawgiver.envs.solvers.preference_aggregation.tilting import log_sum_exp, tilted
from lawgiver.trainers.reproduce.table import Cell
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.streams import AGGREGATION

REPLIES, ADVERTISERS = 50, 3
SETS_DRAWN = 3_000
"""Candidate sets that are drawn of each size."""
SIZES = (1, 5, 20, 100, 1_000)
GENERATORS = {"the reference": 0.0, "aware, kappa = 0.7": 0.7}
MISREPORTS = 5_000
GAIN = "greatest gain of 5,000 misreports"
CUT = 4.0
"""Largest reward that is reported."""


@dataclass(frozen=True)
class Instance:
    """Replies of a reference, with the rewards of several advertisers.

    Attributes:
        log_reference: log q, (K,).
        rewards: (n, K).
    """

    log_reference: np.ndarray
    rewards: np.ndarray

    @classmethod
    def drawn(cls, seed: int) -> Instance:
        """Draw logits of the reference and rewards, all standard normal."""
        rng = np.random.default_rng(seed)
        logits, rewards = rng.standard_normal(REPLIES), rng.standard_normal((ADVERTISERS, REPLIES))
        return cls(logits - log_sum_exp(logits), rewards)

    def candidates(self, kappa: float, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Draw candidates (...) at tau = 1; return them, with their log-weights (...) and rewards (..., n, M)."""
        log_gen = generator(self.log_reference, self.rewards, 1.0, kappa)
        drawn = drawn_candidates(log_gen, rng.random(shape))
        return drawn, (self.log_reference - log_gen)[drawn], np.moveaxis(self.rewards[:, drawn], 0, -2)


def rows() -> Iterator[dict[str, Cell]]:
    """Tabulate how far the law of the reply is from the optimal policy, by generator and number of candidates."""
    each, other = Instance.drawn(1), Instance.drawn(2)
    total = each.rewards.sum(0)
    best = tilted(each.log_reference, total, 1.0)
    for name, kappa in GENERATORS.items():
        for size in SIZES:
            rng = np.random.default_rng([AGGREGATION, 2, size])
            drawn, weights, rewards = each.candidates(kappa, (SETS_DRAWN, size), rng)
            policy, payments = mosaic(weights, rewards, 1.0)
            law = law_of_reply(policy, drawn, REPLIES)
            yield {
                "candidates from": name,
                "M": float(size),
                "distance to the optimum": float(np.abs(law - best).sum() / 2),
                "rewards": Estimate.of_samples((policy * total[drawn]).sum(1)),
                "revenue": Estimate.of_samples(payments.sum(1)),
                GAIN: max(greatest_gain(one, kappa, size) for one in (each, other)),
            }
    optimum = float(best @ total)
    yield {
        "candidates from": "the optimal policy",
        "M": None,
        "distance to the optimum": 0.0,
        "rewards": optimum,
        "revenue": None,
        GAIN: None,
    }


Offset = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""An offset of a payment: of one's own reports (c, M) and the policy without one (M,), numbers (c,)."""


def greatest_gain(each: Instance, kappa: float, size: int, offset: Offset | None = None) -> float:
    """Search for the misreport that gains most on one candidate set, over all advertisers.

    Reports are scaled, moved, disturbed, or have nothing to do with the truth.

    Args:
        each: the instance.
        kappa: awareness of the generator.
        size: candidates M.
        offset: that is added to payments; None for none.
    """
    rng = np.random.default_rng([AGGREGATION, 3, size])
    _, weights, rewards = each.candidates(kappa, (size,), rng)
    found = []
    for i, truth in enumerate(rewards):
        scale, noise = np.exp(rng.standard_normal((MISREPORTS, 1))), rng.standard_normal((MISREPORTS, size))
        kinds = [truth * scale, truth * scale + noise[:, :1], truth + scale * noise, 3 * noise]
        told = np.array([truth, *(np.clip(kinds[k % 4][k], -CUT, CUT) for k in range(MISREPORTS))])
        every = np.repeat(rewards[None], len(told), 0)
        every[:, i] = told
        policy, payments = mosaic(weights, every, 1.0)
        utility = policy @ truth - payments[:, i]
        if offset is not None:
            utility = utility - offset(told, tilted(weights, rewards.sum(0) - truth, 1.0))
        found.append(float((utility[1:] - utility[0]).max()))
    return max(found)


def controls() -> Iterator[dict[str, Cell]]:
    """Tabulate offsets of payments: one that does not depend on the payer's report, and a forbidden one that does."""
    offsets: dict[str, Offset | None] = {
        "none": None,
        "-0.1 for everybody": lambda told, without: np.full(len(told), -0.1),
        "<p_-i, r_i> as reported: forbidden": lambda told, without: told @ without,
    }
    each = Instance.drawn(1)
    for name, offset in offsets.items():
        gains = [greatest_gain(each, kappa, size, offset) for kappa in (0.0, 0.7) for size in (1, 20, 100)]
        yield {"offset": name, f"{GAIN}, six candidate sets": max(gains)}


QUERIES = ("the value of", "a class is", "if the object", "the name of", "an expression that", "this method is")
BRIEFS = ("#specialnames", "#compound", "#types")
SETS, WORDS, LIMIT = 10, 12, 8.0
"""Candidate sets of each query, words of a reply, and the largest reward."""
REPORTS = 300


def written() -> Iterator[dict[str, Cell]]:
    """Tabulate MOSAIC on replies of an n-gram model, written to the query or to all briefs, tau = 1, M = 20."""
    model = make_language_model("ngram")
    for name, aware in (("the query", False), ("all briefs", True)):
        rng = np.random.default_rng([AGGREGATION, 4])
        asked = [query for query in QUERIES for _ in range(SETS)]
        sets = candidate_sets(model, asked, BRIEFS, rng, count=20, length=WORDS, aware=aware, limit=LIMIT)
        policy, payments = mosaic(sets.log_weights, sets.rewards, 1.0)
        utilities = (policy[:, None] * sets.rewards).sum(-1)
        found: dict[str, Cell] = {
            "replies written to": name,
            "rewards": Estimate.of_samples(utilities.sum(1)),
            "revenue": Estimate.of_samples(payments.sum(1)),
        }
        for i, brief in enumerate(BRIEFS):
            found[f"utility of {brief}"] = Estimate.of_samples((utilities - payments)[:, i])
        found["log reference a word"] = Estimate.of_samples((policy * sets.log_reference).sum(1) / WORDS)
        found["greatest gain"] = max(
            _gain_of_report(weights, rewards, rng)
            for weights, rewards in zip(sets.log_weights, sets.rewards, strict=True)
        )
        yield found


def _gain_of_report(weights: np.ndarray, rewards: np.ndarray, rng: np.random.Generator) -> float:
    """Compute the greatest gain of :data:`REPORTS` random misreports of each advertiser, within bounds."""
    found = []
    for i, truth in enumerate(rewards):
        noise = rng.standard_normal((REPORTS, len(truth)))
        told = np.clip(truth * np.exp(noise[:, :1]) + noise * LIMIT / 4, -LIMIT, LIMIT)
        every = np.repeat(rewards[None], REPORTS + 1, 0)
        every[1:, i] = told
        policy, payments = mosaic(weights, every, 1.0)
        utility = policy @ truth - payments[:, i]
        found.append(float((utility[1:] - utility[0]).max()))
    return max(found)
