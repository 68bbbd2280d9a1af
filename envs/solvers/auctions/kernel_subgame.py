"""The bidders' subgame of an auction: exact expected payoffs of bids, from the auction's own rule.

States are the groups of bidders and, in each, the levels of their types; actions are levels of bids. The aggregates z
are the distributions of each group's bids in each latent state nu of the world (:mod:`.bidders`), given which bidders
bid independently. With X(nu, a) the expected share of a bid of level a against z, and P(nu, a) the expected payment,

    Q(s, a) = sum_nu P(nu | s) (worth(s, nu) X(nu, a) - P(nu, a)).

X and P come from a *kernel*: the rule played on all joint bids (:mod:`.joint_kernel`), or formulas
(:mod:`.rank_kernel`).
Exact they are where no reserve lies inside the cell of a bid, over which they are averaged (:mod:`.bidders`).
Where rivals' types count in what the thing is worth, z also has the mean type behind each bid.
"""

from __future__ import annotations

from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.solvers.auctions.bidders import Bidders, eligibility, partly, thinned
from lawgiver.envs.solvers.equilibrium.subgame import Subgame

if TYPE_CHECKING:
    from lawgiver.envs.families.auction_game import AuctionGame


class Kernel(Protocol):
    """Expected outcomes of bids, however they are computed."""

    def expected(self, parameters: Array, play: Array) -> Array:
        """Compute share and payment of each own bid, (..., G, 2, N, A), under w (..., D), against (..., G, N, A)."""

    def signalled(self, parameters: Array, play: Array, signals: Array) -> Array:
        """Compute the share times the sum of rivals' types, (..., G, N, A); signals are types times probability."""

    def payoffs(self, parameters: Array, play: Array) -> Array:
        """Compute the attributed payoff of each own bid at each type level, (..., G, S, A), against (..., G, 1, A)."""


