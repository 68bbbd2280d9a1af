"""The files with which a new study begins."""

from __future__ import annotations

import os
from pathlib import Path

from lawgiver.envs.core.errors import ParameterError
from lawgiver.trainers.runs.atomic_files import writing

TEMPLATE = Path(__file__).with_name("template")
STUDY = "study.yaml"


def write_new(path: str | os.PathLike[str]) -> list[Path]:
    """Write a commented study and its texts, which can be checked at once, and served on this machine.

    Args:
        path: of the study's YAML file; the texts are written beside it, and the database is named after it.

    Returns:
        the files.

    Raises:
        ParameterError: if one of them is there already; nothing is written then.
        RunError: if they cannot be written.
    """
    study = Path(path)
    if not study.stem or study.suffix not in (".yaml", ".yml"):
        raise ParameterError(f"FILE is {str(study)!r}, allowed: a name that ends with .yaml")
    sources = sorted(TEMPLATE.iterdir(), key=lambda each: (each.name != STUDY, each.name))
    files = {study if each.name == STUDY else study.with_name(each.name): each for each in sources}
    taken = next((file for file in files if os.path.lexists(file)), None)
    if taken is not None:
        raise ParameterError(
            f"{taken} is there already, allowed: a name in a folder where there is none of these files"
        )
    with writing(study):
        study.parent.mkdir(parents=True, exist_ok=True)
        for file, source in files.items():
            text = source.read_text(encoding="utf-8")
            if source.name == STUDY:
                text = text.replace("study.sqlite", f"{study.stem}.sqlite")
            with file.open("x", encoding="utf-8") as stream:
                stream.write(text)
    return list(files)
