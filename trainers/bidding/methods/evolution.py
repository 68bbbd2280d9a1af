"""Gradients from a population of perturbed weights, by payoffs alone.

With noise e of standard deviation s on the weights W, the mean of (u(W + s e) - u(W - s e)) e / 2s estimates the
gradient of the payoff, averaged over such perturbations. All copies play the same games, against the same bids of the
others. The payoff may jump, and the format be any (Bichler et al. 2021, Learning Equilibria in Symmetric Auction Games
Using Artificial Neural Networks).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.func import functional_call, vmap

from lawgiver.envs.families.mechanism_game import MechanismGame, MechanismState
from lawgiver.trainers.bidding.seats import payoffs, repeated


@torch.no_grad()
def gradient(
    game: MechanismGame,
    network: nn.Module,
    state: MechanismState,
    seen: torch.Tensor,
    bids: torch.Tensor,
    seat: int,
    *,
    pairs: int,
    noise: float,
    rng: torch.Generator,
) -> dict[str, torch.Tensor]:
    """Estimate the gradient of a seat's mean payoff in the weights of its network, by name.

    Args:
        game: any mechanism game of one round with bids in a Box.
        network: the seat's bid function.
        state: B games that wait for bids.
        seen: what the seat sees of its types, (B, d).
        bids: everybody's bids, (B, n, k); those of the seat do not matter.
        seat: whose gradient it is.
        pairs: number of pairs of copies.
        noise: standard deviation of the perturbations.
        rng: generator of them.
    """
    weights = dict(network.named_parameters())
    errors = {
        name: torch.randn((pairs, *weight.shape), generator=rng, device=weight.device)
        for name, weight in weights.items()
    }
    copies = {name: torch.cat([weights[name] + noise * e, weights[name] - noise * e]) for name, e in errors.items()}
    own = vmap(lambda copy: functional_call(network, copy, (seen,)))(copies)
    sent = bids.expand(2 * pairs, *bids.shape).clone()
    sent[:, :, seat] = own
    paid = payoffs(game, repeated(state, 2 * pairs), sent.flatten(0, 1))[:, seat].view(2 * pairs, -1).mean(-1)
    rise = (paid[:pairs] - paid[pairs:]) / (2 * noise * pairs)
    return {name: torch.tensordot(rise, error, 1) for name, error in errors.items()}
