"""Tournaments: the payoff matrix against elections held apart, the command, and what it does not take."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from lawgiver.envs.core.errors import LawgiverError, ParameterError
from lawgiver.envs.core.registry import make_policy
from lawgiver.envs.election.game import Election
from lawgiver.trainers.cli import app
from lawgiver.trainers.elections import shares
from lawgiver.trainers.tournament import hold_tournament, round_robin

BASE = {"name": "public_investment", "endowments": [[10, 2, 2, 2], [10, 10, 10, 10]], "n_rounds": 5}
RULES = ("strict_egalitarian", "liberal_egalitarian", "libertarian")


def test_matrix_is_of_the_elections_held():
    election = Election(base=BASE)
    rules = {name: make_policy(election.game, "mechanism", name) for name in RULES}
    held = round_robin(election, rules, 101, 7)
    assert held.games == 102, "split evenly over two conditions"
    pair = [rules["strict_egalitarian"], rules["libertarian"]]
    groups = np.concatenate(list(shares(election, pair, 51, np.random.default_rng(7)).values()))
    assert held.shares[0, 2] == pytest.approx(groups.mean())
    assert held.errors[0, 2] == pytest.approx(groups.std(ddof=1) / np.sqrt(102))
    assert held.shares + held.shares.T == pytest.approx(1) and (np.diag(held.shares) == 0.5).all()


def test_incentives_win_before_simulated_people():
    election = Election(base=BASE)
    held = round_robin(election, {n: make_policy(election.game, "mechanism", n) for n in RULES}, 600, 0)
    solved = held.solved()
    assert solved["condorcet_winner"] == "liberal_egalitarian" and solved["cycle"] is None
    assert solved["nash"]["liberal_egalitarian"] == pytest.approx(1)
    assert solved["exploitability"] == pytest.approx(0, abs=1e-9)
    assert "fictitious_play" not in solved


def test_command_prints_the_matrix_and_keeps_it(tmp_path):
    out = tmp_path / "new" / "folder"
    arguments = [*RULES, "game.n_rounds=2", "game.endowments=[10,4,4,4]", "games=20", "--out", str(out)]
    done = CliRunner().invoke(app, ["tournament", *arguments])
    assert done.exit_code == 0, done.output
    assert "Nash" in done.output and "beats every other" in done.output
    kept = json.loads((out / "tournament.json").read_text())
    assert kept["names"] == list(RULES) and kept["settings"]["games"] == 20 and np.shape(kept["shares"]) == (3, 3)
    assert (out / "payoffs.png").stat().st_size > 5_000


def test_the_second_game_has_tournaments_too():
    _, held = hold_tournament(
        ["strict_egalitarian", "libertarian"],
        ["game.name=taxed_dilemma", "participants=random", "voters=random", "games=400"],
    )
    assert abs(held.shares[0, 1] - 0.5) < 4 * held.errors[0, 1]


@pytest.mark.parametrize(
    ("contestants", "overrides", "message"),
    [
        (["libertarian"], [], "a tournament of 1"),
        (["libertarian", "libertarian"], [], "twice"),
        (["libertarian", "liberal_egalitarain"], [], "liberal_egalitarian"),
        (["libertarian", "pigou"], [], "pigou"),
        (["libertarian", "random"], ["gmaes=3"], "games"),
        (["libertarian", "random"], ["games=1"], "games is 1"),
        (["libertarian", "random"], ["participants=simulated_peopel"], "simulated_people"),
        (["libertarian", "random"], ["voters=experiense"], "experience"),
        (["libertarian", "random"], ["game.name=taxed_dilemma"], "payouts|simulated_people"),
        (["libertarian", "random"], ["game.n_round=3"], "n_rounds"),
    ],
)
def test_wrong_input_is_named(contestants, overrides, message):
    with pytest.raises(LawgiverError, match=message):
        hold_tournament(contestants, overrides)


def test_mechanisms_of_another_game_are_refused(tmp_path):
    pytest.importorskip("torch")
    from lawgiver.agents.learned import LearnedMechanism
    from lawgiver.trainers.config import validate
    from lawgiver.trainers.runs import Run

    settings = {"game": {"name": "taxed_dilemma"}, "agents": {}, "trainer": {"name": "exact_designer"}}
    run = Run.create("x", validate({**settings, "run_dir": str(tmp_path / "run")}))
    run.save_policy("mechanism", LearnedMechanism(run.game(), start=[0.3], hidden=None))
    run.finish({})
    run.close()
    with pytest.raises(LawgiverError, match="taxed_dilemma"):
        hold_tournament(["libertarian", str(tmp_path / "run")], ["games=4"])


def test_no_contestants_is_an_error():
    with pytest.raises(ParameterError, match="a tournament of 0"):
        hold_tournament([], [])
