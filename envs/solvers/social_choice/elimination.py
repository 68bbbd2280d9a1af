"""Rules in which alternatives go out: plurality with a runoff, and instant runoff, with equal chances where it is tied.

Instant runoff eliminates the alternative that fewest rank first among those left, until one is left. Where several are
tied for fewest, each goes out with the same probability, and the lottery over who is left is computed exactly: a
distribution over the sets of those left moves down from the full set. At most 2^m sets are visited, and only those that
some profile reaches.

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
from lawgiver.envs.solvers.social_choice.profiles import Profile, beats, chosen, first


def irv(profile: Profile, ties: str) -> Array:
    """Compute the lottery (m, B) of instant runoff, from marks that are places.

    Raises:
        ParameterError: for more than 62 alternatives.
    """
    profile.check_sets("irv")
    xp, m = namespace(profile.marks), profile.m
    voters = Profile(_ahead(profile.marks), profile.weights)
    everybody = (1 << m) - 1
    mass = {everybody: xp.ones(profile.batch, dtype=profile.float_type, device=profile.marks.device)}
    for size in range(m, 1, -1):
        for left in [left for left in mass if left.bit_count() == size]:
            chance = mass.pop(left)
            games = xp.nonzero(chance)[0]
            if games.shape[0] == 0:
                continue
            some = voters if games.shape[0] == profile.batch else voters.part(games)
            members = [a for a in range(m) if left >> a & 1]
            firsts = some.tally(xp.stack([(some.marks[a] & left) == left ^ (1 << a) for a in members]))
            # The last of those who are tied goes out first, so that the lower index stays.
            fewest = xp.flip(firsts == xp.min(firsts, axis=0), axis=0)
            out = xp.flip(chosen(fewest, ties, profile.float_type), axis=0) * chance[games]
            for row, a in enumerate(members):
                rest = mass.setdefault(left ^ (1 << a), xp.zeros_like(chance))
                rest[games] += out[row]
    nothing = xp.zeros(profile.batch, dtype=profile.float_type, device=profile.marks.device)
    return xp.stack([mass.get(1 << a, nothing) for a in range(m)])


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
    apart = ~xp.eye(profile.m, dtype=xp.bool, device=firsts.device)[:, :, None]
    finals = xp.astype(top[:, None] & second[None, :] & apart, number)
    finals = finals / xp.sum(finals, axis=(0, 1))
    return xp.sum((finals + xp.permute_dims(finals, (1, 0, 2))) * beats(profile, ties), axis=1)


def _ahead(places: Array) -> Array:
    """Return the set, as a bit mask, of the alternatives that each stands before, (m, n, B)."""
    xp = namespace(places)
    kind = xp.int8 if len(places) < 8 else xp.int16 if len(places) < 16 else xp.int64
    rows = []
    for own in places:
        row = xp.zeros_like(own, dtype=kind)
        for b, other in enumerate(places):
            row = row | xp.astype(own < other, kind) << b
        rows.append(row)
    return xp.stack(rows)
