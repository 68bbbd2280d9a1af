"""Anonymous congestion games: exact expected payoffs of options when all agents mix.

Each of N agents belongs to a group and chooses one of its group's options. An option uses some of the resources, and a
resource that k agents use pays each of them what its table holds for k (Rosenthal 1973, International Journal of Game
Theory 2); on top come a constant of the option and the transfers (tolls below 0) of the resources it uses.

If the members of a group mix alike and independently, the number of others whom a member of group g meets on a
resource is a sum of independent binomials, one a group, its own less one member. The expectation of a table under it is
a polynomial in the probabilities q, hence differentiable at 0 and 1 as well. There are two ways to compute it:

- In the frequency domain, where a sum of independent numbers is a product: by Parseval's identity it is the mean of the
  table's Fourier transform times the conjugate of prod_h (1 - q_h + q_h w)^n_h, w over the roots of unity. O(N) a
  resource and group; the error is about 1e-15 of the table's largest entry for N = 100 and grows no faster than N.
- Member by member: one more who uses the resource with probability q turns entries v_k into (1 - q) v_k + q v_(k+1)
  (the recursion of de Casteljau). O(N^2) a resource; the error is relative to each entry where all have one sign.

The second is for steep tables, whose largest entry is more than ``STEEP`` times the smallest, and for many groups,
whose transforms would take more than ``LARGEST_TRANSFORM`` entries a game.

Every function runs on NumPy and on torch; leading axes are batches and broadcast.

    >>> table = np.array([[0.0, 3.0, 1.0]] * 2)  # two roads that pay a user 3 alone, and 1 each to two
    >>> game = CongestionGame((2,), np.eye(2)[None], np.ones((1, 2), bool), table, np.zeros((1, 2)))
    >>> expected_payoffs(game, np.array([[0.25, 0.75]])).round(9)
    array([[2.5, 1.5]])
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, reduce
from itertools import accumulate
from operator import mul

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, detached, namespace
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError

LARGEST_N = 10_000
"""Largest number of agents for which the exact solvers, which sum over loads, take seconds."""

STEEP = 1e5
"""Ratio of a table's largest entry to its smallest above which expectations are computed without its transform."""

LARGEST_TRANSFORM = 2**22
"""Entries of all groups' transforms in a game above which expectations are computed without them."""

LARGEST_TABLES = 2**28
"""Numbers that expectations may take at once, all games of a batch together: 2 GiB."""


@dataclass(frozen=True, eq=False)
class CongestionGame:
    """An anonymous congestion game of N agents in G groups, with up to O options a group and R resources.

    Attributes:
        counts: members of each group, >= 1, (G,); agents are numbered group by group.
        uses: 1 where an option uses a resource, else 0, (G, O, R); 0 throughout for options that pad the table.
        legal: whether a group has that option, (G, O); each group has one at least.
        table: payoff of each user of a resource that k agents use, (..., R, N + 1), k = 0 to N; k = 0 is never paid.
        constants: payoff of an option whoever else chooses it, (G, O).

    ``table`` and ``constants`` may be torch tensors, for gradients by them; then strategies have to be, too. A NumPy
    table must not be changed in place: its transform is kept.

    Raises:
        ParameterError: if shapes do not fit, or an entry of ``counts`` or ``uses`` is not of the kind above.
    """

    counts: tuple[int, ...]
    uses: np.ndarray
    legal: np.ndarray
    table: Array
    constants: Array

    def __post_init__(self) -> None:
        """Check the shapes and values of the arrays."""
        if not self.counts or min(self.counts) < 1:
            raise ParameterError(f"counts is {self.counts}, allowed: at least one group, each of >= 1 members")
        check_options(self.uses, self.legal, len(self.counts))
        shape, ends = tuple(self.table.shape), (self.uses.shape[2], self.n + 1)
        if shape[-2:] != ends:
            raise ParameterError(f"table has shape {shape}, allowed: (..., {ends[0]}, {ends[1]})")
        if tuple(self.constants.shape) != self.legal.shape:
            raise ParameterError(f"constants has shape {tuple(self.constants.shape)}, allowed: {self.legal.shape}")

    @cached_property
    def n(self) -> int:
        """Number of agents."""
        return sum(self.counts)

    @cached_property
    def groups(self) -> np.ndarray:
        """Group of each agent, (N,)."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @cached_property
    def steep(self) -> bool:
        """Whether a NumPy table's entries differ too much in magnitude for its transform."""
        return _is_steep(self.table)

    @cached_property
    def spectrum(self) -> np.ndarray:
        """Weighted transform of a NumPy table without its column for k = 0, (..., R, N // 2 + 1), complex."""
        return np.asarray(_spectrum(self.table[..., 1:]))


