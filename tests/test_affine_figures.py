"""Figures of affine maximisers, and what they read out of boosts, against prices worked out by hand."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest

from lawgiver.agents.reporting import AffineMaximiser
from lawgiver.envs.gridworld.game import Gridworld
from lawgiver.envs.sequential_sales.game import SequentialSales
from lawgiver.envs.solvers.auctions.distributions import Distribution
from lawgiver.envs.solvers.mdp.affine import settle
from lawgiver.envs.task_scheduling.game import TaskScheduling
from lawgiver.trainers.affine_maximiser import figures as affine_figures
from lawgiver.trainers.affine_maximiser.reserve_prices import entry_prices, myerson_reserve, reserves, reserves_by_round
from lawgiver.trainers.plots import style
from lawgiver.trainers.statistics.estimate import Estimate

# -- reserve prices -------------------------------------------------------------------------------------------------


def known(game: SequentialSales, log_weights: np.ndarray) -> np.ndarray:
    """Return the boosts that make Myerson's reserves of the weights, (S, A)."""
    prices = np.array([each.high / 2 for each in game.distributions])
    return np.tile([*(-prices * np.exp(log_weights)), 0.0], (game.mdp.n_states, 1))


@pytest.mark.parametrize("high", [1.0, "1/i"])
def test_the_known_optimum_reads_as_myersons_reserves(high):
    game = SequentialSales(n=4, m=3, high=high)
    log_weights = np.array([0.3, -0.2, 0.0, 0.1])
    boosts = known(game, log_weights)
    by_set, by_round = reserves(game, log_weights, boosts), list(reserves_by_round(game, log_weights, boosts))
    assert len(by_set) == 4 * (1 + 3 + 3)  # of every bidder: nobody else, one of three others, two of three
    assert {(each.round, each.bidder) for each in by_round} == set(itertools.product(range(3), range(4)))
    for each in (*by_set, *by_round):
        expected = game.distributions[each.bidder].high / 2
        assert each.price == pytest.approx(expected) == pytest.approx(myerson_reserve(game.distributions[each.bidder]))


def test_there_may_be_more_bidders_than_an_integer_has_bits():
    game = SequentialSales(n=70, m=1)
    boosts = np.random.default_rng(0).random((1, 71))
    expected = boosts[0, -1] - boosts[0, :-1]
    for found in (reserves(game, np.zeros(70), boosts), [*reserves_by_round(game, np.zeros(70), boosts)]):
        assert [each.bidder for each in found] == [*range(70)]
        np.testing.assert_allclose([each.price for each in found], expected)


def test_reserves_are_differences_of_the_best_paths():
    game = SequentialSales(n=2, m=2)
    boosts = np.random.default_rng(5).normal(size=(4, 3))
    along = {(a, b): boosts[0, a] + boosts[1 + a, b] for a, b in itertools.product(range(3), repeat=2)}

    def best(served, first=(0, 1, 2)):
        return max(value for path, value in along.items() if {*path} - {2} == served and path[0] in first)

    log_weights = np.array([0.5, -0.5])
    weights = np.exp(log_weights)
    found = {(each.bidder, each.served): each.price for each in reserves(game, log_weights, boosts)}
    assert found == {
        (0, 0): pytest.approx((best(set()) - best({0})) / weights[0]),
        (1, 0): pytest.approx((best(set()) - best({1})) / weights[1]),
        (0, 1): pytest.approx((best({1}) - best({0, 1})) / weights[0]),
        (1, 1): pytest.approx((best({0}) - best({0, 1})) / weights[1]),
    }
    by_round = list(reserves_by_round(game, log_weights, boosts))
    first = {each.bidder: each.price for each in by_round if each.round == 0}
    assert first == {i: pytest.approx((best(set()) - best({i}, (i,))) / weights[i]) for i in (0, 1)}
    last = [each for each in by_round if each.round == 1]
    assert sorted((each.bidder, each.served) for each in last) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    (after_a_sale,) = [each for each in last if (each.bidder, each.served) == (1, 1)]
    kept = max(along[0, 0], along[0, 2])  # bidder 0 has one item already: once more, or nobody
    assert after_a_sale.price == pytest.approx((kept - along[0, 1]) / weights[1])


@pytest.mark.parametrize(
    ("distribution", "price"),
    [
        (Distribution(0, 1), 0.5),
        (Distribution(1, 3), 1.5),
        (Distribution(2, 3), 2.0),
        (Distribution(0, 1, (1, 1)), 0.5),
    ],
)
def test_myersons_reserve(distribution, price):
    assert myerson_reserve(distribution) == pytest.approx(price, abs=distribution.high / 4000)


# -- prices of coming by --------------------------------------------------------------------------------------------


def test_without_boosts_every_goal_is_free():
    assert np.nanmax(entry_prices(Gridworld(n=2, m=3), np.zeros((9, 4)))) <= 1 / 4096


