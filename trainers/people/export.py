"""Tables of a study for its analysis, and of what is to be paid."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.trainers.people.behaviour_tables import decisions_table, is_recorded, records_tables
from lawgiver.trainers.people.people_tables import (
    Line,
    bonus_lines,
    counts,
    groups_lines,
    payments_lines,
    people_lines,
)
from lawgiver.trainers.people.recorded import Recording, read_recording
from lawgiver.trainers.people.store import reading
from lawgiver.trainers.people.study import read_study
from lawgiver.trainers.runs.atomic_files import made_folder, replacing, write_json, write_text

RECORDS, THIRD, PAYMENTS, BONUS = "records.parquet", "third_game.parquet", "payments.csv", "prolific_bonus.csv"
OWNER_ONLY = 0o600
"""Mode of files that say who somebody is."""


class ExportError(LawgiverError):
    """No group is valid, so that there are no records."""


@dataclass(frozen=True)
class Exported:
    """The result of an export.

    Attributes:
        files: that were written.
        valid: number of valid groups.
        anonymised: whether there are no files of payments, because nobody is known any more.
    """

    files: tuple[Path, ...]
    valid: int
    anonymised: bool


def export(study: str | Path, out: str | Path | None = None) -> Exported:
    """Write the tables of a study, also while it is served.

    Args:
        study: its file.
        out: the folder to write into; None for ``<name>_export`` beside the file.

    Raises:
        StoreError: if it has no database, or that of another study.
        ExportError: if no group is valid; all other tables are written nevertheless, as people are to be paid.
        LawgiverError: if the study is wrong, or a file cannot be written.
    """
    read = read_study(study)
    with reading(read.database) as engine:
        recording = read_recording(read, engine)
    folder = made_folder(read.path.with_name(f"{read.path.stem}_export") if out is None else out)
    found = write_recording(recording, folder)
    if not found.valid:
        raise ExportError(f"{told_of(recording)}; {folder} has all tables but those of valid groups")
    return found


def write_recording(recording: Recording, folder: Path) -> Exported:
    """Write the tables of what was recorded into a folder; see :func:`export`."""
    valid = [group for group in recording.groups if not recording.why_not(group)]
    shown = [group for group in recording.groups if not {"broken", "withdrawn"} & set(recording.why_not(group))]
    game = recording.study.game
    tables: dict[str, pa.Table | None] = {"decisions.parquet": decisions_table(game, shown)}
    if is_recorded(game):
        tables |= zip((RECORDS, THIRD), records_tables(valid) if valid else (None, None), strict=True)
    files = [folder / name for name, table in tables.items() if table is not None]
    for name, table in tables.items():
        if table is None:  # what an earlier export wrote would be of groups that are not valid any more
            (folder / name).unlink(missing_ok=True)
        else:
            with replacing(folder / name) as temporary:
                pq.write_table(table, temporary)
    lists = {"people.csv": people_lines(recording), "groups.csv": groups_lines(recording)}
    files += [_write_csv(folder / name, lines) for name, lines in lists.items()]
    if not recording.anonymised:
        files += [
            _write_csv(folder / PAYMENTS, payments_lines(recording), OWNER_ONLY),
            _write_csv(folder / BONUS, bonus_lines(recording), OWNER_ONLY),
        ]
    files.append(folder / "study.json")
    write_json(files[-1], study_facts(recording))
    return Exported(tuple(files), len(valid), recording.anonymised)


def told_of(recording: Recording) -> str:
    """Count the groups that are valid, in words, and by which rules the others are not."""
    found = counts(recording)
    reasons = ", ".join(f"{count} {rule}" for rule, count in found["groups_left_out_by"].items())
    return f"{found['groups_valid']} of {found['groups']} groups are valid{f' ({reasons})' if reasons else ''}"


def study_facts(recording: Recording) -> dict[str, Any]:
    """Collect what a reader has to know of a study: its settings, versions, digests, and how many people came."""
    row, study = recording.row, recording.study
    return {
        "study_hash": row.study_hash,
        "config": study.config.model_dump(mode="json"),
        "digests": study.digests,
        "versions": {"begun": row.version, "exported": version("lawgiver")},
        "counts": counts(recording),
    }


def _write_csv(path: Path, lines: Iterable[Line], mode: int = 0o666) -> Path:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    write_text(path, text.getvalue(), mode)
    return path
