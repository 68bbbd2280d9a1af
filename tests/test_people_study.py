"""Studies with real people: what their files may say, and what is made of them."""

from __future__ import annotations

import itertools
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from lawgiver.agents.learned import save_policy
from lawgiver.envs.core.errors import LawgiverError, ParameterError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.trainers.cli import app
from lawgiver.trainers.people.forecast import _points, _winner, forecast, play_through, warnings
from lawgiver.trainers.people.group import Group
from lawgiver.trainers.people.new import write_new
from lawgiver.trainers.people.store import Store, StoreError
from lawgiver.trainers.people.study import Study, read_study
from lawgiver.trainers.people.texts import to_html

ENDS = ("done", "no_group", "failed_quiz", "left", "full", "broken")
LEAST: dict[str, Any] = {
    "game": {"name": "public_investment", "endowments": [[10, 2, 2, 2], [10, 4, 4, 4]], "n_rounds": 2},
    "mechanisms": ["libertarian", "liberal_egalitarian"],
    "people": 4,
    "autoplay": "random",
    "groups": 4,
    "access": "open",
    "texts": {"consent": "consent.md", "contact": "somebody"},
}


def study_of(folder: Path, **changes: Any) -> Study:
    return read_study(written(folder, **changes))


def written(folder: Path, **changes: Any) -> Path:
    """Write the least study with changes, by key or by keys joined with two underscores."""
    data = {key: dict(value) if isinstance(value, dict) else value for key, value in LEAST.items()}
    for key, value in changes.items():
        section, _, inner = key.partition("__")
        if inner:
            data.setdefault(section, {})[inner] = value
        else:
            data[section] = value
    (folder / "consent.md").write_text("Please *agree*.")
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump(data))
    return file


def test_what_new_writes_can_be_checked_at_once_and_is_not_overwritten(tmp_path: Path) -> None:
    files = write_new(tmp_path / "deep" / "mine.yaml")
    assert [file.name for file in files] == ["mine.yaml", "consent.md", "thanks.md"]
    before = [file.read_bytes() for file in files]
    study = read_study(files[0])
    assert study.database == tmp_path / "deep" / "mine.sqlite"
    assert len(study.conditions) == 5 and len(study.orders) == 2
    codes = [f"prolific.codes.{end}" for end in ENDS]
    assert set(study.placeholders()) == {"texts.consent", "texts.contact", "texts.thanks", *codes}
    with pytest.raises(ParameterError, match=r"mine\.yaml is there already"):
        write_new(files[0])
    with pytest.raises(ParameterError, match=r"consent\.md is there already"):
        write_new(tmp_path / "deep" / "other.yaml")
    assert [file.read_bytes() for file in files] == before and len(list(files[0].parent.iterdir())) == 3


def test_orders_of_play(tmp_path: Path) -> None:
    three, four = list("abc"), list("abcd")
    names = ["strict_egalitarian", "libertarian", "liberal_egalitarian", "random"]
    named = dict(zip(four, names, strict=True))
    assert study_of(tmp_path, mechanisms=[names[0]]).orders == ((names[0], names[0]),)
    found = study_of(tmp_path, mechanisms=[named[each] for each in three]).orders
    assert set(found) == {tuple(named[each] for each in order) for order in itertools.permutations(three)}
    assert len(found) == 6
    rotated = study_of(tmp_path, mechanisms=[named[each] for each in four]).orders
    assert rotated == tuple(tuple(named[each] for each in order) for order in ("abcd", "bcda", "cdab", "dabc"))
    fixed = study_of(tmp_path, mechanisms=[names[1], names[0], names[1]], order="fixed")
    assert fixed.orders == ((names[1], names[0], names[1]),) and list(fixed.mechanisms) == [names[1], names[0]]
    bare = study_of(tmp_path, game={"name": "matrix"}, mechanisms=[], people=2)
    assert bare.orders == ((),) and bare.conditions == ("all",) and bare.practice is None
    assert Group(bare.setup(0, "all", (), (0, 1))).stage == "play"