def check_options(uses: np.ndarray, legal: np.ndarray, n_groups: int) -> None:
    """Check the options of ``n_groups`` groups: their shapes, zeros and ones, one option a group at least.

    Raises:
        ParameterError: naming the array and what is wrong with it.
    """
    if uses.ndim != 3 or uses.shape[0] != n_groups or not np.isin(uses, (0, 1)).all():
        raise ParameterError(f"uses has shape {uses.shape}, allowed: zeros and ones (groups = {n_groups}, O, R)")
    if legal.shape != uses.shape[:2] or not legal.any(1).all():
        raise ParameterError(f"legal has shape {legal.shape}, allowed: {uses.shape[:2]} with an option for each group")
    if uses[~legal].any():
        raise ParameterError("uses has ones at options that are not legal, allowed: zeros there")


def whole_counts(n: int, shares: Mapping[str, float]) -> tuple[int, ...]:
    """Convert the groups' shares > 0, by name, to whole numbers of n agents, (G,).

    Raises:
        ParameterError: naming the group, if its share is not a whole number of agents, at least one; or if the groups
            together are not n agents.
    """
    off = min(1e-6 * n, 1e-3)  # shares may be rounded to six digits, but not by enough to mistake a fraction
    counts = []
    for name, share in shares.items():
        whole = round(n * share)
        if abs(n * share - whole) > off or whole < 1:
            raise ParameterError(f"{name} is {n * share:.10g} of {n} agents, allowed: a whole number of agents, >= 1")
        counts.append(whole)
    if sum(counts) != n:
        raise ParameterError(f"{', '.join(shares)} are {sum(counts)} of {n} agents, allowed: all of them")
    return tuple(counts)


# -- expectations when the members of a group mix alike -------------------------------------------------------------


def expected_payoffs(game: CongestionGame, strategies: Array, transfers: Array | None = None) -> Array:
    """Compute the expected payoff of each option to a member of each group, (..., G, O).

    Args:
        game: the game.
        strategies: probabilities of the options, (..., G, O), 0 where an option is not legal. Nothing is normalised,
            so derivatives by single entries make sense.
        transfers: paid to each user of a resource, (..., R); a toll is below 0. None for nothing.

    Raises:
        UnsupportedGameError: if all games of the batch together take more than ``LARGEST_TABLES`` numbers.
    """
    xp, uses = namespace(strategies), constant(game.uses, like=strategies)
    table, usage = game.table, _usage(game, strategies)
    steep = game.steep if type(table) is np.ndarray else _is_steep(table)
    if check_size(game, math.prod(usage.shape[:-2]), steep=steep):
        paid = _met_by_each(_like(table, strategies)[..., 1:], usage, game.counts)
    elif type(table) is type(strategies) is np.ndarray and table.dtype == strategies.dtype:
        paid = _expectations(game.spectrum, _others(game, usage, game.n))
    else:
        paid = _expectations(_spectrum(_like(table, strategies)[..., 1:]), _others(game, usage, game.n))
    if transfers is not None:
        paid = paid + transfers[..., None, :]
    return xp.squeeze(uses @ paid[..., None], axis=-1) + _like(game.constants, strategies)


def expected_welfare(game: CongestionGame, strategies: Array) -> Array:
    """Return the expected sum of all agents' payoffs without transfers, (...)."""
    xp = namespace(strategies)
    return xp.sum(_members(game, strategies) * strategies * expected_payoffs(game, strategies), axis=(-2, -1))


def expected_of_loads(game: CongestionGame, strategies: Array, values: Array) -> Array:
    """Return the expectation of any function of each resource's load, (..., R).

    Args:
        game: the game.
        strategies: as in :func:`expected_payoffs`.
        values: values of the function when k agents use a resource, (..., R, N + 1).

    Raises:
        UnsupportedGameError: as :func:`expected_payoffs`.
    """
    usage = _usage(game, strategies)
    if check_size(game, math.prod(usage.shape[:-2]), steep=_is_steep(values)):
        return _met(_like(values, strategies), usage, game.counts)[..., 0]
    met = _others(game, usage, game.n + 1, without_self=False)
    return _expectations(_spectrum(_like(values, strategies)), met)[..., 0, :]


