"""Populations and rivals of the final evaluation, built up front so that config errors surface early."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.registry import ROLES, names
from lawgiver.envs.election.game import Election
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.hcmd_zero.settings import HcmdConfig, Population

LEARNED = "hcmd_zero"
"""Name of the learned mechanism in tables and figures."""


@dataclass(frozen=True)
class Judges:
    """Rivals, and an election for each population.

    Attributes:
        rivals: policies by their names in tables and figures.
        elections: by population: first the one from which data are acquired, then the others of the config.
    """

    rivals: Mapping[str, Policy]
    elections: Mapping[str, Election]

    @classmethod
    def of(cls, config: HcmdConfig, game: PublicInvestment) -> Self:
        """Make the rivals and the elections of a config.

        Raises:
            ParameterError: if a rival is there twice, or a population has the name of the people of the config.
            LawgiverError: if a rival, people or voters are unknown or do not fit the game.
        """
        agents, others = config.agents, config.trainer.evaluation.populations
        own = _called(agents.participants)
        if own in others:
            raise ParameterError(
                f"trainer.evaluation.populations has a {own!r}, which is what the people are called from whom data are"
                " acquired: allowed is any other name"
            )
        people = {own: Population(participants=agents.participants, voters=agents.voters), **others}
        elections = {
            name: Election(
                base=config.game.model_dump(), participants=population.participants, voters=population.voters
            )
            for name, population in people.items()
        }
        return cls(rivals(config.trainer.evaluation.rivals, game), elections)


def rivals(given: Sequence[str], game: PublicInvestment) -> dict[str, Policy]:
    """Make mechanisms by name: registered ones by their own, runs by those of their folders, numbered if ambiguous.

    Raises:
        ParameterError: if one is there twice.
        LawgiverError: if one is unknown or does not fit the game.
    """
    seen: set[str] = set()
    made: dict[str, Policy] = {}
    for name in given:
        identity = str(Path(name).resolve()) if _is_folder(name, "mechanism") else name
        if identity in seen:
            raise ParameterError(f"trainer.evaluation.rivals has {name!r} twice: each rival is there once")
        seen.add(identity)
        stem = _called(name, "mechanism")
        labels = itertools.chain([stem], (f"{stem}_{number}" for number in itertools.count(2)))
        taken = {LEARNED, *made, *(other for other in given if other != name)}
        made[next(label for label in labels if label not in taken)] = make_policy(game, "mechanism", name)
    return made


def _called(given: str | Mapping[str, Any], role: str = "participant") -> str:
    name = given if isinstance(given, str) else str(given["policy"])
    return Path(name).resolve().name if _is_folder(name, role) else name


def _is_folder(name: str, role: str) -> bool:
    """Check whether a name is a run's folder for :func:`make_policy`."""
    return name not in names(ROLES[role]) and Path(name).is_dir()
