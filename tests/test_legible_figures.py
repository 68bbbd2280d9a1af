"""Every labelled series has a colour of its own, every style stands in the legend, legends are off the data."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from lawgiver.trainers import figures


def check(figure: figures.Figure) -> None:
    """Fail if two labelled lines of a panel share a colour, or a line has a style that no legend entry shows."""
    figure.canvas.draw()
    for axis in figure.axes:
        lines = [line for line in axis.get_lines() if not line.get_label().startswith("_")]
        colours = [to_hex(line.get_color()) for line in lines]
        assert len(set(colours)) == len(colours), dict(zip([line.get_label() for line in lines], colours, strict=True))
        shown = {line.get_linestyle() for line in lines}
        assert {line.get_linestyle() for line in axis.get_lines()} <= shown
        legend = axis.get_legend()
        if legend is not None:
            inside, box = axis.get_window_extent(), legend.get_window_extent()
            assert box.x0 >= inside.x1 or box.y1 <= inside.y0, "the legend lies on the data"


HISTORY = [{"iteration": i, **{f"m{j}": float(i + j) for j in range(13)}} for i in range(3)]
REFERENCES = {
    "canonical": {
        "strict_egalitarian": 1.0,
        "libertarian": 2.0,
        "liberal_egalitarian": 3.0,
        "reachable": 4.0,
        "ceiling": 5.0,
    },
    "box": {"start": 1.0, "best_in_box": 2.0, "optimum": 3.0, "first_best": 4.0},
    "none": {},
}


@pytest.mark.parametrize("references", REFERENCES)
def test_curves(references):
    check(
        figures.curves(
            [("a", "b", ["m0", "m1"]), ("c", "d", [f"m{j}" for j in range(13)])], HISTORY, REFERENCES[references]
        )
    )


def test_losses():
    time, mean = np.array([1.0, 10.0]), np.array([-3.0, -1.0])
    bands = {
        name: figures.Band(time, mean * k, np.full(2, 0.1)) for k, name in enumerate(("learned", "given", "free"), 1)
    }
    figure = figures.losses([figures.Panel("p", bands, {"optimum": -0.5, "first_best": -0.2})], "games", "welfare")
    check(figure)
    assert figures.EDGE in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_payments():
    places = np.linspace(0, 1, 5)
    curves = {name: places * k for k, name in enumerate(("start", "learned", "best_in_box"))}
    check(figures.payments(places, curves, {"threshold, start": 0.2, "threshold, learned": 0.4, "optimum": 0.6}, "u"))


def test_a_figure_is_headed_by_mechanism_and_game(tmp_path):
    figure = figures.curves([("a", "b", ["m0"])], HISTORY, {})
    figures.save(figure, tmp_path / "curves.png", "lanes, seed 0: lanes-v0\nlearned rule: w_1 = 1")
    assert figure.get_suptitle().endswith("w_1 = 1") and (tmp_path / "curves.png").exists()


def test_contributions_have_their_legend_below():
    table = np.full((4, 11), 1 / 11)
    figure = figures.contributions((10, 4, 4, 4), table, table)
    figure.canvas.draw()
    (legend,) = figure.legends
    assert legend.get_window_extent().y1 <= min(axis.get_window_extent().y0 for axis in figure.axes)


def test_headings_are_broken_to_the_width_of_the_figure(tmp_path):
    drawn = figures.new_figure(4, 3)
    figures.save(drawn, tmp_path / "narrow.png", "a config, seed 0: a game of a long name, with parameters " * 3)
    box = drawn._suptitle.get_window_extent(drawn.canvas.get_renderer())
    assert box.x1 <= drawn.bbox.x1 and box.y1 <= drawn.bbox.y1
