"""The tables of a study's database."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Integer, MetaData, String, Table, Text

SCHEMA = 2
"""Version of the tables; a file of another version is refused."""

NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""Type of a primary key that counts; SQLite counts no other."""
TABLES = MetaData()
STUDY = Table(
    "study",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("schema", Integer, nullable=False),
    Column("config", Text, nullable=False),
    Column("study_hash", String(64), nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("version", String(32), nullable=False),
    Column("created", Float, nullable=False),
    Column("intake", String(8), nullable=False, server_default="open"),
)
"""One row: what is played; ``intake`` is ``open``, ``paused`` or ``closed``."""
GRP = Table(
    "grp",
    TABLES,
    Column("id", NUMBER, primary_key=True),
    Column("seed", BigInteger, nullable=False),
    Column("condition", Text),
    Column("mechanisms", Text, nullable=False),
    Column("digests", Text),
    Column("winner", Integer),
    Column("state", String(16), nullable=False, server_default="play"),
    Column("started", Float, nullable=False),
    Column("ended", Float),
)
"""Groups; ``mechanisms`` is a JSON list of names, in the order of play, ``digests`` one of the SHA-256 of each,
``condition`` that of the opening, null where it is drawn, ``winner`` the episode that won the vote. ``state`` is the
group's stage: ``play``, ``vote``, ``ended`` or ``broken``."""
PERSON = Table(
    "person",
    TABLES,
    Column("id", String(16), primary_key=True),
    Column("secret_hash", String(64), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("group_id", ForeignKey(GRP.c.id)),
    Column("seat", Integer),
    Column("joined", Float, nullable=False),
    Column("ready", Float),
    Column("ended", Float),
    Column("end", String(16)),
    Column("read", Integer, nullable=False, server_default="0"),
    Column("quiz_tries", Integer, nullable=False, server_default="0"),
    Column("waited_s", Float, nullable=False, server_default="0"),
    Column("consent_version", String(64)),
    Column("completion", String(64)),
)
"""People: ``id`` stands in the address of their page, ``secret_hash`` is the SHA-256 of their cookie, ``stage`` where
they are, ``read`` how many of the pages between the games they have read, ``ready`` when they were seated, ``end`` how
they ended, ``completion`` the code that they were told then."""
OUTSIDE = Table(
    "outside",
    TABLES,
    Column("person_id", ForeignKey(PERSON.c.id)),
    Column("kind", String(16), nullable=False),
    Column("outside_id", String(64), primary_key=True),
    Column("study_ref", String(64)),
    Column("session_ref", String(64)),
)
"""The only table that says who somebody is: a Prolific id, or the SHA-256 of a code, which is nobody's at first."""
DECISION = Table(
    "decision",
    TABLES,
    Column("group_id", ForeignKey(GRP.c.id), primary_key=True),
    Column("episode", Integer, primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("role", String(16), primary_key=True),
    Column("seat", Integer, primary_key=True),
    Column("place", Integer, nullable=False),
    Column("action", Text, nullable=False),
    Column("source", String(16), nullable=False),
    Column("shown", Float),
    Column("at", Float, nullable=False),
)
"""Decisions, from which a group is rebuilt: ``place`` is that in its log, ``action`` is JSON, ``shown`` is when
the page was first sent."""
VOTE = Table(
    "vote",
    TABLES,
    Column("group_id", ForeignKey(GRP.c.id), primary_key=True),
    Column("seat", Integer, primary_key=True),
    Column("place", Integer, nullable=False),
    Column("episode", Integer),
    Column("source", String(16), nullable=False),
    Column("shown", Float),
    Column("at", Float, nullable=False),
)
"""Votes for the game ``episode``; null where none was cast."""
ABSENCE = Table(
    "absence",
    TABLES,
    Column("group_id", ForeignKey(GRP.c.id), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("seat", Integer, nullable=False),
    Column("at", Float, nullable=False),
)
"""The rest of a group's log: who came ``back``, or ``left`` for good."""
ANSWER = Table(
    "answer",
    TABLES,
    Column("person_id", ForeignKey(PERSON.c.id), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("at", Float, nullable=False),
)
"""Answers to the quiz and to the questions at the end; the last one to each counts."""
EVENT = Table(
    "event",
    TABLES,
    Column("id", NUMBER, primary_key=True),
    Column("person_id", ForeignKey(PERSON.c.id)),
    Column("group_id", ForeignKey(GRP.c.id)),
    Column("what", String(16), nullable=False),
    Column("at", Float, nullable=False),
)
"""What happened to people besides, without its contents: ``joined``, ``re-entered``, ``waiting``, ``asleep``, ``gone``,
``back`` from either, ``left``, ``broken``, ``withdrawn``."""
