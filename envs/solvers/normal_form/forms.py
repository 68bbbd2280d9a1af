"""Games in normal form: the payoff of every player at every joint choice of strategies.

A :class:`NormalForm` has a tensor for each player. In a :class:`SymmetricForm` players are exchangeable, so that
payoffs depend on how many play each strategy alone: n players of A strategies have C(n + A - 1, n) profiles, not A^n.
Solvers take either: its *populations* are the players, or the one that all players of a symmetric game come from.

    >>> dilemma = NormalForm([[[3, 0], [5, 1]], [[3, 5], [0, 1]]])
    >>> dilemma.regrets((np.array([1.0, 0.0]), np.array([1.0, 0.0])))  # both cooperate
    array([2., 2.])
    >>> pool = SymmetricForm([[2, 1, 0], [0, 3, 1]], 2)  # profiles: (2, 0), (1, 1), (0, 2)
    >>> pool.against((np.array([1.0, 0.0]),))
    (array([2., 3.]),)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations_with_replacement, product
from typing import TypeAlias, TypeVar

import numpy as np

from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError, brief, integer

T = TypeVar("T")
LARGEST = 200_000
"""Joint choices of a form."""
Mixtures: TypeAlias = tuple[np.ndarray, ...]
"""A mixed strategy, (A_i,), of each population."""


@dataclass(frozen=True, eq=False)
class NormalForm:
    """A game of n players with finitely many strategies each.

    Attributes:
        payoffs: of each player at each joint choice, (n, A_0, ..., A_{n-1}), in the game's own units.
        names: of the strategies of each player, in the order of its axis; their numbers by default.

    Raises:
        ParameterError: if the payoffs have another shape or are not finite, or the names do not fit.
    """

    payoffs: np.ndarray
    names: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        """Check the payoffs and names."""
        payoffs = _finite(self.payoffs)
        if payoffs.ndim < 2 or payoffs.shape[0] != payoffs.ndim - 1 or not payoffs.size:
            raise ParameterError(f"payoffs have the shape {payoffs.shape}, allowed: (n, A_0, ..., A_n-1), A_i >= 1")
        object.__setattr__(self, "payoffs", payoffs)
        object.__setattr__(self, "names", _named(self.names, payoffs.shape[1:]))

    @property
    def n(self) -> int:
        """Number of players."""
        return int(self.payoffs.shape[0])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Strategies of each population, (A_0, ..., A_{n-1})."""
        return self.payoffs.shape[1:]

    @cached_property
    def ranges(self) -> np.ndarray:
        """Largest difference of payoffs of each population, (n,)."""
        return np.asarray(np.ptp(self.payoffs.reshape(self.n, -1), axis=1))

    @cached_property
    def by_player(self) -> tuple[np.ndarray, ...]:
        """Payoffs of each player by its own strategy first, then those of the others in order, (A_i, ...)."""
        return tuple(np.ascontiguousarray(np.moveaxis(own, i, 0)) for i, own in enumerate(self.payoffs))

    def against(self, mixtures: Mixtures) -> Mixtures:
        """Compute the expected payoff of each strategy of each player against the others' mixtures, (A_i,) each."""
        found = []
        for i, expected in enumerate(self.by_player):
            for mixture in reversed(mixtures[:i] + mixtures[i + 1 :]):
                expected = expected @ mixture
            found.append(expected)
        return tuple(found)

    def replies(self, choices: Sequence[int]) -> Mixtures:
        """Look up the payoff of each strategy of each player against pure choices of the others, (A_i,) each."""
        found = []
        for i, own in enumerate(self.by_player):
            others: tuple[int | slice, ...] = (slice(None), *choices[:i], *choices[i + 1 :])
            found.append(own[others])
        return tuple(found)

    def values(self, mixtures: Mixtures) -> np.ndarray:
        """Compute the expected payoff of each population, (n,)."""
        return np.array([mine @ worth for mine, worth in zip(mixtures, self.against(mixtures), strict=True)])

    def regrets(self, mixtures: Mixtures) -> np.ndarray:
        """Compute the gain of each population from its best strategy against the others' mixtures, (n,), >= 0.

        Their sum is the NashConv, 0 in a Nash equilibrium alone.
        """
        return _regrets(self, mixtures)

    def joint(self, mixtures: Mixtures) -> np.ndarray:
        """Compute the distribution of joint choices when players draw independently, (A_0, ..., A_{n-1})."""
        whole = np.ones(())
        for mixture in mixtures:
            whole = np.multiply.outer(whole, mixture)
        return whole

    def switches(self, joint: np.ndarray) -> Mixtures:
        """Compute the mean gain of each player from playing b wherever a joint distribution says a, (A_i, A_i) each.

        Args:
            joint: distribution of joint choices, (A_0, ..., A_{n-1}).

        Returns:
            of player i the matrix of sums over the others' choices of joint(a, .) (u_i(b, .) - u_i(a, .)), by a and b.
        """
        found = []
        for i, own in enumerate(self.by_player):
            weights = np.moveaxis(joint, i, 0).reshape(len(own), -1)
            worth = weights @ own.reshape(len(own), -1).T
            found.append(worth - np.diag(worth)[:, None])
        return tuple(found)

    def correlated_regrets(self, joint: np.ndarray) -> np.ndarray:
        """Compute the gain of each player from the best reply to each of its recommendations, (n,), >= 0.

        0 for all in a correlated equilibrium alone (Aumann 1974); also known as swap regret.
        """
        return np.array([gains.max(axis=1).sum() for gains in self.switches(joint)])

    def coarse_regrets(self, joint: np.ndarray) -> np.ndarray:
        """Compute the gain of each player from the best single strategy in place of its recommendations, (n,).

        At most 0 for all in a coarse correlated equilibrium alone (Moulin and Vial 1978); also known as external
        regret.
        """
        return np.array([gains.sum(axis=0).max() for gains in self.switches(joint)])

    @property
    def zero_sum(self) -> bool:
        """Whether this is a game of two players whose payoffs add up to a constant, up to rounding."""
        return self.n == 2 and float(np.ptp(self.payoffs.sum(axis=0))) <= 1e-9 * float(self.ranges.max())


