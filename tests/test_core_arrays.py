"""The array helpers give the same on NumPy and PyTorch, on short batches and on tall ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from lawgiver.envs.core.actions import check_actions
from lawgiver.envs.core.arrays import evolve, largest, map_arrays, merge_games, select, softmax, take_games, total
from lawgiver.envs.core.errors import ActionError
from lawgiver.envs.core.fields import Field, box, columns, width

torch = pytest.importorskip("torch")


@dataclass(frozen=True)
class Record:
    turn: int
    numbers: Any
    memory: Any = None


@pytest.mark.parametrize("batch", [1, 64, 65, 500])
@pytest.mark.parametrize("n", [1, 4, 7, 8, 20])
def test_reductions(batch, n):
    x = np.random.default_rng(0).normal(size=(batch, n))
    assert np.array_equal(total(x), np.concatenate([total(x[i : i + 1]) for i in range(batch)])), "whatever the batch"
    assert total(x) == pytest.approx(x.sum(axis=-1))
    assert np.array_equal(largest(x), x.max(axis=-1))
    assert softmax(x).sum(axis=-1) == pytest.approx(np.ones(batch))
    for function in (total, largest, softmax):
        leaf = torch.tensor(x, requires_grad=True)
        assert function(leaf).detach().numpy() == pytest.approx(function(x), abs=1e-12)
        weights = torch.tensor(np.random.default_rng(1).normal(size=function(x).shape))
        (function(leaf) * weights).sum().backward()
        expected = torch.tensor(x, requires_grad=True)
        own = {total: lambda y: y.sum(-1), largest: lambda y: y.amax(-1), softmax: lambda y: y.softmax(-1)}[function]
        (own(expected) * weights).sum().backward()
        assert leaf.grad.numpy() == pytest.approx(expected.grad.numpy(), abs=1e-12)


def test_select():
    x, index = np.arange(12.0).reshape(2, 6), np.array([[0, 5, 1], [3, 3, 2]])
    assert np.array_equal(select(x, index), x[:, index])
    assert np.array_equal(select(torch.tensor(x), index).numpy(), x[:, index])


def test_trees():
    tree = Record(1, np.arange(6.0).reshape(3, 2), {"h": (np.zeros(3), None), "step": 7})
    other = map_arrays(lambda x: x + 10, tree)
    assert other.turn == 1 and other.memory["step"] == 7 and other.memory["h"][1] is None
    assert np.array_equal(other.numbers, tree.numbers + 10)
    merged = merge_games(tree, other, np.array([False, True, False]))
    assert merged.numbers.tolist() == [[0, 1], [12, 13], [4, 5]] and merged.memory["h"][0].tolist() == [0, 10, 0]
    assert take_games(merged, slice(1, 2)).numbers.tolist() == [[12, 13]]


def test_evolve_copies():
    old = Record(0, np.zeros(2))
    new = evolve(old, turn=1)
    assert (old.turn, new.turn) == (0, 1) and new.numbers is old.numbers and type(new) is Record
    assert new == Record(1, old.numbers)


def test_layouts():
    layout = (Field("a", 2, 0, 1, "points", "x"), Field("b", 1, -3, 3, "points", "y"))
    assert width(layout) == 3 and columns(layout) == {"a": slice(0, 2), "b": slice(2, 3)}
    assert box(layout).low.tolist() == [0, 0, -3] and box(layout).dtype == np.float32


def test_actions_that_pass_are_not_copied_or_changed():
    space = box((Field("a", 2, 0, 1, "points", "x"),))
    actions = np.array([[0.0, 1.0], [0.5, 0.25]])
    assert check_actions(space, actions, ("a", "b")) is actions


def test_an_error_about_many_names_few():
    space = box((Field("a", 1, 0, 1, "points", "x"),))
    with pytest.raises(ActionError, match=r"2 actions instead of 100, one in .* for g0, g1, g2, g3 and 96 more"):
        check_actions(space, np.zeros((2, 1)), [f"g{i}" for i in range(100)])
    with pytest.raises(ActionError, match=r"action array\(\[nan\]\) of g1 is NaN"):
        check_actions(space, np.array([[0.0], [np.nan]]), ("g0", "g1"))
