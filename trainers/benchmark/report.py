"""The report of a benchmark: scores with intervals by task and overall, as data, Markdown and figures.

Overall numbers are those of Agarwal et al. 2021 (Deep Reinforcement Learning at the Edge of the Statistical Precipice,
NeurIPS): the interquartile mean over all runs, its interval by a bootstrap stratified by task, the performance profile,
and the probability that one algorithm does better than another on a task drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import trim_mean

from lawgiver.envs.files.reading import read_json
from lawgiver.trainers.benchmark.task import POPULATIONS, VERSION, Task
from lawgiver.trainers.plots import drawing
from lawgiver.trainers.runs.atomic_files import RunError, write_json, write_text
from lawgiver.trainers.statistics.bootstrap import widening
from lawgiver.trainers.statistics.estimate import LEVEL, Estimate

DRAWS = 2_000
QUARTILE = 0.25
REPORT = "report.json"
METHOD = "stratified bootstrap"


@dataclass(frozen=True)
class Report:
    """Scores of algorithms on tasks.

    Attributes:
        size: of the tasks.
        seeds: trainings of each.
        tasks: in the order of the tables.
        algorithms: likewise.
        rows: of each run ``task``, ``algorithm``, ``seed``, by population ``score``, ``found``, ``baseline``,
            ``optimum``, and ``wall_s``.
        reasons: why an algorithm does not fit a task, by task and algorithm.
        provenance: commit and versions.
    """

    size: str
    seeds: int
    tasks: tuple[Task, ...]
    algorithms: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    reasons: Mapping[tuple[str, str], str]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def scores(self, algorithm: str, population: str) -> dict[str, np.ndarray]:
        """Collect an algorithm's scores by task, one a seed, (S,)."""
        found: dict[str, list[float]] = {}
        for row in self.rows:
            if row["algorithm"] == algorithm:
                found.setdefault(row["task"], []).append(row[population]["score"])
        return {task: np.array(values) for task, values in found.items()}

    @cached_property
    def overall(self) -> dict[str, dict[str, Estimate]]:
        """Interquartile means by algorithm and population, over the tasks that fit the algorithm."""
        return {
            algorithm: {
                population: interquartile_mean(list(scores.values()), np.random.default_rng(0))
                for population in POPULATIONS
                if (scores := self.scores(algorithm, population))
            }
            for algorithm in self.algorithms
        }

    def data(self) -> dict[str, Any]:
        """Write everything as plain data."""
        return {
            "benchmark": VERSION,
            "size": self.size,
            "seeds": self.seeds,
            **self.provenance,
            "rows": list(self.rows),
            "overall": {
                algorithm: {population: estimate.to_data() for population, estimate in by.items()}
                for algorithm, by in self.overall.items()
            },
            "not_applicable": [
                {"task": task, "algorithm": algorithm, "reason": reason}
                for (task, algorithm), reason in self.reasons.items()
            ],
        }

    def markdown(self) -> str:
        """Write the tables as Markdown."""
        lines = [f"# {VERSION}, {self.size}, {self.seeds} seed{'s' * (self.seeds != 1)}", ""]
        for population in POPULATIONS:
            lines += [f"## Scores before the {population.replace('_', '-')} population", "", *self._table(population)]
        lines += ["## Overall", "", *self._overall(), ""]
        if self.reasons:
            lines += ["## Not applicable", ""]
            lines += [f"- {algorithm} on {task}: {reason}" for (task, algorithm), reason in self.reasons.items()]
        return "\n".join(lines).rstrip() + "\n"

    def save(self, folder: Path) -> list[Path]:
        """Write report.json, report.md and, with matplotlib, the figures; list the files."""
        files = [folder / REPORT, folder / "report.md"]
        write_json(files[0], self.data())
        write_text(files[1], self.markdown())
        if drawing.can_draw() and self.rows:
            from lawgiver.trainers.benchmark.figures import draw

            files += draw(self, folder)
        return files

    def _table(self, population: str) -> list[str]:
        lines = ["| task | " + " | ".join(self.algorithms) + " |", "|---|" + "---:|" * len(self.algorithms)]
        by = {algorithm: self.scores(algorithm, population) for algorithm in self.algorithms}
        for task in self.tasks:
            cells = [_cell(by[algorithm].get(task.name)) for algorithm in self.algorithms]
            lines.append(f"| {task.name} | {' | '.join(cells)} |")
        return [*lines, ""]

    def _overall(self) -> list[str]:
        lines = [
            "| algorithm | tasks | IQM, training | IQM, held out | better than the first |",
            "|---|---:|---:|---:|---:|",
        ]
        first = self.scores(self.algorithms[0], "training")
        for algorithm in self.algorithms:
            own = self.scores(algorithm, "training")
            shown = [_interval(self.overall[algorithm].get(population)) for population in POPULATIONS]
            better = "" if algorithm == self.algorithms[0] else _interval(improvement(own, first))
            lines.append(f"| {algorithm} | {len(own)} | {' | '.join(shown)} | {better} |")
        return lines


