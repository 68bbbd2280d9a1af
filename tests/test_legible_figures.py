"""Every labelled series has a colour of its own, every style stands in the legend, legends are off the data."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lawgiver.agents.reporting import AffineMaximiser
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.gridworld.game import Gridworld
from lawgiver.envs.sequential_sales.game import SequentialSales
from lawgiver.trainers.affine_maximiser import figures as affine_figures
from lawgiver.trainers.aggregation import figures as aggregation_figures
from lawgiver.trainers.audit import figures as audit_figures
from lawgiver.trainers.audit.auctions import audit_auction
from lawgiver.trainers.audit.core import audit_game
from lawgiver.trainers.elections import figures as election_figures
from lawgiver.trainers.hcmd_zero import figures as loop_figures
from lawgiver.trainers.learned_follower import figures as follower_figures
from lawgiver.trainers.mechanism_design import figures as design
from lawgiver.trainers.payment_free import figures as sharing_figures
from lawgiver.trainers.payment_free import frontier_figure as allocation_figures
from lawgiver.trainers.plots import curves as run_curves
from lawgiver.trainers.plots import drawing, style
from lawgiver.trainers.plots import public_investment as fund
from lawgiver.trainers.reproduce import rmd
from lawgiver.trainers.rllib import figures as rllib_figures
from lawgiver.trainers.statistics.estimate import Estimate


def line_of(handle: Any) -> Any:
    """Return what a legend's entry stands for; of marks with error bars, the marks."""
    return handle.lines[0] if isinstance(handle, ErrorbarContainer) else handle


def colour_of(handle: Any) -> str:
    """Return the colour of what a legend's entry stands for."""
    drawn = line_of(handle)
    if isinstance(drawn, BarContainer):
        return to_hex(drawn.patches[0].get_facecolor())
    if isinstance(drawn, Line2D):
        return to_hex(drawn.get_color())
    colours = drawn.get_edgecolor() if isinstance(drawn, LineCollection) else drawn.get_facecolor()
    return to_hex(colours[0])


def check(figure: Figure) -> None:
    """Fail if two series share a colour, a line has a style that no legend's entry has, or a legend lies on data."""
    figure.canvas.draw()
    below = {label: handle for axis in figure.axes for handle, label in zip(*entries(axis), strict=True)}
    for axis in figure.axes:
        handles, labels = entries(axis)
        colours = [colour_of(handle) for handle in handles]
        assert len(set(colours)) == len(colours), dict(zip(labels, colours, strict=True))
        told = [line_of(handle) for handle in (*handles, *(below.values() if figure.legends else ()))]
        styles = {line.get_linestyle() for line in told if isinstance(line, Line2D)}
        drawn = {line.get_linestyle() for line in axis.get_lines()} - {"None", "-"}
        assert drawn <= styles, (axis.get_title(), drawn - styles)
        beside = figure.legends or [other for other in figure.axes if not other.axison]
        assert axis.get_legend() or beside or not labels, "series without a legend"
        for legend in (*figure.legends, axis.get_legend()):
            if legend is not None and axis.axison:
                box = legend.get_window_extent()
                assert not axis.get_window_extent().overlaps(box.shrunk(0.98, 0.98)), "a legend lies on the data"
                assert -1 <= box.x0 < box.x1 <= figure.bbox.x1 + 1 and -1 <= box.y0 < box.y1 <= figure.bbox.y1 + 1
    assert any(axis.get_title() + axis.get_title(loc="left") for axis in figure.axes) or figure.get_suptitle()


def entries(axis: Any) -> tuple[list[Any], list[str]]:
    return axis.get_legend_handles_labels()


HISTORY = [{"iteration": i, **{f"m{j}": float(i + j) for j in range(20)}} for i in range(3)]
REFERENCES = {
    "canonical": {
        "strict_egalitarian": 1.0,
        "libertarian": 2.0,
        "liberal_egalitarian": 3.0,
        "reachable": 4.0,
        "ceiling": 5.0,
    },
    "box": {"start": 1.0, "best_in_box": 2.0, "optimum": 3.0, "first_best": 4.0},
    "process": {"VCG": 1.0, "limit": 2.0},
    "unknown names": {"no_mechanism": 1.0, "optimum": 2.0, "another": 3.0},
    "names of one colour": {"reachable": 1.0, "best_in_box": 2.0, "ceiling": 3.0, "optimum": 4.0},
    "none": {},
}


