"""Step sizes of two-timescale stochastic approximation, and the conditions under which it converges.

Participants take steps a_n, the mechanism steps b_n, and where the mechanism's gradient is estimated from welfare
at perturbed coefficients, the perturbations have radius rho_n. The participants converge as if the mechanism stood
still, and the mechanism as if they were always in equilibrium, if (Borkar, Stochastic Approximation: A Dynamical
Systems Viewpoint, chapter 6)

    sum a_n = sum b_n = inf,    sum a_n^2 + b_n^2 < inf,    b_n / a_n -> 0.

A radius that stays constant leaves the mechanism at a maximum of the smoothed welfare. One that shrinks removes that
bias, which is of the order of rho_n, but the estimate's variance grows as 1 / rho_n^2, hence

    sum (b_n / rho_n)^2 < inf,    sum b_n rho_n < inf.

All schedules are powers of n, so that each condition is an inequality between exponents.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lawgiver.envs.core.errors import ParameterError, choice
from lawgiver.trainers.settings.base import Settings

TIMESCALES = ("two_timescale", "matched", "reversed")
Timescale = Literal["two_timescale", "matched", "reversed"]
"""How the mechanism moves beside the participants: ever more slowly, in proportion, or (an ablation) ever faster."""

ROUNDING = 1e-9
"""Exponents nearer than this count as equal, so that 0.8 and 0.2 do add up to 1."""


class Schedule(Settings):
    """The step size ``initial * n**-exponent`` of update n = 1, 2, ..."""

    initial: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """Of the first update."""
    exponent: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """How fast it falls; 0 keeps it constant."""

    def at(self, n: int) -> float:
        """Compute the step size of update ``n``, counted from 1."""
        return float(self.initial * n**-self.exponent)


def check_timescales(
    timescale: Timescale, agents: Schedule, mechanism: Schedule, radius: Schedule | None = None
) -> None:
    """Refuse step sizes that violate the conditions of this module.

    Args:
        timescale: which of the two is to move more slowly in the long run. Only ``two_timescale`` has the guarantee;
            ``matched`` (b_n / a_n constant) and ``reversed`` (b_n / a_n -> inf) are there to be compared with it.
        agents: the participants' steps a_n.
        mechanism: the mechanism's steps b_n.
        radius: of the perturbations, rho_n; None where there are none.

    Raises:
        ParameterError: naming the config's key, the condition and the exponents that are allowed.
    """
    choice("trainer.timescale", timescale, TIMESCALES)
    keys = {"trainer.agents_step.exponent": agents.exponent, "trainer.mechanism_step.exponent": mechanism.exponent}
    (fast_key, fast), (slow_key, slow) = keys.items() if timescale != "reversed" else reversed(keys.items())
    for key, exponent in keys.items():
        # The slower one needs room above the faster one.
        interval = "(0.5, 1)" if key == fast_key and timescale != "matched" else "(0.5, 1]"
        if exponent <= 0.5 or exponent > 1 or (interval[-1] == ")" and exponent == 1):
            raise ParameterError(
                f"{key} is {exponent:g}, but the steps have to add up to infinity and their squares must not: "
                f"allowed: a number in {interval} (trainer.timescale {timescale})"
            )
    if timescale == "matched" and abs(slow - fast) > ROUNDING:
        raise ParameterError(
            f"{slow_key} is {slow:g}, but under trainer.timescale matched both steps fall equally fast: "
            f"allowed: {fast:g}, as {fast_key}"
        )
    if timescale != "matched" and slow <= fast + ROUNDING:
        ratio = "mechanism's steps have to vanish beside the participants'"
        if timescale == "reversed":
            ratio = "participants' steps have to vanish beside the mechanism's"
        raise ParameterError(
            f"{slow_key} is {slow:g}, but under trainer.timescale {timescale} the {ratio}: allowed: a number in "
            f"({fast:g}, 1], above {fast_key}; other relations are trainer.timescale "
            f"{' and '.join(name for name in TIMESCALES if name != timescale)}"
        )
    if radius is not None:
        _check_radius(mechanism.exponent, radius.exponent)


def _check_radius(step: float, radius: float) -> None:
    """Refuse a radius that shrinks so fast that noise takes over, or so slowly that its bias adds up."""
    if radius == 0 or (2 * (step - radius) > 1 + ROUNDING and step + radius > 1 + ROUNDING):
        return
    among = f"0 (constant), or a number in ({1 - step:g}, {step - 0.5:g})"
    if step <= 0.75 + ROUNDING:
        among = f"0 (constant); one that shrinks needs trainer.mechanism_step.exponent above 0.75, which is {step:g}"
    raise ParameterError(
        f"trainer.radius.exponent is {radius:g}, but (mechanism step / radius)^2 and mechanism step * radius have to "
        f"have finite sums where the radius shrinks: allowed: {among}"
    )
