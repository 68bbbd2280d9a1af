"""The pictures of a run: what is drawn is computed right, and what is written is an image."""

from __future__ import annotations

import numpy as np
import pytest

from lawgiver.envs.core.make import make_game
from lawgiver.envs.public_investment.rule_families import power_weights
from lawgiver.trainers.plots import curves as run_curves
from lawgiver.trainers.plots import public_investment as fund
from lawgiver.trainers.plots import style


@pytest.mark.parametrize("tail", [2, 4, 10])
def test_beach_plots_of_the_canonical_rules_are_their_closed_forms(tail):
    condition = (10, tail, tail, tail)
    heads, sums = np.meshgrid(np.arange(11), np.arange(3 * tail + 1), indexing="ij")
    with np.errstate(invalid="ignore"):
        libertarian = np.where(heads + sums > 0, heads / (heads + sums), 0.25)
        liberal = np.where(heads + sums > 0, (heads / 10) / (heads / 10 + sums / tail), 0.25)
    for parameters, expected in (
        ((1.0, 1.0), libertarian),
        ((1.0, 0.0), liberal),
        ((0.0, 0.0), np.full(heads.shape, 0.25)),
    ):
        shares = fund.head_shares(condition, lambda e, c, rule=parameters: power_weights(np.array(rule), e, c))
        np.testing.assert_allclose(shares, expected, atol=1e-12)


def test_every_figure_is_written_whole(tmp_path):
    game = make_game("public_investment")
    scores = {
        "log_nash_welfare": {"libertarian": 7.99, "learned": 8.45, "reachable": None, "ceiling": 8.69},
        "gini": {"libertarian": 0.23, "learned": 0.1, "reachable": None, "ceiling": None},
    }
    history = [{"iteration": i, "welfare": i / 2, "gap": None} for i in range(3)]
    drawn = {
        "scatter": run_curves.welfare_equality(scores, "log_nash_welfare"),
        "contributions": fund.contributions((10, 4, 4, 4), np.full((4, 11), 1 / 11), np.full((4, 11), 1 / 11)),
        "beach": fund.beach_plot(game.conditions[:2], lambda e, c: power_weights(np.array([1.0, 1.0]), e, c)),
        "curves": run_curves.curves(
            [("welfare", "log points", ["welfare", "gap"])], history, {"ceiling": 1.0, "x": None}
        ),
    }
    for name, figure in drawn.items():
        style.save(figure, tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        labels = [axis.get_xlabel() for axis in figure.axes if axis.get_subplotspec() is not None]
        assert all(labels[-1:]), name
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f"{name}.png" for name in drawn)


def test_a_series_of_one_point_is_seen():
    history = [{"iteration": 1, "gap": 0.5}, {"iteration": 2, "gap": None}]
    (axis,) = run_curves.curves([("gap", "", ["gap"])], history, {}).axes
    assert axis.lines[0].get_marker() == "o"
