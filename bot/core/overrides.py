"""Setting one rule aside for one step: two people with the right to, the same words, within half an hour.

Nothing that is stored says that a rule is set aside. What two people wrote does, read again for every look: their
comments as they stand, and what they may do now. A value in a pull request's body only says where to look, because
whoever may write to the repository may edit that body.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from bot.core.conditions import Condition, Kind

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
    ``weight`` is the step that it is about, whole percent. ``about`` are the marks of what held the step when the bot
    read it.
    """

    id: int
    by: str
    to: str
    pull: int
    at: datetime
    weight: int
    rules: tuple[str, ...]
    about: tuple[str, ...] = ()


def mark(subject: str) -> str:
    """Give a short name for what holds a step, of the same length for all."""
    return hashlib.sha256(subject.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people who set a rule aside; ``first`` wrote before ``second``."""

    rule: str
    first: Spoken
    second: Spoken

    def __str__(self) -> str:
        """Give the value of the trailer ``Canary-Override``."""
        return f"{self.rule} by {self.first.by} and {self.second.by}"

    def covers(self, condition: Condition) -> bool:
        """Whether both people spoke of all that stands behind a condition: what came later, they did not mean."""
        if condition.begun is not None and self.first.at < condition.begun:
            return False
        known = set(self.first.about) & set(self.second.about)
        # Who sets aside a gate that failed means it also where it has no answer, and not the other way round.
        return all({mark(s), mark(f"{s}{FAILED}")} & known for s in condition.subjects)


FAILED = " failed"
"""What stands behind the name of a gate that said no."""


def covering(found: Iterable[Pair], condition: Condition) -> Pair | None:
    """Give the first two people who set aside all that stands behind a condition now."""
    return next((pair for pair in found if pair.covers(condition)), None)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asked for a step: an account by its id, or by its login where the id is not known and 0."""

    id: int
    by: str

    def said(self, one: Spoken) -> bool:
        """Whether a word is of this account: a login that has gone over to somebody else does not matter."""
        return one.id == self.id if self.id else one.by.casefold() == self.by.casefold()


def pairs(said: Iterable[Spoken], weight: int, asked_by: Collection[Asker]) -> Mapping[str, tuple[Pair, ...]]:
    """Give, for each rule, all pairs of people who agreed to set it aside for the step to ``weight``, the first first.

    Args:
        said: In any order.
        weight: The step's, whole percent.
        asked_by: Who asked for the step: theirs is no second word.
    """
    about = sorted((s for s in said if s.weight == weight), key=lambda s: (s.at, s.to))
    found: dict[str, tuple[Pair, ...]] = {}
    for i, second in enumerate(about):
        if any(asker.said(second) for asker in asked_by):
            continue
        for rule in second.rules:
            agreed = (s for s in about[:i] if rule in s.rules and _agree(s, second))
            more = tuple(Pair(rule, first, second) for first in agreed)
            if more:
                found[rule] = (*found.get(rule, ()), *more)
    return found


def _agree(first: Spoken, second: Spoken) -> bool:
    return first.id != second.id and second.at - first.at <= WITHIN


def open_words(said: Iterable[Spoken], weight: int, rule: str, now: datetime) -> tuple[Spoken, ...]:
    """Give the words on a rule of a step that a second person can still agree with, oldest first."""
    mine = (s for s in said if s.weight == weight and rule in s.rules and now - s.at <= WITHIN)
    return tuple(sorted(mine, key=lambda s: (s.at, s.to)))
