"""Welfare and regret of a learned voting rule, beside those of known rules and the most that any rule can have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch

from lawgiver.agents.ordinal_net import LearnedOrdinal, ranked_choice, told
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.game import Game
from lawgiver.envs.families.choice_game import ChoiceGame
from lawgiver.envs.solvers.social_choice.dominance import fosd_regret
from lawgiver.envs.solvers.social_choice.frontier import Frontier
from lawgiver.envs.solvers.social_choice.orbits import Orbits, orbits
from lawgiver.envs.solvers.social_choice.profiles import orders, positions
from lawgiver.envs.solvers.social_choice.rules import RULES, lottery
from lawgiver.envs.voting.game import Voting
from lawgiver.trainers.ordinal.profiles import CHUNK, Listed, Sampled
from lawgiver.trainers.ordinal.settings import Evaluation, OrdinalTrainer
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.streams import ORDINAL

Counted: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""A voting rule: voters who hold each ranking, (P, T), to lotteries (P, m)."""
LEARNED = "learned"
NOT_NEUTRAL = ("median",)
"""Rules that do not treat alternatives alike, so that orbits say nothing about them."""
LARGEST_M = 6
"""Alternatives up to which all ballots are tried."""
LARGEST_PROGRAM = 1_000
"""Orbits up to which the frontier is computed."""
DECIDED = 20_000
"""Profiles that a known rule decides at once."""
PROFILES, SEATS = range(2)
"""Streams of random numbers."""


def checked(game: Game[Any], settings: OrdinalTrainer) -> ChoiceGame:
    """Return the game as one whose rule the trainer learns.

    Raises:
        UnsupportedGameError: if the game is none that chooses by rankings, or has another objective than welfare, too
            many alternatives, or profiles that cannot be listed as asked for.
        ParameterError: if there are too many profiles to list, with another number of voters of the evaluation too.
    """
    choice = ranked_choice(game, "trainer 'ordinal'")
    if choice.objective != "welfare":
        raise UnsupportedGameError(f"trainer 'ordinal' maximises welfare, not game.objective={choice.objective!r}")
    if choice.m > LARGEST_M:
        raise UnsupportedGameError(
            f"trainer 'ordinal' tries all m! ballots: game.m is {choice.m}, allowed: {LARGEST_M} at most"
        )
    if settings.evaluation.sides:
        raise ParameterError("trainer.evaluation.sides is given, allowed with matching alone: here evaluation.voters")
    for n in settings.evaluation.voters:  # refused now, before a training that would be in vain
        other: ChoiceGame = replace(choice, n=n)
        if settings.profiles == "all":
            listable(other)
    return choice


def profiles(game: ChoiceGame, settings: OrdinalTrainer, seed: int, device: str) -> Listed | Sampled:
    """Return the profiles that a rule is trained on."""
    if settings.profiles == "all":
        return Listed.of(listable(game), device)
    return Sampled(game, settings.batch, settings.deviators, seed, device)


def judge(game: ChoiceGame, learned: LearnedOrdinal, settings: OrdinalTrainer, seed: Sequence[int]) -> dict[str, Any]:
    """Measure a learned rule beside the known ones.

    Args:
        game: in ``allocate`` mode.
        learned: voting rule of the game.
        settings: of the trainer, which say whether all profiles are listed.
        seed: of the profiles where they are sampled, from a stream that no training draws from.

    Returns:
        ``rules``: by name, ``learned`` first, ``welfare``, the mean utility of voters, and ``regret``, the mean over
        voters of what the best other ballot brings in the sense of stochastic dominance. Where all profiles are listed
        both are exact, with the ``frontier``, the greatest welfare at that regret, and how far the rule is ``below``
        it; ``truthful``, the greatest welfare without regret, and ``greatest``, of all rules (all of these None where
        the program is too large); ``voters``: the same of the learned rule by number of voters. Where profiles are
        sampled both are estimates, with ``more_welfare`` and ``less_regret``, how much better the learned rule is on
        the same profiles.
    """
    if settings.profiles == "all":
        listed = listable(game)
        names = [name for name in ranked_rules(game) if name not in NOT_NEUTRAL]
        known: dict[str, Counted] = {
            LEARNED: counted(learned),
            **{name: named(name, game.m, "share") for name in names},
        }
        found = exactly(listed, known)
        others = {
            str(n): exactly(orbits(n, game.m), {LEARNED: counted(learned)})["rules"][LEARNED]
            for n in settings.evaluation.voters
        }
        return {**found, "voters": others}
    return sampled(game, learned, settings.evaluation, settings.deviators, seed)


def listable(game: ChoiceGame) -> Orbits:
    """List the profiles of a game whose rankings are independent and uniform, and whose rules share ties.

    Raises:
        UnsupportedGameError: if they are not, or do not.
        ParameterError: if there are too many.
    """
    if not isinstance(game, Voting) or game.culture != "impartial":
        where = f"culture={game.culture!r}" if isinstance(game, Voting) else game.name
        raise UnsupportedGameError(
            f"trainer 'ordinal' lists all profiles of the impartial culture, not of {where}: take"
            " trainer.profiles=sampled"
        )
    if game.ties != "share":  # profiles that differ in the names of alternatives count as one
        raise UnsupportedGameError(
            f"trainer 'ordinal' lists all profiles up to the names of alternatives, which game.ties={game.ties!r} tells"
            " apart, allowed: game.ties=share, or trainer.profiles=sampled"
        )
    try:
        return orbits(game.n, game.m)
    except ParameterError as error:
        raise ParameterError(f"{error}; take fewer voters or alternatives, or trainer.profiles=sampled") from None


