"""The figures of elections: the numbers that they show are right, and what is written is a labelled image."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.trainers.elections import figures as election_figures
from lawgiver.trainers.plots import style
from lawgiver.trainers.statistics.estimate import Estimate

TAILS = (2, 4, 6, 8, 10)


def played(groups=12, seed=0):
    """Endowments (G, 4), contributions and payouts (G, 10, 4) of groups whose fund is shared at random."""
    rng = np.random.default_rng(seed)
    tails = np.resize(TAILS, groups)
    endowments = np.stack([np.full(groups, 10), tails, tails, tails], axis=-1)
    contributions = rng.integers(0, endowments[:, None] + 1, size=(groups, 10, 4))
    payouts = 1.6 * contributions.sum(-1, keepdims=True) * rng.dirichlet(np.ones(4), size=(groups, 10))
    return endowments, contributions, payouts


# -- beach plots ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", TAILS)
def test_beaches_of_the_canonical_mechanisms_are_their_closed_forms(tail):
    game = make_game("public_investment")
    for name, share in {
        "strict_egalitarian": lambda head, tails: 0.25,
        "libertarian": lambda head, tails: head / (head + tails),
        "liberal_egalitarian": lambda head, tails: (head / 10) / (head / 10 + tails / tail),
    }.items():
        found = election_figures.beach(make_policy(game, "mechanism", name), game, tail)
        assert found.shape == (11, 3 * tail + 1)
        assert found[0, 0] == pytest.approx(0.25)
        for head in range(11):
            for tails in range(3 * tail + 1):
                if head + tails:
                    assert found[head, tails] == pytest.approx(share(head, tails), abs=1e-12), (name, head, tails)


def test_a_cell_counts_every_composition_once():
    """Weights c_i^2: with tails giving 1 in all there is one composition up to order, with 2 there are two."""
    game = make_game("public_investment")
    squares = make_policy(game, "mechanism", {"policy": "rule", "parameters": (2.0, 2.0)})
    found = election_figures.beach(squares, game, 2)
    assert found[3, 1] == pytest.approx(9 / (9 + 1))
    assert found[3, 2] == pytest.approx((3 * 9 / (9 + 4) + 3 * 9 / (9 + 1 + 1)) / 6)


def test_a_learned_mechanism_has_a_beach():
    pytest.importorskip("torch")
    game = make_game("public_investment")
    network = make_policy(game, "mechanism", "graph_network", seed=0)
    found = election_figures.beach(network, game, 4)
    assert found.shape == (11, 13)
    assert ((found >= 0) & (found <= 1)).all()
    assert found[0, 0] == pytest.approx(0.25)


# -- what is shown --------------------------------------------------------------------------------------------------


def test_bands_are_students_intervals_over_groups():
    endowments = np.array([[10, 2, 2, 2]] * 3 + [[10, 4, 4, 4]])
    contributions = np.zeros((4, 1, 4))
    contributions[:3, 0, 0] = [4, 5, 6]
    contributions[:3, 0, 1] = 2
    contributions[3, 0] = [10, 4, 4, 0]
    bands = election_figures.contribution_bands(endowments, contributions)
    half = 4.302653 * 0.1 / np.sqrt(3)  # two degrees of freedom
    ((head,), (tail,)), ((one,), (other,)) = (bands[endowment].values() for endowment in (2, 4))
    np.testing.assert_allclose((head.mean, *head.ends), [0.5, 0.5 - half, 0.5 + half], atol=1e-5)
    np.testing.assert_allclose((tail.mean, *tail.ends), np.full(3, 1 / 3))
    np.testing.assert_allclose((one.mean, *one.ends), np.ones(3))
    np.testing.assert_allclose((other.mean, *other.ends), np.full(3, 2 / 3))


def test_scores_of_groups_are_their_definitions():
    rewards = np.array([[100.0, 100, 100, 100], [0, 0, 0, 40], [0, 0, 0, 0]])
    unequal, logs = election_figures.group_scores(rewards)
    np.testing.assert_allclose(unequal, [0, 0.75, 0], atol=1e-12)
    np.testing.assert_allclose(logs, np.log(rewards + 0.001).sum(axis=1))


def test_losses_are_relative_to_each_data_sets_own_model():
    losses = np.array([[2.0, 6.0], [3.0, 4.0]])
    np.testing.assert_allclose(election_figures.relative_to_diagonal(losses), [[1, 1.5], [1.5, 1]])
    for wrong in (np.ones((2, 3)), np.array([[0.0, 1], [1, 1]]), np.array([[np.nan, 1], [1, 1]])):
        with pytest.raises(LawgiverError, match="diagonal"):
            election_figures.relative_to_diagonal(wrong)


def test_a_name_has_one_colour_and_no_two_names_the_same():
    found = style.named_colours(["hcmd_zero", "liberal_egalitarian", "libertarian", "held_out"])
    assert found["liberal_egalitarian"] == style.COLOURS["liberal_egalitarian"]
    assert len(set(found.values())) == 4


def share(mean: float) -> Estimate:
    return Estimate(mean, 0.05, mean - 0.1, mean + 0.1, 50, "group bootstrap")


def test_votes_stand_at_their_places():
    shares = {
        "people": {"2": share(0.6), "4": share(0.4), "pooled": share(0.5)},
        "held_out": {"4": share(0.7)},
    }
    axis = election_figures.votes(shares, "hcmd_zero", "libertarian").axes[0]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["2", "4", "pooled"]
    people, held_out = (container.lines[0] for container in axis.containers)
    np.testing.assert_allclose(people.get_ydata(), [60, 40, 50])
    np.testing.assert_allclose(held_out.get_ydata(), [70])
    assert held_out.get_xdata()[0] > people.get_xdata()[1]
    assert [text.get_text() for text in axis.get_legend().get_texts()][1:] == ["people", "held out"]


def test_matrices_are_written_with_their_numbers():
    shares = np.array([[0.5, 0.25], [0.75, 0.5]])
    texts = [
        text.get_text()
        for text in election_figures.payoff_matrix(shares, ["theta_0", "theta_1"], 0 * shares).axes[0].texts
    ]
    assert texts == ["50.0", "25.0", "75.0", "50.0"]
    losses = np.array([[2.0, np.nan], [3.0, 4.0]])
    texts = [text.get_text() for text in election_figures.cross_entropies({"votes": losses}).axes[0].texts]
    assert texts == ["1.00", "–", "1.50", "1.00"]


def test_every_figure_is_drawn_whole_and_without_a_warning(tmp_path):
    endowments, contributions, payouts = played()
    game = make_game("public_investment")
    bands = {
        "hcmd_zero": election_figures.contribution_bands(endowments, contributions),
        "libertarian": election_figures.contribution_bands(*played(4, 1)[:2]),
    }
    rewards = (endowments[:, None] - contributions + payouts).sum(axis=1)
    strict = make_policy(game, "mechanism", "strict_egalitarian")
    grids = {
        "strict_egalitarian": {tail: election_figures.beach(strict, game, tail) for tail in (2, 4)},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = {
            "contributions": election_figures.contributions_over_rounds(bands),
            "votes": election_figures.votes(
                {"people": {"pooled": Estimate.of_seeds([0.5])}}, "hcmd_zero", "libertarian"
            ),
            "rewards": election_figures.reward_and_inequality({"hcmd_zero": rewards, "libertarian": rewards[:1] * 2}),
            "losses": election_figures.cross_entropies({"contributions": np.ones((1, 1)), "votes": np.eye(1)}),
            "payoffs": election_figures.payoff_matrix(np.full((1, 1), 0.5), ["hcmd_zero"], np.zeros((1, 1))),
            "beach": election_figures.beach_plots(grids),
        }
        for name, figure in drawn.items():
            style.save(figure, tmp_path / f"{name}.png")
            assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
            text = [axis.get_xlabel() + axis.get_title() for axis in figure.axes if axis.get_subplotspec() is not None]
            assert any(text), name
