"""Judging the last mechanism by elections before people that it has not been trained on."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.registry import make_policy
from lawgiver.envs.election.game import Election
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.behaviour.records import Records, concatenate
from lawgiver.trainers.behaviour.table import write_table
from lawgiver.trainers.elections import group_scores, hold, intervals
from lawgiver.trainers.hcmd_zero.acquire import recorded
from lawgiver.trainers.hcmd_zero.settings import HcmdConfig, Population

LEARNED = "hcmd_zero"
"""What the learned mechanism is called in tables and figures."""
PLAYED = "played.parquet"
"""The games against the first rival before the people from whom data are acquired."""


def populations(config: HcmdConfig) -> Mapping[str, Population]:
    """Return who judges, by name: first the people from whom data are acquired, then the others of the config."""
    agents = config.agents
    acquired_from = Population(participants=agents.participants, voters=agents.voters)
    named = agents.participants if isinstance(agents.participants, str) else str(agents.participants["policy"])
    return {named: acquired_from, **config.trainer.evaluation.populations}


def evaluate(
    folder: Path, config: HcmdConfig, game: PublicInvestment, mechanism: Policy, seed: tuple[int, ...]
) -> dict[str, Any]:
    """Return ``vote_share`` (rival -> population -> condition or ``pooled`` -> [share, low, high]) and ``groups``.

    ``groups`` has the means over groups of contributions, log reward and Gini under the mechanism and its first rival,
    before the people from whom data are acquired; their games are kept in the folder.
    """
    settings = config.trainer.evaluation
    base = {"name": config.game.name, **config.game.parameters}
    judges = populations(config)
    found: dict[str, dict[str, Any]] = {rival: {} for rival in settings.rivals}
    first: list[Records] = []
    for rival, (name, people) in itertools.product(settings.rivals, judges.items()):
        election = Election(base=base, participants=people.participants, voters=people.voters)
        contestants = [mechanism, make_policy(game, "mechanism", rival)]
        rng, shares = np.random.default_rng(seed), {}
        for condition, opening in game.openings(settings.games, rng).items():
            state = hold(election, contestants, opening, rng)
            shares[condition] = np.asarray(election.vote_shares(state)[:, 0])
            if len(first) < len(game.conditions):
                first.append(recorded(election, game, state))
        found[rival][name] = intervals(shares, rng)
    played = concatenate(first)
    write_table(folder / PLAYED, played, [LEARNED, settings.rivals[0]])
    return {"vote_share": found, "groups": compared(played, (LEARNED, settings.rivals[0]))}


def compared(played: Records, names: tuple[str, str]) -> dict[str, dict[str, float]]:
    """Return the means over groups of what two mechanisms bring, by measure and mechanism."""
    table: dict[str, dict[str, float]] = {"contributed": {}, "log_reward": {}, "gini": {}}
    for episode, name in enumerate(names):
        fractions = played.contributions[:, episode] / played.endowments[:, None, :]
        inequality, productivity = group_scores(played.payoffs[:, episode].sum(axis=1))
        table["contributed"][name] = float(fractions.mean())
        table["log_reward"][name] = float(productivity.mean())
        table["gini"][name] = float(inequality.mean())
    return table
