"""Rules by which the data of a group are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lawgiver.trainers.people.group import Group
    from lawgiver.trainers.people.settings import ValidSettings


def why_not(group: Group | None, rules: ValidSettings, withdrawn: bool = False) -> tuple[str, ...]:
    """List the rules by which a group's data are left out; none if it is valid.

    Args:
        group: the group; None for one that could not be played again.
        rules: of the study.
        withdrawn: whether somebody has withdrawn after it ended.

    Returns:
        ``broken``: what it played cannot be played again. ``in_play``: it has not ended. ``withdrawn``: somebody left
        for good. ``dropout.end_group_at``: it ended early. ``valid.missed_per_person``: a program decided more often
        than that for somebody, in all games. ``valid.need_votes``: somebody did not vote.
    """
    if group is None or group.stage == "broken":
        return ("broken",)
    people = group.people.values()
    kept = group.setup.votes and rules.need_votes
    found = {
        "in_play": group.stage != "ended",
        "withdrawn": withdrawn or any(person.withdrew for person in people),
        "dropout.end_group_at": group.cut_short,
        "valid.missed_per_person": any(person.replaced > rules.missed_per_person for person in people),
        "valid.need_votes": kept and group.stage == "ended" and None in map(group.votes.get, group.people),
    }
    return tuple(rule for rule, broken in found.items() if broken)
