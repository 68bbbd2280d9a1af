"""Seeds of torch from several integers: the numbers that runs have been made with, and no two streams alike."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from lawgiver.trainers.statistics.streams import torch_generator, torch_seed, torch_seeded

ENTROPY = [(0,), (7,), (3, 1), (0x6576616C, 4), (5, 6, 7), (2**31 - 1, 0, 2)]


@pytest.mark.parametrize("entropy", ENTROPY)
def test_a_seed_is_the_head_of_the_first_word(entropy: tuple[int, ...]) -> None:
    sequence = np.random.SeedSequence(list(entropy))
    small, large = int(sequence.generate_state(1)[0]), int(sequence.generate_state(1, np.uint64)[0])
    assert torch_seed(*entropy) == large >> 1 < 2**63
    assert torch_seed(*entropy, bits=31) == small >> 1
    assert torch_seed(*entropy, bits=32) == small


def test_these_seeds_never_change() -> None:
    assert [torch_seed(1, 2, bits=bits) for bits in (31, 32, 63)] == [798405205, 1596810411, 7764949442709860949]


def test_neighbouring_streams_differ() -> None:
    seeds = {torch_seed(seed, purpose) for seed, purpose in product(range(30), range(1, 30))}
    assert len(seeds) == 30 * 29


def test_a_generator_is_seeded_on_its_device() -> None:
    one, other = torch_generator("cpu", 3, 1), torch.Generator().manual_seed(torch_seed(3, 1))
    assert torch.equal(torch.rand(4, generator=one), torch.rand(4, generator=other))


def test_the_global_generator_is_put_back() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with torch_seeded(9):
        first = torch.rand(2)
    assert torch.equal(torch.rand(3), expected)
    with pytest.raises(KeyError), torch_seeded(9):
        assert torch.equal(torch.rand(2), first)
        raise KeyError