def test_a_group_is_set_up_as_the_study_says(tmp_path: Path) -> None:
    study = study_of(
        tmp_path,
        third_game=False,
        dropout={"gone_after": 3, "removed_after": 5, "end_group_at": 4},
        people=3,
        others="random",
    )
    setup = study.setup(7, "10-4-4-4", study.orders[1], (0, 2, 3))
    assert setup.mechanisms == (study.mechanisms["liberal_egalitarian"], study.mechanisms["libertarian"])
    assert np.array_equal(setup.opening.endowments, [[10, 4, 4, 4]])
    assert (setup.seats, setup.third_game, setup.dropouts.gone_after) == ((0, 2, 3), False, 3)
    assert (setup.dropouts.removed_after, setup.dropouts.end_group_at, setup.rounds) == (5, 4, 2)


def test_only_database_number_of_groups_and_contact_may_change(tmp_path: Path) -> None:
    first = study_of(tmp_path).study_hash
    assert re.fullmatch("[0-9a-f]{64}", first)
    same = study_of(tmp_path, database="elsewhere.sqlite", groups=9, texts__contact="another")
    assert same.study_hash == first and "database" not in same.as_data()
    others = [
        study_of(tmp_path, seed=1),
        study_of(tmp_path, pay={"show_up": "1"}),
        study_of(tmp_path, mechanisms=["libertarian", "strict_egalitarian"]),
        study_of(tmp_path, time={"decide_s": 31}),
    ]
    file = written(tmp_path)
    (tmp_path / "consent.md").write_text("Please agree.")
    others.append(read_study(file))
    assert len({first, *(each.study_hash for each in others)}) == 6


def test_a_learned_mechanism_lies_beside_the_study_and_is_known_by_its_weights(tmp_path: Path) -> None:
    game = make_game("public_investment", **{key: each for key, each in LEAST["game"].items() if key != "name"})
    first, other = (make_policy(game, "mechanism", "graph_network", n_units=4, seed=seed) for seed in (0, 1))
    for name, policy in (("learned", first), ("moved", first), ("other", other)):
        save_policy(tmp_path / name, policy)
    study = study_of(tmp_path, mechanisms=["learned", "./moved", str(tmp_path / "other")])
    digests = study.digests
    assert list(digests) == ["learned", "./moved", str(tmp_path / "other")]
    assert digests["learned"] == digests["./moved"] != digests[str(tmp_path / "other")]
    before = study_of(tmp_path, mechanisms=["learned"]).study_hash
    save_policy(tmp_path / "learned", other)
    assert study_of(tmp_path, mechanisms=["learned"]).study_hash != before
    practised = {"practice": {"mechanism": "learned"}}
    before = study_of(tmp_path, **practised).study_hash
    save_policy(tmp_path / "learned", first)
    assert study_of(tmp_path, **practised).study_hash != before, "what people practise with may not change either"


def test_a_database_of_another_study_is_refused_by_what_differs(tmp_path: Path) -> None:
    first, second = study_of(tmp_path), study_of(tmp_path, time={"decide_s": 20}, groups=9)

    def opened(study: Study) -> Store:
        assert isinstance(study.database, Path)
        return Store(study.database, study.as_data(), study.config.seed, study.study_hash)

    opened(first).close()
    opened(study_of(tmp_path, groups=9)).close()
    with pytest.raises(StoreError, match=r"was begun with groups=4, time.decide_s=30.0, allowed: the same, or another"):
        opened(second)


