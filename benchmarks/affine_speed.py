"""Speed of exact and smoothed affine maximisers, compared with linear programming and cvxpylayers.

    OMP_NUM_THREADS=1 python benchmarks/affine_speed.py

A profile is the revenue of one affine maximiser with random boosts for 5 bidders and 3 items, which takes 6 problems on
a tree of 43 histories with 6 actions: with all, and without each. Everything runs on the same profiles in one run, and
what is compared in speed is compared in value as well. Rates are per second of processor time on one core, so that
other work on the machine shows little, medians over repetitions for a second or more each, after a warm-up; what is
prepared once (constraints, menu, compiled layers) does not count.

The last table needs cvxpylayers, which is no dependency of lawgiver. It goes into an environment of its own:

    python -m venv /tmp/cvx && /tmp/cvx/bin/pip install -c constraints.txt -e '.[solve,torch]' cvxpylayers
    OMP_NUM_THREADS=1 /tmp/cvx/bin/python benchmarks/affine_speed.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.optimize import linprog

from lawgiver.envs.sequential_sales import SequentialSales
from lawgiver.envs.solvers.mdp.affine import problems, settle
from lawgiver.envs.solvers.mdp.linear_program import flow_constraints
from lawgiver.envs.solvers.mdp.tree import Tree
from lawgiver.trainers.affine_maximiser.objective import Parameters, Problem
from lawgiver.trainers.cli.throughput import machine, processor_seconds

N, ITEMS, PROBLEMS = 5, 3, 6
BATCHES = (20, 256, 4096)
TEMPERATURE = 0.5
"""At 0.1, where many occupancies all but vanish, the gradients of cvxpylayers are wrong by more than their size."""
SECONDS = 1.0
"""How long each measurement goes on, at least three repetitions apart."""
CHECKED, LAYERED = 50, 5
"""Profiles that HiGHS and cvxpylayers are compared on; both are timed on the first 5."""

GAME = SequentialSales(n=N, m=ITEMS)
TREE = GAME.mdp
WEIGHTS = np.ones(N)
PROBLEM = Problem(GAME, regulariser="occupancy")
"""What trainings solve: exact ones on the menu of 26 sets of who is served, those with the occupancy's entropy on the
tree."""

Revenue = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Smoothed revenue (B,) of types (B, 5, 1) and boosts (S, A)."""


def rate(run: Callable[[], Any], batch: int) -> float:
    """Measure profiles per second of processor time."""
    return batch / processor_seconds(run, SECONDS)


def revenue(top: Any, welfare: Any) -> Any:
    """Compute the revenue for w = 1, given affine welfares (B, 6) and the welfare (B,) of the policy."""
    return top[..., 1:].sum(-1) - N * top[..., 0] + welfare


def by_tree(types: Any, boosts: Any) -> Any:
    """Backward induction, policy and payments included."""
    weights = WEIGHTS if isinstance(types, np.ndarray) else torch.as_tensor(WEIGHTS)
    return settle(TREE, GAME.rewards(types), weights, boosts).payments.sum(-1)


def settled(types: torch.Tensor, boosts: torch.Tensor, temperature: float | None) -> torch.Tensor:
    """Compute revenue as a training does, exact for a temperature of None, else smoothed."""
    lower = PROBLEM.exact if temperature is None else PROBLEM.smooth
    return lower.outcome(types, Parameters(PROBLEM.vcg.log_weights, boosts), temperature).measure


def by_linear_programs(flow: Any, start: np.ndarray, types: np.ndarray, boosts: np.ndarray) -> np.ndarray:
    """HiGHS, problem by problem, for given constraints."""
    rewards = GAME.rewards(types)
    top = np.empty((len(types), PROBLEMS))
    welfare = np.empty(len(types))
    for b, posed in enumerate(problems(rewards, WEIGHTS, boosts)):
        for p, costs in enumerate(posed):
            found = linprog(-costs.ravel(), A_eq=flow, b_eq=start, method="highs")
            top[b, p] = -found.fun
            if p == 0:
                welfare[b] = found.x @ rewards[b].sum(0).ravel()
    return revenue(top, welfare)


