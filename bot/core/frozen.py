"""Freezes that people typed: values, and the small file that holds them.

The file stands alone on a branch that only the bot writes. Times are ISO text in the file, and aware here.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Self

BRANCH = "canary/freezes"
FILE = "freezes.json"
EVERYTHING = "all"
VERSION = 1
LARGEST = 1_000_000  # bytes; a hundred freezes have 40 kB
_MOST_SEEN = 20
_COMMENT = re.compile(r"(comment|review)/([0-9]{1,18})", re.ASCII)


def is_same(scope: str, other: str) -> bool:
    """Whether two scopes are of one service, by what stands behind the path: a file may be moved."""
    return scope.rpartition("#")[2] == other.rpartition("#")[2]


@dataclass(frozen=True, slots=True)
class Typed:
    """A freeze that somebody typed, or that the bot itself has put.

    ``scope`` is ``all`` or a service's key, ``path#namespace/name``. ``by`` is a login, empty for the bot. ``to`` is
    ``comment/<id>`` or ``review/<id>`` on ``pull``, of the bot's own a name that follows from the cause. ``since`` and
    ``until`` are ISO times; no ``until`` is until somebody lifts it. ``reason`` is untrusted where ``by`` says who
    gave it.
    """

    scope: str
    by: str
    to: str
    pull: int
    since: str
    until: str = ""
    reason: str = ""

    @property
    def ends(self) -> datetime | None:
        """When it is over by itself."""
        return datetime.fromisoformat(self.until) if self.until else None

    @property
    def comment(self) -> int:
        """The id of the comment or the review, 0 where there is none."""
        found = _COMMENT.fullmatch(self.to)
        return int(found[2]) if found else 0

    def holds(self, now: datetime) -> bool:
        """Whether it is not over yet."""
        return self.ends is None or now < self.ends

    def holds_for(self, key: str) -> bool:
        """Whether it is about a service."""
        return self.scope == EVERYTHING or is_same(self.scope, key)


@dataclass(frozen=True, slots=True)
class State:
    """All freezes that were typed and not lifted, and the last commands that changed them."""

    freezes: tuple[Typed, ...] = ()
    seen: tuple[str, ...] = ()

    def active(self, key: str, now: datetime) -> tuple[Typed, ...]:
        """Give what freezes a service now, those of the whole repository first."""
        found = [one for one in self.freezes if one.holds(now) and one.holds_for(key)]
        return tuple(sorted(found, key=lambda one: (one.scope != EVERYTHING, one.since, one.to)))

    def put(self, one: Typed, now: datetime) -> Self:
        """Add a freeze; it replaces an earlier one of the same person on the same scope."""
        kept = (
            x
            for x in self.freezes
            if x.holds(now) and x.to != one.to and not (one.by and (x.scope, x.by) == (one.scope, one.by))
        )
        return replace(self, freezes=(*kept, one)).saw(one.to)

    def lift(self, scope: str, to: str, now: datetime) -> Self:
        """Take away what freezes exactly this scope; ``to`` is the command that asked for it."""
        kept = tuple(x for x in self.freezes if x.holds(now) and not is_same(x.scope, scope))
        return replace(self, freezes=kept).saw(to)

    def saw(self, to: str) -> Self:
        """Remember that a command was worked into the file."""
        return self if to in self.seen else replace(self, seen=(*self.seen[1 - _MOST_SEEN :], to))

    def content(self) -> bytes:
        """Give the file; characters that could be hidden in it are escaped."""
        value = {"version": VERSION, "freezes": [asdict(x) for x in self.freezes], "seen": list(self.seen)}
        return f"{json.dumps(value, indent=2, ensure_ascii=True)}\n".encode()

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Read the file.

        Raises:
            ValueError: It is none that this version writes.
        """
        if len(content) > LARGEST:
            raise ValueError("the file is too large")
        try:
            value = json.loads(content)
            if value["version"] != VERSION:
                raise ValueError("another version")
            freezes = tuple(_typed(one) for one in value["freezes"])
            return cls(freezes, tuple(str(x) for x in value["seen"]))
        except (TypeError, KeyError, RecursionError, UnicodeDecodeError) as error:
            raise ValueError("no freezes") from error


def _typed(value: dict[str, object]) -> Typed:
    if set(value) != {f.name for f in fields(Typed)} or type(value["pull"]) is not int:
        raise ValueError("no freeze")
    if not all(isinstance(text, str) for key, text in value.items() if key != "pull"):
        raise ValueError("no freeze")
    one = Typed(**value)  # type: ignore[arg-type]
    for text in (one.since, *([one.until] if one.until else [])):
        if datetime.fromisoformat(text).tzinfo is None:
            raise ValueError("a time without a zone")
    return one
