"""Core-selecting payments of two locals and a global (Day and Raghavan 2007; Ausubel and Baranov 2020).

Local bidders with bids b_1 and b_2 win against a global one with b_g <= b_1 + b_2. The core asks them to pay b_g
together, more than under VCG, max(0, b_g - b_j). How they share it is the rule:

- ``nearest_vcg``: as close as can be to the VCG payments: the same is added to either.
- ``nearest_zero``: as equally as bids allow: b_g / 2 each, and where that is above one's bid, the other pays the rest.
- ``nearest_bid``: as close as can be to the bids: the surplus b_1 + b_2 - b_g is halved, payments at least 0.

The global bidder pays b_1 + b_2 if it wins, under every rule.

    >>> import numpy as np
    >>> [shared(rule, np.array([[0.9], [0.3]]), np.array([1.0]))[:, 0].round(2).tolist() for rule in RULES]
    [[0.8, 0.2], [0.7, 0.3], [0.8, 0.2]]
"""

from __future__ import annotations

from lawgiver.envs.core.arrays import Array, namespace

RULES = ("nearest_vcg", "nearest_zero", "nearest_bid")


def shared(rule: str, local_bids: Array, global_bid: Array) -> Array:
    """Compute what the locals pay if they win, (2, B).

    Args:
        rule: one of ``RULES``.
        local_bids: b_1 and b_2, (2, B), >= 0; 0 for who does not take part.
        global_bid: b_g, (B,), >= 0; the payments are meant where it is at most b_1 + b_2.
    """
    xp = namespace(local_bids)
    other = xp.flip(local_bids, axis=0)
    if rule == "nearest_zero":
        half = global_bid / 2
        return xp.maximum(xp.minimum(local_bids, xp.zeros_like(local_bids) + half), global_bid - other)
    if rule == "nearest_bid":
        halved = local_bids - (xp.sum(local_bids, axis=0) - global_bid) / 2
        return xp.minimum(xp.maximum(halved, xp.zeros_like(halved)), xp.zeros_like(halved) + global_bid)
    least = xp.maximum(global_bid - other, xp.zeros_like(other))
    return least + (global_bid - xp.sum(least, axis=0)) / 2
