"""The expected objective of a menu, smoothed so that its gradient sees which entry is chosen.

The exact choice is piecewise constant in the menu's numbers. At a temperature t every maximum over entries is smoothed
alike: the greatest affine welfare is t log sum_j exp(welfare_j / t), without bidder i likewise, and entries are chosen
with probabilities proportional to exp(welfare_j / t). Then

    payment_i = (t lse(welfare without i) - t lse(welfare)) / w_i + E[v_i . a_i],

of which nothing is left but the exact payment as t falls to 0.
"""

from __future__ import annotations

import torch

from lawgiver.envs.multi_item_auction import menus


def smoothed(
    values: torch.Tensor,
    shares: torch.Tensor,
    boosts: torch.Tensor,
    weights: torch.Tensor,
    temperature: float,
    objective: str,
) -> torch.Tensor:
    """Compute the mean smoothed objective.

    Args:
        values: of the items, (B, n, m).
        shares: of the entries, (J, n, m).
        boosts: (J,).
        weights: (n,).
        temperature: in the unit of values.
        objective: ``revenue`` or ``welfare``.
    """
    worth = menus.worths(values, shares, weights)
    welfare, without = menus.others(worth, boosts)
    chances = torch.softmax(welfare / temperature, -1)[:, :-1]
    expected = (chances * worth).sum(-1) / weights[:, None]
    if objective == "welfare":
        served: torch.Tensor = expected.sum(0).mean()
        return served
    alone, together = (temperature * torch.logsumexp(each / temperature, -1) for each in (without, welfare))
    payments: torch.Tensor = (alone - together) / weights[:, None] + expected
    return payments.sum(0).mean()
