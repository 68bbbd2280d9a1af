"""Tournaments: the payoff matrix against elections held apart, the command, and what it does not take."""

import json
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from lawgiver.envs.core.errors import LawgiverError, ParameterError
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.election.game import Election
from lawgiver.trainers.cli import app
from lawgiver.trainers.elections.tournament import round_robin, tournament
from lawgiver.trainers.evaluation.vote_shares import shares

BASE = {"name": "public_investment", "endowments": [[10, 2, 2, 2], [10, 10, 10, 10]], "n_rounds": 5}
RULES = ("strict_egalitarian", "liberal_egalitarian", "libertarian")


def test_matrix_is_of_the_elections_held():
    election = Election(base=BASE)
    rules = {name: make_policy(election.game, "mechanism", name) for name in RULES}
    held = round_robin(election, rules, 101, 7)
    assert held.games == 104, "split evenly over two conditions and two orders"
    pair = [rules["strict_egalitarian"], rules["libertarian"]]
    groups = np.stack(list(shares(election, pair, 52, np.random.default_rng(7)).values()))
    assert held.shares[0, 2] == pytest.approx(groups.mean())
    within = groups.var(axis=1, ddof=1)  # conditions are no sample of anything
    assert held.errors[0, 2] == pytest.approx(np.sqrt(within[0] / 52 + within[1] / 52) / 2)
    assert held.pair("strict_egalitarian", "libertarian") == pytest.approx(groups)
    assert held.pair("libertarian", "strict_egalitarian") == pytest.approx(1 - groups)
    assert held.shares + held.shares.T == pytest.approx(1) and (np.diag(held.shares) == 0.5).all()


def test_incentives_win_before_simulated_people():
    election = Election(base=BASE)
    held = round_robin(election, {n: make_policy(election.game, "mechanism", n) for n in RULES}, 600, 0)
    solved = held.solved()
    assert solved["condorcet_winner"] == "liberal_egalitarian" and solved["cycle"] is None
    assert solved["nash"]["liberal_egalitarian"].mean == pytest.approx(1)
    assert solved["dominant"] == ["liberal_egalitarian"] and solved["dominance"]["libertarian"] == "none"
    assert solved["exploitability"].high == pytest.approx(0, abs=1e-9), "whichever groups are drawn, it wins"
    assert solved["nash"]["liberal_egalitarian"].low == pytest.approx(1)
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
    held = tournament(
        ["strict_egalitarian", "libertarian"], game="taxed_dilemma", participants="random", voters="random", games=400
    )
    assert abs(held.shares[0, 1] - 0.5) < 4 * held.errors[0, 1]


