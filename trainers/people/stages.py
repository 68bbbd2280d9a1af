"""The stages before and after the games: their questions, and what comes of the answers.

A person's way is ``consent``, ``instructions``, ``quiz``, ``practice``, ``waiting``, ``ready``, ``play``,
``questions`` and ``end``. Whoever does not say that they are ready is ``asleep`` until they are back. Stages in which
there is nothing to do are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lawgiver.envs.core.wording import Wording
from lawgiver.envs.views.screen import FormError, Option
from lawgiver.trainers.people.person import Asked
from lawgiver.trainers.people.settings import QuestionSettings
from lawgiver.trainers.people.study import Study

BEFORE = ("consent", "instructions", "quiz", "practice")
"""The stages before the waiting room."""
CONSENT = "consent"
"""The key of the answer to the first question: 1 to take part, 0 not to."""
LONGEST_ANSWER = 1_000
"""Characters of an answer that is a text."""


def stage_after(study: Study, stage: str) -> str:
    """Find the stage that follows one of ``BEFORE``."""
    skipped = {"quiz": not study.wording.quiz, "practice": study.config.practice.rounds == 0}
    left = [each for each in BEFORE[BEFORE.index(stage) + 1 :] if not skipped.get(each)]
    return left[0] if left else "waiting"


def consent_asked(labels: tuple[str, str]) -> tuple[Asked, ...]:
    """Make the question of the consent; the labels are those of taking part, and of not doing so."""
    return (Asked(CONSENT, "", (Option(1, labels[0]), Option(0, labels[1]))),)


def quiz_key(place: int) -> str:
    """Return the key of a question of the quiz by its place."""
    return f"quiz.{place}"


def quiz_asked(wording: Wording, answers: Mapping[str, int]) -> tuple[Asked, ...]:
    """Make the questions of the quiz that have not been answered, or not rightly, with what explains the right answer.

    Args:
        wording: of the game.
        answers: given so far, by key.
    """
    found = []
    for place, question in enumerate(wording.quiz):
        key = quiz_key(place)
        if answers.get(key) != question.right:
            options = tuple(Option(number, text) for number, text in enumerate(question.options))
            found.append(Asked(key, question.text, options, question.because if key in answers else ""))
    return tuple(found)


def questions_asked(questions: Sequence[QuestionSettings]) -> tuple[Asked, ...]:
    """Make the questions at the end."""
    return tuple(Asked(each.key, each.text, _options(each)) for each in questions)


def _options(question: QuestionSettings) -> tuple[Option, ...]:
    if question.scale is not None:
        low, high = question.scale
        return tuple(Option(value, str(value)) for value in range(low, high + 1))
    return tuple(Option(number, text) for number, text in enumerate(question.choices or ()))


def read_answers(asked: Sequence[Asked], sent: Mapping[str, str]) -> dict[str, str]:
    """Read the answers to all questions of a page; a text may be empty.

    Raises:
        FormError: naming the first question that is not answered by one of its options, or by a text that is too long.
    """
    return {each.key: _answer(each, sent.get(each.key, "")) for each in asked}


def _answer(asked: Asked, value: str) -> str:
    if asked.options and value not in [str(option.value) for option in asked.options]:
        told = ", ".join(str(option.value) for option in asked.options)
        raise FormError(asked.key, "choice" if value else "missing", f"{asked.key}: allowed are {told}", None)
    if len(value) > LONGEST_ANSWER:
        raise FormError(asked.key, "range", f"{asked.key} is longer than {LONGEST_ANSWER} characters", None)
    return value
