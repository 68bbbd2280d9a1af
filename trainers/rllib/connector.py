"""Advantages: the learner's side of the batched runner, and a correction for RLlib's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from ray.rllib.connectors.connector_v2 import ConnectorV2
from ray.rllib.core.columns import Columns
from ray.rllib.evaluation.postprocessing import Postprocessing
from ray.rllib.utils.numpy import convert_to_numpy
from ray.rllib.utils.postprocessing.value_predictions import compute_value_targets

from lawgiver.trainers.rllib.chunks import Chunk, Trajectories
from lawgiver.trainers.rllib.modules import BoundedModule
from lawgiver.trainers.rllib.plan import ModulePlan

Batch = dict[str, torch.Tensor]


class ChunksToBatch(ConnectorV2):  # type: ignore[misc]
    """Computes advantages (GAE) with the learner's critics and returns flat rows for each module that is trained.

    Steps beyond the end of a game are left out, so that no loss needs a mask and standardisation sees
    real data alone. Modules come in sorted order, the same on every learner.
    """

    def __init__(self, obs_space: Any = None, action_space: Any = None, *, plans: Mapping[str, ModulePlan]) -> None:
        """Keep the plans of the modules to be trained, by id."""
        super().__init__(obs_space, action_space)
        self.plans = dict(plans)

    def __call__(
        self, *, rl_module: Any, batch: dict[str, Any], episodes: list[Chunk], **kwargs: Any
    ) -> dict[str, Batch]:
        """Return {module: {column: (rows, ...)}}."""
        rows = {}
        for module_id in sorted(self.plans):
            parts = [chunk.modules[module_id] for chunk in episodes if module_id in chunk.modules]
            if parts:
                rows[module_id] = self._rows(rl_module[module_id].unwrapped(), parts, self.plans[module_id])
        return rows

    def _rows(self, module: Any, parts: list[Trajectories], plan: ModulePlan) -> Batch:
        columns = [_columns(module, part, plan) for part in parts]
        rows = {name: torch.cat([c[name] for c in columns]) for name in columns[0]} if len(columns) > 1 else columns[0]
        if not plan.raw_advantages:
            advantages = rows[Postprocessing.ADVANTAGES]
            spread = advantages.std(correction=0).clamp(min=1e-4)
            rows[Postprocessing.ADVANTAGES] = (advantages - advantages.mean()) / spread
        return rows


def _columns(module: Any, part: Trajectories, plan: ModulePlan) -> Batch:
    device = next(module.parameters()).device
    # A copy: chunks from another process are read-only, which torch does not want to share.
    arrays = {name: torch.tensor(array, device=device) for name, array in vars(part).items()}
    with torch.no_grad():
        values, bootstrap = module.values_of_games(arrays["obs"], arrays["last_obs"], arrays["lengths"])
    bootstrap = torch.where(arrays["terminated"], torch.zeros_like(bootstrap), bootstrap)
    rewards = arrays["rewards"]
    if looks_ahead(module, plan):
        inside = torch.as_tensor(part.mask, device=device)
        rewards = rewards - price_ahead(module, plan, arrays["obs"], arrays["dist_inputs"], inside)
    advantages = gae(rewards, values, bootstrap, arrays["lengths"], plan.gamma, plan.lambda_)
    kept = torch.as_tensor(part.mask, device=device)
    columns = {
        Columns.OBS: arrays["obs"],
        Columns.ACTIONS: arrays["actions"],
        Columns.ACTION_LOGP: arrays["logp"],
        Columns.ACTION_DIST_INPUTS: arrays["dist_inputs"],
        Postprocessing.ADVANTAGES: advantages,
        Postprocessing.VALUE_TARGETS: advantages + values,
    }
    if module.actor.memory is not None:  # minibatches are then of whole games
        columns[Columns.T] = torch.arange(rewards.shape[1], device=device).expand(rewards.shape)
    if bool(part.mask.all()):
        return {name: column.flatten(0, 1) for name, column in columns.items()}
    return {name: column[kept] for name, column in columns.items()}


def gae(
    rewards: torch.Tensor,
    values: torch.Tensor,
    bootstrap: torch.Tensor,
    lengths: torch.Tensor,
    gamma: float,
    lambda_: float,
) -> torch.Tensor:
    """Compute generalised advantages (N, T).

    Args:
        rewards: (N, T).
        values: of the observations, (N, T).
        bootstrap: value of what follows the last step, (N,); 0 where the game ended by its rules.
        lengths: steps that count, (N,); the advantages beyond them are 0.
        gamma: discount a turn of the agent's own.
        lambda_: of GAE.
    """
    advantages = torch.zeros_like(rewards)
    following = torch.zeros_like(bootstrap)
    next_value = bootstrap
    for step in reversed(range(rewards.shape[1])):
        last, inside = torch.eq(lengths, step + 1), torch.gt(lengths, step)
        ahead = torch.where(last, bootstrap, next_value)
        advantage = rewards[:, step] + gamma * ahead - values[:, step] + gamma * lambda_ * following
        following = torch.where(inside, advantage, torch.zeros_like(advantage))
        advantages[:, step] = following
        next_value = values[:, step]
    return advantages


def looks_ahead(module: Any, plan: ModulePlan) -> bool:
    """Check whether a module's return includes the KL cost of its later turns."""
    return isinstance(module, BoundedModule) and plan.gamma > 0 and plan.kl_weight > 0


