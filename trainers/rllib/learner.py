"""RLlib's PPO learner on two timescales, with bounded rationality in the loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import torch
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.core.columns import Columns
from ray.rllib.policy.sample_batch import SampleBatch

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.trainers.rllib.connector import MaskedAdvantages
from lawgiver.trainers.rllib.minibatches import Decisions, Games
from lawgiver.trainers.rllib.modules import BoundedModule, BoxKLModule, MechanismModule
from lawgiver.trainers.rllib.plan import ModulePlan

PLANS = "plans"
"""Key in ``learner_config_dict`` of the plans of the trained modules, by module id."""
UPDATES = "updates"
"""Key in a learner's state of the number of times each module has been trained."""


class TrainingError(LawgiverError):
    """A training has failed, for instance by a loss that is not finite."""


class Minibatch:
    """Rows of those modules that take this gradient step, in the shape that RLlib's update loop expects."""

    def __init__(self, policy_batches: dict[str, SampleBatch]) -> None:
        self.policy_batches = policy_batches

    def env_steps(self) -> int:
        """Return the rows of the largest module."""
        return max(len(batch) for batch in self.policy_batches.values())


class TwoTimescaleLearner(PPOTorchLearner):  # type: ignore[misc]
    """PPO in which each module has its own update period, epochs and minibatches, and its own KL to an anchor.

    The loss of a module with a prior gains KL(pi || pi_0) / inverse_temperature. With advantages in units of reward
    the fixed point of a one-step decision is pi proportional to pi_0 exp(inverse_temperature * payoff).
    """

    _weights_seq_no: int

    def build(self) -> None:
        """Correct RLlib's own advantages, where they are in use, and set the counters up."""
        super().build()
        if self.config.add_default_connectors_to_learner_pipeline:
            self._learner_connector.remove("GeneralAdvantageEstimation")
            self._learner_connector.append(MaskedAdvantages(plans=self.plans))
        self.updates: Counter[str] = Counter()
        self._held: frozenset[str] = frozenset()

    @property
    def plans(self) -> dict[str, ModulePlan]:
        """The plans of the modules to be trained, by id."""
        plans: dict[str, ModulePlan] = self.config.learner_config_dict[PLANS]
        return plans

    def hold(self, modules: Collection[str]) -> None:
        """Hold these modules, and no others, from now on."""
        self._held = frozenset(modules)

    def _due(self, module_id: str, iteration: int) -> bool:
        return module_id in self.plans and module_id not in self._held and self.plans[module_id].due(iteration)

    def should_module_be_updated(self, module_id: str, multi_agent_batch: Any = None) -> bool:
        """Check whether the plan trains this module in the current iteration."""
        return self._due(module_id, self._weights_seq_no)

    def update(self, *args: Any, timesteps: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        """Train the modules that are due; RLlib's own loop cannot do with none."""
        iteration = self._weights_seq_no + 1
        due = [module_id for module_id in self.plans if self._due(module_id, iteration)]
        self.updates.update(due)
        if due:
            return super().update(*args, timesteps=timesteps, **kwargs)
        self._weights_seq_no = iteration
        self.after_gradient_based_update(timesteps=timesteps or {})
        return self.metrics.reduce()

    def _create_iterator_if_necessary(self, *, training_data: Any, **kwargs: Any) -> Iterator[Minibatch]:
        batch = self._make_batch_if_necessary(training_data=training_data)
        steps: dict[str, list[SampleBatch]] = {}
        rng = np.random.default_rng([int(self.config.seed or 0), self._weights_seq_no])  # of this iteration
        for module_id, rows in sorted(batch.policy_batches.items()):
            if self.should_module_be_updated(module_id):
                steps[module_id] = list(self._minibatches(rows, self.plans[module_id], rng))
        for left in range(max(map(len, steps.values()), default=0), 0, -1):  # the shorter ones join at the end
            yield Minibatch({m: batches[-left] for m, batches in steps.items() if left <= len(batches)})

    def _minibatches(self, rows: SampleBatch, plan: ModulePlan, rng: np.random.Generator) -> Iterator[SampleBatch]:
        columns = dict(rows)
        real = columns.pop(Columns.LOSS_MASK, None)
        if real is not None:  # RLlib's own episodes end with a step that never was
            columns = {name: column[real] for name, column in columns.items()}
        total = len(columns[Columns.ACTIONS])
        units = Games(columns[Columns.T]) if Columns.T in columns else Decisions(total)
        count = self._agreed(max(1, round(total / plan.minibatch_size)), len(units))
        device = columns[Columns.ACTIONS].device
        for _ in range(plan.epochs):
            for chosen in torch.from_numpy(rng.permutation(len(units))).to(device).tensor_split(count):
                index = units.rows(chosen)
                yield SampleBatch({name: column[index] for name, column in columns.items()})

    def _agreed(self, count: int, units: int) -> int:
        """Take the largest count of any learner, as all must take the same number of gradient steps.

        Args:
            count: of minibatches, as this learner would have it.
            units: number of units that it draws them from; no learner has fewer of these than minibatches.
        """
        if self.config.num_learners < 2:
            return min(count, units)
        extremes = torch.tensor([count, -units], device=self._device)
        torch.distributed.all_reduce(extremes, op=torch.distributed.ReduceOp.MAX)
        return min(int(extremes[0]), -int(extremes[1]))

    def compute_loss_for_module(
        self, *, module_id: str, config: Any, batch: dict[str, Any], fwd_out: dict[str, Any]
    ) -> torch.Tensor:
        """Compute PPO's loss, plus KL(pi || pi_0) / inverse_temperature where there is a prior.

        Raises:
            TrainingError: if the loss is not a finite number.
        """
        loss: torch.Tensor = super().compute_loss_for_module(
            module_id=module_id, config=config, batch=batch, fwd_out=fwd_out
        )
        module = self.module[module_id].unwrapped()
        if isinstance(module, BoundedModule):
            kl = module.divergence(batch[Columns.OBS], fwd_out[Columns.ACTION_DIST_INPUTS]).mean()
            self.metrics.log_value((module_id, "anchor_kl"), kl.detach(), window=1)
            loss = loss + self.plans[module_id].kl_weight * kl
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss of module {module_id!r} is {loss.item()} in iteration {self._weights_seq_no}: lower the "
                f"learning rate (now {config.lr}) or check the game's rewards"
            )
        return loss

    def compute_gradients(self, loss_per_module: dict[str, torch.Tensor], **kwargs: Any) -> dict[Any, torch.Tensor]:
        """Compute the gradients of the modules in the batch.

        Each loss has a backward pass of its own, in sorted order: several learners average gradients as they are
        computed, and have to compute them in the same order.
        """
        for optimizer in self._optimizer_parameters:
            optimizer.zero_grad(set_to_none=True)
        for module_id in sorted(loss_per_module):
            loss_per_module[module_id].backward()  # type: ignore[no-untyped-call]
        return {ref: p.grad for ref, p in self._params.items() if p.grad is not None}

    def apply_gradients(self, gradients_dict: dict[Any, torch.Tensor]) -> None:
        """Step the optimizers of the modules in the batch."""
        for ref, gradient in gradients_dict.items():
            self._params[ref].grad = gradient
        for optimizer in self._optimizer_parameters:
            optimizer.step()

    def after_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Move the exploration schedules on and log how often each module has been trained.

        Raises:
            TrainingError: if a parameter is no longer a finite number.
        """
        super().after_gradient_based_update(timesteps=timesteps)
        for module_id, plan in self.plans.items():
            module = self.module[module_id].unwrapped()
            if not all(bool(torch.isfinite(p).all()) for p in module.parameters()):
                raise TrainingError(f"a parameter of module {module_id!r} is no longer a finite number")
            if plan.std is not None:
                assert isinstance(module, (MechanismModule, BoxKLModule))
                module.set_std(plan.std.at(self._weights_seq_no))
            self.metrics.log_value((module_id, "updates"), self.updates[module_id], window=1)

    def get_state(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Collect RLlib's state and the counts of updates."""
        state: dict[str, Any] = super().get_state(*args, **kwargs)
        return {**state, UPDATES: dict(self.updates)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore RLlib's state and the counts of updates."""
        super().set_state(state)
        self.updates = Counter(state.get(UPDATES, self.updates))
