"""Transition tables in three forms, with the same operations.

Dense probabilities (S, A, S) suit small processes; integer successors (S, A) those in which every action has one
result, of any size; a scipy sparse matrix (S * A, S) those in which it has a few, on NumPy only.

All know the two operators that solvers are written in: ``expect``, the expectation (P V)(s, a) of values (..., S) after
each state and action, and its transpose ``push``, which takes occupancies (..., S, A) to where they lead, (P' nu)(s').
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import ParameterError, sums_to_one
from lawgiver.envs.core.registry import extras
from lawgiver.envs.solvers.mdp.model import check_memory, in_slices

LARGEST_DENSE = 500
"""States up to which successors on NumPy are turned into dense systems of linear equations, beyond into sparse ones."""


class Transitions(Protocol):
    """Transitions between S states by A actions."""

    @property
    def n_states(self) -> int:
        """S."""

    @property
    def n_actions(self) -> int:
        """A."""

    def expect(self, values: Array) -> Array:
        """Return the expected value of the next state, (..., S) to (..., S, A)."""

    def push(self, flow: Array) -> Array:
        """Compute the inflow of each state from a flow through states and actions, (..., S, A) to (..., S)."""

    def solve(self, policy: Array, discount: float, right: Array, memory: float, *, back: bool = False) -> Array:
        """Solve (I - discount * P_policy) x = right, (..., S), or with the transpose of the matrix if ``back``.

        Args:
            policy: probabilities (..., S, A).
            discount: in [0, 1).
            right: (..., S).
            memory: budget in MiB.
            back: add up what arrives in each state instead of what is ahead of it.
        """

    def sparse(self) -> Any:
        """Return the transitions as a scipy sparse matrix (S * A, S)."""


@dataclass(frozen=True, eq=False)
class Table:
    """An array whose first axes are states and actions."""

    table: np.ndarray

    @property
    def n_states(self) -> int:
        """S."""
        return int(self.table.shape[0])

    @property
    def n_actions(self) -> int:
        """A."""
        return int(self.table.shape[1])


@dataclass(frozen=True, eq=False)
class Dense(Table):
    """Probabilities (S, A, S) of the next state."""

    def __post_init__(self) -> None:
        """Check that every row is a distribution."""
        table = self.table
        if table.ndim != 3 or table.shape[0] != table.shape[2] or 0 in table.shape:
            raise ParameterError(f"transitions have the shape {table.shape}, allowed: (S, A, S)")
        rows = checked_rows(table.reshape(-1, table.shape[2]), table.shape[1])
        object.__setattr__(self, "table", rows.reshape(table.shape))

    def expect(self, values: Array) -> Array:
        """Return the expected value of the next state, (..., S, A)."""
        flat = values @ constant(self.table.reshape(-1, self.n_states).T, values)
        return namespace(values).reshape(flat, (*values.shape[:-1], self.n_states, self.n_actions))

    def push(self, flow: Array) -> Array:
        """Compute the inflow of each state, (..., S)."""
        flat = namespace(flow).reshape(flow, (*flow.shape[:-2], -1))
        return flat @ constant(self.table.reshape(-1, self.n_states), flow)

    def solve(self, policy: Array, discount: float, right: Array, memory: float, *, back: bool = False) -> Array:
        """Solve the linear equations of a policy; see :meth:`Transitions.solve`."""
        return dense_solve(self._chain, policy, discount, right, memory, back)

    def _chain(self, policy: Array) -> Array:
        xp = namespace(policy)
        by_state = xp.matmul(xp.permute_dims(policy, (1, 0, 2)), constant(self.table, policy))  # (S, N, S)
        return xp.permute_dims(by_state, (1, 0, 2))

    def sparse(self) -> Any:
        """Return the transitions as a scipy sparse matrix."""
        with extras("a sparse matrix of transitions"):
            from scipy.sparse import csr_array
        return csr_array(self.table.reshape(-1, self.n_states))


@dataclass(frozen=True, eq=False)
class Successors(Table):
    """The number (S, A) of the state that follows."""

    def __post_init__(self) -> None:
        """Check that every successor is a state."""
        table = self.table
        if table.ndim != 2 or 0 in table.shape:
            raise ParameterError(f"successors have the shape {table.shape}, allowed: (S, A)")
        wrong = np.argwhere((table < 0) | (table >= len(table)))
        if wrong.size:
            state, action = wrong[0]
            raise ParameterError(
                f"the successor of state {state} by action {action} is {table[state, action]}, "
                f"allowed: 0..{len(table) - 1}"
            )
        object.__setattr__(self, "table", table.astype(np.int64))

    def expect(self, values: Array) -> Array:
        """Return the value of the next state, (..., S, A)."""
        return values[..., index(self.table, values)]

    def push(self, flow: Array) -> Array:
        """Compute the inflow of each state, (..., S)."""
        return scattered(flow, self.table, self.n_states)

    def solve(self, policy: Array, discount: float, right: Array, memory: float, *, back: bool = False) -> Array:
        """Solve the linear equations of a policy; see :meth:`Transitions.solve`."""
        if type(right) is np.ndarray and self.n_states > LARGEST_DENSE:
            return self._as_sparse.solve(policy, discount, right, memory, back=back)
        return dense_solve(self._chain, policy, discount, right, memory, back)

    def _chain(self, policy: Array) -> Array:
        s = self.n_states
        cells = scattered(policy, np.arange(s)[:, None] * s + self.table, s * s)
        return namespace(policy).reshape(cells, (*policy.shape[:-2], s, s))

    @cached_property
    def _as_sparse(self) -> Sparse:
        return Sparse(self.sparse(), self.n_actions)

    def sparse(self) -> Any:
        """Return the transitions as a scipy sparse matrix."""
        with extras("a sparse matrix of transitions"):
            from scipy.sparse import csr_array
        rows = self.table.size
        return csr_array((np.ones(rows), (np.arange(rows), self.table.ravel())), shape=(rows, self.n_states))


@dataclass(frozen=True, eq=False)
class Sparse:
    """Probabilities as a scipy sparse matrix (S * A, S), row s * A + a; on NumPy only, never made dense."""

    table: Any
    n_actions: int

    def __post_init__(self) -> None:
        """Check that every row is a distribution."""
        with extras("a process with sparse transitions"):
            from scipy.sparse import csr_array
        table = csr_array(self.table, dtype=float)
        rows = self.n_actions * table.shape[1]
        if table.shape[0] != rows or not rows:
            raise ParameterError(f"transitions have the shape {table.shape}, allowed: (S * A, S) with A whole")
        table.data = checked_entries(
            table.data, np.repeat(np.arange(rows), np.diff(table.indptr)), rows, self.n_actions
        )
        object.__setattr__(self, "table", table)

    @property
    def n_states(self) -> int:
        """S."""
        return int(self.table.shape[1])

    def expect(self, values: Array) -> Array:
        """Return the expected value of the next state, (..., S, A)."""
        flat = self.table @ numpy_only(values).reshape(-1, self.n_states).T
        return flat.T.reshape((*values.shape[:-1], self.n_states, self.n_actions))

    def push(self, flow: Array) -> Array:
        """Compute the inflow of each state, (..., S)."""
        flat = self.table.T @ numpy_only(flow).reshape(-1, self.n_states * self.n_actions).T
        return flat.T.reshape((*flow.shape[:-2], self.n_states))

    def solve(self, policy: Array, discount: float, right: Array, memory: float, *, back: bool = False) -> Array:
        """Solve the linear equations of each policy by itself; see :meth:`Transitions.solve`."""
        from scipy.sparse import csr_array, eye_array
        from scipy.sparse.linalg import splu

        s, a = self.n_states, self.n_actions
        rows, columns = np.repeat(np.arange(s), a), np.arange(s * a)
        flat = numpy_only(policy).reshape(-1, s * a)
        sides = np.broadcast_to(right, (*policy.shape[:-2], s)).reshape(-1, s)
        solved = np.empty_like(sides)
        for i, chosen in enumerate(flat):
            chain = csr_array((chosen, (rows, columns)), shape=(s, s * a)) @ self.table
            factors = splu((eye_array(s) - discount * chain).tocsc())
            solved[i] = factors.solve(np.ascontiguousarray(sides[i]), trans="T" if back else "N")
        return solved.reshape((*policy.shape[:-2], s))

    def sparse(self) -> Any:
        """Return the matrix."""
        return self.table


def as_transitions(transitions: Any, memory: float) -> Transitions:
    """Return transitions in the form that fits what is given: dense, successors or scipy sparse.

    Args:
        transitions: probabilities (S, A, S); integer successors (S, A); or a scipy sparse matrix (S * A, S), row
            s * A + a. The first two may be nested lists.
        memory: budget in MiB for the table and the numbers of a single problem.

    Raises:
        ParameterError: if a shape does not fit, a row is no distribution, a successor is no state, or all is too large.
    """
    if hasattr(transitions, "tocsr"):
        if not transitions.shape[1] or transitions.shape[0] % transitions.shape[1]:
            raise ParameterError(f"transitions have the shape {transitions.shape}, allowed: (S * A, S) with A whole")
        size = 2 * transitions.nnz + 4 * transitions.shape[0]
        check_memory(f"a process of {transitions.shape[1]:,} states", size, memory, "merge states, or raise memory")
        return Sparse(transitions, transitions.shape[0] // transitions.shape[1])
    try:
        table = np.asarray(transitions)
        numeric = table.dtype.kind in "iufb"
    except ValueError:  # a ragged list
        numeric = False
    if not numeric:
        raise ParameterError(
            "transitions are no table of numbers, allowed: probabilities (S, A, S), successors (S, A), or scipy sparse"
        )
    if table.ndim == 2 and table.dtype.kind in "iu":
        check_memory(f"a process of {len(table):,} states", 4 * table.size, memory, "merge states, or raise memory")
        return Successors(table)
    if table.ndim == 2:
        raise ParameterError("successors are no integers, allowed: the number of a state for each state and action")
    cure = "give scipy sparse transitions or successors, merge states, or raise memory"
    check_memory(f"a process of {len(table):,} states with dense transitions", 2 * table.size, memory, cure)
    return Dense(table.astype(float))


def checked_rows(rows: np.ndarray, n_actions: int) -> np.ndarray:
    """Return distributions (S * A, S) that sum to exactly one; raise ParameterError naming the row that does not."""
    where = np.repeat(np.arange(len(rows)), rows.shape[1])
    return checked_entries(rows.ravel(), where, len(rows), n_actions).reshape(rows.shape)


def checked_entries(entries: np.ndarray, where: np.ndarray, n_rows: int, n_actions: int) -> np.ndarray:
    """Return probabilities that sum to one in each row, given which row each entry is in."""
    wrong = np.flatnonzero(~np.isfinite(entries) | (entries < 0))
    if wrong.size:
        state, action = divmod(int(where[wrong[0]]), n_actions)
        raise ParameterError(
            f"a probability of state {state}, action {action} is {entries[wrong[0]]}, allowed: numbers in [0, 1]"
        )
    sums = np.bincount(where, entries, n_rows)
    off = np.flatnonzero(~sums_to_one(sums))
    if off.size:
        state, action = divmod(int(off[0]), n_actions)
        raise ParameterError(
            f"the probabilities of state {state}, action {action} sum to {sums[off[0]]:.9g}, allowed: 1"
        )
    return np.asarray(entries / sums[where])


def dense_solve(chain: Any, policy: Array, discount: float, right: Array, memory: float, back: bool) -> Array:
    """Solve the equations of a policy (..., S, A) with the matrix (N, S, S) that ``chain`` makes of (N, S, A).

    As many at a time as fit into ``memory``; on torch, what is differentiated keeps all its matrices.
    """
    xp = namespace(right)
    s = policy.shape[-2]
    cure = "use NumPy with scipy sparse transitions, merge states, or raise memory"
    check_memory(f"solving one problem of {s:,} states", 2 * s * s, memory, cure)
    flat = xp.reshape(policy, (-1, s, policy.shape[-1]))
    sides = xp.reshape(xp.broadcast_to(right, policy.shape[:-1]), (-1, s, 1))

    def solved(some: slice) -> Array:
        matrix = constant(np.eye(s), policy) - discount * chain(flat[some])
        return xp.linalg.solve(xp.matrix_transpose(matrix) if back else matrix, sides[some])

    return xp.reshape(in_slices(solved, flat.shape[0], 2 * s * s, memory), policy.shape[:-1])


def scattered(x: Array, where: np.ndarray, size: int) -> Array:
    """Return the sums of ``x`` (..., *where.shape) by the cell that ``where`` names, (..., size)."""
    xp = namespace(x)
    flat = xp.reshape(x, (-1, where.size))
    if xp is np:
        cells = np.arange(len(flat))[:, None] * size + where.ravel()
        summed = np.bincount(cells.ravel(), flat.ravel(), len(flat) * size)
    else:
        summed = xp.zeros((flat.shape[0], size), dtype=x.dtype, device=x.device)
        summed = summed.index_add(-1, index(where.ravel(), x), flat)
    return xp.reshape(summed, (*x.shape[: x.ndim - where.ndim], size))


def index(table: np.ndarray, like: Array) -> Array:
    """Return a table of integers on the backend and device of ``like``."""
    return table if type(like) is np.ndarray else namespace(like).asarray(table, device=like.device)


def numpy_only(x: Array) -> np.ndarray:
    """Return a NumPy array as it is.

    Raises:
        ParameterError: if it is torch's.
    """
    if type(x) is not np.ndarray:
        raise ParameterError("sparse transitions are for NumPy only: give dense ones or successors for torch")
    return x
