"""Voting rules for many profiles at once: from ballots to lotteries over the alternatives.

Most rules have winners. With ``ties="share"`` each of them gets an equal share of the lottery; with ``"first"`` the one
of the lowest index gets all, which treats alternatives unlike. N_ab is the weight of those who rank a over b, and M =
N - N' the margins (:mod:`.profiles`).

| rule | reads | chooses |
|---|---|---|
| ``plurality`` | favourites | who is ranked first most often |
| ``anti_plurality`` | rankings | who is ranked last least often |
| ``borda`` | rankings | the largest sum_b N_ab |
| ``approval`` | approvals | who is approved most often |
| ``score`` | numbers | the largest mean |
| ``copeland`` | rankings | most majorities won, ties a half |
| ``minimax`` | rankings | the largest min_b M_ab |
| ``black`` | rankings | the Condorcet winner, else Borda's |
| ``schulze`` | rankings | who has a path of majorities to everybody at least as wide as the one back |
| ``ranked_pairs`` | rankings | the top of what majorities lock, from the largest down (:mod:`.ranked_pairs`) |
| ``kemeny`` | rankings | the top of a ranking that most pairs agree with, m <= 6 |
| ``plurality_runoff``, ``irv`` | rankings | who is left (:mod:`.elimination`) |
| ``random_dictator`` | favourites | a random voter's favourite |
| ``random_pair_majority`` | rankings | the majority's choice from a random pair |
| ``maximal_lottery`` | rankings | a lottery that no alternative beats (:mod:`.maximal_lottery`) |
| ``median`` | favourites | the median of favourites, alternatives on a line in the order of their index |

Everything runs on NumPy and on torch; ``ranked_pairs`` and ``maximal_lottery`` compute on NumPy in between. Winners are
exact where sums of weights are: integers, halves, or anything that floats add without rounding.

Three voters rank 0 > 1 > 2, two 1 > 2 > 0: Borda chooses 1, the majority 0.

    >>> places = np.array([[[0, 1, 2]] * 3 + [[2, 0, 1]] * 2])
    >>> lottery("borda", places)[0], lottery("copeland", places)[0]
    (array([0., 1., 0.]), array([1., 0., 0.]))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from lawgiver.envs.core.arrays import Array, as_numpy, constant, floats, namespace, transposed
from lawgiver.envs.core.errors import ParameterError, choice
from lawgiver.envs.solvers.social_choice import maximal_lottery as maximal_lotteries
from lawgiver.envs.solvers.social_choice import ranked_pairs as locking
from lawgiver.envs.solvers.social_choice.elimination import irv, plurality_runoff
from lawgiver.envs.solvers.social_choice.profiles import Profile, beats, chosen, orders

TIES = ("share", "first")
"""Ways to deal with tied winners."""
REVEALS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ranking": ("ranking", "plurality"),
        "approval": ("approval",),
        "plurality": ("plurality",),
        "score": ("score", "approval", "ranking", "plurality"),
    }
)
"""Kinds of ballots, with the kinds that can be read off each."""
LARGEST_KEMENY = 6
"""Alternatives up to which all rankings are compared."""
ROUNDING = {8: 1e-9, 4: 1e-5}
"""Share of the largest score by which others may miss it and are tied with it, by the bytes of its type."""


@dataclass(frozen=True)
class Rule:
    """Voting rule.

    Attributes:
        reads: kind of ballot: ``ranking``, ``plurality``, ``approval`` or ``score``.
        decide: computes the lottery (m, B) of profiles, given how ties are dealt with.
    """

    reads: str
    decide: Callable[[Profile, str], Array]


def lottery(name: str, ballots: Array, weights: Array | None = None, *, ties: str = "share") -> Array:
    """Compute the lotteries (B, m) that a rule chooses, of the type of the weights, else the default float.

    Args:
        name: one of :data:`RULES`.
        ballots: (B, n, m), or (1, n, m) where weights differ alone. Places, 0 for the best, if the rule reads rankings;
            so too if it reads favourites, where only the 0 counts; 1 for approved and 0 for others; or scores.
        weights: how many voters each counts for, (B, n), at least 0, with a positive sum; 1 each unless given.
        ties: ``share`` or ``first``.

    Raises:
        ParameterError: for an unknown rule or way with ties, for shapes that do not fit, for places that are none, and
            for more alternatives than a rule can do with: 6 of ``kemeny``, 12 of ``maximal_lottery``, 62 of ``irv`` and
            ``ranked_pairs``. Also where ties are too many for these to be followed.
    """
    rule = RULES[choice("rule", name, RULES)]
    profile = Profile.of(ballots, weights, narrow=rule.reads != "score")
    if rule.reads == "ranking":
        check_places(profile)
    return transposed(rule.decide(profile, choice("ties", ties, TIES)))


def check_places(profile: Profile) -> None:
    """Check that marks are places, from 0 for the best; equal ones are allowed, as pairwise rules make sense of them.

    Raises:
        ParameterError: naming the lowest and the highest, and what is allowed.
    """
    xp = namespace(profile.marks)
    low, high = float(xp.min(profile.marks)), float(xp.max(profile.marks))
    if not 0 <= low <= high < profile.m:
        raise ParameterError(f"places go from {low:g} to {high:g}, allowed: from 0, the best, to {profile.m - 1}")


def readable(name: str, ballot: str) -> Rule:
    """Return a rule that can be computed from a kind of ballot.

    Raises:
        ParameterError: naming the rule, what it reads, and the kinds of ballots that reveal it.
    """
    rule = RULES[choice("rule", name, RULES)]
    if rule.reads not in REVEALS[choice("ballot", ballot, REVEALS)]:
        fitting = ", ".join(sorted(kind for kind, revealed in REVEALS.items() if rule.reads in revealed))
        raise ParameterError(f"rule {name!r} cannot be computed from {ballot} ballots, allowed with it: {fitting}")
    return rule


def positional(
    places: Array,
    scores: Array,
    dictator: Array | float = 0.0,
    weights: Array | None = None,
    *,
    ties: str = "share",
) -> Array:
    """Compute the lottery (B, m) of a positional rule into which a share of random dictatorship is mixed.

    Who has the largest sum of scores wins. Plurality has the scores 1, 0, ..., 0; Borda equal steps; anti-plurality
    1, ..., 1, 0. Sums that differ by rounding alone are tied.

    Args:
        places: (B, n, m) or (1, n, m), 0 for the best.
        scores: of each place, (m,) or (B, m).
        dictator: share of the lottery in which a random voter decides, a number or (B,), in [0, 1].
        weights: (B, n); 1 each unless given.
        ties: ``share`` or ``first``.

    Raises:
        ParameterError: for an unknown way with ties, shapes that do not fit, or places that are none.
    """
    profile = Profile.of(places, weights)
    check_places(profile)
    xp, number = namespace(profile.marks), profile.float_type
    scores = _numbers(scores, xp.zeros(0, dtype=number, device=profile.marks.device))
    if scores.shape[-1] != profile.m:
        raise ParameterError(f"scores have shape {tuple(scores.shape)}, allowed: one for each of {profile.m} places")
    sums = 0
    for place in range(profile.m):
        sums = sums + scores[..., place] * xp.astype(profile.tally(profile.marks == place), number)
    scored = chosen(_close_to_top(sums), choice("ties", ties, TIES), number)
    share = _numbers(dictator, scored)
    return transposed((1 - share) * scored + share * random_dictator(profile, ties))


def _numbers(given: Any, like: Array) -> Array:
    """Convert numbers to the type of ``like``; those of its backend with their gradient."""
    same = hasattr(given, "shape") and namespace(given) is namespace(like)
    return floats(given, like) if same else constant(given, like)


def _top(scores: Array) -> Array:
    return scores == namespace(scores).max(scores, axis=0)


def _close_to_top(scores: Array) -> Array:
    """Return the mask (m, B) of the largest of scores that were rounded."""
    xp = namespace(scores)
    most = xp.max(scores, axis=0)
    return scores >= most - ROUNDING[scores.dtype.itemsize] * xp.max(xp.abs(scores), axis=0)


def _winners(find: Callable[[Profile], Array]) -> Callable[[Profile, str], Array]:
    """Make the lottery of a rule that has winners (m, B)."""

    def decide(profile: Profile, ties: str) -> Array:
        return chosen(find(profile), ties, profile.float_type)

    return decide


def anti_plurality(profile: Profile) -> Array:
    """Compute the mask (m, B) of who is ranked last least often."""
    return _top(-profile.tally(profile.marks == profile.m - 1))


def borda_sums(profile: Profile) -> Array:
    """Compute sum_b M_ab, (m, B): twice the Borda points, less a constant."""
    return namespace(profile.margins).sum(profile.margins, axis=1)


def _largest_sum(profile: Profile) -> Array:
    """Return the mask (m, B) of the largest sum of scores, which may be any numbers."""
    xp = namespace(profile.marks)
    marks = xp.astype(profile.marks, profile.float_type)
    return _close_to_top(profile.tally(marks) if profile.weights is not None else xp.sum(marks, axis=1))


def copeland(profile: Profile) -> Array:
    """Compute the mask (m, B) of who wins most majorities, ties a half: most wins less losses."""
    xp = namespace(profile.margins)
    wins, losses = (xp.sum(xp.astype(over, xp.int64), axis=1) for over in (profile.margins > 0, profile.margins < 0))
    return _top(wins - losses)


def minimax(profile: Profile) -> Array:
    """Compute the mask (m, B) of who loses least at worst. The diagonal, 0, changes nothing: who wins all, wins."""
    return _top(namespace(profile.margins).min(profile.margins, axis=1))


def black(profile: Profile) -> Array:
    """Compute the mask (m, B) of the Condorcet winner, or of Borda's where there is none."""
    xp = namespace(profile.margins)
    return xp.where(xp.any(profile.condorcet, axis=0), profile.condorcet, _top(borda_sums(profile)))


