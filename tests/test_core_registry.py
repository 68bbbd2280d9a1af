"""What is said where an optional package is missing, and where packages declare what cannot be taken."""

import os
import subprocess
import sys
from pathlib import Path

import pettingzoo
import pytest

import lawgiver  # noqa: F401  registers the games
from lawgiver.envs.core import registry
from lawgiver.envs.core.errors import MissingExtraError, ParameterError, PluginError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.registry import extras, names
from lawgiver.envs.views.single import make_env
from lawgiver.trainers.runs.policies import checked_policy


def test_a_missing_extra_is_named():
    with pytest.raises(MissingExtraError, match=r"this needs torch: pip install 'lawgiver\[torch\]'"), extras("this"):
        raise ModuleNotFoundError("no torch", name="torch.nn")
    with pytest.raises(ModuleNotFoundError, match="no other"), extras("this"):
        raise ModuleNotFoundError("no other", name="other")


def test_a_learned_policy_says_that_it_needs_torch(monkeypatch, tmp_path: Path):
    real = registry.find_spec
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == "torch" else real(name))
    (tmp_path / "policy.json").write_text('{"format": 1, "kind": "mechanism", "settings": {}}')
    with pytest.raises(MissingExtraError, match=r"the learned policy in .* needs torch"):
        checked_policy(tmp_path, None)


def test_presets_are_published_settings_to_begin_from() -> None:
    game = make_game("sequential_sales", preset="asymmetric", n=4)
    assert game == make_game("sequential_sales", n=4, high="1/i")
    assert make_game("sequential_sales", preset="asymmetric", high=2.0) == make_game("sequential_sales", high=2.0)
    with pytest.raises(ParameterError, match="did you mean 'asymmetric'"):
        make_game("sequential_sales", preset="asymetric")
    with pytest.raises(ParameterError, match="parameter 'preset'"):
        make_game("lanes", preset="symmetric")
    env = pettingzoo.make("parallel", "lawgiver/task_scheduling-v0", preset="asymmetric")
    assert env.unwrapped.game == make_game("task_scheduling", high="3i")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            lambda: pettingzoo.make("parallel", "lawgiver/election-v0", n_rounds=3),
            "neither 'election-v0' nor its view has a parameter 'n_rounds': did you mean 'n_rounds' among the"
            " parameters of public_investment in 'base'?",
        ),
        (
            lambda: make_game("repeated_allocation", m=3),
            "game 'repeated_allocation-v0' has no parameter 'm': did you mean 'm' among the parameters of"
            " payment_free_allocation in 'stage'?",
        ),
        (
            lambda: pettingzoo.make("aec", "lawgiver/public_investment-v0", mechanism="manifold", w=1),
            "did you mean mechanism={'policy': 'manifold', 'w': ...}?",
        ),
        (lambda: pettingzoo.make("aec", "lawgiver/lanes-v0", mechanism="no_mechanism", bx=1), "did you mean 'box'? "),
    ],
)
def test_a_parameter_that_belongs_one_level_deeper_is_proposed_there(made, said: str) -> None:
    with pytest.raises(ParameterError) as error:
        made()
    assert said in str(error.value)


def declare(site: Path, package: str, groups: dict[str, list[str]]) -> None:
    """Put the metadata of a third party's package on a path."""
    info = site / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"[lawgiver.{group}]\n" + "\n".join(entries) for group, entries in groups.items()]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch):
    """Return a folder on the path whose packages are seen."""
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._entries.cache_clear()
    yield tmp_path
    registry._entries.cache_clear()


@pytest.mark.parametrize(
    "name", ["my game", "lanes", "game-v", "game-vx", "ünfug-v0", "a/b-v1", "-v1", "x-v99999999999"]
)
def test_a_malformed_game_name_is_one_line_and_nothing_breaks(site: Path, name, caplog):
    declare(site, "odd-games", {"games": [f"{name} = taxed:Game", "fine-v3 = fine:Game"]})
    games = names("lawgiver.games")
    assert name not in games and {"fine-v3", "lanes-v0"} <= set(games)
    assert [record.getMessage() for record in caplog.records] == [
        f"package 'odd-games' declares the game {name!r}, allowed: letters, digits and _, then a version, such as"
        " some_game-v0; it is left out"
    ]
    assert registry.game_name("lanes") == "lanes-v0" and registry.game_name("fine") == "fine-v3"


