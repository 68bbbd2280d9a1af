"""Payoff tables: textbook games whose equilibria are known, out of files of several kinds, and on the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lawgiver.envs.core.errors import ParameterError
from lawgiver.trainers.cli import app
from lawgiver.trainers.elections.meta_game import nash
from lawgiver.trainers.evaluation.payoff_table import PayoffTable, read_payoffs

DILEMMA = ",cooperate,defect\ncooperate,3,0\ndefect,5,1\n"
SEXES = ",opera,football\nopera,3 2,0 0\nfootball,0 0,2 3\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def table(text, name="game.csv"):
    Path(name).write_text(text)
    return read_payoffs(name)


def test_the_dilemma_is_symmetric_and_has_a_strictly_dominant_strategy():
    game = table(DILEMMA)
    assert game.symmetric and game.column_payoffs.tolist() == [[3, 5], [0, 1]]
    assert (
        game.dominance()[0] == {"cooperate": "strictly dominated", "defect": "strictly dominant"} == game.dominance()[1]
    )
    ((row, column),) = game.equilibria()
    assert row.tolist() == column.tolist() == [0, 1]
    assert game.regret(np.array([1.0, 0]), np.array([1.0, 0])) == (2, 2)


def test_battle_of_the_sexes_has_three_equilibria():
    game = table(SEXES)
    assert not game.symmetric and set(game.dominance()[0].values()) == {"-"}
    found = sorted((row.round(9).tolist(), column.round(9).tolist()) for row, column in game.equilibria())
    assert found == [([0, 1], [0, 1]), ([0.6, 0.4], [0.4, 0.6]), ([1, 0], [1, 0])]


def test_weak_dominance_is_not_strict():
    game = table(",a,b,c\na,1,1,2\nb,1,0,2\nc,1,0,1\n")
    assert game.dominance()[0] == {"a": "weakly dominant", "b": "weakly dominated", "c": "weakly dominated"}
    twins = table(",a,b\na,1,2\nb,1,2\n")
    assert set(twins.dominance()[0].values()) == {"-"}, "equal strategies dominate neither"


def test_rock_paper_scissors_with_losses_below_zero():
    game = table(",r,p,s\nr,0,-1,1\np,1,0,-1\ns,-1,1,0\n")
    ((row, column),) = game.equilibria()
    assert row == pytest.approx([1 / 3] * 3) and column == pytest.approx([1 / 3] * 3)
    play = game.fictitious_play()
    assert play[0] == pytest.approx([1 / 3] * 3, abs=0.03) and max(game.regret(*play)) < 0.03


def test_fictitious_play_of_shapley_s_game_does_not_settle():
    game = PayoffTable(tuple("abc"), tuple("xyz"), np.eye(3), np.roll(np.eye(3), 1, axis=1))
    early, late = (game.fictitious_play(rounds)[0] for rounds in (10_000, 20_000))
    assert max(np.abs(early - 1 / 3).max(), np.abs(late - 1 / 3).max()) > 0.1
    ((row, _),) = game.equilibria()
    assert row == pytest.approx([1 / 3] * 3)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 10_000))
@example(2, 4, 3)  # no support of it has a single pair of mixtures
@settings(deadline=None, max_examples=25)
def test_equilibria_of_random_games_are_replies_to_each_other(m, k, seed):
    rng = np.random.default_rng(seed)
    whole = rng.integers(-3, 4, (2, m, k)).astype(float)  # ties, too
    game = PayoffTable(tuple(map(str, range(m))), tuple(map(str, range(k))), *whole)
    found = game.equilibria()
    assert found, "every finite game has one"
    for row, column in found:
        assert max(game.regret(row, column)) < 1e-6


def test_large_games_have_an_equilibrium_too():
    rng = np.random.default_rng(0)
    names = tuple(f"s{i}" for i in range(12))
    game = PayoffTable(names, names, 100 * rng.random((12, 12)) - 50, rng.random((12, 12)))
    ((row, column),) = game.equilibria()
    assert max(game.regret(row, column)) < 1e-4 and min(row.min(), column.min()) >= 0
    wins = rng.random((9, 9))
    wins = np.triu(wins, 1) - np.triu(wins, 1).T
    ((row, _),) = PayoffTable(names[:9], names[:9], wins, wins.T).equilibria()
    assert row == pytest.approx(nash(0.5 + wins / 2), abs=1e-5), "unique in a symmetric zero-sum game"


@pytest.mark.parametrize(
    "text",
    [
        ";cooperate;defect\ncooperate;3;0\ndefect;5;1\n",
        "\tcooperate\tdefect\rcooperate\t3,0\t0\rdefect\t5\t1\r",
        "\ufeffgame,cooperate,defect\r\n\r\ncooperate, 3, 0\r\ndefect, 5, 1\r\n",
        ',cooperate,defect\ncooperate,"3, 3","0, 5"\ndefect,(5;0),1/1\n',
        "sep=;\n;cooperate;defect\ncooperate;3 3;0 5\ndefect;5 0;1 1\n",
    ],
)
def test_dialects_hold_the_same_game(text):
    Path("other.csv").write_bytes(text.encode())
    game, expected = read_payoffs("other.csv"), table(DILEMMA)
    assert game.symmetric and game.rows == expected.rows
    assert (game.row_payoffs == expected.row_payoffs).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no payoffs"),
        (",a,b\na,1,2\n", "rows are a, columns a, b"),
        (",a,b\na,1,2\nb,1\n", "line 3: has 1 payoffs, allowed: 2"),
        (",a,b\na,1,x\nb,1,2\n", "line 2, column 'b' is 'x'"),
        (",a,b\na,1,1 2 3\nb,1,2\n", "line 2, column 'b' is '1 2 3'"),
        (",a,b\na,1,nan\nb,1,2\n", "line 2, column 'b' is 'nan'"),
        (",a,b\na,1,2 3\nb,1,2\n", "some cells hold one payoff and some two"),
        (",a,a\na,1,2\na,1,2\n", "'a' is there twice"),
        (',a,b\n"a,1,2\n', "line"),
    ],
)
def test_what_is_no_table_is_named(text, said):
    with pytest.raises(ParameterError, match=said) as error:
        table(text)
    assert "\n" not in str(error.value)
    with pytest.raises(ParameterError, match="cannot be read"):
        read_payoffs("missing.csv")


def test_the_command_solves_a_table():
    Path("game.csv").write_text(SEXES)
    done = CliRunner().invoke(app, ["solve", "game.csv", "--out", "kept"])
    assert done.exit_code == 0, done.output
    assert "Nash 3" in done.output and "fictitious play" in done.output
    assert len(json.loads(Path("kept/solutions.json").read_text())["equilibria"]) == 3
    with pytest.raises(ParameterError, match="allowed: the table alone"):
        CliRunner().invoke(app, ["solve", "game.csv", "n=3"], catch_exceptions=False)


def test_parameters_of_a_game_may_be_given_as_in_a_config():
    shown = [CliRunner().invoke(app, ["solve", "lanes", given]).output for given in ("n=3", "game.n=3", "n=4")]
    assert shown[0] == shown[1] != shown[2]
    done = CliRunner().invoke(app, ["solve", "lanes", "n=3", "game.n=4"])
    assert "override 'n' would undo 'n'" in str(done.exception)
