"""Speed of solving proportional fairness and partial allocation, compared with cvxpy and Clarabel.

    OMP_NUM_THREADS=1 python benchmarks/allocation_speed.py

Instances are 10 participants by 3 resources, values and demands uniform on [0.1, 1], supply 5 of each. Partial
allocation takes 11 problems an instance. All run in one process, on the same instances, and what is compared in speed
is compared in value as well. cvxpy solves one problem at a time: built anew for each, and built once with parameters
(DPP) that are set for each, after it has been compiled and solved once; who is left out is masked by parameters, so
that one problem serves all 11. It solves the first 400 of a batch, which are 4,400 problems by partial allocation: its
time for one is the mean over those. Times are of processor time on one core, so that other work on the machine
shows little, ours of a batch of 400 the median of three.

cvxpy comes with the extra ``dev``:

    pip install -c constraints.txt -e '.[torch,dev]'
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from statistics import median
from time import process_time
from typing import Any

import cvxpy as cp
import numpy as np
import torch

from lawgiver.envs.solvers.fair_division.partial_allocation import partial_allocation
from lawgiver.envs.solvers.fair_division.proportional_fairness import proportional_fairness, solve
from lawgiver.trainers.cli.throughput import machine

N, M = 10, 3
BATCHES = (400, 4096)
TIMED = 400
"""Instances that cvxpy solves."""

Solver = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Amounts (n, m) of one instance's values (n, m) and demands (n, m), for a mask (n,) of who is there."""


def rebuilt(values: np.ndarray, demands: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Build and solve a problem of who is there."""
    rows = np.flatnonzero(there)
    x = cp.Variable((len(rows), M), nonneg=True)
    welfare = cp.sum(cp.log(cp.sum(cp.multiply(values[rows], x), axis=1)))
    cp.Problem(cp.Maximize(welfare), [x <= demands[rows], cp.sum(x, axis=0) <= N / 2]).solve(solver=cp.CLARABEL)
    amounts = np.zeros((N, M))
    amounts[rows] = x.value
    return amounts


def parametrised() -> Solver:
    """Return a solver with a problem that is compiled once. Who is away counts with a utility of 1 plus nothing."""
    x = cp.Variable((N, M), nonneg=True)
    values, demands = cp.Parameter((N, M), nonneg=True), cp.Parameter((N, M), nonneg=True)
    away = cp.Parameter(N, nonneg=True)
    welfare = cp.sum(cp.log(cp.sum(cp.multiply(values, x), axis=1) + away))
    problem = cp.Problem(cp.Maximize(welfare), [x <= demands, cp.sum(x, axis=0) <= N / 2])

    def run(v: np.ndarray, d: np.ndarray, there: np.ndarray) -> np.ndarray:
        values.value, demands.value, away.value = v * there[:, None], d * there[:, None], 1 - there
        problem.solve(solver=cp.CLARABEL)
        return np.asarray(x.value)

    return run


def one_by_one(solver: Solver, partial: bool) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return proportional fairness, or partial allocation, of instances (B, n, m), by one problem after the other."""

    def run(values: np.ndarray, demands: np.ndarray) -> np.ndarray:
        out = np.empty_like(values)
        for index, (v, d) in enumerate(zip(values, demands, strict=True)):
            out[index] = solver(v, d, np.ones(N))
            if partial:
                logs = np.log((v * out[index]).sum(1))
                for i in range(N):
                    there = np.arange(N) != i
                    others = np.log((v * solver(v, d, there.astype(float))).sum(1)[there]).sum()
                    out[index, i] *= np.exp(logs[there].sum() - others)
        return out

    return run


def timed(run: Callable[[], Any], repetitions: int) -> tuple[float, Any]:
    """Return the median time and the last result."""
    took, result = [], None
    for _ in range(repetitions):
        start = process_time()
        result = run()
        took.append(process_time() - start)
    return median(took), result


def compare(batch: int, values: np.ndarray, demands: np.ndarray, warm: Solver, partial: bool) -> None:
    """Print a row for each solver."""
    supply = np.full(M, N / 2)
    rule = partial_allocation if partial else solve
    name = "PA" if partial else "PF"
    repetitions = 3 if batch < 1000 else 1
    tensors = [torch.tensor(array) for array in (values, demands, supply)]
    ours = {
        "lawgiver, NumPy": timed(lambda: rule(values, demands, supply), repetitions),
        "lawgiver, torch": timed(lambda: rule(*tensors).numpy(), repetitions),
    }
    theirs = {
        label: timed(lambda solver=solver: one_by_one(solver, partial)(values[:TIMED], demands[:TIMED]), 1)  # type: ignore[misc]
        for label, solver in {"cvxpy, built anew": rebuilt, "cvxpy, parameters": warm}.items()
    }
    anew, set_ = (took / TIMED for took, _ in theirs.values())
    best = theirs["cvxpy, built anew"][1]

    def logs(amounts: np.ndarray) -> np.ndarray:
        return np.asarray(np.log((values[:TIMED] * amounts[:TIMED]).sum(-1)).sum(-1))

    for label, (took, amounts) in ours.items():
        each = took / batch
        off = np.abs(logs(amounts) - logs(best)).max()
        print(
            f"| {name} | {batch:,} | {label} | {1e3 * each:.3f} | {anew / each:,.0f} | {set_ / each:,.0f} | {off:.1e} |"
        )
    for label, (took, amounts) in theirs.items():
        off = np.abs(logs(amounts) - logs(best)).max()
        print(f"| {name} | {TIMED:,} timed | {label} | {1e3 * took / TIMED:.3f} | | | {off:.1e} |", flush=True)


def main() -> None:
    """Print the table, and the largest duality gap."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", "Solution may be inaccurate")  # of Clarabel; the last column tells
    print(f"{machine()}\n")
    print("| rule | instances | solver | ms each | times built anew | times parameters | log welfare off by |")
    print("|---|---|---|---|---|---|---|")
    warm = parametrised()
    gap = 0.0
    for batch in BATCHES:
        rng = np.random.default_rng(batch)
        values, demands = rng.uniform(0.1, 1, (batch, N, M)), rng.uniform(0.1, 1, (batch, N, M))
        warm(values[0], demands[0], np.ones(N))
        for partial in (False, True):
            compare(batch, values, demands, warm, partial)
        gap = max(gap, float(proportional_fairness(values, demands, np.full(M, N / 2)).gap.max()))
    print(f"\nLargest duality gap of proportional fairness: {gap:.1e} of a sum of weights of {N}")


if __name__ == "__main__":
    main()
