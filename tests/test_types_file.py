"""Types out of files: the same profiles from an archive and a table, in every game of reports that draws types."""

from __future__ import annotations

import io
import re
import zipfile

import numpy as np
import pytest
import torch

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.families.play_out import play_out

RNG = np.random.default_rng(0)
TABULAR = {"transitions": [[0, 1], [1, 0]], "features": [[[0, 0], [1, 0]], [[1, 0], [0, 1]]], "horizon": 3}
CASES = {
    "sequential_sales": ({"n": 2, "m": 2}, {"values": (2, 1)}),
    "task_scheduling": ({"n": 2, "m": 3}, {"costs": (2, 3)}),
    "tabular_mdp": ({"n": 2, **TABULAR}, {"values": (2, 2)}),
    "payment_free_allocation": ({"n": 2, "m": 3}, {"values": (2, 3), "demands": (2, 3)}),
}


def profiles_of(name, count=5):
    """Return random arrays of types, (count, n, k) each."""
    return {array: RNG.uniform(0.1, 1, (count, *shape)).round(3) for array, shape in CASES[name][1].items()}


def table_of(arrays, delimiter=",", first=0, comma="."):
    """Return arrays of types as the text of a table."""
    some = next(iter(arrays.values()))
    heads = [
        name[:-1] if array.shape[2] == 1 else f"{name[:-1]}_{i + 1}"
        for name, array in arrays.items()
        for i in range(array.shape[2])
    ]
    rows = [
        [p, i + first, *(x for array in arrays.values() for x in array[p, i])]
        for p in range(len(some))
        for i in range(some.shape[1])
    ]
    lines = [delimiter.join(str(cell).replace(".", comma) for cell in row) for row in rows[::-1]]  # in any order
    return "\n".join([delimiter.join(["profile", "participant", *heads]), *lines]) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_the_same_profiles_come_from_an_archive_and_from_tables(tmp_path, name):
    params, _ = CASES[name]
    arrays = profiles_of(name)
    whole = np.concatenate(list(arrays.values()), axis=-1)
    np.savez(tmp_path / "t.npz", **arrays)
    np.savez_compressed(tmp_path / "f.npz", **{key: array.astype(np.float32) for key, array in arrays.items()})
    (tmp_path / "t.csv").write_text(table_of(arrays))
    (tmp_path / "s.csv").write_text("sep=;\r\n" + table_of(arrays, ";", 1, ",").replace("\n", "\r\n"))
    (tmp_path / "t.tsv").write_text(table_of(arrays, "\t"), encoding="utf-16")
    for file in ("t.npz", "f.npz", "t.csv", "s.csv", "t.tsv"):
        game = make_game(name, **params, types_file=tmp_path / file)
        assert np.abs(game.profiles - whole).max() < 1e-6
        drawn = game.initial_state(200, np.random.default_rng(1)).types
        which = np.abs(drawn[:, None] - whole[None]).max((2, 3)).argmin(1)
        assert np.abs(drawn - whole[which]).max() < 1e-6 and set(which) == set(range(5))
        assert game.initial_state(3, torch.Generator().manual_seed(0)).types.shape == (3, *whole.shape[1:])
    assert make_game(name, **params, types_file=str(tmp_path / "t.csv")) == make_game(
        name, **params, types_file=tmp_path / "t.csv"
    )


@pytest.mark.parametrize("name", ["sequential_sales", "task_scheduling", "tabular_mdp"])
def test_what_is_known_of_a_game_is_known_of_its_file(tmp_path, name):
    params, _ = CASES[name]
    arrays = profiles_of(name, 7)
    np.savez(tmp_path / "t.npz", **arrays)
    game = make_game(name, **params, objective="welfare", types_file=str(tmp_path / "t.npz"))
    assert all(solution.residual() <= solution.tolerance for solution in game.known_solutions())
    done = play_out(game, make_policy(game, "mechanism", "vcg"), game.profiles, game.profiles)
    welfare = done.utilities.sum(-1).mean()
    if name == "sequential_sales":
        assert welfare == pytest.approx(np.sort(arrays["values"][..., 0])[:, -2:].sum(-1).mean()) == game.limit()
        assert make_game(name, **params, types_file=str(tmp_path / "t.npz")).limit() is None
        assert set(game.members) == {"vcg"}
    if name == "task_scheduling":
        assert welfare == pytest.approx(-arrays["costs"].min(1).sum(-1).mean()) == game.limit()
        least, error = make_game(name, **params, types_file=str(tmp_path / "t.npz")).full_information
        assert error == 0 and least == pytest.approx(game.makespans(arrays["costs"]).min(-1).mean())


