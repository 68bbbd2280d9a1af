"""Records of what simulated people did, in elections or in games without a vote, of any game that is recorded."""

from __future__ import annotations

from typing import Any

import numpy as np

from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.recorded import RecordedColumns, recorded_columns, round_is_over
from lawgiver.envs.core.rollout import rollout
from lawgiver.envs.election.experience import experience_layout
from lawgiver.envs.election.game import Election
from lawgiver.envs.election.state import ElectionState
from lawgiver.trainers.elections.records.records import Records

WHO = "records of behaviour"


def recorded_election(election: Election, state: ElectionState) -> tuple[Records, ...]:
    """Convert the games of an election to records; an episode's number is the seat of its mechanism.

    Returns:
        One for each number of rounds, in order of first appearance; where the games of a group differ in it, each game
        is recorded by itself, without votes.

    Raises:
        UnsupportedGameError: if behaviour in the base game is not recorded.
    """
    game = election.game
    at = recorded_columns(game, WHO)
    lived = election.experience(state).transpose(0, 2, 3, 1, 4)  # (B, k, T, n, f)
    played = lived[..., 0, columns(experience_layout(game))["played"].start] > 0
    return observed_records(at, game.observe(state.opening, "participant"), lived, played, state.votes)


def recorded_games(
    game: Game[Any], participants: Policy, mechanism: Policy, opening: Any, rng: np.random.Generator
) -> tuple[Records, ...]:
    """Play one game with each group, and convert it to records, one for each number of rounds.

    Args:
        game: the game.
        participants: policy of all participants.
        mechanism: policy of the mechanism.
        opening: state of B games before their first round.
        rng: generator of policies and rules.

    Raises:
        UnsupportedGameError: if behaviour in the game is not recorded.
    """
    at = recorded_columns(game, WHO)
    seen, played, acted = [], [], None
    policies = {"participant": participants, "mechanism": mechanism}
    for step in rollout(game, policies, opening, rng):
        acted = step.alive if step.role == "participant" else acted
        if acted is not None and round_is_over(game, step.after):
            seen.append(game.observe(step.after, "participant"))
            played.append(acted)
            acted = None
    after, counts = np.stack(seen, axis=1)[:, None], np.stack(played, axis=1)[:, None]
    before = game.observe(opening, "participant")
    return observed_records(at, before, after, counts, np.full(before.shape[:2], -1))


def observed_records(
    at: RecordedColumns, before: np.ndarray, after: np.ndarray, played: np.ndarray, votes: np.ndarray
) -> tuple[Records, ...]:
    """Convert observations of participants to records, one for each number of rounds.

    Args:
        at: the columns that are recorded.
        before: observations before the first round, (B, n, d).
        after: observations after each round, (B, E, T, n, d or more).
        played: whether the round was played, bool (B, E, T).
        votes: (B, n), -1 for none.
    """
    contributions = after[..., at.contributions.start]
    endowments = after[..., at.endowments.start]
    arrays = {
        "endowments": endowments if at.by_round else endowments[:, 0, 0],
        "contributions": contributions,
        "payouts": np.zeros_like(contributions) if at.payouts is None else after[..., at.payouts.start],
    }
    shared = {}
    for name, column in at.shared.items():  # as rounds begin: what is seen after the round before
        first = np.broadcast_to(before[:, None, None, 0, column.start], (*after.shape[:2], 1))
        shared[name] = np.concatenate([first, after[:, :, :-1, 0, column.start]], axis=2)
    lengths = played.sum(axis=2)

    def some(groups: np.ndarray, episodes: slice, rounds: int, votes: np.ndarray) -> Records:
        cut = (groups, episodes, slice(rounds))
        chosen = {name: array[cut] if array.ndim == 4 else array[groups] for name, array in arrays.items()}
        return Records(**chosen, votes=votes[groups], shared={name: each[cut] for name, each in shared.items()})

    found = []
    _, order, kind = np.unique(lengths, axis=0, return_index=True, return_inverse=True)
    for each in np.argsort(order):
        groups, rounds = kind.ravel() == each, lengths[order[each]]
        if (rounds == rounds[0]).all():
            found.append(some(groups, slice(None), rounds[0], votes))
        else:
            nobody = np.full_like(votes, -1)
            found += [some(groups, slice(e, e + 1), length, nobody) for e, length in enumerate(rounds)]
    return tuple(found)