def with_gradient(smooth: Revenue, types: torch.Tensor, boosts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return smoothed revenue (B,) and the gradient of its mean with respect to the boosts."""
    leaf = boosts.clone().requires_grad_()
    value = smooth(types, leaf)
    value.mean().backward()
    assert leaf.grad is not None
    return value.detach(), leaf.grad


def layer(flow: Any, start: np.ndarray) -> Revenue | None:
    """Return the same program as a layer of cvxpylayers; None where that is not installed."""
    try:
        import cvxpy
        from cvxpylayers.torch import CvxpyLayer
    except ModuleNotFoundError as error:
        print(f"\n{error.name} is not installed: no comparison with cvxpylayers. The head of this file says how.")
        return None
    size = flow.shape[1]
    nu, reward = cvxpy.Variable(size), cvxpy.Parameter(size)
    worth = reward @ nu + TEMPERATURE * cvxpy.sum(cvxpy.entr(nu))
    program = cvxpy.Problem(cvxpy.Maximize(worth), [flow @ nu == start])
    solve = CvxpyLayer(program, parameters=[reward], variables=[nu])

    def smooth(types: torch.Tensor, boosts: torch.Tensor) -> torch.Tensor:
        rewards = GAME.rewards(types)
        posed = problems(rewards, torch.as_tensor(WEIGHTS), boosts)
        # Clarabel: with the solver by default, SCS, it takes as long and is less exact
        nu = solve(posed.reshape(-1, size), solver_args={"solve_method": "Clarabel"})[0].reshape(posed.shape)
        fixed = nu.detach().clamp_min(0.0)  # by the envelope theorem the gradient of the maximum is that at a fixed nu
        top = (fixed * posed + TEMPERATURE * torch.special.entr(fixed)).sum((-2, -1))
        return revenue(top, (nu[:, 0] * rewards.sum(1)).sum((-2, -1)))

    return smooth


def row(what: str, batch: int, profiles: float, base: float | None = None) -> None:
    print(f"| {what} | {batch:,} | {profiles:,.0f} | {'' if base is None else f'{profiles / base:,.0f}'} |")


def header(title: str, against: str) -> None:
    print(f"\n{title}\n\n| solver | profiles at a time | profiles/s | times {against} |\n|---|---|---|---|")


def main() -> None:
    """Measure and compare."""
    assert isinstance(TREE, Tree)
    torch.set_default_dtype(torch.float64)
    rng = np.random.default_rng(0)
    types = GAME.types_of(rng.random((max(BATCHES), N, 1)))
    boosts = rng.uniform(-0.5, 0.5, (TREE.n_states, TREE.n_actions))
    types_t, boosts_t = torch.tensor(types), torch.tensor(boosts)
    flow, start = flow_constraints(TREE)
    print(machine())

    exact = by_linear_programs(flow, start, types[:CHECKED], boosts)
    highs = rate(lambda: by_linear_programs(flow, start, types[:LAYERED], boosts), LAYERED)
    header("Revenue, exact", "HiGHS")
    row("HiGHS (scipy)", 1, highs)
    for batch in BATCHES:
        some, some_t = types[:batch], types_t[:batch]
        row("backward induction, NumPy", batch, rate(lambda x=some: by_tree(x, boosts), batch), highs)
        row("backward induction, torch", batch, rate(lambda x=some_t: by_tree(x, boosts_t), batch), highs)
        row("menu, torch", batch, rate(lambda x=some_t: settled(x, boosts_t, None), batch), highs)
    for what, found in {
        "backward induction, NumPy": by_tree(types[:CHECKED], boosts),
        "backward induction, torch": by_tree(types_t[:CHECKED], boosts_t).numpy(),
        "menu": settled(types_t[:CHECKED], boosts_t, None).numpy(),
    }.items():
        print(f"\nLargest difference from HiGHS on {CHECKED} profiles, {what}: {np.abs(found - exact).max():.1e}")

    def ours(types: torch.Tensor, boosts: torch.Tensor) -> torch.Tensor:
        return settled(types, boosts, TEMPERATURE)

    layered, few = layer(flow, start), types_t[:LAYERED]
    cvx = None if layered is None else rate(lambda: with_gradient(layered, few, boosts_t), LAYERED)
    header(f"Smoothed revenue and its gradient (occupancy entropy, temperature {TEMPERATURE})", "cvxpylayers")
    if cvx is not None:
        row("cvxpylayers", LAYERED, cvx)
    for batch in BATCHES:
        found = rate(lambda x=types_t[:batch]: with_gradient(ours, x, boosts_t), batch)
        row("soft backward induction, torch", batch, found, cvx)
    if layered is not None:
        value, gradient = with_gradient(ours, few, boosts_t)
        other, other_gradient = with_gradient(layered, few, boosts_t)
        off = float((gradient - other_gradient).norm() / gradient.norm())
        step = 1e-5 * torch.tensor(rng.normal(size=boosts.shape))
        up, down = (ours(few, boosts_t + way).mean() for way in (step, -step))
        rise = float((up - down) / 2)
        print("\nAlong a random direction, relative to finite differences, the gradient is off by", end=" ")
        for who, found in {"ours": gradient, "cvxpylayers": other_gradient}.items():
            print(f"{abs(float((found * step).sum()) / rise - 1):.1e} ({who})", end=" ")
        print(f"\nLargest difference in value {float((value - other).abs().max()):.1e}, in gradient {off:.1e} of it")


if __name__ == "__main__":
    main()
