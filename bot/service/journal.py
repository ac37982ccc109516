"""What a look did, told to whoever runs it: the summary of an Action's job, or nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bot.core.outcome import Outcome
    from bot.service.converge import Progress
    from bot.service.reading import Service


@dataclass(frozen=True, slots=True)
class Answered:
    """A comment was answered. ``comment`` is its name in markers, ``comment/<id>``."""

    pull: int
    comment: str
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Followed:
    """A service was looked at, and what was missing was carried out."""

    service: Service
    progress: Progress


@dataclass(frozen=True, slots=True)
class Stuck:
    """GitHub refuses what a look would do. ``what`` is the subject's, ``said`` GitHub's own words, untrusted."""

    what: str
    said: str


Entry = Answered | Followed | Stuck


class Journal(Protocol):
    """Hears of each thing once it is done."""

    def __call__(self, entry: Entry, /) -> None:
        """Take note."""
        ...


def unread(_: Entry, /) -> None:
    """Take no note: the log has it."""
