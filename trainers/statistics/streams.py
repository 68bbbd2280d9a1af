"""Random streams: generators that depend on a seed and a purpose alone.

NumPy's ``default_rng`` takes several integers as they are. Torch's generators take one, which is derived here from
several by NumPy's ``SeedSequence``, so that streams of neighbouring seeds do not overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import torch

EVALUATION, AUDIT, PAYMENT_FREE, FOLLOWER, BIDDING = 0x6576616C, 0x61756469, 0x66726565, 0x666F6C6C, 0x62696473
REGRET_NET, MENUS, COMMONS, ORDINAL, EMPIRICAL = 0x72656772, 0x6D656E75, 0x636F6D6D, 0x6F726469, 0x656D7069
AGGREGATION, ONLINE, TUNING = 0x61676772, 0x6F6E6C69, 0x74756E65
"""First integers of streams that no training with the same seed draws from: those of an evaluation, of an audit, and of
what payment-free rules, learned followers, bidders, learned auctions, menus, planners, voting rules, rules of
preference aggregation and allocators are evaluated on, of empirical tables, and of the trials of a search."""
FINAL_GAMES, SCORED_ELECTIONS, FINAL_ELECTIONS = 11, 21, 22
"""Likewise, of what RLlib's trainers measure: games at the end, elections during a training and at its end."""


def torch_seed(*entropy: int, bits: Literal[31, 32, 63] = 63) -> int:
    """Derive a seed for torch from several integers.

    Args:
        *entropy: non-negative integers; zeros at the end do not count.
        bits: of the seed, the highest ones of the first word of 32 or 64 that a ``SeedSequence`` makes of them.

    >>> torch_seed(0, 1), torch_seed(0, 1, bits=31), torch_seed(0, 1, bits=32)
    (2918264622725855778, 1982462498, 3964924996)
    """
    size, kind = (64, np.uint64) if bits > 32 else (32, np.uint32)
    return int(np.random.SeedSequence(entropy).generate_state(1, kind)[0]) >> (size - bits)


def torch_generator(device: str | torch.device, *entropy: int) -> torch.Generator:
    """Make a generator of torch on a device, seeded with :func:`torch_seed` of several integers."""
    import torch

    return torch.Generator(device).manual_seed(torch_seed(*entropy))


@contextmanager
def torch_seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generator on the CPU, from which networks draw their weights; put it back afterwards."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