@pytest.mark.parametrize("references", REFERENCES)
def test_curves(references):
    panels = [("a", "b", ["m0", "m1"]), ("c", "d", [f"m{j}" for j in range(13)])]
    check(run_curves.curves(panels, HISTORY, REFERENCES[references]))


def test_there_are_as_many_colours_as_series():
    free = style.free_colours(["#0072b2"])
    assert len({next(free) for _ in range(100)} - {"#0072B2"}) == 100
    check(run_curves.curves([("a", "b", [f"m{j}" for j in range(20)])], HISTORY, {}))


def test_welfare_and_equality_of_mechanisms_of_any_name():
    names = ("libertarian", "learned", "mine", "another", "reachable", "ceiling")
    scores = {name: float(place) for place, name in enumerate(names)}
    gini = {name: None if name == "ceiling" else 0.1 * place for place, name in enumerate(names)}
    check(run_curves.welfare_equality({"surplus": scores, "gini": gini}, "surplus"))


RMD = {"nobody_moves": -9.0, "no_mechanism": -3.0, "best_in_box": -0.6, "optimum": -0.5, "first_best": -0.2}


def test_losses():
    time, mean = np.array([1.0, 10.0]), np.array([-3.0, -1.0])
    bands = {
        name: design.Band(time, mean * k, np.full(2, 0.1)) for k, name in enumerate(("learned", "given", "free"), 1)
    }
    figure = design.losses([design.Panel("p", bands, RMD)], "games", "welfare")
    check(figure)
    assert design.EDGE in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_dots():
    figure = design.dots({"none": [-3.0], "degree 1": [-1.0, -0.8]}, {"degree 1": -0.6}, RMD, "welfare")
    figure.suptitle(rmd.HEADINGS["figure2_learned.png"])
    check(figure)
    assert "best that there is" in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_payments():
    places = np.linspace(0, 1, 5)
    curves = {name: places * k for k, name in enumerate(("start", "learned", "best_in_box"))}
    check(design.payments(places, curves, {"threshold, start": 0.2, "threshold, learned": 0.4, "optimum": 0.6}, "u"))


def test_a_menu_and_ratios():
    check(rllib_figures.menu({who: {"truth": 0.4, "twice": 0.6} for who in ("trained", "equilibrium")}, "Reports"))
    figure = follower_figures.ratios({"learned": (0.8, 0.9), "nearest_goal": (0.5, 0.7)}, "share of the best")
    figure.suptitle("goal_collection-v0")
    check(figure)


# -- elections --------------------------------------------------------------------------------------------------------