def ranked_rules(game: ChoiceGame) -> list[str]:
    """List the known rules that decide by rankings, among those of a game."""
    return [name for name in game.direct_rules if name in RULES and RULES[name].reads in ("ranking", "plurality")]


def counted(learned: LearnedOrdinal) -> Counted:
    """Make a function of counts of rankings out of a learned rule."""
    network = learned.network

    @torch.no_grad()
    def rule(counts: np.ndarray) -> np.ndarray:
        held = torch.tensor(counts, dtype=next(network.parameters()).dtype)
        each = told(torch.tensor(orders(learned.choice.m)), held)
        profiles = torch.einsum("pt,tab->pab", held, each) / held.sum(-1)[:, None, None]
        lotteries: np.ndarray = torch.cat([network(part) for part in torch.split(profiles, CHUNK)]).double().numpy()
        return lotteries

    return rule


def named(name: str, m: int, ties: str) -> Counted:
    """Make a function of counts of rankings out of the name of a rule."""

    def rule(counts: np.ndarray) -> np.ndarray:
        lotteries: np.ndarray = lottery(name, orders(m)[None], counts.astype(float), ties=ties)
        return lotteries

    return rule


def exactly(listed: Orbits, rules: Mapping[str, Counted]) -> dict[str, Any]:
    """Compute the measures of rules over all profiles, beside the frontier; see :func:`judge`."""
    frontier = Frontier(listed.n, listed.m) if len(listed) <= LARGEST_PROGRAM else None
    found = {}
    for name, rule in rules.items():
        lotteries = rule(listed.counts)
        welfare, regret = float(listed.welfare(lotteries)), float(listed.regret(lotteries))
        most = None if frontier is None else frontier.best(max(regret, 0.0)).objective
        below = None if most is None else most - welfare
        found[name] = {"welfare": welfare, "regret": regret, "frontier": most, "below": below}
    ends = {"truthful": 0.0, "greatest": None}
    limits = {name: None if frontier is None else frontier.best(bound).objective for name, bound in ends.items()}
    return {"rules": found, **limits}


def sampled(
    game: ChoiceGame, learned: LearnedOrdinal, evaluation: Evaluation, deviators: int, seed: Sequence[int]
) -> dict[str, Any]:
    """Estimate the measures of rules over fresh profiles; see :func:`judge`."""
    ties = game.ties if isinstance(game, Voting) else "share"
    known = {name: named(name, game.m, ties) for name in ranked_rules(game)}

    def of_size(n: int, rules: Mapping[str, Counted]) -> dict[str, dict[str, np.ndarray]]:
        same: ChoiceGame = replace(game, n=n)
        types = same.initial_state(evaluation.profiles, np.random.default_rng([ORDINAL, *seed, PROFILES])).types
        return measured(same.private(types), rules, deviators, np.random.default_rng([ORDINAL, *seed, SEATS]))

    values = of_size(game.n, {LEARNED: counted(learned), **known})
    own = values[LEARNED]
    found = {
        name: {
            **{measure: Estimate.of_samples(each) for measure, each in by_measure.items()},
            **(
                {}
                if name == LEARNED
                else {
                    "more_welfare": Estimate.of_samples(own["welfare"] - by_measure["welfare"]),
                    "less_regret": Estimate.of_samples(by_measure["regret"] - own["regret"]),
                }
            ),
        }
        for name, by_measure in values.items()
    }
    others = {
        str(n): {
            measure: Estimate.of_samples(each)
            for measure, each in of_size(n, {LEARNED: counted(learned)})[LEARNED].items()
        }
        for n in evaluation.voters
    }
    return {"rules": found, "voters": others, "profiles": evaluation.profiles}


def measured(
    utilities: np.ndarray, rules: Mapping[str, Counted], deviators: int, rng: np.random.Generator
) -> dict[str, dict[str, np.ndarray]]:
    """Measure rules on profiles, each with some voters who try every ballot.

    Args:
        utilities: of the voters, (P, n, m).
        rules: by name.
        deviators: voters of each profile who try every ballot, each alone.
        rng: draws who they are.

    Returns:
        ``welfare`` and ``regret``, (P,) each, by rule.
    """
    count, n, m = utilities.shape
    places, kinds = positions(utilities), orders(m)
    held = np.stack([(places == ranking).all(-1) for ranking in kinds], -1)  # (P, n, T)
    seats = rng.permuted(np.broadcast_to(np.arange(n), (count, n)), axis=1)[:, :deviators]
    own = np.take_along_axis(places, seats[..., None], 1)
    total = held.sum(1)
    others = total[:, None] - np.take_along_axis(held, seats[..., None], 1)  # (P, d, T)
    found = {}
    for name, rule in rules.items():
        truth, regrets = rule(total), []
        step = max(1, DECIDED // (seats.shape[1] * len(kinds)))
        for part in (slice(start, start + step) for start in range(0, count, step)):
            cast = (others[part][:, :, None] + np.eye(len(kinds), dtype=int)).reshape(-1, len(kinds))
            after = rule(cast).reshape(-1, seats.shape[1], len(kinds), m)
            before = np.broadcast_to(truth[part][:, None], own[part].shape)
            regrets.append(fosd_regret(before, after, own[part]).max(-1).mean(-1))
        welfare = (utilities.mean(1) * truth).sum(-1)
        found[name] = {"welfare": welfare, "regret": np.concatenate(regrets)}
    return found
