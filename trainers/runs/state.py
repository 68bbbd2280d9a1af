"""State of a training in a checkpoint: JSON for the structure, safetensors for the arrays.

Neither format can hold code. ``state.json`` holds numbers, strings and null as they are,
lists as lists, and everything else as an object of one key that says what it is: ``{"dict": [[key, value], ...]}``,
``{"tuple": [...]}``, and by its name in ``state.safetensors`` ``{"array": name}`` for an array of NumPy, ``{"scalar":
name}`` for one of its scalars and ``{"tensor": name}`` for a tensor of torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.files.json_text import to_json
from lawgiver.envs.files.reading import open_regular, read_json
from lawgiver.trainers.runs.atomic_files import LARGEST_WEIGHTS, RunError
from lawgiver.trainers.runs.config_errors import one_line

STRUCTURE, ARRAYS = "state.json", "state.safetensors"
"""The files of a checkpoint."""


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Write a state of None, bools, numbers, strings, lists, tuples, dicts, arrays and tensors into a folder.

    Raises:
        TypeError: if anything else is in it.
    """
    arrays: dict[str, np.ndarray] = {}
    text = to_json(_written(dict(state), arrays))
    save_file(arrays, folder / ARRAYS)
    (folder / STRUCTURE).write_text(text + "\n", encoding="utf-8")


@contextmanager
def restoring(folder: Path) -> Iterator[dict[str, Any]]:
    """Read the state in a checkpoint's folder; errors of the ``with`` body become a RunError of one line.

    Raises:
        RunError: if there is none, it is damaged, or it is not that of this training.
    """
    if not (folder / STRUCTURE).exists():
        raise RunError(
            f"{folder} has no {STRUCTURE}: earlier versions kept checkpoints in a format that can run code when it is"
            " read, and such a training cannot be continued; what a finished run has learned can still be used"
        )
    try:
        yield _load(folder)
    except LawgiverError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError) as error:
        kind = type(error).__name__
        raise RunError(f"{folder} does not hold a state of this training: {kind}: {one_line(error)}") from error


def _load(folder: Path) -> dict[str, Any]:
    try:
        open_regular(folder / ARRAYS, LARGEST_WEIGHTS).close()
        state = _read(read_json(folder / STRUCTURE), load_file(folder / ARRAYS))
        if not isinstance(state, dict):
            raise ValueError("the state is no dict")
    except (OSError, SafetensorError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise RunError(f"{folder} is damaged: {one_line(error) or type(error).__name__}") from error
    return state


def _written(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Reduce a value to JSON; its arrays go into ``arrays``."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, list):
        return [_written(item, arrays) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [_written(item, arrays) for item in value]}
    if isinstance(value, Mapping):
        return {"dict": [[_written(key, arrays), _written(item, arrays)] for key, item in value.items()]}
    kinds = {"tensor": torch.Tensor, "array": np.ndarray, "scalar": np.generic}
    kind = next((name for name, of in kinds.items() if isinstance(value, of)), None)
    array = value.detach().cpu().numpy() if kind == "tensor" else np.asarray(value)
    if kind is None or array.dtype.kind not in "biuf":
        raise TypeError(f"a state cannot hold {value!r}, of {type(value).__name__}")
    name = str(len(arrays))
    arrays[name] = np.array(array, order="C")
    return {kind: name}


def _read(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_read(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tuple":
        return tuple(_read(item, arrays) for item in content)
    if kind == "dict":
        return {_read(key, arrays): _read(item, arrays) for key, item in content}
    array = arrays[content].copy()
    return {"array": array, "scalar": array[()], "tensor": torch.from_numpy(array)}[kind]
