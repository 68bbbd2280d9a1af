"""The figures of a run of HCMD-zero, after figures 2 to 4 of Balaguer et al. 2022, from what its folder holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lawgiver.agents.learned import load_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.elections import figures
from lawgiver.trainers.elections.records.readers import read_records
from lawgiver.trainers.hcmd_zero.evaluation import PLAYED
from lawgiver.trainers.hcmd_zero.judges import LEARNED, rivals
from lawgiver.trainers.runs.run import Run

# isort: split
from matplotlib.figure import Figure


def figures_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw contributions, rewards and votes under the learned mechanism and its rivals, and their beach plots."""
    game: Any = run.game()
    held_against = rivals(run.settings["trainer"]["evaluation"]["rivals"], game)
    yield from _evaluation(run, next(iter(held_against)))
    for former in run.figures_folder.glob("votes_*.png"):
        former.unlink()  # of rivals that it is held against no more
    for rival in held_against:
        yield f"votes_{rival}.png", figures.votes(summary["vote_share"][rival], LEARNED, rival)
    losses = {kind: np.array(matrix, float) for kind, matrix in summary["cross_entropy"].items()}
    yield "cross_entropy.png", figures.cross_entropies(losses)
    held = summary["meta_game"]
    shares, errors = (np.array(held[name]) for name in ("shares", "errors"))
    yield "meta_game.png", figures.payoff_matrix(shares, held["names"], errors)
    if all(condition[0] == figures.HEAD_POINTS and len(set(condition[1:])) == 1 for condition in game.conditions):
        yield "beach.png", _beaches(run, game, held_against)


def _evaluation(run: Run, rival: str) -> Iterator[tuple[str, Figure]]:
    """Draw contributions and rewards in the games against the first rival."""
    last = max(int(path.parent.name) for path in (run.path / "iterations").glob("*/evaluation"))
    played = read_records(run.path / "iterations" / str(last) / "evaluation" / PLAYED)
    names = (LEARNED, rival)
    bands = {
        name: figures.contribution_bands(played.endowments, played.contributions[:, at])
        for at, name in enumerate(names)
    }
    yield "contributions.png", figures.contributions_over_rounds(bands)
    rewards = {name: played.payoffs[:, at].sum(axis=1) for at, name in enumerate(names)}
    yield "reward_and_inequality.png", figures.reward_and_inequality(rewards)


def _beaches(run: Run, game: PublicInvestment, held_against: Mapping[str, Policy]) -> Figure:
    """Draw the beach plots of every iteration's mechanism and of the rivals."""
    tails = sorted({condition[1] for condition in game.conditions})
    folders = sorted((run.path / "iterations").glob("*/optimise/mechanism"), key=lambda path: int(path.parts[-3]))
    mechanisms: dict[str, Any] = {f"theta_{path.parts[-3]}": load_policy(path, game) for path in folders}
    mechanisms |= held_against
    return figures.beach_plots(
        {name: {tail: figures.beach(mechanism, game, tail) for tail in tails} for name, mechanism in mechanisms.items()}
    )
