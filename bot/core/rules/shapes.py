"""Shapes of values: each reads a node, telling all its problems, and describes itself as JSON Schema.

One description is both the check and the published schema, so that an editor and the bot agree.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

from pytimeparse2 import parse as parse_duration

from bot.core.rules.nodes import resolved
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from bot.core.problems import Place
    from bot.core.rules.nodes import Faults, Node

LONGEST_TEXT = 2000
_COMPARED = 60  # characters of a word that is looked for among others
_LONGEST_DURATION = timedelta(days=92)


class _Broken:
    """What a shape gives for a value that has a problem."""


BROKEN: Final = _Broken()


@dataclass(slots=True)
class Reading:
    """One file on its way.

    ``origins`` collects the place of each key, by its path; ``broken`` the paths of those without a good value.
    ``for_service`` refuses the keys that the service does not follow yet. ``known_rules`` are the ids of the rule
    sets. ``organisation`` says whose file it is. ``zone`` is the file's, for those who do not name one.
    """

    faults: Faults
    known_rules: tuple[str, ...] = ()
    for_service: bool = False
    organisation: bool = False
    zone: str = "UTC"
    origins: dict[str, Place] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class At:
    """Where a value stands: its key, the place that a problem names, and the path of keys to it."""

    key: str
    place: Place
    path: str


class Shape(Protocol):
    """What a value must be."""

    def read(self, reading: Reading, node: Node, at: At) -> Any:
        """Give the value, or ``BROKEN`` when its problems were told."""

    def schema(self, known_rules: tuple[str, ...]) -> dict[str, Any]:
        """Give it as JSON Schema, draft 7."""


def closest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Give the known word that was meant by a misspelt one; ``cutoff`` is how alike they must be, 0 to 1."""
    close = difflib.get_close_matches(word[:_COMPARED], list(known), n=1, cutoff=cutoff)
    return close[0] if close else None


def suggestion(word: str, known: Collection[str]) -> str:
    """Give the remedy for a word that is none of the known ones."""
    close = closest(word, known)
    return f"Did you mean `{close}`?" if close else f"Known: {', '.join(map(code, known))}."