def price_ahead(
    module: BoundedModule, plan: ModulePlan, obs: torch.Tensor, inputs: torch.Tensor, inside: torch.Tensor
) -> torch.Tensor:
    """Compute the discounted KL cost of the next turn, to be subtracted from the reward, (..., T).

    The learner's loss charges a turn with its own KL(pi || pi_0) / inverse_temperature alone. The value of
    an action has to include the cost of later turns for participants to reach the equilibrium of a repeated game.

    Args:
        module: the policy.
        plan: training plan of the module.
        obs: observations, prior included, (..., T, d).
        inputs: parameters of the policy's distribution, (..., T, w).
        inside: turns that are no padding, (..., T).
    """
    cost = plan.kl_weight * module.divergence(obs, inputs) * inside
    return plan.gamma * torch.cat([cost[..., 1:], torch.zeros_like(cost[..., :1])], dim=-1)


class MaskedAdvantages(ConnectorV2):  # type: ignore[misc]
    """GAE for RLlib's own episodes, with each module's own discount, standardised over real steps only.

    Rows are turns, one episode of an agent after the other. RLlib ends every episode with an artificial step whose
    advantage is junk, masks it in the loss, but standardises over it all the same; the better the critic, the more
    that shrinks the advantages that count.
    """

    def __init__(self, obs_space: Any = None, action_space: Any = None, *, plans: Mapping[str, ModulePlan]) -> None:
        """Keep the plans of the modules to be trained, by id."""
        super().__init__(obs_space, action_space)
        self.plans = dict(plans)

    def __call__(self, *, rl_module: Any, batch: dict[str, Any], episodes: list[Any], **kwargs: Any) -> dict[str, Any]:
        """Add advantages and value targets to each module's batch."""
        for module_id in sorted(set(self.plans) & set(batch)):
            self._add(rl_module[module_id].unwrapped(), batch[module_id], self.plans[module_id])
        return batch

    def _add(self, module: Any, rows: dict[str, Any], plan: ModulePlan) -> None:
        with torch.no_grad():
            values = module.compute_values(rows)
            if looks_ahead(module, plan):  # the step after an episode's last turn is no real one, and costs nothing
                inputs, real = rows[Columns.ACTION_DIST_INPUTS], rows[Columns.LOSS_MASK]
                price = price_ahead(module, plan, rows[Columns.OBS], inputs, real)
                rows[Columns.REWARDS] = torch.as_tensor(rows[Columns.REWARDS], device=price.device) - price
        reward, terminated, truncated = (
            convert_to_numpy(rows[name]) for name in (Columns.REWARDS, Columns.TERMINATEDS, Columns.TRUNCATEDS)
        )
        targets = compute_value_targets(
            values=convert_to_numpy(values),
            rewards=reward,
            terminateds=terminated,
            truncateds=truncated,
            gamma=plan.gamma,
            lambda_=plan.lambda_,
        )
        rows[Postprocessing.VALUE_TARGETS] = torch.as_tensor(targets, dtype=torch.float32, device=values.device)
        advantages = rows[Postprocessing.VALUE_TARGETS] - values
        if not plan.raw_advantages:
            real = advantages[rows[Columns.LOSS_MASK]]
            advantages = (advantages - real.mean()) / real.std(correction=0).clamp(min=1e-4)
        rows[Postprocessing.ADVANTAGES] = advantages
