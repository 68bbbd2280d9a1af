"""The incentive report of a mechanism w: who would rather stay away, what it costs, and who gains by pretending.

Of a given behaviour of all participants (their equilibrium, or what they have learned), exactly:

- *individual rationality*: expected utility and transfers of each opening situation; the paper asks for at least 0.
- *budget*: what the mechanism expects to hand out.
- *regret*: what a participant of unbounded rationality would gain by leaving the behaviour, in what it reckons with.
- *implementability*: the direct mechanism in which one reports one's situation, and is treated as the behaviour treats
  that report. ``misreport_regret`` is what the best false report gains over the truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.subgame import Subgame

if TYPE_CHECKING:
    from lawgiver.envs.core.mechanism_game import MechanismGame


def incentives(game: MechanismGame, parameters: np.ndarray, policy: np.ndarray) -> dict[str, float]:
    """Return the report of w (D,) when everybody plays a table of probabilities (T, S, A).

    Returns:
        ``ir_violation``, by how much the worst-off opening situation falls short of 0 (0 if it does not);
        ``expected_budget``, what all participants together are paid in a game; ``regret`` and ``misreport_regret``,
        expected over opening situations, >= 0.
    """
    subgame = game.subgame
    aggregates = subgame.aggregates(policy)
    paid, reckoned = subgame.transfers(parameters), subgame.rewards(parameters, aggregates)
    worth = _evaluated(subgame, subgame.utilities(aggregates) + paid, policy)[0]
    possible = subgame.opening() > 0
    best = _evaluated(subgame, reckoned, None)[0]
    kept = _evaluated(subgame, reckoned, policy)
    return {
        "ir_violation": max(0.0, -float(worth[possible].min())),
        "expected_budget": game.n * float((subgame.occupancy(policy) * paid).sum()),
        "regret": max(0.0, float(subgame.opening() @ (best - kept[0]))),
        "misreport_regret": _misreport_regret(subgame, reckoned, policy, kept),
    }


def _future(subgame: Subgame, following: np.ndarray) -> np.ndarray:
    """Return the expected worth (S, A) of what follows, given the worth (S,) of each situation in the next round."""
    return np.asarray(subgame.transitions() @ following)


def _evaluated(subgame: Subgame, rewards: np.ndarray, policy: np.ndarray | None) -> np.ndarray:
    """Return the worth (T, S) of each situation under a policy (T, S, A), or under the best one for None."""
    rounds, legal = subgame.shape[0], subgame.legal()
    worth = np.zeros((rounds, subgame.shape[1]))
    for t in reversed(range(rounds)):
        values = rewards[t] + (_future(subgame, worth[t + 1]) if t + 1 < rounds else 0.0)
        worth[t] = np.where(legal, values, -np.inf).max(axis=-1) if policy is None else (policy[t] * values).sum(-1)
    return worth


def _misreport_regret(subgame: Subgame, rewards: np.ndarray, policy: np.ndarray, kept: np.ndarray) -> float:
    """Return the expected gain of the best report in the first round, truthful ones afterwards.

    A report is open to a participant if what it leads to is legal in its situation.
    """
    values = rewards[0] + (_future(subgame, kept[1]) if subgame.shape[0] > 1 else 0.0)
    legal = subgame.legal()
    treated = np.where(legal, values, 0.0) @ policy[0].T
    treated[(~legal).astype(float) @ policy[0].T > 1e-12] = -np.inf
    gains = treated.max(axis=-1) - (policy[0] * np.where(legal, values, 0.0)).sum(-1)
    return max(0.0, float(subgame.opening() @ gains))
