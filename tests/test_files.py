"""Files that users name: what they are is checked, and their size and depth, before they are read."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from lawgiver.envs.core.errors import LawgiverError, ParameterError
from lawgiver.envs.files.delimited import delimiter_of, read_numbers, without_declaration
from lawgiver.envs.files.json_text import from_json
from lawgiver.envs.files.reading import open_regular, read_bytes, read_json, read_text
from lawgiver.trainers.runs import yaml_text
from lawgiver.trainers.runs.atomic_files import RunError, read_manifest, write_folder
from lawgiver.trainers.runs.config import load_config, read_mapping
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.yaml_text import parse_yaml


def _no_files(folder: Path) -> dict[str, str]:
    """Return paths that are no regular file, by what is said of them."""
    os.mkfifo(folder / "fifo")
    return {
        str(folder): "a directory",
        "/dev/zero": "a device",
        str(folder / "fifo"): "a FIFO",
        "a\0b": "no path",
        str(folder / "none"): "No such file",
    }


def test_devices_and_fifos_are_not_read(tmp_path: Path) -> None:
    for path, said in _no_files(tmp_path).items():
        with pytest.raises(OSError) as error:
            open_regular(path)
        assert said in str(error.value.strerror)


def test_every_reader_refuses_what_is_no_file(tmp_path: Path) -> None:
    for path, said in _no_files(tmp_path).items():
        for read in (lambda path: read_mapping(Path(path)), read_numbers):
            with pytest.raises(LawgiverError, match=said) as error:
                read(path)
            assert "\n" not in str(error.value)


def test_a_run_whose_files_are_devices_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").symlink_to("/dev/zero")
    with pytest.raises(RunError, match="a symbolic link"):
        Run.open(tmp_path)
    kept = tmp_path / "kept"
    write_folder(kept, lambda folder: (folder / "weights").write_text("1"))
    (kept / "weights").unlink()
    (kept / "weights").symlink_to("/dev/zero")
    with pytest.raises(RunError, match="a device"):
        read_manifest(kept)


def test_size_is_known_before_memory_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "large"
    with file.open("wb") as stream:
        stream.truncate(2**40)  # a hole: it takes no space
    with pytest.raises(OSError, match=re.escape("1,099,511,627,776 bytes")):
        read_bytes(file)
    with pytest.raises(ParameterError, match="allowed: up to 1,048,576"):
        read_mapping(file.rename(tmp_path / "large.yaml"))


def test_text_of_other_systems_is_read(tmp_path: Path) -> None:
    file = tmp_path / "text"
    for content in (b"a\nb\n", b"a\r\nb\r\n", b"a\rb\r", b"\xef\xbb\xbfa\nb\n", "a\r\nb\r\n".encode("utf-16")):
        file.write_bytes(content)
        assert read_text(file) == "a\nb\n"


def test_deep_json_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        from_json("[" * 100_000)
    (tmp_path / "manifest.json").write_text('{"a":' * 100_000)
    with pytest.raises(RunError, match="nested too deeply"):
        read_manifest(tmp_path)
    (tmp_path / "fine.json").write_text('{"a": [1]}')
    assert read_json(tmp_path / "fine.json") == {"a": [1]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 3000, "more than 50 levels"),
        ("\n".join(" " * i + "a:" for i in range(1000)), "more than 50 levels"),
        ("a: &x [*x]", "inside of what it is an alias of"),
        ("? &a [*a]\n: 1", "inside of what it is an alias of"),
        ("a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
            f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
            for before, name in zip("abcdefgh", "bcdefghi", strict=True)), "more than 200,000 values"),
        ("a: 1\nb: 2\na: 3", "'a' stands twice in a mapping, in lines 1 and 3"),
        ("n: " + "1" * 5000, "integer"),
        ("d: 2020-13-45", "month"),
        ("- !!timestamp 3", "groupdict"),
        ("!!bool x", "x"),
        ("!!int ''", "range"),
    ],
)  # fmt: skip
def test_yaml_that_would_exhaust_the_parser_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(yaml.YAMLError, match=said):
        parse_yaml(text)
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(ParameterError, match="is not YAML") as error:
        read_mapping(file)
    assert "\n" not in str(error.value)


def test_yaml_is_bounded_in_size_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_text, "LARGEST", 10)
    assert parse_yaml("a: 1e-3") == {"a": 1e-3}
    with pytest.raises(yaml.YAMLError, match="11 characters, allowed: up to 10"):
        parse_yaml("a: 12345678")


@pytest.mark.parametrize("text", ["[" + "1," * 1000 + "1]", "- []\n" * 1001, "{" + "a: 1," * 501 + "}"])
def test_yaml_is_bounded_in_values_while_it_is_parsed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_text, "MOST_VALUES", 1000)
    with pytest.raises(yaml.YAMLError, match=r"more than 1,000 values, .*; tables .* belong into a file of numbers"):
        parse_yaml(text + "\n'")  # what follows would be refused for another reason, were it read
    assert len(parse_yaml("[" + "1," * 998 + "1]")) == 999


def test_the_bounds_of_yaml() -> None:
    assert (yaml_text.LARGEST, yaml_text.MOST_VALUES) == (2**20, 200_000)


def test_aliases_and_merges_still_work() -> None:
    assert parse_yaml("a: &q {b: 1}\nc: *q\nd: {<<: *q, e: 2}") == {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}}
    assert parse_yaml("") is None


def test_overrides_are_bounded_too() -> None:
    with pytest.raises(ParameterError, match="is not YAML: it is nested"):
        load_config("affine_maximiser", ["game.n=" + "[" * 3000])


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n", ";"),
        ("a\tb\n1\t2,5\n", "\t"),
        ('"a;x","b;y"\n1,2\n', ","),
        ("a;b\n1;2\n1;2;3\n", ";"),
        ("a\n1\n", ","),
        ("", ","),
        ("a,b,c;d\n1,2,3\n", ","),
    ],
)
def test_the_delimiter_is_told_by_the_text(text: str, delimiter: str) -> None:
    assert delimiter_of(text) == delimiter


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1.5,2\n\n3,4e0\n",
        b"a;b\r\n1,5;2\r\n3;4\r\n",
        b"a\tb\r1.5\t2\r3\t4",
        b"sep=;\na;b\n1.5;2\n3;4\n",
        "\ufeffa;b\n1,5;2\n3;4\n".encode(),
        "a\tb\r\n1,5\t2\r\n3\t4\r\n".encode("utf-16"),
        b'"a","b"\n"1.5","2"\n 3 , 4 \n',
    ],
)
def test_numbers_of_every_spreadsheet_are_read(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    table = read_numbers(file)
    assert (table.names, table.numbers("a", "b").tolist()) == (("a", "b"), [[1.5, 2], [3, 4]])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,x\n", r"line 2, b is 'x', allowed: a number"),
        ("sep=,\na,b\n1,2\n1\n", r"line 4: has 1 columns, allowed: 2"),
        ("a,a\n1,2\n", r"the column 'a' twice"),
        ("\n\n", r"has no header"),
        ('a,b\n"1,2\n', r"line \d: unexpected end of data"),
    ],
)
def test_the_line_at_fault_is_named(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(text)
    with pytest.raises(ParameterError, match=said) as error:
        read_numbers(file).numbers("a", "b")
    assert str(file) in str(error.value) and "\n" not in str(error.value)


def test_a_declared_delimiter_is_dropped() -> None:
    assert without_declaration("SEP=;\na;b") == "a;b"
    assert without_declaration("a;b\nsep=;") == "a;b\nsep=;"
