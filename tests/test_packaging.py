"""What is shipped: a wheel that holds everything and works by itself, and pins that fit the bounds."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FOLDERS = ("envs", "agents", "trainers", "configs")
USE = """
import lawgiver, pettingzoo
from lawgiver.trainers.runs.packaged_configs import config_names
assert lawgiver.__file__.startswith({site!r}), lawgiver.__file__
pettingzoo.make("parallel", "lawgiver/public_investment-v0", mechanism="libertarian").reset(seed=0)
assert "public_investment" in config_names()
from lawgiver.trainers.people.rendering import PAGES, static_files
assert (PAGES / "play.html").exists() and len(static_files()) == 3
from lawgiver.trainers.people.words import catalogue
assert catalogue("de")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy, since building writes into the source."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for folder in (*FOLDERS, "src"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / folder, source / folder, symlinks=True, ignore=ignored)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], check=True)
    (built,) = target.glob("*.whl")
    return built


def test_wheel_holds_everything(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".yaml")]
    for folder in ("pages", "template"):
        files += [path for path in (ROOT / "trainers" / "people" / folder).iterdir() if path.is_file()]
    expected = {f"lawgiver/{path.relative_to(ROOT)}" for path in files}
    assert expected | {"lawgiver/py.typed", "lawgiver/__init__.py"} <= inside


def test_wheel_works_by_itself(wheel, tmp_path):
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    subprocess.run([sys.executable, "-c", USE.format(site=str(site))], cwd=tmp_path, env=environment, check=True)


def pins(file):
    lines = (ROOT / file).read_text().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)  # no paths, no local versions
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def extra(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = project["dependencies"] + project["optional-dependencies"][name]
    return [need for need in map(Requirement, listed) if need.name != "lawgiver"]


@pytest.mark.parametrize(
    ("file", "extras"),
    [
        ("constraints.txt", ("rllib", "solve", "plot", "docs", "all", "dev")),
        ("examples/constraints-sb3.txt", ("sb3",)),
        ("examples/constraints-torchrl.txt", ("torchrl",)),
    ],
)
def test_pins_fit_the_bounds(file, extras):
    pinned = pins(file)
    for need in {need for name in extras for need in extra(name)}:
        assert pinned[canonicalize_name(need.name)] in need.specifier, need
    assert pinned["torch"] == "2.13.0"


def test_pins_beside_pref_voting_fit_the_bounds():
    pinned = pins("examples/constraints-pref_voting.txt")
    for need in extra("solve"):
        if need.name != "nashpy":  # pref_voting asks for an older one
            assert pinned[canonicalize_name(need.name)] in need.specifier, need
    assert "torch" not in pinned


def test_constraints_pin_what_is_needed_in_turn():
    """Every package that a pinned package needs here is pinned too: nothing can drift."""
    pinned, here = pins("constraints.txt"), {"extra": ""}
    for name in pinned:
        try:
            needed = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:
            continue  # pinned for a development tool that is not installed in this environment
        for need in needed:
            if need.marker is None or need.marker.evaluate(here):
                assert canonicalize_name(need.name) in pinned, f"{name} needs {need}"
