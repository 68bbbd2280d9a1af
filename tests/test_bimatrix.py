"""Payoffs of one's own: the same game out of every form, textbook equilibria, exact scores, and files at fault."""

from __future__ import annotations

import numpy as np
import pytest

from lawgiver.envs.bimatrix.solutions import form, logit_strategies
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.taxed_dilemma.game import logit_cooperation

CELLS = [[[3, 1], [0, 2], [-1, 0.5]], [[1, 1], [2, 0], [5, 1 / 3]]]
BY_CELL = """NFG 1 R "Two by
three" { "Row" "Column" } { 2 3 }
"a comment"
3 1 1 1   0 2 2 0   -1 0.5 5 1/3
"""
BY_OUTCOME = """NFG 1 D "Two by three" { "Row" "Column" } { { "up" "down" } { "l" "m" "r" } } ""
{ { "" 3, 1 } { "b" 1, 1 } { "" 0 2 } { "" 2, 0 } { "" -1, .5 } { "f" 5e0, 1/3 } }
1 2 3 4 5 6
"""


def prisoners(**params):
    return make_game("bimatrix", payoffs=[[[1, 1], [5, 0]], [[0, 5], [3, 3]]], **params)


def test_every_form_is_the_same_game(tmp_path):
    array = np.array(CELLS)
    (tmp_path / "cells.nfg").write_text(BY_CELL)
    (tmp_path / "outcomes.nfg").write_bytes(BY_OUTCOME.replace("\n", "\r\n").encode())
    rows = [(i, j, *array[i, j]) for i in range(2) for j in range(3)]
    lines = [",".join(str(float(x)) for x in row) for row in rows]
    (tmp_path / "t.csv").write_text("\n".join(["row,column,payoff_row,payoff_column", *lines]))
    (tmp_path / "s.csv").write_text("payoff_column;payoff_row;column;row\n" + "\n".join(
        f"{float(b)};{float(a)};{j + 1};{i + 1}".replace(".", ",") for i, j, a, b in rows[::-1]))  # fmt: skip
    games = [
        make_game("bimatrix", payoffs=given)
        for given in (
            CELLS,
            array,
            array.astype(np.float64).tolist(),
            {"row": array[..., 0], "column": array[..., 1].tolist()},
            tmp_path / "cells.nfg",
            str(tmp_path / "outcomes.nfg"),
            str(tmp_path / "t.csv"),
            str(tmp_path / "s.csv"),
        )
    ]
    assert all(game == games[0] and hash(game) == hash(games[0]) for game in games)
    assert games[0].counts == (2, 3) and games[0].table[1, 2].tolist() == [5, 1 / 3]


def test_the_null_outcome_pays_nothing(tmp_path):
    (tmp_path / "t.nfg").write_text('NFG 1 R "" {"a" "b"} {{"x"} {"l" "r"}} {{"" 1 2}} 0 1')
    assert make_game("bimatrix", payoffs=tmp_path / "t.nfg").table.tolist() == [[[0, 0], [1, 2]]]


def test_textbook_games_have_their_nash_equilibria():
    pytest.importorskip("nashpy")
    battle = make_game("bimatrix")
    found = sorted(tuple(row) + tuple(column) for row, column in battle.nash_equilibria())
    assert found == [pytest.approx(x) for x in [(0, 1, 0, 1), (2 / 3, 1 / 3, 1 / 3, 2 / 3), (1, 0, 1, 0)]]
    pennies = make_game("bimatrix", payoffs=[[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]])
    ((row, column),) = pennies.nash_equilibria()
    assert [*row, *column] == pytest.approx([0.5] * 4)
    ((row, column),) = prisoners().nash_equilibria()
    assert (row[0], column[0]) == (1, 1)
    for tax in (0.0, 0.3, 0.9):
        for game in (battle, make_game("bimatrix", payoffs=CELLS)):
            for pair in game.nash_equilibria(tax):
                assert form(game, tax).regrets(pair).max() < 1e-12
    ((row, column),) = prisoners().nash_equilibria(0.9)
    assert (row[1], column[1]) == (1, 1), "a high tax makes cooperation dominant"
    with pytest.raises(UnsupportedGameError, match="too many supports"):
        make_game("bimatrix", payoffs=np.zeros((7, 2, 2))).nash_equilibria()


@pytest.mark.parametrize("tax", [0.0, 0.5, 1.0])
def test_the_logit_equilibrium_is_that_of_the_taxed_dilemma(tax):
    row, column = logit_strategies(prisoners(), 1.0, tax)
    assert row[1] == pytest.approx(logit_cooperation(tax, 1.0), abs=1e-9) == column[1]
    for mode in ("announce", "allocate"):
        game, dilemma = prisoners(mechanism_mode=mode), make_game("taxed_dilemma", mechanism_mode=mode)
        for name, rate in game.members.items():
            if rate[0] != tax:
                continue
            mine, known = (
                each.exact_scores(make_policy(each, "mechanism", name), inverse_temperature=1.0)
                for each in (game, dilemma)
            )
            assert mine["strategies"][0][1] == pytest.approx(known["cooperation"][0], abs=1e-9)
            assert all(mine[key] == pytest.approx(known[key], abs=1e-9) for key in ("surplus", "rawlsian", "gini"))


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (3, 2), (6, 6)])
def test_what_is_known_holds_for_payoffs_of_any_size(shape):
    rng = np.random.default_rng(0)
    for unit in (1e-6, 1, 1e9):
        game = make_game("bimatrix", payoffs=unit * rng.normal(size=(*shape, 2)))
        for solution in game.known_solutions():
            assert solution.residual() <= solution.tolerance and np.isfinite(solution.value())


