"""What several test files need."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from lawgiver.envs.core import registry

WALK = """\
game:
  name: taxed_dilemma
agents: {}
trainer:
  name: walk
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the fake trainer as a third party's package; return the folder that is on the path."""
    site = tmp_path / "site"
    info = site / "fake_trainer-1.0.dist-info"
    info.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("fake_trainer.py"), site / "fake_trainer.py")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-trainer\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lawgiver.trainers]\nwalk = fake_trainer:train\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    registry._entries.cache_clear()
    yield site
    registry._entries.cache_clear()
    sys.modules.pop("fake_trainer", None)


@pytest.fixture
def walk(plugin: Path, tmp_path: Path) -> Path:
    """Return the config of a training by the fake trainer."""
    file = tmp_path / "walk.yaml"
    file.write_text(WALK)
    return file
