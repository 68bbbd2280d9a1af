"""Learned policies, saved in a folder: policy.json and weights.safetensors.

The class of a policy is found by its ``kind`` in the entry-point group ``lawgiver.policies``, called with the game and
the settings of policy.json, and given back its arrays. Neither file can hold anything that is executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from lawgiver.envs.core.errors import LawgiverError, ParameterError, PluginError, UnknownNameError, brief
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.registry import PACKAGES, POLICY_KINDS, entry, extras, lookup, require_extras
from lawgiver.envs.files.json_text import to_json
from lawgiver.envs.files.reading import open_regular, read_json

FORMAT = 1
DESCRIPTION, WEIGHTS = "policy.json", "weights.safetensors"
"""The files of a saved policy."""


class PolicyFileError(LawgiverError):
    """A saved policy is missing, corrupt, of another format, or of a kind that no installed package declares."""


@runtime_checkable
class LearnedPolicy(Protocol):
    """A policy (or voters) that can be saved: settings from which it is built again, and the arrays it has learned.

    Its class is declared in the entry-point group ``lawgiver.policies`` under ``kind``, and is called as
    ``cls(game, **settings)``. A mechanism that plays its game in ``announce`` and in ``allocate`` mode alike says so by
    a class attribute ``either_mode = True``; one that plays with other numbers of agents than it has learned with, by
    ``any_size = True``; one whose rule has parameters other than its action names them in a method
    ``rule_parameters() -> dict[str, float | int]``.

    Attributes:
        kind: name of the class in the entry-point group.
        role: ``mechanism``, ``participant`` or ``voters``.
        settings: keyword arguments of the class, which JSON can hold.
    """

    kind: ClassVar[str]
    role: ClassVar[str]
    settings: dict[str, Any]

    def state(self) -> Mapping[str, np.ndarray]:
        """Return the learned arrays by name."""

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over arrays of :meth:`state`.

        Raises:
            ValueError or RuntimeError: if names or shapes are others.
        """


def fill(own: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray]) -> None:
    """Copy arrays into those of the same names and shapes.

    Raises:
        ValueError: if names or shapes differ.
    """
    wanted, given = ({name: np.shape(array) for name, array in some.items()} for some in (own, arrays))
    if wanted != given:
        raise ValueError(f"arrays of shapes {wanted} are needed, not {given}")
    for name, array in own.items():
        array[...] = arrays[name]


def save_policy(folder: Path, policy: LearnedPolicy) -> None:
    """Write the description and the arrays of a policy into ``folder``, which is made.

    Raises:
        ParameterError: if it is no learned policy.
        MissingExtraError: if safetensors is not installed.
    """
    if isinstance(policy, type) or not isinstance(policy, LearnedPolicy):
        raise ParameterError(
            f"the policy to be saved is {brief(policy)}, allowed: one with kind, role, settings, state() and restore()"
        )
    with extras("saving a policy", "torch"):
        from safetensors.numpy import save_file
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.array(array, order="C") for name, array in policy.state().items()}, folder / WEIGHTS)
    description = {"format": FORMAT, "kind": policy.kind, "settings": policy.settings}
    (folder / DESCRIPTION).write_text(to_json(description, indent=2) + "\n", encoding="utf-8")


def load_policy(folder: Path, game: Game[Any], role: str | None = None) -> Any:
    """Load the policy saved in ``folder``, to play ``game``.

    Args:
        folder: folder written by :func:`save_policy`.
        game: the game.
        role: ``mechanism``, ``participant`` or ``voters``; None for whichever it is.

    Raises:
        PolicyFileError: if a file is missing, corrupt or of another format, or holds a policy of another role, of a
            kind that is not installed, or weights for another game.
        UnsupportedGameError: if a policy of this kind does not apply to the game.
        ParameterError: if its settings do not.
        MissingExtraError: if a package is not installed that it needs.
        PluginError: if the class of its kind cannot be imported, or is none.
    """
    made, settings = saved_class(folder)
    if role not in (None, made.role):
        raise PolicyFileError(
            f"{folder / DESCRIPTION} is of kind {made.kind!r} for the role {made.role!r}, not {role!r}"
        )
    with extras(f"the learned policy in {folder}", "torch"):
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
    weights = folder / WEIGHTS
    try:
        policy = made(game, **settings)
        open_regular(weights).close()  # a FIFO would wait for ever
        policy.restore(load_file(weights))
    except LawgiverError:
        raise
    except (SafetensorError, RuntimeError, TypeError, ValueError, KeyError, OSError) as error:  # corrupt, other shapes
        raise PolicyFileError(f"{weights} does not fit {game.name} with these parameters: {error}") from error
    return policy


def saved_class(folder: Path) -> tuple[Any, dict[str, Any]]:
    """Return the class of the policy saved in ``folder``, and its settings.

    Raises:
        PolicyFileError, MissingExtraError, PluginError: as :func:`load_policy`.
    """
    path = folder / DESCRIPTION
    kind, settings = _description(path)
    try:
        needed = entry(POLICY_KINDS, kind).extras
    except UnknownNameError as error:
        raise PolicyFileError(
            f"{path} holds a policy of a kind that no installed package declares under {POLICY_KINDS!r}: {error}"
        ) from error
    require_extras(f"the learned policy in {folder}", *(extra for extra in needed if extra in PACKAGES))
    made = lookup(POLICY_KINDS, kind)
    if not isinstance(made, type) or not all(hasattr(made, name) for name in ("kind", "role", "state", "restore")):
        raise PluginError(
            f"what is declared as {kind!r} under {POLICY_KINDS!r} is {brief(made)}, allowed: a class of learned"
            " policies"
        )
    return made, settings


def _description(path: Path) -> tuple[str, dict[str, Any]]:
    """Read the kind and the settings of a saved policy."""
    try:
        description = read_json(path)
        kind, settings, version = description["kind"], description["settings"], description["format"]
    except FileNotFoundError:
        raise PolicyFileError(f"{path} is missing: no policy is kept there") from None
    except OSError as error:
        raise PolicyFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise PolicyFileError(f"{path} is corrupt: {error}") from error
    if not isinstance(kind, str) or not isinstance(settings, dict):
        raise PolicyFileError(f"{path} is corrupt: kind has to be a string, and settings a mapping")
    if version != FORMAT:
        raise PolicyFileError(f"{path} has format {version!r}, allowed: {FORMAT}")
    return kind, settings
