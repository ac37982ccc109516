"""Setting one rule aside for one step: two people with the right to, the same words, within half an hour.

Nothing that is stored says that a rule is set aside. What two people wrote does, read again for every look: their
comments as they stand, and what they may do now. A value in a pull request's body only says where to look, because
whoever may write to the repository may edit that body.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from bot.core.conditions import Kind

RULES: Mapping[str, Kind] = {
    "freeze": "freeze",
    "bake": "bake",
    "gates": "gate",
    "steps": "order",
    "approvals": "approvals",
}
"""What can be typed behind ``--override``, and the kind of condition that it sets aside."""

WITHIN = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Spoken:
    """One ``/promote --override`` as it stands in a comment, by somebody who has the right to.

    ``id`` is the account's; ``to`` is ``comment/<id>`` or ``review/<id>`` on ``pull``; ``at`` is when it was written.
    ``weight`` is the step that it is about, whole percent.
    """

    id: int
    by: str
    to: str
    pull: int
    at: datetime
    weight: int
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people who set a rule aside; ``first`` wrote before ``second``."""

    rule: str
    first: Spoken
    second: Spoken

    def __str__(self) -> str:
        """Give the value of the trailer ``Canary-Override``."""
        return f"{self.rule} by {self.first.by} and {self.second.by}"


def pairs(said: Iterable[Spoken], weight: int, asked_by: Collection[str]) -> Mapping[str, Pair]:
    """Give, for each rule that is set aside for the step to ``weight``, the first two people who agreed.

    Args:
        said: In any order.
        weight: The step's, whole percent.
        asked_by: The logins of who asked for the step: theirs is no second word.
    """
    about = sorted((s for s in said if s.weight == weight), key=lambda s: (s.at, s.to))
    askers = {login.casefold() for login in asked_by}
    found: dict[str, Pair] = {}
    for i, second in enumerate(about):
        if second.by.casefold() in askers:
            continue
        for rule in second.rules:
            first = next((s for s in about[:i] if rule in s.rules and _agree(s, second)), None)
            if first is not None:
                found.setdefault(rule, Pair(rule, first, second))
    return found


def _agree(first: Spoken, second: Spoken) -> bool:
    return first.id != second.id and second.at - first.at <= WITHIN


def open_words(said: Iterable[Spoken], weight: int, rule: str, now: datetime) -> tuple[Spoken, ...]:
    """Give the words on a rule of a step that a second person can still agree with, oldest first."""
    mine = (s for s in said if s.weight == weight and rule in s.rules and now - s.at <= WITHIN)
    return tuple(sorted(mine, key=lambda s: (s.at, s.to)))
