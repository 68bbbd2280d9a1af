"""The level of intervals is one number: every interval, threshold and label follows it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

ROOT = Path(__file__).parents[1]
ESTIMATE = "lawgiver.trainers.statistics.estimate"


def set_level(level: str) -> None:
    """Import the module of estimates as if its line ``LEVEL = 0.95`` said another level."""
    spec = find_spec(ESTIMATE)
    assert spec is not None and spec.origin is not None and ESTIMATE not in sys.modules
    source = Path(spec.origin).read_text()
    assert source.count("\nLEVEL = 0.95\n") == 1
    module = module_from_spec(spec)
    sys.modules[ESTIMATE] = module
    exec(compile(source.replace("\nLEVEL = 0.95\n", f"\nLEVEL = {level}\n"), spec.origin, "exec"), module.__dict__)


def halves() -> dict[str, float]:
    """Compute half the width of an interval of every kind, and how far above one half a share is a win."""
    from lawgiver.trainers.elections.meta_game import wins
    from lawgiver.trainers.elections.standings import ends, resampled
    from lawgiver.trainers.hcmd_zero.convergence import edge_of
    from lawgiver.trainers.reproduce.payment_free_points import Point
    from lawgiver.trainers.statistics.bootstrap import group_bootstrap
    from lawgiver.trainers.statistics.estimate import Estimate

    rng = np.random.default_rng(0)
    steps = np.arange(0, 0.1, 1e-5)
    one = Point("a", rng.normal(1, 0.1, (1, 400)), rng.normal(0, 0.1, (1, 100)))
    few = Point("b", np.array([[0.9], [1.0], [1.1]]) + np.zeros((3, 400)), np.zeros((3, 100)))
    drawn = resampled(rng.random((1, 1, 8)), rng, draws=4_000)[:, 0, 1]
    return {
        "samples": Estimate.of_samples(rng.normal(size=500)).half,
        "seeds": Estimate.of_seeds([1.0, 2.0, 4.0]).half,
        "corrected": edge_of(rng.random((2, 10)), 2).half,
        "instances": one.y.half,
        "instances and seeds": few.y.half,
        "wins": float(next(x for x in steps if wins(np.array([[0.5, 0.5 + x], [0.5 - x, 0.5]]), 0.02)[0, 1])),
        "groups": group_bootstrap(rng.normal(size=400), None, rng, draws=20_000).half,
        "draws": float(np.ptp(ends(rng.normal(size=100_000)))) / 2,
        "spread of drawn matrices": float(drawn.std()),
    }


def labels() -> dict[str, str]:
    """Write every label of an interval: of tables, of figures and in the notes of reproductions."""
    from lawgiver.trainers.affine_maximiser import figures as affine
    from lawgiver.trainers.cli.vote_tables import show_tournament
    from lawgiver.trainers.elections import figures as elections
    from lawgiver.trainers.elections.tournament import Tournament
    from lawgiver.trainers.hcmd_zero import tables
    from lawgiver.trainers.payment_free import frontier_figure
    from lawgiver.trainers.reproduce import payment_free
    from lawgiver.trainers.statistics.estimate import Estimate
    from lawgiver.trainers.tables.votes import vote_shares

    share = Estimate.of_samples(np.array([0.5, 0.6, 0.7]))
    held = Tournament(("a", "b"), np.random.default_rng(0).random((1, 2, 20)))
    solved = held.solved()
    show_tournament(held, solved)
    mark = frontier_figure.Mark("a", 0.1, 0.9, 0.01, 0.01)
    panel = frontier_figure.Panel("all", "gain", {"a": mark}, {"b": [mark]}, {"c": [mark]})
    board = affine.Board("A", "revenue", "a bound", "sizes", [affine.Standing("2, 2", 0.5, 0.4, share, 0.65)])
    bands = elections.contribution_bands(np.full((3, 2), 4.0), np.random.default_rng(1).random((3, 2, 2)))
    boards = elections.contributions_over_rounds({"a": bands})
    return {
        "votes": next(vote_shares({"vote_share": {"a": {"pooled": share}}})).title,
        "votes by rival": next(vote_shares({"vote_share": {"b": {"a": {"pooled": share}}}})).title,
        "meta-game": str(tables.meta_game({**held.data(), **solved}).rows),
        "convergence": str(tables.convergence({"1": {"edge": share}}).rows),
        "votes drawn": elections.votes({"people": {"pooled": share}}, "a", "b").axes[0].get_title(),
        "contributions": boards.legends[0].get_texts()[-1].get_text(),
        "boards": affine.boards([board]).axes[1].get_legend().get_texts()[-1].get_text(),
        "frontier": frontier_figure.frontier([panel], "2 participants").get_suptitle(),
        "notes": " ".join(payment_free.NOTES),
    }


def reported(level: str) -> dict[str, Any]:
    """Report half-widths and labels as another process has them at a level."""
    done = subprocess.run([sys.executable, __file__, level], capture_output=True, text=True, check=True, cwd=ROOT)
    *printed, report = done.stdout.splitlines()
    found: dict[str, Any] = json.loads(report)
    found["labels"]["tournament"] = "\n".join(printed)
    return found


def test_another_level_changes_every_interval_and_every_label():
    pytest.importorskip("matplotlib")
    usual, wider = reported("0.95"), reported("0.99")
    for name, label in usual["labels"].items():
        assert "95 %" in label, name
        assert "99 %" in wider["labels"][name] and "95" not in re.findall(r"(\d+) %", wider["labels"][name]), name
    normal = scipy.stats.norm.ppf(0.995) / scipy.stats.norm.ppf(0.975)
    student = {n: scipy.stats.t.ppf(0.995, n) / scipy.stats.t.ppf(0.975, n) for n in (2, 7)}
    corrected = scipy.stats.t.ppf(1 - 0.0025, 18) / scipy.stats.t.ppf(1 - 0.0125, 18)
    exact = {
        "samples": normal,
        "seeds": student[2],
        "corrected": corrected,
        "instances": normal,
        "instances and seeds": student[2],
        "spread of drawn matrices": student[7] / normal,
    }
    ratios = {name: wider["halves"][name] / usual["halves"][name] for name in usual["halves"]}
    assert {name: ratios.pop(name) for name in exact} == pytest.approx(exact)
    assert ratios.pop("wins") == pytest.approx(normal, rel=1e-3), "the shares are in steps"
    assert ratios == pytest.approx(dict.fromkeys(("groups", "draws"), normal), rel=0.02), "percentiles of draws"


def test_no_module_has_a_level_of_its_own():
    for file in sorted((ROOT / "trainers").rglob("*.py")):
        if file.name != "estimate.py":
            assert not re.search(r"95 ?%|\b1\.96\b", file.read_text()), file


if __name__ == "__main__":
    set_level(sys.argv[1])
    report = {"labels": labels(), "halves": halves()}
    print(json.dumps(report))
