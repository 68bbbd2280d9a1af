"""Studies with real people: what their files may say, and what is made of them."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from lawgiver.envs.core.errors import LawgiverError, ParameterError
from lawgiver.trainers.cli import app
from lawgiver.trainers.people.group import Group
from lawgiver.trainers.people.new import write_new
from lawgiver.trainers.people.study import Study, read_study
from lawgiver.trainers.people.texts import to_html

ENDS = ("done", "no_group", "failed_quiz", "left", "full", "broken")
LEAST = {
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


BAD = {
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
    "texts.questions.0.key is 'quiz.1'": {"texts__questions": [{"key": "quiz.1", "text": "A?"}]},
}


@pytest.mark.parametrize("told", BAD)
def test_bad_input_is_one_line(tmp_path: Path, told: str) -> None:
    changes = dict(BAD[told])
    dropped = changes.pop("drop", None)
    file = written(tmp_path, **changes)
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