def played(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng, tails = np.random.default_rng(seed), np.resize((2, 4, 10), 12)
    endowments = np.stack([np.full(12, 10), tails, tails, tails], axis=-1)
    return endowments, rng.integers(0, endowments[:, None] + 1, size=(12, 10, 4))


NAMES = ("hcmd_zero", "libertarian", "theta_1", "theta_2")


def test_contributions_over_rounds_say_what_their_bands_are():
    bands = {name: election_figures.contribution_bands(*played(seed)) for seed, name in enumerate(NAMES)}
    figure = election_figures.contributions_over_rounds(bands)
    check(figure)
    assert "95 %, over groups" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_votes_and_rewards():
    share = {"2, 2, 2": Estimate.normal(0.6, 0.05, 50), "pooled": Estimate.normal(0.5, 0.02, 100)}
    check(election_figures.votes(dict.fromkeys(("people", "held_out", *NAMES), share), "hcmd_zero", "libertarian"))
    rewards = {name: 100.0 + seed + np.random.default_rng(seed).random((5, 4)) for seed, name in enumerate(NAMES)}
    check(election_figures.reward_and_inequality(rewards))


def test_matrices():
    check(election_figures.cross_entropies({"contributions": np.ones((2, 2)), "votes": np.eye(2)}))
    check(election_figures.payoff_matrix(np.full((4, 4), 0.5), NAMES, np.full((4, 4), 0.01)))


def test_beaches():
    game = make_game("public_investment")
    strict = make_policy(game, "mechanism", "strict_egalitarian")
    check(election_figures.beach_plots({"strict_egalitarian": {2: election_figures.beach(strict, game, 2)}}))


def test_figures_of_a_loop_are_headed_by_mechanism_and_game(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    game = make_game("public_investment")
    endowments, contributions = played(0)
    both = np.stack([contributions, contributions], 1)
    records = SimpleNamespace(endowments=endowments, contributions=both, payoffs=1.0 + both)
    (tmp_path / "iterations" / "1" / "evaluation").mkdir(parents=True)
    (tmp_path / "figures").mkdir()
    run = SimpleNamespace(
        path=tmp_path,
        figures_folder=tmp_path / "figures",
        name="hcmd_zero_quick",
        settings={
            "seed": 3,
            "agents": {},
            "trainer": {"name": "hcmd_zero", "evaluation": {"rivals": {"libertarian": {"policy": "libertarian"}}}},
        },
        game=lambda: game,
    )
    summary = {
        "vote_share": {"libertarian": {"people": {"pooled": Estimate.normal(0.5, 0.05, 50)}}},
        "cross_entropy": {"votes": [[1.0]]},
        "meta_game": {"names": ["theta_0"], "shares": [[0.5]], "errors": [[0.0]]},
    }
    monkeypatch.setattr(loop_figures, "read_records", lambda path: records)
    monkeypatch.setattr(
        loop_figures, "rivals", lambda told, game: {"libertarian": make_policy(game, "mechanism", "libertarian")}
    )
    titles = {}
    monkeypatch.setattr(style, "save", lambda figure, path, title: titles.update({path.name: title}))
    drawing.draw(run, summary)
    assert len(titles) == 6
    assert {title.partition(",")[0] for title in titles.values()} == {"hcmd_zero_quick"}
    assert all("public_investment-v0" in title for title in titles.values())


# -- reports ----------------------------------------------------------------------------------------------------------


def standing(n: int) -> affine_figures.Standing:
    return affine_figures.Standing(f"{n}, 2", 0.5, 0.4, Estimate.normal(0.6, 0.01, 3), 0.65)


def test_affine_maximisers():
    board = affine_figures.Board("Table 1", "revenue", "a bound", "bidders, items", [standing(2), standing(3)])
    check(affine_figures.boards([board] * 5))
    search = affine_figures.Search(np.array([0.1, 1.0]), np.array([0.2, 0.4]), 0.41)
    found = {f"search {number}": search for number in range(9)}
    check(affine_figures.searches(found, {"VCG": 0.1, "Myerson's revenue": 0.5}, "revenue", "One cell"))


@pytest.mark.parametrize("game", [SequentialSales(n=9, m=2), SequentialSales(n=3, m=2), Gridworld(n=2, m=3)])
def test_what_boosts_mean(game):
    figure = affine_figures.meaning(game, AffineMaximiser(game))
    assert figure is not None
    check(figure)


def test_frontiers_and_gaps():
    mark = allocation_figures.Mark
    single = {
        name: mark("", 0.01 * k, 0.9, 0.001, 0.001) for k, name in enumerate(("fair", "partial", "fill", "split"))
    }
    families = {name: [mark("a", 0.1, 0.9), mark("b", 0.02, 0.8)] for name in ("mixes", "family", "burning", "fourth")}
    learned = {
        name: [mark("1", 0.03, 0.95, 0.001, 0.001, np.array([[0.03, 0.9], [0.04, 0.96]]))]
        for name in ("ExS-Net", "RPF-Net")
    }
    panels = [allocation_figures.Panel(title, "gain", single, families, learned) for title in ("all", "values")]
    check(allocation_figures.frontier(panels, "5 participants"))
    values = np.array([[0.4, 0.4], [0.2, 0.2]])
    check(allocation_figures.gaps({"gain": {f"network {k}": values / k for k in range(1, 9)}}, [64, 256]))


BASELINES = {
    name: {"nash_welfare_ratio_to_pf": Estimate.normal(ratio, 0.0, 1_000), "relative_gain": gain}
    for name, ratio, gain in (("proportional_fairness", 1.0, 0.06), ("water_filling", 0.95, 0.0))
}


def test_sharing_without_payments():
    keys = ("nash_welfare_ratio_to_pf", "relative_gain", "gradient_norm", "multiplier")
    history = [{"iteration": i, **dict.fromkeys(keys, 0.9 + 0.01 * i), "relative_gain": 0.05 / i} for i in range(1, 4)]
    check(sharing_figures.learning(history, BASELINES))
    summary = {
        "baselines": BASELINES,
        "exploitability": {"joint": {"relative": {"mean": Estimate.normal(0.02, 0.001, 200)}}},
        "nash_welfare_ratio_to_pf": Estimate.normal(0.98, 0.001, 1_000),
    }
    figure = sharing_figures.standing(summary, history)
    figure.suptitle("payment_free_allocation-v0")
    check(figure)


def test_aggregation_without_payments():
    keys = ("given_up", "gain", "gradient_norm", "multiplier")
    history = [{"iteration": i, **dict.fromkeys(keys, 0.01 / i)} for i in range(1, 4)]
    check(aggregation_figures.learning(history, "regularised"))

    def result(given_up: float, gain: float) -> dict[str, Estimate]:
        return {"given_up": Estimate.normal(given_up, 0.001, 100), "gain": Estimate.normal(gain, 0.001, 100)}

    rules = ("mean", "trimmed_mean", "median", "bradley_terry", "borda", "nash_lottery", "random_dictator")
    summary = {
        "rules": {name: result(0.002 * k, 0.03 / (1 + k)) for k, name in enumerate((*rules, "truthful_mixture"))},
        "charged": {share: result(0.0, 0.05 * (1 - float(share))) for share in ("0", "0.5", "1")},
    }
    learned = {"learned, by target": [result(0.002, 0.02), result(0.004, 0.005)]}
    for way in ((), history):
        figure = aggregation_figures.frontier(learned, summary, way, "regularised welfare")
        figure.suptitle("preference_aggregation-v0")
        check(figure)


@pytest.mark.parametrize("n", [2, 9, 20])
def test_gains_of_an_audit(n: int, tmp_path: Path):
    game = make_game("sequential_sales", n=n, m=1)
    rng = np.random.default_rng(0)
    types = game.initial_state(4, rng).types
    found = audit_game(game, make_policy(game, "mechanism", "vcg"), types, effort=1, gradient=False)
    figure = audit_figures.gains(found)
    check(figure)
    assert ("participant" in [axis.get_ylabel() for axis in figure.axes]) == (n > audit_figures.NAMED)


@pytest.mark.parametrize("pricing", ["first", "vcg"])
def test_gains_of_an_audit_of_an_auction(pricing: str):
    game = make_game("sealed_bid", pricing=pricing)
    types = game.initial_state(4, np.random.default_rng(0)).types
    mechanism = make_policy(game, "mechanism", "no_reserve")
    figure = audit_figures.gains(audit_auction(game, mechanism, types, effort=1, rivals=8, gradient=False))
    check(figure)
    assert len(figure.axes) == 3


# -- headings ---------------------------------------------------------------------------------------------------------


def test_a_figure_is_headed_by_mechanism_and_game(tmp_path):
    figure = run_curves.curves([("a", "b", ["m0"])], HISTORY, {})
    style.save(figure, tmp_path / "curves.png", "lanes, seed 0: lanes-v0\nlearned rule: w_1 = 1")
    assert figure.get_suptitle().endswith("w_1 = 1") and (tmp_path / "curves.png").exists()


def test_a_heading_leaves_a_figures_own_title(tmp_path):
    figure = affine_figures.torus(Gridworld(n=2, m=3), np.zeros((9, 4)))
    style.save(figure, tmp_path / "boosts.png", "vcg: gridworld-v0")
    assert figure.get_suptitle() == "vcg: gridworld-v0\nGridworld of 3 x 3 cells on a torus, 2 participants"


def test_contributions_have_their_legend_below():
    table = np.full((4, 11), 1 / 11)
    figure = fund.contributions((10, 4, 4, 4), table, table)
    check(figure)
    (legend,) = figure.legends
    assert legend.get_window_extent().y1 <= min(axis.get_window_extent().y0 for axis in figure.axes)


def test_headings_are_not_broken_between_a_name_and_its_number(tmp_path):
    pairs = [f"w_{k} = {k}" for k in range(40)]
    drawn = style.new_figure(4, 3)
    style.save(drawn, tmp_path / "curves.png", f"lanes\nlearned rule: {', '.join(pairs)}")
    lines = drawn.get_suptitle().split("\n")
    assert len(lines) > 5 and all(any(pair in line for line in lines) for pair in pairs)


def test_a_scale_leaves_the_start_of_a_training_out():
    history = [{"iteration": k, "m0": value} for k, value in ((1, 0.0), (100, 0.1), (101, 0.8), (1_000, 0.9))]
    figure = run_curves.curves([("a", "b", ["m0"])], history, {"limit": 1.0})
    run_curves.scale_late(figure.axes[0], history, "m0", [1.0])
    assert figure.axes[0].get_ylim() == pytest.approx((0.79, 1.01))


def test_headings_are_broken_to_the_width_of_the_figure(tmp_path):
    drawn = style.new_figure(4, 3)
    style.save(drawn, tmp_path / "narrow.png", "a config, seed 0: a game of a long name, with parameters " * 3)
    box = drawn._suptitle.get_window_extent(drawn.canvas.get_renderer())
    assert box.x1 <= drawn.bbox.x1 and box.y1 <= drawn.bbox.y1
