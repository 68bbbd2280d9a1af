"""The figures of a mechanism that has learned to win elections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.plots.curves import curves
from lawgiver.trainers.plots.history import flat
from lawgiver.trainers.plots.public_investment import shares_of
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run

# isort: split
from matplotlib.figure import Figure


def figures_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw the learning curves of a mechanism in self-play, and the shares that it gives."""
    against_first = "league/vote_share_against_first"
    panels = [
        ("Against the first snapshot, in fresh elections and in training", "share of votes", ["score", against_first]),
        ("Against the league", "share of elections won", ["league/win_rate"]),
        ("Update", "KL (nats)", ["mechanism/kl"]),
    ]
    figure = curves(panels, flat(run), {})
    if figure.axes:
        yield "curves.png", figure
    yield from shares_of(run.game().base_game, load(run.path))