@pytest.mark.parametrize(
    ("contestants", "overrides", "message"),
    [
        (["libertarian"], [], "a tournament of 1"),
        (["libertarian", "libertarian"], [], "twice"),
        (["libertarian", "liberal_egalitarain"], [], "liberal_egalitarian"),
        (["libertarian", "pigou"], [], "pigou"),
        (
            ["libertarian", "liberal_egalitarian"],
            ["game.name=lanes"],
            "mechanism 'libertarian' is not a rule of lanes-v0",
        ),
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
        CliRunner().invoke(app, ["tournament", *contestants, *overrides], catch_exceptions=False)


def test_mechanisms_of_another_game_are_refused(tmp_path):
    pytest.importorskip("torch")
    from lawgiver.agents.network_policies import LearnedMechanism
    from lawgiver.trainers.runs.config import validate
    from lawgiver.trainers.runs.training_run import TrainingRun

    settings = {"game": {"name": "taxed_dilemma"}, "agents": {}, "trainer": {"name": "exact_designer"}}
    run = TrainingRun.create("x", validate({**settings, "run_dir": str(tmp_path / "run")}))
    run.save_policy("mechanism", LearnedMechanism(run.game(), start=[0.3], hidden=None))
    run.finish({})
    run.close()
    with pytest.raises(LawgiverError, match="taxed_dilemma"):
        tournament(["libertarian", tmp_path / "run"], games=4)


def test_no_contestants_is_an_error():
    with pytest.raises(ParameterError, match="a tournament of 0"):
        tournament([])


def test_a_mechanism_may_come_with_parameters_and_the_people_from_a_run(tmp_path):
    pytest.importorskip("torch")
    from lawgiver.agents.virtual import VirtualParticipants, VirtualVoters
    from lawgiver.trainers.runs.config import validate
    from lawgiver.trainers.runs.training_run import TrainingRun

    game = {"name": "public_investment", "endowments": [[10, 4, 4, 4]], "n_rounds": 2}
    run = TrainingRun.create(
        "x",
        validate({"game": game, "agents": {}, "trainer": {"name": "exact_designer"}, "run_dir": str(tmp_path / "r")}),
    )
    run.save_policy("participant", VirtualParticipants(run.game(), n_linear=4, n_hidden=2))
    run.save_policy("voters", VirtualVoters(run.game()))
    run.finish({})
    run.close()
    shape: Any = {"game": {"endowments": [[10, 4, 4, 4]], "n_rounds": 2}, "games": 8}
    held = tournament(["{policy: manifold, w: 1, v: 0}", "liberal_egalitarian"], participants=run, voters=run, **shape)
    assert held.names[0] == "{policy: manifold, w: 1, v: 0}" and held.games == 8
    with pytest.raises(LawgiverError, match="not YAML"):
        tournament(["{policy: manifold", "libertarian"], **shape)
    with pytest.raises(LawgiverError, match=r"twice"):
        tournament([f"{run.path}", f"{run.path}/"], **shape)
    with pytest.raises(LawgiverError, match=r"mechanism_mode"):
        tournament(["libertarian", "liberal_egalitarian"], game={"mechanism_mode": "announce"}, participants=run)


def test_groups_that_all_agree_are_not_certainty():
    base = {"name": "public_investment", "endowments": [10, 10], "n_rounds": 1}
    election = Election(base=base, participants="full_contributor", voters="random")
    rules = {name: make_policy(election.game, "mechanism", name) for name in RULES[:2]}
    seeds = range(40)
    held = [round_robin(election, rules, 2, seed) for seed in seeds]
    assert all(one.errors[0, 1] > 0.1 for one in held)
    assert sum(one.solved()["condorcet_winner"] is not None for one in held) <= 6


def test_a_single_saved_policy_takes_part_like_a_run(tmp_path):
    pytest.importorskip("torch")
    from lawgiver.agents.graph_network import graph_network
    from lawgiver.agents.learned import save_policy
    from lawgiver.agents.virtual import VirtualParticipants, VirtualVoters
    from lawgiver.envs.core.make import make_game, make_voter
    from lawgiver.trainers.runs.atomic_files import write_folder
    from lawgiver.trainers.runs.config import validate
    from lawgiver.trainers.runs.loading import load
    from lawgiver.trainers.runs.training_run import TrainingRun

    game = {"name": "public_investment", "endowments": [[10, 4, 4, 4]], "n_rounds": 2}
    settings = {"game": game, "agents": {}, "trainer": {"name": "exact_designer"}, "run_dir": str(tmp_path / "r")}
    run = TrainingRun.create("x", validate(settings))
    rules = run.game()
    kept = {
        "mechanism": graph_network(rules, n_units=2),
        "participants": VirtualParticipants(rules, n_linear=4, n_hidden=2),
        "voters": VirtualVoters(rules),
    }
    step = run.path / "iterations" / "3" / "model"
    write_folder(step, lambda folder: [save_policy(folder / name, policy) for name, policy in kept.items()])
    run.log(1, {"loss": 1.0}, {})
    run.finish({})
    run.close()
    mechanism, people, voters = (str(step / name) for name in kept)
    shape: Any = {"game": {"endowments": [[10, 4, 4, 4]], "n_rounds": 2}, "games": 8}
    held = tournament([mechanism, "libertarian"], participants=people, voters=voters, **shape)
    assert held.settings["voters"] == voters and held.games == 8
    assert load(mechanism, role="mechanism").settings == {"n_units": 2}, "its run says the game"

    with pytest.raises(LawgiverError, match=r"virtual_participants' for the role 'participant', not 'mechanism'"):
        make_policy(rules, "mechanism", people)
    with pytest.raises(LawgiverError, match="graph_mechanism' for the role 'mechanism', not 'participant'"):
        make_policy(rules, "participant", mechanism)
    with pytest.raises(LawgiverError, match="graph_mechanism' for the role 'mechanism', not 'voters'"):
        make_voter(rules, mechanism)
    with pytest.raises(LawgiverError, match="cannot play taxed_dilemma"):
        make_policy(make_game("taxed_dilemma"), "mechanism", mechanism)
    with pytest.raises(LawgiverError, match="mechanism_mode"):
        make_policy(make_game("public_investment", mechanism_mode="announce"), "mechanism", mechanism)
    with pytest.raises(LawgiverError, match="role is None, allowed: "):
        load(mechanism)

    copied = tmp_path / "copied"
    save_policy(copied, kept["mechanism"])
    assert make_policy(rules, "mechanism", copied).settings == {"n_units": 2}
    with pytest.raises(LawgiverError, match="give the game"):
        load(copied, role="mechanism")
    with pytest.raises(LawgiverError, match="allocate"):
        make_policy(make_game("taxed_dilemma"), "mechanism", copied)

    (step / "mechanism" / "policy.json").write_text((step / "mechanism" / "policy.json").read_text() + " ")
    with pytest.raises(LawgiverError, match="is damaged: its content is not what was written"):
        make_policy(rules, "mechanism", mechanism)
