"""Rules in which alternatives go out: plurality with a runoff, and instant runoff, with equal chances where it is tied.

Instant runoff eliminates the alternative that fewest rank first among those left, until one is left. Where several are
tied for fewest, each goes out with the same probability, and the lottery over who is left is computed exactly: a
distribution over the sets of those left moves down from the full set, of which only those are visited that some
profile reaches.

Plurality with a runoff lets the majority decide between the two who are ranked first most often. Ties for the two
places are drawn, and so is a tie between the two. With 3 alternatives it is the same lottery as instant runoff.

With ``ties="first"`` the lower index stays in place of all draws.

Four voters rank 0 first, three 1, and two 2, of whom both have 1 second:

    >>> import numpy as np
    >>> ballots = Profile.of(np.array([[[0, 1, 2], [1, 0, 2], [2, 1, 0]]]), np.array([[4.0, 3.0, 2.0]]))
    >>> irv(ballots, "share").ravel(), plurality_runoff(ballots, "share").ravel()
    (array([0., 1., 0.]), array([0., 1., 0.]))
"""

from __future__ import annotations

from lawgiver.envs.core.arrays import Array, namespace
from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.solvers.social_choice.profiles import Profile, beats, chosen, first

LARGEST = 62
"""Alternatives up to which a set of them is held as the bits of an integer."""
SETS = 50_000
"""Sets of those left, of one size, up to which a lottery is computed."""


def irv(profile: Profile, ties: str) -> Array:
    """Compute the lottery (m, B) of instant runoff, from marks that are places.

    Raises:
        ParameterError: for more than 62 alternatives, or where ties lead to more than 50,000 sets of those left.
    """
    xp, m, number = namespace(profile.marks), profile.m, profile.float_type
    if m > LARGEST:
        raise ParameterError(f"irv is to decide among {m} alternatives, allowed: at most {LARGEST}")
    # Nobody's favourites go out first, in an order that does not matter; others are favourites from then on.
    bits = xp.asarray([1 << a for a in range(m)], dtype=xp.int64, device=profile.marks.device)
    liked = xp.sum(xp.where(profile.firsts > 0, bits[:, None], xp.zeros_like(bits[:, None])), axis=0)
    mass: dict[int, list[tuple[Array, Array]]] = {}
    for left in xp.unique_values(liked):
        games = xp.nonzero(liked == left)[0]
        mass[int(left)] = [(games, xp.ones(games.shape[0], dtype=number, device=profile.marks.device))]
    for size in range(m, 1, -1):
        reached = [left for left in mass if left.bit_count() == size]
        if len(reached) > SETS:
            raise ParameterError(
                f"irv leads to {len(reached):,} sets of {size} alternatives left, allowed: at most {SETS:,}, as with"
                " fewer profiles at a time or ties='first'"
            )
        for left in reached:
            chance = _spread(mass.pop(left), profile)
            games = xp.nonzero(chance > 0)[0]
            members = [a for a in range(m) if left >> a & 1]
            firsts = _firsts(profile, members, games)
            # The last of those who are tied goes out first, so that the lower index stays.
            fewest = xp.flip(firsts == xp.min(firsts, axis=0), axis=0)
            out = xp.flip(chosen(fewest, ties, number), axis=0) * chance[games]
            for row, a in zip(out, members, strict=True):
                some = xp.nonzero(row > 0)[0]
                if some.shape[0] > 0:
                    mass.setdefault(left ^ (1 << a), []).append((games[some], row[some]))
    return xp.stack([_spread(mass.get(1 << a, []), profile) for a in range(m)])


def _spread(parts: list[tuple[Array, Array]], profile: Profile) -> Array:
    """Return the sum (B,) of chances, each of some profiles."""
    xp = namespace(profile.marks)
    chance = xp.zeros(profile.batch, dtype=profile.float_type, device=profile.marks.device)
    for games, some in parts:
        chance[games] += some
    return chance


def plurality_runoff(profile: Profile, ties: str) -> Array:
    """Compute the lottery (m, B) of plurality with a runoff, from marks that are places."""
    xp, firsts, number = namespace(profile.marks), profile.firsts, profile.float_type
    top = firsts == xp.max(firsts, axis=0)
    others = xp.where(top, xp.full_like(firsts, -1), firsts)
    second = others == xp.max(others, axis=0)
    if ties == "first":
        more = top & ~first(top)
        second = first(xp.where(xp.any(more, axis=0), more, second))
        top = first(top)
    else:
        second = xp.where(xp.sum(xp.astype(top, xp.int64), axis=0) > 1, top, second)
    top, second, ahead = xp.astype(top, number), xp.astype(second, number), beats(profile, ties)
    pairs = xp.sum(top, axis=0) * xp.sum(second, axis=0) - xp.sum(top * second, axis=0)
    return (top * xp.sum(ahead * second, axis=1) + second * xp.sum(ahead * top, axis=1)) / pairs


def _firsts(profile: Profile, members: list[int], games: Array) -> Array:
    """Compute the weight of those who rank each of some members first among them, (k, R), in some games (R,)."""
    xp = namespace(profile.marks)
    if len(members) == profile.m:
        return xp.take(profile.firsts, games, axis=-1)
    if len(members) == 2:  # margins are as good
        a, b = members
        margins = xp.take(profile.margins[a, b], games, axis=-1)
        return xp.stack([margins, -margins])
    voters = Profile(xp.stack([profile.marks[a] for a in members]), profile.weights).part(games)
    return voters.tally(voters.marks == xp.min(voters.marks, axis=0))
