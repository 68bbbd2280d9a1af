"""Fit the simulated people to what humans contributed and print every number of docs/results/people.md.

    python benchmarks/calibrate_people.py [--check]

writes agents/data/people.json (``--check`` leaves it alone and prints the figures of the people that are there).
"""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from lawgiver.agents.people import fitted_traits, population_hash
from lawgiver.agents.people.public_investment import SimulatedPeople, Traits
from lawgiver.agents.voters import experience
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.trainers.calibration.public_investment import (
    GAME,
    MECHANISMS,
    ROLES,
    TAILS,
    cell_errors,
    fit,
    human_contributions,
    loss,
    simulated_contributions,
    trends,
)
from lawgiver.trainers.runs.atomic_files import write_json
from lawgiver.trainers.tables.markdown import header, row

FILE = Path(__file__).parents[1] / "agents" / "data" / "people.json"
GENERATIONS, REFINEMENTS = 55, 400
N_GROUPS, SEED = 4000, 20_000  # of the simulations that are reported: fresh groups


def by_cell(title: str, participants: Policy, human: np.ndarray) -> None:
    """Print means, first and last rounds and trends of every cell beside the humans'."""
    curves = simulated_contributions(participants, N_GROUPS, SEED)
    errors, slopes, humans = cell_errors(curves, human), trends(curves, human), trends(human, human)
    print(f"\n## {title}\n")
    header("mechanism", "tail", "role", "human", "simulated", "error", "first", "last", "human trend", "trend")
    for m, t, r in np.ndindex(*errors.shape):
        known = np.nanmean(human[m, t, r])
        numbers = (known, known + errors[m, t, r], errors[m, t, r], curves[m, t, r, 0], curves[m, t, r, -1])
        row(MECHANISMS[m], TAILS[t], ROLES[r], *map(float, (*numbers, humans[m, t, r], slopes[m, t, r])))
    print(
        f"\nMean absolute error of the 18 means {np.abs(errors).mean():.4f} (largest {np.abs(errors).max():.4f}), ",
        end="",
    )
    print(f"of single rounds {np.nanmean(np.abs(curves - human)):.4f}; loss {loss(curves, human):.5f}")


def left_out(human: np.ndarray) -> None:
    """Print how well each mechanism is predicted by people who were fitted to the other two."""
    print("\n## Leave one mechanism out\n")
    header("left out", "error there", "largest", "single rounds", "trends of the right sign", "error of the fitted")
    for m, name in enumerate(MECHANISMS):
        rest = [other for other in MECHANISMS if other != name]
        people = SimulatedPeople(GAME, fit(rest, generations=GENERATIONS, refinements=REFINEMENTS))
        curves = simulated_contributions(people, N_GROUPS, SEED)
        errors = np.abs(cell_errors(curves, human))
        right = (np.sign(trends(curves, human)) == np.sign(trends(human, human)))[m]
        points = np.nanmean(np.abs(curves - human)[m])
        others = np.delete(errors, m, axis=0).mean()
        row(name, *map(float, (errors[m].mean(), errors[m].max(), points)), f"{right.sum()} of 6", float(others))
        sys.stdout.flush()


def main() -> None:
    human, begun = human_contributions(), time.process_time()
    if "--check" not in sys.argv[1:]:
        traits = fit(generations=GENERATIONS, refinements=REFINEMENTS)
        write_json(FILE, {"source": "benchmarks/calibrate_people.py", "traits": asdict(traits)})
    else:
        traits = Traits(**fitted_traits(GAME.name))
    print("\n## Traits\n")
    header("trait", "value")
    for name, value in asdict(traits).items():
        row(name, value)
    people = SimulatedPeople(GAME, traits)
    by_cell("Simulated people, fitted", people, human)
    by_cell("Learning automata, held out, not fitted", make_policy(GAME, "participant", "learning_automata"), human)
    print(f"\nsha256 of people and default voters: {population_hash(people, experience(GAME))}", flush=True)
    if "--check" not in sys.argv[1:]:
        left_out(human)
    print(f"\n{time.process_time() - begun:.0f} s of one core")


if __name__ == "__main__":
    main()
