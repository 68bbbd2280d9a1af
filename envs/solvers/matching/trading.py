"""Top trading cycles, for students and schools and for two sides, many markets at once.

Every row that is left points to its best acceptable column that is left, every column to its best acceptable row.
There are cycles; each row in one takes the column that it points to, and one of the column's seats is gone. Who points
to nobody leaves. Then all point anew (Shapley and Scarf 1974; Abdulkadiroglu and Sonmez 2003 for schools). A row may be
matched to a column that does not accept it: it traded another's priority.

For rows the outcome is efficient, and no list brings more than the truth. All cycles of a round leave at once: rows on
cycles are those that are reached after n steps along the pointers, by doubling, so that there are at most n + m rounds.

    >>> import numpy as np
    >>> values, priorities = np.array([[[1.0, 2.0], [2.0, 1.0]]]), np.array([[[2.0, 1.0], [1.0, 2.0]]])
    >>> top_trading_cycles(values, priorities)
    array([[1, 0]])
"""

from __future__ import annotations

from collections.abc import Sequence

from lawgiver.envs.core.arrays import Array, namespace
from lawgiver.envs.solvers.matching.preferences import check_sides, seats_of


def top_trading_cycles(values: Array, priorities: Array, capacities: int | Sequence[int] | None = None) -> Array:
    """Compute the matching (B, n) of top trading cycles.

    Args:
        values: what each column is worth to each row, (B, n, m); more than 0 is acceptable.
        priorities: what each row is worth to each column, (B, n, m), likewise.
        capacities: rows that each column takes, one number or m; None for 1.

    Raises:
        ParameterError: if an argument is not as it should be.
    """
    check_sides(values, priorities)
    xp, (batch, n, m) = namespace(values), values.shape
    device = values.device
    nobody = xp.zeros((), dtype=values.dtype, device=device)
    seats = xp.asarray(seats_of(capacities, m), device=device) + xp.zeros((batch, 1), dtype=xp.int64, device=device)
    matching = xp.full((batch, n), -1, dtype=xp.int64, device=device)
    here = xp.ones((batch, n), dtype=xp.bool, device=device)
    for _ in range(n + m):
        games = xp.nonzero(xp.any(here, axis=-1))[0]
        if not games.shape[0]:
            break
        left = here[games][:, :, None] & (seats[games] > 0)[:, None, :]
        wanted, ranked = xp.where(left, values[games], nobody), xp.where(left, priorities[games], nobody)
        best, top = xp.argmax(wanted, axis=-1), xp.argmax(ranked, axis=1)
        willing, points = xp.max(wanted, axis=-1) > 0, xp.max(ranked, axis=1) > 0
        seats[games] = xp.where(points, seats[games], xp.zeros_like(seats[games]))
        led = willing & xp.take_along_axis(points, best, axis=-1)
        follows = xp.where(led, xp.take_along_axis(top, best, axis=-1), xp.full_like(best, n))
        cycle = _on_cycles(follows)
        here[games] = here[games] & willing & ~cycle
        market, row = xp.nonzero(cycle)
        column = best[market, row]
        matching[games[market], row] = column
        seats[games[market], column] = seats[games[market], column] - 1  # a column lies on one cycle at most
    return matching


def _on_cycles(follows: Array) -> Array:
    """Mark who lies on a cycle of pointers (G, n) to 0, ..., n - 1, or to n, which is nobody."""
    xp, (games, n) = namespace(follows), follows.shape
    end = xp.full((games, 1), n, dtype=follows.dtype, device=follows.device)
    reached = xp.concat([follows, end], axis=-1)
    for _ in range(n.bit_length()):
        reached = xp.take_along_axis(reached, reached, axis=-1)
    marks = xp.zeros((games, n + 1), dtype=xp.bool, device=follows.device)
    marks[xp.arange(games, device=follows.device)[:, None], reached] = True
    return marks[:, :n]
