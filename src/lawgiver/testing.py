"""Check a game: ``lawgiver.testing.check_game(game)`` finds what breaks the contract of :mod:`lawgiver.envs.core.game`.

Needs no PyTorch; where it is installed, the rules are also run on it, and its gradients are compared with differences.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from lawgiver.envs.core.arrays import map_arrays
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.registry import make_game
from lawgiver.envs.testing.play import GameCheckError, Moment, moments, require
from lawgiver.envs.testing.rules import RULE_CHECKS, tree_distance
from lawgiver.envs.testing.views import VIEW_CHECKS

__all__ = ["GameCheckError", "check_game", "check_gradients", "check_torch"]

BACKEND_TOLERANCE = 1e-6
GRADIENT_TOLERANCE = 1e-5
STEP = 1e-6
"""Half the width of a central difference, in units of the range of an action."""


def check_game(game: Game[Any] | str, **params: Any) -> None:
    """Put a game through every check: its rules, its declarations, and its views in PettingZoo and Gymnasium.

    Args:
        game: a game, or the name of a registered one, with ``params`` for it.

    Raises:
        GameCheckError: (an AssertionError) one line that names the game and what is wrong with it.
    """
    if isinstance(game, str):
        game = make_game(game, **params)
    checks = [*RULE_CHECKS, *VIEW_CHECKS]
    if find_spec("torch"):
        checks += [check_torch, check_gradients]
    for check in checks:
        check(game)


def check_torch(game: Game[Any], batch: int = 32, seed: int = 10) -> None:
    """The rules give the same on PyTorch (float64) as on NumPy, to 1e-6, in whole games."""
    for moment in moments(game, batch, np.random.default_rng(seed)):
        at = f"at step {moment.index}"
        state = _to_torch(moment.state)
        for role in game.roles:
            seen = game.observe(moment.state, role), game.legal_actions(moment.state, role)
            there = game.observe(state, role), game.legal_actions(state, role)
            for one, other in zip(seen, there, strict=True):
                same = (one is None) == (other is None) and (one is None or tree_distance(one, other) == 0)
                require(same, game, f"{at} observations or masks of {role} on PyTorch are not those on NumPy")
        result = game.step(state, _to_torch(moment.actions), _to_torch(moment.draws))
        together = (moment.after, moment.rewards, moment.terminated, moment.truncated)
        for one, other in zip(together, result, strict=True):
            off = tree_distance(one, other)
            require(off <= BACKEND_TOLERANCE, game, f"{at} PyTorch differs from NumPy by {off:.3g}")


def check_gradients(game: Game[Any], batch: int = 16, seed: int = 11) -> None:
    """Gradients of what is paid, with respect to every Box action, equal central differences."""
    history = list(moments(game, batch, np.random.default_rng(seed)))
    for moment, later in zip(history, [*history[1:], None], strict=True):
        if not isinstance(game.action_layout(moment.role), int):
            _check_gradient(game, [moment] + ([] if later is None else [later]))


def _check_gradient(game: Game[Any], steps: list[Moment]) -> None:
    """Compare for the action of the first step, the later actions being what they were."""
    import torch

    first, space = steps[0], game.action_space(steps[0].role)
    low, width = space.low.astype(float), (space.high - space.low).astype(float)  # type: ignore[attr-defined]
    inside = low + width * (0.05 + 0.9 * (first.actions - low) / width)
    leaf = torch.tensor(inside, requires_grad=True)
    paid = _paid(game, steps, _to_torch, leaf)
    exact = torch.autograd.grad(paid.sum(), leaf, allow_unused=True)[0] if paid.requires_grad else None
    gradient = np.zeros_like(inside) if exact is None else exact.numpy()
    for seat, component in np.ndindex(*inside.shape[1:]):
        shift = np.zeros_like(inside)
        shift[:, seat, component] = STEP * width[component]
        up, down = (_paid(game, steps, lambda tree: tree, inside + sign * shift) for sign in (1, -1))
        difference = (up - down) / (2 * STEP * width[component])
        off = np.abs(gradient[:, seat, component] - difference) / (1 + np.abs(difference))
        worst = off[first.alive].max()
        fine = worst <= GRADIENT_TOLERANCE
        require(fine, game, f"at step {first.index} a gradient is off its central difference by {worst:.3g}")


def _paid(game: Game[Any], steps: list[Moment], convert: Any, action: Any) -> Any:
    """Return what is paid to all seats, each weighted differently, in each game, (B,)."""
    state, paid = convert(steps[0].state), 0.0
    for moment in steps:
        taken = action if moment is steps[0] else convert(moment.actions)
        state, rewards, _, _ = game.step(state, taken, convert(moment.draws))
        for reward in rewards.values():
            for seat in range(reward.shape[-1]):
                paid = paid + reward[:, seat] * (1 + 0.37 * seat)
    return paid


def _to_torch(tree: Any) -> Any:
    import torch

    return map_arrays(lambda x: torch.from_numpy(np.array(x)), tree)