BAD = {
    "'.*study.yaml' is not a mapping of game, mechanisms, people": {"text": "[1, 2]"},
    "is not YAML": {"text": "a: b: c"},
    "people is 5, allowed: up to 4": {"people": 5},
    "others is missing: people have 3 of 4 seats": {"people": 3},
    "people is 0": {"people": 0},
    "mechanisms.0: unknown .* 'libertarin': did you mean 'libertarian'": {"mechanisms": ["libertarin"]},
    "mechanisms.1: unknown mechanism .*no_run/here.* there is no such folder": {
        "mechanisms": ["random", "no_run/here"]
    },
    "mechanisms.0: .*pigou": {"mechanisms": ["pigou"]},
    "mechanisms have 'random' twice": {"mechanisms": ["random", "random"]},
    "mechanisms is empty": {"mechanisms": []},
    "autoplay: .*truthful": {"autoplay": "truthful"},
    "autoplay is missing": {"autoplay": None, "drop": "autoplay"},
    "practice.mechanism: unknown .* 'nothing'": {"practice": {"mechanism": "nothing"}},
    "game.n_rounds is 0": {"game__n_rounds": 0},
    "election-v0 has no participants, so that people cannot play it": {"game": {"name": "election"}},
    "unknown key 'autoplays': did you mean 'autoplay'": {"autoplays": "random"},
    "unknown key 'time.decide'": {"time": {"decide": 3}},
    "time.decide_s is -1": {"time": {"decide_s": -1}},
    "time.vote_s is inf": {"time": {"vote_s": float("inf")}},
    "time.ready_s is 46, allowed: up to time.present_s, 45": {"time": {"ready_s": 46}},
    "time.leave_after_min is 13": {"time": {"leave_after_min": 13}},
    "dropout.gone_after is 0": {"dropout": {"gone_after": 0}},
    "pay.cap is '-1': allowed: an amount": {"pay": {"cap": "-1"}},
    "pay.per_point is 0.01: allowed: an amount .* in quotes": {"pay": {"per_point": 0.01}},
    "pay.show_up is 'NaN'": {"pay": {"show_up": "NaN"}},
    "pay.currency is 'pounds'": {"pay": {"currency": "pounds"}},
    "texts.consent is .*none.md', which cannot be read: No such file": {"texts__consent": "none.md"},
    "texts.consent is .*, which cannot be read: it is a directory": {"texts__consent": "."},
    "texts.language is 'fr'": {"texts__language": "fr"},
    "texts.contact is ''": {"texts__contact": ""},
    "access is 'prolific', but prolific is missing": {"access": "prolific"},
    "prolific.codes.full is missing": {
        "access": "prolific",
        "prolific": {"codes": dict.fromkeys(set(ENDS) - {"full"}, "C")},
    },
    "prolific.study_id is 'mine'": {"prolific": {"study_id": "mine", "codes": dict.fromkeys(ENDS, "C")}},
    "texts.questions.1.key is 'a', allowed: another": {
        "texts__questions": [{"key": "a", "text": "A?"}, {"key": "a", "text": "B?"}]
    },
    "texts.questions.0.scale is .7, 1.": {"texts__questions": [{"key": "a", "text": "A?", "scale": [7, 1]}]},
    "texts.questions.0.instructed is 8, allowed: 1, 2, 3": {
        "texts__questions": [{"key": "a", "text": "A?", "scale": [1, 3], "instructed": 8}]
    },
    "texts.questions.0.instructed is '2', allowed: 1, 2, 3": {
        "texts__questions": [{"key": "a", "text": "A?", "scale": [1, 3], "instructed": "2"}]
    },
    "texts.questions.0.instructed is 'no', allowed: 'Yes', 'No'": {
        "texts__questions": [{"key": "a", "text": "A?", "choices": ["Yes", "No"], "instructed": "no"}]
    },
    "texts.questions.0.instructed is 'x', allowed in a question with scale or choices": {
        "texts__questions": [{"key": "a", "text": "A?", "instructed": "x"}]
    },
    "texts.questions.1.instructed is the second, allowed: one of all questions": {
        "texts__questions": [{"key": key, "text": "A?", "scale": [1, 3], "instructed": 2} for key in "ab"]
    },
    "texts.questions.0.instructed": {
        "texts__questions": [{"key": "a", "text": "A?", "scale": [1, 3], "instructed": True}]
    },
    "texts.questions.0.key is 'quiz.1'": {"texts__questions": [{"key": "quiz.1", "text": "A?"}]},
}


