"""Expected payoffs of ballots in a repeated choice game, best replies, and equilibria.

Rounds do not hang together, so that one round says all. A rule by ballots is a table of the lottery, and of any
payments, for each of the A^n joint ballots. What a participant expects of a ballot is its utility of the mean lottery,
given its own true ballot: others' types may depend on its own by that much, as in an urn, and not by more. The mean is
over the true ballots of a sample of profiles, and over how people of these vote.

In a logit equilibrium everybody casts ballot a with a probability proportional to exp(inverse_temperature u(a)), u
being what it expects of it while all others do so too.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from lawgiver.envs.core.arrays import softmax
from lawgiver.envs.core.errors import ConvergenceError
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.choice_game import ChoiceGame, lottery_of
from lawgiver.envs.families.play_out import final_state

SOLVED = 1e-3
"""Largest probability with which people of one true ballot cast others in equilibrium than the reply to it."""
STEPS = 500
"""Steps in which an equilibrium has to be found."""


@dataclass(frozen=True)
class BallotPayoffs:
    """A rule by ballots, and a sample of N profiles of types.

    Attributes:
        types: private utilities, (N, n, m).
        honest: the ballot that each is truthfully, (N, n).
        lotteries: (A, ..., A, m), an axis for the ballot of each participant.
        payments: (A, ..., A, n).
    """

    types: np.ndarray
    honest: np.ndarray
    lotteries: np.ndarray
    payments: np.ndarray

    @classmethod
    def of(cls, game: ChoiceGame, mechanism: Policy, profiles: int, seed: int) -> BallotPayoffs:
        """Tabulate a mechanism that draws nothing at random, which takes A^n games, beside a sample of types.

        Args:
            game: the stage, which has a menu and nothing public.
            mechanism: for the stage; it announces the same rule in every game.
            profiles: N, of types.
            seed: of these.
        """
        menu = game.menu()
        assert menu is not None and not game.public_layout()
        ballots = menu[np.array(list(product(range(len(menu)), repeat=game.n)))]
        done = final_state(game, mechanism, ballots, ballots)
        types = np.asarray(game.initial_state(profiles, np.random.default_rng(seed)).types)
        shape = (len(menu),) * game.n
        lotteries, payments = (np.asarray(x, float).reshape(*shape, -1) for x in (lottery_of(done), done.payments))
        return cls(types, np.asarray(game.honest_choice(types)), lotteries, payments)

    @property
    def truth(self) -> np.ndarray:
        """Probabilities of telling the truth, (N, n, A)."""
        return self._certain(self.honest)

    def expected(self, played: np.ndarray) -> np.ndarray:
        """Compute what each participant expects of each ballot, (N, n, A), while the others play (N, n, A)."""
        profiles, counts = np.unique(self.honest, axis=0, return_counts=True)
        cast = self.by_true_ballot(played)
        return np.stack(
            [self._expected_of(seat, cast, profiles, counts) for seat in range(self.honest.shape[1])], axis=1
        )

    def by_true_ballot(self, played: np.ndarray) -> np.ndarray:
        """Compute how probable each ballot is by seat and true ballot, (n, A, A), for ``played`` (N, n, A)."""
        size = self.lotteries.shape[0]
        known = np.arange(size) == self.honest[..., None]  # (N, n, A)
        cast: np.ndarray = np.einsum("pnt,pna->nta", known, played) / np.maximum(known.sum(0), 1)[..., None]
        return cast

    def best_reply(self, played: np.ndarray) -> np.ndarray:
        """Return probabilities (N, n, A) of the best ballot, the true one among equals, while the others play."""
        expected = self.expected(played)
        truth = np.take_along_axis(expected, self.honest[..., None], -1)
        told = expected.max(-1, keepdims=True) <= truth + 1e-12
        return self._certain(np.where(told[..., 0], self.honest, expected.argmax(-1)))

    def equilibrium(self, inverse_temperature: float) -> np.ndarray:
        """Compute the probabilities (N, n, A) of a logit equilibrium, reached by ever smaller steps from uniform play.

        Args:
            inverse_temperature: per unit of utility, finite.

        Raises:
            ConvergenceError: if it is not found, saying how far off it is.
        """
        played, residual = np.full((*self.honest.shape, self.lotteries.shape[0]), 1 / self.lotteries.shape[0]), 1.0
        for step in range(STEPS):
            reply = np.asarray(softmax(inverse_temperature * self.expected(played)))
            residual = float(0.5 * np.abs(self.by_true_ballot(reply) - self.by_true_ballot(played)).sum(-1).max())
            if residual <= SOLVED:
                return reply
            played = played + (reply - played) / (2 + step / 10)
        raise ConvergenceError(f"no logit equilibrium in {STEPS} steps: off by a probability of {residual:.2g}")

    def _certain(self, ballots: np.ndarray) -> np.ndarray:
        chosen: np.ndarray = (np.arange(self.lotteries.shape[0]) == ballots[..., None]).astype(float)
        return chosen

    def _expected_of(self, seat: int, cast: np.ndarray, profiles: np.ndarray, counts: np.ndarray) -> np.ndarray:
        n, size = self.honest.shape[1], self.lotteries.shape[0]
        values = np.concatenate([self.lotteries, self.payments[..., seat : seat + 1]], axis=-1)
        mixed = np.broadcast_to(values, (len(profiles), *values.shape))
        for other in reversed(range(n)):
            if other != seat:
                mixed = np.einsum("pa,pa...->p...", cast[other, profiles[:, other]], np.moveaxis(mixed, other + 1, 1))
        member = (profiles[:, seat] == np.arange(size)[:, None]) * counts  # (A, P)
        mean = np.einsum("tp,pad->tad", member, mixed) / np.maximum(member.sum(1), 1)[:, None, None]
        own = mean[self.honest[:, seat]]  # (N, A, m + 1)
        found: np.ndarray = np.einsum("pm,pam->pa", self.types[:, seat], own[..., :-1]) - own[..., -1]
        return found
