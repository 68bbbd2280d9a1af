"""The participants' exact equilibrium in the subgame of a mechanism, and its scores.

In a symmetric logit equilibrium everybody responds to the aggregates z that these responses make:

    z = F(z),    F(z) = aggregates(response(w, z))

(:mod:`lawgiver.envs.solvers.equilibrium.fixed_point`). Where there are several, it is the one that learning from the
anchor converges to. Where the subgame is not coupled, one response is enough: it is a dominant strategy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.checks import check_policy
from lawgiver.envs.core.errors import NoSolution, UnsupportedGameError, number
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.registry import extras
from lawgiver.envs.solvers.equilibrium.fixed_point import Problem, fixed_points, iterate, newton
from lawgiver.envs.solvers.equilibrium.one_round import SOLVED, inexact, mean_outcome
from lawgiver.envs.solvers.equilibrium.prior import log_prior
from lawgiver.envs.solvers.equilibrium.subgame import RATIONAL, Subgame, checked_parameters, uniform_prior

if TYPE_CHECKING:
    from lawgiver.envs.families.mechanism_game import MechanismGame

GRID = 128
"""Mechanisms of the coarse search, about."""
CACHED = 2**16
"""Numbers in the tables of one slice: more would not fit into a processor's cache."""
ROUGH, NEAR = 60, 1e-3
"""Iterations in which the coarse search gets near an equilibrium, and the residual with which it is content."""
STARTS = 4
"""Best points of the coarse search from which the box is searched finely."""
NUDGE = 1e-6
"""Step of differences, as a share of the box."""


@dataclass(frozen=True)
class Equilibrium:
    """A fixed point of the responses.

    Attributes:
        log_policy: log-probabilities (..., T, S, A).
        aggregates: z, (..., m).
        residual: largest difference between z and the aggregates of the responses to z, relative to z.
    """

    log_policy: Array
    aggregates: Array
    residual: float

    @property
    def policy(self) -> Array:
        """Probabilities (..., T, S, A)."""
        return namespace(self.log_policy).exp(self.log_policy)


def prior_table(game: MechanismGame, anchor: Policy | None, parameters: np.ndarray) -> np.ndarray:
    """Return log pi_0 (T, S, A) under w (D,): the anchor's, floored, or uniform over the legal actions.

    Raises:
        ParameterError: if w is not as many finite numbers as the game has parameters.
        UnsupportedGameError: if there is an anchor, but participants do not choose among finitely many actions.
    """
    parameters, subgame = checked_parameters(game, parameters), game.subgame
    if anchor is None:
        return uniform_prior(subgame)
    if not isinstance(game.announcement_layout(), int):
        raise UnsupportedGameError(
            f"{game.name} has no exact equilibrium around an anchor where actions are a Box: allowed: no anchor, or "
            "finitely many actions (lanes: set n_moves)"
        )
    rounds, _, actions = subgame.shape
    seen = subgame.observations(parameters)
    legal = np.broadcast_to(subgame.legal(), (rounds, *subgame.shape[1:]))
    return np.asarray(log_prior(anchor, seen, legal, actions))


def solve(subgame: Subgame, parameters: Array, inverse_temperature: float, prior: Array) -> Equilibrium:
    """Return the logit equilibrium under w (..., D) that is reached from the prior (T, S, A).

    Aggregates are found on NumPy, whichever backend w is on.

    Raises:
        ParameterError: if w is not as many finite numbers as the game has parameters, or the inverse temperature is
            negative or not a number.
    """
    parameters = checked_parameters(subgame.game, parameters, batched=True)
    inverse_temperature = subgame.finite(number("inverse_temperature", inverse_temperature, "[0, inf]"))
    xp = namespace(parameters)
    start = subgame.aggregates(xp.exp(prior)) + xp.zeros_like(parameters[..., :1])
    if not subgame.coupled:
        response = subgame.log_response(parameters, start, inverse_temperature, prior)
        return Equilibrium(response, subgame.aggregates(xp.exp(response)), 0.0)
    problem = Problem(subgame, np.asarray(parameters, float), inverse_temperature, np.asarray(prior, float))
    found, residuals = fixed_points(problem, np.asarray(start, float))
    aggregates = constant(found, parameters)
    return Equilibrium(
        subgame.log_response(parameters, aggregates, inverse_temperature, prior), aggregates, float(residuals.max())
    )


# -- what a mechanism is worth --------------------------------------------------------------------------------------


def exact_scores(
    game: MechanismGame, mechanism: Policy, *, inverse_temperature: float, anchor: Policy | None = None
) -> dict[str, Any] | NoSolution:
    """Compute the scores of a mechanism in the participants' logit equilibrium under it.

    Returns:
        The game's own objectives a round, ``welfare`` among them, ``kl`` of a participant from its anchor in nats over
        the game, what :func:`lawgiver.envs.solvers.equilibrium.incentives.incentives` tells, and what the subgame tells
        of behaviour; :class:`NoSolution` where there is no equilibrium to score it in.
    """
    if anchor is not None:
        check_policy(game, "participant", anchor, distribution=True)
    parameters = announced(game, mechanism)
    return parameters if isinstance(parameters, NoSolution) else scores(game, parameters, inverse_temperature, anchor)


