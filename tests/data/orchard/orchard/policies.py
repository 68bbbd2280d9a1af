"""Who picks and who shares: rules of thumb, a network of torch, and a habit that is an array of NumPy."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from lawgiver.api import Array, Game, Memory, Rng, UnsupportedGameError, constant, namespace, number, uniform


class Sharer:
    """A mechanism that sends logits of shares, without memory and without chance."""

    def logits(self, obs: Array) -> Array:
        """Return logits (B, 1, n) for observations (B, 1, n)."""
        return 0.0 * obs

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Return None."""
        return None

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return the logits, and standard deviations of 0, (B, 1, 2, n)."""
        sent = self.logits(obs)
        return namespace(sent).stack([sent, 0.0 * sent], axis=-2), state

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the logits (B, 1, n)."""
        return self.logits(obs), state


def equal_baskets(game: Game[Any]) -> Sharer:
    """Return the mechanism that gives everybody the same."""
    _require(game)
    return Sharer()


class BasketNetwork(Sharer):
    """Shares by a score of what is seen of each picker, from a network of two layers."""

    kind: ClassVar[str] = "basket_network"
    role: ClassVar[str] = "mechanism"

    def __init__(self, game: Game[Any], *, width: int = 8) -> None:
        """Draw the weights from torch's global generator."""
        import torch

        _require(game)
        self.settings = {"width": width}
        layers = torch.nn.Linear(1, width), torch.nn.Tanh(), torch.nn.Linear(width, 1)
        self.network = torch.nn.Sequential(*layers)

    def logits(self, obs: Array) -> Array:
        """Return the scores (B, 1, n); differentiable on torch."""
        import torch

        if not isinstance(obs, np.ndarray):
            return self.network(obs.float()[..., None])[..., 0].to(obs.dtype)
        with torch.no_grad():
            return self.logits(torch.tensor(obs)).numpy()

    def state(self) -> dict[str, np.ndarray]:
        """Return the weights."""
        return {name: tensor.detach().numpy() for name, tensor in self.network.state_dict().items()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take saved weights."""
        import torch

        self.network.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})


class PickingHabit:
    """Pickers who pick with one probability each."""

    kind: ClassVar[str] = "picking_habit"
    role: ClassVar[str] = "participant"

    def __init__(self, game: Game[Any], *, rate: float = 0.5) -> None:
        """Begin with the same rate for all."""
        if game.action_layout("participant") != 2:
            raise UnsupportedGameError(f"picking_habit picks or rests, which is not what is done in {game.name}")
        self.settings = {"rate": number("rate", rate, "[0, 1]")}
        self.rates = np.full(game.roles["participant"], rate)

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Return None."""
        return None

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return log-probabilities (B, n, 2)."""
        xp, rates = namespace(obs), constant(np.clip(self.rates, 1e-9, 1 - 1e-9), obs)
        logs = xp.stack([xp.log(1 - rates), xp.log(rates)], axis=-1)
        return xp.broadcast_to(logs, (obs.shape[0], *logs.shape)), state

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return who picks, (B, n)."""
        picks = uniform(rng, obs.shape[:2]) < constant(self.rates, obs)
        return namespace(obs).astype(picks, namespace(obs).int64), state

    def state(self) -> dict[str, np.ndarray]:
        """Return the rates."""
        return {"rates": self.rates}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take saved rates."""
        if arrays["rates"].shape != self.rates.shape:
            raise ValueError(f"{arrays['rates'].shape} rates, not {self.rates.shape}")
        self.rates = arrays["rates"]


def steady_pickers(game: Game[Any], *, rate: float = 0.9) -> PickingHabit:
    """Return participants who pick with the same probability every day."""
    return PickingHabit(game, rate=rate)


def _require(game: Game[Any]) -> None:
    if not game.name.startswith("orchard"):
        raise UnsupportedGameError(f"baskets are shared in orchards, not in {game.name}")
