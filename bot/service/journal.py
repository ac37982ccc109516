"""What a look may do and did, told to whoever runs it: the summary of an Action's job, or nobody."""

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


@dataclass(frozen=True, slots=True)
class Authorised:
    """Something that writes was allowed; told before it is begun.

    ``service`` is its key, empty where it is about none. ``by`` is who asked for it, with the id of the account, or
    ``rules`` with 0 for what happens by itself. ``needed`` is what that took, in Markdown, and ``origin`` where it is
    said: ``file:line``, or ``built in``.
    """

    verb: str
    service: str
    by: str
    by_id: int
    needed: str
    origin: str


Entry = Authorised | Answered | Followed | Stuck


class Journal(Protocol):
    """Hears of each thing once it is done, and of what is allowed before that is begun."""

    def __call__(self, entry: Entry, /) -> None:
        """Take note."""
        ...


def unread(_: Entry, /) -> None:
    """Take no note: the log has it."""
