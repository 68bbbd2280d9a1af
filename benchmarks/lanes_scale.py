"""Time and memory of a step of the lanes game for 10 to 1,000,000 agents: both grow in proportion to their number.

    OMP_NUM_THREADS=1 python benchmarks/lanes_scale.py

A step is a whole game: starts are drawn, the mechanism announces its payment, all participants see it and their starts,
moves are drawn, and everybody is paid; the mechanism sees the welfare. Each number of agents is measured in a process
of its own, on one thread. Prints a table (Markdown) and draws docs/results/lanes_scale.png. About a minute.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.envs.lanes.game import Lanes

SIZES = (10, 100, 1_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
BACKENDS = ("NumPy", "torch")
FIGURE = Path(__file__).parent.parent / "docs" / "results" / "lanes_scale.png"
CLEARLY = 0.5
"""Megabytes from which memory is told from that of the process itself."""


def step(game: Lanes, rng: Any, coefficients: Any) -> float:
    """Play one game and return its welfare."""
    state = game.initial_state(1, rng)
    state, *_ = game.step(state, coefficients, game.draw(1, rng))
    game.observe(state, "participant")
    state, *_ = game.step(state, moves(game.n, rng), game.draw(1, rng))
    return float(game.observe(state, "mechanism")[0, 0, 0])


def moves(n: int, rng: Any) -> Any:
    """Draw a move for each participant, (1, n)."""
    if isinstance(rng, np.random.Generator):
        return rng.integers(0, 101, (1, n))
    import torch

    return torch.randint(0, 101, (1, n), generator=rng)


def measure(backend: str, n: int) -> dict[str, float]:
    """Return the median and the slowest time of a step in ms, and its peak memory in MB, in this process."""
    rng: Any = np.random.default_rng(0)
    coefficients: Any = np.array([[[-0.5, -2.0]]])
    if backend == "torch":
        import torch

        rng, coefficients = torch.Generator().manual_seed(0), torch.as_tensor(coefficients)
    step(Lanes(n=10), rng, coefficients)
    game, before = Lanes(n=n), resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
    step(game, rng, coefficients)
    memory = resident("VmHWM") - before
    times = []
    for _ in range(30):
        start = time.perf_counter()
        step(game, rng, coefficients)
        times.append(1e3 * (time.perf_counter() - start))
    return {"median": float(np.median(times)), "slowest": max(times), "memory": memory}


def resident(field: str) -> float:
    """Return a line of this process's status in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def in_its_own_process(backend: str, n: int) -> dict[str, float]:
    told = subprocess.run(
        [sys.executable, __file__, "--one", backend, str(n)], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(told.stdout)
    return found


def draw(found: dict[str, list[dict[str, float]]]) -> None:
    """Draw time and memory over the number of agents, with lines of slope one beside them."""
    from lawgiver.trainers.plots.style import CYCLE, legend_beside, new_figure, save

    figure = new_figure(11.0, 3.8)
    panels = figure.subplots(1, 2)
    for axis, measure, title, least in (
        (panels[0], "median", "time of a step (ms)", 0.0),
        (panels[1], "memory", "peak memory of a step (MB)", CLEARLY),
    ):
        for colour, marker, (backend, rows) in zip(CYCLE, "os", found.items(), strict=False):
            points = [(n, row[measure]) for n, row in zip(SIZES, rows, strict=True) if row[measure] > least]
            axis.loglog(*zip(*points, strict=True), f"{marker}-", color=colour, label=backend)
        n, top = SIZES[-1], min(rows[-1][measure] for rows in found.values()) / 2
        axis.loglog([n / 100, n], [top / 100, top], "k--", linewidth=1, label="slope one")
        axis.set_title(title, fontsize=10, loc="left")
        axis.set_xlabel("agents")
        axis.grid(alpha=0.3)
    panels[0].axhline(50, color="#D55E00", linestyle=":", linewidth=1.2, label="50 ms")
    for axis in panels:
        legend_beside(axis)
    save(figure, FIGURE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, metavar=("BACKEND", "AGENTS"), help="measure one in this process")
    one = parser.parse_args().one
    if one:
        print(json.dumps(measure(one[0], int(one[1]))))
        return
    found = {backend: [in_its_own_process(backend, n) for n in SIZES] for backend in BACKENDS}
    print("| agents | " + " | ".join(f"{b}: ms, median (slowest) | {b}: peak MB" for b in BACKENDS) + " |")
    print("|---:|" + "---:|---:|" * len(BACKENDS))
    for i, n in enumerate(SIZES):
        cells = [f"{n:,}"]
        for row in (found[backend][i] for backend in BACKENDS):
            memory = f"{row['memory']:.1f}" if row["memory"] > CLEARLY else f"< {CLEARLY:g}"
            cells += [f"{row['median']:.2f} ({row['slowest']:.1f})", memory]
        print("| " + " | ".join(cells) + " |")
    draw(found)


if __name__ == "__main__":
    main()
