"""Settings of a study with real people, as its YAML file has them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StrictInt, StringConstraints

from lawgiver.envs.core.errors import ParameterError
from lawgiver.trainers.settings.base import Count, GameConfig, Natural, Seed, Settings

PLACEHOLDER = "PLACEHOLDER"
"""What stands in a text or code that the experimenter still has to write."""
SPARE_KEYS = re.compile(r"[a-z][a-z0-9_]{0,59}")
"""Keys of questions at the end; those with a dot are for answers to the quiz."""


def _money(value: Any) -> Any:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", value):
        raise ValueError('allowed: an amount that is not negative, in quotes, such as "2.50"')
    return Decimal(value)


def _code_link(value: str) -> str:
    if not re.fullmatch(r"https://[^\s\"'<>]+", value) or "{code}" not in value:
        raise ValueError("allowed: an address that begins with https:// and has {code} in it")
    return value


Money = Annotated[Decimal, BeforeValidator(_money), PlainSerializer(str)]
"""An amount of the study's currency: decimal digits in quotes, which no float can hold."""
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Minutes = Annotated[float, Field(gt=0, le=1_440, allow_inf_nan=False)]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\n]*$")]
PolicyGiven = str | dict[str, Any]
"""A policy's name, a folder (beside the study, or absolute) of a run or policy, or ``{policy: NAME, **parameters}``."""


class PracticeSettings(Settings):
    """Rounds against programs before the games, unpaid and not recorded."""

    rounds: Count = 2
    mechanism: PolicyGiven = "random"


class QuizSettings(Settings):
    """The quiz about the rules, whose questions are those of the game's words."""

    tries: Natural = 3


class Codes(Settings):
    """Completion codes by how somebody ended; who declines gets none."""

    done: Code
    no_group: Code
    failed_quiz: Code
    left: Code
    full: Code
    broken: Code


class ProlificSettings(Settings):
    """The study on Prolific from which people come, and to which they return."""

    codes: Codes
    study_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{24}$")] | None = None
    """Of the study there; people who come from another are refused. None for any."""
    return_url: Annotated[str, AfterValidator(_code_link)] = "https://app.prolific.com/submissions/complete?cc={code}"


class TimeSettings(Settings):
    """Deadlines, in seconds or minutes."""

    decide_s: Seconds = 30
    first_s: Seconds = 60
    """To decide in each of the first two rounds of a game."""
    vote_s: Seconds = 60
    ready_s: Seconds = 30
    """To confirm that one is there when a group is complete."""
    present_s: Seconds = 45
    """How long after their last sign of life somebody in the waiting room counts as there."""
    wait_min: Minutes = 12
    """Longest wait for a group."""
    leave_after_min: Minutes = 5
    """Wait after which one may leave for the pay of who waited."""
    instructions_min: Minutes = 20
    """Longest time from joining to the waiting room."""


class DropoutSettings(Settings):
    """Rules for people who do not decide in time; see :class:`lawgiver.trainers.people.setup.Dropouts`."""

    gone_after: Natural = 2
    removed_after: Natural = 10
    end_group_at: Natural = 2


class ValidSettings(Settings):
    """When a group's data count."""

    missed_per_person: Count = 0
    """Decisions that each may miss."""
    need_votes: bool = True
    """Whether everybody has to have voted."""


class PaySettings(Settings):
    """Pay of a person, see :mod:`lawgiver.trainers.people.payments`; amounts are decimals in quotes."""

    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "GBP"
    show_up: Money = Decimal(0)
    per_point: Money = Decimal(0)
    cap: Money | None = None
    """Largest bonus; None for none."""
    waiting_per_min: Money = Decimal(0)
    minimum_wage: Money | None = None
    """Of an hour, below which ``lawgiver experiment check`` warns."""


