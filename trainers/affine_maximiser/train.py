"""The trainer ``affine_maximiser``: the weights and boosts of a dynamic affine maximiser that serve an objective best.

Whatever they are, nobody gains by a misreport, so that the participants need not be learned: they tell the truth. The
search may smooth the problem; what is reported is the exact mechanism's objective on fresh profiles.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from lawgiver.agents.reporting import AffineMaximiser
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.families.mdp_game import MDPGame
from lawgiver.envs.solvers.mdp.model import Regulariser
from lawgiver.envs.solvers.mdp.tree import Tree
from lawgiver.trainers.affine_maximiser.base import Search
from lawgiver.trainers.affine_maximiser.evaluation import compared
from lawgiver.trainers.affine_maximiser.gradient import Annealed, Ascent, ZerothOrder
from lawgiver.trainers.affine_maximiser.grid_search import GridSearch
from lawgiver.trainers.affine_maximiser.objective import Problem
from lawgiver.trainers.affine_maximiser.settings import AffineConfig, budget
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.state import restoring, save_state

METHODS: dict[str, type[Search]] = {
    "annealed": Annealed,
    "regularised": Ascent,
    "zeroth_order": ZerothOrder,
    "grid_search": GridSearch,
}
"""The searches by name."""


def train(config: AffineConfig, run: Run) -> dict[str, Any]:
    """Search in the run's folder; return what the best mechanism achieves beside VCG and the known limit.

    Raises:
        UnsupportedGameError: if the game is no Markov decision process with reports.
        RunError: if the objective or its gradient is not finite; the last checkpoint is then the last good state.
    """
    game, settings = config.game.make(), config.trainer
    if not isinstance(game, MDPGame):
        raise UnsupportedGameError(
            "trainer 'affine_maximiser' needs a Markov decision process in which participants report, such as"
            f" sequential_sales, not {game.name}"
        )
    device = config.resources.torch_device()
    regulariser: Regulariser = "occupancy" if settings.method == "regularised" else "policy"
    problem = Problem(game, device, settings.chunk, regulariser)
    rng, fresh = (torch.Generator(device).manual_seed(_seed(config.seed, purpose)) for purpose in range(2))
    planned = budget(settings, on_tree=isinstance(game.mdp, Tree))
    learn_weights = config.agents.mechanism.weights == "learned"
    search = METHODS[settings.method](problem, settings, planned, learn_weights=learn_weights, rng=rng)
    done = _restore(run, search)
    probe = problem.sample(settings.evaluation.probe, fresh)
    with run.progress(planned.updates, run.name, done) as show:
        for update in range(done + 1, planned.updates + 1):
            told = search.update(update)
            run.require_finite(update, told)
            if update % settings.log_every == 0 or update == planned.updates:
                reached = float(problem.evaluate(search.parameters, probe).mean())
                show(update, f"{game.objective} {reached:.4f}")
                run.log(update, {"objective": reached, **told}, {"search_s": run.wall_s})
            if update % settings.checkpoint_every == 0 or update == planned.updates:
                run.save_checkpoint(update, lambda folder: _keep(folder, search))
    found = search.finish()
    seconds = run.wall_s  # those before an interruption included
    weights, boosts = (part.cpu().numpy() for part in (found.log_weights, found.boosts))
    policy = AffineMaximiser(game, log_weights=weights, boosts=boosts)
    run.save_policy("mechanism", policy)
    types = problem.sample(planned.profiles, fresh)
    return {
        **compared(problem, found, types),
        "method": settings.method,
        "updates": planned.updates,
        "timing": {"search_s": seconds},
    }


def _seed(seed: int, purpose: int) -> int:
    """Return the seed of one of several streams that do not overlap."""
    return int(np.random.SeedSequence([seed, purpose]).generate_state(1, np.uint64)[0] >> 1)


def _keep(folder: Path, search: Search) -> None:
    save_state(folder, {"search": search.state(), "rng": search.rng.get_state()})


def _restore(run: Run, search: Search) -> int:
    """Go on from the newest checkpoint of a run that is resumed; return how many updates are done."""
    found = run.go_on()
    if found is None:
        return 0
    with restoring(found[1]) as state:
        search.restore(state["search"])
        search.rng.set_state(state["rng"])
    return found[0]
