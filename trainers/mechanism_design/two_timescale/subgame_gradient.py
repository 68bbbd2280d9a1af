"""The objective of an announced mechanism at the participants' equilibrium in tables, with its exact gradient in w.

Participants meet one another through a few aggregates z only (:mod:`lawgiver.envs.solvers.equilibrium.subgame`). With
F(w, z) the aggregates of the best response to z and U(w, z) its objective, the equilibrium is z = F(w, z),
and

    dU/dw = U_w + U_z (I - F_z)^-1 F_w

by the implicit function theorem. z is solved for on NumPy; one pass through the rules in torch, and a backward pass for
U and for each component of F, give the rest. Where the subgame is not coupled, U_w is all there is.
"""

from __future__ import annotations

import numpy as np
import torch

from lawgiver.envs.core.errors import UnsupportedGameError, number
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.envs.solvers.equilibrium.subgame import checked_parameters
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import solve, unsolved


def objective_and_gradient(
    game: MechanismGame, parameters: np.ndarray, inverse_temperature: float, prior: np.ndarray
) -> tuple[float, np.ndarray]:
    """Compute the expected objective of a whole game in the logit equilibrium under w, and its gradient (D,) in w.

    Args:
        game: whose subgame runs on torch.
        parameters: w, (D,).
        inverse_temperature: of the participants, >= 0; infinity is reckoned with as in the equilibrium.
        prior: log pi_0, (T, S, A), which does not depend on w.

    Raises:
        ParameterError: if w is not as many finite numbers as the game has parameters, or the inverse temperature is
            negative or not a number.
        UnsupportedGameError: if no equilibrium is found.
    """
    level, subgame = number("inverse_temperature", inverse_temperature, "[0, inf]"), game.subgame
    parameters = checked_parameters(game, parameters)
    w = torch.tensor(parameters, dtype=torch.float64, requires_grad=True)
    anchor = torch.as_tensor(prior, dtype=torch.float64)
    if not subgame.coupled:
        anywhere = subgame.aggregates(anchor.exp())  # what the others do is all the same
        value = subgame.objective(w, subgame.log_response(w, anywhere, level, anchor).exp())
        return float(value.detach()), _slopes(value, w)[0].numpy()
    found = solve(subgame, parameters, level, prior)
    fault = unsolved(found, parameters)
    if fault is not None:
        raise UnsupportedGameError(f"{game.name}: {fault}")
    z = torch.tensor(found.aggregates, dtype=torch.float64, requires_grad=True)
    policy = subgame.log_response(w, z, level, anchor).exp()
    value = subgame.objective(w, policy)
    value_w, value_z = _slopes(value, w, z)
    rows = [_slopes(one, w, z) for one in subgame.aggregates(policy).unbind(-1)]
    response_w, response_z = (torch.stack(slopes) for slopes in zip(*rows, strict=True))
    passed_on = torch.linalg.solve((torch.eye(len(z), dtype=z.dtype) - response_z).T, value_z)
    return float(value.detach()), (value_w + passed_on @ response_w).numpy()


def _slopes(value: torch.Tensor, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return torch.autograd.grad(value, inputs, retain_graph=True, materialize_grads=True)