def schulze(profile: Profile) -> Array:
    """Compute the mask (m, B) of who is not beaten by widest paths (Schulze 2011), found by Floyd and Warshall.

    Widths are margins, of the same order as supports, since each pair has all the voters.
    """
    xp, margins = namespace(profile.margins), profile.margins
    width = xp.where(margins > 0, margins, xp.zeros_like(margins))
    for via in range(profile.m):
        width = xp.maximum(width, xp.minimum(width[:, via, None], width[None, via]))
    return xp.all(width >= xp.permute_dims(width, (1, 0, 2)), axis=1)


def kemeny(profile: Profile) -> Array:
    """Compute the mask (m, B) of who is first in a ranking with the largest sum of margins.

    Raises:
        ParameterError: for more than 6 alternatives.
    """
    m = profile.m
    if m > LARGEST_KEMENY:
        raise ParameterError(f"kemeny is to rank {m} alternatives, allowed: at most {LARGEST_KEMENY}")
    xp, number = namespace(profile.margins), profile.float_type
    first, second = np.triu_indices(m, 1)
    signs = np.where(orders(m)[:, first] < orders(m)[:, second], 1.0, -1.0)
    signs = xp.asarray(signs, dtype=number, device=profile.marks.device)
    pairs = xp.astype(xp.stack([profile.margins[a, b] for a, b in zip(first, second, strict=True)]), number)
    agreement = xp.reshape(signs @ pairs, (m, len(signs) // m, -1))  # by who is first
    return _top(xp.max(agreement, axis=1))


def random_dictator(profile: Profile, ties: str) -> Array:
    """Compute the lottery (m, B) of the favourite of a random voter."""
    return namespace(profile.marks).astype(profile.firsts, profile.float_type) / profile.weight


def random_pair_majority(profile: Profile, ties: str) -> Array:
    """Compute the lottery (m, B) of the majority's choice from a random pair."""
    m = profile.m
    return namespace(profile.marks).sum(beats(profile, ties), axis=1) * (2 / (m * (m - 1)))


def median(profile: Profile, ties: str) -> Array:
    """Compute the lottery (m, B) of the median favourite; of the lower and the upper one where they differ."""
    xp, number = namespace(profile.marks), profile.float_type
    until = 2 * xp.cumulative_sum(profile.firsts, axis=0)
    before = until - 2 * profile.firsts
    lower = (until >= profile.weight) & (before < profile.weight)
    upper = (until > profile.weight) & (before <= profile.weight)
    if ties == "first":
        return xp.astype(lower, number)
    return (xp.astype(lower, number) + xp.astype(upper, number)) / 2


def _ranked_pairs(profile: Profile) -> Array:
    won = locking.winners(as_numpy(profile.margins))
    return namespace(profile.marks).asarray(won, device=profile.marks.device)


def _maximal_lottery(profile: Profile, ties: str) -> Array:
    found = maximal_lotteries.lotteries(as_numpy(profile.margins))
    return namespace(profile.marks).asarray(found, dtype=profile.float_type, device=profile.marks.device)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "plurality": Rule("plurality", _winners(lambda profile: _top(profile.firsts))),
        "anti_plurality": Rule("ranking", _winners(anti_plurality)),
        "borda": Rule("ranking", _winners(lambda profile: _top(borda_sums(profile)))),
        "approval": Rule("approval", _winners(lambda profile: _top(profile.tally(profile.marks != 0)))),
        "score": Rule("score", _winners(_largest_sum)),
        "copeland": Rule("ranking", _winners(copeland)),
        "minimax": Rule("ranking", _winners(minimax)),
        "black": Rule("ranking", _winners(black)),
        "schulze": Rule("ranking", _winners(schulze)),
        "ranked_pairs": Rule("ranking", _winners(_ranked_pairs)),
        "kemeny": Rule("ranking", _winners(kemeny)),
        "plurality_runoff": Rule("ranking", plurality_runoff),
        "irv": Rule("ranking", irv),
        "random_dictator": Rule("plurality", random_dictator),
        "random_pair_majority": Rule("ranking", random_pair_majority),
        "maximal_lottery": Rule("ranking", _maximal_lottery),
        "median": Rule("plurality", median),
    }
)
"""Voting rules by name."""
