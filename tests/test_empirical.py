"""Games as empirical normal forms: tables against what is known, and solutions whose regret holds in the game."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

import lawgiver
from lawgiver.envs.core.errors import LawgiverError, ParameterError, UnknownNameError, UnsupportedGameError
from lawgiver.envs.solvers.normal_form.forms import NormalForm, SymmetricForm
from lawgiver.envs.solvers.normal_form.methods import METHODS
from lawgiver.trainers.cli import app
from lawgiver.trainers.empirical.play import table
from lawgiver.trainers.empirical.solutions import table_solutions
from lawgiver.trainers.empirical.table import EmpiricalTable
from lawgiver.trainers.evaluation.payoff_table import PayoffTable
from lawgiver.trainers.statistics.estimate import LEVEL

THREE = (np.arange(36.0).reshape(3, 2, 3, 2) * 5) % 7
DILEMMA = {"name": "taxed_dilemma", "continuation": 0.0}
VOTING = {"name": "voting", "n": 3, "m": 3}


# -- tables -----------------------------------------------------------------------------------------------------


def test_the_table_of_a_matrix_game_is_its_payoffs():
    played = table({"name": "matrix", "payoffs": THREE, "rounds": 2}, games=3)
    assert isinstance(played.form, NormalForm) and played.exact
    assert np.array_equal(played.form.payoffs, 2 * THREE) and not played.errors.any()
    assert played.players == ("participant_0", "participant_1", "participant_2")
    assert played.names == (("0", "1"), ("0", "1", "2"), ("0", "1"))
    named = table({"name": "matrix", "preset": "chicken"}, strategies=["menu"], games=2)
    assert named.names[0] == ("swerve", "straight")


def test_the_mechanism_may_be_a_player():
    played = table(DILEMMA, {"mechanism": ["libertarian", "strict_egalitarian"]}, games=2)
    assert played.players == ("participant_0", "participant_1", "mechanism")
    assert played.form.payoffs[0, 0, 1].tolist() == [5, 2.5], "of who defects against a cooperator, taxed and not"
    assert played.form.payoffs[2, 1, 1] == pytest.approx(2 * np.log(3.001))


def test_cells_are_played_on_common_random_numbers():
    """A voter's ballots are judged in the same elections: differences are known better than payoffs."""
    played = table(VOTING, ["truthful", 0], mechanism="borda", games=400, seed=3)
    truth, ballot = played.samples[:, 0, 0, 0, 0], played.samples[:, 0, 1, 0, 0]
    assert (truth - ballot).std() < 0.8 * np.hypot(truth.std(), ballot.std())
    again = table(VOTING, ["truthful", 0], mechanism="borda", games=400, seed=3)
    assert np.array_equal(played.samples, again.samples)
    single = table(VOTING, ["truthful"], mechanism="borda", games=400, seed=3)
    assert np.array_equal(single.samples[..., 0, 0, 0], played.samples[..., 0, 0, 0])
    assert not np.array_equal(single.samples, table(VOTING, ["truthful"], mechanism="borda", games=400).samples)
    drawn = table({"name": "matrix"}, ["random", 0], games=200)
    assert drawn.samples[:, 0, 0, 1].std() > 0 and not drawn.samples[:, :, 1, 1].std(axis=0).any()


def test_strategies_are_policies_by_name_and_folder_and_by_names_of_ones_own(tmp_path):
    pytest.importorskip("torch")
    from lawgiver.agents.learned import save_policy
    from lawgiver.agents.network_policies import LearnedParticipants

    game = lawgiver.make_game(**DILEMMA)
    save_policy(tmp_path / "people", LearnedParticipants(game, hidden=(4,)))
    played = table(game, [tmp_path / "people", 0, "random"], mechanism="libertarian", games=400)
    assert played.names[0] == (str(tmp_path / "people"), "0", "random")
    assert played.form.payoffs[0, 1, 2] == pytest.approx(3, abs=0.5), "a defector against chance: 5 or 1"
    own = table(game, {"mine": lawgiver.make_policy(game, "participant", "constant", choice=1)}, "libertarian", games=2)
    assert own.names == (("mine",),) * 2 and own.form.payoffs[:, 0, 0].tolist() == [3, 3]
    guess = {"policy": "compromise", "rule": "borda"}
    votes = table(VOTING, ["truthful", guess], mechanism="borda", games=400, symmetric=True)
    assert votes.names == (("truthful", "compromise rule=borda"),)
    gain = votes.samples[:, 1, 1] - votes.samples[:, 0, 0]
    assert gain.std() < 0.2 * votes.samples[:, 0, 0].std(), "by every seat in the same elections"
    assert gain.mean() == pytest.approx(0, abs=0.005), "of an impartial culture nobody knows whom to leave"


