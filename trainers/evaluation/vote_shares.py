"""Elections between mechanisms: shares of the votes by condition, with intervals clustered by group."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, integers, map_arrays, namespace, where_games
from lawgiver.envs.core.checks import check_policy
from lawgiver.envs.core.errors import ActionError, ParameterError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.objectives import gini, log_nash_welfare
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.rollout import choose
from lawgiver.envs.core.validation import check_outcome
from lawgiver.envs.election.game import Election
from lawgiver.envs.election.state import ElectionState
from lawgiver.trainers.statistics.bootstrap import group_bootstrap
from lawgiver.trainers.statistics.estimate import Estimate

FIRST = "first_snapshot"
"""What the mechanism is called that self-play began with; a run keeps it beside the learned one."""
POOLED = "pooled"
"""The name under which all conditions together stand."""


def hold(election: Election, mechanisms: Sequence[Policy], opening: Any, rng: Rng, order: Array | None = None) -> Any:
    """Hold elections among mechanisms of the base game, whose outcomes are applied as they are; return the final state.

    On torch, gradients go through everything that a mechanism does and that people feel of it.

    Args:
        election: the rules, with the people and how they vote.
        mechanisms: one a seat.
        opening: of the base game, B of them, on the backend of ``rng``.
        rng: for the people, and for mechanisms that draw at random.
        order: the seats that rule first, second and so on in each election, (B, k); None takes all orders in turn.

    Raises:
        ActionError: if a mechanism makes what the base game does not allow: weights that are negative, not finite or
            do not sum to one, say. Every play is looked at on NumPy, each mechanism's first on torch.
        ParameterError: if there is not one mechanism for each seat.
    """
    game, k = election.game, election.n_mechanisms
    if len(mechanisms) != k:
        raise ParameterError(f"{len(mechanisms)} mechanisms stand for election, allowed: {k}, one for each seat")
    batch = game.observe(opening, "mechanism").shape[0]
    if order is None:
        order = _every_order(batch, k, rng)
    memories = [mechanism.initial_state(batch, rng) for mechanism in mechanisms]
    state: ElectionState = election.initial_state_from(order, opening, rng)
    for step in range(election.max_steps):
        seen, acts, outcomes = election.observe(state, "mechanism"), election.acts(state, "mechanism"), []
        for seat, mechanism in enumerate(mechanisms):
            before = memories[seat]
            _, outcome, after = choose(game, mechanism, state.base, seen[:, seat : seat + 1], None, before, rng)
            if isinstance(outcome, np.ndarray) or not step:
                _check(game, state.base, seat, outcome, acts[:, seat])
            if after is not None:  # who does not rule has seen nothing that there is to remember
                memories[seat] = where_games(acts[:, seat], after, before)
            outcomes.append(outcome)
        together = namespace(outcomes[0]).stack(outcomes, axis=1)
        state, *_ = election.advance(state, together, election.draw(batch, rng))
    return state


def _check(game: Game[Any], state: Any, seat: int, outcome: Array, rules: Array) -> None:
    """Check the outcomes of a seat in the games that it rules; in others it has not seen what there is to decide."""
    if not isinstance(outcome, np.ndarray):
        outcome, state, rules = map_arrays(lambda x: x.detach().cpu().numpy(), (outcome, state, rules))
    if np.ndim(outcome) and len(outcome) == len(rules):  # else it is refused whole
        outcome, state, rules = map_arrays(lambda x: x[rules], (outcome, state, rules))
    try:
        check_outcome(game, state, "mechanism", outcome, len(rules))
    except ActionError as error:
        raise ActionError(f"mechanism_{seat}: {error}") from error


def _every_order(batch: int, k: int, rng: Rng) -> Array:
    """List all orders of the seats in turn, (batch, k), on the backend of ``rng``."""
    orders = np.array(list(itertools.permutations(range(k))))
    return integers(rng, orders[np.arange(batch) % len(orders)])


def held_by_condition(
    election: Election, mechanisms: Sequence[Policy], games: int, rng: np.random.Generator
) -> Iterator[tuple[str, ElectionState]]:
    """Yield every condition with the final state of its elections, ``games`` of them at least.

    There are as many as it takes for every order of the mechanisms to be there equally often.
    """
    for mechanism in mechanisms:
        check_policy(election.game, "mechanism", mechanism)
    orders = math.factorial(election.n_mechanisms)
    for condition, opening in election.game.initial_states_by_condition(-(-games // orders) * orders, rng).items():
        yield condition, hold(election, mechanisms, opening, rng)


def shares(
    election: Election, mechanisms: Sequence[Policy], games: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Measure the first mechanism's share of the votes in each election, by condition.

    Each election is one group's; its votes are cast, not expected. ``games`` as in :func:`held_by_condition`.
    """
    held = held_by_condition(election, mechanisms, games, rng)
    return {condition: np.asarray(election.vote_shares(state)[:, 0]) for condition, state in held}


def held_evenly(election: Election, mechanisms: Sequence[Policy], games: int, rng: np.random.Generator) -> np.ndarray:
    """Measure the same as :func:`shares`, (C, E), in at least ``games`` elections, split evenly over C conditions."""
    conditions = len(election.game.initial_states_by_condition(1, np.random.default_rng(0)))
    return np.stack(list(shares(election, mechanisms, -(-games // conditions), rng).values()))


def vote_share(
    election: Election, mechanisms: Sequence[Policy], games: int, rng: np.random.Generator
) -> dict[str, Estimate]:
    """Estimate the first mechanism's share of the votes by condition and ``pooled``.

    Groups are resampled whole: the votes of one group are not independent.
    """
    return estimates(shares(election, mechanisms, games, rng), rng)


def against(
    election: Election, mechanism: Policy, rivals: Mapping[str, Policy], games: int, seed: Sequence[int]
) -> dict[str, Any]:
    """Estimate a mechanism's share of the votes against each rival, before the same people, as summary.json has it.

    Args:
        election: the rules, between two mechanisms.
        mechanism: of the base game.
        rivals: by name.
        games: elections of each condition against each rival.
        seed: of the people and everything else that is drawn.

    Returns:
        ``vote_share``: by rival, then by condition or ``pooled``, groups resampled whole; ``vote_share_pooled``: by
        rival, the latter.
    """
    found = {
        name: vote_share(election, [mechanism, rival], games, np.random.default_rng(seed))
        for name, rival in rivals.items()
    }
    return {"vote_share": found, "vote_share_pooled": {name: by[POOLED] for name, by in found.items()}}


def estimates(by_condition: Mapping[str, np.ndarray], rng: np.random.Generator) -> dict[str, Estimate]:
    """Estimate the means of groups (G,) by condition, and ``pooled``."""
    found = {condition: group_bootstrap(values, None, rng) for condition, values in by_condition.items()}
    found[POOLED] = group_bootstrap(np.concatenate(list(by_condition.values())), None, rng)
    return found


@dataclass(frozen=True)
class _Earned:
    """Rewards as the objectives read them, (G, n); those used here do not look at endowments."""

    payoffs: np.ndarray
    endowments: np.ndarray


def group_scores(rewards: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the Gini coefficient and the sum of log(reward + 0.001) of each group, rewards (G, n) to (G,) each."""
    earned = _Earned(np.asarray(rewards, float), np.zeros_like(rewards))
    return np.asarray(gini(earned)), np.asarray(log_nash_welfare(earned))
