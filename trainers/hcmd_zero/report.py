"""The figures of a run of HCMD-zero, after figures 2 to 4 of Balaguer et al. 2022, from what its folder holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lawgiver.agents.learned import load_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.elections import figures
from lawgiver.trainers.elections.records.readers import read_records
from lawgiver.trainers.hcmd_zero.evaluation import PLAYED
from lawgiver.trainers.hcmd_zero.judges import LEARNED, rivals
from lawgiver.trainers.plots.curves import save
from lawgiver.trainers.runs.headings import heading
from lawgiver.trainers.runs.run import Run


def draw(run: Run, game: PublicInvestment, summary: Mapping[str, Any]) -> None:
    """Draw every figure of a finished run into its ``figures/``."""
    title = heading(run, summary)
    held_against = rivals(run.settings["trainer"]["evaluation"]["rivals"], game)
    _draw_evaluation(run, next(iter(held_against)), title)
    for former in run.figures.glob("votes_*.png"):
        former.unlink()  # of rivals that it is held against no more
    for rival in held_against:
        save(figures.votes(summary["vote_share"][rival], LEARNED, rival), run.figures / f"votes_{rival}.png", title)
    losses = {kind: np.array(matrix, float) for kind, matrix in summary["cross_entropy"].items()}
    save(figures.cross_entropies(losses), run.figures / "cross_entropy.png", title)
    held = summary["meta_game"]
    shares, errors = (np.array(held[name]) for name in ("shares", "errors"))
    save(figures.payoff_matrix(shares, held["names"], errors), run.figures / "meta_game.png", title)
    if all(condition[0] == figures.HEAD_POINTS and len(set(condition[1:])) == 1 for condition in game.conditions):
        _draw_beaches(run, game, held_against, title)


def _draw_evaluation(run: Run, rival: str, title: str) -> None:
    """Draw how the games against the first rival went."""
    last = max(int(path.parent.name) for path in (run.path / "iterations").glob("*/evaluation"))
    played = read_records(run.path / "iterations" / str(last) / "evaluation" / PLAYED)
    names = (LEARNED, rival)
    bands = {
        name: figures.contribution_bands(played.endowments, played.contributions[:, at])
        for at, name in enumerate(names)
    }
    save(figures.contributions_over_rounds(bands), run.figures / "contributions.png", title)
    rewards = {name: played.payoffs[:, at].sum(axis=1) for at, name in enumerate(names)}
    save(figures.reward_and_inequality(rewards), run.figures / "reward_and_inequality.png", title)


def _draw_beaches(run: Run, game: PublicInvestment, held_against: Mapping[str, Policy], title: str) -> None:
    """Draw what every iteration's mechanism and its rivals give to the head."""
    tails = sorted({condition[1] for condition in game.conditions})
    folders = sorted((run.path / "iterations").glob("*/optimise/mechanism"), key=lambda path: int(path.parts[-3]))
    mechanisms: dict[str, Any] = {f"theta_{path.parts[-3]}": load_policy(path, game) for path in folders}
    mechanisms |= held_against
    grids = {
        name: {tail: figures.beach(mechanism, game, tail) for tail in tails} for name, mechanism in mechanisms.items()
    }
    save(figures.beach_plots(grids), run.figures / "beach.png", title)