@pytest.mark.parametrize("told", BAD)
def test_bad_input_is_one_line(tmp_path: Path, told: str) -> None:
    changes = dict(BAD[told])
    dropped = changes.pop("drop", None)
    text = changes.pop("text", None)
    file = written(tmp_path, **changes)
    if text is not None:
        file.write_text(text)
    if dropped is not None:
        file.write_text(
            yaml.safe_dump({key: each for key, each in yaml.safe_load(file.read_text()).items() if key != dropped})
        )
    with pytest.raises(LawgiverError, match=told) as caught:
        read_study(file)
    assert "\n" not in str(caught.value)


def test_texts_have_five_constructs_and_show_the_rest_as_it_is() -> None:
    text = (
        "# A\n\n*b* **c** [d](https://e.f/?g=1&h=2)\n\n- i\n\n1. j\n\n<script>k</script> ![l](https://m.n) `o`\n\n> p"
    )
    assert to_html(text, "texts.consent") == (
        "<h2>A</h2>\n"
        '<p><em>b</em> <strong>c</strong> <a href="https://e.f/?g=1&amp;h=2">d</a></p>\n'
        "<ul>\n<li>i</li>\n</ul>\n<ol>\n<li>j</li>\n</ol>\n"
        '<p>&lt;script&gt;k&lt;/script&gt; !<a href="https://m.n">l</a> `o`</p>\n'
        "<p>&gt; p</p>\n"
    )
    for address in (
        "http://a.b",
        "javascript:alert(1)",
        "JAVASCRIPT:x",
        "/p/x",
        "data:text/html,x",
        "//a.b",
        "mailto:a@b",
    ):
        with pytest.raises(ParameterError, match=r"texts.consent has a link to .*, allowed: https://"):
            to_html(f"[a]({address})", "texts.consent")


def test_the_command_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    runner = CliRunner()
    made = runner.invoke(app, ["experiment", "new", str(tmp_path / "study.yaml")])
    assert made.exit_code == 0 and made.output.count("written: ") == 3
    again = runner.invoke(app, ["experiment", "new", str(tmp_path / "study.yaml")])
    assert isinstance(again.exception, ParameterError)
    checked = runner.invoke(app, ["experiment", "check", str(tmp_path / "study.yaml")])
    assert checked.exit_code == 0 and "40 groups of 4 people" in checked.output
    assert re.search(r"worst case +1,680.00 +10.50\n", checked.output), "160 times 2.50 and 8.00"
    assert checked.output.count("warning: ") == 2
    missing = runner.invoke(app, ["experiment", "check", str(tmp_path / "none.yaml")])
    assert isinstance(missing.exception, ParameterError)


def test_cost_and_length_by_hand(tmp_path: Path) -> None:
    # Nobody puts anything in: (10, 4, 4, 4) coins in each of 3 x 2 rounds, 60 and three times 24 points.
    study = study_of(
        tmp_path,
        game={"name": "public_investment", "endowments": [[10, 4, 4, 4]], "n_rounds": 2},
        autoplay="free_rider",
        groups=3,
        pay={"show_up": "1.00", "per_point": "0.01", "cap": "0.50", "waiting_per_min": "0.10"},
        time={"decide_s": 20, "first_s": 60, "vote_s": 40, "leave_after_min": 6, "wait_min": 12},
        texts__questions=[{"key": "a", "text": "A?", "scale": [1, 7]}],
    )
    found = forecast(study)
    assert [found.mean, found.low, found.high] == pytest.approx([3 * (1.50 + 3 * 1.24)] * 3)  # 60 points are capped
    assert found.worst == Decimal("18.00") and (found.paid, found.points) == (1.24, 24.0)  # 12 x 1.50
    stages = {stage.name: (stage.expected, stage.longest) for stage in found.stages}
    assert stages["games"] == (3.0, 6.0), "six rounds of 60 s, half of which are used"
    assert stages["vote"] == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert stages["waiting for a group"] == (3.0, 12.5) and stages["questions"] == (0.25, None)
    assert found.wage == pytest.approx(60 * 1.24 / found.minutes)
    # One person, in each of the four seats equally often.
    one = forecast(replace_in(study, people=1, groups=8), 1)
    assert one.mean == pytest.approx(2 * (1.50 + 3 * 1.24)) and one.worst == Decimal("12.00")
    assert forecast(replace_in(study, pay={"per_point": "0.01"})).worst is None