def test_one_number_each_needs_no_axis_of_its_own(tmp_path):
    values = RNG.random((4, 2))
    np.savez(tmp_path / "t.npz", values=values)
    assert np.array_equal(make_game("sequential_sales", n=2, types_file=tmp_path / "t.npz").profiles[..., 0], values)


def pickled():
    """Return an archive whose array would have to be unpickled."""
    stream = io.BytesIO()
    np.savez(stream, values=np.array([{"a": 1}], object))
    return stream.getvalue()


def lying(shape):
    """Return an archive whose header says a shape that its few bytes do not have."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive, archive.open("values.npy", "w") as entry:
        np.lib.format.write_array_header_1_0(entry, {"descr": "<f8", "fortran_order": False, "shape": shape})
        entry.write(b"\0" * 80)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.npz", pickled, "values.npy holds object, no numbers"),
        ("t.npz", lambda: lying((10**12, 2, 1)), r"says that it has the shape \(1000000000000, 2, 1\)"),
        ("t.npz", lambda: b"PK\x03\x04 no archive", "cannot be read"),
        ("t.npz", lambda: b"", "cannot be read"),
        ("t.csv", lambda: b"profile,participant\n0,0\n", "columns profile, participant, allowed: value among them"),
        ("t.csv", lambda: b"profile,value\n0,0\n", "'participant' is missing"),
        ("t.csv", lambda: b"profile,participant,value\n", "has no rows"),
        ("t.csv", lambda: b"profile,participant,value\n0,0,.5\n0,2,.5\n", "line 3, participant is 2, allowed: whole"),
        ("t.csv", lambda: b"profile,participant,value\n0,0,.5\n0,.5,.5\n", "line 3, participant is 0.5"),
        ("t.csv", lambda: b"profile,participant,value\n0,0,.5\n0,0,.5\n", "in line 2 has 2 rows of one participant"),
        ("t.csv", lambda: b"profile,participant,value\n0,0,.5\n", "has 0 rows of one participant, number 2 of 2"),
        ("t.csv", lambda: b"profile,participant,value\n0,0,.5\n0,1,x\n", "line 3, value is 'x', allowed: a number"),
        ("t.csv", lambda: b"profile,participant,value\n0,0,.5\n0,1,1.5\n", r"\[0, 1, 0\] = 1.5, allowed: .*\[0, 1\]"),
        ("t.csv", lambda: b"profile,participant,value\n0,0,.5\n0,1,nan\n", r"values\[0, 1, 0\] = nan"),
        ("t.csv", lambda: b"profile,participant,value\nnan,0,.5\nnan,1,.5\n", "profile is nan"),
    ],
)  # fmt: skip
def test_files_that_hold_no_types_are_refused_in_one_line(tmp_path, name, content, said):
    file = tmp_path / name
    file.write_bytes(content())
    with pytest.raises(ParameterError, match=said) as error:
        make_game("sequential_sales", n=2, types_file=str(file))
    assert "\n" not in str(error.value) and re.search(re.escape(str(file)), str(error.value))


def test_columns_that_are_not_needed_may_hold_anything(tmp_path):
    (tmp_path / "t.csv").write_text('who,profile,participant,value\nBo,0,0,0.5\n"Al, x",0,1,0.25\n')
    (tmp_path / "s.csv").write_text("profile;participant;note;value\n0;0;a.b;0,5\n0;1;;0,25\n")
    for file in ("t.csv", "s.csv"):
        game = make_game("sequential_sales", n=2, types_file=str(tmp_path / file))
        assert game.profiles.tolist() == [[[0.5], [0.25]]]


@pytest.mark.parametrize("file", [3, True, ["a"], "/dev/zero", "."])
def test_what_is_no_file_is_refused(file):
    with pytest.raises(ParameterError, match=r"types_file is|cannot be read"):
        make_game("task_scheduling", types_file=file)