def test_import_lawgiver_outlives_a_third_partys_names(site: Path):
    declare(site, "odd-games", {"games": ["my game = nowhere:Game", "lanes-v0 = nowhere:Lanes"]})
    code = (
        "import lawgiver, gymnasium; print(lawgiver.make_game('lanes').name, 'lawgiver/lanes-v0' in gymnasium.registry)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(site)}
    )
    assert (done.returncode, done.stdout) == (0, "lanes-v0 True\n")
    assert "Traceback" not in done.stderr and done.stderr.count("'odd-games'") == 2


@pytest.mark.parametrize(
    ("group", "name"),
    [("games", "lanes-v0"), ("mechanisms", "vcg"), ("participants", "random"), ("objectives", "surplus"),
     ("voters", "random"), ("trainers", "rllib"), ("runs", "folder")],
)  # fmt: skip
def test_a_name_that_is_taken_is_one_line_with_the_packages_name(site: Path, group, name, caplog):
    before = registry._entries(f"lawgiver.{group}")[name].value
    registry._entries.cache_clear()
    declare(site, "a-copy", {group: [f"{name} = copy:Thing"]})
    assert registry._entries(f"lawgiver.{group}")[name].value == before
    kind = group.removesuffix("s")
    assert [record.getMessage() for record in caplog.records] == [
        f"package 'a-copy' declares the {kind} {name!r}, which package 'lawgiver' has already: take another name;"
        " it is left out"
    ]


def test_of_two_third_parties_the_first_by_name_has_a_name(site: Path, caplog):
    declare(site, "zeta", {"games": ["new-v0 = zeta:Game"]})
    declare(site, "alpha", {"games": ["new-v0 = alpha:Game"]})
    assert registry._entries("lawgiver.games")["new-v0"].value == "alpha:Game"
    assert "package 'zeta' declares the game 'new-v0', which package 'alpha' has already" in caplog.text


@pytest.mark.parametrize("value", ["no module!", "", "a:b:c"])
def test_an_entry_that_points_nowhere_is_one_line_with_the_packages_name(site: Path, value, caplog):
    declare(site, "odd-games", {"games": [f"new-v0 = {value}"], "mechanisms": [f"new = {value}"]})
    assert "new-v0" not in names("lawgiver.games") and "new" not in names("lawgiver.mechanisms")
    assert [record.getMessage() for record in caplog.records] == [
        f"package 'odd-games' declares the {kind} {name!r}, which points to {value!r}, allowed: module:object;"
        " it is left out"
        for kind, name in (("game", "new-v0"), ("mechanism", "new"))
    ]


@pytest.mark.parametrize("source", ["Game = 5", "def Game(n=2): return n"])
@pytest.mark.parametrize("make", [make_game, make_env])
def test_what_is_no_game_is_told_with_the_packages_name(site: Path, source, make, monkeypatch):
    declare(site, "odd-games", {"games": ["new-v0 = nogame:Game"]})
    (site / "nogame.py").write_text(source)
    monkeypatch.delitem(sys.modules, "nogame", raising=False)
    with pytest.raises(PluginError, match=r"game 'new-v0' of package 'odd-games' is [25], allowed: a Game"):
        make("new")


def test_a_package_without_a_name_breaks_nothing(site: Path, caplog):
    declare(site, "odd-games", {"games": ["new-v0 = odd:Game"]})
    declare(site, "zeta", {"games": ["new-v0 = zeta:Game"]})
    for metadata in site.glob("odd*/METADATA"):
        metadata.unlink()
    assert "new-v0" in names("lawgiver.games") and "lanes-v0" in names("lawgiver.games")
