"""Fit the people of commons_trust to humans and print every number of docs/results/people_commons.md.

    python benchmarks/calibrate_commons.py [--check]

writes agents/data/commons_people.json (``--check`` leaves it alone and prints the figures of the people in it).
"""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.agents.learning_automata.commons_trust import CommonsAutomata
from lawgiver.agents.learning_automata.commons_trust import Traits as AutomataTraits
from lawgiver.agents.people import fitted_traits, population_hash
from lawgiver.agents.people.commons_trust import CommonsPeople, Traits
from lawgiver.agents.population import Trustees
from lawgiver.trainers.calibration.commons_trust import (
    GAME,
    MEASURES,
    RULES,
    Played,
    fit,
    human_figures,
    loss,
    simulate,
)
from lawgiver.trainers.runs.atomic_files import write_json
from lawgiver.trainers.tables.markdown import header, row

FILE = Path(__file__).parents[1] / "agents" / "data" / "commons_people.json"
SIMULATIONS, GROUPS = (400, 200, 150), (100, 300, 1000)  # of the three searches
N_GROUPS, SEED = 4000, 20_000  # of the simulations that are reported: fresh groups
ROUNDS = (1, 2, 3, 6, 11, 21, 31, 40)


def figures(title: str, people: Trustees[Any]) -> Played:
    """Print the figures under every rule beside the humans', and the curves over the rounds."""
    played = simulate(people, N_GROUPS, SEED)
    (found, errors), (human, bars) = played.measures(), human_figures()
    print(f"\n## {title}\n")
    header("rule", "measure", "humans", "allowed", "simulated", "standard error", "error / allowed")
    for r, m in np.ndindex(*found.shape):
        numbers = (human[r, m], bars[r, m], found[r, m], errors[r, m], (found[r, m] - human[r, m]) / bars[r, m])
        row(RULES[r], MEASURES[m], *map(float, numbers))
    print(f"\nLoss {loss(found):.3f}\n")
    header("rule", "after round", *map(str, ROUNDS))
    curves = {
        "pools sustained": played.sustained.mean(1),
        "participants excluded": played.excluded.mean(1),
        "excluded where the pool is sustained": _where(played.excluded, played.sustained),
        "returned of the offers": np.nanmean(played.returned, axis=1),
        "mean pool (points)": played.pool.mean(1),
    }
    for r, rule in enumerate(RULES):
        for name, curve in curves.items():
            row(rule, name, *(float(curve[r, t - 1]) for t in ROUNDS), number=".2f")
    return played


def _where(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Average (R, G, T) over the groups that are kept, (R, T)."""
    return np.asarray((values * kept).sum(1) / np.maximum(kept.sum(1), 1))


def left_out() -> None:
    """Print how well each rule is predicted by people who were fitted to the other two."""
    human, bars = human_figures()
    print("\n## Leave one rule out\n")
    header("left out", *(f"{measure} ({what})" for measure in MEASURES for what in ("humans", "predicted")), "in bars")
    for r, rule in enumerate(RULES):
        rest = [other for other in RULES if other != rule]
        people = CommonsPeople(GAME, fit(rest, simulations=SIMULATIONS, n_groups=GROUPS))
        found = simulate(people, N_GROUPS, SEED).measures()[0]
        inside = np.abs(found - human)[r] <= bars[r]
        numbers = np.stack([human[r], found[r]], -1).ravel()
        row(rule, *map(float, numbers), f"{inside.sum()} of 3")


def automata() -> None:
    """Print the loss of the learning automata by their foresight, the one number that was chosen, and their figures."""
    print("\n## Foresight of the learning automata\n")
    header("foresight", "loss")
    for foresight in (1.5, 1.75, 2.0, 2.25, 2.5):
        people = CommonsAutomata(GAME, AutomataTraits(foresight=foresight))
        row(f"{foresight:g}", loss(simulate(people, N_GROUPS, SEED).measures()[0]))
    figures("Learning automata", CommonsAutomata(GAME, AutomataTraits()))


def main() -> None:
    begun = time.process_time()
    if "--check" not in sys.argv[1:]:
        traits = fit(simulations=SIMULATIONS, n_groups=GROUPS)
        write_json(FILE, {"source": "benchmarks/calibrate_commons.py", "traits": asdict(traits)})
        print(f"{time.process_time() - begun:.0f} s of one core for the fit")
    else:
        traits = Traits(**fitted_traits(GAME.name))
    print("\n## Traits\n")
    header("trait", "value")
    for name, value in asdict(traits).items():
        row(name, value)
    people = CommonsPeople(GAME, traits)
    figures("Simulated people", people)
    automata()
    print(f"\nsha256 of the people: {population_hash(people)}", flush=True)
    if "--check" not in sys.argv[1:]:
        left_out()
    print(f"\n{time.process_time() - begun:.0f} s of one core")


if __name__ == "__main__":
    main()
