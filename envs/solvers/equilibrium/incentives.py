"""The incentive report of a mechanism w: individual rationality, budget, regret and implementability.

Exact figures for a given behaviour of all participants (their equilibrium, or learned policies):

- *individual rationality*: expected utility and transfers of each opening state; the paper asks for at least 0.
- *budget*: the expected sum of transfers.
- *regret*: the gain of a rational participant from the best deviation, in attributed utility.
- *implementability*: the direct mechanism in which one reports one's opening state, and is dealt an action as the
  behaviour deals it to that report; one that is not legal is played as the nearest legal one. ``misreport_regret`` is
  what the best report gains over the truth, the rest of the game being played as before. Nobody reports what everybody
  knows, as the part of a state that goes with a seat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.solvers.equilibrium.subgame import Subgame

if TYPE_CHECKING:
    from lawgiver.envs.families.mechanism_game import MechanismGame


def incentives(game: MechanismGame, parameters: np.ndarray, policy: np.ndarray) -> dict[str, float]:
    """Compute the incentive report of w (D,) under a table of probabilities (T, S, A).

    Returns:
        ``ir_violation``, by how much the worst-off opening state falls short of 0 (0 if it does not);
        ``expected_budget``, what all participants together are paid in a game; ``regret`` and ``misreport_regret``,
        expected over opening states, >= 0.
    """
    subgame = game.subgame
    aggregates = subgame.aggregates(policy)
    paid, reckoned = subgame.transfers(parameters, aggregates), subgame.rewards(parameters, aggregates)
    worth = _evaluated(subgame, subgame.utilities(parameters, aggregates) + paid, policy)[0]
    possible = subgame.initial_distribution() > 0
    best = _evaluated(subgame, reckoned, None)[0]
    kept = _evaluated(subgame, reckoned, policy)
    return {
        "ir_violation": max(0.0, -float(worth[possible].min())),
        "expected_budget": game.n * float((subgame.occupancy(policy) * paid).sum()),
        "regret": max(0.0, float(subgame.initial_distribution() @ (best - kept[0]))),
        "misreport_regret": _misreport_regret(subgame, reckoned, policy, kept),
    }


def _future(subgame: Subgame, following: np.ndarray) -> np.ndarray:
    """Compute expected continuation values (S, A) from the state values (S,) of the next round."""
    return np.asarray(subgame.transitions() @ following)


def _evaluated(subgame: Subgame, rewards: np.ndarray, policy: np.ndarray | None) -> np.ndarray:
    """Compute the state values (T, S) of a policy (T, S, A), or of the best one for None."""
    rounds, legal = subgame.shape[0], subgame.legal()
    worth = np.zeros((rounds, subgame.shape[1]))
    for t in reversed(range(rounds)):
        values = rewards[t] + (_future(subgame, worth[t + 1]) if t + 1 < rounds else 0.0)
        worth[t] = np.where(legal, values, -np.inf).max(axis=-1) if policy is None else (policy[t] * values).sum(-1)
    return worth


def _misreport_regret(subgame: Subgame, rewards: np.ndarray, policy: np.ndarray, kept: np.ndarray) -> float:
    """Return the expected gain of the best report in the first round, truthful ones afterwards."""
    known = subgame.common_knowledge()
    if len(set(known)) == len(known):
        return 0.0
    values = rewards[0] + (_future(subgame, kept[1]) if subgame.shape[0] > 1 else 0.0)
    legal, actions = subgame.legal(), np.arange(subgame.shape[2])
    if not legal.all():
        apart = np.where(legal[:, None, :], np.abs(actions[:, None] - actions), np.inf)  # (S, A, A)
        values = np.take_along_axis(values, apart.argmin(-1), axis=-1)
    treated = values @ policy[0].T  # (S, S), column by report
    best = np.where(known[:, None] == known, treated, -np.inf).max(axis=-1)
    return max(0.0, float(subgame.initial_distribution() @ (best - np.diagonal(treated))))
