"""The written words for people: their numbers are those of the rules, and they do not say how one ought to play."""

from __future__ import annotations

import re

import numpy as np
import pytest

from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.registry import GAMES, names
from lawgiver.envs.core.wording import among_numbers, default_wording, wording_fault
from lawgiver.envs.public_investment.wording import example
from lawgiver.envs.testing.people import check_people

SETTINGS = [
    ("public_investment", {}),
    ("public_investment", {"endowments": (1, 1), "multiplier": 1.0, "n_rounds": 1}),
    ("public_investment", {"endowments": (30, 7, 7), "multiplier": 2.5}),
    ("public_investment", {"mechanism_mode": "announce", "participant_observation": "rule"}),
    ("taxed_dilemma", {}),
    ("taxed_dilemma", {"mechanism_mode": "allocate", "continuation": 0.75}),
    ("selfish_routing", {}),
    ("selfish_routing", {"network": "pigou", "n": 4}),
]
LOADED = re.compile(
    r"\b(fair|tax|share|toll|contribut|cooperat|defect|dilemma|mechanism|invest|egalitarian|libertarian|gerecht|steuer"
    r"|anteil|beitrag|beiträg|mechanismus)",
    re.IGNORECASE,
)


def texts(words):
    """Return everything that people read."""
    quiz = [text for one in words.quiz for text in (one.text, *one.options, one.because)]
    return [words.title, *words.story, words.act, words.unit, words.echo, *words.labels.values(), *words.choices, *quiz]


@pytest.mark.parametrize(("name", "params"), SETTINGS)
def test_written_words_fit_their_game_and_prime_nobody(name, params):
    game = make_game(name, **params)
    check_people(game)
    for language in game.languages:
        words = game.wording(language)
        assert words != default_wording(game)
        assert [text for text in texts(words) if LOADED.search(text)] == []
        assert 2 <= len(words.quiz) <= 5


def test_games_that_speak_are_these():
    speaking = {name for name in names(GAMES) if name != "election-v0" and _written(name)}
    assert speaking == {"public_investment-v0", "taxed_dilemma-v0", "selfish_routing-v0"}


def _written(name):
    game = make_game(name)
    return game.wording() != default_wording(game)


@pytest.mark.parametrize("params", [{}, {"endowments": (30, 7, 7), "multiplier": 2.5}])
def test_the_example_of_public_investment_is_a_round_of_the_game(params):
    game = make_game("public_investment", n_rounds=1, **params)
    told = example(game)
    state = game.initial_state_from(np.array([game.conditions[0]], float))
    state, *_ = game.step(state, np.array([[endowment // 2 + 1 for endowment in game.conditions[0]]]), {})
    state, rewards, *_ = game.advance(state, np.full((1, game.n), 1 / game.n), {})
    assert state.contributions.sum() == told.total
    assert state.payouts[0].tolist() == pytest.approx([told.back] * game.n)
    assert rewards["participant"][0, 0] == pytest.approx(told.earned)
    assert state.payouts.sum() == pytest.approx(told.fund)
    keep, paid, _, rounds = game.wording().quiz
    assert keep.options[keep.right] == f"{told.own - told.given:g}"
    assert paid.options[paid.right] == f"{told.fund:g}" and rounds.options[rounds.right] == "1"


def test_languages_say_the_same():
    game = make_game("public_investment")
    english, german = game.wording("en"), game.wording("de")
    assert (english.hidden, english.past, english.choices) == (german.hidden, german.past, german.choices)
    assert english.labels.keys() == german.labels.keys()
    for one, other in zip(english.quiz, german.quiz, strict=True):
        assert one.right == other.right
    numbers = [re.findall(r"\d+(?:[.,]\d+)?", " ".join(words.story)) for words in (english, german)]
    assert sorted(numbers[0]) == sorted(number.replace(",", ".") for number in numbers[1])


def test_what_choices_of_the_dilemma_bring_is_what_the_game_pays():
    game = make_game("taxed_dilemma", continuation=0.0)
    state, *_ = game.step(game.initial_state(1, np.random.default_rng(0)), np.array([[[1.0]]]), {})
    _, rewards, *_ = game.step(state, np.array([[0, 1]]), game.draw(1, np.random.default_rng(0)))
    free, everything, last = game.wording().quiz
    assert everything.options[everything.right] == f"{rewards['participant'][0, 0]:g}" == "2.5"
    assert free.options[free.right] == "5" and last.options[last.right] == "No."
    assert "If both choose Y, each has 3 points. If both choose X, each has 1." in " ".join(game.wording().story)


def test_what_roads_cost_is_what_travellers_pay():
    game = make_game("selfish_routing", n=4)
    story = " ".join(game.wording().story)
    assert "s-v: 0.25 for one person alone, 1 if all 4 of you take it. v-t: 1." in story
    state, *_ = game.step(game.initial_state(1, np.random.default_rng(0)), np.zeros((1, 1, 5)), {})
    for ways, costs in (([0, 0, 0, 0], [2, 2, 2, 2]), ([0, 2, 2, 2], [1.25, 1.75, 1.75, 1.75])):
        _, rewards, *_ = game.step(state, np.array([ways]), {})
        assert rewards["participant"][0].tolist() == [-cost for cost in costs]
    assert game.wording().choices[1] == "s-v-w-t"
    pairs = {
        "edges": [["a", "t", [0, 1]], ["a", "b", [0.2]], ["b", "t", [0.5]]],
        "demands": [["a", "t", 1], ["b", "t", 1]],
    }
    assert make_game("selfish_routing", network=pairs).wording().choices == ("a-t or b-t", "a-b-t")


def test_numbers_of_a_quiz_differ():
    write = "{:g}".format
    question = among_numbers("?", 4, (6, 4.0, 10, 6), "so", write)
    assert (question.options, question.right) == (("4", "6", "10"), 0)
    question = among_numbers("?", 4, (4.0000001,), "so", write)
    assert (question.options, question.right) == (("4", "5"), 0)


def test_a_wording_is_checked_against_the_game_that_it_is_for():
    game, other = make_game("public_investment"), make_game("taxed_dilemma")
    assert wording_fault(game, game.wording()) is None
    assert wording_fault(other, game.wording()) == "hidden has 'own_endowment': allowed: cooperated, rule_tax"