def test_a_symmetric_table_has_the_payoffs_of_the_whole_one():
    counts = table({"name": "matrix", "preset": "stag_hunt"}, games=2, symmetric=True)
    assert isinstance(counts.form, SymmetricForm) and counts.names == (("stag", "hare"),)
    assert np.array_equal(
        counts.form.expanded().payoffs, table({"name": "matrix", "preset": "stag_hunt"}, games=2).form.payoffs
    )
    few = table(VOTING, ["truthful", 0, 3], mechanism="borda", games=1_000, symmetric=True)
    whole = table(VOTING, ["truthful", 0, 3], mechanism="borda", games=1_000, seed=1)
    assert few.samples.shape == (100, 3, 10)
    apart = few.form.expanded().payoffs - whole.form.payoffs
    assert np.abs(apart).max() < 4.5 * whole.errors.max()


def test_seats_that_are_not_exchangeable_are_noticed():
    uneven = {"name": "matrix", "payoffs": [[[1, 0], [0, 1]], [[2, 0], [0, 1]]]}
    with pytest.raises(ParameterError, match=r"not exchangeable: where all play '0', participant_0 earns 1 and .*_1 2"):
        table(uneven, games=2, symmetric=True)
    with pytest.raises(UnsupportedGameError, match="no symmetric table"):
        table({"name": "matrix", "payoffs": THREE}, games=2, symmetric=True)
    with pytest.raises(UnsupportedGameError, match="no symmetric table"):
        table(DILEMMA, {"mechanism": ["libertarian", "strict_egalitarian"]}, games=2, symmetric=True)


