"""What the command line lists, and that it works in any locale, on any terminal, and beside broken plug-ins."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lawgiver.envs.core import registry
from lawgiver.envs.core.errors import LawgiverError, MissingExtraError, PluginError, UnknownNameError
from lawgiver.envs.core.registry import GAMES, PACKAGES, TRAINERS, lookup, names, require_extras
from lawgiver.trainers.cli import app
from lawgiver.trainers.cli.lists import KINDS, listed
from lawgiver.trainers.runs.packaged_configs import config_names


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lawgiver", *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=300)


def test_games_fit_eighty_columns_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = CliRunner().invoke(app, ["games"]).output.splitlines()
    assert [line.split()[0] for line in lines] == names(GAMES)
    assert max(map(len, lines)) <= 80
    assert not any(line.endswith("...") for line in lines), "what the mechanism does is said whole"


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_lists_fit_any_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for kind in ("games", "configs", "trainers", "voters", "objectives"):
        longest = max(map(len, [*names(GAMES), *config_names()]))
        assert max(map(len, listed(kind))) <= max(columns, longest)


def test_mechanisms_are_listed_with_the_games_that_they_play() -> None:
    lines = listed("mechanisms")
    split = lines.index("games that they play, by default or with other arguments:")
    where = " ".join(lines[split:])
    assert "libertarian" in " ".join(lines[:split])
    assert "pigou                  divisible_good" in where and "random                 every game" in where
    assert "ex_post_equaliser      election, public_investment" in where
    assert {f"{name:<23}voting" for name in ("approval", "score")} <= set(lines), "with ballots that tell them"


def test_what_cannot_be_listed_is_named() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown kind 'mechanism': did you mean 'mechanisms'\?"):
        listed("mechanism")
    assert set(KINDS) >= {"mechanisms", "participants", "voters", "configs", "trainers"}


def test_version_and_completion() -> None:
    assert CliRunner().invoke(app, ["--version"]).output.startswith("lawgiver 0.")
    assert "--show-completion" in CliRunner().invoke(app, ["--help"]).output


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("arguments", [["games"], ["games", "repeated_allocation"], ["list", "configs"], ["--help"]])
def test_a_locale_without_unicode_is_no_reason_to_fail(arguments: list[str]) -> None:
    done = run(*arguments, **ASCII)
    assert done.returncode == 0 and not done.stderr
    lost = "?" in done.stdout.replace("do you choose?", "")  # the question that people are asked
    assert not lost or arguments[0] != "games"


def test_a_full_disk_under_the_output_is_one_line() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with open("/dev/full", "w") as full:  # noqa: PTH123  a device
        command = [sys.executable, "-m", "lawgiver", "games"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=300)
    assert done.returncode == 2
    assert done.stderr == "lawgiver: No space left on device\n"


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Install a package whose games and mechanism break in every way; return what each is."""
    kinds = {
        "syntax-v0": "def (:",
        "imports-v0": "import no_such_module",
        "raises-v0": "raise RuntimeError('two\\nlines')",
        "lacks-v0": "",
        "exits-v0": "import sys\nsys.exit()",
        "fails-v0": "raise SystemExit('no arguments given')",
    }
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    entries = []
    for name, text in kinds.items():
        module = f"broken_{name.partition('-')[0]}"
        (tmp_path / f"{module}.py").write_text(text)
        entries.append(f"{name} = {module}:Game")
    (info / "entry_points.txt").write_text("[lawgiver.games]\n" + "\n".join(entries) + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._entries.cache_clear()
    yield kinds
    registry._entries.cache_clear()


def test_a_broken_plug_in_hides_nothing_and_is_named(broken: dict[str, str]) -> None:
    done = CliRunner().invoke(app, ["games"])
    assert done.exit_code == 0
    assert all(name in done.output for name in names(GAMES))
    for name in broken:
        with pytest.raises(PluginError, match=f"game '{name}' of package 'broken' cannot be imported: ") as error:
            lookup(GAMES, name)
        assert "\n" not in str(error.value)
        assert isinstance(error.value, LawgiverError)


# -- what is not installed ------------------------------------------------------------------------------------------


def test_all_that_a_command_needs_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("torch", "ray", "scipy", "nashpy", "tensorboard", "safetensors"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError) as error:
        lookup(TRAINERS, "rllib")
    said = str(error.value)
    assert said.startswith("trainer 'rllib' needs ray, torch, safetensors, scipy, tensorboard, nashpy: ")
    assert "pip install 'lawgiver[rllib,solve]', with -c constraints.txt" in said
    with pytest.raises(MissingExtraError, match=r"hcmd_zero' needs torch, safetensors, scipy, nashpy"):
        lookup(TRAINERS, "hcmd_zero")


def test_what_lacks_its_extra_is_listed_by_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    found = registry.find_spec
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == "transformers" else found(name))
    assert "transformers  needs pip install 'lawgiver[lm]'" in listed("language_models")


def test_extras_are_those_of_the_package(tmp_path: Path) -> None:
    import tomllib

    declared = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert PACKAGES.keys() <= declared["project"]["optional-dependencies"].keys()
    for name in names(TRAINERS):
        assert set(registry.entry(TRAINERS, name).extras) <= PACKAGES.keys()
    require_extras("nothing")
