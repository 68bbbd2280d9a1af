"""What a round robin says, and how surely: dominance, ties and equilibria of games whose truth is known."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.trainers.cli import app
from lawgiver.trainers.cli.vote_tables import show_tournament
from lawgiver.trainers.elections import standings as module
from lawgiver.trainers.elections.standings import Standings, ends, resampled
from lawgiver.trainers.elections.tournament import Tournament

LEVELS = {"strict": 0.7, "even": 0.5}


def symmetric(upper):
    """Shares whose upper triangle is that of ``upper``."""
    upper = np.triu(np.asarray(upper, float), 1)
    return upper + np.tril(1 - upper.T, -1) + 0.5 * np.eye(len(upper))


def votes(means, each, rng, conditions=1):
    """Return shares of four votes in groups whose members are alike, (P, C, E), of these means (P,)."""
    shape = (len(means), conditions, each)
    means = np.broadcast_to(np.asarray(means, float)[:, None, None], shape)
    return rng.binomial(4, rng.beta(2 * means, 2 * (1 - means))) / 4


# -- dominance ------------------------------------------------------------------------------------------------------


def test_dominance_has_a_direction_and_is_in_every_column():
    shares = np.array([[0.5, 0.3, 0.45], [0.7, 0.5, 0.4], [0.55, 0.6, 0.5]])
    assert [Standings(shares[None]).dominance(i) for i in range(3)] == ["none"] * 3, "the second wins more against 1"
    ranked = np.array([[0.5, 0.3, 0.2], [0.7, 0.5, 0.4], [0.8, 0.6, 0.5]])
    assert [Standings(ranked[None]).dominance(i) for i in range(3)] == ["none", "none", "strict"]


def test_strict_weak_and_equal_are_told_apart():
    weak = symmetric([[0, 0.5, 0.7], [0, 0, 0.6], [0, 0, 0]])
    assert [Standings(weak[None]).dominance(i) for i in range(3)] == ["weak", "none", "none"]
    equal = symmetric([[0, 0.5, 0.7], [0, 0, 0.7], [0, 0, 0]])
    assert [Standings(equal[None]).dominance(i) for i in range(3)] == ["open", "open", "none"], "neither over the other"
    assert Standings(equal[None]).ties == ((0, 1),)


def test_who_loses_is_not_called_dominant():
    """One wins 52.2 to 47.8 against the other, by two standard errors: the loser at least is not dominant."""
    rng = np.random.default_rng(3)
    groups = votes([0.522, 0.62, 0.6], 1_000, rng)
    groups[0] += 0.522 - groups[0].mean()
    held = Tournament(("run", "liberal_egalitarian", "strict_egalitarian"), groups)
    solved = held.solved()
    assert solved["dominance"]["liberal_egalitarian"] in ("none", "open")
    assert "liberal_egalitarian" not in solved["dominant"] and solved["nash"]["liberal_egalitarian"].mean == 0


def test_two_equal_mechanisms_are_a_tie_and_not_a_nash_equilibrium_of_one(capsys):
    rng = np.random.default_rng(0)
    runs, told = 200, 0
    for _ in range(runs):
        standings = Standings(resampled(votes([0.5, 0.8, 0.8], 100, rng), rng, 400))
        told += (0, 1) not in standings.ties
        assert standings.dominance(2) == "none"
    assert told / runs < 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    groups = votes([0.5, 0.8, 0.8], 1_000, rng)
    groups[0] += 0.494 - groups[0].mean()
    show_tournament(held := Tournament(("a", "b", "loser"), groups), solved := held.solved())
    shown = capsys.readouterr().out
    assert solved["nash"]["b"].mean == pytest.approx(1) and "100.0" not in shown
    assert shown.count("tied [0, 100]") == 2 and "not told apart: a and b" in shown
    assert "dominant: none; not told: a, b" in shown and "beats every other by more than chance: none" in shown


def test_of_many_equal_mechanisms_none_is_said_to_be_worse_than_another():
    rng = np.random.default_rng(2)
    runs, size, told = 60, 6, 0
    for _ in range(runs):
        standings = Standings(resampled(votes([0.5] * (size * (size - 1) // 2), 200, rng), rng, 400))
        told += sum(standings.dominance(index) == "none" for index in range(size))
    assert told / (runs * size) < 0.1, "0.4 if each of thirty differences is looked at by itself"


def test_the_command_says_of_one_mechanism_under_two_names_that_it_ties(tmp_path):
    twice = ["libertarian", "{policy: manifold, w: 1, v: 1}", "random"]
    arguments = [*twice, "game.n_rounds=2", "game.endowments=[10,4,4,4]", "games=100", "--out", str(tmp_path)]
    done = CliRunner().invoke(app, ["tournament", *arguments])
    assert done.exit_code == 0, done.output
    kept = json.loads((tmp_path / "tournament.json").read_text())
    assert twice[:2] in kept["ties"] and kept["condorcet_winner"] is None and kept["dominant"] == []
    assert "not told apart: libertarian and" in done.output


# -- the draws ------------------------------------------------------------------------------------------------------


def test_draws_are_shares_whose_middle_is_the_t_interval():
    rng = np.random.default_rng(1)
    groups = rng.random((3, 2, 40))
    drawn = resampled(groups, rng, 20_000)
    assert drawn + drawn.swapaxes(1, 2) == pytest.approx(np.ones_like(drawn))
    held = Tournament(("a", "b", "c"), groups)
    assert drawn.mean(axis=0) == pytest.approx(held.shares, abs=2e-3)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    off = ~np.eye(3, dtype=bool)
    assert ((high - low) / 2)[off] == pytest.approx(1.9908 * held.errors[off], rel=0.03)  # t of 78 degrees of freedom


def test_people_who_are_the_same_in_all_pairs_vary_together():
    """Two mechanisms that win the same votes against a third are equally good against it, however few the games."""
    rng = np.random.default_rng(2)
    first, alike = votes([0.5, 0.7], 30, rng)
    held = Standings(resampled(np.stack([first, alike, alike]), rng))
    assert (held.drawn[:, 0, 2] == held.drawn[:, 1, 2]).all()


def test_groups_that_all_agree_are_no_certainty():
    few, many = (Standings(resampled(np.ones((1, 1, each)), np.random.default_rng(0))) for each in (2, 500))
    assert not few.beats.any() and few.ties == ((0, 1),)
    assert many.beats[0, 1] and np.quantile(many.drawn[:, 0, 1], 0.025) < 1


@pytest.mark.parametrize("shape", [(2, 1, 5), (0, 1, 5), (1, 1, 1)])
def test_groups_of_no_round_robin_are_refused(shape):
    with pytest.raises(LawgiverError, match="groups have shape"):
        resampled(np.zeros(shape), np.random.default_rng(0))


def misfit(found, truth):
    """Return by which factor 95 % intervals (R, 2) are too narrow, and how often they hold the truth."""
    off = (found.mean(axis=1) - truth) / (np.ptp(found, axis=1) / 2)
    return 1.96 * np.sqrt((off**2).mean()), float((np.abs(off) <= 1).mean())


def test_intervals_of_shares_cover_the_truth():
    """Two conditions that differ, of which the truth is the mean: their difference is no noise.

    Of intervals a tenth narrower or wider the factor would be 1.11 or 0.91.
    """
    rng, runs = np.random.default_rng(4), 1_500
    found = np.empty((runs, 2))
    for run in range(runs):
        groups = np.concatenate([votes([0.45], 40, rng), votes([0.75], 40, rng)], axis=1)
        found[run] = np.quantile(resampled(groups, rng, 400)[:, 0, 1], [0.025, 0.975])
    factor, covered = misfit(found, 0.6)
    assert factor == pytest.approx(1, abs=0.05) and abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / runs)


def test_intervals_of_the_equilibrium_cover_the_truth(monkeypatch):
    """With wins a (0 over 1), b (1 over 2) and c (2 over 0), play is proportional to (b, c, a)."""
    a, b, c = 0.16, 0.18, 0.17

    def closed_form(drawn):
        wins = np.stack([drawn[:, 1, 2], drawn[:, 2, 0], drawn[:, 0, 1]], axis=1) - 0.5
        return wins / wins.sum(axis=1, keepdims=True)

    rng, runs = np.random.default_rng(5), 1_500
    some = resampled(votes([0.5 + a, 0.5 - c, 0.5 + b], 1_000, rng), rng)
    assert Standings(some).mixtures == pytest.approx(closed_form(some), abs=1e-9)
    monkeypatch.setattr(module, "nash_of_many", closed_form)
    found = np.empty((runs, 2))
    for run in range(runs):
        groups = votes([0.5 + a, 0.5 - c, 0.5 + b], 200, rng)
        found[run] = [end[0] for end in ends(Standings(resampled(groups, rng, 300)).mixtures)]
    factor, covered = misfit(found, b / (a + b + c))
    assert factor == pytest.approx(1, abs=0.05) and abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / runs)
