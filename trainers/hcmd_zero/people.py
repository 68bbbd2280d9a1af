"""The Acquire step with real people: a study in the run's folder, which is served until enough groups are valid."""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lawgiver.agents.learned import LearnedPolicy, save_policy
from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.registry import require_extras
from lawgiver.trainers.elections.records.records import Records
from lawgiver.trainers.runs.atomic_files import RunError, WaitingError, read_manifest, write_folder, write_text
from lawgiver.trainers.runs.config import checked, read_mapping
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.yaml_text import write_yaml

if TYPE_CHECKING:
    from lawgiver.trainers.people.group import Group
    from lawgiver.trainers.people.recorded import Recording
    from lawgiver.trainers.people.study import Study

STUDY, DATABASE, MECHANISM = "study.yaml", "study.sqlite", "mechanism"
"""Files and folder of a study in a run."""
SET_HERE = ("game", "mechanisms", "groups", "seed")
"""Keys of a study that the loop sets."""
POLL_S = 10.0
"""Pause between two looks for new groups."""
LEAST = 2
"""Fewest groups that an iteration can go on with."""
EPISODES = 2
"""Games that people play before the vote, both under the same mechanism."""
_LOGGER = logging.getLogger("lawgiver")


def study_of_people(
    file: Path, game: Mapping[str, Any], groups: int, seed: int, mechanism: str | Mapping[str, Any]
) -> Study:
    """Make the study of an iteration.

    Args:
        file: the user's settings of it, all but the keys ``SET_HERE``.
        game: name and parameters.
        groups: valid ones that are wanted.
        seed: of everything that is drawn.
        mechanism: under which people play, twice.

    Raises:
        ParameterError: if the file says what is set here, or is wrong.
        LawgiverError: if people cannot play in this way.
    """
    require_extras("trainer.acquire.people", "people")
    from lawgiver.trainers.people.settings import StudyConfig
    from lawgiver.trainers.people.study import make_study

    given = read_mapping(file)
    wrong = next((key for key in SET_HERE if key in given), None)
    if wrong is not None:
        told = f"allowed in trainer.acquire.people: all keys of a study but {', '.join(SET_HERE)}, which the loop sets"
        raise ParameterError(f"{file} has {wrong!r}, {told}")
    if given.get("database", DATABASE) != DATABASE:
        raise ParameterError(f"{file}: database is {given['database']!r}, allowed: {DATABASE}, in the run's folder")
    own = {"game": dict(game), "mechanisms": [mechanism], "groups": groups, "seed": seed}
    return make_study(checked(StudyConfig, {**given, **own}), file)


def write_study(folder: Path, study: Study, mechanism: LearnedPolicy) -> None:
    """Write a study into a folder of its own, with its texts and its mechanism.

    Args:
        folder: to be made.
        study: from :func:`study_of_people`, under any mechanism.
        mechanism: under which people play.

    Raises:
        RunError: if it cannot be written.
    """
    from lawgiver.trainers.people.study import placed

    config, beside = study.config, study.path.parent.absolute()
    data = config.model_dump(mode="json") | {"mechanisms": [MECHANISM], "database": DATABASE}
    data["autoplay"] = placed(config.autoplay, "participant", beside)
    data["others"] = None if config.others is None else placed(config.others, "participant", beside)
    data["practice"]["mechanism"] = placed(config.practice.mechanism, "mechanism", beside)
    data["texts"] |= {name: f"{name}.md" for name in study.texts.sources}

    def write(inner: Path) -> None:
        save_policy(inner / MECHANISM, mechanism)
        for name, text in study.texts.sources.items():
            write_text(inner / f"{name}.md", text)
        write_text(inner / STUDY, write_yaml(data))

    write_folder(folder, write)


def collect(run: Path, iteration: int, folder: Path, needed: int, wait: bool) -> tuple[Records, dict[str, Any]]:
    """Collect what people did in the study of an iteration.

    Args:
        run: the run's folder.
        iteration: number of the iteration, from 1.
        folder: of the study, from :func:`write_study`.
        needed: number of valid groups.
        wait: whether to look again every ``POLL_S`` seconds until there are so many.

    Returns:
        the records of all valid groups, and the facts of the study that a summary keeps.

    Raises:
        WaitingError: if the study has not been served yet.
        RunError: if there are fewer valid groups, or a file of the study has changed.
    """
    from lawgiver.trainers.people.behaviour_tables import people_records
    from lawgiver.trainers.people.export import told_of
    from lawgiver.trainers.people.study import read_study

    read_manifest(folder)
    study, place = read_study(folder / STUDY), shlex.quote(str(run))
    serve = f"lawgiver experiment serve {place}"
    if wait and _ended(study) < needed:
        _LOGGER.info(f"iteration {iteration} waits for {needed} groups: {serve}")
    found = _recording(study, needed if wait else 0)
    while wait and (found is None or len(_valid(found)) < needed):
        time.sleep(POLL_S)
        found = _recording(study, needed)
    resume = f"lawgiver train --resume {place}"
    if found is None:
        raise WaitingError(f"iteration {iteration} waits for {needed} groups: {serve}, then {resume}")
    valid = _valid(found)
    if len(valid) < needed:
        enough = f", or {resume} trainer.acquire.enough={len(valid)}" if len(valid) >= LEAST else ""
        told = f"{told_of(found)}, allowed: {needed} valid ones or more"
        raise RunError(f"iteration {iteration}: {told}; go on with {serve}, then {resume}{enough}")
    return people_records(valid, EPISODES), {"study_hash": study.study_hash, "groups_begun": len(found.groups)}


def waiting_study(run: str | Path) -> Path:
    """Find the study of the iteration of a run that waits for people.

    Raises:
        RunError: if there is none.
    """
    for member in Run.open(run).members:
        for folder in member.path.glob("iterations/*/people"):
            if not (folder.parent / "acquire").exists():
                return folder / STUDY
    raise RunError(f"{run}: no iteration waits for people, allowed: a run of hcmd_zero with trainer.acquire.people")


def _ended(study: Study) -> int:
    """Count the groups that have ended, valid or not."""
    from lawgiver.trainers.people.store import reading, rows
    from lawgiver.trainers.people.tables import GRP

    if not Path(study.database).exists():
        return 0
    with reading(study.database) as engine:
        return sum(row.state == "ended" for row in rows(engine, GRP))


def _recording(study: Study, ended: int) -> Recording | None:
    """Read what was recorded, which takes a while; None before the study is served, or so many groups have ended."""
    from lawgiver.trainers.people.recorded import read_recording
    from lawgiver.trainers.people.store import reading

    if not Path(study.database).exists() or _ended(study) < ended:
        return None
    with reading(study.database) as engine:
        return read_recording(study, engine)


def _valid(recording: Recording) -> list[Group]:
    return [group.played for group in recording.groups if not recording.why_not(group)]