def test_tables_are_written_and_read(tmp_path):
    for symmetric in (False, True):
        played = table(VOTING, ["truthful", 0], mechanism="borda", games=50, symmetric=symmetric)
        files = played.save(tmp_path / str(symmetric))
        for path in (files[0], files[0].parent):
            again = EmpiricalTable.load(path)
            assert np.array_equal(again.samples, played.samples) and again.names == played.names
            assert (again.players, again.games, again.unit) == (played.players, 50, "utility")
        rows = list(csv.DictReader(files[1].open()))
        assert len(rows) == (4 if symmetric else 8)
        payoff = "payoff of truthful" if symmetric else "payoff of participant_0"
        assert float(rows[0][payoff]) == pytest.approx(played.samples.mean(axis=0).flat[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("no json", "is no JSON"),
        ({"format": 2}, "format is 2, allowed: 1"),
        ({"samples": [[1.0]]}, "samples have the shape"),
        ({"samples": [[["a"]]]}, "no table of payoffs"),
        ({"strategies": None}, "no table of payoffs"),
        ({"games": None}, "no table of payoffs"),
    ],
)
def test_files_at_fault_are_named(tmp_path, change, said):
    file, _ = table({"name": "matrix"}, games=2).save(tmp_path)
    file.write_text(change if isinstance(change, str) else json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(ParameterError, match=said) as error:
        EmpiricalTable.load(file)
    assert str(file) in str(error.value)
    with pytest.raises(ParameterError, match="cannot be read"):
        EmpiricalTable.load(tmp_path / "none.json")


# -- solutions --------------------------------------------------------------------------------------------------


def test_without_a_tax_only_mutual_defection_is_without_regret():
    form = table(DILEMMA, mechanism="libertarian", games=2).form
    regrets = {(i, j): form.regrets((np.eye(2)[i], np.eye(2)[j])).max() for i in range(2) for j in range(2)}
    assert {pair for pair, regret in regrets.items() if regret == 0} == {(0, 0)}
    assert regrets[1, 1] == 2
    brief = {"regret_matching": 2_000, "internal_regret_matching": 5_000, "hedge": 5_000, "optimistic_hedge": 500}
    for method in METHODS.keys() - {"minimax"}:
        options = {"rounds": brief[method]} if method in brief else {"time": 20.0} if method == "replicator" else {}
        for solved in lawgiver.solve(DILEMMA, method, mechanism="libertarian", games=2, options=options).solutions:
            assert solved.regret == solved.regret_in_game and solved.regret < 0.1
            assert all(weights["0"] > 0.98 for weights in solved.mixtures.values())


@pytest.mark.parametrize("warmth", [5.0, 200.0])
def test_a_logit_equilibrium_of_repeated_allocation_is_nearly_one_of_its_table(warmth):
    """The equilibrium over the menu is worked out elsewhere, from the game's own payoff table."""
    from lawgiver.envs.repeated_allocation.solutions import Classes, announced, equilibrium, payoff_table, sample_types

    game = lawgiver.make_game("repeated_allocation", stage={"n": 2, "m": 1}, rounds=1, value_exponents=[1.0])
    types = sample_types(game, 400, 0)
    found = equilibrium(payoff_table(game, announced(game, 1.0, 0.0), types), Classes.of(game, types), warmth)
    mixture = np.bincount(Classes.of(game, types)(types).ravel(), minlength=4) @ found.strategy / types[..., 0].size
    played = table(game, mechanism={"policy": "partial_allocation"}, games=400)
    assert played.names[0] == ("1 1", "1 1.25", "1 1.5", "1 2")
    assert played.form.regrets((mixture, mixture)).max() < 0.02 * played.form.ranges.max()


def noisy(truth: np.ndarray, groups: int, scale: float, rng: np.random.Generator) -> EmpiricalTable:
    samples = truth + scale * rng.standard_normal((groups, *truth.shape))
    names = tuple(tuple(map(str, range(size))) for size in truth.shape[1:])
    return EmpiricalTable(("row", "column"), names, samples, groups)


@pytest.mark.parametrize(
    ("method", "options"), [("hedge", {"rounds": 1}), ("nash", {}), ("ce", {}), ("fictitious_play", {"rounds": 20})]
)
def test_intervals_of_regret_cover_the_regret_in_the_game(method, options, monkeypatch):
    monkeypatch.setattr("lawgiver.trainers.empirical.solutions.DRAWS", 100)
    rng, truth = np.random.default_rng(0), np.array([[[2.0, -1], [0, 1]], [[-1.0, 2], [1, 0]]])
    repeats, held, means, true = 150, 0, [], []
    for _ in range(repeats):
        drawn = noisy(truth, 30, 1.5, rng)
        (solved, *_) = table_solutions(drawn, method, options).solutions
        mixtures = tuple(np.array(list(weights.values())) for weights in solved.mixtures.values())
        form = NormalForm(truth)
        if solved.joint is None:
            regret = form.regrets(mixtures).max()
        else:
            joint = np.zeros((2, 2))
            for cell in solved.joint:
                joint[int(cell["row"]), int(cell["column"])] = cell["probability"]
            regret = form.correlated_regrets(joint).max()
        low, high = solved.regret_in_game.ends
        held += low - 1e-9 <= regret <= high + 1e-9
        means.append(solved.regret_in_game.mean)
        true.append(regret)
    spread = np.sqrt(LEVEL * (1 - LEVEL) / repeats)
    assert held / repeats > LEVEL - 3 * spread, held / repeats
    assert np.mean(means) == pytest.approx(np.mean(true), rel=0.35)


def test_payoffs_have_errors_too():
    found = lawgiver.solve(VOTING, "cce", mechanism="borda", strategies=["truthful", 0], games=200, symmetric=True)
    (solved,) = found.solutions
    assert solved.concept == "coarse" and set(solved.payoffs) == {f"participant_{i}" for i in range(3)}
    for paid in solved.payoffs.values():
        assert paid.standard_error == pytest.approx(found.table.errors[0, 0], rel=0.15) and paid.n == 200
    total = sum(cell["probability"] for cell in solved.joint)
    assert total == pytest.approx(1) and solved.mixtures["participant_0"]["truthful"] > 0.9


def test_tables_that_are_given_are_solved_without_errors(tmp_path):
    (tmp_path / "t.csv").write_text(",a,b\na,6,2\nb,7,0\n")
    found = lawgiver.solve(tmp_path / "t.csv", "ce", options={"objective": "worst_welfare"})
    assert found.table is None and found.games is None
    assert found.solutions[0].payoffs == pytest.approx({"row": 3.6, "column": 3.6})
    assert found.solutions[0].regret_in_game is None
    one = PayoffTable(("a", "b"), ("c",), np.ones((2, 1)), np.ones((2, 1)))
    assert lawgiver.solve(one, "fictitious_play").solutions[0].mixtures["column"] == {"c": 1.0}
    played = table({"name": "matrix", "preset": "shapley"}, games=2)
    played.save(tmp_path)
    for given in (played, tmp_path / "table.json", tmp_path):
        assert len(lawgiver.solve(given, "nash").solutions) == 1


# -- errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("game", "method", "settings", "error", "said"),
    [
        ("matrix", "nsh", {}, UnknownNameError, "unknown method 'nsh': did you mean 'nash'.*: alpha_rank, cce"),
        (VOTING, "nash", {"mechanism": "borda"}, UnsupportedGameError, "nash solves games of two players"),
        (VOTING, "minimax", {"mechanism": "borda"}, UnsupportedGameError, "minimax solves zero-sum games of two"),
        ("matrix", "minimax", {"games": 2}, UnsupportedGameError, "payoffs here do not add up to a constant: allowed"),
        ("matrix", "ce", {"games": 2, "options": {"objective": "fun"}}, ParameterError, "objective is 'fun'"),
        ("matrix", "ce", {"games": 2, "options": {"rounds": 3}}, ParameterError, "has no parameter 'rounds'"),
        ("matrix", "ce", {"games": 1}, ParameterError, "games is 1"),
        ("matrix", "ce", {"seed": -1}, ParameterError, "seed is -1"),
        ("matrix", "ce", {"symmetric": 1}, ParameterError, "symmetric is 1"),
        ("matrix", "ce", {"rounds": 1}, ParameterError, "no setting 'rounds'"),
        ("matrix", "ce", {"mechanism": "borda"}, ParameterError, "mechanism is 'borda', and matrix-v0 has none"),
        ("matrix", "ce", {"strategies": {"mechanism": [1]}}, ParameterError, "strategies of a role 'mechanism', which"),
        ("matrix", "ce", {"strategies": [0, 0]}, ParameterError, "strategy '0' of the participant is there twice"),
        ("matrix", "ce", {"strategies": []}, ParameterError, "allowed: one or more"),
        ("matrix", "ce", {"strategies": [2]}, ParameterError, "choice is 2"),
        ("matrix", "ce", {"strategies": ["nobody"]}, UnknownNameError, "unknown participant 'nobody'"),
        (DILEMMA, "ce", {}, ParameterError, "the mechanism of taxed_dilemma-v0 is missing: mechanism=NAME"),
        (VOTING, "nash", {}, ParameterError, "=NAME, allowed: anti_plurality, black, [^:]*, schulze, or st"),
        (DILEMMA, "ce", {"strategies": {"mechanism": [1]}}, ParameterError, "strategy 1 of the mechanism is a number"),
        ("payment_free_allocation", "ce", {"mechanism": "equal_split"}, UnsupportedGameError, "strategies by name"),
        ("public_investment", "ce", {"mechanism": "libertarian", "strategies": [*range(9), "random"] + [
            {"policy": "conditional_cooperators", "first": x / 9} for x in range(3)]}, UnsupportedGameError,
            "28,561 joint choices to play, allowed: 20,000; fewer with symmetric=true"),
        ("matrix", None, {"games": 3}, ParameterError, "'games' is given without a method, allowed: with method=NAME"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_before_it_is_played(game, method, settings, error, said):
    with pytest.raises(error, match=said):
        lawgiver.solve(game, method, **settings)


# -- the command ------------------------------------------------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(app, ["solve", *arguments])


def test_the_command_prints_solutions_with_their_regret(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = run("matrix", "preset=chicken", "method=ce", "games=2", "--out", "found")
    assert printed.exit_code == 0, printed.output
    lines = printed.output.splitlines()
    assert any(line.split() == ["swerve", "swerve", "50.0"] for line in lines)
    assert "ce: payoffs participant_0 5.25; participant_1 5.25" in lines and "ce: regret 0, exactly" in lines
    saved = json.loads((tmp_path / "found" / "solutions.json").read_text())
    assert saved["solutions"][0]["regret_in_game"] == pytest.approx(0) and saved["method"] == "ce"
    again = run("found/table.json", "method=hedge", "options.rounds=50")
    assert again.exit_code == 0 and "hedge: regret" in again.output, again.output
    votes = run("voting", "n=3", "game.m=3", "mechanism=borda", "method=psro", "symmetric=true", "games=40")
    assert votes.exit_code == 0 and "psro: everybody %" in votes.output and "in the game" in votes.output
    assert any(line.split()[:1] == ["2>0>1"] for line in votes.output.splitlines())


def test_the_command_refuses_settings_that_make_no_sense(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(",a,b\na,6,2\nb,7,0\n")
    for arguments, said in [
        (("t.csv", "n=3"), "'n' is given with a table"),
        (("t.csv", "method=nash", "games=3"), "'games' is given with a table"),
        (("t.csv", "method=minimax"), "do not add up to a constant"),
        (("t.csv", "method=ce", "options=3"), "options is 3, allowed: options of ce by name"),
        (("matrix", "method=nash", "n=3"), "no parameter 'n'"),
        (("matrix", "method=[1]"), "unknown method"),
    ]:
        found = run(*arguments)
        assert isinstance(found.exception, LawgiverError) and said in str(found.exception), (arguments, found.exception)
