"""A planner among fresh people, beside rules of thumb, its own distillate and the ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from lawgiver.agents.commons import FamilyOffers
from lawgiver.envs.commons_trust.game import CommonsTrust
from lawgiver.envs.commons_trust.rule_family import LAYOUT, MEMBERS
from lawgiver.envs.commons_trust.solutions import most_consumed
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.election.game import Election
from lawgiver.trainers.commons.distillation import distil
from lawgiver.trainers.commons.plays import Plays, play
from lawgiver.trainers.commons.settings import CommonsAgents, Evaluation
from lawgiver.trainers.evaluation.vote_shares import against
from lawgiver.trainers.runs.config import validate
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.settings.base import Config
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.streams import COMMONS

MEASURES = ("surplus", "gini", "sustained", "excluded")
PROPORTIONAL, LEARNED, DISTILLED, CEILING = "proportional", "learned", "distilled", "ceiling"
RIVALS = (PROPORTIONAL, "interpolating")
"""Of elections."""
RULES = {name.removesuffix("_offers"): parameters for name, parameters in MEMBERS.items()}
"""The canonical rules: parameters by short name."""
DISTILLING = 1
"""Stream of the games from which a rule is distilled; its judgement is on others."""
DISTILLED_GAMES = 500


def evaluate_run(run: Run, games: int, seed: Sequence[int]) -> dict[str, Any]:
    """Judge a run's planner anew, in as many games with each mechanism; see :func:`judged`."""
    config = validate(run.settings)
    game: Any = config.game.make()
    planner = load(run.path, role="mechanism", game=game)
    evaluation = config.trainer.evaluation.model_copy(update={"games": games})
    return judged(game, planner, people_of(config, game), voters_of(config), evaluation, seed)


def people_of(config: Config[CommonsAgents, Any], game: CommonsTrust) -> Policy:
    """Make the participants of a config for a game."""
    return make_policy(game, "participant", config.agents.participants.model_dump())


def voters_of(config: Config[CommonsAgents, Any]) -> dict[str, Any]:
    """Describe the voters of a config as an election takes them."""
    return config.agents.voters.model_dump()


def judged(
    game: CommonsTrust,
    planner: Policy,
    people: Policy,
    voters: Mapping[str, Any],
    evaluation: Evaluation,
    seed: Sequence[int],
) -> dict[str, Any]:
    """Compare a planner with the canonical rules and with the rule distilled from it, and hold elections.

    Args:
        game: the rules, in allocate mode.
        planner: to be judged.
        people: participants.
        voters: how they vote, as an election takes it.
        evaluation: how much is played.
        seed: of streams from which no training draws. With every mechanism the same people play.

    Returns:
        each of ``surplus``, ``gini``, ``sustained`` and ``excluded`` by mechanism; ``surplus_ratio``, the surplus of
        planner and rule by proportional's, from the same people; ``distillation``: the rule's parameters, ``r2``, and
        ``advantage_kept``, its share of the planner's advantage over proportional; ``vote_share``, the planner's votes.
    """
    own = play(game, planner, people, DISTILLED_GAMES, np.random.default_rng([COMMONS, *seed, DISTILLING]))
    found = distil(game, own)
    mechanisms = mechanisms_of(game, planner, found.parameters)
    plays = {name: played(game, each, people, evaluation.games, seed) for name, each in mechanisms.items()}
    measured = {name: each.measures() for name, each in plays.items()}
    surplus = {name: each["surplus"] for name, each in measured.items()}
    table: dict[str, Any] = {
        measure: {name: Estimate.of_samples(each[measure]) for name, each in measured.items()} for measure in MEASURES
    }
    table["surplus"][CEILING] = ceiling(game)
    gained = {name: surplus[name] - surplus[PROPORTIONAL] for name in (LEARNED, DISTILLED)}
    return {
        **table,
        "surplus_ratio": {name: Estimate.of_ratio(surplus[name], surplus[PROPORTIONAL]) for name in gained},
        "distillation": {
            **dict(zip((field.name for field in LAYOUT), found.parameters, strict=True)),
            "r2": found.r2,
            "advantage_kept": Estimate.of_ratio(gained[DISTILLED], gained[LEARNED]),
        },
        **elected(game, mechanisms, people, voters, evaluation.elections, seed),
    }


def mechanisms_of(game: CommonsTrust, planner: Policy, distilled: Sequence[float]) -> dict[str, Policy]:
    """Collect the canonical rules, a planner and the rule of these parameters, by the names they have in a summary."""
    rules: dict[str, Policy] = {name: FamilyOffers(game, parameters) for name, parameters in RULES.items()}
    return rules | {LEARNED: planner, DISTILLED: FamilyOffers(game, distilled)}


def mechanisms_of_run(run: Run) -> dict[str, Policy]:
    """Collect the mechanisms that a finished run has been judged beside, its own included."""
    game: Any = run.game()
    found = run.summary["distillation"]
    planner = load(run.path, role="mechanism", game=game)
    return mechanisms_of(game, planner, [found[field.name] for field in LAYOUT])


def played(game: CommonsTrust, mechanism: Policy, people: Policy, games: int, seed: Sequence[int]) -> Plays:
    """Play the games of an evaluation: of the same seed with the same people, whatever the mechanism."""
    return play(game, mechanism, people, games, np.random.default_rng([COMMONS, *seed]))


def elected(
    game: CommonsTrust,
    mechanisms: Mapping[str, Policy],
    people: Policy,
    voters: Mapping[str, Any],
    elections: int,
    seed: Sequence[int],
) -> dict[str, Any]:
    """Hold elections of the planner, and of its distillate, against others: their share of the votes by rival.

    Returns:
        ``vote_share``: of the planner against its distillate, proportional and interpolating, groups resampled whole;
        ``vote_share_distilled``: of the distillate, against the latter two.
    """
    election = Election(base=base_of(game), participants=people, voters=voters)
    found = {}
    for key, who, rivals in (
        ("vote_share", LEARNED, (DISTILLED, *RIVALS)),
        ("vote_share_distilled", DISTILLED, RIVALS),
    ):
        named = {rival: mechanisms[rival] for rival in rivals}
        found[key] = against(election, mechanisms[who], named, elections, [COMMONS, *seed])["vote_share_pooled"]
    return found


def base_of(game: CommonsTrust) -> dict[str, Any]:
    """Describe a game by name and parameters, as an election takes its base."""
    return {"name": game.name, **{field.name: getattr(game, field.name) for field in fields(game)}}


def ceiling(game: CommonsTrust) -> float | None:
    """Compute the surplus of a planner that dictates returns too, the most that the pool allows.

    Of games that end at random it is None.
    """
    if game.continuation is not None:
        return None
    most = most_consumed(game.first_pool, game.capacity, game.growth, game.n_rounds)
    return most / (game.n * game.n_rounds)
