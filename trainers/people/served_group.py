"""A group that is served: its deadline, and what of it has to be stored."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import update

from lawgiver.trainers.people.clock import Deadlines
from lawgiver.trainers.people.group import Group
from lawgiver.trainers.people.ledger import Write
from lawgiver.trainers.people.logs import stored
from lawgiver.trainers.people.settings import ValidSettings
from lawgiver.trainers.people.tables import GRP
from lawgiver.trainers.people.validity import why_not


@dataclass
class ServedGroup:
    """A group that is served.

    Attributes:
        id: its number.
        group: the group.
        condition: of its opening.
        order: of the mechanisms, by their labels.
        deadlines: the deadline of its position.
        rules: of valid groups.
        people: ids of its people.
        kept: how many entries of its log are stored.
        state: the stage that is stored.
        ended: when it ended, in UTC seconds; None before.
        withdrawn: whether somebody has withdrawn after it ended.
        why_not: rules by which its data are left out, ``in_play`` among them as long as it is.
    """

    id: int
    group: Group
    condition: str
    order: tuple[str, ...]
    deadlines: Deadlines
    rules: ValidSettings
    people: tuple[str, ...]
    kept: int = 0
    state: str = "play"
    ended: float | None = None
    withdrawn: bool = False
    why_not: tuple[str, ...] = field(default=("in_play",))

    @property
    def counts(self) -> bool:
        """Whether it is valid, or may become so."""
        return self.why_not in ((), ("in_play",))

    def settle(self, now: float, since: float | None = None) -> list[Write]:
        """Take note of what has happened, and return what is to be stored of it.

        Args:
            now: in UTC seconds.
            since: when the person whose answer made it happen was shown the page.
        """
        group = self.group
        statements = stored(self.id, self.kept, group.log[self.kept :], now, since)
        self.kept = len(group.log)
        if group.stage != self.state:
            self.state = group.stage
            values: dict[str, object] = {"state": group.stage, "winner": group.winner}
            if group.stage in ("ended", "broken"):
                self.ended = values["ended"] = now
            statements.append(update(GRP).where(GRP.c.id == self.id).values(**values))
        self.deadlines.deadline(group.at, len(group.game.rounds), now)
        self.why_not = why_not(group, self.rules, self.withdrawn)
        return statements