def announced(game: MechanismGame, mechanism: Policy) -> np.ndarray | NoSolution:
    """Return w (D,) that a mechanism announces; none where it is not one and the same each time."""
    check_policy(game, "mechanism", mechanism, distribution=True)
    state = game.initial_state(1, np.random.default_rng(0))
    return inexact(game, mechanism, state) or mean_parameters(game, mechanism)


def mean_parameters(game: MechanismGame, mechanism: Policy) -> np.ndarray:
    """Return w (D,) that a memoryless mechanism announces on average."""
    check_policy(game, "mechanism", mechanism, distribution=True)
    state = game.initial_state(1, np.random.default_rng(0))
    return np.asarray(np.asarray(mean_outcome(game, mechanism, state))[0])


def scores(
    game: MechanismGame, parameters: np.ndarray, inverse_temperature: float, anchor: Policy | None = None
) -> dict[str, Any] | NoSolution:
    """Return :func:`exact_scores` of the mechanism that announces w (D,).

    Raises:
        ParameterError: as in :func:`solve`.
    """
    from lawgiver.envs.solvers.equilibrium.incentives import incentives

    parameters = checked_parameters(game, parameters)
    prior = prior_table(game, anchor, parameters)
    found = solve(game.subgame, parameters, inverse_temperature, prior)
    fault = unsolved(found, parameters)
    if fault is not None:
        return fault
    return {
        **per_round(game, parameters, found.policy),
        "kl": float(game.subgame.divergence(found.log_policy, prior)),
        **incentives(game, parameters, found.policy),
        **game.subgame.behaviour(found.policy),
    }


def per_round(game: MechanismGame, parameters: np.ndarray, policy: np.ndarray) -> dict[str, float]:
    """Compute the game's own objectives a round under w (D,), by name, when all play a table (T, S, A)."""
    return {name: float(value) / game.horizon for name, value in game.subgame.measures(parameters, policy).items()}


def unsolved(found: Equilibrium, parameters: np.ndarray) -> NoSolution | None:
    """Explain why the result under w (D,) is not an equilibrium; None if it is one."""
    if found.residual <= SOLVED:
        return None
    return NoSolution(
        f"no exact equilibrium: the responses under w = {parameters.tolist()} do not settle ({found.residual:.1g} off)"
    )


def equilibrium_objective(
    game: MechanismGame, parameters: np.ndarray, inverse_temperature: float, anchor: Policy | None = None
) -> float:
    """Compute the expected objective of a whole game under w (D,), in the participants' logit equilibrium.

    Raises:
        ParameterError: as in :func:`solve`.
        UnsupportedGameError: if no equilibrium is found.
    """
    parameters = checked_parameters(game, parameters)
    found = solve(game.subgame, parameters, inverse_temperature, prior_table(game, anchor, parameters))
    fault = unsolved(found, parameters)
    if fault is not None:
        raise UnsupportedGameError(f"{game.name}: {fault}")
    return float(game.subgame.objective(parameters, found.policy))


def inverse_temperature_of_budget(
    game: MechanismGame, parameters: np.ndarray, kl_budget: float, anchor: Policy | None = None
) -> float:
    """Return the inverse temperature at which participants under w (D,) spend a budget of KL(pi || pi_0), in nats.

    The multiplier of the constraint of the paper's equation 3, by bisection: the divergence rises with the inverse
    temperature. 0 for a budget of 0; infinity where even rational participants spend less.

    Raises:
        ParameterError: if the budget is negative or not a number; or as in :func:`solve`.
        UnsupportedGameError: if no equilibrium is found.
    """
    parameters = checked_parameters(game, parameters)
    budget = number("kl_budget", kl_budget, "[0, inf]")
    if budget == 0:
        return 0.0
    prior = prior_table(game, anchor, parameters)

    def spent(logarithm: float) -> float:
        found = solve(game.subgame, parameters, math.exp(logarithm), prior)
        fault = unsolved(found, parameters)
        if fault is not None:
            raise UnsupportedGameError(f"kl_budget is {kl_budget}: {fault}")
        return float(game.subgame.divergence(found.log_policy, prior))

    unit = game.subgame.unit
    low, high = math.log(1e-9 / unit), math.log(RATIONAL / unit)
    if spent(high) <= budget:
        return math.inf
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if spent(middle) < budget else (low, middle)
    return math.exp((low + high) / 2)


@dataclass(frozen=True)
class Best:
    """The best mechanism of a box.

    Attributes:
        parameters: w, (D,).
        value: the objective, expected, of a whole game, in the participants' equilibrium under it.
    """

    parameters: np.ndarray
    value: float


