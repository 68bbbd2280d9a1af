"""Participants trained by RLlib beside the closed form of bounded rationality.

    python benchmarks/bounded_rationality.py [FOLDER]     trains into FOLDER (default runs/bounded_rationality_study),
                                                          prints docs/results/bounded_rationality.md's tables

Endowments (10, 4, 4, 4) under two rules with dominant strategies: libertarian, where a point contributed returns 0.6
points net, and strict egalitarian, where it costs 0.6. The policy of a participant with inverse temperature L and
anchor pi_0 is then pi_0(c) exp(+-0.6 L c) exactly. A run that is there already is not trained
again; one that was interrupted goes on.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.agents.anchor import make_anchor
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.public_investment import PublicInvestment
from lawgiver.envs.solvers.equilibrium.prior import log_prior
from lawgiver.trainers.rllib.closed_form import first_round
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.tables import markdown
from lawgiver.trainers.tables.markdown import header

row = partial(markdown.row, number=".4f")
LEVELS = (0.001, 0.1, 1.0, 5.0, 20.0, float("inf"))
SLOPES = {"libertarian": 0.6, "strict_egalitarian": -0.6}
ANCHORS = (("libertarian", "strict_egalitarian"), ("strict_egalitarian", "libertarian"))
SEATS = {"head": 0, "tail": 1}
COLUMNS = ("mechanism", "inverse temperature", "who", "KL", "closed form", "ratio", "mean contribution", "closed form")


def closed_form(prior: np.ndarray, slope: float, level: float) -> np.ndarray:
    """Return pi_0(c) exp(level * slope * c), normalised; all on the best legal contribution at infinity."""
    choices = np.arange(prior.size)
    if np.isinf(level):
        legal = choices[prior > 1e-12]
        return (choices == (legal[-1] if slope > 0 else legal[0])).astype(float)
    weights = prior * np.exp(level * slope * choices - (level * slope * choices).max())
    return weights / weights.sum()


def divergence(p: np.ndarray, prior: np.ndarray) -> float:
    """Return KL(p || prior) in nats."""
    kept = p > 0
    return float((p[kept] * np.log(p[kept] / prior[kept])).sum())


def compare(folder: Path, overrides: list[str], mechanism: str, level: float, anchor: str | dict[str, Any]) -> None:
    """Print one row for the head and one for a tail: divergence from the anchor and mean contribution."""
    launch.ensure(folder, "bounded_rationality", *overrides)
    game = Run.open(folder).game()
    assert isinstance(game, PublicInvestment)
    people: Policy = load(folder, role="participant")
    rule = make_policy(game, "mechanism", mechanism)
    endowments = game.conditions[0]
    played = first_round(game, rule, people, endowments)
    state = game.initial_state_from(np.array([endowments], float))
    obs, mask = game.observe(state, "participant"), game.legal_actions(state, "participant")
    priors = np.exp(log_prior(make_anchor(game, anchor), obs, mask, played.shape[-1]))[0]
    choices = np.arange(played.shape[-1])
    for who, seat in SEATS.items():
        exact = closed_form(priors[seat], SLOPES[mechanism], level)
        kl, kl_exact = divergence(played[seat], priors[seat]), divergence(exact, priors[seat])
        means = (float(probabilities @ choices) for probabilities in (played[seat], exact))
        row(mechanism, f"{level:g}", who, kl, kl_exact, kl / kl_exact, *means)


def main(folder: Path) -> None:
    """Train what is missing and print the tables."""
    print("Uniform anchor:\n")
    header(*COLUMNS)
    for mechanism in SLOPES:
        for level in LEVELS:
            value = ".inf" if np.isinf(level) else f"{level:g}"
            overrides = [
                f"agents.participants.inverse_temperature={value}",
                f"agents.mechanism.given.policy={mechanism}",
            ]
            compare(folder / f"{mechanism}-{level:g}", overrides, mechanism, level, "uniform")
    print("\nAnchored at the logit equilibrium (inverse temperature 1) of another mechanism:\n")
    header(*COLUMNS)
    for mechanism, first in ANCHORS:
        anchor = {"mechanism": first, "inverse_temperature": 1.0}
        overrides = [
            "agents.participants.inverse_temperature=1.0",
            f"agents.participants.anchor={{mechanism: {first}, inverse_temperature: 1.0}}",
            f"agents.mechanism.given.policy={mechanism}",
        ]
        compare(folder / f"{mechanism}-used-to-{first}", overrides, mechanism, 1.0, anchor)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/bounded_rationality_study"))
