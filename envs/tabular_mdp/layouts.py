"""Processes in the formats of other libraries.

Gymnasium's toy-text environments have a table ``env.unwrapped.P``: ``P[state][action]`` lists what may happen, each
``(probability, next state, reward, terminated)``. Libraries in the tradition of the MATLAB MDP toolbox keep transitions
by action, (A, S, S). Here both become what :class:`~lawgiver.envs.tabular_mdp.game.TabularMDPGame` keeps: tables by
state, and rewards as one feature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from lawgiver.envs.core.errors import ParameterError, brief, choice, number, sums_to_one
from lawgiver.envs.core.registry import extras
from lawgiver.envs.solvers.mdp.model import check_memory
from lawgiver.envs.tabular_mdp.tables import SparseTable, as_array

Layout = Literal["states_first", "actions_first"]
LAYOUTS = ("states_first", "actions_first")


def states_first(table: Any, layout: str | None) -> Any:
    """Return transitions by state.

    Args:
        table: probabilities (S, A, S), or (A, S, S) if ``layout`` is ``actions_first``; a list of A scipy sparse
            matrices (S, S) then, too. Anything else is returned as it is.
        layout: one of ``LAYOUTS``; None where the shape tells.

    Raises:
        ParameterError: if there is no such layout, or the shape does not fit it, or does not tell.
    """
    if layout is not None:
        choice("layout", layout, LAYOUTS)
    if isinstance(table, Sequence) and len(table) and all(hasattr(each, "tocsr") for each in table):
        return _stacked(table, layout)
    if isinstance(table, (SparseTable, Mapping)) or hasattr(table, "tocoo"):
        if layout == "actions_first":
            raise ParameterError("layout is 'actions_first', allowed for transitions (A, S, S), or A sparse (S, S)")
        return table
    array = as_array("transitions", table)
    if array.ndim != 3:
        return array
    a, s, last = array.shape
    if layout is None and a == s == last > 1:
        raise ParameterError(
            f"transitions have the shape {array.shape}, which may be (S, A, S) or (A, S, S), allowed: one of them,"
            " named by layout='states_first' or layout='actions_first'"
        )
    if layout == "actions_first":
        if s != last:
            raise ParameterError(
                f"transitions have the shape {array.shape}, allowed by layout='actions_first': (A, S, S)"
            )
        return array.transpose(1, 0, 2)
    if a != last and s == last:
        raise ParameterError(
            f"transitions have the shape {array.shape}, allowed: (S, A, S), or (A, S, S) with layout='actions_first'"
        )
    return array


def _stacked(matrices: Sequence[Any], layout: str | None) -> Any:
    """Return sparse matrices (S, S), one an action, as one (S * A, S)."""
    with extras("a sparse table of transitions"):
        from scipy.sparse import coo_array, vstack
    shapes = {tuple(each.shape) for each in matrices}
    s = matrices[0].shape[0]
    if layout == "states_first" or shapes != {(s, s)}:
        raise ParameterError(
            f"transitions are sparse matrices of shapes {sorted(shapes)}, allowed: A of them, each (S, S)"
        )
    entries = coo_array(vstack(matrices))
    action, state = np.divmod(entries.coords[0], s)
    rows = state * len(matrices) + action
    return coo_array((entries.data, (rows, entries.coords[1])), shape=(s * len(matrices), s))


class Outcomes(NamedTuple):
    """A process out of a table of outcomes.

    Attributes:
        transitions: successors (S, A) where every action has one outcome, else probabilities (S, A, S).
        rewards: expected, (S, A).
        n_given: number of states in the table; one more is added, in which nothing happens any more, where an
            outcome that ends the process leads to a state that goes on.
    """

    transitions: np.ndarray
    rewards: np.ndarray
    n_given: int


def holds_outcomes(table: Any) -> bool:
    """Test whether transitions are given as outcomes: by number, or in lists one level deeper than probabilities."""
    if isinstance(table, Mapping):
        return not set(table) & {"shape", "rows", "columns", "values"}  # those of a sparse table
    for _ in range(3):  # states, actions, outcomes
        if not isinstance(table, (list, tuple)) or not table:
            return False
        table = table[0]
        if isinstance(table, Mapping):
            return True
    return isinstance(table, (list, tuple))


def from_outcomes(table: Mapping[Any, Any] | Sequence[Any], memory: float) -> Outcomes:
    """Read a table of outcomes by state and action, as Gymnasium's toy-text environments have it.

    Args:
        table: ``table[state][action]`` is a list of ``(probability, next state, reward, terminated)``; states and
            actions are 0, 1, ..., keys of mappings or places in lists.
        memory: budget in MiB for the transitions.

    Raises:
        ParameterError: naming the state, action and outcome at fault.
    """
    states = [_numbered(actions, f"transitions[{s}]") for s, actions in enumerate(_numbered(table, "transitions"))]
    s, a = len(states), len(states[0])
    for state, actions in enumerate(states):
        if len(actions) != a:
            raise ParameterError(f"transitions[{state}] has {len(actions)} actions, allowed: {a}, as in state 0")
    entries = [
        (state, action, *_outcome(outcome, f"transitions[{state}][{action}][{k}]", s))
        for state, actions in enumerate(states)
        for action, outcomes in enumerate(actions)
        for k, outcome in enumerate(_listed(outcomes, f"transitions[{state}][{action}]"))
    ]
    at, by, chance, to, reward, ends = (np.array(column) for column in zip(*entries, strict=True))
    sums = np.zeros((s, a))
    np.add.at(sums, (at, by), chance)
    wrong = np.argwhere(~sums_to_one(sums))
    if wrong.size:
        state, action = wrong[0]
        raise ParameterError(
            f"the probabilities of transitions[{state}][{action}] sum to {sums[state, action]:.9g}, allowed: 1"
        )
    chance = chance / sums[at, by]
    rewards = np.zeros((s, a))
    np.add.at(rewards, (at, by), chance * reward)
    lasting = np.zeros(s, bool)
    lasting[at[(chance > 0) & ((to != at) | (reward != 0))]] = True  # states in which something happens, or is earned
    size = s
    if (ends & lasting[to] & (chance > 0)).any():
        to, size = np.where(ends, s, to), s + 1
        rewards = np.concatenate([rewards, np.zeros((1, a))])
    return Outcomes(_transitions((at, by, chance, to), size, a, memory), rewards, s)


def _transitions(entries: tuple[np.ndarray, ...], s: int, a: int, memory: float) -> np.ndarray:
    """Return the table of (state, action, probability, next state); states that have no entry stay as they are."""
    at, by, chance, to = entries
    certain = chance == 1
    if len(np.unique(at[certain] * a + by[certain])) == len(np.unique(at * a + by)):
        successors = np.repeat(np.arange(s)[:, None], a, axis=1)
        successors[at[certain], by[certain]] = to[certain]
        return successors
    check_memory(
        f"a table of {s:,} states and {a:,} actions", 4 * s * s * a, memory, "give sparse ones, or raise memory"
    )
    dense = np.zeros((s, a, s))
    np.add.at(dense, (at, by, to), chance)
    for state in range(int(at.max()) + 1, s):
        dense[state, :, state] = 1
    return dense


def _numbered(table: Any, name: str) -> list[Any]:
    """List the entries of a list or of a mapping by 0, 1, ..., in this order."""
    if isinstance(table, (list, tuple)) and table:
        return list(table)
    if not isinstance(table, Mapping) or not table:
        raise ParameterError(f"{name} is {brief(table)}, allowed: a mapping or list by number, 0, 1, ...")
    by_number = {_as_number(key): value for key, value in table.items()}
    missing = next((i for i in range(len(table)) if i not in by_number), None)
    if missing is not None:
        raise ParameterError(
            f"{name} has the keys {brief(list(table))}, allowed: 0 to {len(table) - 1}; {missing} is missing"
        )
    return [by_number[i] for i in range(len(table))]


def _as_number(key: Any) -> Any:
    return int(key) if isinstance(key, (int, np.integer)) or (isinstance(key, str) and key.isdecimal()) else key


def _listed(outcomes: Any, name: str) -> Sequence[Any]:
    if not isinstance(outcomes, (list, tuple)) or not outcomes:
        raise ParameterError(
            f"{name} is {brief(outcomes)}, allowed: a list of (probability, next state, reward, terminated)"
        )
    return outcomes


def _outcome(outcome: Any, name: str, s: int) -> tuple[float, int, float, bool]:
    if not isinstance(outcome, (list, tuple)) or len(outcome) != 4:
        raise ParameterError(f"{name} is {brief(outcome)}, allowed: (probability, next state, reward, terminated)")
    chance, state, reward, ends = outcome
    if not isinstance(state, (int, np.integer)) or isinstance(state, bool) or not 0 <= state < s:
        raise ParameterError(f"the next state of {name} is {brief(state)}, allowed: 0..{s - 1}")
    if not isinstance(ends, (bool, np.bool_, int, np.integer)) or ends not in (0, 1):
        raise ParameterError(f"whether {name} ends the process is {brief(ends)}, allowed: true or false, 1 or 0")
    paid = number(f"the reward of {name}", reward, "(-inf, inf)")
    return number(f"the probability of {name}", chance, "[0, 1.000001]"), int(state), paid, bool(ends)