def compare(one: str | Path, other: str | Path) -> str:
    """Compare two reports, as of two versions of an algorithm, in a table in Markdown.

    Args:
        one: a benchmark's folder, or its report.json.
        other: likewise.

    Raises:
        RunError: if a file is no report, or they are of other tasks' versions or sizes.
    """
    both = [_read(path) for path in (one, other)]
    if (both[0]["benchmark"], both[0]["size"]) != (both[1]["benchmark"], both[1]["size"]):
        told = [f"{path}: {each['benchmark']}, {each['size']}" for path, each in zip((one, other), both, strict=True)]
        raise RunError(f"the reports are of different benchmarks: {'; '.join(told)}; allowed: the same for both")
    lines = [
        f"A is {one}, B is {other}; scores before the training population.",
        "",
        "| algorithm | tasks | A | B | a run of B beats one of A |",
        "|---|---:|---:|---:|---:|",
    ]
    found = [_by_algorithm(each["rows"]) for each in both]
    for algorithm in dict.fromkeys([*found[0], *found[1]]):
        sides = [by.get(algorithm, {}) for by in found]
        common = [task for task in sides[0] if task in sides[1]]
        means = [
            interquartile_mean([side[task] for task in common], np.random.default_rng(0)) if common else None
            for side in sides
        ]
        better = _interval(improvement(sides[1], sides[0]))
        lines.append(f"| {algorithm} | {len(common)} | {' | '.join(map(_interval, means))} | {better} |")
    return "\n".join(lines) + "\n"


def _read(path: str | Path) -> dict[str, Any]:
    file = Path(path)
    file = file / REPORT if file.is_dir() else file
    try:
        found = read_json(file)
    except (OSError, ValueError) as error:
        raise RunError(f"{file} is no report of a benchmark: {error}") from error
    if not isinstance(found, dict) or not {"benchmark", "size", "rows"} <= found.keys():
        raise RunError(f"{file} is no report of a benchmark, allowed: the report.json of one, or its folder")
    return found


def _by_algorithm(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, np.ndarray]]:
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        found.setdefault(row["algorithm"], {}).setdefault(row["task"], []).append(row["training"]["score"])
    return {name: {task: np.array(values) for task, values in by.items()} for name, by in found.items()}


def _cell(values: np.ndarray | None) -> str:
    return "n/a" if values is None else _interval(Estimate.of_seeds(values.tolist()))


def _interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return "n/a"
    low, high = estimate.low, estimate.high
    return f"{estimate.mean:.3f}" if low is None else f"{estimate.mean:.3f} [{low:.3f}, {high:.3f}]"


def interquartile_mean(scores: Sequence[np.ndarray], rng: np.random.Generator, draws: int = DRAWS) -> Estimate:
    """Estimate the mean of the middle half of all runs, with seeds resampled within each task.

    Of normal runs, three seeds a task, the interval covers the truth as often as it says with 15 tasks, and in four of
    a hundred cases too seldom with 4.

    Args:
        scores: of each task, one a seed, (S,) with S >= 1.
        rng: draws the resamples.
        draws: their number.
    """
    return _resampled(lambda drawn: trim_mean(np.concatenate(drawn, axis=1), QUARTILE, axis=1), scores, rng, draws)


def improvement(
    one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], draws: int = DRAWS, seed: int = 0
) -> Estimate | None:
    """Estimate the probability that a run of one algorithm beats one of another, averaged over their common tasks.

    Ties count half. None where they have no task in common.
    """
    common = [task for task in one if task in other]
    if not common:
        return None

    def share(drawn: Sequence[np.ndarray]) -> np.ndarray:
        return np.asarray(np.mean([_beats(*pair) for pair in zip(drawn[::2], drawn[1::2], strict=True)], axis=0))

    pairs = [values for task in common for values in (one[task], other[task])]
    return _resampled(share, pairs, np.random.default_rng(seed), draws)


def _resampled(
    statistic: Callable[[Sequence[np.ndarray]], np.ndarray],
    samples: Sequence[np.ndarray],
    rng: np.random.Generator,
    draws: int,
) -> Estimate:
    """Estimate a statistic of several samples, each resampled by itself, which it takes as arrays (D, S) to (D,).

    A resample of few seeds spreads less than they do, so that deviations are widened as those of one sample would have
    to be (:func:`lawgiver.trainers.statistics.bootstrap.widening`), with the degrees of freedom of all samples. Error
    and interval are None where some sample is a single number.
    """
    found, total = float(statistic([values[None] for values in samples])[0]), sum(map(len, samples))
    each = min(map(len, samples))
    if each < 2:
        return Estimate(found, None, None, None, total, METHOD)
    drawn = [values[rng.integers(len(values), size=(draws, len(values)))] for values in samples]
    apart = widening(each, total - len(samples)) * (statistic(drawn) - found)
    low, high = found + np.quantile(apart, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(found, float(apart.std()), float(low), float(high), total, METHOD)


def _beats(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Compute the shares of pairs that one wins, of (D, S) and (D, S'), (D,)."""
    apart = one[:, :, None] - other[:, None, :]
    return np.asarray(np.mean((apart > 0) + 0.5 * (apart == 0), axis=(1, 2)))