def test_prices_are_where_participants_begin_to_be_served():
    game = Gridworld(n=1, m=3)
    boosts = 0.2 * np.random.default_rng(2).random((9, 4))
    prices = entry_prices(game, boosts)
    assert np.isnan(prices[0])
    assert (prices[1:] == 0).any()  # where the walk goes by itself
    assert (prices[1:] > 0).any()
    for goal in range(1, 9):
        for shift, served in ((-1 / 2048, False), (1 / 2048, True)):
            value = prices[goal] + shift
            if value > 0:
                found = settle(game.mdp, game.rewards(np.array([[[goal, value]]])), np.ones(1), boosts)
                assert (found.values[0, 0] > 1e-9) == (served or prices[goal] == 0)
                assert -1e-9 <= found.payments[0, 0] <= found.values[0, 0] + 1e-9
                if served and prices[goal] > 0:  # at that price nothing is left to the participant
                    assert found.payments[0, 0] == pytest.approx(found.values[0, 0], abs=1e-2)


def test_a_goal_may_be_out_of_reach():
    game = Gridworld(n=1, m=3)
    boosts = np.zeros((9, 4))
    boosts[game.successors == 1] = boosts[game.successors == 0] = 50.0
    prices = entry_prices(game, boosts)
    assert prices[1] == 0
    assert np.isinf(np.delete(prices, [0, 1])).all()


# -- what is drawn --------------------------------------------------------------------------------------------------


def board(title: str, limit: float | None) -> affine_figures.Board:
    learned = Estimate.normal(0.6, 0.01, 3)
    standings = [affine_figures.Standing(f"{n}, 2", 0.5, 0.4, learned, limit) for n in (2, 3)]
    return affine_figures.Board(title, "revenue", "a bound", "bidders, items", standings)


def test_every_cell_stands_beside_what_is_known():
    axes = affine_figures.boards([board(f"Table {number}", 0.7) for number in range(1, 6)]).axes
    assert len(axes) == 6
    for number, axis in enumerate(axes[:5], 1):
        assert axis.get_title(loc="left") == f"Table {number}\nlimit: a bound"
        assert [text.get_text() for text in axis.get_xticklabels()] == ["2, 2", "3, 2"]
        heights = {line.get_label(): line.get_ydata() for line in axis.lines}
        np.testing.assert_allclose(heights["limit"], [0.7, 0.7])
        np.testing.assert_allclose(heights["VCG"], [0.4, 0.4])
        np.testing.assert_allclose(heights["paper's best"], [0.5, 0.5])
        np.testing.assert_allclose(axis.containers[-1].lines[0].get_ydata(), [0.6, 0.6])
        assert axis.get_ylim()[0] == 0
    shown = [text.get_text() for text in axes[5].get_legend().get_texts()]
    assert shown == ["VCG", "paper's best", "known limit", "ours, 95 % interval"]


def test_searches_are_told_with_their_results():
    found = {"zeroth_order": affine_figures.Search(np.array([0.1, 1.0]), np.array([0.2, 0.4]), 0.41)}
    axis = affine_figures.searches(found, {"VCG": 0.1, "limit": None}, "revenue", "One cell").axes[0]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["zeroth order: 0.4100", "VCG: 0.1000"]
    assert axis.get_xscale() == "log"
    assert axis.get_ylabel() == "revenue of the exact mechanism"


def test_maps_say_what_entering_and_coming_by_are_worth():
    game = Gridworld(n=2, m=3)
    boosts = np.zeros((9, 4))
    boosts[game.successors == 4] = 0.3
    left, right, *_ = affine_figures.torus(game, boosts).axes
    written = [text.get_text() for text in left.texts if text.get_text()]
    assert len(written) == 9
    assert (written[4], {*written[:4], *written[5:]}) == ("+0.27", {"-0.03"})  # less the mean
    assert right.texts[0].get_text() == "start"
    assert len(left.patches) == len(right.patches) == 1  # the frame of the start


def test_a_mechanism_is_drawn_where_its_boosts_can_be_read():
    sales, tasks = SequentialSales(n=3, m=2), TaskScheduling(n=2, m=2)
    left, right = affine_figures.meaning(sales, AffineMaximiser(sales)).axes
    assert left.get_legend_handles_labels()[1] == ["0 others served", "1 others served", "Myerson's reserve"]
    assert right.get_legend_handles_labels()[1] == ["sold in round 1", "sold in round 2", "Myerson's reserve"]
    assert len(affine_figures.meaning(Gridworld(), AffineMaximiser(Gridworld())).axes) == 4
    assert affine_figures.meaning(tasks, AffineMaximiser(tasks)) is None


def test_figures_are_drawn_whole_and_without_a_warning(tmp_path: Path):
    sales, grid = SequentialSales(n=3, m=2, high="1/i"), Gridworld(n=2, m=4)
    search = affine_figures.Search(np.array([0.1, 1.0]), np.array([0.2, 0.4]), 0.41)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = {
            "boards": affine_figures.boards([board("Table 1", None)]),
            "searches": affine_figures.searches({"annealed": search}, {}, "makespan", "One cell"),
            "reserves": affine_figures.meaning(sales, AffineMaximiser(sales)),
            "torus": affine_figures.meaning(grid, AffineMaximiser(grid)),
        }
        for name, figure in drawn.items():
            style.save(figure, tmp_path / f"{name}.png")
            assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
