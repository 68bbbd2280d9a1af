"""Every mechanism optimiser by its name."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from lawgiver.envs.core.errors import UnknownNameError, allowed
from lawgiver.envs.core.make import call_with
from lawgiver.envs.core.registry import extras
from lawgiver.trainers.mechanism_design.optimisers.base import Fixed, Optimiser
from lawgiver.trainers.mechanism_design.optimisers.implicit_gradient import ImplicitGradient
from lawgiver.trainers.mechanism_design.optimisers.perturbations import OnePoint, ScoreFunction, TwoPoint
from lawgiver.trainers.mechanism_design.optimisers.schedules import Schedule

OptimiserName = Literal["one_point", "two_point", "score_function", "implicit_gradient", "bayesian", "fixed"]
"""What :func:`make_optimiser` knows."""


def make_optimiser(
    name: OptimiserName,
    *,
    low: ArrayLike,
    high: ArrayLike,
    start: ArrayLike,
    step: Schedule,
    radius: Schedule,
    **options: Any,
) -> Optimiser:
    """Make an optimiser by name.

    Args:
        name: ``one_point``, ``two_point``, ``score_function``, ``implicit_gradient``, ``bayesian`` or ``fixed``.
        low: lower ends of the box, (D,).
        high: upper ends, (D,).
        start: coefficients to begin with, (D,).
        step: the mechanism's steps; in half widths of the box for ``implicit_gradient``, not used by the last two.
        radius: of the perturbations, in coefficients; not used by the last three.
        options: ``draws`` of ``score_function``.

    Raises:
        UnknownNameError: if there is no such optimiser.
        MissingExtraError: if ``bayesian`` is not installed.
        ParameterError: if the box, the start, the radius or an option is not allowed.
    """
    if name not in get_args(OptimiserName):
        raise UnknownNameError(f"unknown optimiser {name!r}: {allowed(str(name), get_args(OptimiserName))}")
    box = {"low": np.asarray(low), "high": np.asarray(high), "start": np.asarray(start)}
    made: Optimiser = call_with(_kind(name), f"optimiser {name!r}", **box, step=step, radius=radius, **options)
    return made


def _kind(name: OptimiserName) -> type[Optimiser]:
    if name == "bayesian":
        with extras("optimiser 'bayesian'"):
            from lawgiver.trainers.mechanism_design.optimisers.bayesian import Bayesian  # needs its extra

            return Bayesian
    return {
        "one_point": OnePoint,
        "two_point": TwoPoint,
        "score_function": ScoreFunction,
        "implicit_gradient": ImplicitGradient,
        "fixed": Fixed,
    }[name]
