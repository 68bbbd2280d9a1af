"""Metrics of a learned policy, in each of which more is better.

- ``reward``: what an agent of the role earns in a game, on average over games, before given others.
- ``seat``: what a participant with the learned policy earns in a game if all others are of the population. The seats
  take turns at it.
- ``regret``: less the gain of a rational participant from the best deviation, in expectation over types; exact, for one
  round before a given mechanism, where all play the learned policy.
- ``equilibrium``: the game's objective in the participants' exact logit equilibrium under the mean action of a
  mechanism without memory; of one that draws a rule, the mean over :data:`RULES` drawn ones.
- ``vote_share``: a mechanism's share of the votes against the population's rival.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lawgiver.agents.anchor import make_anchor
from lawgiver.agents.seated_policy import SeatedPolicy
from lawgiver.agents.tables import tabulate
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.election.game import Election
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.envs.solvers.equilibrium.incentives import incentives
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import mean_parameters
from lawgiver.trainers.benchmark.task import Population, Task, given_policy
from lawgiver.trainers.evaluation.rollout import earnings
from lawgiver.trainers.evaluation.score_table import exact_objective
from lawgiver.trainers.evaluation.vote_shares import POOLED, vote_share
from lawgiver.trainers.settings.base import anchor_of
from lawgiver.trainers.statistics.estimate import Estimate

PARTICIPANT, MECHANISM = "participant", "mechanism"
RULES = 64
"""Rules that are scored of a mechanism that draws one."""
SECTIONS = {MECHANISM: "mechanism", PARTICIPANT: "participants"}
"""Key of a population, and of a config's ``agents``, by role."""


def _given(game: Game[Any], population: Population, skip: str) -> dict[str, Policy]:
    found = {}
    for role in game.roles:
        given = getattr(population, SECTIONS[role])
        if role != skip and given is not None:
            found[role] = given_policy(game, role, given)
    return found


def _reward(
    task: Task, game: Game[Any], whom: Population, learned: Policy, games: int, seed: Sequence[int]
) -> Estimate:
    policies = {**_given(game, whom, task.role), task.role: learned}
    return Estimate.of_samples(earnings(game, policies, task.role, games, np.random.default_rng(seed)).mean(axis=1))


def _seat(task: Task, game: Game[Any], whom: Population, learned: Policy, games: int, seed: Sequence[int]) -> Estimate:
    others = _given(game, whom, "")
    seats = game.roles[PARTICIPANT]
    turn = np.arange(games)[:, None] % seats == np.arange(seats)
    policies = {**others, PARTICIPANT: SeatedPolicy(learned, others[PARTICIPANT], turn)}
    return Estimate.of_samples(earnings(game, policies, PARTICIPANT, games, np.random.default_rng(seed))[turn])


def _regret(
    task: Task, game: Game[Any], whom: Population, learned: Policy, games: int, seed: Sequence[int]
) -> Estimate:
    if not isinstance(game, MechanismGame):
        raise UnsupportedGameError(f"metric 'regret' is not known in {game.name}: allowed: games with an exact subgame")
    parameters = mean_parameters(game, _given(game, whom, PARTICIPANT)[MECHANISM])
    policy = np.exp(tabulate(game, learned, parameters))
    return Estimate.exact(-incentives(game, parameters, policy)["regret"])


def _equilibrium(
    task: Task, game: Game[Any], whom: Population, learned: Policy, games: int, seed: Sequence[int]
) -> Estimate:
    assert whom.inverse_temperature is not None
    people: dict[str, Any] = {
        "inverse_temperature": whom.inverse_temperature,
        "anchor": make_anchor(game, anchor_of(whom)),
    }
    rules = _rules(game, learned, np.random.default_rng(seed))
    values = np.array([exact_objective(game, rule, **people) for rule in rules])
    return Estimate.exact(float(values[0])) if len(values) == 1 else Estimate.of_samples(values)


def _rules(game: Game[Any], mechanism: Policy, rng: np.random.Generator) -> list[Policy]:
    """Return a mechanism that draws nothing at random as it is; of another, the rules that it draws."""
    state = game.initial_state(RULES, rng)
    seen, memory = game.observe(state, MECHANISM), mechanism.initial_state(RULES, rng)
    if not np.asarray(mechanism.distribution(seen, None, memory)[0])[:, :, 1].any():
        return [mechanism]
    drawn = np.asarray(mechanism.act(seen, None, memory, rng)[0])[:, 0]
    return [make_policy(game, MECHANISM, "rule", parameters=rule.tolist()) for rule in drawn]


def _vote_share(
    task: Task, game: Game[Any], whom: Population, learned: Policy, games: int, seed: Sequence[int]
) -> Estimate:
    assert isinstance(game, Election) and whom.rival is not None
    rival = given_policy(game.base_game, MECHANISM, whom.rival)
    each = -(-games // len(game.base_game.initial_states_by_condition(1, np.random.default_rng(0))))
    return vote_share(game, [learned, rival], each, np.random.default_rng(seed))[POOLED]


METRICS: Mapping[str, Callable[[Task, Game[Any], Population, Policy, int, Sequence[int]], Estimate]] = {
    "reward": _reward,
    "seat": _seat,
    "regret": _regret,
    "equilibrium": _equilibrium,
    "vote_share": _vote_share,
}


def measure(
    task: Task, population: str, make: Callable[[Game[Any]], Policy], games: int, seed: Sequence[int]
) -> Estimate:
    """Measure a policy of the task's role before one of its populations.

    Args:
        task: names the metric.
        population: ``training`` or ``held_out``.
        make: makes the policy for the population's game, that of its roles where it is an election.
        games: how many are played, where the metric is not exact.
        seed: of everything that is drawn.

    Raises:
        UnsupportedGameError: if the metric is not known of the game or the policy.
    """
    game = task.game_of(population)
    return METRICS[task.metric](task, game, task.population(population), make(game.base_game), games, seed)
