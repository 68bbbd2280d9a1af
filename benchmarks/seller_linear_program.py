"""The best seller of two items to one bidder with values on a grid, by linear programming: a check of known optima.

    python benchmarks/seller_linear_program.py [CELLS]

Values are uniform on [0, 1]^2, cut into CELLS x CELLS cells (41 by default) of which each stands for its lower corner,
its middle or its upper corner. The program maximises revenue over all menus: variables are what each type is given of
each item, and its utility. Of the constraints that no type prefers another's entry, millions of them, only those are
kept that have ever been violated, beside those between neighbours.

The optimum of the square, (12 + 2 sqrt 2) / 27, lies between the values at lower and at upper corners, and next to that
in the middle.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array

from lawgiver.envs.core.make import make_game
from lawgiver.envs.multi_item_auction.solutions import known_menu

CELLS = 41
VIOLATED = 1e-9
WORST = 3
"""Entries that are added of those that a type prefers to its own, at most, in a pass."""


def neighbours(cells: int) -> np.ndarray:
    """List the pairs of types next to each other on a grid, in both directions and diagonally, (P, 2)."""
    at = np.stack(np.meshgrid(np.arange(cells), np.arange(cells), indexing="ij"), -1).reshape(-1, 2)
    pairs = []
    for step in ((0, 1), (1, 0), (1, 1), (1, -1)):
        to = at + step
        inside = ((to >= 0) & (to < cells)).all(1)
        there, here = (each[inside] @ [cells, 1] for each in (to, at))
        pairs += [np.stack([here, there], 1), np.stack([there, here], 1)]
    return np.concatenate(pairs)


def best_revenue(values: np.ndarray, pairs: np.ndarray) -> tuple[float, int, int]:
    """Compute the greatest revenue from types (K, 2) that are equally likely, in a program without redundant rows.

    Args:
        values: of the two items, one row a type.
        pairs: types i and k, (P, 2), of which i must not prefer the entry of k, to start with.

    Returns:
        revenue; rows of the last program; passes.
    """
    count, passes = len(values), 0
    gain = np.column_stack([-values, np.ones(count)]).ravel() / count  # utility less what shares are worth
    limits = [(0, 1), (0, 1), (0, None)] * count
    while True:
        passes += 1
        own, other = pairs.T
        row, apart = np.arange(len(pairs)), values[own] - values[other]
        filled = np.concatenate([-np.ones(len(pairs)), np.ones(len(pairs)), apart[:, 0], apart[:, 1]])
        columns = np.concatenate([3 * own + 2, 3 * other + 2, 3 * other, 3 * other + 1])
        matrix = coo_array((filled, (np.tile(row, 4), columns)), shape=(len(pairs), 3 * count)).tocsr()
        found = linprog(gain, A_ub=matrix, b_ub=np.zeros(len(pairs)), bounds=limits, method="highs-ipm")
        entries = found.x.reshape(count, 3)
        prices = (entries[:, :2] * values).sum(1) - entries[:, 2]
        offered = values @ entries[:, :2].T - prices
        excess = offered - entries[:, 2:]
        worst = np.argsort(excess, axis=1)[:, -WORST:]
        mine, theirs = np.repeat(np.arange(count), WORST), worst.ravel()
        wrong = excess[mine, theirs] > VIOLATED
        if not wrong.any():
            return -found.fun, len(pairs), passes
        pairs = np.concatenate([pairs, np.column_stack([mine, theirs])[wrong]])


def main() -> None:
    """Print the optimum of the square, and those of grids."""
    cells = int(sys.argv[1]) if len(sys.argv) > 1 else CELLS
    known = known_menu(make_game("multi_item_auction", n=1))
    assert known is not None
    print(f"square: {known.revenue:.5f}")
    for name, shift in (("lower corners", 0.0), ("middles", 0.5), ("upper corners", 1.0)):
        steps = (np.arange(cells) + shift) / cells
        values = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
        began = time.process_time()
        revenue, rows, passes = best_revenue(values, neighbours(cells))
        took = time.process_time() - began
        print(f"{cells} x {cells} {name}: {revenue:.5f} ({rows:,} rows after {passes} passes, {took:.0f} CPU s)")


if __name__ == "__main__":
    main()
