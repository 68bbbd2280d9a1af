"""Search spaces: keys of a config with ranges in place of values, ``agents.mechanism.lr=loguniform(1e-4,1e-1)``.

The values of every trial are drawn before anything is trained, so that a search that is interrupted continues with the
trials that it began with, and one that is prolonged keeps its first ones.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from lawgiver.envs.core.errors import ParameterError, brief
from lawgiver.trainers.runs.yaml_text import parse_yaml
from lawgiver.trainers.statistics.streams import TUNING

FORMS = {
    "loguniform": "loguniform(a, b) with 0 < a < b",
    "uniform": "uniform(a, b) with a < b",
    "randint": "randint(a, b) with integers a < b, b excluded",
    "choice": "choice(a, b, ...)",
    "grid": "grid(a, b, ...)",
}
"""Notation of each range, by its name."""
CALL = re.compile(r"\s*([A-Za-z_]\w*)\((.*)\)\s*", re.DOTALL)


@dataclass(frozen=True)
class Range:
    """Values that a key of a config may take.

    Attributes:
        kind: a name of :data:`FORMS`.
        arguments: two ends, or the values of ``choice`` and ``grid``.
        text: as it was given.
    """

    kind: str
    arguments: tuple[Any, ...]
    text: str

    def draw(self, rng: np.random.Generator) -> Any:
        """Draw a value, plain data, of any range but a grid."""
        if self.kind == "choice":
            return self.arguments[rng.integers(len(self.arguments))]
        low, high = self.arguments
        if self.kind == "randint":
            return int(rng.integers(low, high))
        if self.kind == "uniform":
            return float(rng.uniform(low, high))
        return min(max(math.exp(rng.uniform(math.log(low), math.log(high))), low), high)


def is_range(value: Any) -> bool:
    """Check whether a value of an override is written as a range, whatever its name."""
    return isinstance(value, str) and CALL.fullmatch(value) is not None


def read_range(key: str, text: str) -> Range:
    """Read a range; its arguments are YAML, and nothing in it is run.

    Args:
        key: that it is given for, named in errors.
        text: such as ``loguniform(1e-4, 1e-1)``.

    Raises:
        ParameterError: naming the key, the text and what is allowed.
    """
    call = CALL.fullmatch(text)
    kind = call[1] if call else ""
    if call is None or kind not in FORMS:
        raise ParameterError(f"{key} is {brief(text)}, allowed: {'; '.join(FORMS.values())}")
    try:
        arguments = parse_yaml(f"[{call[2]}]")
    except yaml.YAMLError:
        arguments = None
    if not isinstance(arguments, list) or not _fit(kind, arguments):
        raise ParameterError(f"{key} is {brief(text)}, allowed: {FORMS[kind]}")
    return Range(kind, tuple(arguments), text.strip())


def _fit(kind: str, arguments: Sequence[Any]) -> bool:
    """Check the arguments of a kind of range."""
    if kind in ("choice", "grid"):
        return len(arguments) > 0
    numbers = (int,) if kind == "randint" else (int, float)
    if len(arguments) != 2 or any(type(each) not in numbers or not math.isfinite(each) for each in arguments):
        return False
    low, high = arguments
    return low < high and (kind != "loguniform" or low > 0)


def draw_trials(space: Mapping[str, Range], samples: int, seed: int) -> list[dict[str, Any]]:
    """Draw the values of all trials: ``samples`` for each point of the grids, by key.

    Trial ``k`` is the same for every number of samples.

    Args:
        space: ranges by key.
        samples: >= 1.
        seed: of the draws, >= 0.
    """
    grids = [key for key, each in space.items() if each.kind == "grid"]
    points = list(itertools.product(*(space[key].arguments for key in grids)))
    trials: list[dict[str, Any]] = []
    for sample, point in itertools.product(range(samples), points):
        rng = np.random.default_rng((TUNING, seed, sample, len(trials)))
        fixed = dict(zip(grids, point, strict=True))
        trials.append({key: fixed[key] if key in fixed else each.draw(rng) for key, each in space.items()})
    return trials
