"""The documentation is run as it stands: the README's tour, both walk-throughs, the pages of the games."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from lawgiver.envs.core.registry import GAMES, names
from lawgiver.trainers.cli.pages import game_page
from lawgiver.trainers.config import config_names

ROOT = Path(__file__).parents[1]
SHELL = """
set -eu
pip() { "$PYTHON" -m pip "$@" --quiet --no-index --no-deps --no-build-isolation --target "$PYTHONPATH"; }
lawgiver() { "$PYTHON" -m lawgiver "$@"; }
"""
"""pip installs into a folder of the test's, and must not look around for what is there already."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it belongs into (empty for a command), its text."""

    language: str
    file: str
    text: str


def blocks(page, heading=None):
    """Return the fenced blocks of a page, or of one of its sections."""
    text = (ROOT / page).read_text()
    if heading is not None:
        (text,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(*parts) for parts in found]


def run(block, folder, site):
    """Carry a block out in a folder: write its file, or run it. Returns what it prints."""
    if block.file:
        (folder / block.file).parent.mkdir(exist_ok=True)
        (folder / block.file).write_text(block.text)
        return ""
    command = ["bash", "-c", SHELL + block.text] if block.language == "sh" else [sys.executable, "-c", block.text]
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHON": sys.executable}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_readme_tour(tmp_path):
    (tour,) = [block for block in blocks("README.md") if block.language == "python"]
    printed = run(tour, tmp_path, tmp_path)
    found = re.findall(r"Nash welfare +([\d.]+)", printed)
    assert [float(number) for number in found] == [6.87, 7.99, 8.05, 8.69]


@pytest.mark.parametrize("heading", ["Add a game", "Add a mechanism"])
def test_walk_through(heading, tmp_path):
    (tmp_path / "site").mkdir()
    steps = blocks("CONTRIBUTING.md", heading)
    assert [step.language for step in steps] == ["toml", "python", "sh", "python"]
    printed = "".join(run(step, tmp_path, tmp_path / "site") for step in steps)
    if heading == "Add a game":
        assert "toll_road-v0" in printed
        assert "# lawgiver/toll_road-v0" in printed
        assert "largest sum of payoffs a day | 5 |" in printed


def test_readme_lists_every_config():
    text = (ROOT / "README.md").read_text()
    assert [name for name in config_names() if f"configs/{name}.yaml" not in text] == []


@pytest.mark.parametrize(
    "page", [path.relative_to(ROOT) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))], ids=str
)
def test_links(page):
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in target:
            assert (ROOT / page).parent.joinpath(target).exists(), f"{page} links to {target}"


@pytest.mark.parametrize("name", [name for name in names(GAMES) if (ROOT / "envs" / name.rpartition("-")[0]).exists()])
def test_pages_of_the_games_are_fresh(name):
    assert (ROOT / "docs" / "games" / f"{name}.md").read_text() == game_page(name), "run: make docs"