@dataclass(frozen=True, eq=False)
class SymmetricForm:
    """A game of n exchangeable players with A strategies.

    Attributes:
        payoffs: of one who plays a strategy, in each profile of :func:`profiles`, (A, C(n + A - 1, n)), in the game's
            own units; what stands where nobody plays the strategy is not read, and kept as 0.
        n: number of players, >= 1.
        names: of the strategies; their numbers by default.

    Raises:
        ParameterError: as of a :class:`NormalForm`.
    """

    payoffs: np.ndarray
    n: int
    names: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        """Check the payoffs and names."""
        integer("n", self.n, 1)
        given = np.asarray(self.payoffs, float)
        if given.ndim != 2 or not given.size:
            raise ParameterError(f"payoffs have the shape {given.shape}, allowed: (A, profiles), A >= 1")
        wanted = len(given), math.comb(self.n + len(given) - 1, self.n)
        if given.shape != wanted:
            raise ParameterError(f"payoffs have the shape {given.shape}, allowed: {wanted}, of {self.n} players")
        played = profiles(self.n, len(given)).T > 0
        object.__setattr__(self, "payoffs", _finite(np.where(played, given, 0.0)))
        object.__setattr__(self, "names", _named(self.names, (len(given),)))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Strategies of the one population, (A,)."""
        return (len(self.payoffs),)

    @cached_property
    def ranges(self) -> np.ndarray:
        """Largest difference of payoffs, (1,)."""
        return np.array([np.ptp(self.payoffs[profiles(self.n, len(self.payoffs)).T > 0])])

    @cached_property
    def beside(self) -> np.ndarray:
        """Payoffs of one who plays a strategy while the n - 1 others are in a profile of theirs, (A, profiles)."""
        size = len(self.payoffs)
        others = profiles(self.n - 1, size)
        place = profile_index(self.n, size)
        at = [[place[tuple(counts + one)] for counts in others] for one in np.eye(size, dtype=int)]
        return np.take_along_axis(self.payoffs, np.array(at), axis=1)

    @cached_property
    def _seatings(self) -> np.ndarray:
        """Ways to seat the n - 1 others in each profile of theirs."""
        others = profiles(self.n - 1, len(self.payoffs))
        ways = [math.factorial(self.n - 1) / math.prod(map(math.factorial, counts)) for counts in others.tolist()]
        return np.array(ways)

    def against(self, mixtures: Mixtures) -> Mixtures:
        """Compute the expected payoff of each strategy when the others draw from the mixture, one array (A,)."""
        (mixture,) = mixtures
        others = profiles(self.n - 1, len(mixture))
        return (self.beside @ (self._seatings * np.prod(np.power(mixture, others), axis=1)),)

    def replies(self, choices: Sequence[int]) -> Mixtures:
        """Look up the payoff of each strategy when all others make the same choice, one array (A,)."""
        alone = np.zeros(len(self.payoffs), int)
        alone[choices[0]] = self.n - 1
        return (self.beside[:, profile_index(self.n - 1, len(alone))[tuple(alone.tolist())]],)

    def values(self, mixtures: Mixtures) -> np.ndarray:
        """Compute the expected payoff of a player, (1,)."""
        return np.array([mixtures[0] @ self.against(mixtures)[0]])

    def regrets(self, mixtures: Mixtures) -> np.ndarray:
        """Compute the gain of a player from its best strategy while the others draw from the mixture, (1,), >= 0."""
        return _regrets(self, mixtures)

    def expanded(self) -> NormalForm:
        """Write the game out for each player.

        Raises:
            UnsupportedGameError: if there are more than ``LARGEST`` joint choices.
        """
        size = len(self.payoffs)
        if size**self.n > LARGEST:
            raise UnsupportedGameError(f"{size**self.n:,} joint choices of {self.n} players, allowed: {LARGEST:,}")
        place = profile_index(self.n, size)
        joint = np.array(list(product(range(size), repeat=self.n)))
        at = np.array([place[tuple(np.bincount(choice, minlength=size))] for choice in joint])
        payoffs = self.payoffs[joint, at[:, None]].T.reshape(self.n, *(size,) * self.n)
        return NormalForm(payoffs, self.names * self.n)


Form: TypeAlias = NormalForm | SymmetricForm


@lru_cache(maxsize=64)
def profiles(n: int, size: int) -> np.ndarray:
    """List the counts of n exchangeable players by strategy, (C(n + A - 1, n), A).

    In the order of ``combinations_with_replacement``: all at strategy 0 first, all at the last one last.
    """
    chosen = combinations_with_replacement(range(size), n)
    return np.array([np.bincount(np.array(choice, int), minlength=size) for choice in chosen])


@lru_cache(maxsize=64)
def profile_index(n: int, size: int) -> dict[tuple[int, ...], int]:
    """Map each profile of :func:`profiles` to its index."""
    return {tuple(counts): at for at, counts in enumerate(profiles(n, size).tolist())}


def expanded(form: Form) -> NormalForm:
    """Write a form out for each player, if it is symmetric; see :meth:`SymmetricForm.expanded`."""
    return form.expanded() if isinstance(form, SymmetricForm) else form


def uniform(form: Form) -> Mixtures:
    """Make the mixtures in which every population plays all its strategies alike."""
    return tuple(np.full(size, 1 / size) for size in form.sizes)


def checked_mixtures(form: Form, given: Sequence[Sequence[float]] | None) -> Mixtures:
    """Check mixtures for all populations of a form, :func:`uniform` for None.

    Raises:
        ParameterError: if there are too many or few, or one is no distribution over the strategies.
    """
    if given is None:
        return uniform(form)
    found = []
    for size, each in zip(form.sizes, _of_each("start", form, given), strict=True):
        try:
            mixture = np.asarray(each, float)
        except (TypeError, ValueError):
            mixture = np.empty(0)
        if mixture.shape != (size,) or not (mixture >= 0).all() or abs(mixture.sum() - 1) > 1e-6:
            raise ParameterError(f"a mixture is {brief(each)}, allowed: {size} numbers >= 0 that add up to 1")
        found.append(mixture / mixture.sum())
    return tuple(found)


def checked_choices(form: Form, given: Sequence[int] | None) -> list[int] | None:
    """Check a strategy for each population of a form, None for None.

    Raises:
        ParameterError: if there are too many or few, or one is no strategy's number.
    """
    if given is None:
        return None
    chosen = _of_each("start", form, given)
    return [integer("start", choice, 0, size - 1) for choice, size in zip(chosen, form.sizes, strict=True)]


def _of_each(name: str, form: Form, given: Sequence[T]) -> Sequence[T]:
    """Check that there is one of something for each population."""
    count = len(form.sizes)
    if not isinstance(given, (list, tuple, np.ndarray)) or len(given) != count:
        raise ParameterError(f"{name} is {brief(given)}, allowed: a list of {count}, one of each population")
    return given


def _regrets(form: Form, mixtures: Mixtures) -> np.ndarray:
    gains = [worth.max() - mine @ worth for mine, worth in zip(mixtures, form.against(mixtures), strict=True)]
    return np.maximum(gains, 0.0)


def _finite(given: object) -> np.ndarray:
    payoffs = np.array(given, float)
    if not np.isfinite(payoffs).all():
        raise ParameterError(f"payoffs hold {payoffs[~np.isfinite(payoffs)][0]}, allowed: finite numbers")
    return payoffs


def _named(names: tuple[tuple[str, ...], ...], sizes: tuple[int, ...]) -> tuple[tuple[str, ...], ...]:
    if not names:
        return tuple(tuple(map(str, range(size))) for size in sizes)
    found = tuple(tuple(map(str, of_one)) for of_one in names)
    if tuple(map(len, found)) != tuple(sizes):
        raise ParameterError(f"{tuple(map(len, found))} names are given, allowed: {tuple(sizes)}, one a strategy")
    for of_one in found:
        twice = [name for name in of_one if of_one.count(name) > 1]
        if twice:
            raise ParameterError(f"strategy {twice[0]!r} is there twice, allowed: once")
    return found
