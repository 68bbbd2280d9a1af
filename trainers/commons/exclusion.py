"""Exclusions: who is offered less than a point after what, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lawgiver.envs.commons_trust.game import SMALLEST_OFFER
from lawgiver.trainers.commons.plays import Plays

LITTLE = 0.25
"""Fraction of an offer below which little has been returned."""


@dataclass(frozen=True)
class Exclusions:
    """Exclusions under a mechanism, while the pool holds a point for everybody.

    Attributes:
        after_little: share of those who returned less than :data:`LITTLE` of their offer who are excluded in the next
            round; NaN where nobody did.
        after_more: the same of those who returned more.
        lasting: share of exclusions that last longer than k rounds, for k = 0, 1, ..., (T,); those that the end of the
            game or an empty pool cuts off count as long as they are seen (Kaplan and Meier 1958). NaN beyond.
    """

    after_little: float
    after_more: float
    lasting: np.ndarray


def exclusions(plays: Plays) -> Exclusions:
    """Measure the exclusions of games."""
    n = plays.offers.shape[2]
    played = np.isfinite(plays.offers[..., 0])  # the pool is known after the last offers, too
    able = played & (plays.pools[:, :-1] >= n * SMALLEST_OFFER)  # (G, T)
    excluded = (plays.offers < SMALLEST_OFFER) & able[..., None]
    asked = (plays.offers >= SMALLEST_OFFER)[:, :-1] & able[:, 1:, None]
    fraction = np.divide(plays.returns, plays.offers, out=np.zeros_like(plays.offers), where=plays.offers > 0)[:, :-1]
    little = asked & (fraction < LITTLE)
    later = excluded[:, 1:]
    return Exclusions(_share(later, little), _share(later, asked & ~little), _lasting(excluded, able))


def _share(of: np.ndarray, among: np.ndarray) -> float:
    return float(of[among].mean()) if among.any() else float("nan")


def _lasting(excluded: np.ndarray, able: np.ndarray) -> np.ndarray:
    """Estimate the survival function of spells of True along axis 1 of (G, T, n), cut off where not ``able`` (G, T)."""
    rounds = excluded.shape[1]
    run = np.zeros_like(excluded[:, 0], int)  # rounds that each has been excluded for so far
    stayed, ended = np.zeros(rounds + 1), np.zeros(rounds + 1)
    for t in range(rounds):
        over = (run > 0) & ~excluded[:, t] & able[:, t, None]  # an offer again, no empty pool
        ended += np.bincount(run[over], minlength=rounds + 1)
        run = np.where(excluded[:, t], run + 1, 0)
        stayed += np.bincount(run[excluded[:, t] & (run > 1)], minlength=rounds + 1)
    at_risk = ended[1:] + np.append(stayed[2:], 0)  # of going on from k rounds, k = 1, ..., T
    with np.errstate(invalid="ignore", divide="ignore"):
        going_on = np.where(at_risk > 0, 1 - ended[1:] / at_risk, np.nan)
    return np.concatenate([[1.0], np.cumprod(going_on)])[:-1]
