"""The lanes game on RLlib's path beside the fast one: three seeds, a table, and both paths over time in one figure.

    python benchmarks/lanes_rllib.py [FOLDER]

trains into FOLDER (default runs/lanes_rllib_study), prints the table of docs/results/lanes_rllib.md and draws
FOLDER/lanes_rllib.png. A run that is there already is not trained again; one that was interrupted goes on. Times are
of the machine that trained, while nothing else runs on it.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.trainers.mechanism_design import figures as design
from lawgiver.trainers.plots import style
from lawgiver.trainers.runs.launch import ensure
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.tables import markdown
from lawgiver.trainers.tables.markdown import header
from lawgiver.trainers.tables.wording import words

row = partial(markdown.row, number=".4f")
SEEDS = (0, 1, 2)
FAST = {
    "fast path, two-point": ("trainer.log_every=10",),
    "fast path, one-point": (
        "agents.mechanism.optimiser=one_point",
        "trainer.iterations=8000",
        "trainer.log_every=10",
    ),
}
LINES = ("start", "best_in_box", "optimum")


def table(name: str, summaries: dict[int, dict[str, Any]]) -> None:
    """Print what the runs of a path have learned, a row a seed."""
    for seed, summary in summaries.items():
        welfare, threshold = summary["welfare"], summary["threshold"]
        apart = abs(threshold["learned"] - threshold["closed_form"])
        found = welfare["start"], welfare["learned"], welfare["best_in_box"], summary["gap_closed"]
        seconds = f"{summary['timing']['wall_s']:.0f}"
        row(name, seed, *found, threshold["learned"], threshold["closed_form"], apart, seconds)


def middle(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return quartiles (K, 3) of values by time (K,), in eight bins a decade: single iterations jump about."""
    bins = np.floor(8 * np.log10(times))
    kept = [bins == one for one in np.unique(bins)]
    return np.array([times[b].mean() for b in kept]), np.array(
        [np.quantile(values[b], (0.25, 0.5, 0.75)) for b in kept]
    )


def draw(runs: dict[str, list[Path]], to: Path) -> None:
    """Draw exact welfare and the participants' distance from their reply over the time of training."""
    figure = style.new_figure(9.0, 6.4)
    axes = figure.subplots(2, 1, sharex=True)
    for (name, folders), colour in zip(runs.items(), style.CYCLE, strict=False):
        times, gaps = [], []
        for folder in folders:
            entries = Run.open(folder).lines()
            time = np.array([entry["timing"]["wall_s"] for entry in entries])
            label = name if folder == folders[0] else None
            scored = [
                (at, entry["exact_score"]) for at, entry in zip(time, entries, strict=True) if "exact_score" in entry
            ]
            axes[0].plot(*zip(*scored, strict=True), color=colour, linewidth=1.2, label=label)
            times.append(time)
            gaps.append([entry["reply_gap"] for entry in entries])
        at, quartiles = middle(np.concatenate(times), np.concatenate(gaps))
        axes[1].plot(at, quartiles[:, 1], color=colour, linewidth=1.6)
        axes[1].fill_between(at, quartiles[:, 0], quartiles[:, 2], color=colour, alpha=0.25, linewidth=0)
    summary = Run.open(next(iter(runs.values()))[0]).summary
    assert summary is not None
    for name, dashes in zip(LINES, design.DASHES, strict=False):
        value = summary["welfare"][name]
        label = f"{words(name)}: {value:.3f}"
        axes[0].axhline(value, color="#000000", linewidth=1, linestyle=dashes, label=label)
    axes[0].set_title("Welfare in the exact equilibrium under the current mechanism", fontsize=10, loc="left")
    axes[0].set_ylabel("welfare (utility, all movers)")
    axes[0].set_ylim(1.15 * summary["welfare"]["start"], 0.9 * summary["welfare"]["optimum"])
    axes[1].set_title(
        "Participants: distance from the exact reply to current play (median and quartiles, three seeds)",
        fontsize=10,
        loc="left",
    )
    axes[1].set_ylabel("probability of acting otherwise")
    axes[1].set_yscale("log")
    axes[1].set_xlabel("seconds of training")
    axes[1].set_xscale("log")
    for axis in axes:
        axis.grid(alpha=0.3)
    style.legend_beside(axes[0])
    style.save(figure, to)


def main(folder: Path) -> None:
    """Train what is missing, print the table and draw the figure."""
    kinds = {"RLlib": ("lanes_rllib",), **{name: ("lanes", *overrides) for name, overrides in FAST.items()}}
    folders: dict[str, list[Path]] = {}
    learned: dict[str, dict[int, dict[str, Any]]] = {}
    for name, (config, *overrides) in kinds.items():
        runs = {seed: folder / f"{name.rpartition(' ')[2]}-s{seed}" for seed in SEEDS}
        learned[name] = {seed: ensure(path, config, f"seed={seed}", *overrides) for seed, path in runs.items()}
        folders[name] = list(runs.values())
    threshold = "threshold, trained", "threshold, exact reply", "apart"
    columns = "path", "seed", "start", "learned", "best in box", "gap closed", *threshold, "s"
    header(*columns)
    for name, summaries in learned.items():
        table(name, summaries)
    draw(folders, folder / "lanes_rllib.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/lanes_rllib_study"))
