"""The array helpers give the same on NumPy and PyTorch, on short batches and on tall ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from lawgiver.envs.core.arrays import evolve, largest, map_arrays, select, softmax, take_games, total, where_games
from lawgiver.envs.core.errors import ActionError
from lawgiver.envs.core.fields import Field, box, columns, width, within
from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.validation import check_actions

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
    merged = where_games(np.array([False, True, False]), other, tree)
    assert merged.turn == other.turn
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


SALES = make_game("sequential_sales", n=4, m=1)
"""Reports are a Box [0, 1]."""


def test_actions_that_pass_are_copied_and_not_changed():
    actions = np.array([[0.0], [1.0], [0.5], [0.25]])
    taken = check_actions(SALES, "participant", actions, "abcd")
    assert np.array_equal(taken, actions) and not np.shares_memory(taken, actions)


@pytest.mark.parametrize("high", [0.7, 1 / 3, 0.1, 1e-3, 123.456])
def test_a_bound_is_taken_in_either_precision(high):
    game = make_game("selfish_routing", box=high)
    space, who = game.action_space("mechanism"), ("mechanism",)
    for bound in (
        np.full(space.shape, high),
        np.full(space.shape, high, np.float32),
        space.high,
        [high] * space.shape[0],
    ):
        taken = check_actions(game, "mechanism", [bound], who)
        assert np.allclose(taken, high, rtol=1e-7) and (taken <= max(high, float(space.high[0]))).all()
    nearly = np.full(space.shape, high * (1 + 1e-9))
    assert (check_actions(game, "mechanism", [nearly], who) <= game.action_bounds("mechanism")[1]).all()
    for outside in (high * 1.0002, np.nextafter(space.high[0], np.float32(1e9)), -1e-30, np.inf, np.nan):
        with pytest.raises(ActionError, match=r"outside its space|is NaN"):
            check_actions(game, "mechanism", [np.full(space.shape, outside)], who)


def test_bounds_are_compared_in_float32():
    values = np.array([0.7, np.float32(0.7), 0.7001, -0.0, -1e-30, np.nan, 1e300])
    assert within(values, 0.0, 0.7).tolist() == [True, True, False, True, False, False, False]
    assert within(np.array([np.float32(1 / 3)]), 0.0, 1 / 3).all()


def test_an_error_about_many_names_few():
    with pytest.raises(ActionError, match=r"2 actions instead of 100, one in .* for g0, g1, g2, g3 and 96 more"):
        check_actions(SALES, "participant", np.zeros((2, 1)), [f"g{i}" for i in range(100)])
    with pytest.raises(ActionError, match=r"action array\(\[nan\]\) of g1 is NaN"):
        check_actions(SALES, "participant", np.array([[0.0], [np.nan]]), ("g0", "g1"))