def _is_steep(table: Array) -> bool:
    """Test whether the entries of a resource, k >= 1, differ in size by a factor above ``STEEP``."""
    xp, sizes = namespace(table), abs(detached(table))[..., 1:]
    return bool(xp.any(xp.max(sizes, axis=-1) > STEEP * xp.min(sizes, axis=-1)))


def check_size(game: CongestionGame, games: int, *, steep: bool) -> bool:
    """Check the size of a batch, and test whether expectations are computed member by member.

    Raises:
        UnsupportedGameError: if they take more than ``LARGEST_TABLES`` numbers at once, naming what fits.
    """
    n_resources = game.uses.shape[-1]
    direct = steep or n_resources * (game.n + 1) * len(game.counts) // 2 > LARGEST_TRANSFORM
    each = n_resources * (1 if direct else len(game.counts))
    if (size := games * each * (game.n + 1)) > LARGEST_TABLES:
        raise UnsupportedGameError(
            f"expectations in {games:,} games of {game.n:,} agents on {n_resources:,} resources take {size:,} numbers"
            f" at once, allowed: {LARGEST_TABLES:,}, as of {LARGEST_TABLES // (each * (game.n + 1)):,} games, or of"
            f" {max(LARGEST_TABLES // (each * games) - 1, 0):,} agents"
        )
    return direct


def _met(values: Array, usage: Array, members: Sequence[int]) -> Array:
    """Take expectations of values (..., R, M) over the use by ``members`` agents, (..., R, M - members)."""
    values = values + 0 * usage[..., 0, :, None]
    for g, count in enumerate(members):
        use = usage[..., g, :, None]
        rest = 1 - use
        for _ in range(count):
            values = rest * values[..., :-1] + use * values[..., 1:]
    return values


