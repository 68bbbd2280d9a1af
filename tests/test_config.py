"""Configs: names and files, overrides, what trainers declare, and what is said about mistakes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from lawgiver.envs.core.errors import LawgiverError, MissingExtraError, ParameterError, UnknownNameError
from lawgiver.envs.core.registry import TRAINERS, lookup
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.overrides import apply_overrides
from lawgiver.trainers.runs.packaged_configs import config_names
from lawgiver.trainers.runs.yaml_text import parse_yaml
from lawgiver.trainers.settings.base import Resources, anchor_of, keyed


def test_a_trainer_declares_its_own_settings(walk: Path):
    config = load_config(walk, ["trainer.step=1e-3", "agents.anchor={mechanism: random, strength: .inf}", "seed=3"])
    assert (config.trainer.step, config.seed) == (1e-3, 3)
    assert (config.agents.anchor.mechanism, config.agents.anchor.strength) == ("random", float("inf"))
    assert config.resources == Resources()


def test_a_game_gets_its_parameters_as_they_are_given(walk: Path):
    config = load_config(walk, ["game.name=public_investment", "game.endowments=[10,2,2,2]", "game.multiplier=2e0"])
    game = config.game.make()
    assert (game.endowments, game.multiplier) == ((10, 2, 2, 2), 2.0)


def test_agents_are_left_out_where_all_have_defaults(tmp_path: Path) -> None:
    text = {"game": {"name": "sequential_sales"}, "trainer": {"name": "affine_maximiser"}}
    file = tmp_path / "bare.yaml"
    file.write_text(yaml.safe_dump(text))
    assert load_config(file).agents == load_config("affine_maximiser").agents
    file.write_text(yaml.safe_dump({"game": {"name": "taxed_dilemma"}, "trainer": {"name": "rllib"}}))
    assert load_config(file).agents is not None


def test_a_resolved_config_reads_as_itself(walk: Path, tmp_path: Path):
    config = load_config(walk, ["seeds=[0,1]", "run_dir=out", "agents.anchor.mechanism=random"])
    copy = tmp_path / "copy.yaml"
    copy.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    assert load_config(copy) == config


def test_another_game_keeps_what_a_config_says_that_it_has_too() -> None:
    config = load_config("affine_maximiser", ["game.name=tabular_mdp", "game.discount=0.5"])
    assert config.game.model_dump() == {"name": "tabular_mdp", "n": 5, "discount": 0.5}
    with pytest.raises(ParameterError, match="no parameter 'm'"):
        load_config("affine_maximiser", ["game.name=tabular_mdp", "game.m=3"])


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("sed=3", "unknown key 'sed': did you mean 'seed'? allowed: agents, game, resources, run_dir, seed, seeds"),
        ("trainer.iteration=3", "unknown key 'trainer.iteration': did you mean 'iterations'? allowed: iterations, "),
        ("trainer.iterations=0", "trainer.iterations is 0: input should be greater than or equal to 1"),
        ("trainer.iterations=many", "trainer.iterations is 'many': input should be a valid integer"),
        ("trainer.mode=stedy", "trainer.mode is 'stedy': did you mean 'steady'? allowed: diverge, interrupt, steady"),
        ("trainer.name=wlk", "unknown trainer 'wlk': did you mean 'walk'? allowed: "),
        ("trainer.name=[1]", "trainer.name is [1]"),
        ("trainer=3", "trainer.name is None"),
        ("agents.anchor={mecanism: random}", "'agents.anchor.mecanism': did you mean 'mechanism'? allowed: mechanism,"),
        ("agents.anchor={strength: 2}", "agents.anchor.mechanism is missing"),
        ("agents.anchor=unifrm", "agents.anchor is 'unifrm': input should be 'uniform'"),
        ("agents=3", "agents is 3"),
        ("agents.anchor.mechanism=[]", "agents.anchor.mechanism is []: input should be a valid string"),
        ("resources.device=gpu", "resources.device is 'gpu': did you mean 'cpu'? allowed: auto, cpu, cuda"),
        ("resources.num_env_runners=-1", "resources.num_env_runners is -1: "),
        ("resources.num_workers=2", "unknown key 'resources.num_workers': "),
        ("seed=-1", "seed is -1: "),
        ("seeds=[]", "seeds is []: "),
        ("seeds=[0,0]", "seeds is [0, 0]: each seed may be there once"),
        ("seeds=[0,x]", "seeds.1 is 'x': "),
        ("game.name=taxed_dilema", "unknown game 'taxed_dilema': did you mean 'taxed_dilemma-v0'? allowed: "),
        ("game.name=7", "game.name is 7: input should be a valid string"),
        ("game.tax=1", "game 'taxed_dilemma-v0' has no parameter 'tax': "),
        ("game.max_rounds=0", "max_rounds is 0, allowed: an integer >= 1"),
        ("game.objective=welfare", "unknown objective 'welfare': did you mean 'log_nash_welfare'? allowed: "),
        (
            "game.objective=nash_welfare",
            "the sum of log(payoff + 0.001) is called 'log_nash_welfare' now; did you mean",
        ),
        ("game.objective=7", "unknown objective 7: allowed: "),
        ("game={}", "game.name is missing"),
        ("iterations=5", "unknown key 'iterations': did you mean 'trainer.iterations'? allowed: agents, game, "),
        ("iteratons=5", "unknown key 'iteratons': did you mean 'trainer.iterations'? "),
        ("max_rounds=5", "unknown key 'max_rounds': did you mean 'game.max_rounds'? "),
        ("strength=5", "unknown key 'strength': did you mean 'agents.anchor.strength'? "),
        ("device=cpu", "unknown key 'device': did you mean 'resources.device'? "),
        (
            "game.iterations=5",
            "unknown key 'game.iterations': did you mean 'trainer.iterations'? allowed: continuation",
        ),
        ("trainer.device=cpu", "unknown key 'trainer.device': did you mean 'resources.device'? "),
        ("agents.step=2", "unknown key 'agents.step': did you mean 'trainer.step'? allowed: anchor"),
        ("game={name: lanes, name: lanes}", "not YAML: key 'name' stands twice in a mapping"),
        ("game.max_rounds=2020-99-99", "not YAML: month must be in 1..12"),
        ("game={name: lanes, n: two}", "game.n is 'two', allowed: an integer"),
        ("game={name: public_investment, endowments: [ten, 4]}", "game.endowments"),
        ("seed", "override 'seed' is not of the form key=value"),
        ("=3", "override '=3' is not of the form key=value"),
        ("seed=[", "override 'seed=[' is not YAML: "),
        ("seed.x=3", "override 'seed.x': 0 has no keys, so no 'x'"),
    ],
)
def test_mistakes_are_named_in_one_line(walk: Path, override: str, said: str):
    walk.write_text(walk.read_text() + "seed: 0\n")
    with pytest.raises(LawgiverError) as error:
        load_config(walk, [override])
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("endowments", "said"),
    [("[]", "[]"), ("[10,-1]", "-1"), ("[10,2.5]", "2.5"), ("[10,1001]", "1001"), ("[ten,4]", "'ten'"), ("4", "4")],
)
def test_wrong_endowments_are_named(walk: Path, endowments: str, said: str):
    with pytest.raises(ParameterError, match="endowments") as error:
        load_config(walk, ["game.name=public_investment", f"game.endowments={endowments}"])
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: [", "is not YAML"),
        ("seed: 1\ngame:\n  n: 3\n  name: lanes\n  n: 4\n", "key 'n' stands twice in a mapping, in lines 3 and 5"),
        ("seed: 1\n'seed': 1\n", "key 'seed' stands twice"),
        ("game: &a {n: 1}\nagents: {yes: 1, true: 2}\n", "key True stands twice"),
        ("- 3", "is not a mapping"),
        ("", "is not a mapping"),
        (None, "No such file"),
        (b"\xff", ""),
    ],
)
def test_files_that_are_no_configs(tmp_path: Path, content: str | bytes | None, said: str):
    file = tmp_path / "broken.yaml"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ParameterError, match=r"broken\.yaml") as error:
        load_config(file)
    assert said in str(error.value)


def test_an_unknown_config_is_told_what_there_is():
    with pytest.raises(UnknownNameError, match=r"unknown config 'pulic_investment': .*allowed:"):
        load_config("pulic_investment")


@pytest.mark.parametrize("name", config_names())
def test_every_packaged_config_is_valid(name: str):
    load_config(name)


@pytest.mark.parametrize("name", ["public_investment", "exact_designer"])
def test_every_trainer_describes_anchors_alike(name: str):
    assert anchor_of(load_config(name).agents.participants) == "uniform"
    used = load_config(name, ["agents.participants.anchor={mechanism: libertarian}"]).agents.participants
    assert anchor_of(used) == {"mechanism": "libertarian", "inverse_temperature": 1.0}
    with pytest.raises(ParameterError, match=r"agents\.participants\.anchor\.inverse_temperature is -1"):
        load_config(name, ["agents.participants.anchor={mechanism: libertarian, inverse_temperature: -1}"])


def test_a_merged_key_may_be_given_anew() -> None:
    """A key that a merge (``<<``) brings does not stand twice, also where what is merged has merged one itself."""
    text = "x: &x {k: 1}\ny: {z: &z {<<: *x, k: 2}}\nw: {<<: *z, k: 3}\n"
    assert parse_yaml(text) == {"x": {"k": 1}, "y": {"z": {"k": 2}}, "w": {"k": 3}}


def test_keys_that_another_trainer_or_game_has_no_use_for_are_named(caplog: pytest.LogCaptureFixture) -> None:
    load_config("public_investment", ["trainer.name=exact_designer", "agents.mechanism.n_units=8"])
    (said,) = (record.getMessage() for record in caplog.records)
    assert said.startswith("of config public_investment, not used: agents.mechanism.average_over, ")
    assert "agents.participants.lr" in said and "trainer.steps_per_iteration" in said
    assert "inverse_temperature" not in said and "trainer.name" not in said and "game." not in said
    caplog.clear()
    load_config("affine_maximiser", ["game.name=tabular_mdp"])
    assert [record.getMessage() for record in caplog.records] == ["of config affine_maximiser, not used: game.m"]
    caplog.clear()
    load_config("public_investment", ["trainer.iterations=3"])
    assert not caplog.records


def test_overrides_leave_what_they_are_given_alone():
    data = {"game": {"name": "x", "n": 1}}
    assert apply_overrides(data, ["game.n=2", "a.b.c={d: 1}", "game.t="]) == {
        "game": {"name": "x", "n": 2, "t": None},
        "a": {"b": {"c": {"d": 1}}},
    }
    assert data == {"game": {"name": "x", "n": 1}}


def test_a_trainer_must_say_which_config_it_takes(plugin: Path, walk: Path):
    (plugin / "fake_trainer.py").write_text("def train(config, run): return {}\n")
    with pytest.raises(ParameterError, match="trainer 'walk' does not say which config it takes"):
        load_config(walk)


def test_a_missing_extra_is_named(plugin: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    (plugin / "fake_trainer.py").write_text("import ray.rllib\n")
    with pytest.raises(MissingExtraError, match=r"trainer 'walk' needs ray: pip install 'lawgiver\[rllib\]'"):
        lookup(TRAINERS, "walk")


def test_another_trainer_takes_over_what_means_the_same_to_it():
    kept = load_config("lanes", ["trainer.name=rllib"]).agents
    assert (kept.participants.inverse_temperature, kept.mechanism.start) == (100.0, (0.0, -1.0))
    changed = load_config("lanes", ["trainer.name=rllib", "agents.mechanism.start=no_mechanism"]).agents
    assert changed.mechanism.start == "no_mechanism"
    back = load_config("lanes_rllib", ["trainer.name=two_timescale"]).agents
    assert back.participants.inverse_temperature == 100.0 and back.participants.learning == "relaxed_logits"


def test_a_given_policy_is_a_name_or_a_mapping():
    kept = [
        load_config("price_competition", [f"agents.mechanism.given={given}"]).agents.mechanism.given
        for given in ("random", "{policy: random}")
    ]
    assert kept[0] == kept[1] and kept[0].policy == "random"


@pytest.mark.parametrize(
    ("name", "override", "said"),
    [
        (
            "price_competition",
            "agents.mechanism.given=3",
            "agents.mechanism.given is 3: input should be a valid dictionary or instance of Given",
        ),
        ("price_competition", "agents.mechanism.given={polcy: random}", "agents.mechanism.given.policy is missing"),
        (
            "price_regulation",
            "agents.mechanism.iterations=0",
            "agents.mechanism.iterations is 0: input should be greater",
        ),
        (
            "price_regulation",
            "agents.mechanism.optimiser=foo",
            "agents.mechanism.optimiser is 'foo': allowed: one_point, score_function, two_point",
        ),
        (
            "price_regulation",
            "agents.mechanism.iteratons=3",
            "unknown key 'agents.mechanism.iteratons': did you mean 'iterations'? allowed: exploration, ",
        ),
        (
            "price_competition",
            "agents.mechanism={strat: 3}",
            "unknown key 'agents.mechanism.strat': did you mean 'start'? allowed: exploration, ",
        ),
    ],
)
def test_of_a_union_the_member_that_the_keys_mean_is_told_of(name: str, override: str, said: str):
    with pytest.raises(ParameterError) as error:
        load_config(name, [override])
    assert str(error.value).startswith(said)


HUGE = 2 * 10**18


@pytest.mark.parametrize(
    ("config", "key", "value", "message"),
    [
        ("learned_follower", "heads", 5, "width is 32, allowed: a multiple of 5 heads"),
        ("matching", "width", 9, "width is 9, allowed: an even number"),
        ("voting", "rounds", HUGE, f"rounds is {HUGE}, allowed: an integer >= 0"),
        ("commons_quick", "n_units", HUGE, f"n_units is {HUGE}, allowed: an integer >= 1"),
        ("commons_quick", "memory", HUGE, f"memory is {HUGE}, allowed: an integer >= 0"),
        ("online_allocation", "hidden", [4, HUGE], rf"hidden\[1\] is {HUGE}, allowed: an integer >= 1"),
        ("aggregation", "hidden", [HUGE], rf"hidden\[0\] is {HUGE}, allowed: an integer >= 1"),
        ("regret_net", "hidden", [HUGE], rf"hidden\[0\] is {HUGE}, allowed: an integer >= 1"),
    ],
)
def test_what_a_policy_refuses_is_named_by_its_path(config, key, value, message, tmp_path):
    pytest.importorskip("torch")
    with pytest.raises(ParameterError, match=rf"^agents\.mechanism\.{message}"):
        launch.train(config, [f"agents.mechanism.{key}={value}", f"run_dir={tmp_path / 'run'}"])


def test_other_errors_of_a_policy_stay_as_they_are():
    for message in ("seed is -1, allowed: 0", "a policy is wrong"):
        with pytest.raises(ParameterError, match=f"^{message}"), keyed("agents.mechanism", Resources()):
            raise ParameterError(message)
