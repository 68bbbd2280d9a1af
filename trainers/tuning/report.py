"""Files of the results of a search: tables, a figure, and the best config."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lawgiver.trainers.plots import drawing
from lawgiver.trainers.runs.atomic_files import write_json, write_text
from lawgiver.trainers.runs.yaml_text import write_yaml
from lawgiver.trainers.tuning.results import Tuning


def write_report(found: Tuning, best_config: Mapping[str, Any] | None) -> list[Path]:
    """Write trials.csv, trials.json, best.yaml and, where matplotlib is installed, parallel.png; list the files.

    Args:
        found: the search.
        best_config: the config of its best trial as plain data, None where there is none.

    Raises:
        RunError: if one cannot be written.
    """
    files = [found.folder / "trials.csv", found.folder / "trials.json"]
    rows = [trial.row(found.metric) for trial in found.trials]
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(files[0], table.getvalue())
    best = found.best
    settings = {"metric": found.metric, "mode": found.mode, "best": None if best is None else best.number}
    space = {key: each.text for key, each in found.space.items()}
    write_json(files[1], {**settings, "space": space, "trials": rows})
    if best is None or best_config is None:
        return files
    files.append(found.folder / "best.yaml")
    write_text(files[-1], write_yaml(best_config))
    if drawing.can_draw():
        from lawgiver.trainers.plots.style import save
        from lawgiver.trainers.tuning.figure import parallel_coordinates

        files.append(found.folder / "parallel.png")
        save(parallel_coordinates(found), files[-1])
    return files
