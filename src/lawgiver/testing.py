"""Check a game: ``lawgiver.testing.check_game(game)`` finds what breaks the contract of :mod:`lawgiver.envs.core.game`.

Needs no PyTorch; where it is installed, the rules are also run on it, and its gradients are compared with differences.
"""

from __future__ import annotations

import dataclasses
import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np

from lawgiver.envs.core.arrays import map_arrays
from lawgiver.envs.core.checks import check_game as require_game
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.rollout import Step
from lawgiver.envs.testing.people import check_people
from lawgiver.envs.testing.play import SLACK, GameCheckError, UniformPlayer, random_steps, require, surfacing
from lawgiver.envs.testing.rules import RULE_CHECKS, tree_distance
from lawgiver.envs.testing.views import VIEW_CHECKS

__all__ = ["GameCheckError", "check_game", "check_gradients", "check_torch", "check_torch_play"]

BACKEND_TOLERANCE = 1e-6
GRADIENT_TOLERANCE = 1e-5
STEP = 1e-6
"""Half the width of a central difference, in units of the range of an action."""


def check_game(game: Game[Any] | str, **params: Any) -> None:
    """Put a game through every check: its rules, declarations, views in PettingZoo and Gymnasium, and people's screens.

    Args:
        game: a game, or the name of a registered one, with ``params`` for it.

    Without torch, which some checks need, a warning at the end says that these were left out.

    Raises:
        GameCheckError: (an AssertionError) one line that names the game and what is wrong with it. What the game's own
            methods raise is its cause; then the line names the check.
        ParameterError: if ``game`` is none, but a class, say.
    """
    if isinstance(game, str):
        game = make_game(game, **params)
    require_game(game)
    checks = [*RULE_CHECKS, *VIEW_CHECKS, check_people]
    torch_found = find_spec("torch") is not None
    if torch_found:
        checks += [check_torch, check_torch_play, check_gradients]
    for check in checks:
        with surfacing(game, check.__name__):
            check(game)
    if not torch_found:
        warnings.warn(
            f"{game.name}: torch is not installed, so that neither its rules on torch nor its gradients were checked:"
            " pip install 'lawgiver[torch]'",
            stacklevel=2,
        )


def check_torch(game: Game[Any], batch: int = 32, seed: int = 10) -> None:
    """The rules give the same on PyTorch (float64) as on NumPy, to 1e-6, in whole games."""
    for step in random_steps(game, batch, np.random.default_rng(seed)):
        at = f"at step {step.index}"
        state = _to_torch(step.state)
        for role in game.roles:
            seen = game.observe(step.state, role), game.legal_actions(step.state, role)
            there = game.observe(state, role), game.legal_actions(state, role)
            for one, other in zip(seen, there, strict=True):
                same = (one is None) == (other is None) and (
                    one is None or tree_distance(one, other) <= BACKEND_TOLERANCE
                )
                require(same, game, f"{at} observations or masks of {role} on PyTorch are not those on NumPy")
        result = game.step(state, _to_torch(step.actions), _to_torch(step.draws))
        together = (step.after, step.rewards, step.terminated, step.truncated)
        for one, other in zip(together, result, strict=True):
            off = tree_distance(one, other)
            require(off <= BACKEND_TOLERANCE, game, f"{at} PyTorch differs from NumPy by {off:.3g}")