def _met_by_each(values: Array, usage: Array, counts: Sequence[int]) -> Array:
    """Compute the expectation of values (..., R, N) for a member of each group over all others, (..., G, R).

    All but one of each group are met by everybody; of these, each half of the groups meets the other as a whole.
    """

    def apart(values: Array, usage: Array) -> list[Array]:
        n_groups = usage.shape[-2]
        if n_groups == 1:
            return [values[..., 0]]
        first, second = usage[..., : n_groups // 2, :], usage[..., n_groups // 2 :, :]
        met = [_met(values, others, [1] * others.shape[-2]) for others in (second, first)]
        return apart(met[0], first) + apart(met[1], second)

    common = _met(values, usage, [count - 1 for count in counts])
    return namespace(usage).stack(apart(common, usage), axis=-2)


def _like(x: Array, like: Array) -> Array:
    return constant(x, like=like) if type(x) is np.ndarray else x


def _members(game: CongestionGame, like: Array) -> Array:
    return constant(np.array(game.counts)[:, None], like=like)


def _usage(game: CongestionGame, strategies: Array) -> Array:
    """Return the probability that a member of each group uses each resource, (..., G, R)."""
    uses = constant(game.uses, like=strategies)
    return namespace(strategies).squeeze(strategies[..., None, :] @ uses, axis=-2)


def _others(game: CongestionGame, usage: Array, size: int, *, without_self: bool = True) -> Array:
    """Return the Fourier transform of the distribution of the loads that others cause, for each group.

    Args:
        game: the game.
        usage: probability of use, (..., G, R).
        size: size of the transform; as large as the number of possible loads.
        without_self: one member of the own group less; else everybody, and a single row in place of one a group.

    Returns:
        Its non-negative frequencies, (..., G or 1, R, size // 2 + 1), complex.
    """
    xp = namespace(usage)
    real, imaginary = (constant(part, like=usage) for part in _roots(size))
    one = 1 + usage[..., None] * (real + 1j * imaginary)
    members = [one[..., g, :, :] for g in range(len(game.counts))]
    less = [_power(member, count - 1) for member, count in zip(members, game.counts, strict=True)]
    everyone = [rest * member for rest, member in zip(less, members, strict=True)]
    if not without_self:
        return list(accumulate(everyone, mul))[-1][..., None, :, :]
    before = [[], *([x] for x in accumulate(everyone[:-1], mul))]
    after = [*[[x] for x in accumulate(everyone[:0:-1], mul)][::-1], []]
    return xp.stack([reduce(mul, [*a, own, *z]) for a, own, z in zip(before, less, after, strict=True)], axis=-3)


@lru_cache(maxsize=4)
def _roots(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return real and imaginary parts of w - 1 at half of the roots of unity w, (size // 2 + 1,) each."""
    angles = -2 * np.pi * np.arange(size // 2 + 1) / size
    return np.cos(angles) - 1, np.sin(angles)


def _power(x: Array, exponent: int) -> Array:
    """Return x to an integer power >= 0 by repeated squaring, which has the right derivative at 0 as well."""
    result = None
    while exponent:
        if exponent & 1:
            result = x if result is None else result * x
        x, exponent = (x * x if exponent > 1 else x), exponent >> 1
    return namespace(x).ones_like(x) if result is None else result


def _expectations(ours: Array, transform: Array) -> Array:
    """Return the expectation (..., G, R) of values under distributions (..., G, R, K), by their transforms."""
    xp = namespace(transform)
    return xp.sum(xp.real(ours[..., None, :, :] * xp.conj(transform)), axis=-1)


def _spectrum(values: Array) -> Array:
    """Return the transform of values (..., R, M) with the weights of a mean over all frequencies, (..., R, K)."""
    xp, size = namespace(values), values.shape[-1]
    weights = np.full(size // 2 + 1, 2.0 / size)  # each stands for its conjugate, too,
    weights[0] = 1.0 / size
    if size % 2 == 0:
        weights[-1] = 1.0 / size  # but for the two that are real
    return xp.fft.rfft(values, axis=-1) * constant(weights, like=values)


# -- what is paid when everybody has chosen ---------------------------------------------------------------------------


def payoffs_of(game: CongestionGame, choices: Array, transfers: Array) -> Array:
    """Compute each agent's payoff, (..., N), in the dtype of ``transfers``; O(N + G O R) per game.

    Args:
        game: the game.
        choices: option of each agent, (..., N) integers; legal ones.
        transfers: paid to each user of a resource, (..., R); zeros for nothing.
    """
    xp = namespace(transfers)
    index = _index(game, choices)
    loads = _loads(game, index)[..., None]
    table = xp.broadcast_to(_like(game.table, transfers), (*loads.shape[:-1], game.n + 1))
    paid = xp.squeeze(xp.take_along_axis(table, loads, axis=-1), axis=-1) + transfers
    constants = xp.reshape(_like(game.constants, transfers), (-1,))
    return _of_choices(_of_options(game, paid) + constants, index)


def transfers_of(game: CongestionGame, choices: Array, transfers: Array) -> Array:
    """Compute each agent's transfers, (..., N); arguments as in :func:`payoffs_of`."""
    return _of_choices(_of_options(game, transfers), _index(game, choices))


def _index(game: CongestionGame, choices: Array) -> Array:
    """Return the number of each agent's choice among the options of all groups, g O + o, (..., N)."""
    return choices + constant(game.groups * game.legal.shape[1], like=choices)


def _loads(game: CongestionGame, index: Array) -> Array:
    """Count the users of each resource, (..., R) integers."""
    xp, batch = namespace(index), index.shape[:-1]
    rows = game.uses.reshape(-1, game.uses.shape[-1])
    games = math.prod(batch)
    apart = xp.reshape(index, (games, game.n)) + constant(np.arange(games)[:, None] * len(rows), like=index)
    chosen = xp.reshape(xp.bincount(xp.reshape(apart, (-1,)), minlength=games * len(rows)), (*batch, len(rows), 1))
    return xp.sum(chosen * constant(rows, like=chosen), axis=-2)


def _of_options(game: CongestionGame, paid: Array) -> Array:
    """Sum payments per resource (..., R) over the resources of each option, (..., G O)."""
    rows = constant(game.uses.reshape(-1, game.uses.shape[-1]), like=paid)
    return namespace(paid).squeeze(rows @ paid[..., None], axis=-1)


def _of_choices(values: Array, index: Array) -> Array:
    """Return the entry of each agent's choice, (..., N), of values (..., G O)."""
    xp = namespace(values)
    batch = np.broadcast_shapes(values.shape[:-1], index.shape[:-1])
    values = xp.broadcast_to(values, (*batch, values.shape[-1]))
    return xp.take_along_axis(values, xp.broadcast_to(index, (*batch, index.shape[-1])), axis=-1)