@dataclass(frozen=True, slots=True)
class Text:
    """A text. ``pattern`` must match whole; ``what`` names it in problems, ``remedy`` says how it is written."""

    pattern: str = ""
    what: str = "a text"
    remedy: str = ""
    longest: int = LONGEST_TEXT

    def read(self, reading: Reading, node: Node, at: At) -> Any:
        """Give the value, or tell what is wrong with it."""
        if node.kind == "broken":
            return BROKEN
        value = node.value
        good = node.kind == "scalar" and isinstance(value, str) and 0 < len(value) <= self.longest
        if not good or (self.pattern and re.fullmatch(self.pattern, value, re.ASCII) is None):
            remedy = self.remedy
            if isinstance(value, int | float):
                remedy = remedy or f'Write it in quotes: `"{value}"`.'
            reading.faults.add(f"`{at.key}` must be {self.what}{_got(node)}.", at.place, remedy)
            return BROKEN
        return value

    def schema(self, known_rules: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002
        """Give it as JSON Schema."""
        made: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": self.longest}
        return made | ({"pattern": f"^(?:{self.pattern})$"} if self.pattern else {})


def shown(node: Node) -> str:
    """Give what stands there, for a problem, as Markdown."""
    if node.kind in {"mapping", "sequence"}:
        return "a mapping" if node.kind == "mapping" else "a list"
    value = node.value
    if value is None or value == "":
        return "empty"
    text = "the text " if isinstance(value, str) and resolved(value) != value else ""
    return text + code(str(value).lower() if isinstance(value, bool) else str(value), longest=_COMPARED)


def _got(node: Node) -> str:
    return f", not {shown(node)}"


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def read(self, reading: Reading, node: Node, at: At) -> Any:
        """Give the value, or tell what is wrong with it."""
        if node.kind == "broken":
            return BROKEN
        if not isinstance(node.value, bool):
            remedy = "Write it without quotes." if str(node.value).lower() in {"true", "false"} else ""
            said = f"`{at.key}` must be `true` or `false`{_got(node)}."
            reading.faults.add(said, at.place, remedy or "YAML 1.2 has no `yes`, `no`, `on` or `off`.")
            return BROKEN
        return node.value

    def schema(self, known_rules: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002
        """Give it as JSON Schema."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words, or of a few numbers; ``words`` says which, where they are many."""

    allowed: tuple[str | int, ...]
    words: str = ""

    def read(self, reading: Reading, node: Node, at: At) -> Any:
        """Give the value, or tell what is wrong with it."""
        if node.kind == "broken":
            return BROKEN
        if node.value not in self.allowed or isinstance(node.value, bool | float) or node.kind != "scalar":
            one_of = "" if len(self.allowed) == 1 else "one of "
            names = ", ".join(f"`{one}`" if isinstance(one, str) else str(one) for one in self.allowed)
            words = [one for one in self.allowed if isinstance(one, str)]
            close = closest(str(node.value), words)
            remedy = f"Did you mean `{close}`?" if close else f"Write `{at.key}: {self.allowed[0]}`."
            reading.faults.add(
                f"`{at.key}` must be {self.words or one_of + names}{_got(node)}.", at.place, remedy
            )
            return BROKEN
        return node.value

    def schema(self, known_rules: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002
        """Give it as JSON Schema."""
        return {"enum": list(self.allowed)}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from ``least`` to ``most``."""

    least: int
    most: int

    def read(self, reading: Reading, node: Node, at: At) -> Any:
        """Give the value, or tell what is wrong with it."""
        if node.kind == "broken":
            return BROKEN
        value = node.value
        if not isinstance(value, int) or isinstance(value, bool) or not self.least <= value <= self.most:
            said = f"`{at.key}` must be a whole number from {self.least} to {self.most}{_got(node)}."
            remedy = "Write the digits alone." if isinstance(value, str) else ""
            reading.faults.add(said, at.place, remedy or f"Write `{at.key}: {max(self.least, 1)}`.")
            return BROKEN
        return value

    def schema(self, known_rules: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002
        """Give it as JSON Schema."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number that is not negative."""

    def read(self, reading: Reading, node: Node, at: At) -> Any:
        """Give the value, or tell what is wrong with it."""
        if node.kind == "broken":
            return BROKEN
        value = node.value
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
            said = f"`{at.key}` must be a number, 0 or more{_got(node)}."
            reading.faults.add(said, at.place, "Write a plain number: `0.01` is one percent.")
            return BROKEN
        return float(value)

    def schema(self, known_rules: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002
        """Give it as JSON Schema."""
        return {"type": "number", "minimum": 0}


@dataclass(frozen=True, slots=True)
class Duration:
    """A time with its unit, at most 92 days."""

    least: timedelta = timedelta(0)

    def read(self, reading: Reading, node: Node, at: At) -> Any:
        """Give the value, or tell what is wrong with it."""
        if node.kind == "broken":
            return BROKEN
        value = node.value
        short = isinstance(value, str) and value[:1].isdigit() and len(value) <= _COMPARED
        seconds = parse_duration(value) if short else None
        if not isinstance(seconds, int) or seconds < 0:
            remedy = "Write `30m`, `2h` or `1d`."
            reading.faults.add(f"`{at.key}` must be a duration with its unit{_got(node)}.", at.place, remedy)
            return BROKEN
        if not self.least.total_seconds() <= seconds <= _LONGEST_DURATION.total_seconds():
            least = "" if not self.least else "more than none and "
            said = f"`{at.key}` must be {least}at most {_LONGEST_DURATION.days} days{_got(node)}."
            reading.faults.add(said, at.place, "Write `30m`, `2h` or `1d`.")
            return BROKEN
        return timedelta(seconds=seconds)

    def schema(self, known_rules: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002
        """Give it as JSON Schema."""
        return {"type": "string", "pattern": "^[0-9]", "examples": ["30m", "2h", "1d"]}
