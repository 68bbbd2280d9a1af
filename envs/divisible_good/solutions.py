r"""The exact equilibrium of rational consumers and the planner's optimum.

Let everybody play the same policy and mu_t(s, a) be how likely a participant is to have appetite s and get a in round
t. What is worth mu to one participant, and what society makes of it, both have the form

    Phi(mu) = sum_t ( <mu_t, v_t> - k / 2 m_t^2 ),        m_t = <mu_t, x>, mean consumption,

with v what is linear in mu and k >= 0 the *congestion*. The mu that policies can make, remembering ones included, are a
polytope whose corners are policies without chance, and Phi is concave on it. So mu maximises Phi if and only if no
policy is worth more than it *in the prices that it makes*, <., v_t - k m_t x>: a problem of one participant alone,
solved by backward induction. How much more the best one is worth there is the duality gap, which bounds how far Phi(mu)
is from the highest. It is closed to rounding by mixing ever more corners, the best shares of a few being a small
quadratic programme (simplicial decomposition; von Hohenbalken 1977). Two readings of Phi:

**The planner's optimum.** Welfare is n Phi with v = gain - c x^2 / 2n and k = c (1 - 1/n), c the cost of supply. A
participant should see a unit charged at what it costs all, of which (1 - 1/n) m_t is met by the others' consumption.
The maximum is the optimum over everything that participants can do on what each of them sees, *if all do the same*.
Names could help where units are coarse: under policies that differ, E[X^2] has the sum of m_i m_j over pairs i != j,
and letting all play the average of these policies costs at most c / 2 sum_t Var_i(m_it), whatever n. With units that
can be divided at will it costs nothing: without recovery welfare is concave in the quantities themselves.

**Equilibrium of rational participants.** Against others at m, a participant gets <mu, v - k m x> plus what it cannot
change, with v the gain plus transfers, and if they count their share of the cost (``full``) v less c x^2 / 2n^2 and
k = c (n - 1) / n^2. So the maximisers of Phi are the symmetric Nash equilibria: the game has a potential. If k > 0 they
agree in m. ``local`` participants have k = 0 and a dominant strategy.

**Pigou.** Let m be the planner's path, and q the part of the cost that participants do not reckon with: 1 if they are
local, 1 - 1/n if full. The marginal external cost is charged by

    w_t = q c (1 - 1/n) m_t,        slope = q c / n,

under which the planner's policy is a best response to itself: both Phi have the same v - k m x. It is an equilibrium in
both readings; of full participants every equilibrium is as good, since all share m, and with it welfare. Local ones who
are indifferent may break ties otherwise, which costs n k / 2 of the squared distance of their path from m.

Sources: derived here; potentials, Monderer and Shapley 1996. The tests check it by enumeration and by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.errors import ConvergenceError

if TYPE_CHECKING:
    from lawgiver.envs.divisible_good.game import DivisibleGood
    from lawgiver.envs.divisible_good.subgame import DivisibleGoodSubgame

CLOSED = 1e-12
"""Duality gap at which the search stops, as a share of the largest reward (at least one)."""
CORNERS = 1000
"""Corners that are tried at most."""
IN_LINE = 1e-10
"""Spread of corners, as a share of the widest, up to which they count as lying in line."""


@dataclass(frozen=True)
class Plan:
    """A maximiser of Phi.

    Attributes:
        policy: probabilities (T, S, A).
        means: mean consumption by round, (T,).
        gap: the duality gap, by how much Phi may fall short of the highest at most, >= 0.
    """

    policy: np.ndarray
    means: np.ndarray
    gap: float


def planner(game: DivisibleGood) -> Plan:
    """Return the planner's optimum."""
    subgame, c, n = game.subgame, game.supply_cost, game.n
    own = subgame.gains - c * subgame.quantities**2 / (2 * n)
    return maximise(subgame, np.broadcast_to(own, subgame.shape), c * (1 - 1 / n))


def rational(game: DivisibleGood, parameters: np.ndarray) -> Plan:
    """Return an equilibrium of rational participants under w (D,)."""
    subgame, c, n = game.subgame, game.supply_cost, game.n
    linear = subgame.gains - subgame.charges(parameters)
    if game.agent_objective == "local":
        return maximise(subgame, linear, 0.0)
    return maximise(subgame, linear - c * subgame.quantities**2 / (2 * n**2), c * (n - 1) / n**2)