def best_in_box(game: MechanismGame, inverse_temperature: float, anchor: Policy | None = None) -> Best:
    """Return the mechanism of the largest equilibrium objective that a search of the game's box finds.

    A search, and no proof that nothing is better. The game's canonical mechanisms, the centre of the box and a grid (in
    few dimensions, its corners included) or a quasi-random sample over it are scored near their equilibria; L-BFGS-B
    goes on from the best few. Objectives are compared, and told, in exact equilibria.

    Raises:
        ParameterError: if the inverse temperature is negative or not a number.
        UnsupportedGameError: if there is no equilibrium under any of the mechanisms that it comes down to.
        MissingExtraError: without scipy.
    """
    with extras("the best mechanism in a box"):
        from scipy.optimize import minimize

    inverse_temperature = game.subgame.finite(number("inverse_temperature", inverse_temperature, "[0, inf]"))
    space: Any = game.action_space("mechanism")
    low, high = space.low.astype(float), space.high.astype(float)
    tried = np.concatenate([np.array(list(game.members.values())).clip(low, high), _spread(low, high)])
    values, aggregates = _scored(game, inverse_temperature, tried, anchor)
    chosen = np.argsort(-values, kind="stable")[:STARTS]
    candidates = list(tried[chosen])
    for i in chosen:
        climb = _Climb(game, inverse_temperature, anchor, (high - low) * NUDGE, aggregates[i])
        bounds = list(zip(low, high, strict=True))
        candidates.append(minimize(climb, tried[i], jac=True, method="L-BFGS-B", bounds=bounds).x.clip(low, high))
    found: list[Best] = []
    for parameters in candidates:
        try:
            found.append(Best(parameters, equilibrium_objective(game, parameters, inverse_temperature, anchor)))
        except UnsupportedGameError as error:
            fault = error
    if not found:
        raise fault
    return max(found, key=lambda one: one.value)


def _spread(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return about ``GRID`` points all over a box, (K, D), its centre among them."""
    size = low.size
    side = min(int(GRID ** (1 / size)), 40)
    if side >= 3:
        axes = np.meshgrid(*(np.linspace(a, b, side | 1) for a, b in zip(low, high, strict=True)), indexing="ij")
        return np.stack([axis.ravel() for axis in axes], axis=-1)
    from scipy.stats.qmc import Sobol

    sample = low + Sobol(size, rng=0).random_base2(round(math.log2(GRID))) * (high - low)
    return np.concatenate([(low + high)[None] / 2, sample])


def _scored(
    game: MechanismGame, inverse_temperature: float, tried: np.ndarray, anchor: Policy | None
) -> tuple[np.ndarray, np.ndarray]:
    """Compute objectives (K,) and aggregates (K, m) near the equilibria under mechanisms (K, D)."""
    subgame, scored = game.subgame, []
    at_once = max(1, CACHED // math.prod(subgame.shape))
    for i in range(0, len(tried), at_once):
        some = tried[i : i + at_once]
        prior = prior_table(game, None, some[0]) if anchor is None else _priors(game, anchor, some)
        problem = Problem(subgame, some, inverse_temperature, prior)
        start = subgame.aggregates(np.exp(prior)) + np.zeros((len(some), 1))
        near = iterate(problem, start, ROUGH, NEAR)[0] if subgame.coupled else start
        scored.append((subgame.objective(some, problem.response(near)), near))
    values, aggregates = zip(*scored, strict=True)
    return np.concatenate(values), np.concatenate(aggregates)


def _priors(game: MechanismGame, anchor: Policy, tried: np.ndarray) -> np.ndarray:
    """Return the priors (K, T, S, A) under mechanisms (K, D)."""
    return np.stack([prior_table(game, anchor, one) for one in tried])


class _Climb:
    """Loss and gradient in w (D,), which go on from the aggregates of the last w.

    By the implicit function theorem, in differences: where F(w, z) = z, dz/dw = (I - F_z)^-1 F_w.
    """

    def __init__(
        self,
        game: MechanismGame,
        inverse_temperature: float,
        anchor: Policy | None,
        nudges: np.ndarray,
        aggregates: np.ndarray,
    ) -> None:
        self.game, self.inverse_temperature, self.anchor = game, inverse_temperature, anchor
        self.nudges, self.aggregates = nudges, aggregates

    def __call__(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        subgame, count = self.game.subgame, len(parameters)
        around = np.concatenate([parameters + np.diag(self.nudges), parameters - np.diag(self.nudges)])
        prior = prior_table(self.game, self.anchor, parameters)
        priors = prior if self.anchor is None else _priors(self.game, self.anchor, around)
        here, there = (
            Problem(subgame, parameters, self.inverse_temperature, prior),
            Problem(subgame, around, self.inverse_temperature, priors),
        )
        z = self.aggregates
        moved = np.broadcast_to(z, (2 * count, z.size))
        if subgame.coupled:
            z = newton(here, iterate(here, z, 2)[0])[0]
            answers = there.respond(np.broadcast_to(z, moved.shape))
            turned = np.linalg.lstsq(
                np.eye(z.size) - here.slope(z), (answers[:count] - answers[count:]).T / 2, rcond=None
            )[0].T
            moved = np.concatenate([z + turned, z - turned])
            self.aggregates = z
        policies = np.concatenate([here.response(z)[None], there.response(moved)])
        announced = np.concatenate([parameters[None], around])
        values = subgame.objective(announced, policies) / self.game.welfare_scale
        return -float(values[0]), -(values[1 : count + 1] - values[count + 1 :]) / (2 * self.nudges)