class KernelSubgame(Subgame):
    """See the module's docstring. Bidders see their type, their group where there are several, and w.

    Args:
        game: the auction, of a single thing.
        groups: all its bidders, with as many levels of types, bids and latent states each.
        kernel: of the game and the groups.
        latent: probability of each latent state, (N,).
        rivals_count: what the sum of rivals' types adds to the worth of the thing, per unit.
        risk_neutral: whether bidders maximise expected worth less payment; if not, the kernel has their ``payoffs``,
            and there is one latent state.

    Raises:
        ParameterError: if groups differ in how many levels they have, or a type level is never drawn.
        UnsupportedGameError: if bidders are not risk neutral, and there are several latent states.
    """

    game: AuctionGame

    def __init__(
        self,
        game: AuctionGame,
        groups: tuple[Bidders, ...],
        kernel: Kernel,
        latent: np.ndarray | None = None,
        rivals_count: float = 0.0,
        *,
        risk_neutral: bool = True,
    ) -> None:
        """Put the groups' tables side by side."""
        sizes = {(*group.worth.shape, len(group.bids)) for group in groups}
        if len(sizes) > 1:
            raise ParameterError(f"groups have levels, latent states and bids {sorted(sizes)}, allowed: as many each")
        ((self.n_types, self.n_latent, self.n_bids),) = sizes
        if not risk_neutral and self.n_latent > 1:
            raise UnsupportedGameError(f"{game.name}: bidders whose types depend on each other are risk neutral here")
        self.game, self.groups, self.kernel = game, groups, kernel
        self.rivals_count, self.risk_neutral = rivals_count, risk_neutral
        self.shape = (1, len(groups) * self.n_types, self.n_bids)
        self.bids = np.stack([group.bids for group in groups])
        self.chances = np.stack([group.chances for group in groups])  # (G, N, S)
        self.types = np.stack([group.types for group in groups])
        joint = self.chances * (np.ones(1) if latent is None else latent)[:, None]
        self.marginals = joint.sum(axis=1)
        if not (self.marginals > 0).all():
            raise ParameterError(f"types have probabilities {self.marginals.tolist()}, allowed: levels above 0")
        self.posterior = np.swapaxes(joint / self.marginals[:, None], 1, 2)  # (G, S, N)
        self.worth = np.stack([group.worth for group in groups])  # (G, S, N)

    def initial_distribution(self) -> np.ndarray:
        """Return the probability that a bidder drawn at random is of a group and has a type."""
        seats = np.array([len(group.seats) for group in self.groups])
        return np.asarray((seats[:, None] / self.game.n * self.marginals).ravel())

    def common_knowledge(self) -> np.ndarray:
        """Return the group of each state: seats are known, types are not."""
        return np.repeat(np.arange(len(self.groups)), self.n_types)

    def announcements(self) -> np.ndarray:
        """Return the bids of each state's group, (S, A, 1)."""
        return np.repeat(self.bids, self.n_types, axis=0)[..., None]

    # -- what everybody else does -------------------------------------------------------------------------------

    def aggregates(self, policy: Array) -> Array:
        """Return the distributions of bids, flat, and where rivals' types count the mean type behind each bid."""
        xp = namespace(policy)
        table = xp.reshape(policy, (*policy.shape[:-3], len(self.groups), self.n_types, self.n_bids))
        flat = (*policy.shape[:-3], -1)
        play = xp.reshape(constant(self.chances, policy) @ table, flat)
        if not self.rivals_count:
            return play
        signals = constant(self.chances * self.types[:, None], policy) @ table
        return xp.concat([play, xp.reshape(signals, flat)], axis=-1)

    def _play(self, aggregates: Array) -> tuple[Array, Array | None]:
        """Return the distributions of bids and the mean types behind them, (..., G, N, A) each."""
        xp = namespace(aggregates)
        size = len(self.groups) * self.n_latent * self.n_bids
        shape = (*aggregates.shape[:-1], len(self.groups), self.n_latent, self.n_bids)
        signals = xp.reshape(aggregates[..., size:], shape) if self.rivals_count else None
        return xp.reshape(aggregates[..., :size], shape), signals

    # -- payoffs ------------------------------------------------------------------------------------------------

    def _eligible(self, parameters: Array) -> Array:
        """Return the share of each level's cell that takes part, (..., G, A)."""
        return eligibility(self.groups, self.game.least_bids(parameters))

    def rewards(self, parameters: Array, aggregates: Array) -> Array:
        """Compute the worth of what each bid wins less what it pays, as it is attributed."""
        eligible, (play, signals) = self._eligible(parameters), self._play(aggregates)
        if not self.risk_neutral:
            payoffs = self.kernel.payoffs(parameters, thinned(play, eligible))
            return self._rows(partly(payoffs, eligible))
        shares, payments = self._outcomes(parameters, play, eligible)
        return self._worth_of(parameters, shares, play, signals, eligible) - self._by_state(payments)

    def utilities(self, parameters: Array, aggregates: Array) -> Array:
        """Compute the worth of what each bid wins."""
        eligible, (play, signals) = self._eligible(parameters), self._play(aggregates)
        return self._worth_of(parameters, self._outcomes(parameters, play, eligible)[0], play, signals, eligible)

    def transfers(self, parameters: Array, aggregates: Array) -> Array:
        """Compute minus the expected payment for each bid."""
        payments = self._outcomes(parameters, self._play(aggregates)[0], self._eligible(parameters))[1]
        return -self._by_state(payments)

    def _outcomes(self, parameters: Array, play: Array, eligible: Array) -> tuple[Array, Array]:
        """Compute the expected share and payment of each bid, (..., G, N, A) each."""
        both = self.kernel.expected(parameters, thinned(play, eligible))
        return partly(both[..., 0, :, :], eligible), partly(both[..., 1, :, :], eligible)

    def _worth_of(self, parameters: Array, shares: Array, play: Array, signals: Array | None, eligible: Array) -> Array:
        """Compute the worth of expected shares (..., G, N, A) in each state, (..., T, S, A)."""
        worth = self._rows(constant(self.posterior * self.worth, shares) @ shares)
        if signals is None:
            return worth
        others = self.kernel.signalled(parameters, thinned(play, eligible), thinned(signals, eligible))
        return worth + self.rivals_count * self._by_state(partly(others, eligible))

    def _by_state(self, table: Array) -> Array:
        """Average (..., G, N, A) over what a bidder believes in each state, (..., T, S, A)."""
        return self._rows(constant(self.posterior, table) @ table)

    def _rows(self, table: Array) -> Array:
        """Line up the states of all groups: (..., G, S, A) to (..., 1, G S, A)."""
        return namespace(table).reshape(table, (*table.shape[:-3], *self.shape))

    def measures(self, parameters: Array, policy: Array) -> dict[str, Array]:
        """Compute the expected revenue, welfare, and surplus of the bidders, exactly for bids in cells."""
        xp, z, occupancy = namespace(policy), self.aggregates(policy), self.occupancy(policy)

        def over_all(table: Array) -> Array:
            return self.game.n * xp.sum(occupancy * table, axis=(-3, -2, -1))

        paid, worth = -self.transfers(parameters, z), self.utilities(parameters, z)
        return {
            "revenue": over_all(paid),
            "welfare": over_all(worth),
            "surplus": over_all(self.rewards(parameters, z)),
        }

    def response_slope(
        self, parameters: np.ndarray, aggregates: np.ndarray, policy: np.ndarray, inverse_temperature: float
    ) -> np.ndarray | None:
        """Compute dF/dz from the slopes of expected shares and payments, which are those of all types.

        With pi the response of state s of group g, d pi(a) = lambda pi(a) (dQ(a) - sum_b pi(b) dQ(b)).
        """
        if self.rivals_count or not self.risk_neutral:
            return None
        shares, payments = self._outcome_slopes(parameters, self._play(aggregates)[0])
        size, latent = len(self.groups) * self.n_bids, range(self.n_latent)
        slope = np.empty((len(self.groups), self.n_latent, self.n_bids, len(self.groups), self.n_latent, self.n_bids))
        for g, table in enumerate(policy.reshape(len(self.groups), self.n_types, self.n_bids)):
            for nu, mu in product(latent, latent):  # what bidders do in nu changes by what they believe of mu
                heard = self.chances[g, nu] * self.posterior[g, :, mu]
                worth = _tilt(table, heard * self.worth[g, :, mu]) @ shares[:, g, mu].T
                paid = _tilt(table, heard) @ payments[:, g, mu].T
                slope[g, nu, :, :, mu] = (worth - paid).reshape(self.n_bids, len(self.groups), self.n_bids)
        return inverse_temperature * slope.reshape(size * self.n_latent, -1)

    def _outcome_slopes(self, parameters: np.ndarray, play: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute slopes of shares and payments (G A, G, N, A), row by the bid that gets likelier in every state."""
        eligible = self._eligible(parameters)
        nudge = 1e-4 * np.eye(len(self.groups) * self.n_bids).reshape(-1, len(self.groups), 1, self.n_bids)
        there = np.broadcast_to(parameters, (2 * len(nudge), parameters.size))
        around = np.concatenate([play + nudge, play - nudge])
        both = self._outcomes(there, around, np.broadcast_to(eligible, (len(there), *eligible.shape)))
        shares, payments = ((one[: len(nudge)] - one[len(nudge) :]) / 2e-4 for one in both)
        return shares, payments

    # -- the table and the game ---------------------------------------------------------------------------------

    def observations(self, parameters: np.ndarray) -> np.ndarray:
        """Return the type, the group where there are several, and w, (1, S, d)."""
        seen = [self.types.reshape(-1, 1)]
        if len(self.groups) > 1:
            seen.append(self.common_knowledge()[:, None])
        return np.concatenate([*seen, np.broadcast_to(parameters, (self.shape[1], len(parameters)))], axis=-1)[None]

    def locate(self, obs: Array) -> tuple[Array, Array, Array]:
        """Return the two levels of types on either side, weighted by nearness, in the group of each bidder."""
        xp = namespace(obs)
        states, weights = self.nearest(obs[..., 0], 0)
        for g in range(1, len(self.groups)):
            own = (obs[..., 1] == g)[..., None]
            others = self.nearest(obs[..., 0], g)
            states, weights = xp.where(own, others[0], states), xp.where(own, others[1], weights)
        return xp.zeros_like(states[..., 0]), states, weights

    def nearest(self, types: Array, group: int) -> tuple[Array, Array]:
        """Return the levels on either side of types (...) that a group's bidders see, and their weights, (..., 2)."""
        xp = namespace(types)
        levels = constant(self.types[group], types)
        above = xp.clip(xp.searchsorted(levels, types), 1, self.n_types - 1)
        pair = xp.stack([above - 1, above], axis=-1)
        low, high = levels[pair[..., 0]], levels[pair[..., 1]]
        nearness = xp.clip((types - low) / (high - low), 0.0, 1.0)
        return group * self.n_types + pair, xp.stack([1 - nearness, nearness], axis=-1)

    def mean_bids(self, policy: np.ndarray) -> np.ndarray:
        """Compute the mean bid of each group and type level, (..., G, S), of a table (..., T, S, A)."""
        table = policy.reshape(*policy.shape[:-3], len(self.groups), self.n_types, self.n_bids)
        return np.asarray((table @ self.bids[:, :, None])[..., 0])

    @cached_property
    def _labels(self) -> tuple[str, ...]:
        return ("",) if len(self.groups) == 1 else tuple(f"_{g}" for g in range(len(self.groups)))

    def behaviour(self, policy: np.ndarray) -> dict[str, float]:
        """Summarise the mean bid, and that of the middle and of the highest type, whether or not a reserve lets it in.

        Of several groups, each by its number, from 0 as bidders observe it: ``mean_bid_0``.
        """
        bids = self.mean_bids(policy)
        return {
            name + label: float(value)
            for g, label in enumerate(self._labels)
            for name, value in (
                ("mean_bid", self.marginals[g] @ bids[g]),
                ("middle_bid", np.interp(self.types[g, [0, -1]].mean(), self.types[g], bids[g])),
                ("highest_bid", bids[g, -1]),
            )
        }


def _tilt(policy: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute sum_s weights[s] (diag(pi_s) - pi_s pi_s'), (A, A), for policies (S, A)."""
    weighted = weights[:, None] * policy
    return np.asarray(np.diag(weighted.sum(axis=0)) - weighted.T @ policy)
