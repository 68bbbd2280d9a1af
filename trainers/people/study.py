"""A study with real people: its YAML file, and everything that is made of it before anybody comes.

Paths in the file are those of files and folders beside it.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.agents.learned import LearnedPolicy
from lawgiver.envs.core.checks import check_policy
from lawgiver.envs.core.errors import ParameterError, UnknownNameError, UnsupportedGameError, choice
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import is_folder, make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.registry import ROLES, names
from lawgiver.envs.core.wording import Wording, require_participants
from lawgiver.envs.files.json_text import to_json
from lawgiver.trainers.people.play import label_of
from lawgiver.trainers.people.settings import PLACEHOLDER, PolicyGiven, StudyConfig, check_together
from lawgiver.trainers.people.setup import Dropouts, Setup
from lawgiver.trainers.people.texts import Texts, read_texts
from lawgiver.trainers.runs.config import checked, read_mapping

MOST_PERMUTED = 3
"""Up to so many mechanisms are played in all orders; more, in as many as there are mechanisms, each first once."""


@dataclass(frozen=True)
class Study:
    """A study that can be served.

    Attributes:
        config: its settings.
        game: what people play.
        mechanisms: by label, in the order of the settings; one that is played twice is there once.
        digests: SHA-256 of each mechanism's settings and weights, by label.
        autoplay: decides for people who do not.
        others: the policy in seats that no person has; None if people have all.
        practice: the mechanism of the practice; None where there is none, or the game has none.
        conditions: names of the openings among which groups are spread.
        wording: the game's words.
        texts: those of the study.
        path: of its file.
    """

    config: StudyConfig
    game: Game[Any]
    mechanisms: dict[str, Policy]
    digests: dict[str, str]
    autoplay: Policy
    others: Policy | None
    practice: Policy | None
    conditions: tuple[str, ...]
    wording: Wording
    texts: Texts
    path: Path

    @cached_property
    def orders(self) -> tuple[tuple[str, ...], ...]:
        """The orders of play among which groups are spread, each of labels of mechanisms.

        One mechanism is played twice. Several are played in all orders, if they are ``counterbalanced`` and no more
        than three, of more in rotations; or in the order of the settings. A game without mechanisms has one order,
        which is empty.
        """
        given = tuple(label_of(each) for each in self.config.mechanisms)
        if len(given) < 2:
            return (given * 2,)
        if self.config.order == "fixed":
            return (given,)
        if len(given) <= MOST_PERMUTED:
            return tuple(itertools.permutations(given))
        return tuple(given[first:] + given[:first] for first in range(len(given)))

    def setup(self, seed: int, condition: str, order: tuple[str, ...], seats: tuple[int, ...]) -> Setup:
        """Make the settings of a group.

        Args:
            seed: of everything that is drawn in it.
            condition: one of ``conditions``.
            order: one of ``orders``.
            seats: of its people, in ascending order.
        """
        return Setup(
            game=self.game,
            mechanisms=tuple(self.mechanisms[label] for label in order),
            autoplay=self.autoplay,
            seed=seed,
            seats=seats,
            others=self.others,
            condition=condition,
            third_game=self.config.third_game,
            dropouts=Dropouts(**self.config.dropout.model_dump()),
            language=self.texts.language,
        )

    @property
    def database(self) -> Path | str:
        """The file of the database, or its address."""
        given = self.config.database
        return given if "://" in given else self.path.parent / given

    def code(self, end: str) -> str | None:
        """Return the completion code for how somebody ended; None if there is none."""
        codes = None if self.config.prolific is None else self.config.prolific.codes
        return getattr(codes, end, None)

    def as_data(self) -> dict[str, Any]:
        """Write the study as plain data: settings but for the database, digests of mechanisms, and its texts."""
        programs: dict[str, object] = {
            "autoplay": self.autoplay,
            "others": self.others,
            "practice.mechanism": self.practice,
        }
        learned = {key: digest(policy) for key, policy in programs.items() if isinstance(policy, LearnedPolicy)}
        return {
            **self.config.model_dump(mode="json", exclude={"database"}),
            "digests": {**self.digests, **learned},
            "sources": self.texts.sources,
        }

    @cached_property
    def study_hash(self) -> str:
        """SHA-256 of everything that may not change once the study has begun: all but database, groups, contact."""
        data = self.as_data()
        del data["groups"], data["texts"]["contact"]
        return hashlib.sha256(to_json(data).encode()).hexdigest()

    def placeholders(self) -> tuple[str, ...]:
        """Name the settings and texts that still have to be written before anybody comes."""
        found = {"texts.title": self.texts.title, "texts.contact": self.texts.contact}
        found |= {f"texts.{name}": text for name, text in self.texts.sources.items()}
        if self.config.access == "prolific" and self.config.prolific is not None:
            found |= {f"prolific.codes.{end}": code for end, code in self.config.prolific.codes}
        return tuple(name for name, text in found.items() if PLACEHOLDER in text)


def read_study(path: str | os.PathLike[str]) -> Study:
    """Read a study, and make everything that it names.

    Args:
        path: of its YAML file.

    Raises:
        ParameterError: if a setting is unknown, missing or wrong, or a file cannot be read.
        UnsupportedGameError: if people cannot play the game, or a policy does not fit it.
        LawgiverError: if a policy cannot be made.
    """
    file = Path(path)
    return make_study(checked(StudyConfig, read_mapping(file, StudyConfig)), file)


def make_study(config: StudyConfig, file: Path) -> Study:
    """Make everything that the settings of a study name.

    Args:
        config: the settings.
        file: that they are of; their paths begin in its folder.

    Raises:
        LawgiverError: as :func:`read_study` does.
    """
    check_together(config)
    folder = file.parent
    texts = read_texts(config.texts, folder)
    game = config.game.make()
    _check_people(config, game)
    choice("texts.language", config.texts.language, game.languages)
    mechanisms = {
        label_of(given): _made(game, "mechanism", given, folder, f"mechanisms.{place}")
        for place, given in enumerate(config.mechanisms)
    }
    practised = config.practice.rounds > 0 and "mechanism" in game.roles
    given = config.practice.mechanism
    practice = _made(game, "mechanism", given, folder, "practice.mechanism") if practised else None
    others = None if config.others is None else _made(game, "participant", config.others, folder, "others")
    study = Study(
        config=config,
        game=game,
        mechanisms=mechanisms,
        digests={label_of(given): _digest_of(mechanisms[label_of(given)], given) for given in config.mechanisms},
        autoplay=_made(game, "participant", config.autoplay, folder, "autoplay"),
        others=others,
        practice=practice,
        conditions=tuple(game.initial_states_by_condition(1, np.random.default_rng(0))),
        wording=game.wording(config.texts.language),
        texts=texts,
        path=file,
    )
    study.setup(0, study.conditions[0], study.orders[0], tuple(range(config.people)))
    return study


def _check_people(config: StudyConfig, game: Game[Any]) -> None:
    """Check that people can play the game, in so many seats, under so many mechanisms."""
    require_participants(game)
    count = game.roles["participant"]
    if config.people > count:
        raise ParameterError(f"people is {config.people}, allowed: up to {count}, the participants of {game.name}")
    if config.people < count and config.others is None:
        raise ParameterError(
            f"others is missing: people have {config.people} of {count} seats, allowed: a policy of the rest"
        )
    labels = [label_of(given) for given in config.mechanisms]
    twice = next((label for place, label in enumerate(labels) if label in labels[:place]), None)
    if twice is not None and config.order == "counterbalanced":
        raise ParameterError(f"mechanisms have {twice!r} twice, allowed: each once, or order: fixed")
    if "mechanism" in game.roles and not labels:
        raise ParameterError(f"mechanisms is empty, allowed: one or more of {game.name}")


def _made(game: Game[Any], role: str, given: PolicyGiven, folder: Path, key: str) -> Policy:
    """Make a policy, whose folder may be beside the study; an error names its key."""
    try:
        made = make_policy(game, role, placed(given, role, folder))
        check_policy(game, role, made)
    except (ParameterError, UnknownNameError, UnsupportedGameError) as error:
        raise type(error)(f"{key}: {error}") from error
    return made


def placed(given: PolicyGiven, role: str, folder: Path) -> PolicyGiven:
    """Replace the name of a folder beside the study by its path."""
    if isinstance(given, Mapping):
        inner = given.get("policy")
        return {**given, "policy": placed(inner, role, folder)} if isinstance(inner, str) else given
    beside = folder / given
    return str(beside) if given not in names(ROLES[role]) and ("/" in given or is_folder(beside)) else given


def digest(policy: LearnedPolicy) -> str:
    """Compute the SHA-256 of a learned policy's kind, settings and arrays."""
    found = hashlib.sha256(to_json({"kind": policy.kind, "settings": policy.settings}).encode())
    for name, array in sorted(policy.state().items()):
        plain = np.ascontiguousarray(array)
        found.update(f"{name} {plain.dtype.str} {plain.shape}\n".encode())
        found.update(plain.tobytes())
    return found.hexdigest()


def _digest_of(policy: Policy, given: PolicyGiven) -> str:
    """Compute the SHA-256 of a learned policy; of another, that of its settings."""
    if isinstance(policy, LearnedPolicy):
        return digest(policy)
    named = {"policy": given} if isinstance(given, str) else given
    return hashlib.sha256(to_json(named).encode()).hexdigest()