def check_torch_play(game: Game[Any], batch: int = 4, seed: int = 12) -> None:
    """Games begun and played with the numbers of a ``torch.Generator`` are on PyTorch throughout.

    Whatever the game makes is a tensor on the generator's device, of the shape that NumPy gives, boolean, integer or
    floating as there, and then of torch's default dtype, in which actions come too.
    """
    import torch

    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    players = {role: UniformPlayer(game, role) for role in game.roles}
    _require_made_alike(game, "draw_initial", game.draw_initial(batch, rng), game.draw_initial(batch, generator))
    model, state = game.initial_state(batch, rng), game.initial_state(batch, generator)
    _require_made_alike(game, "initial_state", model, state)
    alive = np.ones(batch, bool)
    for index in range(game.max_steps + SLACK):
        role = game.phase(state)
        obs, mask = game.observe(state, role), game.legal_actions(state, role)
        chosen, _ = players[role].act(obs.numpy(), None if mask is None else mask.numpy(), None, rng)
        actions = torch.as_tensor(chosen, dtype=None if chosen.dtype.kind == "i" else torch.get_default_dtype())
        model_draws, draws = game.draw(batch, rng), game.draw(batch, generator)
        _require_made_alike(game, "draw", model_draws, draws)
        model, *expected = game.step(model, chosen, model_draws)
        state, *result = game.step(state, actions, draws)
        at = f"step {index}"
        _require_made_alike(game, at, model, state)
        for name, one, other in zip(("rewards", "terminated", "truncated"), expected, result, strict=True):
            _require_made_alike(game, f"{at} ({name})", one, other)
        alive &= ~(result[1] | result[2]).numpy()
        if not alive.any():
            return
    require(False, game, f"on PyTorch a game is not over after the max_steps = {game.max_steps} that it declares")


def _require_made_alike(game: Game[Any], maker: str, model: Any, made: Any) -> None:
    """Require that a PyTorch tree has the structure, shapes and types of NumPy's."""
    import torch

    models, tensors = _named_arrays(model), _named_arrays(made)
    names = f"{sorted(tensors)} on PyTorch, {sorted(models)} on NumPy"
    require(models.keys() == tensors.keys(), game, f"{maker} makes {names}")
    for name, array in models.items():
        tensor = tensors[name]
        what = f"{maker} with a torch.Generator makes {name!r}"
        require(isinstance(tensor, torch.Tensor), game, f"{what} a {type(tensor).__name__}, not a tensor")
        require(tensor.device.type == "cpu", game, f"{what} on {tensor.device}, the generator is on cpu")
        require(tuple(tensor.shape) == array.shape, game, f"{what} {tuple(tensor.shape)}, on NumPy {array.shape}")
        same = (
            tensor.dtype == torch.get_default_dtype() if array.dtype.kind == "f" else _kind(tensor) == array.dtype.kind
        )
        require(same, game, f"{what} of {tensor.dtype}, torch's default for NumPy's {array.dtype} expected")


def _kind(tensor: Any) -> str:
    kind: str = tensor.numpy().dtype.kind
    return kind


def _named_arrays(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Return the arrays of a tree of dataclasses, dicts, tuples and lists by name."""
    if dataclasses.is_dataclass(tree):
        items = [(field.name, getattr(tree, field.name)) for field in dataclasses.fields(tree)]
    elif isinstance(tree, dict):
        items = list(tree.items())
    elif isinstance(tree, (tuple, list)):
        items = [(str(index), item) for index, item in enumerate(tree)]
    else:
        return {prefix: tree} if hasattr(tree, "shape") else {}
    named: dict[str, Any] = {}
    for name, item in items:
        named |= _named_arrays(item, f"{prefix}.{name}" if prefix else name)
    return named


def check_gradients(game: Game[Any], batch: int = 16, seed: int = 11) -> None:
    """Gradients of rewards with respect to every Box action equal central differences."""
    history = list(random_steps(game, batch, np.random.default_rng(seed)))
    for step, later in zip(history, [*history[1:], None], strict=True):
        if not isinstance(game.action_layout(step.role), int):
            _check_gradient(game, [step] + ([] if later is None else [later]))


def _check_gradient(game: Game[Any], steps: list[Step[Any]]) -> None:
    """Compare for the action of the first step, with the later actions unchanged."""
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


def _paid(game: Game[Any], steps: list[Step[Any]], convert: Any, action: Any) -> Any:
    """Compute a sum of all seats' rewards in each game, each seat weighted differently, (B,)."""
    state, paid = convert(steps[0].state), 0.0
    for step in steps:
        taken = action if step is steps[0] else convert(step.actions)
        state, rewards, _, _ = game.step(state, taken, convert(step.draws))
        for reward in rewards.values():
            for seat in range(reward.shape[-1]):
                paid = paid + reward[:, seat] * (1 + 0.37 * seat)
    return paid


def _to_torch(tree: Any) -> Any:
    import torch

    return map_arrays(lambda x: torch.from_numpy(np.array(x)), tree)
