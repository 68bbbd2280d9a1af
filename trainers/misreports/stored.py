"""Profiles that are trained on again and again, each with the best misreports found for it so far."""

from __future__ import annotations

import torch

from lawgiver.trainers.statistics.streams import torch_generator


class StoredProfiles:
    """Profiles in random order, batch by batch, and then in another.

    Args:
        types: of the profiles, (L, n, k).
        batch: number of profiles an update, at most L.
        order: entropy of the random orders.

    Attributes:
        types: (L, n, k).
        misreports: of each participant where it alone misreports, from which the next search starts, (L, n, k); the
            truth at first.
    """

    def __init__(self, types: torch.Tensor, batch: int, order: tuple[int, ...]) -> None:
        self.types, self.misreports = types, types.clone()
        self.batch, self.order = batch, order

    def turn(self, number: int) -> torch.Tensor:
        """Choose the profiles of an update, (batch,), by its number from 1.

        The remainder of an order that does not fill a batch is left out.
        """
        count, device = len(self.types), self.types.device
        epoch, place = divmod(number - 1, count // self.batch)
        order = torch.randperm(count, generator=torch_generator(device, *self.order, epoch), device=device)
        return order[place * self.batch : (place + 1) * self.batch]