def test_a_forecast_plays_as_groups_do(tmp_path: Path) -> None:
    game = {"name": "public_investment", "endowments": [[10, 4, 4, 4]], "n_rounds": 5}
    study = study_of(tmp_path, game=game, autoplay="conditional_cooperators", third_game=False)
    setup = study.setup(0, "10-4-4-4", study.orders[0], (0, 1, 2, 3))
    earned, rounds = _points(setup, 3, np.random.default_rng(0))
    group = play_through(study)
    assert group.stage == "ended" and rounds == sum(len(game.rounds) for game in group.games) == 10
    assert np.allclose(earned, np.sum([game.points for game in group.games], axis=0)[None])


def test_third_games_are_those_that_more_people_have_earned_more_in() -> None:
    earned = np.array([[[5, 5, 5, 0], [1, 1, 1, 9]], [[4, 4, 4, 90], [2, 2, 2, 0]]], float)  # games, groups, people
    for seed in range(5):
        assert _winner(earned, np.random.default_rng(seed)).tolist() == [0, 1]
    tied = np.tile(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]), (1, 400, 1))
    won = _winner(tied, np.random.default_rng(0))
    assert 140 <= won.sum() <= 260, "of 400 ties, within six standard errors"


@pytest.mark.parametrize(
    ("game", "mechanisms", "people", "autoplay"),
    [
        ({"name": "matrix"}, [], 2, "random"),
        ({"name": "taxed_dilemma"}, ["libertarian"], 2, "random"),
        ({"name": "voting"}, ["borda", "plurality"], 2, "truthful"),
    ],
)
def test_any_game_has_a_forecast(
    tmp_path: Path, game: dict[str, Any], mechanisms: list[str], people: int, autoplay: str
) -> None:
    study = study_of(
        tmp_path,
        game=game,
        mechanisms=mechanisms,
        people=people,
        autoplay=autoplay,
        others="random",
        practice={"rounds": 0},
    )
    assert play_through(study).stage == "ended"
    found = forecast(study)
    assert found.paid == 0 and np.isfinite(found.points) and found.minutes > 0


def test_warnings(tmp_path: Path) -> None:
    study = study_of(
        tmp_path,
        autoplay="free_rider",
        pay={"show_up": "0.10", "minimum_wage": "9.00"},
        texts__contact="PLACEHOLDER",
        texts__questions=[{"key": "why", "text": "Why?"}, {"key": "who", "text": "Who?", "choices": ["I", "you"]}],
    )
    found = forecast(study)
    told = list(warnings(study, found))
    assert len(told) == 3
    assert told[0] == f"the median person is paid {found.wage:.2f} an hour, below pay.minimum_wage, 9.00"
    assert told[1].startswith("question 'why' takes any text") and told[2].endswith("alone: texts.contact")
    fair = replace_in(study, pay={"show_up": "50.00", "minimum_wage": "9.00"})
    assert not any("wage" in line for line in warnings(fair, forecast(fair)))


def replace_in(study: Study, **changes: Any) -> Study:
    """Read a study again with changes of whole sections."""
    data = yaml.safe_load(study.path.read_text()) | changes
    data.setdefault("others", data["autoplay"])
    file = study.path.with_name("changed.yaml")
    file.write_text(yaml.safe_dump(data))
    return read_study(file)