def test_a_whole_game_pays_what_the_table_says():
    game = make_game("bimatrix", payoffs=CELLS, rounds=2)
    state = game.initial_state(6, np.random.default_rng(0))
    choices = np.array([[i, j] for i in range(2) for j in range(3)])
    for last in (False, True):
        state, *_ = game.step(state, np.full((6, 1, 1), 0.25), {})
        state, rewards, terminated, _ = game.step(state, choices, {})
        earned = np.array(CELLS, float).reshape(6, 2)
        assert rewards["participant"] == pytest.approx(0.75 * earned + 0.25 * earned.mean(1, keepdims=True))
        assert rewards["mechanism"][:, 0] == pytest.approx(earned.sum(1)) and (terminated == last).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("NFG 2", "line 1, has '2', allowed: '1'"),
        ("EFG 2 R", "line 1, has 'EFG', allowed: 'NFG'"),
        ('NFG 1 R "t" { "a" "b" "c" }\n{ 2 2 2 }', "line 1, names 3 players, allowed: 2"),
        ('NFG 1 R "t" { "a" "b" }\n{ 2 x }', "line 2, has 'x', allowed: a whole number"),
        ('NFG 1 R "t" { "a" "b" }\n{ 2 0 }', r"line 2, gives \[2, 0\] strategies"),
        ('NFG 1 R "t" { "a" "b" }\n{ 2 999999999 }', r"strategies, allowed: two numbers in 1..100"),
        ('NFG 1 R "t" { "a" "b" }\n{ 2 2 }\n1 2 3 4\n5 6 7', "line 4, is where the file ends, before"),
        ('NFG 1 R "t" { "a" "b" }\n{ 1 1 }\n1 2\n3', "line 4, has '3', allowed: the end of the file"),
        ('NFG 1 R "t" { "a" "b" }\n{ 1 1 }\n1 two', "line 3, has 'two', allowed: a number"),
        ('NFG 1 R "t" { "a" "b" }\n{ 1 1 }\n1 1/0', "line 3, has '1/0', allowed: a number that a float holds"),
        ('NFG 1 R "t" { "a" "b" }\n{ 1 1 }\n1 1e999', "line 3, has '1e999', allowed: a number that a float holds"),
        ('NFG 1 R "t" { "a" "b" }\n{ 1 1 }\n{ { "" 1 2 } }\n2', "line 4, has '2', allowed: the number of an"),
        ('NFG 1 R "t" { "a" "b" }\n{ 1 1 }\n{ { "" 1 } }\n1', "line 3, has '}', allowed: a number"),
        ('NFG 1 R "t" { "a" "b }\n{ 1 1 }', "line 1, has a quotation mark that nothing closes"),
        ("", "line 1, is where the file ends"),
    ],
)  # fmt: skip
def test_the_line_of_a_gambit_file_that_is_at_fault_is_named(tmp_path, text, said):
    file = tmp_path / "t.nfg"
    file.write_text(text)
    with pytest.raises(ParameterError, match=said) as error:
        make_game("bimatrix", payoffs=str(file))
    assert str(file) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("payoffs", "said"),
    [
        ([[1, 2], [3, 4]], r"payoffs is .*, allowed: numbers \(m, n, 2\)"),
        ([[[1, 2, 3]]], r"the shape \(1, 1, 3\), allowed: \(m, n, 2\)"),
        ([[[1, np.nan]]], r"payoffs\[0, 0, 1\] is nan"),
        ([[[1, 1e13]]], r"payoffs\[0, 0, 1\] is 1e\+13, allowed: up to 1e\+12"),
        ([[[1, "x"]]], "payoffs is .*, allowed: numbers"),
        ({"row": [[1]]}, "payoffs has the keys row, allowed: row and column"),
        ({"row": [[1]], "column": [[1, 2]]}, r"payoffs.row has the shape \(1, 1\), payoffs.column \(1, 2\)"),
        (np.zeros((101, 1, 2)), r"the shape \(101, 1, 2\)"),
        (None, "payoffs is None"),
        ("game.xlsx", "payoffs is 'game.xlsx', allowed: numbers, or an .nfg or .csv file"),
        ("nowhere.nfg", "'nowhere.nfg' cannot be read: No such file"),
    ],
)
def test_payoffs_at_fault_are_named(payoffs, said):
    with pytest.raises(ParameterError, match=said):
        make_game("bimatrix", payoffs=payoffs)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("row,column,payoff_row\n0,0,1\n", "'payoff_column' is missing"),
        ("row,column,payoff_row,payoff_column\n", "has no rows"),
        ("row,column,payoff_row,payoff_column\n0,0,1,1\n0,0,1,1\n", "has 2 lines of cell 0, 0"),
        ("row,column,payoff_row,payoff_column\n0,0,1,1\n1,1,1,1\n", "has 0 lines of cell 0, 1"),
        ("row,column,payoff_row,payoff_column\n0,0,1,1\n.5,0,1,1\n", "line 3, is of row 0.5 and column 0, allowed"),
        ("row,column,payoff_row,payoff_column\n0,1000000000,1,1\n", "line 2, is of row 0 and column 1e"),
    ],
)  # fmt: skip
def test_a_table_at_fault_is_named(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ParameterError, match=said):
        make_game("bimatrix", payoffs=tmp_path / "t.csv")


def test_a_table_may_have_columns_that_are_not_needed(tmp_path):
    (tmp_path / "t.csv").write_text("note,row,column,payoff_row,payoff_column\nboth stay,0,0,1,2\n,0,1,3,4\n")
    game = make_game("bimatrix", payoffs=str(tmp_path / "t.csv"))
    assert game.table.tolist() == [[[1, 2], [3, 4]]]
