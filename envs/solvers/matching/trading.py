"""Top trading cycles, for students and schools and for two sides, many markets at once.

Every row that is left points to its best acceptable column that is left, every column to its best acceptable row.
There are cycles; each row in one takes the column that it points to, and one of the column's seats is gone. Who points
to nobody leaves. Then all point anew (Shapley and Scarf 1974; Abdulkadiroglu and Sonmez 2003 for schools). A row may be
matched to a column that does not accept it: it traded another's priority.

No list brings a row more than the truth, and where columns accept all rows the outcome is efficient for these: a column
that accepts nobody who is left goes with its seats. All cycles of a round leave at once: rows on cycles are those that
are reached after n steps along the pointers, by doubling, so that there are at most n + m rounds. Only who pointed to
somebody who is gone points anew.

    >>> import numpy as np
    >>> values, priorities = np.array([[[1.0, 2.0], [2.0, 1.0]]]), np.array([[[2.0, 1.0], [1.0, 2.0]]])
    >>> top_trading_cycles(values, priorities)
    array([[1, 0]])
"""

from __future__ import annotations

from collections.abc import Sequence

from lawgiver.envs.core.arrays import Array, constant, namespace
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
    device, nobody = values.device, batch * n
    own = xp.reshape(values, (batch * n, m))
    theirs = xp.reshape(xp.matrix_transpose(priorities), (batch * m, n))
    none = xp.zeros((batch, 1), dtype=xp.int64, device=device)
    seats = xp.reshape(xp.asarray(seats_of(capacities, m), device=device) + none, (-1,))
    here = xp.ones((batch * n,), dtype=xp.bool, device=device)
    matching = xp.full((batch * n,), -1, dtype=xp.int64, device=device)
    rows, columns = xp.arange(batch * n, device=device), xp.arange(batch * m, device=device)  # who is left
    astray, vacant = rows, columns  # of these, who points to somebody who is gone
    best, top = xp.zeros_like(rows), xp.zeros_like(columns)
    while rows.shape[0]:
        column, willing = _pointed(own, astray, xp.reshape(seats > 0, (batch, m)))
        row, wanting = _pointed(theirs, vacant, xp.reshape(here, (batch, n)))
        best[astray], top[vacant] = astray // n * m + column, vacant // m * n + row
        here[astray] = willing
        seats[vacant] = seats[vacant] * xp.astype(wanting, xp.int64)
        rows = rows[here[rows]]
        column = best[rows]
        follows = xp.full((nobody + 1,), nobody, dtype=xp.int64, device=device)
        follows[rows] = xp.where(seats[column] > 0, top[column], xp.full_like(column, nobody))
        for _ in range(n.bit_length()):  # to where n steps lead: onto a cycle, or to nobody
            follows = xp.take(follows, follows)
        cyclic = xp.zeros((nobody + 1,), dtype=xp.bool, device=device)
        cyclic[follows[rows]] = True
        row = rows[cyclic[rows]]
        column = best[row]
        matching[row] = column % m
        here[row] = False
        seats[column] = seats[column] - 1  # a column lies on one cycle at most
        rows, columns = rows[here[rows]], columns[seats[columns] > 0]
        astray, vacant = rows[seats[best[rows]] == 0], columns[~here[top[columns]]]
    return xp.reshape(matching, (batch, n))


def _pointed(worth: Array, who: Array, left: Array) -> tuple[Array, Array]:
    """Find the best partner who is left, and whether there is an acceptable one, of some members of a side (k,).

    Args:
        worth: of partners to all members of all markets, (B s, p).
        who: the members, (k,).
        left: which partners are, (B, p).
    """
    xp = namespace(worth)
    there = xp.take(left, who // (worth.shape[0] // left.shape[0]), axis=0)
    wanted = xp.where(there, xp.take(worth, who, axis=0), constant(0.0, worth))
    best = xp.argmax(wanted, axis=-1)
    return best, xp.take_along_axis(wanted, best[:, None], axis=-1)[:, 0] > 0