class QuestionSettings(Settings):
    """A question at the end: to be answered on a scale, by one of the choices, or freely if it has neither."""

    key: Annotated[str, StringConstraints(pattern=f"^{SPARE_KEYS.pattern}$")]
    text: Line
    scale: tuple[Annotated[int, Field(ge=-100, le=100)], Annotated[int, Field(ge=-100, le=100)]] | None = None
    """Its lowest and highest number."""
    choices: Annotated[tuple[Line, ...], Field(min_length=2)] | None = None
    instructed: StrictInt | Line | None = None
    """The answer that the text asks for, by which it is seen who reads it: a number of the scale, or a choice."""

    @property
    def free(self) -> bool:
        """Whether any text is an answer."""
        return self.scale is None and self.choices is None

    @property
    def answers(self) -> tuple[int | str, ...]:
        """The answers to choose from, as the settings write them; none if any text is one."""
        if self.scale is not None:
            return tuple(range(self.scale[0], self.scale[1] + 1))
        return self.choices or ()

    @property
    def instructed_value(self) -> str | None:
        """The stored value of the instructed answer; None if none is instructed."""
        if self.instructed is None:
            return None
        return str(self.instructed if self.scale is not None else self.answers.index(self.instructed))


class TextsSettings(Settings):
    """Texts of a study; names of files are beside it, and hold Markdown."""

    consent: str
    """File of what people agree to before anything else."""
    contact: Line
    """Whom people can ask."""
    title: Line = "A study about decisions"
    thanks: str | None = None
    """File of what people read at the end; None for a line of thanks."""
    language: str = "en"
    questions: tuple[QuestionSettings, ...] = ()


class StudyConfig(Settings):
    """A study: what people play, how they come, are paid, and what they read."""

    game: GameConfig
    mechanisms: tuple[PolicyGiven, ...] = ()
    """One is played twice; of several each once, before the vote. None in a game that has none."""
    people: Natural
    """Seats for people; the rest are ``others``."""
    others: PolicyGiven | None = None
    autoplay: PolicyGiven
    """Participants' policy that decides for people who do not, and in the practice."""
    groups: Natural
    """Valid ones that are wanted."""
    order: Literal["counterbalanced", "fixed"] = "counterbalanced"
    third_game: bool = True
    seed: Seed = 0
    database: str = "study.sqlite"
    """A file beside the study, or an address of SQLAlchemy."""
    access: Literal["prolific", "codes", "open"]
    prolific: ProlificSettings | None = None
    intake_per_min: Natural = 60
    practice: PracticeSettings = PracticeSettings()
    quiz: QuizSettings = QuizSettings()
    time: TimeSettings = TimeSettings()
    dropout: DropoutSettings = DropoutSettings()
    valid: ValidSettings = ValidSettings()
    pay: PaySettings = PaySettings()
    texts: TextsSettings


def check_together(config: StudyConfig) -> None:
    """Check settings that depend on each other.

    Raises:
        ParameterError: naming the first that does not fit another.
    """
    time = config.time
    if config.access == "prolific" and config.prolific is None:
        raise ParameterError("access is 'prolific', but prolific is missing, allowed: its codes, or another access")
    if time.ready_s > time.present_s:
        raise ParameterError(f"time.ready_s is {time.ready_s:g}, allowed: up to time.present_s, {time.present_s:g}")
    if time.leave_after_min > time.wait_min:
        least = f"allowed: up to time.wait_min, {time.wait_min:g}"
        raise ParameterError(f"time.leave_after_min is {time.leave_after_min:g}, {least}")
    keys = [question.key for question in config.texts.questions]
    for place, question in enumerate(config.texts.questions):
        where = f"texts.questions.{place}"
        if question.key in keys[:place]:
            raise ParameterError(f"{where}.key is {question.key!r}, allowed: another than those before it")
        if question.scale is not None and question.choices is not None:
            raise ParameterError(f"{where} has scale and choices, allowed: one of them, or none")
        if question.scale is not None and not 0 < question.scale[1] - question.scale[0] <= 20:
            told = "allowed: ascending, 21 numbers at most"
            raise ParameterError(f"{where}.scale is {list(question.scale)}, {told}")
        if question.choices is not None and len(set(question.choices)) < len(question.choices):
            raise ParameterError(f"{where}.choices has one twice, allowed: different ones")
        if question.instructed is not None and question.instructed not in question.answers:
            told = f"{where}.instructed is {question.instructed!r}, allowed"
            answers = ", ".join(map(repr, question.answers))
            raise ParameterError(f"{told}: {answers}" if answers else f"{told} in a question with scale or choices")
    instructed = [place for place, question in enumerate(config.texts.questions) if question.instructed is not None]
    if len(instructed) > 1:
        raise ParameterError(f"texts.questions.{instructed[1]}.instructed is the second, allowed: one of all questions")
