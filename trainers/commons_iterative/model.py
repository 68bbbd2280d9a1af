"""The Model step: clones fitted to records, and compared with people in games of their own.

A good likelihood of each return does not make good games: near the point at which a pool tips over, a small bias of
returns decides whether it survives. So clones play while they are fitted, which tells when to stop; and in the end,
under mechanisms that their data are from and under others, and what comes of it is set beside what people come to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from lawgiver.agents.clones import Clones
from lawgiver.envs.commons_trust.game import CommonsTrust
from lawgiver.envs.core.policy import Policy
from lawgiver.trainers.commons.evaluation import MEASURES, played
from lawgiver.trainers.commons.plays import Plays
from lawgiver.trainers.commons_iterative.acquire import plays_of
from lawgiver.trainers.commons_iterative.settings import ModelSettings
from lawgiver.trainers.elections.records.records import Records
from lawgiver.trainers.elections.virtual_people.contributions import Candidate, Schedule, fit_contributions
from lawgiver.trainers.statistics.estimate import Estimate

GAMES = 200
"""Of clones under each mechanism, whenever their error is looked at while they are fitted."""


def fit(
    records: Mapping[str, Sequence[Records]],
    mechanisms: Mapping[str, Policy],
    game: CommonsTrust,
    settings: ModelSettings,
    seed: int,
) -> tuple[Clones, dict[str, Any]]:
    """Fit clones to all records; the same seed gives the same ones.

    As the last fit goes on, clones play under those mechanisms that their data are from; those are kept whose surplus
    misses that of the records least.

    Args:
        records: by the name of the mechanism under which they are.
        mechanisms: by name; of the records of others the likelihood alone is used.
        game: that was played.
        settings: of the fit.
        seed: of everything that is drawn.

    Returns:
        The clones, and what was chosen; ``error`` is by how many points their surplus misses that of the records, on
        average over mechanisms. See
        :func:`~lawgiver.trainers.elections.virtual_people.contributions.fit_contributions`.
    """
    make = partial(Clones, game, n_hidden=settings.n_hidden)
    candidates = [Candidate(make, {"n_hidden": settings.n_hidden}, l2) for l2 in settings.l2]
    schedule = Schedule(settings.learning_rate, settings.batch_groups, settings.epochs, settings.patience)
    known = {name: plays_of(found, game).kept.mean() for name, found in records.items() if name in mechanisms}

    def error(clones: Clones) -> float:
        surplus = {name: played(game, mechanisms[name], clones, GAMES, [seed]).kept.mean() for name in known}
        return float(np.mean([abs(surplus[name] - known[name]) for name in known]))

    data = [each for parts in records.values() for each in parts]
    clones, report = fit_contributions(data, candidates, schedule, seed, error if known else None)
    return clones, {key: value for key, value in report.items() if key != "grid"}


def measured(plays: Plays) -> dict[str, Estimate]:
    """Estimate the means of surplus, Gini coefficient, sustained games and exclusions."""
    found = plays.measures()
    return {measure: Estimate.of_samples(found[measure]) for measure in MEASURES}


def closed_loop(
    game: CommonsTrust,
    clones: Policy,
    mechanisms: Mapping[str, Policy],
    of_people: Mapping[str, Plays],
    fitted_to: Sequence[str],
    games: int,
    seed: Sequence[int],
) -> dict[str, dict[str, Any]]:
    """Compare clones with people under each mechanism, in games of their own.

    Args:
        game: that they play.
        clones: to be compared.
        mechanisms: by name.
        of_people: their games; mechanisms under which there are none are left out.
        fitted_to: mechanisms from under which the clones' data are.
        games: of the clones under each mechanism.
        seed: of streams from which no training draws.

    Returns:
        By mechanism the measures of ``people`` and of ``clones``, ``surplus_error``, by how much the latter's surplus
        is higher, and whether clones were ``fitted`` to games under it.
    """
    table: dict[str, dict[str, Any]] = {}
    for name in (name for name in mechanisms if name in of_people):
        theirs, ours = of_people[name], played(game, mechanisms[name], clones, games, seed)
        table[name] = {
            "people": measured(theirs),
            "clones": measured(ours),
            "surplus_error": difference(ours.measures()["surplus"], theirs.measures()["surplus"]),
            "fitted": name in fitted_to,
        }
    return table


def difference(first: np.ndarray, second: np.ndarray) -> Estimate:
    """Estimate how much larger the mean of ``first`` is than that of other, independent games."""
    error = np.sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second))
    return Estimate.normal(float(first.mean() - second.mean()), float(error), min(len(first), len(second)))
