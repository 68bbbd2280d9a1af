"""Markets from files: whole ones and rows drawn from them, ties, two sides, and what is refused in which words."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import lawgiver
from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.files.vote_files import read_votes
from lawgiver.envs.matching.game import shares_of
from lawgiver.testing import check_game
from lawgiver.trainers.cli import app, main

DATA = Path(__file__).parent / "data"
SCHOOLS, VOTES = DATA / "schools", DATA / "votes"
NURSES, WARDS = str(VOTES / "nurses.soi"), str(VOTES / "wards.toi")


def drawn(game, batch=50, seed=0):
    return game.initial_state(batch, np.random.default_rng(seed)).types


def sides(game, batch=50):
    return game.both_sides(drawn(game, batch))


# -- school choice ------------------------------------------------------------------------------------------------


def test_a_whole_market_of_schools_is_played_as_its_tables_say():
    game = make_game("matching", market=SCHOOLS)
    assert (game.n, game.rows, game.columns, game.two_sided, game.capacities) == (3, 3, 2, False, (1, 2))
    values, priorities = sides(game)
    assert (values == [[1, 0.5], [0.5, -0.5], [0.5, 1]]).all()  # ann, bob, eve; bob lists North alone
    assert np.allclose(priorities, [[1 / 3, 2 / 3], [2 / 3, 0], [1, 1 / 3]])  # South does not list bob
    types = drawn(game, 1)
    done = play_out(game, make_policy(game, "mechanism", "deferred_acceptance"), types, game.private(types))
    assert shares_of(done)[0].tolist() == [[0, 1], [1, 0], [0, 1]]
    assert done.utilities.tolist() == [[0.5, 0.5, 1]]


def test_what_is_given_goes_before_the_files():
    game = make_game("matching", market=SCHOOLS, capacities=2, priorities=[[0, 1, 2], [2, 1, 0]])
    assert game.seats.tolist() == [2, 2] and np.allclose(sides(game)[1][0], [[1, 1 / 3], [2 / 3, 2 / 3], [1 / 3, 1]])


def test_another_number_of_rows_is_drawn_and_keeps_lists_and_priorities():
    game = make_game("matching", market=SCHOOLS, n=6)
    values, priorities = sides(game, 4_000)
    known = np.array([[1, 0.5], [0.5, -0.5], [0.5, 1]])
    same = (values[:, :, None] == known).all(-1)
    assert same.any(-1).all() and np.allclose(same.mean((0, 1)), 1 / 3, atol=0.015)
    who = same.argmax(-1)
    assert (priorities[who == 1][:, 1] == 0).all(), "who is not on a list of priorities is not accepted"
    order = np.array([[2, 0], [1, 9], [0, 1]])  # of ann, bob and eve at North and South
    for j in (0, 1):
        place = order[who, j]
        above = priorities[:, :, None, j] > priorities[:, None, :, j]
        assert above[place[:, :, None] < place[:, None, :]].all()
    copies = (who[:, 0] == 0) & (who[:, 1] == 0)
    first = priorities[copies, 0] > priorities[copies, 1]
    assert copies.sum() > 300 and abs(first[:, 0].mean() - 0.5) < 0.1, "a lottery goes between copies"
    assert (first[:, 0] == first[:, 1]).all(), "the same one at all columns"


def test_an_exact_audit_of_a_market_from_the_command_line():
    done = CliRunner().invoke(app, ["audit", "deferred_acceptance", "--game", "matching", f"game.market={SCHOOLS}"])
    assert done.exit_code == 0, done.output
    assert "no profitable misreport exists among all 5 lists, for any participant" in " ".join(done.output.split())
    found = lawgiver.audit("deferred_acceptance", {"name": "matching", "market": str(SCHOOLS), "n": 12}, profiles=20)
    assert found.exact and not found.joint.gains.any()


# -- votes ----------------------------------------------------------------------------------------------------------


def test_votes_mark_whom_they_name():
    assert read_votes(VOTES / "lunch.toi").listed().tolist() == [[1, 1, 1], [0, 1, 1], [0, 0, 1], [1, 1, 1]]
    films = read_votes(VOTES / "films.cat")
    assert films.listed().tolist() == [[1, 1, 1, 0], [1, 0, 0, 1], [1, 1, 1, 1]]
    assert films.listed(1).tolist() == [[1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]]
    assert films.listed(3).tolist() == [[1, 1, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1]]  # {1, 4}, {2}: the third in none
    assert read_votes(VOTES / "street.pb").listed().tolist() == [[1, 1, 0], [0, 0, 1], [0, 1, 1], [1, 1, 1]]


def test_bids_by_category_become_lists_with_ties_broken_at_random():
    game = make_game("matching", market=VOTES / "films.cat", capacities=3)
    assert (game.n, game.columns, game.seats.tolist()) == (10, 4, [3] * 4)
    values, priorities = sides(game, 4_000)
    assert (values[:, :6, 0] == 0.75).all() and (values[:, :6, 3] == -0.25).all()  # 6: 1,{2,3},4
    assert np.array_equal(np.unique(values[:, :6, 1:3]), [0.25, 0.5])
    assert abs((values[:, 0, 1] > values[:, 0, 2]).mean() - 0.5) < 0.04
    assert (values[:, 6:9, 1:3] == -0.25).all() and (values[:, 6:9, [0, 3]] > 0).all()  # 3: {}, {1, 4}, {2}
    assert np.array_equal(np.unique(values[:, 9]), [0.25, 0.5, 0.75, 1])
    assert np.array_equal(np.sort(priorities[0, :, 0]), np.arange(1, 11) / 10), "priorities are drawn"
    assert len(np.unique(priorities[:, :, 0].argmax(1))) == 10
    strict = make_game("matching", market=VOTES / "films.cat", accepted=1)
    assert (sides(strict, 2)[0][0, 6:9] < 0).all()


def test_rows_are_drawn_as_often_as_their_votes_count():
    game = make_game("matching", market=[str(VOTES / "lunch.soc")], n=20)
    values, _ = sides(game, 3_000)
    best = values.argmax(-1)
    assert np.allclose([(best == j).mean() for j in range(3)], [4 / 9, 3 / 9, 2 / 9], atol=0.01)
    whole = make_game("matching", market=VOTES / "lunch.soc")
    assert sides(whole, 1)[0].argmax(-1).tolist() == [[0, 0, 0, 0, 1, 1, 1, 2, 2]]


# -- two sides ------------------------------------------------------------------------------------------------------


def test_two_files_are_two_sides():
    game = make_game("matching", market=(NURSES, WARDS), sides="two")
    assert (game.n, game.columns) == (6, 3)
    values, theirs = sides(game, 2_000)
    assert np.allclose(values, [[1, 2 / 3, 1 / 3], [1, 2 / 3, 1 / 3], [1 / 3, 2 / 3, -1 / 3]])
    wards = np.swapaxes(theirs, 1, 2)
    assert (wards[:, 0, 2] == 1).all() and abs((wards[:, 0, 0] > wards[:, 0, 1]).mean() - 0.5) < 0.05  # 3,{1,2}
    assert np.allclose(wards[:, 1], [1 / 3, -1 / 3, -1 / 3]) and np.allclose(wards[:, 2], [1 / 3, 1, 2 / 3])
    types = drawn(game, 1)
    done = play_out(game, make_policy(game, "mechanism", "deferred_acceptance"), types, types)
    assert shares_of(done)[0].tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]  # whoever wins the tie for North loses it
    found = lawgiver.audit("deferred_acceptance", game, profiles=5)
    assert found.exact and found.menu_size == 16 and not found.joint.gains[:, :3].any()


def test_columns_lists_are_public_priorities_where_rows_alone_report():
    game = make_game("matching", market=(NURSES, WARDS))
    values, priorities = sides(game, 500)
    assert game.n == 3 and np.allclose(priorities[:, :, 1], [1 / 3, 0, 0]) and (values[:, 0, 0] == 1).all()
    assert (priorities[:, 2, 0] == 1).all() and len(np.unique(priorities[:, 0, 0])) == 2
    many = make_game("matching", market=(NURSES, WARDS), n=9)
    values, priorities = sides(many, 300)
    assert ((priorities[:, :, 1] > 0) <= (values[:, :, 0] == 1)).all(), "South lists Ada alone"


@pytest.mark.parametrize(
    "params",
    [{"market": SCHOOLS}, {"market": SCHOOLS, "n": 5}, {"market": VOTES / "films.cat", "n": 4},
     {"market": (NURSES, WARDS), "sides": "two"}, {"market": (NURSES, WARDS), "n": 7}],
)  # fmt: skip
def test_both_backends_read_the_same_market(params):
    game = make_game("matching", **params)
    numbers = game.draw_initial(30, np.random.default_rng(1))["types"]
    types = game.types_of(numbers)
    assert np.allclose(game.types_of(torch.from_numpy(numbers)).numpy(), types, atol=1e-12)
    single = game.types_of(numbers.astype(np.float32))
    assert single.dtype == np.float32 and np.allclose(single, types, atol=1e-6)
    assert types.shape == (30, game.n, game.columns + (0 if game.two_sided else game.n * game.columns))


@pytest.mark.parametrize("params", [{"market": SCHOOLS}, {"market": (NURSES, WARDS), "sides": "two"}])
def test_a_market_keeps_the_contract_of_games(params):
    check_game(make_game("matching", **params))


# -- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"market": "nowhere"}, "market is 'nowhere', allowed: a folder with rankings.csv, priorities.csv, seats.csv,"
         " or the path of a file of votes (.soc, .soi, .toc, .toi, .cat, .pb), or two of these"),
        ({"market": "schools.csv"}, "market is 'schools.csv', allowed: a folder with"),
        ({"market": 3}, "market is 3, allowed: a folder"),
        ({"market": []}, "market is [], allowed: a folder"),
        ({"market": [NURSES] * 3}, "allowed: a folder"),
        ({"market": [str(SCHOOLS), WARDS]}, "schools', allowed: a folder"),
        ({"market": "nowhere.soc"}, "'nowhere.soc' cannot be read: No such file"),
        ({"market": SCHOOLS, "sides": "two"}, "and the market has 3 rows and 2 columns, allowed: as many of both"),
        ({"market": NURSES, "sides": "two"}, "sides is 'two', and the market has no lists of columns, allowed"),
        ({"market": [NURSES, WARDS], "sides": "two", "n": 4}, "n is 4, and the market has 6 participants on two sides"),
        ({"market": SCHOOLS, "m": 3}, "m is 3, and the market has 2 columns, allowed: 2, or None"),
        ({"market": SCHOOLS, "n": 0}, "n is 0, allowed: an integer in 1..100"),
        ({"market": SCHOOLS, "capacities": [1, 0]}, "capacities[1] is 0, allowed: an integer in 1.."),
        ({"market": SCHOOLS, "capacities": [1, 1, 1]}, "capacities has 3 numbers, allowed: one, or 2"),
        ({"market": SCHOOLS, "priorities": [[0, 1, 2], [0, 1, 1]]}, "priorities[1] is [0, 1, 1], allowed: each"),
        ({"market": SCHOOLS, "accepted": 1}, "accepted is 1, allowed with a folder of tables: None"),
        ({"market": NURSES, "accepted": 1}, "nurses.soi' is given, allowed: None, as it has no categories"),
        ({"market": VOTES / "films.cat", "accepted": 4}, "films.cat' is given, allowed: an integer in 1..3, of its"),
        ({"accepted": 1}, "accepted is 1, allowed without a market: None"),
        ({"market": NURSES, "accepted": 0}, "accepted is 0, allowed: an integer >= 1"),
        ({"market": [NURSES, str(VOTES / "lunch.soc")]}, "lunch.soc' has 9 lists, allowed: 3, one for each"),
        ({"market": [str(VOTES / "lunch.soc"), WARDS]}, "lunch.soc' has 9 lists, allowed: 3, one for each"),
    ],
)  # fmt: skip
def test_a_market_that_does_not_fit_is_refused_in_one_line(params, told):
    with pytest.raises(ParameterError, match=re.escape(told)) as error:
        make_game("matching", **params)
    assert "\n" not in str(error.value)


def bigger(folder, votes, alternatives):
    """Write a file of votes on many alternatives, all in one order."""
    head = ["# DATA TYPE: soc", f"# NUMBER ALTERNATIVES: {alternatives}", f"# NUMBER VOTERS: {votes}",
            "# NUMBER UNIQUE ORDERS: 1"]  # fmt: skip
    head += [f"# ALTERNATIVE NAME {j}: {j}" for j in range(1, alternatives + 1)]
    path = folder / "many.soc"
    path.write_text("\n".join([*head, f"{votes}: " + ",".join(map(str, range(1, alternatives + 1)))]) + "\n")
    return path


def test_of_many_rows_some_are_drawn_and_of_many_columns_none(tmp_path):
    path = bigger(tmp_path, 10**12, 3)
    told = "n is None, and the market has 1,000,000,000,000 rows, allowed: n in 1..100: that many rows are drawn from"
    with pytest.raises(ParameterError, match=re.escape(told)):
        make_game("matching", market=path)
    assert (sides(make_game("matching", market=path, n=4))[0] == [1, 2 / 3, 1 / 3]).all()
    with pytest.raises(ParameterError, match="the market has 101 columns, allowed: up to 100"):
        make_game("matching", market=bigger(tmp_path, 2, 101))


@pytest.mark.parametrize(
    ("table", "old", "new", "told"),
    [
        ("rankings", "ann,2,South", "ann,2,North", "rankings.csv', line 3: student 'ann' lists 'North' in line 2"),
        ("rankings", "ann,2,South", "ann,2,West", "rankings.csv', line 3: school 'West' is in none of the"),
        ("priorities", "North,2,bob", "North,2,joe", "priorities.csv', line 3: student 'joe' is in none of the other"),
        ("priorities", "North,2,bob", "North,1,bob", "school 'North' has place 1 in line 2 already, allowed: an order"),
        ("seats", "North,1", "North,0", "seats.csv', line 2: seats of 'North' are '0', allowed: a whole number >= 1"),
    ],
)  # fmt: skip
def test_a_fault_in_a_table_is_one_line_of_the_command(tmp_path, monkeypatch, capsys, table, old, new, told):
    for each in ("rankings", "priorities", "seats"):
        text = (SCHOOLS / f"{each}.csv").read_text()
        (tmp_path / f"{each}.csv").write_text(text.replace(old, new, 1) if each == table else text)
    words = ["lawgiver", "audit", "deferred_acceptance", "--game", "matching", f"game.market={tmp_path}"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and told in said and said.count("\n") == 1


def test_a_folder_without_its_tables_is_refused(tmp_path):
    with pytest.raises(ParameterError, match=r"seats.csv' cannot be read: No such file"):
        make_game("matching", market=tmp_path)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["game.capacities=0"], "game.capacities is 0, allowed: an integer in 1.."),
        (["game.capacities=[1,1,x,1]"], "game.capacities[2] is 'x', allowed: an integer in 1.."),
        (["game.sides=one", "game.n=3", "game.m=1", "game.priorities=[[0,0,1]]"], "priorities[0] is [0, 0, 1], "),
        (["game.sides=one", "game.n=3", "game.m=1", "game.priorities=[[0,1,7]]"], "each of 0 to 2 once, in an order"),
        (["game.market=nowhere"], "game.market is 'nowhere', allowed: a folder with"),
        ([f"game.market={SCHOOLS}", "game.sides=two"], "game.sides is 'two', and the market has 3 rows and 2 columns"),
        (["game.n=14", "game.mechanism_mode=announce"], "random_priority"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_of_the_command(monkeypatch, capsys, words, told):
    rule = "random_priority" if told == "random_priority" else "deferred_acceptance"
    monkeypatch.setattr(sys, "argv", ["lawgiver", "audit", rule, "--game", "matching", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and told in said and said.count("\n") == 1


def test_more_partners_than_are_listed_are_searched_and_it_is_said():
    done = CliRunner().invoke(app, ["audit", "deferred_acceptance", "--game", "matching", "game.n=12", "profiles=2",
                                    "effort=1"])  # fmt: skip
    told = "searched, not exact: there are 1,957 lists of 6 partners, all of which are tried for up to 5"
    assert done.exit_code == 0 and told in " ".join(done.output.split())


@pytest.mark.parametrize("market", ["", ["", "x.soc"]])
def test_an_empty_path_is_not_the_current_folder(market):
    with pytest.raises(ParameterError, match=r"^market is .*, allowed: a folder with"):
        make_game("matching", market=market)