def pigou(game: DivisibleGood) -> np.ndarray:
    """Return the w (T + 1,) that charges the marginal external cost at the planner's optimum."""
    ignored = game.supply_cost * (1.0 if game.agent_objective == "local" else 1 - 1 / game.n)
    return np.append((1 - 1 / game.n) * game.plan.means, 1 / game.n) * ignored


def regret(game: DivisibleGood, parameters: np.ndarray, policy: np.ndarray) -> float:
    """Compute the gain from the best deviation from a policy (T, S, A) that all others keep, under w (D,)."""
    subgame = game.subgame
    rewards = subgame.rewards(parameters, subgame.aggregates(policy))
    best = subgame.occupancy(best_policy(subgame, rewards))
    return float(((best - subgame.occupancy(policy)) * rewards).sum())


def best_policy(subgame: DivisibleGoodSubgame, rewards: np.ndarray) -> np.ndarray:
    """Return the policy (T, S, A) without chance that earns the most of rewards (T, S, A), by backward induction."""
    policy = np.zeros(subgame.shape)
    following = np.zeros(subgame.shape[1])
    for t in reversed(range(subgame.shape[0])):
        ahead = subgame.transitions() @ following if t + 1 < subgame.shape[0] else 0.0
        values = np.where(subgame.legal(), rewards[t] + ahead, -np.inf)
        policy[t] = np.eye(subgame.shape[2])[values.argmax(axis=-1)]
        following = values.max(axis=-1)
    return policy


def maximise(subgame: DivisibleGoodSubgame, linear: np.ndarray, congestion: float) -> Plan:
    """Maximise Phi for v (T, S, A) and a congestion k >= 0.

    Raises:
        ConvergenceError: the duality gap does not close.
    """
    joints = subgame.occupancy(best_policy(subgame, linear))[None]
    shares = np.ones(1)
    for _ in range(CORNERS):
        paths = (joints * subgame.quantities).sum(axis=(-2, -1))
        means = shares @ paths
        priced = linear - congestion * means[:, None, None] * subgame.quantities
        best = best_policy(subgame, priced)
        corner = subgame.occupancy(best)
        mixed = np.tensordot(shares, joints, 1)
        gap = float(((corner - mixed) * priced).sum())
        if gap <= CLOSED * max(1.0, float(np.abs(linear).max())):
            break
        joints, shares = np.concatenate([joints, corner[None]]), np.append(shares, 0.0)
        kept, shares = _best_shares(joints, linear, subgame.quantities, congestion, shares)
        joints = joints[kept]
    else:
        raise ConvergenceError(f"the search ended {gap:.3g} short of closing its duality gap, after {CORNERS} corners")
    here = mixed.sum(axis=-1, keepdims=True)
    policy = np.where(here > 0, mixed / np.where(here > 0, here, 1.0), best)
    return Plan(policy, means, max(0.0, gap))


def _best_shares(
    joints: np.ndarray, linear: np.ndarray, quantities: np.ndarray, congestion: float, shares: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the best mixture of corners by an active-set method: the corners and their shares.

    Towards the best of all sums to one, negative shares included; a corner whose share meets zero on the way drops out.
    """
    kept = np.arange(len(shares))
    worths = (joints * linear).sum(axis=(-3, -2, -1))
    paths = (joints * quantities).sum(axis=(-2, -1))
    while len(kept) > 1:
        slopes = worths[kept] - congestion * paths[kept] @ (shares @ paths[kept])
        # Axes of the spread itself: its square loses half the digits that tell corners in line from rounding.
        axes, sizes, _ = np.linalg.svd(paths[kept][1:] - paths[kept][0])
        uphill = axes.T @ (slopes[1:] - slopes[0])
        sizes = np.append(sizes, np.zeros(len(uphill)))[: len(uphill)]
        flat = sizes <= IN_LINE * sizes.max()
        climb = np.where(flat, uphill, 0.0)  # where Phi is linear there is no end to it but the edge
        endless = np.abs(climb).max() > IN_LINE * max(1.0, np.abs(worths).max())
        step = axes @ (climb if endless else np.where(flat, 0.0, uphill) / np.where(flat, 1.0, congestion * sizes**2))
        direction = np.append(-step.sum(), step)
        falling = direction < 0
        room = np.where(falling, shares / np.where(falling, -direction, 1.0), np.inf)
        length = float(room.min()) if endless else min(1.0, float(room.min()))
        shares = np.maximum(shares + length * direction, 0.0)
        if not endless and length == 1.0:
            break
        stays = np.arange(len(kept)) != room.argmin()
        kept, shares = kept[stays], shares[stays] / shares[stays].sum()
    return kept, shares
